"""What a simulated person's answer does: a vote, a changed call, or words in the thread.

    act -> does it fit what is asked? -> the floor's vote · edit · reading of words -> the request's new state

An answer that does not fit is a mistake in the test, and is told with what would fit. Not when people act (table).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from agents.toolbox import Toolbox
from agents.tryout.cast import EDIT, REROUTE, TYPED, Act
from agents.tryout.errors import ScriptError
from agents.tryout.table import Table, subject
from bot.domain import inquiry, typed, words
from bot.domain.calls import Cause, ToolCall, make_call
from bot.domain.chat import MessageRef, PersonId
from bot.domain.errors import InvalidArguments, Refused, Unsatisfiable
from bot.domain.ladder import deadline
from bot.domain.request import Edit, Kind, Move, Request, RequestId, Right, Vote, close, look, vote
from bot.domain.run import Heard
from bot.domain.verdict import Allow, Ask, Deny, Escalate, ReasonRule, Verdict
from bot.domain.wire import Json, replace
from bot.domain.words import Meaning

WITHDRAWN = (Kind.APPROVAL, Kind.PLAN)  # what a reply takes back; whatever else is asked stays
MOVES = {"approve": Move.APPROVE, "reject": Move.REJECT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What becomes of an act, at one table. *decide* is the policy's verdict on a changed call."""

    table: Table
    toolbox: Toolbox
    decide: Callable[[ToolCall, Request], Verdict]

    async def act(self, who: PersonId, request: Request | None, act: Act) -> None:
        """Let *who* do it. Raises ScriptError if it does not fit what they are asked."""
        if act.move == REROUTE:
            self._reroute(who, act)
        elif act.is_reply or request is None:
            await self._reply(who, act)
        elif inquiry.is_inquiry(request.kind):
            self._answer(who, request, act)
        elif act.move == EDIT:
            await self._edit(who, request, act)
        elif act.move in MOVES:
            self._sign(who, request, act)
        else:
            raise _misfit(who, request, act, "it is no answer to a signature")

    # ----------------------------------------------------------------- signing

    def _sign(self, who: PersonId, request: Request, act: Act) -> None:
        move, reason = MOVES[act.move], str(act.fields.get("reason") or "")
        if _wants_reason(request, move) and not reason:
            raise _misfit(who, request, act, "the rule wants a reason")
        if problem := typed.problem(request, move, act.fields):
            raise _misfit(who, request, act, problem)
        self._vote(who, request, act, move=move, reason=reason)

    def _answer(self, who: PersonId, request: Request, act: Act) -> None:
        try:
            said = (
                inquiry.typed(request, act.text)
                if act.move == TYPED
                else inquiry.read(request, act.move, act.fields)
            )  # fmt: skip
        except InvalidArguments as error:
            raise _misfit(who, request, act, " ".join(error.problems.values())) from error
        if said is None:
            raise _misfit(who, request, act, "words in the thread are no answer to this")
        self._vote(who, request, act, move=Move.ANSWER, answer=said)

    def _vote(
        self, who: PersonId, request: Request, act: Act, *, move: Move, reason: str = "", answer: str = ""
    ) -> None:  # fmt: skip
        asked = self.table.asked[request.id]
        own = tuple(index for index, members in enumerate(asked.seats) if who in members)
        ready = look(request, who) if request.ask.is_high and who not in request.looked else request
        given = Vote(
            person=who,
            account=self.table.cast.people[who].account,
            move=move,
            digest=request.call.digest,
            ref=MessageRef(place=request.place, id=request.id),
            at=self.table.now,
            delivery=f"{request.id}/{who}",
            seats=own,
            reason=reason,
            answer=answer,
            right=Right.SEAT if own else Right.VETO,
        )
        try:
            after = vote(ready, given)
        except Refused as error:
            raise _misfit(who, request, act, error.people_read) from error
        self.table.requests[request.id] = after
        self.table.tell(f"{who}: {act.label} on {subject(request)}")

    # ----------------------------------------------------------------- changing

    async def _edit(self, who: PersonId, request: Request, act: Act) -> None:
        """The changed call takes the place of the old one; where the editor alone signs, they have signed it."""
        call = self._changed(who, request, act)
        match self.decide(call, request):
            case Deny(why=why):
                raise _misfit(who, request, act, f"the policy forbids this version: {why}")
            case Escalate(why=why):
                raise _misfit(who, request, act, f"the policy hands this version over to people: {why}")
            case Allow():
                ask = request.ask
            case Ask() as ask:
                pass
        new = _version(request, call, ask, who, self.table)
        gone = close(request, Move.SUPERSEDE, at=self.table.now, cause=Cause.SUPERSEDED, told="changed by a person")
        self.table.tell(f"{who}: {act.label} on {subject(request)}")
        try:
            await self.table.ask(new)
        except Unsatisfiable as error:
            raise _misfit(who, request, act, error.people_read) from error
        self.table.requests[request.id] = replace(gone, replaced_by=new.id)
        is_alone = sum(need.need for need in ask.groups) == 1 and not ask.separate_duties
        is_said = bool(act.text) or ask.reason is not ReasonRule.ALWAYS
        if is_alone and is_said and self.table.asked[new.id].holds(who) and not (ask.is_high or ask.typed):
            self._vote(who, new, act, move=Move.APPROVE, reason=act.text)

    def _changed(self, who: PersonId, request: Request, act: Act) -> ToolCall:
        tool = self.toolbox.get(request.call.tool)
        if request.ask.reason is ReasonRule.ALWAYS and not act.text:
            raise _misfit(who, request, act, "the rule wants a reason: edit('why', …)")
        try:
            args = tool.check(cast(Json, {**request.call.values, **act.fields}))
        except InvalidArguments as error:
            raise _misfit(who, request, act, str(error)) from error
        old = request.call
        call = make_call(id=old.id, tool=old.tool, version=tool.spec.version, args=args)
        if call.digest == old.digest:
            raise _misfit(who, request, act, "it changes nothing")
        return call

    # ------------------------------------------------------------------ talking

    async def _reply(self, who: PersonId, act: Act) -> None:
        """Words in the thread: stop, an answer to the one open question, a word that signs, or else context."""
        table, meaning = self.table, words.read(act.text)
        table.tell(f"{who} says: {act.text}")
        if meaning is Meaning.STOP:
            table.stopped_by = who
            return
        asked = [one for one in table.open() if inquiry.is_inquiry(one.kind) and table.asked[one.id].holds(who)]
        signable = [one for one in table.open() if one.kind is Kind.APPROVAL]
        if asked and len(asked) + (len(signable) if meaning is not Meaning.CONTEXT else 0) > 1:
            raise ScriptError(
                f"{who} says {act.text!r} while several questions are open; press a button of one of them"
            )
        if asked and (said := inquiry.typed(asked[0], words.addressed(act.text))) is not None:
            self._vote(who, asked[0], act, move=Move.ANSWER, answer=said)
        elif signable and meaning is not Meaning.CONTEXT:
            self._word(who, signable, act, meaning)
        else:
            self._context(who, act)

    def _word(self, who: PersonId, signable: list[Request], act: Act, meaning: Meaning) -> None:
        """A word signs one request, of a rule that takes words, from somebody it asks; else it does nothing at all."""
        (first, *others) = signable
        does_count = not others and first.ask.may_use_words and meaning is not Meaning.LIKE_YES
        if does_count and self.table.asked[first.id].holds(who):
            self._vote(who, first, act, move=MOVES[meaning])
        else:
            self.table.tell(f"{act.text!r} signs nothing: words alone do not, here")

    def _reroute(self, who: PersonId, act: Act) -> None:
        """As the button of the run's status message: to somebody who does not have it."""
        to = str(act.fields["to"])
        left = next((at for at, members in self.table.routes.values() if to in members and to != at), None)
        if left is None:
            may = ", ".join(one for _, members in self.table.routes.values() for one in members) or "nobody"
            raise ScriptError(f"{who} says {act.label}, and it cannot be turned there just now. Members: {may}")
        self.table.tell(f"{who}: {act.label}")
        self._hear(Heard(by=who, text=f"Re-routed from {left} to {to}. {act.text}".strip(), to=to), frozenset(Kind))

    def _context(self, who: PersonId, act: Act) -> None:
        """The agent hears it before its next step; signatures and plans that were asked for are void."""
        self._hear(Heard(by=who, text=act.text), frozenset(WITHDRAWN))

    def _hear(self, heard: Heard, withdrawn: frozenset[Kind]) -> None:
        table, told = self.table, f"{heard.by} said: {heard.text[:200]}"
        table.letters.append(heard)
        for request in table.open():
            if request.kind in withdrawn:
                closed = close(request, Move.SUPERSEDE, at=table.now, cause=Cause.SUPERSEDED, told=told)
                table.requests[request.id] = closed


