"""Sheets as data: which requests share a message, what it shows of each, and when it offers to approve them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.calls import Cause, Outcome, ToolResult, ToolSpec
from bot.domain.chat import Button, Card
from bot.domain.crowd import call_key, channel_key
from bot.domain.inert import unshow
from bot.domain.request import Decision, Kind, Request, RequestId, RunId, Status
from bot.domain.sheet import MOST, Sheet, bound, label, number_of, spread, taken_out
from bot.domain.sheet_card import sheet_card
from bot.domain.verdict import Need, ReasonRule
from bot.domain.wire import Json, replace
from tests.domain.given import BO, CY, NAMES, NOW, ask, call, request, spec, vote

BATCH = ask(is_batch=True)


def asked(count: int, **changes: Any) -> list[Request]:
    """Requests for different calls, numbered from 1."""
    made = [(n, call({"order_id": str(n), "amount": 10})) for n in range(1, count + 1)]
    return [request(**{"id": RequestId(f"q{n}"), "call": one, **changes}) for n, one in made]


def ids(groups: tuple[tuple[Request, ...], ...]) -> list[list[str]]:
    return [[one.id for one in group] for group in groups]


def drawn(*items: Request, spec_of: ToolSpec | None = None, is_gone: bool = False) -> Card:
    known = None if is_gone else spec_of or spec()
    return sheet_card(Sheet(items=items), spec=lambda _: known, names=NAMES, seal=lambda move: f"seal({move})")


def moves(card: Card) -> list[str]:
    return [button.move for button in card.buttons]


def button(card: Card, move: str) -> Button:
    return next(one for one in card.buttons if one.move == move)


# -------------------------------------------------------------- who shares one


def test_equal_calls_under_a_rule_that_says_so_share_a_sheet() -> None:
    """AS-20: the same tool and rule; what stands between them does not part them."""
    first, second, third = asked(3, ask=BATCH)
    between = request(id=RequestId("q9"), ask=ask())

    assert ids(spread([first, between, second, third], 5)) == [["q1", "q2", "q3"]]


@pytest.mark.parametrize(
    "changes",
    [
        {"ask": ask()},
        {"ask": ask(is_batch=True, is_high=True)},
        {"ask": ask(is_batch=True, typed="order_id")},
        {"ask": BATCH, "kind": Kind.RECOVERY},
    ],
    ids=["the rule does not say so", "high risk", "has to be typed", "in doubt"],
)
def test_what_asks_for_more_than_a_look_shares_none(changes: dict[str, Any]) -> None:
    assert spread(asked(3, **changes), 5) == ()


def test_other_tools_and_other_rules_are_not_equal() -> None:
    one, two = asked(2, ask=BATCH)
    other = replace(two, ask=replace(BATCH, rule="another"))
    foreign = replace(two, call=call({"order_id": "2"}, tool="cancel"))

    assert spread([one, other], 5) == spread([one, foreign], 5) == ()


def test_a_sheet_holds_twenty_and_one_that_is_left_stands_alone() -> None:
    groups = spread(asked(MOST + 1, ask=BATCH), 5)

    assert [len(group) for group in groups] == [MOST]


@pytest.mark.parametrize(("count", "listed"), [(5, 0), (6, 0), (7, 2), (9, 4), (26, 20)])
def test_beyond_the_first_few_cards_there_is_a_list(count: int, listed: int) -> None:
    """T19: a list of one would only hide a card behind a button."""
    groups = spread(asked(count), 5)

    assert sum(len(group) for group in groups[:1]) == listed


def test_a_sheet_counts_as_one_of_the_few_cards_and_a_question_stays_on_its_own() -> None:
    batch = [replace(one, id=RequestId(f"b{one.id}")) for one in asked(3, ask=BATCH)]
    question = request(id=RequestId("qq"), kind=Kind.QUESTION)

    groups = spread([*batch, *asked(5), question, replace(asked(7)[6], id=RequestId("q7"))], 5)

    assert ids(groups) == [["bq1", "bq2", "bq3"], ["q5", "q7"]]


def test_what_belongs_in_another_channel_is_not_listed_here() -> None:
    """What a channel of approvers reads is not for everybody in the thread."""
    elsewhere = [replace(one, id=RequestId(f"f{one.id}"), ask=ask(place="#finance")) for one in asked(2)]

    groups = spread([*asked(7), *elsewhere], 5)

    assert ids(groups) == [["q6", "q7"], ["fq1", "fq2"]]


def test_the_head_names_all_items_and_each_item_its_head() -> None:
    head, *rest = bound(tuple(asked(3)))

    assert head.items == ("q1", "q2", "q3")
    assert head.sheet is None
    assert [(one.sheet, one.items) for one in rest] == [("q1", ())] * 2


def test_the_digest_names_the_calls_and_their_order() -> None:
    """T13: a button for these calls in this order is a button for no others."""
    one, two, three = asked(3)

    digests = {Sheet(items=items).digest for items in ((one, two), (two, one), (one, two, three), (one,), (one, three))}

    assert len(digests) == 5


@pytest.mark.parametrize("text", ["", "x", "1", "1) x", "٣. x", "-1. x", "99999. x"])
def test_only_a_label_is_read_back_as_a_number(text: str) -> None:
    assert number_of(label(12, "wire. 3")) == 12
    assert number_of(text) in (0, 1)


# --------------------------------------------------------------- what it shows


def test_every_call_is_shown_whole_and_can_be_read_back() -> None:
    """PP-06, D-33, T03: what stands under a number is exactly what would run."""
    hostile: dict[str, Json] = {"order_id": "7\u202e\u200b<!channel>", "amount": 1}
    items = [replace(one, ask=BATCH) for one in (request(), request(id=RequestId("q2"), call=call(hostile)))]

    card = drawn(*items)

    codes = [block for block in card.blocks if block.is_code]
    assert [json.loads(unshow(block.text)) for block in codes] == [item.call.values for item in items]
    assert [block.label.split(" ")[0] for block in codes] == ["1.", "2."]
    assert "2. ⚠ Hidden characters" in {fact.label for fact in card.facts}


def test_what_is_too_long_is_attached_whole_under_its_number() -> None:
    """D-33: nothing is cut; the sheet says which file is which call's."""
    long = call({"order_id": "7", "amount": 1, "reason": "x" * 5_000})
    card = drawn(request(ask=BATCH), request(id=RequestId("q2"), call=long, ask=BATCH))

    (file,) = card.attachments
    assert file.name == "arguments-2.json"
    assert json.loads(file.content) == long.values
    assert "(arguments-2.json)" in card.blocks[1].text
    assert "approve_all" in moves(card)


