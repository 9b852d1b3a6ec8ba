"""oncall.ics -> who is on call now. Every mistake at once, as `oncall.ics: event 'support: ana' (UID): sentence`.

    SUMMARY:support: ana                     ana is on call for support while the event lasts
    SUMMARY:support   ATTENDEE:mailto:…      the person of people.yml with that e-mail address is
    CATEGORIES:support,billing   ATTENDEE…   for several rotations

Recurring events, their exceptions and time zones count as in any calendar. A day without a time, and a time without a
zone, are meant in the calendar's own zone (X-WR-TIMEZONE), else in UTC. The file is looked at again when it has
changed; a broken new version is said once, and the one before stays. Not who may answer (domain/people), nor who is
asked when (climbing).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import structlog

from bot.domain.chat import Person, PersonId
from bot.domain.errors import BadPolicy, Unsatisfiable
from bot.domain.hours import is_zone
from bot.domain.people import NAME

if TYPE_CHECKING:  # they are loaded when there is a schedule to read: most houses have none
    from icalendar import Calendar, Component

log = structlog.get_logger()
LARGEST = 1 << 20  # bytes of one file
LOOK_EVERY = 60.0  # seconds between looks at whether the file has changed
ROUND = timedelta(hours=26)  # a day without a zone lies at most this far from where it lies in UTC
TOO_OFTEN = ("SECONDLY", "MINUTELY")  # nobody's shift, and a million events a year
ABSENT = ("DECLINED",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """What one event says: who is on call for which rotations. Rotations are in small letters."""

    rotations: frozenset[str]
    people: frozenset[PersonId]
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Schedule:
    """One version of the file, read and found good."""

    calendar: Calendar
    who: Who
    zone: ZoneInfo
    rotations: frozenset[str]

    def day(self, day: date) -> tuple[Shift, ...]:
        """Every shift that touches *day*, which is meant in UTC. It takes a while (22 ms for 40 rotations that began
        years ago): not for the event loop."""
        import recurring_ical_events  # type: ignore[import-untyped]  # it has annotations, and no py.typed

        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        events = recurring_ical_events.of(self.calendar).between(midnight - ROUND, midnight + ROUND * 2)
        return tuple(self.who.shift(event, self.zone) for event in events if not _is_cancelled(event))


class OnCallFile:
    """Implements `Duty`. `clock` is whose time counts: the roof gives it the store's.

    *ticks* is a monotonic clock in seconds. Raises BadPolicy when the file cannot be read at first.
    """

    def __init__(
        self,
        path: Path,
        people: Sequence[Person],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock = clock
        self._path, self._who, self._ticks = path, Who.of(people), ticks
        self._lock = asyncio.Lock()
        self._stamp, self._looked = _stamp(path), ticks()
        self._schedule = read_schedule(path, self._who, clock())
        self._day: tuple[Schedule, date, tuple[Shift, ...]] | None = None  # laid out once, for all who ask that day

    async def on_call(self, rotation: str) -> frozenset[PersonId]:
        """As `Duty.on_call`."""
        schedule, wanted = await self._current(), rotation.casefold()
        if wanted not in schedule.rotations:
            there = ", ".join(sorted(schedule.rotations)) or "none"
            raise Unsatisfiable(f"oncall({rotation}): {self._path.name} has no such rotation; it has {there}")
        now = self.clock()
        shifts = [one for one in await self._laid_out(schedule, now) if one.start <= now < one.end]
        return frozenset[PersonId]().union(*[one.people for one in shifts if wanted in one.rotations])

    async def _laid_out(self, schedule: Schedule, now: datetime) -> tuple[Shift, ...]:
        day = now.astimezone(UTC).date()
        if self._day is None or self._day[:2] != (schedule, day):
            self._day = (schedule, day, await asyncio.to_thread(schedule.day, day))
        return self._day[2]

    async def _current(self) -> Schedule:
        """The newest good version of the file."""
        async with self._lock:
            if self._ticks() - self._looked >= LOOK_EVERY:
                self._looked = self._ticks()
                await self._look()
            return self._schedule

    async def _look(self) -> None:
        stamp = await asyncio.to_thread(_stamp, self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._schedule = await asyncio.to_thread(read_schedule, self._path, self._who, self.clock())
        except BadPolicy as error:
            log.error("oncall_unreadable", file=str(self._path), problems=error.problems, kept="the version before")
        else:
            log.info("oncall_read", file=str(self._path), rotations=sorted(self._schedule.rotations))


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes with the file; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def read_schedule(path: Path, who: Who, now: datetime) -> Schedule:
    """The whole file, checked. Raises BadPolicy with every problem."""
    calendar, zone = _calendar(path)
    problems, rotations = list[str](), set[str]()
    for event in calendar.walk("VEVENT"):
        if _is_cancelled(event):
            continue
        found = list(_problems(event, zone, now, who))
        problems += [f"{path.name}: event {_named(event)}: {told}" for told in found]
        rotations |= _folded(event) if not found else frozenset()
    if problems:
        raise BadPolicy(list(dict.fromkeys(problems)))
    schedule = Schedule(calendar=calendar, who=who, zone=zone, rotations=frozenset(rotations))
    _must_unfold(schedule, path, now)
    return schedule


def _calendar(path: Path) -> tuple[Calendar, ZoneInfo]:
    from icalendar import Calendar

    try:
        data = path.read_bytes()
        if len(data) > LARGEST:
            raise BadPolicy([f"{path.name}: the file has {len(data)} bytes; at most {LARGEST} are read"])
        calendar = Calendar.from_ical(data)
    except OSError as error:
        raise BadPolicy([f"{path.name}: cannot be read: {error.strerror}; correct COUNTERSIGN_ONCALL"]) from error
    except (ValueError, LookupError) as error:
        raise BadPolicy([f"{path.name}: is not one iCalendar file ({error}); export it again"]) from error
    if calendar.name != "VCALENDAR":
        raise BadPolicy([f"{path.name}: begins with {calendar.name}; an iCalendar file begins with BEGIN:VCALENDAR"])
    zone = str(calendar.get("X-WR-TIMEZONE", "UTC"))
    if not is_zone(zone):
        raise BadPolicy([f"{path.name}: its zone {zone!r} is not known; write one such as Europe/Berlin"])
    return calendar, ZoneInfo(zone)


# ------------------------------------------------------------------ one event


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """The people of people.yml, as a schedule may name them."""

    ids: Mapping[str, PersonId]
    emails: Mapping[str, PersonId]

    @classmethod
    def of(cls, people: Sequence[Person]) -> Who:
        return cls(
            ids={person.id.casefold(): person.id for person in people},
            emails={person.email.casefold(): person.id for person in people if person.email},
        )

    def shift(self, event: Component, zone: ZoneInfo) -> Shift:
        """What *event* says; names that nobody has are left out."""
        people = [self.ids.get(name.casefold()) for name in _summary(event)[1]]
        people += [self.emails.get(address) for address in _attendees(event)]
        return Shift(
            rotations=_folded(event),
            people=frozenset(person for person in people if person is not None),
            start=_moment(_time(event, "DTSTART"), zone),
            end=_moment(_end(event), zone),
        )

    def strangers(self, event: Component) -> Iterator[str]:
        """What is wrong with those whom *event* names."""
        names, addresses = _summary(event)[1], _attendees(event, also=ABSENT)
        for name in names:
            if name.casefold() not in self.ids:
                yield f"{name!r} is nobody in people.yml; write a person's id behind the colon"
        for address in addresses:
            if address not in self.emails:
                yield f"{address} is nobody's address in people.yml; write it there as email, or take it out here"
        if not names and not addresses:
            yield "it names nobody; write SUMMARY:support: ana, or add an ATTENDEE with an e-mail address"


def _problems(event: Component, zone: ZoneInfo, now: datetime, who: Who) -> Iterator[str]:
    if event.errors:
        yield from (f"{name} cannot be read ({told}); write it as RFC 5545 says" for name, told in event.errors)
        return  # whatever else one asked of it would raise
    if "DTSTART" not in event:
        yield "it has no DTSTART; say when it begins"
        return
    for name in ("DTSTART", "DTEND", "RECURRENCE-ID"):
        if name in event and (lost := _lost_zone(event[name])):
            yield f"the time zone {lost!r} of {name} is not known; write one such as Europe/Berlin"
    if any(part in TOO_OFTEN for part in _frequencies(event)):
        yield "it recurs more often than hourly; write one long event"
    start, end = (_moment(value, zone) for value in (_time(event, "DTSTART"), _end(event)))
    if end <= start:
        yield "it has no length; give it a DTEND later than its DTSTART"
    rotations = _rotations(event)
    if any(not NAME.fullmatch(one) for one in rotations):
        yield f"{' and '.join(map(repr, rotations))} cannot be a rotation; write CATEGORIES:support"
    if "RRULE" in event or "RDATE" in event or end > now:  # who was on call in the past may be gone since
        yield from who.strangers(event)


def _must_unfold(schedule: Schedule, path: Path, now: datetime) -> None:
    """Whatever the library would stumble over later, it shall stumble over at the start."""
    try:
        schedule.day(now.date())
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise BadPolicy([f"{path.name}: its events cannot be laid out ({error}); correct their rules"]) from error


def _summary(event: Component) -> tuple[str, list[str]]:
    """`support: ana, bo` -> support, and their names."""
    label, _, names = str(event.get("SUMMARY", "")).partition(":")
    return label.strip(), [name.strip().removeprefix("@") for name in names.split(",") if name.strip()]


def _rotations(event: Component) -> list[str]:
    return _categories(event) or [_summary(event)[0]]


def _folded(event: Component) -> frozenset[str]:
    return frozenset(one.casefold() for one in _rotations(event))


def _categories(event: Component) -> list[str]:
    found = event.get("CATEGORIES", [])
    lines = found if isinstance(found, list) else [found]
    return [str(one).strip() for line in lines for one in line.cats if str(one).strip()]


def _attendees(event: Component, *, also: Sequence[str] = ()) -> list[str]:
    """Their addresses in small letters: people, not rooms; who has declined is not there, but among *also*."""
    found = event.get("ATTENDEE", [])
    people = [one for one in (found if isinstance(found, list) else [found]) if _is_person(one)]
    there = [one for one in people if also or str(one.params.get("PARTSTAT", "")).upper() not in ABSENT]
    return [str(one).casefold().removeprefix("mailto:") for one in there]


def _is_person(attendee: Any) -> bool:
    return str(attendee.params.get("CUTYPE", "INDIVIDUAL")).upper() not in ("ROOM", "RESOURCE")


def _is_cancelled(event: Component) -> bool:
    return str(event.get("STATUS", "")).upper() == "CANCELLED"


def _frequencies(event: Component) -> list[str]:
    rule = event.get("RRULE", {})
    rules = rule if isinstance(rule, list) else [rule]
    return [str(one).upper() for each in rules for one in each.get("FREQ", [])]


def _lost_zone(value: Any) -> str:
    """The zone that a time was written in and that nobody here knows."""
    named = str(getattr(value, "params", {}).get("TZID", ""))
    is_lost = isinstance(value.dt, datetime) and value.dt.tzinfo is None
    return named if is_lost else ""


def _end(event: Component) -> date | datetime:
    start = _time(event, "DTSTART")
    if "DTEND" in event:
        return _time(event, "DTEND")
    if "DURATION" in event:
        return start + cast(timedelta, _value(event, "DURATION"))
    return start if isinstance(start, datetime) else start + timedelta(days=1)


def _time(event: Component, name: str) -> date | datetime:
    return cast("date | datetime", _value(event, name))


def _value(event: Component, name: str) -> object:
    """What a property says, as Python sees it. Its reader has judged the form: what is broken is among the errors."""
    found: Any = event[name]
    return found.dt


def _moment(value: date | datetime, zone: ZoneInfo) -> datetime:
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=zone)
    return value if value.tzinfo is not None else value.replace(tzinfo=zone)


def _named(event: Component) -> str:
    return f"{str(event.get('SUMMARY', ''))!r} ({event.get('UID', 'without UID')})"
