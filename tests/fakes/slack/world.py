"""What the fake Slack remembers: workspaces, people, channels, messages, windows, and what was promised to whom.

No HTTP and no rules of methods here; only records, and the few questions that every method asks of them.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

TEAM, APP = "T0123TEAM", "A0123APP00"
TRIGGER_LIFE = 3.0  # seconds (docs.slack.dev, views.open)
URL_LIFE, URL_USES = 1800.0, 5  # docs.slack.dev, handling user interaction
STREAM_LIFE = 300.0  # seconds; slackapi/python-slack-sdk#1859


class Refusal(Exception):
    """A method's `ok: false`, with the code and whatever stands beside it."""

    def __init__(self, code: str, **more: object) -> None:
        super().__init__(code)
        self.code, self.more = code, more


@dataclass
class FakeUser:
    id: str
    name: str
    team: str
    email: str | None = None
    flags: dict[str, bool] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)  # profile fields: id -> value, several parted by commas

    def is_(self, flag: str) -> bool:
        return self.flags.get(flag, False)

    def wire(self, *, with_email: bool) -> Json:
        """As `users.info` tells it. `is_stranger` stands there only for strangers."""
        flags: Json = {"deleted": self.is_("deleted"), "is_bot": self.is_("is_bot"), "is_app_user": False}
        flags |= {"is_restricted": self.is_("is_restricted"), "is_ultra_restricted": self.is_("is_ultra_restricted")}
        flags["is_email_confirmed"] = self.flags.get("is_email_confirmed", True)
        if self.is_("is_stranger"):
            flags["is_stranger"] = True
        profile: Json = {"real_name": self.name.title(), "display_name": self.name, "team": self.team}
        if with_email and self.email:
            profile["email"] = self.email
        return {"id": self.id, "team_id": self.team, "name": self.name, "profile": profile, "tz": "UTC", **flags}


@dataclass
class FakeFile:
    """An upload. It belongs to no conversation until `files.completeUploadExternal`."""

    id: str
    name: str
    length: int
    content: bytes = b""
    title: str = ""
    channel: str | None = None
    thread_ts: str | None = None
    ts: str | None = None  # of the message that shows it
    is_complete: bool = False


@dataclass
class Stream:
    began: float
    is_stopped_by_user: bool = False


@dataclass
class FakeMessage:
    """One message. `to` is the only reader of an ephemeral one; `versions` are what it showed before, oldest first."""

    channel: str
    ts: str
    user: str
    team: str
    text: str = ""
    blocks: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    metadata: Json | None = None
    bot_id: str | None = None
    to: str | None = None
    edited: str | None = None
    args: Json = field(default_factory=dict)  # of the call that posted it; empty for people's posts
    files: list[FakeFile] = field(default_factory=list)
    versions: list[tuple[str, list[Json]]] = field(default_factory=list)
    stream: Stream | None = None
    is_broadcast: bool = False

    def wire(self, *, with_metadata: bool = False) -> Json:
        told: Json = {"type": "message", "user": self.user, "ts": self.ts, "text": self.text, "team": self.team}
        told |= {"bot_id": self.bot_id, "app_id": APP} if self.bot_id else {}
        told |= {"blocks": self.blocks} if self.blocks else {}
        told |= {"thread_ts": self.thread_ts} if self.thread_ts else {}
        told |= {"edited": {"user": self.user, "ts": self.edited}} if self.edited else {}
        told |= {"metadata": self.metadata} if self.metadata and with_metadata else {}
        told |= {"files": [{"id": file.id, "name": file.name} for file in self.files]} if self.files else {}
        return told

    def show(self, text: str, blocks: list[Json]) -> None:
        """Put a new picture in the place of the old one."""
        self.versions.append((self.text, self.blocks))
        self.text, self.blocks = text, blocks


@dataclass
class FakeChannel:
    id: str
    name: str
    team: str
    members: set[str] = field(default_factory=set)
    is_private: bool = False
    is_archived: bool = False
    is_im: bool = False
    is_mpim: bool = False
    is_ext_shared: bool = False  # with another organisation (Slack Connect)
    is_pending_ext_shared: bool = False  # that organisation is invited
    messages: dict[str, FakeMessage] = field(default_factory=dict)  # ephemeral ones, too

    @property
    def kind(self) -> str:
        """`channels`, `groups`, `im` or `mpim`: the first half of a scope, the second of a `message.*` event."""
        if self.is_im or self.is_mpim:
            return "im" if self.is_im else "mpim"
        return "groups" if self.is_private else "channels"

    def wire(self) -> Json:
        told: Json = {"id": self.id, "name": self.name, "is_archived": self.is_archived, "context_team_id": self.team}
        told |= {"is_channel": self.kind == "channels", "is_group": self.kind == "groups", "is_im": self.is_im}
        told |= {"is_shared": self.is_ext_shared, "is_org_shared": False, "is_ext_shared": self.is_ext_shared}
        told |= {"is_pending_ext_shared": self.is_pending_ext_shared}
        return told | {"is_mpim": self.is_mpim, "is_private": self.kind != "channels"}

    def shared(self) -> Iterator[FakeMessage]:
        """What everybody sees, oldest first."""
        return (message for _ts, message in sorted(self.messages.items()) if message.to is None)


@dataclass
class FakeGroup:
    id: str
    handle: str
    team: str
    users: list[str]
    is_disabled: bool = False

    def wire(self, *, with_users: bool) -> Json:
        told: Json = {"id": self.id, "team_id": self.team, "is_usergroup": True, "name": self.handle.title()}
        told |= {"handle": self.handle, "date_delete": 1 if self.is_disabled else 0, "user_count": len(self.users)}
        return told | ({"users": self.users} if with_users else {})


