"""What people like: a few answers of each person's, kept so that nobody is asked twice.

    set("ana", "notification", "push") -> one sealed value per person -> all("ana") -> forget("ana", "push")

A preference is a wish and never a right: nothing is allowed or signed by one. Everybody's are their own. Not who may
ask for them (the tools take whoever gave the task), nor the words of the commands (runtime/wishes).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

from bot.domain.chat import PersonId
from bot.domain.errors import Refused, StoreUnavailable
from bot.domain.ports import Keep
from bot.domain.wire import Record, pack, unpack

MOST = 50  # of one person
NAME = r"^[a-z][a-z0-9_]{0,39}$"
VALUE_MOST = 200  # characters
BUSY = timedelta(seconds=5)  # a change holds a person's preferences no longer than this, even if its process is gone


class TooManyWishes(Refused):
    people_read = f"There are {MOST} preferences already; forget some first."


class BeingChanged(Refused):
    people_read = "These preferences are being changed just now. Please try again."


class Liked(Record):
    """Everything one person likes, by name."""

    person: PersonId
    values: dict[str, str]


class Preferences:
    """Of everybody. `keep` is there once the store is open; every process sees the same.

    Raises StoreUnavailable; BadSeal or BadRecord for a value that is not ours.
    """

    def __init__(self, keep: Keep | None = None) -> None:
        self.keep = keep

    async def all(self, person: PersonId) -> Mapping[str, str]:
        value = await self._open.get(_name(person))
        liked = unpack(Liked, value) if value is not None else Liked(person=person, values={})
        return liked.values if liked.person == person else {}

    async def set(self, person: PersonId, name: str, value: str) -> None:
        """Raises TooManyWishes, BeingChanged."""
        async with self._alone(person):
            values = {**await self.all(person), name: value}
            if len(values) > MOST:
                raise TooManyWishes(f"{person} has {MOST} preferences")
            await self._open.put(_name(person), pack(Liked(person=person, values=values)))

    async def forget(self, person: PersonId, what: str) -> tuple[str, ...]:
        """Forget those with this name or value, or everything; the names of what was forgotten. Raises BeingChanged."""
        async with self._alone(person):
            values = await self.all(person)
            gone = tuple(name for name, value in values.items() if what in (name, value.casefold(), EVERYTHING))
            left = {name: value for name, value in values.items() if name not in gone}
            if left:
                await self._open.put(_name(person), pack(Liked(person=person, values=left)))
            else:
                await self._open.forget(_name(person))
            return gone

    @property
    def _open(self) -> Keep:
        if self.keep is None:
            raise StoreUnavailable("the bot is starting")
        return self.keep

    @asynccontextmanager
    async def _alone(self, person: PersonId) -> AsyncIterator[None]:
        """Two changes at once would lose one of them."""
        busy = f"{_name(person)}/busy"
        if await self._open.claim(busy, b"busy", keep=BUSY) is not None:
            raise BeingChanged(f"{person}'s preferences are being changed")
        try:
            yield
        finally:
            await self._open.forget(busy)


EVERYTHING = "everything"


def _name(person: PersonId) -> str:
    return f"preferences/{person}"
