"""What every `Store` promises about shards, tasks and runs.

    class TestRedisStore(StoreContract):
        @asynccontextmanager
        async def open(self) -> AsyncIterator[StoreHouse]: ...

The clock of a `StoreHouse` stands still until a test moves it. Requests have a part of their own
(`store_requests.py`), and so have the outbox, timers, audit and doorbell (`store_shown.py`).
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest

from bot.domain import events
from bot.domain.errors import LeaseLost
from bot.domain.run import Begun, Run, RunStatus
from bot.domain.store import Batch, Effects, Fence, Loaded, Note, Row, Store, Timer
from bot.domain.wire import replace
from tests.contracts.given import HIDDEN, LEASE, MS, NOTHING, Owner, StoreHouse, letter, note, shard_of, step
from tests.domain import given


class StoreBase:
    def open(self) -> AbstractAsyncContextManager[StoreHouse]:
        raise NotImplementedError


class LeaseContract(StoreBase):
    """Subclass it, override `open`, and name the subclass Test…"""

    async def test_a_shard_has_one_owner_until_its_lease_runs_out(self) -> None:
        """Nobody else gets it before; whoever takes it over raises the epoch."""
        async with self.open() as house:
            first = await house.fence(0, "one")

            assert await house.store.acquire(0, "two", LEASE) is None
            house.clock.tick(LEASE - MS)
            assert await house.store.acquire(0, "two", LEASE) is None
            house.clock.tick(MS)
            assert await house.fence(0, "two") == Fence(shard=0, owner="two", epoch=first.epoch + 1)

    async def test_renewing_keeps_a_shard(self) -> None:
        """Also after the lease ran out, if nobody came in between."""
        async with self.open() as house:
            fence = await house.fence(0, "one")
            house.clock.tick(LEASE * 2)

            assert await house.store.renew(fence, LEASE)
            assert await house.store.acquire(0, "two", LEASE) is None

    async def test_acquiring_again_is_the_same_lease(self) -> None:
        """The answer to the first try was lost."""
        async with self.open() as house:
            assert await house.fence(0, "one") == await house.fence(0, "one")

    async def test_a_released_shard_is_free_at_once(self) -> None:
        """A handover does not wait for the lease; the old owner is fenced even if it comes back under its name."""
        async with self.open() as house:
            old = await house.fence(0, "one")
            await house.store.release(old)
            await house.store.release(old)

            new = await house.fence(0, "two")
            assert new.epoch > old.epoch
            await house.store.release(old)
            assert await house.store.renew(new, LEASE)
            assert not await house.store.renew(old, LEASE)

    async def test_an_owner_who_was_replaced_can_write_nothing(self) -> None:
        """T/fence: every write of an owner shows its epoch, and is refused when it is stale."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.approved()
            start, after = owner.starting(request)
            before = await everything(house.store, owner.shard)
            house.clock.tick(LEASE)
            await house.fence(owner.shard, "two")

            with pytest.raises(LeaseLost):
                await owner.append(step("/9"))
            with pytest.raises(LeaseLost):
                await owner.asks()
            with pytest.raises(LeaseLost):
                await house.store.spend(owner.fence, start, after)
            with pytest.raises(LeaseLost):
                await house.store.due(owner.fence, most=9, hidden=HIDDEN)
            with pytest.raises(LeaseLost):
                await house.store.posted(owner.fence, Row(name="run|x", stamp=1), None, NOTHING)
            await house.store.checkpoint(owner.fence, (1, 1), "mac", b'{"e":"checkpoint"}')
            assert await everything(house.store, owner.shard) == before

    async def test_a_replaced_owner_closes_no_request(self) -> None:
        """Expiry and withdrawal carry the fence; a vote of any process does not."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks()
            house.clock.tick(LEASE)
            await house.fence(owner.shard, "two")

            with pytest.raises(LeaseLost):
                await house.store.turn(owner.closing(request))
            assert (await house.store.turn(owner.voting(request))).is_applied

    async def test_an_owner_that_comes_back_under_its_name_is_another_one(self) -> None:
        """T/fence: what it began in its first time, it must not go on with: somebody else was there meanwhile."""
        async with self.open() as house:
            owner = await house.owner()
            await house.store.release(owner.fence)
            await house.store.release(await house.fence(owner.shard, "two"))
            again = await house.fence(owner.shard, owner.fence.owner)

            with pytest.raises(LeaseLost):
                await owner.append(step("/9"))
            assert not await house.store.renew(owner.fence, LEASE)
            assert await house.store.append(again, owner.run.id, Batch(op="x", count=0)) == 0

    async def test_a_lease_that_ran_out_still_fences(self) -> None:
        """Until somebody takes over, its owner goes on: nobody else can have written."""
        async with self.open() as house:
            owner = await house.owner()
            house.clock.tick(LEASE * 100)

            assert await owner.append(step("/0")) == 1

    async def test_processes_count_while_they_beat(self) -> None:
        async with self.open() as house:
            assert await house.store.beat("one", LEASE) == 1
            assert await house.store.beat("two", LEASE) == 2
            assert await house.store.beat("one", LEASE) == 2
            house.clock.tick(LEASE)
            assert await house.store.beat("two", LEASE) == 1


class IntakeContract(StoreBase):
    async def test_a_task_starts_one_run_however_often_it_is_delivered(self) -> None:
        """T12, I10: the second delivery gets the run of the first, and writes nothing."""
        async with self.open() as house:
            run, again = house.new_run(), house.new_run()
            shard = shard_of(run.id)
            first = await house.store.start(run, delivery="d", replaces=None, effects=began(run))
            written = await everything(house.store, shard)
            second = await house.store.start(again, delivery="d", replaces=None, effects=began(again))

            assert first.is_new
            assert not second.is_new
            assert second.run == run
            assert await everything(house.store, shard) == written
            assert await house.store.live_run(run.task.place.key) == run.id
            assert await house.store.executing(shard) == await house.store.mailbox(shard) == (run.id,)

    async def test_a_thread_has_one_live_run(self) -> None:
        """Two tasks at the same moment: one starts, the other is told which."""
        async with self.open() as house:
            runs = [house.new_run() for _ in range(5)]
            started = await asyncio.gather(
                *(house.store.start(r, delivery=r.id, replaces=None, effects=began(r)) for r in runs)
            )

            assert sum(each.is_new for each in started) == 1
            assert len({each.run.id for each in started}) == 1

    async def test_a_thread_takes_a_new_task_after_the_old_run_ended(self) -> None:
        async with self.open() as house:
            owner = await house.owner()
            await ends(owner)
            assert await house.store.live_run(owner.run.task.place.key) is None

            run = house.new_run()
            assert (await house.store.start(run, delivery="d2", replaces=None, effects=began(run))).is_new
            assert await house.store.recent_runs(owner.shard, 5) == (run.id, owner.run.id)

    async def test_a_reply_is_kept_once_and_is_mail(self) -> None:
        """I10, I12: no reply is lost, none counts twice."""
        async with self.open() as house:
            owner = await house.owner()
            mail = (await loaded(house.store, owner.run)).mail

            assert await house.store.tell(owner.run.id, letter(), delivery="d", effects=NOTHING)
            await house.store.tell(owner.run.id, letter(), delivery="d", effects=NOTHING)

            after = await loaded(house.store, owner.run)
            assert (after.letters, after.mail) == ((letter(),), mail + 1)

    async def test_a_run_that_ended_hears_nothing_more(self) -> None:
        """Whoever writes or stops too late learns it."""
        async with self.open() as house:
            owner = await house.owner()
            await ends(owner)

            assert not await house.store.tell(owner.run.id, letter(), delivery="d1", effects=NOTHING)
            assert not await house.store.stop(owner.run.id, delivery="d2", told="Stopped.", effects=NOTHING)
            assert await house.store.mailbox(owner.shard) == ()

    async def test_a_stop_is_marked_once_and_answers_the_same(self) -> None:
        """AS-16: a second press, or the same one again, changes nothing."""
        async with self.open() as house:
            owner = await house.owner()
            effects = Effects(audit=(events.run_stopped(owner.run.id, given.ANA, "d1"),))

            for delivery in ("d1", "d1", "d2"):
                assert await house.store.stop(owner.run.id, delivery=delivery, told="by Ana", effects=effects)

            found = await loaded(house.store, owner.run)
            assert (found.status, found.line) == (RunStatus.STOPPING, "by Ana")
            assert len([line for line in await house.store.trail(owner.run.id) if "run_stopped" in line]) == 1

    async def test_a_stop_that_came_first_is_how_the_run_ends(self) -> None:
        """The agent's last answer and the stop race: one end, and it is the stop."""
        async with self.open() as house:
            owner = await house.owner()
            await house.store.stop(owner.run.id, delivery="d", told="by Ana", effects=NOTHING)
            before = await everything(house.store, owner.shard)
            done = owner.batch(status=RunStatus.DONE, run=replace(owner.run, status=RunStatus.DONE))

            with pytest.raises(LeaseLost):
                await house.store.append(owner.fence, owner.run.id, done)
            assert await everything(house.store, owner.shard) == before
            await owner.append(status=RunStatus.ACTIVE)
            assert (await loaded(house.store, owner.run)).status is RunStatus.STOPPING
            await owner.append(status=RunStatus.STOPPED)
            assert (await loaded(house.store, owner.run)).status is RunStatus.STOPPED


