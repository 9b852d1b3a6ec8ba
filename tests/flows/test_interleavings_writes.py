"""A write whose end is not known: cut short by a Stop, refused at the last moment, or interrupted with its process.

Each order of events is forced (doors.py). Not the crash at every single step (tests/crash).
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis.asyncio

from bot.domain.ports import RunContext, Said
from bot.domain.run import Begun, Opened, Task
from tests.flows.doors import answered_never, around, interrupted, stopping, unread
from tests.flows.stage import (
    HASTY,
    Build,
    Hands,
    Played,
    Staff,
    call,
    calls,
    events,
    gone,
    policy,
    quiet,
    reached,
    request_of,
    run_of,
    settled,
)

WIRE = calls(call("wire", amount=90))
FREE_TIDY = policy().replace('tool.risk == "read"', 'tool.name != "wire"')  # only `wire` needs a signature


# --------------------------------------------------------------- writes cut short


async def test_a_write_that_stop_cut_short_does_not_spoil_the_next_one(build: Build, hands: Hands) -> None:
    """AS-22: a card's opening had landed, its answer had not come; the tool beside it still records its end."""
    hands.may_end.clear()
    model = Played(calls(call("tidy", what="desk"), call("wire", amount=90)))
    async with build(policy=FREE_TIDY, tools=hands.tools, model=model) as house:
        landed = answered_never(house, "open", Opened)
        thread = await house.mention("ana", "go")
        await hands.began.wait()
        await landed.wait()

        await house.say("ana", "stop", thread=thread)
        await stopping(house)
        hands.may_end.set()

        await quiet(house)
        assert [end["outcome"] for end in await events(house, "tool_finished")] == ["ok"]
        assert not await house.store.open_requests(0)
        assert await settled(house)


@pytest.mark.parametrize("tool", ["wire", "tidy"])
async def test_a_start_that_stop_cut_short_is_not_left_running(build: Build, hands: Hands, tool: str) -> None:
    """AS-22: signed or free, its start was written and it never began: no card says "Running" for ever."""
    model = Played(WIRE if tool == "wire" else calls(call("tidy", what="desk")))
    async with build(policy=FREE_TIDY, tools=hands.tools, model=model) as house:
        landed = answered_never(house, "spend" if tool == "wire" else "append", Begun)
        thread = await house.mention("ana", "go")
        if tool == "wire":
            await house.press("approve", by="bo")
        await landed.wait()

        await house.say("ana", "stop", thread=thread)

        await quiet(house)
        assert not hands.did
        assert [end["outcome"] for end in await events(house, "tool_finished")] == ["not_run"]
        assert not [post for post in house.chat.posts if "Running" in post.card.status]
        assert await settled(house)


