"""A web server on loopback, for as long as somebody needs one.

async with served(app) as base, answering(hit) as other:
    ...                                       # http://127.0.0.1:PORT, each on a port of its own
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(app: web.Application, *, patience: float = 1.0) -> AsyncIterator[str]:
    """Its address, with no slash behind it. In the end, what is still at work has *patience* seconds to finish."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=patience)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def routed(*routes: web.RouteDef, patience: float = 1.0) -> AbstractAsyncContextManager[str]:
    """The address of a server that knows these routes."""
    app = web.Application()
    app.add_routes(routes)
    return served(app, patience=patience)


def answering(hit: Handler) -> AbstractAsyncContextManager[str]:
    """The address of a server where *hit* answers everything."""
    return routed(web.route("*", "/{rest:.*}", hit))
