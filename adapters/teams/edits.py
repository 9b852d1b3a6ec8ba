"""Edits: at most one of a message in two seconds, and of those that wait the latest wins.

    edit 1 -> at once      edits 2, 3, 4 within two seconds of it -> only 4, when they are over

Teams edits slowly, and loses some of what comes too fast. Not owned: what an edit shows, or what its refusal means
(mouth); how many calls a conversation takes (pace).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot.domain.chat import MessageRef

EVERY = 2.0  # seconds between two edits of one message
REMEMBERED = 2_000  # messages


@dataclass(slots=True)
class _Message:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    newest: int = 0
    edited: float = float("-inf")


class Edits:
    """Clock and pause count seconds."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock, self._pause = clock, pause
        self._messages: OrderedDict[MessageRef, _Message] = OrderedDict()

    @asynccontextmanager
    async def turn(self, ref: MessageRef) -> AsyncIterator[bool]:
        """Yields whether this edit shall be made, alone with *ref*; False if a newer one wants to be."""
        message = self._message(ref)
        message.newest += 1
        mine = message.newest
        async with message.lock:
            wait = message.edited + EVERY - self._clock()
            if mine == message.newest and wait > 0:
                await self._pause(wait)
            is_newest = mine == message.newest
            if is_newest:
                message.edited = self._clock()
            yield is_newest

    def _message(self, ref: MessageRef) -> _Message:
        found = self._messages.setdefault(ref, _Message())
        self._messages.move_to_end(ref)
        if len(self._messages) > REMEMBERED:
            oldest, idle = next(iter(self._messages.items()))
            if not idle.lock.locked():
                del self._messages[oldest]
        return found
