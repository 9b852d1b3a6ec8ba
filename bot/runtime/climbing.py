"""Climbing: the steps of a request's ladder, each one change of the request, so that it happens once.

    step is due -> whom it turns to -> who of them may be called now -> note, copies, stand-ins, next timer: one turn

Silence never approves: the last step is expiry, or a review that comes again until somebody answers. Not when a step
is due (timers, domain/ladder), nor how cards are drawn and shown (outbox).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import structlog

from bot.domain import events, wording
from bot.domain.calls import Cause
from bot.domain.chat import Card, PersonId, Tone
from bot.domain.crowd import channel_of, place_key
from bot.domain.errors import ChatUnavailable, NoSuchRequest, Unsatisfiable
from bot.domain.inquiry import is_inquiry
from bot.domain.ladder import reviewed, rung, timer_for, timer_name
from bot.domain.people import ManagerOf, OnCall, parse
from bot.domain.request import Copy, Move, Request, RequestId, close
from bot.domain.run import Decided
from bot.domain.store import Effects, Fence, Held, Note, Turn
from bot.domain.verdict import HERE, Audience, Climb, Rung
from bot.domain.wire import replace
from bot.runtime.parts import Parts
from bot.runtime.reach import Reach, Reaching
from bot.runtime.rights import Rights
from bot.runtime.runner import Runner
from bot.runtime.sharing import copies_of, shared
from bot.runtime.sparing import Sparing

log = structlog.get_logger()
CHANNEL = "also-"  # begins the name of a copy that stands in a channel
DIRECT = "dm-"  # and of one that goes to a person
CALLED_MOST = 10  # of those who were asked from the beginning: a whole workspace may be


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a step says, to whom, and who may answer from now on."""

    text: str
    reach: Reach
    mentions: tuple[PersonId, ...] = ()
    standins: frozenset[PersonId] = frozenset()
    copies: tuple[Copy, ...] = ()
    notes: tuple[Note, ...] = ()  # beside the one in the thread


