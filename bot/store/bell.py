"""The doorbell: pub/sub on the shards this process owns. A ring may get lost; the mailbox may not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from redis import exceptions as gone
from redis.asyncio.client import PubSub

from bot.domain.errors import StoreUnavailable
from bot.domain.request import RunId
from bot.domain.store import Ring
from bot.store.keys import Keyring
from bot.store.link import Link

WAIT = 5.0  # seconds per look at the socket; no message in that time is not an error


class Bell:
    """Subscribe first, look second: whoever listens here must read the mailbox after the context is entered."""

    def __init__(self, link: Link, namespace: str) -> None:
        self.__link, self.__namespace = link, namespace

    def listen(self, shards: frozenset[int]) -> AbstractAsyncContextManager[AsyncIterator[Ring]]:
        return self._listening(shards)

    @asynccontextmanager
    async def _listening(self, shards: frozenset[int]) -> AsyncIterator[AsyncIterator[Ring]]:
        ears = self.__link.client.pubsub(ignore_subscribe_messages=True)
        try:
            await self.__link.ask(ears.subscribe(*(Keyring(self.__namespace, s)("bell") for s in sorted(shards))))
            yield _rings(ears)
        finally:
            await ears.aclose()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped


async def _rings(ears: PubSub) -> AsyncIterator[Ring]:
    while True:
        try:
            message = await ears.get_message(ignore_subscribe_messages=True, timeout=WAIT)
        except (gone.ConnectionError, gone.TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            raise StoreUnavailable(f"the doorbell's connection broke: {error}") from error
        if message is not None:
            run, _, mail = message["data"].decode().partition(" ")
            yield Ring(run=RunId(run) if run else None, mail=int(mail or 0))
