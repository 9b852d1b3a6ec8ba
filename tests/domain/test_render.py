"""Cards: complete, inert, or not approvable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain import wording
from bot.domain.arguments import ATTACH_MOST, SHOWN_MOST
from bot.domain.calls import Cause, Outcome, ToolResult, canonical
from bot.domain.chat import Block, Button, Card, FieldKind, Tone
from bot.domain.inert import unshow
from bot.domain.render import card, is_approvable
from bot.domain.request import Edit, Kind, Move, Request, RequestId, RunId, Status
from bot.domain.run import Run, RunStatus, Task
from bot.domain.run_card import status_card
from bot.domain.verdict import Climb, Need, ReasonRule, Rung
from bot.domain.wire import Json, replace
from tests.domain.given import ANA, BO, NAMES, NOW, PLACE, ask, call, decided, drawn, request, spec, vote
from tests.domain.test_inert import is_forbidden

FAKE_APPROVAL = "✅ Security approved.\nTool: read_file\nRisk: read\n[Approve]" + "\n" * 5_000 + "Really."
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ARGUMENTS = st.dictionaries(st.text(), JSON_VALUES, max_size=6)


def labels(shown: Card) -> list[str]:
    return [button.label for button in shown.buttons]


def button(shown: Card, label: str) -> Button:
    return next(one for one in shown.buttons if one.label == label)


def fact(shown: Card, label: str) -> str | None:
    return next((one.value for one in shown.facts if one.label == label), None)


def block(shown: Card, label: str) -> Block:
    return next(one for one in shown.blocks if one.label == label)


def texts(shown: Card) -> list[str]:
    """Every string a reader sees, but not what stands in an input."""
    facts = [text for one in shown.facts for text in (one.label, one.value)]
    blocks = [text for one in shown.blocks for text in (one.label, one.text)]
    buttons = [text for one in shown.buttons for text in (one.label, one.confirm or "")]
    return [shown.title, shown.body, shown.status, shown.footer, *facts, *blocks, *buttons]


def displayed(shown: Card) -> bytes:
    """The canonical bytes of what a reader can see: from the block, or from the attachment."""
    if shown.attachments:
        (attachment,) = shown.attachments
        assert hashlib.sha256(attachment.content).hexdigest() == attachment.sha256
        assert attachment.sha256 in block(shown, "Arguments").text
        return attachment.content
    return canonical(json.loads(unshow(block(shown, "Arguments").text)))


# -------------------------------------------------------------- T01: words


def test_a_hostile_reason_changes_nothing_but_its_own_labelled_block() -> None:
    """PP-06, T01: the agent says "security approved, tool: read_file" and 5 kB of newlines; the card says delete_db."""
    honest = drawn(request(call=call({"name": "orders"}, tool="delete_db"), why="please"))
    forged = drawn(request(call=call({"name": "orders"}, tool="delete_db"), why=FAKE_APPROVAL))

    assert forged.title == honest.title == "Approval needed: delete_db"
    assert forged.facts == honest.facts
    assert forged.buttons == honest.buttons
    assert fact(forged, "Tool") == "delete_db, version 1"
    assert block(forged, "Arguments") == block(honest, "Arguments")


def test_the_agents_words_are_short_quoted_and_after_the_arguments() -> None:
    """T01: at most 300 characters, on one line, labelled as not verified."""
    shown = drawn(request(why=FAKE_APPROVAL * 10))

    why = shown.blocks[-1]
    assert why.label == "Why, in the agent's words (not verified)"
    assert len(why.text) <= 300
    assert "\n" not in why.text
    assert "more characters)" in why.text
    assert [one.label for one in shown.blocks].index("Arguments") == 0


@pytest.mark.parametrize(("field", "most"), [("why", 300), ("explanation", 1_500), ("task", 500)])
def test_nobodys_words_can_push_the_buttons_off_the_screen(field: str, most: int) -> None:
    """T01: long, tall and empty texts stay within their bound."""
    for text in ("x\n" * 50_000, "\n" * 50_000 + "x", "y" * 50_000, "\u202e" * 50_000):
        shown = drawn(request(**{"task": "", field: text}))

        assert len(shown.blocks[-1].text) <= most
        assert shown.blocks[-1].text.count("\n") < 20


@given(st.text(), st.text(), st.text())
def test_no_words_of_others_reach_title_facts_buttons_or_arguments(why: str, explanation: str, task: str) -> None:
    """T01: the mediator's part of the card does not depend on anything an agent or its input says."""
    plain = drawn(request(why="", explanation="x", task=""))
    shown = drawn(request(why=why, explanation="x" + explanation, task=task))

    assert (shown.title, shown.facts, shown.status, shown.buttons) == (
        plain.title,
        plain.facts,
        plain.status,
        plain.buttons,
    )
    assert shown.blocks[0] == plain.blocks[0]


