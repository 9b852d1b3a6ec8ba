"""Who is who on Slack: a `PlatformDirectory` around the directory of people.yml.

A tenant is a workspace, and one is ours while this app is installed there. An address counts if Slack has confirmed it.
Not owned: how a person comes of that (directory), what Slack says and for how long it is believed (lookups), who may
answer what (domain/people).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.directory import PlatformDirectory
from adapters.recall import each
from adapters.slack.answers import User
from adapters.slack.api import PLATFORM
from adapters.slack.lookups import Lookups
from bot.domain.chat import Account, Person, PersonId, Place
from bot.domain.errors import Undeliverable, Unsatisfiable
from bot.domain.people import ANYONE, GroupSource, SourceKind, may_answer
from bot.domain.wire import replace

ID = re.compile(r"[A-Z0-9]{1,28}")
UNLISTED = re.compile(rf"slack\.({ID.pattern})\.({ID.pattern})")  # within `domain.people.NAME`
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


class SlackDirectory(PlatformDirectory[Lookups, Trust, User]):
    platform, unlisted, kinds = PLATFORM, UNLISTED, SOURCES

    async def active(self, ids: frozenset[PersonId]) -> frozenset[PersonId]:
        """Raises Unsatisfiable when there are too many to look at."""
        if not ids:
            return ids
        await self._learn(ids)
        found = await each(sorted(ids), self._found)
        return frozenset(person.id for person in found if person is not None and may_answer(person))

    async def members(self, group: str) -> frozenset[PersonId]:
        """ "anyone" is also every full member of every workspace of ours. Raises as the base does."""
        found = await super().members(group)
        if group != ANYONE:
            return found
        teams = {*await self._lookups.teams(), await self._home()} - {""}
        return found.union(*[await self._everybody(team) for team in sorted(teams)])

    async def _everybody(self, team: str) -> list[PersonId]:
        async def person(user: User) -> PersonId:
            return await self._id_of(Account(platform=PLATFORM, tenant=team, user=user.id), user)

        return await each([user for user in await self._lookups.roster(team) if user.is_full], person)

    async def user_of(self, person: PersonId, team: str) -> str | None:
        """The user id by which *person* is mentioned in *team*; None for people who have no account there."""
        found = await self._found(person)
        return next((one.user for one in self._here(found) if one.tenant == team), None) if found else None

    async def placed(self, place: Place) -> Place:
        """*place* with its channel's id: a post takes a name as well, but looking for a lost post takes none.

        As it is if nobody knows the name. A rule for another platform's task leaves the workspace out: it is the one
        of people.yml, or the only one. Raises ChatUnavailable, Undeliverable if that is not clear.
        """
        if not place.tenant:
            place = replace(place, tenant=await self._home())
        if not place.tenant:
            why = "it is not clear in which workspace; write tenants: {slack: T…} in people.yml"
            raise Undeliverable(f"{PLATFORM}/#{place.channel}", why)
        found = await self._lookups.channel_id(place.tenant, place.channel)
        return place if found is None else replace(place, channel=found)

    async def is_shared(self, team: str, channel: str) -> bool:
        """As `Lookups.is_shared`."""
        return await self._lookups.is_shared(team, channel)

    # ------------------------------------------------------ what Slack says

    async def _user(self, account: Account) -> User | None:
        is_ours = ID.fullmatch(account.user) and await self._lookups.is_ours(account.tenant)
        return await self._lookups.user(account.tenant, account.user) if is_ours else None

    async def _is_known_there(self, tenant: str) -> bool:
        return await self._lookups.is_ours(tenant)

    def _is_gone(self, person: Person, seen: Sequence[User]) -> bool:  # noqa: ARG002  # whoever they were
        """Whoever has no account left, or no active one with their address, is not there."""
        return True

    async def _is_own(self, account: Account) -> bool:
        """In workspaces that are known by name: an organisation that installed the app as a whole does not tell which
        are its own."""
        named = {self._trust.home, *(source.tenant for source in self._sources.values())}
        return account.tenant in named or account.tenant in await self._lookups.teams()

    async def _at(self, address: str) -> Account | None:
        home = await self._home()
        user = await self._lookups.by_email(home, address) if home else None
        return Account(platform=PLATFORM, tenant=home, user=user.id) if user else None

    async def _addresses_of(self, account: Account, user: User) -> Collection[str]:
        is_home = bool(user.email) and account.tenant == await self._home()
        return (user.email.casefold(),) if user.email and is_home else ()

    async def _above(self, account: Account) -> str | None:
        name = self._trust.manager_field
        return await self._lookups.manager(account.tenant, account.user, name) if name else None

    async def _read(self, source: GroupSource) -> tuple[str, frozenset[str]]:
        team, name = source.tenant or self._trust.home or await self._home(), source.name
        if not team:
            raise Unsatisfiable(f"people.yml must say whose {name!r} is meant; write TENANT/{name}")
        if not await self._lookups.is_ours(team):
            raise Unsatisfiable(f"workspace {team} has not installed this app")
        is_channel = source.kind is SourceKind.SLACK_CHANNEL
        read = self._lookups.channel if is_channel else self._lookups.usergroup
        return team, await read(team, name)

    async def _prepare(self, tenant: str, ids: frozenset[str]) -> None:
        await self._lookups.learn(tenant, sorted(ids))

    async def _learn(self, ids: frozenset[PersonId]) -> None:
        """Read whole lists where that is quicker than to ask for each of *ids*."""
        accounts: list[Account] = []
        emails: list[str] = []
        for who in ids:
            person, own = await self._base.person(who), self._account(who)
            here = self._here(person) if person else [own] if own else []
            accounts += here
            if person and person.email and not here and self._trust.is_matching_email:
                emails.append(person.email)
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
