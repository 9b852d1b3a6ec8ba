"""Golden pictures: one JSON for each kind and status of card, for a form and for the Home tab.

    python -m tests.slack.pictures      writes tests/slack/golden anew; read the difference before keeping it

The cards and forms are those of `tests.stories`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from adapters.slack.cards import draw
from adapters.slack.details import details_view
from adapters.slack.fields import form_view
from adapters.slack.homeview import home_view
from bot.domain.chat import Button, Card, MessageRef, PersonId
from bot.domain.pages import RunView, Settled, Waiting
from bot.domain.request import RequestId, RunId, Status
from bot.domain.wire import replace
from tests.domain.given import ANA, BO, NOW, PLACE, call, decided, drawn, request
from tests.goldens import texts, write
from tests.stories import CARDS, FORMS, LONG, details_card, form_button, high_card, open_card

GOLDEN = Path(__file__).parent / "golden"
SLACK_USERS: Mapping[PersonId, str] = {ANA: "UANA", BO: "UBO"}
REF = MessageRef(place=PLACE, id="2.0")

REPORT = """\
From 2026-10-02 to 2026-11-01: 14 decided, 86 % approved, half within 4 min, nine in ten within 2 h, 3 waiting.
Bo <!channel>: 9 decided, 100 % approved, half within 2.1 s, nine in ten within 40 s, 5 approved in under 3 s.
Chris: 5 decided, 60 % approved, half within 12 min, nine in ten within 2 h, 3 waiting.
Expired unanswered: approvers 2."""


def _home(report: str = "") -> dict[str, Any]:
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
    rows = [waiting(open_card(), REF), waiting(drawn(request(call=call(LONG))), REF), waiting(high_card(), None)]
    return home_view(rows, [run, replace(run, status="done", stop=None)], [settled], report, now=NOW)


def _form(name: str) -> dict[str, Any]:
    return form_view(form_button(name), metadata="q1", users={"with": "UANA"})


def pictures() -> dict[str, str]:
    """Every picture by name, as the text of its file."""
    found: dict[str, Any] = {}
    for name, card in CARDS.items():
        shown = draw(card(), user_of=SLACK_USERS)
        files = [{"name": file.name, "bytes": len(file.content), "sha256": file.sha256} for file in shown.files]
        found[name] = {"text": shown.text, "blocks": shown.blocks, "files": files}
    found |= {"home": _home(), "home_report": _home(REPORT)} | {f"form_{name}": _form(name) for name in FORMS}
    found["details"] = details_view(details_card())
    return texts(found)


if __name__ == "__main__":
    write(GOLDEN, pictures())
