"""The pace: no more calls than Slack takes, so that a 429 is the exception.

    turn() -> a free place in the bucket: at once | in a moment | too far away: ChatUnavailable
    a 429  -> pause() -> that bucket rests as long as Slack said; every other one goes on

A bucket belongs to one workspace and method; for new messages, to one workspace and channel. Buckets live in this
process: several processes share Slack's limits without knowing of each other, and a 429 tells each of them.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from bot.domain.errors import ChatUnavailable

T1, T2, T3, T4 = 1, 20, 50, 100  # calls per minute, method and workspace (docs.slack.dev, rate limits)
SPECIAL = 600  # a minute; "t5" methods have limits of their own, far above our use: only a 429 slows them

TIERS: Mapping[str, int] = {
    "agents.sessions.setStatus": T3,
    "apps.connections.open": T3,
    "assistant.threads.setStatus": SPECIAL,
    "assistant.threads.setSuggestedPrompts": T4,
    "auth.test": SPECIAL,
    "chat.appendStream": T4,
    "chat.delete": T3,
    "chat.getPermalink": SPECIAL,
    "chat.postEphemeral": T4,
    "chat.startStream": T2,
    "chat.stopStream": T2,
    "chat.update": T3,
    "conversations.history": T3,
    "conversations.info": T3,
    "conversations.list": T2,
    "conversations.members": T4,
    "conversations.open": T3,
    "conversations.replies": T3,
    "files.completeUploadExternal": T4,
    "files.getUploadURLExternal": T4,
    "oauth.v2.access": SPECIAL,
    "reactions.add": T3,
    "reactions.remove": T2,
    "team.profile.get": T3,
    "usergroups.list": T2,
    "usergroups.users.list": T2,
    "users.info": T4,
    "users.lookupByEmail": T3,
    "users.profile.get": T4,
    "views.open": T4,
    "views.publish": T4,
    "views.push": T4,
    "views.update": T4,
}
POST = "chat.postMessage"
UNLISTED = T2  # a method nobody looked up goes slowly

POSTS = (5, 5.0)  # calls in so many seconds and channel: "one a second, short bursts" (docs.slack.dev, rate limits)
PARTS = 5  # a minute's calls may come in so many bursts
LEEWAY = 1.05  # windows are so much longer than Slack's: calls do not travel evenly

LONGEST_WAIT = 10.0  # seconds; whoever would wait longer is told to come back
REMEMBERED = 1_000  # buckets; those nobody uses are forgotten beyond it


class _Bucket:
    """At most *most* calls in any *window* seconds. `_starts` are the last ones, future ones included."""

    def __init__(self, most: int, window: float) -> None:
        self._window = window * LEEWAY
        self._starts = deque([-math.inf] * most, maxlen=most)
        self.rests_until = -math.inf

    def next(self, now: float) -> float:
        """When another call may start."""
        return max(now, self.rests_until, self._starts[0] + self._window)

    def take(self, at: float) -> None:
        self._starts.append(at)

    def rest(self, until: float) -> None:
        """No call before *until*, and no burst after it: what waited goes one by one."""
        self.rests_until = max(self.rests_until, until)
        most = len(self._starts)
        apart = (until - self._window + n * self._window / most for n in range(most))
        self._starts = deque(map(max, self._starts, apart), maxlen=most)

    def is_idle(self, now: float) -> bool:
        return max(self.rests_until, self._starts[-1] + self._window) <= now


@dataclass(slots=True)
class Pace:
    """Clock and sleep are passed in; both count seconds."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)

    async def turn(self, team: str, method: str, channel: str = "") -> None:
        """Return when *method* may be called; turns are given in the order they were asked for.

        Raises ChatUnavailable, with the time to wait, if that is more than LONGEST_WAIT away.
        """
        bucket = self._bucket(team, method, channel)
        while True:
            now = self.clock()
            at = bucket.next(now)
            if at - now > LONGEST_WAIT:
                raise ChatUnavailable("slack", f"{method} has no free turn for {at - now:.0f} s", at - now)
            bucket.take(at)
            if at > now:
                await self.sleep(at - now)
            if at >= bucket.rests_until:  # else it was told to rest meanwhile, and this turn is void
                return

    def pause(self, team: str, method: str, channel: str = "", *, seconds: float) -> None:
        """Slack said 429: nothing of this bucket for so long, whoever waits for a turn already included."""
        self._bucket(team, method, channel).rest(self.clock() + seconds)

    def _bucket(self, team: str, method: str, channel: str) -> _Bucket:
        is_post = method == POST
        name = (team, f"{POST} {channel}" if is_post else method)
        if name not in self._buckets:
            self._forget()
            self._buckets[name] = _Bucket(*(POSTS if is_post else _burst(TIERS.get(method, UNLISTED))))
        return self._buckets[name]

    def _forget(self) -> None:
        """Buckets that are idle: a new one says the same."""
        if len(self._buckets) >= REMEMBERED:
            now = self.clock()
            self._buckets = {name: bucket for name, bucket in self._buckets.items() if not bucket.is_idle(now)}


def _burst(calls: int) -> tuple[int, float]:
    """*calls* a minute as a burst and its window: whoever keeps to it keeps to the minute."""
    return (calls // PARTS, 60 / PARTS) if calls >= PARTS else (calls, 60.0)
