"""Timers in the store: claimed by whoever owns the shard, put off, counted when they fail or nobody claims them.

Not what a timer does (the runtime), nor how it is set or taken down with a change (the scripts' effects).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bot.domain.errors import LeaseLost
from bot.domain.store import FAILS_LATE, Fence, Timer
from bot.store.coding import epoch_ms, fence_args, moment, ms
from bot.store.looks import Looks


class Timing(Looks):
    """The timers of `bot.domain.store.Store`."""

    async def due(self, fence: Fence, *, most: int, hidden: timedelta) -> tuple[Timer, ...]:
        args = fence_args(fence) | {"most": most, "hidden": ms(hidden)}
        found = await self._call("due", fence.shard, args)
        if found[:1] == [b"stale"]:
            raise LeaseLost(fence.shard)
        rows = zip(found[::3], found[1::3], found[2::3], strict=True)
        return tuple(Timer(name=name.decode(), due=moment(float(due)), tries=int(tries)) for name, due, tries in rows)

    async def untime(self, shard: int, name: str) -> None:
        await self._link.ask(self._link.client.zrem(self._ring(shard)("timers"), name))

    async def retime(self, shard: int, timer: Timer) -> None:
        when = {timer.name: epoch_ms(timer.due)}
        await self._link.ask(self._link.client.zadd(self._ring(shard)("timers"), when, xx=True))

    async def failed(self, fence: Fence, name: str, waits: Sequence[timedelta]) -> int:
        args = fence_args(fence) | {"name": name, "waits": [ms(wait) for wait in waits]}
        code, tries = await self._call("failed", fence.shard, args)
        if code == b"stale":
            raise LeaseLost(fence.shard)
        return int(tries)

    async def mended(self, shard: int, name: str) -> None:
        await self._link.ask(self._link.client.zrem(self._ring(shard)("failing"), name))

    async def overdue(self, shard: int, by: timedelta) -> int:
        (late,) = await self._call("late", shard, {"by": ms(by), "tries": FAILS_LATE})
        return int(late)
