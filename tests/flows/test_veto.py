"""Vetoes and typed confirmation: who may only reject, and what a hand that presses too fast has to type."""

from __future__ import annotations

import pytest

from agents.toolbox import tool
from bot.domain.calls import Risk
from bot.runtime.views import RuntimeViews
from tests.flows.stage import (
    Build,
    Hands,
    Played,
    Staff,
    call,
    calls,
    events,
    moves,
    policy,
    request_of,
    settled,
)
from tests.house import KEY, account, find, words

WIRE = calls(call("wire", amount=90))
VETO = 'groups: [approvers], separate_duties: true, veto: [managers, "@gus", "@ana"]'
TYPED = "groups: [approvers], type: amount"


# ---------------------------------------------------------------- veto


async def test_a_veto_rejects_and_signs_nothing(build: Build, hands: Hands) -> None:
    """PN-03, A2-05, D-30, I4, I6: dana of the managers may stop it; her approval counts for nothing."""
    async with build(policy=policy(VETO), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        assert "managers and gus and Ana" in words(card)

        signed = await house.press("approve", by="dana", card=card)
        stopped = await house.press("reject", by="dana", card=card)

        assert (signed.is_taken, signed.text) == (False, "Sorry, this needs an answer from: approvers.")
        assert stopped.text == "Rejected. It will not run."
        await house.chat.until(lambda: card.card.title == "Rejected: wire")
        (counted,) = await events(house, "vote_counted")
        assert (counted["person"], counted["right"], counted["seats"]) == ("dana", "veto", [])
        assert not hands.did
        assert await settled(house)


@pytest.mark.parametrize("by", ["ana", "gus", "chris"])
async def test_nobody_vetoes_who_may_not(build: Build, hands: Hands, by: str) -> None:
    """I5, D-30: not whoever asked, where duties are separated; no guest; nobody who is of none of the groups."""
    staff = Staff()
    staff.change("chris", groups=frozenset())
    async with build(policy=policy(VETO), tools=hands.tools, model=Played(WIRE), directory=staff) as house:
        await house.mention("ana", "pay")

        assert not (await house.press("reject", by=by)).is_taken

        assert not await events(house, "vote_counted")


async def test_a_veto_wants_the_reason_that_the_rule_wants(build: Build, hands: Hands) -> None:
    """A2-05: a mandatory reason is everybody's."""
    rules = policy(f"{VETO}, reason: on_reject")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")

        silent = await house.press("reject", by="dana", fields={"reason": ""})
        told = await house.press("reject", by="dana", fields={"reason": "not this quarter"})

        assert silent.problems == {"reason": "Please say why."}
        assert told.is_taken
        assert await settled(house)


async def test_who_may_veto_finds_the_request_in_their_list(build: Build, hands: Hands) -> None:
    """It waits for nobody's veto, but whoever may reject it should not have to look for it."""
    async with build(policy=policy(VETO), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        views = RuntimeViews(house.store, house.engine.parts.toolbox, house.engine.parts.directory, KEY)

        for who, count in (("dana", 1), ("bo", 1), ("ana", 0)):
            assert len(await views.waiting_for(account(who))) == count

        assert (await request_of(house, card)).is_open


# --------------------------------------------------------------- typed


async def test_an_approval_wants_the_value_typed_letter_for_letter(build: Build, hands: Hands) -> None:
    """AU-24: nothing is typed for anybody, nothing but the very value will do, and it is said beside the field."""
    async with build(policy=policy(TYPED), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        (field,) = find(card, "approve").fields
        assert (field.label, field.value, field.is_required) == ("Type the value of amount to approve", "", True)
        assert "90" not in f"{field.hint}{field.label}"

        for text, told in (
            ("", "Please type the value of amount."),
            ("91", "This is not the value of amount, letter for letter."),
            (" 90", "This is not the value of amount, letter for letter."),
            ("90.0", "This is not the value of amount, letter for letter."),
        ):
            answer = await house.press("approve", by="bo", card=card, fields={"typed": text})
            assert (answer.is_taken, answer.problems) == (False, {"typed": told})
        bare = await house.press("approve", by="bo", card=card)
        assert bare.problems == {"typed": "Please type the value of amount."}
        assert not hands.did

        assert (await house.press("approve", by="bo", card=card, fields={"typed": "90"})).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)


@pytest.mark.parametrize(
    ("value", "typed"),
    [("orders", "orders"), ("a\u200bb", "a⟨U+200B⟩b"), ("a\u200bb", "a\u200bb"), ("⟨x", "⟨U+27E8⟩x"), ("ä ö", "ä ö")],
)
async def test_what_is_typed_is_what_the_card_shows(build: Build, hands: Hands, value: str, typed: str) -> None:
    """T03: hidden letters are typed as they are spelled, or as they are."""
    wire = calls(call("wire", amount=90, to=value))
    async with build(policy=policy("groups: [approvers], type: to"), tools=hands.tools, model=Played(wire)) as house:
        await house.mention("ana", "pay")

        assert not (await house.press("approve", by="bo", fields={"typed": "ab"})).is_taken
        assert (await house.press("approve", by="bo", fields={"typed": typed})).is_taken

        await house.shows("ok wire 90")


async def test_a_word_in_the_thread_never_signs_what_must_be_typed(build: Build, hands: Hands) -> None:
    """T08: the card is shown again instead."""
    async with build(policy=policy(TYPED), tools=hands.tools, model=Played(WIRE)) as house:
        thread = await house.mention("ana", "pay")
        await house.card()

        await house.say("bo", "approve", thread=thread)

        assert not await events(house, "vote_counted")
        assert not hands.did


async def test_an_edited_call_is_typed_before_it_runs(build: Build, hands: Hands) -> None:
    """The editor's own decision as well: what they made of it is what they type."""
    async with build(policy=policy(TYPED), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        old = await house.card()
        await house.press("edit", by="bo", card=old, fields={"amount": "80"})
        new = await house.card(but=[old])

        wrong = await house.press("approve", by="bo", card=new, fields={"typed": "90"})
        right = await house.press("approve", by="bo", card=new, fields={"typed": "80"})

        assert (wrong.is_taken, right.is_taken) == (False, True)
        await house.shows("ok wire 80 bank")
        assert await settled(house)


async def test_a_rejection_needs_no_typing(build: Build, hands: Hands) -> None:
    """I8: refusing is always easy."""
    async with build(policy=policy(TYPED), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")

        assert (await house.press("reject", by="bo")).is_taken
        assert await settled(house)


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("table", "its rule wants 'table' typed, and the call has no such argument"),
        ("pin", "its rule wants 'pin' typed, which is secret"),
        ("note", "its rule wants 'note' typed, which is empty or longer than a form holds"),
    ],
)
async def test_what_nobody_could_type_is_not_put_to_anybody(build: Build, argument: str, told: str) -> None:
    """ST-38: the agent is told why; no card hangs that can never be approved."""

    @tool(risk=Risk.IRREVERSIBLE, secrets=("pin",))
    async def unlock(pin: str, note: str = "") -> str:
        """Open the vault."""
        return f"open with {pin}{note}"

    model = Played(calls(call("unlock", pin="1234")))
    rules = policy(f"groups: [approvers], type: {argument}")
    async with build(policy=rules, tools=(unlock,), model=model) as house:
        await house.mention("ana", "open it")

        await house.shows(told)
        assert not await events(house, "request_opened")
        assert await settled(house)


async def test_a_card_with_nothing_unusual_has_the_buttons_it_had(build: Build, hands: Hands) -> None:
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")

        assert moves(await house.card()) == ["approve", "edit", "reject", "explain", "details", "stop"]
