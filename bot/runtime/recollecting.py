"""Recollecting: what people decided about calls like one that waits, read for whoever opens its details.

    the newest audit lines of every shard, an equal share each -> precedents -> the records of the latest -> words

Bounded, and only for Details: no vote waits for it. What cannot be read is said, and keeps nobody from the rest.
Not what is like what, nor how it is put (domain/precedents).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import structlog

from bot.domain.audit import Entry, parse_line
from bot.domain.by_rule import is_by_rule
from bot.domain.errors import Broken, NoSuchRequest, Unavailable, UnknownTool
from bot.domain.ports import Toolbox
from bot.domain.precedents import SHOWN, SPAN, UNREAD, Precedent, counted, lines, precedents
from bot.domain.request import Kind, Request
from bot.domain.store import Store
from bot.runtime.rights import Rights

log = structlog.get_logger()
LOOKED_BACK = 4_000  # audit records, over all shards: some milliseconds, while one person waits for their details
LEAST = 100  # of one shard
TOLD = ('"request_opened"', '"request_decided"')  # most records are about something else, and need not be read


class Recollecting:
    def __init__(self, store: Store, toolbox: Toolbox, rights: Rights) -> None:
        self._store, self._toolbox, self._rights = store, toolbox, rights

    async def told(self, request: Request) -> str:
        """A count and a few lines; empty for what is neither a signature nor handed over by a rule. Never raises for
        what it cannot read: it says so."""
        if request.kind is not Kind.APPROVAL and not is_by_rule(request):
            return ""
        try:
            return await self._told(request)
        except (Unavailable, Broken) as error:
            log.warning("precedents_unread", request=request.id, error=type(error).__name__)
            return UNREAD

    async def _told(self, request: Request) -> str:
        now = self._store.now()
        entries, since = await self._entries(now)
        found = precedents(request, entries, since)
        latest = found[:SHOWN]
        records = dict(zip(latest, await asyncio.gather(*map(self._record, latest)), strict=True))
        names = {who: await self._rights.name(who) for who in sorted({who for one in latest for who in one.by})}
        try:
            spec = self._toolbox.get(request.call.tool).spec
        except UnknownTool:
            spec = None
        return "\n".join([counted(found, since, now), *lines(request, records, spec, names)])

    async def _entries(self, now: datetime) -> tuple[Sequence[Entry], datetime]:
        """The newest records about requests, and from when on these are all there are."""
        each, since = max(LOOKED_BACK // self._store.shards, LEAST), now - SPAN
        shards = range(self._store.shards)
        newest = await asyncio.gather(*(self._store.audit_lines(shard, -each, -1) for shard in shards))
        found: list[Entry] = []
        for shard, read in enumerate(newest):
            found += [parse_line(shard, line) for line in read if any(event in line for event in TOLD)]
            if len(read) == each:  # there may be more before
                since = max(since, parse_line(shard, read[0]).at)
        return found, since

    async def _record(self, one: Precedent) -> Request | None:
        """None for one that is forgotten, or does not bear our seal."""
        try:
            return (await self._store.held(one.request)).request
        except (NoSuchRequest, Broken):
            return None
