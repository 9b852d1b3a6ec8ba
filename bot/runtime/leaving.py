"""The commands `away` and `back`: somebody leaves, names a deputy, comes back.

    away until Mon, @bo decides -> until when, in my zone -> who is @bo -> may they answer -> the store, once

Everybody only about themselves. A deputy is named by id, by a mention of the platform, or by the name that people.yml
gives: what somebody calls themselves decides nothing. Not the grammar (domain/absence), nor what a deputy may sign.
"""

from __future__ import annotations

from typing import Protocol

from bot.domain import absence
from bot.domain.absence import Absence
from bot.domain.chat import Account, Person, PersonId
from bot.domain.errors import NotUnderstood, Unsatisfiable
from bot.domain.people import ANYONE, is_unlisted, may_answer
from bot.domain.ports import Absences, Directory
from bot.domain.store import Store
from bot.runtime.asked import Asked
from bot.runtime.journal import once_more

NOBODY = "Nobody decides for you."


class Remembering(Absences, Protocol):
    def forget(self) -> None: ...


class Leaving:
    def __init__(self, store: Store, directory: Directory, absences: Remembering) -> None:
        self._store, self._directory, self._absences = store, directory, absences
        self.deeds = {"away": self.away, "back": self.back}

    async def away(self, asked: Asked) -> str:
        """Raises NotUnderstood, with what to write instead."""
        if not asked.rest:
            return await self._now(asked)
        person, now = asked.person, self._store.now()
        said = absence.leaving(asked.rest, now=now, zone=person.zone)
        deputy = await self._deputy(said.deputy, asked) if said.deputy else None
        gone = Absence(
            person=person.id,
            since=now,
            until=said.until,
            deputy=deputy.id if deputy else None,
            delivery=asked.delivery,
        )
        answer = told(gone, person, deputy)
        if deputy and deputy.id in await self._absences.fresh().now():
            answer += f" But {deputy.name} is away now, too, and decides nothing until they are back."
        stands = await once_more(lambda: self._store.leave(gone, answer=answer))
        self._absences.forget()
        return stands

    async def back(self, asked: Asked) -> str:
        welcome = "Welcome back. Nobody decides for you any more."
        answer = await once_more(
            lambda: self._store.come_back(asked.person.id, delivery=asked.delivery, answer=welcome)
        )
        self._absences.forget()
        return answer or "You were not away."

    async def _now(self, asked: Asked) -> str:
        """What is known, for `away` alone."""
        held = (await self._absences.fresh().now()).get(asked.person.id)
        if held is None:
            return f"You are not away. To be, write for example: {asked.name} {absence.USAGE}"
        deputy = await self._directory.person(held.deputy) if held.deputy else None
        return f"{told(held, asked.person, deputy)} To come back sooner: {asked.name} back"

    async def _deputy(self, named: str, asked: Asked) -> Person:
        found = await self._found(named, asked)
        if found is None:
            raise NotUnderstood(named, f"I know nobody called @{named[:60]}; please mention them, or write their id.")
        if found.id == asked.person.id:
            raise NotUnderstood(named, "Nobody can decide for themselves; please name somebody else.")
        if not may_answer(found):
            raise NotUnderstood(named, f"{found.name} may not answer anything here; please name somebody else.")
        return found

    async def _found(self, named: str, asked: Asked) -> Person | None:
        for id in (named, named.casefold()):  # noqa: A001  # its name everywhere
            if (found := await self._directory.person(PersonId(id))) is not None:
                return found
        account = Account(platform=asked.by.platform, tenant=asked.by.tenant, user=named.partition("|")[0])
        return await self._directory.who(account) or await self._called(named)

    async def _called(self, name: str) -> Person | None:
        """Somebody whom people.yml calls so. Raises NotUnderstood if it is not the only one."""
        try:
            listed = [who for who in await self._directory.members(ANYONE) if not is_unlisted(who)]
        except Unsatisfiable:  # too many to look at
            return None
        people = [await self._directory.person(who) for who in sorted(listed)]
        found = [one for one in people if one is not None and one.name.casefold() == name.casefold()]
        if len(found) > 1:
            ids = " or ".join(f"@{one.id}" for one in found)
            raise NotUnderstood(name, f"{len(found)} people are called {name[:60]}; please write {ids}.")
        return found[0] if found else None


def told(gone: Absence, person: Person, deputy: Person | None) -> str:
    """What somebody who is away reads about it."""
    named = f"{deputy.name} ({deputy.id}) may decide for you, in their own name." if deputy else NOBODY
    return f"You are away until {absence.told(gone.until, person.zone)}. {named}"
