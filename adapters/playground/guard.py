"""The guard: only the playground's own page talks to the playground.

A page of another site could reach a server on loopback through the reader's browser: by a form or a fetch
(forged requests), or by a name that suddenly points to 127.0.0.1 (DNS rebinding). So the Host must be ours,
a write needs our Origin and a header no form can send, and what the browser says about the sender counts.
Garbage is answered with 4xx, refusals of ours with their own words.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from aiohttp import web

from bot.domain.errors import BadJson, Refused, Unavailable
from bot.domain.wire import MAX_BYTES, dumps, read_foreign

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADER = "X-Playground"  # a plain form cannot send it, and a foreign fetch needs a leave we never give
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none';"
        " require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse strangers; turn errors of ours into answers the page can show."""
    _refuse_strangers(request)
    try:
        return await handler(request)
    except BadJson as error:
        return answer({"text": str(error)}, status=400)
    except Refused as error:
        return answer({"text": error.people_read}, status=422)
    except Unavailable as error:
        return answer({"text": error.people_read}, status=503)


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Runs when a response starts, streams included."""
    response.headers.update(HEADERS)


async def read(request: web.Request, kind: type[T]) -> T:
    """The body as a record. Raises BadJson, or an HTTP error for another content type or more than 1 MiB."""
    if request.content_type != "application/json":
        raise refusal(415, "The body must be application/json.")
    value = read_foreign(await request.read(), most=MAX_BYTES)
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        raise BadJson(str(error)) from error


def answer(value: object, *, status: int = 200) -> web.Response:
    return web.Response(body=dumps(value), status=status, content_type="application/json", charset="utf-8")


def refusal(status: int, text: str) -> web.HTTPError:
    """Raise it: the answer is *status* and one sentence."""
    kinds: dict[int, type[web.HTTPError]] = {
        400: web.HTTPBadRequest,
        403: web.HTTPForbidden,
        404: web.HTTPNotFound,
        415: web.HTTPUnsupportedMediaType,
        422: web.HTTPUnprocessableEntity,
    }
    return kinds[status](text=dumps({"text": text}).decode(), content_type="application/json")


def _refuse_strangers(request: web.Request) -> None:
    port = request.transport.get_extra_info("sockname")[1] if request.transport else 0
    if request.headers.get("Host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
        raise refusal(403, "This address is not the playground's.")
    is_link = request.method == "GET" and request.path == "/"  # somebody may follow a link to the page
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and not is_link:
        raise refusal(403, "Another site may not talk to the playground.")
    if request.method in ("GET", "HEAD"):
        return
    if request.headers.get("Origin") != f"http://{request.headers['Host']}" or request.headers.get(HEADER) != "1":
        raise refusal(403, "Another site may not write to the playground.")
