"""The audit's checker on grants: a true day passes, and every promise broken in one place is found there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.domain.audit import Violation
from bot.domain.invariants import check
from tests.domain.trace import (
    MIN,
    START,
    Record,
    at,
    ended,
    entries,
    finished,
    opened,
    resumed,
    shown,
    started,
    voted,
)

Spoil = Callable[[list[Record]], None]
THREAD = "slack/T1/C1/1.0"
BOUNDS = {"most": 3, "within_ms": 60 * MIN, "same": ["order_id"]}
GIVEN: Record = {
    "grant": "g-0-1",
    "request": "q1",
    "run": "r1",
    "person": "bo",
    "requester": "ana",
    "agent": "react",
    "tool": "refund",
    "rule": "big-refund",
    "thread": THREAD,
    "only": None,
    "names": ["order_id"],
    "same": "s1",
    "most": 2,
    "until_ms": START + 33 * MIN,
}


def used(minute: float, path: str, digest: str, number: int, run: str = "r1") -> list[Record]:
    """One call on the grant, from its use to its end; `used` is what the record says of itself: nobody trusts it."""
    leave = {"run": run, "path": path, "tool": "refund", "digest": digest}
    return [
        at(minute, "grant_used", grant="g-0-1", same="s1", used=number, person="bo", agent="react", **leave),
        at(minute, "call_allowed", rule="grant:g-0-1", **leave),
        started(minute, path, None, digest, run=run),
        finished(minute, path, None) | {"run": run},
    ]


def a_day_with_a_grant() -> list[Record]:
    """bo approves q1 and gives two more; they are used in the run and in the thread's next one; then it is revoked."""
    return [
        at(0, "run_started", run="r1", person="ana", place=THREAD, tenant="T1", agent="react"),
        opened(1, "q1", "d1", grantable=BOUNDS, agent="react", separate=True, excluded=["ana"]),
        shown(1, "q1", "d1", 1),
        at(2, "grant_offered", request="q1", person="bo", tool="refund", offer="abcdefgh"),
        shown(2, "q1", "d1", 2),
        voted(3, "q1", "d1", "bo"),
        ended(3, "q1", "d1", "approved", "bo"),
        at(3, "grant_given", **GIVEN),
        shown(3, "q1", "d1", 3, buttons=False),
        resumed(3, "q1", "approved"),
        started(4, "/1", "q1", "d1"),
        finished(4, "/1", "q1"),
        *used(5, "/2", "d2", 1),
        at(6, "run_ended", run="r1", status="done"),
        at(7, "run_started", run="r2", person="ana", place=THREAD, tenant="T1", agent="react"),
        *used(8, "/1", "d3", 2, run="r2"),
        at(9, "grant_revoked", grant="g-0-1", person="ana", tool="refund", delivery="x1"),
        at(10, "run_ended", run="r2", status="done"),
    ]


def change(changes: Record, e: str, **fields: Any) -> Spoil:
    def spoil(trace: list[Record]) -> None:
        next(one for one in trace if one["e"] == e and all(one[k] == v for k, v in fields.items())).update(changes)

    return spoil


def drop(e: str, **fields: Any) -> Spoil:
    def spoil(trace: list[Record]) -> None:
        trace.remove(next(one for one in trace if one["e"] == e and all(one[k] == v for k, v in fields.items())))

    return spoil


def add(*records: Record) -> Spoil:
    return lambda trace: trace.extend(records)


def without_bounds(trace: list[Record]) -> None:
    del next(one for one in trace if one["e"] == "request_opened")["grantable"]


