"""When a process of the people's histories dies, and what it may do afterwards: nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class Fate:
    """When one process dies: at a write, before or after it has arrived. A dead process does nothing any more."""

    def __init__(self) -> None:
        self.dead = asyncio.Event()
        self._is_buried = False
        self._left: int | None = None
        self._arrives = False

    def doom(self, left: int, *, arrives: bool) -> None:
        self._left, self._arrives = left, arrives

    def bury(self) -> None:
        self._is_buried = True
        self.dead.set()

    async def around(self, doing: Callable[[], Awaitable[T]], *, is_write: bool) -> T:
        await self.must_live()
        strikes = is_write and self._strikes()
        if strikes and not self._arrives:
            self.dead.set()
            await self.must_live()
        result = await doing()
        if strikes:
            self.dead.set()
        await self.must_live()
        return result

    async def must_live(self) -> None:
        if self._is_buried:
            raise asyncio.CancelledError
        if self.dead.is_set():
            await asyncio.Event().wait()

    def _strikes(self) -> bool:
        if self._left is None:
            return False
        self._left -= 1
        if self._left >= 0:
            return False
        self._left = None
        return True
