"""Named moments of the flow, at one of which this process kills itself: no cleanup, no goodbye.

A moment is an edge (before, inside, after) and a name; `after` a store or chat call is the time between the
other side's doing and our knowing.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import TypeVar

from bot.domain.absence import Absence
from bot.domain.chat import PersonId, Place
from bot.domain.inquiry import is_inquiry
from bot.domain.letters import GaveBack, Letter, Took
from bot.domain.offer import Grant
from bot.domain.request import Copy, Kind, Request, RunId
from bot.domain.run import Begun, Finished, Run, Step, Told
from bot.domain.store import Batch, Effects, Fence, Row, Started, Turn, Turned
from bot.store.redis import RedisStore

T = TypeVar("T")


class Doom:
    """Dies at the nth time a moment is reached; lives for ever with an empty one."""

    def __init__(self, moment: str) -> None:
        self._chosen, _, nth = moment.partition("#")
        self._nth = int(nth or 1)
        self._seen: Counter[str] = Counter()
        self.seen: list[str] = []  # every moment in its order, as a point would name it

    def reach(self, moment: str) -> None:
        self._seen[moment] += 1
        self.seen.append(f"{moment}#{self._seen[moment]}" if self._seen[moment] > 1 else moment)
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

    async def log(self, shard: int, bodies: tuple[bytes, ...]) -> None:
        is_refusal = any(b'"vote_refused"' in body for body in bodies)
        await self.doom.around("refusal" if is_refusal else "log", super().log(shard, bodies))

    async def turn(self, turn: Turn) -> Turned:
        return await self.doom.around(_turn(turn), super().turn(turn))

    async def leave(self, absence: Absence, *, answer: str) -> str:
        return await self.doom.around("absence", super().leave(absence, answer=answer))

    async def come_back(self, person: PersonId, *, delivery: str, answer: str) -> str | None:
        return await self.doom.around("coming back", super().come_back(person, delivery=delivery, answer=answer))

    async def revoke(self, after: Grant, run: RunId, *, delivery: str, effects: Effects) -> bool:
        return await self.doom.around("revocation", super().revoke(after, run, delivery=delivery, effects=effects))

    async def posted(
        self, fence: Fence, row: Row, copy: Copy | None, effects: Effects, *, home: Place | None = None
    ) -> None:
        shown = super().posted(fence, row, copy, effects, home=home)
        await self.doom.around(f"shown {row.name.partition('|')[0]}", shown)


def _append(batch: Batch) -> str:
    if batch.uses is not None:
        return "use"
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
    """What a change of a request is: the first name of TURNS that fits."""
    return next(name for name, fits in TURNS if fits(turn))


TURNS: tuple[tuple[str, Callable[[Turn], object]], ...] = (
    ("glass", lambda turn: turn.after.broken_by is not None and turn.opens is not None),
    ("edit", lambda turn: turn.opens is not None),
    ("give", lambda turn: turn.gives is not None),
    ("claim", lambda turn: turn.letter is not None),
    ("verdict", lambda turn: turn.delivery and turn.after.outlives),  # on broken glass, afterwards
    ("answer", lambda turn: turn.delivery and turn.after.decision is not None and is_inquiry(turn.after.kind)),
    ("decision", lambda turn: turn.delivery and turn.after.decision is not None),
    ("handing", lambda turn: turn.delivery and turn.after.handed),
    ("offer", lambda turn: turn.delivery and turn.after.offer is not None and not turn.after.votes),
    ("opening", lambda turn: turn.delivery and turn.copies),  # one of a list, as its own card
    ("vote", lambda turn: turn.delivery),
    ("expiry", lambda turn: turn.is_expiry),
    ("withdrawal", lambda turn: turn.entries),
    ("review", lambda turn: turn.after.reviews),
    ("rung", lambda _turn: True),
)
