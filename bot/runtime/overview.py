"""The commands `status` and `show`: what is under way, whom it waits for, and one request or run by its id.

Only what the viewer may see, as on every page (views). An id may be the end of one, if nothing else they see ends so.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.audit import parse_line
from bot.domain.errors import Refused
from bot.domain.inert import show_line
from bot.domain.pages import RunView
from bot.domain.ports import Views
from bot.domain.request import Request, RequestId, RunId
from bot.domain.store import Store
from bot.domain.summary import Summary, of_request, summarized
from bot.runtime.asked import Asked
from bot.runtime.lists import ROWS, ago, line, run_row
from bot.runtime.rights import Rights
from bot.runtime.sight import seen
from bot.runtime.views import LEAST, LOOKED_BACK

LOOKED_AT = 100  # open requests of one shard
NAMED = 4  # people of those a request waits for


class Overview:
    def __init__(self, store: Store, views: Views, rights: Rights) -> None:
        self._store, self._views, self._rights = store, views, rights
        self.deeds = {"status": self.status, "show": self.show}

    # -------------------------------------------------------------- status

    async def status(self, asked: Asked) -> str:
        """ST-02: runs that live, and open requests with whom they wait for, each with its age."""
        now = self._store.now()
        runs = [run_row(run, now) for run in await self._views.runs(asked.by) if run.stop is not None]
        waiting = [await self._row(request) for request in await self._open(asked)]
        return "\n".join(
            [
                *_part("Under way:" if runs else "Nothing is under way.", runs),
                *_part("Waiting for people:" if waiting else "Nothing waits for anybody.", waiting),
                *([f"End a run with {asked.name} stop RUN; look closer with {asked.name} show ID."] if runs else []),
            ]
        )

    async def _open(self, asked: Asked) -> list[Request]:
        """Open requests that the viewer may see, oldest first."""
        found: list[Request] = []
        for shard in range(self._store.shards):
            for id in (await self._store.open_requests(shard))[:LOOKED_AT]:  # noqa: A001  # its name everywhere
                request = await seen(self._store, id, asked.person, asked.by)
                found.extend([request] if request and request.is_open else [])
        return sorted(found, key=lambda request: request.opened)

    async def _row(self, request: Request) -> str:
        age = ago(self._store.now() - request.opened)
        return f"{request.id} · {show_line(request.call.tool)} · waits for {await self._awaited(request)} · asked {age}"

    async def _awaited(self, request: Request) -> str:
        """Names, deputies among them; what the rule says where nobody can be found."""
        try:
            people = sorted(await self._rights.awaited(request))
        except (Refused, ValueError):
            people = []
        if not people:
            return " and ".join(need.of for need in request.ask.groups) or "nobody"
        names = [line(await self._rights.name(who), ROWS * 2) for who in people[:NAMED]]
        return ", ".join([*names, *([f"{len(people) - NAMED} more"] if len(people) > NAMED else [])])

    # ---------------------------------------------------------------- show

    async def show(self, asked: Asked) -> str:
        """ST-31: what has this id, in one block (ST-25)."""
        wanted = asked.rest.lower()
        requests, runs = await self._requests(wanted, asked), await self._runs(wanted, asked)
        match [*requests, *runs]:
            case [Request() as request]:
                return await self._of_request(request)
            case [RunView() as run]:
                return await self._of_run(run, asked)
            case []:
                return f"There is no {wanted} that you may see. {asked.name} status lists ids."
            case found:
                return f"{len(found)} ids end so; write the whole one. {asked.name} status lists ids."

    async def _requests(self, wanted: str, asked: Asked) -> list[Request]:
        if wanted.startswith("r-"):
            return []
        ids = [RequestId(wanted)] if wanted.startswith("q-") else await self._known(wanted)
        found = [await seen(self._store, one, asked.person, asked.by) for one in ids]
        return [request for request in found if request is not None]

    async def _known(self, end: str) -> list[RequestId]:
        """Requests whose id ends so: the open ones, and those that the last records of the audit tell of."""
        found: set[RequestId] = set()
        for shard in range(self._store.shards):
            found |= {*await self._store.open_requests(shard)}
            lines = await self._store.audit_lines(shard, -max(LOOKED_BACK // self._store.shards, LEAST), -1)
            told = (parse_line(shard, text) for text in lines if '"request_opened"' in text)
            found |= {RequestId(entry.subject) for entry in told if entry.event == "request_opened"}
        return sorted(one for one in found if one.endswith(end))

    async def _runs(self, wanted: str, asked: Asked) -> list[RunView]:
        if wanted.startswith("q-"):
            return []
        if wanted.startswith("r-"):
            run = await self._views.run(RunId(wanted), asked.by)
            return [run] if run else []
        return [run for run in await self._views.runs(asked.by) if run.run.endswith(wanted)]

    async def _of_request(self, request: Request) -> str:
        names = {vote.person: await self._rights.name(vote.person) for vote in request.votes}
        waits = [f"Waits for: {await self._awaited(request)}"] if request.is_open else []
        title = f"{request.kind}: {request.call.tool}, for {await self._rights.name(request.requester)}"
        return "\n".join([summarized(title, of_request(request, names)), *waits, f"Run: {request.run}"])

    async def _of_run(self, run: RunView, asked: Asked) -> str:
        whole = await self._views.run(run.run, asked.by) or run  # with its moments
        voters = dict.fromkeys(one.person for one in whole.moments if one.event == "vote_counted" and one.person)
        answered = tuple([await self._rights.name(who) for who in voters])
        return summarized(run.task, Summary(status=run.status, reference=run.run, answered=answered))


def _part(head: str, rows: Sequence[str]) -> list[str]:
    more = [f"(+{len(rows) - ROWS} more)"] if len(rows) > ROWS else []
    return [head, *rows[:ROWS], *more]
