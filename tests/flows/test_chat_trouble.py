"""When the chat does not do what it should: down, slow, a message deleted, a place that is gone."""

from __future__ import annotations

import pytest

from bot.domain.chat import Card, Place
from bot.domain.errors import ChatUnavailable, Unavailable, Undeliverable
from tests.fakes.chat import unavailable
from tests.flows.stage import Build, Hands, Played, asked, call, calls, events, policy, settled, shown
from tests.house import House, words

WIRE = calls(call("wire", amount=90))
LADDER = "{after: 5m, dm: manager(approver)}, {after: 4h, expire: true}"


async def test_a_chat_that_was_down_shows_every_card_once_afterwards(build: Build, hands: Hands) -> None:
    """PP-03: nothing is lost and nothing is doubled; the request waited in the store meanwhile."""
    tries: list[str] = []

    def down(what: str, _card: Card, _place: Place) -> None:
        tries.append(what)
        if len(tries) < 6:
            raise ChatUnavailable("playground", "down", retry_after=0.0)

    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        house.chat.fail = down
        await house.mention("ana", "pay")

        card = await house.card()

        assert len(house.with_button("approve")) == 1
        await house.press("approve", by="bo", card=card)
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_a_decision_does_not_wait_for_a_chat_that_is_down(build: Build, hands: Hands) -> None:
    """The click was counted; the card shows it whenever the chat is there again."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        await shown(house)
        house.chat.fail = unavailable

        await house.press("approve", by="bo", card=card)
        await hands.began.wait()

        assert hands.did == ["wire 90 bank"]
        house.chat.fail = lambda _what, _card, _place: None
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_a_word_cannot_sign_a_card_that_nobody_can_see_yet(build: Build, hands: Hands) -> None:
    """I8: the card could not be posted; whoever says "approve" has not read the call."""

    def no_cards(what: str, card: Card, place: Place) -> None:
        if card.title.startswith("Approval needed"):
            unavailable(what, card, place)

    async with build(policy=policy("groups: [approvers], words: true"), tools=hands.tools, model=Played(WIRE)) as house:
        house.chat.fail = no_cards
        thread = await house.mention("ana", "pay")
        await asked(house)

        with pytest.raises(Unavailable):
            await house.say("bo", "approve", thread=thread)

        assert not await events(house, "vote_counted")
        assert not hands.did
        house.chat.fail = lambda _what, _card, _place: None
        await house.card()
        await house.say("bo", "approve", thread=thread)
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_a_request_whose_card_was_deleted_is_answered_elsewhere(build: Build, hands: Hands) -> None:
    """Somebody deletes the message; the ladder's DM is another one, and decides."""
    async with build(policy=policy(ladder=LADDER), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        house.chat.posts.remove(card)
        house.clock.advance(minutes=6)

        dm = await house.card(but=[card])

        assert dm.place.channel == "dm-dana"
        assert (await house.press("approve", by="dana", card=dm)).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_a_request_that_can_be_shown_nowhere_ends_and_says_so(build: Build, hands: Hands) -> None:
    """#approvals is archived: the thread hears why nothing will happen."""

    def gone(_what: str, _card: Card, place: Place) -> None:
        if place.channel == "approvals":
            raise Undeliverable(place.key, "is_archived")

    rules = policy(more='    place: "#approvals"\n')
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        house.chat.fail = gone
        await house.mention("ana", "pay")

        await house.shows("no card could be shown to anybody")

        assert not house.with_button("approve")
        assert await settled(house)


async def test_a_card_may_stand_in_a_channel_of_its_own(build: Build, hands: Hands) -> None:
    """CD-07: teammates approve in #approvals; the thread reads the end."""
    rules = policy(more='    place: "#approvals"\n')
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        assert (card.place.channel, card.place.thread) == ("approvals", None)

        await house.press("approve", by="bo", card=card)

        await house.shows("Results: ok wire 90 bank")
        end = next(post for post in house.chat.posts if post.key.endswith("/end"))
        assert end.place.channel == "general"
        assert await settled(house)


async def test_the_decided_card_says_who_and_has_no_buttons(house: House) -> None:
    """CD-07: who, what and when; a second click is told."""
    await house.mention("ana", "refund 120 on order 1042")
    card = await house.card()
    await house.press("approve", by="bo", card=card)
    await house.shows("Done")

    late = await house.press("reject", by="chris", card=card, fields={"reason": "no"})

    assert (late.is_taken, late.text) == (False, "Bo already answered: approved.")
    assert await settled(house)
    assert "Approved by Bo at" in words(card)
    assert not card.card.buttons
    assert (await request_of_decided(house)) == ["approved"]


async def request_of_decided(house: House) -> list[object]:
    return [decided["status"] for decided in await events(house, "request_decided")]
