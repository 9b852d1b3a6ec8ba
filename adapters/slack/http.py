"""What Slack posts to: one path for everything, and whatever routes others mount beside it (OAuth).

request -> guard -> ears -> bolt's answer. Does not own the server (adapters.server).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

from aiohttp import web

from adapters.server import Address, listening
from adapters.slack.ears import Takes
from adapters.slack.guard import Guard

PATH = "/slack/events"


def serving(
    address: Address, ears: Takes, guard: Guard, routes: Iterable[web.AbstractRouteDef] = ()
) -> AbstractAsyncContextManager[int]:
    """Serve until the context ends; gives the port. Raises BadSettings when the address cannot be used."""

    async def take(request: web.Request) -> web.StreamResponse:
        answer = await ears.take(await guard.read(request))
        headers = answer.first_headers_without_set_cookie()  # bolt sets cookies in OAuth alone, which is not its here
        return web.Response(status=answer.status, text=answer.body, headers=headers)

    return listening(address, [web.post(PATH, take), *routes])
