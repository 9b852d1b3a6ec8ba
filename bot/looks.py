"""What the commands show: runs, requests, the policy and the audit, read from files and from the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.app import opened_store, read_rules
from bot.config import load_settings, sealing_key
from bot.domain.audit import Violation, export, parse_line, verify_chain, verify_checkpoints
from bot.domain.calls import make_call
from bot.domain.chat import PersonId, Place
from bot.domain.errors import BadPolicy, BadRecord, NoSuchRequest, Refused
from bot.domain.invariants import check
from bot.domain.policy import Facts
from bot.domain.request import RunId
from bot.domain.store import Sealed, Store
from bot.domain.wire import read_foreign
from bot.policycheck import check_text, explain_text
from bot.policyfile import read_policy


class NoSuchPerson(Refused):
    """A command named somebody who is not in people.yml."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name or 'nobody'!r} is not in people.yml; name a person with --as")


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


async def open_requests() -> list[str]:
    lines: list[str] = []
    async with opened_store(load_settings(), join=True) as store:
        for shard in range(store.shards):
            for id in await store.open_requests(shard):  # noqa: A001  # its name everywhere
                try:
                    request = (await store.held(id)).request
                except NoSuchRequest:
                    continue
                until = f"until {request.deadline:%Y-%m-%d %H:%M}" if request.deadline else "without a deadline"
                lines.append(f"{id}  {request.call.tool}  for {request.requester}  {until}  (rule {request.ask.rule})")
    return lines or ["nothing waits"]


# ------------------------------------------------------------------ policy


async def checked_policy() -> tuple[str, bool]:
    settings = load_settings()
    try:
        rules = await read_rules(settings)
    except BadPolicy as error:
        return "\n".join(error.problems), False
    return check_text(rules.policy, []), True


async def explained_policy(tool: str, args: str, person: str) -> list[str]:
    settings = load_settings()
    rules = await read_rules(settings)
    who = await rules.people.person(PersonId(person))
    if who is None:
        raise NoSuchPerson(person)
    found = rules.toolbox.get(tool)
    call = make_call(id="-", tool=tool, version=found.spec.version, args=found.check(read_foreign(args)))
    place = Place(platform="playground", tenant="local", channel="general")
    facts = Facts(requester=who, place=place, agent="assistant")
    return explain_text(read_policy(settings.policy), call, found.spec, facts).splitlines()


# ------------------------------------------------------------------- audit


async def verified_audit(file: Path | None, *, is_quiet: bool) -> tuple[str, bool]:
    """The verdict on every shard's log; the first bad record of each kind is named."""
    settings = load_settings()
    logs = _exported(file) if file else {}
    heads: dict[int, Sealed] = {}
    if file is None:
        async with opened_store(settings, join=True) as store:
            for shard in range(store.shards):
                logs[shard] = list(await store.audit_lines(shard, 0, -1))
                heads[shard] = await store.sealed(shard)
    key = sealing_key(settings)
    problems: list[Violation] = []
    for shard, lines in sorted(logs.items()):
        problems += _problems(shard, lines, heads.get(shard), key, is_quiet=is_quiet)
    records = sum(len(lines) for lines in logs.values())
    if not problems:
        return f"good: {records} records on {len(logs)} shard(s); chain, checkpoints and I1 to I15 hold", True
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
        shard = int(run.split("-", 2)[1])
        return [parse_line(shard, line) for line in await store.trail(RunId(run))]
    return [
        parse_line(shard, line) for shard in range(store.shards) for line in await store.audit_lines(shard, -most, -1)
    ]


async def exported_audit() -> list[dict[str, Any]]:
    """Every record, with its line as it was hashed, so that the export can be verified on its own."""
    async with opened_store(load_settings(), join=True) as store:
        return [
            {**export(parse_line(shard, line)), "line": line}
            for shard in range(store.shards)
            for line in await store.audit_lines(shard, 0, -1)
        ]


def _exported(file: Path) -> dict[int, list[str]]:
    logs: dict[int, list[str]] = {}
    for number, text in enumerate(file.read_text().splitlines(), 1):
        try:
            record = json.loads(text)
            logs.setdefault(int(record["shard"]), []).append(str(record["line"]))
        except (ValueError, KeyError, TypeError) as error:
            raise BadRecord(f"{file} line {number} is not an exported audit record") from error
    return logs
