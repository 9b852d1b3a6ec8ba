"""Keys: one hash tag per function, an end for everything that has ended, and a namespace that is ours alone."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.absence import Absence
from bot.domain.chat import PersonId
from bot.domain.errors import BadSettings
from bot.domain.grant import revoked, used
from bot.domain.request import Move
from bot.domain.run import RunStatus
from bot.store.keys import KEEP
from bot.store.link import Link, Script
from bot.store.redis import RedisStore
from tests.contracts.given import HIDDEN, LEASE, NOTHING, StoreHouse, letter, note
from tests.contracts.on_redis import OnRedis, frozen
from tests.contracts.store import (
    ends,
    says,
)
from tests.contracts.store_outliving import broken
from tests.contracts.store_requests import edited
from tests.domain import given


class Listed(Link):
    """Writes down which keys each function was given."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.calls: list[tuple[str, list[str]]] = []

    async def _eval(self, script: Script, keys: list[str], packed: bytes) -> list[Any]:
        self.calls.append((script.name, keys))
        return await super()._eval(script, keys, packed)


class TestKeys(OnRedis):
    async def test_every_function_touches_one_slot(self) -> None:
        """T/cluster: all keys of one call carry the same hash tag, whatever people put into ids and places."""
        async with self.open(Listed) as house:
            await whole_story(house, thread="}{1.0:0}:x")
            assert isinstance(house.store, RedisStore)
            link = house.store._link
            assert isinstance(link, Listed)

            assert {name for name, _ in link.calls} == set(link._scripts)
            for name, keys in link.calls:
                assert len({slot_tag(key) for key in keys}) == 1, (name, keys)
                assert len(keys) == len(link._scripts[name].keys)

    async def test_what_has_ended_is_forgotten_in_time(self) -> None:
        """CD-05: a month after the end nothing of a run is left but the audit; what lives has no end."""
        async with self.open() as house, self.server() as server:
            owner = await house.owner()
            request = await owner.asks()
            await house.store.tell(owner.run.id, letter(), delivery="d", effects=NOTHING)
            place = owner.run.task.place.key
            keys = {kind: self.key(owner, kind, owner.run.id) for kind in ("run", "journal", "inbox")}
            keys |= {"thread": self.key(owner, "thread", place), "request": self.key(owner, "request", request.id)}
            assert {await server.ttl(key) for key in keys.values()} == {-1}

            await house.store.turn(owner.voting(request))
            await ends(owner)

            limit = int(KEEP.total_seconds())
            assert all([limit - 60 < await server.ttl(key) <= limit for key in keys.values()])
            left = {
                key.decode() async for key in server.scan_iter(f"{{{self.namespace}*") if await server.ttl(key) == -1
            }
            kinds = {key.rpartition(":")[2] for key in left}
            assert kinds == {"lease", "chain", "audit", "outbox", "recent"}

    async def test_a_review_is_forgotten_a_month_after_its_answer_and_not_after_its_run(self) -> None:
        """CD-05, I12: until it is answered its record has no end, and its answer brings no key of the run back."""
        async with self.open() as house, self.server() as server:
            owner = await house.owner()
            review = await broken(owner)
            await ends(owner)
            record = self.key(owner, "request", review.id)
            kinds = [self.key(owner, kind, owner.run.id) for kind in ("run", "journal", "inbox")]
            assert await server.ttl(record) == -1
            await server.delete(*kinds)

            await house.store.turn(owner.voting(review, given.CY, Move.ANSWER, entries=()))

            assert 0 < await server.ttl(record) <= int(KEEP.total_seconds())
            assert not await server.exists(*kinds)

    async def test_a_new_task_in_an_old_thread_is_not_forgotten_with_it(self) -> None:
        async with self.open() as house, self.server() as server:
            owner = await house.owner()
            await ends(owner)
            await house.owner()

            assert await server.ttl(self.key(owner, "thread", owner.run.task.place.key)) == -1

    async def test_ids_name_their_shard(self) -> None:
        """The number of shards may grow: what was begun stays where it is."""
        async with self.open() as house:
            owners = [await house.owner(f"{n}.0") for n in range(8)]
            assert {owner.shard for owner in owners} == {0, 1}
            link = frozen(Link(self.url, shift=house.clock))
            larger = self.store(link, shards=64)

            for owner in owners:
                assert await larger.load(owner.run.id) == await house.store.load(owner.run.id)
            await link.close()

    @pytest.mark.parametrize(("changes", "named"), [({"key": b"x" * 32}, "COUNTERSIGN_KEY"), ({"shards": 3}, "SHARDS")])
    async def test_a_namespace_is_not_shared_by_mistake(self, changes: dict[str, Any], named: str) -> None:
        """Another key would read nothing, another number of shards would look for threads elsewhere."""
        link = Link(self.url)
        await self.store(link).prepare()
        await self.store(link).prepare()

        with pytest.raises(BadSettings, match=named):
            await self.store(link, **changes).prepare()
        await link.close()


async def whole_story(house: StoreHouse, thread: str) -> None:
    """Every function at least once."""
    store, owner = house.store, await house.owner(thread)
    await store.renew(owner.fence, LEASE)
    await store.beat("one", LEASE)
    await store.tell(owner.run.id, letter(), delivery="d}1", effects=NOTHING)
    await says(owner, note(owner.run))
    for row in await store.rows(owner.shard):
        await store.posted(owner.fence, row, None, NOTHING)
    await store.due(owner.fence, most=1, hidden=HIDDEN)
    await store.failed(owner.fence, "rung|q|0", (HIDDEN,))
    await store.overdue(owner.shard, LEASE)
    await store.turn(edited(owner, await owner.asks()))
    await store.spend(owner.fence, *owner.starting(await owner.approved()))
    grant = await owner.gives()
    await store.append(owner.fence, owner.run.id, owner.using(grant))
    await store.revoke(revoked(used(grant), given.BO, house.clock.at), owner.run.id, delivery="d}4", effects=NOTHING)
    await store.show_again(owner.shard, ("run|x",))
    await store.log(owner.shard, (b'{"e":"x"}',))
    await store.checkpoint(owner.fence, (1, 2), "mac", b'{"e":"checkpoint"}')
    away = Absence(person=PersonId("}{1"), since=house.clock.at, until=house.clock.at + LEASE, delivery="d}5")
    await store.leave(away, answer="noted")
    await store.come_back(away.person, delivery="d}6", answer="welcome")
    await store.stop(owner.run.id, delivery="d2", told="by Ana", effects=NOTHING)
    await ends(owner, RunStatus.STOPPED)
    await store.release(owner.fence)


def slot_tag(key: str) -> str:
    """What a cluster hashes: the text in the first braces, if there is any (redis.io, cluster specification)."""
    inside = key.partition("{")[2].partition("}")[0]
    return inside or key
