"""Who is who on Slack: a directory around the one of people.yml, which says more and is asked first.

    account -> people.yml (by account; if that is switched on, by an address Slack has confirmed) -> with Slack's flags
            -> else a full member of an installed workspace -> a person of their own, slack.<team>.<user>

Whoever Slack calls deleted, restricted, a stranger or a bot may do nothing, whatever people.yml says (T16). A workspace
that is not installed vouches for nobody, and the same user id in two workspaces is two people (T15). Not owned: what
Slack says and for how long it is believed (lookups), who may answer what (domain/people).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from adapters.slack.answers import User
from adapters.slack.api import PLATFORM
from adapters.slack.lookups import KEEP, Lookups
from adapters.slack.recall import Recall, each
from bot.domain.chat import Account, Person, PersonId, Place
from bot.domain.errors import Unsatisfiable
from bot.domain.hours import UNSAID
from bot.domain.people import ANYONE, GroupSource, SourceKind, may_answer
from bot.domain.ports import Directory
from bot.domain.wire import replace

UNLISTED = re.compile(r"slack\.([A-Z0-9]{1,28})\.([A-Z0-9]{1,28})")  # within `domain.people.NAME`
SOURCES = (SourceKind.SLACK_USERGROUP, SourceKind.SLACK_CHANNEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What people.yml and the settings say about Slack.

    `home` is the workspace where plain names and e-mail addresses belong (`tenants:`); empty: the only one there is.
    An administrator of any other workspace could give an account the address of somebody in people.yml, and one of the
    home could, too: an address counts only where `is_matching_email` says so.
    `manager_field` is the id (`Xf…`) or label of the profile field that names a manager. It must be one that members
    cannot edit themselves: whoever can, chooses who signs for them.
    """

    sources: Mapping[str, GroupSource] = field(default_factory=dict)
    home: str = ""
    manager_field: str | None = None
    is_matching_email: bool = False


