"""Reading for a report: the newest audit records, and for whom open requests wait; and who may see it.

    audit, newest first, page by page, until the span is covered or enough was read -> entries
    open requests -> people who may answer them now -> load; a group that cannot be read any more is nobody, and said
    settled requests whose rule lets a grant be given -> what grants could have saved

Bounded in each, and what was left out is said. Not here: what the numbers mean (domain/report, domain/saved).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.audit import Entry, parse_line
from bot.domain.chat import Account, PersonId
from bot.domain.errors import Broken, NoSuchRequest, Unsatisfiable
from bot.domain.people import resolve
from bot.domain.ports import Directory
from bot.domain.report import Load, Report, report, told
from bot.domain.request import Kind, Request, RequestId, Status
from bot.domain.saved import Saved, saved
from bot.domain.store import Store
from bot.domain.verdict import Audience
from bot.domain.wire import Record, replace
from bot.runtime.rights import Rights

PAGE = 1_000  # audit records read at once
SHOWN_FROM = 4_000  # audit records of one shard that a report in the chat reads at most
OPEN_MOST = 1_000  # open requests that are looked at for who may answer them
SETTLED_MOST = 2_000  # settled requests, the newest, that are looked at for what a grant could have saved
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

    Those of *shards*; of all, if none are named. One whose group is gone waits for nobody, and is counted with why.
    """
    people, unread, requests = Counter[PersonId](), Counter[str](), 0
    for shard in range(store.shards) if shards is None else shards:
        for id in await store.open_requests(shard):  # noqa: A001  # its name everywhere
            if requests >= OPEN_MOST:
                break
            try:
                request = (await store.held(id)).request
            except (NoSuchRequest, Broken):
                continue
            if not request.is_open:
                continue
            requests += 1
            try:
                asked = frozenset[PersonId]().union(*await rights.groups(request))
            except Unsatisfiable as error:  # it says what to mend; the other requests are told of all the same
                unread[error.why] += 1
            else:
                people.update(asked - {vote.person for vote in request.votes})
    return Load(requests=requests, people=dict(people), unread=dict(unread))


async def savings(store: Store, found: Trail, since: datetime, until: datetime) -> tuple[Saved, ...]:
    """What grants could have saved among the requests that *found* tells were settled from *since* to *until*.

    Of the newest SETTLED_MOST. One that is forgotten, or that does not bear our seal, counts nowhere.
    """
    read = [await _settled(store, id) for id in _grantable(found.entries, since, until)]  # noqa: A001  # as above
    return saved(request for request in read if request is not None)


def _grantable(entries: Sequence[Entry], since: datetime, until: datetime) -> list[RequestId]:
    """Approvals and rejections of what a rule let somebody allow more of, the newest ones."""
    asked = {
        entry.subject
        for entry in entries
        if entry.event == "request_opened"
        and entry.fields.get("grantable")
        and entry.fields.get("kind") == Kind.APPROVAL
    }
    ended = [
        (entry.at, entry.subject)
        for entry in entries
        if entry.event == "request_decided"
        and entry.fields.get("status") in (Status.APPROVED, Status.REJECTED)
        and since <= entry.at < until
        and entry.subject in asked
    ]
    return [RequestId(subject) for _, subject in sorted(ended)[-SETTLED_MOST:]]


async def _settled(store: Store, id: RequestId) -> Request | None:
    try:
        return (await store.held(id)).request
    except (NoSuchRequest, Broken):
        return None


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
        read = replace(read, saved=await savings(self._store, found, now - span, until))
        if len(self._kept) >= SPANS_MOST:
            self._kept.clear()
        self._kept[span] = (now, read)
        return read

    async def _names(self, read: Report) -> Mapping[PersonId, str]:
        return {who: await self._rights.name(who) for who in read.people}
