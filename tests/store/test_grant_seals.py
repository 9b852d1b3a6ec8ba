"""Grants are sealed: what Redis holds widens nothing unless we wrote it, and what is put back is found in the audit."""

from __future__ import annotations

import pytest

from bot.domain.audit import parse_line
from bot.domain.errors import BadSeal
from bot.domain.grant import used
from bot.domain.invariants import check
from bot.domain.offer import GrantId
from bot.domain.wire import pack, replace
from tests.contracts.on_redis import OnRedis


class TestGrantSeals(OnRedis):
    """T22: somebody who can write to Redis, but does not hold our key."""

    @pytest.mark.parametrize("field", ["doc", "v", "used", "most", "ends", "over"])
    async def test_a_changed_grant_is_not_believed(self, field: str) -> None:
        """Its terms, or anything beside them that a use is judged by: a rolled-back counter, too."""
        async with self.open() as house, self.server() as server:
            owner = await house.owner()
            grant = await owner.gives()
            await house.store.append(owner.fence, owner.run.id, owner.using(grant))
            key = self.key(owner, "grant", grant.id)
            forged = {
                "doc": (await server.hget(key, "doc")).replace(b"order_id", b"order_ix"),
                "v": b"1",
                "used": b"0",
                "most": b"99",
                "ends": b"9999999999999",
                "over": b"revoked",
            }
            await server.hset(key, field, forged[field])

            with pytest.raises(BadSeal):
                await house.store.grant(grant.id)

    async def test_a_grant_nobody_gave_is_not_believed(self) -> None:
        """Well-formed, with everything but the seal; nor is one of ours under another name."""
        async with self.open() as house, self.server() as server:
            owner = await house.owner()
            grant = await owner.gives()
            fields = await server.hgetall(self.key(owner, "grant", grant.id))
            wide, other = replace(grant, same="{}", most=99), GrantId(f"g-{owner.shard}-x")
            await server.hset(self.key(owner, "grant", other), mapping=fields)
            await server.hset(self.key(owner, "grant", grant.id), "doc", b"A" * 20 + pack(wide))

            for name in (grant.id, other):
                with pytest.raises(BadSeal):
                    await house.store.grant(name)

    async def test_an_older_record_of_ours_put_back_whole_is_found_by_the_audit(self) -> None:
        """I1: it bears our seal and is used again; that it was used once more than it allows stands in the log."""
        async with self.open() as house, self.server() as server:
            owner = await house.owner()
            grant = await owner.gives(most=1)
            key = self.key(owner, "grant", grant.id)
            old = await server.hgetall(key)
            await house.store.append(owner.fence, owner.run.id, owner.using(grant))
            assert await house.store.grant(grant.id) == used(grant)

            await server.hset(key, mapping=old)
            await house.store.append(owner.fence, owner.run.id, owner.using(grant))

            lines = await house.store.audit_lines(owner.shard, 0, -1)
            found = check(parse_line(owner.shard, line) for line in lines)
            assert any("used 2 times, and allows 1" in one.told for one in found)
