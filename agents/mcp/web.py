"""A server behind an address: streamable HTTP, with every answer bounded.

Redirects stay on the server's own origin (the library sees to it), so that a header with a secret goes nowhere else;
proxies and passwords of our environment are not used. Not what the messages mean (link).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import httpx2
from mcp.client.streamable_http import streamable_http_client

from agents.mcp.pipe import MESSAGE_MOST
from agents.mcp.servers import Server

CONNECT_WITHIN: Final = 5.0  # seconds
LEAVE_WITHIN: Final = 2.0  # seconds that saying goodbye may take
TIMEOUT: Final = httpx2.Timeout(None, connect=CONNECT_WITHIN, write=30.0)  # each call has its own limit (tool)


class Seen:
    """What the server last answered; for a sentence about what is wrong with it."""

    status: int = 0


@asynccontextmanager
async def reached(server: Server, headers: Mapping[str, str], seen: Seen) -> AsyncIterator[Any]:
    """The library's two streams, until the context ends."""
    bounded = _Bounded(seen)
    async with (
        httpx2.AsyncClient(headers=dict(headers), timeout=TIMEOUT, transport=bounded, trust_env=False) as client,
        _streams(server.url, client) as streams,
    ):
        yield streams


def _streams(url: str, client: httpx2.AsyncClient) -> AbstractAsyncContextManager[Any]:
    return streamable_http_client(url, http_client=client, max_sse_event_size=MESSAGE_MOST)


class _Bounded(httpx2.AsyncHTTPTransport):
    """Answers of at most MESSAGE_MOST bytes, unpacked by nobody; event streams are bounded event by event."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(trust_env=False)
        self._seen = seen

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["Accept-Encoding"] = "identity"
        if request.method == "DELETE":  # the end of a session
            request.extensions = {**request.extensions, "timeout": httpx2.Timeout(LEAVE_WITHIN).as_dict()}
        response = await super().handle_async_request(request)
        self._seen.status = response.status_code
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx2.DecodingError("the answer is packed, though we asked for plain text", request=request)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            assert isinstance(response.stream, httpx2.AsyncByteStream), "we asked asynchronously"
            response.stream = _Counted(response.stream, request)
        return response


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, request: httpx2.Request) -> None:
        self._inner, self._request = inner, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._inner:
            size += len(piece)
            if size > MESSAGE_MOST:
                raise httpx2.ReadError(f"the answer has more than {MESSAGE_MOST} bytes", request=self._request)
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()
