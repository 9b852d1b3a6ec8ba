"""The contract of `Keep`, kept by Redis and by the fake; two processes at once; somebody who writes to Redis."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio as redis

from bot.domain.errors import BadSeal, StoreUnavailable
from bot.domain.ports import Keep
from bot.store.keep import RedisKeep
from bot.store.keys import keep_key
from bot.store.link import Link
from tests.contracts.keep import DAY, KeepContract
from tests.contracts.on_redis import KEY
from tests.fakes.keep import MemoryKeep

SECRET = b"xoxb-not-a-real-token"
RACES = 300


class OnServer:
    @pytest.fixture(autouse=True)
    def _server(self, redis_url: str, namespace: str) -> None:
        self.url, self.namespace = redis_url, namespace

    @asynccontextmanager
    async def open(self, *, key: bytes = KEY) -> AsyncIterator[Keep]:
        link = Link(self.url)
        yield RedisKeep(link, self.namespace, key)
        await link.close()

    @asynccontextmanager
    async def server(self) -> AsyncIterator[Any]:
        """The server, for whoever may write to it without us. Untyped: the client's types cover two protocols."""
        async with redis.Redis.from_url(self.url) as client:
            yield client

    def key(self, name: str) -> str:
        return keep_key(self.namespace, name)


class TestRedisKeep(OnServer, KeepContract):
    async def life(self, keep: Keep, name: str) -> timedelta | None:  # noqa: ARG002  # it asks the server itself
        async with self.server() as server:
            left = await server.pttl(self.key(name))
        assert left != -2, "it is not there at all"
        return None if left == -1 else timedelta(milliseconds=left)

    async def test_an_empty_roll_leaves_no_key_behind(self) -> None:
        async with self.open() as keep, self.server() as server:
            await keep.enrol("roll", "a", b"x", keep=DAY, most=3)

            assert 0 < await server.pttl(self.key("roll")) <= DAY.total_seconds() * 1000


class TestMemoryKeep(KeepContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Keep]:
        yield MemoryKeep()

    async def life(self, keep: Keep, name: str) -> timedelta | None:
        assert isinstance(keep, MemoryKeep)
        return keep.lives[name]


class TestSeals(OnServer):
    """T22: somebody who can read and write Redis, but does not hold our key."""

    async def test_redis_never_sees_a_value(self) -> None:
        """T20: a dump of the database shows names and noise; the same value twice looks different."""
        async with self.open() as keep, self.server() as server:
            await keep.put("token", SECRET)
            first = await server.get(self.key("token"))
            await keep.put("token", SECRET)

            assert SECRET not in first
            assert await server.get(self.key("token")) != first

    @pytest.mark.parametrize("at", [0, 1, 13, -1])
    async def test_a_changed_byte_is_noticed_wherever_it_stands(self, at: int) -> None:
        """Version, nonce, body or tag; and by whoever looks: get, claim or take."""
        async with self.open() as keep, self.server() as server:
            await keep.put("token", SECRET)
            sealed = bytearray(await server.get(self.key("token")))
            sealed[at] ^= 1
            await server.set(self.key("token"), bytes(sealed))

            with pytest.raises(BadSeal, match="token"):
                await keep.get("token")
            with pytest.raises(BadSeal):
                await keep.claim("token", b"mine", keep=DAY)
            with pytest.raises(BadSeal):
                await keep.take("token")

    @pytest.mark.parametrize("forged", [b"", b"\x01", b"\x01short", SECRET])
    async def test_bytes_that_were_never_sealed_are_not_believed(self, forged: bytes) -> None:
        async with self.open() as keep, self.server() as server:
            await server.set(self.key("token"), forged)

            with pytest.raises(BadSeal):
                await keep.get("token")

    async def test_a_value_cannot_be_moved_to_another_name(self) -> None:
        """T15: the token of one workspace is none for another."""
        async with self.open() as keep, self.server() as server:
            await keep.put("bot:T1", SECRET)
            await server.copy(self.key("bot:T1"), self.key("bot:T2"))

            with pytest.raises(BadSeal):
                await keep.get("bot:T2")

    async def test_a_name_that_somebody_wrote_on_a_roll_shows_nothing_else(self) -> None:
        """T20: what stands on a roll is looked for under that roll's own name alone."""
        async with self.open() as keep, self.server() as server:
            await keep.put("token", SECRET)
            await server.zadd(self.key("roll"), {"token": 1e15, "../token": 1e15})

            assert await keep.enrolled("roll") == {}

    async def test_another_key_opens_nothing(self) -> None:
        async with self.open() as keep, self.open(key=b"x" * 32) as other:
            await keep.put("token", SECRET)

            with pytest.raises(BadSeal):
                await other.get("token")


class TestTwoProcesses(OnServer):
    async def test_each_name_is_won_by_one_of_two_processes(self) -> None:
        """I12: both claim three hundred posts in the same order at the same time: none is made twice or by nobody."""
        racers = [await self._racer(me) for me in ("one", "two")]
        for racer in racers:
            assert await _line(racer) == "ready"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write(b"go\n")
        won = [(await _line(racer)).split() for racer in racers]
        assert [await racer.wait() for racer in racers] == [0, 0]

        assert sorted(int(n) for each in won for n in each) == list(range(RACES))
        async with self.open() as keep:
            held = [await keep.get(f"post {n}") for n in range(RACES)]
        assert [n for n in range(RACES) if held[n] == b"one"] == [int(n) for n in won[0]]

    async def test_what_one_process_put_the_other_reads(self) -> None:
        async with self.open() as keep, self.open() as other:
            await keep.put("token", SECRET)

            assert await other.get("token") == SECRET

    async def _racer(self, me: str) -> asyncio.subprocess.Process:
        words = ("-m", "tests.contracts.claimer", self.url, self.namespace, me, str(RACES))
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(sys.executable, *words, stdin=pipe, stdout=pipe)


async def test_a_keep_without_its_server_says_so(tmp_path: Path) -> None:
    """CD-05: nothing hangs, nothing else than StoreUnavailable comes out."""
    link = Link(f"unix://{tmp_path}/none")
    keep = RedisKeep(link, "t", KEY)
    rolls = (keep.enrol("r", "a", b"", keep=DAY, most=1), keep.enrolled("r"))
    ones = (keep.claim("a", b"", keep=DAY), keep.put("a", b""), keep.get("a"), keep.take("a"), keep.forget("a"))
    for call in (*ones, *rolls):
        with pytest.raises(StoreUnavailable):
            await call
    await link.close()


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()
