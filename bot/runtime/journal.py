"""One run's journal: record a step once, answer it ever after.

    agent asks for a step -> known? answer from here -> else act, write, go on

Owns what the run remembers and the order of its writes (one at a time, each counted once by the store).
Not what a step does (context, gate) nor who sleeps (host).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar

from bot.domain.budget import NONE, Usage, usage_of
from bot.domain.errors import ChatUnavailable, Diverged, LeaseLost, Refused, StoreUnavailable
from bot.domain.request import Copy, Request, RequestId, RunId
from bot.domain.run import Begun, Decided, Entry, Finished, Opened, Step, Told
from bot.domain.store import Batch, Fence, Loaded, Store
from bot.domain.wire import replace

T = TypeVar("T")
PATIENCE = (0.05, 0.1, 0.2, 0.5, 1.0)  # seconds between tries while Redis is away; the last one repeats

AT_ONCE = 0.5  # seconds; a platform wants its answer within 3, and the second try may take 2


async def patiently(write: Callable[[], Awaitable[T]]) -> T:
    """Repeat an idempotent write or a look until the store, or the chat that knows who is who, answers.

    Nothing that was done may be forgotten, and no run fails because nobody could say who may sign. Ends with
    LeaseLost when somebody else went on meanwhile, or by cancellation.
    """
    tries = 0
    while True:
        try:
            return await write()
        except (StoreUnavailable, ChatUnavailable):
            await asyncio.sleep(PATIENCE[min(tries, len(PATIENCE) - 1)])
            tries += 1


async def once_more(write: Callable[[], Awaitable[T]]) -> T:
    """Repeat an idempotent write once when the line broke at once: whoever won must hear that they won.

    Not after a time-out: somebody waits for an answer within seconds.
    """
    began = time.monotonic()
    try:
        return await write()
    except StoreUnavailable:
        if time.monotonic() - began > AT_ONCE:
            raise
        return await write()


Send = Callable[[Batch], Awaitable[int]]


class Dresser(Protocol):
    """What the host adds to each write, in its turn, and takes in once it has landed."""

    def dressed(self, batch: Batch, *, is_last_step: bool) -> Batch: ...
    def settled(self, made: Batch) -> None: ...


class Journal:
    """What a run has done so far. `length` counts every entry in the store, the decisions of others included."""

    def __init__(self, store: Store, fence: Fence, loaded: Loaded, dresser: Dresser) -> None:
        self._store, self._fence, self._run = store, fence, RunId(loaded.run.id)
        self._count, self._turn, self._dresser = loaded.count, asyncio.Lock(), dresser
        self._unsure: tuple[Batch, Send] | None = None  # a write that was cut short: it may have landed
        self.length = loaded.length
        self.steps: dict[str, Step] = {}
        self.opened: dict[str, list[Opened]] = {}
        self.decided: dict[RequestId, Decided] = {}
        self.begun: dict[str, Begun] = {}
        self.finished: dict[str, Finished] = {}
        self.told: dict[str, Told] = {}
        self.used: Usage = NONE  # what all of it has cost so far
        self._known: set[str] = set()
        for entry in loaded.entries:
            self.learn(entry)

    @property
    def fence(self) -> Fence:
        return self._fence

    def learn(self, entry: Entry) -> None:
        """Take in one entry. Learning it twice changes nothing."""
        match entry:
            case Step(path=path):
                self._count_used(entry, is_new=path not in self.steps)
                self.steps[path] = entry
            case Opened(path=path):
                asked = self.opened.setdefault(path, [])
                if entry not in asked:
                    asked.append(entry)
            case Decided(request=request):
                self.decided.setdefault(request, entry)
                return
            case Begun(path=path):
                self.begun[path] = entry
            case Finished(path=path):
                self._count_used(entry, is_new=path not in self.finished)
                self.finished[path] = entry
            case Told(path=path):
                self.told[path] = entry
                return
        self._known.update(_prefixes(entry.path))

    def _count_used(self, entry: Entry, *, is_new: bool) -> None:
        if is_new:
            self.used = self.used.plus(usage_of(entry))

    def is_known(self, path: str) -> bool:
        """Was the step at *path*, or a step inside it, recorded before?"""
        return path in self._known

    def answer(self, path: str, mark: str) -> Step | None:
        """The recorded step at *path*. Raises Diverged if it was another step."""
        step = self.steps.get(path)
        if step is not None and step.mark != mark:
            raise Diverged(path, step.mark, mark)
        return step

    def asked(self, path: str, mark: str) -> tuple[Opened, ...]:
        """The requests opened at *path*, oldest first. Raises Diverged if they were about another call."""
        found = tuple(self.opened.get(path, ()))
        for entry in found:
            if entry.mark != mark:
                raise Diverged(path, entry.mark, mark)
        return found

    async def write(self, batch: Batch) -> None:
        """Append *batch* (its `op` and `count` are filled in here), then know it."""
        await self._write(batch, lambda made: self._store.append(self._fence, self._run, made))

    async def open(
        self, batch: Batch, request: Request, copies: tuple[Copy, ...], others: tuple[Request, ...] = ()
    ) -> None:
        """Open *request*, and *others* on its sheet; then these branches sleep. Raises Unheard, TooMany, Twin."""
        send = partial(self._store.open, self._fence, request=request, copies=copies, others=others)
        await self._write(batch, send, is_last_step=True)

    async def spend(self, batch: Batch, after: Request) -> None:
        """Use an approval up and write that its call begins, in one step."""
        await self._write(batch, lambda made: self._store.spend(self._fence, made, after))

    async def _write(self, batch: Batch, send: Send, *, is_last_step: bool = False) -> None:
        """One write at a time: what a batch says of the run is worked out when its turn has come."""
        async with self._turn:
            await self._make_sure()
            made = self._dresser.dressed(batch, is_last_step=is_last_step)
            await self._send(replace(made, op=secrets.token_hex(6), count=self._count), send)

    async def _make_sure(self) -> None:
        """A write that was cancelled under way is sent again: the store counts it once."""
        if self._unsure is not None:
            with suppress(Refused):  # refused now, so it was not done then
                await self._send(*self._unsure)

    async def _send(self, made: Batch, send: Send) -> None:
        self._unsure = (made, send)
        try:
            await patiently(lambda: send(made))
        except (Refused, LeaseLost):
            self._unsure = None
            raise
        self._unsure = None
        self._count += len(made.entries)
        for entry in made.entries:
            self.learn(entry)
        self._dresser.settled(made)


def _prefixes(path: str) -> list[str]:
    """`/2.0/1` is inside `/2.0`, which is inside `/2`."""
    return [path[:end] for end, char in enumerate(path) if char in "./" and end] + [path]
