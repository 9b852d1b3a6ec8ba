"""Who owns which shard: leases taken, renewed, shared fairly between processes, and handed over.

A lease carries an epoch; every write of an owner shows it. So nothing here is needed for safety: a process
that believes too long in its lease is refused by the scripts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import structlog

from bot.domain.errors import StoreUnavailable
from bot.domain.request import RunId
from bot.domain.store import Fence
from bot.runtime.parts import Parts
from bot.runtime.steady import steadily

log = structlog.get_logger()


class Shards:
    """The shards of this process. `lost` is called after the fact, before the next look.

    A shard on which `is_busy` is not given away: what is under way there would be in doubt.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts, self._store, self._owner = parts, parts.store, parts.owner
        self._fences: dict[int, Fence] = {}
        self._sure_until: dict[Fence, float] = {}  # on our own monotonic clock, counted from before we asked
        self.changed = asyncio.Event()
        self.is_busy: Callable[[int], bool] = lambda _shard: False

    @property
    def fences(self) -> Mapping[int, Fence]:
        return self._fences

    def fence_of(self, run: RunId) -> Fence | None:
        return self._fences.get(int(run.split("-", 2)[1]))

    async def owns(self, fence: Fence) -> bool:
        """Can nobody else have taken over yet? Asked right before a call begins, and before its tool starts: after a

        pause longer than the lease, what was begun here may belong to somebody else, who has already asked people
        what became of it. So past the lease the store is asked; a shard that we are giving away is not ours.
        """
        if self._fences.get(fence.shard) != fence:
            return False
        return time.monotonic() < self._sure_until.get(fence, 0.0) or await self._renew(fence)

    def forget(self, shard: int) -> None:
        """From now on nothing begins there."""
        self._sure_until.pop(self._fences.pop(shard), None)

    async def run(self, lost: Callable[[int], Awaitable[None]]) -> None:
        """Keep what is ours, take what is free, leave what is more than our share."""
        await steadily(lambda: self.look(lost), self._parts.pace.lease / 3, "leases")

    async def look(self, lost: Callable[[int], Awaitable[None]]) -> None:
        processes = await self._store.beat(self._owner, self._parts.pace.lease)
        share = -(-self._store.shards // max(1, processes))
        before = set(self._fences)
        try:
            await self._balance(share, lost)
        finally:
            if set(self._fences) != before:
                self.changed.set()

    async def _balance(self, share: int, lost: Callable[[int], Awaitable[None]]) -> None:
        lease = self._parts.pace.lease
        for shard, fence in list(self._fences.items()):
            if not await self._renew(fence):
                await self._lose(shard, lost)
        for shard in sorted(self._fences, reverse=True):
            if len(self._fences) > share and not self.is_busy(shard):  # a busy one is given at a later look
                await self._give(shard, lost)
        for shard in range(self._store.shards):
            if len(self._fences) >= share:
                break
            asked = time.monotonic()
            if shard not in self._fences and (taken := await self._store.acquire(shard, self._owner, lease)):
                self._fences[shard] = taken
                self._sure_until[taken] = asked + lease.total_seconds()
                log.info("shard_taken", shard=shard, epoch=taken.epoch)

    async def _renew(self, fence: Fence) -> bool:
        asked, lease = time.monotonic(), self._parts.pace.lease
        if not await self._store.renew(fence, lease):
            return False
        if self._fences.get(fence.shard) == fence:
            self._sure_until[fence] = asked + lease.total_seconds()
        return True

    async def close(self) -> None:
        """Hand over: the next look of any other process takes these at once."""
        for shard, fence in list(self._fences.items()):
            self.forget(shard)
            try:
                await self._store.release(fence)
            except StoreUnavailable as error:
                log.warning("lease_not_released", shard=shard, error=str(error))
        try:
            await self._store.beat(self._owner, timedelta(0))  # goodbye: the share of the others is larger now
        except StoreUnavailable as error:
            log.warning("goodbye_not_said", error=str(error))

    async def _give(self, shard: int, lost: Callable[[int], Awaitable[None]]) -> None:
        fence = self._fences[shard]
        await self._lose(shard, lost)
        await self._store.release(fence)

    async def _lose(self, shard: int, lost: Callable[[int], Awaitable[None]]) -> None:
        self.forget(shard)
        log.info("shard_left", shard=shard)
        await lost(shard)
