"""A run's whole audit, true in every promise, to be spoiled in one place at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.domain.audit import GENESIS, Entry, link, parse_line
from bot.domain.wire import dumps

Record = dict[str, Any]  # an event with "e" and "at" (ms), not yet numbered

MIN = 60_000
START = 1_777_636_800_000
MAIN = "slack/T1/C1/10.0"
DM = "slack/T1/D9/11.0"


def entries(trace: Sequence[Mapping[str, Any]], *, shard: int = 0) -> list[Entry]:
    """The records as the store would have written them."""
    found, previous = [], GENESIS
    for seq, record in enumerate(trace, start=1):
        body = dumps({name: value for name, value in record.items() if name != "at"}).decode()
        previous = link(previous, seq, START + record["at"], body)
        found.append(parse_line(shard, f"{seq} {START + record['at']} {previous} {body}"))
    return found


def at(minute: float, e: str, **fields: Any) -> Record:
    return {"at": int(minute * MIN), "e": e, **fields}


def opened(minute: float, request: str, digest: str, **changes: Any) -> Record:
    fields: Record = {
        "request": request,
        "run": "r1",
        "path": "/1",
        "kind": "approval",
        "tool": "refund",
        "digest": digest,
        "groups": [{"of": "finance", "need": 1}],
        "separate": False,
        "excluded": [],
        "deadline_ms": START + int((minute + 240) * MIN),
        "exec_window_ms": 15 * MIN,
        "policy": "p1",
        "rule": "big-refund",
        "replaces": None,
        "rungs": [240 * MIN],
        "tenant": "T1",
    }
    return at(minute, "request_opened", **fields | changes)


def shown(minute: float, request: str, digest: str, version: int, **changes: Any) -> Record:
    fields = {"request": request, "copy": "main", "ref": MAIN, "digest": digest, "version": version}
    return at(minute, "card_shown", **{**fields, "complete": True, "buttons": True, **changes})


def voted(minute: float, request: str, digest: str, person: str, **changes: Any) -> Record:
    fields: Record = {
        "request": request,
        "person": person,
        "account": f"slack/T1/U{person}",
        "move": "approve",
        "digest": digest,
        "policy": "p1",
        "ref": MAIN,
        "delivery": f"{request}-{person}",
        "seats": [0],
        "reason": "",
    }
    return at(minute, "vote_counted", **fields | changes)


def ended(minute: float, request: str, digest: str, status: str, *by: str) -> Record:
    return at(minute, "request_decided", request=request, status=status, digest=digest, by=list(by), cause=None)


def resumed(minute: float, request: str, status: str) -> Record:
    return at(minute, "run_resumed", run="r1", request=request, status=status)


def started(minute: float, path: str, request: str | None, digest: str, **changes: Any) -> Record:
    fields = {"run": "r1", "path": path, "request": request, "tool": "refund", "digest": digest}
    return at(minute, "tool_started", **{**fields, "key": f"k{path}", "epoch": 1, "idempotent": False, **changes})


def finished(minute: float, path: str, request: str | None, outcome: str = "ok") -> Record:
    return at(minute, "tool_finished", run="r1", path=path, request=request, outcome=outcome)


def a_good_day() -> list[Record]:
    """One of everything, each step on a path of its own."""
    return [
        at(0, "run_started", run="r1", person="ana", place="slack/T1/C1/1.0", tenant="T1", agent="react"),
        *a_free_call(),
        *two_groups_and_a_ladder(),
        *an_edit(),
        *a_rejection(),
        *an_expiry(),
        *a_crash_in_doubt(),
        *a_crash_of_an_idempotent_call(),
        *a_veto(),
        *broken_glass(),
        *a_wait_without_a_deadline(),
        *a_question_handed_on(),
        at(999, "run_ended", run="r1", status="done"),
        *an_aftermath(),
    ]


def a_free_call() -> list[Record]:
    allowed = at(1, "call_allowed", run="r1", path="/0", tool="refund", digest="d0", rule="small")
    return [allowed, started(1, "/0", None, "d0"), finished(1, "/0", None)]


def two_groups_and_a_ladder() -> list[Record]:
    """q1 needs two of finance and one of legal; bo may sit in either. It climbs twice before it is signed."""
    groups = [{"of": "finance", "need": 2}, {"of": "legal", "need": 1}]
    duties = {"separate": True, "excluded": ["ana"], "rungs": [10 * MIN, 20 * MIN, 240 * MIN]}
    return [
        opened(2, "q1", "d1", groups=groups, **duties),
        shown(2, "q1", "d1", 1),
        at(3, "vote_refused", request="q1", person="ana", account="slack/T1/Uana", cause="NotEligible", delivery="x"),
        at(12, "rung_fired", request="q1", index=0, do="remind"),
        voted(13, "q1", "d1", "bo", seats=[0, 1]),
        at(22, "rung_fired", request="q1", index=1, do="dm"),
        shown(22, "q1", "d1", 4, copy="dm-cy", ref=DM),
        voted(23, "q1", "d1", "cy", ref=DM),
        voted(24, "q1", "d1", "di"),
        ended(24, "q1", "d1", "approved", "bo", "cy", "di"),
        shown(24, "q1", "d1", 5),  # drawn before the last vote, confirmed after it
        shown(25, "q1", "d1", 6, buttons=False),
        shown(25, "q1", "d1", 6, copy="dm-cy", ref=DM, buttons=False),
        resumed(25, "q1", "approved"),
        started(25, "/1", "q1", "d1"),
        finished(26, "/1", "q1"),
    ]


def an_edit() -> list[Record]:
    """q2 is changed by bo into q3, which is his own decision."""
    return [
        opened(30, "q2", "d2", path="/2"),
        shown(30, "q2", "d2", 1),
        ended(31, "q2", "d2", "superseded"),
        opened(31, "q3", "d3", path="/2", replaces="q2"),
        shown(31, "q3", "d3", 1, copy="form", buttons=False),
        shown(31, "q2", "d2", 2, buttons=False),
        voted(31, "q3", "d3", "bo"),
        ended(31, "q3", "d3", "approved", "bo"),
        resumed(31, "q3", "approved"),
        started(32, "/2", "q3", "d3"),
        finished(32, "/2", "q3", "error"),
    ]


def a_rejection() -> list[Record]:
    """q4 was never shown whole; bo says no all the same."""
    return [
        opened(40, "q4", "d4", path="/3"),
        shown(40, "q4", "d4", 1, complete=False),
        voted(41, "q4", "d4", "bo", move="reject"),
        ended(41, "q4", "d4", "rejected", "bo"),
        shown(41, "q4", "d4", 2, buttons=False),
        resumed(41, "q4", "rejected"),
    ]


def an_expiry() -> list[Record]:
    return [
        opened(50, "q5", "d5", path="/4", rungs=[30 * MIN, 240 * MIN]),
        shown(50, "q5", "d5", 1),
        at(80, "rung_fired", request="q5", index=0, do="dm"),
        at(290, "rung_fired", request="q5", index=1, do="expire"),
        ended(290, "q5", "d5", "expired"),
        shown(290, "q5", "d5", 3, buttons=False),
        resumed(290, "q5", "expired"),
    ]


def a_crash_in_doubt() -> list[Record]:
    """q6 was spent and the process died; people say it did not happen: run it once more."""
    return [
        opened(300, "q6", "d6", path="/5"),
        shown(300, "q6", "d6", 1),
        voted(301, "q6", "d6", "bo"),
        ended(301, "q6", "d6", "approved", "bo"),
        shown(301, "q6", "d6", 2, buttons=False),
        resumed(301, "q6", "approved"),
        started(301, "/5", "q6", "d6"),
        finished(310, "/5", "q6", "unknown"),
        opened(310, "q7", "d6", path="/5", kind="recovery"),
        shown(310, "q7", "d6", 1, ref=DM),
        voted(311, "q7", "d6", "cy", ref=DM),
        ended(311, "q7", "d6", "approved", "cy"),
        shown(311, "q7", "d6", 2, ref=DM, buttons=False),
        resumed(311, "q7", "approved"),
        started(311, "/5", "q7", "d6", epoch=2),
        finished(312, "/5", "q7"),
    ]


def a_crash_of_an_idempotent_call() -> list[Record]:
    """q8's tool may be started again with the same key; long after its window, by the next owner."""
    return [
        opened(400, "q8", "d8", path="/6"),
        shown(400, "q8", "d8", 1),
        voted(401, "q8", "d8", "bo"),
        ended(401, "q8", "d8", "approved", "bo"),
        shown(401, "q8", "d8", 2, buttons=False),
        resumed(401, "q8", "approved"),
        started(401, "/6", "q8", "d8", epoch=2, idempotent=True),
        started(500, "/6", "q8", "d8", epoch=3, idempotent=True),
        finished(501, "/6", "q8"),
    ]


