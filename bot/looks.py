"""What the commands show: runs, requests, the policy and the audit, read from files and from the store."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bot.app import opened_store
from bot.config import load_settings, sealing_key
from bot.domain.audit import Violation, export, parse_line, verify_chain, verify_checkpoints
from bot.domain.chat import Person, PersonId, Place
from bot.domain.errors import BadPolicy, BadRecord, NoSuchRequest, Refused
from bot.domain.invariants import check
from bot.domain.people import may_answer
from bot.domain.request import Request, RunId
from bot.domain.routing import Listing, words_of
from bot.domain.standing import check_standing
from bot.domain.store import Sealed, Store
from bot.domain.transcript import Line, transcript
from bot.domain.wire import read_foreign
from bot.policycheck import check_text
from bot.rules import Rules, read_rules
from bot.toolhints import no_tool, some


class NotExplainable(Refused):
    """`policy explain` named a tool, a person or an agent that is not there. The message says which are."""


class NoSuchRun(Refused):
    """A command named a run that is not there."""

    def __init__(self, run: str) -> None:
        super().__init__(f"there is no run {run!r}; `runs` lists the latest")


# -------------------------------------------------------- runs and requests


async def latest_runs(most: int) -> list[str]:
    async with opened_store(load_settings(), join=True) as store:
        found = [
            loaded
            for shard in range(store.shards)
            for run in await store.recent_runs(shard, most)
            if (loaded := await store.load(run))
        ]
    found.sort(key=lambda loaded: loaded.run.began, reverse=True)
    return [
        f"{loaded.run.id}  {loaded.status:8}  {loaded.run.began:%Y-%m-%d %H:%M:%S}  "
        f"{loaded.run.task.by}: {loaded.run.task.text[:60]}"
        for loaded in found[:most]
    ] or ["no runs yet"]


async def told_run(run: str) -> list[Line]:
    """The whole transcript of *run*, secrets masked. Raises NoSuchRun."""
    settings = load_settings()
    tools = (await read_rules(settings)).toolbox
    known = {spec.name: spec for spec in tools.specs()}
    async with opened_store(settings, join=True) as store:
        await _shard_of(store, run)
        loaded = await store.load(RunId(run))
    if loaded is None:
        raise NoSuchRun(run)
    return list(transcript(loaded.run, loaded.letters, loaded.entries, known.get))


async def open_requests() -> list[str]:
    lines: list[str] = []
    async with opened_store(load_settings(), join=True) as store:
        for shard in range(store.shards):
            for id in await store.open_requests(shard):  # noqa: A001  # its name everywhere
                try:
                    request = (await store.held(id)).request
                except NoSuchRequest:
                    continue
                lines.append(request_line(request))
    return lines or ["nothing waits"]


def request_line(request: Request) -> str:
    """One open request: which, in which run, whose task, whom it waits for, and until when."""
    until = f"until {request.deadline:%Y-%m-%d %H:%M}" if request.deadline else "without a deadline"
    whom = [one.of if one.need == 1 else f"{one.need} of {one.of}" for one in request.ask.groups]
    waits = request.handed[-1].to if request.handed else " and ".join(whom)
    task = " ".join(request.task.split())[:60]
    asked = f"asked by {request.requester}: {task}"
    waits_until = f"waits for {waits}  {until}  (rule {request.ask.rule})"
    return f"{request.id}  {request.run}  {request.call.tool}  {asked}  {waits_until}"


# ------------------------------------------------------------------ agents


async def listed_agents() -> list[str]:
    """Each agent that people may ask, the default first: a line of what it is, and one of how it is reached."""
    settings = load_settings()
    rules = await read_rules(settings)
    lines: list[str] = []
    for number, one in enumerate(rules.roster.listings()):
        model = one.model or ("rehearsal" if settings.is_rehearsal else settings.model)
        mind = f"  model {model}" if one.kind == "react" else ""
        rest = [] if number else ["whatever is no other's"]
        reached = [*(f"“{word} …”" for word in one.starts), *one.channels, *rest]
        lines += [
            f"{one.name}  {one.kind}{mind}  tools {', '.join(one.tools) or 'none'}",
            f"    {one.describe}" if one.describe else "",
            *(["    asked by other agents alone"] if one.is_inner else _asked_by(one, reached)),
        ]
    return [line for line in lines if line]


def _asked_by(one: Listing, reached: list[str]) -> list[str]:
    ways = ", ".join([f"“{one.name}: …”", *reached])
    return [f"    asked by {ways}", f"    by {words_of(one.may) or 'everybody'}"]


# ------------------------------------------------------------------ policy


async def checked_policy() -> tuple[str, bool]:
    settings = load_settings()
    try:
        rules = await read_rules(settings)
    except BadPolicy as error:
        return "\n".join(error.problems), False
    return check_text(rules.policy, []), True


class Asked(NamedTuple):
    """Who asks for the call that is explained: a person, through an agent (empty: the first one)."""

    person: str
    agent: str = ""


async def explained_policy(tool: str, args: str, by: Asked) -> list[str]:
    """Raises NotExplainable, InvalidArguments, BadJson."""
    rules = await read_rules(load_settings())
    there = [spec.name for spec in rules.toolbox.specs()]
    if tool not in there:
        raise NotExplainable(no_tool(tool, there))
    if by.agent and by.agent not in rules.agents.agents:
        raise NotExplainable(f"--agent {by.agent!r} is not in agents.yml; there are {some(rules.agents.agents)}")
    who = await _asking(rules, by.person)
    place = Place(platform="playground", tenant="local", channel="general")
    told = rules.explained(tool, read_foreign(args), who, place, agent=by.agent).splitlines()
    return told if may_answer(who) else [f"{by.person} may not give tasks at all; for somebody who may:", *told]


async def _asking(rules: Rules, name: str) -> Person:
    known = some([one.id for one in rules.people.people])
    if not name:
        raise NotExplainable(f"who asks for the call is not said: add --as and one of {known}")
    who = await rules.people.person(PersonId(name))
    if who is None:
        raise NotExplainable(f"--as {name!r} is not in people.yml; there are {known}")
    return who


# ------------------------------------------------------------------- audit


async def verified_audit(file: Path | None, *, is_quiet: bool) -> tuple[str, bool]:
    """The verdict on every shard's log; the first bad record of each kind is named."""
    settings = load_settings()
    logs = _exported(file) if file else {}
    heads: dict[int, Sealed] = {}
    has_runs = file is not None  # an export of nothing proves nothing
    if file is None:
        async with opened_store(settings, join=True) as store:
            # The head first: a bot that runs goes on writing behind it. The first shard last: others' votes rest on it.
            for shard in reversed(range(store.shards)):
                heads[shard] = await store.sealed(shard)
                seq = heads[shard].seq
                logs[shard] = [*await store.audit_lines(shard, 0, seq - 1)] if seq else []
            has_runs = any([await store.recent_runs(shard, 1) for shard in range(store.shards)])
    key = sealing_key(settings)
    problems: list[Violation] = []
    for shard, lines in sorted(logs.items()):
        problems += _problems(shard, lines, heads.get(shard), key, is_quiet=is_quiet)
    if not problems:
        problems += check_standing(parse_line(shard, line) for shard, lines in logs.items() for line in lines)
    records = sum(len(lines) for lines in logs.values())
    if not records and has_runs:
        return "BAD: the log is empty", False
    if not problems:
        unsealed = sum(head.seq - head.covered for head in heads.values())
        newest = f"; the newest {unsealed} are not sealed by a checkpoint yet" if unsealed > 1 else ""
        return f"good: {records} records on {len(logs)} shard(s); chain, checkpoints and I1 to I15 hold{newest}", True
    told = [f"{p.invariant} shard {p.shard} record {p.seq}: {p.told}" for p in problems[:20]]
    more = f"\n(+{len(problems) - 20} more)" if len(problems) > 20 else ""
    return "BAD: " + "\n".join(told) + more, False


