"""Answers: what Slack's look-ups say about people and groups, as records. Whatever else stands there is let pass.

Flags are read strictly: whoever is not plainly an active, full, human member is none. Not owned: asking (lookups).
"""

from __future__ import annotations

from typing import Any

from adapters.called import called
from bot.domain.hours import is_zone
from bot.domain.wire import Record

SLACKBOT = "USLACKBOT"  # its own flags say that it is a person


class User(Record):
    """One account, as its workspace describes it. `email` is one that Slack has confirmed, `zone` an IANA name."""

    id: str
    name: str
    email: str | None = None
    zone: str = ""
    is_active: bool = True
    is_guest: bool = False
    is_bot: bool = False

    @property
    def is_full(self) -> bool:
        return self.is_active and not self.is_guest and not self.is_bot


def user_from(row: Row, team: str) -> User:
    """The account *row* describes, as *team* sees it: somebody of another workspace is a guest."""
    homes = {row.team_id, *(row.enterprise_user.teams if row.enterprise_user else ())}
    profile = row.profile or Profile()
    names = (called(profile.display_name), called(profile.real_name), called(row.name), row.id)
    is_member = row.is_restricted is False and row.is_ultra_restricted is False and not row.is_stranger
    return User(
        id=row.id,
        name=next(name for name in names if name),
        email=profile.email if row.is_email_confirmed else None,
        zone=row.tz if row.tz and is_zone(row.tz) else "",
        is_active=row.deleted is False and not row.is_invited_user,
        is_guest=not is_member or team not in homes,
        is_bot=row.is_bot is not False or row.id == SLACKBOT,
    )


# ------------------------------------------------------------------ people


class More(Record):
    next_cursor: str = ""


class Page(Record):
    response_metadata: More | None = None


class Enterprise(Record):
    teams: tuple[str, ...] = ()


class Profile(Record):
    display_name: str | None = None
    real_name: str | None = None
    email: str | None = None


class Row(Record):
    """A user of `users.info` and `users.list`. A flag that is missing says nothing."""

    id: str
    team_id: str | None = None
    name: str | None = None
    deleted: bool | None = None
    is_bot: bool | None = None
    is_restricted: bool | None = None
    is_ultra_restricted: bool | None = None
    is_stranger: bool = False
    is_invited_user: bool = False
    is_email_confirmed: bool = False
    tz: str | None = None
    enterprise_user: Enterprise | None = None
    profile: Profile | None = None


class Info(Page, kw_only=True):
    user: Row


class Users(Page, kw_only=True):
    members: tuple[Row, ...]


class Filled(Record):
    """The fields of one profile. Slack sends a list, or nothing, when none is filled in."""

    fields: Any = None

    @property
    def texts(self) -> dict[str, str]:
        rows = self.fields if isinstance(self.fields, dict) else {}
        values = {name: row.get("value") for name, row in rows.items() if isinstance(row, dict)}
        return {name: value for name, value in values.items() if isinstance(value, str)}


class ProfileOf(Page, kw_only=True):
    profile: Filled


class Field(Record):
    id: str
    label: str = ""
    type: str = ""


class Fields(Record):
    fields: tuple[Field, ...] = ()


class TeamProfile(Page, kw_only=True):
    profile: Fields


# ------------------------------------------------------------------ groups


class Usergroup(Record):
    id: str
    handle: str
    date_delete: int = 0


class Usergroups(Page, kw_only=True):
    usergroups: tuple[Usergroup, ...]


class Ids(Page, kw_only=True):
    users: tuple[str, ...]


class Channel(Record):
    id: str
    name: str | None = None


class Channels(Page, kw_only=True):
    channels: tuple[Channel, ...]


class Reach(Record):
    """How far a channel reaches: beyond the organisation, now or as soon as an invitation is taken."""

    is_ext_shared: bool = False
    is_pending_ext_shared: bool = False


class ChannelInfo(Page, kw_only=True):
    channel: Reach


class Members(Page, kw_only=True):
    members: tuple[str, ...]
