"""Records of agents.yml -> agents: each with its members, its tools and its model, and the roster of all of them.

    file + toolbox -> built() -> Roster        without_file() -> the assistant that is there when nobody wrote a file

Members are built before what is made of them; a class is imported when the first agent of its kind is. Not whether
what a file names exists: that was checked (agentscheck).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.coded import as_agent
from agents.patterns.helpers import helper_tools
from agents.roster import PROMPT, Roster
from bot.agentscheck import ALL, BETWEEN, SERVER, members
from bot.agentsfile import AgentsFile, Entry
from bot.agentskinds import KINDS, Part, Ref
from bot.agentsmodels import DEFAULT
from bot.domain.errors import BadPolicy
from bot.domain.ports import Agent, Tool
from bot.domain.routing import Listing
from bot.loaded import loaded

BUILT_IN = "assistant"  # its name
FOR_TESTS = ("agents.testing", "agents.tryout")  # simulated people and models: no bot that runs may hold them (D-49)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The tools that agents may have, by name, with those of their arguments that nobody is shown. Who has all of
    them does not have the *inner* ones, which mean something in a pattern alone: those have to be named."""

    secrets: Mapping[str, tuple[str, ...]]
    inner: frozenset[str] = frozenset()

    def of(self, refs: Iterable[Ref]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for ref in refs for name in self._named(ref.name)))

    def _named(self, name: str) -> Iterable[str]:
        if name == ALL:
            return [one for one in self.secrets if one not in self.inner]
        if name.startswith(SERVER):
            return [one for one in self.secrets if one.startswith(f"{name.removeprefix(SERVER)}{BETWEEN}")]
        return (name,) if name in self.secrets else ()  # the agent can do without it, and it is not there


def without_file() -> AgentsFile:
    """The one agent there is without a file."""
    values = {"prompt": PROMPT, "tools": (Ref("tool", ALL, ""),)}
    return AgentsFile(agents={BUILT_IN: Entry(name=BUILT_IN, kind="react", values=values)})


def built(file: AgentsFile, shelf: Shelf, *, default: str) -> Roster:
    """Every agent. Raises BadPolicy for what a class refuses, ValueError where *default* is nobody."""
    builder = _Builder(file, shelf)
    agents = [builder.agent(name) for name in file.agents]
    if builder.problems:
        raise BadPolicy(builder.problems)
    entries = [entry for entry in file.agents.values() if not entry.is_person]
    listings = [_listing(file, entry, shelf) for entry in entries]
    return Roster([one for one in agents if one is not None], default=default, listings=listings)


def tools_of(file: AgentsFile, name: str, shelf: Shelf) -> tuple[str, ...]:
    """The tools of an agent and of all its members."""
    found: dict[str, None] = {}
    todo, seen = [name], {name}
    while todo:
        entry = file.agents[todo.pop()]
        found |= dict.fromkeys(_own(entry, shelf))
        more = [one for one in members(entry) if one in file.agents and one not in seen]
        seen |= {*more}
        todo += more
    return tuple(found)


def helper_calls(file: AgentsFile, roster: Roster) -> tuple[Tool, ...]:
    """Agents as tools of other agents: their schemas, for the toolbox. Raises BadPolicy."""
    leads = [roster.get(name) for name, entry in file.agents.items() if entry.values.get("helpers")]
    try:
        return helper_tools(*leads)
    except ValueError as error:
        raise BadPolicy([f"agents.yml:1:1: helpers: {error}"]) from error


def _listing(file: AgentsFile, entry: Entry, shelf: Shelf) -> Listing:
    model = entry.values.get("model")
    return Listing(
        name=entry.name,
        kind=entry.kind,
        model=model.name if isinstance(model, Ref) else "",
        tools=tools_of(file, entry.name, shelf),
        describe=entry.describe,
        starts=entry.starts,
        channels=entry.channels,
        may=tuple(ref.name for ref in entry.may),
        is_inner=entry.is_inner,
    )


def _own(entry: Entry, shelf: Shelf) -> tuple[str, ...]:
    tools = entry.values.get("tools", ())
    assert isinstance(tools, tuple)
    return shelf.of(tools)


@dataclass(slots=True)
class _Builder:
    file: AgentsFile
    shelf: Shelf
    problems: list[str] = field(default_factory=list)
    _made: dict[str, Agent | None] = field(default_factory=dict)

    def agent(self, name: str) -> Agent | None:
        """The agent of this name; None if its class refused it, which is noted."""
        if name not in self._made:
            self._made[name] = self._make(self.file.agents[name])
        return self._made[name]

    def _make(self, entry: Entry) -> Agent | None:
        kind = KINDS[entry.kind]
        for name in members(entry):
            self.agent(name)
        if self.problems:  # perhaps a member is missing: whatever is said of this one would be about that
            return None
        given = {"secrets": self.shelf.secrets, "about": entry.describe}
        try:
            values = {key: self._plain(value) for key, value in entry.values.items()}
            values |= {key: given[key] for key in kind.gets}
            if "tools" in kind.fields:
                values["tools"] = _own(entry, self.shelf)
            if entry.kind == "python":
                values["python"] = _loaded(str(values["python"]), len(values.get("members", ())))
            made: Agent = _class(kind.maker)(name=entry.name, **kind.shaped(values))
        except (ValueError, TypeError) as error:
            at = entry.spot("python" if entry.kind == "python" else "")
            self.problems.append(f"{at}: agent {entry.name}: {str(error).removeprefix(f'{entry.name}: ')}")
            return None
        return made

    def _plain(self, value: object) -> Any:
        """A value as a class takes it: names are what they name."""
        match value:
            case Ref(what="agent", name=name):
                return self.agent(name)
            case Ref(what="model", name=name):
                return "" if name == DEFAULT else name
            case Ref(name=name):
                return name
            case Part(maker=maker, values=values):
                return _class(maker)(**{key: self._plain(one) for key, one in values.items()})
            case tuple():
                return tuple(self._plain(one) for one in value)
            case Mapping():
                return {key: self._plain(one) for key, one in value.items()}
        return value


def _class(maker: str) -> Callable[..., Any]:
    module, _, name = maker.partition(":")
    made: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return made


def _loaded(name: str, members: int) -> Any:
    """What `module:name` is, which takes so many *members*. Raises ValueError with the rest of a sentence."""
    module = name.partition(":")[0]
    if any(module == one or module.startswith(f"{one}.") for one in FOR_TESTS):
        raise ValueError(f"python: {name} comes from agents.testing; simulated people are for tests alone")
    try:
        return as_agent(loaded(name), members)
    except ValueError as error:
        raise ValueError(f"python: {name} {error}") from error
