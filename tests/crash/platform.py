"""The chat platform of the crash tests: it lives in the test, outlives every bot process, and forgets nothing.

Keeps the contract of `Chat.post`: one key, one message. Delivers what people do again and again until a bot
process has taken it, and once more after that, as real platforms do.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.domain.card_buttons import STEPS
from bot.domain.chat import Answer, Card, Click, Form, Message, MessageRef, Place
from tests.crash.lines import LONGEST, Ahead, Done, Give, Heard, Hello, Post, Update, hear, say

WITHIN = 30.0  # seconds until something that must happen has happened


@dataclass
class Posted:
    ref: MessageRef
    place: Place
    key: str
    cards: list[Card]

    @property
    def card(self) -> Card:
        return self.cards[-1]

    def offers(self, move: str) -> bool:
        return any(button.move == move for button in self.card.buttons)


@dataclass
class Mouth:
    """One connected bot process."""

    owner: str
    writer: asyncio.StreamWriter
    waiting: dict[int, asyncio.Future[Heard | None]] = field(default_factory=dict)


@dataclass
class Platform:
    socket: Path
    posts: list[Posted] = field(default_factory=list)
    mouths: list[Mouth] = field(default_factory=list)
    delivered: list[tuple[str, str]] = field(default_factory=list)  # (delivery id, what came of it), every try
    hold: Callable[[Post | Update], asyncio.Event | None] = lambda _line: None  # replies that wait for the test
    late: Callable[[Update], asyncio.Event | None] = lambda _line: None  # updates that are long on their way

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._ahead = 0.0
        self._changed = asyncio.Condition()
        self._readers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self.socket, limit=LONGEST)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    # -------------------------------------------------------------- people

    async def deliver(self, event: Message | Click | Form, *, to: str = "") -> Answer | None:
        """Until some process (or the one called *to*) has taken it. The same delivery id every time."""
        while True:
            await self.until(lambda: self.mouth(to), f"a bot process {to}")
            mouth = self.mouth(to)
            if mouth is None:
                continue
            heard = await self._ask(mouth, event)
            self.delivered.append((event.delivery, _outcome(heard)))
            if heard is not None and not heard.unavailable:
                return heard.answer

    def mouth(self, owner: str = "") -> Mouth | None:
        return next((mouth for mouth in reversed(self.mouths) if owner in ("", mouth.owner)), None)

    def tell_time(self, seconds: float) -> None:
        self._ahead = seconds
        for mouth in self.mouths:
            say(mouth.writer, Ahead(seconds=seconds))

    async def _ask(self, mouth: Mouth, event: Message | Click | Form) -> Heard | None:
        n = next(self._numbers)
        mouth.waiting[n] = asyncio.get_running_loop().create_future()
        match event:
            case Message():
                say(mouth.writer, Give(n=n, message=event))
            case Click():
                say(mouth.writer, Give(n=n, click=event))
            case Form():
                say(mouth.writer, Give(n=n, form=event))
        return await mouth.waiting[n]

    # ---------------------------------------------------------------- looks

    async def until(self, holds: Callable[[], object], what: str, *, within: float | None = WITHIN) -> None:
        """Wait until *holds*; looks again whenever anything happens here."""
        try:
            async with asyncio.timeout(within), self._changed:
                await self._changed.wait_for(lambda: bool(holds()))
        except TimeoutError:
            shown = "\n".join(f"{p.key}: {p.card.title} | {p.card.body} | {p.card.status}" for p in self.posts)
            raise AssertionError(f"never happened: {what}\n{shown}\n{self.delivered}") from None

    async def withdrawn(self, post: Posted, move: str) -> None:
        """Wait until *post* does not offer this button any more."""
        await self.until(lambda: not post.offers(move), f"the end of {move} on {post.key}")

    def with_button(self, move: str) -> list[Posted]:
        return [post for post in self.posts if post.offers(move)]

    @property
    def cards(self) -> list[Posted]:
        return [post for post in self.posts if "|main" in post.key]

    @property
    def answers(self) -> list[Posted]:
        return [post for post in self.posts if post.key.endswith("/end")]

    @property
    def live_buttons(self) -> list[str]:
        """Everything that can still be pressed, but for the look at a run's steps, which stays and changes nothing."""
        pressed = [(post.key, button.move) for post in self.posts for button in post.card.buttons]
        return [f"{key}: {move}" for key, move in pressed if move != STEPS]

    async def something_happened(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    # ---------------------------------------------------------- the socket

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection is served by a task"
        self._readers.add(task)
        mouth = Mouth("", writer)
        try:
            while (line := await hear(reader)) is not None:
                await self._take(mouth, line)
                await self.something_happened()
        except asyncio.CancelledError:
            return  # the test is over
        finally:
            self._readers.discard(task)
            if mouth in self.mouths:
                self.mouths.remove(mouth)
            for waiting in mouth.waiting.values():
                if not waiting.done():
                    waiting.set_result(None)
            writer.close()
        await self.something_happened()

    async def _take(self, mouth: Mouth, line: object) -> None:
        match line:
            case Hello(owner=owner):
                mouth.owner = owner
                self.mouths.append(mouth)
                say(mouth.writer, Ahead(seconds=self._ahead))
            case Post():
                post = self._posted(line)
                await self._reply(mouth, line, post.ref)
            case Update(ref=ref, card=card):
                if gate := self.late(line):
                    await self.something_happened()
                    await gate.wait()
                for post in (post for post in self.posts if post.ref == ref):
                    post.cards.append(card)
                await self._reply(mouth, line, ref)
            case Heard(n=n):
                mouth.waiting.pop(n).set_result(line)
            case _:
                raise AssertionError(f"not for a platform: {line}")

    async def _reply(self, mouth: Mouth, line: Post | Update, ref: MessageRef) -> None:
        if gate := self.hold(line):
            await self.something_happened()
            await gate.wait()
        say(mouth.writer, Done(n=line.n, ref=ref))

    def _posted(self, line: Post) -> Posted:
        found = next((post for post in self.posts if post.key == line.key), None)
        if found is None:
            ref = MessageRef(place=line.place, id=f"m{len(self.posts) + 1}")
            found = Posted(ref, line.place, line.key, [line.card])
            self.posts.append(found)
        return found


def _outcome(heard: Heard | None) -> str:
    if heard is None:
        return "no answer: the process died"
    return heard.unavailable or (heard.answer.text if heard.answer else "taken")
