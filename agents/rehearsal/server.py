"""The rehearsal's endpoint: Chat Completions over HTTP on loopback, answered from the playbook.

POST /v1/chat/completions (streamed or not) · GET /v1/models

Binds 127.0.0.1 and nothing else. Owns the wire format and the faults that tests ask for; not what is said.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from agents.rehearsal.mind import PlayedCall, Reply, Spoken, answer
from agents.rehearsal.playbook import Fault, FaultKind, Playbook, shipped
from bot.domain.errors import BadJson
from bot.domain.wire import Json, read_foreign

HOST = "127.0.0.1"
MODEL = "rehearsal"
MOST_BYTES = 16 << 20  # of one request: a long conversation with large results


class RehearsalServer:
    """An endpoint that lives as long as its `async with`. `faults` are used up one per request, in order."""

    def __init__(self, playbook: Playbook | None = None, *, port: int = 0, faults: Iterable[Fault | None] = ()) -> None:
        self._playbook = playbook or shipped()
        self._port = port
        self._faults = deque(faults)
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.requests: list[dict[str, Any]] = []  # the newest bodies, for whoever wants to see what was asked

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self._port}/v1"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=MOST_BYTES)
        app.add_routes([web.get("/v1/models", self._models), web.post("/v1/chat/completions", self._complete)])
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _models(self, request: web.Request) -> web.Response:  # noqa: ARG002  # aiohttp's signature
        return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "you"}]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        try:
            body = read_foreign(await request.read(), most=MOST_BYTES)
            talk = tuple(_spoken(message) for message in _list(_dict(body).get("messages")))
        except BadJson as error:
            return _problem(400, str(error))
        self.requests = [*self.requests[-9:], _dict(body)]
        reply = answer(self._playbook, talk, _offered(_dict(body).get("tools")))
        fault = (self._faults.popleft() if self._faults else None) or reply.fault
        if fault is not None and fault.kind is FaultKind.STATUS:
            return _problem(fault.status, "a rehearsed fault", fault.retry_after)
        if fault is not None and fault.kind is FaultKind.HANG:
            await self._closing.wait()
        if fault is not None and fault.kind is FaultKind.EMPTY:
            reply, fault = Reply(), None
        if not _dict(body).get("stream"):
            return web.json_response(_whole(reply))
        return await _streamed(request, reply, fault)


# ---------------------------------------------------------------------- in


def _spoken(message: Json) -> Spoken:
    whole = _dict(message)
    calls = tuple(_call(call) for call in _list(whole.get("tool_calls")))
    return Spoken(role=str(whole.get("role")), text=_content(whole.get("content")), calls=calls)


def _call(call: Json) -> PlayedCall:
    function = _dict(_dict(call).get("function"))
    return PlayedCall(
        id=str(_dict(call).get("id")), tool=str(function.get("name")), args=str(function.get("arguments"))
    )


def _offered(tools: Json) -> tuple[str, ...]:
    return tuple(str(_dict(_dict(tool).get("function")).get("name")) for tool in _list(tools))


def _content(content: Json) -> str:
    """Plain text, or a list of parts of which the texts count."""
    if isinstance(content, list):
        return "\n".join(str(_dict(part).get("text", "")) for part in content)
    return content if isinstance(content, str) else ""


def _dict(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise BadJson("an object was expected")
    return value


def _list(value: Json) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadJson("a list was expected")
    return value


# --------------------------------------------------------------------- out


def _problem(status: int, told: str, retry_after: str = "") -> web.Response:
    headers = {"Retry-After": retry_after} if retry_after else {}
    return web.json_response({"error": {"message": told, "type": "rehearsal"}}, status=status, headers=headers)


def _whole(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.calls:
        message["tool_calls"] = [_function(call, call.args) for call in reply.calls]
    choice = {"index": 0, "message": message, "finish_reason": _finish(reply)}
    return _envelope("chat.completion", choices=[choice], usage=_usage(reply))


async def _streamed(request: web.Request, reply: Reply, fault: Fault | None) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    events = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in _chunks(reply)] + [b"data: [DONE]\n\n"]
    if fault is None:
        await response.write(b"".join(events))
        await response.write_eof()
        return response
    whole = b"".join(events[: len(events) // 2])
    if fault.kind is FaultKind.CUT:
        await response.write(whole[:-20])
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write(whole)
    await response.write_eof()
    return response


def _chunks(reply: Reply) -> Iterator[dict[str, Any]]:
    """The reply in pieces, the way endpoints send it: words one by one, arguments in two halves."""
    yield _delta({"role": "assistant", "content": ""})
    for word in re.findall(r"\s*\S+|\s+$", reply.text):
        yield _delta({"content": word})
    for index, call in enumerate(reply.calls):
        half = len(call.args) // 2
        yield _delta({"tool_calls": [{"index": index, **_function(call, call.args[:half])}]})
        yield _delta({"tool_calls": [{"index": index, "function": {"arguments": call.args[half:]}}]})
    yield _delta({}, finish=_finish(reply))
    yield _envelope("chat.completion.chunk", choices=[], usage=_usage(reply))


def _delta(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return _envelope("chat.completion.chunk", choices=[{"index": 0, "delta": delta, "finish_reason": finish}])


def _envelope(kind: str, **rest: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-rehearsal", "object": kind, "created": 0, "model": MODEL, **rest}


def _function(call: PlayedCall, args: str) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.tool, "arguments": args}}


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.calls else "stop"


def _usage(reply: Reply) -> dict[str, int]:
    """Nobody is billed for a rehearsal; about four characters a token."""
    out = (len(reply.text) + sum(len(call.args) for call in reply.calls)) // 4 + 1
    return {"prompt_tokens": 1, "completion_tokens": out, "total_tokens": out + 1}
