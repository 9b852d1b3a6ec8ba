"""Golden pictures: one JSON for each kind and status of card, for a form and for the Home tab.

    python -m tests.slack.pictures      writes tests/slack/golden anew; read the difference before keeping it

Everything is drawn through `bot.domain.render`, from the fixed data of `tests.domain.given`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from adapters.slack.cards import draw
from adapters.slack.fields import form_view
from adapters.slack.homeview import home_view
from bot.domain.calls import Cause, Outcome, ToolResult, canonical
from bot.domain.chat import Button, Card, MessageRef, PersonId, Tone
from bot.domain.inquiry_card import inquiry_card
from bot.domain.ports import RunView, Settled, Waiting
from bot.domain.request import Decision, Edit, Kind, RequestId, RunId, Status
from bot.domain.run import Run, RunStatus, Task
from bot.domain.run_card import status_card
from bot.domain.verdict import Need, ReasonRule
from bot.domain.wire import Json, replace
from tests.domain.given import ANA, BO, CY, NAMES, NOW, PLACE, ask, call, decided, drawn, request, spec, vote

GOLDEN = Path(__file__).parent / "golden"
SLACK_USERS: Mapping[PersonId, str] = {ANA: "UANA", BO: "UBO"}
LONG: dict[str, Json] = {"order_id": "7", "amount": 150, "reason": "it arrived broken; " * 300}
REF = MessageRef(place=PLACE, id="2.0")


def _open() -> Card:
    shown = drawn(request(deadline=NOW + timedelta(hours=4), why="The customer sent a photo."))
    return replace(shown, mentions=(BO, CY))


def _high() -> Card:
    return drawn(request(ask=ask(is_high=True, reason=ReasonRule.ALWAYS)))


def _quorum() -> Card:
    need = ask(Need(of="finance", need=2), Need(of="manager(requester)"), separate_duties=True)
    return drawn(request(ask=need, votes=(vote(BO),)))


def _edited() -> Card:
    was = canonical({"order_id": "7", "amount": 900}).decode()
    return drawn(request(edit=Edit(editor=CY, was=was, delivery="d1"), explanation="It is 20 % of the price."))


def _spent(outcome: Outcome, text: str) -> Card:
    return drawn(decided(Status.SPENT), outcome=ToolResult(outcome=outcome, text=text))


def _run(status: RunStatus, line: str) -> Card:
    run = Run(id=RunId("r1"), task=Task(text="x", by=ANA, place=PLACE), agent="react", began=NOW, status=status)
    return status_card(run, line, seal=lambda move: f"seal({move})", names=NAMES)


ASKED: Mapping[Kind, tuple[str, dict[str, Json], dict[str, Json]]] = {  # tool, arguments, an answer
    Kind.QUESTION: (
        "ask_people",
        {"question": "Which colour? <!channel>", "options": ["red", "blue"], "may_write": True},
        {"move": "pick_b"},
    ),
    Kind.HANDOFF: ("handoff_to_user", {"message": "Shall I go on?", "breakout_of_loop": False}, {"move": "yes"}),
    Kind.FORM: (
        "fill_form",
        {"question": "Where to?", "schema": {"type": "object", "properties": {"city": {"type": "string"}}}},
        {"move": "fill", "values": {"city": "Oslo"}},
    ),
    Kind.REVIEW: (
        "review_draft",
        {"draft": "Dear all,\n\nwe move.", "round": 1, "rounds": 3, "note": "Short, as asked."},
        {"move": "revise", "text": "warmer, please"},
    ),
    Kind.PLAN: ("propose_plan", {"goal": "the party", "steps": ["a date", "a place"]}, {"move": "proceed"}),
    Kind.ESCALATION: (
        "escalate",
        {"reason": "She threatens to sue.", "context": "Order 7 never came.", "suggestion": "call her"},
        {"move": "direct", "text": "I call her"},
    ),
}


def _inquiry(kind: Kind, *, is_answered: bool = False) -> Card:
    tool, args, answer = ASKED[kind]
    asked = request(kind=kind, call=call(args, tool=tool), ask=ask(Need(of="requester")))
    if is_answered:
        said = canonical(answer).decode()
        end = Decision(status=Status.ANSWERED, at=NOW, by=(ANA,), answer=said)
        asked = replace(asked, status=Status.ANSWERED, decision=end)
    return inquiry_card(asked, names=NAMES, seal=lambda move: f"seal({move})")


CARDS: Mapping[str, Callable[[], Card]] = {
    "open": _open,
    "open_high": _high,
    "open_quorum_partly": _quorum,
    "open_edited": _edited,
    "open_attached": lambda: drawn(request(call=call(LONG))),
    "open_hostile": lambda: drawn(
        request(call=call({"note": "<!channel> `*_~:smile:\u202e <@U1>\n\t"}), why="<!here>")
    ),
    "approved": lambda: drawn(decided(Status.APPROVED)),
    "spent_running": lambda: drawn(decided(Status.SPENT)),
    "spent_done": lambda: _spent(Outcome.OK, "RF-001"),
    "spent_failed": lambda: _spent(Outcome.ERROR, "order 7 is unknown"),
    "spent_unknown": lambda: _spent(Outcome.UNKNOWN, ""),
    "rejected": lambda: drawn(decided(Status.REJECTED, reason="too much")),
    "expired": lambda: drawn(decided(Status.EXPIRED, by=())),
    "cancelled": lambda: drawn(decided(Status.CANCELLED, by=(), cause=Cause.STOPPED)),
    "superseded": lambda: drawn(decided(Status.SUPERSEDED, by=(), replaced_by=RequestId("q2"))),
    "recovery_open": lambda: drawn(request(kind=Kind.RECOVERY)),
    "recovery_happened": lambda: drawn(decided(Status.ANSWERED, kind=Kind.RECOVERY)),
    "recovery_stopped": lambda: drawn(decided(Status.REJECTED, kind=Kind.RECOVERY)),
    "run_working": lambda: _run(RunStatus.ACTIVE, "Looking up order 7"),
    "run_done": lambda: _run(RunStatus.DONE, "Refunded."),
    **{f"{kind}_open": partial(_inquiry, kind) for kind in ASKED},
    **{f"{kind}_answered": partial(_inquiry, kind, is_answered=True) for kind in ASKED},
    "answer": lambda: Card(body="Order 7 was refunded.", tone=Tone.GOOD, author="react", run="r1", mentions=(ANA,)),
}


def _home() -> dict[str, Any]:
    def waiting(card: Card, ref: MessageRef | None) -> Waiting:
        opened = NOW - timedelta(hours=3)
        return Waiting(request=RequestId("q1"), run=RunId("r1"), card=card, place=PLACE, ref=ref, opened=opened)

    stop = Button(subject="r1", move="stop", label="Stop", token="seal(stop)", style="danger")
    run = RunView(
        run=RunId("r1"), status="waiting", task="refund order 7", requester=ANA, place=PLACE, began=NOW, stop=stop
    )
    settled = Settled(
        request=RequestId("q0"),
        run=RunId("r0"),
        card=drawn(decided(Status.REJECTED, reason="too much")),
        move="reject",
        at=NOW - timedelta(days=2),
    )
    rows = [waiting(_open(), REF), waiting(drawn(request(call=call(LONG))), REF), waiting(_high(), None)]
    return home_view(rows, [run, replace(run, status="done", stop=None)], [settled], now=NOW)


def _form(label: str) -> dict[str, Any]:
    schema = replace(spec(), secrets=("token",))
    shown = drawn(request(), schema)
    button = next(button for button in shown.buttons if button.label == label)
    return form_view(button, metadata="q1 edit seal(edit)")


def pictures() -> dict[str, str]:
    """Every picture by name, as the text of its file."""
    found: dict[str, Any] = {}
    for name, card in CARDS.items():
        shown = draw(card(), user_of=SLACK_USERS)
        files = [{"name": file.name, "bytes": len(file.content), "sha256": file.sha256} for file in shown.files]
        found[name] = {"text": shown.text, "blocks": shown.blocks, "files": files}
    found |= {"home": _home(), "form_edit": _form("Edit"), "form_reject": _form("Reject")}
    return {
        name: json.dumps(picture, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        for name, picture in found.items()
    }


def write() -> None:
    """Write every picture, and take away those that nobody draws any more."""
    GOLDEN.mkdir(exist_ok=True)
    drawn_now = pictures()
    for path in GOLDEN.glob("*.json"):
        if path.stem not in drawn_now:
            path.unlink()
    for name, text in drawn_now.items():
        (GOLDEN / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