class JournalContract(StoreBase):
    async def test_a_write_that_is_repeated_counts_once(self) -> None:
        """The reply was lost; the same batch again answers the same and leaves nothing twice."""
        async with self.open() as house:
            owner = await house.owner()
            batch = owner.batch(step("/0"), step("/1"), effects=Effects(audit=began(owner.run).audit))

            length = await house.store.append(owner.fence, owner.run.id, batch)
            written = await everything(house.store, owner.shard)
            assert await house.store.append(owner.fence, owner.run.id, batch) == length == 2
            assert await everything(house.store, owner.shard) == written

    async def test_a_write_computed_from_less_is_refused_whole(self) -> None:
        """Another batch at the same count: neither entries nor audit, rows, notes, timers or letters."""
        async with self.open() as house:
            owner = await house.owner()
            late = owner.batch(step("/0", "2"), effects=effects_of(owner))
            owner.count = 0
            await owner.append(step("/0"))
            before = await everything(house.store, owner.shard), await house.store.load(owner.run.id)

            with pytest.raises(LeaseLost):
                await house.store.append(owner.fence, owner.run.id, late)
            assert (await everything(house.store, owner.shard), await house.store.load(owner.run.id)) == before

    async def test_a_batch_and_what_it_causes_are_one_step(self) -> None:
        async with self.open() as house:
            owner = await house.owner()
            await owner.append(step("/0"), effects=effects_of(owner), line="Thinking", letters=1)

            found = await loaded(house.store, owner.run)
            assert (found.entries, found.line, found.told) == ((step("/0"),), "Thinking", 1)
            assert await house.store.note(owner.shard, note(owner.run).key) == note(owner.run)
            assert note(owner.run).key in "".join(await names(house.store, owner.shard))
            house.clock.tick(HIDDEN)
            assert [t.name for t in await house.store.due(owner.fence, most=9, hidden=HIDDEN)] == ["sleep|r|/0"]

    async def test_the_decision_of_another_process_is_no_gap(self) -> None:
        """Anyone may write a vote between two writes of the owner; the owner's count does not know of it."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks()
            await house.store.turn(owner.voting(request))

            assert await owner.append(step("/9")) == 3
            found = await loaded(house.store, owner.run)
            assert (found.count, found.length, len(found.entries)) == (2, 3, 3)

    async def test_a_tail_is_what_came_since(self) -> None:
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks()
            turn = owner.voting(request)
            await house.store.turn(turn)
            await house.store.tell(owner.run.id, letter(), delivery="d", effects=NOTHING)

            tail = await house.store.tail(owner.run.id, 1, 0)

            assert (tail.entries, tail.letters, tail.length) == (turn.entries, (letter(),), 2)
            assert tail.mail == (await loaded(house.store, owner.run)).mail
            assert tail.status is RunStatus.ACTIVE

    async def test_mail_stays_until_a_write_has_seen_all_of_it(self) -> None:
        """I12: a reply that came while the owner was writing keeps its run in the mailbox."""
        async with self.open() as house:
            owner = await house.owner()
            seen = (await loaded(house.store, owner.run)).mail
            await house.store.tell(owner.run.id, letter(), delivery="d", effects=NOTHING)

            await owner.append(step("/0"), seen=seen)
            assert await house.store.mailbox(owner.shard) == (owner.run.id,)
            await owner.append(step("/1"), seen=seen + 1)
            assert await house.store.mailbox(owner.shard) == ()

    async def test_a_run_that_waits_is_not_executing(self) -> None:
        """What an adopter must replay at once is only what was at work."""
        async with self.open() as house:
            owner = await house.owner()
            await owner.append(step("/0"), status=RunStatus.WAITING)
            assert await house.store.executing(owner.shard) == ()

            await owner.append(Begun(path="/1.0", key="k"), status=RunStatus.ACTIVE)
            assert await house.store.executing(owner.shard) == (owner.run.id,)

    async def test_an_end_leaves_nothing_to_do(self) -> None:
        """No mail, nothing executing, and nothing can be added."""
        async with self.open() as house:
            owner = await house.owner()
            await ends(owner)

            assert await house.store.executing(owner.shard) == await house.store.mailbox(owner.shard) == ()
            with pytest.raises(LeaseLost):
                await owner.append(step("/9"))
            assert (await loaded(house.store, owner.run)).run.ended == house.clock.at

    async def test_a_run_nobody_knows_is_not_there(self) -> None:
        async with self.open() as house:
            assert await house.store.load(house.new_run().id) is None


# ------------------------------------------------------------------ helpers


async def loaded(store: Store, run: Run) -> Loaded:
    found = await store.load(run.id)
    assert found is not None
    return found


async def names(store: Store, shard: int) -> list[str]:
    return [row.name for row in await store.rows(shard)]


async def everything(store: Store, shard: int) -> tuple[object, ...]:
    """What a refused write must leave as it was."""
    return (
        await store.rows(shard),
        await store.audit_lines(shard, 0, -1),
        await store.open_requests(shard),
        await store.mailbox(shard),
        await store.executing(shard),
        await store.totals(shard),
        await store.sealed(shard),
        [await store.load(run) for run in await store.recent_runs(shard, 9)],
    )


async def ends(owner: Owner, status: RunStatus = RunStatus.DONE) -> None:
    run = replace(owner.run, status=status, ended=owner.house.clock.at)
    await owner.append(status=status, run=run, effects=Effects(audit=(events.run_ended(run.id, status),)))


async def says(owner: Owner, said: Note) -> None:
    await owner.append(effects=Effects(notes=(said,), dirty=(f"note|{said.key}",)))


def began(run: Run) -> Effects:
    return Effects(audit=(events.run_started(run),), dirty=(f"run|{run.id}",))


def effects_of(owner: Owner) -> Effects:
    """One of each."""
    said = note(owner.run)
    timer = Timer(name="sleep|r|/0", due=owner.house.clock.at + HIDDEN)
    return Effects(audit=began(owner.run).audit, dirty=(f"note|{said.key}",), notes=(said,), timers=(timer,))
