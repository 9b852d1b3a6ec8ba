"""The clock of a ladder: outside of its hours no time goes by, for no step, no deadline; a start waits not."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.wording import time
from tests.fakes.chat import Posted
from tests.flows.stage import STEADY, Build, Hands, Played, call, calls, events, ownerless, policy, request_of, settled
from tests.flows.stage import results as told
from tests.flows.test_hours import clock_at, until
from tests.house import QUICK, House

WIRE = calls(call("wire", amount=90))
LAZY = dataclasses.replace(QUICK, timers_every=timedelta(hours=1))  # timers are looked at when the test says so
FRIDAY = datetime(2030, 3, 29, 15, 0, tzinfo=UTC)  # 16:00 in Berlin: one hour is left, and the clocks change on Sunday
MONDAY = datetime(2030, 4, 1, 7, 0, tzinfo=UTC)  # 09:00 there
HOURS = "Mon-Fri 09:00-17:00"
OFFICE = f'    clock: {{hours: "{HOURS}", zone: Europe/Berlin}}\n'
HOUR = timedelta(hours=1)


def fact(post: Posted, label: str) -> str:
    return next(one.value for one in post.card.facts if one.label == label)


async def looked(house: House) -> None:
    """Deal with what is due, by what the store's clock says now."""
    await house.engine.timers.look(house.engine.shards.fences[0])


async def test_a_weekend_takes_no_time_of_the_ladder(build: Build, hands: Hands) -> None:
    """PN-04, D-02, I11: asked an hour before the weekend; a reminder due in 90 minutes comes on Monday at half past
    nine, and what expires after four hours does so on Monday at noon. Nothing of it happens at home.
    """
    rules = policy(ladder="{after: 90m, remind: here}, {after: 4h, expire: true}", more=OFFICE)
    model = Played(WIRE)
    async with build(policy=rules, tools=hands.tools, model=model, pace=LAZY, clock=clock_at(FRIDAY)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        request = await request_of(house, card)
        early = FRIDAY + HOUR - request.opened  # what had gone by when it was asked

        assert request.deadline == MONDAY + 4 * HOUR - early
        pause = f"; the clock pauses outside {HOURS}, Europe/Berlin"
        assert fact(card, "Deadline") == f"{time(request.deadline)}, then it is not executed{pause}"
        until(house, MONDAY + timedelta(minutes=90) - early, -5)
        await looked(house)
        assert not await events(house, "rung_fired"), "65 hours later, 89 minutes have gone by"
        until(house, MONDAY + timedelta(minutes=90) - early, 2)
        await looked(house)
        await house.shows("Reminder: wire still waits for a signature.")
        until(house, MONDAY + 4 * HOUR - early, -60)
        await looked(house)
        assert (await request_of(house, card)).is_open
        until(house, MONDAY + 4 * HOUR - early, 2)
        await looked(house)

        await house.shows("Results:")
        assert told(model.asked[-1]) == ["Not run: nobody answered in time. Nobody refused it either."]
        assert not hands.did
        assert await settled(house)


async def test_a_weekend_is_an_answer_in_time(build: Build, hands: Hands) -> None:
    """PN-04: two days after it was asked, the deadline of four hours has not passed: bo's signature counts."""
    rules = policy(more=OFFICE)
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), clock=clock_at(FRIDAY)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        until(house, MONDAY, -HOUR.total_seconds())
        await looked(house)

        assert (await house.press("approve", by="bo", card=card)).is_taken

        await house.shows("Results:")
        assert hands.did == ["wire 90 bank"]
        assert await settled(house)


async def test_the_execution_window_does_not_pause(build: Build, hands: Hands) -> None:
    """PN-04, I7: two clocks. What was signed on Friday evening may not start on Monday morning, though the ladder has
    seen no minute go by: a signature is about the world as it was.
    """
    rules = policy(more=f"    exec_window: 15m\n{OFFICE}")
    model = Played(WIRE)
    evening = clock_at(FRIDAY + 3 * HOUR)
    async with build(policy=rules, tools=hands.tools, model=model, pace=STEADY, clock=evening) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        async with ownerless(house):
            assert (await house.press("approve", by="bo", card=card)).is_taken
            house.clock.advance(minutes=16)

        await house.shows("Results:")
        assert not hands.did
        assert told(model.asked[-1]) == ["Approved, but not run: its approval was not used in time."]
        assert await settled(house)


async def test_what_an_agent_asks_pauses_with_the_clock_of_the_defaults(build: Build, hands: Hands) -> None:
    """PN-04: a question has the ladder of the defaults, and so its clock; the card says so, too."""
    rules = "defaults:\n    ladder: [{after: 4h, expire: true}]\n" + OFFICE + "rules: []\n"
    asks = Played(calls(call("ask_people", question="Pay now?", options=["yes", "no"])))
    async with build(policy=rules, tools=hands.tools, model=asks, clock=clock_at(FRIDAY)) as house:
        await house.mention("ana", "pay")
        card = await house.card("pick_a")
        request = await request_of(house, card)

        assert request.deadline == MONDAY + 4 * HOUR - (FRIDAY + HOUR - request.opened)
        assert fact(card, "Until").endswith(
            f"; silence is not an answer; the clock pauses outside {HOURS}, Europe/Berlin"
        )


async def test_an_edited_call_counts_open_hours_from_its_own_opening(build: Build, hands: Hands) -> None:
    """PN-04: a new version is a new request; on a Saturday its four hours have not begun."""
    rules = policy(more=OFFICE)
    saturday = FRIDAY + 20 * HOUR
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), clock=clock_at(saturday)) as house:
        await house.mention("ana", "pay")
        first = await house.card()
        edited = await house.press("edit", by="bo", card=first, fields={"amount": "80", "to": "bank"})
        assert edited.is_taken, edited
        new = (await request_of(house, first)).replaced_by
        assert new is not None

        assert (await house.store.held(new)).request.deadline == MONDAY + 4 * HOUR


async def test_a_review_without_deadline_counts_open_hours_too(build: Build, hands: Hands) -> None:
    """PN-04, ST-41: every hour of the office, so at 17:00 on Friday, and then not before 10:00 on Monday; a period that
    nobody saw go by is over all the same.
    """
    rules = policy(ladder="{after: 1h, review: here}", more=OFFICE)
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), pace=LAZY, clock=clock_at(FRIDAY)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        opened = (await request_of(house, card)).opened
        early = FRIDAY + HOUR - opened
        until(house, opened + HOUR if early > HOUR else MONDAY + HOUR - early, 3)
        await looked(house)
        await house.shows("Still open: wire waits for a signature.")
        assert "asked again every 1 hour; the clock pauses outside" in house.chat.posts[-1].card.body
        first = (await request_of(house, card)).reviews
        until(house, MONDAY + 2 * HOUR - early, -5)
        await looked(house)
        assert (await request_of(house, card)).reviews == first

        until(house, MONDAY + 4 * HOUR - early, 3)
        await looked(house)

        assert (await request_of(house, card)).reviews == 4
        assert (await house.press("reject", by="bo", card=card, fields={"reason": "no"})).is_taken
        assert await settled(house)


@pytest.mark.parametrize("clock", ["", OFFICE])
async def test_without_a_clock_a_ladder_goes_by_the_wall(build: Build, hands: Hands, clock: str) -> None:
    """PN-04: the same request, with and without: only then is there anything about it on the card."""
    rules = policy(more=clock)
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), clock=clock_at(FRIDAY)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        request = await request_of(house, card)

        assert (request.deadline == request.opened + 4 * HOUR) is not bool(clock)
        assert ("pauses" in fact(card, "Deadline")) is bool(clock)
