"""The engine: the parts of the runtime, running together for as long as its context is open.

listen, then look: adopt what was executing, read the mailbox, then follow the doorbell
on the way out: take nothing new, let running tools end, hand the shards over
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from bot.domain.errors import StoreUnavailable
from bot.domain.request import RunId
from bot.domain.store import AGES
from bot.runtime.absences import StoredAbsences
from bot.runtime.desk import Desk
from bot.runtime.gate import Gate
from bot.runtime.gatehouse import Gatehouse
from bot.runtime.load import LoadGauge
from bot.runtime.outbox import Outbox
from bot.runtime.parts import Parts
from bot.runtime.rights import Rights
from bot.runtime.runner import Runner
from bot.runtime.sealer import Sealer
from bot.runtime.shards import Shards
from bot.runtime.steady import steadily
from bot.runtime.timers import Timers
from bot.runtime.watchdog import Watchdog

log = structlog.get_logger()
RELISTEN_AFTER = 0.5  # seconds


class Engine:
    """Everything that keeps suspended coroutines alive in one process."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.absences = StoredAbsences(parts.store)
        self.rights = Rights(parts.directory, self.absences)
        self.shards = Shards(parts)
        behind = Gatehouse(parts.store, parts.policy, parts.toolbox, self.rights, parts.meter)
        self.runner = Runner(parts, Gate(behind), self.shards.fence_of)
        behind.owns, behind.open_most, behind.place_most = self.shards.owns, parts.open_most, parts.place_most
        behind.cards_most, behind.may_repeat = parts.cards_most, parts.may_repeat
        self.shards.is_busy = self.runner.is_busy
        self.outbox = Outbox(parts, self.runner, lambda: self.shards.fences)
        self.timers = Timers(parts, self.rights, self.runner, lambda: self.shards.fences)
        self.outbox.instead = self.timers.calling.instead
        self.watchdog = Watchdog(parts)
        looking = Rights(parts.directory, self.absences, is_judging=False)
        self.load = LoadGauge(parts, looking, lambda: self.shards.fences)
        self.sealer = Sealer(parts, lambda: self.shards.fences)
        self.desk = Desk(parts, self.rights, self.runner, self.absences)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Desk]:
        """Own shards, run agents, show cards. The desk takes events while this is open."""
        await self.shards.look(self.runner.drop)
        async with asyncio.TaskGroup() as tasks:
            self.runner.begin(tasks)
            loops = [
                tasks.create_task(self.shards.run(self.runner.drop), name="leases"),
                tasks.create_task(self._listen(tasks), name="doorbell"),
                tasks.create_task(steadily(self._sweep, self.parts.pace.sweep_every, "sweep"), name="sweep"),
                tasks.create_task(self.outbox.run(tasks), name="outbox"),
                tasks.create_task(self.timers.run(), name="timers"),
                tasks.create_task(self.watchdog.run(), name="watchdog"),
                tasks.create_task(self.load.run(), name="load"),
                tasks.create_task(self.sealer.run(), name="checkpoints"),
            ]
            try:
                yield self.desk
            finally:
                await self.runner.close()
                await self.outbox.flush()
                for loop in loops:
                    loop.cancel()
                self.outbox.stop()
                await self.sealer.look()
                await self.shards.close()

    async def not_ready(self) -> list[str]:
        """Why this process cannot do its work now; nothing when it can."""
        try:
            await self.parts.store.totals(0)
        except StoreUnavailable as error:
            return [str(error)]
        return []

    # ------------------------------------------------------------ doorbell

    async def _listen(self, tasks: asyncio.TaskGroup) -> None:
        """Subscribe, then look, then follow the rings; again whenever our shards change or the line breaks."""
        while True:
            self.shards.changed.clear()
            owned = frozenset(self.shards.fences)
            follow = tasks.create_task(self._follow(owned), name=f"bell {sorted(owned)}")
            change = tasks.create_task(self.shards.changed.wait(), name="shards change")
            try:
                await asyncio.wait({follow, change}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                follow.cancel()
                change.cancel()

    async def _follow(self, owned: frozenset[int]) -> None:
        if not owned:
            await asyncio.Event().wait()
        while True:
            try:
                async with self.parts.store.listen(owned) as rings:
                    await self._adopt(owned)
                    self.outbox.nudge()
                    async for ring in rings:
                        self.outbox.nudge()
                        if ring.run is not None:
                            self.runner.ring(ring.run, ring.mail)
            except StoreUnavailable as error:
                log.warning("doorbell_broken", error=str(error))
                await asyncio.sleep(RELISTEN_AFTER)

    async def _adopt(self, owned: frozenset[int]) -> None:
        """What was executing, and what has mail: nothing else needs to be read, however many wait."""
        for shard in sorted(owned):
            runs = (*await self.parts.store.executing(shard), *await self.parts.store.mailbox(shard))
            for run in dict.fromkeys(runs):
                self.runner.rouse_soon(run)

    async def _sweep(self) -> None:
        """The slow look behind the doorbell: lost rings, runs to evict, gauges."""
        self._find_lost([await self.parts.store.mailbox(shard) for shard in sorted(self.shards.fences)], is_mail=True)
        self._find_lost([await self.parts.store.executing(shard) for shard in sorted(self.shards.fences)])
        await self.runner.evict()
        await self._gauge()

    def _find_lost(self, found: list[tuple[RunId, ...]], *, is_mail: bool = False) -> None:
        """Runs with mail, and runs that execute nowhere: each is seen to by itself, none waits for another."""
        for run in (run for shard in found for run in shard):
            if is_mail or run not in self.runner.hosts:
                self.runner.rouse_soon(run, is_lost=is_mail)

    async def _gauge(self) -> None:
        totals = [await self.parts.store.totals(shard) for shard in sorted(self.shards.fences)]
        oldest = min((t.oldest for t in totals if t.oldest), default=None)
        age = (self.parts.store.now() - oldest).total_seconds() if oldest else 0.0
        self.parts.meter.gauge("pending", sum(t.pending for t in totals))
        for older_than in AGES:
            count = sum(t.older[older_than] for t in totals)
            self.parts.meter.gauge("pending_longer", count, older_than=older_than)
        self.parts.meter.gauge("oldest_pending", age)
        self.parts.meter.gauge("outbox_depth", sum(t.outbox for t in totals))
