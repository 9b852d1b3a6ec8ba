"""Who is who on one platform: a directory around another one, which says more and is asked first.

    account -> the base (by account; if that is switched on, by an address) -> with the platform's flags
            -> else a full member of a tenant of ours -> a person of their own, <platform>.<tenant>.<user>

Whoever the platform calls deactivated, a guest or a bot may do nothing, whatever the base says (T16). A tenant that is
not ours vouches for nobody, and the same user id in two tenants is two people (T15). A look-up that fails is raised.
Not owned: what a platform says, whose tenants are ours and who counts there (each platform's `people`), for how long
an answer is believed (recall), who may answer what (domain/people).
"""

from __future__ import annotations

import abc
import re
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar, Generic, Protocol, Self, TypeVar

from adapters.recall import KEEP, Clock, Recall, each
from bot.domain.chat import Account, Person, PersonId
from bot.domain.errors import Unsatisfiable
from bot.domain.hours import UNSAID
from bot.domain.people import ANYONE, GroupSource, SourceKind
from bot.domain.ports import Directory
from bot.domain.wire import replace


class Seen(Protocol):
    """One account as its tenant sees it now. `zone` is an IANA name; empty where nobody says."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def is_active(self) -> bool: ...
    @property
    def is_guest(self) -> bool: ...
    @property
    def is_bot(self) -> bool: ...
    @property
    def is_full(self) -> bool: ...


class Asked(Protocol):
    """What a platform is asked by. Every look-up raises ChatUnavailable, and none answers from an old answer."""

    @property
    def clock(self) -> Clock: ...

    def fresh(self) -> Self:
        """The same, having asked nothing yet."""
        ...


class Trusting(Protocol):
    """What people.yml and the settings say about a platform."""

    @property
    def sources(self) -> Mapping[str, GroupSource]: ...
    @property
    def is_matching_email(self) -> bool: ...


L = TypeVar("L", bound=Asked)
T = TypeVar("T", bound=Trusting)
U = TypeVar("U", bound=Seen)


class PlatformDirectory(abc.ABC, Generic[L, T, U]):
    """Implements `Directory`. A group that can never be read raises Unsatisfiable, which says what to change."""

    platform: ClassVar[str]
    unlisted: ClassVar[re.Pattern[str]]  # the id of a person of their own: its tenant, its user
    kinds: ClassVar[Collection[SourceKind]]

    def __init__(self, base: Directory, lookups: L, trust: T, *, remembering: Self | None = None) -> None:
        self._base, self._lookups, self._trust = base, lookups, trust
        self._sources = {name: one for name, one in trust.sources.items() if one.kind in self.kinds}
        self._addresses = Recall[Mapping[str, PersonId]](lookups.clock, KEEP)
        self._remembering = remembering or self

    def fresh(self) -> Self:
        """A directory whose answers are all asked for after this call. Make one for each judgement.

        One thing it does not ask again within a minute: `Person.groups`, which conditions of the policy read. Seats
        are filled from `members`, which it does ask.
        """
        lookups = self._remembering._lookups.fresh()
        return type(self)(self._base.fresh(), lookups, self._trust, remembering=self._remembering)

    # ---------------------------------------------------- what a platform says

    @abc.abstractmethod
    async def _user(self, account: Account) -> U | None:
        """What its tenant says of *account*; None for tenants that are not ours, and for unknown users."""

    @abc.abstractmethod
    async def _is_known_there(self, tenant: str) -> bool:
        """Is somebody gone whom *tenant* does not know? Otherwise nobody vouches for their account."""

    @abc.abstractmethod
    def _is_gone(self, person: Person, seen: Sequence[U]) -> bool:
        """Is *person* gone if nobody vouches for an account of theirs? *seen* is what they came with, if they came."""

    @abc.abstractmethod
    async def _is_own(self, account: Account) -> bool:
        """May somebody whom nobody listed be a person by this account?"""

    @abc.abstractmethod
    async def _at(self, address: str) -> Account | None:
        """The one account at home with this address."""

    @abc.abstractmethod
    async def _addresses_of(self, account: Account, user: U) -> Collection[str]:
        """The addresses, in lower case, by which somebody in people.yml may be meant."""

    @abc.abstractmethod
    async def _above(self, account: Account) -> str | None:
        """The user id of their manager; None if they have none, or nobody may know."""

    @abc.abstractmethod
    async def _read(self, source: GroupSource) -> tuple[str, frozenset[str]]:
        """A tenant, and the users whom *source* names there. Raises Unsatisfiable."""

    async def _prepare(self, tenant: str, ids: frozenset[str]) -> None:
        """Read *ids* at once, if the platform can, before each is asked about. Raises Unsatisfiable for too many."""

    # -------------------------------------------------------------- persons

    async def who(self, account: Account) -> Person | None:
        if account.platform != self.platform:
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

    @abc.abstractmethod
    async def active(self, ids: frozenset[PersonId]) -> frozenset[PersonId]:
        """As `Directory.active`. How many are looked at quickest is the platform's to know."""

    async def _found(self, id: PersonId) -> Person | None:
        """The person the base knows, or the one whose only account *id* names, with the platform's flags."""
        person = await self._base.person(id)
        if person is not None:
            return await self._flagged(person)
        account = self._account(id)
        user = await self._user(account) if account else None
        if account is None or user is None or await self._listed(account, user):
            return None  # somebody who was listed meanwhile has one id from then on, and one seat
        return await self._own(account, user)

    async def _own(self, account: Account, user: U) -> Person | None:
        """A person of their own. Their name is what they call themselves: it is shown, and never decides anything."""
        if not await self._is_own(account):
            return None
        return Person(
            id=self._id(account),
            name=user.name,
            accounts=(account,),
            is_active=user.is_active,
            is_guest=user.is_guest,
            is_bot=user.is_bot,
        )

    async def _whole(self, person: Person, *seen: U) -> Person:
        """*person* with flags, groups and manager."""
        flagged = await self._flagged(person, *seen)
        return replace(flagged, groups=await self._groups_of(flagged), manager=await self._manager_of(flagged))

    async def _flagged(self, person: Person, *seen: U) -> Person:
        """*person* as their accounts here are now, *seen* among them: one bad account spoils them all.

        An account nobody vouches for counts for nothing: nobody can say who uses it. One that was seen is asked about
        again: somebody who asked later may know better by now.
        """
        accounts: list[Account] = []
        users: list[U | None] = list(seen)
        for account in (*person.accounts, *await self._by_address(person)):
            if account.platform == self.platform:
                user = await self._user(account)
                if user is None and not await self._is_known_there(account.tenant):
                    continue
                users.append(user)
            accounts.append(account)
        is_there = bool(accounts) or not self._is_gone(person, seen)
        return _marked(replace(person, accounts=tuple(accounts), is_active=person.is_active and is_there), users)

    async def _by_address(self, person: Person) -> Sequence[Account]:
        """The account of somebody who is listed with an address alone."""
        if not self._trust.is_matching_email or not person.email or self._here(person):
            return ()
        account = await self._at(person.email)
        return (account,) if account else ()

    async def _listed(self, account: Account, user: U) -> Person | None:
        """The person the base has for *account*: listed with it, or with an address of *user* alone."""
        person = await self._base.who(account)
        if person is not None or not self._trust.is_matching_email:
            return person
        addresses = await self._addresses_of(account, user)
        by_email = await self._by_email() if addresses else {}
        ids = {by_email[address] for address in addresses if address in by_email}
        return await self._base.person(ids.pop()) if len(ids) == 1 else None

    async def _by_email(self) -> Mapping[str, PersonId]:
        """Everybody whom the base lists with an address and no account here."""

        async def look() -> Mapping[str, PersonId]:
            people = [await self._base.person(who) for who in await self._base.members(ANYONE)]
            return {one.email.casefold(): one.id for one in people if one and one.email and not self._here(one)}

        return await self._addresses.get("", look)

    async def _manager_of(self, person: Person) -> PersonId | None:
        """From people.yml, else from the platform. Nobody is their own manager."""
        if person.manager is not None:
            return person.manager
        for account in self._here(person):
            above = await self._above(account)
            boss = replace(account, user=above) if above else None
            user = await self._user(boss) if boss else None
            if boss and user is not None and (manager := await self._id_of(boss, user)) != person.id:
                return manager
        return None

    async def _id_of(self, account: Account, user: U) -> PersonId:
        listed = await self._listed(account, user)
        return listed.id if listed else self._id(account)

    # --------------------------------------------------------------- groups

    async def groups(self) -> frozenset[str]:
        return await self._base.groups() | self._sources.keys()

    async def on_call(self, rotation: str) -> frozenset[PersonId]:
        return await self._base.on_call(rotation)

    async def members(self, group: str) -> frozenset[PersonId]:
        """Raises Unsatisfiable for a source that is not there, and for too many people to look at."""
        listed = await self._base.members(group)
        source = self._sources.get(group)
        if source is None:
            return listed
        tenant, ids = await self._ids_in(group, source)
        await self._prepare(tenant, ids)

        async def member(user: str) -> PersonId | None:
            account = Account(platform=self.platform, tenant=tenant, user=user)
            found = await self._user(account)
            return await self._id_of(account, found) if found is not None and found.is_full else None

        return listed.union([one for one in await each(sorted(ids), member) if one is not None])

    async def problems(self) -> tuple[str, ...]:
        """What keeps groups from being read, one sentence each: for whoever starts the bot."""
        found = []
        for group, source in sorted(self._sources.items()):
            try:
                await self._ids_in(group, source)
            except Unsatisfiable as error:
                found.append(error.why)
        return tuple(found)

    async def _groups_of(self, person: Person) -> frozenset[str]:
        """The groups *person* is in. One whose source is not there has nobody from it: `problems` says so."""
        found, here = set(person.groups), self._here(person)
        for group, source in self._sources.items() if here else ():
            try:
                tenant, ids = await self._remembering._ids_in(group, source)
            except Unsatisfiable:
                continue
            if any(one.tenant == tenant and one.user in ids for one in here):
                found.add(group)
        return frozenset(found)

    async def _ids_in(self, group: str, source: GroupSource) -> tuple[str, frozenset[str]]:
        """As `_read`; the error names *group*."""
        try:
            return await self._read(source)
        except Unsatisfiable as error:
            raise Unsatisfiable(f"group {group}: {error.why}") from error

    # ------------------------------------------------------------------ ids

    def _here(self, person: Person) -> Sequence[Account]:
        """Their accounts on this platform."""
        return [account for account in person.accounts if account.platform == self.platform]

    def _id(self, account: Account) -> PersonId:
        return PersonId(f"{self.platform}.{account.tenant}.{account.user}")

    def _account(self, id: PersonId) -> Account | None:
        """The account that the id of somebody who is not listed names."""
        found = self.unlisted.fullmatch(id)
        return Account(platform=self.platform, tenant=found[1], user=found[2]) if found else None


def _marked(person: Person, users: Sequence[Seen | None]) -> Person:
    """*person* with the flags of *users*, None for one who was deleted; and by the clock their platform shows them,
    where people.yml names none. When they work, it alone says."""
    is_active, is_guest, is_bot, zone = person.is_active, person.is_guest, person.is_bot, ""
    for user in users:
        is_active = is_active and user is not None and user.is_active
        is_guest = is_guest or (user is not None and user.is_guest)
        is_bot = is_bot or (user is not None and user.is_bot)
        zone = zone or (user.zone if user is not None else "")
    marked = replace(person, is_active=is_active, is_guest=is_guest, is_bot=is_bot)
    if not zone or person.zone != UNSAID:
        return marked
    return replace(marked, zone=zone, hours=replace(person.hours, zone=zone) if person.hours else None)