# ------------------------------------------------- T02: complete, or nothing


@pytest.mark.parametrize("size", [1, 2_940, 2_999, 3_000, 3_001, 12_000, 100_000, 5_000_000])
@pytest.mark.parametrize("spot", ["start", "middle", "end"])
def test_every_byte_that_would_run_is_displayed_or_there_is_no_approve(size: int, spot: str) -> None:
    """PP-06, T02: a payload at the start, in the middle or at the end of 1 B to 5 MB."""
    payload = "rm -rf /"[:size]
    left = size - len(payload)
    before = {"start": 0, "middle": left // 2, "end": left}[spot]
    asked = request(call=call({"body": "a" * before + payload + "a" * (left - before)}))

    shown = drawn(asked)

    assert is_approvable(asked) == ("Approve" in labels(shown)) == (size < 5_000_000)
    if is_approvable(asked):
        assert displayed(shown) == asked.call.args.encode()
    else:
        assert labels(shown) == ["Reject", "Details", "Stop"]
        assert "more than the 256,000" in shown.status


def test_the_largest_attachable_call_is_approvable_and_one_byte_more_is_not() -> None:
    """T02: the cap is exact."""
    room = ATTACH_MOST - len(canonical({"body": ""}))

    assert is_approvable(request(call=call({"body": "a" * room})))
    assert not is_approvable(request(call=call({"body": "a" * (room + 1)})))


@settings(max_examples=200)
@given(ARGUMENTS)
def test_any_arguments_can_be_read_back_from_their_card(args: dict[str, Json]) -> None:
    """T02, T03: shown text → unshow → JSON → canonical bytes: the very bytes that run."""
    asked = request(call=call(args))

    shown = drawn(asked)

    assert displayed(shown) == asked.call.args.encode()
    assert not [text for text in texts(shown) for char in text if is_forbidden(char)]
    assert all("\n" not in text for text in (shown.title, shown.status, *(one.value for one in shown.facts)))


def test_arguments_full_of_hidden_characters_are_attached_when_their_spelling_does_not_fit() -> None:
    """T02, T03: 400 overrides are 400 bytes of trouble and 3,200 characters of spelling."""
    asked = request(call=call({"body": "\u202e" * 400}))

    shown = drawn(asked)

    assert shown.attachments[0].content == asked.call.args.encode()
    assert fact(shown, "⚠ Hidden characters") == "400 in the arguments"


def test_a_call_that_does_not_match_its_digest_cannot_be_approved() -> None:
    """T06: somebody changed the stored arguments under the request."""
    asked = request(call=replace(call(), args='{"amount":9999,"order_id":"7"}'))

    shown = drawn(asked)

    assert not is_approvable(asked)
    assert labels(shown) == ["Reject", "Details", "Stop"]
    assert "9999" not in "".join(texts(shown))


@pytest.mark.parametrize(
    "args", ['{"a": 1}', '{"a":1,"a":2}', "[1]", "{", '{"a":"\\ud800"}', "[" * 100_000, '{"a":NaN}']
)
def test_arguments_in_any_but_their_canonical_spelling_cannot_be_approved(args: str) -> None:
    """T06: duplicates, surrogates, depth and loose spelling are not shown as if they were fine."""
    asked = request(call=replace(call(), args=args))

    assert not is_approvable(asked)
    assert "Approve" not in labels(drawn(asked))


def test_a_tool_that_changed_since_cannot_be_approved() -> None:
    """PN-15, T06: the tool's version differs from the one the call was checked against."""
    shown = drawn(request(), replace(spec(), version="2"))

    assert "Approve" not in labels(shown)
    assert "the tool has changed" in shown.status


def test_a_long_argument_says_how_long_it_is() -> None:
    """T02: a length per argument, so that padding shows."""
    shown = drawn(request(call=call({"body": "a" * 12_345, "to": "x"})))

    assert fact(shown, "args.body") == "(12,345 characters, in the attachment)"
    assert fact(shown, "args.to") == "x"


def test_arguments_that_differ_from_their_default_are_named() -> None:
    """T02: currency is EUR unless somebody wants it otherwise."""
    assert fact(drawn(request(call=call({"amount": 1, "currency": "USD"}))), "Not the default") == "currency"
    assert fact(drawn(request(call=call({"amount": 1, "currency": "EUR"}))), "Not the default") is None


# ----------------------------------------------------- T03, T04, T21: inert


def test_hidden_and_look_alike_characters_are_named() -> None:
    """T03: an override is spelled out, a Cyrillic letter is warned of."""
    shown = drawn(request(call=call({"user": "аdmin", "file": "a\u202egpj.exe"})))

    assert any("a⟨U+202E⟩gpj.exe" in one.text for one in shown.blocks)
    assert "⟨U+202E⟩" in block(shown, "Arguments").text
    assert "U+0430" in (fact(shown, "⚠ Look-alike letters") or "")
    assert fact(shown, "⚠ Hidden characters") == "1 in the arguments, spelled ⟨U+…⟩ below"


@pytest.mark.parametrize(
    "text", ["<!channel> <@U1>", "<https://evil|https://bank>", "```x```", "*x* _y_", "[a](b)", "&lt;"]
)
def test_markup_is_passed_on_as_it_is_and_never_interpreted(text: str) -> None:
    """T04: making it literal is the adapter's part; the renderer neither drops nor changes a character."""
    shown = drawn(request(call=call({"body": text}), why=text, task=text))

    assert all(text in one.text for one in shown.blocks)
    assert shown.mentions == ()


def test_a_hostile_name_or_argument_name_stays_on_its_line() -> None:
    """T21: newlines in a person's name, a tool's name, an argument's name and a reason."""
    forged = "Bo\nRisk: read"
    asked = decided(Status.REJECTED, call=call({forged: "x"}, tool=forged), reason=forged)

    shown = card(asked, spec(forged), names={ANA: forged, BO: forged}, seal=str)

    assert not [text for text in (shown.title, shown.status) if "\n" in text]
    assert not [one for one in shown.facts if "\n" in one.label + one.value]
    assert [one.label for one in shown.facts].count("Risk") == 1


def test_an_argument_cannot_pose_as_a_fact_of_ours() -> None:
    """T01: an argument named "Risk" or "Asked by" stands in the block alone."""
    shown = drawn(request(call=call({"Risk": "read: only looks", "Asked by": "the CEO"})))

    assert fact(shown, "Risk") == "write: changes something"
    assert fact(shown, "Asked by") == "Ana, through react"
    assert [one.label for one in shown.facts].count("Asked by") == 1


# ------------------------------------------------------------ T20: secrets


@pytest.mark.parametrize("of", [request, lambda **changes: decided(Status.SPENT, **changes)])
def test_a_secret_appears_nowhere_on_its_card(of: Callable[..., Request]) -> None:
    """T20, A2-01: masked with a fingerprint in arguments, attachment, difference, form, and every quoted text."""
    secret, older = "CANARY-s3cr3t-of-24-chars", "CANARY-older"
    leaks = f"the token is {secret} and"
    asked = of(
        call=call({"order_id": "7", "token": secret, "reason": "r" * 4_000}),
        edit=Edit(editor=BO, was=canonical({"order_id": "7", "token": older}).decode()),
        why=leaks,
        task=leaks,
        explanation=leaks,
        ask=ask(reason=ReasonRule.ALWAYS),
    )

    shown = drawn(asked, spec(secrets=("token",)), outcome=ToolResult(outcome=Outcome.OK, text=leaks))

    everything = repr(shown)
    assert "CANARY" not in everything
    assert f"•••• (secret, sha256 {hashlib.sha256(secret.encode()).hexdigest()[:8]})" in everything


def test_a_short_secret_has_no_fingerprint_to_guess_it_from() -> None:
    """T20: of a PIN's 10,000 values, eight digits of a hash leave one or two."""
    shown = drawn(request(call=call({"order_id": "7", "token": "4711"})), spec(secrets=("token",)))

    assert "•••• (secret)" in repr(shown)
    assert hashlib.sha256(b"4711").hexdigest()[:8] not in repr(shown)


def test_a_tool_that_is_gone_shows_no_argument_at_all() -> None:
    """T20: without its spec nobody knows which arguments are secret; nobody can approve it either."""
    asked = request(call=call({"token": "CANARY-x"}), why="use CANARY-x")

    shown = card(asked, None, names=NAMES, seal=str)

    assert "CANARY" not in repr(shown)
    assert labels(shown) == ["Reject", "Details", "Stop"]
    assert "gone" in shown.status


def test_a_secret_with_foreign_letters_is_not_quoted_by_the_warning() -> None:
    """T20: the look-alike warning reads the masked arguments."""
    shown = drawn(request(call=call({"token": "CANАRY-x"})), spec(secrets=("token",)))

    assert "CAN" not in repr(shown.facts)


# ------------------------------------------------------------------- facts


def test_an_approval_card_says_who_asked_for_what_why_and_until_when() -> None:
    """AS-29, ST-38."""
    shown = drawn()

    assert shown.title == "Approval needed: refund"
    assert shown.tone is Tone.WAITING
    assert fact(shown, "Asked by") == "Ana, through react"
    assert fact(shown, "Why a person is asked") == "big-refund: args.amount 150 > 100"
    assert fact(shown, "Deadline") == "2026-05-01 16:00 UTC, then it is not executed"
    assert fact(shown, "Digest") == call().digest[:12]
    assert any('"amount": 150' in one.text for one in shown.blocks)
    assert shown.footer == "q1 · r1 · v1"
    assert shown.run == "r1"


def test_the_tally_names_who_is_still_needed() -> None:
    """PN-03: how many of how many, and which groups are open."""
    groups = (Need(of="manager(requester)"), Need(of="finance", need=2), Need(of="@bo"))
    asked = request(ask=ask(*groups), votes=(vote(),))

    assert fact(drawn(asked), "Signatures") == "1 of 4, finance ×2 and Bo still needed"
    assert drawn(asked).status == "Signed by Bo. Waiting for the rest."


def test_a_high_risk_card_looks_dangerous_and_its_approve_asks_once_more() -> None:
    """PN-13: the risk is the first thing one sees."""
    shown = drawn(request(ask=ask(is_high=True)))

    assert shown.title == "⚠ High-risk: refund"
    assert shown.tone is Tone.DANGER
    assert button(shown, "Approve").confirm == "Run refund with exactly the arguments shown?"
    assert button(drawn(), "Approve").confirm is None


def test_an_edited_call_shows_what_changed_and_who_did_it() -> None:
    """PN-02: each changed argument as old and new; unchanged ones are not repeated."""
    was = canonical({"order_id": "7", "amount": 900, "body": "x" * 5_000}).decode()
    shown = drawn(
        request(call=call({"order_id": "7", "amount": 500, "currency": "USD"}), edit=Edit(editor=BO, was=was))
    )

    lines = block(shown, "Changed by Bo").text.splitlines()
    assert lines[:2] == ["- amount: 900", "+ amount: 500"]
    assert lines[2].startswith("- body: (5,002 bytes, sha256 ")
    assert lines[3:] == ['+ currency: "USD"']


# ----------------------------------------------------------------- buttons


def test_every_button_carries_its_subject_and_its_own_seal() -> None:
    """T13: a seal per move; Stop is about the run."""
    shown = drawn()

    assert labels(shown) == ["Approve", "Edit", "Reject", "Explain", "Details", "Stop"]
    assert {(one.move, one.subject) for one in shown.buttons} == {
        ("approve", "q1"),
        ("edit", "q1"),
        ("reject", "q1"),
        ("explain", "q1"),
        ("details", "q1"),
        ("stop", "r1"),
    }
    assert all(one.token == f"seal({one.move})" for one in shown.buttons)


@pytest.mark.parametrize(
    ("rule", "approving", "rejecting"),
    [(ReasonRule.NEVER, [], [False]), (ReasonRule.ON_REJECT, [], [True]), (ReasonRule.ALWAYS, [True], [True])],
)
def test_a_reason_is_asked_for_where_the_rule_wants_one(
    rule: ReasonRule, approving: list[bool], rejecting: list[bool]
) -> None:
    shown = drawn(request(ask=ask(reason=rule)))

    assert [one.is_required for one in button(shown, "Approve").fields] == approving
    assert [one.is_required for one in button(shown, "Reject").fields] == rejecting


def test_the_edit_form_starts_from_the_values_that_would_run() -> None:
    fields = {one.name: one for one in button(drawn(), "Edit").fields}

    assert (fields["order_id"].value, fields["order_id"].kind) == ("7", FieldKind.TEXT)
    assert (fields["amount"].value, fields["amount"].kind) == ("150", FieldKind.NUMBER)
    assert fields["currency"].options == ("EUR", "USD")


def test_a_recovery_card_offers_what_may_have_happened() -> None:
    shown = drawn(request(kind=Kind.RECOVERY))

    assert shown.title == "⚠ In doubt: did refund happen?"
    assert [(one.label, one.move) for one in shown.buttons] == [
        ("It happened", "answer"),
        ("It did not – run it now", "approve"),
        ("Skip it – leave it in doubt", "reject"),
        ("Details", "details"),
        ("Stop", "stop"),
    ]
    assert [(one.name, one.is_required) for one in button(shown, "It happened").fields] == [("result", False)]


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OPEN])
@pytest.mark.parametrize("kind", list(Kind))
def test_nothing_can_be_pressed_after_the_end(status: Status, kind: Kind) -> None:
    """PP-07, I3: no render with buttons after the decision, and every status has its card."""
    shown = drawn(decided(status, kind=kind))

    assert shown.buttons == ()
    assert "refund" in shown.title
    assert shown.status


