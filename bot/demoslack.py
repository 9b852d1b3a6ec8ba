"""The demo's people in Slack: a strict imitation of it runs in this process, and the bot reaches it over Socket Mode.

    ana writes in #support -> the bot posts in the thread -> bo presses a button, or fills in a window

The imitation is the one our tests use, and may be missing. What a person is told in private is printed
beside their press.
"""

from __future__ import annotations

import html
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from bot.demochat import LABELS, NOT_RECORDED, ChatStage
from bot.demostage import NAMES, Say, Warehouse, imitation

OPENING = "One moment"  # title of a window that is not filled yet


class Post(Protocol):
    """One message as the imitation keeps it."""

    channel: str
    ts: str
    user: str
    text: str
    thread_ts: str | None
    blocks: list[dict[str, Any]]


class Window(Protocol):
    body: dict[str, Any]


class Sockets(Protocol):
    lines: Sequence[object]


class Imitation(Protocol):
    """`FakeSlack`, as far as the demo needs it."""

    team: str
    bot_user: str
    bot_token: str
    app_token: str
    sockets: Sockets

    @property
    def api_url(self) -> str: ...
    @property
    def mention(self) -> str: ...
    def add_user(self, name: str) -> str: ...
    def add_channel(self, name: str, members: Iterable[str]) -> str: ...
    async def say(self, user: str, channel: str, text: str) -> str: ...
    async def press(self, user: str, channel: str, ts: str, label: str) -> object: ...
    def view_of(self, user: str) -> Window | None: ...
    async def submit(self, user: str, values: Mapping[str, Any]) -> object: ...
    def messages(self, channel: str) -> Sequence[Post]: ...
    def ephemerals(self, user: str) -> Sequence[Post]: ...
    def text_of(self, shown: Post) -> str: ...
    def buttons_of(self, shown: Post) -> Sequence[str]: ...


@asynccontextmanager
async def slack_stage(say: Say, folder: Path, warehouse: Warehouse) -> AsyncIterator[SlackStage]:
    """Raises BadSettings where there is no imitation of Slack."""
    opened: AbstractAsyncContextManager[Imitation] = imitation("tests.fakes.slack", "Slack")()
    async with opened as slack:
        yield SlackStage((say, folder, warehouse), slack)


class SlackEye:
    """Messages of one channel."""

    def __init__(self, slack: Imitation, channel: str) -> None:
        self._slack, self._channel = slack, channel

    def messages(self) -> Sequence[Post]:
        return self._slack.messages(self._channel)

    def id_of(self, post: Post) -> str:
        return post.ts

    def by(self, post: Post) -> str:
        return post.user

    def thread_of(self, post: Post) -> str | None:
        return post.thread_ts

    def notice(self, post: Post) -> str:
        return html.unescape(post.text).replace(self._slack.mention, "@countersign")

    def buttons(self, post: Post) -> Sequence[str]:
        return self._slack.buttons_of(post)

    def title(self, post: Post) -> str:
        first = post.blocks[0] if post.blocks else {}
        return str(first["text"]["text"]) if first.get("type") == "header" else ""


class SlackStage(ChatStage[Post]):
    def __init__(self, stage: tuple[Say, Path, Warehouse], slack: Imitation) -> None:
        super().__init__(stage, ("slack", slack.team), {name: slack.add_user(name) for name in NAMES})
        self._slack = slack
        self._channel = slack.add_channel("support", self.ids.values())

    @property
    def eye(self) -> SlackEye:
        return SlackEye(self._slack, self._channel)

    def settings(self) -> Mapping[str, str]:
        return {
            **super().settings(),
            "SLACK_BOT_TOKEN": self._slack.bot_token,
            "SLACK_APP_TOKEN": self._slack.app_token,
            "SLACK_API_URL": self._slack.api_url,
        }

    async def arrived(self, where: str) -> None:
        self.tell(f"it is connected to {where}.")
        await self.holds(lambda: bool(self._slack.sockets.lines))

    async def kill(self) -> None:
        """A process that is gone is no longer given anything."""
        await super().kill()
        await self.holds(lambda: not self._slack.sockets.lines)

    # ----------------------------------------------------------- the people

    async def write(self, by: str, text: str) -> None:
        said = text.replace("@countersign", self._slack.mention)
        await self._slack.say(self.ids[by], self._channel, said)
        self.show()

    async def press(self, by: str, move: str, fields: dict[str, str] | None = None) -> None:
        if move == "details":
            await self._read(by)
            return
        while NOT_RECORDED in await self._pressed(by, LABELS[move], fields):
            pass

    async def _read(self, by: str) -> None:
        """Press Details, and wait until they stand in a window."""
        user, card = self.ids[by], await self.card(LABELS["details"])
        self.presses(by, LABELS["details"])
        await self._slack.press(user, card.channel, card.ts, LABELS["details"])
        await self.holds(lambda: self._title_of_window(user) not in ("", OPENING))
        self.reads(by, self._title_of_window(user))

    def _title_of_window(self, user: str) -> str:
        view = self._slack.view_of(user)
        return str(view.body["title"]["text"]) if view is not None else ""

    async def _pressed(self, by: str, label: str, fields: dict[str, str] | None) -> str:
        """Press, fill in what opens, and read what only this person is told."""
        user, card = self.ids[by], await self.card(label)
        before = len(self._slack.ephemerals(user))
        self.presses(by, label)
        await self._slack.press(user, card.channel, card.ts, label)
        if fields is not None:
            await self.holds(lambda: self._is_form(user))
            await self._slack.submit(user, {f"f.{name}": value for name, value in fields.items()})
        await self.holds(lambda: len(self._slack.ephemerals(user)) > before)
        told = self._slack.text_of(self._slack.ephemerals(user)[before])
        self.reads(by, told)
        return told

    def _is_form(self, user: str) -> bool:
        view = self._slack.view_of(user)
        return view is not None and "submit" in view.body
