"""Sheets: several requests of a turn on one message, each of them still a request of its own; and who presses."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from bot.domain.chat import Answer, Card
from bot.domain.errors import StoreUnavailable
from bot.domain.ports import Said
from bot.domain.sheet import MOST
from bot.domain.wire import replace
from tests.fakes.chat import Posted
from tests.flows.doors import around
from tests.flows.sheets import BATCH, Door, any_button, options, tidies
from tests.flows.stage import (
    Build,
    Hands,
    Played,
    call,
    calls,
    events,
    policy,
    quiet,
    results,
    settled,
    shown,
)
from tests.house import QUICK, House, find

# -------------------------------------------------------- equal calls together


async def test_equal_calls_of_one_turn_are_one_message_and_one_press(build: Build, hands: Hands) -> None:
    """PP-09, AS-20, D-46: three equal calls ask once; Approve all runs each of them, once, under its own signature."""
    model = Played(tidies(3))
    async with build(policy=policy(BATCH), tools=hands.tools, model=model) as house:
        await house.mention("ana", "tidy up")
        sheet = await house.card("approve_all")
        assert find(sheet, "approve_all").label == "Approve all 3"
        assert len(house.with_button("approve_all")) == 1
        assert not house.with_button("approve")

        answer = await house.press("approve_all", by="bo", card=sheet)

        assert (answer.is_taken, answer.text) == (True, "3 approved.")
        await house.shows("Results:")
        assert results(model.asked[-1]) == ["ok tidy desk 1", "ok tidy desk 2", "ok tidy desk 3"]
        assert sorted(hands.did) == ["tidy desk 1", "tidy desk 2", "tidy desk 3"]
        await house.chat.until(lambda: sheet.card.status == "3 done." and not sheet.card.buttons)
        votes = await events(house, "vote_counted")
        assert len({vote["request"] for vote in votes}) == len({vote["delivery"] for vote in votes}) == 3
        assert await settled(house)


async def test_every_item_is_shown_whole_with_what_became_of_it(build: Build, hands: Hands) -> None:
    """D-33, I8: each call stands there letter for letter, hidden letters spelled; then who decided what of it."""
    turn = calls(call("tidy", what="desk\u202e1"), call("tidy", what="shelf"))
    async with build(policy=policy(BATCH), tools=hands.tools, model=Played(turn)) as house:
        await house.mention("ana", "tidy up")
        sheet = await house.card("approve_some")
        assert '"what": "desk⟨U+202E⟩1"' in sheet.card.blocks[0].text
        assert sheet.card.blocks[0].label.startswith("1. tidy · waiting · ")
        assert "1. ⚠ Hidden characters" in {fact.label for fact in sheet.card.facts}

        await house.press("approve_some", by="bo", card=sheet, fields={"items": options(sheet, "approve_some")[1]})

        await house.shows("Results:")
        await shown(house)
        states = [block.label.split(" · ")[1] for block in sheet.card.blocks if block.is_code]
        assert states == ["taken out by Bo", "approved by Bo, done: “ok tidy shelf”"]
        assert await settled(house)


async def test_what_is_left_out_is_rejected_and_the_agent_hears_why(build: Build, hands: Hands) -> None:
    """PP-09, AU-17: one of three is left out; the model reads the true cause in that call's place."""
    model = Played(tidies(3))
    async with build(policy=policy(BATCH), tools=hands.tools, model=model) as house:
        await house.mention("ana", "tidy up")
        sheet = await house.card("approve_some")
        first, _, third = options(sheet, "approve_some")

        answer = await house.press("approve_some", by="bo", card=sheet, fields={"items": f"{first}\n{third}"})

        assert answer.text == "2 approved, 1 rejected."
        await house.shows("Results:")
        assert results(model.asked[-1]) == [
            "ok tidy desk 1",
            "Not run: rejected by Bo. Reason: 'taken out by Bo'",
            "ok tidy desk 3",
        ]
        assert await settled(house)


@pytest.mark.parametrize("chosen", ["", "9. tidy", "what I like"])
async def test_a_choice_of_nothing_or_of_what_is_not_there_changes_nothing(
    build: Build, hands: Hands, chosen: str
) -> None:
    async with build(policy=policy(BATCH), tools=hands.tools, model=Played(tidies(2))) as house:
        await house.mention("ana", "tidy up")
        sheet = await house.card("approve_some")

        answer = await house.press("approve_some", by="bo", card=sheet, fields={"items": chosen})

        assert answer.problems == {"items": "Please choose at least one, or press Reject all."}
        assert not await events(house, "vote_counted")
        assert await house.is_sound()


async def test_reject_all_wants_its_reason_before_anything_is_rejected(build: Build, hands: Hands) -> None:
    async with build(policy=policy(BATCH), tools=hands.tools, model=Played(tidies(2))) as house:
        await house.mention("ana", "tidy up")
        sheet = await house.card("reject_all")

        lacking = await house.press("reject_all", by="bo", card=sheet, fields={"reason": " "})
        assert lacking.problems == {"reason": "Please say why."}
        assert not await events(house, "vote_counted")
        answer = await house.press("reject_all", by="bo", card=sheet, fields={"reason": "not today"})

        assert answer.text == "2 rejected."
        await house.shows("Reason: 'not today'")
        assert not hands.did
        assert await settled(house)


