"""The work behind a call: it begins, runs and ends, and each of these is written down once.

begin -> run -> finish; a Stop in between lets the tool end, and records what really happened

The hands of a passage. Not whether a call may run, nor what people said about it (passage).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from bot.domain import events
from bot.domain.accepted import accepted_in, unaccepted
from bot.domain.calls import Cause, Outcome, Past, Risk, ToolCall, ToolResult
from bot.domain.chat import PersonId
from bot.domain.errors import AlreadySettled, LeaseLost, Overtaken, TooLate, Unheard
from bot.domain.grant import Grant
from bot.domain.inquiry_stuck import AGAIN
from bot.domain.letters import Took, last_take
from bot.domain.ports import Leave, Tool, WantedCall
from bot.domain.request import Request, RequestId, spend
from bot.domain.run import Begun, Finished, Opened
from bot.domain.store import Batch, Effects, Note
from bot.domain.telling import IN_DOUBT, NEVER_BEGAN, OVERTAKEN
from bot.domain.wire import loads, replace
from bot.runtime.exhibits import bare
from bot.runtime.gatehouse import Gatehouse
from bot.runtime.host import Host
from bot.runtime.journal import patiently
from bot.runtime.lanes import Lane

log = structlog.get_logger()
TAKEN = "somebody took this over first"
STOP_GRACE = 1.0  # seconds a running tool gets to end by itself after Stop (the run must end within 2)


class Work:
    """What may be done with one call, at one step of a run."""

    def __init__(self, gate: Gatehouse, host: Host, lane: Lane, *, path: str, wanted: WantedCall, why: str) -> None:
        self._gate, self._host, self._lane = gate, host, lane
        self._path, self._wanted, self._why = path, wanted, why
        self._journal = host.journal
        self._mark = f"use:{wanted.tool}:{wanted.id}"

    @property
    def _is_over(self) -> bool:
        return self._path in self._journal.finished

    # ------------------------------------------------------------- running

    async def _run_free(self, tool: Tool, call: ToolCall, rule: str) -> ToolResult:
        takes = self._host.takes
        if self._host.is_overtaken(self._path):
            return await self._refuse(Cause.SUPERSEDED, OVERTAKEN, call)
        allowed = events.call_allowed(self._host.id, self._path, call, rule)
        start = events.Start(self._host.id, self._path, call, None)
        key = self._key(call)
        began = start.started(key=key, epoch=self._journal.fence.epoch, is_idempotent=tool.spec.is_idempotent)
        if tool.spec.risk is Risk.READ:  # may be read again: one write for its beginning and its end
            result = await self._run(tool, call, key)
            return await self._finish(call, result, allowed, began, start.finished(result.outcome))
        await self._must_own()
        with self._host.at_work():
            batch = self._begin(key, None, allowed, began)
            try:
                write = self._unless_taken(takes, lambda known: self._host.write(replace(batch, known=known)))
                await self._start(write, call, start)
            except Unheard:
                return await self._refuse(Cause.SUPERSEDED, OVERTAKEN, call)
            result = await self._run(tool, call, key)
            return await self._finish(call, result, start.finished(result.outcome))

    async def _run_granted(self, tool: Tool, call: ToolCall, grant: Grant, note: Note) -> ToolResult:
        """Use *grant*, which is as it is after this use, in the write that begins the call.

        Raises Ungranted if it allows nothing any more, Unheard if somebody has written since: then nothing has begun.
        """
        key = self._key(call)
        start = events.Start(self._host.id, self._path, call, None)
        audit = (
            events.grant_used(grant, self._host.id, self._path, call, self._host.actor(self._path)),
            events.call_allowed(self._host.id, self._path, call, grant.rule_name),
            start.started(key=key, epoch=self._journal.fence.epoch, is_idempotent=tool.spec.is_idempotent),
        )
        begin = self._begin(key, None)
        effects = Effects(audit=audit, notes=(note,), dirty=(f"note|{note.key}",))
        begin = replace(begin, effects=effects, uses=grant, known=len(self._host.letters))
        await self._must_own()
        with self._host.at_work():
            await self._start(self._host.write(begin), call, start)
            result = await self._run(tool, call, key)
            return await self._finish(call, result, start.finished(result.outcome))

    async def _run_signed(self, tool: Tool, call: ToolCall, signed: Request) -> ToolResult:
        """Ask about rights once more, use the approval up, and start the stored bytes: once."""
        decision = signed.decision
        assert decision is not None, "an approved request has its decision"
        resumed = events.run_resumed(self._host.id, signed.id, decision)
        if (tool.spec.name, tool.spec.version) != (call.tool, call.version):
            return await self._lapse(signed, Cause.SUPERSEDED, "the tool has changed since it was approved", resumed)
        if why := unaccepted(tool.spec, call, self._host.others(self._path)):  # somebody edited it
            return await self._lapse(signed, Cause.POLICY, why, resumed)
        takes = self._host.takes
        if self._host.is_overtaken(self._path):
            return await self._lapse(signed, Cause.SUPERSEDED, TAKEN, resumed)
        if why := await self._gate.still_holds(signed):
            return await self._lapse(signed, Cause.WITHDRAWN, why, resumed)
        key = self._key(call)
        start = events.Start(self._host.id, self._path, call, signed.id)
        began = start.started(key=key, epoch=self._journal.fence.epoch, is_idempotent=tool.spec.is_idempotent)
        await self._must_own()
        with self._host.at_work():
            try:
                spent = spend(signed, at=self._gate.now(), digest=call.digest)
                batch = self._begin(key, signed.id, resumed, began)
                batch = replace(batch, took=last_take(self._host.letters))
                write = self._unless_taken(takes, lambda known: self._journal.spend(replace(batch, known=known), spent))
                await self._start(write, call, start, spent)
            except (Unheard, Overtaken):
                return await self._lapse(signed, Cause.SUPERSEDED, TAKEN, resumed)
            except TooLate:
                return await self._lapse(signed, Cause.DEADLINE, "its approval was not used in time", resumed)
            except AlreadySettled as error:
                return await self._lapse(signed, Cause.STOPPED, str(error), resumed)
            result = await self._run(tool, call, key, spent)
            return await self._finish(call, result, start.finished(result.outcome), closes=spent)

    async def _lapse(self, signed: Request, cause: Cause, why: str, resumed: bytes) -> ToolResult:
        result = ToolResult(outcome=Outcome.NOT_RUN, cause=cause, text=f"Approved, but not run: {why}.")
        return await self._finish(signed.call, result, resumed, closes=signed)

    async def _unless_taken(self, takes: int, begin: Callable[[int], Awaitable[None]]) -> None:
        """Write a beginning in the knowledge of every letter. Raises Unheard if somebody took the run over first.

        *takes* is how often they had when it was looked whether the run is theirs: whoever had it since, while nobody
        could say who may sign, may have done this very thing, and have handed the run back already.
        """
        known = len(self._host.letters)
        while True:
            if self._host.is_taken or self._host.takes > takes:
                raise Unheard(self._host.id)
            try:
                await begin(known)
                return
            except Unheard:
                new = await self._gate.letters(self._host, known)
                if any(isinstance(letter, Took) for letter in new):
                    raise
                known += len(new)

    async def _must_own(self) -> None:
        """Nothing is begun on a shard that is being given away: it could not be started, and would be in doubt."""
        if not await patiently(partial(self._gate.owns, self._journal.fence)):
            raise LeaseLost(self._journal.fence.shard)

    async def _start(
        self, write: Awaitable[None], call: ToolCall, start: events.Start, closes: Request | None = None
    ) -> None:
        """Write down that *call* begins. A Stop in that moment keeps it from beginning, and the record says so."""
        before = self._journal.begun.get(self._path)
        try:
            await write
        except asyncio.CancelledError:
            if self._host.is_stopping:
                await self._host.write(Batch(op="", count=0))  # from here on it is known whether *write* was done
                if self._journal.begun.get(self._path) is not before:
                    result = NEVER_BEGAN if before is None else IN_DOUBT
                    await self._finish(call, result, start.finished(result.outcome), closes=closes)
            raise

    async def _run(self, tool: Tool, call: ToolCall, key: str, closes: Request | None = None) -> ToolResult:
        """The tool itself, as a task of its own: a Stop lets it end, and records what really happened."""
        request = closes.id if closes is not None else None
        leave = Leave(digest=call.digest, key=key, run=self._host.id, request=request, requester=self._host.run.task.by)
        try:
            await self._must_own()  # begun, but not started: if the shard is lost, its new owner asks people
        except asyncio.CancelledError:
            if self._host.is_stopping:
                await self._finish(call, NEVER_BEGAN, *self._last_audit(call, request, NEVER_BEGAN), closes=closes)
            raise
        work = self._host.employ(tool.run(call, leave), f"{tool.spec.name} for {self._host.id}")
        try:
            result = await asyncio.shield(work)
        except asyncio.CancelledError:
            if not self._host.is_stopping:
                work.cancel()
                raise
            result = await _last_words(work)
            await self._finish(call, result, *self._last_audit(call, request, result), closes=closes)
            raise
        log.info("tool_finished", tool=call.tool, run=self._host.id, request=request, outcome=result.outcome)
        self._gate.count("tool_runs", outcome=result.outcome)
        return result

    def _last_audit(self, call: ToolCall, request: RequestId | None, result: ToolResult) -> tuple[bytes, ...]:
        if self._path not in self._journal.begun:
            return ()
        return (events.Start(self._host.id, self._path, call, request).finished(result.outcome),)

    # -------------------------------------------------------------- writes

    def _begin(self, key: str, request: RequestId | None, *audit: bytes) -> Batch:
        entry = Begun(path=self._path, key=key, request=request, tool=self._wanted.tool)
        member = self._host.member(self._path)
        using = f"{member} · Using {self._wanted.tool}" if member else f"Using {self._wanted.tool}"
        line = self._host.bar or using
        return Batch(op="", count=0, entries=(entry,), effects=Effects(audit=audit), line=line)

    async def _refuse(self, cause: Cause, text: str, call: ToolCall | None, rule: str = "") -> ToolResult:
        denied = events.call_denied(
            self._host.id, self._path, self._wanted.tool, call.digest if call else "", rule=rule, cause=cause
        )
        return await self._finish(call, ToolResult(outcome=Outcome.NOT_RUN, cause=cause, text=text), denied)

    async def _finish(
        self,
        call: ToolCall | None,
        result: ToolResult,
        *audit: bytes,
        closes: Request | None = None,
        steered: Sequence[PersonId] = (),
    ) -> ToolResult:
        if not self._is_over:
            await self._host.surely(self._record(result, audit, closes, steered))
        return self._remember(call, bare(result), ())

    async def _record(
        self, result: ToolResult, audit: tuple[bytes, ...], closes: Request | None, steered: Sequence[PersonId]
    ) -> None:
        notes = await self._gate.exhibits.note(self._host, self._path, self._wanted.tool, result.files)
        dirty, result = tuple(f"note|{note.key}" for note in notes), bare(result)
        if closes is not None:
            closes = replace(closes, outcome=result, version=closes.version + 1)
        entry = Finished(path=self._path, result=result, tool=self._wanted.tool, by=self._host.member(self._path))
        effects = Effects(audit=audit, notes=notes, dirty=dirty)
        run = self._host.steer(steered) if steered else None
        await self._host.write(Batch(op="", count=0, entries=(entry,), effects=effects, closes=closes, run=run))

    def _remember(self, call: ToolCall | None, result: ToolResult, asked: Sequence[Opened]) -> ToolResult:
        """Keep what a policy and a repeated call may ask about; the same on every replay."""
        if call is not None:
            move = str(loads(result.answer).get("move", "")) if result.answer else ""
            was_put, spec = self._path in self._journal.opened, self._gate.spec(call.tool)
            self._host.past[self._path] = Past(
                tool=call.tool,
                args=call.args,
                outcome=result.outcome,
                move=move,
                was_put=was_put,
                accepted=accepted_in(spec, result),
                sources=result.sources if self._gate.is_reading(call.tool) else (),
                agent=self._host.actor(self._path) if spec.asks else "",
            )
            if move == AGAIN.move:
                self._host.refused.clear()  # that is a direction: what they rejected before may be asked again (D-46)
        if call is not None and asked and result.cause is Cause.PERSON:
            self._host.refused.add(call.digest)
        return result

    def _key(self, call: ToolCall) -> str:
        """One idempotency key per step: every start of this call carries it."""
        return f"{self._host.id}{self._path}:{call.digest[:16]}"


async def _last_words(work: asyncio.Future[ToolResult]) -> ToolResult:
    done, _ = await asyncio.wait({work}, timeout=STOP_GRACE)
    if done and not work.cancelled():
        return work.result()
    work.cancel()
    return ToolResult(outcome=Outcome.UNKNOWN, cause=Cause.STOPPED, text="Stopped while it was running.")
