"""A chat in memory that keeps the contract of `Chat`, enforces a limit, and misbehaves on demand."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field

from bot.domain.chat import Account, Card, MessageRef, PersonId, Place
from bot.domain.errors import ChatUnavailable, Undeliverable
from bot.domain.ports import FrontDoor, Live
from bot.domain.run import RunStatus
from bot.domain.wire import pack

CARD_MOST = 400_000  # bytes


@dataclass
class Posted:
    ref: MessageRef
    place: Place
    key: str
    cards: list[Card]

    @property
    def card(self) -> Card:
        return self.cards[-1]


@dataclass
class FakeChat:
    """Remembers everything; `fail` is asked before each post and update and may raise."""

    platform: str = "playground"
    posts: list[Posted] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))  # of messages, also of those deleted
    whispers: list[tuple[str, str]] = field(default_factory=list)
    presences: list[tuple[Place, RunStatus]] = field(default_factory=list)
    fail: Callable[[str, Card, Place], None] = lambda _what, _card, _place: None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    front: FrontDoor | None = None

    @asynccontextmanager
    async def serve(self, front: FrontDoor) -> AsyncIterator[None]:
        self.front = front
        yield
        self.front = None

    async def post(self, card: Card, place: Place, *, key: str) -> MessageRef:
        found = next((post for post in self.posts if post.key == key), None)
        if found is not None:
            return found.ref
        self.fail("post", card, place)
        if len(pack(card)) > CARD_MOST:
            raise Undeliverable(place.key, "too large")
        ref = MessageRef(place=place, id=f"m{next(self.numbers)}")
        self.posts.append(Posted(ref, place, key, [card]))
        self._ring()
        return ref

    async def update(self, ref: MessageRef, card: Card) -> None:
        self.fail("update", card, ref.place)
        for post in self.posts:
            if post.ref == ref:
                post.cards.append(card)
        self._ring()

    async def whisper(self, text: str, place: Place, to: Account) -> None:  # noqa: ARG002  # the port's signature
        self.whispers.append((to.user, text))

    async def direct(self, to: Account) -> Place:
        return Place(platform=self.platform, tenant="local", channel=f"dm-{to.user}", is_direct=True)

    async def presence(self, place: Place, status: RunStatus) -> None:
        self.presences.append((place, status))
        self._ring()

    def live(self, place: Place, reader: PersonId) -> Live:  # noqa: ARG002  # the port's signature
        return nullcontext()

    async def until(self, holds: Callable[[], object], what: str = "") -> None:
        """Wait until *holds* is true of what was posted; look again at every post and update.

        What *holds* looks for and does not find, because it is not posted yet, does not hold yet.
        """

        def is_so() -> bool:
            try:
                return bool(holds())
            except LookupError:
                return False

        try:
            async with asyncio.timeout(10):
                while not is_so():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            shown = "\n".join(f"{p.place.key}: {p.card.title} | {p.card.body} | {p.card.status}" for p in self.posts)
            raise AssertionError(f"never happened: {what}\n{shown}") from None

    def _ring(self) -> None:
        self.changed.set()


def unavailable(_what: str, _card: Card, _place: Place) -> None:
    raise ChatUnavailable("playground", "down", retry_after=0.01)
