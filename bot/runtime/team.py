"""What waits for somebody's team: the people whose manager they are, read-only.

    open request -> may its run be seen -> whose answer is waited for -> those of them whom the viewer manages

Reads only. It tells which tool, whom and since when, as `status` does, and no argument: whoever manages somebody may
answer no more for it. A request put off by whoever is asked still waits for them, and stands here.
"""

from __future__ import annotations

from bot.domain.chat import Account, Person
from bot.domain.errors import Refused
from bot.domain.inert import show_line
from bot.domain.pages import Awaited
from bot.domain.request import Request, RequestId
from bot.domain.store import Store
from bot.runtime.rights import Rights
from bot.runtime.sight import seen

LOOKED_AT = 100  # open requests of one shard
LOOKED_UP = 50  # people of those one request waits for: a whole workspace may be asked


class Team:
    def __init__(self, store: Store, rights: Rights) -> None:
        self._store, self._rights = store, rights

    async def of(self, viewer: Account) -> tuple[Awaited, ...]:
        """Oldest first. Raises Unavailable."""
        manager = await self._rights.tasker(viewer)
        if manager is None:
            return ()
        found: list[Awaited] = []
        for shard in range(self._store.shards):
            for waiting in (await self._store.open_requests(shard))[:LOOKED_AT]:
                awaited = await self._awaited(waiting, manager, viewer)
                found.extend([awaited] if awaited is not None else [])
        return tuple(sorted(found, key=lambda awaited: awaited.opened))

    async def _awaited(self, id: RequestId, manager: Person, viewer: Account) -> Awaited | None:
        request = await seen(self._store, id, manager, viewer)
        people = await self._reports(request, manager) if request is not None and request.is_open else ()
        if request is None or not people:
            return None
        tool = show_line(request.call.tool)
        return Awaited(request=request.id, run=request.run, tool=tool, people=people, opened=request.opened)

    async def _reports(self, request: Request, manager: Person) -> tuple[str, ...]:
        try:
            waited = sorted(await self._rights.awaited(request))[:LOOKED_UP]
        except (Refused, ValueError):  # a group that cannot be read any more is nobody
            return ()
        people = [await self._rights.person(who) for who in waited]
        return tuple(person.name for person in people if person is not None and person.manager == manager.id)
