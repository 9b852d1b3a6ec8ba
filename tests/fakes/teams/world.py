"""What there is in this Teams: tenants, people, teams, chats, and who wrote what. No HTTP and no rules of the wire.

Ids look like the real ones, so that nothing that reads them leans on less: `29:…` people as the bot knows them,
`19:…@thread.tacv2` channels, `19:…@thread.v2` group chats, `a:…` personal chats, `;messageid=` the thread.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
BOT_NAME = "Countersign"
REGIONS = ("emea", "amer", "apac")
PERSONAL, GROUP, CHANNEL = "personal", "groupChat", "channel"  # conversationType, in Teams' own words


class Refusal(Exception):
    """An answer in the Bot Connector's own shape. *is_fault*: the caller did what no bot may do."""

    def __init__(self, status: int, code: str, message: str, *, is_fault: bool = False) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.is_fault = status, code, message, is_fault


@dataclass
class FakePerson:
    """*id* is the AAD object id; *roster* is what only this bot calls them."""

    id: str
    name: str
    tenant: str
    roster: str
    manager: str | None = None
    is_guest: bool = False
    is_deleted: bool = False
    is_disabled: bool = False  # may not sign in; still listed everywhere
    has_blocked: bool = False
    groups: set[str] = field(default_factory=set)

    @property
    def upn(self) -> str:
        return f"{self.name.lower().replace(' ', '.')}@{self.tenant[:8]}.example"


@dataclass
class FakeTeam:
    id: str
    name: str
    tenant: str
    members: set[str]
    has_app: bool = True
    group: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class FakeMessage:
    """One message as it stands now. *id* is its activity id; *thread* the root's id, in channels only."""

    id: str
    conversation: str
    by: str  # AAD id of a person, or the bot's id
    activity: Json
    thread: str | None = None
    versions: list[Json] = field(default_factory=list)  # what it was before each edit
    is_deleted: bool = False
    alone: dict[str, Json] = field(default_factory=dict)  # person -> the card that only they see since their click

    @property
    def card(self) -> Json | None:
        rows = self.activity.get("attachments") or []
        return next((dict(one["content"]) for one in rows if one["contentType"] == CARD), None)

    def card_for(self, person: str) -> Json | None:
        return self.alone.get(person, self.card)


CARD = "application/vnd.microsoft.card.adaptive"


@dataclass
class FakeConversation:
    """A personal chat, a group chat or a channel. A channel's members and app are its team's."""

    id: str
    kind: str
    tenant: str
    name: str = ""
    people: set[str] = field(default_factory=set)
    team: FakeTeam | None = None
    is_installed: bool = True
    messages: dict[str, FakeMessage] = field(default_factory=dict)
    typed: list[float] = field(default_factory=list)  # when the bot was seen typing

    @property
    def members(self) -> set[str]:
        return self.team.members if self.team else self.people

    @property
    def has_app(self) -> bool:
        return self.team.has_app if self.team else self.is_installed


class World:
    """Everything, and the clock. `later` puts it forward: tokens age and rates recover."""

    def __init__(self) -> None:
        self.app_id = str(uuid.uuid4())
        self.bot_id = f"28:{self.app_id}"
        self.tenant = str(uuid.uuid4())
        self.regions: dict[str, str] = {self.tenant: REGIONS[0]}  # tenant -> where it lives
        self.people: dict[str, FakePerson] = {}
        self.teams: dict[str, FakeTeam] = {}
        self.conversations: dict[str, FakeConversation] = {}
        self.groups: dict[str, str] = {}  # Graph's group id -> name
        self.complaints: list[str] = []
        self.changed = asyncio.Event()
        self.later = 0.0
        self.base = ""
        self._ids = itertools.count(1)
        self._last = 0

    def now(self) -> float:
        return time.time() + self.later

    def complain(self, text: str) -> None:
        self.complaints.append(text)
        self.tick()

    def tick(self) -> None:
        self.changed.set()

    # -------------------------------------------------------------------- ids

    def message_id(self, kind: str, *, by_bot: bool) -> str:
        """Milliseconds, each once; what a bot sends to one person alone has an id of another kind."""
        self._last = max(self._last + 1, int(self.now() * 1000))
        return f"1:{secrets.token_urlsafe(24)}{self._last}" if by_bot and kind == PERSONAL else str(self._last)

    def stamp(self) -> str:
        return datetime.fromtimestamp(self.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def thread_id(self, suffix: str) -> str:
        return f"19:{secrets.token_hex(16)}{next(self._ids)}@thread.{suffix}"

    def roster_id(self) -> str:
        return f"29:1{secrets.token_urlsafe(48)}"

    # ---------------------------------------------------------------- look-ups

    def service_url(self, tenant: str) -> str:
        return f"{self.base}/{self.regions[tenant]}/"

    def person(self, id: str) -> FakePerson | None:
        """By AAD id, or by the roster's id."""
        return self.people.get(id) or next((one for one in self.people.values() if one.roster == id), None)

    def personal(self, person: FakePerson) -> FakeConversation:
        """The one chat of this person with the bot. It is made with the person."""
        found = (one for one in self.conversations.values() if one.kind == PERSONAL and person.id in one.people)
        return next(found)

    def channels_of(self, team: FakeTeam) -> list[FakeConversation]:
        return [one for one in self.conversations.values() if one.team is team]

    def place_of(self, id: str) -> tuple[FakeConversation | None, str | None]:
        """The conversation and the root of its thread, of an id as it goes over the wire."""
        base, mark, root = id.partition(";messageid=")
        return self.conversations.get(base), root if mark else None

    def messages(self) -> Iterator[FakeMessage]:
        for place in self.conversations.values():
            yield from place.messages.values()

    def put(self, message: FakeMessage) -> FakeMessage:
        self.conversations[message.conversation].messages[message.id] = message
        self.tick()
        return message


def wire_id(message: FakeMessage) -> str:
    """The conversation id with which *message* comes over the wire."""
    return f"{message.conversation};messageid={message.thread}" if message.thread else message.conversation
