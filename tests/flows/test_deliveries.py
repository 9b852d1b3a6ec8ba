"""What comes in more than once, from elsewhere, or made up: it counts once, or not at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.domain.chat import Answer, Click, MessageRef
from bot.domain.wire import replace
from tests.flows.stage import (
    Build,
    Hands,
    Played,
    Staff,
    call,
    calls,
    events,
    policy,
    quiet,
    request_of,
    run_of,
    settled,
    shown,
)
from tests.house import House, click, find

TWICE = calls(call("wire", amount=1), call("wire", amount=2))


async def test_a_click_delivered_a_hundred_times_is_one_vote(house: House) -> None:
    """PP-04, T12, I10: every delivery is answered alike, and one refund is paid."""
    await house.mention("ana", "refund 120 on order 1042")
    card = await house.card()

    answers = await asyncio.gather(*(house.press("approve", by="bo", card=card, delivery="same") for _ in range(100)))

    assert all(answer.is_taken for answer in answers)
    await house.shows("Done")
    assert house.refunds == 1
    assert len(await events(house, "vote_counted")) == 1
    assert not await events(house, "vote_refused")
    assert await settled(house)


async def test_a_click_delivered_again_after_the_end_changes_nothing(house: House) -> None:
    """T12: the platform retries five minutes later; the person hears that it was counted."""
    await house.mention("ana", "refund 120 on order 1042")
    card = await house.card()
    await house.press("approve", by="bo", card=card, delivery="same")
    await house.shows("Done")

    again = await house.press("approve", by="bo", card=card, delivery="same")

    assert again == Answer(is_taken=True, text="Your answer was already counted.")
    assert house.refunds == 1
    assert await settled(house)


async def test_a_mention_delivered_three_times_is_one_run(house: House) -> None:
    """CD-08, T12: one run, one card; also when all three come at once."""
    tries = [house.mention("ana", "refund 120 on order 1042", thread="t", delivery="same") for _ in range(3)]
    await asyncio.gather(*tries)
    await house.mention("ana", "refund 120 on order 1042", thread="t", delivery="same")

    await house.card()
    await shown(house)

    assert len(await events(house, "run_started")) == 1
    assert not await events(house, "reply_heard")
    assert len(house.with_button("approve")) == 1
    assert await house.is_sound()


async def test_a_mention_delivered_again_after_the_end_starts_nothing(house: House) -> None:
    """CD-08: the thread is free again, the delivery is not."""
    await house.mention("ana", "look up order 7", thread="t", delivery="same")
    await house.shows("Done:")

    await house.mention("ana", "look up order 7", thread="t", delivery="same")

    assert len(await events(house, "run_started")) == 1
    assert await settled(house)


async def test_a_reply_delivered_twice_is_heard_once(build: Build, hands: Hands) -> None:
    """T12: the agent reads it once."""
    model = Played(calls(call("wire", amount=1)), calls(call("wire", amount=2)))
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        thread = await house.mention("ana", "pay")
        first = await house.card()

        for _ in range(2):
            await house.say("ana", "make it 2", thread=thread, delivery="same")
        await house.press("approve", by="bo", card=await house.card(but=[first]))

        await house.shows("ok wire 2 bank")
        assert sum("make it 2" in line.text for line in model.asked[-1] if line.role == "user") == 1
        assert hands.did == ["wire 2 bank"]
        assert await settled(house)


async def test_a_word_delivered_twice_counts_once(house: House) -> None:
    """I10, CD-06."""
    thread = await house.mention("ana", "refund 40 on order 1042")
    await house.card()

    answers = [await house.say("ana", "yes", thread=thread, delivery="same") for _ in range(2)]

    assert answers[0] == Answer(is_taken=True, text="Approved. It runs now.")
    await house.shows("Done")
    assert house.refunds == 1
    assert len(await events(house, "vote_counted")) == 1
    assert await settled(house)


async def test_what_sounds_like_yes_and_comes_twice_offers_one_button(house: House) -> None:
    """T12: the confirm button is not posted again for a redelivery."""
    thread = await house.mention("ana", "refund 40 on order 1042")
    await house.card()

    for _ in range(2):
        await house.say("ana", "looks good to me", thread=thread, delivery="same")
    await house.chat.until(lambda: len(house.with_button("approve")) == 2, "the button")
    await shown(house)

    assert len(house.with_button("approve")) == 2
    assert await house.is_sound()


async def test_a_typed_answer_delivered_again_after_the_end_starts_nothing(build: Build) -> None:
    """T12, I10, CD-08: it names the bot, and the thread is free: it is still the answer that was counted."""
    model = Played(calls(call("ask_people", question="Which colour?", options=["red", "blue"])))
    async with build(policy=policy(), model=model) as house:
        thread = await house.mention("ana", "paint the door")
        await house.card("pick_a")
        await house.say("ana", "@countersign a dark yellow", thread=thread, is_mention=True, delivery="same")
        await quiet(house)

        again = await house.say("ana", "@countersign a dark yellow", thread=thread, is_mention=True, delivery="same")

        assert again is None
        assert len(await events(house, "run_started")) == len(await events(house, "vote_counted")) == 1
        assert await settled(house)


async def test_a_reply_that_was_heard_answers_nothing_when_it_comes_again(build: Build, hands: Hands) -> None:
    """T12, I10: a question is open by now, and the same words would be an answer to it."""
    question = calls(call("ask_people", question="Which colour?", options=["red", "blue"]))
    model = Played(calls(call("wire", amount=1)), question)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        thread = await house.mention("ana", "pay")
        await house.card()
        await house.say("ana", "blue", thread=thread, delivery="same")
        await house.card("pick_b")

        again = await house.say("ana", "blue", thread=thread, delivery="same")

        assert again == Answer(is_taken=True, text="This was counted before.")
        assert not await events(house, "vote_counted")
        await house.press("pick_a", by="ana")
        assert await settled(house)


CLOSED = [
    call("ask_people", question="Which colour?", options=["red", "blue"], may_write=False),
    call("ask_people", question="Which shape?", options=["round", "square"], may_write=False),
]


async def test_a_reply_that_was_refused_answers_nothing_when_it_comes_again(build: Build) -> None:
    """T12, I10: none of the options then, and the very answer of what is asked by now; also after a restart."""
    model = Played(*(calls(one) for one in CLOSED))
    async with build(policy=policy(), model=model) as house:
        thread = await house.mention("ana", "draw")
        first = await house.card("pick_a")
        refused = await house.say("ana", "square", thread=thread, delivery="same")
        assert refused is not None
        assert not refused.is_taken
        await house.press("pick_a", by="ana")
        await house.card("pick_a", but=[first])
    async with house.again() as later:
        again = await later.say("ana", "square", thread=thread, delivery="same")

        assert again == refused
        assert len(await events(later, "vote_counted")) == 1
        assert (await later.say("ana", "square", thread=thread)) is not None
        await later.shows("'square'")
        assert await settled(later)


async def test_a_reply_of_somebody_who_may_not_answer_is_refused_for_good(build: Build, hands: Hands) -> None:
    """T12: a guest then, a member by the time it is delivered again: what was not counted then is not counted now."""
    staff = Staff()
    staff.change("bo", is_guest=True)
    async with build(policy=policy(), tools=hands.tools, model=Played(TWICE), directory=staff) as house:
        thread = await house.mention("ana", "pay")
        await house.card()
        first = await house.say("bo", "stop", thread=thread, delivery="same")
        staff.change("bo", is_guest=False)

        again = await house.say("bo", "stop", thread=thread, delivery="same")

        assert first == again
        assert not await events(house, "run_stopped")
        assert await house.is_sound()


# ------------------------------------------------------------------- tokens


async def test_the_button_of_one_request_does_not_sign_another(build: Build, hands: Hands) -> None:
    """PP-02, T13: the value of another request, in every mixture of subject, token and message."""
    async with build(policy=policy(), tools=hands.tools, model=Played(TWICE)) as house:
        await house.mention("ana", "pay")
        await house.chat.until(lambda: len(house.with_button("approve")) == 2, "two cards")
        await shown(house)
        one, two = house.with_button("approve")
        mine, other = (click(find(post, "approve"), post, "bo", "x") for post in (one, two))

        for forged in (
            replace(mine, token=other.token),
            replace(mine, subject=other.subject),
            replace(mine, ref=other.ref),
            replace(mine, move="reject"),
        ):
            await _refused(house, forged, "NotShown")

        assert (await request_of(house, one)).is_open
        assert (await request_of(house, two)).is_open
        assert not hands.did


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"token": ""}, "NotShown"),
        ({"token": "A" * 22}, "NotShown"),
        ({"token": "ü€" * 1000}, "NotShown"),
        ({"subject": "q-0-000000000000000000000000"}, "NoSuchRequest"),
        ({"subject": "q-99-000000000000000000000000"}, "NoSuchRequest"),
        ({"subject": ""}, "NoSuchRequest"),
        ({"subject": "x" * 2000}, "NoSuchRequest"),
        ({"subject": "q-²-1"}, "NoSuchRequest"),
        ({"subject": "q-\ud800-1"}, "NoSuchRequest"),
        ({"subject": "q-0-\ud800"}, "NoSuchRequest"),
        ({"move": "spend"}, "NotShown"),
        ({"move": "\ud800" * 100}, "NotShown"),
        ({"move": "stop"}, "NotShown"),
        ({"move": "stop", "subject": "r-0-0"}, "NotShown"),
    ],
)
async def test_a_made_up_value_is_refused(house: House, changes: dict[str, Any], cause: str) -> None:
    """PP-02, T13: refused, told in the same words, written down; nothing else happens."""
    await house.mention("ana", "refund 120 on order 1042")
    card = await house.card()

    await _refused(house, replace(click(find(card, "approve"), card, "bo", "x"), **changes), cause)

    assert (await request_of(house, card)).is_open


async def test_a_card_that_was_forwarded_signs_nothing(house: House) -> None:
    """PP-02, T14: the same button in a message we did not post for this request."""
    await house.mention("ana", "refund 120 on order 1042")
    card = await house.card()
    copied = MessageRef(place=card.place, id="forwarded")

    await _refused(house, replace(click(find(card, "approve"), card, "bo", "x"), ref=copied), "NotShown")


async def test_a_stop_button_of_another_run_does_not_stop_this_one(house: House) -> None:
    """T13."""
    thread = await house.mention("ana", "refund 120 on order 1042")
    card = await house.card()
    stop = click(find(card, "stop"), card, "ana", "x")
    other = await house.mention("ana", "refund 130 on order 1042")

    await _refused(house, replace(stop, subject=await run_of(house, other)), "NotShown")

    assert await run_of(house, thread)
    assert await run_of(house, other)


async def _refused(house: House, forged: Click, cause: str) -> None:
    before = await events(house, "vote_refused")
    answer = await house.desk.click(forged)
    assert not answer.is_taken
    assert answer.text
    after = await events(house, "vote_refused")
    assert len(after) == len(before) + 1
    assert after[-1]["cause"] == cause
    assert not await events(house, "vote_counted")
    assert await house.is_sound()


async def test_a_word_that_answers_where_nothing_is_asked_starts_nothing(house: House) -> None:
    """CD-08: "@countersign stop" in a free thread is told so; it is not a task."""
    await house.mention("ana", "stop")

    assert house.chat.whispers == [("ana", "Nothing is running or waiting in this thread.")]
    assert not await house.audit()