def looked(minute: float, request: str, digest: str, person: str) -> Record:
    fields = {"request": request, "person": person, "account": f"slack/T1/U{person}", "digest": digest}
    return at(minute, "details_opened", **fields, delivery=f"look-{request}-{person}")


def a_veto() -> list[Record]:
    """q20 is stopped by di of legal, who fills no seat of it."""
    return [
        opened(600, "q20", "d20", path="/20", veto=["legal"]),
        shown(600, "q20", "d20", 1),
        voted(601, "q20", "d20", "di", move="reject", right="veto", seats=[]),
        ended(601, "q20", "d20", "rejected", "di"),
        shown(601, "q20", "d20", 2, buttons=False),
        resumed(601, "q20", "rejected"),
    ]


def broken_glass() -> list[Record]:
    """q21 is high-risk and needs two; cy reads it and approves alone; the managers are asked about it in q22."""
    glass = {"of": "oncall", "review": "managers"}
    two = [{"of": "finance", "need": 2}]
    return [
        opened(700, "q21", "d21", path="/21", high=True, groups=two, glass=glass, excluded=["ana"]),
        shown(700, "q21", "d21", 1),
        looked(701, "q21", "d21", "cy"),
        voted(702, "q21", "d21", "cy", move="break_glass", right="glass", seats=[], reason="it burns"),
        opened(702, "q22", "d22", path="/21/afterwards", kind="aftermath", tool="afterwards", **_review("q21", "cy")),
        ended(702, "q21", "d21", "approved", "cy"),
        shown(702, "q21", "d21", 3, buttons=False),
        shown(702, "q22", "d22", 1, ref="slack/T1/C1/12.0"),
        resumed(702, "q21", "approved"),
        started(702, "/21", "q21", "d21"),
        finished(703, "/21", "q21"),
    ]