class Climbing:
    def __init__(self, parts: Parts, rights: Rights, runner: Runner) -> None:
        self._store, self._rights, self._runner = parts.store, rights, runner
        self._reaching, self.sparing = Reaching(parts.store, rights), Sparing(parts.store, rights)
        self._place_most = parts.place_most

    async def climb(self, id: RequestId, index: int, fence: Fence) -> None:
        """Take step *index* of a request's ladder, unless it was taken or the request has ended."""
        is_full = False  # has the channel that it names no room for another card?
        while True:
            try:
                held = await self._store.held(id)
                step = rung(held.request, index)
            except NoSuchRequest:
                step = None
            if step is None:
                await self._store.untime(fence.shard, f"rung|{id}|{index}")
                return
            held = replace(held, copies=await copies_of(self._store, held))
            turn = await shared(self._store, await self._step(held, step, fence, is_full=is_full))
            turned = await self._store.turn(turn)
            is_full = turned.is_full
            if turned.is_applied:
                log.info("rung_fired", request=id, run=held.request.run, index=index, do=step.do)
                for entry in turn.entries:
                    if isinstance(entry, Decided):
                        self._runner.deliver(held.request.run, entry, turned.mail)
                return
            if step.do is Climb.EXPIRE and not await self._has_changed(held):
                return  # early by the server's clock: the timer comes back

    async def _has_changed(self, held: Held) -> bool:
        return (await self._store.held(held.request.id)).request.version != held.request.version

    async def _step(self, held: Held, step: Rung, fence: Fence, *, is_full: bool) -> Turn:
        request = held.request
        match step.do:
            case Climb.EXPIRE:
                return _expiry(held, fence)
            case Climb.REVIEW:
                after = reviewed(request, step, self._store.now())
                said = await self._review(held, step, after.reviews)
            case Climb.REMIND:
                after = replace(request, rung=request.rung + 1, version=request.version + 1)
                said = await self._reminder(request, step)
            case Climb.ALSO | Climb.DM:
                after = replace(request, rung=request.rung + 1, version=request.version + 1)
                said = _shown_in(held, step, is_full=is_full) if step.channel else await self._widened(held, step)
        adds = tuple(place_key(copy.place) for copy in said.copies if copy.place is not None)  # at most one channel
        standins = tuple(sorted({*request.standins, *said.standins}))
        after = replace(after, standins=standins, also=(*request.also, *adds))
        turn = _turn(held, step, after, said, fence)
        return replace(turn, adds=adds[0], place_most=self._place_most) if adds else turn

    # ---------------------------------------------------------- what is said

    async def _reminder(self, request: Request, step: Rung) -> Said:
        people = await self._found(request, step.to)
        reach = await self._reach(request, step, people, most=CALLED_MOST)
        all_away = reach.nobody if step.to == HERE else ""
        text = f"Reminder: {request.call.tool} still waits for {_wanted(request)}.{all_away}{reach.told}"
        standins = people if step.to != HERE else frozenset[PersonId]()
        return Said(text=text, reach=reach, mentions=reach.now, standins=standins)

    async def _widened(self, held: Held, step: Rung) -> Said:
        """More people may answer. Who was sent the card before, or is nobody to be called now, gets no second one."""
        request = held.request
        people = await self._found(request, step.to)
        told = people | frozenset((await self._rights.standing(request, people)).values())
        have = frozenset(copy.to for copy in held.copies if copy.to)
        reach = await self._reach(request, step, told, urgent=have & told)
        reach = await self.sparing.spare(request, reach, have)
        names = [await self._rights.name(person) for person in reach.now]
        text = "No answer yet: " + (f"asked {' and '.join(names)} as well." if names else _nobody(step.to))
        if reach.told and not names:
            text = "No answer yet."
        return Said(text=text + reach.told, reach=reach, standins=people, copies=_copies(held, step, reach))

    async def _review(self, held: Held, step: Rung, period: int) -> Said:
        """Said once in each period: in the thread, and to everybody whose answer is missing by direct message."""
        request = held.request
        people = await self._found(request, step.to)
        reach = await self._reach(request, step, people, most=CALLED_MOST if step.to == HERE else None)
        have = frozenset(copy.to for copy in held.copies if copy.to)
        reach = await self.sparing.spare(request, reach, have)
        every = f"{wording.span(step.after)}{wording.pause(request.ask.clock)}"
        again = f"It has no deadline; asked again every {every}."
        text = f"Still open: {request.call.tool} waits for {_wanted(request)}. {again}"
        text += reach.nobody if step.to == HERE else ""
        make = partial(said_again, text=text, part=f"rung{request.rung}.{period}")
        return Said(
            text=text + reach.told,
            reach=reach,
            mentions=reach.now[:CALLED_MOST],
            standins=people if step.to != HERE else frozenset(),
            copies=_copies(held, step, reach),
            notes=tuple(note for person in reach.now if (note := make(held, person))),
        )

    # --------------------------------------------------------------- to whom

    async def _found(self, request: Request, to: Audience) -> frozenset[PersonId]:
        """Whom a step turns to; with "here", whoever was asked and has not answered, or their deputy.

        A group that cannot be read any more is nobody, and so is whoever cannot be looked up once the deadline has
        passed: neither holds up the ladder, and expiry waits for no directory (D-03).
        """
        try:
            if to == HERE:
                return await self._rights.awaited(request)
            return await self._rights.reached(request, to)
        except Unsatisfiable as error:
            log.warning("rung_reaches_nobody", request=request.id, to=to, why=error.why)
            return frozenset()
        except ChatUnavailable:
            if not self._is_over(request):
                raise
            return frozenset()

    async def _reach(
        self,
        request: Request,
        step: Rung,
        people: frozenset[PersonId],
        *,
        urgent: frozenset[PersonId] = frozenset(),
        most: int | None = None,
    ) -> Reach:
        if step.to != HERE and isinstance(parse(step.to), OnCall):
            urgent = people
        elif step.to == HERE:
            urgent |= await self._on_call(request)
        return await self._reaching.reach(request, people, urgent=urgent, most=most)

    async def _on_call(self, request: Request) -> frozenset[PersonId]:
        """Who was asked because they are on call: at any hour, that is what it means."""
        of = [need.of for need in request.ask.groups if isinstance(parse(need.of), OnCall)]
        return frozenset[PersonId]().union(*[await self._found(request, audience) for audience in of])

    def _is_over(self, request: Request) -> bool:
        return request.deadline is not None and self._store.now() >= request.deadline


