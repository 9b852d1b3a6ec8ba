"""The shapes of Teams' activities: the parts we look at, each with its type and bounds. Everything else is let pass.

Read from the raw JSON, because the library's models lose what we need (docs/teams-library.md). An activity of another
shape is refused as a whole, so that no reader behind this one stumbles over it. Ids are opaque: only `;messageid=` is
read out of one. Not owned: whether it comes from Teams, and for whom (proof), what it means (reading).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from bot.domain.chat import Account, Place
from bot.domain.errors import Refused
from bot.domain.wire import Record

T = TypeVar("T")
Raw = Mapping[str, Any]

PLATFORM, CHANNEL_ID = "teams", "msteams"
THREAD = ";messageid="
A_BOT = "28:"  # how bots' ids begin; only ever used to stay silent
ID_MOST = 1_000  # characters; a conversation's id has about 250
TEXT_MOST = 200_000  # characters; Teams takes 100 KB in a message
NO_TENANT = "-"  # an emulator's; anywhere else the proof has refused it
PERSONAL, GROUP, CHANNEL = "personal", "groupChat", "channel"  # conversationType


class BadPayload(Refused):
    """An activity of a shape that Teams does not send. `where` names the part; its value is never told."""

    people_read = "This could not be read."

    def __init__(self, where: str) -> None:
        super().__init__(f"an activity cannot be read: {where}")
        self.where = where


Id = Annotated[str, Meta(max_length=ID_MOST)]
Text = Annotated[str, Meta(max_length=TEXT_MOST)]


class Who(Record):
    """An account as an activity names it: `id` is another one for each bot, `aadObjectId` the same for all."""

    id: Id = ""
    name: str | None = None
    aadObjectId: Id | None = None  # noqa: N815  # as on the wire
    role: str | None = None


class Conversation(Record):
    id: Id | None = None
    conversationType: Id | None = None  # noqa: N815  # as on the wire
    tenantId: Id | None = None  # noqa: N815  # as on the wire


class Named(Record):
    id: Id | None = None


class ChannelData(Record):
    tenant: Named | None = None
    team: Named | None = None
    channel: Named | None = None


class Mention(Record):
    """An entity. `mentioned` and `text` stand in those of type mention."""

    type: str = ""
    text: Text | None = None
    mentioned: Who | None = None


class Activity(Record):
    """The outside of everything that Teams posts."""

    type: Id
    serviceUrl: Id  # noqa: N815  # as on the wire
    channelId: Id  # noqa: N815  # as on the wire
    sender: Who = msgspec.field(name="from")
    recipient: Who
    conversation: Conversation | None = None
    channelData: ChannelData | None = None  # noqa: N815  # as on the wire
    id: Id | None = None
    name: Id | None = None
    replyToId: Id | None = None  # noqa: N815  # as on the wire
    timestamp: Annotated[datetime, Meta(tz=True)] | None = None
    text: Text | None = None
    textFormat: Id | None = None  # noqa: N815  # as on the wire
    entities: list[Any] | None = None
    action: Id | None = None
    membersAdded: list[Who] | None = None  # noqa: N815  # as on the wire
    membersRemoved: list[Who] | None = None  # noqa: N815  # as on the wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One activity, as far as everybody needs it.

    `conversation` is the whole id, with `;messageid=` in a channel's thread; empty where a click lacks it. `place` is
    that conversation, and its `thread` what stands behind `;messageid=`.
    """

    raw: Raw
    parts: Activity
    type: str
    name: str
    activity: str
    reply_to: str
    conversation: str
    place: Place
    by: Account
    bot: str
    service_url: str
    tenant: str
    sent: datetime | None

    @classmethod
    def of(cls, raw: object) -> Inbound:
        """Raises BadPayload, and nothing else, whatever *raw* is."""
        parts = read_as(Activity, raw)
        assert isinstance(raw, Mapping), "it was read as a record"
        conversation = parts.conversation or Conversation()
        tenant, whole = _tenant(parts), _sound(conversation.id or "", "conversation.id")
        channel, _, thread = whole.partition(THREAD)
        place = Place(
            platform=PLATFORM,
            tenant=tenant,
            channel=channel,
            thread=thread or None,
            is_direct=conversation.conversationType == PERSONAL,
        )
        user = _sound(parts.sender.aadObjectId or parts.sender.id, "from")
        return cls(
            raw=raw,
            parts=parts,
            type=_given(parts.type, "type"),
            name=parts.name or "",
            activity=_sound(parts.id or "", "id"),
            reply_to=_sound(parts.replyToId or "", "replyToId"),
            conversation=whole,
            place=place,
            by=Account(platform=PLATFORM, tenant=tenant, user=_given(user, "from")),
            bot=_given(parts.recipient.id, "recipient.id"),
            service_url=_given(parts.serviceUrl, "serviceUrl"),
            tenant=tenant,
            sent=_utc(parts.timestamp),
        )

    @property
    def is_channel(self) -> bool:
        return self.parts.conversation is not None and self.parts.conversation.conversationType == CHANNEL

    @property
    def is_from_bot(self) -> bool:
        """Is it our own, or another bot's? Loops begin where bots answer bots (T17)."""
        sender = self.parts.sender
        is_named_so = sender.id.startswith(A_BOT) and not sender.aadObjectId
        return sender.id == self.bot or is_named_so or (sender.role or "").lower() in ("bot", "skill")

    @property
    def stamp(self) -> str:
        """When it was written, as Teams says; empty if it does not."""
        return self.sent.isoformat() if self.sent else ""


def read_as(shape: type[T], value: object) -> T:
    """*value* as a record. Raises BadPayload that names the part, never its value."""
    try:
        return msgspec.convert(value, shape, strict=True)
    except msgspec.ValidationError as error:
        raise BadPayload(str(error)) from error
    except (UnicodeError, RecursionError, OverflowError) as error:  # half a character; brackets without end
        raise BadPayload(type(error).__name__) from error


def _tenant(parts: Activity) -> str:
    """Whose it is, in small letters, as an object id is the same in any. Two that differ are nobody's (T15)."""
    data = parts.channelData.tenant if parts.channelData else None
    named = {data.id if data else None, parts.conversation.tenantId if parts.conversation else None}
    one = {tenant.lower() for tenant in named if tenant} or {NO_TENANT}
    if len(one) > 1:
        raise BadPayload("two tenants")
    return _sound(one.pop(), "tenant")


def _utc(at: datetime | None) -> datetime | None:
    try:
        return at.astimezone(UTC) if at else None
    except OverflowError as error:  # the first hours of year 1, and the last of 9999
        raise BadPayload("timestamp") from error


def _given(value: str, name: str) -> str:
    if not value:
        raise BadPayload(f"{name} is missing")
    return _sound(value, name)


def _sound(value: str, name: str) -> str:
    """An id that can be written down, and that hides nothing."""
    if value and not value.isprintable():
        raise BadPayload(f"{name} holds what no id does")
    return value
