"""What every `Store` promises about grants: given with a vote, used in the write that begins a call, revoked once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.domain import events
from bot.domain.errors import NoSuchGrant, Ungranted, Unheard
from bot.domain.grant import revoked, used
from bot.domain.offer import Grant, GrantId
from bot.domain.run import Begun, RunStatus
from bot.domain.store import Effects
from bot.domain.wire import replace
from tests.contracts.given import HOUR, MS, NOTHING, Owner, letter
from tests.contracts.store import StoreBase, everything, loaded
from tests.domain import given


class GrantContract(StoreBase):
    async def test_a_grant_comes_with_the_approval_or_not_at_all(self) -> None:
        """PP-09, I1: a vote that loses its race gives nothing either."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks()
            won, lost = owner.giving(request), owner.giving(request)
            assert won.gives is not None
            assert lost.gives is not None

            assert (await house.store.turn(won)).is_applied
            assert not (await house.store.turn(lost)).is_applied

            assert await house.store.grant(won.gives.id) == won.gives
            with pytest.raises(NoSuchGrant):
                await house.store.grant(lost.gives.id)
            assert await house.store.granted(owner.shard, owner.run.task.place.key) == (won.gives.id,)

    async def test_a_vote_that_is_delivered_twice_gives_once(self) -> None:
        """T12, I10: the second delivery hears the same, and a grant that was used stays used."""
        async with self.open() as house:
            owner = await house.owner()
            turn = owner.giving(await owner.asks())
            assert turn.gives is not None
            await house.store.turn(turn)
            await house.store.append(owner.fence, owner.run.id, owner.using(turn.gives))

            assert (await house.store.turn(turn)).repeat == turn.answer
            assert (await house.store.grant(turn.gives.id)).used == 1

    async def test_grants_are_listed_by_thread_and_by_shard_until_they_end(self) -> None:
        """By the store's clock: at its end a grant is listed no more, though its record stays for a while."""
        async with self.open() as house:
            owner = await house.owner()
            soon = await owner.gives(until=house.clock.at + HOUR)
            late = await owner.gives(until=house.clock.at + 2 * HOUR)
            thread = owner.run.task.place.key

            assert await house.store.granted(owner.shard) == (soon.id, late.id)
            assert await house.store.granted(owner.shard, thread) == (soon.id, late.id)
            assert await house.store.granted(owner.shard, f"{thread}x") == ()
            house.clock.tick(HOUR)
            await owner.append()
            assert await house.store.granted(owner.shard) == (late.id,)
            assert await house.store.grant(soon.id) == soon

    @pytest.mark.parametrize("name", ["", "g", "g-x-1", "g-0-none", "q-0-1", "g-0-\ud800"])
    async def test_what_is_no_grant_is_nobodys(self, name: str) -> None:
        async with self.open() as house:
            with pytest.raises(NoSuchGrant):
                await house.store.grant(GrantId(name.encode("utf-8", "replace").decode()))

    async def test_a_use_and_the_beginning_of_its_call_are_one_step(self) -> None:
        """I1, I2: repeated after a lost answer it counts once."""
        async with self.open() as house:
            owner = await house.owner()
            grant = await owner.gives()
            batch = owner.using(grant)

            length = await house.store.append(owner.fence, owner.run.id, batch)
            written = await everything(house.store, owner.shard)
            assert await house.store.append(owner.fence, owner.run.id, batch) == length

            assert await everything(house.store, owner.shard) == written
            assert await house.store.grant(grant.id) == used(grant)
            assert any(isinstance(entry, Begun) for entry in (await loaded(house.store, owner.run)).entries)

    async def test_no_use_beyond_the_last(self) -> None:
        """The budget is judged where it is counted."""
        async with self.open() as house:
            owner = await house.owner()
            grant = await owner.gives(most=1)
            await house.store.append(owner.fence, owner.run.id, owner.using(grant))

            await refused(owner, used(grant))

    async def test_a_use_that_was_computed_before_another_one_is_refused(self) -> None:
        """Also with calls left: written down twice as the first, two uses would count as one."""
        async with self.open() as house:
            owner = await house.owner()
            grant = await owner.gives(most=9)
            await house.store.append(owner.fence, owner.run.id, owner.using(grant))

            await refused(owner, grant)
            await house.store.append(owner.fence, owner.run.id, owner.using(used(grant)))
            assert (await house.store.grant(grant.id)).used == 2

    async def test_of_two_for_the_last_use_one_begins(self) -> None:
        """Both were computed from what both saw; the other one is told, and has written nothing."""
        async with self.open() as house:
            owner = await house.owner()
            grant = await owner.gives(most=1)
            first = owner.using(grant, "/a")
            second = replace(owner.using(grant, "/b"), count=first.count)

            found = await asyncio.gather(
                *(house.store.append(owner.fence, owner.run.id, batch) for batch in (first, second)),
                return_exceptions=True,
            )

            assert sum(isinstance(one, int) for one in found) == 1
            assert (await house.store.grant(grant.id)).used == 1

    @pytest.mark.parametrize("late", [-1, 0, 1])
    async def test_the_end_is_judged_by_the_stores_own_clock(self, late: int) -> None:
        """T31: strictly before it a call may begin, at it or after it none."""
        async with self.open() as house:
            owner = await house.owner()
            grant = await owner.gives()
            house.clock.at = grant.until + late * MS

            if late < 0:
                await house.store.append(owner.fence, owner.run.id, owner.using(grant))
            else:
                await refused(owner, grant)

    async def test_what_was_revoked_begins_nothing(self) -> None:
        """Also for whoever looked at it before: a use names the revision it was computed from."""
        async with self.open() as house:
            owner = await house.owner()
            grant = await owner.gives()

            assert await revoke(owner, grant, "d1")

            await refused(owner, grant)
            await refused(owner, await house.store.grant(grant.id))
            assert await house.store.granted(owner.shard) == ()

    async def test_a_revocation_is_counted_once_and_not_over_a_use_it_did_not_see(self) -> None:
        """T12: the same delivery answers the same; computed from less, it is refused and looked at again."""
        async with self.open() as house:
            owner = await house.owner()
            grant = await owner.gives()
            await house.store.append(owner.fence, owner.run.id, owner.using(grant))

            assert not await revoke(owner, grant, "d1")
            assert await revoke(owner, used(grant), "d1")
            written = await everything(house.store, owner.shard)
            assert await revoke(owner, used(grant), "d1")
            assert await everything(house.store, owner.shard) == written
            assert not await revoke(owner, revoked(used(grant), given.CY, house.clock.at), "d2")
            stands = await house.store.grant(grant.id)
            assert (stands.revoked_by, stands.used) == (given.BO, 1)

    async def test_a_run_that_stops_uses_nothing(self) -> None:
        """AS-22: it may still write how its calls ended."""
        async with self.open() as house:
            owner = await house.owner()
            grant = await owner.gives()
            await house.store.stop(owner.run.id, delivery="d", told="by Ana", effects=NOTHING)

            await refused(owner, grant)
            await owner.append(status=RunStatus.STOPPED)

    async def test_a_reply_that_was_not_heard_comes_before_a_use(self) -> None:
        """Whoever gave it may be about to steer."""
        async with self.open() as house:
            owner = await house.owner()
            grant = await owner.gives()
            await house.store.tell(owner.run.id, letter(), delivery="d", effects=NOTHING)
            batch = replace(owner.using(grant), known=0)

            with pytest.raises(Unheard):
                await house.store.append(owner.fence, owner.run.id, batch)
            assert (await house.store.grant(grant.id)).used == 0


async def refused(owner: Owner, grant: Grant) -> None:
    """A use of *grant* is refused, and leaves everything as it was."""
    before = await everything(owner.store, owner.shard), await owner.store.load(owner.run.id)
    stands = await owner.store.grant(grant.id)
    batch = owner.using(grant)
    owner.count -= len(batch.entries)

    with pytest.raises(Ungranted):
        await owner.store.append(owner.fence, owner.run.id, batch)

    assert (await everything(owner.store, owner.shard), await owner.store.load(owner.run.id)) == before
    assert await owner.store.grant(grant.id) == stands


async def revoke(owner: Owner, grant: Grant, delivery: str) -> bool:
    after = revoked(grant, given.BO, owner.house.clock.at + timedelta())
    effects = Effects(audit=(events.grant_revoked(after, delivery),))
    return await owner.store.revoke(after, owner.run.id, delivery=delivery, effects=effects)
