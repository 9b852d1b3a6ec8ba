"""The door: HTTP to methods. Reads query, form and JSON alike, checks token, scope, tier and arguments, applies faults.

/api/{method}      the Web API           /upload/v1/{file}   where file contents go
/link/             Socket Mode           /actions/{url}      response_url
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import hdrs, web

from tests.fakes.loopback import served
from tests.fakes.slack import account, chat, people, streams, views
from tests.fakes.slack.call import Call, Handler
from tests.fakes.slack.faults import Fault, Faults, Kind
from tests.fakes.slack.methods import METHODS, Method, check_arguments, opened
from tests.fakes.slack.responses import answer_url
from tests.fakes.slack.sockets import Sockets
from tests.fakes.slack.tiers import Tiers
from tests.fakes.slack.world import Json, Refusal, World

UPLOAD_MOST = 64 << 20  # bytes


@dataclass(frozen=True)
class Called:
    """One Web API call as it came in, whatever became of it."""

    method: str
    args: Json
    token: str


@dataclass(frozen=True)
class Keys:
    """The app's own secrets."""

    app_token: str
    client_id: str
    client_secret: str


class Server:
    def __init__(self, world: World, faults: Faults, sockets: Sockets, keys: Keys) -> None:
        self._world, self._faults, self._sockets, self._keys = world, faults, sockets, keys
        self._tiers = Tiers()
        self._closing = asyncio.Event()
        self.enforce_tiers = False
        self.called: list[Called] = []
        self.base = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        app = web.Application(client_max_size=UPLOAD_MOST)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_post("/upload/v1/{file}", self._upload)
        app.router.add_post("/actions/{url}", self._response_url)
        app.router.add_get("/link/", self._sockets.serve)
        async with served(app) as self.base:
            try:
                yield
            finally:
                self._closing.set()
                await self._sockets.close()

    # ---------------------------------------------------------------- the API

    async def _api(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        args = await _arguments(request)
        token = request.headers.get(hdrs.AUTHORIZATION, "").removeprefix("Bearer ") or str(args.get("token", ""))
        args.pop("token", None)
        self.called.append(Called(name, args, token))
        self._world.tick()
        fault = self._faults.take(name)
        if fault is not None and fault.kind is not Kind.LOSE_REPLY:
            return await self._broken(request, fault)
        answer = self._answer(name, args, token)
        if fault is not None:
            return _cut(request)
        return answer

    def _answer(self, name: str, args: Json, token: str) -> web.Response:
        try:
            method = METHODS.get(name)
            if method is None:
                raise Refusal("unknown_method", req_method=name)
            call = Call(self._world, opened(args), token, self.base, self._world.installs.get(token))
            self._check_token(call, method)
            if (wait := self._wait(name, call)) is not None:
                return _limited(wait)
            call.need(*method.scopes)
            check_arguments(name, method, args)
            return web.json_response({"ok": True, **self._do(name, call)}, headers=self._granted(call))
        except Refusal as refusal:
            return web.json_response({"ok": False, "error": refusal.code, **refusal.more})

    def _granted(self, call: Call) -> dict[str, str]:
        """What Slack tells with every answer to a bot token: the scopes it was granted."""
        return {"X-OAuth-Scopes": ",".join(sorted(self._world.scopes))} if call.found else {}

    def _do(self, name: str, call: Call) -> Json:
        if name == "apps.connections.open":
            return {"url": f"{self.base.replace('http', 'ws', 1)}/link/?ticket={self._sockets.ticket()}"}
        return HANDLERS[name](call)

    def _wait(self, name: str, call: Call) -> int | None:
        team = call.found.team if call.found else ""
        return self._tiers.wait(name, team, call.args, self._world.now()) if self.enforce_tiers else None

    def _check_token(self, call: Call, method: Method) -> None:
        """Every kind of method has its own kind of token; a foreign one tells which."""
        match method.token:
            case "none":
                self._check_client(call)
            case _ if not call.token:
                raise Refusal("not_authed")
            case _ if call.token in self._world.dead_tokens:
                raise Refusal(self._world.dead_tokens[call.token])
            case _ if call.found is None and call.token != self._keys.app_token:
                raise Refusal("invalid_auth")
            case kind if (kind == "bot") != (call.found is not None):
                raise Refusal("not_allowed_token_type")

    def _check_client(self, call: Call) -> None:
        client, secret = call.args.get("client_id"), call.args.get("client_secret")
        if call.token.startswith("Basic "):
            client, _, secret = base64.b64decode(call.token.removeprefix("Basic ")).decode().partition(":")
        if client != self._keys.client_id:
            raise Refusal("invalid_client_id")
        if secret != self._keys.client_secret:
            raise Refusal("bad_client_secret")

    # ------------------------------------------------------------ misbehaviour

    async def _broken(self, request: web.Request, fault: Fault) -> web.Response:
        match fault.kind:
            case Kind.RATE_LIMIT:
                return _limited(fault.number)
            case Kind.FAIL:
                return web.json_response({"ok": False, "error": fault.code})
            case Kind.HTML:
                page = "<!DOCTYPE html><title>Slack is having trouble</title>"
                return web.Response(status=fault.number, text=page, content_type="text/html")
            case Kind.HANG:
                await self._closing.wait()  # cancelled when the caller goes away
        return _cut(request)

    # ------------------------------------------------------------- other doors

    async def _upload(self, request: web.Request) -> web.Response:
        file = self._world.files.get(request.match_info["file"])
        if file is None or file.is_complete:
            return web.Response(status=404)
        if fault := self._faults.take("upload"):
            return await self._broken(request, fault)
        content = await _content(request)
        if len(content) != file.length:
            return web.Response(status=400, text="the length is not the one that was told")
        file.content = content
        return web.Response(text=f"OK - {file.length}")

    async def _response_url(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.called.append(Called("response_url", body, ""))
        if fault := self._faults.take("response_url"):
            return await self._broken(request, fault)
        try:
            answer_url(self._world, request.match_info["url"], body)
        except Refusal as refusal:
            status = 404 if refusal.code in {"used_url", "expired_url"} else 400
            return web.json_response({"ok": False, "error": refusal.code, **refusal.more}, status=status)
        return web.json_response({"ok": True})


HANDLERS: Mapping[str, Handler] = {
    **chat.HANDLERS,
    **streams.HANDLERS,
    **people.HANDLERS,
    **views.HANDLERS,
    **account.HANDLERS,
}


async def _arguments(request: web.Request) -> Json:
    """Everything a client sent, wherever it put it."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        text = await request.text()
        with contextlib.suppress(ValueError):  # Slack falls back to the query, and then misses arguments
            args |= json.loads(text or "{}")
    elif request.can_read_body:
        args |= {name: str(value) for name, value in (await request.post()).items()}
    return {name: value for name, value in args.items() if value is not None}


async def _content(request: web.Request) -> bytes:
    if request.content_type != "multipart/form-data":
        return await request.read()
    parts: list[Any] = list((await request.post()).values())
    return bytes(parts[0].file.read()) if parts else b""


def _limited(seconds: int) -> web.Response:
    return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": str(seconds)})


def _cut(request: web.Request) -> web.Response:
    """Break the connection under the caller; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
