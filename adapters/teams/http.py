"""What Teams posts to: one path, and what a request must be before anything of ours reads it.

    request -> no browser's (401) -> JSON by its type (415) -> knock: is it Teams? (401) -> size (413)
            -> one object, read strictly (400)
            -> take: is it for us (401, 403), what is it (400) -> the answer, or 200 without one

A body is read only for who proved to be Teams: a megabyte of brackets would hold up everybody for a second. Whatever
somebody sends, the status is one of these and never 500; nothing of it stands in a log (T11). When we cannot judge or
write anything down, it is 503. Does not own the server (adapters.server), nor the proof.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import structlog
from aiohttp import web

from adapters.server import Address, listening
from adapters.teams.answers import Reply
from adapters.teams.proof import NotForUs, NotFromTeams
from adapters.teams.shapes import BadPayload, Raw
from bot.domain.errors import BadJson, CountersignError, Unavailable
from bot.domain.wire import dumps, read_foreign

log = structlog.get_logger()

PATH = "/api/messages"
PORT = 3978  # where the Bot Framework's own tools look
REFUSALS: tuple[tuple[type[CountersignError], type[web.HTTPError]], ...] = (
    (BadJson, web.HTTPBadRequest),
    (BadPayload, web.HTTPBadRequest),
    (NotFromTeams, web.HTTPUnauthorized),
    (NotForUs, web.HTTPForbidden),
    (Unavailable, web.HTTPServiceUnavailable),
)

Take = Callable[[str, Raw], Awaitable[Reply | None]]
Knock = Callable[[str], Awaitable[None]]


def serving(address: Address, take: Take, knock: Knock) -> AbstractAsyncContextManager[int]:
    """Serve until the context ends; gives the port. Raises BadSettings when the address cannot be used."""
    return listening(address, [route(take, knock)], setting="TEAMS_PORT")


def route(take: Take, knock: Knock) -> web.RouteDef:
    """The one route, for a server that is there already.

    *knock* gets the Authorization header (empty if there is none, or more than one) before the body is read, *take*
    the header and the activity.
    """

    async def messages(request: web.Request) -> web.StreamResponse:
        header = _header(request)
        try:
            _refuse_browsers(request)
            _refuse_type(request)
            await knock(header)
            return _answer(await take(header, await _activity(request)))
        except tuple(kind for kind, _ in REFUSALS) as error:
            raise _refusal(error) from None

    return web.post(PATH, messages)


def _refuse_browsers(request: web.Request) -> None:
    """Raises NotFromTeams: a page that somebody reads could write to their emulator, where no token stands between."""
    if "Origin" in request.headers:
        raise NotFromTeams("a browser sent it, on behalf of some page")


def _refuse_type(request: web.Request) -> None:
    """Raises HTTPUnsupportedMediaType for what is not plain JSON in UTF-8."""
    charset = (request.charset or "utf-8").lower()
    if request.content_type != "application/json" or charset != "utf-8" or "Content-Encoding" in request.headers:
        log.warning("teams_request_refused", status=415)
        raise web.HTTPUnsupportedMediaType(text=_REFUSED)


async def _activity(request: web.Request) -> Raw:
    """The object in *request*. Raises BadJson, HTTPRequestEntityTooLarge."""
    value = read_foreign(await request.read())
    if not isinstance(value, dict):
        raise BadJson("it is not an object")
    return value


def _header(request: web.Request) -> str:
    given = request.headers.getall("Authorization", [])
    return given[0] if len(given) == 1 else ""


def _answer(reply: Reply | None) -> web.Response:
    if reply is None or reply.body is None:
        return web.Response(status=reply.status if reply else 200)
    return web.Response(status=reply.status, body=dumps(reply.body), content_type="application/json")


def _refusal(error: CountersignError) -> web.HTTPError:
    kind = next(kind for of, kind in REFUSALS if isinstance(error, of))
    why = str(error) if isinstance(error, NotFromTeams | NotForUs | Unavailable) else type(error).__name__
    log.warning("teams_request_refused", status=kind.status_code, why=why)
    return kind(text=_REFUSED)


_REFUSED = "This request was refused."
