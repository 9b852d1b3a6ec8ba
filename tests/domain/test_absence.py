"""The grammar of being away, in the person's own zone; and what the audit must say of a deputy's signature."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.absence import BEHIND, LONGEST, Leaving, leaving, told
from bot.domain.audit import Violation
from bot.domain.errors import NotUnderstood
from bot.domain.invariants import check
from bot.domain.standing import check_standing
from tests.domain.trace import START, Record, at, ended, entries, finished, opened, resumed, shown, started, voted

MON = datetime(2026, 8, 17, 12, 0, tzinfo=UTC)  # a Monday, 14:00 in Berlin
BERLIN = "Europe/Berlin"
SECONDS_BEHIND = BEHIND.total_seconds()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# ------------------------------------------------------------------ grammar


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("until Tue", "2026-08-17 22:00"),
        ("until tuesday", "2026-08-17 22:00"),
        ("until Sun", "2026-08-22 22:00"),
        ("until Mon", "2026-08-23 22:00"),  # today is never meant
        ("UNTIL  MONDAY.", "2026-08-23 22:00"),
        ("till Fri", "2026-08-20 22:00"),
        ("until tomorrow", "2026-08-17 22:00"),
        ("until 17:00", "2026-08-17 15:00"),
        ("until 14:00", "2026-08-18 12:00"),  # it is 14:00: tomorrow's
        ("until 9:05", "2026-08-18 07:05"),
        ("until 2026-08-20", "2026-08-19 22:00"),
        ("until 2026-08-20 17:30", "2026-08-20 15:30"),
        ("until 2026-08-20T17:30", "2026-08-20 15:30"),
        ("for 4 hours", "2026-08-17 16:00"),
        ("for 1 hour", "2026-08-17 13:00"),
        ("for an hour", "2026-08-17 13:00"),
        ("for 3 days", "2026-08-20 12:00"),
        ("for a week", "2026-08-24 12:00"),
        ("for 2 weeks", "2026-08-31 12:00"),
    ],
)
def test_a_time_is_read_in_the_persons_zone(text: str, until: str) -> None:
    assert leaving(text, now=MON, zone=BERLIN) == Leaving(until=utc(until))


@pytest.mark.parametrize(
    ("text", "now", "until"),
    [
        ("until 2026-03-29 02:30", "2026-03-28 12:00", "2026-03-29 01:30"),  # skipped: as much later
        ("until 2026-10-25 02:30", "2026-10-24 12:00", "2026-10-25 00:30"),  # twice: the first
        ("until Mon", "2026-03-28 12:00", "2026-03-29 22:00"),  # midnight of summer time
        ("for 2 days", "2026-03-28 12:00", "2026-03-30 11:00"),  # the same time of the day
        ("for 48 hours", "2026-03-28 12:00", "2026-03-30 12:00"),
        ("for 1 day", "2026-10-24 12:00", "2026-10-25 13:00"),
    ],
)
def test_a_day_is_a_day_where_the_clocks_change(text: str, now: str, until: str) -> None:
    assert leaving(text, now=utc(now), zone=BERLIN).until == utc(until)


def test_a_day_begins_at_the_first_moment_there_is_where_midnight_is_skipped() -> None:
    """In Beirut the clocks go from 00:00 to 01:00."""
    assert leaving("until Sun", now=utc("2026-03-28 12:00"), zone="Asia/Beirut").until == utc("2026-03-28 22:00")


@pytest.mark.parametrize(
    ("text", "deputy"),
    [
        ("until Tue, @bo decides", "bo"),
        ("until Tue @bo decides", "bo"),
        ("until Tue , @Bo DECIDES.", "Bo"),
        ("for 3 days, @Bo Lima decides", "Bo Lima"),
        ("until 17:00, @U0123ABCD decides", "U0123ABCD"),
        ("until 2026-08-20 17:30,@bo decides", "bo"),
    ],
)
def test_a_deputy_is_whoever_stands_behind_the_sign(text: str, deputy: str) -> None:
    assert leaving(text, now=MON, zone=BERLIN).deputy == deputy


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "for example: away until Mon, @bo decides"),
        ("Monday", "for example"),
        ("until Tue, bo decides", "as a time"),
        ("until Tue, @bo and @chris decides", "as a time"),
        ("until someday", "I cannot read “someday” as a time"),
        ("until 2026-02-30", "There is no 2026-02-30"),
        ("until 24:01", "There is no 24:01"),
        ("until 2026-08-17", "over already"),
        ("until 2026-08-17 14:00", "over already"),
        ("for 0 days", "over already"),
        ("for 91 days", "90 days at most"),
        ("until 2027-01-01", "90 days at most"),
        ("until 9999-12-31 23:59", "90 days at most"),
        ("for 9999 weeks", "90 days at most"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(text: str, says: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        leaving(text, now=MON, zone=BERLIN)
    assert says in refused.value.people_read


def test_ninety_days_are_the_most() -> None:
    assert leaving("for 90 days", now=MON, zone="UTC").until == MON + LONGEST


def test_a_moment_is_told_in_the_persons_zone() -> None:
    assert told(utc("2026-08-23 22:00"), BERLIN) == "Mon 24 Aug 2026, 00:00 (Europe/Berlin)"


# -------------------------------------------------------------- the audit


def away(minute: float, deputy: str | None, until: float, person: str = "bo") -> Record:
    fields = {"person": person, "deputy": deputy, "until_ms": START + int(until * 60_000), "delivery": f"{minute}"}
    return at(minute, "away_set", **fields)


def back(minute: float, person: str = "bo") -> Record:
    return at(minute, "away_ended", person=person, cause="person", delivery=f"b{minute}")


def signed(minute: float, *votes: Record, **opening: object) -> list[Record]:
    by = [vote["person"] for vote in votes]
    return [
        at(1, "run_started", run="r1", person="ana", place="slack/T1/C1/1.0", tenant="T1", agent="react"),
        opened(2, "q1", "d1", **opening),
        shown(2, "q1", "d1", 1),
        *votes,
        ended(minute, "q1", "d1", "approved", *by),
        shown(minute, "q1", "d1", 3, buttons=False),
        resumed(minute, "q1", "approved"),
        started(minute, "/1", "q1", "d1"),
        finished(minute, "/1", "q1"),
        at(99, "run_ended", run="r1", status="done"),
    ]


def for_bo(minute: float, person: str = "eve", **changes: object) -> Record:
    stands = [{"person": "bo", "seats": [0]}]
    return voted(minute, "q1", "d1", person, **{"seats": [], "stands_for": stands, **changes})


def judged(*trace: Record, others: tuple[Record, ...] = ()) -> list[Violation]:
    """One shard with *trace*, and the first one with *others*."""
    ordered = sorted(trace, key=lambda record: record["at"])
    found = entries(ordered, shard=1)
    return [*check(found, is_quiet=True), *check_standing([*found, *entries(others)])]


@pytest.mark.parametrize(
    "absence",
    [
        (away(5, "eve", 60),),
        (away(5, "cy", 60), away(6, "eve", 60)),
        (away(5, "eve", 10), back(9.9)),  # judged a moment before the end
        (away(5, "eve", 9.8),),
        (away(5, "eve", 60), away(9, "cy", 60, "di")),
    ],
)
def test_a_deputy_named_in_time_is_believed(absence: tuple[Record, ...]) -> None:
    assert judged(*signed(10, for_bo(10)), others=absence) == []


@pytest.mark.parametrize(
    "absence",
    [
        (),
        (away(11, "eve", 60),),  # named afterwards
        (away(5, "cy", 60),),  # somebody else
        (away(5, None, 60),),
        (away(5, "eve", 9),),  # the time was up
        (away(5, "eve", 60), back(9)),
        (away(5, "eve", 60), away(9, "cy", 60)),  # replaced
        (away(5, "eve", 60, "di"),),  # deputy of another
        (away(5, "eve", 60), away(5, "cy", 60, "eve")),  # the deputy was away, too
    ],
)
def test_a_deputy_nobody_had_named_then_is_found(absence: tuple[Record, ...]) -> None:
    """I5, D-30: whoever forges a signature in somebody's place has to forge more than one record."""
    found = judged(*signed(10, for_bo(10)), others=absence)

    assert [one.invariant for one in found] == ["I5"]
    assert found[0].shard == 1


