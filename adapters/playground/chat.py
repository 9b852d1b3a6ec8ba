"""The playground: a team chat on this machine that keeps every promise of `Chat`.

A page on loopback with channels, threads, direct messages and people to switch between. Messages live in a
file (book), so killing the process loses nothing; two processes may share the file. What is typed is written
down first and handed in until it is taken (delivery). Clicks are not queued: when they cannot be recorded,
the page says so.

Owns opening and closing, and the outgoing half. Not the page's routes (web).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from adapters.playground.book import Book, Draft, opened
from adapters.playground.delivery import Bell, Delivery
from adapters.playground.rooms import PLATFORM, Rooms
from adapters.playground.site import Site
from adapters.playground.web import serving
from bot.domain.chat import Account, Card, MessageRef, Person, PersonId, Place
from bot.domain.errors import BadSettings, ChatUnavailable, Undeliverable
from bot.domain.ports import FrontDoor, Live, Views
from bot.domain.run import RunStatus
from bot.domain.wire import dumps, replace

CARD_MOST = 200_000  # bytes of a card's JSON without its attachments
FILES_MOST = 10 << 20  # bytes of one card's attachments
POLL = 0.15  # seconds between looks for what another process wrote


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaygroundSettings:
    """`people` without a playground account are left out. `real_credentials` are names, never values."""

    people: tuple[Person, ...]
    db: Path
    port: int
    real_credentials: tuple[str, ...] = ()
    channels: tuple[str, ...] = ("general", "approvals", "finance")
    examples: Mapping[str, str] = field(default_factory=dict)  # tasks to try with one press, and what each shows


class Playground:
    """Implements `Chat`. Refuses to exist beside credentials of a real workspace: here anybody may be anybody."""

    def __init__(
        self, settings: PlaygroundSettings, views: Views, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        _refuse_real(settings.real_credentials)
        self._settings, self._views, self._clock = settings, views, clock
        self._rooms = Rooms(settings.people, settings.channels)
        self._bell = Bell()
        self._book: Book | None = None
        self._port = settings.port

    @property
    def platform(self) -> str:
        return PLATFORM

    @property
    def url(self) -> str:
        """Where the page is. With port 0 it is known once `serve` has begun."""
        return f"http://127.0.0.1:{self._port}/"

    @asynccontextmanager
    async def serve(self, front: FrontDoor) -> AsyncIterator[None]:
        origin = secrets.token_hex(8)
        async with AsyncExitStack() as stack:
            book = await stack.enter_async_context(opened(self._settings.db, self._clock))
            site = self._site(book, front, origin)
            self._port = await stack.enter_async_context(serving(site, self._settings.port))
            group = await stack.enter_async_context(asyncio.TaskGroup())
            delivery = Delivery(book, self._rooms, self._bell, self._clock)
            chores = [
                group.create_task(delivery.run(front, origin), name="hand messages in"),
                group.create_task(self._watch(book), name="watch the book"),
            ]
            self._book = book
            try:
                yield
            finally:
                self._book = None
                for chore in chores:
                    chore.cancel()

    def _site(self, book: Book, front: FrontDoor, origin: str) -> Site:
        return Site(
            book=book,
            rooms=self._rooms,
            bell=self._bell,
            views=self._views,
            front=front,
            origin=origin,
            examples=self._settings.examples,
        )

    async def post(self, card: Card, place: Place, *, key: str) -> MessageRef:
        channel, book = self._rooms.channel(place), self._open()
        _refuse_large(card, place)
        owner = self._rooms.owner(channel)
        draft = Draft(channel=channel, thread=place.thread, seen_by=owner, card=card, key=f"card:{key}")
        entry = await book.add(draft)
        self._bell.ring()
        return MessageRef(place=self._rooms.place(entry.channel, entry.thread), id=entry.id)

    async def update(self, ref: MessageRef, card: Card) -> None:
        _refuse_large(card, ref.place)
        if await self._open().redraw(ref.id, card):
            self._bell.ring()

    async def whisper(self, text: str, place: Place, to: Account) -> None:
        """A whisper that cannot be shown is lost, quietly: it is never worth a repetition."""
        with contextlib.suppress(Undeliverable, ChatUnavailable):
            self._rooms.direct(to)  # refuses somebody who is not here
            channel = self._rooms.channel(place)
            draft = Draft(channel=channel, thread=place.thread, seen_by=to.user, is_whisper=True, text=text)
            await self._open().add(draft)
            self._bell.ring()

    async def direct(self, to: Account) -> Place:
        return self._rooms.direct(to)

    async def presence(self, place: Place, status: RunStatus) -> None:
        """The page's status cards say it already."""

    def live(self, place: Place, reader: PersonId) -> Live:  # noqa: ARG002  # the port's signature
        """The page shows words when they are final."""
        return contextlib.nullcontext()

    def _open(self) -> Book:
        if self._book is None:
            raise ChatUnavailable(PLATFORM, "the page is not open")
        return self._book

    async def _watch(self, book: Book) -> None:
        """Ring when another process wrote: SQLite has no way to call us."""
        seen = await book.latest()
        while True:
            await asyncio.sleep(POLL)
            try:
                now = await book.latest()
            except ChatUnavailable:
                continue
            if now != seen:
                seen = now
                self._bell.ring()


def _refuse_real(names: tuple[str, ...]) -> None:
    if names:
        told = f"The playground does not start beside real workspace credentials: unset {', '.join(sorted(names))}."
        raise BadSettings([told])


def _refuse_large(card: Card, place: Place) -> None:
    if (files := sum(len(file.content) for file in card.attachments)) > FILES_MOST:
        raise Undeliverable(place.key, f"its attachments have {files} bytes, more than {FILES_MOST}")
    if (size := len(dumps(replace(card, attachments=())))) > CARD_MOST:
        raise Undeliverable(place.key, f"the card has {size} bytes, more than {CARD_MOST}")
