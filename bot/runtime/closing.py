"""Closing: what was asked ends without an answer, because a run ended, somebody replied, or somebody took it over.

    still open, ours, not to be kept -> closed in one step, unless an answer is faster -> whoever waits is woken

Not when to close what (runner, outbox), nor what its card says then (render, inquiry_card).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import structlog

from bot.domain import events
from bot.domain.calls import Cause
from bot.domain.errors import Broken, NoSuchRequest
from bot.domain.ladder import waiting_timer
from bot.domain.request import Kind, Move, Request, RequestId, RunId, close
from bot.domain.run import Decided
from bot.domain.store import Effects, Fence, Held, Store, Turn
from bot.domain.wire import Record
from bot.runtime.journal import patiently

log = structlog.get_logger()


class End(Record):
    """How requests end, and why; `told` in one sentence. Those of a kind that is `kept` stay open."""

    move: Move
    cause: Cause
    told: str
    kept: frozenset[Kind] = frozenset()


class Closing:
    """*fence_of* says which shards are ours, *deliver* hears of every end: the run, what was decided, its mail."""

    def __init__(
        self,
        store: Store,
        fence_of: Callable[[RunId], Fence | None],
        deliver: Callable[[RunId, Decided, int], None],
    ) -> None:
        self._store, self._fence_of, self._deliver = store, fence_of, deliver

    async def all(self, run: RunId, requests: Iterable[RequestId], end: End) -> None:
        for request in sorted(requests):
            await self.one(run, request, end)

    async def one(self, run: RunId, request: RequestId, end: End) -> None:
        """Close one request, unless somebody decides it first. Looks again if a vote came in between."""
        while True:
            try:
                held = await patiently(partial(self._store.held, request))
            except NoSuchRequest:
                return
            except Broken as error:  # nobody can answer it: no click on it is believed, no call starts
                log.error("request_forged", request=request, error=str(error))
                return
            fence = self._fence_of(run)
            if held.request.replaced_by is not None:
                request = held.request.replaced_by  # changed meanwhile: what took its place is meant, too
                continue
            stays = held.request.outlives or held.request.kind in end.kept
            if not held.request.is_open or stays or fence is None:
                return
            after = close(held.request, end.move, at=self._store.now(), cause=end.cause, told=end.told)
            turn, decided = _turn(held, fence, after)
            turned = await patiently(partial(self._store.turn, turn))
            if turned.is_applied:
                self._deliver(run, decided, turned.mail)
                return


def _turn(held: Held, fence: Fence, after: Request) -> tuple[Turn, Decided]:
    assert after.decision is not None, "a closed request has its decision"
    decided = Decided(request=after.id, decision=after.decision)
    effects = Effects(
        audit=(events.request_decided(after),),
        dirty=held.rows,
        untime=waiting_timer(held.request),
    )
    return Turn(after=after, entries=(decided,), fence=fence, effects=effects), decided
