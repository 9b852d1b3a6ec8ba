"""Sparing people: nobody's direct messages fill with more open cards than they can read (T29).

    who is called now -> the cards they have open on this shard -> enough: later, as soon as some are answered

Their right does not wait, only the message does: whoever a step turns to may answer at once, in the thread or from the
list. Somebody who is spared reads one line about it, once in an hour of the clock. Not whose hours it is (reach).
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bot.domain.chat import Card, PersonId, Place, Tone
from bot.domain.errors import NoSuchRequest
from bot.domain.request import Request
from bot.domain.store import Note, Store
from bot.runtime.granted import shard_of
from bot.runtime.reach import Later, Reach
from bot.runtime.rights import Rights

DM_MOST = 20  # open cards in one person's direct messages, from one shard: more than anybody answers in a sitting
AGAIN = timedelta(minutes=5)  # until somebody who has so many is looked at again
TOLD_EVERY = timedelta(hours=1)


@dataclass(slots=True)
class _Desk:
    """What lies before one person: how many open cards, and where."""

    cards: int = 0
    place: Place | None = None  # unknown as long as none of them is shown


@dataclass(slots=True)
class Sparing:
    store: Store
    rights: Rights
    most: int = field(default=DM_MOST)

    async def spare(self, request: Request, reach: Reach, have: Container[PersonId] = ()) -> Reach:
        """*reach* without those who have enough open cards; *have* are those who have this one already."""
        desks = await self._desks(request)
        is_full = {who for who in reach.now if who not in have and who in desks and desks[who].cards >= self.most}
        if not is_full:
            return reach
        now = self.store.now()
        names = {who: await self.rights.name(who) for who in sorted(is_full)}
        full = [Later(person=who, name=name, at=now + AGAIN, clock="") for who, name in names.items()]
        window = int(now.timestamp() // TOLD_EVERY.total_seconds())
        told = (self._note(one.person, desks[one.person].place, window) for one in full)
        return replace(
            reach,
            now=tuple(who for who in reach.now if who not in is_full),
            full=tuple(full),
            notes=tuple(note for note in told if note),
        )

    async def _desks(self, request: Request) -> Mapping[PersonId, _Desk]:
        """Who has how many cards of requests that are open; empty where nobody can have too many."""
        desks: dict[PersonId, _Desk] = {}
        open_now = await self.store.open_requests(shard_of(request.id))
        for id in open_now if len(open_now) >= self.most else ():  # noqa: A001  # its name everywhere
            try:
                held = await self.store.lately(id)
            except NoSuchRequest:
                continue
            for copy in held.copies:
                if copy.to is not None and held.request.is_open:
                    desk = desks.setdefault(copy.to, _Desk())
                    desk.cards += 1
                    desk.place = desk.place or (copy.ref.place if copy.ref else None)
        return desks

    def _note(self, person: PersonId, place: Place | None, window: int) -> Note | None:
        """Its key is the same for an hour: whoever posts it again posts nothing."""
        if place is None:
            return None
        text = (
            f"{self.most} cards wait for you here, and more wait behind them: “pending” lists all of them, "
            "and each comes here as soon as one of these is answered."
        )
        card = Card(body=text, tone=Tone.WAITING)
        return Note(key=f"more/{person}/{window}", place=place, card=card, is_aside=True)
