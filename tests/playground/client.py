"""The playground as a program sees it: real HTTP to the JSON API, as the page speaks it."""

from __future__ import annotations

import asyncio
import io
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

PATIENCE = 10.0  # seconds


class Client:
    """Speaks for any person. Answers are the decoded JSON."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def look(self, path: str, user: str, **more: str) -> Any:
        async with self.session.get(self.url + path, params={"as": user, **more}) as answer:
            return await answer.json()

    async def send(self, path: str, body: object, **headers: str) -> tuple[int, Any]:
        """POST as the page does. *headers* replace the page's own."""
        given = {"Origin": self.url.rstrip("/"), "X-Playground": "1", "Content-Type": "application/json"}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {name: value for name, value in (given | headers).items() if value}
        async with self.session.post(self.url + path, data=io.BytesIO(data), headers=sent) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text

    async def say(self, user: str, channel: str, text: str, thread: str | None = None) -> dict[str, Any]:
        body = {"by": user, "channel": channel, "text": text, "thread": thread, "key": uuid.uuid4().hex}
        status, message = await self.send("api/messages", body)
        assert status == 201, message
        return dict(message)

    async def press(
        self, user: str, ref: object, button: dict[str, Any], fields: object = None
    ) -> tuple[int, dict[str, Any]]:
        body = {"by": user, "ref": ref, "key": uuid.uuid4().hex} | {
            name: button[name] for name in ("subject", "move", "token")
        }
        return await self.send("api/clicks", body | ({} if fields is None else {"fields": fields}))

    async def messages(self, user: str) -> list[dict[str, Any]]:
        start = await self.look("api/start", user)
        return list(start["messages"])

    async def card(self, user: str) -> dict[str, Any]:
        """The newest message with a card, once there is one with buttons."""
        async for message in self.live(user, since=0):
            if message["card"] and message["card"]["buttons"]:
                return message
        raise AssertionError("the stream ended")

    async def live(self, user: str, since: int) -> AsyncIterator[dict[str, Any]]:
        """Every change as it comes."""
        params = {"as": user, "since": str(since)}
        async with asyncio.timeout(PATIENCE), self.session.get(self.url + "api/events", params=params) as stream:
            async for line in stream.content:
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(session, url)
