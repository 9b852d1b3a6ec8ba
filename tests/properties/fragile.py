"""The real store, where a write of a run's owner may be the last thing that its process does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from bot.domain.errors import LeaseLost
from bot.domain.request import Copy, Request, RunId
from bot.domain.store import Batch, Fence
from bot.store.redis import RedisStore

T = TypeVar("T")


class Fragile(RedisStore):
    """When a process dies, and whether its last write still arrives, is for `strikes` to say."""

    def strikes(self, about: object) -> bool | None:
        """None: this write goes well. Else the process dies; True if the write arrives first."""
        raise NotImplementedError

    async def append(self, fence: Fence, run: RunId, batch: Batch) -> int:
        return await self.risk(fence, batch, partial(super().append, fence, run, batch))

    async def open(
        self,
        fence: Fence,
        batch: Batch,
        request: Request,
        copies: tuple[Copy, ...],
        others: tuple[Request, ...] = (),
    ) -> int:
        return await self.risk(fence, batch, partial(super().open, fence, batch, request, copies, others))

    async def spend(self, fence: Fence, batch: Batch, after: Request) -> int:
        return await self.risk(fence, batch, partial(super().spend, fence, batch, after))

    async def risk(self, fence: Fence, about: object, write: Callable[[], Awaitable[T]]) -> T:
        lands = self.strikes(about)
        if lands is None:
            return await write()
        if lands:
            await write()
        raise LeaseLost(fence.shard)