def _problems(
    shard: int, lines: Sequence[str], sealed: Sealed | None, key: bytes, *, is_quiet: bool
) -> list[Violation]:
    """The chain first: what stands in a broken log proves nothing."""
    head = (sealed.seq, sealed.link) if sealed and sealed.seq else None
    broken = verify_chain(lines, shard=shard, head=head)
    if broken:
        return broken
    anchor = sealed.mac if sealed else ""
    entries = [parse_line(shard, line) for line in lines]
    return [*verify_checkpoints(lines, key, shard=shard, anchor=anchor), *check(entries, is_quiet=is_quiet)]


async def shown_audit(run: str, most: int) -> list[str]:
    async with opened_store(load_settings(), join=True) as store:
        lines = await _audit(store, run, most)
    entries = sorted(lines, key=lambda entry: (entry.at, entry.shard, entry.seq))
    return [
        f"{entry.at:%Y-%m-%d %H:%M:%S}  {entry.shard}/{entry.seq:<6} {entry.event:16} "
        + " ".join(f"{name}={value}" for name, value in entry.fields.items() if name != "e" and value)
        for entry in entries[-most:]
    ] or ["no records yet"]


async def _audit(store: Store, run: str, most: int) -> list[Any]:
    if run:
        shard = await _shard_of(store, run)
        return [parse_line(shard, line) for line in await store.trail(RunId(run))]
    return [
        parse_line(shard, line) for shard in range(store.shards) for line in await store.audit_lines(shard, -most, -1)
    ]


async def _shard_of(store: Store, run: str) -> int:
    found = re.fullmatch(r"r-(\d+)-\w+", run)
    if found is None or int(found[1]) >= store.shards or await store.load(RunId(run)) is None:
        raise NoSuchRun(run)
    return int(found[1])


async def exported_audit() -> list[dict[str, Any]]:
    """Every record, with its line as it was hashed, so that the export can be verified on its own."""
    async with opened_store(load_settings(), join=True) as store:
        logs = {shard: await store.audit_lines(shard, 0, -1) for shard in reversed(range(store.shards))}
        return [{**export(parse_line(shard, line)), "line": line} for shard in sorted(logs) for line in logs[shard]]


def _exported(file: Path) -> dict[int, list[str]]:
    logs: dict[int, list[str]] = {}
    for number, text in enumerate(_read(file).splitlines(), 1):
        try:
            record = json.loads(text)
            logs.setdefault(int(record["shard"]), []).append(str(record["line"]))
        except (ValueError, KeyError, TypeError) as error:
            raise BadRecord(f"{file} line {number} is not an exported audit record") from error
    return logs


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRecord(f"{file} cannot be read as an exported audit: {error}") from error
