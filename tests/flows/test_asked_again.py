"""No deadline: such a request is asked again and again, never piled up, and runs nothing by itself."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bot.domain.hours import Hours, read_spans
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
    shown,
)
from tests.flows.test_hours import FRIDAY, MONDAY, clock_at, direct, its_dm, until
from tests.house import House, words

WIRE = calls(call("wire", amount=90))
WEEKLY = policy(ladder="{after: 1h, remind: here}, {after: 7d, review: here}")
AGAIN = "Still open: wire waits for a signature. It has no deadline; asked again every 7 days."


def said_in(house: House, channel: str, text: str) -> list[str]:
    return [p.card.body for p in house.chat.posts if p.place.channel == channel and text in p.card.body]


async def reviews(house: House, count: int) -> list[object]:
    """The periods that were reviewed, once there are *count*."""
    async with asyncio.timeout(10):
        while len(fired := [one for one in await events(house, "rung_fired") if one["do"] == "review"]) < count:
            pass
    await shown(house)
    return [one["period"] for one in fired]


async def test_a_request_without_a_deadline_is_asked_again_until_somebody_answers(build: Build, hands: Hands) -> None:
    """PP-07, ST-41, D-02, I11: every seven days, in the thread and by direct message; silence never runs and never
    ends it.
    """
    async with build(policy=WEEKLY, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        origin = await house.card()
        assert (await request_of(house, origin)).deadline is None
        assert "No deadline; asked again every 7 days" in words(origin)
        for week in range(1, 4):
            house.clock.advance(days=7, minutes=1)
            assert await reviews(house, week) == list(range(1, week + 1))
        assert len(said_in(house, "general", AGAIN)) == 3
        for who in ("bo", "chris"):  # one card each, and below it a word for every week that followed
            assert [bool(moves(post)) for post in direct(house, who)] == [True, False, False]
            assert len(said_in(house, f"dm-{who}", AGAIN)) == 2
        assert not hands.did
        assert await house.is_sound()

        assert (await house.press("approve", by="bo", card=origin)).is_taken

        await house.shows("ok wire 90 bank")
        house.clock.advance(days=70)
        await house.engine.timers.look(house.engine.shards.fences[0])
        assert await settled(house)
        assert len(said_in(house, "general", AGAIN)) == 3
        assert hands.did == ["wire 90 bank"]


async def test_weeks_that_went_by_unseen_make_one_review(build: Build, hands: Hands) -> None:
    """Nobody ran for a month: one note, not four; and the next comes at the end of the fifth week."""
    async with build(policy=WEEKLY, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        await house.card()
        opened = house.store.now()
    house.clock.advance(days=30)

    async with house.again() as later:
        assert await reviews(later, 1) == [4]
        until(later, opened + timedelta(days=35), -3600)
        assert await later.engine.timers.look(later.engine.shards.fences[0]) == 0
        until(later, opened + timedelta(days=35), 3600)
        assert await reviews(later, 2) == [4, 5]
        assert len(said_in(later, "general", AGAIN)) == 2
        assert await later.is_sound()


async def test_a_review_may_turn_to_more_people(build: Build, hands: Hands) -> None:
    """The managers are asked by it, and may then answer; whoever has answered already is not asked again."""
    rules = policy("groups: [{of: approvers, need: 2}]", ladder="{after: 2d, review: managers}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        assert (await house.press("approve", by="bo", card=card)).is_taken
        assert not (await house.press("approve", by="dana", card=card)).is_taken
        house.clock.advance(days=2, minutes=1)

        await house.shows("Still open: wire waits for a signature. It has no deadline; asked again every 2 days.")
        assert (await request_of(house, card)).standins == ("dana", "erin")
        assert (await house.press("approve", by="erin", card=await its_dm(house, "erin"))).is_taken
        await house.shows("ok wire 90 bank")
        assert not direct(house, "bo")
        assert await settled(house)


async def test_a_review_calls_people_by_their_own_clock(build: Build, hands: Hands) -> None:
    staff = Staff()
    staff.change("bo", hours=Hours(zone="Europe/Berlin", work=read_spans("Mon-Fri 09:00-17:30")))
    parts = {"tools": hands.tools, "directory": staff, "clock": clock_at(FRIDAY - timedelta(days=7))}
    async with build(policy=WEEKLY, model=Played(WIRE), **parts) as house:
        await house.mention("ana", "pay")
        await house.card()
        house.clock.advance(days=7, minutes=1)

        await house.shows(f"{AGAIN} Bo is away until Mon 09:00 (their time) and is asked then.")
        await its_dm(house, "chris")
        assert not direct(house, "bo")
        until(house, MONDAY, 1)
        await its_dm(house, "bo")
        assert await house.is_sound()


async def test_an_inquiry_is_asked_again_of_nobody_but_those_it_asks(build: Build, hands: Hands) -> None:
    """The default ladder reviews to the managers; a question to Ana stays Ana's, and still has no end of its own."""
    rules = """
defaults: {ladder: [{after: 7d, review: managers}]}
rules:
  - {id: reading, when: tool.risk == "read", allow: true}
"""
    ask = calls(call("ask_people", question="Which account?"))
    async with build(policy=rules, tools=hands.tools, model=Played(ask)) as house:
        await house.mention("ana", "pay")
        card = await house.card("write")
        assert "No deadline; asked again every 7 days" in words(card)
        house.clock.advance(days=7, minutes=1)

        assert await reviews(house, 1) == [1]
        await house.shows("waits for an answer. It has no deadline")
        assert (await request_of(house, card)).standins == ()
        assert not direct(house, "dana")
        assert (await house.press("write", by="ana", card=card, fields={"text": "the first"})).is_taken
        await house.shows("Results:")
        assert await settled(house)
