"""The doors: HTTP to Entra, Graph and the Connector. Tokens, content types, encoding, rates and faults are judged here.

/<tenant>/oauth2/v2.0/token   tokens for the bot        /v1/.well-known/openidconfiguration, /v1/keys   keys
/v1.0/…                       Graph                     /<region>/v3/…                                  Connector
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from aiohttp import hdrs, web

from tests.fakes.loopback import served
from tests.fakes.teams import cards
from tests.fakes.teams.connector import ROUTES, Call, Route
from tests.fakes.teams.entra import AUDIENCES, BOT_SCOPE, GRAPH_SCOPE, ISSUER, Entra, TokenError
from tests.fakes.teams.faults import Fault, Faults, Kind
from tests.fakes.teams.graph import Graph
from tests.fakes.teams.rates import Rates
from tests.fakes.teams.world import Json, Refusal, World

PAGE = "<!DOCTYPE html><title>The service is having trouble</title>"
BODY_MOST = 4 << 20  # bytes
Do = Callable[[], Awaitable[web.Response]]


@dataclass(frozen=True)
class Called:
    """One call as it came in, whatever became of it. *path* is as it was sent, encoded."""

    route: str
    method: str
    path: str
    body: Any
    token: str


class Server:
    def __init__(self, world: World, entra: Entra, faults: Faults) -> None:
        self._world, self._entra, self._faults = world, entra, faults
        self.graph = Graph(world)
        self._rates = Rates()
        self._closing = asyncio.Event()
        self.enforce_rates = True
        self.is_emulator = False
        self.rate_clock: Callable[[], float] = world.now
        self.size_most = cards.SIZE_MOST
        self.html_errors = False  # a 413 comes from a proxy, as a page
        self.called: list[Called] = []

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        app = web.Application(client_max_size=BODY_MOST)
        app.router.add_route("*", "/{rest:.*}", self._any)
        async with served(app) as self._world.base:
            try:
                yield
            finally:
                self._closing.set()

    async def _any(self, request: web.Request) -> web.StreamResponse:
        raw = request.raw_path.partition("?")[0]
        parts = raw.strip("/").split("/")
        match parts:
            case [tenant, "oauth2", "v2.0", "token"] if request.method == "POST":
                return await self._answered(request, "token", lambda: self._token(request, tenant))
            case ["v1", ".well-known", "openidconfiguration"] if request.method == "GET":
                return await self._answered(request, "metadata", self._metadata)
            case ["v1", "keys"] if request.method == "GET":
                return await self._answered(request, "keys", self._keys)
            case ["v1.0", *rest] if request.method == "GET":
                return await self._answered(request, "graph", lambda: self._graph(request, rest))
            case [region, *rest] if region in self._world.regions.values():
                if route := _route(request.method, rest):
                    return await self._answered(request, route.name, lambda: self._connector(request, route, rest))
        self._world.complain(f"there is no {request.method} {raw}")
        return web.Response(status=404, text="Not Found")

    async def _answered(self, request: web.Request, name: str, do: Do) -> web.StreamResponse:
        """Write the call down, let it go wrong if it shall, else do it."""
        body = await _body(request)
        token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")[2]
        self.called.append(Called(name, request.method, request.raw_path, body, token))
        self._world.tick()
        fault = self._faults.take(name)
        if fault is None:
            return await do()
        return await self._broken(request, fault, name, do)

    async def _broken(self, request: web.Request, fault: Fault, name: str, do: Do) -> web.Response:
        match fault.kind:
            case Kind.GATE:
                await fault.gate.wait()
                return await do()
            case Kind.FAIL_DONE | Kind.LOSE_REPLY | Kind.HANG_DONE:
                await do()
            case _:
                pass
        match fault.kind:
            case Kind.FAIL | Kind.FAIL_DONE:
                return _failed(fault, name)
            case Kind.HTML:
                return web.Response(status=fault.status, text=PAGE, content_type="text/html")
            case Kind.HANG | Kind.HANG_DONE:
                await self._closing.wait()  # cancelled when the caller goes away
        return _cut(request)

    # ------------------------------------------------------------------ Entra

    async def _token(self, request: web.Request, tenant: str) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            return web.json_response(self._entra.issue(unquote(tenant), form))
        except TokenError as problem:
            return _no_token(problem.status, problem.error, problem.code)

    async def _metadata(self) -> web.Response:
        told = {"issuer": ISSUER, "jwks_uri": f"{self._world.base}/v1/keys"}
        return web.json_response({**told, "id_token_signing_alg_values_supported": ["RS256"]})

    async def _keys(self) -> web.Response:
        return web.json_response(self._entra.key_set())

    # ------------------------------------------------------------------ Graph

    async def _graph(self, request: web.Request, rest: list[str]) -> web.Response:
        try:
            claims = self._entra.check(request.headers.get(hdrs.AUTHORIZATION, ""), AUDIENCES[GRAPH_SCOPE])
        except PermissionError as problem:
            self._unless_revoked("Graph", problem)
            return _error(401, "InvalidAuthenticationToken", str(problem))
        path = tuple(unquote(part) for part in rest)
        try:
            return web.json_response(self.graph.answer(str(claims["tid"]), path, dict(request.query)))
        except Refusal as refusal:
            return self._refused("graph", refusal)

    # -------------------------------------------------------------- Connector

    async def _connector(self, request: web.Request, route: Route, rest: list[str]) -> web.Response:
        try:
            self._known(request.headers.get(hdrs.AUTHORIZATION, ""))
        except PermissionError as problem:
            self._unless_revoked(route.name, problem)
            return web.json_response({"message": "Authorization has been denied for this request."}, status=401)
        region = request.raw_path.strip("/").split("/")[0]
        ids = tuple(unquote(part) for part, at in zip(rest, route.path, strict=True) if at == "*")
        try:
            self._encoded(rest)
            body = await self._json(request) if request.method in {"POST", "PUT"} else None
            if refused := self._too_often(route, ids, body):
                return refused
            status, told = route.do(Call(self._world, region, ids, dict(request.query), body, self.size_most))
        except Refusal as refusal:
            return self._refused(route.name, refusal)
        return web.json_response(told, status=status)

    def _known(self, header: str) -> None:
        """Raises PermissionError for whoever is not the bot, and for a bot that shows an emulator a token."""
        if not self.is_emulator:
            self._entra.check(header, AUDIENCES[BOT_SCOPE])
        elif header:
            raise PermissionError("an emulator was shown a token")

    def _encoded(self, rest: list[str]) -> None:
        for part in rest:
            if any(mark in part for mark in ":;@"):
                raise Refusal(400, "BadArgument", f"the id {part!r} is not percent-encoded", is_fault=True)

    async def _json(self, request: web.Request) -> Any:
        if request.content_type != "application/json":
            told = f"the content type is {request.content_type!r}"
            raise Refusal(415, "UnsupportedMediaType", told, is_fault=True)
        try:
            return await request.json()
        except ValueError:
            raise Refusal(400, "BadSyntax", "the body is not JSON", is_fault=True) from None

    def _too_often(self, route: Route, ids: tuple[str, ...], body: Any) -> web.Response | None:
        if not self.enforce_rates:
            return None
        place, _root = self._world.place_of(ids[0] if ids else _created_in(body))
        tenant = place.tenant if place else self._world.tenant
        name = place.id if place else ids[0] if ids else ""
        wait = self._rates.wait(tenant, name, self.rate_clock(), is_read=route.is_read)
        if wait is None:
            return None
        self._world.complain(f"{route.name}: too often in {name or tenant}")
        return _error(429, "Throttled", "Too many requests.", retry_after=str(wait))

    def _refused(self, name: str, refusal: Refusal) -> web.Response:
        if refusal.is_fault:
            self._world.complain(f"{name}: {refusal}")
        if refusal.status == 413 and self.html_errors:
            return web.Response(status=413, text=PAGE, content_type="text/html")
        return _error(refusal.status, refusal.code, refusal.message)

    def _unless_revoked(self, name: str, problem: PermissionError) -> None:
        if str(problem) != "revoked":
            self._world.complain(f"{name}: {problem}")


def _route(method: str, rest: list[str]) -> Route | None:
    def fits(route: Route) -> bool:
        same = len(route.path) == len(rest) and route.method == method
        return same and all(at in ("*", part) and part for at, part in zip(route.path, rest, strict=True))

    return next((route for route in ROUTES if fits(route)), None)


def _created_in(body: Any) -> str:
    """The channel that a new thread goes to."""
    told = body.get("channelData") if isinstance(body, dict) else None
    channel = told.get("channel") if isinstance(told, dict) else None
    return str(channel.get("id", "")) if isinstance(channel, dict) else ""


async def _body(request: web.Request) -> Any:
    text = await request.text() if request.can_read_body else ""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def _failed(fault: Fault, name: str) -> web.Response:
    if name == "token":
        return _no_token(fault.status, "invalid_client", fault.code)
    return _error(fault.status, fault.code, "It did not work.", fault.subcode, fault.retry_after)


def _error(status: int, code: str, message: str, subcode: str = "", retry_after: str | None = None) -> web.Response:
    told: Json = {"code": code, "message": message}
    if subcode:
        told["innerHttpError"] = {"statusCode": status, "body": {"subCode": subcode}}
    headers = {hdrs.RETRY_AFTER: retry_after} if retry_after is not None else {}
    return web.json_response({"error": told}, status=status, headers=headers)


def _no_token(status: int, error: str, code: str) -> web.Response:
    number = int(code.removeprefix("AADSTS")) if code.removeprefix("AADSTS").isdecimal() else 0
    told = {"error": error, "error_description": f"{code}: it is refused.", "error_codes": [number]}
    return web.json_response(told, status=status)


def _cut(request: web.Request) -> web.Response:
    """Break the connection under the caller; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