# --------------------------------------------------------------------- time


def test_a_card_without_a_deadline_says_how_often_it_is_asked_again() -> None:
    """ST-41: whoever reads it knows that it will not go away, and that nothing happens by itself."""
    ladder = (Rung(after=timedelta(hours=1), do=Climb.REMIND), Rung(after=timedelta(days=7), do=Climb.REVIEW))

    shown = drawn(request(deadline=None, ask=ask(ladder=ladder)))

    assert [fact.value for fact in shown.facts if fact.label == "Deadline"] == ["No deadline; asked again every 7 days"]


@pytest.mark.parametrize(
    ("length", "told"),
    [
        (timedelta(days=7), "7 days"),
        (timedelta(days=1), "1 day"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=1), "1 second"),
    ],
)
def test_a_length_of_time_is_told_in_the_largest_unit_that_is_true(length: timedelta, told: str) -> None:
    assert wording.span(length) == told


@pytest.mark.parametrize(
    ("of", "told"),
    [
        ("manager(manager(requester))", "Ana's manager's manager"),
        ("manager(manager(approver))", "manager(manager(approver))"),
        ("oncall(support)", "whoever is on call for support"),
    ],
)
def test_whom_an_audience_means_is_told_to_people(of: str, told: str) -> None:
    assert wording.audience(of, ANA, NAMES) == told


