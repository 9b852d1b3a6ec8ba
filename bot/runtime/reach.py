"""Whom a message may reach now, and who is called when their day begins.

    people -> each by their own clock -> now: a direct message or a mention · later: a timer, and words that say so

Outside of their hours nobody is called, nor is whoever said that they are away. Their rights do not wait, only the
message does; and what is high-risk waits for nobody's morning. Not what is said (climbing), nor what hours are
(domain/hours), nor who decides for somebody who is away (deputies).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bot.domain.chat import PersonId
from bot.domain.hours import Hours, next_awake, on_their_clock
from bot.domain.ladder import wake_name
from bot.domain.request import Request
from bot.domain.store import Note, Store, Timer
from bot.runtime.rights import Rights

NAMED_MOST = 3  # people who are away, by name, in one sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """Somebody who is called `at` the begin of their hours, or when they are back; `clock`: as their own shows that."""

    person: PersonId
    name: str
    at: datetime
    clock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    now: tuple[PersonId, ...] = ()
    later: tuple[Later, ...] = ()
    full: tuple[Later, ...] = ()  # who has enough open cards (sparing); looked at again `at` that time
    notes: tuple[Note, ...] = ()  # what those read instead

    def timers(self, request: Request) -> tuple[Timer, ...]:
        """What calls those who are not called now: when their hours begin, or there is room again."""
        return tuple(Timer(name=wake_name(request.id, one.person), due=one.at) for one in (*self.later, *self.full))

    @property
    def told(self) -> str:
        """Who is called later, and why, in words that follow another sentence; empty when nobody is."""
        return self._away + self._full

    @property
    def nobody(self) -> str:
        """That all of several people are away, and until when: words that follow another sentence. Empty if not."""
        if self.now or self.full or len(self.later) < 2:
            return ""
        first = self.later[0]
        return f" Everybody who may answer is away until {first.clock} ({first.name}'s time)."

    @property
    def _full(self) -> str:
        if not self.full:
            return ""
        named = " and ".join(one.name for one in self.full[:NAMED_MOST])
        rest = len(self.full) - NAMED_MOST
        who = f"{named} and {rest} more have" if rest > 0 else f"{named} {'has' if len(self.full) == 1 else 'have'}"
        return f" {who} many open cards already; this one is sent when some of them are answered."

    @property
    def _away(self) -> str:
        if not self.later:
            return ""
        if len(self.later) == 1:
            return f" {self.later[0].name} is away until {self.later[0].clock} (their time) and is asked then."
        named = [f"{one.name} ({one.clock} their time)" for one in self.later[:NAMED_MOST]]
        rest = len(self.later) - len(named)
        return f" Away, and asked when they are back: {', '.join(named)}{f' and {rest} more' if rest else ''}."


class Reaching:
    def __init__(self, store: Store, rights: Rights) -> None:
        self._store, self._rights = store, rights

    async def reach(
        self,
        request: Request,
        people: Iterable[PersonId],
        *,
        urgent: frozenset[PersonId] = frozenset(),
        most: int | None = None,
    ) -> Reach:
        """*people* by whether they may be called now; *urgent* are called at any hour. At most *most* of each.

        Raises Unavailable when nobody can say who somebody is.
        """
        now: list[PersonId] = []
        later: list[Later] = []
        for person in sorted(people):
            away = None if request.ask.is_high or person in urgent else await self.away(person)
            if away is None:
                now.append(person)
            else:
                later.append(away)
            if len(now) == most:
                break
        later.sort(key=lambda one: one.at)  # whoever is back first is told of first
        return Reach(now=tuple(now), later=tuple(later[:most]))

    async def away(self, person: PersonId) -> Later | None:
        """Until when *person* is not to be called; None if they may be now."""
        found, at = await self._rights.person(person), self._store.now()
        if found is None:
            return None
        gone = await self._rights.absence(person)
        back = max(at, gone.until) if gone is not None else at
        until = next_awake(found.hours, back) or back  # never awake: better called at night than not at all
        if until <= at:
            return None
        zone = found.hours.zone if found.hours is not None else ""
        clock = on_their_clock(Hours(zone=zone or found.zone), until, now=at)
        return Later(person=person, name=found.name, at=until, clock=clock)
