"""A step of the ladder shows the card in another channel: more eyes, not one right more."""

from __future__ import annotations

from bot.domain.chat import Card, Place
from bot.domain.errors import Undeliverable
from tests.flows.stage import (
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
    shown,
)
from tests.house import House

WIRE = calls(call("wire", amount=90))
TO_OPS = policy(ladder='{after: 5m, also: "#ops"}, {after: 6m, remind: here}, {after: 4h, expire: true}')


async def test_a_step_shows_the_card_in_a_channel_and_lends_nobody_a_right(build: Build, hands: Hands) -> None:
    """PN-04, PN-16, CD-07, T10: erin reads it in #ops and still may not sign; bo may, there as anywhere. Both cards
    end.
    """
    async with build(policy=TO_OPS, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        first = await house.card()
        house.clock.advance(minutes=5, seconds=1)

        card = await house.card(but=[first])

        await house.shows("No answer yet: shown in #ops as well.")
        assert (card.place.channel, card.place.thread) == ("ops", None)
        assert (await request_of(house, card)).standins == ()
        refused = await house.press("approve", by="erin", card=card)
        assert refused.text == "Sorry, this needs an answer from: approvers."
        assert (await house.press("approve", by="bo", card=card)).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)
        assert [(post.card.title, moves(post)) for post in (first, card)] == [("Approved: wire", [])] * 2
        assert hands.did == ["wire 90 bank"]


async def test_a_channel_that_cannot_be_written_to_is_told_of_once_in_the_thread(build: Build, hands: Hands) -> None:
    """CD-07: #ops is archived. The audit has it, the thread reads it once, and the request goes on where it stands."""

    def gone(_what: str, _card: Card, place: Place) -> None:
        if place.channel == "ops":
            raise Undeliverable(place.key, "is_archived")

    async with build(policy=TO_OPS, tools=hands.tools, model=Played(WIRE)) as house:
        house.chat.fail = gone
        await house.mention("ana", "pay")
        card = await house.card()
        house.clock.advance(minutes=5, seconds=1)
        await house.shows("The card cannot be shown in #ops: whoever may answer does so here.")
        house.clock.advance(minutes=1)
        await house.shows("Reminder: wire still waits")
        await shown(house)

        assert {lost["copy"] for lost in await events(house, "card_lost")} == {"also-ops"}
        assert count(house, "cannot be shown in #ops") == 1
        assert (await house.press("approve", by="bo", card=card)).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)


FULL = """
rules:
  - id: there
    when: tool.name == "wire" && args.amount == 1
    ask: {groups: [approvers]}
    place: "#ops"
    ladder: [{after: 4h, expire: true}]
  - id: here
    ask: {groups: [approvers]}
    ladder: [{after: 5m, also: "#ops"}, {after: 4h, expire: true}]
"""


async def test_a_full_channel_is_said_and_not_written_to(build: Build, hands: Hands) -> None:
    """T18, PN-04: one card stands in #ops, and no more may; the other is answered where it stands. Then there is room
    again, and what the ladder shows there is counted in its turn.
    """
    turns = [calls(call("wire", amount=1), call("wire", amount=2))]
    turns += [calls(call("wire", amount=3)), calls(call("wire", amount=1, to="b"))]
    async with build(policy=FULL, tools=hands.tools, model=Played(*turns), place_most=1) as house:
        await house.mention("ana", "pay")
        await house.chat.until(lambda: len(house.with_button("approve")) == 2, "two cards")
        house.clock.advance(minutes=5, seconds=1)

        await house.shows("No answer yet. #ops shows as many open requests as it may, so this one is not shown there.")

        await shown(house)
        both = house.with_button("approve")
        assert sorted(card.place.channel for card in both) == ["general", "ops"]
        for card in both:
            assert (await house.press("approve", by="bo", card=card)).is_taken
        third = await house.card(but=both)
        house.clock.advance(minutes=5, seconds=1)
        await house.shows("No answer yet: shown in #ops as well.")
        assert (await request_of(house, third)).also == ("playground/local/ops",)
        await shown(house)
        old = list(house.chat.posts)
        assert (await house.press("approve", by="bo", card=third)).is_taken
        assert (await house.press("approve", by="bo", card=await house.card(but=old))).is_taken
        await house.shows("ok wire 3 bank / ok wire 1 b")
        assert await settled(house)
        assert await house.store._link.client.hgetall(f"{{{house.store._namespace}:0}}:placed") == {}


async def test_where_the_card_stands_already_it_is_not_shown_again(build: Build, hands: Hands) -> None:
    rules = policy(ladder='{after: 5m, also: "#ops"}, {after: 4h, expire: true}', more='    place: "#ops"')
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        house.clock.advance(minutes=5, seconds=1)
        await house.shows("shown in #ops as well")
        await shown(house)

        assert house.with_button("approve") == [card]
        assert await house.is_sound()


def count(house: House, text: str) -> int:
    return sum(text in post.card.body for post in house.chat.posts)
