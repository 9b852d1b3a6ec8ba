"""When somebody may be called: by the clock on their own wall, with its weekends, nights and summer time.

    work   "Mon-Thu 09:00-17:30, Fri 09:00-14:00"      quiet  "22:00-07:00"

    hours + moment          -> is_awake() · next_awake()
    hours + moment + span   -> open_after(): when so much of the open time has gone by · open_between(): how much has

Pure. Not who is called and why (runtime/reach), nor whose hours these are (people.yml; a rule's `clock`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import groupby, pairwise, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.domain.wire import Record

UNSAID = "UTC"  # by whose clock somebody lives whose zone nobody knows; people.yml's own UTC is read as Etc/UTC
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY = 24 * 60  # minutes
AHEAD = timedelta(days=15)  # how far is looked: a week's only half hour may fall out where the clocks change
EXAMPLE = "Mon-Fri 09:00-17:30"

_PART = re.compile(r"(?:([A-Za-z]{3})(?:-([A-Za-z]{3}))? +)?(\d\d):(\d\d)-(\d\d):(\d\d)")


class Span(Record):
    """A time of some weekdays (0 is Monday): from `start` up to `end`, in minutes after midnight.

    One that does not end later than it starts ends on the next day.
    """

    days: tuple[int, ...]
    start: int
    end: int

    def holds(self, day: int, minute: int) -> bool:
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        return (day in self.days and minute >= self.start) or ((day - 1) % 7 in self.days and minute < self.end)


class Hours(Record):
    """When one person may be called. Without `work`, at any time that is not `quiet`; without a `zone`, always."""

    zone: str = ""  # IANA name
    work: tuple[Span, ...] = ()
    quiet: tuple[Span, ...] = ()


def read_spans(text: str) -> tuple[Span, ...]:
    """Times as people write them; a part without days has those of the part before. Raises ValueError: one sentence."""
    found = list[Span]()
    days = tuple(range(7))
    for part in text.split(","):
        read = _PART.fullmatch(part.strip())
        if read is None:
            raise ValueError(f"{part.strip()!r} is not a time of the week: write for example {EXAMPLE}")
        first, last, *clock = read.groups()
        days = _days(first, last or first) if first else days
        start, end = _minutes(*clock[:2]), _minutes(*clock[2:])
        if start in (end, DAY):
            raise ValueError(f"{part.strip()!r} has no length: write 00:00-24:00 for a whole day")
        found.append(Span(days=days, start=start, end=end))
    return tuple(found)


def is_zone(name: str) -> bool:
    """Is *name* a time zone that is known here, such as Europe/Berlin?"""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # no such file, an evil path, or a folder of zones
        return False
    return True


def is_ever_awake(hours: Hours) -> bool:
    """Is there any minute of the week at which *hours* lets somebody be called?"""
    return any(_is_open(hours, day, minute) for day in range(7) for minute in {0, *_edges(hours)})


def open_a_week(hours: Hours) -> timedelta:
    """How much of a week without a change of the clocks is open."""
    minutes = sum(last - first for day in range(7) for first, last in _open_minutes(hours, day))
    return timedelta(minutes=minutes)


def open_after(hours: Hours | None, since: datetime, span: timedelta) -> datetime:
    """The first moment at which *span* of open time has gone by since *since*; in UTC.

    What is not open counts for nothing: nights, weekends, an hour that the clocks skip. An hour that they repeat counts
    twice. At all hours, or if none ever is open, it is *since* + *span*: a clock that never ran would end nothing.
    One step of work for each day in between.
    """
    if hours is None or not hours.zone or not is_ever_awake(hours):
        return since + span
    if span <= timedelta():
        return since
    left, end = span, since
    for begin, end in _stretches(hours, since):
        if left <= end - begin:
            return begin + left
        left -= end - begin
    return end  # the end of the calendar


def open_between(hours: Hours | None, since: datetime, until: datetime) -> timedelta:
    """How much open time there is from *since* to *until*; nothing if that is not later. What undoes `open_after`."""
    if hours is None or not hours.zone or not is_ever_awake(hours):
        return max(until - since, timedelta())
    stretches = takewhile(lambda stretch: stretch[0] < until, _stretches(hours, since))
    return sum((min(end, until) - begin for begin, end in stretches), timedelta())


def is_awake(hours: Hours | None, at: datetime) -> bool:
    """May whoever has these *hours* be called *at* this moment? Whoever has none always may."""
    if hours is None or not hours.zone:
        return True
    here = at.astimezone(ZoneInfo(hours.zone))
    return _is_open(hours, here.weekday(), here.hour * 60 + here.minute)


def next_awake(hours: Hours | None, at: datetime) -> datetime | None:
    """The first moment, from *at* on, at which they may be called; None if there is none within AHEAD."""
    if hours is None or is_awake(hours, at):
        return at
    moments = {*_openings(hours, at), *_shifts(ZoneInfo(hours.zone), at)}
    return next((moment for moment in sorted(moments) if moment > at and is_awake(hours, moment)), None)


def on_their_clock(hours: Hours, at: datetime, *, now: datetime) -> str:
    """*at* as the clock on their wall will show it: `Mon 09:00`, or `Mon 2026-11-30 09:00` if that is a week away."""
    here = at.astimezone(ZoneInfo(hours.zone))
    day = f" {here:%Y-%m-%d}" if at - now > timedelta(days=6) else ""
    return f"{DAYS[here.weekday()]}{day} {here:%H:%M}"


def written(spans: tuple[Span, ...]) -> str:
    """*spans* as `read_spans` reads them: `Mon-Fri 09:00-17:30, Sun 10:00-12:00`."""
    return ", ".join(
        f"{_day_text(first, last)} {_clock_text(span.start)}-{_clock_text(span.end)}"
        for span in spans
        for first, last in _runs(span.days)
    )


def _runs(days: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """The first and the last of days that follow each other; Fri-Mon is one run, though a week ends in it."""
    if len(days) == 7:
        yield 0, 6
        return
    start = next((day for day in days if (day - 1) % 7 not in days), 0)
    turned = sorted((day - start) % 7 for day in days)
    for _, run in groupby(enumerate(turned), lambda pair: pair[1] - pair[0]):
        found = [(day + start) % 7 for _, day in run]
        yield found[0], found[-1]


def _day_text(first: int, last: int) -> str:
    return DAYS[first] if first == last else f"{DAYS[first]}-{DAYS[last]}"


def _clock_text(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _days(first: str, last: str) -> tuple[int, ...]:
    try:
        start, end = DAYS.index(first.title()), DAYS.index(last.title())
    except ValueError:
        raise ValueError(f"{first} to {last} are no days: write {', '.join(DAYS)}, or Mon-Fri") from None
    return tuple(sorted((start + step) % 7 for step in range((end - start) % 7 + 1)))


def _minutes(hour: str, minute: str) -> int:
    total = int(hour) * 60 + int(minute)
    if total > DAY or int(minute) > 59:
        raise ValueError(f"{hour}:{minute} is not a time of the day: write 00:00 to 24:00")
    return total


def _is_open(hours: Hours, day: int, minute: int) -> bool:
    is_at_work = not hours.work or any(span.holds(day, minute) for span in hours.work)
    return is_at_work and not any(span.holds(day, minute) for span in hours.quiet)


def _edges(hours: Hours) -> set[int]:
    """The minutes of a day at which a span begins or ends."""
    return {minute % DAY for span in (*hours.work, *hours.quiet) for minute in (span.start, span.end)}


def _openings(hours: Hours, at: datetime) -> Iterator[datetime]:
    """Every moment at which the clock on the wall shows the begin or end of a span; twice where it is set back."""
    zone = ZoneInfo(hours.zone)
    first = at.astimezone(zone).date()
    for days in range(AHEAD.days + 1):
        for minute in _edges(hours):
            clock = time(*divmod(minute, 60))
            for fold in (0, 1):
                wall = datetime.combine(first + timedelta(days=days), clock.replace(fold=fold), zone)
                yield wall.astimezone(UTC)


def _shifts(zone: ZoneInfo, at: datetime) -> Iterator[datetime]:
    """The moments at which the clocks are changed, to the minute: one that jumps may jump over a begin."""
    moment = at.astimezone(UTC).replace(second=0, microsecond=0)
    for _ in range(AHEAD.days * 24):
        later = moment + timedelta(hours=1)
        if _offset(zone, later) != _offset(zone, moment):
            yield next(
                one
                for one in (moment + timedelta(minutes=n) for n in range(1, 61))
                if _offset(zone, one) != _offset(zone, moment)
            )
        moment = later


def _offset(zone: ZoneInfo, at: datetime) -> timedelta | None:
    return at.astimezone(zone).utcoffset()


# --------------------------------------------------------------- open time


def _open_minutes(hours: Hours, day: int) -> tuple[tuple[int, int], ...]:
    """From which minute to which a weekday is open."""
    edges = sorted({0, *_edges(hours), DAY})
    return tuple((first, last) for first, last in pairwise(edges) if _is_open(hours, day, first))


def _stretches(hours: Hours, since: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Every stretch of open time from *since* on, one after the other, to the end of the calendar.

    Looks at one piece of a day at a time in which the clocks stay as they are: wall and UTC differ by one offset there.
    """
    zone, begin = ZoneInfo(hours.zone), since.astimezone(UTC)
    week = [_open_minutes(hours, day) for day in range(7)]
    try:
        while True:
            ahead = begin.astimezone(zone).utcoffset() or timedelta()
            wall = (begin + ahead).replace(tzinfo=None)
            midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
            end = _unchanged_until(zone, begin, begin + (midnight + timedelta(days=1) - wall))
            for first, last in week[midnight.weekday()]:
                start, stop = ((midnight + timedelta(minutes=n)).replace(tzinfo=UTC) - ahead for n in (first, last))
                if max(start, begin) < min(stop, end):
                    yield max(start, begin), min(stop, end)
            begin = end
    except OverflowError:
        return


def _unchanged_until(zone: ZoneInfo, begin: datetime, end: datetime) -> datetime:
    """The moment from *begin* to *end* at which the clocks are changed, to the second; *end* if they are not."""
    if _offset(zone, end) == _offset(zone, begin):
        return end
    start = begin.replace(microsecond=0)
    low, high = 0, int((end - start).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        is_same = _offset(zone, start + timedelta(seconds=middle)) == _offset(zone, begin)
        low, high = (middle, high) if is_same else (low, middle)
    return start + timedelta(seconds=high)
