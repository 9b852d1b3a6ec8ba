"""Requests are sealed: what Redis holds is believed only if we wrote it."""

from __future__ import annotations

import pytest

from bot.domain.audit import parse_line, verify_chain
from bot.domain.errors import BadSeal
from bot.domain.invariants import check
from bot.domain.request import Status
from bot.domain.wire import pack
from bot.store.link import Link
from tests.contracts.on_redis import OnRedis


class TestSeals(OnRedis):
    """T22: somebody who can write to Redis, but does not hold our key."""

    @pytest.mark.parametrize("field", ["doc", "status", "v", "due"])
    async def test_a_changed_record_is_not_believed(self, field: str) -> None:
        """Its body, or anything beside it that the scripts judge by."""
        async with self.open() as house, self.server() as server:
            owner = await house.owner()
            request = await owner.asks()
            key = self.key(owner, "request", request.id)
            forged = {
                "doc": (await server.hget(key, "doc")).replace(b"150", b"900"),
                "status": b"approved",
                "v": b"7",
                "due": b"9999999999999",
            }
            await server.hset(key, field, forged[field])

            with pytest.raises(BadSeal):
                await house.store.held(request.id)

    async def test_a_forged_approval_is_not_believed(self) -> None:
        """A whole decided record, well-formed, with everything but the seal."""
        async with self.open() as house, self.server() as server:
            owner = await house.owner()
            request = await owner.asks()
            after = owner.voting(request).after
            fields = {"doc": b"A" * 20 + pack(after), "status": "approved", "v": "2"}
            await server.hset(self.key(owner, "request", request.id), mapping=fields)

            with pytest.raises(BadSeal):
                await house.store.held(request.id)

    async def test_two_records_cannot_be_swapped(self) -> None:
        """The seal covers the name: an approval of one call is none of another."""
        async with self.open() as house, self.server() as server:
            owner = await house.owner()
            approved, wanted = await owner.approved(), await owner.asks()
            source, target = (self.key(owner, "request", each.id) for each in (approved, wanted))
            await server.hset(target, mapping=await server.hgetall(source))

            with pytest.raises(BadSeal):
                await house.store.held(wanted.id)

    async def test_another_key_reads_nothing(self) -> None:
        async with self.open() as house:
            request = await (await house.owner()).asks()
            other = Link(self.url)
            with pytest.raises(BadSeal):
                await self.store(other, key=b"x" * 32).held(request.id)
            await other.close()

    async def test_an_older_record_put_back_alone_is_not_believed(self) -> None:
        """The version beside it has gone on."""
        async with self.open() as house, self.server() as server:
            owner = await house.owner()
            request = await owner.asks()
            key = self.key(owner, "request", request.id)
            old = await server.hget(key, "doc")
            await house.store.turn(owner.voting(request))
            await server.hset(key, "doc", old)

            with pytest.raises(BadSeal):
                await house.store.held(request.id)

    async def test_a_whole_older_state_is_believed_by_the_store_and_found_by_the_audit(self) -> None:
        """What a seal cannot do: every field put back to what we once sealed looks true, and would be spent again.

        Two things stand in the way. The run's journal says that the call has begun, so the gate takes it for
        a call in doubt; and the audit shows a second start of one approval.
        """
        async with self.open() as house, self.server() as server:
            owner = await house.owner()
            request = await owner.approved()
            key = self.key(owner, "request", request.id)
            old = await server.hgetall(key)
            await house.store.spend(owner.fence, *owner.starting(request))
            await server.hset(key, mapping=old)

            assert (await house.store.held(request.id)).request.status is Status.APPROVED
            await house.store.spend(owner.fence, *owner.starting(request))

            lines = await house.store.audit_lines(owner.shard, 0, -1)
            assert verify_chain(lines, shard=owner.shard) == []
            assert "I2" in {found.invariant for found in check(parse_line(owner.shard, line) for line in lines)}
