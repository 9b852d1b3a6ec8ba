"""One web server on one address: whatever platforms post to, and no more than it may.

Bound to loopback unless told otherwise: TLS ends in front of it. Does not own what a route does with a request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from bot.domain.errors import BadSettings
from bot.domain.wire import MAX_BYTES

LAST_REQUESTS = 3.0  # seconds for what is under way when we close; by then platforms have given up on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 3000


@asynccontextmanager
async def listening(
    address: Address, routes: Iterable[web.AbstractRouteDef], *, setting: str = "PORT"
) -> AsyncIterator[int]:
    """Serve *routes* until the context ends; gives the port.

    Bodies over MAX_BYTES are 413 before they are read whole. Raises BadSettings, which names *setting*, when the
    address cannot be used.
    """
    app = web.Application(client_max_size=MAX_BYTES)
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=LAST_REQUESTS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, address.host, address.port).start()
        except OSError as error:
            where = f"{address.port} on {address.host}"
            told = f"{setting}: {where} cannot be used ({error.strerror}). Please choose another."
            raise BadSettings([told]) from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