class SlackDirectory:
    """Implements `Directory`. A group that can never be read raises Unsatisfiable, which says what to change."""

    def __init__(
        self, base: Directory, lookups: Lookups, trust: Trust, *, remembering: SlackDirectory | None = None
    ) -> None:
        self._base, self._lookups, self._trust = base, lookups, trust
        self._sources = {name: one for name, one in trust.sources.items() if one.kind in SOURCES}
        self._addresses = Recall[Mapping[str, PersonId]](lookups.clock, KEEP)
        self._remembering = remembering or self

    def fresh(self) -> SlackDirectory:
        """A directory whose answers are all asked for after this call. Make one for each judgement.

        One thing it does not ask again within a minute: `Person.groups`, which conditions of the policy read. Seats
        are filled from `members`, which it does ask.
        """
        lookups = self._remembering._lookups.fresh()
        return SlackDirectory(self._base.fresh(), lookups, self._trust, remembering=self._remembering)

    # -------------------------------------------------------------- persons

    async def who(self, account: Account) -> Person | None:
        if account.platform != PLATFORM:
            person = await self._base.who(account)
            return await self._whole(person) if person else None
        user = await self._user(account)
        if user is None:
            return None
        person = await self._listed(account, user) or await self._own(account, user)
        return await self._whole(person, user) if person else None

    async def person(self, id: PersonId) -> Person | None:
        person = await self._found(id)
        return await self._whole(person) if person else None

    async def active(self, ids: frozenset[PersonId]) -> frozenset[PersonId]:
        """Raises Unsatisfiable when there are too many to look at."""
        if not ids:
            return ids
        await self._learn(ids)
        found = await each(sorted(ids), self._found)
        return frozenset(person.id for person in found if person is not None and may_answer(person))

    async def user_of(self, person: PersonId, team: str) -> str | None:
        """The user id by which *person* is mentioned in *team*; None for people who have no account there."""
        found = await self._found(person)
        return next((one.user for one in _slack(found) if one.tenant == team), None) if found else None

    async def placed(self, place: Place) -> Place:
        """*place* with its channel's id: a post takes a name as well, but looking for a lost post takes none.

        As it is if nobody knows the name. Raises ChatUnavailable.
        """
        found = await self._lookups.channel_id(place.tenant, place.channel)
        return place if found is None else replace(place, channel=found)

    async def is_shared(self, team: str, channel: str) -> bool:
        """As `Lookups.is_shared`."""
        return await self._lookups.is_shared(team, channel)

    async def _user(self, account: Account) -> User | None:
        """What its workspace says of *account*; None for workspaces that are not ours, and for unknown users."""
        is_ours = UNLISTED.fullmatch(_id(account)) and await self._lookups.is_ours(account.tenant)
        return await self._lookups.user(account.tenant, account.user) if is_ours else None

    async def _found(self, id: PersonId) -> Person | None:
        """The person of people.yml, or the one whose only account *id* names, with Slack's flags."""
        person = await self._base.person(id)
        if person is not None:
            return await self._flagged(person)
        account = _account(id)
        user = await self._user(account) if account else None
        if account is None or user is None or await self._listed(account, user):
            return None  # somebody who was listed meanwhile has one id from then on, and one seat
        return await self._own(account, user)

    async def _own(self, account: Account, user: User) -> Person | None:
        """The person of their own behind an account that nobody is listed with, if its workspace is known by name.

        An organisation that installed the app as a whole does not tell which workspaces are its own.
        """
        named = {self._trust.home, *(source.tenant for source in self._sources.values())}
        is_known = account.tenant in named or account.tenant in await self._lookups.teams()
        return _unlisted(account, user) if is_known else None

    async def _whole(self, person: Person, *seen: User) -> Person:
        """*person* with flags, groups and manager."""
        flagged = await self._flagged(person, *seen)
        return replace(flagged, groups=await self._groups_of(flagged), manager=await self._manager_of(flagged))

    async def _flagged(self, person: Person, *seen: User) -> Person:
        """*person* as their Slack accounts are now, *seen* among them: one bad account spoils them all.

        Accounts of workspaces that are not installed count for nothing: nobody can say who uses them. Whoever has
        no account left, or no active one with their address, is not there.
        """
        ours = self._lookups.is_ours
        accounts = [one for one in person.accounts if one.platform != PLATFORM or await ours(one.tenant)]
        accounts += await self._by_address(person)
        slack = [one for one in accounts if one.platform == PLATFORM]
        users = [*seen, *[await self._lookups.user(one.tenant, one.user) for one in slack]]
        found = replace(
            person,
            accounts=tuple(accounts),
            is_active=person.is_active
            and bool(accounts)
            and all(user is not None and user.is_active for user in users),
            is_guest=person.is_guest or any(user is not None and user.is_guest for user in users),
            is_bot=person.is_bot or any(user is not None and user.is_bot for user in users),
        )
        return _zoned(found, users)

    async def _by_address(self, person: Person) -> tuple[Account, ...]:
        """The Slack account of somebody who is listed with an address alone."""
        if not self._trust.is_matching_email or not person.email or _slack(person):
            return ()
        home = await self._home()
        if not home:
            return ()
        user = await self._lookups.by_email(home, person.email)
        return (Account(platform=PLATFORM, tenant=home, user=user.id),) if user else ()

    async def _listed(self, account: Account, user: User) -> Person | None:
        """The person of people.yml behind *account*: listed with it, or with the confirmed address of *user* alone."""
        person = await self._base.who(account)
        if person is not None or not self._trust.is_matching_email:
            return person
        if not user.email or account.tenant != await self._home():
            return None
        id = (await self._by_email()).get(user.email.casefold())  # noqa: A001  # its name everywhere
        return await self._base.person(id) if id else None

    async def _by_email(self) -> Mapping[str, PersonId]:
        """Everybody whom people.yml lists with an address and no Slack account."""

        async def look() -> Mapping[str, PersonId]:
            people = [await self._base.person(who) for who in await self._base.members(ANYONE)]
            return {one.email.casefold(): one.id for one in people if one and one.email and not _slack(one)}

        return await self._addresses.get("", look)

    async def _manager_of(self, person: Person) -> PersonId | None:
        """From people.yml, else from the profile field. Nobody is their own manager."""
        if person.manager is not None or not self._trust.manager_field:
            return person.manager
        for account in _slack(person):
            above = await self._lookups.manager(account.tenant, account.user, self._trust.manager_field)
            boss = replace(account, user=above or "")
            user = await self._user(boss)
            if user is not None and (id := await self._id_of(boss, user)) != person.id:  # noqa: A001
                return id
        return None

    async def _id_of(self, account: Account, user: User) -> PersonId:
        listed = await self._listed(account, user)
        return listed.id if listed else _unlisted(account, user).id

    async def _learn(self, ids: frozenset[PersonId]) -> None:
        """Read whole lists where that is quicker than to ask for each of *ids*."""
        people = [await self._base.person(who) or _named(who) for who in ids]
        accounts = [one for person in people if person for one in _slack(person)]
        addressed = people if self._trust.is_matching_email else []
        emails = [person.email for person in addressed if person and person.email and not _slack(person)]
        home = await self._home()
        for team in sorted({home, *(one.tenant for one in accounts)} - {""}):
            if await self._lookups.is_ours(team):
                users = [one.user for one in accounts if one.tenant == team]
                await self._lookups.learn(team, users, emails if team == home else ())

    async def _home(self) -> str:
        """The workspace that plain names and addresses belong to; empty if it is not installed, or not clear."""
        if self._trust.home:
            return self._trust.home if await self._lookups.is_ours(self._trust.home) else ""
        teams = await self._lookups.teams()
        return teams[0] if len(teams) == 1 else ""

    # --------------------------------------------------------------- groups

    async def groups(self) -> frozenset[str]:
        return await self._base.groups() | self._sources.keys()

    async def on_call(self, rotation: str) -> frozenset[PersonId]:
        return await self._base.on_call(rotation)

    async def members(self, group: str) -> frozenset[PersonId]:
        """Raises Unsatisfiable for a source that is not there, and for too many people to look at."""
        listed = await self._base.members(group)
        if group == ANYONE:
            teams = {*await self._lookups.teams(), await self._home()} - {""}
            return listed.union(*[await self._everybody(team) for team in sorted(teams)])
        source = self._sources.get(group)
        return listed | await self._sourced(group, source) if source else listed

    async def problems(self) -> tuple[str, ...]:
        """What keeps groups from being read, one sentence each: for whoever starts the bot."""
        found = []
        for group, source in sorted(self._sources.items()):
            try:
                await self._ids_in(group, source)
            except Unsatisfiable as error:
                found.append(error.why)
        return tuple(found)

    async def _everybody(self, team: str) -> frozenset[PersonId]:
        return await self._persons(team, await self._lookups.roster(team))

    async def _sourced(self, group: str, source: GroupSource) -> frozenset[PersonId]:
        team, ids = await self._ids_in(group, source)
        await self._lookups.learn(team, sorted(ids))
        users = await each(sorted(ids), lambda user: self._lookups.user(team, user))
        return await self._persons(team, [user for user in users if user is not None])

    async def _persons(self, team: str, users: Sequence[User]) -> frozenset[PersonId]:
        """The persons behind those of *users* who are full members."""

        async def person(user: User) -> PersonId:
            return await self._id_of(Account(platform=PLATFORM, tenant=team, user=user.id), user)

        return frozenset(await each([user for user in users if user.is_full], person))

    async def _groups_of(self, person: Person) -> frozenset[str]:
        """The groups *person* is in. One whose source is not there has nobody from it: `problems` says so."""
        found = set(person.groups)
        for group, source in self._sources.items() if _slack(person) else ():
            try:
                team, ids = await self._remembering._ids_in(group, source)
            except Unsatisfiable:
                continue
            if any(one.tenant == team and one.user in ids for one in _slack(person)):
                found.add(group)
        return frozenset(found)

    async def _ids_in(self, group: str, source: GroupSource) -> tuple[str, frozenset[str]]:
        """A workspace, and the users whom *source* names there. Raises Unsatisfiable."""
        team, name = source.tenant or self._trust.home or await self._home(), source.name
        if not team:
            raise Unsatisfiable(f"group {group}: people.yml must say whose {name!r} is meant; write TENANT/{name}")
        if not await self._lookups.is_ours(team):
            raise Unsatisfiable(f"group {group}: workspace {team} has not installed this app")
        is_channel = source.kind is SourceKind.SLACK_CHANNEL
        try:
            read = self._lookups.channel if is_channel else self._lookups.usergroup
            return team, await read(team, name)
        except Unsatisfiable as error:
            raise Unsatisfiable(f"group {group}: {error.why}") from error


