"""Where the coroutines of a run sleep: in a bed, until its one wake-up comes; or by a gong that wakes all who wait.

The host counts who is awake: when nobody is, the run may leave memory. Not what wakes them (host, runner).
"""

from __future__ import annotations

import asyncio
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class Sleeper(Protocol):
    """The run whose branches sleep."""

    awake: int  # branches that are not in bed

    def lie_down(self) -> None: ...


class Bed(Generic[T]):
    """Where one branch sleeps. Waking counts at once, not when the coroutine gets its turn:

    in between, another branch must not believe that it is the last one awake and park the run.
    """

    def __init__(self, host: Sleeper) -> None:
        self._host = host
        self._future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._is_taken = False

    async def sleep(self) -> T:
        if self._future.done():
            return self._future.result()
        self._is_taken = True
        self._host.lie_down()
        try:
            return await self._future
        finally:
            if self._is_taken:  # cancelled, not woken
                self._is_taken = False
                self._host.awake += 1

    def wake(self, value: T) -> None:
        if self._future.done():
            return
        self._future.set_result(value)
        if self._is_taken:
            self._is_taken = False
            self._host.awake += 1


class Gong:
    """Wakes whoever waits for it just now. Nothing is kept for those who come later: look first, then wait.

    An `asyncio.Event` weighs 760 bytes also while nobody waits, and thousands of runs lie in memory.
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    async def heard(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        finally:
            self._waiting.remove(future)

    def strike(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
