"""What can begin before the house is built: the embedded server reads its file while everything else is imported.

Light to import. Not what is stored there, nor waiting for it (app).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bot.config import Settings
from bot.store.embedded import EmbeddedServer

Server = EmbeddedServer | None


@asynccontextmanager
async def launched(settings: Settings) -> AsyncIterator[Server]:
    """The embedded server, begun but not yet answering; None when REDIS_URL names another one.

    Raises BadSettings (folder in use or not usable, no server to be found).
    """
    if settings.redis_url is not None:
        yield None
        return
    async with AsyncExitStack() as stack:
        server = EmbeddedServer(settings.var / "redis")
        await server.launch()
        stack.push_async_exit(server)
        yield server
