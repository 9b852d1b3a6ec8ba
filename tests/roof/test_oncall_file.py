"""The schedule: who is on call at a moment, as any calendar would say; and what is wrong with a file, all at once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from bot.domain.chat import Person, PersonId
from bot.domain.errors import BadPolicy, Unsatisfiable
from bot.oncallfile import LARGEST, LOOK_EVERY, OnCallFile
from tests.roof.calendars import calendar, event

PEOPLE = [Person(id=PersonId(who), name=who, email=f"{who}@example.org") for who in ("ana", "bo", "chris")]
IN_BERLIN = ";TZID=Europe/Berlin:"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(*events: str, zone: str = "", name: str = "oncall.ics") -> Path:
        file = tmp_path / name
        file.write_text(calendar(*events, zone=zone))
        return file

    return write


def at(file: Path, text: str) -> OnCallFile:
    return OnCallFile(file, PEOPLE, clock=lambda: datetime.fromisoformat(text).replace(tzinfo=UTC))


async def on_call(file: Path, text: str, rotation: str = "support") -> set[str]:
    return set(await at(file, text).on_call(rotation))


def problems(file: Path) -> list[str]:
    with pytest.raises(BadPolicy) as refused:
        at(file, "2026-03-01 12:00")
    return refused.value.problems


# ------------------------------------------------------------------ who it is


async def test_a_weekly_rotation_turns_at_nine_on_everybodys_wall(write: Write) -> None:
    """Ana and Bo by turns, from Monday nine o'clock in Berlin, also when summer time began in between."""
    weekly, bo = "RRULE:FREQ=WEEKLY;INTERVAL=2", "ATTENDEE:MAILTO:Bo@Example.org"
    file = write(
        event("support: ana", f"{IN_BERLIN}20260302T090000", f"{IN_BERLIN}20260309T090000", weekly),
        event("Support", f"{IN_BERLIN}20260309T090000", f"{IN_BERLIN}20260316T090000", weekly, bo),
    )

    assert await on_call(file, "2026-03-02 07:59") == set()
    assert await on_call(file, "2026-03-02 08:00") == {"ana"}
    assert await on_call(file, "2026-03-09 07:59:59") == {"ana"}
    assert await on_call(file, "2026-03-09 08:00") == {"bo"}
    assert await on_call(file, "2026-03-30 06:59") == {"bo"}
    assert await on_call(file, "2026-03-30 07:00", "SUPPORT") == {"ana"}


async def test_exceptions_count(write: Write) -> None:
    """One week is left out, one was swapped, one was cancelled: as in the calendar somebody edited."""
    start, end = f"{IN_BERLIN}20260302T090000", f"{IN_BERLIN}20260309T090000"
    file = write(
        event("support: ana", start, end, "RRULE:FREQ=WEEKLY", f"EXDATE{IN_BERLIN}20260309T090000", uid="one"),
        event(
            *("support: chris", f"{IN_BERLIN}20260316T090000", f"{IN_BERLIN}20260318T090000"),
            *(f"RECURRENCE-ID{IN_BERLIN}20260316T090000",),
            uid="one",
        ),
        event(
            *("support: ana", f"{IN_BERLIN}20260323T090000", f"{IN_BERLIN}20260330T090000"),
            *(f"RECURRENCE-ID{IN_BERLIN}20260323T090000", "STATUS:CANCELLED"),
            uid="one",
        ),
    )

    found = [await on_call(file, f"2026-{day} 12:00") for day in ("03-05", "03-12", "03-17", "03-20", "03-25", "04-01")]

    assert found == [{"ana"}, set(), {"chris"}, set(), set(), {"ana"}]


async def test_a_day_without_a_time_is_meant_in_the_calendars_zone(write: Write) -> None:
    """Midnight in Auckland is eleven the day before in UTC; without a zone of its own the calendar means UTC."""
    day = event("support: ana", ";VALUE=DATE:20260302", "")
    floating = event("support: ana", "20260302T000000", "20260303T000000")

    for one in (day, floating):
        there, here = write(one, zone="Pacific/Auckland", name="there.ics"), write(one)
        assert await on_call(there, "2026-03-01 10:59") == set()
        assert await on_call(there, "2026-03-01 11:00") == {"ana"}
        assert await on_call(there, "2026-03-02 10:59") == {"ana"}
        assert await on_call(there, "2026-03-02 11:00") == set()
        assert await on_call(here, "2026-03-01 23:59") == set()
        assert await on_call(here, "2026-03-02 23:59") == {"ana"}


async def test_categories_name_several_rotations_and_whoever_declined_is_not_there(write: Write) -> None:
    file = write(
        event(
            *("Who answers the phone", "20260302T090000Z", "20260302T170000Z", "CATEGORIES:support,billing"),
            "ATTENDEE;PARTSTAT=DECLINED:mailto:ana@example.org",
            "ATTENDEE;CN=Bo:mailto:bo@example.org",
            "ATTENDEE;CUTYPE=ROOM:mailto:room4@example.org",
        ),
        event("billing: @chris, ana", "20260302T120000Z", "20260302T130000Z"),
    )

    assert await on_call(file, "2026-03-02 10:00") == {"bo"}
    assert await on_call(file, "2026-03-02 12:00", "billing") == {"ana", "bo", "chris"}


async def test_a_rotation_that_nobody_knows_is_told_with_those_there_are(write: Write) -> None:
    file = write(event("support: ana", "20260302T090000Z", "20260302T170000Z"))

    with pytest.raises(Unsatisfiable) as refused:
        await on_call(file, "2026-03-02 10:00", "sales")

    assert refused.value.why == "oncall(sales): oncall.ics has no such rotation; it has support"


