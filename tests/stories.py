"""Stories that cards tell: one for each kind and status, and the forms behind their buttons, whatever the platform.

Everything is drawn through `bot.domain`, from the fixed data of `tests.domain.given`. What a platform makes of them are
its golden pictures (`tests.slack.pictures`, `tests.teams.pictures`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from bot.domain.calls import Cause, Evidence, Outcome, Past, ToolResult, canonical
from bot.domain.chat import Button, Card, PersonId, Tone
from bot.domain.details import details
from bot.domain.glass import aftermath
from bot.domain.grant import offer_from_form
from bot.domain.inquiry_card import inquiry_card, passed_on
from bot.domain.inquiry_stuck import Trouble
from bot.domain.request import Decision, Edit, Handed, Kind, Move, Request, RequestId, Right, RunId, Status
from bot.domain.run import Run, RunStatus, Task
from bot.domain.run_card import status_card
from bot.domain.sheet import MOST, Sheet, taken_out
from bot.domain.sheet_card import sheet_card
from bot.domain.verdict import Glass, Grantable, Need, ReasonRule
from bot.domain.wire import Json, replace
from tests.domain.given import ANA, BO, CY, NAMES, NOW, PLACE, ask, call, decided, drawn, request, spec, vote

SIGNED = Decision(status=Status.APPROVED, at=NOW, by=(BO,))
LONG: dict[str, Json] = {"order_id": "7", "amount": 150, "reason": "it arrived broken; " * 300}


def open_card() -> Card:
    shown = drawn(request(deadline=NOW + timedelta(hours=4), why="The customer sent a photo."))
    return replace(shown, mentions=(BO, CY))


def high_card() -> Card:
    return drawn(request(ask=ask(is_high=True, reason=ReasonRule.ALWAYS)))


UNUSUAL = ask(
    Need(of="finance", need=2),
    is_high=True,
    veto=("legal", "@bo"),
    typed="order_id",
    break_glass=Glass(of="oncall", review="managers", within=timedelta(hours=24)),
)


def _broken() -> Request:
    """BO broke the glass of a request that CY had signed."""
    broke = vote(BO, Move.BREAK_GLASS, right=Right.GLASS, seats=(), reason="the bank <!channel> closes at five")
    asked = request(ask=UNUSUAL, looked=(BO, CY), votes=(vote(CY), broke), status=Status.SPENT)
    return replace(asked, decision=Decision(status=Status.APPROVED, at=NOW, by=(BO,), reason=broke.reason))


FOUND = (
    Evidence(label="Refund", text="Left to refund: 150.00 USD; Ana has 0.00 USD back so far. <!channel>"),
    Evidence(label="What would change", text="- paid\n+ refunded `*_~\u202e", is_code=True),
    Evidence(label="Rows", text="the preview of refund gave no answer within 10 seconds", is_failed=True),
)
LOOKED_UP = ("order 7 in the shop", "the refund rules, page 3 <@U1>")


def _with_evidence(**changes: Any) -> Request:
    return request(evidence=FOUND, sources=LOOKED_UP, why="It arrived broken.", **changes)


def _long_evidence() -> Card:
    rows = Evidence(label="Rows that match", text="7 | broken | 150.00\n" * 300, is_code=True)
    return drawn(request(evidence=(*FOUND[:1], rows)))


def _sheet_with_evidence() -> Card:
    first, second, third = _equal(3)
    long = Evidence(label="order 2", text="Left to refund: 20.00 USD. " * 20)
    return _sheet(
        replace(first, evidence=FOUND[:1]), replace(second, evidence=(long,)), replace(third, evidence=FOUND[2:])
    )


def _quorum() -> Card:
    need = ask(Need(of="finance", need=2), Need(of="manager(requester)"), separate_duties=True)
    return drawn(request(ask=need, votes=(vote(BO),)))


def _edited() -> Card:
    was = canonical({"order_id": "7", "amount": 900}).decode()
    return drawn(request(edit=Edit(editor=CY, was=was, delivery="d1"), explanation="It is 20 % of the price."))


def _spent(outcome: Outcome, text: str) -> Card:
    return drawn(decided(Status.SPENT), outcome=ToolResult(outcome=outcome, text=text))


def _run(status: RunStatus, line: str, *, taken_by: PersonId | None = None) -> Card:
    run = Run(
        id=RunId("r1"),
        task=Task(text="x", by=ANA, place=PLACE),
        agent="react",
        began=NOW,
        status=status,
        taken_by=taken_by,
    )
    return status_card(run, line, seal=lambda move: f"seal({move})", names=NAMES)


TRIP: dict[str, Json] = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "day": {"type": "string", "format": "date"},
        "with": {"type": "string", "format": "person"},
        "why": {"type": "array", "items": {"type": "string", "enum": ["work", "fun <!here>"]}},
    },
    "required": ["city", "day"],
}
ROWS: dict[str, Json] = {
    "columns": ["city", "day"],
    "rows": [["Oslo", "2026-05-01"], ["<!channel>", "31.02.26"]],
    "row": 1,
    "column": "day",
    "first": 4,
}

ASKED: Mapping[Kind, tuple[str, dict[str, Json], dict[str, Json]]] = {  # tool, arguments, an answer
    Kind.QUESTION: (
        "ask_people",
        {"question": "Which colour? <!channel>", "options": ["red", "blue"], "may_write": True},
        {"move": "pick_b"},
    ),
    Kind.HANDOFF: ("handoff_to_user", {"message": "Shall I go on?", "breakout_of_loop": False}, {"move": "yes"}),
    Kind.FORM: (
        "fill_form",
        {"question": "Where to?", "schema": TRIP, "start": {"day": "2026-05-04", "with": "ana"}, "table": ROWS},
        {"move": "fill", "values": {"city": "Oslo"}},
    ),
    Kind.REVIEW: (
        "review_draft",
        {"draft": "Dear all,\n\nwe move.", "name": "", "rounds": 3, "note": "Short, as asked."},
        {"move": "revise", "text": "warmer, please"},
    ),
    Kind.PLAN: ("propose_plan", {"goal": "the party", "steps": ["a date", "a place"]}, {"move": "proceed"}),
    Kind.ESCALATION: (
        "escalate",
        {"reason": "She threatens to sue.", "context": "Order 7 never came.", "suggestion": "call her"},
        {"move": "direct", "text": "I call her"},
    ),
    Kind.STUCK: (
        "ask_when_stuck",
        {"what": "failing", "told": "refund has failed.", "tried": ["refund: no <@U1>"], "error": "closed <!here>"},
        {"move": "guide", "text": "use the other bank"},
    ),
}


def _aftermath(answer: dict[str, Json] | None = None) -> Card:
    return _ended(aftermath(_broken(), spec(), id=RequestId("q9"), breaker="Bo"), answer)


ENDS: Mapping[Status, tuple[Cause, str]] = {  # without an answer: why, and what people are told with it
    Status.EXPIRED: (Cause.DEADLINE, ""),
    Status.CANCELLED: (Cause.STOPPED, ""),
    Status.SUPERSEDED: (Cause.SUPERSEDED, "Bo <!channel> took the run over"),
}


def _over(kind: Kind, status: Status) -> Card:
    """What nobody answered, for the usual reason."""
    cause, told = ENDS[status]
    if kind is Kind.RECOVERY:
        return drawn(decided(status, by=(), kind=kind, cause=cause, reason=told))
    asked = aftermath(_broken(), spec(), id=RequestId("q9"), breaker="Bo") if kind is Kind.AFTERMATH else _put(kind)
    return _ended(replace(asked, status=status, decision=Decision(status=status, at=NOW, cause=cause, reason=told)))


def _inquiry(kind: Kind, *, is_answered: bool = False) -> Card:
    return _ended(_put(kind), ASKED[kind][2] if is_answered else None)


def _put(kind: Kind, **args: Json) -> Request:
    """A question of this *kind*, with some arguments of its own."""
    tool, given, _ = ASKED[kind]
    return request(kind=kind, call=call({**given, **args}, tool=tool), ask=ask(Need(of="requester")))


def _defaulted() -> Request:
    """Nobody answered a question for which the agent had declared what it would do then."""
    late = Decision(status=Status.EXPIRED, at=NOW, cause=Cause.DEADLINE)
    return replace(_put(Kind.QUESTION, default="red <!here>"), status=Status.EXPIRED, decision=late)


def _stage(flavour: str, answer: dict[str, Json] | None = None, **args: Json) -> Card:
    """What a member of a pattern made, put to people before it goes on."""
    told: dict[str, Json] = {"draft": "Dear all,\n\nwe move.", "rounds": 3, "flavour": flavour, **args}
    asked = request(kind=Kind.REVIEW, call=call(told, tool="review_stage"), ask=ask(Need(of="requester")))
    return _ended(asked, answer)


def _finding(answer: dict[str, Json] | None = None) -> Card:
    """One thing that a review found, which has no rounds: its words pose as a mention."""
    told: dict[str, Json] = {
        "draft": "    return a + b",
        "file": "sums.py",
        "line": 2,
        "last": 3,
        "problem": "It adds twice <!channel>.",
        "code": "    c = a\n    return c + b",
        "stage": "1/3",
        "flavour": "finding",
    }
    asked = request(kind=Kind.REVIEW, call=call(told, tool="review_finding"), ask=ask(Need(of="requester")))
    return _ended(asked, answer)


def _ended(asked: Request, answer: dict[str, Json] | None = None) -> Card:
    """The card of *asked* as Ana answered it; without an *answer*, as it stands."""
    if answer is not None:
        end = Decision(status=Status.ANSWERED, at=NOW, by=(ANA,), answer=canonical(answer).decode())
        asked = replace(asked, status=Status.ANSWERED, decision=end)
    return inquiry_card(asked, names=NAMES, seal=lambda move: f"seal({move})")


def _round(kind: Kind, *moves: str) -> Card:
    """After earlier versions, each of them answered by one of *moves*."""
    tool, args, _ = ASKED[kind]
    drafts = [
        {**args, "draft": f"Hi {number},\n\nwe move."} if "draft" in args else args for number in range(len(moves))
    ]
    history = [
        Past(tool=tool, args=canonical(draft).decode(), outcome=Outcome.OK, move=move)
        for draft, move in zip(drafts, moves, strict=True)
    ]
    return _ended(replace(_put(kind), history=tuple(history)), None)


def _handed(kind: Kind) -> Request:
    """Bo is asked, in the place of Ana."""
    handed = (Handed(by=ANA, to=BO, at=NOW),)
    return replace(_put(kind), ask=ask(Need(of=f"@{BO}")), handed=handed)


def _handed_on() -> Card:
    """The copy that somebody handed the question on from."""
    asked = _handed(Kind.QUESTION)
    return passed_on(_ended(asked, None), asked, NAMES)


def _allowing(**changes: Any) -> Request:
    return request(ask=ask(grant=Grantable(most=10, within=timedelta(hours=8), same=("order_id",))), **changes)


def _offered() -> Request:
    """Bo looks at what more would be allowed; the note tells of earlier calls."""
    form = {"scope": "this run", "until": "1 hour", "most": "3", "exact": "no"}
    drawn_up = offer_from_form(_allowing(), spec(), form, BO, NOW)
    return _allowing(offer=replace(drawn_up, looked=7, matched=2))


def _equal(count: int, **more: Json) -> tuple[Request, ...]:
    rule = ask(is_batch=True, reason=ReasonRule.ON_REJECT)
    numbered = [(n, call({"order_id": str(n), "amount": 10 * n, **more})) for n in range(1, count + 1)]
    return tuple(request(id=RequestId(f"q{n}"), call=one, ask=rule, why="They arrived broken.") for n, one in numbered)


def _different() -> tuple[Request, ...]:
    hostile = call({"note": "<!channel> `*_~:smile:\u202e <@U1>\n"}, tool="post")
    asked = request(id=RequestId("q2"), call=hostile, ask=replace(ask(is_high=True), rule="web"))
    return (request(), asked, request(id=RequestId("q3"), call=call(LONG)))


def _sheet(*items: Request) -> Card:
    return sheet_card(
        Sheet(items=items),
        spec=lambda one: spec(one.call.tool),
        names=NAMES,
        seal=lambda move: f"seal({move})",
    )


def _sheet_decided() -> Card:
    """One done, one left out, one expired, one that waits."""
    done, out, over, waits = _equal(4)
    signed = Decision(status=Status.APPROVED, at=NOW, by=(BO,))
    left = Decision(status=Status.REJECTED, at=NOW, by=(BO,), reason=taken_out("Bo"))
    result = ToolResult(outcome=Outcome.OK, text="RF-001 <!here>")
    return _sheet(
        replace(done, status=Status.SPENT, decision=signed, outcome=result),
        replace(out, status=Status.REJECTED, decision=left),
        replace(over, status=Status.EXPIRED, decision=Decision(status=Status.EXPIRED, at=NOW)),
        waits,
    )


CARDS: Mapping[str, Callable[[], Card]] = {
    "open": open_card,
    "open_high": high_card,
    "open_quorum_partly": _quorum,
    "open_veto_typed_and_glass": lambda: drawn(request(ask=UNUSUAL)),
    "glass_broken": lambda: drawn(_broken(), outcome=ToolResult(outcome=Outcome.OK, text="RF-001")),
    "open_edited": _edited,
    "open_evidence": lambda: drawn(_with_evidence()),
    "open_evidence_attached": _long_evidence,
    "open_attached": lambda: drawn(request(call=call(LONG))),
    "open_hostile": lambda: drawn(
        request(call=call({"note": "<!channel> `*_~:smile:\u202e <@U1>\n\t"}), why="<!here>")
    ),
    "approved": lambda: drawn(decided(Status.APPROVED)),
    "spent": lambda: drawn(decided(Status.SPENT)),
    "spent_done": lambda: _spent(Outcome.OK, "RF-001"),
    "spent_failed": lambda: _spent(Outcome.ERROR, "order 7 is unknown"),
    "spent_unknown": lambda: _spent(Outcome.UNKNOWN, ""),
    "rejected": lambda: drawn(decided(Status.REJECTED, reason="too much")),
    "expired": lambda: drawn(decided(Status.EXPIRED, by=())),
    "cancelled": lambda: drawn(decided(Status.CANCELLED, by=(), cause=Cause.STOPPED)),
    "superseded": lambda: drawn(decided(Status.SUPERSEDED, by=(), replaced_by=RequestId("q2"))),
    "recovery_open": lambda: drawn(request(kind=Kind.RECOVERY)),
    "recovery_answered": lambda: drawn(decided(Status.ANSWERED, kind=Kind.RECOVERY)),
    "recovery_rejected": lambda: drawn(decided(Status.REJECTED, kind=Kind.RECOVERY)),
    "recovery_approved": lambda: drawn(decided(Status.APPROVED, kind=Kind.RECOVERY)),
    "recovery_spent": lambda: drawn(decided(Status.SPENT, kind=Kind.RECOVERY)),
    "run_working": lambda: _run(RunStatus.ACTIVE, "Looking up order 7"),
    "run_done": lambda: _run(RunStatus.DONE, "Refunded."),
    "run_taken": lambda: _run(RunStatus.WAITING, "Bo took this over", taken_by=BO),
    "question_handed_on": _handed_on,
    "question_menu": lambda: _ended(_put(Kind.QUESTION, options=[f"<!channel> {n}" for n in range(7)]), None),
    "question_words": lambda: _ended(_put(Kind.QUESTION, options=[]), None),
    "escalation_handed": lambda: _ended(_handed(Kind.ESCALATION), None),
    "escalation_taken": lambda: _ended(_handed(Kind.ESCALATION), {"move": "take"}),
    **{f"stuck_{what}": partial(_ended, _put(Kind.STUCK, what=what), None) for what in Trouble},
    "offer_open": lambda: drawn(_offered()),
    "offer_given": lambda: drawn(replace(_offered(), status=Status.APPROVED, decision=SIGNED, gave="g-0-1")),
    **{f"{kind}_open": partial(_inquiry, kind) for kind in ASKED},
    **{f"{kind}_answered": partial(_inquiry, kind, is_answered=True) for kind in ASKED},
    **{f"{kind}_{end}": partial(_over, kind, end) for kind in (*ASKED, Kind.RECOVERY, Kind.AFTERMATH) for end in ENDS},
    "question_default": lambda: _ended(_defaulted()),
    "stage_review": lambda: _stage("review", role="editor", instructions="Approve or suggest edits. <!channel>"),
    "stage_check": lambda: _stage("check", role="QA", criteria="No typos.", note="checker: It fails. <@U1>"),
    "stage_checkpoint": lambda: _stage("checkpoint", name="Analysis", stage="1/3"),
    "stage_checkpoint_last": lambda: _stage("checkpoint", name="Analysis", stage="1/3", rounds=1),
    "stage_stopped": lambda: _stage("checkpoint", {"move": "leave"}, name="Analysis", stage="1/3"),
    "finding_open": _finding,
    "finding_modified": lambda: _finding({"move": "take_over", "text": "    return float(a + b)"}),
    "finding_skipped": lambda: _finding({"move": "leave"}),
    "review_second_round": lambda: _round(Kind.REVIEW, "revise"),
    "review_last_round": lambda: _round(Kind.REVIEW, "revise", "revise"),
    "plan_second_round": lambda: _round(Kind.PLAN, "change"),
    "plan_limit": lambda: _round(Kind.PLAN, "change", "change", "change"),
    "sheet_open": lambda: _sheet(*_equal(3)),
    "sheet_partly_decided": _sheet_decided,
    "sheet_evidence": _sheet_with_evidence,
    "sheet_full": lambda: _sheet(*_equal(MOST, note="x" * 200)),
    "sheet_list": lambda: _sheet(*_different()),
    "aftermath_open": _aftermath,
    "aftermath_answered": lambda: _aftermath({"move": "wrong", "text": "Dana was there <!here>."}),
    "answer": lambda: Card(body="Order 7 was refunded.", tone=Tone.GOOD, author="react", run="r1", mentions=(ANA,)),
}


FORMS: Mapping[str, tuple[Callable[[], Card], str]] = {  # what opens behind which button
    "edit": (lambda: drawn(request(), replace(spec(), secrets=("token",))), "Edit"),
    "reject": (lambda: drawn(request()), "Reject"),
    "typed": (lambda: drawn(request(ask=UNUSUAL)), "Approve"),
    "glass": (lambda: drawn(request(ask=UNUSUAL)), "Break glass"),
    "allow_more": (lambda: drawn(_allowing()), "Approve and allow more…"),
    "approve_some": (lambda: _sheet(*_equal(3)), "Approve some…"),
    "hand_back": (lambda: _run(RunStatus.WAITING, "Bo took this over", taken_by=BO), "Hand back"),
    "hand_to": (lambda: _inquiry(Kind.QUESTION), "Hand to…"),
    "answer": (lambda: _inquiry(Kind.QUESTION), "Answer in words"),
    "choose": (CARDS["question_menu"], "Choose"),
    "handoff": (lambda: _inquiry(Kind.HANDOFF), "Answer in words"),
    "kinds": (lambda: _inquiry(Kind.FORM), "Fill in"),
    "revise": (lambda: _inquiry(Kind.REVIEW), "Revise"),
    "write": (lambda: _inquiry(Kind.REVIEW), "Write it myself"),
    "modify": (CARDS["finding_open"], "Modify"),
    "version": (CARDS["review_last_round"], "Use another version"),
    "another_round": (CARDS["review_last_round"], "Allow another round"),
    "steps": (lambda: _inquiry(Kind.PLAN), "Edit the steps"),
    "direction": (lambda: _inquiry(Kind.ESCALATION), "Give direction"),
    "done": (lambda: _inquiry(Kind.STUCK), "I have done it"),
    "wrong": (_aftermath, "It was wrong"),
}


def form_button(name: str) -> Button:
    """The button behind which the form *name* opens."""
    card, label = FORMS[name]
    return next(button for button in card().buttons if button.label == label)


BEFORE = """\
12 like this in 30 days: 11 approved, 1 rejected; 2 changed by a person first.
2026-02-27 09:12 UTC: approved by Bo, changed first; with amount=90
2026-02-26 16:40 UTC: rejected by Cy; the same arguments"""


def details_card() -> Card:
    """What one person reads before they may approve a high-risk call."""
    past = (Past(tool="look_up_order", args="{}", outcome=Outcome.OK), Past(tool="refund", args="{}"))
    return details(_with_evidence(ask=UNUSUAL, votes=(vote(CY),), history=past), spec(), NAMES, BEFORE)
