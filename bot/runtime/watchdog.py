"""The watchdog: is anybody late with the ladders, anywhere? Also at shards that no process owns, and with what fails.

every shard -> timers overdue or failing -> a gauge; a line in the log whenever a shard's number changes, and each hour

It only says so: whoever owns a shard deals with its timers (timers), and a shard without an owner is taken by any
process that looks (shards). A number that stays means that nobody does either.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from bot.domain.ports import Meter
from bot.domain.store import Store
from bot.runtime.parts import Parts
from bot.runtime.steady import steadily

log = structlog.get_logger()
LATE = timedelta(seconds=30)  # three times what a claimed timer stays hidden, and longer than any takeover
SAID_AGAIN = timedelta(hours=1)  # how often a number that stays is said again


class Watchdog:
    def __init__(self, parts: Parts) -> None:
        self._store: Store = parts.store
        self._meter: Meter = parts.meter
        self._every = parts.pace.watch_every
        self._said: dict[int, tuple[int, datetime]] = {}  # shard -> how many were late when it was last said, and when

    async def run(self) -> None:
        await steadily(self.look, self._every, "watchdog")

    async def look(self) -> int:
        """Count what is late on every shard, and say what has changed."""
        late = {shard: await self._store.overdue(shard, LATE) for shard in range(self._store.shards)}
        now = self._store.now()
        for shard, count in late.items():
            was, at = self._said.get(shard, (0, now))
            if count and (count != was or now - at >= SAID_AGAIN):
                log.warning("ladders_late", shard=shard, count=count, seconds=int(LATE.total_seconds()))
                self._said[shard] = (count, now)
            elif not count and was:
                log.info("ladders_on_time", shard=shard)
                del self._said[shard]
        total = sum(late.values())
        self._meter.gauge("ladders_late", total)
        return total
