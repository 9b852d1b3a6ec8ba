"""Time that only moves when somebody sleeps, for whatever waits for its turn."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Sequence


class Hours:
    """Time in seconds. `pass_by` wakes sleepers in order, each at the time it asked for."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._count = 0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._count += 1
        heapq.heappush(self._sleepers, (self.now + seconds, self._count, woken))
        await woken.wait()

    async def pass_by(self, seconds: float) -> None:
        end = self.now + seconds
        await others_first()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.now, _, woken = heapq.heappop(self._sleepers)
            woken.set()
            await others_first()
        self.now = end


async def others_first() -> None:
    """Until everybody who could go on has."""
    for _ in range(8):
        await asyncio.sleep(0)


def busiest(times: Sequence[float], window: float) -> int:
    """The most starts in any *window* seconds."""
    return max(sum(1 for time in times if start <= time < start + window) for start in times)
