"""A timer that cannot be dealt with: tried later and later, counted as late, and parked; no other one is held up."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta

import pytest
import structlog

from bot.domain.request import RequestId
from bot.domain.store import Fence
from bot.runtime.timers import OUTAGES_SAID, WAITS
from bot.runtime.watchdog import LATE, SAID_AGAIN, Watchdog
from tests.flows.stage import STEADY, Build, Hands, Played, Staff, call, calls, policy, request_of, settled
from tests.house import House

WIRE = calls(call("wire", amount=90))
LADDER = policy(ladder="{after: 5m, remind: here}, {after: 90d, expire: true}")
BY_HAND = dataclasses.replace(STEADY, watch_every=timedelta(hours=1), timers_every=timedelta(days=1))
REPORTED = ("timer_failed", "timer_parked", "timer_waits")


async def looked(house: House, *, after: timedelta) -> int:
    """Time passes, and whoever owns the shard looks once at what is due."""
    house.clock.advance(seconds=after.total_seconds())
    (fence,) = house.engine.shards.fences.values()
    return await house.engine.timers.look(fence)


async def test_a_forged_record_is_tried_ever_later_and_then_once_an_hour(build: Build, hands: Hands) -> None:
    """I11, T22: its reminder and whoever is to be woken; the watchdog counts both, and says so once an hour."""
    async with build(policy=LADDER, tools=hands.tools, model=Played(WIRE), pace=BY_HAND) as house:
        await house.mention("ana", "pay")
        asked = (await request_of(house, await house.card())).id
        await house.store._link.client.hset(f"{{{house.namespace}:0}}:request:{asked}", "doc", "forged")
        await house.store._link.client.zadd(f"{{{house.namespace}:0}}:timers", {f"wake|{asked}|chris": 1.0})
        dog = Watchdog(house.engine.parts)
        with structlog.testing.capture_logs() as logs:
            assert await looked(house, after=timedelta(minutes=5, seconds=1)) == 2
            assert await dog.look() == 0
            for wait in (*WAITS, *WAITS[-1:] * 3):
                assert await looked(house, after=wait - timedelta(seconds=1)) == 0
                assert await looked(house, after=timedelta(seconds=2)) == 2
                late = await dog.look()

        assert late == 2
        said = [one["event"] for one in logs if one["event"] in REPORTED]
        assert said.count("timer_failed") == 2 * (len(WAITS) - 1)
        assert said.count("timer_parked") == 2 * (1 + 1 + 3)
        assert sum(WAITS[:-1], timedelta(0)) < SAID_AGAIN
        assert [one["count"] for one in logs if one["event"] == "ladders_late"] == [2] * 5


async def test_one_that_fails_for_any_reason_holds_up_no_other_and_is_forgotten_when_it_is_dealt_with(
    build: Build, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I11: a bug of ours in one ladder; the other one's reminder is said in the same look."""
    two = calls(call("wire", amount=1), call("wire", amount=2))
    async with build(policy=LADDER, tools=hands.tools, model=Played(two), pace=BY_HAND) as house:
        await house.mention("ana", "pay")
        await house.chat.until(lambda: len(house.with_button("approve")) == 2, "two cards")
        bad, good = sorted(await house.store.open_requests(0))
        climb, is_mended = house.engine.timers.climbing.climb, asyncio.Event()

        async def sometimes(request: RequestId, index: int, fence: Fence) -> None:
            if request == bad and not is_mended.is_set():
                raise ZeroDivisionError
            await climb(request, index, fence)

        monkeypatch.setattr(house.engine.timers.climbing, "climb", sometimes)
        assert await looked(house, after=timedelta(minutes=5, seconds=1)) == 2
        await house.shows("Reminder: wire")
        assert (await house.store.held(good)).request.rung == 1
        for wait in WAITS[:2]:
            await looked(house, after=wait)
        assert await house.store.overdue(0, LATE) == 1

        is_mended.set()
        await looked(house, after=WAITS[2])

        assert (await house.store.held(bad)).request.rung == 1
        assert await house.store.overdue(0, LATE) == 0


async def test_while_a_directory_is_away_a_ladder_is_tried_every_ten_seconds_and_said_once_an_hour(
    build: Build, hands: Hands
) -> None:
    """I11, D-03: nobody waits an hour more because it was away for long; and the watchdog counts it."""
    staff = Staff()
    async with build(policy=LADDER, tools=hands.tools, model=Played(WIRE), pace=BY_HAND, directory=staff) as house:
        await house.mention("ana", "pay")
        await house.card()
        staff.is_away = True
        with structlog.testing.capture_logs() as logs:
            await looked(house, after=timedelta(minutes=5, seconds=1))
            for _ in range(OUTAGES_SAID):
                assert await looked(house, after=WAITS[0]) == 1

        assert [one["tries"] for one in logs if one["event"] == "timer_waits"] == [1, OUTAGES_SAID + 1]
        assert await house.store.overdue(0, LATE) == 1
        staff.is_away = False
        await looked(house, after=WAITS[0])
        await house.shows("Reminder: wire")
        assert await house.store.overdue(0, LATE) == 0
        assert (await house.press("approve", by="bo")).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)
