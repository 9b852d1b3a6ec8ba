"""Grants: what a form may say, what terms match, and the sentence people read before they give them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from bot.domain import grant as grants
from bot.domain.calls import Risk, ToolCall, make_call
from bot.domain.chat import Card
from bot.domain.errors import InvalidArguments
from bot.domain.grant import matches, offer_from_form, text, why_not
from bot.domain.offer import Offer
from bot.domain.request import Kind, Request, Status
from bot.domain.verdict import Ask, Grantable, Need, ReasonRule
from bot.domain.wire import Json, pack, replace, unpack
from tests.domain import given

HOUR = timedelta(hours=1)
BOUNDS = Grantable(most=10, within=timedelta(hours=8), same=("order_id",))
GOOD: dict[str, object] = {"scope": "this thread", "until": "1 hour", "most": "5", "exact": "no"}


def asking(bounds: Grantable | None = BOUNDS, call: ToolCall | None = None, **changes: Any) -> Request:
    ask = {name: changes.pop(name) for name in list(changes) if name in Ask.__struct_fields__ and name != "place"}
    return given.request(ask=replace(given.ask(), grant=bounds, **ask), call=call or given.call(), **changes)


def offered(fields: dict[str, object] | None = None, request: Request | None = None) -> Offer:
    return offer_from_form(request or asking(), given.spec(), GOOD | (fields or {}), given.BO, given.NOW)


def granted(fields: dict[str, object] | None = None, request: Request | None = None) -> grants.Grant:
    asked = request or asking()
    signed = replace(asked, votes=(given.vote(at=given.NOW),))
    return grants.given(signed, offered(fields, asked), grants.GrantId("g-0-1"))


# ---------------------------------------------------------------- may it be


@pytest.mark.parametrize(
    ("request_", "spec", "told"),
    [
        (asking(None), given.spec(), "lets nobody allow more"),
        (asking(kind=Kind.RECOVERY), given.spec(), "lets nobody allow more"),
        (asking(is_high=True), given.spec(), "high-risk"),
        (asking(groups=(Need(of="finance", need=2),)), given.spec(), "More than one signature"),
        (asking(groups=(Need(of="finance"), Need(of="legal"))), given.spec(), "More than one signature"),
        (asking(typed="order_id"), given.spec(), "type a value"),
        (asking(), None, "has changed"),
        (asking(), replace(given.spec(), version="2"), "has changed"),
        (asking(), replace(given.spec(), risk=Risk.IRREVERSIBLE), "cannot be undone"),
        (asking(), replace(given.spec(), touches=("money",)), "touches money"),
        (asking(), replace(given.spec(), touches=("mail",)), "touches mail"),
        (asking(), replace(given.spec(), touches=("messages",)), "touches messages"),
        (asking(call=given.call({"amount": 1})), given.spec(), "does not say order_id"),
    ],
)
def test_what_needs_a_look_each_time_can_never_be_given(request_: Request, spec: Any, told: str) -> None:
    """AS-33, GN-01: high, irreversible, money, mail, messages, two signatures: no policy opens that, nor any card."""
    why = why_not(request_, spec)

    assert told in (why or "")
    moves = [button.move for button in given.drawn(request_, spec or given.spec()).buttons]
    assert spec is None or not any(move == "offer" or move.startswith("give_") for move in moves)


def test_an_ordinary_call_can_be_given() -> None:
    assert why_not(asking(), given.spec()) is None


# ----------------------------------------------------------------- the form


def test_the_form_begins_narrow() -> None:
    """Nothing is chosen for anybody: this run, a quarter of an hour, few."""
    fields = {field.name: field for field in grants.form_fields(asking())}

    assert (fields["scope"].value, fields["until"].value, fields["most"].value) == ("this run", "15 minutes", "5")
    assert fields["until"].options == ("15 minutes", "1 hour", "4 hours", "8 hours")
    assert fields["most"].hint == "At most 10."
    assert fields["exact"].hint == "Always the same: order_id."
    assert {f.name: f.value for f in grants.form_fields(asking(replace(BOUNDS, same=())))}["exact"] == "yes"


@pytest.mark.parametrize(
    ("within", "last"), [(timedelta(minutes=90), "90 minutes"), (timedelta(minutes=5), "5 minutes"), (HOUR, "1 hour")]
)
def test_the_longest_span_is_the_policys_own(within: timedelta, last: str) -> None:
    fields = {field.name: field for field in grants.form_fields(asking(replace(BOUNDS, within=within)))}

    assert fields["until"].options[-1] == last
    assert all(grants.SPANS[label] < within for label in fields["until"].options[:-1])


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("most", "11", "Must be at most 10."),
        ("most", "0", "Must be at least 1."),
        ("most", "-1", "Must be at least 1."),
        ("most", "2.5", "a whole number, please"),
        ("most", "many", "a number such as 12 or 12.5, please"),
        ("most", "", "a value is needed"),
        ("until", "1 day", "one of 15 minutes, 1 hour, 4 hours, 8 hours"),
        ("until", "", "a value is needed"),
        ("scope", "everywhere", "one of this run, this thread"),
        ("exact", "maybe", "yes or no, please"),
    ],
)
def test_a_form_that_says_too_much_is_refused_beside_the_field(field: str, value: str, told: str) -> None:
    """Never wider than the policy allows: whatever a client sends, not only what its list offers."""
    with pytest.raises(InvalidArguments) as refused:
        offered({field: value})

    assert refused.value.problems == {field: told}


def test_a_form_without_its_fields_gives_nothing() -> None:
    with pytest.raises(InvalidArguments) as refused:
        offer_from_form(asking(), given.spec(), {}, given.BO, given.NOW)

    assert set(refused.value.problems) == {"scope", "until", "most", "exact"}


def test_an_offer_says_what_was_chosen() -> None:
    offer = offered({"scope": "this run"})

    assert (offer.run, offer.most, offer.until) == ("r1", 5, given.NOW + HOUR)
    assert (offer.same, offer.is_whole, offer.names) == ('{"order_id":"7"}', False, ("order_id",))
    assert offered().run is None
    assert offered({"exact": "yes"}).same == given.call().args


def test_each_change_of_the_terms_is_another_button() -> None:
    """T07: a press names the very terms: what was seen is what is given."""
    others: list[dict[str, object]] = [{"scope": "this run"}, {"until": "4 hours"}, {"most": "6"}, {"exact": "yes"}]
    marks = [offered(fields).mark for fields in ({}, *others)]

    assert len(set(marks)) == 5
    assert all(len(mark) == 8 and mark.isalpha() and mark.islower() for mark in marks)
    assert replace(offered(), looked=9, matched=3).mark == marks[0]


# ------------------------------------------------------------------ matching


def test_a_grant_speaks_for_calls_with_the_same_fixed_arguments() -> None:
    """T07, AS-20: routine runs freely: another amount for the same order is what was allowed."""
    other = given.call({"order_id": "7", "amount": 900, "reason": "late"})

    assert matches(granted(), asking(), given.NOW)
    assert matches(granted(), asking(call=other), given.NOW)


@pytest.mark.parametrize(
    "args",
    [{"order_id": "8", "amount": 1}, {"order_id": 7, "amount": 1}, {"order_id": "7 ", "amount": 1}, {"amount": 1}],
)
def test_another_value_of_a_fixed_argument_is_asked_about(args: Json) -> None:
    """T07: byte for byte; what only looks the same is not the same."""
    assert not matches(granted(), asking(call=given.call(args)), given.NOW)


def test_exactly_these_arguments_means_no_other_and_no_more() -> None:
    grant = granted({"exact": "yes"})

    assert matches(grant, asking(), given.NOW)
    others: list[Json] = [{"order_id": "7", "amount": 151}, {"order_id": "7", "amount": 150, "reason": "x"}]
    for args in others:
        assert not matches(grant, asking(call=given.call(args)), given.NOW)


@pytest.mark.parametrize(
    ("changes", "grant"),
    [
        ({"run": "r2"}, {"scope": "this run"}),
        ({"requester": given.CY}, {}),
        ({"place": replace(given.PLACE, thread="2.0")}, {}),
        ({"place": replace(given.PLACE, tenant="T2")}, {}),
        ({"rule": "another-rule"}, {}),
        ({"agent": "a helper of react"}, {}),
        ({"is_high": True}, {}),
        ({"groups": (Need(of="finance", need=2),)}, {}),
    ],
)
def test_a_grant_is_of_its_thread_its_requester_its_agent_and_its_rule(
    changes: dict[str, Any], grant: dict[str, object]
) -> None:
    """PP-09, T07: initiator, agent and place are part of what was shown; what a hint made high is asked about."""
    assert matches(granted(grant), asking(), given.NOW)
    assert not matches(granted(grant), asking(**changes), given.NOW)


def test_a_grant_from_before_grants_were_of_an_agent_allows_nothing() -> None:
    """PP-09: nobody read then whose calls it was for; people are asked again."""
    old = unpack(grants.Grant, pack(replace(granted(), agent="")))

    assert not grants.is_live(old, given.NOW)
    assert not matches(old, asking(agent=""), given.NOW)


def test_another_version_of_the_tool_is_another_tool() -> None:
    call = make_call(id="c", tool="refund", version="2", args={"order_id": "7", "amount": 1})

    assert not matches(granted(), asking(call=call), given.NOW)


@pytest.mark.parametrize(
    ("bounds", "is_still"),
    [
        (BOUNDS, True),
        (None, False),
        (replace(BOUNDS, most=1), True),
        (replace(BOUNDS, within=timedelta(minutes=29)), False),
        (replace(BOUNDS, same=("order_id", "amount")), False),
    ],
)
def test_a_policy_that_became_stricter_holds_at_once(bounds: Grantable | None, is_still: bool) -> None:
    """The bounds of today are asked about at each use, half an hour after it was given."""
    assert matches(granted(), asking(bounds), given.NOW + HOUR / 2) is is_still


def test_a_smaller_budget_of_today_counts_the_uses_of_yesterday() -> None:
    assert not matches(grants.used(granted()), asking(replace(BOUNDS, most=1)), given.NOW)


def test_a_grant_ends_by_its_time_its_budget_or_a_person() -> None:
    grant = granted({"most": "1"})

    assert matches(grant, asking(), grant.until - timedelta(microseconds=1))
    assert not matches(grant, asking(), grant.until)
    assert not matches(grants.used(grant), asking(), given.NOW)
    assert not matches(grants.revoked(grant, given.ANA, given.NOW), asking(), given.NOW)


@over(st.dictionaries(st.sampled_from(["order_id", "amount", "reason"]), st.integers(0, 2), min_size=1))
def test_whatever_matches_has_the_shown_values(args: dict[str, int]) -> None:
    """T07: for all calls: what a grant lets through has exactly the values that its sentence names."""
    asked = asking(call=given.call({"order_id": 1, "amount": 1}))
    call = given.call(dict(args))
    grant = granted(request=asked)

    assert matches(grant, asking(call=call), given.NOW) == (args.get("order_id") == 1)
    assert (grants.digest_of_same(grant, call) == grant.digest) == (args.get("order_id") == 1)


# -------------------------------------------------------------------- words


def test_the_sentence_says_exactly_what_it_matches() -> None:
    assert text(granted(), given.NAMES) == (
        'refund, version 1, where order_id = "7", whatever its other arguments are, asked for by Ana through react, no '
        "other agent, in this thread: at most 5 times, until 2026-05-01 13:00 UTC."
    )
    whole = text(granted({"exact": "yes", "scope": "this run", "most": "1"}), given.NAMES)
    assert 'with exactly these arguments: amount = 150, order_id = "7", asked for by Ana through react' in whole
    assert ", no other agent, in this run: " in whole
    assert "at most 1 time, until" in whole


def test_a_sentence_hides_secrets_and_shows_nothing_invisible() -> None:
    """T03, T20: a value the tool calls secret is a fingerprint; hidden letters are spelled."""
    call = given.call({"order_id": "a\u202eb", "amount": 1, "token": "s3cret-token"})
    asked = asking(call=call)
    spec = given.spec(secrets=("token",))
    offer = offer_from_form(asked, spec, GOOD | {"exact": "yes"}, given.BO, given.NOW)

    assert "s3cret-token" not in text(offer)
    assert "⟨U+202E⟩" in text(offer)


def test_a_long_value_is_named_by_its_length_and_hash() -> None:
    call = given.call({"order_id": "x" * 5_000, "amount": 1})

    assert "(5,002 bytes, sha256 " in text(offered(request=asking(call=call)))


@pytest.mark.parametrize(
    ("looked", "matched", "told"),
    [
        (0, 0, "I could look at no earlier call of refund."),
        (1, 0, "Of the last call of refund that I could look at, 0 would have matched."),
        (200, 12, "Of the last 200 calls of refund that I could look at, 12 would have matched."),
    ],
)
def test_a_preview_says_how_much_it_would_have_matched(looked: int, matched: int, told: str) -> None:
    assert grants.preview_text(replace(offered(), looked=looked, matched=matched)) == told


# ----------------------------------------------------------------- the card


def moves(card: Card) -> list[str]:
    return [button.move for button in card.buttons]


def test_a_card_offers_a_form_and_then_the_very_terms() -> None:
    """Approve alone still approves; "give" stands beside it only while its terms stand above it."""
    request = asking()
    offer = offered()

    first, then = given.drawn(request), given.drawn(replace(request, offer=offer))

    assert moves(first)[:3] == ["approve", "offer", "edit"]
    assert moves(then)[:4] == ["approve", f"give_{offer.mark}", "drop", "edit"]
    block = next(block for block in then.blocks if block.label == "What would be allowed from now on")
    assert block.text.startswith(text(offer, given.NAMES))
    assert "I could look at no earlier call of refund." in block.text


def test_what_approve_wants_the_other_button_wants_as_well() -> None:
    """A reason beside Approve is a reason beside "Approve and give it"."""
    request = replace(asking(reason=ReasonRule.ALWAYS), offer=offered())
    by_move = {button.move: button for button in given.drawn(request).buttons}

    assert by_move[f"give_{offered().mark}"].fields == by_move["approve"].fields
    assert by_move["approve"].fields


def test_a_card_that_was_approved_alone_allows_nothing() -> None:
    settled = given.decided(Status.APPROVED, ask=asking().ask, offer=offered())

    labels = [block.label for block in given.drawn(settled).blocks]
    gave = [block.label for block in given.drawn(replace(settled, gave="g-0-1")).blocks]

    assert not any("llowed from now on" in label for label in labels)
    assert "Allowed from now on, until somebody revokes it" in gave


def test_grants_and_offers_are_stored_as_they_are() -> None:
    grant, request = granted(), replace(asking(), offer=offered())

    assert unpack(grants.Grant, pack(grant)) == grant
    assert unpack(Request, pack(request)) == request
