"""What an audit may not show between a takeover and its end."""

from __future__ import annotations

import pytest

from bot.domain.by_hand import begun_by_hand
from bot.domain.history import Log
from bot.domain.letters import GaveBack, Said, Took, taken_by
from bot.domain.run import Heard
from tests.domain.given import ANA, BO, CY
from tests.domain.trace import Record, at, entries, finished, opened, started

TAKEN = at(1, "run_taken", run="r1", person="bo", delivery="d1")
RETURNED = at(9, "run_returned", run="r1", person="bo", delivery="d2")
OTHER = at(2, "reply_heard", run="r1", person="ana", delivery="d3")


@pytest.mark.parametrize(
    "record",
    [
        opened(2, "q1", "d1"),
        opened(2, "q1", "d1", kind="question"),
        started(2, "/1", "q1", "d1"),
        started(2, "/1", None, "d1", idempotent=True),
    ],
    ids=["a signature", "a question", "a signed call", "a call let through"],
)
def test_nothing_begins_while_somebody_works_by_hand(record: Record) -> None:
    """AS-37: before and after it is fine, in between it is a breach; whoever has it is named."""
    assert _found(record, TAKEN, RETURNED) == []
    assert _found(TAKEN, RETURNED, record) == []
    assert _found(TAKEN, record, OTHER, RETURNED) == ["this began while bo worked on the run by hand"]
    assert len(_found(TAKEN, RETURNED, TAKEN, record)) == 1


@pytest.mark.parametrize(
    "trace",
    [
        (started(0, "/1", "q1", "d1"), TAKEN, finished(2, "/1", "q1")),
        (started(0, "/1", "q1", "d1", idempotent=True), TAKEN, started(2, "/1", "q1", "d1", epoch=2, idempotent=True)),
        (TAKEN, started(2, "/1", None, "d1"), finished(2, "/1", None)),
        (TAKEN, opened(2, "q2", "d1", kind="recovery")),
        (TAKEN, opened(2, "q2", "d1", kind="aftermath")),
        (TAKEN, opened(2, "q2", "d2", replaces="q1")),
        (TAKEN, {**opened(2, "q2", "d2"), "run": "r2"}),
    ],
    ids=["an end", "an idempotent rerun", "a look", "a call in doubt", "a review", "an edit in flight", "another run"],
)
def test_what_was_under_way_may_end(trace: tuple[Record, ...]) -> None:
    assert _found(*trace) == []


def test_what_was_asked_for_before_a_takeover_begins_nothing_after_it() -> None:
    """AS-37, T16: signed or edited; what is asked for afterwards may begin, and what is in doubt may end."""
    asked, begun = opened(0, "q1", "d1"), started(12, "/1", "q1", "d1")
    told = "this began on what was asked for before bo took the run over"

    assert _found(asked, TAKEN, RETURNED, begun) == [told]
    edited = (opened(10, "q2", "d2", replaces="q1"), started(12, "/1", "q2", "d2"))
    assert _found(asked, TAKEN, RETURNED, *edited) == [told]
    assert _found(asked, begun, TAKEN, RETURNED) == []
    assert _found(TAKEN, RETURNED, opened(10, "q1", "d1"), begun) == []
    assert _found(opened(0, "q1", "d1", kind="recovery"), TAKEN, RETURNED, begun) == []
    again = started(13, "/1", "q1", "d1", epoch=2, idempotent=True)
    assert _found(asked, started(0, "/1", "q1", "d1", idempotent=True), TAKEN, RETURNED, again) == []


def test_who_has_a_run_is_read_from_its_letters() -> None:
    """The first who took it, until it is handed back; what is said in between changes nothing."""
    said, took, other = Said(heard=Heard(by=ANA, text="hm")), Took(by=BO), Took(by=CY)
    back = GaveBack(by=ANA)
    assert taken_by(()) is None
    assert taken_by((said, took, said, other)) == BO
    assert taken_by((took, back)) is None
    assert taken_by((took, back, other)) == CY


def _found(*trace: Record) -> list[str]:
    return [told for _, told in begun_by_hand(Log(entries(trace), is_quiet=False, canaries=()))]
