"""The store's contract, kept by Redis; with answers that get lost, forgotten scripts, and the server's own clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest
from redis import exceptions as gone

from bot.domain.absence import Absence
from bot.domain.errors import StoreUnavailable, TooLate
from bot.domain.request import Copy, Kind, Status
from bot.domain.run import Decided
from bot.domain.store import Batch, Fence, Row
from bot.domain.wire import replace
from bot.store.line import Word
from bot.store.link import Link, Script
from bot.store.redis import RedisStore
from tests.contracts.given import HIDDEN, HOUR, LEASE, MS, NOTHING, Clock, Owner, StoreHouse, letter, step
from tests.contracts.on_redis import OnRedis
from tests.contracts.store import (
    IntakeContract,
    JournalContract,
    LeaseContract,
    everything,
    loaded,
)
from tests.contracts.store_absences import AbsenceContract
from tests.contracts.store_crowd import CrowdContract
from tests.contracts.store_grants import GrantContract
from tests.contracts.store_letters import LetterContract
from tests.contracts.store_outliving import OutlivingContract
from tests.contracts.store_requests import EditContract, OpenContract, SpendContract, VoteContract
from tests.contracts.store_shown import ShownContract
from tests.contracts.store_spent import SpentContract
from tests.domain import given


class TestLeases(OnRedis, LeaseContract): ...


class TestIntake(OnRedis, IntakeContract): ...


class TestJournal(OnRedis, JournalContract): ...


class TestShown(OnRedis, ShownContract): ...


class TestSpent(OnRedis, SpentContract): ...


class TestOpen(OnRedis, OpenContract): ...


class TestVotes(OnRedis, VoteContract): ...


class TestEdits(OnRedis, EditContract): ...


class TestSpend(OnRedis, SpendContract): ...


class TestCrowd(OnRedis, CrowdContract): ...


class TestOutliving(OnRedis, OutlivingContract): ...


class TestGrants(OnRedis, GrantContract): ...


class TestLetters(OnRedis, LetterContract): ...


class TestAbsences(OnRedis, AbsenceContract): ...


class Deaf(Link):
    """Every function is run by the server, and its first answer is lost on the way."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.is_deaf = False

    async def _eval(self, script: Script, keys: list[str], packed: bytes) -> list[Any]:
        reply = await super()._eval(script, keys, packed)
        if self.is_deaf:
            self.is_deaf = False
            raise gone.TimeoutError("lost")
        return reply


