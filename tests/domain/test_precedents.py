"""What people decided about calls like one that waits, from the audit: which count, and how they are told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain import events
from bot.domain.audit import Entry
from bot.domain.chat import Place
from bot.domain.precedents import SPAN, Precedent, counted, lines, precedents
from bot.domain.request import Kind, Request, RequestId, Status
from bot.domain.wire import loads, replace
from tests.domain.given import BO, NAMES, NOW, PLACE, call, decided, request, spec

SINCE = NOW - SPAN
OLD = RequestId("q-0-old")
THEN = decided(Status.REJECTED, id=OLD)


def entry(body: bytes, seq: int, *, age: timedelta = timedelta(hours=1)) -> Entry:
    fields = loads(body)
    rest = {name: value for name, value in fields.items() if name != "e"}
    return Entry(shard=0, seq=seq, at=NOW - age, link="", event=fields["e"], body=body.decode(), fields=rest)


def told_of(then: Request, *, age: timedelta = timedelta(hours=1)) -> list[Entry]:
    return [entry(events.request_opened(then), 1, age=age), entry(events.request_decided(then), 2, age=age)]


def test_a_rejection_of_the_same_tool_under_the_same_rule_counts() -> None:
    """PN-13."""
    [found] = precedents(request(), told_of(THEN), SINCE)

    assert (found.request, found.status, found.is_edited) == (OLD, Status.REJECTED, False)


@pytest.mark.parametrize(
    "other",
    [
        {"id": request().id},
        {"call": call(tool="look_up_order")},
        {"ask": replace(request().ask, rule="another")},
        {"kind": Kind.RECOVERY},
        {"place": replace(PLACE, tenant="T2")},
    ],
    ids=["itself", "tool", "rule", "kind", "workspace"],
)
def test_what_is_another_question_or_another_workspaces_does_not_count(other: dict[str, object]) -> None:
    """PN-13, I14: a decision about something else is no precedent."""
    assert precedents(request(), told_of(replace(THEN, **other)), SINCE) == ()


@pytest.mark.parametrize("status", [Status.SUPERSEDED, Status.CANCELLED, Status.ANSWERED])
def test_what_nobody_decided_does_not_count(status: Status) -> None:
    """A withdrawal is no opinion; and what somebody changed counts as what became of it."""
    assert THEN.decision is not None
    ended = replace(THEN, status=status, decision=replace(THEN.decision, status=status))

    assert precedents(request(), told_of(ended), SINCE) == ()


def test_what_is_older_or_broken_does_not_count() -> None:
    """PN-13: what was asked before the look began may lack its end; a record without its fields tells nothing."""
    lacking = [replace(one, fields={}) for one in told_of(THEN)]

    assert precedents(request(), told_of(THEN, age=SPAN + timedelta(hours=1)), SINCE) == ()
    assert precedents(request(), lacking, SINCE) == ()


def test_the_count_says_how_far_it_looked() -> None:
    """PN-13: bounded reading is never called complete."""
    one = Precedent(request=OLD, at=NOW, status=Status.APPROVED, by=(BO,))
    two = replace(one, status=Status.EXPIRED, by=())

    assert counted([one, one, two], SINCE, NOW) == "3 like this in 30 days: 2 approved, 1 expired."
    assert counted([one], NOW - timedelta(hours=1), NOW).startswith("1 like this since 20")
    assert ", as far back as was looked: 1 approved." in counted([one], NOW - timedelta(hours=1), NOW)
    assert counted([], SINCE, NOW) == "None like this in 30 days."


ELSEWHERE = Place(platform="slack", tenant="T1", channel="D9", is_direct=True)


@pytest.mark.parametrize(
    ("then", "told"),
    [
        (THEN, "the same arguments"),
        (None, "its arguments are not known any more"),
        (replace(THEN, call=call({"order_id": "7", "amount": 90})), "with amount=90"),
        (replace(THEN, call=call({"amount": 150})), "without order_id"),
        (replace(THEN, call=call({"order_id": "7", "amount": 9}), place=ELSEWHERE), "asked in a direct message"),
        (replace(THEN, call=replace(THEN.call, version="0")), "another version of the tool"),
    ],
)
def test_a_line_says_what_was_other_than_now_or_why_it_does_not(then: Request | None, told: str) -> None:
    """PN-13, T20: a tool that changed may have had other secrets; what was asked in private stays there."""
    one = Precedent(request=OLD, at=NOW, status=Status.REJECTED, by=(BO,))

    [line] = lines(request(), {one: then}, spec(), NAMES)

    assert f"UTC: rejected by Bo; {told}" in line


def test_without_the_tool_no_argument_is_shown() -> None:
    """T20: nobody knows any more which of them are secret."""
    one = Precedent(request=OLD, at=NOW, status=Status.REJECTED)

    [line] = lines(request(), {one: replace(THEN, call=call({"order_id": "SECRET"}))}, None, NAMES)

    assert "SECRET" not in line
