"""Putting off: until when, as people say it; never past a deadline, never for more than a week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import later, orders
from bot.domain.chat import PersonId
from bot.domain.errors import NotUnderstood
from bot.domain.later import CHOICES, DELIVERIES_MOST, LONGEST, PutOff, until_when
from bot.domain.orders import Order
from bot.domain.request import RequestId

BERLIN = "Europe/Berlin"
NOW = datetime(2026, 11, 18, 14, 0, tzinfo=UTC)  # a Wednesday, 15:00 in Berlin
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("2h", NOW + 2 * HOUR),
        ("30m", NOW + HOUR / 2),
        ("7D", NOW + 7 * 24 * HOUR),
        ("for 3 hours", NOW + 3 * HOUR),
        ("until Mon", datetime(2026, 11, 22, 23, 0, tzinfo=UTC)),  # Monday begins at midnight in Berlin
        ("until tomorrow", datetime(2026, 11, 18, 23, 0, tzinfo=UTC)),
        ("until 17:00.", NOW + 2 * HOUR),
    ],
)
def test_a_time_is_read_as_of_an_absence_or_short(text: str, until: datetime) -> None:
    """PN-12."""
    assert until_when(text, now=NOW, zone=BERLIN, deadline=None) == until


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("some day", "Please say until when: until Mon, or 2h."),
        ("0h", "0h is no time that comes; please write for example: until Mon, or 2h."),
        ("until 2026-11-01", "until 2026-11-01 is no time that comes; please write for example: until Mon, or 2h."),
        ("8d", "At most 7 days; please name an earlier time."),
        ("for 2 weeks", "At most 7 days; please name an earlier time."),
        ("until 2026-02-30", "There is no 2026-02-30; please name a day or time of the calendar."),
        ("4h", "Its deadline is 2026-11-18 18:00 UTC, and that does not wait; please name an earlier time."),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(text: str, told: str) -> None:
    """PN-12: what is put off comes back before its deadline."""
    with pytest.raises(NotUnderstood) as refused:
        until_when(text, now=NOW, zone=BERLIN, deadline=NOW + 4 * HOUR)

    assert refused.value.people_read == told


@given(st.integers(1, 20_000), st.none() | st.integers(-60, 20_000))
def test_nothing_is_ever_put_off_past_its_deadline_or_for_more_than_a_week(minutes: int, due: int | None) -> None:
    """PN-12."""
    deadline = None if due is None else NOW + timedelta(minutes=due)
    try:
        until = until_when(f"{minutes}m"[:5], now=NOW, zone=BERLIN, deadline=deadline)
    except NotUnderstood:
        return
    assert NOW < until <= NOW + LONGEST
    assert deadline is None or until < deadline


def test_a_menu_offers_what_its_commands_can_read_and_nothing_too_late() -> None:
    """PN-12: every line is an order as people type it."""
    keys = [key for key, _ in later.choices(now=NOW, zone=BERLIN, deadline=NOW + 2 * HOUR)]

    assert keys == ["1h"]
    assert [key for key, _ in later.choices(now=NOW, zone=BERLIN, deadline=None)] == list(CHOICES)
    for key, (_, when) in CHOICES.items():
        order = orders.read(f"@countersign {later.order('q-0-12ab', key)}")
        assert order == Order(word="later", rest=f"q-0-12ab {when}")
    assert later.order("q-0-12ab", "a year") is None


@pytest.mark.parametrize(
    "text", ["later", "later we pay", "later q-0-1a", "later q-0-1a some day", "now", "now pay", "now q-0-1a please"]
)
def test_a_task_that_begins_with_such_a_word_stays_one(text: str) -> None:
    assert orders.read(text) is None


def test_what_was_done_last_is_known_again_and_the_list_of_it_stays_short() -> None:
    """PN-12: a delivery that comes twice is one deed."""
    put_off = PutOff(person=PersonId("bo"), request=RequestId("q-0-1"))
    for number in range(DELIVERIES_MOST + 2):
        put_off = put_off.next(NOW + HOUR, f"d{number}")

    assert (len(put_off.deliveries), put_off.deliveries[-1]) == (DELIVERIES_MOST, f"d{DELIVERIES_MOST + 1}")
    assert put_off.holds(NOW) == NOW + HOUR
    assert put_off.holds(NOW + HOUR) is None
    assert put_off.next(None, "d").holds(NOW) is None
