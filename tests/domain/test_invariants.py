"""Check the checker: a true log passes, and every promise that is broken in one place is found there."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.audit import Violation
from bot.domain.invariants import INVARIANTS, check
from tests.domain.trace import (
    DM,
    MIN,
    START,
    Record,
    a_good_day,
    at,
    ended,
    entries,
    finished,
    opened,
    shown,
    started,
    voted,
)

Spoil = Callable[[list[Record]], None]


def spoiled(spoil: Spoil, *, is_quiet: bool = True) -> list[Violation]:
    trace = a_good_day()
    spoil(trace)
    trace.sort(key=lambda record: record["at"])
    return check(entries(trace), is_quiet=is_quiet)


def find(trace: list[Record], e: str, **fields: Any) -> int:
    """Where the first record of this event with these fields stands."""
    return next(
        n for n, one in enumerate(trace) if one["e"] == e and all(one[name] == value for name, value in fields.items())
    )


def put(changes: Record, e: str, **fields: Any) -> Spoil:
    """Change one record."""

    def spoil(trace: list[Record]) -> None:
        trace[find(trace, e, **fields)].update(changes)

    return spoil


def drop(e: str, **fields: Any) -> Spoil:
    def spoil(trace: list[Record]) -> None:
        del trace[find(trace, e, **fields)]

    return spoil


def add(*records: Record) -> Spoil:
    """Add records; each takes its place by time, after those of the same moment."""
    return lambda trace: trace.extend(records)


def each(*spoils: Spoil) -> Spoil:
    def spoil(trace: list[Record]) -> None:
        for one in spoils:
            one(trace)

    return spoil


def swap(e: str, other: str, **fields: Any) -> Spoil:
    """Two records of one moment change places."""

    def spoil(trace: list[Record]) -> None:
        a, b = find(trace, e, **fields), find(trace, other, **fields)
        trace[a], trace[b] = trace[b], trace[a]

    return spoil


OWN_SEAT: Record = {"seats": [0], "stands_for": []}
OTHER_SEAT: Record = {"stands_for": [{"person": "cy", "seats": [1]}]}


def settled_by_a_stranger(trace: list[Record]) -> None:
    """“It happened”, says somebody who fills no seat."""
    put({"move": "answer", "seats": []}, "vote_counted", request="q7")(trace)
    put({"status": "answered"}, "request_decided", request="q7")(trace)


BROKEN: dict[str, list[tuple[str, Spoil]]] = {
    "I1": [
        ("started without an approval", drop("request_decided", request="q1")),
        ("started although rejected", put({"status": "rejected"}, "request_decided", request="q1")),
        ("started with other bytes", put({"digest": "evil"}, "tool_started", request="q1")),
        ("another tool was started", put({"tool": "delete_db"}, "tool_started", request="q1")),
        ("another step was started", put({"path": "/9"}, "tool_started", request="q1")),
        ("approved only afterwards", put({"at": 27 * MIN}, "request_decided", request="q1")),
        ("a free call without a rule's leave", drop("call_allowed")),
        ("a free call with other bytes", put({"digest": "evil"}, "tool_started", path="/0")),
        ("a request nobody opened", put({"request": "q99"}, "tool_started", request="q1")),
        ("an end without a start", drop("tool_started", request="q1")),
    ],
    "I2": [
        ("started twice", add(started(27, "/1", "q1", "d1", epoch=2), finished(27, "/1", "q1"))),
        ("a free call started twice", add(started(2, "/0", None, "d0"), finished(2, "/0", None))),
        ("again under the same epoch", put({"epoch": 2}, "tool_started", request="q8", epoch=3)),
        ("again with another key", put({"key": "other"}, "tool_started", request="q8", epoch=3)),
        ("again though not idempotent", put({"idempotent": False}, "tool_started", request="q8", epoch=3)),
        ("a recovery used twice", add(started(313, "/5", "q7", "d6", epoch=3), finished(313, "/5", "q7"))),
        ("a second approval of the same step", put({"kind": "approval"}, "request_opened", request="q7")),
    ],
    "I3": [
        ("decided twice", add(ended(26, "q1", "d1", "cancelled"))),
        ("a vote after the end", add(voted(26, "q1", "d1", "ed"))),
        ("a rung after the end", add(at(240, "rung_fired", request="q1", index=2, do="dm"))),
        ("a copy after the end", add(at(240, "copy_sent", request="q1", person="di", why="x"))),
        ("buttons drawn after the end", add(shown(26, "q1", "d1", 7))),
        ("a copy that kept its buttons", drop("card_shown", request="q1", copy="dm-cy", buttons=False)),
        ("an id used twice", put({"request": "q1"}, "request_opened", request="q4")),
    ],
    "I4": [
        ("one vote too few", drop("vote_counted", request="q1", person="di")),
        ("a group left empty", put({"seats": [0]}, "vote_counted", request="q1", person="bo")),
        ("one person counted twice", put({"person": "cy"}, "vote_counted", request="q1", person="di")),
        ("a vote for other bytes", put({"digest": "evil"}, "vote_counted", request="q1", person="di")),
        ("a refusal counted as a vote", put({"move": "answer"}, "vote_counted", request="q1", person="di")),
        ("the vote came after", put({"at": 26 * MIN}, "vote_counted", request="q1", person="di")),
        ("somebody named who did not vote", put({"by": ["bo", "cy", "zoe"]}, "request_decided", request="q1")),
        ("no vote at all", drop("vote_counted", request="q3")),
        ("a veto that approves", put({"move": "approve"}, "vote_counted", request="q20")),
        ("a veto nobody has", put({"veto": []}, "request_opened", request="q20")),
        ("a veto in the place of a seat", put({"right": "veto"}, "vote_counted", request="q1", person="di")),
        ("glass that the rule has not", put({"glass": None}, "request_opened", request="q21")),
        ("glass broken by whoever asked", put({"excluded": ["ana", "cy"]}, "request_opened", request="q21")),
        ("glass broken without a reason", put({"reason": " "}, "vote_counted", request="q21")),
        ("glass broken by a seat", put({"right": "seat"}, "vote_counted", request="q21")),
        ("glass broken for other bytes", put({"digest": "evil"}, "vote_counted", request="q21")),
        ("somebody else named who broke it", put({"by": ["cy", "bo"]}, "request_decided", request="q21")),
        ("no review of broken glass", drop("request_opened", request="q22")),
        ("a review of something else", put({"about": "q20"}, "request_opened", request="q22")),
        ("a review by who broke it", put({"excluded": []}, "request_opened", request="q22")),
        ("a review by others than the rule says", put({"groups": []}, "request_opened", request="q22")),
        ("a refusal by a stranger", put({"seats": []}, "vote_counted", request="q4")),
        ("a recovery settled by a stranger", settled_by_a_stranger),
        ("an answer in nobody's place", put({"stands_for": []}, "vote_counted", request="q30")),
        ("a seat that the request has not", put({"seats": [1]}, "vote_counted", request="q4")),
        ("a deputy's seat that the request has not", put(OTHER_SEAT, "vote_counted", request="q30")),
        ("a review answered by a stranger", put({"seats": []}, "vote_counted", request="q22")),
        ("an answer by whoever handed it on", put({"person": "ana", **OWN_SEAT}, "vote_counted", request="q30")),
        ("an answer in another's place", put({"to": "ed"}, "request_handed", request="q30")),
        ("somebody else named who refused", put({"by": ["mallory"]}, "request_decided", request="q4")),
        ("nobody named who refused", put({"by": []}, "request_decided", request="q4")),
        ("one too many named who answered", put({"by": ["di", "cy"]}, "request_decided", request="q30")),
        ("somebody named whom nobody asked", put({"by": ["mallory"]}, "request_decided", request="q5")),
    ],
    "I5": [
        ("the requester signed", put({"person": "ana"}, "vote_counted", request="q1", person="di")),
        ("nobody signed", put({"person": ""}, "vote_counted", request="q1", person="di")),
        ("one account, two people", put({"account": "slack/T1/Ubo"}, "vote_counted", request="q1", person="di")),
    ],
    "I6": [
        ("approved over a refusal", put({"move": "reject"}, "vote_counted", request="q1", person="bo")),
        ("approved too late", put({"deadline_ms": START + 24 * MIN}, "request_opened", request="q1")),
        ("expired too early", put({"deadline_ms": START + 291 * MIN}, "request_opened", request="q5")),
        ("expired without a deadline", put({"deadline_ms": None}, "request_opened", request="q5")),
        ("rejected by nobody", drop("vote_counted", request="q4")),
        ("answered by nobody", put({"status": "answered"}, "request_decided", request="q7")),
    ],
    "I7": [
        ("a vote at the deadline", put({"deadline_ms": START + 23 * MIN}, "request_opened", request="q1")),
        ("started after the window", put({"exec_window_ms": MIN - 1}, "request_opened", request="q1")),
    ],
    "I8": [
        ("not shown whole", put({"complete": False}, "card_shown", request="q1", copy="main", version=1)),
        ("other bytes shown", put({"digest": "old"}, "card_shown", request="q1", copy="main", version=1)),
        ("shown after the vote", put({"at": int(13.5 * MIN)}, "card_shown", request="q1", copy="main", version=1)),
        ("an editor who never saw the form", drop("card_shown", request="q3")),
        ("high risk without its details", drop("details_opened", request="q21")),
        ("somebody else's details", put({"person": "bo"}, "details_opened", request="q21")),
        ("details of other bytes", put({"digest": "old"}, "details_opened", request="q21")),
        ("details opened afterwards", put({"at": int(702.5 * MIN)}, "details_opened", request="q21")),
    ],
    "I9": [
        ("clicked on a forwarded card", put({"ref": "slack/T1/C7/9.9"}, "vote_counted", request="q1", person="bo")),
        ("clicked before it was shown", put({"at": 11 * MIN}, "vote_counted", request="q1", person="cy")),
        ("under another policy", put({"policy": "p2"}, "vote_counted", request="q1", person="bo")),
        ("for other bytes", put({"digest": "evil"}, "vote_counted", request="q4")),
        ("decided about other bytes", put({"digest": "evil"}, "request_decided", request="q4")),
    ],
    "I10": [
        ("one delivery, two votes", put({"delivery": "q1-bo"}, "vote_counted", request="q1", person="cy")),
        ("one delivery, two requests", put({"delivery": "q1-bo"}, "vote_counted", request="q4")),
    ],
    "I11": [
        ("a rung too early", put({"at": 12 * MIN - 1}, "rung_fired", request="q1", index=0)),
        ("a rung left out", drop("rung_fired", request="q1", index=0)),
        ("a rung twice", add(at(13, "rung_fired", request="q1", index=0, do="remind"))),
        ("a rung that is not on the ladder", add(at(23, "rung_fired", request="q1", index=9, do="dm"))),
        ("expired before the manager was asked", each(*[drop("rung_fired", request="q5")] * 2)),
        ("a review before its time", put({"at": 700 * MIN - 1}, "rung_fired", request="qw", index=1, period=1)),
        ("a later review before its time", put({"at": 850 * MIN}, "rung_fired", request="qw", index=1, period=3)),
        ("a review twice in one period", put({"period": 1}, "rung_fired", request="qw", index=1, period=3)),
        ("a review where a reminder was due", drop("rung_fired", request="qw", index=0)),
        ("a reminder after the first review", put({"index": 0}, "rung_fired", request="qw", index=1, period=3)),
        ("a rung that repeats, and is no review", put({"repeats": None}, "request_opened", request="qw")),
        ("no deadline and no review", put({"deadline_ms": None, "repeats": None}, "request_opened", request="q1")),
    ],
    "I12": [
        ("a request without an end", each(*[drop(e, request="q5") for e in ("request_decided", "run_resumed")])),
        ("resumed twice", add(at(26, "run_resumed", run="r1", request="q1", status="approved"))),
        ("told another end", put({"status": "approved"}, "run_resumed", request="q4")),
        ("told before the end", put({"at": 40 * MIN}, "run_resumed", request="q4")),
        ("never told", each(drop("run_resumed", request="q4"), drop("run_ended"))),
        ("a start without an outcome", each(drop("tool_finished", request="q8"), drop("run_ended"))),
    ],
    "I13": [
        ("two open at once", put({"at": 33 * MIN}, "request_decided", request="q2")),
        ("a version of something not superseded", put({"status": "cancelled"}, "request_decided", request="q2")),
        ("a version of something unknown", put({"replaces": "q99"}, "request_opened", request="q3")),
        ("a version of another step", put({"path": "/8"}, "request_opened", request="q2")),
        ("two versions of one", put({"replaces": "q2"}, "request_opened", request="q4")),
        ("opened before the old one ended", swap("request_decided", "request_opened", at=31 * MIN)),
    ],
    "I14": [
        ("a vote from elsewhere", put({"account": "slack/T2/Ubo"}, "vote_counted", request="q1", person="bo")),
        ("shown elsewhere", put({"ref": "slack/T2/C1/1"}, "card_shown", request="q1", copy="dm-cy", buttons=False)),
        ("opened for another tenant", put({"tenant": "T2"}, "request_opened", request="q1")),
        ("a run of another tenant", put({"tenant": "T2"}, "run_started")),
    ],
    "I15": [
        ("an event we do not know", add(at(26, "approved_by_magic", request="q1"))),
        ("an event without its fields", add(at(26, "vote_counted", request="q1", person="zoe"))),
    ],
}


def test_a_good_day_breaks_no_promise() -> None:
    """I1–I15: quorum of two groups, ladder, edit, rejection, expiry, crash in doubt, idempotent rerun."""
    assert check(entries(a_good_day()), is_quiet=True) == []


@given(st.integers(0, len(a_good_day())))
def test_a_good_day_breaks_no_promise_at_any_hour(length: int) -> None:
    """I1–I15 hold for every beginning of a true log: the check never cries wolf while things are under way."""
    assert check(entries(a_good_day()[:length])) == []


@pytest.mark.parametrize(
    ("invariant", "spoil"),
    [pytest.param(name, spoil, id=f"{name}: {what}") for name, cases in BROKEN.items() for what, spoil in cases],
)
def test_a_promise_broken_in_one_place_is_found(invariant: str, spoil: Spoil) -> None:
    """I1–I15: one change to a true log, and the promise it breaks is among those named."""
    found = spoiled(spoil)

    assert invariant in {one.invariant for one in found}, found
    assert all(one.told and one.seq for one in found)


def test_every_promise_has_its_function_and_its_broken_logs() -> None:
    assert list(INVARIANTS) == [f"I{n}" for n in range(1, 16)]
    assert BROKEN.keys() == INVARIANTS.keys()


def test_a_review_of_broken_glass_may_wait_for_people_when_all_else_is_quiet() -> None:
    """I12: its run has ended and nobody has answered; any other request would be a broken promise."""
    waiting = [one for one in a_good_day() if one["at"] < 1000 * MIN]

    assert check(entries(waiting), is_quiet=True) == []
    put({"kind": "question"}, "request_opened", request="q22")(waiting)
    assert {one.invariant for one in check(entries(waiting), is_quiet=True)} == {"I4", "I12"}


def test_a_log_with_a_gap_in_its_numbers_is_found() -> None:
    """I15: also at its beginning."""
    whole = entries(a_good_day())

    assert [(one.invariant, one.seq) for one in check(whole[:4] + whole[5:]) if one.invariant == "I15"] == [("I15", 6)]
    assert ("I15", 2) in {(one.invariant, one.seq) for one in check(whole[1:])}


@pytest.mark.parametrize("n", range(3))
def test_a_secret_in_any_spelling_is_found(n: int) -> None:
    """I15, T20: raw, base64 at any offset, and percent-encoded."""
    canary = "CANARY/s3cr3t+"
    spellings = [canary, base64.b64encode(b"x" * n + canary.encode() + b"y").decode(), quote(canary, safe="")]

    for spelling in spellings:
        trace = [*a_good_day(), at(999, "card_lost", request="q1", copy="main", why=f"<{spelling}>")]
        found = check(entries(trace), canaries=[canary])
        assert [one.invariant for one in found] == ["I15"]
    assert check(entries(a_good_day()), canaries=[canary]) == []


def test_a_copy_that_the_platform_let_nobody_change_is_no_breach() -> None:
    """I3: after an uninstall the card still shows its buttons; that it was lost is written down, and they are dead."""
    without = a_good_day()
    drop("card_shown", request="q1", copy="dm-cy", buttons=False)(without)
    lost = at(999, "card_lost", request="q1", copy="dm-cy", why="the app was removed")

    assert [one.invariant for one in check(entries(without), is_quiet=True)] == ["I3"]
    assert check(entries([*without, lost]), is_quiet=True) == []


def test_a_copy_on_a_second_platform_is_another_tenant_of_the_same_people() -> None:
    """I14: a card in Slack, its copy in Teams; each platform has one tenant."""
    trace = a_good_day()
    for record in trace:
        for name in ("ref", "account"):
            if record.get("request") == "q1" and record.get(name) in (DM, "slack/T1/Ucy"):
                record[name] = record[name].replace("slack/T1", "teams/contoso")

    assert check(entries(trace), is_quiet=True) == []


def test_a_rule_may_show_a_request_on_another_platform_alone() -> None:
    """I14, CD-01: a task from Slack whose rule names a channel in Teams: nothing of it need stand in Slack."""
    trace = a_good_day()
    for record in trace:
        for name in ("ref", "account"):
            if record.get("request") == "q1" and str(record.get(name, "")).startswith("slack/T1"):
                record[name] = str(record[name]).replace("slack/T1", "teams/contoso")

    assert check(entries(trace), is_quiet=True) == []


def test_rungs_count_from_the_opening_and_not_from_its_record() -> None:
    """I11: the record is written some milliseconds after the moment the ladder counts from."""
    trace = a_good_day()
    trace[find(trace, "request_opened", request="q1")] |= {"at": 2 * MIN + 40, "opened_ms": START + 2 * MIN}

    assert check(entries(sorted(trace, key=lambda one: one["at"])), is_quiet=True) == []


OFFICE = {"hours": "Mon-Sun 00:00-00:05", "zone": "Etc/UTC"}  # five minutes of each day


def paused(clock: object, *rungs: tuple[float, str, int | None]) -> list[Record]:
    """qp is opened at 00:00 with a reminder after 2 minutes, and a review every 4, of its clock's time."""
    begin = 1440 * 3 - (START % (1440 * MIN)) / MIN
    ladder = {"deadline_ms": None, "repeats": 1, "rungs": [2 * MIN, 4 * MIN], "clock": clock}
    trace = [*a_good_day(), opened(begin, "qp", "dp", path="/p", **ladder)]
    for index, (minute, do, period) in enumerate(rungs):
        period_of = {} if period is None else {"period": period}
        trace.append(at(begin + minute, "rung_fired", request="qp", index=min(index, 1), do=do, **period_of))
    return trace


