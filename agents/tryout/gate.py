"""The calls of one turn, as the bot would let them through: read, judged, put to people, run, each once.

    wanted -> check -> policy.decide -> allow | deny | ask -> people -> spend -> tool.run -> result

The policy, the spending and the words an agent reads are the floor's own. Tools run one after the other, so that a test
sees the same order every time. Not when people answer (table), nor what the run remembers (journal).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.toolbox import Toolbox
from agents.tryout.branches import side_by_side
from agents.tryout.journal import MISSING, Journal
from agents.tryout.story import Called
from agents.tryout.table import Table
from bot.domain import by_rule, inquiry, inquiry_form
from bot.domain.accepted import accepted_in, unaccepted
from bot.domain.calls import Cause, Outcome, Past, ToolCall, ToolResult, make_call
from bot.domain.chat import PersonId
from bot.domain.errors import BadJson, InvalidArguments, Twin, UnknownTool, Unsatisfiable
from bot.domain.inquiry_stuck import AGAIN
from bot.domain.ladder import deadline
from bot.domain.policy import Facts, Policy
from bot.domain.ports import Leave, Tool, WantedCall
from bot.domain.request import Decision, Kind, Request, RequestId, RunId, Status, spend
from bot.domain.run import Decided, Task
from bot.domain.telling import REPLIED, told
from bot.domain.typed import untypable
from bot.domain.verdict import Allow, Ask, Deny, Escalate, Verdict
from bot.domain.wire import loads, read_foreign, replace

RUN = RunId("r-test")


@dataclass(slots=True, kw_only=True)
class World:
    """What is true of the run, whatever happens to the process that calls the agent."""

    task: Task
    agent: str
    policy: Policy
    toolbox: Toolbox
    table: Table
    journal: Journal
    past: dict[str, Past] = field(default_factory=dict)  # by step
    asked: dict[str, RequestId] = field(default_factory=dict)  # by step
    actors: dict[str, str] = field(
        default_factory=dict
    )  # who asked for a turn's calls, if it was a member of a pattern
    refused: set[str] = field(default_factory=set)  # digests that people have rejected
    called: list[Called] = field(default_factory=list)
    hands: asyncio.Lock = field(default_factory=asyncio.Lock)

    def actor(self, path: str) -> str:
        """Which agent asked for the call at *path*."""
        return self.actors.get(path.rpartition(".")[0], self.agent)

    def others(self, path: str) -> tuple[Past, ...]:
        """The run's other calls, in the order of its steps."""
        order = sorted(self.past, key=lambda one: [int(number) for number in re.findall(r"\d+", one)])
        return tuple(self.past[one] for one in order if one != path)

    def decide(self, call: ToolCall, path: str) -> Verdict:
        requester = self.table.cast.people[self.task.by].person
        facts = Facts(requester=requester, place=self.task.place, agent=self.actor(path), history=self.others(path))
        return self.policy.decide(call, self.toolbox.get(call.tool).spec, facts)


async def use(world: World, path: str, wanted: Sequence[WantedCall], why: str) -> tuple[ToolResult, ...]:
    """The calls of one turn. Those people must sign are put to them at once; results come in order."""
    passages: list[_Passage] = []
    for index, one in enumerate(wanted):
        passages.append(_Passage(world, f"{path}.{index}", one, why, tuple(passages)))
    for passage in passages:
        await passage.look()
    return await side_by_side(world.table, [passage.go() for passage in passages])


