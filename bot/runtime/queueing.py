"""The queue: escalations that wait for somebody, and those somebody took and still has.

Reads only. Everybody sees what they could answer: for a manager, what was escalated to managers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from bot.domain.chat import Account, PersonId
from bot.domain.errors import Broken, NoSuchRequest, NotEligible, Unsatisfiable
from bot.domain.inert import show_line
from bot.domain.inquiry import move_of
from bot.domain.letters import taken_by
from bot.domain.pages import Queued
from bot.domain.request import Kind, Request, RequestId
from bot.domain.run import Decided, RunStatus
from bot.domain.store import Loaded, Store
from bot.runtime.rights import Rights

LOOKED_AT_MOST = 200  # of the latest runs of a shard, in which somebody may have one by hand
LIVE = (RunStatus.ACTIVE, RunStatus.WAITING)


class Queue:
    def __init__(self, store: Store, rights: Rights) -> None:
        self._store, self._rights = store, rights

    async def of(self, viewer: Account) -> tuple[Queued, ...]:
        """Oldest first."""
        found: list[Queued] = []
        for shard in range(self._store.shards):
            async for request, claimed_by in self._escalations(shard):
                if await self._may_answer(request, viewer):
                    found.append(await self._queued(request, claimed_by))
        return tuple(sorted(found, key=lambda queued: queued.opened))

    async def _escalations(self, shard: int) -> AsyncIterator[tuple[Request, PersonId | None]]:
        for id in await self._store.open_requests(shard):  # noqa: A001  # its name everywhere
            request = await self._request(id)
            if request is not None and request.is_open:
                yield request, None
        for run in await self._store.recent_runs(shard, LOOKED_AT_MOST):
            loaded = await self._store.load(run)
            has = taken_by(loaded.letters) if loaded is not None and loaded.status in LIVE else None
            if loaded is not None and has is not None and (request := await self._claimed(loaded)):
                yield request, has

    async def _claimed(self, loaded: Loaded) -> Request | None:
        """The escalation by which somebody took this run, if that is how."""
        taken = [e.request for e in loaded.entries if isinstance(e, Decided) and move_of(e.decision) == "take"]
        return await self._request(taken[-1]) if taken else None

    async def _request(self, id: RequestId) -> Request | None:
        try:
            request = (await self._store.held(id)).request
        except (NoSuchRequest, Broken):
            return None
        return request if request.kind is Kind.ESCALATION else None

    async def _may_answer(self, request: Request, viewer: Account) -> bool:
        try:
            await self._rights.seats(request, viewer)
        except (NotEligible, Unsatisfiable):
            return False
        return True

    async def _queued(self, request: Request, claimed_by: PersonId | None) -> Queued:
        return Queued(
            request=request.id,
            run=request.run,
            reason=show_line(str(request.call.values["reason"])),
            requester=request.requester,
            place=request.place,
            opened=request.opened,
            age=self._store.now() - request.opened,
            claimed_by=claimed_by,
            asked_by=await self._rights.name(request.requester),
            taken_by=await self._rights.name(claimed_by) if claimed_by else "",
        )
