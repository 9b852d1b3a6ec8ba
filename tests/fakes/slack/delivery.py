"""How a payload reaches the app: signed over HTTP, or as an envelope to one socket; again if nobody took it.

Events are delivered up to three times more, at once instead of after a minute; clicks, forms and commands are not.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp

from tests.fakes.slack.faults import Faults
from tests.fakes.slack.sockets import Sockets
from tests.fakes.slack.world import Json

RETRIES = 3
ACK_WITHIN = 3.0  # seconds (docs.slack.dev, handling user interaction; Events API)
EVENT, INTERACTIVE, COMMAND = "events_api", "interactive", "slash_commands"  # Socket Mode's own words


@dataclass(frozen=True)
class Reply:
    """What the app answered. `status` is 0 when nothing came in time; a socket's ack counts as 200.

    Names of `headers` are in lower case.
    """

    status: int
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""  # why nothing came: http_timeout, connection_failed

    @property
    def is_ok(self) -> bool:
        return self.status == 200

    @property
    def json(self) -> Json:
        """The body; {} when there is none."""
        told: Any = json.loads(self.text) if self.text.strip().startswith("{") else {}
        return dict(told)


@dataclass(frozen=True)
class Delivery:
    """One attempt. `body` and `headers` are what went over HTTP; both are empty on a socket."""

    kind: str
    payload: Json
    attempt: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    reply: Reply = Reply(0)


class Post:
    """Carries payloads. With no request URL and no socket they go nowhere, as with an app that is switched off."""

    def __init__(self, secret: str, faults: Faults, sockets: Sockets) -> None:
        self._secret, self._faults, self._sockets = secret, faults, sockets
        self.request_url: str | None = None
        self.redeliver = True
        self.ack_within = ACK_WITHIN
        self.sent: list[Delivery] = []
        self.session: aiohttp.ClientSession | None = None

    async def carry(self, kind: str, *payloads: Json) -> Reply:
        """Deliver what one act sends; the reply to the first payload."""
        rows = list(payloads)[::-1] if self._faults.out_of_order else list(payloads)
        if self._faults.at_once:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(self._one(kind, payload)) for payload in rows]
            replies = [task.result() for task in running]
        else:
            replies = [await self._one(kind, payload) for payload in rows]
        return replies[-1] if self._faults.out_of_order else replies[0]

    async def again(self, delivery: Delivery) -> Reply:
        """The same bytes with the same signature once more: what somebody who overheard them could send."""
        if delivery.body:
            return await self._http(delivery)
        return await self._attempt(delivery.kind, delivery.payload, 0, "")

    async def _one(self, kind: str, payload: Json) -> Reply:
        reply = await self._until_taken(kind, payload)
        if self._faults.deliver_twice:
            await self._until_taken(kind, payload)
        return reply

    async def _until_taken(self, kind: str, payload: Json) -> Reply:
        reply = await self._attempt(kind, payload, 0, "")
        if kind != EVENT or not self.redeliver:
            return reply
        for retry in range(1, RETRIES + 1):
            if reply.is_ok or reply.headers.get("x-slack-no-retry") == "1" or not self._is_heard:
                break
            reply = await self._attempt(kind, payload, retry, reply.reason or "http_error")
        return reply

    @property
    def _is_heard(self) -> bool:
        return self.request_url is not None or bool(self._sockets.lines)

    async def _attempt(self, kind: str, payload: Json, retry: int, reason: str) -> Reply:
        if self.request_url is not None:
            body = _body(kind, payload)
            headers = {**self.signed(body), **_marks(kind, retry, reason)}
            return await self._http(Delivery(kind, payload, retry, body, headers))
        reply = Reply(0, reason="connection_failed")
        if self._sockets.lines:
            acked = await self._sockets.send(kind, payload, retry, self.ack_within)
            if acked is not None:
                reply = Reply(200, json.dumps(acked) if acked else "")
        self.sent.append(Delivery(kind, payload, retry, reply=reply))
        return reply

    def signed(self, body: bytes) -> dict[str, str]:
        """Headers of a request that Slack sent just now (docs.slack.dev, verifying requests)."""
        now = str(int(time.time()))
        digest = hmac.new(self._secret.encode(), b"v0:" + now.encode() + b":" + body, hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": now, "X-Slack-Signature": f"v0={digest}"}

    async def _http(self, delivery: Delivery) -> Reply:
        assert self.session is not None, "the fake is open"
        assert self.request_url is not None, "it knows where to send"
        timeout = aiohttp.ClientTimeout(total=self.ack_within)
        try:
            async with self.session.post(
                self.request_url, data=delivery.body, headers=delivery.headers, timeout=timeout
            ) as answer:
                reply = Reply(answer.status, await answer.text(), {k.lower(): v for k, v in answer.headers.items()})
        except TimeoutError:
            reply = Reply(0, reason="http_timeout")
        except aiohttp.ClientConnectionError:
            reply = Reply(0, reason="connection_failed")
        self.sent.append(
            Delivery(delivery.kind, delivery.payload, delivery.attempt, delivery.body, delivery.headers, reply)
        )
        return reply


def _body(kind: str, payload: Json) -> bytes:
    match kind:
        case "interactive":
            return urlencode({"payload": json.dumps(payload)}).encode()
        case "slash_commands":
            return urlencode(payload).encode()
    return json.dumps(payload).encode()


def _marks(kind: str, retry: int, reason: str) -> dict[str, str]:
    content = "application/json" if kind == EVENT else "application/x-www-form-urlencoded"
    again = {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": reason} if retry else {}
    return {"Content-Type": content, "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)", **again}
