"""The flood guard: one person's thousand mentions delay nobody else's one (T18).

mention -> its person's bucket -> the bucket of their workspace or tenant -> heard | busy, and told once a minute

Each process counts for itself and forgets when it ends. Not owned: how many runs work at once, or how many requests one
person may have open (the runtime and the policy).
"""

from __future__ import annotations

import enum
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from bot.domain.chat import Account, Message

K = TypeVar("K")
V = TypeVar("V")

BUSY = "I am getting more messages than I can take right now. Please wait a minute and ask again."
TOLD_EVERY = 60.0  # seconds between two such answers to one person


class Verdict(enum.Enum):
    HEAR = "hear"
    BUSY = "busy"  # not taken; tell the person
    QUIET = "quiet"  # not taken; they have been told


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodLimits:
    """A bucket holds *burst* mentions and gets one more every *every* seconds. *remembered*: entries of each memory."""

    user_burst: int = 6
    user_every: float = 5.0
    team_burst: int = 60
    team_every: float = 0.5
    remembered: int = 10_000


class Flood:
    def __init__(self, limits: FloodLimits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits or FloodLimits(), clock
        most = self._limits.remembered
        self.users: _Recent[Account, tuple[float, float]] = _Recent(most)
        self.teams: _Recent[str, tuple[float, float]] = _Recent(most)
        self._told: _Recent[Account, float] = _Recent(most)
        self.judged: _Recent[str, Verdict] = _Recent(most)

    def judge(self, message: Message) -> Verdict:
        """Whether a message that mentions the bot is taken. Its twin and redeliveries get the same verdict, free."""
        known = self.judged.get(message.delivery)
        if known is None:
            known = Verdict.HEAR if self._spend(message) else Verdict.QUIET
            self.judged.put(message.delivery, known)
            if known is Verdict.QUIET and self.may_tell(message.by):
                return Verdict.BUSY
        return known

    def _spend(self, message: Message) -> bool:
        """Take one from both buckets, or from none: a flooder may not empty their workspace's.

        The workspace is the writer's own: what another company's people write in a shared channel costs ours nothing.
        """
        limits, team = self._limits, message.by.tenant
        user_level = self._level(self.users.get(message.by), limits.user_burst, limits.user_every)
        team_level = self._level(self.teams.get(team), limits.team_burst, limits.team_every)
        if user_level < 1 or team_level < 1:
            return False
        self.users.put(message.by, (user_level - 1, self._clock()))
        self.teams.put(team, (team_level - 1, self._clock()))
        return True

    def _level(self, bucket: tuple[float, float] | None, burst: int, every: float) -> float:
        if bucket is None:
            return burst
        level, at = bucket
        return min(burst, level + (self._clock() - at) / every)

    def may_tell(self, by: Account) -> bool:
        """May *by* be told that a message of theirs was not taken? Once a minute; asking counts as telling."""
        last = self._told.get(by)
        if last is not None and self._clock() - last < TOLD_EVERY:
            return False
        self._told.put(by, self._clock())
        return True


class _Recent(Generic[K, V]):
    """The entries used last, at most *most* of them: a flood of names must not fill the memory."""

    def __init__(self, most: int) -> None:
        self._most, self._held = most, OrderedDict[K, V]()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: K) -> V | None:
        return self._held.get(key)

    def put(self, key: K, value: V) -> None:
        self._held[key] = value
        self._held.move_to_end(key)
        if len(self._held) > self._most:
            self._held.popitem(last=False)
