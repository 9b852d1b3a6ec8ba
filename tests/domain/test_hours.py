"""Hours: by the clock on somebody's wall, also where the clocks change; the next moment is the first, and is one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.hours import Hours, Span, is_awake, is_ever_awake, is_zone, next_awake, on_their_clock, read_spans

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
