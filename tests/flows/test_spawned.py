"""What the runner starts and cancels in the same breath leaves nothing behind that was never awaited."""

from __future__ import annotations

import asyncio
import gc
import inspect

from bot.domain.calls import Outcome, ToolResult
from tests.flows.stage import Build, Hands, Played, call, calls, policy


async def test_what_is_cancelled_before_its_turn_comes_is_closed(build: Build, hands: Hands) -> None:
    """A process that goes down at once; a coroutine that was never awaited is a warning, and here an error."""
    model = Played(calls(call("wire", amount=1)))
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        await house.card()
        (host,) = house.engine.runner.hosts.values()

        async def wake() -> bool:
            return True

        async def work() -> ToolResult:
            return ToolResult(outcome=Outcome.OK, text="")

        woken, tool = wake(), work()
        tasks = [house.engine.runner._spawn(woken, "wake"), host.employ(tool, "work")]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

        assert inspect.getcoroutinestate(woken) == inspect.getcoroutinestate(tool) == inspect.CORO_CLOSED
        gc.collect()  # a warning would be raised here