class TestLostReplies(OnRedis):
    async def test_any_write_may_be_repeated_when_its_answer_was_lost(self) -> None:
        """I10, I12: `StoreUnavailable` says "unknown"; the same call again makes it known, and leaves one effect."""
        async with self.open(Deaf) as house:
            store = house.store
            assert isinstance(store, RedisStore)
            link = store._link
            assert isinstance(link, Deaf)

            async def insists(owner: Owner, what: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
                link.is_deaf = True
                with pytest.raises(StoreUnavailable):
                    await what()
                once = await everything(store, owner.shard)
                answer = await what()
                assert await everything(store, owner.shard) == once
                return answer

            owner = await house.owner()
            run, shard, fence = owner.run.id, owner.shard, owner.fence
            assert await insists(owner, lambda: store.acquire(shard, "one", LEASE)) == fence
            assert await insists(owner, lambda: store.renew(fence, LEASE))
            again = house.new_run("3.0")
            await insists(owner, lambda: store.start(again, delivery="d0", replaces=None, effects=NOTHING))
            await insists(owner, lambda: store.tell(run, letter(), delivery="d1", effects=NOTHING))
            batch = owner.batch(step("/0"))
            assert await insists(owner, lambda: store.append(fence, run, batch)) == 1
            request = owner.new_request()
            opening = owner.opening(request)
            assert await insists(owner, lambda: store.open(fence, opening, request, (Copy(name="main"),))) == 2
            vote = owner.voting(request)
            assert (await insists(owner, lambda: store.turn(vote))).repeat == vote.answer
            start, after = owner.starting(vote.after)
            assert await insists(owner, lambda: store.spend(fence, start, after)) == 4
            row = (await store.rows(shard))[0]
            await insists(owner, lambda: store.posted(fence, row, None, NOTHING))
            span = (1, (await store.sealed(shard)).seq)
            await insists(owner, lambda: store.checkpoint(fence, span, "mac", b'{"e":"checkpoint"}'))
            assert await insists(owner, lambda: store.stop(run, delivery="d2", told="by Ana", effects=NOTHING))
            away = Absence(person=given.BO, since=house.clock.at, until=house.clock.at + HOUR, delivery="d3")
            assert await insists(owner, lambda: store.leave(away, answer="noted")) == "noted"
            back = {"delivery": "d4", "answer": "welcome"}
            assert await insists(owner, lambda: store.come_back(given.BO, **back)) == "welcome"
            await insists(owner, lambda: store.release(fence))

    async def test_a_script_the_server_forgot_is_sent_again(self) -> None:
        """A restarted server knows no scripts: nobody notices."""
        async with self.open() as house, self.server() as server:
            owner = await house.owner()
            await server.script_flush()

            assert await owner.append(step("/0")) == 1
            assert await owner.append(step("/1")) == 2

    async def test_every_method_says_when_there_is_no_server(self, tmp_path: Path) -> None:
        """CD-05: nothing hangs, nothing else than `StoreUnavailable` comes out."""
        link = Link(f"unix://{tmp_path}/none")
        store = self.store(link)
        house = StoreHouse(store, Clock())
        run = house.new_run()
        owner = Owner(house, run, fence := Fence(shard=0, owner="one", epoch=1))
        request = owner.new_request()
        turn = owner.voting(request)
        calls: list[Awaitable[object]] = [
            *(store.prepare(), store.acquire(0, "one", LEASE), store.renew(fence, LEASE)),
            *(store.release(fence), store.beat("one", LEASE), store.live_run("t"), store.load(run.id)),
            store.start(run, delivery="d", replaces=None, effects=NOTHING),
            store.tell(run.id, letter(), delivery="d", effects=NOTHING),
            store.stop(run.id, delivery="d", told="", effects=NOTHING),
            *(store.tail(run.id, 0, 0), store.append(fence, run.id, Batch(op="1", count=0))),
            store.open(fence, Batch(op="1", count=0), request, ()),
            store.spend(fence, Batch(op="1", count=0), turn.after),
            *(store.held(request.id), store.turn(turn), store.log(0, (b"{}",)), store.sealed(0)),
            *(store.checkpoint(fence, (1, 1), "", b"{}"), store.mailbox(0), store.executing(0)),
            *(store.due(fence, most=1, hidden=HIDDEN), store.untime(0, "x"), store.rows(0)),
            *(store.note(0, "x"), store.posted(fence, Row(name="run|x", stamp=1), None, NOTHING)),
            *(store.open_requests(0), store.recent_runs(0, 9), store.trail(run.id)),
            *(store.audit_lines(0, 0, -1), store.totals(0), self._listen(store), store.absences()),
            store.leave(Absence(person=given.BO, since=given.NOW, until=given.NOW + HOUR, delivery="d"), answer=""),
            store.come_back(given.BO, delivery="d", answer=""),
        ]
        for call in calls:
            with pytest.raises(StoreUnavailable):
                await call
        await link.close()

    async def _listen(self, store: RedisStore) -> None:
        async with store.listen(frozenset({0})):
            pass


class Counting(Link):
    """How often other shards were looked at, and how many commands each look was."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.looks: list[int] = []

    async def together(self, *commands: Sequence[Word]) -> list[Any]:
        self.looks.append(len(commands))
        return await super().together(*commands)


class TestLooksElsewhere(OnRedis):
    """T18: what a limit over all shards costs."""

    @pytest.mark.parametrize(
        ("limits", "changes", "looks"),
        [
            ({"most": 5, "place_most": 5, "is_single": True}, {}, [9]),
            ({"most": 5}, {}, [3]),
            ({"place_most": 5, "is_single": True}, {}, [6]),
            ({"most": 5, "place_most": 5, "is_single": True}, {"kind": Kind.QUESTION}, [6]),
            ({}, {}, []),
        ],
        ids=["all limits", "a person's", "no person's", "a question, which repeats none elsewhere", "none"],
    )
    async def test_an_opening_looks_once_at_what_is_limited(
        self, limits: dict[str, Any], changes: dict[str, Any], looks: list[int]
    ) -> None:
        """One round trip, and one read for each limit on each of three other shards; none where nothing is limited."""
        async with self.open(Counting) as house:
            link = house.store._link  # type: ignore[attr-defined]  # whatever counts
            house.store = self.store(link, shards=4)
            owner = await house.owner()
            link.looks.clear()
            request = owner.new_request(**changes)

            await house.store.open(owner.fence, replace(owner.opening(request), **limits), request, ())
            if request.kind is Kind.APPROVAL:  # and a click looks nowhere else
                await house.store.turn(owner.voting(request))

            assert link.looks == looks

    async def test_one_shard_looks_at_nothing(self) -> None:
        async with self.open(Counting) as house:
            link = house.store._link  # type: ignore[attr-defined]  # whatever counts
            house.store = self.store(link, shards=1)
            owner = await house.owner()
            link.looks.clear()

            await house.store.open(
                owner.fence, replace(owner.opening(asked := owner.new_request()), most=5, is_single=True), asked, ()
            )

            assert link.looks == []


class TestTime(OnRedis):
    async def test_around_the_deadline_exactly_one_of_vote_and_expiry_wins(self) -> None:
        """I6: the server's own clock, at deadlines a few milliseconds around now."""
        link = Link(self.url)
        store = self.store(link)
        await store.prepare()
        house = StoreHouse(store, Clock(store.now()))
        owner = await house.owner()
        ends = set[Status]()
        for late in [*range(-3, 6)] * 3:
            house.clock.at = store.now()
            request = await owner.asks(deadline=house.clock.at + late * MS)
            click, expiry = owner.voting(request), owner.closing(request, is_expiry=True)
            outcomes = await asyncio.gather(store.turn(click), store.turn(expiry), return_exceptions=True)
            assert all(isinstance(outcome, TooLate) or not isinstance(outcome, BaseException) for outcome in outcomes)
            while (found := (await store.held(request.id)).request).is_open:
                await store.turn(expiry)
            ends.add(found.status)

        entries = [entry for entry in (await loaded(store, owner.run)).entries if isinstance(entry, Decided)]
        assert len({entry.request for entry in entries}) == len(entries) == 27
        assert ends == {Status.APPROVED, Status.EXPIRED}
        await link.close()