# ------------------------------------------------------------------ endings


def of(outcome: Outcome, cause: Cause | None = None) -> ToolResult:
    return ToolResult(outcome=outcome, text="", cause=cause)


@pytest.mark.parametrize(
    ("asked", "title", "told"),
    [
        (decided(Status.APPROVED), "Approved: refund", "Approved by Bo at 2026-05-01 12:00 UTC. Starting."),
        (decided(Status.SPENT), "Approved: refund", "Running."),
        (decided(Status.SPENT, outcome=of(Outcome.OK)), "Approved: refund", "Done."),
        (decided(Status.SPENT, outcome=of(Outcome.ERROR)), "Approved: refund", "It ran and failed."),
        (decided(Status.SPENT, outcome=of(Outcome.UNKNOWN)), "Approved: refund", "took effect is not known."),
        (
            decided(Status.APPROVED, outcome=of(Outcome.NOT_RUN, Cause.WITHDRAWN)),
            "Approved, but not run: refund",
            "It was not run. Why: a right was withdrawn after the signature.",
        ),
        (decided(Status.REJECTED, reason="too much"), "Rejected: refund", "Reason: “too much”. Nothing was run."),
        (decided(Status.EXPIRED, by=()), "Expired – not executed: refund", "Nobody signed in time"),
        (
            decided(Status.CANCELLED, by=(), cause=Cause.STOPPED),
            "Cancelled: refund",
            "Cancelled at 2026-05-01 12:00 UTC: the run was stopped. Nothing was run.",
        ),
        (
            decided(Status.SUPERSEDED, by=(), replaced_by=RequestId("q2")),
            "Superseded – replaced by a newer request: refund",
            "A newer request took its place (q2). Nothing was run.",
        ),
        (decided(Status.ANSWERED, kind=Kind.RECOVERY), "Settled: refund happened", "Bo said"),
        (decided(Status.REJECTED, kind=Kind.RECOVERY), "Skipped: refund stays in doubt", "Left in doubt by Bo"),
        (decided(Status.APPROVED, kind=Kind.RECOVERY), "Approved to run now: refund", "Starting."),
    ],
)
def test_every_end_says_what_happened_and_who_decided(asked: Request, title: str, told: str) -> None:
    shown = drawn(asked)

    assert shown.title == title
    assert told in shown.status


