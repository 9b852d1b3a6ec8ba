"""Socket Mode: the same payloads over a connection we open, and somebody who looks whether it is still alive.

    open -> payloads -> ears -> acked if taken
      ▲                 │
      └── closed, or silent for 60 s: close it, wait a little, build a new one

The SDK's own reconnecting is off: it can wait for ever on a session that is closed. One owner reconnects, with jitter,
and builds everything anew. Slack keeps what is not acked and sends it again, here or to another process: each
payload goes to one of up to 10 connections. Not owned: what a payload means (ears).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.ears import Takes
from adapters.slack.workspace import code_of

log = structlog.get_logger()

SILENT_AFTER = 60.0  # seconds without hello, pong or payload; we ping every 10 s, so six answers are missing
PING_EVERY = 10.0
LOOK_EVERY = 1.0  # seconds between looks
CONNECT_WITHIN = 30.0  # seconds; the SDK alone would try for ever
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds before a new connection; doubled while they fail, up to half is jitter
LAST_PAYLOADS = 3.0  # seconds for what is being handled when we close; by then Slack has given up on it
GOODBYE = 2.0  # seconds for the other side to close


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketSettings:
    """*app_token* begins with xapp-. *base_url* is where the Web API is."""

    app_token: str
    base_url: str = "https://slack.com/api/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What a test replaces. *jitter* gives a number from 0 to 1; *ping_every* is in seconds."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    ping_every: float = PING_EVERY


class _Client(SocketModeClient):
    """The SDK's client, but it never reconnects by itself: it would close a connection in the watch's hands."""

    is_asked_to_leave = False

    async def connect_to_new_endpoint(self, force: bool = False) -> None:  # noqa: ARG002 - the SDK's own signature
        """Slack says that it will close this connection soon."""
        self.is_asked_to_leave = True


class Sockets:
    """One connection at a time, for as long as `open` lasts."""

    def __init__(self, settings: SocketSettings, ears: Takes, timing: Timing | None = None) -> None:
        self._settings, self._ears, self._timing = settings, ears, timing or Timing()
        self._heard = self._timing.clock()
        self._pong: float | None = None
        self._failures = 0
        self._busy: set[asyncio.Task[None]] = set()
        self.reconnects = 0

    @property
    def seconds_since_event(self) -> float:
        """Since Slack was last heard: hello, pong or payload. Over SILENT_AFTER, the connection is not there."""
        return self._timing.clock() - self._heard

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listen until the context ends; what is being handled then is finished."""
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch(group), name="keep the Slack socket open")
            try:
                yield
            finally:
                watch.cancel()

    # ------------------------------------------------------------- watching

    async def _watch(self, group: asyncio.TaskGroup) -> None:
        while True:
            client = self._client(group)
            try:
                await self._until_dead(client)
            finally:
                if self._busy:
                    await asyncio.wait(self._busy, timeout=LAST_PAYLOADS)
                await _close(client)
            self.reconnects += 1
            log.info("slack_socket_reconnects", times=self.reconnects, silent=round(self.seconds_since_event, 1))
            if not client.is_asked_to_leave:  # Slack asks one connection after the other: that is no stampede
                await self._timing.sleep(self._pause())
                self._failures += 1

    async def _until_dead(self, client: _Client) -> None:
        """Connect; return when the connection is closed, silent, asked to leave, or cannot be made."""
        begun, self._pong = self._timing.clock(), None
        async with asyncio.TaskGroup() as group:
            connecting = group.create_task(_connect(client), name="connect to Slack")
            while not self._is_dead(client, connecting, begun):
                await self._timing.sleep(LOOK_EVERY)
            connecting.cancel()

    def _is_dead(self, client: _Client, connecting: asyncio.Task[None], begun: float) -> bool:
        pong = client.last_ping_pong_time  # the one sign of life the SDK keeps to itself
        if pong is not None and pong != self._pong:
            self._pong, self._heard = pong, self._timing.clock()
        session = client.current_session
        is_closed = session is None or session.closed or client.aiohttp_client_session.closed
        silent = self._timing.clock() - max(self._heard, begun)
        return client.is_asked_to_leave or (connecting.done() and is_closed) or silent > SILENT_AFTER

    def _pause(self) -> float:
        """Many processes lose their sockets in the same moment, and must not all come back in the same moment."""
        longest = min(FIRST_WAIT * (1 << min(self._failures, 10)), LONGEST_WAIT)
        return longest / 2 * (1 + self._timing.jitter())

    # ------------------------------------------------------------ listening

    def _client(self, group: asyncio.TaskGroup) -> _Client:
        quiet = logging.Logger("slack_sdk.quiet", logging.CRITICAL + 1)  # the SDK logs addresses with their tickets
        client = _Client(
            app_token=self._settings.app_token,
            web_client=AsyncWebClient(base_url=self._settings.base_url, logger=quiet, retry_handlers=[]),
            logger=quiet,
            auto_reconnect_enabled=False,
            ping_interval=self._timing.ping_every,
        )

        async def hear(_: AsyncBaseSocketModeClient, _message: dict[str, Any], _raw: str | None) -> None:
            self._heard, self._failures = self._timing.clock(), 0

        async def take(client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
            """In our own group: the SDK keeps no hold of its tasks."""
            task = group.create_task(self._take(client, request), name="take a Slack payload")
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)

        client.message_listeners.append(hear)
        client.socket_mode_request_listeners.append(take)
        return client

    async def _take(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        began = time.time()
        try:
            response = await self._ears.take(request.payload)
            await send_async_response(client, request, response, began)
        except (ConnectionError, aiohttp.ClientError) as error:  # not acked: it comes again, with the same delivery
            log.warning("slack_ack_lost", error=type(error).__name__)
        except Exception as error:  # said aloud; one payload must not end the bot, whose task group this is
            log.error("slack_payload_failed", error=type(error).__name__, exc_info=error)


async def _connect(client: SocketModeClient) -> None:
    """Ask for an address and open it. What goes wrong is said; the watch sees that there is no connection."""
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            client.wss_uri = await client.issue_new_wss_url()
            await client.connect()  # type: ignore[no-untyped-call] # the SDK left it untyped
    except SlackApiError as error:
        log.error("slack_socket_refused", code=code_of(error))
    except (aiohttp.ClientError, OSError) as error:
        log.warning("slack_socket_failed", error=type(error).__name__)
    except (AttributeError, TypeError, ValueError) as error:  # what the SDK makes of a page instead of an answer
        log.warning("slack_socket_failed", error=f"the reply cannot be read ({type(error).__name__})")


async def _close(client: SocketModeClient) -> None:
    """What `client.close` does, but bounded, and no task is left behind."""
    client.closed = True
    with contextlib.suppress(OSError, aiohttp.ClientError):  # the other side is gone: nobody says goodbye
        async with asyncio.timeout(GOODBYE):
            await client.disconnect()  # type: ignore[no-untyped-call] # the SDK left it untyped
    tasks = [client.message_processor, client.current_session_monitor, client.message_receiver]
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await client.aiohttp_client_session.close()
