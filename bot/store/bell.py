"""The doorbell: pub/sub on the shards this process owns. A ring may get lost; the mailbox may not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from bot.domain.errors import StoreUnavailable
from bot.domain.request import RunId
from bot.domain.store import Ring
from bot.store.keys import Keyring
from bot.store.line import Ears
from bot.store.link import Link

QUIET = 5.0  # seconds without a ring, after which the line is asked whether it still lives


class Bell:
    """Subscribe first, look second: whoever listens here must read the mailbox after the context is entered."""

    def __init__(self, link: Link, namespace: str) -> None:
        self.__link, self.__namespace = link, namespace

    def listen(self, shards: frozenset[int]) -> AbstractAsyncContextManager[AsyncIterator[Ring]]:
        return self._listening(shards)

    @asynccontextmanager
    async def _listening(self, shards: frozenset[int]) -> AsyncIterator[AsyncIterator[Ring]]:
        channels = [Keyring(self.__namespace, shard)("bell") for shard in sorted(shards)]
        ears = await self.__link.ask(self.__link.client.ears(*channels))
        try:
            yield _rings(self.__link, ears)
        finally:
            ears.close()


async def _rings(link: Link, ears: Ears) -> AsyncIterator[Ring]:
    while True:
        while ears.heard:
            run, _, mail = ears.heard.popleft().decode().partition(" ")
            yield Ring(run=RunId(run) if run else None, mail=int(mail or 0))
        if not ears.is_open:
            raise StoreUnavailable("the doorbell's connection broke")
        try:
            async with asyncio.timeout(QUIET):
                await ears.listen()
        except TimeoutError:
            await link.ask(ears.ping())
