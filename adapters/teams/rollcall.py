"""The roll call: are the people whom people.yml and the policy count on there, in Teams, at this moment?

    groups with a source -> the people listed -> for whom the app is installed -> can every quorum be met?

Part of the checkup, which says it to whoever starts the bot. Not owned: what a quorum needs (`Wanted.judge`), who may
answer what (the directory).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from adapters.rollcall import LISTED, Reachable, Remark, Wanted, bad, good, looked, quorums, weak, why
from adapters.teams.clouds import ForeignHost
from adapters.teams.connector import TeamsRefused
from adapters.teams.office import Office
from adapters.teams.people import SOURCES, TeamsDirectory, Trust
from adapters.teams.shapes import PLATFORM
from bot.domain.chat import Account, Person, PersonId
from bot.domain.errors import Unavailable, Unsatisfiable
from bot.domain.people import GroupSource
from bot.domain.ports import Directory

MOST_NAMED = 10  # people in one sentence
FOREIGN = (TeamsRefused, ForeignHost)
ID = "the Object ID that Entra shows"


class Rollcall:
    """*is_asked*: may Graph be asked about people?"""

    def __init__(self, office: Office, wanted: Wanted[Trust], *, is_asked: bool) -> None:
        self._office, self._wanted, self._is_asked = office, wanted, is_asked
        self._people = office.directory(wanted.base, wanted.trust)
        self._unread: set[str] = set()  # groups of which nothing is known

    async def remarks(self) -> list[Remark]:
        """Everything, whatever the others found."""
        looks = (
            ("the groups", self._groups),
            ("who is listed", self._listed),
            ("for whom the app is installed", self._directs),
            ("whether every quorum can be met", self._quorums),
        )
        return await looked(looks, FOREIGN)

    # --------------------------------------------------------------- groups

    async def _groups(self) -> AsyncIterator[Remark]:
        for name, source in sorted(self._wanted.trust.sources.items()):
            if source.kind in SOURCES:
                yield await self._group(name, source)

    async def _group(self, name: str, source: GroupSource) -> Remark:
        try:
            active = await self._here().active(await self._people.members(name))
        except Unsatisfiable as error:  # it says what to change
            self._unread.add(name)
            return bad(error.why)
        except Unavailable as error:
            self._unread.add(name)
            return bad(f"group {name} cannot be read ({why(error)}); nobody in it can sign until it can")
        if not active:
            told = f"group {name} has nobody who may answer (guests and deactivated people may not)"
            return bad(f"{told}; add full members to {source.name} in Teams or Entra")
        return good(f"group {name}: {len(active)} may answer")

    # --------------------------------------------------------------- people

    async def _listed(self) -> AsyncIterator[Remark]:
        """Each account of people.yml; then those whom nobody can meet in Teams."""
        for person in self._wanted.people:
            for account in _teams(person):
                if told := await self._account(account):
                    yield bad(f"{LISTED}: account {account.user} of {person.id} {told}")
        strangers = self._wanted.strangers(PLATFORM)
        is_matching = self._wanted.trust.is_matching_email
        if addressed := [person for person in strangers if person.email]:
            async for remark in self._matched(addressed) if is_matching else _unmatched(addressed):
                yield remark
        if unknown := [person.id for person in strangers if not person.email]:
            told = f"in Teams nobody is them; add `accounts: {{teams: …}}`, {ID}"
            yield weak(f"{LISTED}: {_named(unknown)} without account: {told}")

    async def _account(self, account: Account) -> str:
        """Why this account may answer nothing; empty if it may."""
        if account.tenant not in self._wanted.trust.tenants:
            told = f"is in tenant {account.tenant}, which is none of this bot's"
            return f"{told}; name it in TEAMS_TENANTS, or correct it"
        user = await self._office.lookups.user(account)
        if user is None and self._is_asked and self._office.lookups.is_exact(account.tenant):
            return f"is unknown to {account.tenant}; correct it ({ID})"
        if user is None:
            return f"is in no roster that the app can read; add the app to a team they are in, or correct it ({ID})"
        if not user.is_active:
            return "is deactivated in Entra; take it out, or enable it"
        if user.is_guest:
            return "is a guest in Teams, and guests may answer nothing; make them a member, or take it out"
        return ""

    async def _matched(self, people: Sequence[Person]) -> AsyncIterator[Remark]:
        """Those who are known by an address alone, which only Graph finds before they write."""
        if not self._is_asked:
            told = f"without Graph they are known only once they write; add `accounts: {{teams: …}}`, {ID}"
            yield weak(f"{LISTED}: {_named([person.id for person in people])} with an address alone: {told}")
            return
        for person in people:
            if not await self._people.known(person.id, self._wanted.trust.home):
                told = f"is of nobody in Entra who may answer; correct it, or list {ID} under accounts"
                yield bad(f"{LISTED}: the address of {person.id} {told}")

    async def _directs(self) -> AsyncIterator[Remark]:
        """Nothing is sent to find out: what is not known yet may still work when it is tried."""
        listed = [person for person in self._wanted.people if self._ours(person)]
        if lacking := [person.id for person in listed if not await self._is_open(person)]:
            told = "a direct message may not reach them; have them add the app, or an administrator install it for them"
            yield weak(f"{LISTED}: the app was not seen to be installed for {_named(lacking)}: {told}")
        elif listed:
            yield good(f"the app is installed for everybody whom {LISTED} lists with an account of Teams")

    def _ours(self, person: Person) -> list[Account]:
        return [account for account in _teams(person) if account.tenant in self._wanted.trust.tenants]

    async def _is_open(self, person: Person) -> bool:
        return any([await self._office.places.direct(account) is not None for account in self._ours(person)])

    # -------------------------------------------------------------- quorums

    async def _quorums(self) -> AsyncIterator[Remark]:
        async for remark in quorums(self._wanted, self._here(), frozenset(self._unread), "Teams"):
            yield remark

    def _here(self) -> InTeams:
        return InTeams(self._people, self._wanted.trust.tenants, self._wanted.met_elsewhere)


class InTeams(Reachable):
    """Those who have an account in a tenant of this bot's."""

    def __init__(self, people: TeamsDirectory, tenants: frozenset[str], elsewhere: frozenset[PersonId]) -> None:
        super().__init__(people, elsewhere)
        self._here, self._tenants = people, tenants

    def fresh(self) -> Directory:
        return InTeams(self._here.fresh(), self._tenants, self._elsewhere)

    async def is_met(self, who: PersonId) -> bool:
        return any([await self._here.known(who, tenant) for tenant in sorted(self._tenants)])


async def _unmatched(people: Sequence[Person]) -> AsyncIterator[Remark]:
    told = f"in Teams nobody is them; add `accounts: {{teams: …}}`, {ID}, or set TEAMS_MATCH_EMAIL=true"
    yield weak(f"{LISTED}: {_named([person.id for person in people])} with an address alone: {told}")


def _teams(person: Person) -> list[Account]:
    return [account for account in person.accounts if account.platform == PLATFORM]


def _named(people: Sequence[str]) -> str:
    more = len(people) - MOST_NAMED
    return ", ".join(people[:MOST_NAMED]) + (f" and {more} others" if more > 0 else "")
