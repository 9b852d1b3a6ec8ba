"""An agent written in Python, under the name that agents.yml gives it.

    async def triage(task: Task, ctx: RunContext) -> str:         deploy: {kind: python, python: "ours.agents:triage"}
        said = await ctx.think((Line(role="user", text=task.text),))
        return said.text

    async def review(task, ctx, reviewer) -> str: …              review: {kind: python, python: …, members: [reviewer]}

It is called anew whenever its run wakes, and every step of `ctx` is answered from the journal as far as it came: so it
must be deterministic but for `ctx` (its clock and chance are there, too). `agents/testing.py` plays one with simulated
people, restarted after every step.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from bot.domain.ports import Agent, RunContext
from bot.domain.run import Task

Run = Callable[..., Awaitable[str]]  # of a task, a context and each member


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """`ports.Agent` around a coroutine function, or around an object that is one when called.

    *members* are agents and people that it works with: it is given each of them, in order.
    """

    name: str
    python: Run
    tools: tuple[str, ...] = ()
    members: tuple[Agent, ...] = ()

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        return await self.python(task, ctx, *self.members)


def as_agent(found: object, members: int = 0) -> Run:
    """*found* as what `Coded` calls with so many *members*.

    Raises ValueError with what is wrong, as the rest of a sentence.
    """
    if inspect.isclass(found):
        raise ValueError("is a class; name an instance of it, or an async function")
    call = found if inspect.isfunction(found) else getattr(found, "__call__", None)  # noqa: B004  # its own, to look at
    if call is None or not inspect.iscoroutinefunction(call):
        raise ValueError("is not an async function of (task, ctx)")
    try:
        inspect.signature(call).bind(None, None, *[None] * members)
    except TypeError as error:
        more = f" and the members that are named: {members}" if members else ""
        raise ValueError(f"does not take (task, ctx){more}") from error
    return cast(Run, found)
