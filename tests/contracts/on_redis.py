"""The store of the contract, on the real server, with a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis.asyncio as redis

from bot.store.link import Link, lua, read_scripts
from bot.store.redis import RedisStore
from tests.contracts.given import Clock, Owner, StoreHouse
from tests.contracts.store import (
    StoreBase,
)

KEY = b"k" * 32
SHARDS = 2
TICKING = "t[1] * 1000 + math.floor(t[2] / 1000) + a.shift"


class OnRedis(StoreBase):
    @pytest.fixture(autouse=True)
    def _server(self, redis_url: str, namespace: str) -> None:
        self.url, self.namespace = redis_url, namespace

    @asynccontextmanager
    async def open(self, link: Callable[..., Link] = Link) -> AsyncIterator[StoreHouse]:
        clock = Clock()
        line = frozen(link(self.url, shift=clock))
        try:
            yield StoreHouse(self.store(line), clock)
        finally:
            await line.close()

    @asynccontextmanager
    async def server(self) -> AsyncIterator[Any]:
        """The server, for whoever may write to it without us. Untyped: the client's types cover two protocols."""
        async with redis.Redis.from_url(self.url) as client:
            yield client

    def store(self, link: Link, *, key: bytes = KEY, shards: int = SHARDS) -> RedisStore:
        return RedisStore(link, namespace=self.namespace, shards=shards, key=key)

    def key(self, owner: Owner, kind: str, id: str) -> str:
        return f"{{{self.namespace}:{owner.shard}}}:{kind}:{id}"


def frozen(link: Link) -> Link:
    """The real scripts, but time is what `shift` says and nothing else: one line differs."""
    prelude = lua("prelude")
    assert prelude.count(TICKING) == 1
    link._scripts = read_scripts(prelude.replace(TICKING, "a.shift"), lua("scripts"))
    return link