class _Passage:
    """One call on its way. `look` decides and asks, in the order of the turn; `go` waits, runs and remembers."""

    def __init__(
        self, world: World, path: str, wanted: WantedCall, why: str, earlier: tuple[_Passage, ...]
    ) -> None:  # fmt: skip
        self._world, self._path, self._wanted, self._why, self._earlier = world, path, wanted, why, earlier
        self._mark = f"{wanted.tool} {wanted.args}"
        self._result: ToolResult | None = None
        self._rule = ""
        self._request: RequestId | None = None
        self._tool: Tool | None = None
        self._call: ToolCall | None = None
        self._is_over = False

    @property
    def needs_people(self) -> bool:
        return self._request is not None

    def has_ended(self) -> bool:
        return self._is_over

    async def look(self) -> None:
        known = self._world.journal.known(self._path, self._mark)
        self._request = self._world.asked.get(self._path)
        if known is not MISSING:
            self._result = known
        else:
            await self._judge()

    async def go(self) -> ToolResult:
        try:
            if self._result is not None:
                return self._remembered(self._result)
            if self._request is not None:
                return await self._awaited(self._request)
            for other in self._earlier:  # "read, delete, read": the second read sees what the deletion left
                if other.needs_people:
                    await self._world.table.until(other.has_ended)
            return await self._run(None)
        finally:
            self._is_over = True
            self._world.table.stir()

    # --------------------------------------------------------------- the verdict

    async def _judge(self) -> None:
        try:
            self._tool, self._call = self._read()
        except (UnknownTool, BadJson, InvalidArguments) as error:
            return self._refuse(Cause.INVALID, f"Not run: {error}")
        tool, call = self._tool, self._call
        self._world.past.setdefault(self._path, Past(tool=call.tool, args=call.args))
        if self._request is not None:
            return None
        if tool.spec.asks:
            return await self._inquire(tool, call)
        if call.digest in self._world.refused:
            told = "Not run: people already rejected exactly this call in this run. Do something else, or ask them."
            return self._refuse(Cause.REPEATED, told)
        if why := unaccepted(tool.spec, call, self._world.others(self._path)):
            return self._refuse(Cause.POLICY, f"Not run: {why}.")
        match self._world.decide(call, self._path):
            case Allow(rule=rule):
                self._rule = rule
            case Deny(rule=rule, why=why):
                self._rule = rule
                self._refuse(Cause.POLICY, f"Not run: the policy forbids it ({why}).")
            case Escalate() as by:
                ask = self._world.policy.inquiry(by.to, is_review=False, climbs=True)
                await self._ask(call, replace(ask, rule=by.rule, why=by.why), Kind.ESCALATION, by.suggestion)
            case Ask() as ask:
                await self._ask(call, ask, Kind.APPROVAL)
        return None

    def _read(self) -> tuple[Tool, ToolCall]:
        tool = self._world.toolbox.get(self._wanted.tool)
        args = tool.check(read_foreign(self._wanted.args or "{}"))
        if tool.spec.asks == Kind.FORM:
            args = inquiry_form.in_order(args)
        return tool, make_call(id=self._wanted.id, tool=tool.spec.name, version=tool.spec.version, args=args)

    async def _inquire(self, tool: Tool, call: ToolCall) -> None:
        kind = Kind(tool.spec.asks)
        if kind is Kind.HANDOFF and call.values["breakout_of_loop"]:
            self._end(ToolResult(outcome=Outcome.OK, text="Handed over; nobody is waited for."))
            return
        try:
            ask = self._inquiry_ask(kind, call)
            why = inquiry.flaw(kind, call, self._world.others(self._path), self._world.actor(self._path))
        except ValueError as error:
            why = str(error)
        if why is not None:
            self._refuse(Cause.INVALID, f"Not asked: {why}.")
        else:
            await self._ask(call, ask, kind)

    def _inquiry_ask(self, kind: Kind, call: ToolCall) -> Ask:
        """Who may answer: whom the agent names, or whoever gave the task; of an escalation, their manager.

        Of a draft, whom the policy names.
        """
        of = str(call.values.get("of") or "")
        if not of:
            boss = self._world.table.cast.people[self._world.task.by].manager
            of = "manager(requester)" if kind is Kind.ESCALATION and boss else "requester"
        is_up = kind is Kind.ESCALATION
        return self._world.policy.inquiry(of, is_review=kind is Kind.REVIEW, climbs=is_up)

    async def _ask(self, call: ToolCall, ask: Ask, kind: Kind, suggestion: str = "") -> None:
        table, spec = self._world.table, self._world.toolbox.get(call.tool).spec
        if len(table.letters) > table.told:
            return self._refuse(Cause.SUPERSEDED, REPLIED)
        request = replace(self._question(call, ask), kind=kind)
        if suggestion:
            request = by_rule.handed_over(request, spec, suggestion)
        call = request.call
        twin = next((one for one in table.open() if (one.call.digest, one.kind) == (call.digest, kind)), None)
        if twin is not None:
            return self._refuse(Cause.TWIN, f"Not run: {Twin(twin.id)}. Wait for that answer.")
        if kind is Kind.REVIEW:  # feedback makes nobody the maker of a draft
            request = replace(request, excluded=(self._world.task.by,))
        try:
            if problem := untypable(request, spec):
                raise Unsatisfiable(problem)
            await table.ask(request)
        except Unsatisfiable as error:
            return self._refuse(Cause.UNSATISFIABLE, f"Not run: {error.people_read}")
        self._world.asked[self._path] = self._request = request.id
        return None

    def _question(self, call: ToolCall, ask: Ask) -> Request:
        table, task = self._world.table, self._world.task
        return Request(
            id=RequestId(f"q-{len(table.requests) + 1}"),
            run=RUN,
            path=self._path,
            call=call,
            ask=ask,
            policy=self._world.policy.hash,
            task=task.text,
            agent=self._world.actor(self._path),
            requester=task.by,
            place=task.place,
            opened=table.now,
            excluded=table.barred,
            deadline=deadline(ask, table.now),
            why=self._why,
            history=self._world.others(self._path),
        )

    # -------------------------------------------------------------- the decision

    async def _awaited(self, asked: RequestId) -> ToolResult:
        table = self._world.table
        await table.until(lambda: not table.end_of(asked).is_open)
        signed = table.end_of(asked)
        decision = signed.decision
        assert decision is not None, "a closed request has its decision"
        if not by_rule.is_by_rule(signed):
            self._call = replace(signed.call, id=self._wanted.id)
        self._request, self._rule = signed.id, signed.ask.rule
        if inquiry.is_inquiry(signed.kind):
            return self._answered(signed, decision)
        if decision.status is Status.APPROVED:
            return await self._run(signed)
        cause = decision.cause or Cause.PERSON
        if cause is Cause.PERSON:
            self._world.refused.add(signed.call.digest)
        text = told(Decided(request=signed.id, decision=decision), who=_names(decision.by))
        return self._ended(ToolResult(outcome=Outcome.NOT_RUN, cause=cause, text=text), decision.by)

    def _answered(self, asked: Request, decision: Decision) -> ToolResult:
        """People's words are the result; from here on the run acts on them."""
        if decision.status is not Status.ANSWERED:
            why = told(Decided(request=asked.id, decision=decision), "No answer")
            return self._ended(inquiry.unanswered(asked, why), ())
        self._world.table.steered += [who for who in decision.by if who not in self._world.table.steered]
        if by_rule.is_by_rule(asked):
            return self._ended(by_rule.result(asked, decision, _names(decision.by)), decision.by)
        said, called = inquiry.told(asked, decision.answer), _names(decision.by)
        text = said if asked.kind is Kind.HANDOFF else f"{called} answered. {said}"
        answer = inquiry.outcome(asked, decision.answer, called)
        return self._ended(ToolResult(outcome=Outcome.OK, text=text, answer=answer), decision.by)

    # --------------------------------------------------------------- the running

    async def _run(self, signed: Request | None) -> ToolResult:
        world, call = self._world, self._call
        assert call is not None, "whatever runs was read"
        tool = world.toolbox.get(call.tool)
        by: tuple[PersonId, ...] = ()
        if signed is not None:
            spent = spend(signed, at=world.table.now, digest=call.digest)
            by = signed.decision.by if signed.decision is not None else ()
        key = f"{RUN}{self._path}/{call.digest[:16]}"
        leave = Leave(digest=call.digest, key=key, run=RUN, request=self._request, requester=world.task.by)
        async with world.hands:
            result = await tool.run(call, leave)
            if signed is not None:
                world.table.requests[signed.id] = replace(spent, outcome=result, version=spent.version + 1)
            return self._ended(result, by)

    # -------------------------------------------------------------- remembering

    def _refuse(self, cause: Cause, text: str) -> None:
        self._end(ToolResult(outcome=Outcome.NOT_RUN, cause=cause, text=text))

    def _end(self, result: ToolResult) -> None:
        """Over before it began: what becomes of it is recorded when its turn comes."""
        self._result = result

    def _remembered(self, result: ToolResult) -> ToolResult:
        if self._world.journal.known(self._path, self._mark) is MISSING:
            return self._ended(result, ())
        return result

    def _ended(self, result: ToolResult, by: tuple[PersonId, ...]) -> ToolResult:
        world, call = self._world, self._call
        if call is not None:
            move = str(loads(result.answer)["move"]) if result.answer else ""
            if move == AGAIN.move:
                world.refused.clear()  # that is a direction: what they rejected before may be asked again (D-46)
            spec = world.toolbox.get(call.tool).spec
            world.past[self._path] = Past(
                tool=call.tool,
                args=call.args,
                outcome=result.outcome,
                move=move,
                was_put=self._request is not None,
                accepted=accepted_in(spec, result),
                agent=world.actor(self._path) if spec.asks else "",
            )
        world.called.append(
            Called(
                step=self._path,
                tool=self._wanted.tool,
                args=call.values if call is not None else _readable(self._wanted.args),
                outcome=result.outcome,
                text=result.text,
                cause=result.cause,
                who=by,
                why=self._rule,
                request=self._request,
                answer=result.answer,
            )
        )
        world.table.tell(f"{self._wanted.tool} {result.outcome}: {result.text}")
        world.journal.record(self._path, self._mark, result)
        return result


def _names(people: Sequence[PersonId]) -> str:
    return " and ".join(people)


def _readable(args: str) -> dict[str, Any]:
    """Arguments that could not be read as a call, as far as they are an object at all."""
    try:
        found = loads(args)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