def _shown_in(held: Held, step: Rung, *, is_full: bool) -> Said:
    """The card stands in a channel as well. Whoever reads it there may answer if they might before, and nobody else.

    A channel that shows as many open requests as it may is not written to: nobody reads them all (T18).
    """
    if is_full:
        text = f"No answer yet. {step.to} shows as many open requests as it may, so this one is not shown there."
        return Said(text=text, reach=Reach())
    place = channel_of(held.request, step.channel)
    is_there = any(copy.where == place for copy in held.copies)
    copies = () if is_there else (Copy(name=f"{CHANNEL}{step.channel}", place=place),)
    return Said(text=f"No answer yet: shown in {step.to} as well.", reach=Reach(), copies=copies)


def said_again(held: Held, person: PersonId, *, text: str, part: str) -> Note | None:
    """*text* for *person*, below the copy they have in a direct message; None if they have none to look at.

    *part* tells this note from others about the same request.
    """
    place = next((copy.ref.place for copy in held.copies if copy.to == person and copy.ref is not None), None)
    if place is None:
        return None
    request = held.request
    card = Card(body=text, tone=Tone.WAITING, mentions=(person,), run=request.run)
    is_aside = place.in_thread(None) != request.place.in_thread(None)
    return Note(key=f"{request.run}/{request.id}/{part}/{person}", place=place, card=card, is_aside=is_aside)


def _copies(held: Held, step: Rung, reach: Reach) -> tuple[Copy, ...]:
    """A direct message to everybody who is called now and has none."""
    have = {copy.name for copy in held.copies}
    is_manager = step.to != HERE and isinstance(parse(step.to), ManagerOf)
    named = [(f"dm-{person}", person) for person in reach.now]
    return tuple(Copy(name=name, to=person, is_manager=is_manager) for name, person in named if name not in have)


def _turn(held: Held, step: Rung, after: Request, said: Said, fence: Fence) -> Turn:
    request, is_review = held.request, step.do is Climb.REVIEW
    period = after.reviews if is_review else None
    key = f"{request.run}/{request.id}/rung{request.rung}" + (f".{period}" if is_review else "")
    card = Card(body=said.text, tone=Tone.WAITING, mentions=said.mentions, run=request.run)
    notes = (Note(key=key, place=request.place, card=card), *said.notes, *said.reach.notes)
    have = {copy.name for copy in held.copies}
    rows = Held(request=request, copies=(*held.copies, *(copy for copy in said.copies if copy.name not in have))).rows
    effects = Effects(
        audit=(events.rung_fired(request.id, request.rung, step.do, period=period),),
        notes=notes,
        dirty=(*(f"note|{note.key}" for note in notes), *rows),
        timers=(*timer_for(after, after.rung), *said.reach.timers(request)),
        untime=() if is_review else (timer_name(request, request.rung),),  # a review's own timer was set anew
    )
    return Turn(after=after, copies=said.copies, effects=effects, fence=fence)


def _expiry(held: Held, fence: Fence) -> Turn:
    request = held.request
    after = close(request, Move.EXPIRE, at=request.deadline or request.opened, cause=Cause.DEADLINE)
    after = replace(after, rung=request.rung + 1)
    assert after.decision is not None, "an expired request has its decision"
    effects = Effects(
        audit=(events.rung_fired(request.id, request.rung, Climb.EXPIRE), events.request_decided(after)),
        dirty=held.rows,
        untime=(timer_name(request, request.rung),),
    )
    entry = Decided(request=request.id, decision=after.decision)
    return Turn(after=after, effects=effects, entries=(entry,), fence=fence, is_expiry=True)


def _wanted(request: Request) -> str:
    return "an answer" if is_inquiry(request.kind) else "a signature"


def _nobody(to: Audience) -> str:
    term = parse(to)
    if isinstance(term, OnCall):
        return f"nobody is on call for {term.rotation} now."
    return "asked nobody who could be found as well."