async def test_a_run_whose_start_was_refused_is_known_to_be_at_work(build: Build, hands: Hands) -> None:
    """The spend came too late; what it would have said of the run was not written, so the next write says it."""

    class Hanging(Played):
        may_answer = asyncio.Event()

        async def think(self, *args: Any, **options: Any) -> Said:
            said = await super().think(*args, **options)
            if len(self.asked) > 1:
                await self.may_answer.wait()
            return said

    model = Hanging(WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        thread = await house.mention("ana", "pay")
        card = await house.card()

        async def pass_time(*_args: object) -> None:
            house.clock.advance(minutes=20)

        around(house, "spend", before=pass_time)

        await house.press("approve", by="bo", card=card)
        await model.until(lambda: len(model.asked) == 2)

        assert await house.store.executing(0) == (await run_of(house, thread),)  # who adopts the shard finds it here
        model.may_answer.set()
        await house.shows("its approval was not used in time")
        assert not hands.did
        assert await settled(house)


# ------------------------------------------------------------------------ in doubt


async def test_a_doubt_is_settled_though_the_signed_request_was_forgotten(build: Build, hands: Hands) -> None:
    """People took longer to say what happened than the first request is kept."""
    first = await interrupted(build, hands, WIRE)
    async with hands.house.again() as later:
        card = await later.card("answer")
        async with redis.asyncio.from_url(later.url) as client:
            await client.delete(f"{{{later.namespace}:0}}:request:{first}")

        await later.press("answer", by="bo", card=card, fields={"result": "the bank shows it"})

        await later.shows("It happened, says Bo. the bank shows it")
        assert len(hands.did) == 1
        await quiet(later)
        assert [end["status"] for end in await events(later, "run_ended")] == ["done"]


async def test_a_doubt_that_nobody_can_settle_is_told_as_it_is(build: Build, hands: Hands) -> None:
    """Every approver has left; the run goes on, and claims neither that it happened nor that it did not."""
    staff = Staff()
    await interrupted(build, hands, WIRE, directory=staff)
    for who in ("bo", "chris"):
        staff.change(who, is_active=False)

    async with hands.house.again() as later:
        await later.shows("It was started once; whether it took effect is not known, and it needs 1 of approvers")

        assert len(hands.did) == 1
        assert [end["outcome"] for end in await events(later, "tool_finished")] == ["unknown"]
        assert await settled(later)


async def test_a_reply_does_not_settle_a_doubt(build: Build, hands: Hands) -> None:
    """To say "let me look" is no answer to "did it happen?"; the card stays, the agent reads it afterwards."""
    await interrupted(build, hands, WIRE)
    async with hands.house.again() as later:
        card = await later.card("answer")
        await later.say("ana", "let me look at the bank", thread=card.place.thread or "")
        await reached(later)
        await unread(later)

        assert (await request_of(later, card)).is_open
        await later.press("answer", by="bo", card=card, fields={"result": "paid"})
        await later.shows("It happened, says Bo. paid")
        assert await settled(later)


# ------------------------------------------------------------------- cancelled


async def test_an_agent_that_swallows_its_cancellation_holds_up_nobody(
    build: Build, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run is stopped, other runs go on, leases are kept, and the way out is not barred."""

    class Stubborn:
        name, tools = "stubborn", ("wire",)
        has_begun, may_end = asyncio.Event(), asyncio.Event()

        async def __call__(self, task: Task, ctx: RunContext) -> str:
            if "sensibly" in task.text:
                return (await ctx.use((call("wire", amount=1),)))[0].text
            self.has_begun.set()
            while not self.may_end.is_set():
                try:
                    await self.may_end.wait()
                except asyncio.CancelledError:
                    continue
            return "never said"

    monkeypatch.setattr("bot.runtime.runner.LET_GO_WITHIN", 0.01)
    agent = Stubborn()
    async with build(policy=policy(), tools=hands.tools, agents=[agent], model=Played(), pace=HASTY) as house:
        try:
            thread = await house.mention("ana", "work")
            await agent.has_begun.wait()
            await house.say("ana", "stop", thread=thread)
            await quiet(house)

            await house.mention("ana", "work sensibly")
            card = await house.card()
            await gone(house)  # the sweep goes on
            await house.press("approve", by="bo", card=card)
            await house.shows("ok wire 1 bank")
            assert await settled(house)

            agent.has_begun.clear()
            await house.mention("ana", "work again")
            await agent.has_begun.wait()
            async with asyncio.timeout(5):
                await house.engine.runner.close()
        finally:
            agent.may_end.set()


async def test_a_shard_that_is_being_given_away_begins_no_call(build: Build, hands: Hands) -> None:
    """I2, AS-22: the decision comes in the moment the shard leaves: nothing is begun here that could not be started,

    so nobody is asked whether it happened; whoever owns the shard next runs it.
    """
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        await house.card("approve")

        async def leaving(*_args: object) -> None:
            if 0 in house.engine.shards.fences:
                house.engine.shards.forget(0)  # as it does before it lets the coroutines go

        around(house, "turn", after=leaving)

        await house.press("approve", by="bo")

        await house.shows("ok wire 90 bank")
        assert [one["kind"] for one in await events(house, "request_opened")] == ["approval"]
        assert len(await events(house, "tool_started")) == 1
        assert hands.did == ["wire 90 bank"]
