"""Look-ups: what Slack says about people, user groups and channels, remembered for a minute.

    users.info, users.lookupByEmail, users.list        -> User
    usergroups.list -> usergroups.users.list           -> user ids
    conversations.list -> conversations.members        -> user ids
    conversations.info                                 -> does another organisation read here?
    team.profile.get -> users.profile.get              -> a manager's user id

Not owned: what an answer says (answers), which person an account is and what their groups are called (people).
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from adapters.recall import KEEP, Clock, Recall
from adapters.slack.answers import (
    ChannelInfo,
    Channels,
    Ids,
    Info,
    Members,
    Page,
    ProfileOf,
    TeamProfile,
    User,
    Usergroups,
    Users,
    user_from,
)
from adapters.slack.api import SlackGone, SlackRefused
from adapters.slack.shapes import BadPayload, read_as
from bot.domain.errors import ChatUnavailable, Undeliverable, Unsatisfiable

KEEP_FACTS = 3600.0  # seconds; neither a workspace's profile fields nor its size are anybody's right
MOST = 5000  # accounts of a workspace, or members of a group, that are read
PAGE = 1000  # the most of one page: the list of MOST accounts takes 5 of 20 calls a minute
MOST_PAGES = 50
ONE_BY_ONE = 15  # accounts asked for one at a time: 20 of 100 calls a minute may come at once; more come with the list
MOST_ONE_BY_ONE = 100  # a minute's calls: for groups of a workspace whose list is too long
CHANNELS = "public_channel,private_channel"

UNKNOWN_USER = frozenset({"user_not_found", "users_not_found", "user_not_visible"})
NO_EMAILS = UNKNOWN_USER | {"missing_scope"}  # an app that may not read addresses knows nobody by theirs
NO_USERGROUPS = frozenset({"plan_upgrade_required", "no_such_subteam"})
NO_CHANNEL = frozenset({"channel_not_found"})
NO_LIST = frozenset({"missing_scope"})  # an app that may not list channels knows none by its name
UNSEEN = "this app cannot see who reads there; invite it, and grant it channels:read and groups:read"

P = TypeVar("P", bound=Page)


class Calls(Protocol):
    """One call of one Web API method. Raises ChatUnavailable, SlackRefused with Slack's code, or SlackGone."""

    async def call(self, team: str, method: str, *, channel: str = "", **args: Any) -> Mapping[str, Any]: ...


class Teams(Protocol):
    """The workspaces this app is installed in."""

    async def teams(self) -> tuple[str, ...]:
        """Those that can be listed: of an organisation that installed the app as a whole, perhaps none."""
        ...

    async def bot_user(self, team: str) -> str | None:
        """The bot's user id in *team*; None where it is not installed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What was heard, each by `team/what`."""

    users: Recall[User | None]
    emails: Recall[User | None]
    rosters: Recall[tuple[User, ...]]
    handles: Recall[Mapping[str, str]]  # of user groups, to their ids
    names: Recall[str | None]  # of channels, to their ids
    shared: Recall[bool]  # does another organisation read this channel?
    members: Recall[frozenset[str] | str]  # user ids, or why there are none
    managers: Recall[str | None]
    fields: Recall[str | None]  # labels of profile fields, to their ids
    too_large: Recall[bool]

    @classmethod
    def empty(cls, clock: Clock) -> Memory:
        return cls(
            users=Recall(clock, KEEP),
            emails=Recall(clock, KEEP),
            rosters=Recall(clock, KEEP),
            handles=Recall(clock, KEEP),
            names=Recall(clock, KEEP),
            shared=Recall(clock, KEEP),
            members=Recall(clock, KEEP),
            managers=Recall(clock, KEEP),
            fields=Recall(clock, KEEP_FACTS),
            too_large=Recall(clock, KEEP_FACTS),
        )

    def fresh(self) -> Memory:
        """An empty one that this one learns from."""
        return Memory(
            users=self.users.fresh(),
            emails=self.emails.fresh(),
            rosters=self.rosters.fresh(),
            handles=self.handles.fresh(),
            names=self.names.fresh(),
            shared=self.shared.fresh(),
            members=self.members.fresh(),
            managers=self.managers.fresh(),
            fields=self.fields,
            too_large=self.too_large,
        )


