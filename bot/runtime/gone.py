"""Whoever a question was handed to is gone: it falls to whoever handed it on, else to whoever gave the task.

    gone|<request>|<person> is due -> can they still answer? -> yes: look again later
                                                             -> no: the same request, asked of the one before

One change of the request, in the audit, so that the card, the ladder and everybody's rights follow from it. Whoever is
asked again is called when they may be (reach). Not how it was handed on (handing), nor who may answer (rights).
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from bot.domain import events
from bot.domain.chat import Card, PersonId, Tone
from bot.domain.errors import NoSuchRequest
from bot.domain.request import Handed, Request, RequestId
from bot.domain.store import Effects, Fence, Held, Note, Timer, Turn
from bot.domain.verdict import Need
from bot.domain.wire import replace
from bot.runtime.parts import Parts
from bot.runtime.reach import Reaching
from bot.runtime.rights import Rights

log = structlog.get_logger()
LOOKED_EVERY = timedelta(minutes=5)  # how long somebody who left may hold a question up


def look_timer(request: Request, last: Handed) -> Timer:
    """When to look whether the one it was handed to is still there."""
    return Timer(name=_name(request.id, last.to), due=last.at + LOOKED_EVERY)


class Gone:
    def __init__(self, parts: Parts, rights: Rights) -> None:
        self._store, self._rights, self._reaching = parts.store, rights, Reaching(parts.store, rights)

    async def look(self, id: RequestId, person: PersonId, fence: Fence) -> None:
        """Is *person*, to whom request *id* was handed, still there? Safe to repeat."""
        while True:
            held = await self._waiting(id, person)
            if held is None:
                await self._store.untime(fence.shard, _name(id, person))
                return
            back = None if await self._may_answer(held.request, person) else await self._before(held.request)
            if back is None:  # they are there, or nobody is
                later = Timer(name=_name(id, person), due=self._store.now() + LOOKED_EVERY)
                await self._store.retime(fence.shard, later)
                return
            if (await self._store.turn(await self._turn(held, back, fence))).is_applied:
                log.info("request_fell_back", request=id, gone=person, to=back)
                return

    async def _waiting(self, id: RequestId, person: PersonId) -> Held | None:
        """The request, if it still waits for *person*."""
        try:
            held = await self._store.held(id)
        except NoSuchRequest:
            return None
        handed = held.request.handed
        return held if held.request.is_open and handed and handed[-1].to == person else None

    async def _before(self, request: Request) -> PersonId | None:
        """Who handed it on last and can answer, else who gave the task; None if neither can."""
        passed = dict.fromkeys((*(one.by for one in reversed(request.handed)), request.requester))
        for who in passed:
            if await self._may_answer(request, who):
                return who
        return None

    async def _may_answer(self, request: Request, person: PersonId) -> bool:
        return bool(await self._rights.reached(request, f"@{person}"))

    async def _turn(self, held: Held, back: PersonId, fence: Fence) -> Turn:
        """Asked of *back*, and of whomever the ladder called meanwhile; every copy is shown again."""
        request = held.request
        gone = request.handed[-1].to
        handed = Handed(by=gone, to=back, at=self._store.now(), is_back=True)
        after = replace(
            request,
            ask=replace(request.ask, groups=(Need(of=f"@{back}"),)),
            handed=(*request.handed, handed),
            version=request.version + 1,
        )
        reach = await self._reaching.reach(after, (back,))
        whom = "you" if reach.now else await self._rights.name(back)
        text = f"{await self._rights.name(gone)} can no longer answer this. It is asked of {whom} again.{reach.told}"
        card = Card(body=text, tone=Tone.WAITING, mentions=reach.now, run=request.run)
        note = Note(key=f"{request.run}/{request.id}/back{after.version}", place=request.place, card=card)
        effects = Effects(
            audit=(events.request_fell_back(after),),
            notes=(note,),
            dirty=(*held.rows, f"note|{note.key}"),
            timers=(look_timer(after, handed), *reach.timers(after)),
            untime=(_name(request.id, gone),),
        )
        return Turn(after=after, effects=effects, fence=fence)


def _name(request: RequestId, person: PersonId) -> str:
    return f"gone|{request}|{person}"
