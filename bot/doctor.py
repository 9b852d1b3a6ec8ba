"""The doctor: looks at settings, files, store, Slack and Teams, and says what is wrong or weak, and what that costs."""

from __future__ import annotations

import importlib.metadata
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.agentscheck import not_set_up, weak
from bot.agentsfile import AgentsFile, read_agents
from bot.app import opened_store
from bot.config import Settings, load_settings, sealing_key
from bot.domain.errors import CountersignError
from bot.domain.ports import Keep
from bot.in_slack import connected_slack, examined_slack
from bot.in_teams import connected_teams, examined_teams
from bot.modelkeys import endpoints
from bot.outside import missing, models_tried
from bot.owntools import told_of
from bot.rules import Rules, examined_servers, read_rules
from bot.worktools import tried_box

AGENTS_MOST = 6  # named in one line


@dataclass(frozen=True, slots=True)
class Finding:
    text: str
    is_bad: bool = False
    is_weak: bool = False

    @property
    def mark(self) -> str:
        return "✗" if self.is_bad else "!" if self.is_weak else "✓"


class Remark(Protocol):
    """What a platform's checkup says. After one that `is_end`, nothing more can be looked at there."""

    @property
    def text(self) -> str: ...
    @property
    def is_bad(self) -> bool: ...
    @property
    def is_weak(self) -> bool: ...
    @property
    def is_end(self) -> bool: ...


Connected = Callable[[Settings], Awaitable[Sequence[Remark]]]
Examined = Callable[[Settings, Rules, Keep], Awaitable[Sequence[Remark]]]


async def examine() -> list[Finding]:
    """Every check, whatever the others found. What two of them stumble over is told once."""
    try:
        settings = load_settings()
    except CountersignError as error:
        return [Finding(line, is_bad=True) for line in str(error).splitlines()]
    found: list[Finding] = [Finding("settings are readable")]
    for check in (_imports, _key, _rules, _servers, _outside, _box, _store, _mind, _slack, _teams):
        try:
            async for finding in check(settings):
                found.append(finding)  # noqa: PERF401  # one by one: what was found before an error stays
        except CountersignError as error:
            found += [Finding(line, is_bad=True) for line in str(error).splitlines()]
    return list(dict.fromkeys(found))


async def _imports(_: Settings) -> AsyncIterator[Finding]:
    """The import name `agents` belongs to this project; one other distribution takes it, too."""
    owners = importlib.metadata.packages_distributions().get("agents", [])
    others = sorted(set(owners) - {"countersign"})
    if others:
        told = f"{' and '.join(others)} installs a package called `agents`, as this bot does; uninstall it here"
        yield Finding(told, is_bad=True)


async def _key(settings: Settings) -> AsyncIterator[Finding]:
    sealing_key(settings)
    if settings.key is None and settings.redis_url is not None:
        told = f"the sealing key is the file {settings.var / 'key'}: other machines need it as COUNTERSIGN_KEY"
        yield Finding(told, is_weak=True)
    else:
        yield Finding("the sealing key is there")


async def _rules(settings: Settings) -> AsyncIterator[Finding]:
    rules = await read_rules(settings)
    yield Finding(f"{settings.policy}: {len(rules.policy.rules)} rules, {len(rules.people.people)} people, no problems")
    yield Finding(_agents(settings, rules))
    for weakness in weak(rules.agents):
        yield Finding(weakness, is_weak=True)
    if own := [told_of(rules.toolbox.get(name).spec, rules.policy) for name in rules.own]:
        yield Finding(f"your tools: {', '.join(own)}")
    if told := not_set_up(rules.agents, [spec.name for spec in rules.toolbox.specs()]):
        yield Finding(told)


def _agents(settings: Settings, rules: Rules) -> str:
    agents = [f"{one.name} ({one.kind})" for one in rules.roster.listings()]
    where = settings.agents_file or "without agents.yml"
    rest = len(agents) - AGENTS_MOST
    more = f" and {rest} others; `python -m bot agents` lists all" if rest > 0 else ""
    shown = ", ".join(agents[:AGENTS_MOST])
    return f"{where}: {len(agents)} agents, the first one for whatever is no other's: {shown}{more}"


async def _outside(settings: Settings) -> AsyncIterator[Finding]:
    """What settings name that is not ours: whether it is there."""
    async for told in missing(settings):
        yield Finding(told, is_bad=True)


async def _servers(settings: Settings) -> AsyncIterator[Finding]:
    for found in await examined_servers(settings):
        yield Finding(found.text, is_bad=found.is_bad, is_weak=found.is_weak)


async def _box(settings: Settings) -> AsyncIterator[Finding]:
    """Scripts that are switched on: in what they would run here."""
    if (tried := await tried_box(settings)) is not None:
        told, is_box = tried
        yield Finding(f"scripts run {told}", is_weak=not is_box)


async def _store(settings: Settings) -> AsyncIterator[Finding]:
    async with opened_store(settings, join=True) as store:
        yield Finding("the store answers")
        for weakness in await store.weaknesses():
            yield Finding(weakness, is_weak=True)


async def _mind(settings: Settings) -> AsyncIterator[Finding]:
    if settings.is_rehearsal:
        yield Finding(
            "no model is set: a rehearsal plays its part (set OPENAI_API_KEY or OPENAI_BASE_URL)", is_weak=True
        )
        return
    path = settings.agents_file
    file = read_agents(path) if path is not None else AgentsFile()
    for one in await models_tried(endpoints(settings, file)):
        yield Finding(one.text, is_bad=one.is_bad, is_weak=one.is_weak)


async def _slack(settings: Settings) -> AsyncIterator[Finding]:
    async for finding in _platform(settings, "slack", connected_slack, examined_slack):
        yield finding


async def _teams(settings: Settings) -> AsyncIterator[Finding]:
    async for finding in _platform(settings, "teams", connected_teams, examined_teams):
        yield finding


async def _platform(settings: Settings, name: str, connected: Connected, examined: Examined) -> AsyncIterator[Finding]:
    """The credentials first: they need neither store nor files, and without them nothing else can be asked."""
    if name not in settings.chats:
        return
    remarks = await connected(settings)
    for remark in remarks:
        yield _finding(remark)
    if any(remark.is_end for remark in remarks):
        return
    rules = await read_rules(settings)
    async with opened_store(settings, join=True) as store:
        for remark in await examined(settings, rules, store.keep()):
            yield _finding(remark)


def _finding(remark: Remark) -> Finding:
    return Finding(remark.text, is_bad=remark.is_bad, is_weak=remark.is_weak)