@pytest.mark.parametrize("how", ["changed", "gone"])
def test_what_cannot_be_shown_whole_takes_the_approval_from_the_sheet(how: str) -> None:
    """PP-06, I8: one item that nobody can read is enough; refusing stays possible."""
    one, two = asked(2, ask=BATCH)
    broken = replace(two, call=replace(two.call, args='{"order_id": "8"}'))  # not what its digest names

    card = drawn(one, broken if how == "changed" else two, is_gone=how == "gone")

    assert moves(card) == ["reject_all", "stop"]
    assert any(fact.label.endswith("Cannot be approved") for fact in card.facts)


def test_a_secret_shows_nowhere_on_a_sheet() -> None:
    """A2-01: not in its arguments, nor where it is chosen, nor in anybody's words."""
    hidden = spec(secrets=("token",))
    items = [
        request(id=RequestId(f"q{n}"), call=call({"order_id": "7", "amount": n, "token": "hunter2!"}), ask=BATCH)
        for n in (1, 2)
    ]
    said = ToolResult(outcome=Outcome.OK, text="paid with hunter2!")
    done = replace(items[0], status=Status.SPENT, outcome=said, decision=Decision(status=Status.APPROVED, at=NOW))

    for first in (items[0], done):
        card = drawn(replace(first, task="use hunter2!", why="hunter2! it is"), items[1], spec_of=hidden)
        assert "hunter2!" not in repr(card)