def _review(about: str, breaker: str) -> Record:
    apart = {"separate": True, "excluded": [breaker, "ana"], "deadline_ms": None}
    return {"about": about, "groups": [{"of": "managers", "need": 1}], "rungs": [720 * MIN], **apart}


def an_aftermath() -> list[Record]:
    """q22 is answered long after its run has ended."""
    ref = "slack/T1/C1/12.0"
    return [
        at(1500, "rung_fired", request="q22", index=0, do="remind"),
        voted(1600, "q22", "d22", "di", move="answer", ref=ref),
        ended(1600, "q22", "d22", "answered", "di"),
        shown(1600, "q22", "d22", 3, ref=ref, buttons=False),
    ]


def a_question_handed_on() -> list[Record]:
    """q30, of another run, is asked of ana, who hands it to cy; cy is away, and di answers in their place."""
    return [
        opened(970, "q30", "d30", run="r30", kind="question", groups=[{"of": "requester", "need": 1}]),
        shown(970, "q30", "d30", 1),
        at(971, "request_handed", request="q30", by="ana", to="cy", version=2),
        shown(971, "q30", "d30", 2, copy="dm-cy", ref=DM),
        voted(972, "q30", "d30", "di", move="answer", ref=DM, seats=[], stands_for=[{"person": "cy", "seats": [0]}]),
        ended(972, "q30", "d30", "answered", "di"),
        shown(972, "q30", "d30", 3, buttons=False),
        shown(972, "q30", "d30", 3, copy="dm-cy", ref=DM, buttons=False),
        at(972, "run_resumed", run="r30", request="q30", status="answered"),
    ]


def a_wait_without_a_deadline() -> list[Record]:
    """qw is reminded of once, then reviewed every 100 minutes; the second review was missed, and cy is called later."""
    return [
        opened(600, "qw", "dw", path="/w", deadline_ms=None, rungs=[10 * MIN, 100 * MIN], repeats=1),
        shown(600, "qw", "dw", 1),
        at(610, "rung_fired", request="qw", index=0, do="remind"),
        at(700, "rung_fired", request="qw", index=1, do="review", period=1),
        at(750, "copy_sent", request="qw", person="cy", why="their hours began"),
        shown(750, "qw", "dw", 4, copy="dm-cy", ref=DM),
        at(950, "rung_fired", request="qw", index=1, do="review", period=3),
        voted(960, "qw", "dw", "cy", ref=DM),
        ended(960, "qw", "dw", "approved", "cy"),
        shown(960, "qw", "dw", 6, buttons=False),
        shown(960, "qw", "dw", 6, copy="dm-cy", ref=DM, buttons=False),
        resumed(961, "qw", "approved"),
        started(961, "/w", "qw", "dw"),
        finished(962, "/w", "qw"),
    ]
