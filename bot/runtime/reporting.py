"""Reading for a report: the newest audit records, and for whom open requests wait; and who may see it.

    audit, newest first, page by page, until the span is covered or enough was read -> entries
    open requests -> people who may answer them now -> load

Bounded in both, and what was left out is said. Not here: what the numbers mean (domain/report).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.audit import Entry, parse_line
from bot.domain.chat import Account, PersonId
from bot.domain.errors import Broken, NoSuchRequest
from bot.domain.people import resolve
from bot.domain.ports import Directory
from bot.domain.report import Load, Report, report, told
from bot.domain.store import Store
from bot.domain.verdict import Audience
from bot.domain.wire import Record
from bot.runtime.rights import Rights

PAGE = 1_000  # audit records read at once
SHOWN_FROM = 4_000  # audit records of one shard that a report in the chat reads at most
OPEN_MOST = 1_000  # open requests that are looked at for who may answer them
KEPT = timedelta(minutes=1)  # a report in the chat is read anew after this long, however many look at it
SPANS_MOST = 8  # reports of different lengths that are kept at once


class Trail(Record):
    """Entries of the audit, oldest first in each shard. `is_cut`: the span begins before the first of them."""

    entries: tuple[Entry, ...]
    is_cut: bool


async def trail(store: Store, since: datetime, *, most: int) -> Trail:
    """The audit from *since* on, and a little before: at most *most* records of each shard."""
    found, is_cut = list[Entry](), False
    for shard in range(store.shards):
        entries, is_short = await _shard(store, shard, since, most)
        found += entries
        is_cut = is_cut or is_short
    return Trail(entries=tuple(found), is_cut=is_cut)


async def _shard(store: Store, shard: int, since: datetime, most: int) -> tuple[list[Entry], bool]:
    """Backwards from the last record there is now, which goes on growing behind us: so by number, not from its end."""
    last, found = (await store.sealed(shard)).seq, list[Entry]()
    while last > 0 and len(found) < most:
        first = max(last - min(PAGE, most - len(found)), 0)
        page = [parse_line(shard, line) for line in await store.audit_lines(shard, first, last - 1)]
        found = [*page, *found]
        if not page or page[0].at < since:
            return found, False
        last = first
    return found, last > 0


async def load(store: Store, rights: Rights, shards: Sequence[int] | None = None) -> Load:
    """Per person, the open requests they may answer now and have not; of at most OPEN_MOST, oldest first by shard.

    Those of *shards*; of all, if none are named.
    """
    people, requests = Counter[PersonId](), 0
    for shard in range(store.shards) if shards is None else shards:
        for id in await store.open_requests(shard):  # noqa: A001  # its name everywhere
            if requests >= OPEN_MOST:
                break
            try:
                request = (await store.held(id)).request
            except (NoSuchRequest, Broken):
                continue
            if request.is_open:
                asked = frozenset[PersonId]().union(*await rights.groups(request))
                people.update(asked - {vote.person for vote in request.votes})
                requests += 1
    return Load(requests=requests, people=dict(people))


class Reporting:
    """Reports for people in a chat: only for those whom the policy's `reports` names, and read once a minute."""

    def __init__(self, store: Store, rights: Rights, directory: Directory, audiences: Sequence[Audience]) -> None:
        self._store, self._rights, self._directory = store, rights, directory
        self._audiences = tuple(audiences)
        self._kept: dict[timedelta, tuple[datetime, Report]] = {}

    async def told(self, viewer: Account, span: timedelta) -> str | None:
        """The report of the last *span*, in plain lines; None for whoever may not see it."""
        person = await self._rights.tasker(viewer)
        if person is None or not await self._may_see(person.id):
            return None
        read = await self._read(span)
        return told(read, await self._names(read))

    async def _may_see(self, person: PersonId) -> bool:
        nobody = frozenset[PersonId]()
        for audience in self._audiences:
            if person in await resolve(audience, directory=self._directory, requester=person, approvers=nobody):
                return True
        return False

    async def _read(self, span: timedelta) -> Report:
        now = self._store.now()
        kept = self._kept.get(span)
        if kept is not None and now - kept[0] < KEPT:
            return kept[1]
        found = await trail(self._store, now - span, most=SHOWN_FROM)
        waiting = await load(self._store, self._rights)
        until = now + timedelta(milliseconds=1)  # what was written in this very moment counts
        read = report(found.entries, since=now - span, until=until, load=waiting, is_cut=found.is_cut)
        if len(self._kept) >= SPANS_MOST:
            self._kept.clear()
        self._kept[span] = (now, read)
        return read

    async def _names(self, read: Report) -> Mapping[PersonId, str]:
        return {who: await self._rights.name(who) for who in read.people}
