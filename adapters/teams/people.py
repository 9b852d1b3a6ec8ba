"""Who is who in Teams: a `PlatformDirectory` around another one.

A tenant is one of Entra, and ours are those that the settings allow. An address counts if the tenant gave it. Graph
knows everybody of its tenant; a roster shows only some, and whom it does not show may still be there.
Not owned: how a person comes of that (directory), what Microsoft says and for how long it is believed (graph), who may
answer what (domain/people).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.directory import PlatformDirectory
from adapters.recall import each
from adapters.teams.cards import Known
from adapters.teams.graph import Lookups, User
from adapters.teams.shapes import PLATFORM
from bot.domain.chat import Account, Person, PersonId
from bot.domain.errors import Unsatisfiable
from bot.domain.people import GroupSource, SourceKind, may_answer

GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
UNLISTED = re.compile(rf"teams\.({GUID})\.({GUID})")  # within `domain.people.NAME`
SOURCES = (SourceKind.TEAMS_TEAM, SourceKind.TEAMS_GROUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What people.yml and the settings say about Teams.

    *tenants* are those whose members are people here. *home* is where plain names and e-mail addresses belong: an
    administrator of any other tenant could give an account the address of somebody in people.yml. *people* are those
    of people.yml by id, so that the flags of many are looked at without asking the base for each.
    """

    tenants: frozenset[str]
    home: str = ""
    sources: Mapping[str, GroupSource] = field(default_factory=dict)
    is_matching_email: bool = False
    people: Mapping[PersonId, Person] = field(default_factory=dict)


class TeamsDirectory(PlatformDirectory[Lookups, Trust, User]):
    """ "anyone" is whom the base lists: Teams tells nobody everybody."""

    platform, unlisted, kinds = PLATFORM, UNLISTED, SOURCES

    async def active(self, ids: frozenset[PersonId]) -> frozenset[PersonId]:
        listed = await self._base.active(ids)

        async def still(id: PersonId) -> PersonId | None:
            person = self._trust.people.get(id) if id in listed else None
            found = await self._flagged(person) if person else await self._found(id)
            return id if found is not None and may_answer(found) else None

        own = {one for one in ids - listed if self._account(one)}
        return frozenset(one for one in await each(sorted(listed | own), still) if one is not None)

    async def known(self, person: PersonId, tenant: str) -> Known | None:
        """How *person* is mentioned in *tenant*; None for people who have no account there."""
        found = await self._found(person)
        user = next((one.user for one in self._here(found) if one.tenant == tenant), None) if found else None
        return Known(id=user, name=found.name) if user and found else None

    # -------------------------------------------------- what Microsoft says

    async def _user(self, account: Account) -> User | None:
        return await self._lookups.user(account) if account.tenant in self._trust.tenants else None

    async def _is_known_there(self, tenant: str) -> bool:
        """Whom Graph does not know was deleted."""
        return tenant in self._trust.tenants and self._lookups.is_exact(tenant)

    def _is_gone(self, person: Person, seen: Sequence[User]) -> bool:
        """Somebody listed without an account may still come with one: a roster is not searched for an address."""
        return bool(person.accounts) and not seen

    async def _is_own(self, account: Account) -> bool:
        """By an object id alone."""
        return UNLISTED.fullmatch(self._id(account)) is not None

    async def _at(self, address: str) -> Account | None:
        """Only Graph finds it, and of full members alone."""
        home = self._trust.home
        if not await self._is_known_there(home):
            return None
        user = await self._user(Account(platform=PLATFORM, tenant=home, user=address.casefold()))
        return Account(platform=PLATFORM, tenant=home, user=user.id) if user and user.is_full else None

    async def _addresses_of(self, account: Account, user: User) -> Collection[str]:
        return user.addresses if account.tenant == self._trust.home and user.is_full else ()

    async def _above(self, account: Account) -> str | None:
        return await self._lookups.manager(account)

    async def _read(self, source: GroupSource) -> tuple[str, frozenset[str]]:
        tenant = source.tenant or self._trust.home
        if tenant not in self._trust.tenants:
            raise Unsatisfiable(f"tenant {tenant or '(none)'} is none of this bot's; see TEAMS_TENANTS")
        read = self._lookups.team if source.kind is SourceKind.TEAMS_TEAM else self._lookups.group
        return tenant, await read(tenant, source.name)
