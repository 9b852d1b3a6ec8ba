"""What people can do with an approval: approve, reject, edit, ask for an explanation; and what each leads to."""

from __future__ import annotations

import pytest

from agents.toolbox import tool
from bot.domain.calls import Risk
from bot.domain.chat import Answer
from bot.domain.forms import EDIT_REASON
from tests.flows.stage import (
    EXPLAINED,
    Build,
    Hands,
    Played,
    call,
    calls,
    events,
    moves,
    policy,
    request_of,
    settled,
)
from tests.house import House, words

WIRE = calls(call("wire", amount=90), text="I have to pay.")


async def test_a_rejection_carries_its_reason_and_its_author_to_the_agent(house: House) -> None:
    """PP-08, GN-02, GN-08: bo rejects with a reason; the agent hears who and why, says so, and no money moves."""
    await house.mention("ana", "refund 120 on order 1042")

    answer = await house.press("reject", by="bo", fields={"reason": "duplicate"})

    assert answer.text == "Rejected. It will not run."
    await house.shows("rejected by Bo. Reason: 'duplicate'")
    assert house.refunds == 0
    assert house.titled("Rejected: refund")
    assert await settled(house)


async def test_a_rejection_without_the_reason_the_rule_wants_is_sent_back(house: House) -> None:
    """The problem stands beside its field, nothing is counted, and the same person may answer again."""
    await house.mention("ana", "refund 120 on order 1042")

    answer = await house.press("reject", by="bo", fields={"reason": "  "})

    assert (answer.is_taken, answer.problems) == (False, {"reason": "Please say why."})
    assert not await events(house, "vote_counted")
    assert (await house.press("reject", by="bo", fields={"reason": "no"})).is_taken
    assert await settled(house)


async def test_an_edit_is_validated_beside_its_fields(house: House) -> None:
    """ST-43: edit is a form from the tool's schema: what does not fit it goes back with a sentence per field."""
    await house.mention("ana", "refund 120 on order 1042")
    card = await house.card("edit")
    button = next(button for button in card.card.buttons if button.move == "edit")
    assert [(field.name, field.value) for field in button.fields] == [
        ("order_id", "1042"),
        ("amount", "120"),
        ("reason", "asked for in chat"),
        ("currency", "USD"),
    ]

    typed = await house.press("edit", by="bo", fields={"amount": "many"})
    unfit = await house.press("edit", by="bo", fields={"amount": "-5"})

    assert typed.problems is not None
    assert "number" in typed.problems["amount"]
    assert unfit.problems is not None
    assert "amount" in unfit.problems
    assert (await request_of(house, card)).is_open
    assert await house.is_sound()


async def test_an_edit_that_changes_nothing_is_no_answer(house: House) -> None:
    await house.mention("ana", "refund 120 on order 1042")

    answer = await house.press("edit", by="bo", fields={"amount": "120"})

    assert not answer.is_taken
    assert "Nothing was changed" in answer.text
    assert await house.is_sound()


async def test_an_edited_call_is_a_new_request_that_its_editor_cannot_sign(house: House) -> None:
    """PN-02, PP-08, GN-05, D-25: new digest, shown as a difference; where duties are separated somebody else signs
    it.
    """
    await house.mention("ana", "refund 200 on order 1042")
    first = await house.card()

    answer = await house.press("edit", by="bo", fields={"amount": "150"})

    assert answer.text == "Changed. Somebody else has to sign your version now."
    await house.shows("- amount: 200\n+ amount: 150")
    second = await house.card(but=[first])
    before, after = await request_of(house, first), await request_of(house, second)
    assert before.call.digest != after.call.digest
    assert (before.status, before.replaced_by) == ("superseded", after.id)
    own = await house.press("approve", by="bo", card=second)
    assert own.text == "Sorry, you asked for or changed this, so somebody else has to sign it."
    assert (await house.press("approve", by="chris", card=second)).is_taken
    await house.shows("Done:")
    assert house.shop.order(1042).refunded == 150
    assert not moves(first)
    assert await settled(house)