def test_somebody_and_their_deputy_do_not_make_two() -> None:
    """I4: bo signs himself, and eve for bo; two of finance are needed."""
    two = [{"of": "finance", "need": 2}]
    votes = (for_bo(9), voted(10, "q1", "d1", "bo"))

    found = judged(*signed(10, *votes, groups=two), others=(away(5, "eve", 60),))

    assert [one.invariant for one in found] == ["I4"]
    assert judged(*signed(10, for_bo(9), voted(10, "q1", "d1", "cy"), groups=two), others=(away(5, "eve", 60),)) == []


def test_an_excluded_persons_right_is_not_lent() -> None:
    """I5: bo gave the task, so nobody signs it for bo."""
    found = judged(*signed(10, for_bo(10), separate=True, excluded=["bo"]), others=(away(5, "eve", 60),))

    assert [one.invariant for one in found] == ["I4"]


def test_the_allowance_for_an_old_look_is_bounded() -> None:
    """A vote may be written so much later than the look it was judged by, and no later."""
    late = (away(5, "eve", 10 - (SECONDS_BEHIND + 1) / 60),)
    assert [one.invariant for one in judged(*signed(10, for_bo(10)), others=late)] == ["I5"]
    assert timedelta(seconds=10) < BEHIND <= timedelta(minutes=1)
