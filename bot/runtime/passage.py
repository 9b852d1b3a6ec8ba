"""A passage: one call on its way through the gate, step by step; after a crash it walks the same way again.

read -> verdict -> run | refuse | open a request -> sleep -> decision -> spend -> run -> finish
                                  or hand it over -> sleep -> an answer, and it does not run
begun, but not finished -> in doubt -> run again with the same key, or ask people what happened
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from bot.domain import by_rule, events, inquiry
from bot.domain.accepted import unaccepted
from bot.domain.calls import Cause, Outcome, Past, ToolCall, ToolResult
from bot.domain.errors import (
    BadJson,
    Broken,
    Diverged,
    InvalidArguments,
    NoSuchRequest,
    NotAllowed,
    Refused,
    TooMany,
    Twin,
    Ungranted,
    Unheard,
    UnknownTool,
    Unsatisfiable,
)
from bot.domain.grant import Grant, used
from bot.domain.inquiry import is_inquiry
from bot.domain.ports import Tool
from bot.domain.render import is_approvable
from bot.domain.request import Kind, Request, RequestId, Status
from bot.domain.run import Begun, Decided, Opened
from bot.domain.store import Batch
from bot.domain.telling import OVERTAKEN, REPLIED, told
from bot.domain.verdict import Allow, Ask, Deny, Escalate
from bot.domain.wire import replace
from bot.runtime.host import in_order
from bot.runtime.work import TAKEN, Work

ESCALATIONS_MOST = 5  # of one run at a time: each is a direct message to as many as 20 people (T18)


class Passage(Work):
    """One call on its way through the gate. Every method is a step of the story; replay walks the same way."""

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
        if asked or self._path in self._journal.begun:
            self._lane.seat.leave()
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

    # --------------------------------------------------------- the verdict

    async def _decide(self, tool: Tool, call: ToolCall) -> ToolResult:
        if tool.spec.asks:
            return await self._inquire(tool, call)
        if call.digest in self._host.refused:
            told = "Not run: people already rejected exactly this call in this run. Do something else, or ask them."
            return await self._refuse(Cause.REPEATED, told, call)
        if why := unaccepted(tool.spec, call, self._host.others(self._path)):
            return await self._refuse(Cause.POLICY, f"Not run: {why}.", call)
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
            case Escalate():
                return await self._hand_over(tool, call, verdict)
            case Ask():
                self._lane.know(True)  # also when a grant stands for the signature: both keep their place in a turn
                return await self._by_grant(tool, call, verdict) or await self._ask(tool, call, verdict)
        assert_never(verdict)

    async def _by_grant(self, tool: Tool, call: ToolCall, ask: Ask) -> ToolResult | None:
        """Run it on what somebody allowed before; None if nobody did, or if it was used, revoked or over meanwhile."""
        tried: Grant | None = None
        while (found := await self._gate.grant_for(self._asking(call, ask), tool)) is not None and found != tried:
            grant = used(found)
            note = await self._gate.grant_note(self._host, self._path, grant)
            if self._too_late():  # from here to the write nothing is waited for
                return None
            self._lane.seat.leave()
            try:
                return await self._run_granted(tool, call, grant, note)
            except Ungranted:  # somebody was faster; look again, and ask people when it is the same as before
                tried = found
            except Unheard:
                return await self._refuse(Cause.SUPERSEDED, REPLIED, call)
        return None

    def _asking(self, call: ToolCall, ask: Ask) -> Request:
        return self._gate.request(self._host, self._path, call, ask, self._why)

    async def _inquire(self, tool: Tool, call: ToolCall) -> ToolResult:
        """A call that only people can run: their answer is its result."""
        kind = Kind(tool.spec.asks)
        if kind is Kind.HANDOFF and call.values["breakout_of_loop"]:
            self._lane.know(False)
            return await self._finish(call, ToolResult(outcome=Outcome.OK, text="Handed over; nobody is waited for."))
        try:
            ask = await self._gate.inquiry_ask(kind, call, self._host.run.task.by)
            why = inquiry.flaw(kind, call, self._host.others(self._path), self._host.actor(self._path))
        except ValueError as error:
            why = str(error)
        if why is not None:
            return await self._refuse(Cause.INVALID, f"Not asked: {why}.", call)
        if kind is Kind.ESCALATION and (refused := await self._too_many(call)) is not None:
            return refused
        self._lane.know(True)
        return await self._ask(tool, call, ask, kind)

    async def _hand_over(self, tool: Tool, call: ToolCall, by: Escalate) -> ToolResult:
        """A call that a rule gives to people does not run; what they say is all that comes of it."""
        if (refused := await self._too_many(call)) is not None:
            return refused
        self._lane.know(True)
        return await self._ask(tool, call, self._gate.escalation_ask(by), Kind.ESCALATION, by.suggestion)

    async def _too_many(self, call: ToolCall) -> ToolResult | None:
        if (waiting := self._waiting_before(call.tool)) < ESCALATIONS_MOST:
            return None
        told = f"Not asked: {waiting} escalations of this run wait for people already. Say all of it in one."
        return await self._refuse(Cause.BUSY, told, call)

    def _waiting_before(self, tool: str) -> int:
        """How many calls of *tool* at earlier steps of this run have no result yet."""
        before = in_order({*self._host.past, self._path})
        earlier = (self._host.past[path] for path in before[: before.index(self._path)])
        return sum(past.tool == tool and past.outcome is None for past in earlier)

    async def _ask(
        self, tool: Tool, call: ToolCall, ask: Ask, kind: Kind = Kind.APPROVAL, suggestion: str = ""
    ) -> ToolResult:
        """Put *call* to people and wait. With a *suggestion* it is a rule's escalation."""
        if late := self._too_late():
            return await self._refuse(Cause.SUPERSEDED, late, call)
        found = await self._gate.previews.before_asking(self._host, tool, call) if kind is Kind.APPROVAL else ()
        if (late := self._too_late()) or found is None:
            return await self._refuse(Cause.SUPERSEDED, late or REPLIED, call)
        known = len(self._host.letters)
        request = self._gate.request(self._host, self._path, call, ask, self._why)
        request = replace(request, kind=kind, evidence=found)
        if kind is Kind.REVIEW:
            request = replace(request, excluded=self._host.makers)
        if suggestion:
            request = by_rule.handed_over(request, tool.spec, suggestion)
        if not is_approvable(request):
            told = "Not run: the arguments are too large to be shown to people in full, so nobody may approve them."
            return await self._refuse(Cause.UNDELIVERABLE, told, call)
        try:
            await self._lane.seat.open(request, self._mark, known)
        except Unsatisfiable as error:
            return await self._refuse(Cause.UNSATISFIABLE, f"Not run: {error.people_read}", call)
        except TooMany as error:
            return await self._refuse(Cause.BUSY, f"Not run: {error}. Some have to be answered first.", call)
        except Twin as error:
            return await self._refuse(Cause.TWIN, f"Not run: {error}. Wait for that answer.", call)
        except Unheard:
            return await self._refuse(Cause.SUPERSEDED, REPLIED, call)
        return await self._await(tool, call, request.id)

    def _too_late(self) -> str:
        """What people did that the agent has to hear of before it asks for anything; empty if there is nothing."""
        if self._host.is_overtaken(self._path):
            return OVERTAKEN
        return REPLIED if self._host.is_spoken_to(self._path) else ""

    # -------------------------------------------------------- the decision

    async def _await(self, tool: Tool, call: ToolCall, request: RequestId) -> ToolResult:
        """Sleep, follow edits to the request that took this one's place, and do what was decided."""
        decided = await self._host.decision(request)
        while decided.replaced_by is not None:
            decided = await self._host.decision(decided.replaced_by)
        signed = self._host.signed.pop(decided.request, None) or await self._gate.held(decided.request)
        wanted, call = call, replace(signed.call, id=call.id)
        if by_rule.is_by_rule(signed):
            return await self._answered(wanted, signed, decided)
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
            return await self._finish(call, inquiry.unanswered(asked, told(decided, "No answer")), resumed)
        if by_rule.is_by_rule(asked):
            result = by_rule.result(asked, decision, await self._gate.called(decision.by))
            return await self._finish(call, result, resumed, steered=decision.by)
        said, called = inquiry.told(asked, decision.answer), await self._gate.called(decision.by)
        text = said if asked.kind is Kind.HANDOFF else f"{called} answered. {said}"
        result = ToolResult(outcome=Outcome.OK, text=text, answer=inquiry.outcome(asked, decision.answer, called))
        return await self._finish(call, result, resumed, steered=decision.by)

    async def _not_signed(self, call: ToolCall, decided: Decided) -> ToolResult:
        cause = decided.decision.cause or Cause.PERSON
        if cause is Cause.PERSON:
            self._host.refused.add(call.digest)
        resumed = events.run_resumed(self._host.id, decided.request, decided.decision)
        text = told(decided, who=await self._gate.called(decided.decision.by))
        return await self._finish(call, ToolResult(outcome=Outcome.NOT_RUN, cause=cause, text=text), resumed)

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
        ask = self._gate.recovery_ask(signed.ask if signed is not None else await self._rule_asks(tool, call))
        request = replace(self._gate.request(self._host, self._path, call, ask, self._why), kind=Kind.RECOVERY)
        try:
            await self._gate.open(self._host, request, self._mark, start.finished(Outcome.UNKNOWN))
        except Unsatisfiable as error:
            text = f"It was started once; whether it took effect is not known, and {error.why}."
            result = ToolResult(outcome=Outcome.UNKNOWN, cause=Cause.UNSATISFIABLE, text=text)
            return await self._finish(call, result, start.finished(Outcome.UNKNOWN), closes=signed)
        return await self._await(tool, call, request.id)

    async def _rule_asks(self, tool: Tool, call: ToolCall) -> Ask | None:
        """How its rule asks about a call that began on a grant: what one person allowed, not just anybody repeats."""
        try:
            verdict = await self._gate.verdict(self._host, tool, call, self._path)
        except NotAllowed:
            return None
        return verdict if isinstance(verdict, Ask) else None

    async def _recovered(self, tool: Tool, call: ToolCall, asked: Request, decided: Decided) -> ToolResult:
        """People said what became of a call in doubt: run it now, it happened, or leave it in doubt."""
        begun = self._journal.begun[self._path]
        decision = decided.decision
        resumed = events.run_resumed(self._host.id, asked.id, decision)
        who = await self._gate.called(decision.by)
        match decision.status:
            case Status.APPROVED if begun.request == asked.id:  # the second start is in doubt, too
                return await self._doubt(tool, call, asked)
            case Status.APPROVED if self._host.is_overtaken(self._path):
                said = f"It did not happen, says {who}; it was not run again: {TAKEN}."
                await self._superseded(begun, said)
                return await self._lapse(asked, Cause.SUPERSEDED, TAKEN, resumed)
            case Status.APPROVED:
                await self._superseded(begun, f"It was interrupted, and {who} had it run again.")
                return await self._run_signed(tool, call, asked)
            case Status.ANSWERED:
                text = f"It happened, says {who}. {decision.reason}".strip()
                result = ToolResult(outcome=Outcome.OK, text=text)
                return await self._finish(call, result, resumed, closes=await self._begun_by(begun))
        said = told(decided, "Not run again", who=who)
        text = f"It was started once; whether it took effect is not known. {said}"
        result = ToolResult(outcome=Outcome.UNKNOWN, cause=decision.cause, text=text)
        return await self._finish(call, result, resumed, closes=await self._begun_by(begun))

    async def _superseded(self, begun: Begun, text: str) -> None:
        """The card that was signed first no longer says that the call is running."""
        first = await self._begun_by(begun)
        if first is not None and first.outcome is None:
            told = ToolResult(outcome=Outcome.UNKNOWN, text=text)
            closes = replace(first, outcome=told, version=first.version + 1)
            await self._host.write(Batch(op="", count=0, closes=closes))

    async def _begun_by(self, begun: Begun) -> Request | None:
        """The request whose signature started the call: its card, too, shows what became of it."""
        try:
            return await self._gate.held(begun.request) if begun.request is not None else None
        except (NoSuchRequest, Broken):
            return None
