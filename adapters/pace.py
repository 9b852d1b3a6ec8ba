"""The pace: no more calls than a platform takes, so that being told to slow down is the exception.

    turn() -> a free place in the bucket: at once | in a moment | too far away: ChatUnavailable
    a 429  -> pause() -> that bucket rests as long as the platform said; every other one goes on

Buckets live in this process: several processes share a platform's limits without knowing of each other, and a 429
tells each of them. Which buckets there are, and how large, is each platform's own (slack/pace, teams/pace).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from bot.domain.errors import ChatUnavailable

Window = tuple[int, float]  # so many calls in so many seconds
LEEWAY = 1.05  # windows are so much longer than the platform's: calls do not travel evenly
LONGEST_WAIT = 10.0  # seconds; whoever would wait longer is told to come back
REMEMBERED = 1_000  # buckets; those nobody uses are forgotten beyond it


class Bucket:
    """At most so many calls in each of *windows*, shortest first. `_starts` are the last ones, future ones included."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self._windows = [(most, seconds * LEEWAY) for most, seconds in windows]
        self._starts: deque[float] = deque(maxlen=max(most for most, _ in windows))
        self.rests_until = -math.inf

    def next(self, now: float) -> float:
        """When another call may start."""
        full = (self._starts[-most] + window for most, window in self._windows if len(self._starts) >= most)
        return max(now, self.rests_until, *full)

    def take(self, at: float) -> None:
        self._starts.append(at)

    def rest(self, until: float) -> None:
        """No call before *until*, and no burst after it: what waited goes one by one."""
        self.rests_until = max(self.rests_until, until)
        most, window = self._windows[0]
        apart = [until - window + n * window / most for n in range(most)]
        last = [-math.inf] * (most - len(self._starts)) + list(self._starts)[-most:]
        for _ in range(min(most, len(self._starts))):
            self._starts.pop()
        self._starts.extend(map(max, last, apart))

    def is_idle(self, now: float) -> bool:
        """Whether a new bucket would say the same."""
        last = self._starts[-1] if self._starts else -math.inf
        return max(self.rests_until, last + self._windows[-1][1]) <= now


@dataclass(slots=True)
class Turns:
    """The buckets of one platform, by name. Clock and sleep are passed in; both count seconds."""

    platform: str
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    buckets: dict[tuple[str, ...], Bucket] = field(default_factory=dict)

    async def turn(self, name: tuple[str, ...], windows: Sequence[Window], what: str) -> None:
        """Return when *what* may be called; turns are given in the order they were asked for.

        Raises ChatUnavailable, with the time to wait, if that is more than LONGEST_WAIT away.
        """
        bucket = self._bucket(name, windows)
        while True:
            now = self.clock()
            at = bucket.next(now)
            if at - now > LONGEST_WAIT:
                raise ChatUnavailable(self.platform, f"{what} has no free turn for {at - now:.0f} s", at - now)
            bucket.take(at)
            if at > now:
                await self.sleep(at - now)
            if at >= bucket.rests_until:  # else it was told to rest meanwhile, and this turn is void
                return

    def pause(self, name: tuple[str, ...], windows: Sequence[Window], seconds: float) -> None:
        """The platform said 429: nothing of this bucket for so long, whoever waits for a turn already included."""
        self._bucket(name, windows).rest(self.clock() + seconds)

    def _bucket(self, name: tuple[str, ...], windows: Sequence[Window]) -> Bucket:
        if name not in self.buckets:
            self._forget()
            self.buckets[name] = Bucket(windows)
        return self.buckets[name]

    def _forget(self) -> None:
        if len(self.buckets) >= REMEMBERED:
            now = self.clock()
            self.buckets = {name: bucket for name, bucket in self.buckets.items() if not bucket.is_idle(now)}
