"""All that is asked of people, in a whole Teams: each kind by its own inputs; and nothing they read is markup."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.inert import is_hidden
from tests.flows.sheets import BATCH
from tests.flows.sheets import tidies as equal_calls
from tests.flows.stage import EXPLAINED, Hands, Played, call, calls, events, policy, quiet, results, settled
from tests.flows.test_escalations import ESCALATE
from tests.flows.test_grants import sign, tools
from tests.flows.test_inquiries import COLOURS, TRIP
from tests.flows.test_plans import plan
from tests.flows.test_reviews import draft
from tests.hostile import NASTY, nodes
from tests.teams.whole import Build, Replica, Site

WIRE = calls(call("wire", amount=90))
PEEK = calls(call("peek", what="files"))
REFUND = "refund 120 for order 1042, it arrived broken"
HIGH = "groups: [approvers], high: true"
UNREAD = "Please open Details first: what is high-risk is approved only by who has read all of it."


# ------------------------------------------------------------------ signatures


async def test_an_edit_is_typed_into_the_card_and_signed_by_somebody_else(site: Site, bot: Replica) -> None:
    """PN-02, PP-08, AS-03, ST-43, T10: what is wrong is said under the card; then the new version is asked about."""
    await site.asks("ana", REFUND)
    first = await bot.seen("Approve")

    told = await site.presses("bo", "Edit", first, **{"edit.amount": "0"})

    assert "amount" in told
    assert site.buttons(first)
    changed = await site.presses("bo", "Edit", first, **{"edit.amount": "110"})
    assert changed == "Changed. Somebody else has to sign your version now."
    second = await bot.seen("Approve", but=[first])
    assert "somebody else has to sign" in await site.presses("bo", "Approve", second)
    assert await site.presses("chris", "Approve", second) == "Approved. It runs now."
    await bot.shows("Done: refund")
    assert await settled(bot)
    assert bot.book == [(1042, 11_000)]
    assert not site.live()


async def test_a_rejection_wants_a_reason_and_the_agent_reads_it(site: Site, build: Build, hands: Hands) -> None:
    """GN-02: what the client lets through without one is refused here; with one it ends and runs nothing."""
    model = Played(WIRE)
    rules = policy("groups: [approvers], reason: on_reject")
    async with build(policy=rules, tools=hands.tools, model=model) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Reject")
        pressed = site.press("bo", "Reject", card, Reason="x")
        pressed["value"]["action"]["data"]["reject.reason"] = "   "

        assert (await site.sends("bo", pressed)).words == "Please say why."

        assert not await events(bot, "vote_counted")
        told = await site.presses("bo", "Reject", card, Reason="the invoice is wrong")
        assert told == "Rejected. It will not run."
        await bot.shows("Results:")
        assert "the invoice is wrong" in model.read
        assert await settled(bot)
        assert "Rejected by Bo" in site.text(card)
        assert "the invoice is wrong" in site.text(card)
        assert not hands.did


async def test_explain_shows_the_agents_words_on_the_card(site: Site, build: Build, hands: Hands) -> None:
    """AS-29: asked by an approver; its words stand on the card, quoted, which can still be signed."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Explain")

        await site.presses("bo", "Explain", card)

        await bot.shows(EXPLAINED)
        assert EXPLAINED in site.text(card)
        assert {"Approve", "Reject"} <= set(site.buttons(card))
        assert not hands.did


