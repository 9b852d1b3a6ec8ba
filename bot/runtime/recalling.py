"""Recorded calls, read again so that another policy can be tried on them: what was called, by whom, where, after what.

    audit, newest first -> calls that a rule let through, refused, handed over or put to people
        asked:   the request has the call, its requester, place and history, as they were judged
        the rest: the audit names the call by its digest -> the run's journal has the arguments a model wrote

A call whose arguments nobody recorded (an agent of code wrote it, and nobody was asked), or whose run is forgotten, is
counted and comes without them. Reads only. Not how a call is judged (policy), nor who its people are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from bot.domain import by_rule
from bot.domain.audit import Entry, parse_line
from bot.domain.calls import Cause, Digest, Outcome, Past, ToolCall, make_call
from bot.domain.errors import BadJson, Broken, InvalidArguments, NoSuchRequest, UnknownTool
from bot.domain.offer import RULE as GRANTED
from bot.domain.ports import Toolbox, WantedCall
from bot.domain.recorded import Made, Recalled, Recollection, Was
from bot.domain.request import Kind, Request, RequestId, RunId, Status
from bot.domain.run import Finished, Step
from bot.domain.store import Loaded, Store
from bot.domain.trace import said_in
from bot.domain.wire import read_foreign
from bot.runtime.host import in_order
from bot.runtime.reporting import trail

NOT_RUN = (Status.REJECTED, Status.EXPIRED, Status.CANCELLED, Status.SUPERSEDED)


async def recalled(store: Store, toolbox: Toolbox, since: datetime, *, most: int, records: int) -> Recollection:
    """The calls from *since* on, at most the newest *most*; of each shard at most *records* audit records are read."""
    found = await trail(store, since, most=records)
    judged = [entry for entry in found.entries if entry.at >= since and _is_judged(entry)]
    judged.sort(key=lambda entry: (entry.at, entry.shard, entry.seq), reverse=True)
    runs: dict[str, _Recorded] = {}
    calls = list[Recalled]()
    for entry in judged:
        if len(calls) == most:
            return Recollection(calls=tuple(calls), is_cut=True)
        name = str(entry.fields["run"])
        if name not in runs:
            runs[name] = await _read(store, toolbox, RunId(name))
        one = await _recalled(store, runs[name], entry)
        calls.extend([one] if one is not None else [])
    return Recollection(calls=tuple(calls), is_cut=found.is_cut)


def _is_judged(entry: Entry) -> bool:
    """Does it tell what a rule said about a call? A request may also be a question, or about a call in doubt."""
    fields = entry.fields
    match entry.event:
        case "call_allowed":
            return True
        case "call_denied":
            return bool(fields.get("rule")) and fields.get("cause") == Cause.POLICY
        case "request_opened":
            return fields.get("kind") == Kind.APPROVAL or (
                fields.get("kind") == Kind.ESCALATION and fields.get("tool") == by_rule.TOOL
            )
    return False


async def _recalled(store: Store, recorded: _Recorded, entry: Entry) -> Recalled | None:
    """None for an escalation that an agent asked for by itself."""
    if entry.event != "request_opened":
        rule = str(entry.fields["rule"])
        was = Was.REFUSED if entry.event == "call_denied" else Was.GRANTED if rule.startswith(GRANTED) else Was.LET
        return _told(entry, was, recorded.made(entry, Digest(str(entry.fields["digest"]))))
    request = await _request(store, entry)
    if entry.fields["kind"] == Kind.APPROVAL:
        return _told(entry, Was.ASKED, _as_asked(request, request.call) if request else None)
    if request is None or not by_rule.is_by_rule(request):
        return None
    call, tool = _behind(request, recorded.calls), str(request.call.values["tool"]).partition(",")[0]
    return _told(entry, Was.HANDED, _as_asked(request, call) if call else None, tool=tool)


def _told(entry: Entry, was: Was, made: Made | None, *, tool: str = "") -> Recalled:
    fields = entry.fields
    run, rule = RunId(str(fields["run"])), str(fields["rule"])
    return Recalled(run=run, at=entry.at, tool=tool or str(fields["tool"]), was=was, rule=rule, made=made)


def _as_asked(request: Request, call: ToolCall) -> Made:
    return Made(
        call=call,
        requester=request.requester,
        place=request.place,
        agent=request.agent,
        history=request.history,
    )


async def _request(store: Store, entry: Entry) -> Request | None:
    """None for one that is forgotten, or that does not bear our seal."""
    try:
        return (await store.held(RequestId(entry.subject))).request
    except (NoSuchRequest, Broken):
        return None


# ------------------------------------------------------------------ one run


class _Recorded:
    """A run as store and audit tell of it; knows nothing of one that is forgotten."""

    def __init__(self, loaded: Loaded | None, told: Sequence[Entry], calls: Mapping[Digest, ToolCall]) -> None:
        self._loaded, self.calls = loaded, calls
        self._earlier = dict(_histories(told, calls))
        ends = (entry for entry in (loaded.entries if loaded else ()) if isinstance(entry, Finished))
        self._members = {entry.path: entry.by for entry in ends}

    def made(self, entry: Entry, digest: Digest) -> Made | None:
        """The call that *entry* tells of, as far as the journal has its arguments."""
        call = self.calls.get(digest)
        if self._loaded is None or call is None:
            return None
        run = self._loaded.run
        history, is_whole = self._earlier.get(entry.seq, ((), False))
        return Made(
            call=call,
            requester=run.task.by,
            place=run.task.place,
            agent=self._members.get(str(entry.fields["path"])) or run.agent,
            history=history,
            is_whole=is_whole,
        )


async def _read(store: Store, toolbox: Toolbox, run: RunId) -> _Recorded:
    loaded = await store.load(run)
    if loaded is None:
        return _Recorded(None, (), {})
    shard = int(run.split("-", 2)[1])
    told = [parse_line(shard, line) for line in await store.trail(run)]
    calls = {call.digest: call for call in _wanted(loaded, toolbox)}
    for entry in told:  # what people were asked about: also a call of an agent of code, and one that somebody edited
        if entry.event == "request_opened" and Digest(str(entry.fields["digest"])) not in calls:
            call = _behind(await _request(store, entry), calls)
            calls |= {Digest(str(entry.fields["digest"])): call} if call is not None else {}
    return _Recorded(loaded, told, calls)


def _behind(request: Request | None, calls: Mapping[Digest, ToolCall]) -> ToolCall | None:
    """The call that *request* is about: what a rule hands over is read as an escalation, and is another call."""
    if request is None or not by_rule.is_by_rule(request):
        return request.call if request is not None else None
    return calls.get(Digest(str(request.call.values["digest"])))


def _wanted(loaded: Loaded, toolbox: Toolbox) -> Iterator[ToolCall]:
    """Every call that a model of this run wrote, as the tools of today read it."""
    for entry in loaded.entries:
        said = said_in(entry) if isinstance(entry, Step) and entry.mark.startswith("think:") else None
        for wanted in said.calls if said is not None else ():
            if (call := _parsed(toolbox, wanted)) is not None:
                yield call


def _parsed(toolbox: Toolbox, wanted: WantedCall) -> ToolCall | None:
    try:
        tool = toolbox.get(wanted.tool)
        args = tool.check(read_foreign(wanted.args or "{}"))
    except (UnknownTool, BadJson, InvalidArguments):
        return None
    return make_call(id=wanted.id, tool=tool.spec.name, version=tool.spec.version, args=args)


def _histories(
    told: Sequence[Entry], calls: Mapping[Digest, ToolCall]
) -> Iterator[tuple[int, tuple[tuple[Past, ...], bool]]]:
    """By the number of each record that tells of a call: the run's other calls then, and whether these are all."""
    begun = {
        str(entry.fields["path"]): Past(tool=call.tool, args=call.args)
        for entry in told
        if _is_call(entry) and (call := calls.get(Digest(str(entry.fields["digest"])))) is not None
    }
    past, asked, is_whole = dict[str, Past](), dict[str, str](), True
    for entry in told:
        path = asked.get(entry.subject, "") if entry.event == "request_decided" else str(entry.fields.get("path"))
        if _is_call(entry):
            others = {where: begun[where] for where in begun if _is_before(where, path)} | past
            yield entry.seq, (tuple(others[where] for where in in_order(others) if where != path), is_whole)
            is_whole = is_whole and path in begun
            past |= {path: begun[path]} if path in begun else {}
            asked |= {entry.subject: path} if entry.event == "request_opened" else {}
        if path in past and (outcome := _outcome(entry)) is not None:
            past[path] = Past(tool=past[path].tool, args=past[path].args, outcome=outcome)


def _is_before(where: str, path: str) -> bool:
    """Does it stand before *path* in the same turn? It had begun, though what only reads is written down at its end."""
    return where.rpartition(".")[0] == path.rpartition(".")[0] and where != path and in_order((where, path))[0] == where


def _is_call(entry: Entry) -> bool:
    """Does it tell of a call that could be read? A request may also be about one that was told of before."""
    match entry.event:
        case "call_allowed":
            return True
        case "call_denied":
            return entry.fields.get("cause") != Cause.INVALID
        case "request_opened":
            return entry.fields.get("kind") not in (Kind.RECOVERY, Kind.AFTERMATH)
    return False


def _outcome(entry: Entry) -> Outcome | None:
    match entry.event:
        case "tool_finished":
            return Outcome(str(entry.fields["outcome"]))
        case "call_denied":
            return Outcome.NOT_RUN
        case "request_decided" if entry.fields["status"] in NOT_RUN:
            return Outcome.NOT_RUN
    return None