# --------------------------------------------------------------- what is wrong


def test_every_mistake_is_told_at_once_with_its_event_and_a_remedy(write: Write) -> None:
    good = ("20260302T090000Z", "20260302T170000Z")
    file = write(
        event("support: ana", "", "", uid="1"),
        event("Team lunch", ";TZID=Mars/Base:20260302T120000", "20260302T130000Z", uid="2"),
        event("support: zoe", good[0], good[0], uid="3"),
        event("support", *good, "RRULE:FREQ=SECONDLY", "ATTENDEE:mailto:x@example.org", uid="4"),
        event("support: ana", *good, "RRULE:FREQ=FORTNIGHTLY", uid="5"),
        event("anything at all", *good, "STATUS:CANCELLED", uid="6"),
    )

    assert problems(file) == [
        "oncall.ics: event 'support: ana' (1): it has no DTSTART; say when it begins",
        "oncall.ics: event 'Team lunch' (2): the time zone 'Mars/Base' of DTSTART is not known; write one such as "
        "Europe/Berlin",
        "oncall.ics: event 'Team lunch' (2): 'Team lunch' cannot be a rotation; write CATEGORIES:support",
        "oncall.ics: event 'Team lunch' (2): it names nobody; write SUMMARY:support: ana, or add an ATTENDEE with an "
        "e-mail address",
        "oncall.ics: event 'support: zoe' (3): it has no length; give it a DTEND later than its DTSTART",
        "oncall.ics: event 'support: zoe' (3): 'zoe' is nobody in people.yml; write a person's id behind the colon",
        "oncall.ics: event 'support' (4): it recurs more often than hourly; write one long event",
        "oncall.ics: event 'support' (4): x@example.org is nobody's address in people.yml; write it there as email, or "
        "take it out here",
        "oncall.ics: event 'support: ana' (5): RRULE cannot be read (Expected frequency, got: FORTNIGHTLY); write it "
        "as RFC 5545 says",
    ]


def test_who_was_on_call_long_ago_may_be_gone_since(write: Write) -> None:
    file = write(event("support: zoe", "20250302T090000Z", "20250302T170000Z"))
    assert at(file, "2026-03-01 12:00")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is not one iCalendar file"),
        (b"people:\n  ana: {}\n", "is not one iCalendar file"),
        (b"\xff\xfe\x00", "is not one iCalendar file"),
        (b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n" * 2, "is not one iCalendar file"),
        (b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", "begins with VEVENT"),
        (calendar(zone="Mars/Base").encode(), "its zone 'Mars/Base' is not known"),
        (b"x" * (LARGEST + 1), f"the file has {LARGEST + 1} bytes; at most {LARGEST} are read"),
    ],
)
def test_what_is_no_calendar_is_told_in_a_sentence(tmp_path: Path, data: bytes, told: str) -> None:
    file = tmp_path / "oncall.ics"
    file.write_bytes(data)

    (problem,) = problems(file)

    assert problem.startswith(f"oncall.ics: {told}")


def test_a_file_that_is_not_there_is_told_with_its_setting(tmp_path: Path) -> None:
    assert problems(tmp_path / "oncall.ics") == [
        "oncall.ics: cannot be read: No such file or directory; correct COUNTERSIGN_ONCALL"
    ]


# --------------------------------------------------------------------- changes


async def test_a_changed_file_is_read_again_and_a_broken_one_is_not_believed(write: Write) -> None:
    """Looked at once a minute at most; what is wrong is logged once, and the last good version stays."""
    now, ticks = datetime(2026, 3, 2, 12, tzinfo=UTC), [0.0]
    shift = ("20260302T000000Z", "20260303T000000Z")
    file = write(event("support: ana", *shift))
    duty = OnCallFile(file, PEOPLE, clock=lambda: now, ticks=lambda: ticks[0])

    async def after_change(*events: str, seconds: float = LOOK_EVERY) -> set[str]:
        write(*events)
        os.utime(file, ns=(0, int(ticks[0] + 1) * 10**9))
        ticks[0] += seconds
        return set(await duty.on_call("support"))

    with structlog.testing.capture_logs() as logs:
        assert await after_change(event("support: bo", *shift), seconds=LOOK_EVERY - 1) == {"ana"}
        ticks[0] += 1
        assert set(await duty.on_call("support")) == {"bo"}
        assert await after_change(event("support: nobody-we-know", *shift)) == {"bo"}
        ticks[0] += LOOK_EVERY
        assert set(await duty.on_call("support")) == {"bo"}
        file.unlink()
        ticks[0] += LOOK_EVERY
        assert set(await duty.on_call("support")) == {"bo"}
        assert await after_change(event("support: chris", *shift)) == {"chris"}

    assert [one["event"] for one in logs] == ["oncall_read", "oncall_unreadable", "oncall_unreadable", "oncall_read"]
    assert "'nobody-we-know' is nobody in people.yml" in logs[1]["problems"][0]


async def test_many_who_ask_at_once_are_answered_alike(write: Write) -> None:
    file = at(write(event("support: ana", "20260302T000000Z", "20260303T000000Z")), "2026-03-02 12:00")

    found = await asyncio.gather(*(file.on_call("support") for _ in range(20)))

    assert set(found) == {frozenset({"ana"})}


def test_no_calendar_is_loaded_where_none_is_set() -> None:
    """Start-up stays light: to import it takes 80 ms."""
    heavy = "('icalendar', 'recurring_ical_events', 'dateutil')"
    told = f"import sys, bot.rules; sys.exit(any(name in sys.modules for name in {heavy}))"

    assert subprocess.run([sys.executable, "-c", told], check=False).returncode == 0