def _wants_reason(request: Request, move: Move) -> bool:
    rule = request.ask.reason
    return rule is ReasonRule.ALWAYS or (rule is ReasonRule.ON_REJECT and move is Move.REJECT)


def _version(old: Request, call: ToolCall, ask: Ask, editor: PersonId, table: Table) -> Request:
    was = old.edit.was if old.edit is not None else old.call.args
    return Request(
        id=RequestId(f"q-{len(table.requests) + 1}"),
        run=old.run,
        path=old.path,
        call=call,
        ask=ask,
        policy=old.policy,
        task=old.task,
        agent=old.agent,
        requester=old.requester,
        place=old.place,
        opened=table.now,
        excluded=tuple(dict.fromkeys((*old.excluded, editor))),
        deadline=deadline(ask, table.now),
        why=old.why,
        edit=Edit(editor=editor, was=was),
        replaces=old.id,
        history=old.history,
    )


def _misfit(who: PersonId, request: Request, act: Act, why: str) -> ScriptError:
    fits = ", ".join(_choices(request))
    return ScriptError(
        f"{who} is asked {subject(request)} and the test says {act.label}: {why.rstrip('.')}. What would fit: {fits}"
    )


def _choices(request: Request) -> list[str]:
    """How a test may answer this, in the words of a test."""
    if not inquiry.is_inquiry(request.kind):
        return ["approve()", "reject(…)", "edit(…)", "say(…)", "silence()"]
    found = [f"press({one.move!r}{', …' if one.fields else ''}) for “{one.label}”" for one in inquiry.choices(request)]
    return [*found, "say(…)", "silence()"]
