"""A TCP proxy before a server, that loses requests, loses replies, is slow, or is gone: what networks do.

async with Proxy(socket_path) as proxy:
    proxy.lose_reply(to=b"...")     # once: the server did it, and nobody hears so
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

CHUNK = 1 << 16


class Fate(enum.Enum):
    """What becomes of one request."""

    PASS = "pass"
    LOSE_REQUEST = "lose request"  # the connection breaks before the server reads it
    LOSE_REPLY = "lose reply"  # the server does it, and the connection breaks before its answer


class Proxy:
    """Stands before the server at the unix socket *upstream*. `fate` is asked about each request."""

    def __init__(self, upstream: Path) -> None:
        self._upstream = upstream
        self._lines: set[asyncio.Task[None]] = set()
        self.fate: Callable[[bytes], Fate] = lambda _request: Fate.PASS
        self.latency = 0.0  # seconds each reply takes longer
        self.is_down = False  # nobody is let in

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await self.cut()

    async def cut(self) -> int:
        """Break every connection; return how many there were."""
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)
        return len(lines)

    def lose_reply(self, *, to: bytes) -> asyncio.Event:
        """The next request that holds *to* is done, and its reply lost; the event says when."""
        return self._once(to, Fate.LOSE_REPLY)

    def lose_request(self, *, to: bytes) -> asyncio.Event:
        """The next request that holds *to* never arrives; the event says when."""
        return self._once(to, Fate.LOSE_REQUEST)

    def _once(self, needle: bytes, fate: Fate) -> asyncio.Event:
        done = asyncio.Event()

        def judge(request: bytes) -> Fate:
            if done.is_set() or needle not in request:
                return Fate.PASS
            done.set()
            return fate

        self.fate = judge
        return done

    # ---------------------------------------------------------- connections

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.current_task()
        assert line is not None, "a connection is served by a task"
        self._lines.add(line)
        try:
            if not self.is_down:
                await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            return  # broken, as it should be
        finally:
            self._lines.discard(line)
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(self._upstream)
        try:
            async with asyncio.TaskGroup() as tasks:
                back = tasks.create_task(self._back(up_reader, writer), name="replies")
                await self._forth(reader, up_reader, up_writer, back)
                back.cancel()
        finally:
            up_writer.transport.abort()

    async def _forth(
        self,
        reader: asyncio.StreamReader,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
        back: asyncio.Task[None],
    ) -> None:
        while request := await reader.read(CHUNK):
            match self.fate(request):
                case Fate.LOSE_REQUEST:
                    return
                case Fate.LOSE_REPLY:
                    back.cancel()
                    await asyncio.wait({back})
                    up_writer.write(request)
                    await up_reader.read(CHUNK)  # the server has done it
                    return
            up_writer.write(request)
            await up_writer.drain()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while reply := await reader.read(CHUNK):
            if self.latency:
                await asyncio.sleep(self.latency)
            writer.write(reply)
            await writer.drain()
        writer.transport.abort()
