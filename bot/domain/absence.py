"""Being away: from when to when, and who decides meanwhile.

    away until WHEN[, @PERSON decides]        WHEN  Mon · Monday · tomorrow · 17:00 · 2026-08-20 · 2026-08-20 17:00
    away for SPAN[, @PERSON decides]          SPAN  4 hours · 3 days · 2 weeks

Owns this grammar and what an absence is. Times are meant in the person's own zone: a day begins at their midnight, also
where the clocks change. Not who `@PERSON` is (runtime/deputies), nor what a deputy may sign (runtime/rights).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.domain.chat import PersonId
from bot.domain.errors import NotUnderstood
from bot.domain.wire import Record

LONGEST = timedelta(days=90)  # of one absence: whoever is away for longer needs another group, not a deputy
USAGE = "away until Mon, @bo decides"
BEHIND = timedelta(seconds=30)  # how much older than a vote the look may be by which its deputy was judged
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
UNITS: Mapping[str, timedelta] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}

_WHOLE = re.compile(r"(?:until|till) (?P<until>.+)|for (?P<count>\d{1,4}|an?) (?P<unit>hour|day|week)s?", re.IGNORECASE)
_DEPUTY = re.compile(r"(?P<rest>.+?)(?: ?,)? ?@(?P<deputy>[^@]+) decides", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)")
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?:(?: |t)(\d{1,2}:\d\d))?")


class Absence(Record):
    """One person is away. `deputy` decides in their place; None: nobody does. `delivery` is what said so."""

    person: PersonId
    since: datetime
    until: datetime
    deputy: PersonId | None = None
    delivery: str = ""


class Leaving(Record):
    """What somebody who leaves has said. `deputy` is what they wrote behind the @, empty if nothing."""

    until: datetime
    deputy: str = ""


def leaving(text: str, *, now: datetime, zone: str) -> Leaving:
    """Read what follows the word `away`. Raises NotUnderstood, with one sentence that says what to write instead.

    *now* is the store's time, *zone* an IANA name such as Europe/Berlin.
    """
    plain = " ".join(text.split()).rstrip(".! ")
    named = _DEPUTY.fullmatch(plain)
    when, deputy = (named["rest"].rstrip(", "), named["deputy"].strip()) if named else (plain, "")
    until = moment(when, now=now, zone=zone)
    if until is None:
        raise NotUnderstood(text, f"Please write for example: {USAGE}; or: away for 3 days.")
    if until <= now:
        raise NotUnderstood(text, f"{when} is over already; please name a time that comes.")
    if until > now + LONGEST:
        raise NotUnderstood(text, f"An absence may last {LONGEST.days} days at most; please name an earlier time.")
    return Leaving(until=until, deputy=deputy)


def moment(when: str, *, now: datetime, zone: str) -> datetime | None:
    """The moment that `until WHEN` or `for SPAN` means; None if *when* is neither. Raises NotUnderstood for no time."""
    found = _WHOLE.fullmatch(when)
    if found is None:
        return None
    here = now.astimezone(ZoneInfo(zone))
    return _until(found["until"], here) if found["until"] else _after(found["count"], found["unit"].lower(), here)


def told(at: datetime, zone: str) -> str:
    """A moment as people of *zone* read it: Mon 17 Aug 2026, 00:00 (Europe/Berlin)."""
    here = at.astimezone(ZoneInfo(zone))
    day = f"{WEEKDAYS[here.weekday()][:3].title()} {here.day} {_MONTHS[here.month - 1]} {here.year}"
    return f"{day}, {here:%H:%M} ({zone})"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _until(words: str, here: datetime) -> datetime:
    """The moment *words* name, as seen from *here*. Raises NotUnderstood."""
    plain = words.casefold()
    for read in _READ:
        try:
            found = read(plain, here)
        except (ValueError, OverflowError) as error:
            raise NotUnderstood(words, f"There is no {words}; please name a day or time of the calendar.") from error
        if found is not None:
            return found
    told = f"I cannot read “{words[:40]}” as a time; please write a day (Mon), a date (2026-08-20) or a time (17:00)."
    raise NotUnderstood(words, told)


def _weekday(words: str, here: datetime) -> datetime | None:
    """The start of the next such day: today is never meant."""
    found = [n for n, day in enumerate(WEEKDAYS) if words in (day, day[:3])]
    if not found:
        return None
    return _on(here.date() + timedelta(days=(found[0] - here.weekday() - 1) % 7 + 1), time(), here)


def _tomorrow(words: str, here: datetime) -> datetime | None:
    return _on(here.date() + timedelta(days=1), time(), here) if words == "tomorrow" else None


def _clock(words: str, here: datetime) -> datetime | None:
    """Today, or tomorrow if that is over."""
    found = _CLOCK.fullmatch(words)
    if found is None:
        return None
    at = time(int(found[1]), int(found[2]))
    today = _on(here.date(), at, here)
    return today if today > here.astimezone(UTC) else _on(here.date() + timedelta(days=1), at, here)


def _dated(words: str, here: datetime) -> datetime | None:
    found = _DATE.fullmatch(words)
    if found is None:
        return None
    hour, _, minute = (found[2] or "0:00").partition(":")
    return _on(date.fromisoformat(found[1]), time(int(hour), int(minute)), here)


def _after(count: str, unit: str, here: datetime) -> datetime:
    """Hours are hours; days and weeks end at this time of the day, also if the clocks change in between."""
    number = int(count) if count.isdigit() else 1
    if unit == "hour":
        return here.astimezone(UTC) + number * UNITS[unit]
    return _on(here.date() + number * UNITS[unit], here.time(), here)


def _on(day: date, at: time, here: datetime) -> datetime:
    """A local time as an instant. One that the clocks skip is as much later; of one they repeat it is the first."""
    return datetime.combine(day, at, here.tzinfo).replace(fold=0).astimezone(UTC)


_READ: tuple[Callable[[str, datetime], datetime | None], ...] = (_weekday, _tomorrow, _clock, _dated)