async def test_details_open_a_dialog_and_then_an_approval_counts(site: Site, build: Build, hands: Hands) -> None:
    """AS-29, D-33, AU-24: everything in a dialog for that person alone; before it, a click is refused in one line."""
    async with build(policy=policy(HIGH), tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")

        assert await site.clicks("bo", "Approve", card) == UNREAD
        refused = await site.reads("ana", card)
        told = await site.reads("bo", card)

        assert refused.startswith("Sorry, this needs an answer from: approvers.")
        assert "90" not in refused
        assert '"amount": 90' in told
        assert "Why a person is asked" in told
        assert await site.clicks("chris", "Approve", card) == UNREAD
        assert await site.clicks("bo", "Approve", card) == "Approved. It runs now."
        await bot.shows("ok wire 90 bank")
        assert await settled(bot)


async def test_a_call_too_long_for_a_card_is_read_and_signed_in_a_dialog(
    site: Site, build: Build, hands: Hands
) -> None:
    """T02, D-33: the card has no Approve; whoever may decide reads all of it in pages, and signs behind the last."""
    long = " ".join(f"word{number}" for number in range(4_000))
    async with build(policy=policy(), tools=hands.tools, model=Played(calls(call("wire", amount=90, to=long)))) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Show all")
        assert "Approve" not in site.buttons(card)
        bo = site.ids["bo"]

        answer = await site.teams.press(bo, card.conversation, card.id, "Show all")

        read = ""
        while True:
            assert answer.kind == "dialog", answer
            assert answer.card is not None
            read += site.text(answer.card)
            if "Next" not in site.teams.buttons_of(answer.card):
                break
            answer = await site.teams.submit_dialog(bo, "Next")
        assert all(f"word{number}" in read for number in range(4_000))
        assert "Approve" in site.teams.buttons_of(answer.card)
        assert (await site.teams.submit_dialog(bo, "Approve")).words == "Approved. It runs now."
        await bot.until(lambda: hands.did, "it runs")
        assert await settled(bot)
        assert not site.live()


async def test_an_approval_is_typed_letter_for_letter(site: Site, build: Build, hands: Hands) -> None:
    """AU-24: what differs is said under the card, which stays as it is."""
    async with build(policy=policy("groups: [approvers], type: amount"), tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")

        wrong = await site.presses("bo", "Approve", card, **{"approve.typed": "9"})

        assert "This is not the value of amount, letter for letter." in wrong
        assert not hands.did
        assert await site.presses("bo", "Approve", card, **{"approve.typed": "90"}) == "Approved. It runs now."
        await bot.shows("ok wire 90 bank")


async def test_glass_is_broken_with_a_reason_and_reviewed_on_a_card(site: Site, build: Build, hands: Hands) -> None:
    """I4: the reason is wanted, the thread reads of it, and a manager answers after the run has ended."""
    rules = policy("groups: [managers], break_glass: {of: approvers, review: managers, within: 24h}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        thread = await site.asks("ana", "pay")
        card = await bot.seen("Break glass")

        await site.presses("bo", "Break glass", card, **{"break_glass.reason": "the bank closes"})
        await bot.shows("ok wire 90 bank")
        await quiet(bot)

        assert "Glass broken: Bo approved wire" in site.said(thread)
        review = await bot.seen("It was right")
        assert site.buttons(review) == ["It was right", "It was wrong", "Details"]
        await site.presses("dana", "It was right", review, **{"right.text": "it had to be"})
        await bot.shows("It was right: 'it had to be'")
        await quiet(bot)
        assert await bot.is_sound(is_quiet=True)


async def test_several_calls_on_one_sheet_are_chosen_from(site: Site, build: Build, hands: Hands) -> None:
    """PP-09, AS-20: two of three are ticked; each keeps its own record."""
    model = Played(equal_calls(3))
    async with build(policy=policy(BATCH), tools=hands.tools, model=model) as bot:
        await site.asks("ana", "tidy up")
        sheet = await bot.seen("Approve some…")
        [choices] = [one for one in _inputs(sheet.card) if one["id"] == "approve_some.items"]
        ticked = [one["value"] for one in choices["choices"][:2]]

        told = await site.presses("bo", "Approve some…", sheet, **{"approve_some.items": ticked})

        assert told.startswith("2 approved"), told
        await bot.shows("Results:")
        assert sorted(hands.did) == ["tidy desk 1", "tidy desk 2"]
        assert results(model.asked[-1])[2].startswith("Not run:")
        assert await settled(bot)
        assert not site.live()


async def test_more_is_allowed_in_bounds_that_are_read_before_they_are_signed(
    site: Site, build: Build, hands: Hands
) -> None:
    """PP-09: a form, then the bounds on a card; the second call like it asks nobody."""
    model = Played(calls(call("tidy", what="desk")), calls(call("tidy", what="desk")))
    async with build(policy=sign(), tools=tools(hands), model=model) as bot:
        await site.asks("ana", "tidy up")
        card = await bot.seen("Approve and allow more…")
        form = {"offer.scope": "this thread", "offer.until": "1 hour", "offer.most": "2"}

        drawn = await site.presses("bo", "Approve and allow more…", card, **form)

        assert drawn.startswith("Nothing is allowed yet")
        await bot.seen("Approve and give it")
        await site.presses("bo", "Approve and give it", card)
        await bot.shows("Results:")
        assert hands.did == ["tidy desk", "tidy desk"]
        assert len(await events(bot, "request_opened")) == 1


# ------------------------------------------------------------- what agents ask


@pytest.mark.parametrize("how", ["button", "input", "words"])
async def test_a_question_is_answered_by_a_button_an_input_or_in_words(site: Site, build: Build, how: str) -> None:
    """ST-19, PN-17: the chosen option, what is typed on the card, or what is said to the bot in the thread."""
    async with build(policy=policy(), model=Played(COLOURS)) as bot:
        thread = await site.asks("ana", "paint the door")
        card = await bot.seen("blue")

        match how:
            case "button":
                await site.presses("ana", "blue", card)
            case "input":
                await site.presses("ana", "Answer in words", card, **{"write.text": "blue"})
            case _:
                await site.says("ana", "@countersign blue", thread)

        await bot.shows("Their answer: 'blue'")
        assert await settled(bot)
        assert not site.live()


async def test_a_question_is_handed_to_somebody_by_name(site: Site, build: Build) -> None:
    """ST-15: the same question, in chris's own chat; a name that nobody has is said under the card."""
    async with build(policy=policy(), model=Played(COLOURS)) as bot:
        await site.asks("ana", "paint the door")
        card = await bot.seen("Hand to…")

        assert "I do not know this person." in await site.presses("ana", "Hand to…", card, **{"hand_to.person": "Zed"})
        await site.presses("ana", "Hand to…", card, **{"hand_to.person": "Chris"})

        copy = await bot.seen("blue", at=site.dm("chris"))
        await site.teams.until(lambda: site.buttons(card) == ["Stop"], "the first card is inert")
        assert await site.presses("chris", "blue", copy) == "Thank you, noted."
        await bot.shows("Their answer: 'blue'")
        assert await settled(bot)


async def test_a_form_is_filled_in_and_its_mistakes_are_said(site: Site, build: Build) -> None:
    """ST-43, PN-02: what the schema refuses is named under the card; then the agent gets the values."""
    model = Played(TRIP)
    async with build(policy=policy(), model=model) as bot:
        await site.asks("ana", "book it")
        card = await bot.seen("Fill in")
        pressed = site.press("ana", "Fill in", card, **{"fill.city": "Oslo", "fill.nights": "3"})
        wrong = pressed["value"]["action"]["data"] | {"fill.nights": "300"}
        told = await site.sends(
            "ana", {**pressed, "value": {"action": {**pressed["value"]["action"], "data": wrong}, "trigger": "manual"}}
        )

        assert "nights" in told.words
        await site.sends("ana", {**pressed, "id": "f:another"})
        await bot.shows("Results:")
        assert "Oslo" in model.read
        assert "eco" in model.read
        assert await settled(bot)


async def test_a_draft_is_sent_back_and_accepted(site: Site, build: Build) -> None:
    """ST-10, AS-26: two versions; the second is accepted by a button."""
    async with build(policy=policy(), model=Played(draft("Hi all"), draft("Dear all"))) as bot:
        await site.asks("ana", "announce it")
        first = await bot.seen("Accept")
        await site.presses("ana", "Revise", first, **{"revise.text": "more formal"})
        second = await bot.seen("Accept", but=[first])
        assert "Dear all" in site.text(second)

        await site.presses("ana", "Accept", second)

        assert await settled(bot)
        assert not site.live()


async def test_a_plan_is_changed_step_by_step_and_begun(site: Site, build: Build) -> None:
    """AU-12, D-10: the steps are typed over; what the agent goes on with are those."""
    model = Played(plan("pay bo", "tell bo"))
    async with build(policy=policy(), model=model) as bot:
        await site.asks("ana", "pay them")
        card = await bot.seen("Edit the steps")

        await site.presses("ana", "Edit the steps", card, **{"edit_steps.text": "pay chris\ntell chris"})

        await bot.shows("Results:")
        assert "pay chris" in model.read
        assert await settled(bot)
        assert not site.live()


async def test_an_escalation_is_answered_by_the_manager_in_their_own_chat(site: Site, build: Build) -> None:
    """GN-04, GN-09: dana gives direction where she reads it; the thread says who was called."""
    model = Played(ESCALATE)
    async with build(policy=policy(), model=model) as bot:
        thread = await site.asks("ana", "answer the complaint")
        card = await bot.seen("Give direction", at=site.dm("dana"))
        await bot.shows("Escalated to Dana.", in_thread=thread)

        await site.presses("dana", "Give direction", card, **{"direct.text": "offer 20 %"})

        await bot.shows("Results:")
        assert "offer 20 %" in model.read
        assert await settled(bot)
        assert not site.live()


async def test_a_run_is_taken_over_and_handed_back(site: Site, build: Build, hands: Hands) -> None:
    """AS-37, D-38: the card loses its buttons, the status says whose it is, and what is typed is what comes next."""
    model = Played(WIRE, PEEK)
    async with build(policy=policy(), tools=hands.tools, model=model) as bot:
        await site.asks("ana", "pay")
        card, status = await bot.seen("Approve"), await bot.seen("Take over")
        late, second = site.press("chris", "Approve", card), site.press("chris", "Take over", status)

        assert (await site.presses("bo", "Take over", status)).startswith("You have it.")

        await site.teams.until(lambda: site.buttons(status) == ["Hand back", "Stop", "Steps"], "it is Bo's")
        assert site.text(status).startswith("Bo works on this by hand")
        await site.teams.until(lambda: not site.buttons(card), "nothing to sign")
        assert "already" in (await site.sends("chris", late)).words
        assert (await site.sends("chris", second)).words == "Bo works on this already."
        await site.presses("bo", "Hand back", status, **{"hand_back.text": "list the files instead"})
        await bot.shows("ok peek files")
        assert "list the files instead" in model.read
        assert hands.did == ["peek files"]
        assert await settled(bot)


# ---------------------------------------------------------------------- inert


@pytest.mark.parametrize("nasty", NASTY, ids=ascii)
async def test_whatever_is_said_is_shown_and_never_markup(site: Site, build: Build, hands: Hands, nasty: str) -> None:
    """T03, T04, CD-04: in the task, an argument, a name, and a reason; on the card, in its dialog and its end."""
    said = f"pay {nasty} **now** [bank](https://evil.example/x) www.evil.example <at>Bo</at>"
    site.teams.person(site.ids["chris"]).name = said
    model = Played(calls(call("wire", amount=90, to=said)))
    async with build(policy=policy(HIGH), tools=hands.tools, model=model) as bot:
        await site.asks("ana", said)
        card = await bot.seen("Approve")
        assert site.teams.links_of(card) == []
        assert site.teams.mentions_of(card) == []
        details = await site.teams.press(site.ids["bo"], card.conversation, card.id, "Details")
        assert details.card is not None
        assert site.teams.links_of(details.card) == []
        assert "[bank](https://evil.example/x)" in site.text(card)
        assert "<at>Bo</at>" in site.text(card)
        assert await site.clicks("bo", "Reject", card, Reason=said)
        await bot.shows("Results: Not run: rejected by Bo.")
        shown = "\n".join(site.text(post) for post in site.posts())
        assert nasty in shown or any(is_hidden(char) for char in nasty) or "\\" in nasty

        assert await settled(bot)
        for post in site.posts():
            assert site.teams.links_of(post) == [], site.text(post)
            assert set(site.teams.mentions_of(post)) <= {site.ids["ana"]}, site.text(post)
            assert all(mark not in "".join(site.teams.marks_of(post)) for mark in ("now", "bank", "code", "evil"))


def _inputs(card: object) -> list[dict[str, Any]]:
    return [dict(one) for one in nodes(card) if str(one.get("type", "")).startswith("Input.")]
