"""Named moments of the flow, at one of which this process kills itself: no cleanup, no goodbye.

A moment is an edge (before, inside, after) and a name; `after` a store or chat call is the time between the
other side's doing and our knowing.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import TypeVar

from bot.domain.request import Copy, Kind, Request, RunId
from bot.domain.run import Begun, Finished, Run, Step, Told
from bot.domain.store import Batch, Effects, Fence, GaveBack, Letter, Row, Started, Took, Turn, Turned
from bot.store.redis import RedisStore

T = TypeVar("T")


class Doom:
    """Dies at the nth time a moment is reached; lives for ever with an empty one."""

    def __init__(self, moment: str) -> None:
        self._chosen, _, nth = moment.partition("#")
        self._nth = int(nth or 1)
        self._seen: Counter[str] = Counter()

    def reach(self, moment: str) -> None:
        self._seen[moment] += 1
        if moment == self._chosen and self._seen[moment] == self._nth:
            os.kill(os.getpid(), signal.SIGKILL)

    async def around(self, name: str, doing: Awaitable[T]) -> T:
        self.reach(f"before {name}")
        result = await doing
        self.reach(f"after {name}")
        return result


LETTERS: Mapping[type, str] = {Took: "takeover", GaveBack: "return"}


class DoomedStore(RedisStore):
    """The real store; every transition has its moments."""

    doom: Doom = Doom("")

    async def acquire(self, shard: int, owner: str, time: timedelta) -> Fence | None:
        return await self.doom.around("lease", super().acquire(shard, owner, time))

    async def start(self, run: Run, *, delivery: str, replaces: RunId | None, effects: Effects) -> Started:
        doing = super().start(run, delivery=delivery, replaces=replaces, effects=effects)
        return await self.doom.around("start", doing)

    async def tell(
        self, run: RunId, letter: Letter, *, delivery: str, effects: Effects, known: int | None = None
    ) -> bool:
        doing = super().tell(run, letter, delivery=delivery, effects=effects, known=known)
        return await self.doom.around(LETTERS.get(type(letter), "reply"), doing)

    async def stop(self, run: RunId, *, delivery: str, told: str, effects: Effects) -> bool:
        return await self.doom.around("stop", super().stop(run, delivery=delivery, told=told, effects=effects))

    async def append(self, fence: Fence, run: RunId, batch: Batch) -> int:
        return await self.doom.around(_append(batch), super().append(fence, run, batch))

    async def open(
        self,
        fence: Fence,
        batch: Batch,
        request: Request,
        copies: tuple[Copy, ...],
        others: tuple[Request, ...] = (),
    ) -> int:
        name = "recovery request" if request.kind is Kind.RECOVERY else "request"
        return await self.doom.around(name, super().open(fence, batch, request, copies, others))

    async def spend(self, fence: Fence, batch: Batch, after: Request) -> int:
        return await self.doom.around("spend", super().spend(fence, batch, after))

    async def turn(self, turn: Turn) -> Turned:
        return await self.doom.around(_turn(turn), super().turn(turn))

    async def posted(self, fence: Fence, row: Row, copy: Copy | None, effects: Effects) -> None:
        await self.doom.around(f"shown {row.name.partition('|')[0]}", super().posted(fence, row, copy, effects))


def _append(batch: Batch) -> str:
    match batch.entries:
        case (Step(), *_):
            return "thought"
        case (Told(), *_):
            return "told"
        case (Begun(), *_):
            return "begin"
        case (Finished(), *_):
            return "result"
    if batch.run is None:
        return "sleep"
    return "hands" if batch.run.ended is None else "end"  # who has the run, or that it is over


def _turn(turn: Turn) -> str:
    if turn.opens is not None:
        return "edit"
    if turn.delivery:
        return "decision" if turn.after.decision is not None else "vote"
    if turn.is_expiry:
        return "expiry"
    return "withdrawal" if turn.entries else "rung"
