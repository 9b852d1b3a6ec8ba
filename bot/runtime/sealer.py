"""Checkpoints: now and then, a SHA-256 over the audit since the last one, signed with a key Redis does not hold.

The chain itself is linked by the store in the same step as each change; its server knows SHA-1 only. A
checkpoint is what a holder of the database cannot forge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from bot.domain.audit import checkpoint
from bot.domain.errors import LeaseLost, StoreUnavailable
from bot.domain.store import Fence
from bot.domain.wire import loads
from bot.runtime.parts import Parts
from bot.runtime.steady import steadily

log = structlog.get_logger()
AT_ONCE = 10_000  # records one checkpoint covers at most


class Sealer:
    def __init__(self, parts: Parts, fences: Callable[[], Mapping[int, Fence]]) -> None:
        self._parts, self._store, self._fences = parts, parts.store, fences

    async def run(self) -> None:
        await steadily(self.look, self._parts.pace.checkpoint_every, "checkpoints")

    async def look(self) -> None:
        """Cover what is new on every shard of ours."""
        for fence in list(self._fences().values()):
            try:
                await self._seal(fence)
            except (StoreUnavailable, LeaseLost) as error:
                log.warning("checkpoint_waits", shard=fence.shard, error=str(error))

    async def _seal(self, fence: Fence) -> None:
        head = await self._store.sealed(fence.shard)
        if head.seq <= head.covered + 1:  # nothing, or only the last checkpoint itself
            return
        first, last = head.covered + 1, min(head.seq, head.covered + AT_ONCE)
        lines = await self._store.audit_lines(fence.shard, first - 1, last - 1)
        body = checkpoint(fence.shard, lines, previous=head.mac, key=self._parts.key)
        await self._store.checkpoint(fence, (first, last), loads(body)["mac"], body)
