"""A server as a process of ours: one JSON message a line, over its stdin and stdout.

start -> lines both ways -> stdin closed, a moment to end by itself, TERM, KILL: the whole group, whatever happens

It sees none of our environment but a few harmless variables; what it writes to stderr is not kept. A line that is no
message is passed over; one that is too long ends the connection. Not what the messages mean (link).
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import anyio
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter
from pydantic import ValidationError

from agents.mcp.servers import INHERITED, Server

MESSAGE_MOST: Final = 4_000_000  # bytes of one message; pictures come as base64
GRACE: Final = 2.0  # seconds it gets to end by itself, and again after TERM
LOOK_EVERY: Final = 0.01  # seconds; `Process.wait` also waits for whoever else holds its pipes
PIECE: Final = 65_536  # bytes

log = structlog.stdlib.get_logger(__name__)
Heard = MemoryObjectSendStream[SessionMessage | Exception]
Streams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]


@asynccontextmanager
async def piped(server: Server, env: Mapping[str, str], ended: Callable[[], None]) -> AsyncIterator[Streams]:
    """The process, until the context ends; *ended* is called when it stops talking.

    Raises OSError if it cannot be started.
    """
    process = await _started(server, env)
    try:
        heard, hears = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        says, said = anyio.create_memory_object_stream[SessionMessage](0)
        async with heard, hears, says, said, asyncio.TaskGroup() as group:
            talk = (_hear(server, process, heard, ended), _say(process, said, ended))
            tasks = [group.create_task(one, name=f"{server.name} over pipes") for one in talk]
            try:
                yield hears, says
            finally:
                for task in tasks:
                    task.cancel()
    finally:
        await _stop(process)


async def _started(server: Server, env: Mapping[str, str]) -> asyncio.subprocess.Process:
    ours = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return await asyncio.create_subprocess_exec(
        *server.command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=ours | dict(env),
        cwd=server.cwd or None,
        limit=MESSAGE_MOST,
        start_new_session=True,  # a group of its own: it ends whole, and Ctrl-C at our terminal is not its business
    )


async def _hear(server: Server, process: asyncio.subprocess.Process, heard: Heard, ended: Callable[[], None]) -> None:
    assert process.stdout is not None, "it is started with a pipe"
    has_junk = False
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # nobody listens any more
        async with heard:
            while line := await _line(server, process.stdout):
                try:
                    message = SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
                except (ValidationError, ValueError, RecursionError):
                    if not has_junk and line.strip():
                        log.warning("mcp_server_prints_junk", server=server.name)
                    has_junk = True
                else:
                    await heard.send(message)
    ended()


async def _line(server: Server, stdout: asyncio.StreamReader) -> bytes:
    """The next line; empty at the end, and for one that is too long."""
    try:
        return await stdout.readline()
    except ValueError:
        log.warning("mcp_message_too_long", server=server.name, most=MESSAGE_MOST)
        return b""


async def _say(
    process: asyncio.subprocess.Process,
    said: MemoryObjectReceiveStream[SessionMessage],
    ended: Callable[[], None],
) -> None:
    assert process.stdin is not None, "it is started with a pipe"
    try:
        async for message in said:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            process.stdin.write(text.encode() + b"\n")
            await process.stdin.drain()
    except (OSError, RuntimeError):  # it reads no more
        ended()


# ------------------------------------------------------------------- the end


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Nothing of it is left, even if whoever waits for this is cancelled."""
    try:
        if process.stdin is not None:
            process.stdin.close()
        async with asyncio.TaskGroup() as group:
            drained = group.create_task(_drain(process), name="the rest of what it says")
            if not await _has_ended(process):
                _signal(process, signal.SIGTERM)
                await _has_ended(process)
            _signal(process, signal.SIGKILL)  # also what it has started itself
            await _has_ended(process)
            await asyncio.wait({drained}, timeout=GRACE)
            drained.cancel()
    finally:
        _signal(process, signal.SIGKILL)
        transport: Any = getattr(process, "_transport", None)  # its pipes may be held by somebody who left the group
        if transport is not None:
            transport.close()


async def _has_ended(process: asyncio.subprocess.Process) -> bool:
    left = GRACE
    while process.returncode is None and left > 0:
        await asyncio.sleep(LOOK_EVERY)
        left -= LOOK_EVERY
    return process.returncode is not None


async def _drain(process: asyncio.subprocess.Process) -> None:
    """A process that cannot write does not end; and a pipe that is not read to its end stays open."""
    assert process.stdout is not None, "it is started with a pipe"
    with suppress(OSError):
        while await process.stdout.read(PIECE):
            pass


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
