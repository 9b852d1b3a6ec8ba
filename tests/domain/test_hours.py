"""Hours: by the clock on somebody's wall, also where the clocks change; the next moment is the first, and is one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.hours import (
    Hours,
    Span,
    is_awake,
    is_ever_awake,
    is_zone,
    next_awake,
    on_their_clock,
    open_a_week,
    open_after,
    open_between,
    read_spans,
    written,
)

BERLIN = "Europe/Berlin"
OFFICE = Hours(zone=BERLIN, work=read_spans("Mon-Fri 09:00-17:30"))
MINUTE = timedelta(minutes=1)
ZONES = ("UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")

minutes = st.integers(0, 1439)
spans = st.builds(
    lambda days, start, length: Span(days=tuple(sorted(days)), start=start, end=(start + length) % 1440 or 1440),
    st.sets(st.integers(0, 6), min_size=1),
    minutes,
    st.integers(1, 1439),
)
many = st.lists(spans, max_size=3).map(tuple)
hours_of_somebody = st.builds(Hours, zone=st.sampled_from(ZONES), work=many, quiet=many)
# around the days on which these zones change their clocks, and on ordinary ones; Apia left out a whole day in 2011
moments = st.one_of(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    st.datetimes(datetime(2026, 3, 28), datetime(2026, 4, 6)),
    st.datetimes(datetime(2026, 10, 24), datetime(2026, 11, 2)),
    st.datetimes(datetime(2011, 12, 28), datetime(2012, 1, 1)),
).map(lambda at: at.replace(tzinfo=UTC))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Mon-Fri 09:00-17:30", [((0, 1, 2, 3, 4), 540, 1050)]),
        ("mon 09:00-12:00, 13:00-17:00", [((0,), 540, 720), ((0,), 780, 1020)]),
        ("Sat-Mon 00:00-24:00", [((0, 5, 6), 0, 1440)]),
        ("22:00-07:00", [(tuple(range(7)), 1320, 420)]),
        ("Fri 22:00-02:00,Sun 10:00-11:00", [((4,), 1320, 120), ((6,), 600, 660)]),
    ],
)
def test_times_of_the_week_are_read(text: str, found: list[tuple[tuple[int, ...], int, int]]) -> None:
    assert [(span.days, span.start, span.end) for span in read_spans(text)] == found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'' is not a time of the week: write for example Mon-Fri 09:00-17:30"),
        ("9-17", "'9-17' is not a time of the week: write for example Mon-Fri 09:00-17:30"),
        ("Mon 09:00-12:00,", "'' is not a time of the week: write for example Mon-Fri 09:00-17:30"),
        ("Foo 09:00-17:00", "Foo to Foo are no days: write Mon, Tue, Wed, Thu, Fri, Sat, Sun, or Mon-Fri"),
        ("09:00-25:00", "25:00 is not a time of the day: write 00:00 to 24:00"),
        ("09:61-10:00", "09:61 is not a time of the day: write 00:00 to 24:00"),
        ("09:00-09:00", "'09:00-09:00' has no length: write 00:00-24:00 for a whole day"),
        ("24:00-09:00", "'24:00-09:00' has no length: write 00:00-24:00 for a whole day"),
    ],
)
def test_what_is_no_time_of_the_week_is_told_in_a_sentence(text: str, told: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  # the whole sentence is compared below
        read_spans(text)

    assert str(refused.value) == told


@pytest.mark.parametrize("name", ["", "Mars/Base", "../../etc/passwd", "/etc/passwd", "Europe", "\0", "europe/nowhere"])
def test_a_zone_is_one_that_is_known(name: str) -> None:
    assert is_zone(BERLIN)
    assert not is_zone(name)


# ----------------------------------------------------------------------- clocks


def test_somebody_without_hours_may_always_be_called() -> None:
    """Nor is anybody kept from being asked because nobody knows where they live."""
    at = utc("2026-03-01 03:00")

    for hours in (None, Hours(work=OFFICE.work), Hours(zone=BERLIN)):
        assert is_awake(hours, at)
        assert next_awake(hours, at) == at


@pytest.mark.parametrize(
    ("at", "until", "clock"),
    [
        ("2026-01-16 16:29", "2026-01-16 16:29", "Fri 17:29"),  # the last minute of the week
        ("2026-01-16 16:30", "2026-01-19 08:00", "Mon 09:00"),
        ("2026-03-27 18:00", "2026-03-30 07:00", "Mon 09:00"),  # summer time began on the Sunday: an hour sooner
        ("2026-10-23 18:00", "2026-10-26 08:00", "Mon 09:00"),  # and ended
        ("2026-01-20 03:00", "2026-01-20 08:00", "Tue 09:00"),
    ],
)
def test_the_next_moment_is_the_begin_of_a_working_day(at: str, until: str, clock: str) -> None:
    """A clock that is changed in between changes nothing for whoever looks at it."""
    found = next_awake(OFFICE, utc(at))

    assert found == utc(until)
    assert on_their_clock(OFFICE, found, now=utc(at)) == clock


def test_a_begin_that_the_clock_jumps_over_is_the_moment_of_the_jump() -> None:
    """Half past two does not exist on that Sunday: at one UTC the clock shows three."""
    hours = Hours(zone=BERLIN, work=read_spans("Sun 02:30-05:00"))

    assert next_awake(hours, utc("2026-03-28 12:00")) == utc("2026-03-29 01:00")


def test_an_hour_that_comes_twice_is_awake_twice() -> None:
    hours = Hours(zone=BERLIN, work=read_spans("Sun 02:15-02:45"))
    first, second = utc("2026-10-25 00:15"), utc("2026-10-25 01:15")

    assert next_awake(hours, utc("2026-10-24 12:00")) == first
    assert next_awake(hours, utc("2026-10-25 00:45")) == second
    assert next_awake(hours, utc("2026-10-25 01:45")) == utc("2026-11-01 01:15")


def test_the_only_time_of_a_week_may_fall_out() -> None:
    """It is found a week later, and its date is told."""
    hours = Hours(zone=BERLIN, work=read_spans("Sun 02:00-03:00"))
    at = utc("2026-03-22 02:00")

    found = next_awake(hours, at)

    assert found == utc("2026-04-05 00:00")
    assert on_their_clock(hours, found, now=at) == "Sun 2026-04-05 02:00"


def test_quiet_times_go_before_working_hours() -> None:
    hours = Hours(zone=BERLIN, work=read_spans("06:00-23:00"), quiet=read_spans("22:00-07:00"))

    assert next_awake(hours, utc("2026-01-20 21:30")) == utc("2026-01-21 06:00")
    never = Hours(zone=BERLIN, work=read_spans("23:00-24:00"), quiet=hours.quiet)
    assert not is_ever_awake(never)
    assert next_awake(never, utc("2026-01-20 21:30")) is None


@given(hours_of_somebody, moments)
def test_the_next_moment_is_one_and_none_before_it_is(hours: Hours, at: datetime) -> None:
    """Looked at minute by minute, on both sides of every change of the clocks."""
    found = next_awake(hours, at)

    assert found is None or is_awake(hours, found)
    probe, end = at, found or at + timedelta(days=15)
    if end - at > timedelta(days=2):  # the minutes far off are ordinary ones: look at the last before the end
        assert not is_awake(hours, at)
        probe = end - timedelta(days=1)
    while probe < end:
        assert not is_awake(hours, probe), probe
        probe = (probe + MINUTE).replace(second=0, microsecond=0)


@given(hours_of_somebody, moments)
def test_whoever_is_never_awake_is_known_beforehand(hours: Hours, at: datetime) -> None:
    """People.yml refuses such hours: nobody is put off for ever."""
    if is_ever_awake(hours) and hours.zone != "Pacific/Apia":
        assert next_awake(hours, at) is not None
    if not is_ever_awake(hours):
        assert next_awake(hours, at) is None


# ------------------------------------------------------------------- open time

WORKDAYS = Hours(zone=BERLIN, work=read_spans("Mon-Fri 09:00-17:00"))
pauses = st.builds(
    Hours, zone=st.sampled_from(ZONES), work=st.lists(spans, min_size=1, max_size=3).map(tuple), quiet=many
).filter(is_ever_awake)
parts = st.integers(1, 9_999)  # of ten weeks' open time: however little that is, some weeks of the calendar


def some(hours: Hours, part: int) -> timedelta:
    return max(10 * open_a_week(hours) * part // 10_000, timedelta(milliseconds=1))


@pytest.mark.parametrize(
    ("since", "span", "found"),
    [
        ("2026-11-20 15:00", timedelta(hours=1), "2026-11-20 16:00"),  # Friday 16:00 in Berlin: the day's last hour
        ("2026-11-20 15:00", timedelta(hours=2), "2026-11-23 09:00"),  # the second one is Monday's first
        ("2026-11-21 12:00", timedelta(hours=8), "2026-11-23 16:00"),  # asked on a Saturday
        ("2026-11-20 15:00:30.5", timedelta(hours=1), "2026-11-23 08:00:30.5"),
        ("2026-03-27 15:00", timedelta(hours=2), "2026-03-30 08:00"),  # the clocks go forward in between
        ("2026-10-23 14:00", timedelta(hours=2), "2026-10-26 09:00"),  # and back
        ("2026-01-05 08:00", timedelta(hours=40 * 52), "2027-01-01 16:00"),  # 52 weeks of forty hours
    ],
)
def test_only_open_time_goes_by(since: str, span: timedelta, found: str) -> None:
    """PN-04."""
    assert open_after(WORKDAYS, utc(since), span) == utc(found)


def test_an_hour_that_the_clocks_repeat_goes_by_twice_and_one_they_skip_never() -> None:
    """PN-04: by the wall in Berlin 02:00 to 03:00 comes twice on 25 October, and not at all on 29 March."""
    early = Hours(zone=BERLIN, work=read_spans("Sun 02:00-03:00"))

    assert open_between(early, utc("2026-10-24 12:00"), utc("2026-10-25 12:00")) == timedelta(hours=2)
    assert open_between(early, utc("2026-03-28 12:00"), utc("2026-03-29 12:00")) == timedelta()
    assert open_after(early, utc("2026-03-28 12:00"), timedelta(hours=1)) == utc("2026-04-05 01:00")


def test_a_clock_that_never_runs_or_never_pauses_is_no_clock() -> None:
    """PN-04: what nobody can have written must not keep a request open for ever."""
    never = Hours(zone=BERLIN, work=read_spans("Mon 09:00-10:00"), quiet=read_spans("00:00-24:00"))
    since, hour = utc("2026-11-21 12:00"), timedelta(hours=1)

    for hours in (None, Hours(), never):
        assert open_after(hours, since, hour) == since + hour
        assert open_between(hours, since, since + hour) == hour


def test_the_end_of_the_calendar_ends_the_looking() -> None:
    """PN-04."""
    rare = Hours(zone=BERLIN, work=read_spans("Mon 09:00-09:01"))

    assert open_after(rare, datetime(9999, 12, 1, tzinfo=UTC), timedelta(days=1)).year == 9999


@given(pauses, moments, parts)
def test_so_much_open_time_has_gone_by_and_not_before(hours: Hours, since: datetime, part: int) -> None:
    """PN-04: what lies between is open time of just this length, and the last minute of it was open."""
    span = some(hours, part)
    at = open_after(hours, since, span)

    assert open_between(hours, since, at) == span
    assert open_between(hours, since, at - timedelta(microseconds=1)) < span
    assert is_awake(hours, at - timedelta(microseconds=1))
    assert at >= since + span


@given(pauses, moments, parts, parts)
def test_more_time_ends_later_and_parts_make_the_whole(hours: Hours, since: datetime, part: int, more: int) -> None:
    """PN-04."""
    one, other = some(hours, part), some(hours, more)
    first = open_after(hours, since, one)

    assert first < open_after(hours, since, one + other)
    assert open_after(hours, first, other) == open_after(hours, since, one + other)
    assert first <= open_after(hours, since + other, one)


@given(pauses, moments, st.integers(1, 48 * 60))
@settings(max_examples=50)
def test_open_time_is_what_every_single_minute_says(hours: Hours, since: datetime, count: int) -> None:
    """PN-04: counted the slow way, minute by minute of the clock on the wall."""
    since = since.replace(second=0, microsecond=0)
    open_minutes = sum(is_awake(hours, since + n * MINUTE) for n in range(count))

    assert open_between(hours, since, since + count * MINUTE) == open_minutes * MINUTE


@given(pauses)
def test_a_week_has_as_much_open_time_as_its_seven_days(hours: Hours) -> None:
    """PN-04: in a zone that never changes its clocks."""
    still = Hours(zone="Etc/UTC", work=hours.work, quiet=hours.quiet)

    assert open_between(still, utc("2026-11-18 11:11"), utc("2026-11-25 11:11")) == open_a_week(hours)


@given(st.lists(spans, min_size=1, max_size=3).map(tuple))
def test_times_are_written_as_they_are_read(work: tuple[Span, ...]) -> None:
    """PN-04: what the card and the audit say is the same as what the policy said."""
    read = read_spans(written(work))

    for day in range(7):
        for minute in range(0, 1440, 7):
            is_open = any(span.holds(day, minute) for span in work)
            assert any(span.holds(day, minute) for span in read) == is_open


@pytest.mark.parametrize(
    "text", ["Mon-Fri 09:00-17:00", "Fri-Mon 22:00-02:00", "Mon-Sun 00:00-24:00", "Mon 09:00-10:00, Wed 09:00-10:00"]
)
def test_what_is_written_reads_as_people_write_it(text: str) -> None:
    assert written(read_spans(text)) == text