async def test_an_edited_call_is_judged_by_the_policy_again(house: House) -> None:
    """PN-02, D-28: bo may sign up to 500; his version of 501 needs a manager."""
    await house.mention("ana", "refund 200 on order 1001")
    first = await house.card()

    await house.press("edit", by="bo", fields={"amount": "501"}, card=first)

    second = await house.card(but=[first])
    assert (await request_of(house, second)).ask.rule == "big-refund"
    refused = await house.press("approve", by="chris", card=second)
    assert refused.text == "Sorry, this needs an answer from: managers."
    assert (await house.press("approve", by="dana", card=second)).is_taken
    assert await settled(house)


async def test_an_edit_that_the_policy_forbids_changes_nothing(build: Build, hands: Hands) -> None:
    denies = '  - id: never\n    when: tool.name == "wire" && args.amount > 1000\n    deny: too much\n'
    rules = policy().replace("rules:\n", f"rules:\n{denies}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")

        answer = await house.press("edit", by="bo", fields={"amount": "2000"})

        assert not answer.is_taken
        assert "too much" in answer.text
        assert (await request_of(house, await house.card())).is_open
        assert await house.is_sound()


async def test_where_one_signature_is_enough_an_edit_is_the_editors_decision(build: Build, hands: Hands) -> None:
    """AS-03: quorum one, duties not separated: the edited version runs at once, exactly as edited."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")

        answer = await house.press("edit", by="bo", fields={"amount": "60"})

        assert answer.text == "Approved with your changes. It runs now."
        await house.shows("Results: ok wire 60 bank")
        assert hands.did == ["wire 60 bank"]
        assert await settled(house)


async def test_an_edit_without_the_reason_the_rule_always_wants_changes_nothing(build: Build, hands: Hands) -> None:
    """The form asks for the reason; a client that leaves it out has neither edited nor approved."""
    rules = policy("groups: [approvers], reason: always")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card("edit")

        answer = await house.press("edit", by="bo", fields={"amount": "60"})

        assert (answer.is_taken, answer.problems) == (False, {EDIT_REASON: "Please say why."})
        assert (await request_of(house, card)).is_open
        assert (await house.press("edit", by="bo", fields={"amount": "60", EDIT_REASON: "less"})).is_taken
        await house.shows("ok wire 60 bank")
        assert await settled(house)


@tool(risk=Risk.WRITE)
def pay(amount: int, reason: str) -> str:
    """Pay somebody. One argument is called as the field for people's reasons is."""
    return f"paid {amount}: {reason}"


async def test_an_argument_called_reason_is_nobodys_reason(build: Build) -> None:
    """A2-05, I9: what an agent wrote into a call does not stand in the record as why a person changed or signed it."""
    rules = policy("groups: [approvers], reason: always")
    model = Played(calls(call("pay", amount=90, reason="broken")))
    async with build(policy=rules, tools=(pay,), model=model) as house:
        await house.mention("ana", "pay")
        fields = {"amount": "60", "reason": "broken"}

        silent = await house.press("edit", by="bo", fields=fields)
        told = await house.press("edit", by="bo", fields={**fields, EDIT_REASON: "too much"})

        assert silent.problems == {EDIT_REASON: "Please say why."}
        assert told.is_taken
        await house.shows("paid 60: broken")
        assert [vote["reason"] for vote in await events(house, "vote_counted")] == ["too much"]
        assert await settled(house)


async def test_why_a_call_was_changed_stands_where_others_sign_it(build: Build, hands: Hands) -> None:
    """A2-05: whoever signs bo's version reads why it is another one, and so does the audit."""
    rules = policy("groups: [approvers], separate_duties: true, reason: always")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        first = await house.card("edit")

        await house.press("edit", by="bo", card=first, fields={"amount": "60", EDIT_REASON: "it was ordered twice"})

        second = await house.card("approve", but=[first])
        assert "it was ordered twice" in words(second)
        assert [one.get("edit_reason") for one in await events(house, "request_opened")] == [
            None,
            "it was ordered twice",
        ]


