"""Calling one person beside the ladder's own steps: when their hours begin or they have room, or in place of another.

    wake|<request>|<person> is due -> still open, still asked, room? -> a direct message, or a word below theirs
    a message cannot be shown -> a manager's: the next manager up (CD-09) -> nobody left: the thread says so

Each is one turn of the request. Not whom a step calls (climbing), nor that a message could not be shown (outbox).
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from bot.domain import events
from bot.domain.chat import Card, PersonId, Tone
from bot.domain.errors import NoSuchRequest, Unsatisfiable
from bot.domain.ladder import wake_name
from bot.domain.people import HIGHEST, ManagerOf, parse
from bot.domain.request import Copy, Request, RequestId
from bot.domain.store import Effects, Fence, Held, Note, Timer, Turn
from bot.domain.verdict import HERE, Climb, Rung
from bot.domain.wire import replace
from bot.runtime.climbing import CHANNEL, DIRECT, said_again
from bot.runtime.parts import Parts
from bot.runtime.reach import Reaching
from bot.runtime.rights import Rights
from bot.runtime.sharing import shared
from bot.runtime.sparing import Sparing

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What one turn does: audit, messages, and who may answer from now on."""

    audit: tuple[bytes, ...] = ()
    copies: tuple[Copy, ...] = ()
    notes: tuple[Note, ...] = ()
    standins: tuple[PersonId, ...] = ()
    timers: tuple[Timer, ...] = ()


class Calling:
    def __init__(self, parts: Parts, rights: Rights) -> None:
        self._store, self._rights = parts.store, rights
        self._reaching, self.sparing = Reaching(parts.store, rights), Sparing(parts.store, rights)

    # ------------------------------------------------------------------ later

    async def wake(self, id: RequestId, person: PersonId, fence: Fence) -> None:
        """*person*'s hours begin: call them, or their deputy, if the request is open and they are still asked."""
        while True:
            try:
                held = await self._store.held(id)
                call = await self._woken(held, person)
            except NoSuchRequest:
                call = None
            if call is None:
                await self._store.untime(fence.shard, wake_name(id, person))
                return
            turn = await shared(self._store, _turn(held, call, fence, done=wake_name(id, person)))
            if (await self._store.turn(turn)).is_applied:
                log.info("person_woken" if call.audit else "person_waits", request=id, person=person)
                return

    async def _woken(self, held: Held, person: PersonId) -> Call | None:
        """None when there is nothing to say to them any more."""
        request = held.request
        has_voted = any(vote.person == person for vote in request.votes)
        if not request.is_open or has_voted:
            return None
        try:
            groups = await self._rights.groups(request)
        except Unsatisfiable as error:  # as on the ladder: a group that cannot be read any more is nobody
            log.warning("wake_reaches_nobody", request=request.id, person=person, why=error.why)
            return None
        if person not in frozenset[PersonId]().union(*groups):
            return None
        called = (await self._rights.standing(request, frozenset({person}))).get(person, person)
        have = frozenset(copy.to for copy in held.copies if copy.to)
        reach = await self.sparing.spare(request, await self._reaching.reach(request, (called,)), have)
        if not reach.now:  # nobody looked at the clock in time, and their day is over again; or they have enough
            return Call(timers=reach.timers(request), notes=reach.notes)
        audit = (events.copy_sent(request.id, called, "they may be called now"),)
        if called not in have:
            is_manager = await self._is_manager(request, called)
            return Call(audit=audit, copies=(Copy(name=f"dm-{called}", to=called, is_manager=is_manager),))
        text = f"Still open: {request.call.tool} waits for an answer."
        again = said_again(held, called, text=text, part=f"wake{request.version}")
        return Call(audit=audit, notes=(again,)) if again else None

    async def _is_manager(self, request: Request, person: PersonId) -> bool:
        """Has a step of the ladder turned to *person* as somebody's manager?"""
        ladder = request.ask.ladder
        taken = ladder[: request.rung] + tuple(step for step in ladder if step.do is Climb.REVIEW and request.reviews)
        above = [step.to for step in taken if _is_of_managers(step)]
        return any([person in await self._rights.reached(request, to) for to in above])

    # ---------------------------------------------------------------- instead

    async def instead(self, held: Held, lost: Copy, fence: Fence) -> bool:
        """*lost* can never be shown. If it was a manager's, ask the next one up; the thread is told of whoever cannot
        be written to, and of a channel.

        True if somebody is asked in their place. Safe to repeat.
        """
        while True:
            request, told = held.request, [one.to for one in held.copies if lost.to and one.instead_of == lost.to]
            above = next(iter(told), None)
            if above is not None:
                return True  # found by a process that was gone before it could say so
            stands = next((one for one in held.copies if one.name == lost.name), lost)
            is_channel = stands.name.startswith(CHANNEL)
            is_direct = stands.name.startswith(DIRECT) and stands.to is not None
            if not request.is_open or not (is_channel or is_direct):
                return False
            above = await self._above(held, stands.to) if stands.is_manager and stands.to is not None else None
            call = _unseen(request, stands) if is_channel else await self._replaced(request, stands, above)
            if (await self._store.turn(await shared(self._store, _turn(held, call, fence)))).is_applied:
                log.info("copy_replaced", request=request.id, lost=stands.name, by=above)
                return above is not None
            held = await self._store.held(request.id)

    async def _above(self, held: Held, person: PersonId) -> PersonId | None:
        """The next manager up who may answer and has not been asked."""
        seen = {person, *(copy.to for copy in held.copies if copy.to)}
        for _ in range(HIGHEST):
            found = await self._rights.person(person)
            above = found.manager if found is not None else None
            if above is None or above in seen:
                return None
            if await self._rights.reached(held.request, f"@{above}"):
                return above
            seen.add(above)
            person = above
        return None

    async def _replaced(self, request: Request, lost: Copy, above: PersonId | None) -> Call:
        assert lost.to is not None, "a direct message is somebody's"
        told = f"{await self._rights.name(lost.to)} cannot be reached by direct message"
        done = replace(lost, is_manager=False)  # whoever loses it again looks for nobody more
        if above is None:
            nor = ", nor is there a manager above to ask" if lost.is_manager else ""
            text = f"{told}{nor}: whoever may answer does so here."
            return Call(copies=(done,) if lost.is_manager else (), notes=(_note(request, lost.to, text),))
        reach = await self.sparing.spare(request, await self._reaching.reach(request, (above,)))
        asked = f": asked {await self._rights.name(above)} instead." if reach.now else f".{reach.told}"
        copy = Copy(name=f"dm-{above}", to=above, is_manager=True, instead_of=lost.to)
        return Call(
            audit=(events.copy_sent(request.id, above, f"{lost.to} cannot be reached"),),
            copies=(done, copy) if reach.now else (done,),
            notes=(_note(request, lost.to, told + asked), *reach.notes),
            standins=(above,),
            timers=reach.timers(request),
        )


