"""An escalation goes to the people it is for: a direct message to each, and a line in the thread that says so.

Not who may answer it (rights), nor when they are asked again (timers).
"""

from __future__ import annotations

from functools import partial

from bot.domain.chat import Card, PersonId, Tone
from bot.domain.inert import show_line
from bot.domain.people import may_answer
from bot.domain.request import Copy, Kind, Request
from bot.domain.store import Note
from bot.domain.verdict import Audience
from bot.runtime.journal import patiently
from bot.runtime.rights import Rights

WRITTEN_TO_MOST = 20  # people; a larger group reads the card in the thread, and is reminded by the ladder


class Escalating:
    def __init__(self, rights: Rights) -> None:
        self._rights = rights

    async def audience(self, requester: PersonId) -> Audience:
        """Whom an agent means that names nobody: the manager, where there is one who can answer."""
        person = await patiently(partial(self._rights.person, requester))
        boss = await patiently(partial(self._rights.person, person.manager)) if person and person.manager else None
        return "manager(requester)" if boss is not None and may_answer(boss) else "requester"

    async def asked(self, request: Request) -> tuple[PersonId, ...]:
        """Everybody to write to, if *request* is an escalation; whoever gave the task reads the thread."""
        if request.kind is not Kind.ESCALATION:
            return ()
        groups = await patiently(partial(self._rights.groups, request))
        people = sorted(frozenset[PersonId]().union(*groups) - {request.requester})
        return tuple(people) if len(people) <= WRITTEN_TO_MOST else ()

    async def note(self, request: Request, people: tuple[PersonId, ...]) -> Note:
        """What the thread reads, and whom it calls."""
        names = [show_line(await patiently(partial(self._rights.name, who))) for who in people]
        card = Card(body=f"Escalated to {' and '.join(names)}.", tone=Tone.WAITING, mentions=people, run=request.run)
        return Note(key=f"{request.run}/{request.id}/escalated", place=request.place, card=card)


def copies_for(people: tuple[PersonId, ...]) -> tuple[Copy, ...]:
    return tuple(Copy(name=f"dm-{who}", to=who) for who in people)
