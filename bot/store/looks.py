"""What the store shows without changing anything: lists, totals, the audit. Below them, the way to a shard's keys."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Any

from bot.domain.request import RequestId, RunId
from bot.domain.store import AGES, Note, Row, Sealed, Totals
from bot.domain.wire import unpack
from bot.store.bell import Bell
from bot.store.coding import epoch_ms, moment
from bot.store.keys import Keyring, shard_of_id
from bot.store.link import Link

ROWS = 1_000  # outbox rows read at once


class Looks(Bell):
    """The reads of `bot.domain.store.Store` that need no more than a key, and the bell."""

    def __init__(self, link: Link, namespace: str) -> None:
        super().__init__(link, namespace)
        self._link, self._namespace = link, namespace
        self._rings: dict[int, Keyring] = {}

    def now(self) -> datetime:
        return self._link.now()

    async def mailbox(self, shard: int) -> tuple[RunId, ...]:
        found = await self._link.ask(self._link.client.zrange(self._ring(shard)("mail"), 0, -1))
        return tuple(RunId(run.decode()) for run in found)

    async def executing(self, shard: int) -> tuple[RunId, ...]:
        found = await self._link.ask(self._link.client.smembers(self._ring(shard)("active")))
        return tuple(sorted(RunId(run.decode()) for run in found))

    async def rows(self, shard: int, *, after: int = 0) -> tuple[Row, ...]:
        outbox = self._ring(shard)("outbox")
        found = await self._link.ask(
            self._link.client.zrangebyscore(outbox, f"({after}", "+inf", start=0, num=ROWS, withscores=True)
        )
        return tuple(Row(name=name.decode(), stamp=int(stamp)) for name, stamp in found)

    async def note(self, shard: int, key: str) -> Note | None:
        found = await self._link.ask(self._link.client.hget(self._ring(shard)("notes"), key))
        return unpack(Note, found) if found else None

    async def sealed(self, shard: int) -> Sealed:
        """How far the audit is written and how far it is covered by checkpoints."""
        found = await self._link.ask(
            self._link.client.hmget(self._ring(shard)("chain"), "seq", "covered", "mac", "link")
        )
        seq, covered, mac, link = ((value or b"").decode() for value in found)
        return Sealed(seq=int(seq or 0), covered=int(covered or 0), mac=mac, link=link)

    async def open_requests(self, shard: int) -> tuple[RequestId, ...]:
        found = await self._link.ask(self._link.client.zrange(self._ring(shard)("open"), 0, 499))
        return tuple(RequestId(found_id.decode()) for found_id in found)

    async def recent_runs(self, shard: int, most: int) -> tuple[RunId, ...]:
        found = await self._link.ask(self._link.client.lrange(self._ring(shard)("recent"), 0, most - 1))
        return tuple(RunId(run.decode()) for run in found)

    async def trail(self, run: RunId) -> tuple[str, ...]:
        """The audit lines of one run, by the places its record keeps."""
        ring = self._ring(shard_of_id(run))
        spans = await self._link.ask(self._link.client.hget(ring("run", run), "trail"))
        ends = [span.partition("-")[::2] for span in spans.decode().split(",")] if spans else []
        found = await self._link.together(
            *(("LRANGE", ring("audit"), int(first) - 1, int(last or first) - 1) for first, last in ends)
        )
        return tuple(line.decode() for part in found for line in part)

    async def audit_lines(self, shard: int, first: int, last: int) -> tuple[str, ...]:
        found = await self._link.ask(self._link.client.lrange(self._ring(shard)("audit"), first, last))
        return tuple(line.decode() for line in found)

    async def totals(self, shard: int) -> Totals:
        ring = self._ring(shard)
        now = self.now()
        pending, oldest, outbox, *older = await self._link.together(
            ("ZCARD", ring("open")),
            ("ZRANGE", ring("open"), 0, 0, "WITHSCORES"),
            ("ZCARD", ring("outbox")),
            *(("ZCOUNT", ring("open"), "-inf", epoch_ms(now - age)) for age in AGES.values()),
        )
        return Totals(
            pending=pending,
            oldest=moment(float(oldest[1])) if oldest else None,
            outbox=outbox,
            older=dict(zip(AGES, older, strict=True)),
        )

    def _ring(self, shard: int) -> Keyring:
        ring = self._rings.get(shard)
        if ring is None:
            ring = self._rings[shard] = Keyring(self._namespace, shard)
        return ring

    def _call(self, name: str, shard: int, args: dict[str, Any], **ids: str) -> Awaitable[list[Any]]:
        """A function of scripts.lua on one shard; *ids* by the names of the keys that hold them."""
        ring = self._ring(shard)
        return self._link.call(name, lambda keys: ring.all(keys, ids), args)
