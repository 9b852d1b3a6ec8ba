"""A passage: one call on its way through the gate, step by step; after a crash it walks the same way again.

read -> verdict -> run | refuse | open a request -> sleep -> decision -> spend -> run -> finish
begun, but not finished -> in doubt -> run again with the same key, or ask people what happened
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import assert_never

import structlog

from bot.domain import events, inquiry
from bot.domain.calls import Cause, Outcome, Past, Risk, ToolCall, ToolResult
from bot.domain.chat import PersonId
from bot.domain.errors import (
    AlreadySettled,
    BadJson,
    Broken,
    Diverged,
    InvalidArguments,
    LeaseLost,
    NoSuchRequest,
    NotAllowed,
    Refused,
    TooLate,
    TooMany,
    Unheard,
    UnknownTool,
    Unsatisfiable,
)
from bot.domain.inquiry import is_inquiry
from bot.domain.ports import Leave, Tool, WantedCall
from bot.domain.render import is_approvable
from bot.domain.request import Kind, Request, RequestId, Status, spend
from bot.domain.run import Begun, Decided, Finished, Opened
from bot.domain.store import Batch, Effects
from bot.domain.verdict import Allow, Ask, Deny
from bot.domain.wire import replace
from bot.runtime.gatehouse import Gatehouse
from bot.runtime.host import Host
from bot.runtime.journal import patiently
from bot.runtime.lanes import Lane
from bot.runtime.telling import IN_DOUBT, NEVER_BEGAN, REPLIED, told

log = structlog.get_logger()
STOP_GRACE = 1.0  # seconds a running tool gets to end by itself after Stop (the run must end within 2)


class Passage:
    """One call on its way through the gate. Every method is a step of the story; replay walks the same way."""

    def __init__(self, gate: Gatehouse, host: Host, lane: Lane, *, path: str, wanted: WantedCall, why: str) -> None:
        self._gate, self._host, self._lane = gate, host, lane
        self._path, self._wanted, self._why = path, wanted, why
        self._journal = host.journal
        self._mark = f"use:{wanted.tool}:{wanted.id}"

    async def go(self) -> ToolResult:
        try:
            return await self._pass()
        finally:
            self._lane.end()

    async def _pass(self) -> ToolResult:
        asked = self._journal.asked(self._path, self._mark)
        try:
            tool, call = self._gate.read(self._wanted)
        except (UnknownTool, BadJson, InvalidArguments) as error:
            return await self._unreadable(error, asked)
        if self._is_over:
            signed = await self._as_signed(call, asked)
            return self._remember(signed, self._journal.finished[self._path].result, asked)
        if asked:
            self._lane.know(True)
        self._host.past[self._path] = Past(tool=call.tool, args=call.args)
        if asked:
            return await self._await(tool, call, asked[-1].request)
        if self._path in self._journal.begun:
            return await self._doubt(tool, call, None)
        return await self._decide(tool, call)

    async def _as_signed(self, call: ToolCall, asked: Sequence[Opened]) -> ToolCall:
        """The call as people last changed it: that is what ran, and what a policy must count."""
        last = asked[-1].request if asked else None
        while last is not None and (decided := self._journal.decided.get(last)) and decided.replaced_by:
            last = decided.replaced_by
        if last is None or last == asked[-1].request:
            return call
        try:
            return replace((await self._gate.held(last)).call, id=call.id)
        except NoSuchRequest:  # forgotten after its time
            return call

    async def _unreadable(self, error: Refused, asked: Sequence[Opened]) -> ToolResult:
        """A call that cannot be read goes back to the model; one that people were asked about has diverged."""
        if self._is_over:
            return self._journal.finished[self._path].result
        if asked:
            raise Diverged(self._path, asked[0].mark, f"a call that is no longer valid: {error}") from error
        return await self._refuse(Cause.INVALID, f"Not run: {error}", None)

    @property
    def _is_over(self) -> bool:
        return self._path in self._journal.finished

    # --------------------------------------------------------- the verdict

    async def _decide(self, tool: Tool, call: ToolCall) -> ToolResult:
        if tool.spec.asks:
            return await self._inquire(tool, call)
        if call.digest in self._host.refused:
            told = "Not run: people already rejected exactly this call in this run. Do something else, or ask them."
            return await self._refuse(Cause.REPEATED, told, call)
        try:
            verdict = await self._gate.verdict(self._host, tool, call, self._path)
        except NotAllowed as error:
            return await self._refuse(Cause(error.cause), error.told, call)
        match verdict:
            case Allow(rule=rule):
                self._lane.know(False)
                await self._lane.after_signed()
                return await self._run_free(tool, call, rule)
            case Deny(rule=rule, why=why):
                return await self._refuse(Cause.POLICY, f"Not run: the policy forbids it ({why}).", call, rule)
            case Ask():
                self._lane.know(True)
                return await self._ask(tool, call, verdict)
        assert_never(verdict)

    async def _inquire(self, tool: Tool, call: ToolCall) -> ToolResult:
        """A call that only people can run: their answer is its result."""
        kind = Kind(tool.spec.asks)
        if kind is Kind.HANDOFF and call.values["breakout_of_loop"]:
            self._lane.know(False)
            return await self._finish(call, ToolResult(outcome=Outcome.OK, text="Handed over; nobody is waited for."))
        try:
            ask, why = self._gate.inquiry_ask(call), inquiry.flaw(kind, call.values)
        except ValueError as error:
            why = str(error)
        if why is not None:
            return await self._refuse(Cause.INVALID, f"Not asked: {why}.", call)
        self._lane.know(True)
        return await self._ask(tool, call, ask, kind)

    async def _ask(self, tool: Tool, call: ToolCall, ask: Ask, kind: Kind = Kind.APPROVAL) -> ToolResult:
        known = len(self._host.letters)
        if self._host.unheard():
            return await self._refuse(Cause.SUPERSEDED, REPLIED, call)
        request = replace(self._gate.request(self._host, self._path, call, ask, self._why), kind=kind)
        if not is_approvable(request):
            told = "Not run: the arguments are too large to be shown to people in full, so nobody may approve them."
            return await self._refuse(Cause.UNDELIVERABLE, told, call)
        try:
            await self._gate.open(self._host, request, self._mark, known=known)
        except Unsatisfiable as error:
            return await self._refuse(Cause.UNSATISFIABLE, f"Not run: {error.people_read}", call)
        except TooMany as error:
            return await self._refuse(Cause.BUSY, f"Not run: {error}. Some have to be answered first.", call)
        except Unheard:
            return await self._refuse(Cause.SUPERSEDED, REPLIED, call)
        return await self._await(tool, call, request.id)

    # -------------------------------------------------------- the decision

    async def _await(self, tool: Tool, call: ToolCall, request: RequestId) -> ToolResult:
        """Sleep, follow edits to the request that took this one's place, and do what was decided."""
        decided = await self._host.decision(request)
        while decided.replaced_by is not None:
            decided = await self._host.decision(decided.replaced_by)
        signed = self._host.signed.pop(decided.request, None) or await self._gate.held(decided.request)
        call = replace(signed.call, id=call.id)
        if is_inquiry(signed.kind):
            return await self._answered(call, signed, decided)
        if signed.kind is Kind.RECOVERY:
            return await self._recovered(tool, call, signed, decided)
        if self._path in self._journal.begun:
            return await self._doubt(tool, call, signed)
        if decided.decision.status is Status.APPROVED:
            return await self._run_signed(tool, call, signed)
        return await self._not_signed(call, decided)

    async def _answered(self, call: ToolCall, asked: Request, decided: Decided) -> ToolResult:
        """People's words are the result; from here on the run acts on them."""
        decision = decided.decision
        resumed = events.run_resumed(self._host.id, asked.id, decision)
        if decision.status is not Status.ANSWERED:
            text = f"{told(decided, 'No answer')} Assume nothing."
            result = ToolResult(outcome=Outcome.NOT_RUN, cause=decision.cause, text=text)
            return await self._finish(call, result, resumed)
        said = inquiry.told(asked, decision.answer)
        text = said if asked.kind is Kind.HANDOFF else f"{' and '.join(decision.by)} answered. {said}"
        result = ToolResult(outcome=Outcome.OK, text=text, answer=decision.answer)
        return await self._finish(call, result, resumed, steered=decision.by)

    async def _not_signed(self, call: ToolCall, decided: Decided) -> ToolResult:
        cause = decided.decision.cause or Cause.PERSON
        if cause is Cause.PERSON:
            self._host.refused.add(call.digest)
        resumed = events.run_resumed(self._host.id, decided.request, decided.decision)
        return await self._finish(call, ToolResult(outcome=Outcome.NOT_RUN, cause=cause, text=told(decided)), resumed)

    # ------------------------------------------------------------- running

    async def _run_free(self, tool: Tool, call: ToolCall, rule: str) -> ToolResult:
        allowed = events.call_allowed(self._host.id, self._path, call, rule)
        start = events.Start(self._host.id, self._path, call, None)
        key = self._key(call)
        began = start.started(key=key, epoch=self._journal.fence.epoch, is_idempotent=tool.spec.is_idempotent)
        if tool.spec.risk is Risk.READ:  # may be read again: one write for its beginning and its end
            result = await self._run(tool, call, key)
            return await self._finish(call, result, allowed, began, start.finished(result.outcome))
        await self._must_own()
        with self._host.at_work():
            await self._start(self._host.write(self._begin(key, None, allowed, began)), call, start)
            result = await self._run(tool, call, key)
            return await self._finish(call, result, start.finished(result.outcome))

    async def _run_signed(self, tool: Tool, call: ToolCall, signed: Request) -> ToolResult:
        """Ask about rights once more, use the approval up, and start the stored bytes: once."""
        decision = signed.decision
        assert decision is not None, "an approved request has its decision"
        resumed = events.run_resumed(self._host.id, signed.id, decision)
        if (tool.spec.name, tool.spec.version) != (call.tool, call.version):
            return await self._lapse(signed, Cause.SUPERSEDED, "the tool has changed since it was approved", resumed)
        if why := await self._gate.still_holds(signed):
            return await self._lapse(signed, Cause.WITHDRAWN, why, resumed)
        key = self._key(call)
        start = events.Start(self._host.id, self._path, call, signed.id)
        began = start.started(key=key, epoch=self._journal.fence.epoch, is_idempotent=tool.spec.is_idempotent)
        await self._must_own()
        with self._host.at_work():
            try:
                spent = spend(signed, at=self._gate.now(), digest=call.digest)
                await self._start(
                    self._journal.spend(self._begin(key, signed.id, resumed, began), spent), call, start, spent
                )
            except TooLate:
                return await self._lapse(signed, Cause.DEADLINE, "its approval was not used in time", resumed)
            except AlreadySettled as error:
                return await self._lapse(signed, Cause.STOPPED, str(error), resumed)
            result = await self._run(tool, call, key, spent)
            return await self._finish(call, result, start.finished(result.outcome), closes=spent)

    async def _lapse(self, signed: Request, cause: Cause, why: str, resumed: bytes) -> ToolResult:
        result = ToolResult(outcome=Outcome.NOT_RUN, cause=cause, text=f"Approved, but not run: {why}.")
        return await self._finish(signed.call, result, resumed, closes=signed)

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

    # ------------------------------------------------------------ in doubt

    async def _doubt(self, tool: Tool, call: ToolCall, signed: Request | None) -> ToolResult:
        """It was started, and nobody knows how it ended. Run it again only if that cannot hurt; else ask."""
        begun = self._journal.begun[self._path]
        start = events.Start(self._host.id, self._path, call, begun.request)
        if tool.spec.is_idempotent:
            epoch = self._journal.fence.epoch
            began = start.started(key=begun.key, epoch=epoch, is_idempotent=True)
            await self._must_own()
            with self._host.at_work():
                await self._start(self._host.write(self._begin(begun.key, begun.request, began)), call, start, signed)
                result = await self._run(tool, call, begun.key, signed)
                return await self._finish(call, result, start.finished(result.outcome), closes=signed)
        request = self._gate.request(self._host, self._path, call, self._gate.recovery_ask(signed), self._why)
        request = replace(request, kind=Kind.RECOVERY)
        try:
            await self._gate.open(self._host, request, self._mark, start.finished(Outcome.UNKNOWN))
        except Unsatisfiable as error:
            text = f"It was started once; whether it took effect is not known, and {error.why}."
            result = ToolResult(outcome=Outcome.UNKNOWN, cause=Cause.UNSATISFIABLE, text=text)
            return await self._finish(call, result, start.finished(Outcome.UNKNOWN), closes=signed)
        return await self._await(tool, call, request.id)

    async def _recovered(self, tool: Tool, call: ToolCall, asked: Request, decided: Decided) -> ToolResult:
        """People said what became of a call in doubt: run it now, it happened, or stop."""
        begun = self._journal.begun[self._path]
        decision = decided.decision
        resumed = events.run_resumed(self._host.id, asked.id, decision)
        match decision.status:
            case Status.APPROVED if begun.request == asked.id:  # the second start is in doubt, too
                return await self._doubt(tool, call, asked)
            case Status.APPROVED:
                await self._superseded(begun, f"It was interrupted, and {' and '.join(decision.by)} had it run again.")
                return await self._run_signed(tool, call, asked)
            case Status.ANSWERED:
                text = f"It happened, says {' and '.join(decision.by)}. {decision.reason}".strip()
                result = ToolResult(outcome=Outcome.OK, text=text)
                return await self._finish(call, result, resumed, closes=await self._begun_by(begun))
        text = f"It was started once; whether it took effect is not known. {told(decided)}"
        result = ToolResult(outcome=Outcome.UNKNOWN, cause=decision.cause, text=text)
        return await self._finish(call, result, resumed, closes=await self._begun_by(begun))

    async def _superseded(self, begun: Begun, text: str) -> None:
        """The card that was signed first no longer says that the call is running."""
        first = await self._begun_by(begun)
        if first is not None and first.outcome is None:
            told = ToolResult(outcome=Outcome.UNKNOWN, text=text)
            closes = replace(first, outcome=told, version=first.version + 1)
            effects = Effects(dirty=await self._gate.rows(first.id))
            await self._host.write(Batch(op="", count=0, effects=effects, closes=closes))

    async def _begun_by(self, begun: Begun) -> Request | None:
        """The request whose signature started the call: its card, too, shows what became of it."""
        try:
            return await self._gate.held(begun.request) if begun.request is not None else None
        except (NoSuchRequest, Broken):
            return None

    # -------------------------------------------------------------- writes

    def _begin(self, key: str, request: RequestId | None, *audit: bytes) -> Batch:
        entry = Begun(path=self._path, key=key, request=request)
        line = f"Using {self._wanted.tool}"
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
        return self._remember(call, result, ())

    async def _record(
        self, result: ToolResult, audit: tuple[bytes, ...], closes: Request | None, steered: Sequence[PersonId]
    ) -> None:
        dirty: tuple[str, ...] = ()
        if closes is not None:
            closes = replace(closes, outcome=result, version=closes.version + 1)
            dirty = await self._gate.rows(closes.id)
        entry = Finished(path=self._path, result=result)
        effects = Effects(audit=audit, dirty=dirty)
        run = self._host.steer(steered) if steered else None
        await self._host.write(Batch(op="", count=0, entries=(entry,), effects=effects, closes=closes, run=run))

    def _remember(self, call: ToolCall | None, result: ToolResult, asked: Sequence[Opened]) -> ToolResult:
        """Keep what a policy and a repeated call may ask about; the same on every replay."""
        if call is not None:
            self._host.past[self._path] = Past(tool=call.tool, args=call.args, outcome=result.outcome)
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
