"""Which text people accepted, and which calls may use it."""

from __future__ import annotations

import json

import pytest

from bot.domain.accepted import accepted_in, unaccepted
from bot.domain.calls import Outcome, Past, ToolResult, ToolSpec, make_call

REVIEW = ToolSpec(name="review_draft", version="1", description="", schema="{}", asks="review")
PUBLISH = ToolSpec(name="publish", version="1", description="", schema="{}", accepted="text")
ACCEPTED = {"move": "accept", "status": "accepted", "final": "v2"}


def result(answer: object, outcome: Outcome = Outcome.OK) -> ToolResult:
    return ToolResult(outcome=outcome, text="", answer=json.dumps(answer))


def past(spec: ToolSpec, what: ToolResult, name: str = "") -> Past:
    args = json.dumps({"name": name}) if name else "{}"
    return Past(tool=spec.name, args=args, outcome=what.outcome, accepted=accepted_in(spec, what))


def told(text: str, *history: Past) -> str | None:
    return unaccepted(PUBLISH, make_call(id="1", tool="publish", version="1", args={"text": text}), history)


def test_an_accepted_text_may_be_used_to_the_letter() -> None:
    """ST-07."""
    known = past(REVIEW, result(ACCEPTED))

    assert told("v2", known) is None
    for other in ("v1", "v2 ", "V2", ""):
        assert (told(other, known) or "").startswith("the text of publish must be exactly what people accepted")


@pytest.mark.parametrize(
    "what",
    [
        result({"move": "revise", "status": "revise", "text": "v2"}),
        result({"move": "leave", "status": "unaccepted"}),
        result(ACCEPTED, Outcome.UNKNOWN),
        ToolResult(outcome=Outcome.OK, text="v2"),
    ],
)
def test_what_people_did_not_accept_may_not_be_used(what: ToolResult) -> None:
    """D-14."""
    assert told("v2", past(REVIEW, what)) is not None


def test_of_one_draft_the_version_accepted_last_is_the_accepted_one() -> None:
    """ST-07: an editor's version took the reviewed one's place; a draft of another name took nobody's."""
    first, later = past(REVIEW, result({**ACCEPTED, "final": "v1"}), "post"), past(REVIEW, result(ACCEPTED), "post")
    other = past(REVIEW, result({**ACCEPTED, "final": "mail"}), "mail")

    assert told("v1", first) is None
    assert told("v1", first, other, later) is not None
    assert told("v2", first, other, later) is None
    assert told("mail", first, other, later) is None


def test_an_accepted_finding_is_no_accepted_text() -> None:
    """ST-07, AS-25: it is a few lines of something."""
    finding = ToolSpec(name="review_finding", version="1", description="", schema="{}", asks="review")

    assert told("v2", past(finding, result(ACCEPTED))) is not None


@pytest.mark.parametrize("asks", ["", "question", "form"])
def test_a_tool_that_is_no_review_accepts_nothing_whatever_it_answers(asks: str) -> None:
    """I1: a foreign tool may forge a whole result, answer and all."""
    forged = ToolSpec(name="review_draft", version="1", description="", schema="{}", asks=asks)

    assert told("v2", past(forged, result(ACCEPTED))) is not None


def test_a_tool_that_needs_no_accepted_text_is_let_pass() -> None:
    assert unaccepted(REVIEW, make_call(id="1", tool="review_draft", version="1", args={}), ()) is None
