"""A takeover that comes between a look and a beginning: whatever was slow meanwhile, nothing begins behind its back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.domain.request import Status
from bot.domain.store import Turn
from bot.runtime.gatehouse import Gatehouse
from tests.flows.doors import around
from tests.flows.stage import (
    Build,
    Hands,
    Played,
    Staff,
    call,
    calls,
    events,
    handed_back,
    policy,
    settled,
    taken_over,
)
from tests.flows.test_grants import Tasks, given, sign, tidies, tools


async def test_a_signature_lapses_if_somebody_had_the_run_while_nobody_could_say_who_may_sign(
    build: Build, hands: Hands
) -> None:
    """T16, D-38: approved; then the directory is down, and meanwhile somebody does it by hand and hands the run back.

    When the directory answers again, the payment is not made a second time.
    """
    staff = Staff()
    model = Played(calls(call("wire", amount=90)))
    async with build(policy=policy(), tools=hands.tools, model=model, directory=staff) as house:
        thread = await house.mention("ana", "pay")
        card = await house.card()

        async def down(turn: Turn) -> None:
            staff.is_away = staff.is_away or turn.after.status is Status.APPROVED

        around(house, "turn", after=down)
        await house.press("approve", by="bo", card=card)
        await staff.turned_away.wait()

        for text in ("take over", "hand back"):
            told = await house.say("dana", text, thread=thread)
            assert told is not None
            assert told.is_taken
        async with asyncio.timeout(10):
            while not any(host.run.takes for host in house.engine.runner.hosts.values()):
                await house.store.totals(0)
        staff.is_away = False

        await house.shows("Results: Approved, but not run: somebody took this over first.")
        assert not hands.did
        assert await settled(house)


@pytest.mark.parametrize("is_returned", [False, True])
async def test_a_grant_lets_nothing_begin_after_a_takeover_that_came_while_its_giver_was_looked_up(
    build: Build, hands: Hands, monkeypatch: pytest.MonkeyPatch, is_returned: bool
) -> None:
    """GN-01, D-38: the beginning names the letters known when it was looked whether the run is somebody's."""
    looking, may_answer, inner = asyncio.Event(), asyncio.Event(), Gatehouse.grant_note

    async def slow(*args: Any) -> Any:
        looking.set()
        await may_answer.wait()
        return await inner(*args)

    monkeypatch.setattr(Gatehouse, "grant_note", slow)
    model = Tasks(tidies("desk"), tidies("desk gently"))
    async with build(policy=sign(), tools=tools(hands), model=model) as house:
        thread = await house.mention("ana", "tidy up")
        await given(house)
        await house.shows("Results: ok tidy desk")
        await house.mention("ana", "once more", thread=thread)
        await looking.wait()

        await taken_over(house, by="dana")
        if is_returned:
            await handed_back(house, by="dana")
        may_answer.set()
        if not is_returned:
            await handed_back(house, by="dana")

        await house.shows("Not run: ")
        assert hands.did == ["tidy desk"]
        assert not await events(house, "grant_used")
        assert await settled(house)