def _slack(person: Person) -> tuple[Account, ...]:
    return tuple(account for account in person.accounts if account.platform == PLATFORM)


def _id(account: Account) -> PersonId:
    return PersonId(f"{PLATFORM}.{account.tenant}.{account.user}")


def _account(id: PersonId) -> Account | None:
    """The account that the id of somebody who is not listed names."""
    found = UNLISTED.fullmatch(id)
    return Account(platform=PLATFORM, tenant=found[1], user=found[2]) if found else None


def _zoned(person: Person, users: Sequence[User | None]) -> Person:
    """*person* by the clock that Slack shows them, where people.yml names none. When they work, it alone says."""
    zone = next((user.zone for user in users if user is not None and user.zone), "")
    if not zone or person.zone != UNSAID:
        return person
    return replace(person, zone=zone, hours=replace(person.hours, zone=zone) if person.hours else None)


def _named(id: PersonId) -> Person | None:
    account = _account(id)
    return Person(id=id, name=id, accounts=(account,)) if account else None


def _unlisted(account: Account, user: User) -> Person:
    """A person of their own. Their name is what they call themselves: it is shown, and never decides anything."""
    return Person(
        id=_id(account),
        name=user.name,
        accounts=(account,),
        is_active=user.is_active,
        is_guest=user.is_guest,
        is_bot=user.is_bot,
    )
