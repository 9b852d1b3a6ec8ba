"""What a grant would have matched: the earlier calls of its tool, from whatever thread, counted for the card.

    newest runs of every shard, an equal share each -> the newest of them all first -> their calls -> counted

Bounded, so it says what it looked at, never what there is. Not what a grant matches (domain/grant), nor who may look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from bot.domain import grant as grants
from bot.domain.calls import ToolCall, make_call
from bot.domain.errors import BadJson, Broken, InvalidArguments, NoSuchRequest
from bot.domain.offer import Offer
from bot.domain.ports import Said, Tool
from bot.domain.request import Request, RequestId, RunId
from bot.domain.run import Opened, Step
from bot.domain.store import Loaded, Store
from bot.domain.wire import read_foreign, replace, unpack

RUNS_MOST = 200  # runs of all shards that are looked through: some milliseconds, while somebody waits for their card
CALLS_MOST = 200  # calls that are counted
TOGETHER = 20  # runs that are read at once


class Preview:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def counted(self, request: Request, tool: Tool, offer: Offer) -> Offer:
        """*offer* with how many earlier calls of *tool* were looked at, and how many of them had its arguments."""
        looked = matched = 0
        for loaded in await self._runs():
            for call in await self._calls(loaded, tool, request):
                if looked >= CALLS_MOST:
                    return replace(offer, looked=looked, matched=matched)
                looked, matched = looked + 1, matched + grants.has_same(offer, call)
        return replace(offer, looked=looked, matched=matched)

    async def _runs(self) -> Sequence[Loaded]:
        """The newest runs first. Threads are spread over shards, so each shard has an equal share of what is read."""
        share = max(1, RUNS_MOST // self._store.shards)
        ids = [run for shard in range(self._store.shards) for run in await self._store.recent_runs(shard, share)]
        found: list[Loaded] = []
        for at in range(0, min(len(ids), RUNS_MOST), TOGETHER):
            found += await self._read(ids[at : min(at + TOGETHER, RUNS_MOST)])
        return sorted(found, key=lambda loaded: loaded.run.began, reverse=True)

    async def _read(self, ids: Sequence[RunId]) -> list[Loaded]:
        read = await asyncio.gather(*map(self._store.load, ids))
        return [loaded for loaded in read if loaded is not None]

    async def _calls(self, loaded: Loaded, tool: Tool, request: Request) -> list[ToolCall]:
        """The calls of *tool* that a run wanted, without the one that is asked about just now; latest first."""
        now = (request.run, request.call.id)
        wanted = {each: args for each, args in _wanted(loaded, tool) if (loaded.run.id, each) != now}
        found = [call for each, args in wanted.items() if (call := _parsed(tool, each, args)) is not None]
        mark = f"use:{tool.spec.name}:"
        opened = [entry for entry in loaded.entries if isinstance(entry, Opened) and entry.mark.startswith(mark)]
        for entry in opened:  # calls of an agent of code, which no model wished for
            is_other = entry.request != request.id and entry.mark.removeprefix(mark) not in wanted
            if is_other and (asked := await self._asked(entry.request)):
                found.append(asked)
        return found[::-1]

    async def _asked(self, id: RequestId) -> ToolCall | None:
        try:
            return (await self._store.held(id)).request.call
        except (NoSuchRequest, Broken):
            return None


def _wanted(loaded: Loaded, tool: Tool) -> Iterator[tuple[str, str]]:
    """The calls of *tool* that a model asked for, in order: id and arguments as it wrote them."""
    for entry in loaded.entries:
        if isinstance(entry, Step) and entry.mark.startswith("think:"):
            said = unpack(Said, entry.result.encode())
            yield from ((call.id, call.args) for call in said.calls if call.tool == tool.spec.name)


def _parsed(tool: Tool, id: str, args: str) -> ToolCall | None:
    try:
        checked = tool.check(read_foreign(args or "{}"))
    except (BadJson, InvalidArguments):
        return None
    return make_call(id=id, tool=tool.spec.name, version=tool.spec.version, args=checked)
