"""The audit's checker on what agents ask besides a signature: a true day passes, and what was forged in it is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.domain.answered import ANSWERS, ASKS, CALLS
from bot.domain.audit import Violation
from bot.domain.invariants import check
from bot.domain.request import VOTES
from tests.domain.trace import MIN, Record, at, ended, entries, finished, opened, shown, started, voted

Spoil = Callable[[list[Record]], None]
KINDS = ("question", "handoff", "form", "review", "plan", "escalation", "stuck")
REF = "slack/T1/C1/{}"


def began(minute: float, run: str) -> Record:
    return at(minute, "run_started", run=run, person="ana", place="slack/T1/C1/1.0", tenant="T1", agent="react")


def over(minute: float, run: str, status: str = "done") -> Record:
    return at(minute, "run_ended", run=run, status=status)


def asked(minute: float, request: str, kind: str, path: str, *, run: str = "r1") -> list[Record]:
    """Ana is asked, answers, and the run hears of it: three minutes."""
    digest, ref = f"d-{request}", REF.format(request)
    about = {"run": run, "kind": kind, "tool": f"ask_{kind}", "groups": [{"of": "requester", "need": 1}]}
    return [
        opened(minute, request, digest, path=path, **about),
        shown(minute, request, digest, 1, ref=ref),
        voted(minute + 1, request, digest, "ana", move="answer", ref=ref),
        ended(minute + 1, request, digest, "answered", "ana"),
        at(minute + 1, "run_resumed", run=run, request=request, status="answered"),
        shown(minute + 2, request, digest, 2, ref=ref, buttons=False),
    ]


def signed(minute: float, request: str, path: str, *, run: str = "r1") -> list[Record]:
    """Bo signs a call, and it runs."""
    digest, ref = f"d-{request}", REF.format(request)
    return [
        opened(minute, request, digest, path=path, run=run),
        shown(minute, request, digest, 1, ref=ref),
        voted(minute + 1, request, digest, "bo", ref=ref),
        ended(minute + 1, request, digest, "approved", "bo"),
        at(minute + 1, "run_resumed", run=run, request=request, status="approved"),
        started(minute + 1, path, request, digest, run=run),
        finished(minute + 2, path, request) | {"run": run},
        shown(minute + 2, request, digest, 2, ref=ref, buttons=False),
    ]


def a_day_of_questions() -> list[Record]:
    """A form that did not fit at first, a draft shown twice, a plan and its signed step, and the others, in one run;

    then a run whose program changed, with a signature that was never used, and the one that began in its place.
    """
    wrong = {"person": "ana", "account": "slack/T1/Uana", "cause": "InvalidArguments"}
    return [
        began(0, "r1"),
        *asked(1, "form", "form", "/1"),
        at(1.5, "vote_refused", request="form", delivery="form-wrong", **wrong),
        *asked(10, "draft-1", "review", "/2"),
        *asked(20, "draft-2", "review", "/3"),
        *asked(30, "plan", "plan", "/4"),
        *signed(40, "step", "/5"),
        *asked(50, "hand", "handoff", "/6"),
        *asked(60, "threat", "escalation", "/7"),
        *asked(70, "which", "question", "/8"),
        *asked(80, "budget", "stuck", "/!budget.0"),
        over(90, "r1"),
        began(100, "r2"),
        *(one for one in signed(101, "void", "/1", run="r2") if one["e"] not in NEVER_RAN),
        *asked(110, "changed", "stuck", "/!changed", run="r2"),
        began(112, "r3"),
        over(112, "r2", "failed"),
        *signed(120, "anew", "/1", run="r3"),
        over(130, "r3"),
    ]


NEVER_RAN = ("run_resumed", "tool_started", "tool_finished")


def judged(trace: list[Record]) -> list[Violation]:
    return check(entries(sorted(trace, key=lambda one: one["at"])), is_quiet=True)


def put(changes: Record, e: str, **fields: Any) -> Spoil:
    """Change one record."""

    def spoil(trace: list[Record]) -> None:
        next(
            one for one in trace if one["e"] == e and all(one[name] == value for name, value in fields.items())
        ).update(changes)

    return spoil


def add(*records: Record) -> Spoil:
    return lambda trace: trace.extend(records)


def after(run: str, *records: Record) -> Spoil:
    """What is added has its place behind the end of *run*."""

    def spoil(trace: list[Record]) -> None:
        end = next(one["at"] for one in trace if one["e"] == "run_ended" and one["run"] == run)
        trace.extend(one | {"at": end + MIN // 2} for one in records)

    return spoil


def approved(request: str) -> Spoil:
    """What was only asked becomes a signature."""

    def spoil(trace: list[Record]) -> None:
        put({"move": "approve"}, "vote_counted", request=request)(trace)
        put({"status": "approved"}, "request_decided", request=request)(trace)
        put({"status": "approved"}, "run_resumed", request=request)(trace)

    return spoil


def answered_late(trace: list[Record]) -> None:
    for event in ("vote_counted", "request_decided"):
        put({"at": 90 * MIN + 1}, event, request="budget")(trace)


LEFT_OUT = (started(45, "/9", None, "d-removed"), finished(45, "/9", None))  # a step that people took off the plan
ON_THE_PLAN = (started(45, "/9", "plan", "d-removed"), finished(45, "/9", "plan"))
AS_THE_PLAN = (
    started(34, "/4", "plan", "d-plan", tool="ask_plan"),
    finished(34, "/4", "plan"),
)
OLD_CALL = (started(0, "/1", "void", "d-void", run="r2"), finished(0, "/1", "void") | {"run": "r2"})

FORGED: list[tuple[str, str, Spoil]] = [
    ("I1", "a removed step was begun with nobody's leave", add(*LEFT_OUT)),
    ("I1", "a removed step was begun on the plan's answer", add(*ON_THE_PLAN)),
    ("I1", "the answer to a plan was used as a signature", add(*AS_THE_PLAN)),
    ("I2", "the plan's signed step was begun twice", add(started(43, "/5", "step", "d-step", epoch=2))),
    ("I3", "answered a second time", add(voted(3, "form", "d-form", "bo", move="answer", ref=REF.format("form")))),
    ("I3", "decided a second time", add(ended(23, "draft-2", "d-draft-2", "answered", "ana"))),
    ("I3", "asked after the end of its run", after("r1", opened(0, "late", "d-late", path="/9", kind="form"))),
    ("I3", "answered after the end of its run", answered_late),
    ("I3", "heard after the end of its run", put({"at": 90 * MIN + 1}, "run_resumed", request="budget")),
    ("I3", "the old program went on after its end", after("r2", *OLD_CALL)),
    ("I3", "a run ended twice", after("r2", over(0, "r2"))),
    ("I3", "a run began again under its old id", after("r2", began(0, "r2"))),
    ("I4", "a call was merely answered", put({"status": "answered"}, "request_decided", request="step")),
    ("I4", "a call was voted on as a question is", put({"move": "answer"}, "vote_counted", request="step")),
    ("I4", "a kind that nobody knows", put({"kind": "wish"}, "request_opened", request="form")),
    ("I4", "filled in by somebody who was not asked", put({"seats": []}, "vote_counted", request="form")),
    ("I4", "somebody else named who proceeded", put({"by": ["mallory"]}, "request_decided", request="plan")),
    ("I6", "accepted by nobody", put({"status": "answered"}, "request_decided", request="void")),
    ("I8", "a draft that was not shown whole", put({"complete": False}, "card_shown", request="draft-1")),
    ("I9", "an answer to another draft", put({"digest": "d-draft-1"}, "vote_counted", request="draft-2")),
    ("I10", "one press for both drafts", put({"delivery": "draft-1-ana"}, "vote_counted", request="draft-2")),
    ("I12", "heard twice", add(at(82, "run_resumed", run="r1", request="budget", status="answered"))),
]


def test_a_true_day_of_every_kind_passes() -> None:
    """I1–I15: also a signature that a changed program never used, and a refused attempt that was delivered again."""
    day = a_day_of_questions()

    assert judged(day) == []
    assert {one["kind"] for one in day if one["e"] == "request_opened"} == {*KINDS, "approval"}


def test_every_beginning_of_a_true_day_passes() -> None:
    """I1–I15: the check never cries wolf while things are under way."""
    day = entries(sorted(a_day_of_questions(), key=lambda one: one["at"]))

    assert not [found for length in range(len(day)) for found in check(day[:length])]


@pytest.mark.parametrize(
    ("promise", "spoil"), [pytest.param(promise, spoil, id=f"{promise}: {what}") for promise, what, spoil in FORGED]
)
def test_what_was_forged_is_found(promise: str, spoil: Spoil) -> None:
    """I1–I12, T22: one change to a true day, and the promise it breaks is among those named, with few besides."""
    day = a_day_of_questions()
    spoil(day)

    found = judged(day)

    assert promise in {one.invariant for one in found}, found
    assert len(found) <= 12


def test_the_checker_knows_every_kind_and_the_answers_it_can_have() -> None:
    """I4: its table is its own, and says the same as the product's."""
    known = {**{kind: moves for kind, (moves, _) in CALLS.items()}, **dict.fromkeys(ASKS, ANSWERS[0])}

    assert known == VOTES


@pytest.mark.parametrize("request_id", ["form", "draft-2", "plan", "hand", "threat", "which", "budget", "changed"])
def test_what_only_asks_is_never_approved(request_id: str) -> None:
    """I4, AU-12, D-27: a yes to a plan, a form or a handover signs nothing, and no record may say that it did."""
    day = a_day_of_questions()
    approved(request_id)(day)

    told = [one.told for one in judged(day) if one.invariant == "I4" and one.subject == request_id]

    assert len(told) == 2
    assert all("of kind" in one for one in told)
