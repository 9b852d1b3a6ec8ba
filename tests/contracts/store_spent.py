"""What every `Store` promises about the sums of a day: counted in the step that spends, and counted once."""

from __future__ import annotations

import pytest

from bot.domain.budget import Spending, Usage
from bot.domain.errors import LeaseLost
from bot.domain.wire import replace
from tests.contracts.given import step
from tests.contracts.store import StoreBase
from tests.domain import given

DAY = "2026-03-31"
ONE = Usage(tokens=500, steps=1, micros=2_200)
SPENDS = Spending(day=DAY, person=given.ANA, usage=ONE)
NOTHING = Usage()


class SpentContract(StoreBase):
    async def test_a_write_that_is_sent_again_spends_once(self) -> None:
        """D-37: its answer was lost on the way; the same write again adds nothing."""
        async with self.open() as house:
            owner = await house.owner()
            batch = owner.batch(step("/0"), spends=SPENDS)
            for _ in range(3):
                await house.store.append(owner.fence, owner.run.id, batch)

            assert await house.store.spent(DAY, given.ANA) == (ONE, ONE)

            await house.store.append(owner.fence, owner.run.id, owner.batch(step("/1"), spends=SPENDS))
            assert await house.store.spent(DAY, given.ANA) == (ONE.plus(ONE), ONE.plus(ONE))

    async def test_a_write_that_is_refused_spends_nothing(self) -> None:
        """D-37: of somebody who lost the shard, or who counted wrongly."""
        async with self.open() as house:
            owner = await house.owner()
            batch = owner.batch(step("/0"), spends=SPENDS)

            for fence, sent in (
                (replace(owner.fence, epoch=owner.fence.epoch + 1), batch),
                (owner.fence, replace(batch, count=7)),
            ):
                with pytest.raises(LeaseLost):
                    await house.store.append(fence, owner.run.id, sent)

            assert await house.store.spent(DAY, given.ANA) == (NOTHING, NOTHING)

    async def test_each_person_and_each_day_has_sums_of_its_own_over_all_shards(self) -> None:
        """D-37: two runs on two shards; everybody's sum is that of all people."""
        async with self.open() as house:
            threads = {house.store.shard_of(f"slack/T1/C1/{number}.0"): f"{number}.0" for number in range(40)}
            owners = [await house.owner(thread) for thread in threads.values()]
            for owner, person in zip(owners, (given.ANA, given.BO), strict=False):
                spends = replace(SPENDS, person=person)
                await house.store.append(owner.fence, owner.run.id, owner.batch(step("/0"), spends=spends))
            spends = replace(SPENDS, day="2026-04-01")
            await house.store.append(owners[0].fence, owners[0].run.id, owners[0].batch(step("/1"), spends=spends))

            all_of_it = ONE.plus(ONE) if len(owners) > 1 else ONE
            assert await house.store.spent(DAY, given.ANA) == (ONE, all_of_it)
            assert await house.store.spent("2026-04-01", given.ANA) == (ONE, ONE)
            assert await house.store.spent("2026-04-02", given.ANA) == (NOTHING, NOTHING)
