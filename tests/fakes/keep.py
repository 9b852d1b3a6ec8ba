"""A keep in memory that keeps the contract of `Keep`: values by name, with the life each was given.

No time passes by itself: `expire` ends one value's life, and `is_down` makes every call fail as a lost server does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bot.domain.errors import StoreUnavailable


@dataclass
class MemoryKeep:
    values: dict[str, bytes] = field(default_factory=dict)
    lives: dict[str, timedelta | None] = field(default_factory=dict)
    rolls: dict[str, dict[str, None]] = field(default_factory=dict)
    is_down: bool = False

    async def claim(self, name: str, value: bytes, *, keep: timedelta) -> bytes | None:
        self._look()
        if name not in self.values:
            self._set(name, value, keep)
            return None
        return self.values[name]

    async def put(self, name: str, value: bytes, *, keep: timedelta | None = None) -> None:
        self._look()
        self._set(name, value, keep)

    async def get(self, name: str) -> bytes | None:
        self._look()
        return self.values.get(name)

    async def take(self, name: str) -> bytes | None:
        self._look()
        self.lives.pop(name, None)
        return self.values.pop(name, None)

    async def forget(self, *names: str) -> None:
        self._look()
        self.expire(*names)

    async def enrol(self, roll: str, name: str, value: bytes, *, keep: timedelta, most: int) -> None:
        await self.put(f"{roll}:{name}", value, keep=keep)
        names = self.rolls.setdefault(roll, {})
        names.pop(name, None)  # every roll here gives its names one life: the last is the latest to end
        names[name] = None
        for gone in list(names)[:-most]:
            del names[gone]

    async def enrolled(self, roll: str) -> Mapping[str, bytes]:
        self._look()
        found = {name: self.values.get(f"{roll}:{name}") for name in self.rolls.get(roll, {})}
        return {name: value for name, value in found.items() if value is not None}

    def expire(self, *names: str) -> None:
        """Their time is over."""
        for name in names:
            self.values.pop(name, None)
            self.lives.pop(name, None)

    def _set(self, name: str, value: bytes, life: timedelta | None) -> None:
        self.values[name], self.lives[name] = value, life

    def _look(self) -> None:
        if self.is_down:
            raise StoreUnavailable("the keep is down")
