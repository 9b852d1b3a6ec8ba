"""The web server Slack posts to: one path for everything, and whatever routes others mount beside it (OAuth).

request -> guard -> ears -> bolt's answer. Bound to loopback unless told otherwise: TLS ends in front of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from adapters.slack.ears import Takes
from adapters.slack.guard import Guard
from bot.domain.errors import BadSettings
from bot.domain.wire import MAX_BYTES

PATH = "/slack/events"
LAST_REQUESTS = 3.0  # seconds for what is under way when we close; by then Slack has given up on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 3000


@asynccontextmanager
async def serving(
    address: Address, ears: Takes, guard: Guard, routes: Iterable[web.AbstractRouteDef] = ()
) -> AsyncIterator[int]:
    """Serve until the context ends; gives the port. Raises BadSettings when the address cannot be used."""
    runner = web.AppRunner(_app(ears, guard, routes), access_log=None, shutdown_timeout=LAST_REQUESTS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, address.host, address.port).start()
        except OSError as error:
            told = f"PORT: {address.port} on {address.host} cannot be used ({error.strerror}). Please choose another."
            raise BadSettings([told]) from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _app(ears: Takes, guard: Guard, routes: Iterable[web.AbstractRouteDef]) -> web.Application:
    async def take(request: web.Request) -> web.StreamResponse:
        answer = await ears.take(await guard.read(request))
        headers = answer.first_headers_without_set_cookie()  # bolt sets cookies in OAuth alone, which is not its here
        return web.Response(status=answer.status, text=answer.body, headers=headers)

    app = web.Application(client_max_size=MAX_BYTES)
    app.router.add_post(PATH, take)
    app.add_routes(routes)
    return app
