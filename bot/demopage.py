"""The demo's people on the local page: they speak to the playground's JSON API as a browser does."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientConnectionError, ClientSession

from bot.demostage import Say, Stage, Warehouse, until
from bot.domain.wire import dumps


@asynccontextmanager
async def page_stage(say: Say, folder: Path, warehouse: Warehouse) -> AsyncIterator[PageStage]:
    async with ClientSession() as session:
        yield PageStage(say, folder, warehouse, session)


class PageStage(Stage):
    def __init__(self, say: Say, folder: Path, warehouse: Warehouse, session: ClientSession) -> None:
        super().__init__(say, folder, warehouse)
        self._session, self.url = session, ""
        self._told: dict[str, str] = {}

    async def arrived(self, where: str) -> None:
        self.url = where

    # ----------------------------------------------------------- the people

    async def write(self, by: str, text: str) -> None:
        await self._post("api/messages", {"by": by, "channel": "general", "text": text, "key": uuid.uuid4().hex})
        await self._show()

    async def press(self, by: str, move: str, fields: dict[str, str] | None = None) -> None:
        """Press *move* on the newest card that has it; try again while the answer is "not recorded"."""
        message, button = await self.sees(move)
        deed = {"by": by, "ref": message["ref"], "key": uuid.uuid4().hex}
        deed |= {name: button[name] for name in ("subject", "move", "token")}
        if fields is not None:
            deed["fields"] = fields
        answer = await until(lambda: self._pressed(deed))
        self._say(f"  {by} presses {button['label']!r}: {answer['text']}")

    async def sees(self, move: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Wait for a card with this button."""
        return await until(lambda: self._with_button(move))

    async def ends(self, runs: int) -> None:
        """Wait until this many runs say that they are done."""
        await until(lambda: self._done(runs))

    async def listen_on(self) -> None:
        """Wait for the answer to what was asked last; it may come a moment after the run's end."""
        await until(lambda: self._answered())

    async def _answered(self) -> bool | None:
        cards = [message["card"] or {} for message in await self._show()]
        ended = [card["run"] for card in cards if card.get("title") == "Done"]
        said = {card["run"] for card in cards if card.get("body") and not card.get("title")}
        return True if said.issuperset(ended) else None

    async def _pressed(self, deed: dict[str, Any]) -> dict[str, Any] | None:
        answer = await self._post("api/clicks", deed)
        return answer if answer.get("is_taken") else None

    async def _with_button(self, move: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        for message in reversed(await self._show()):
            for button in (message["card"] or {}).get("buttons", ()):
                if button["move"] == move:
                    return message, button
        return None

    async def _done(self, runs: int) -> int | None:
        done = sum((message["card"] or {}).get("title") == "Done" for message in await self._show())
        return done if done >= runs else None

    async def _show(self) -> list[dict[str, Any]]:
        """The conversation so far; what is new in it is printed."""
        async with self._session.get(self.url + "api/start", params={"as": "bo"}) as answer:
            messages: list[dict[str, Any]] = (await answer.json())["messages"]
        for message in messages:
            line = _line(message)
            if line and self._told.get(message["id"]) != line:
                self._told[message["id"]] = line
                self._say(line)
        return messages

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Origin": self.url.rstrip("/"), "X-Playground": "1", "Content-Type": "application/json"}
        try:
            async with self._session.post(self.url + path, data=dumps(body), headers=headers) as answer:
                return dict(await answer.json())
        except ClientConnectionError:
            return {}


def _line(message: dict[str, Any]) -> str:
    """One message as one or two lines of text."""
    card = message.get("card")
    if not card:
        return f"{message['author']}: {message['text']}" if message.get("text") else ""
    buttons = " ".join(f"[{button['label']}]" for button in card["buttons"])
    said = " · ".join(part for part in (card["title"], card["body"], card["status"], buttons) if part)
    return f"countersign: {said}"