SIGNED = Decision(status=Status.APPROVED, at=NOW, by=(BO,))
STATES = [
    ({}, "waiting"),
    ({"votes": (vote(),), "ask": ask(Need(of="finance", need=2), is_batch=True)}, "1 of 2 signed"),
    ({"status": Status.APPROVED, "decision": SIGNED}, "approved by Bo, starting"),
    ({"status": Status.SPENT, "decision": replace(SIGNED, by=(BO, CY))}, "approved by Bo and Cy, running"),
    (
        {
            "status": Status.REJECTED,
            "decision": Decision(status=Status.REJECTED, at=NOW, by=(BO,), cause=Cause.PERSON, reason="too\u200b much"),
        },
        "rejected by Bo: “too⟨U+200B⟩ much”",
    ),
    (
        {
            "status": Status.REJECTED,
            "decision": Decision(status=Status.REJECTED, at=NOW, by=(BO,), reason=taken_out("Bo")),
        },
        "taken out by Bo",
    ),
    ({"status": Status.EXPIRED, "decision": Decision(status=Status.EXPIRED, at=NOW)}, "expired, not executed"),
    ({"status": Status.SUPERSEDED, "decision": Decision(status=Status.SUPERSEDED, at=NOW)}, "withdrawn"),
    ({"status": Status.SUPERSEDED, "replaced_by": RequestId("q7")}, "changed: see its new card"),
    ({"status": Status.CANCELLED}, "cancelled"),
]


@pytest.mark.parametrize(("changes", "told"), STATES, ids=[told for _, told in STATES])
def test_each_item_says_what_became_of_it(changes: dict[str, Any], told: str) -> None:
    one, two = asked(2, ask=BATCH)

    card = drawn(replace(one, **changes), two)

    assert card.blocks[0].label == f"1. refund · {told} · {one.call.digest[:12]}"


def test_a_decided_sheet_has_no_buttons_and_one_that_waits_speaks_of_what_waits() -> None:
    """I3: buttons only for what is open; the choice holds only that."""
    one, two, three = asked(3, ask=BATCH)
    over = {"status": Status.EXPIRED, "decision": Decision(status=Status.EXPIRED, at=NOW)}

    partly, over_all = drawn(replace(one, **over), two, three), drawn(*(replace(r, **over) for r in (one, two, three)))

    assert button(partly, "approve_all").label == "Approve all 2"
    assert [number_of(option) for option in button(partly, "approve_some").fields[0].options] == [2, 3]
    assert (partly.status, partly.title) == ("1 expired, 2 waiting.", "Approval needed: 3 × refund")
    assert (over_all.buttons, over_all.title) == ((), "All decided: 3 × refund")


def test_a_list_approves_nothing_and_wants_a_reason_if_any_item_does() -> None:
    one, two = asked(2)
    strict = replace(two, ask=ask(reason=ReasonRule.ON_REJECT, is_high=True))

    card = drawn(one, strict)

    assert moves(card) == ["open_one", "reject_all", "stop"]
    assert button(card, "reject_all").fields[0].is_required
    assert [number_of(option) for option in button(card, "open_one").fields[0].options] == [1, 2]


def test_the_earliest_deadline_of_what_waits_is_told() -> None:
    one, two = asked(2, ask=BATCH)
    soon = replace(two, deadline=NOW + timedelta(hours=1))

    told = next(fact.value for fact in drawn(one, soon).facts if fact.label == "Deadline")

    assert told.startswith("2026-05-01 13:00 UTC")


# ------------------------------------------------------------------- crowd


def test_what_makes_a_call_the_same_and_where_it_is_counted() -> None:
    """T18: person and bytes, whatever the thread; a question, within its run; what must be settled, never."""
    one = request()

    assert call_key(one) == call_key(replace(one, id=RequestId("q2"), run=RunId("r2"), path="/9.0"))
    question = replace(one, kind=Kind.QUESTION)
    assert call_key(question) != call_key(replace(question, run=RunId("r2")))
    assert [call_key(replace(one, kind=kind)) for kind in (Kind.RECOVERY, Kind.AFTERMATH)] == ["", ""]
    assert channel_key(one) == "slack/T1/C1"
    assert channel_key(replace(one, ask=ask(place="#finance"))) == "slack/T1/finance"
