"""Less asking: nobody is asked the same twice, and no person and no channel drowns in requests."""

from __future__ import annotations

import pytest

from tests.fakes.chat import Posted
from tests.flows.stage import (
    Build,
    Hands,
    Played,
    call,
    calls,
    events,
    policy,
    quiet,
    request_of,
    results,
    settled,
    shown,
    subject_of,
    thread_on,
)
from tests.house import House, words

WIRE = calls(call("wire", amount=90))


# ------------------------------------------------------------------- twins


async def test_exactly_the_same_call_is_not_asked_twice(build: Build, hands: Hands) -> None:
    """T18: another thread of ana's wants the same; its model is told which request waits, and nobody sees a card."""
    model = Played(WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        card = await house.card()

        await house.mention("ana", "pay, please")

        await house.shows(f"exactly this call already waits for people as request {subject_of(card)}")
        assert [denied["cause"] for denied in await events(house, "call_denied")] == ["twin"]
        assert len(await events(house, "request_opened")) == 1
        await house.press("approve", by="bo", card=card)
        await quiet(house)
        assert hands.did == ["wire 90 bank"]
        assert await settled(house)


async def test_threads_on_different_shards_do_not_ask_the_same_twice(build: Build, hands: Hands) -> None:
    """T18: four shards, a thread of ana's on each: one card, and the other three are told which request waits."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE), shards=4) as house:
        await house.mention("ana", "pay", thread=thread_on(house, 0))
        card = await house.card()

        for shard in range(1, 4):
            await house.mention("ana", "pay", thread=thread_on(house, shard))

        told = f"waits for people as request {subject_of(card)}"
        await house.chat.until(lambda: _told(house, told) == 3, "three words")
        assert len(house.with_button("approve")) == 1
        assert len(await events(house, "request_opened")) == 1
        await house.press("approve", by="bo", card=card)
        await quiet(house)
        assert hands.did == ["wire 90 bank"]
        assert await settled(house)


async def test_the_same_call_twice_in_one_turn_is_asked_once(build: Build, hands: Hands) -> None:
    """T18, I13: two calls with other ids and the same bytes; the second waits for nobody and runs never."""
    twice = calls(call("wire", amount=90), call("wire", amount=90), call("wire", amount=91))
    model = Played(twice)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        await house.chat.until(lambda: len(house.with_button("approve")) == 2, "two cards")
        for card in house.with_button("approve"):
            await house.press("approve", by="bo", card=card)

        await house.shows("Results:")
        first, second, third = results(model.asked[-1])
        assert (first, third) == ("ok wire 90 bank", "ok wire 91 bank")
        assert second.startswith("Not run: exactly this call already waits")
        assert sorted(hands.did) == ["wire 90 bank", "wire 91 bank"]
        assert await settled(house)


async def test_once_it_is_answered_the_same_may_be_asked_again(build: Build, hands: Hands) -> None:
    """A twin is only what still waits; and somebody else's task is no twin."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        first = await house.card()
        await house.mention("dana", "pay")
        second = await house.card(but=[first])
        await house.press("approve", by="bo", card=first)
        await house.shows("ok wire 90 bank")

        await house.mention("ana", "pay again")

        third = await house.card(but=[first, second])
        assert (await request_of(house, third)).requester == "ana"
        for card in (second, third):
            await house.press("reject", by="bo", card=card, fields={})
        assert await settled(house)


@pytest.mark.parametrize("end", ["a reply", "a stop", "time"])
async def test_however_a_request_ends_the_same_may_be_asked_again(build: Build, hands: Hands, end: str) -> None:
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        thread = await house.mention("ana", "pay")
        first = await house.card()
        match end:
            case "a reply":
                await house.say("ana", "no, wait", thread=thread)
            case "a stop":
                await house.press("stop", by="ana", card=first)
            case "time":
                house.clock.advance(hours=5)
        await quiet(house)

        await house.mention("ana", "pay")

        second = await house.card(but=[first])
        await house.press("reject", by="bo", card=second, fields={})
        assert await settled(house)


async def test_a_question_repeats_only_one_of_its_own_conversation(build: Build) -> None:
    """Two threads may each ask which colour; one thread asks once."""
    ask = call("ask_people", question="Which colour?", options=["red", "blue"])
    again = call("ask_people", question="Which colour?", options=["red", "blue"], of="requester")
    model = Played(calls(ask, ask, again))
    async with build(policy=policy(), model=model) as house:
        await house.mention("ana", "paint the door")
        await house.chat.until(lambda: len(house.with_button("pick_a")) == 2, "two questions")
        await house.mention("ana", "paint the window")
        await house.chat.until(lambda: len(house.with_button("pick_a")) == 4, "two more")

        assert [denied["cause"] for denied in await events(house, "call_denied")] == ["twin", "twin"]
        assert await house.is_sound()


async def test_a_call_changed_into_one_that_waits_is_refused_beside_its_form(build: Build, hands: Hands) -> None:
    """T18, I13: bo would make 90 of 91, which waits already; nothing changes, and 92 is as good as ever."""
    two = calls(call("wire", amount=90), call("wire", amount=91))
    async with build(policy=policy(), tools=hands.tools, model=Played(two)) as house:
        await house.mention("ana", "pay")
        await house.chat.until(lambda: len(house.with_button("approve")) == 2, "two cards")
        await shown(house)
        cards = {int((await request_of(house, post)).call.values["amount"]): post for post in house.with_button("edit")}

        answer = await house.press("edit", by="bo", card=cards[91], fields={"amount": "90"})

        told = f"Exactly this call already waits for an answer (request {subject_of(cards[90])})."
        assert (answer.is_taken, answer.problems) == (False, {"": told})
        assert (await request_of(house, cards[91])).is_open
        assert (await house.press("edit", by="bo", card=cards[91], fields={"amount": "92"})).is_taken
        await house.press("approve", by="bo", card=cards[90])
        await quiet(house)
        assert sorted(hands.did) == ["wire 90 bank", "wire 92 bank"]
        assert await settled(house)


# ----------------------------------------------------------- already rejected


async def test_what_people_rejected_is_not_asked_again_until_somebody_gives_direction(
    build: Build, hands: Hands
) -> None:
    """D-46: the model repeats a rejected call and is told so without a card; after a reply it may ask again."""
    first_turn = calls(call("wire", amount=90), call("peek", what="books"))
    model = Played(first_turn, WIRE, calls(call("wire", amount=91)), WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        thread = await house.mention("ana", "pay")
        first = await house.card()
        await house.press("reject", by="bo", card=first, fields={})
        other = await house.card(but=[first])
        assert "people already rejected exactly this call in this run" in model.read
        assert (await request_of(house, other)).call.values["amount"] == 91

        await house.say("ana", "the books are fine, try 90 once more", thread=thread)

        again = await house.card(but=[first, other])
        assert (await request_of(house, again)).call.values["amount"] == 90
        assert [denied["cause"] for denied in await events(house, "call_denied")] == ["repeated"]
        await house.press("approve", by="bo", card=again)
        await house.shows("ok wire 90 bank")
        assert await settled(house)


# -------------------------------------------------------------------- caps


async def test_one_channel_shows_only_so_many_requests(build: Build, hands: Hands) -> None:
    """T18: the third in one channel is refused visibly, whoever asks; with one answered there is room again."""
    model = Played(WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model, place_most=2) as house:
        cards: list[Posted] = []
        for who in ("ana", "bo"):
            await house.mention(who, "pay")
            cards.append(await house.card(but=cards))

        await house.mention("chris", "pay")
        await house.shows("this channel has 2 open requests, the most there may be in one channel.")
        assert [denied["cause"] for denied in await events(house, "call_denied")] == ["busy"]

        await house.press("reject", by="chris", card=cards[0], fields={})
        await house.shows("rejected by Chris")
        await house.mention("chris", "pay")
        third = await house.card(but=cards)
        for card in (cards[1], third):
            await house.press("reject", by="bo", card=card, fields={})
        assert await settled(house)


async def test_a_sheet_that_would_be_too_many_becomes_as_many_cards_as_there_is_room_for(
    build: Build, hands: Hands
) -> None:
    """T18: four equal calls and room for two: two cards, and two calls that are told why they were not asked about."""
    four = calls(*(call("tidy", what=str(n)) for n in range(4)))
    model = Played(four)
    rules = policy("groups: [approvers], batch: true")
    async with build(policy=rules, tools=hands.tools, model=model, open_most=2) as house:
        await house.mention("ana", "tidy up")
        await house.chat.until(lambda: len(house.with_button("approve")) == 2, "two cards")

        for card in house.with_button("approve"):
            await house.press("approve", by="bo", card=card)
        await house.shows("Results:")

        told = results(model.asked[-1])
        assert sorted(text.split(":")[0] for text in told) == ["Not run", "Not run", "ok tidy 0", "ok tidy 1"]
        assert all("2 open requests" in text for text in told[2:])
        assert await settled(house)


async def test_twins_do_not_keep_the_rest_of_a_sheet_from_being_asked(build: Build, hands: Hands) -> None:
    """T18: one of three equal calls waits elsewhere already; the other two get cards, and it is told so."""
    rules = policy("groups: [approvers], batch: true")
    one, three = calls(call("tidy", what="1")), calls(*(call("tidy", what=str(n)) for n in range(3)))
    model = Played(lambda lines: three if "everything" in lines[1].text else one)
    async with build(policy=rules, tools=hands.tools, model=model) as house:
        await house.mention("ana", "tidy one")
        first = await house.card()

        await house.mention("ana", "tidy everything")
        await house.chat.until(lambda: len(house.with_button("approve")) == 3, "two more cards")

        assert [denied["cause"] for denied in await events(house, "call_denied")] == ["twin"]
        for card in house.with_button("approve"):
            await house.press("approve", by="bo", card=card)
        await quiet(house)
        assert sorted(hands.did) == ["tidy 0", "tidy 1", "tidy 2"]
        assert first.card.status.endswith("Done.")
        assert await settled(house)


async def test_one_channel_is_full_whichever_shards_its_threads_are_on(build: Build, hands: Hands) -> None:
    """T18: room for two; the third thread is on a shard of its own, and counts the other two."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE), place_most=2, shards=4) as house:
        cards: list[Posted] = []
        for shard, who in enumerate(("ana", "bo")):
            await house.mention(who, "pay", thread=thread_on(house, shard))
            cards.append(await house.card(but=cards))

        await house.mention("chris", "pay", thread=thread_on(house, 2))

        await house.shows("this channel has 2 open requests, the most there may be in one channel.")
        for card in cards:
            await house.press("reject", by="chris", card=card, fields={})
        assert await settled(house)


def _told(house: House, text: str) -> int:
    return sum(text in words(post) for post in house.chat.posts)
