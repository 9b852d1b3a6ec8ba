"""What was signed before a takeover begins nothing after it, also if no process was there to see the takeover.

An agent that never asks what people said hears nothing of it either: the store itself refuses the beginning.
"""

from __future__ import annotations

import asyncio

from bot.domain.ports import RunContext
from bot.domain.run import Task
from tests.flows.stage import (
    STEADY,
    Build,
    Hands,
    call,
    events,
    ownerless,
    policy,
    settled,
    shown,
)


class Deaf:
    """Uses a tool, once or twice, and never asks what people said."""

    name = "deaf"
    tools: tuple[str, ...] = ()

    def __init__(self, *amounts: int) -> None:
        self._amounts = amounts

    async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # an agent's signature
        said = []
        for amount in self._amounts:
            (result,) = await ctx.use((call("wire", amount=amount),))
            said.append(result.text)
        return f"Results: {' / '.join(said)}"


async def test_a_signature_from_before_a_takeover_that_nobody_hosted_begins_nothing(build: Build, hands: Hands) -> None:
    """T16, D-38: approved, taken over and handed back while no process owns the shard; the agent never listens."""
    parts = {"policy": policy(), "tools": hands.tools, "agents": (Deaf(90),), "pace": STEADY}
    async with build(**parts) as house:
        thread = await house.mention("ana", "pay")
        card = await house.card()
        await shown(house)
        async with ownerless(house):
            await house.press("approve", by="bo", card=card)
            await house.say("dana", "take over", thread=thread)
            await house.say("dana", "hand back", thread=thread)

        await house.shows("Results: Approved, but not run: somebody took this over first.")
        assert not hands.did
        assert not await events(house, "tool_started")
        assert await settled(house)


async def test_what_was_asked_for_before_a_takeover_begins_nothing_though_it_was_signed_after_it(
    build: Build, hands: Hands
) -> None:
    """T16: no process was there to withdraw it, so its button was still good; what is asked for anew can be signed."""
    parts = {"policy": policy(), "tools": hands.tools, "agents": (Deaf(90, 91),), "pace": STEADY}
    async with build(**parts) as house:
        thread = await house.mention("ana", "pay")
        first = await house.card()
        await shown(house)
        async with ownerless(house):
            await house.say("dana", "take over", thread=thread)
            await house.say("dana", "hand back", thread=thread)
            await house.press("approve", by="bo", card=first)

        await house.press("approve", by="bo", card=await house.card(but=[first]))

        await house.shows("Results: Approved, but not run: somebody took this over first. / ok wire 91 bank")
        assert hands.did == ["wire 91 bank"]
        assert await settled(house)


class Forked:
    """One branch reads every reply; the other read what there was, thought about it, and wants a tool."""

    name = "forked"
    tools: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.is_thinking, self.is_read = asyncio.Event(), asyncio.Event()

    async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # an agent's signature
        _, said = await ctx.gather(self._reads(ctx), self._acts(ctx))
        return f"Results: {said}"

    async def _reads(self, ctx: RunContext) -> str:
        await self.is_thinking.wait()
        while not await ctx.heard():  # noqa: ASYNC110  # what people write is no event of ours
            await asyncio.sleep(0)
        self.is_read.set()
        return ""

    async def _acts(self, ctx: RunContext) -> str:
        await ctx.heard()
        self.is_thinking.set()
        await self.is_read.wait()
        (first,) = await ctx.use((call("wire", amount=90),))
        (heard,) = await ctx.heard()
        return f"{first.cause} / {heard.text}"


async def test_a_branch_asks_for_nothing_before_it_has_read_what_another_branch_has(build: Build, hands: Hands) -> None:
    """AS-03, D-38: the reply was read beside it, not by it; what it wanted before is out of date."""
    async with build(policy=policy(), tools=hands.tools, agents=(Forked(),), pace=STEADY) as house:
        thread = await house.mention("ana", "pay")
        await house.say("ana", "not yet", thread=thread)

        await house.shows("Results: superseded / not yet")
        assert not hands.did
        assert await settled(house)
