"""The commands `later` and `now`: a person's own list is shorter for a while.

    later REQUEST until Mon -> it waits for this person -> until when, in their zone -> kept, sealed, with its end
    now REQUEST             -> it stands in their list again

Everybody about their own list alone. Nothing of the request changes, so there is no audit record. What is kept has a
name for each person and request: every process sees it, and Redis forgets it at its end. A value that bears no seal of
ours puts nothing off.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from bot.domain import absence
from bot.domain.chat import PersonId
from bot.domain.errors import BadRecord, BadSeal, NotUnderstood
from bot.domain.later import PutOff, until_when
from bot.domain.pages import Waiting
from bot.domain.ports import Keep, Views
from bot.domain.request import RequestId
from bot.domain.store import Store
from bot.domain.wire import pack, unpack
from bot.runtime.asked import Asked

log = structlog.get_logger()
REMEMBERED = timedelta(days=1)  # a deed, for a delivery that comes again: longer than any platform redelivers

UNCHANGED = "Nothing changes for anybody else: its cards, its reminders and its deadline go on."


class PuttingOff:
    def __init__(self, store: Store, views: Views) -> None:
        self._store, self._views, self._kept = store, views, Kept(store.keep())
        self.deeds = {"later": self.later, "now": self.now}

    async def later(self, asked: Asked) -> str:
        """Raises NotUnderstood, with what to write instead."""
        wanted, _, when = asked.rest.partition(" ")
        found = await self._found(wanted, asked)
        now, zone = self._store.now(), asked.person.zone
        before = await self._kept.get(asked.person.id, found.request)
        if asked.delivery in before.deliveries:
            return self._told(before, asked)
        until = until_when(when, now=now, zone=zone, deadline=found.deadline)
        return self._told(await self._kept.put(before.next(until, asked.delivery), now), asked)

    async def now(self, asked: Asked) -> str:
        found, now = await self._found(asked.rest, asked), self._store.now()
        before = await self._kept.get(asked.person.id, found.request)
        if asked.delivery in before.deliveries:
            return self._told(before, asked)
        if before.holds(now) is None:
            return f"{found.request} is not put off: it stands in your list."
        return self._told(await self._kept.put(before.next(None, asked.delivery), now), asked)

    async def _found(self, wanted: str, asked: Asked) -> Waiting:
        """What waits for this person under that id, or the end of one."""
        waiting = await self._views.waiting_for(asked.by)
        found = [each for each in waiting if each.request.endswith(wanted.strip("'\"`").lower())]
        if len(found) == 1:
            return found[0]
        many = "Several requests end so; write the whole id" if found else f"There is no {wanted} that waits for you"
        raise NotUnderstood(wanted, f"{many}. {asked.name} pending lists them.")

    def _told(self, put_off: PutOff, asked: Asked) -> str:
        if (until := put_off.holds(self._store.now())) is None:
            return f"{put_off.request} stands in your list again."
        back = f"To see it sooner: {asked.name} now {put_off.request}"
        return f"Put off: not in your list until {absence.told(until, asked.person.zone)}. {UNCHANGED} {back}"


class Kept:
    """What people have put off, as every process sees it. Raises StoreUnavailable."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep

    async def get(self, person: PersonId, request: RequestId) -> PutOff:
        """One that puts nothing off where there is none, and for what we did not write, or wrote about another one."""
        nothing = PutOff(person=person, request=request)
        try:
            value = await self._keep.get(_name(person, request))
            found = unpack(PutOff, value) if value is not None else nothing
        except (BadSeal, BadRecord) as error:
            log.warning("put_off_is_not_ours", person=person, request=request, cause=type(error).__name__)
            return nothing
        return found if (found.person, found.request) == (person, request) else nothing

    async def put(self, put_off: PutOff, now: datetime) -> PutOff:
        """Keep it until its end, and for a while after what was done last: a repeated delivery must find it."""
        life = max((put_off.until or now) - now, REMEMBERED)
        await self._keep.put(_name(put_off.person, put_off.request), pack(put_off), keep=life)
        return put_off


def _name(person: PersonId, request: RequestId) -> str:
    return f"later/{request}/{person}"