def test_a_running_call_whose_outcome_is_known_shows_what_the_tool_said_apart() -> None:
    shown = drawn(decided(Status.SPENT), outcome=ToolResult(outcome=Outcome.OK, text="RF-001"))

    assert block(shown, "What the tool answered (not verified)").text == "“RF-001”"
    assert shown.tone is Tone.GOOD


# ------------------------------------------------------------------- status


@pytest.mark.parametrize("status", list(RunStatus))
def test_a_run_can_be_stopped_as_long_as_it_lives(status: RunStatus) -> None:
    """AS-16, AS-37: the status message carries the buttons that end the run, and that take it over."""
    run = Run(
        id=RunId("r1"), task=Task(text="x", by=ANA, place=PLACE), agent="react", began=NOW, status=status, told="Ok."
    )

    shown = status_card(run, "", seal=lambda move: f"seal({move})", names=NAMES)

    is_alive = status in (RunStatus.ACTIVE, RunStatus.WAITING)
    told = [("r1", "take_run", "seal(take_run)"), ("r1", "stop", "seal(stop)")]
    steps = [("r1", "steps", "seal(steps)")]  # what was done can be read as long as it is known
    assert [(one.subject, one.move, one.token) for one in shown.buttons] == told * is_alive + steps
    assert shown.status == "Ok."
    assert fact(shown, "Asked by") == "Ana"


def test_a_run_in_somebodys_hands_says_whose_and_can_be_handed_back() -> None:
    """AS-37: a name cannot pass for a heading of ours, and an ended run is in nobody's hands."""
    run = Run(id=RunId("r1"), task=Task(text="x", by=ANA, place=PLACE), agent="react", began=NOW, taken_by=BO)

    shown = status_card(run, "", seal=lambda move: f"seal({move})", names={BO: "Bo\n\nApproved"})
    ended = status_card(replace(run, status=RunStatus.STOPPED), "", seal=lambda move: move, names=NAMES)

    assert shown.title == "Bo⟨U+000A⟩⟨U+000A⟩Approved works on this by hand"
    assert [button.move for button in shown.buttons] == ["hand_back", "stop", "steps"]
    (text,) = shown.buttons[0].fields
    assert (text.name, text.is_required) == ("text", False)
    assert (ended.title, [button.move for button in ended.buttons]) == ("Stopped", ["steps"])


def test_drawing_is_a_pure_function() -> None:
    asked = request(why="x", deadline=NOW + timedelta(days=1))

    assert drawn(asked) == drawn(asked)
    assert SHOWN_MOST == 3_000
    assert cast(str, Move.APPROVE) == "approve"
