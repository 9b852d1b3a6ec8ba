"""The demo's people in Teams: a strict imitation of it runs in this process, and the bot serves it over HTTP.

    ana mentions the bot in Support -> the bot answers in the thread -> bo presses a button, or fills in what it opens

The imitation is the one our tests use, and may be missing. What stands under a card for whoever pressed is printed
beside their press.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from bot.demochat import LABELS, NOT_RECORDED, ChatStage
from bot.demostage import NAMES, Say, Warehouse, imitation

ROOM = "Support"


class Post(Protocol):
    """One message as the imitation keeps it."""

    conversation: str
    id: str
    by: str
    thread: str | None

    @property
    def card(self) -> Mapping[str, Any] | None: ...


class Seen(Protocol):
    """What somebody saw after a press."""

    kind: str
    words: str
    card: dict[str, object] | None


class Imitation(Protocol):
    """`FakeTeams`, as far as the demo needs it."""

    app_id: str
    app_password: str
    bot_id: str
    tenant: str

    @property
    def service_url(self) -> str: ...
    @property
    def login_url(self) -> str: ...
    @property
    def graph_url(self) -> str: ...
    @property
    def openid_metadata(self) -> str: ...
    def connect(self, url: str | None) -> None: ...
    def add_person(self, name: str) -> str: ...
    def add_team(self, name: str, channels: Iterable[str], members: Iterable[str]) -> str: ...
    def channel(self, name: str) -> str: ...
    async def install(self, id: str) -> object: ...
    async def say(self, person: str, conversation: str, text: str) -> str: ...
    async def press(self, person: str, conversation: str, id: str, title: str, /, **typed: str) -> Seen: ...
    def close_dialog(self, person: str) -> None: ...
    def messages(self, conversation: str) -> Sequence[Post]: ...
    def text_of(self, shown: object) -> str: ...
    def notice_of(self, shown: Post) -> str: ...
    def buttons_of(self, shown: Post) -> Sequence[str]: ...


@asynccontextmanager
async def teams_stage(say: Say, folder: Path, warehouse: Warehouse) -> AsyncIterator[TeamsStage]:
    """Raises BadSettings where there is no imitation of Teams."""
    opened: AbstractAsyncContextManager[Imitation] = imitation("tests.fakes.teams", "Teams")()
    async with opened as teams:
        yield TeamsStage((say, folder, warehouse), teams)


class TeamsEye:
    """Messages of one channel."""

    def __init__(self, teams: Imitation, channel: str) -> None:
        self._teams, self._channel = teams, channel

    def messages(self) -> Sequence[Post]:
        return self._teams.messages(self._channel)

    def id_of(self, post: Post) -> str:
        return post.id

    def by(self, post: Post) -> str:
        return post.by

    def thread_of(self, post: Post) -> str | None:
        return post.thread

    def notice(self, post: Post) -> str:
        return self._teams.notice_of(post)

    def buttons(self, post: Post) -> Sequence[str]:
        return self._teams.buttons_of(post)

    def title(self, post: Post) -> str:
        first: Mapping[str, Any] = next(iter(post.card["body"]), {}) if post.card else {}
        return self._teams.text_of(post).partition("\n")[0] if first.get("type") == "Container" else ""


class TeamsStage(ChatStage[Post]):
    def __init__(self, stage: tuple[Say, Path, Warehouse], teams: Imitation) -> None:
        ids = {name: teams.add_person(name.capitalize()) for name in NAMES}
        super().__init__(stage, ("teams", teams.tenant), ids)
        self._teams = teams
        self._team = teams.add_team("Sales", [ROOM], ids.values())
        self._channel = teams.channel(ROOM)
        self._is_known = False

    @property
    def eye(self) -> TeamsEye:
        return TeamsEye(self._teams, self._channel)

    def settings(self) -> Mapping[str, str]:
        at = urlsplit(self._teams.service_url)
        return {
            **super().settings(),
            "TEAMS_APP_ID": self._teams.app_id,
            "TEAMS_APP_PASSWORD": self._teams.app_password,
            "TEAMS_TENANT_ID": self._teams.tenant,
            "TEAMS_OPENID_METADATA": self._teams.openid_metadata,
            "TEAMS_LOGIN_URL": self._teams.login_url,
            "TEAMS_GRAPH_URL": self._teams.graph_url,
            "TEAMS_SERVICE_URL": self._teams.service_url,
            "TEAMS_SERVICE_HOSTS": f"{at.scheme}://{at.netloc}",
            "TEAMS_PORT": "0",
        }

    async def arrived(self, where: str) -> None:
        """The first time, the app is installed, as somebody of the team would."""
        url = next(word for word in where.split() if word.startswith("http://") and word.endswith("/api/messages"))
        self.tell(f"Teams posts to {url}.")
        self._teams.connect(url)
        if not self._is_known:
            self._is_known = True
            await self._teams.install(self._team)
            for person in self.ids.values():
                await self._teams.install(person)

    async def kill(self) -> None:
        """A process that is gone is no longer given anything."""
        await super().kill()
        self._teams.connect(None)

    # ----------------------------------------------------------- the people

    async def write(self, by: str, text: str) -> None:
        await self._teams.say(self.ids[by], self._channel, text)
        self.show()

    async def press(self, by: str, move: str, fields: dict[str, str] | None = None) -> None:
        typed = {f"{move}.{name}": value for name, value in (fields or {}).items()}
        while NOT_RECORDED in (seen := await self._pressed(by, LABELS[move], typed)).words:
            pass
        if seen.kind == "dialog":
            self.reads(by, self._teams.text_of(seen.card).splitlines()[0])
            self._teams.close_dialog(self.ids[by])
        else:
            self.reads(by, seen.words)

    async def _pressed(self, by: str, label: str, typed: Mapping[str, str]) -> Seen:
        card = await self.card(label)
        self.presses(by, label)
        return await self._teams.press(self.ids[by], card.conversation, card.id, label, **typed)
