"""Deeds: a press is handed in, and answered in words within what Teams waits for.

    press -> which message of ours is meant -> people by their ids -> front door (durable) -> Answer

Whatever goes wrong is an answer as well: a press does not come again by itself, or comes twice. Not owned: what a press
says (reading), in which shape its answer goes back (ears, dialogs, inbox).
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Protocol

import structlog

from adapters.asides import judged
from adapters.recall import each
from adapters.teams.people import GUID
from adapters.teams.reading import Press
from adapters.teams.shapes import PLATFORM, Inbound
from bot.domain.chat import Account, Answer, Click, Form, MessageRef, Person, PersonId
from bot.domain.errors import Unavailable, Unsatisfiable
from bot.domain.people import ANYONE
from bot.domain.ports import Directory, FrontDoor
from bot.domain.wire import replace

log = structlog.get_logger()

_OBJECT_ID = re.compile(GUID)

ANSWER_WITHIN = 3.0  # seconds; after them phones send a press again (botframework-sdk#6680), after 5 a dialog gives up

INACTIVE = "This button is no longer active."
PRESS_AGAIN = "Teams did not say which card this button is on. Please press it again."
LATE = "That took too long, so I do not know whether it was recorded. Please look at the card before you press again."
STRANGER = "I do not know this person. Please name somebody else, by their id."
SEVERAL = "Several people are called that. Please write one of their ids: {ids}."


class Places(Protocol):
    """Where messages of ours stand: `places.Places`."""

    async def posted_at(self, tenant: str, activity: str) -> MessageRef | None: ...


class Meant(Protocol):
    """Which message of ours a press counts for: `once.Once`."""

    async def meant(self, press: Click | Form) -> MessageRef: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeedsWithin:
    front: FrontDoor
    places: Places
    once: Meant
    people: Directory


class Deeds:
    def __init__(self, within: DeedsWithin) -> None:
        self._with = within

    async def do(self, inbound: Inbound, press: Press, about: MessageRef | None = None) -> Answer:
        """Hand *press* in, for the message *about* if one is given, else for the one it stood in. Never raises Refused
        or Unavailable: those are answers."""
        try:
            return await self.handed(inbound, press, about)
        except Unavailable as error:
            log.warning("teams_press_not_taken", move=press.pressed.move, error=str(error))
            return Answer(is_taken=False, text=error.people_read)

    async def handed(self, inbound: Inbound, press: Press, about: MessageRef | None = None) -> Answer:
        """The same for whom no answer would reach. Raises Unavailable: nothing is known to be recorded."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await self._done(press, about or await self.stood(inbound, press))
        except TimeoutError:
            log.warning("teams_press_late", move=press.pressed.move)
            return Answer(is_taken=False, text=LATE)

    async def stood(self, inbound: Inbound, press: Press) -> MessageRef | None:
        """The message *press* stood in, also if Teams left out its conversation (AdaptiveCards#8864). None: unknown."""
        if press.stood is not None or not inbound.reply_to:
            return press.stood
        return await self._with.places.posted_at(inbound.tenant, inbound.reply_to)

    async def _done(self, press: Press, ref: MessageRef | None) -> Answer:
        if ref is None:
            return Answer(is_taken=False, text=PRESS_AGAIN)
        fields, problems = await self._named(press)
        if problems:
            return Answer(is_taken=False, text=" ".join(problems.values()), problems=problems)
        handed = press.handed(ref, fields)
        handed = replace(handed, ref=await self._with.once.meant(handed))
        front = self._with.front
        answer = await judged(front.form(handed) if isinstance(handed, Form) else front.click(handed))
        return answer or Answer(is_taken=True, text="")

    # -------------------------------------------------------------- people

    async def _named(self, press: Press) -> tuple[dict[str, object], dict[str, str]]:
        """What was typed, with the ids of those who were named; and what is wrong with a name."""
        fields, problems = dict(press.pressed.fields), dict[str, str]()
        for name in press.pressed.people:
            said = fields.get(name)
            if isinstance(said, str) and said:
                found = await self._found(said, press.by.tenant)
                if isinstance(found, str):
                    problems[name] = found
                else:
                    fields[name] = found.id
        return fields, problems

    async def _found(self, said: str, tenant: str) -> Person | str:
        """Whoever *said* names, by id, account or name; or why nobody is."""
        people = self._with.people
        plain = said.removeprefix("@").strip()
        found = await people.person(PersonId(plain))
        if found is None and _OBJECT_ID.fullmatch(plain):
            found = await people.who(Account(platform=PLATFORM, tenant=tenant, user=plain.lower()))
        alike = [found] if found else await self._called(plain)
        if len(alike) > 1:
            return SEVERAL.format(ids=", ".join(one.id for one in alike[:5]))
        return alike[0] if alike and not alike[0].is_bot else STRANGER

    async def _called(self, name: str) -> list[Person]:
        try:
            ids = sorted(await self._with.people.members(ANYONE))
        except Unsatisfiable:  # too many to look at
            return []
        people = await each(ids, self._with.people.person)
        return [one for one in people if one is not None and one.name.casefold() == name.casefold()]
