"""Socket Mode: up to ten connections, each payload to one of them, acknowledged by its envelope id."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from tests.fakes.slack.world import APP, Json, World

MOST = 10  # connections of one app (docs.slack.dev, Socket Mode)


@dataclass
class Line:
    """One open connection, and the envelopes that wait for its ack."""

    socket: web.WebSocketResponse
    waiting: dict[str, asyncio.Future[Json | None]] = field(default_factory=dict)
    sent: int = 0  # envelopes it was given


class Sockets:
    def __init__(self, world: World) -> None:
        self._world = world
        self._tickets: set[str] = set()
        self._turn = 0
        self.lines: list[Line] = []
        self.opened = 0  # connections ever made: reconnects can be counted

    def ticket(self) -> str:
        """Leave to connect once."""
        name = secrets.token_hex(8)
        self._tickets.add(name)
        return name

    async def serve(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=404)
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if len(self.lines) >= MOST:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        line = Line(socket)
        self.lines.append(line)
        try:
            await self._listen(line)
        finally:
            self._drop(line)
        return socket

    async def send(self, kind: str, payload: Json, retry: int, within: float) -> Json | None:
        """Give one envelope to the next connection; its ack, or None when none came in *within* seconds."""
        line = self.lines[self._turn % len(self.lines)]
        self._turn += 1
        line.sent += 1
        envelope: Json = {"envelope_id": secrets.token_hex(16), "type": kind, "payload": payload}
        envelope["accepts_response_payload"] = kind != "events_api"
        if kind == "events_api":
            envelope |= {"retry_attempt": retry, "retry_reason": "timeout" if retry else ""}
        answer: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        line.waiting[envelope["envelope_id"]] = answer
        try:
            async with asyncio.timeout(within):
                await line.socket.send_json(envelope)
                return await answer
        except (TimeoutError, ConnectionError):
            return None
        finally:
            line.waiting.pop(envelope["envelope_id"], None)

    async def close(self) -> None:
        """The server goes away: 1012, as Slack does it."""
        for line in list(self.lines):
            self._drop(line)
            await line.socket.close(code=WSCloseCode.SERVICE_RESTART)

    async def warn(self, reason: str) -> None:
        """Tell every connection to come back on a new one: *reason* is `warning` or `refresh_requested`."""
        for line in list(self.lines):
            await line.socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "fake"}})

    async def _listen(self, line: Line) -> None:
        hello = {"type": "hello", "num_connections": len(self.lines), "connection_info": {"app_id": APP}}
        await line.socket.send_json({**hello, "debug_info": {"host": "fake", "approximate_connection_time": 18060}})
        self.opened += 1
        self._world.tick()
        async for message in line.socket:
            if message.type is WSMsgType.TEXT:
                self._acked(line, json.loads(message.data))

    def _acked(self, line: Line, told: Any) -> None:
        waiting = line.waiting.get(told["envelope_id"])
        if waiting is not None and not waiting.done():
            waiting.set_result(told.get("payload") or {})

    def _drop(self, line: Line) -> None:
        if line in self.lines:
            self.lines.remove(line)
        for waiting in line.waiting.values():
            if not waiting.done():
                waiting.set_result(None)
        self._world.tick()