@dataclass
class FakeView:
    """A modal or a Home tab as somebody has it before them."""

    id: str
    user: str
    team: str
    body: Json  # type, title, blocks, … as the app sent it, block ids filled in
    hash: str
    bot_id: str
    root: str
    previous: str | None = None

    @property
    def blocks(self) -> list[Json]:
        return list(self.body["blocks"])

    @property
    def title(self) -> str:
        return str(self.body.get("title", {}).get("text", ""))

    @property
    def private_metadata(self) -> str:
        return str(self.body.get("private_metadata", ""))

    def wire(self, state: Json | None = None) -> Json:
        empty: Json = {"private_metadata": "", "callback_id": "", "external_id": "", "clear_on_close": False}
        empty |= {"notify_on_close": False, "submit": None, "close": None}
        own: Json = {"id": self.id, "team_id": self.team, "hash": self.hash, "app_id": APP, "bot_id": self.bot_id}
        own |= {"root_view_id": self.root, "previous_view_id": self.previous, "app_installed_team_id": self.team}
        return {**empty, **self.body, **own, "state": {"values": state or {}}}


@dataclass(frozen=True)
class Install:
    """One workspace's leave for the app: who the bot is there. Its token is the key it is stored under."""

    team: str
    team_name: str
    bot_user: str
    bot_id: str
    installer: str


@dataclass
class Trigger:
    user: str
    team: str
    until: float
    in_view: str | None = None  # the modal the person acted in
    is_spent: bool = False


@dataclass
class ResponseUrl:
    user: str
    channel: str
    until: float
    ts: str | None = None  # the message whose button was pressed
    uses: int = 0


@dataclass
class Code:
    """An authorization on its way to a token; good for one exchange."""

    team: str
    team_name: str
    user: str
    redirect_uri: str | None
    is_used: bool = False


class World:
    """Everything there is. `tick` rings whoever waits for a change."""

    def __init__(self, scopes: set[str]) -> None:
        self.scopes = scopes
        self.users: dict[str, FakeUser] = {}
        self.channels: dict[str, FakeChannel] = {}
        self.groups: dict[str, FakeGroup] = {}
        self.installs: dict[str, Install] = {}
        self.dead_tokens: dict[str, str] = {}  # token -> why
        self.files: dict[str, FakeFile] = {}
        self.profile_fields: list[Json] = []
        self.modals: dict[str, list[FakeView]] = {}  # user -> stack, the top last
        self.homes: dict[str, FakeView] = {}
        self.triggers: dict[str, Trigger] = {}
        self.urls: dict[str, ResponseUrl] = {}
        self.codes: dict[str, Code] = {}
        self.sessions: dict[tuple[str, str | None], str] = {}  # (channel, thread) -> agent session status
        self.statuses: dict[tuple[str, str], str] = {}  # (channel, thread) -> "is thinking…"
        self.prompts: dict[tuple[str, str | None], list[Json]] = {}
        self.home_enabled = True
        self.later = 0.0  # seconds the clock was put forward
        self.changed = asyncio.Event()
        self._numbers: Counter[str] = Counter()
        self._last_ts = 0

    # ------------------------------------------------------------- the clock

    def now(self) -> float:
        return time.time() + self.later

    def ts(self) -> str:
        """A new message's name: seconds and microseconds, never twice, always growing."""
        self._last_ts = max(int(self.now() * 1_000_000), self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def tick(self) -> None:
        self.changed.set()

    def new_id(self, letter: str) -> str:
        self._numbers[letter] += 1
        return f"{letter}0{self._numbers[letter]:08d}"

    # ------------------------------------------------------------- questions

    def install_of(self, team: str) -> tuple[str, Install] | None:
        """The token and installation of a workspace, if the app is there."""
        return next(((token, one) for token, one in self.installs.items() if one.team == team), None)

    def message(self, channel: str, ts: str) -> FakeMessage | None:
        known = self.channels.get(channel)
        return known.messages.get(ts) if known else None

    def dm(self, team: str, user: str) -> FakeChannel:
        """The conversation of the workspace's bot and *user*, made when it is first asked for."""
        found = self.install_of(team)
        pair = {user, found[1].bot_user if found else "?"}
        known = (one for one in self.channels.values() if one.is_im and one.team == team and one.members == pair)
        return next(known, None) or self.put(FakeChannel(self.new_id("D"), "", team, members=pair, is_im=True))

    def put(self, channel: FakeChannel) -> FakeChannel:
        self.channels[channel.id] = channel
        return channel

    def post(self, message: FakeMessage) -> FakeMessage:
        self.channels[message.channel].messages[message.ts] = message
        self.tick()
        return message

    def can_see(self, user: str, channel: FakeChannel) -> bool:
        """Members do, and full members of the workspace see its public channels."""
        person = self.users[user]
        is_guest = any(person.is_(flag) for flag in ("is_restricted", "is_ultra_restricted", "is_stranger"))
        is_open = channel.kind == "channels" and person.team == channel.team and not is_guest
        return user in channel.members or is_open

    def trigger(self, user: str, team: str, in_view: str | None = None) -> str:
        """A new trigger id; good for one modal within 3 s."""
        name = f"{self.ts()}.{secrets.token_hex(8)}"
        self.triggers[name] = Trigger(user, team, self.now() + TRIGGER_LIFE, in_view)
        return name

    def response_url(self, base: str, user: str, channel: str, ts: str | None = None) -> str:
        name = secrets.token_hex(12)
        self.urls[name] = ResponseUrl(user, channel, self.now() + URL_LIFE, ts)
        return f"{base}/actions/{name}"


def with_block_ids(blocks: list[Json]) -> list[Json]:
    """As stored: Slack names each block that came without a name."""
    return [block if "block_id" in block else {**block, "block_id": secrets.token_hex(3)} for block in blocks]