@pytest.mark.parametrize(
    ("rungs", "told"),
    [
        ([(2, "remind", None), (4, "review", 1)], ""),
        ([(2, "remind", None), (4, "review", 1), (1443, "review", 2)], ""),  # 1 minute of this day and 3 of the next
        ([(2, "remind", None), (4, "review", 1), (1442, "review", 2)], "rung 1 fired before its time"),
        ([(1, "remind", None)], "rung 0 fired before its time"),
    ],
)
def test_rungs_count_the_time_of_their_clock(rungs: list[tuple[float, str, int | None]], told: str) -> None:
    """PN-04, I11: outside of its hours no time goes by, however late it is."""
    found = check(entries(paused(OFFICE, *rungs)), is_quiet=False)

    assert [one.told for one in found if one.invariant == "I11"] == ([told] if told else [])


@pytest.mark.parametrize(
    "clock", [{"hours": "9-5", "zone": "Etc/UTC"}, {"zone": "Etc/UTC"}, {"hours": "", "zone": "/"}, 7]
)
def test_a_clock_that_nobody_of_ours_wrote_is_a_finding(clock: object) -> None:
    """PN-04, T22."""
    found = check(entries(paused(clock)), is_quiet=False)

    assert "the hours in which its ladder's time goes by cannot be read" in [one.told for one in found]


def test_runs_on_different_shards_are_judged_apart() -> None:
    found = check([*entries(a_good_day(), shard=0), *entries([at(0, "run_ended", run="r9", status="done")], shard=1)])

    assert found == []


def test_a_log_that_cannot_be_judged_does_not_pass() -> None:
    """A record of the right fields and the wrong types is a finding, not a crash of the check."""
    found = spoiled(put({"groups": 7, "rungs": None}, "request_opened", request="q1"))

    assert {"I4", "I11"} <= {one.invariant for one in found}
    assert any("cannot be judged" in one.told for one in found)


def test_a_finding_names_the_record_and_the_request() -> None:
    (found,) = spoiled(put({"exec_window_ms": MIN - 1}, "request_opened", request="q1"))

    assert (found.invariant, found.subject, found.told) == ("I7", "q1", "started after the execution window")
    assert entries(a_good_day())[found.seq - 1].event == "tool_started"


@pytest.mark.parametrize("invariant", list(INVARIANTS))
def test_most_broken_logs_break_little_else(invariant: str) -> None:
    """A finding is of use when it is not drowned by others: at most a handful per broken log."""
    for _, spoil in BROKEN[invariant]:
        assert len(spoiled(spoil)) <= 12
