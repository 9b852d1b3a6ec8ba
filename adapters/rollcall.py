"""A roll call: are the people whom people.yml and the policy count on there, on one platform, at this moment?

    what a platform looks at, one after the other -> remarks: sentences, each with its remedy
    the policy, held against those whom that platform reaches -> can every quorum be met?

What every platform's checkup has in common. Not owned: what a platform says about groups and accounts (its own roll
call), what a quorum needs (`Wanted.judge`), who may answer what (the directory).
"""

from __future__ import annotations

import abc
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from adapters.recall import each
from bot.domain.chat import Account, Person, PersonId
from bot.domain.errors import ChatUnavailable, Unavailable, Unsatisfiable
from bot.domain.people import GroupSource
from bot.domain.ports import Directory
from bot.domain.wire import Record

QUORUMS_WITHIN = 30.0  # seconds; a workspace of thousands takes longer, and is then not looked at whole
LISTED = "people.yml"

Judge = Callable[[Directory, frozenset[str]], Awaitable[Sequence[str]]]


class Sourced(Protocol):
    """What a platform's directory is made with; groups with a source among it."""

    @property
    def sources(self) -> Mapping[str, GroupSource]: ...


T = TypeVar("T", bound=Sourced)


class Remark(Record):
    """One sentence. After one that `is_end`, nothing more can be looked at."""

    text: str
    is_bad: bool = False
    is_weak: bool = False
    is_end: bool = False


def good(text: str) -> Remark:
    return Remark(text=text)


def weak(text: str, *, is_end: bool = False) -> Remark:
    return Remark(text=text, is_weak=True, is_end=is_end)


def bad(text: str, *, is_end: bool = False) -> Remark:
    return Remark(text=text, is_bad=True, is_end=is_end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted(Generic[T]):
    """What is counted on, on one platform.

    *people* and *base* are those of people.yml; *trust* is what the platform's directory is made with. *places* are
    channels, as a rule names them, each with who does. *judge* says what the policy can never do with the people of a
    directory, the named groups left out of account. *elsewhere* are the other platforms this bot is on.
    """

    base: Directory
    people: Sequence[Person]
    trust: T
    places: Sequence[tuple[str, str]]
    judge: Judge
    elsewhere: frozenset[str] = frozenset()

    @property
    def met_elsewhere(self) -> frozenset[PersonId]:
        """Who has an account on another platform of this bot's, and so can sign without this one."""
        found = (person for person in self.people if any(one.platform in self.elsewhere for one in person.accounts))
        return frozenset(person.id for person in found)

    @property
    def told_elsewhere(self) -> frozenset[str]:
        """Groups whose members another platform of this bot's tells."""
        found = self.trust.sources.items()
        return frozenset(group for group, source in found if source.kind.platform in self.elsewhere)

    def strangers(self, platform: str) -> list[Person]:
        """Those listed whom nobody can meet by their accounts: neither on *platform* nor elsewhere."""
        theirs = {platform, *self.elsewhere}
        return [person for person in self.people if not theirs.intersection(one.platform for one in person.accounts)]


Look = Callable[[], AsyncIterator[Remark]]


async def looked(looks: Sequence[tuple[str, Look]], foreign: tuple[type[Exception], ...]) -> list[Remark]:
    """Everything up to an end, whatever the others found. *foreign* are the platform's own errors; each look has a
    name."""
    found = list[Remark]()
    failures: tuple[type[Exception], ...] = (Unavailable, Unsatisfiable, *foreign)
    for what, look in looks:
        try:
            async for remark in look():
                found.append(remark)  # what was found before a failure stays
        except failures as error:
            found.append(bad(f"{what} could not be looked at: {why(error)}; mend that and look again"))
        if any(remark.is_end for remark in found):
            break
    return found


def why(error: Exception) -> str:
    return error.why if isinstance(error, ChatUnavailable | Unsatisfiable) else str(error)


class Reachable(abc.ABC):
    """The people of a directory whom a platform can reach: whoever has no account there signs nothing there."""

    def __init__(self, people: Directory, elsewhere: frozenset[PersonId]) -> None:
        self._people, self._elsewhere = people, elsewhere

    @abc.abstractmethod
    def fresh(self) -> Directory: ...

    @abc.abstractmethod
    async def is_met(self, who: PersonId) -> bool:
        """Has the platform an account of theirs?"""

    async def who(self, account: Account) -> Person | None:
        return await self._people.who(account)

    async def person(self, id: PersonId) -> Person | None:
        return await self._people.person(id)

    async def members(self, group: str) -> frozenset[PersonId]:
        return await self._people.members(group)

    async def groups(self) -> frozenset[str]:
        return await self._people.groups()

    async def on_call(self, rotation: str) -> frozenset[PersonId]:
        return await self._people.on_call(rotation)

    async def active(self, ids: frozenset[PersonId]) -> frozenset[PersonId]:
        found = sorted(await self._people.active(ids))
        are_met = await each(found, self._is_met)
        return frozenset(who for who, is_met in zip(found, are_met, strict=True) if is_met)

    async def _is_met(self, who: PersonId) -> bool:
        return who in self._elsewhere or await self.is_met(who)


async def quorums(wanted: Wanted[T], here: Directory, outside: frozenset[str], name: str) -> AsyncIterator[Remark]:
    """Can those of *here* meet the policy's quorums, on the platform called *name*? *outside* could not be read.

    Nothing of it keeps the bot from starting: what nobody can sign is refused when it is asked.
    """
    try:
        async with asyncio.timeout(QUORUMS_WITHIN):
            problems = await wanted.judge(here, outside | wanted.told_elsewhere)
    except TimeoutError:
        yield weak(f"quorums were not looked at: that takes more than {QUORUMS_WITHIN:.0f} s here")
        return
    for problem in problems:
        told = "until you add people who may, or change the rule, what nobody can sign is refused"
        yield weak(f"{problem}, as {name} is now; {told}")
    if not problems:
        also = " or where else this bot is" if wanted.elsewhere else ""
        yield good(f"every quorum can be met by people who are on {name}{also} now")
