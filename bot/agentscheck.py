"""What agents.yml names, held against what there is: agents, models, tools, servers, people. One sentence each.

    file + world -> check() -> problems, in the order of the file        -> weak() -> what nobody can reach or uses

Also what the file says of itself: that no agent is its own member, that a word or channel means one agent. Not how it
is read (agentsfile).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from bot.agentsfile import AgentsFile, Entry
from bot.agentskinds import Part, Ref, What
from bot.agentsmodels import DEFAULT, spoken
from bot.domain.people import ANYONE, Group, One, is_unlisted, parse
from bot.toolhints import SETTING as SETTING
from bot.toolhints import no_tool, some

ALL = "all"  # as a tool: every one
SERVER = "mcp:"  # as a tool: every one of a server
BETWEEN = "__"  # what stands between a server's name and its tool's
USER = "user"  # in rules of `routes`: whoever gave the task


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What there is. `tools` are ours; a server's are judged when it has been opened."""

    tools: Collection[str]
    groups: Collection[str]  # those that another platform knows among them
    people: Collection[str]


def check(file: AgentsFile, world: World) -> list[str]:
    """Everything that is wrong: what could not be read, and what names nothing."""
    found = [*file.problems, *_default_problems(file), *_clashes(file), *_cycles(file)]
    for entry in file.agents.values():
        named = [*_refs(entry), *(("may", ref) for ref in entry.may)]
        found += [told for key, ref in named if (told := _ref_problem(file, world, entry, key, ref))]
    if file.budgets_ask and (why := _nobody(file.budgets_ask, world)):
        found.append(f"{file.budgets_ask.spot}: ask of budgets: {why}")
    return sorted(dict.fromkeys(found), key=_place)


def misnamed(file: AgentsFile, tools: Collection[str], optional: Collection[str]) -> list[str]:
    """Tools of servers that are not there, now that every one is known; an *optional* server may be away."""
    missing = [(entry, ref) for entry in file.agents.values() for _, ref in _refs(entry) if ref.what == "tool"]
    return [
        f"{ref.spot}: tools of {entry.name}: there is no tool {ref.name!r}{_near(ref.name, tools)}"
        for entry, ref in missing
        if BETWEEN in ref.name and ref.name not in tools and ref.name.split(BETWEEN)[0] not in optional
    ]


def weak(file: AgentsFile) -> list[str]:
    """What is there for nothing."""
    used = {ref.name for entry in file.agents.values() for _, ref in _refs(entry) if ref.what == "agent"}
    models = {ref.name for entry in file.agents.values() for _, ref in _refs(entry) if ref.what == "model"}
    found = [
        f"{entry.spot('')}: {name} is never asked: no agent has {'them' if entry.is_person else 'it'} as a member"
        for name, entry in file.agents.items()
        if (entry.is_person or entry.is_inner) and name not in used
    ]
    found += [
        f"{entry.spot}: model {ref} is never used: no agent names it"
        for ref, entry in file.models.items()
        if ref != DEFAULT and not any(name == ref or name.startswith(f"{ref}/") for name in models)
    ]
    return sorted(found, key=_place)


def not_set_up(file: AgentsFile, tools: Collection[str]) -> str:
    """Tools that agents do without, because nobody set them up, and which setting offers each; empty for none."""
    wanted = {ref.name for entry in file.agents.values() for _, ref in _refs(entry) if ref.is_optional}
    offers: dict[str, list[str]] = {}
    for name, setting in SETTING.items():
        if name in wanted and name not in tools:
            offers.setdefault(setting, []).append(name)
    if not offers:
        return ""
    some_of = [f"{', '.join(names)} ({setting})" for setting, names in offers.items()]
    return f"agents do without what is not set up: {', '.join(some_of)}"


def default_of(file: AgentsFile) -> str:
    """Who gets a task that is nobody else's: as the file says, else the first agent in it."""
    if file.default is not None:
        return file.default.name
    return next((name for name, entry in file.agents.items() if not (entry.is_person or entry.is_inner)), "")


def members(entry: Entry) -> tuple[str, ...]:
    """The agents and people that it is made of, once each."""
    return tuple(dict.fromkeys(ref.name for _, ref in _refs(entry) if ref.what == "agent"))


def refs(value: object) -> Iterator[Ref]:
    """Every name in a value, however deep."""
    match value:
        case Ref():
            yield value
        case Part(values=inner):
            yield from refs(inner)
        case tuple():
            for one in value:
                yield from refs(one)
        case Mapping():
            for one in value.values():
                yield from refs(one)


def _refs(entry: Entry) -> Iterator[tuple[str, Ref]]:
    for key, value in entry.values.items():
        for ref in refs(value):
            yield key, ref


# ---------------------------------------------------------------- one name


