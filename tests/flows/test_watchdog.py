"""The watchdog: whatever is late is seen, also where nobody is at work, and said once."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta

import structlog

from bot.runtime.watchdog import LATE, Watchdog
from bot.telemetry import Metrics
from tests.flows.stage import STEADY, Build, Hands, Played, call, calls, ownerless, policy, settled
from tests.house import House

WIRE = calls(call("wire", amount=90))
LADDER = policy(ladder="{after: 5m, remind: here}, {after: 4h, expire: true}")
UNWATCHED = dataclasses.replace(STEADY, watch_every=timedelta(hours=1))


def gauge(house: House) -> str:
    meter = house.engine.parts.meter
    assert isinstance(meter, Metrics)
    page = meter.page().decode()
    return next(line for line in page.splitlines() if line.startswith("countersign_ladders_late "))


async def test_a_ladder_that_nobody_climbs_is_seen_by_everybody_and_said_once(build: Build, hands: Hands) -> None:
    """I11: the shard has no owner; any process says so: number in the metrics, one line for each change."""
    async with build(policy=LADDER, tools=hands.tools, model=Played(WIRE), pace=UNWATCHED) as house:
        await house.mention("ana", "pay")
        await house.card()
        dog = Watchdog(house.engine.parts)
        with structlog.testing.capture_logs() as logs:
            async with ownerless(house):
                house.clock.advance(minutes=5)
                await house.store.beat("somebody", LATE)  # whoever lives hears the store's clock
                assert await dog.look() == 0
                assert gauge(house) == "countersign_ladders_late 0.0"
                house.clock.advance(seconds=LATE.total_seconds() + 1)
                await house.store.beat("somebody", LATE)
                assert [await dog.look() for _ in range(3)] == [1, 1, 1]
                assert gauge(house) == "countersign_ladders_late 1.0"
            await house.shows("Reminder: wire")
            assert await dog.look() == 0

        said = [(one["event"], one["shard"]) for one in logs if one["event"].startswith("ladders")]
        assert said == [("ladders_late", 0), ("ladders_on_time", 0)]
        assert gauge(house) == "countersign_ladders_late 0.0"
        assert (await house.press("approve", by="bo")).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_a_process_looks_by_itself(build: Build, hands: Hands) -> None:
    """Every process, every few seconds, whether or not it owns anything."""
    quick = dataclasses.replace(STEADY, watch_every=timedelta(milliseconds=20))
    async with build(policy=LADDER, tools=hands.tools, model=Played(WIRE), pace=quick) as house:
        await house.mention("ana", "pay")
        await house.card()
        async with ownerless(house):
            house.clock.advance(minutes=6)
            async with asyncio.timeout(10):
                while gauge(house) != "countersign_ladders_late 1.0":
                    await house.store.beat("somebody", LATE)