async def test_two_signatures_are_needed_for_each_item(build: Build, hands: Hands) -> None:
    """I4: bo's press signs every item once; chris' completes them."""
    two = policy("groups: [{of: approvers, need: 2}], batch: true")
    async with build(policy=two, tools=hands.tools, model=Played(tidies(2))) as house:
        await house.mention("ana", "tidy up")
        sheet = await house.card("approve_all")

        first = await house.press("approve_all", by="bo", card=sheet)
        await house.chat.until(lambda: "1 of 2 signed" in sheet.card.blocks[0].label)
        twice = await house.press("approve_all", by="bo", card=sheet)
        second = await house.press("approve_all", by="chris", card=sheet)

        assert first.text == "2 signed, others have to sign, too."
        assert (twice.is_taken, twice.text) == (False, "You already answered this.")
        assert second.text == "2 approved."
        await house.shows("ok tidy desk 2")
        assert await settled(house)


async def test_nobody_signs_all_what_they_may_not_sign_one_by_one(build: Build, hands: Hands) -> None:
    """I5: bo asked for it; his one press is refused once, and rejects nothing either."""
    apart = policy("groups: [approvers], separate_duties: true, batch: true")
    async with build(policy=apart, tools=hands.tools, model=Played(tidies(2))) as house:
        await house.mention("bo", "tidy up")
        sheet = await house.card("approve_some")
        one = options(sheet, "approve_some")[0]

        answer = await house.press("approve_some", by="bo", card=sheet, fields={"items": one})

        assert (answer.is_taken, answer.text) == (
            False,
            "Sorry, you asked for or changed this, so somebody else has to sign it.",
        )
        assert len(await events(house, "vote_refused")) == 1
        assert not await events(house, "vote_counted")
        assert await house.is_sound()


async def test_twenty_items_fill_a_sheet_and_the_next_begins_another(build: Build, hands: Hands) -> None:
    """AS-20: 22 equal calls are two messages; one press each."""
    async with build(policy=policy(BATCH), tools=hands.tools, model=Played(tidies(MOST + 2))) as house:
        await house.mention("ana", "tidy up")
        await house.chat.until(lambda: len(house.with_button("approve_all")) == 2, "two sheets")
        await shown(house)
        large, small = sorted(house.with_button("approve_all"), key=lambda post: -len(post.card.blocks))

        assert (await house.press("approve_all", by="bo", card=large)).text == "20 approved."
        assert (await house.press("approve_all", by="bo", card=small)).text == "2 approved."

        await quiet(house)
        assert len(hands.did) == MOST + 2
        assert await settled(house)


@pytest.mark.parametrize(
    ("ask", "turn"),
    [
        ("groups: [approvers], batch: true", tidies(1)),
        ("groups: [approvers]", tidies(3)),
        ("groups: [approvers], batch: true", calls(call("tidy", what="desk"), call("wire", amount=1))),
    ],
)
async def test_lone_calls_and_calls_of_other_kinds_have_cards_of_their_own(
    build: Build, hands: Hands, ask: str, turn: Said
) -> None:
    """A batch is of equal calls, and only where the rule says so."""
    pay = f"- id: pay\n    when: tool.name == 'wire'\n    ask: {{{ask}}}"
    rules = policy(ask).replace("- id: sign", f"{pay}\n  - id: sign")
    async with build(policy=rules, tools=hands.tools, model=Played(turn)) as house:
        await house.mention("ana", "tidy up")
        await house.chat.until(lambda: len(house.with_button("approve")) == len(turn.calls), "a card each")

        assert not house.with_button("approve_all")
        assert await house.is_sound()


async def test_a_newcomer_sees_a_sheet_with_one_line_of_the_rehearsal(house: House) -> None:
    """AS-20: the shipped rules and playbook; ana confirms two of three cancellations on one card."""
    await house.mention("ana", "cancel orders 1001, 1002 and 1003, the customer moved")
    sheet = await house.card("approve_some")
    assert sheet.card.title == "Approval needed: 3 × cancel_order"
    first, second, _ = options(sheet, "approve_some")

    answer = await house.press("approve_some", by="ana", card=sheet, fields={"items": f"{first}\n{second}"})

    assert answer.text == "2 approved, 1 rejected."
    await house.shows("This was not done. Not run: rejected by Ana.")
    await house.chat.until(lambda: sheet.card.status == "2 done, 1 rejected.")
    assert await settled(house)


# -------------------------------------------------------------- whose press


