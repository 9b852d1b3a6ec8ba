"""Recall: what a look-up said, for a minute; a look-up under way is shared by everybody who asks for the same.

    get(key) -> remembered and young? that | somebody is asking? their answer | ask, remember, answer

Never answers from an old entry: a look-up that fails, fails for whoever asked. Not owned: what is looked up (lookups).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Clock = Callable[[], float]  # seconds that only ever grow
A = TypeVar("A")
B = TypeVar("B")
V = TypeVar("V")

KEEP = 60.0  # seconds an answer is believed
BREATHE = 100  # items after which others get their turn: thousands of remembered answers never wait for anything
SIDE_BY_SIDE = 8  # look-ups at a time: quick enough within the 3 s of a click, and no burst that a platform slows down


class Recall(Generic[V]):
    """Answers by key, each for *keep* seconds after its look-up began. With *feeds*, that one learns them as well."""

    def __init__(self, clock: Clock, keep: float, *, feeds: Recall[V] | None = None) -> None:
        self._clock, self._keep, self._feeds = clock, keep, feeds
        self._known: dict[str, tuple[float, V]] = {}  # when it was asked, and the answer; oldest first
        self._asking: dict[str, asyncio.Future[bool]] = {}

    def fresh(self) -> Recall[V]:
        """One that has heard nothing yet, and feeds this one."""
        return Recall(self._clock, self._keep, feeds=self)

    def has(self, key: str) -> bool:
        return key in self._known and self._clock() - self._known[key][0] < self._keep

    async def get(self, key: str, look: Callable[[], Awaitable[V]]) -> V:
        """The answer of *look*, now or less than *keep* seconds ago. Raises what *look* raises."""
        while not self.has(key):
            asking = self._asking.get(key)
            if asking is None:
                return await self._ask(key, look)
            await asyncio.shield(asking)  # whoever stops waiting stops nobody else
        return self._known[key][1]

    def put(self, key: str, answer: V, asked: float) -> None:
        """Learn an answer that was asked for at *asked*, unless a later one is known."""
        if key in self._known and self._known[key][0] > asked:
            return
        self._known.pop(key, None)
        self._known[key] = (asked, answer)
        self._forget_old()
        if self._feeds is not None:
            self._feeds.put(key, answer, asked)

    async def _ask(self, key: str, look: Callable[[], Awaitable[V]]) -> V:
        asked, asking = self._clock(), asyncio.get_running_loop().create_future()
        self._asking[key] = asking
        try:
            answer = await look()
        except asyncio.CancelledError:
            asking.set_result(False)  # nothing is known: one of those who wait asks again
            raise
        except BaseException as error:
            asking.set_exception(error)
            asking.exception()  # it is told here, too: nobody needs to have waited
            raise
        else:
            self.put(key, answer, asked)
            asking.set_result(True)
            return answer
        finally:
            del self._asking[key]

    def _forget_old(self) -> None:
        while self._known and self._clock() - next(iter(self._known.values()))[0] >= self._keep:
            del self._known[next(iter(self._known))]


async def each(items: Sequence[A], do: Callable[[A], Awaitable[B]]) -> list[B]:
    """*do* for all of *items*, a few at a time; answers in order. The first failure ends the others and is raised."""
    if len(items) < 2:  # a click asks for one: it need not wait for a task of its own
        return [await do(item) for item in items]
    found: dict[int, B] = {}
    turns = iter(enumerate(items))

    async def work() -> None:
        for number, item in turns:
            found[number] = await do(item)
            if number % BREATHE == 0:
                await asyncio.sleep(0)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(SIDE_BY_SIDE, len(items))):
                group.create_task(work(), name="look-ups")
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [found[number] for number in range(len(items))]