def _ref_problem(file: AgentsFile, world: World, entry: Entry, key: str, ref: Ref) -> str:
    why = _no_member(entry, ref) if ref.what == "member" else _WHY[ref.what](file, world, ref)
    what = f"{entry.name}: `of`" if key == "of" else f"{key} of {entry.name}"
    return f"{ref.spot}: {what}: {why}" if why else ""


def _no_member(entry: Entry, ref: Ref) -> str:
    there = [*members(entry), USER]
    return "" if ref.name in there else f"there is no member {ref.name!r}; there are {', '.join(there)}"


def _no_agent(file: AgentsFile, _world: World, ref: Ref) -> str:
    if ref.name in file.agents or ref.name in file.broken:
        return ""
    return f"there is no agent {ref.name!r}; there are {some(file.agents)}"


def _no_model(file: AgentsFile, _world: World, ref: Ref) -> str:
    if ref.name == DEFAULT or spoken(ref.name, file.models) is not None:
        return ""
    if ref.name in file.models and not file.models[ref.name].name:
        return f"{ref.name!r} is an endpoint; write {ref.name}/ and the name of one of its models"
    there = some([DEFAULT, *file.models])
    return f"there is no model {ref.name!r}; there are {there}, or openai/NAME at the endpoint of the environment"


def _no_tool(file: AgentsFile, world: World, ref: Ref) -> str:
    if ref.name == ALL or ref.name in world.tools or (ref.is_optional and ref.name in SETTING):
        return ""
    if ref.name.startswith(SERVER) or BETWEEN in ref.name:
        server = ref.name.removeprefix(SERVER).split(BETWEEN)[0]
        return "" if server in file.servers else f"there is no server {server!r} in mcp; there are {some(file.servers)}"
    if ref.name in SETTING:
        setting = SETTING[ref.name]
        return f'{ref.name} is there once {setting} is set; write "{ref.name}?" if the agent can do without it'
    return no_tool(ref.name, (ALL, f"{SERVER}SERVER", *world.tools))


def _no_audience(_file: AgentsFile, world: World, ref: Ref) -> str:
    return _nobody(ref, world)


def _nobody(ref: Ref, world: World) -> str:
    match parse(ref.name):
        case Group(name=name) if name != ANYONE and name not in world.groups:
            return f"there is no group {name!r}; there are {some(world.groups)}"
        case One(id=who) if who not in world.people and not is_unlisted(who):
            return f"there is nobody called {who!r}; there are {some(world.people)}"
    return ""


_WHY: Mapping[What, Callable[[AgentsFile, World, Ref], str]] = {
    "agent": _no_agent,
    "model": _no_model,
    "tool": _no_tool,
    "audience": _no_audience,
}


# --------------------------------------------------------------- the whole


def _default_problems(file: AgentsFile) -> Iterator[str]:
    name = default_of(file)
    spot = file.default.spot if file.default else "agents.yml:1:1"
    if name in file.broken or (not file.agents and file.problems):
        return
    if name not in file.agents:
        yield f"{spot}: default: there is no agent {name!r}; there are {some(file.agents)}"
    elif file.agents[name].is_person:
        yield f"{spot}: default: {name} is a person, who can be asked by an agent and not be given a task"
    elif file.agents[name].is_inner:
        yield f"{spot}: default: {name} is inner, so only other agents ask it; take another one, or its inner away"


def _clashes(file: AgentsFile) -> Iterator[str]:
    """Words and channels that two agents claim."""
    for key in ("starts", "channels"):
        taken: dict[str, str] = {}
        for name, entry in file.agents.items():
            for one in getattr(entry, key):
                if (first := taken.setdefault(one.casefold(), name)) != name:
                    yield f"{entry.spot(key)}: {key} of {name}: {one!r} is {first}'s already"


def _cycles(file: AgentsFile) -> Iterator[str]:
    """Agents that are made of themselves: told once, at the one that the file names first."""
    told: set[frozenset[str]] = set()
    for name in file.agents:
        way = _way_back(file, name)
        if way and frozenset(way) not in told:
            told.add(frozenset(way))
            yield f"{file.agents[name].spot('')}: {name} is a member of itself: {' -> '.join([*way, name])}"


def _way_back(file: AgentsFile, start: str) -> list[str]:
    """The shortest way from an agent over members to itself; empty if there is none."""
    ways, seen = [[start]], {start}
    for way in ways:
        for member in members(file.agents[way[-1]]):
            if member == start:
                return way
            if member in file.agents and member not in seen:
                seen.add(member)
                ways.append([*way, member])
    return []


def _near(name: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _place(problem: str) -> tuple[str, int, int]:
    """In the order of each file."""
    file, line, column, *_rest = [*problem.split(":", 3), "", "", ""]
    return (file, int(line), int(column)) if line.isdigit() and column.isdigit() else (file, 0, 0)
