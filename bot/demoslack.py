"""The demo's people in Slack: a strict imitation of it runs in this process, and the bot reaches it over Socket Mode.

    ana writes in #support -> the bot posts in the thread -> bo presses a button, or fills in a window

The imitation is the one our tests use. It is not part of an installed package, so it is asked for by name and may be
missing. What a person is told in private is printed beside their press.
"""

from __future__ import annotations

import html
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, cast

from bot.demostage import Say, Stage, Warehouse, until
from bot.domain.errors import BadSettings

FAKE = "tests.fakes.slack"
MISSING = (
    "demo --slack: the imitation of Slack lies in the folder tests of the project's sources, and is not there. "
    "Please run it from a checkout, or leave --slack out."
)
NOT_RECORDED = "Not recorded"
LABELS = {"approve": "Approve", "answer": "It happened", "details": "Details"}
OPENING = "One moment"  # title of a window that is not filled yet
PEOPLE = """\
tenants: {{slack: {team}}}
people:
  ana: {{name: Ana, groups: [sales], manager: dana, accounts: {{slack: {ana}}}}}
  bo: {{name: Bo, groups: [approvers], manager: dana, accounts: {{slack: {bo}}}}}
  chris: {{name: Chris, groups: [approvers], manager: dana, accounts: {{slack: {chris}}}}}
  dana: {{name: Dana, groups: [managers], manager: erin, accounts: {{slack: {dana}}}}}
  erin: {{name: Erin, groups: [managers], accounts: {{slack: {erin}}}}}
"""
NAMES = ("ana", "bo", "chris", "dana", "erin")


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
    async with _imitation() as slack:
        yield SlackStage(say, folder, warehouse, slack)


def _imitation() -> AbstractAsyncContextManager[Imitation]:
    try:
        module = importlib.import_module(FAKE)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{FAKE}.".startswith(f"{error.name}."):
            raise  # it is there, and something it needs is not
        raise BadSettings([MISSING]) from error
    return cast(AbstractAsyncContextManager[Imitation], module.FakeSlack())


class SlackStage(Stage):
    def __init__(self, say: Say, folder: Path, warehouse: Warehouse, slack: Imitation) -> None:
        super().__init__(say, folder, warehouse)
        self._slack = slack
        self._ids = {name: slack.add_user(name) for name in NAMES}
        self._names = {user: name for name, user in self._ids.items()}
        self._channel = slack.add_channel("support", self._ids.values())
        self._people = folder / "people.yml"
        self._people.write_text(PEOPLE.format(team=slack.team, **self._ids))
        self._told: dict[str, str] = {}

    def settings(self) -> Mapping[str, str]:
        return {
            "COUNTERSIGN_PEOPLE": str(self._people),
            "SLACK_BOT_TOKEN": self._slack.bot_token,
            "SLACK_APP_TOKEN": self._slack.app_token,
            "SLACK_API_URL": self._slack.api_url,
        }

    async def arrived(self, where: str) -> None:
        self.tell(f"it is connected to {where}.")
        await until(self._when(lambda: bool(self._slack.sockets.lines)))

    async def kill(self) -> None:
        """A process that is gone is no longer given anything."""
        await super().kill()
        await until(self._when(lambda: not self._slack.sockets.lines))

    # ----------------------------------------------------------- the people

    async def write(self, by: str, text: str) -> None:
        said = text.replace("@countersign", self._slack.mention)
        await self._slack.say(self._ids[by], self._channel, said)
        self._show()

    async def press(self, by: str, move: str, fields: dict[str, str] | None = None) -> None:
        if move == "details":
            await self._read(by)
            return
        while NOT_RECORDED in await self._pressed(by, LABELS[move], fields):
            pass

    async def sees(self, move: str) -> Post:
        return await until(self._look(lambda: self._with_button(LABELS[move])))

    async def ends(self, runs: int) -> None:
        await until(self._when(lambda: len(self._done()) >= runs))

    async def listen_on(self) -> None:
        """An answer is a post without a title, in the thread of a run that is done."""

        def answered() -> bool:
            threads = {post.thread_ts for post in self._posts() if not _title(post)}
            return threads.issuperset(post.thread_ts for post in self._done())

        await until(self._when(answered))

    async def _read(self, by: str) -> None:
        """Press Details, and wait until they stand in a window."""
        user, card = self._ids[by], await until(self._look(lambda: self._with_button(LABELS["details"])))
        self._say(f"  {by} presses {LABELS['details']!r}")
        await self._slack.press(user, card.channel, card.ts, LABELS["details"])
        await until(self._when(lambda: self._title_of_window(user) not in ("", OPENING)))
        self._say(f"  {by} alone reads: {self._title_of_window(user)}")

    def _title_of_window(self, user: str) -> str:
        view = self._slack.view_of(user)
        return str(view.body["title"]["text"]) if view is not None else ""

    async def _pressed(self, by: str, label: str, fields: dict[str, str] | None) -> str:
        """Press, fill in what opens, and read what only this person is told."""
        user, card = self._ids[by], await until(self._look(lambda: self._with_button(label)))
        before = len(self._slack.ephemerals(user))
        self._say(f"  {by} presses {label!r}")
        await self._slack.press(user, card.channel, card.ts, label)
        if fields is not None:
            await until(self._when(lambda: self._is_form(user)))
            await self._slack.submit(user, {f"f.{name}": value for name, value in fields.items()})
        await until(self._when(lambda: len(self._slack.ephemerals(user)) > before))
        told = self._slack.text_of(self._slack.ephemerals(user)[before])
        self._say(f"  {by} alone reads: {told}")
        return told

    def _is_form(self, user: str) -> bool:
        view = self._slack.view_of(user)
        return view is not None and "submit" in view.body

    def _with_button(self, label: str) -> Post | None:
        return next((post for post in reversed(self._posts()) if label in self._slack.buttons_of(post)), None)

    def _done(self) -> list[Post]:
        return [post for post in self._posts() if _title(post) == "Done"]

    def _posts(self) -> list[Post]:
        """The bot's own."""
        return [post for post in self._slack.messages(self._channel) if post.user == self._slack.bot_user]

    # ---------------------------------------------------------- what is printed

    def _look(self, at: Callable[[], Post | None]) -> Callable[[], Awaitable[Post | None]]:
        """For `until`: print what is new, then look."""

        async def look() -> Post | None:
            self._show()
            return at()

        return look

    def _when(self, holds: Callable[[], bool]) -> Callable[[], Awaitable[bool | None]]:
        async def look() -> bool | None:
            self._show()
            return holds() or None

        return look

    def _show(self) -> None:
        """The conversation so far; what is new in it is printed."""
        for post in self._slack.messages(self._channel):
            line = self._line(post)
            if self._told.get(post.ts) != line:
                self._told[post.ts] = line
                self._say(line)

    def _line(self, post: Post) -> str:
        """A message as a lock screen shows it, and its buttons."""
        by = self._names.get(post.user, "countersign")
        said = html.unescape(post.text).replace(self._slack.mention, "@countersign")
        parts = [*said.splitlines()[:2], " ".join(f"[{label}]" for label in self._slack.buttons_of(post))]
        return f"{by}: {' · '.join(part for part in parts if part)}"


def _title(post: Post) -> str:
    first = post.blocks[0] if post.blocks else {}
    return str(first["text"]["text"]) if first.get("type") == "header" else ""
