"""The ballot: one person's answer, counted once, applied only to what it was computed from.

    may they -> what becomes of the request -> one atomic change -> wake whoever sleeps here

Also writes down every answer that was refused. Not whether a button was ours (desk).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from bot.domain import events, inquiry, typed
from bot.domain.chat import Answer
from bot.domain.errors import AlreadySettled, Broken, InvalidArguments, NoSuchRequest, NotEligible, Refused
from bot.domain.ladder import waiting_timer
from bot.domain.render import REASON, RESULT
from bot.domain.report import QUICK
from bot.domain.request import (
    SIGNING,
    Kind,
    Move,
    Request,
    RequestId,
    RunId,
    Status,
    Vote,
    must_have_read,
    seats,
    settled_text,
    vote,
)
from bot.domain.run import Decided
from bot.domain.store import Effects, Held, Turn
from bot.domain.verdict import ReasonRule
from bot.domain.wire import replace
from bot.runtime.afterwards import Afterwards
from bot.runtime.journal import once_more
from bot.runtime.parts import Parts
from bot.runtime.press import Press
from bot.runtime.rights import Rights
from bot.runtime.runner import Runner
from bot.runtime.takeover import Takeover, claims

log = structlog.get_logger()


class Ballot:
    def __init__(self, parts: Parts, rights: Rights, runner: Runner) -> None:
        self._parts, self._store, self._rights, self._runner = parts, parts.store, rights, runner
        self._afterwards, self._takeover = Afterwards(parts, rights), Takeover(parts, rights)

    async def answer(self, held: Held, press: Press) -> Answer:
        """Count an answer to an inquiry. Raises InvalidArguments with problems beside the fields."""
        said = inquiry.read(held.request, press.move, press.fields)
        people = inquiry.people(held.request, said)
        if unknown := [name for name, who in people.items() if await self._rights.person(who) is None]:
            raise InvalidArguments(held.request.kind, dict.fromkeys(unknown, "I do not know this person."))
        words = replace(press, fields={})  # they are the answer: a field called `reason` is no reason, and in no audit
        return await self.vote(held, Move.ANSWER, words, said)

    async def vote(
        self, held: Held, move: Move, press: Press, said: str = "", *, also: Callable[[Turn], Turn] | None = None
    ) -> Answer:
        """Count one person's answer; look again and retry when somebody else's came in between.

        *also* adds to the very turn that counts it, or refuses it by raising.
        """
        while True:
            request = held.request
            if any(earlier.delivery == press.delivery for earlier in request.votes):
                return Answer(is_taken=True, text="Your answer was already counted.")
            after = await self._counted(request, move, press, said)
            if isinstance(after, Answer):
                return after
            turn = await self._afterwards.follow(_turn(held, after, press.delivery, _counted_text(after)))
            turn = also(turn) if also is not None else turn
            turn = await self._takeover.claimed(turn) if claims(after) else turn
            turned = await once_more(partial(self._store.turn, turn))
            if turned.repeat is not None:
                return Answer(is_taken=True, text=turned.repeat)
            if turned.is_applied:
                self._count(turn.after, turned.mail)
                return Answer(is_taken=True, text=turn.answer)
            held = await self._store.held(request.id)

    async def _counted(self, request: Request, move: Move, press: Press, said: str = "") -> Request | Answer:
        person, right, chairs = await self._rights.claim(request, press.by, move)
        must_have_read(request, move, person.id)
        if problem := _reason_missing(request, move, press.reason):
            return Answer(is_taken=False, text=problem, problems={_reason_field(request, move): problem})
        if problem := typed.problem(request, move, press.fields):
            return Answer(is_taken=False, text=problem, problems={typed.TYPED: problem})
        if move in SIGNING and not await self._rights.requester_may(request):
            told = f"{await self._rights.name(request.requester)}, who asked for this, may no longer give tasks."
            raise NotEligible(request.id, person.id, told)
        given = Vote(
            person=person.id,
            account=press.by,
            move=move,
            digest=request.call.digest,
            ref=press.ref,
            at=self._store.now(),
            delivery=press.delivery,
            right=right,
            seats=chairs.own,
            stands_for=chairs.stands_for,
            reason=press.reason,
            answer=said,
        )
        return vote(await self._rights.refreshed(request) if request.votes else request, given)

    def _count(self, after: Request, mail: int) -> None:
        """Wake the coroutine at once if it sleeps in this process; the doorbell rings for all others."""
        if claims(after):
            self._runner.ring(after.run, mail)  # who has the run is a letter, and comes before what they answered
        elif after.decision is not None and not after.outlives:
            self._runner.deliver(after.run, Decided(request=after.id, decision=after.decision), mail, after)
        asyncio.get_running_loop().call_soon(self._note, after)  # the sleeper goes first: a log line takes its time

    def _note(self, after: Request) -> None:
        given = after.votes[-1]
        if after.decision is not None:
            waited = (after.decision.at - after.opened).total_seconds()
            self._parts.meter.observe("time_to_decision", waited)
        self._parts.meter.count("votes", result=given.move)
        self._parts.meter.count("votes_by_person", person=given.person, move=given.move)
        if given.move in SIGNING and given.at - after.opened < QUICK:
            self._parts.meter.count("approvals_quick")
        log.info("vote_counted", request=after.id, run=after.run, person=given.person, move=given.move)

    def tell(self, run: RunId, decided: Decided, mail: int) -> None:
        self._runner.deliver(run, decided, mail)

    async def refuse(self, press: Press, error: Refused | Broken) -> Answer:
        """Write the refusal down, and say why to the one who pressed. A record somebody forged refuses all (T22)."""
        person = await self._parts.directory.who(press.by)
        cause = type(error).__name__
        who = person.id if person else None
        log.info("press_refused", subject=press.subject[:80], move=press.move[:20], cause=cause, person=who)
        self._parts.meter.count("votes", result="refused")
        body = events.vote_refused(press.subject[:80], person.id if person else None, press.by, cause, press.delivery)
        await self._store.log(_shard(press.subject, self._store.shards), (body,))
        problems = getattr(error, "problems", None)
        told = await self._late(press, error) if isinstance(error, AlreadySettled) else error.people_read
        return Answer(is_taken=False, text=told, problems=problems if isinstance(problems, dict) else None)

    async def _late(self, press: Press, error: AlreadySettled) -> str:
        """Who was faster, by name: an id says nothing to people who are not in people.yml (CD-07).

        They pressed a button, so perhaps the picture of the end never reached that message: it is shown again (CD-08).
        """
        try:
            held = await self._store.held(RequestId(error.request_id))
        except NoSuchRequest:
            return error.people_read
        request, pressed = held.request, tuple(copy for copy in held.copies if copy.ref == press.ref)
        if pressed and not request.is_open:
            again = Held(request=request, copies=pressed)
            await self._store.show_again(_shard(request.id, self._store.shards), again.rows, unless_marked=True)
        by = request.decision.by if request.decision else ()
        return settled_text(request, {who: await self._rights.name(who) for who in by}) if by else error.people_read


def _turn(held: Held, after: Request, delivery: str, text: str) -> Turn:
    """The change a counted vote makes, with its audit and every copy to show again."""
    audit = [events.vote_counted(after, after.votes[-1])]
    entries: tuple[Decided, ...] = ()
    untime: tuple[str, ...] = ()
    if after.decision is not None:
        audit.append(events.request_decided(after))
        entries = (Decided(request=after.id, decision=after.decision),) if not after.outlives else ()
        untime = waiting_timer(after)
    effects = Effects(audit=tuple(audit), dirty=held.rows, untime=untime)
    return Turn(after=after, effects=effects, entries=entries, delivery=delivery, answer=text)


def _reason_missing(request: Request, move: Move, reason: str) -> str | None:
    rule = request.ask.reason
    is_on_reject = rule is ReasonRule.ON_REJECT and move is Move.REJECT
    is_wanted = rule is ReasonRule.ALWAYS or is_on_reject or move is Move.BREAK_GLASS
    return "Please say why." if is_wanted and not reason else None


def _reason_field(request: Request, move: Move) -> str:
    """Where a reason is written beside *move* (card_buttons)."""
    return RESULT if request.kind is Kind.RECOVERY and move is Move.ANSWER else REASON


def _counted_text(after: Request) -> str:
    if after.status is Status.OPEN:
        filled = seats(after).filled
        lacking = [need.of for need, n in zip(after.ask.groups, filled, strict=True) if n < need.need]
        total = sum(need.need for need in after.ask.groups)
        return f"Counted: {sum(filled)} of {total}; still needed: {', '.join(lacking)}."
    if after.kind is Kind.RECOVERY and after.status is Status.REJECTED:
        return "It stays in doubt. Nothing is run again; the agent goes on."
    if after.broken_by is not None:
        return "The glass is broken: it runs now. The thread was told, and others will review it."
    return {
        Status.APPROVED: "Approved. It runs now.",
        Status.REJECTED: "Rejected. It will not run.",
        Status.ANSWERED: "Thank you, noted.",
    }[after.status]


def _shard(subject: str, shards: int) -> int:
    """Where a refusal is written: beside its request, or on the first shard for a made-up one."""
    part = subject.split("-", 2)[1:2]
    is_number = bool(part) and part[0].isascii() and part[0].isdigit() and len(part[0]) < 6
    return int(part[0]) if is_number and int(part[0]) < shards else 0
