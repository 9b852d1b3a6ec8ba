"""Time: one ladder with reminder, second person, manager and expiry; deadlines; the execution window; the clock."""

from __future__ import annotations

import dataclasses
import time
from datetime import timedelta

import pytest

from bot.domain.chat import Card, Place
from bot.domain.errors import Undeliverable
from tests.fakes.chat import Posted
from tests.flows.stage import (
    STEADY,
    Build,
    Hands,
    Played,
    call,
    calls,
    events,
    moves,
    ownerless,
    policy,
    quiet,
    request_of,
    results,
    settled,
    shown,
)
from tests.house import QUICK, House, words

WIRE = calls(call("wire", amount=90))
LAZY = dataclasses.replace(QUICK, timers_every=timedelta(hours=1))  # timers are looked at when the test says so
LADDER = (
    "{after: 5m, remind: here}, {after: 15m, also: finance}, "
    "{after: 30m, dm: manager(approver)}, {after: 4h, expire: true}"
)


async def test_the_ladder_is_climbed_step_by_step_to_its_end(build: Build, hands: Hands) -> None:
    """PN-04, PN-16, PP-07, AU-31, CD-09, I11: reminder, a second person, the manager by DM, expiry: in order, once
    each; nothing runs.
    """
    model = Played(WIRE)
    async with build(policy=policy(ladder=LADDER), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        card = await house.card()

        house.clock.advance(minutes=5)
        await house.shows("Reminder: wire still waits for a signature.")
        house.clock.advance(minutes=10)
        await house.shows("No answer yet: asked Chris as well.")
        house.clock.advance(minutes=15)
        await house.shows("No answer yet: asked Dana as well.")
        await shown(house)
        assert {post.place.channel for post in house.with_button("approve")} == {"general", "dm-chris", "dm-dana"}
        house.clock.advance(hours=4)

        await house.shows("Results:")
        assert results(model.asked[-1]) == ["Not run: nobody answered in time. Nobody refused it either."]
        assert [(fired["index"], fired["do"]) for fired in await events(house, "rung_fired")] == [
            (0, "remind"),
            (1, "also"),
            (2, "dm"),
            (3, "expire"),
        ]
        await quiet(house)
        assert not house.with_button("approve")
        assert len(house.titled("Expired – not executed: wire")) == 3
        assert not (await house.press("approve", by="bo", card=card)).is_taken
        assert not hands.did
        assert await settled(house)


async def test_a_manager_decides_in_the_dm_and_the_thread_shows_it(build: Build, hands: Hands) -> None:
    """PN-16, CD-09: the ladder reached dana; her click counts for the approvers, and every copy is edited."""
    rules = policy(ladder="{after: 5m, dm: manager(approver)}, {after: 4h, expire: true}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        origin = await house.card()
        assert not (await house.press("approve", by="dana", card=origin)).is_taken
        house.clock.advance(minutes=6)
        dm = await in_dm(house, "dana")

        answer = await house.press("approve", by="dana", card=dm)

        assert answer.text == "Approved. It runs now."
        await house.shows("ok wire 90 bank")
        await quiet(house)
        for post in (origin, dm):
            assert post.card.title == "Approved: wire"
            assert "Done." in post.card.status
            assert not moves(post)
        assert await settled(house)


async def test_a_clock_that_jumps_over_the_whole_ladder_leaves_no_step_out(build: Build, hands: Hands) -> None:
    """I11, D-03: nothing was looked at for a day; every step is tried, then it expires."""
    async with build(policy=policy(ladder=LADDER), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        await house.card()

        house.clock.advance(days=1)

        await house.shows("Results:")
        assert [fired["index"] for fired in await events(house, "rung_fired")] == [0, 1, 2, 3]
        assert await settled(house)


async def test_a_deadline_passes_while_nobody_runs(build: Build, hands: Hands) -> None:
    """D-03: the program is down when the deadline comes; started again, it expires the request at once."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        await house.card()
    house.clock.advance(hours=5)

    async with house.again() as later:
        await later.shows("Results: Not run: nobody answered in time.")
        assert not hands.did
        assert await settled(later)


async def test_a_click_after_the_deadline_is_too_late_even_before_the_timer(build: Build, hands: Hands) -> None:
    """PP-07, D-04, I7: the store judges the vote by its own clock, whether or not somebody has noticed the deadline."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE), pace=LAZY) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        house.clock.advance(hours=5)

        for move, fields in (("approve", None), ("edit", {"amount": "1"})):
            answer = await house.press(move, by="bo", card=card, fields=fields)
            assert (answer.is_taken, answer.text) == (False, "The time for this answer has passed. Nothing was run.")

        assert {refused["cause"] for refused in await events(house, "vote_refused")} == {"TooLate"}
        assert not hands.did
        assert await house.is_sound()


async def test_a_late_click_answers_no_other_request(build: Build, hands: Hands) -> None:
    """PP-02, D-04, D-05, ST-34: 30 and 60 minutes expire apart; the late answer to one leaves the other untouched."""
    rules = policy(ladder="{after: 30m, expire: true}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay one")
        one = await house.card()
        house.clock.advance(minutes=20)
        await house.mention("dana", "pay two")
        two = await house.card(but=[one])
        house.clock.advance(minutes=15)
        await house.chat.until(lambda: not moves(one), "the first is closed")

        late = await house.press("approve", by="bo", card=one)

        assert (late.is_taken, late.text) == (False, "This request is already expired.")
        assert (await request_of(house, two)).is_open
        assert (await house.press("approve", by="bo", card=two)).is_taken
        await house.shows("ok wire 90 bank")
        assert hands.did == ["wire 90 bank"]
        assert await settled(house)


async def test_an_approval_that_was_not_used_in_time_is_void(build: Build, hands: Hands) -> None:
    """I7: signed while no process could start it; an hour later the window is over, and the card says so."""
    rules = policy(more="    exec_window: 15m\n")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), pace=STEADY) as house:
        await house.mention("ana", "pay")
        card = await house.card()

        async with ownerless(house):
            assert (await house.press("approve", by="bo", card=card)).is_taken
            house.clock.advance(hours=1)

        await house.shows("Approved, but not run: its approval was not used in time.")
        await quiet(house)
        assert card.card.title == "Approved, but not run: wire"
        assert not hands.did
        assert await settled(house)


async def test_a_host_clock_that_is_wrong_expires_nothing(
    build: Build, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T31: this machine's clock is a day ahead, then a day behind; deadlines are the store's."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        true = time.time
        for wrong in (86_400, -86_400):
            monkeypatch.setattr(time, "time", lambda wrong=wrong: true() + wrong)
            for fence in house.engine.shards.fences.values():
                await house.engine.timers.look(fence)
            assert (await request_of(house, card)).is_open
        assert (await house.press("approve", by="bo", card=card)).is_taken
        monkeypatch.undo()
        await house.shows("ok wire 90 bank")
        assert not await events(house, "rung_fired")
        assert await settled(house)


async def test_a_reminder_calls_only_those_who_have_not_answered(build: Build, hands: Hands) -> None:
    rules = policy("groups: [{of: approvers, need: 2}]", "{after: 5m, remind: here}, {after: 4h, expire: true}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        await house.press("approve", by="bo")

        house.clock.advance(minutes=6)

        await house.shows("Reminder: wire")
        reminder = next(post for post in house.chat.posts if "Reminder" in post.card.body)
        assert reminder.card.mentions == ("chris",)
        assert await house.is_sound()


async def test_a_manager_who_cannot_be_reached_does_not_end_the_request(build: Build, hands: Hands) -> None:
    """CD-09: the DM cannot be opened; that is written down, the ladder goes on, and the thread can still answer."""

    def no_dm(what: str, card: Card, place: Place) -> None:  # noqa: ARG001  # what a chat is asked
        if place.is_direct:
            raise Undeliverable(place.key, "cannot_dm_user")

    rules = policy(ladder="{after: 5m, dm: manager(approver)}, {after: 10m, also: '@erin'}, {after: 4h, expire: true}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        house.chat.fail = no_dm
        await house.mention("ana", "pay")
        card = await house.card()
        house.clock.advance(minutes=6)
        await house.shows("asked Dana as well")
        house.clock.advance(minutes=6)
        await house.shows("asked Erin as well")
        await shown(house)

        assert {lost["copy"] for lost in await events(house, "card_lost")} == {"dm-dana", "dm-erin"}
        assert (await house.press("approve", by="erin", card=card)).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_each_request_keeps_a_time_of_its_own(build: Build, hands: Hands) -> None:
    """ST-34, D-05: 30 s and 60 s run side by side; one answer comes at 29 s, one request expires, one is untouched."""
    rules = """
rules:
  - {id: short, when: tool.name == "wire", ask: {groups: [approvers]}, ladder: [{after: 30s, expire: true}]}
  - {id: long, when: tool.name == "tidy", ask: {groups: [approvers]}, ladder: [{after: 60s, expire: true}]}
"""
    model = Played(calls(call("wire", amount=90), call("wire", amount=91), call("tidy", what="desk")))
    async with build(policy=rules, tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay and tidy up")
        await house.chat.until(lambda: len(house.with_button("approve")) == 3, "three cards")
        await shown(house)
        found = {(await request_of(house, one)).call.args: one for one in house.with_button("approve")}
        answered, silent, longer = (found[args] for args in sorted(found, key=lambda args: ("desk" in args, args)))
        house.clock.advance(seconds=29)
        assert (await house.press("approve", by="bo", card=answered)).is_taken
        house.clock.advance(seconds=2)

        await house.chat.until(lambda: not moves(silent), "the second expires")

        assert "No response received. Operation cancelled." in words(silent)
        assert (await request_of(house, longer)).is_open
        house.clock.advance(seconds=20)
        assert (await house.press("approve", by="chris", card=longer)).is_taken
        await house.shows("Results: ok wire 90 bank / Not run: nobody answered in time.")
        house.clock.advance(days=1)
        assert await settled(house)
        assert sorted(hands.did) == ["tidy desk", "wire 90 bank"]
        assert len([one for one in await events(house, "request_decided") if one["status"] == "expired"]) == 1


@pytest.mark.parametrize("seconds", [30, 300])
async def test_the_first_step_comes_when_the_rule_says(build: Build, hands: Hands, seconds: int) -> None:
    """D-02, AU-31: 30 s and 300 s are both good; then the manager is asked, and the last deadline runs nothing."""
    rules = policy(ladder=f"{{after: {seconds}s, dm: manager(approver)}}, {{after: 1h, expire: true}}")
    model = Played(WIRE)
    async with build(policy=rules, tools=hands.tools, model=model, pace=LAZY) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        house.clock.advance(seconds=seconds - 2)
        assert await house.engine.timers.look(house.engine.shards.fences[0]) == 0
        house.clock.advance(seconds=3)
        assert await house.engine.timers.look(house.engine.shards.fences[0]) == 1
        await in_dm(house, "dana")
        house.clock.advance(hours=1)
        assert await house.engine.timers.look(house.engine.shards.fences[0]) == 1

        await house.shows("Results:")
        await quiet(house)
        assert card.card.title == "Expired – not executed: wire"
        assert "No response received. Operation cancelled." in words(card)
        assert results(model.asked[-1]) == ["Not run: nobody answered in time. Nobody refused it either."]
        assert not hands.did
        assert await settled(house)


async def test_the_deadline_stands_on_the_card(house: House) -> None:
    """AS-21: people see until when they can answer, and what happens then."""
    await house.mention("ana", "refund 120 on order 1042")
    card = await house.card()
    request = await request_of(house, card)
    assert request.deadline is not None
    assert request.deadline - request.opened == timedelta(hours=4)
    assert "then it is not executed" in words(card)


async def in_dm(house: House, who: str) -> Posted:
    """The card in somebody's direct messages, once the store knows it."""
    channel = f"dm-{who}"
    await house.chat.until(lambda: [p for p in house.with_button("approve") if p.place.channel == channel], channel)
    await shown(house)
    return next(post for post in house.with_button("approve") if post.place.channel == channel)
