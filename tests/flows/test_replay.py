"""Agents of one's own: every kind of step acts once and replays the same; code that changed; agents that misbehave."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import redis.asyncio

from bot.domain.chat import Answer
from bot.domain.ports import RunContext
from bot.domain.run import Task
from tests.flows.stage import (
    HASTY,
    Build,
    Hands,
    Played,
    call,
    gone,
    policy,
    quiet,
    settled,
    shown,
)
from tests.house import words


class Worker:
    """An agent of a test: whatever coroutine function it is given."""

    name, tools = "worker", ("wire", "tidy", "peek")

    def __init__(self) -> None:
        self.seen: list[object] = []

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        raise NotImplementedError


async def test_every_kind_of_step_replays_the_same(build: Build, hands: Hands) -> None:
    """gather, sleep, now, random, note and use: each acts once, whatever the process does in between."""

    class Busy(Worker):
        async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # the port's signature
            await ctx.note("I begin.")
            facts = (await ctx.now(), await ctx.random())

            async def branch(n: int) -> str:
                (done,) = await ctx.use((call("wire", amount=n),))
                return f"{done.text} {await ctx.random()}"

            ends = await ctx.gather(branch(1), branch(2))
            await ctx.sleep(timedelta(hours=1))
            self.seen.append((facts, ends, await ctx.now() - facts[0] >= timedelta(hours=1)))
            return " and ".join(ends)

    agent = Busy()
    async with build(policy=policy(), tools=hands.tools, agents=[agent], model=Played(), pace=HASTY) as house:
        await house.mention("ana", "work")
        await house.chat.until(lambda: len(house.with_button("approve")) == 2, "two cards")
        await shown(house)
        two, one = reversed(house.with_button("approve"))
        await gone(house)
        await house.press("approve", by="bo", card=two)
        await house.chat.until(lambda: "Done." in two.card.status, "the second ran")
        await gone(house)
        await house.press("approve", by="bo", card=one)
        await house.chat.until(lambda: "Done." in one.card.status, "the first ran")
        await gone(house)
        assert not agent.seen
        house.clock.advance(hours=2)

        await house.shows("ok wire 1 bank 0.")

        assert len(agent.seen) == 1
        assert sorted(hands.did) == ["wire 1 bank", "wire 2 bank"]
        assert sum(post.card.body == "I begin." for post in house.chat.posts) == 1
        assert await settled(house)


async def test_an_agent_that_ends_without_its_answer_leaves_no_card_behind(build: Build, hands: Hands) -> None:
    """D-36: it waits five minutes of its own and gives up; the card is closed, and a late click is told so."""

    class Impatient(Worker):
        async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002
            waiting = asyncio.ensure_future(ctx.use((call("wire", amount=1),)))
            await ctx.sleep(timedelta(minutes=5))
            waiting.cancel()
            await asyncio.wait({waiting})
            return "I gave up."

    async with build(policy=policy(), tools=hands.tools, agents=[Impatient()], model=Played()) as house:
        await house.mention("ana", "work")
        card = await house.card()
        house.clock.advance(minutes=6)

        await house.shows("I gave up.")
        await quiet(house)

        assert await house.press("approve", by="bo", card=card) == Answer(
            is_taken=False, text="This request is already cancelled."
        )
        assert not hands.did
        assert await house.is_sound()


async def test_an_agent_that_crashes_ends_its_run_and_no_other(build: Build, hands: Hands) -> None:
    """AU-19, D-26: the thread reads one calm sentence; the error is for the logs."""

    class Fragile(Worker):
        async def __call__(self, task: Task, ctx: RunContext) -> str:
            if "crash" in task.text:
                raise RuntimeError("token=hunter2")
            (done,) = await ctx.use((call("wire", amount=1),))
            return done.text

    async with build(policy=policy(), tools=hands.tools, agents=[Fragile()], model=Played()) as house:
        await house.mention("ana", "work")
        card = await house.card()
        await house.mention("ana", "crash")

        await house.shows("Something in this task went wrong, so I stopped it.")

        assert "hunter2" not in "\n".join(words(post) for post in house.chat.posts)
        await house.press("approve", by="bo", card=card)
        await house.shows("ok wire 1 bank")
        assert await settled(house)


async def test_stop_reaches_a_run_that_sleeps_by_the_clock(build: Build, hands: Hands) -> None:
    """Its timer is taken down when it comes due: it wakes nobody."""

    class Sleeper(Worker):
        async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002
            await ctx.sleep(timedelta(days=30))
            return "awake"

    async with build(policy=policy(), tools=hands.tools, agents=[Sleeper()], model=Played(), pace=HASTY) as house:
        await house.mention("ana", "sleep")
        await house.press("stop", by="ana")
        await quiet(house)
        house.clock.advance(days=31)

        async with asyncio.timeout(10), redis.asyncio.from_url(house.url) as client:
            while await client.zcard(f"{{{house.namespace}:0}}:timers"):
                pass

        assert not [post for post in house.chat.posts if post.card.body == "awake"]
        assert await settled(house)