async def test_a_press_belongs_to_exactly_the_set_it_was_shown_with(build: Build, hands: Hands) -> None:
    """T13, T14, I9: not to another sheet, not from another message, not with another move's token."""
    two = calls(*(call("tidy", what=w) for w in "abcd"))
    async with build(policy=policy(BATCH), tools=hands.tools, model=Played(two)) as house:
        await house.mention("ana", "tidy up")
        one = await house.card("approve_all")
        await house.mention("dana", "tidy up")
        other = await house.card("approve_all", but=[one])
        button = find(one, "approve_all")

        forged = [
            Posted(other.ref, other.place, "", [Card(buttons=(button,))]),
            Posted(one.ref, one.place, "", [Card(buttons=(replace(button, subject=any_button(other).subject),))]),
            Posted(one.ref, one.place, "", [Card(buttons=(replace(button, token=find(one, "reject_all").token),))]),
            Posted(one.ref, one.place, "", [Card(buttons=(replace(button, subject="q-0-none"),))]),
            Posted(one.ref, one.place, "", [Card(buttons=(replace(button, subject="q-0-none"),))]),
        ]
        answers = [await house.press("approve_all", by="bo", card=post) for post in forged]

        assert not any(answer.is_taken for answer in answers)
        assert not await events(house, "vote_counted")
        assert not hands.did
        assert await house.is_sound()


async def test_a_press_delivered_again_counts_every_item_once(build: Build, hands: Hands) -> None:
    """T12, I10: the same delivery, twice at once and once afterwards; each item has one vote and one start."""
    async with build(policy=policy(BATCH), tools=hands.tools, model=Played(tidies(4))) as house:
        await house.mention("ana", "tidy up")
        sheet = await house.card("approve_all")

        answers = [await house.press("approve_all", by="bo", card=sheet, delivery="again") for _ in range(3)]

        assert [answer.text for answer in answers] == ["4 approved."] * 3
        await house.shows("Results:")
        assert len(await events(house, "vote_counted")) == len(hands.did) == 4
        assert await settled(house)


async def test_a_press_cut_short_goes_on_when_it_is_delivered_again(build: Build, hands: Hands) -> None:
    """I10, I12: the store is gone after the second vote; the redelivery votes for the rest, and for nothing twice."""
    async with build(policy=policy(BATCH), tools=hands.tools, model=Played(tidies(4))) as house:
        await house.mention("ana", "tidy up")
        sheet = await house.card("approve_all")
        hands.may_end.clear()
        gone = Door(2)

        async def cut(*_args: object) -> None:
            if gone.is_reached():
                raise StoreUnavailable("the line broke")

        around(house, "turn", before=cut)

        with pytest.raises(StoreUnavailable):
            await house.press("approve_all", by="bo", card=sheet, delivery="cut")
        assert len(await events(house, "vote_counted")) == 2
        gone.after = 1_000
        answer = await house.press("approve_all", by="bo", card=sheet, delivery="cut")

        assert answer.text == "4 approved."
        hands.may_end.set()
        await house.shows("Results:")
        assert len(await events(house, "vote_counted")) == len(hands.did) == 4
        assert await settled(house)


async def test_whoever_was_faster_stands_and_the_others_are_told(build: Build, hands: Hands) -> None:
    """CD-07, I3: between bo's second and third vote, chris rejects all; each item has one end, both hear the truth."""
    model = Played(tidies(4))
    async with build(policy=policy(BATCH), tools=hands.tools, model=model) as house:
        await house.mention("ana", "tidy up")
        sheet = await house.card("approve_all")
        stale = Posted(sheet.ref, sheet.place, sheet.key, [sheet.card])
        door, told = Door(2), list[Answer]()

        async def chris(*_args: object) -> None:
            if door.is_reached() and not told:
                told.append(Answer(is_taken=False, text=""))
                told[0] = await house.press("reject_all", by="chris", card=stale, fields={"reason": "no"})

        around(house, "turn", before=chris)
        answer = await house.press("approve_all", by="bo", card=stale)

        assert answer.text == "2 approved, 2 were already rejected by Chris."
        assert told[0].text == "2 rejected, 2 were already approved by Bo."
        await house.shows("Results:")
        assert sorted(hands.did) == ["tidy desk 1", "tidy desk 2"]
        assert results(model.asked[-1])[2:] == ["Not run: rejected by Chris. Reason: 'no'"] * 2
        assert await settled(house)


async def test_a_press_at_the_deadline_is_too_late_for_every_item(build: Build, hands: Hands) -> None:
    """I6, I7, D-04: nobody has noticed the deadline yet; the store has. Nothing is approved, all expire."""
    lazy = dataclasses.replace(QUICK, timers_every=timedelta(hours=1))
    async with build(policy=policy(BATCH), tools=hands.tools, model=Played(tidies(3)), pace=lazy) as house:
        await house.mention("ana", "tidy up")
        sheet = await house.card("approve_all")
        house.clock.advance(hours=5)

        answer = await house.press("approve_all", by="bo", card=sheet)

        assert (answer.is_taken, answer.text) == (False, "The time for this answer has passed. Nothing was run.")
        await house.engine.timers.look(house.engine.shards.fences[0])
        await house.shows("nobody answered in time")
        await house.chat.until(lambda: sheet.card.status == "3 expired.")
        assert not hands.did
        assert await settled(house)
