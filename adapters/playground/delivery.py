"""Delivery: what people typed reaches the front door, in order, and is never lost on the way.

in the book, held -> FrontDoor.message -> taken
                     Unavailable -> wait a little longer each time -> the same message, the same delivery id

Owns when a message is handed in. Not how it is stored (book) or what it starts (the front door).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from adapters.playground.book import Book, Draft, Entry
from adapters.playground.rooms import Rooms
from bot.domain.chat import Message, MessageRef
from bot.domain.errors import CountersignError, Unavailable
from bot.domain.ports import FrontDoor

FIRST_WAIT = 0.1  # seconds before the first repetition; doubled up to LONGEST_WAIT
LONGEST_WAIT = 5.0
ORPHANED_AFTER = timedelta(seconds=10)  # then another process's message is handed in here: it may have died
SWEEP = 5.0  # seconds between looks for orphans


class Bell:
    """Wakes whoever waits for the book to change. A ring may be early or doubled; it is never the news itself."""

    def __init__(self) -> None:
        self._ears: set[asyncio.Event] = set()

    def ring(self) -> None:
        for ear in self._ears:
            ear.set()

    @contextmanager
    def listen(self) -> Iterator[asyncio.Event]:
        ear = asyncio.Event()
        self._ears.add(ear)
        try:
            yield ear
        finally:
            self._ears.discard(ear)


async def rung(ear: asyncio.Event, *, within: float) -> bool:
    """Wait for the bell, or for *within* seconds. Clears the ear: look after calling, not before."""
    try:
        async with asyncio.timeout(within):
            await ear.wait()
    except TimeoutError:
        return False
    ear.clear()
    return True


class Delivery:
    """Hands held messages in, one after the other, until it is cancelled."""

    def __init__(self, book: Book, rooms: Rooms, bell: Bell, clock: Callable[[], datetime]) -> None:
        self._book, self._rooms, self._bell, self._clock = book, rooms, bell, clock

    async def run(self, front: FrontDoor, origin: str) -> None:
        """*origin* marks this process's own messages. At the start everything held is handed in."""
        before = self._clock()
        with self._bell.listen() as ear:
            while True:
                for entry in await self._held(origin, before):
                    await self._deliver(front, entry)
                await rung(ear, within=SWEEP)
                before = self._clock() - ORPHANED_AFTER

    async def _held(self, origin: str, before: datetime) -> list[Entry]:
        try:
            return await self._book.held(origin=origin, before=before)
        except Unavailable:
            return []  # the next sweep looks again

    async def _deliver(self, front: FrontDoor, entry: Entry) -> None:
        wait = FIRST_WAIT
        while True:
            try:
                await self._hand_in(front, entry)
                await self._book.took(entry.id)
            except Unavailable:
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)
            else:
                self._bell.ring()
                return

    async def _hand_in(self, front: FrontDoor, entry: Entry) -> None:
        try:
            answer = await front.message(self._message(entry))
            told = answer.text if answer else ""
        except Unavailable:
            raise
        except CountersignError as error:  # refused for good: the person is told, and it is not tried again
            told = error.people_read
        if told:
            thread = entry.thread or entry.id
            whisper = Draft(channel=entry.channel, thread=thread, seen_by=entry.author, is_whisper=True, text=told)
            await self._book.add(whisper)

    def _message(self, entry: Entry) -> Message:
        place = self._rooms.place(entry.channel, entry.thread or entry.id)
        return Message(
            delivery=f"playground:{entry.id}",
            by=self._rooms.account(entry.author),
            place=place,
            text=self._rooms.spoken(entry.text),
            ref=MessageRef(place=place, id=entry.id),
            is_mention=place.is_direct or self._rooms.is_mention(entry.text),
        )
