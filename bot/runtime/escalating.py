"""An escalation goes to the people it is for: a direct message to each, and a line in the thread that says so.

Whoever has no working hours now, or is away, gets theirs when they are back (reach); the line says until when. What is
high-risk, and whoever is asked because they are on call, waits for no morning. Whoever has enough open cards gets it
when some of them are answered (sparing). Not who may answer it (rights), nor when
they are asked again (timers).
"""

from __future__ import annotations

from functools import partial

from bot.domain.chat import Card, PersonId, Tone
from bot.domain.inert import show_line
from bot.domain.people import OnCall, may_answer, parse
from bot.domain.request import Copy, Kind, Request
from bot.domain.store import Note, Store
from bot.domain.verdict import Audience, Need
from bot.runtime.journal import patiently
from bot.runtime.reach import Reach, Reaching
from bot.runtime.rights import Rights
from bot.runtime.sparing import Sparing

WRITTEN_TO_MOST = 20  # people; a larger group reads the card in the thread, and is reminded by the ladder


class Escalating:
    def __init__(self, store: Store, rights: Rights) -> None:
        self._rights = rights
        self._reaching, self._sparing = Reaching(store, rights), Sparing(store, rights)

    async def audience(self, requester: PersonId) -> Audience:
        """Whom an agent means that names nobody: the manager, where there is one who can answer."""
        person = await patiently(partial(self._rights.person, requester))
        boss = await patiently(partial(self._rights.person, person.manager)) if person and person.manager else None
        return "manager(requester)" if boss is not None and may_answer(boss) else "requester"

    async def asked(self, request: Request) -> Reach:
        """Everybody to write to, now or later, of an escalation; whoever gave the task reads the thread."""
        if request.kind is not Kind.ESCALATION:
            return Reach()
        groups = await patiently(partial(self._rights.groups, request))
        people = frozenset[PersonId]().union(*groups) - {request.requester}
        if len(people) > WRITTEN_TO_MOST:
            return Reach()
        of = [members for need, members in zip(request.ask.groups, groups, strict=True) if _is_on_call(need)]
        urgent = frozenset[PersonId]().union(*of)
        reach = await patiently(partial(self._reaching.reach, request, people, urgent=urgent))
        return await patiently(partial(self._sparing.spare, request, reach))

    async def notes(self, request: Request, reach: Reach) -> tuple[Note, ...]:
        """What the thread reads, and whom it calls, and what those read who have enough; none if there is nobody."""
        if reach == Reach():
            return ()
        return (await self._note(request, reach), *reach.notes)

    async def _note(self, request: Request, reach: Reach) -> Note:
        names = [show_line(await patiently(partial(self._rights.name, who))) for who in reach.now]
        body = f"Escalated{' to ' if names else ''}{' and '.join(names)}.{reach.told}"
        card = Card(body=body, tone=Tone.WAITING, mentions=reach.now, run=request.run)
        return Note(key=f"{request.run}/{request.id}/escalated", place=request.place, card=card)


def _is_on_call(need: Need) -> bool:
    return isinstance(parse(need.of), OnCall)


def copies_for(people: tuple[PersonId, ...]) -> tuple[Copy, ...]:
    return tuple(Copy(name=f"dm-{who}", to=who) for who in people)
