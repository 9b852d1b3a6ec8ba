"""Several agents in a whole chat: who they are, and what people go through in the same way wherever they are.

Each story is given its chat's own `Site` and `Build`, which differ in what a message is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from agents.patterns.handoff import Handoff
from agents.patterns.sequential import Sequential
from agents.toolbox import Shown, tool
from bot.domain.budget import Budgets, Limit
from bot.domain.calls import Risk
from bot.domain.ports import Leave
from tests.agents.patterns.minds import agent, call
from tests.flows.stage import FREE, Dear, Hands, Played, calls, events, peeks, settled
from tests.flows.stage import call as wanted
from tests.flows.test_exhibits import PNG

TEAM = Sequential(name="team", members=(agent("one"), agent("two"), agent("three")))
DESK = Handoff(name="desk", triage=agent("triage"), members=(agent("billing", "wire"), agent("tech")))
TO_BILLING = call("hand_to", name="billing", note="an invoice, I think")
GO_ON = "Go on, with as much again"


@tool(risk=Risk.READ)
def draw(what: str, leave: Leave) -> object:  # noqa: ARG001  # a tool as any other
    """Draw a chart."""
    return Shown(f"a chart of {what}", files=[(f"{what}.png", PNG)])


async def steps_are_read(site: Any, build: Any, hands: Hands, looks: Callable[..., Awaitable[str]]) -> None:
    """Ana gave the task, and erin had no hand in it; *looks* is how somebody reads the steps there."""
    turn = calls(wanted("tidy", what="cellar"), text="The cellar it is.")
    async with build(policy=FREE, tools=hands.tools, model=Played(turn)) as bot:
        await site.asks("ana", "tidy up")
        await bot.shows("Results:")
        assert await settled(bot)
        status = await bot.seen("Steps")

        ana, erin = await looks(site, "ana", status), await looks(site, "erin", status)

        assert "tidy · done" in ana
        assert "thought: The cellar it is." in ana
        assert "tidy · done" in erin
        assert "cellar" not in erin
        assert "Reasoning, arguments and results are for whoever gave this task" in erin
        assert {one["person"] for one in await events(bot, "trace_opened")} == {"ana"}


async def more_is_given(site: Any, build: Any, hands: Hands) -> None:
    """A budget is nearly spent; whoever gave the task presses once, and nothing is thought before."""
    model = Dear(*peeks(3))
    async with build(policy=FREE, tools=hands.tools, model=model, budgets=Budgets(run=Limit(tokens=1_200))) as bot:
        await site.asks("ana", "look")
        card = await bot.seen(GO_ON)
        before = len(model.asked)
        assert "1,000 of 1,200 tokens" in site.text(card)

        await site.presses("ana", GO_ON, card)

        await bot.shows("Results:")
        assert len(model.asked) > before
        assert await settled(bot)