def _unseen(request: Request, lost: Copy) -> Call:
    """The channel that a step names cannot be written to: said where the request came from."""
    channel = lost.name.removeprefix(CHANNEL)
    named = channel if "#" in channel else f"#{channel}"  # on another platform it says which
    text = f"The card cannot be shown in {named}: whoever may answer does so here."
    return Call(notes=(_note(request, lost.name, text),))


def _turn(held: Held, call: Call, fence: Fence, *, done: str = "") -> Turn:
    """*done* is the timer that is dealt with, unless it was set anew."""
    request = held.request
    standins = tuple(sorted({*request.standins, *call.standins}))
    have = {copy.name for copy in held.copies}
    shown = [copy for copy in held.copies if copy.ref is not None]  # others are on their way, or lost for good
    new = [copy for copy in call.copies if copy.name not in have]
    rows = Held(request=request, copies=(*shown, *new)).rows if call.copies or call.audit else ()  # else only later
    effects = Effects(
        audit=call.audit,
        notes=call.notes,
        dirty=(*(f"note|{note.key}" for note in call.notes), *rows),
        timers=call.timers,
        untime=(done,) if done and all(timer.name != done for timer in call.timers) else (),
    )
    after = replace(request, version=request.version + 1, standins=standins)
    return Turn(after=after, copies=call.copies, effects=effects, fence=fence)


def _is_of_managers(step: Rung) -> bool:
    return step.to != HERE and not step.channel and isinstance(parse(step.to), ManagerOf)


def _note(request: Request, lost: str, text: str) -> Note:
    card = Card(body=text, tone=Tone.WAITING, run=request.run)
    return Note(key=f"{request.run}/{request.id}/lost-{lost}", place=request.place, card=card)