BROKEN: list[tuple[str, Spoil]] = [
    ("a leave without a use", drop("grant_used", path="/2")),
    ("a leave on another grant than was used", change({"rule": "grant:g-0-9"}, "call_allowed", path="/2")),
    ("a use for other bytes", change({"digest": "evil"}, "grant_used", path="/2")),
    ("a use that let nothing through", drop("call_allowed", path="/2")),
    ("never given", drop("grant_given")),
    ("given only afterwards", change({"at": int(5.5 * MIN)}, "grant_given")),
    ("for another tool", change({"tool": "delete_db"}, "grant_given")),
    ("for other arguments", change({"same": "s2"}, "grant_used", path="/2")),
    ("used more often than allowed", change({"most": 1}, "grant_given")),
    ("used once more by putting the counter back", add(*used(8.5, "/3", "d4", 2, run="r2"))),
    ("used at its end", change({"until_ms": START + 5 * MIN}, "grant_given")),
    ("used after it was revoked", change({"at": 7 * MIN}, "grant_revoked")),
    ("used outside of its run", change({"only": "r1"}, "grant_given")),
    ("used for somebody else", change({"person": "eve"}, "run_started", run="r2")),
    ("used in another thread", change({"place": "slack/T1/C1/9.9"}, "run_started", run="r2")),
    ("used by a helper of its agent", change({"agent": "clerk"}, "grant_used", path="/2")),
    ("given to another agent than asked", change({"agent": "clerk"}, "request_opened")),
    ("used although its giver steers", add(at(7.5, "reply_heard", run="r2", person="bo", delivery="y"))),
    ("given by somebody who did not approve", change({"person": "cy"}, "grant_given")),
    ("given before the decision", change({"at": 2 * MIN}, "grant_given")),
    ("given with a rejection", change({"status": "rejected"}, "request_decided")),
    ("given twice", add(at(4.5, "grant_given", **GIVEN))),
    ("more calls than the rule allows", change({"grantable": BOUNDS | {"most": 1}}, "request_opened")),
    ("longer than the rule allows", change({"until_ms": START + 64 * MIN}, "grant_given")),
    ("an argument left open", change({"names": []}, "grant_given")),
    ("a rule that lets nobody give", without_bounds),
    ("high risk", change({"high": True}, "request_opened")),
    ("two signatures were needed", change({"groups": [{"of": "finance", "need": 2}]}, "request_opened")),
    ("of another rule", change({"rule": "other"}, "grant_given")),
]


def judged(trace: list[Record]) -> list[Violation]:
    return check(entries(sorted(trace, key=lambda one: one["at"])), is_quiet=True)


def test_a_day_with_a_grant_breaks_no_promise() -> None:
    """I1, T07: given with an approval, used twice in two runs of the thread, revoked."""
    assert judged(a_day_with_a_grant()) == []


@pytest.mark.parametrize("length", range(len(a_day_with_a_grant())))
def test_nor_does_any_beginning_of_it(length: int) -> None:
    assert check(entries(a_day_with_a_grant()[:length])) == []


@pytest.mark.parametrize("spoil", [pytest.param(spoil, id=what) for what, spoil in BROKEN])
def test_a_grant_that_is_stretched_in_one_place_is_found(spoil: Spoil) -> None:
    """I1: whatever was changed, the promise that nothing runs without leave is among those named."""
    trace = a_day_with_a_grant()
    spoil(trace)

    assert "I1" in {one.invariant for one in judged(trace)}


def test_a_day_from_before_grants_were_of_an_agent_breaks_no_promise() -> None:
    """I1: what was written then names none; nor does a card of then on which a grant is given now."""
    trace = a_day_with_a_grant()
    for one in trace:
        if one["e"] in ("request_opened", "grant_given", "grant_used"):
            del one["agent"]
    assert judged(trace) == []

    trace = a_day_with_a_grant()
    del next(one for one in trace if one["e"] == "request_opened")["agent"]
    assert judged(trace) == []


def test_an_idempotent_call_may_start_again_after_its_grant_has_ended() -> None:
    """I2: the use was counted when it began; the second start has its key, a higher epoch, and takes no second use."""
    trace = a_day_with_a_grant()
    start = next(one for one in trace if one["e"] == "tool_started" and one["path"] == "/2")
    start["idempotent"] = True
    end = next(one for one in trace if one["e"] == "tool_finished" and one["path"] == "/2")
    trace.remove(end)
    trace.remove(next(one for one in trace if one["e"] == "run_ended" and one["run"] == "r1"))
    trace += [started(70, "/2", None, "d2", epoch=2, idempotent=True), end | {"at": 71 * MIN}]
    trace.append(at(72, "run_ended", run="r1", status="done"))

    assert judged(trace) == []
