"""Once, in Teams: a post whose answer was lost is not repeated blindly; the first press on it says that it arrived.

    POST, no answer -> 30 s without a press on it: posted again -> both count as the one message of their key
                    -> a press whose button we posted there -> its message is adopted, as if the answer had come

Teams takes no idempotency key, and a bot may not look for its own messages. But a button carries its request's seal,
and a press names the message it stands in: so what was to be posted is written down before, by request and place.
The steps are those of every platform (adapters/once). Does not own what a press then does (the desk).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters import once
from adapters.once import REMEMBERED, Attempt, Habits, Tried
from adapters.teams.connector import PerhapsDone, Where
from adapters.teams.places import Places
from adapters.teams.shapes import PLATFORM
from bot.domain.chat import Card, Click, Form, MessageRef, Place
from bot.domain.errors import ChatUnavailable
from bot.domain.ports import Keep
from bot.domain.wire import Record, dumps, pack, replace, unpack

SETTLE = 2.0  # seconds for a post whose answer was lost to reach people's screens
DOUBT = timedelta(seconds=30)  # until it is posted again: a person who reads it has pressed, or will press the second
LOOK_EVERY = 2.0  # seconds; meanwhile a press may say that it arrived, and whoever pressed is told to try again


class Doubt(Record):
    """A card that is being posted: the mark of its key, the seals of its buttons, and the whole conversation id."""

    mark: str
    seals: tuple[str, ...]
    service_url: str
    conversation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What is posted, and where: once as a place, once as the Bot Connector knows it."""

    card: Card
    place: Place
    where: Where


class Once(once.Once):
    """Remembers posts by key, for every process that shares the Keep. *clock* tells UTC."""

    def __init__(self, keep: Keep, places: Places, clock: Callable[[], datetime]) -> None:
        super().__init__(keep, clock, Habits(platform=PLATFORM, perhaps=PerhapsDone, settle=SETTLE))
        self._places = places

    async def announce(self, attempt: Attempt, sending: Sending) -> None:
        """Before it is posted: by whose press its message would be known."""
        url, conversation = sending.where.service_url, sending.where.conversation
        for subject, seals in _seals(sending.card).items():
            doubt = Doubt(mark=attempt.mark, seals=seals, service_url=url, conversation=conversation)
            await self._keep.put(_doubt(sending.place, subject), pack(doubt), keep=REMEMBERED)

    async def posted(self, attempt: Attempt, ref: MessageRef, sending: Sending) -> MessageRef:
        """It stands as *ref*, unless a press on an earlier try was quicker: then as that one, and *ref* doubles it."""
        if not attempt.is_first:
            was = await self._keep.get(self._record(attempt.mark))
            first = unpack(Tried, was).ref if was else None
            if first is not None and first != ref:
                await self.stands(attempt, first)
                await self._double(ref, first, sending.where)
                return first
        await self._places.posted(ref, sending.where)
        await self.stands(attempt, ref)
        if attempt.is_first:
            await self._keep.forget(*[_doubt(sending.place, subject) for subject in _seals(sending.card)])
        return ref

    async def meant(self, press: Click | Form) -> MessageRef:
        """The message that *press* counts for. One of ours that we never knew to have arrived is ours from here on."""
        ref = press.ref
        standing = await self._places.standing(ref)
        if standing is not None:
            return standing.ref
        kept = await self._keep.get(_doubt(ref.place, press.subject))
        doubt = unpack(Doubt, kept) if kept else None
        if doubt is None or not ref.id or _sealed(press.move, press.token) not in doubt.seals:
            return ref
        return await self._adopt(ref, doubt)

    async def _adopt(self, ref: MessageRef, doubt: Doubt) -> MessageRef:
        was = await self._keep.get(self._record(doubt.mark))
        if was is None:
            return ref
        tried = unpack(Tried, was)
        where = Where(tenant=ref.place.tenant, service_url=doubt.service_url, conversation=doubt.conversation)
        if tried.ref is not None and tried.ref != ref:
            await self._double(ref, tried.ref, where)
            return tried.ref
        await self._places.posted(ref, where)
        await self._keep.put(self._record(doubt.mark), pack(replace(tried, ref=ref)), keep=REMEMBERED)
        return ref

    async def _double(self, double: MessageRef, first: MessageRef, where: Where) -> None:
        if await self._places.standing(first) is None:
            await self._places.posted(first, where)
        standing = await self._places.standing(first)
        if standing is not None:
            await self._places.doubled(double, standing)

    # ------------------------------------------------------------------ steps

    def _retried(self, attempt: Attempt, place: Place) -> Tried:
        """Each try in doubt has 30 s of its own: a service that stumbles all day does not get a card each time."""
        since = attempt.tried.since if attempt.is_first else self._clock()
        return replace(attempt.tried, place=place, since=since)

    async def _orphan(self, attempt: Attempt) -> MessageRef | None:
        left = (attempt.tried.since + DOUBT - self._clock()).total_seconds()
        if left > 0:
            why = "nobody knows whether this card arrived; it is posted again soon"
            raise ChatUnavailable(PLATFORM, why, min(left, LOOK_EVERY))
        return None


def _seals(card: Card) -> dict[str, tuple[str, ...]]:
    """What a press on each request of *card* would carry."""
    found: dict[str, tuple[str, ...]] = {}
    for button in card.buttons:
        found[button.subject] = (*found.get(button.subject, ()), _sealed(button.move, button.token))
    return found


def _sealed(move: str, token: str) -> str:
    """A seal's hash: whoever reads the Keep need not learn what opens a button."""
    return hashlib.sha256(f"{move}|{token}".encode()).hexdigest()[:32]


def _doubt(place: Place, subject: str) -> str:
    named = dumps((place.tenant, place.channel, subject))
    return f"{PLATFORM}:doubt:{hashlib.sha256(named).hexdigest()[:40]}"