async def test_an_editor_who_may_not_sign_their_own_version_is_told_that_it_stands(build: Build, hands: Hands) -> None:
    """bo's larger version belongs to the managers: it is taken as a change, and not as his decision."""
    more = "  - id: large\n    when: args.amount > 100\n    ask: {groups: [managers]}\n"
    rules = policy().replace("  - id: sign\n", f"{more}  - id: sign\n")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        first = await house.card()

        answer = await house.press("edit", by="bo", fields={"amount": "700"}, card=first)

        assert (answer.is_taken, answer.text) == (True, "Changed. Somebody else has to sign your version now.")
        assert not await events(house, "vote_refused")
        assert (await house.press("approve", by="dana", card=await house.card(but=[first]))).is_taken
        await house.shows("ok wire 700 bank")
        assert await settled(house)


@pytest.mark.parametrize("ask", ["groups: [approvers]", "groups: [approvers], separate_duties: true"])
async def test_an_edit_that_is_delivered_twice_counts_once(build: Build, hands: Hands, ask: str) -> None:
    """T12, I10: the platform sends bo's form again; he hears the same answer and there is one new request."""
    async with build(policy=policy(ask), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card("edit")

        first = await house.press("edit", by="bo", fields={"amount": "60"}, card=card, delivery="twice")
        again = await house.press("edit", by="bo", fields={"amount": "60"}, card=card, delivery="twice")

        assert first == again == Answer(is_taken=True, text=first.text)
        assert len(await events(house, "request_opened")) == 2
        assert not await events(house, "vote_refused")
        assert await house.is_sound()


async def test_an_old_button_is_inert_after_an_edit(house: House) -> None:
    """D-04, T13: chris still has the old picture on his screen; his click signs neither version."""
    await house.mention("ana", "refund 200 on order 1042")
    first = await house.card()
    await house.press("edit", by="bo", fields={"amount": "150"})
    await house.shows("+ amount: 150")

    answer = await house.press("approve", by="chris", card=first)

    assert (answer.is_taken, answer.text) == (False, "This request is already superseded.")
    assert house.refunds == 0
    assert (await events(house, "vote_refused"))[-1]["cause"] == "AlreadySettled"
    assert await house.is_sound()


async def test_explain_asks_the_agent_and_shows_its_words_quoted(build: Build, hands: Hands) -> None:
    """The answer stands apart, labelled as the agent's and not verified; it decides nothing, and is asked for once."""
    model = Played(WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")

        answer = await house.press("explain", by="bo")

        assert answer.is_taken
        await house.shows(f"“{EXPLAINED}”")
        card = await house.card()
        assert [b.text for b in card.card.blocks if b.label == "The agent's explanation (not verified)"]
        assert "explain" not in moves(card)
        assert (await request_of(house, card)).is_open
        assert "I have to pay." in words(card)
        await house.press("approve", by="bo")
        await house.shows("ok wire 90 bank")
        assert EXPLAINED not in model.read
        assert await settled(house)


async def test_a_stranger_cannot_make_the_agent_explain(house: House) -> None:
    await house.mention("ana", "refund 120 on order 1042")

    answer = await house.press("explain", by="nobody-we-know")

    assert not answer.is_taken
    assert (await events(house, "vote_refused"))[-1]["cause"] == "NotEligible"
    assert await house.is_sound()


async def test_two_approvals_of_the_same_call_are_two_effects_and_two_ids(house: House) -> None:
    """GN-08: refund ids are never constant."""
    for amount in (120, 130):
        await house.mention("ana", f"refund {amount} on order 1042")
        card = await house.card()
        await house.press("approve", by="bo", card=card)
        await house.shows(f'"amount":{amount}')
    ends = {line for post in house.chat.posts for line in words(post).splitlines() if "refund_id" in line}
    assert len({end.split('"refund_id":')[1].split(",")[0] for end in ends}) == 2
    assert house.refunds == 2
    assert await settled(house)
