"""What the store's contract starts from: a frozen clock, an owner of a shard, a run with requests."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain import events
from bot.domain.calls import Cause
from bot.domain.chat import Card, MessageRef, PersonId, Place
from bot.domain.grant import used
from bot.domain.ladder import first_timer
from bot.domain.letters import Said
from bot.domain.offer import Grant, GrantId
from bot.domain.request import Copy, Move, Request, RequestId, RunId, close, spend, vote
from bot.domain.run import Begun, Decided, Entry, Heard, Opened, Run, Step, Task
from bot.domain.store import Batch, Effects, Fence, Note, Store, Turn
from bot.domain.wire import replace
from tests.domain import given

LEASE = timedelta(seconds=10)
HIDDEN = timedelta(seconds=5)
HOUR = timedelta(hours=1)
MS = timedelta(milliseconds=1)
NOTHING = Effects()


@dataclass
class Clock:
    """The store's clock, standing still until a test moves it."""

    at: datetime = given.NOW

    def tick(self, by: timedelta) -> None:
        self.at += by

    def __call__(self) -> timedelta:
        return self.at - datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class StoreHouse:
    store: Store
    clock: Clock
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def new_run(self, thread: str = "1.0", *, id: str = "") -> Run:
        place = Place(platform="slack", tenant="T1", channel="C1", thread=thread)
        task = Task(text="refund order 7", by=given.ANA, place=place)
        shard = self.store.shard_of(place.key)
        return Run(id=RunId(f"r-{shard}-{id or next(self.numbers)}"), task=task, agent="react", began=self.clock.at)

    async def fence(self, shard: int, owner: str = "one") -> Fence:
        fence = await self.store.acquire(shard, owner, LEASE)
        assert fence is not None
        return fence

    async def owner(self, thread: str = "1.0") -> Owner:
        """A process that owns the shard of a run that has just begun."""
        run = self.new_run(thread)
        effects = Effects(audit=(events.run_started(run),), dirty=(f"run|{run.id}",))
        await self.store.start(run, delivery=f"task-{run.id}", replaces=None, effects=effects)
        return Owner(self, run, await self.fence(shard_of(run.id)))


class Owner:
    """Writes one run the way the runtime does: one batch after the other, each with a name of its own."""

    def __init__(self, house: StoreHouse, run: Run, fence: Fence) -> None:
        self.house, self.store, self.run, self.fence, self.count = house, house.store, run, fence, 0
        self.shard = fence.shard

    def batch(self, *entries: Entry, **fields: Any) -> Batch:
        """The next batch; send it as often as you like."""
        made = Batch(op=f"op{next(self.house.numbers)}", count=self.count, entries=entries, **fields)
        self.count += len(entries)
        return made

    async def append(self, *entries: Entry, **fields: Any) -> int:
        return await self.store.append(self.fence, self.run.id, self.batch(*entries, **fields))

    def new_request(self, **changes: Any) -> Request:
        now = self.house.clock.at
        fields: dict[str, Any] = {
            "id": RequestId(f"q-{self.shard}-{next(self.house.numbers)}"),
            "run": self.run.id,
            "path": f"/{self.count}.0",
            "opened": now,
            "deadline": now + HOUR,
        }
        return given.request(**fields | changes)

    def opening(self, request: Request) -> Batch:
        effects = Effects(
            audit=(events.request_opened(request),), dirty=(f"card|{request.id}|main",), timers=first_timer(request)
        )
        return self.batch(Opened(path=request.path, mark="use:refund", request=request.id), effects=effects)

    async def asks(self, **changes: Any) -> Request:
        """Put a request to people."""
        request = self.new_request(**changes)
        await self.store.open(self.fence, self.opening(request), request, (Copy(name="main", place=request.place),))
        return request

    def voting(self, request: Request, by: PersonId = given.BO, move: Move = Move.APPROVE, **changes: Any) -> Turn:
        """The change that somebody's click makes of *request*."""
        delivery = f"click-{next(self.house.numbers)}"
        # Counted by a process whose idea of the time may be wrong: the store's own clock is the judge.
        at = min(self.house.clock.at, request.deadline - MS) if request.deadline else self.house.clock.at
        after = vote(request, given.vote(by, move, at=at, delivery=delivery, digest=request.call.digest))
        audit = [events.vote_counted(after, after.votes[-1])]
        if after.decision is not None:
            audit.append(events.request_decided(after))
        effects = Effects(audit=tuple(audit), dirty=(f"card|{after.id}|main",))
        turn = Turn(after=after, delivery=delivery, answer=f"{move} counted", entries=decided(after), effects=effects)
        return replace(turn, **changes)

    async def approved(self, **changes: Any) -> Request:
        turn = self.voting(await self.asks(**changes))
        assert (await self.store.turn(turn)).is_applied
        return turn.after

    def giving(self, request: Request, **changes: Any) -> Turn:
        """A vote that approves *request* and allows two more calls for an hour."""
        turn = self.voting(request)
        fields: dict[str, Any] = {
            "id": GrantId(f"g-{self.shard}-{next(self.house.numbers)}"),
            "place": self.run.task.place,
            "request": request.id,
            "given": self.house.clock.at,
            "until": self.house.clock.at + HOUR,
        }
        grant = given.grant(**fields | changes)
        after = replace(turn.after, gave=grant.id)
        effects = replace(turn.effects, audit=(*turn.effects.audit, events.grant_given(grant, after)))
        return replace(turn, after=after, gives=grant, effects=effects)

    async def gives(self, **changes: Any) -> Grant:
        turn = self.giving(await self.asks(), **changes)
        assert (await self.store.turn(turn)).is_applied
        assert turn.gives is not None
        return turn.gives

    def using(self, grant: Grant, path: str = "") -> Batch:
        """The beginning of a call on *grant*."""
        path, after = path or f"/{self.count}.0", used(grant)
        audit = (events.grant_used(after, self.run.id, path, given.call(), after.agent),)
        return self.batch(Begun(path=path, key="k"), uses=after, effects=Effects(audit=audit))

    def closing(self, request: Request, move: Move = Move.EXPIRE, **changes: Any) -> Turn:
        after = close(request, move, at=self.house.clock.at, cause=Cause.DEADLINE)
        effects = Effects(audit=(events.request_decided(after),))
        return replace(Turn(after=after, entries=decided(after), fence=self.fence, effects=effects), **changes)

    def starting(self, request: Request) -> tuple[Batch, Request]:
        """What `spend` is given: the beginning of the call, and the request used up."""
        assert request.decision is not None
        after = spend(request, at=request.decision.at, digest=request.call.digest)
        start = events.Start(self.run.id, request.path, request.call, request.id)
        audit = (start.started(key="k", epoch=self.fence.epoch, is_idempotent=False),)
        return self.batch(Begun(path=request.path, key="k", request=request.id), effects=Effects(audit=audit)), after


def shard_of(id: str) -> int:
    return int(id.split("-")[1])


def decided(request: Request) -> tuple[Decided, ...]:
    if request.decision is None:
        return ()
    return (Decided(request=request.id, decision=request.decision, replaced_by=request.replaced_by),)


def step(path: str, result: str = "1") -> Step:
    return Step(path=path, mark="random", result=result)


def letter(text: str = "wait") -> Said:
    return Said(heard=Heard(by=given.BO, text=text))


def note(run: Run, text: str = "hello") -> Note:
    return Note(key=f"{run.id}/0", place=run.task.place, card=Card(body=text))


def shown(request: Request, name: str = "main") -> Copy:
    return Copy(name=name, place=request.place, ref=MessageRef(place=request.place, id="5.0"))