class Lookups:
    """Every method raises ChatUnavailable when Slack gives no usable answer; none answers from an old one."""

    def __init__(self, api: Calls, teams: Teams, clock: Clock = time.monotonic, memory: Memory | None = None) -> None:
        self._api, self._teams, self.clock = api, teams, clock
        self._memory = memory or Memory.empty(clock)

    def fresh(self) -> Lookups:
        """Look-ups that have asked nothing yet: no answer is older than this call. This one learns what they hear."""
        return Lookups(self._api, self._teams, self.clock, self._memory.fresh())

    async def teams(self) -> tuple[str, ...]:
        return await self._teams.teams()

    async def is_ours(self, team: str) -> bool:
        """Is the app installed in *team* now?"""
        return await self._teams.bot_user(team) is not None

    # --------------------------------------------------------------- people

    async def user(self, team: str, id: str) -> User | None:
        """The account *id* as *team* sees it; None if nobody there knows it."""

        async def look() -> User | None:
            asked = self.clock()
            found = await self._call(team, "users.info", Info, UNKNOWN_USER, user=id)
            user = user_from(found.user, team) if found else None
            if user and user.email and user.is_active:
                self._memory.emails.put(f"{team}/{user.email.casefold()}", user, asked)
            return user

        return await self._memory.users.get(f"{team}/{id}", look)

    async def by_email(self, team: str, email: str) -> User | None:
        """The one account of *team* whose confirmed address is *email*; Slack finds nobody deactivated."""
        key = f"{team}/{email.casefold()}"
        if self._memory.rosters.has(team) and not self._memory.emails.has(key):
            return None

        async def look() -> User | None:
            found = await self._call(team, "users.lookupByEmail", Info, NO_EMAILS, email=email)
            user = user_from(found.user, team) if found else None
            return user if user and (user.email or "").casefold() == email.casefold() else None

        return await self._memory.emails.get(key, look)

    async def roster(self, team: str) -> tuple[User, ...]:
        """Every account of *team*. Raises Unsatisfiable when there are more than MOST."""
        too_large = Unsatisfiable(f"workspace {team} has more than {MOST:,} accounts; name a smaller group")
        if self._memory.too_large.has(team):
            raise too_large

        async def look() -> tuple[User, ...]:
            asked, found = self.clock(), list[User]()
            async for page in self._pages(team, "users.list", Users, limit=PAGE):
                found += [user_from(row, team) for row in page.members]
                if len(found) > MOST:
                    self._memory.too_large.put(team, True, asked)
                    raise too_large
            for user in found:
                self._memory.users.put(f"{team}/{user.id}", user, asked)
                if user.email and user.is_active:  # an address may pass on to somebody else
                    self._memory.emails.put(f"{team}/{user.email.casefold()}", user, asked)
            return tuple(found)

        return await self._memory.rosters.get(team, look)

    async def learn(self, team: str, ids: Sequence[str], emails: Sequence[str] = ()) -> None:
        """Read the whole list if more than a few of these accounts are not known: asking for each takes too long.

        Raises Unsatisfiable when there are too many for either.
        """
        unknown = sum(not self._memory.users.has(f"{team}/{user}") for user in ids)
        unknown += sum(not self._memory.emails.has(f"{team}/{email.casefold()}") for email in emails)
        if unknown <= ONE_BY_ONE or self._memory.rosters.has(team):
            return
        try:
            await self.roster(team)
        except Unsatisfiable:
            if unknown > MOST_ONE_BY_ONE:
                raise

    async def manager(self, team: str, user: str, field: str) -> str | None:
        """The user id in the profile field *field* (an id `Xf…`, or its label) of *user*; the first of several."""
        name = await self._field(team, field)
        if name is None:
            return None

        async def look() -> str | None:
            found = await self._call(team, "users.profile.get", ProfileOf, UNKNOWN_USER, user=user)
            value = found.profile.texts.get(name, "") if found else ""
            return value.split(",")[0].strip() or None

        return await self._memory.managers.get(f"{team}/{user}/{name}", look)

    async def _field(self, team: str, field: str) -> str | None:
        """The id of a profile field that names people; None if *team* has no such field."""

        async def look() -> str | None:
            found = await self._call(team, "team.profile.get", TeamProfile)
            fields = found.profile.fields if found else ()
            return next((one.id for one in fields if one.type == "user" and field in (one.id, one.label)), None)

        return await self._memory.fields.get(f"{team}/{field}", look)

    # --------------------------------------------------------------- groups

    async def usergroup(self, team: str, name: str) -> frozenset[str]:
        """The user ids in the user group *name* (a handle or an id). Raises Unsatisfiable if it is not there."""
        handles = await self._memory.handles.get(team, lambda: self._usergroups(team))
        group = name if name in handles.values() else handles.get(name)
        missing = f"workspace {team} has no user group {name!r} that is enabled"
        if group is None:
            raise Unsatisfiable(missing)

        async def look() -> frozenset[str] | str:
            found = await self._call(team, "usergroups.users.list", Ids, NO_USERGROUPS, usergroup=group)
            return frozenset(found.users) if found else missing

        return _or_refuse(await self._memory.members.get(f"{team}/{group}", look))

    async def channel(self, team: str, name: str) -> frozenset[str]:
        """The user ids in the channel *name* (or its id). Raises Unsatisfiable if the app sees none, or too many."""
        channel = await self.channel_id(team, name)
        missing = f"workspace {team} has no channel {name!r} that this app can read"
        if channel is None:
            raise Unsatisfiable(missing)

        async def look() -> frozenset[str] | str:
            found: set[str] = set()
            pages = self._pages(team, "conversations.members", Members, NO_CHANNEL, channel=channel, limit=PAGE)
            async for page in pages:
                found |= {*page.members}
                if len(found) > MOST:
                    return f"channel {name!r} has more than {MOST:,} members; name a smaller one"
            return frozenset(found) or missing

        return _or_refuse(await self._memory.members.get(f"{team}/{channel}", look))

    async def channel_id(self, team: str, name: str) -> str | None:
        """The id of the channel *name*, which may be one already; None if the app sees no channel of that name."""
        if re.fullmatch(r"[CDGUW][A-Z0-9]+", name):  # names have small letters only
            return name
        return await self._memory.names.get(f"{team}/{name}", lambda: self._named(team, name))

    async def is_shared(self, team: str, channel: str) -> bool:
        """Do people of another organisation read *channel* (an id or a name), or will they once invited?

        Never of a direct conversation. Raises Undeliverable, and remembers nothing, if this app cannot see *channel*.
        """
        id = await self.channel_id(team, channel)  # noqa: A001  # its name everywhere
        if id is None:
            raise Undeliverable(f"{team}/{channel}", UNSEEN)
        if id[0] in "DUW":  # a post to a person opens their own conversation
            return False

        async def look() -> bool:
            found = await self._call(team, "conversations.info", ChannelInfo, NO_CHANNEL | NO_LIST, channel=id)
            if found is None:
                raise Undeliverable(f"{team}/{channel}", UNSEEN)
            return found.channel.is_ext_shared or found.channel.is_pending_ext_shared

        return await self._memory.shared.get(f"{team}/{id}", look)

    async def _usergroups(self, team: str) -> Mapping[str, str]:
        found = await self._call(team, "usergroups.list", Usergroups, NO_USERGROUPS)
        return {one.handle: one.id for one in found.usergroups if not one.date_delete} if found else {}

    async def _named(self, team: str, name: str) -> str | None:
        method, more = "conversations.list", {"types": CHANNELS, "exclude_archived": True, "limit": PAGE}
        async for page in self._pages(team, method, Channels, NO_LIST, **more):
            for channel in page.channels:
                if channel.name == name:
                    return channel.id
        return None

    # ---------------------------------------------------------------- calls

    async def _pages(
        self, team: str, method: str, shape: type[P], gone: frozenset[str] = frozenset(), **args: Any
    ) -> AsyncIterator[P]:
        """Page after page; none for a code in *gone*."""
        cursor: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            page = await self._call(team, method, shape, gone, **args, **cursor)
            if page is None:
                return
            yield page
            if page.response_metadata is None or not page.response_metadata.next_cursor:
                return
            cursor = {"cursor": page.response_metadata.next_cursor}
        raise ChatUnavailable("slack", f"{method} of {team} has more than {MOST_PAGES} pages")

    async def _call(
        self, team: str, method: str, shape: type[P], gone: frozenset[str] = frozenset(), **args: Any
    ) -> P | None:
        """Slack's answer; None for a code in *gone*. Whatever else it says, nothing is known."""
        try:
            return read_as(shape, await self._api.call(team, method, **args))
        except SlackRefused as refused:
            if refused.code in gone:
                return None
            raise ChatUnavailable("slack", f"{method} of {team} was refused: {refused.code}") from refused
        except (SlackGone, BadPayload) as error:
            raise ChatUnavailable("slack", f"{method} of {team}: {error}") from error


def _or_refuse(found: frozenset[str] | str) -> frozenset[str]:
    """The members, unless what was remembered is why there are none."""
    if isinstance(found, str):
        raise Unsatisfiable(found)
    return found
