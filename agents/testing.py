"""Test an agent with simulated people: no chat, no store, no network, no keys, and a clock that never waits.

    story = await rehearse(
        agent, "refund 40 for order 7", tools=shop_tools(shop),
        model=Script([call("refund", order_id=7, amount=40, reason="late"), "Refunded."]),
        people=[Somebody("bo", groups={"approvers"}, answers=[approve()])],
    )
    assert story.ran("refund")[0].who == ("bo",)

The agent is called as the bot would call it, and what it wants is judged by the same policy, forms, words, votes and
ladders. Silence runs the ladder to its end, which is told as such. With `restarts=True` the agent is called again from
its journal after every step, and from the whole of it at the end: an agent that is not safe to replay fails.

Not simulated: grants, sheets, absences, broken glass, a call in doubt, and what a chat does with a card. For tests
alone: beside real credentials nobody here answers (D-49), and no configuration may name this module.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypedDict, Unpack

from agents.patterns.calls import pattern_tools
from agents.toolbox import Toolbox
from agents.tools.people import people_tools
from agents.tryout.answers import Answers
from agents.tryout.beside import real_beside
from agents.tryout.branches import first
from agents.tryout.cast import (
    PLATFORM,
    TENANT,
    Act,
    Cast,
    Somebody,
    accept,
    after,
    answer,
    approve,
    edit,
    fill,
    hours,
    leave,
    minutes,
    press,
    proceed,
    reject,
    reroute,
    revise,
    say,
    seconds,
    silence,
    take_over,
)
from agents.tryout.context import Context
from agents.tryout.errors import NotReplayable, RealCredentials, ScriptError
from agents.tryout.gate import World
from agents.tryout.journal import Journal, Restarted
from agents.tryout.script import Script, call, calls
from agents.tryout.slips import no_tool, slips
from agents.tryout.story import Called, Moment, Story
from agents.tryout.table import Table
from bot.domain.calls import Cause
from bot.domain.chat import PersonId, Place
from bot.domain.condition import compile_condition
from bot.domain.policy import Policy, Rule
from bot.domain.ports import Agent, Model, Tool
from bot.domain.request import Move, close
from bot.domain.run import RunStatus, Task
from bot.domain.verdict import Allow, Ask, Climb, Need, Rung

__all__ = [
    "Act", "Called", "Moment", "NotReplayable", "RealCredentials", "Script", "ScriptError", "Somebody", "Story",
    "accept", "after", "answer", "approve", "call", "calls", "careful", "edit", "fill", "hours", "leave", "minutes",
    "press", "proceed", "rehearse", "reject", "reroute", "revise", "say", "seconds", "silence", "take_over",
]  # fmt: skip

BEGAN = datetime(2026, 1, 5, 9, tzinfo=UTC)  # a Monday morning
STEPS_MOST = 10_000  # restarts of one run: an agent that asks for steps without end fails, and does not hang


class Setting(TypedDict, total=False):
    """What `rehearse` takes besides the agent and its task."""

    tools: Iterable[Tool]  # the shipped tools that only people run are always there
    model: Model  # who thinks; `Script` as a rule
    people: Sequence[Somebody]
    policy: Policy  # unsaid: `careful()`
    by: str  # who gives the task, in a thread of their own: "ana"
    restarts: bool  # call the agent again from its journal after every step
    began: datetime  # what the clock says first


async def rehearse(agent: Agent, task: str, **setting: Unpack[Setting]) -> Story:
    """Run *agent* on *task* to its end. Deterministic: the same script gives the same story.

    Raises whatever the agent raises; ScriptError for a script that does not fit; NotReplayable; RealCredentials.
    """
    if names := real_beside(os.environ):
        raise RealCredentials(names)
    if wrong := [*slips(setting, Setting.__annotations__)]:
        raise ScriptError("; ".join(wrong))
    stage = _stage(agent, task, setting)
    answer = await stage.played()
    if setting.get("restarts") and stage.world.table.stopped_by is None:
        await stage.replayed(answer)
    return stage.story(answer)


def careful() -> Policy:
    """Reading is free; everything else is signed by anybody but whoever asked, within a day."""
    reading = Rule(id="reading", when=compile_condition('tool.risk == "read"'), verdict=Allow(rule="reading", why=""))
    ladder = (Rung(after=timedelta(minutes=5), do=Climb.REMIND), Rung(after=timedelta(hours=24), do=Climb.EXPIRE))
    return Policy([reading], default=Ask(rule="default", why="", groups=(Need(of="anyone"),), separate_duties=True,
                                         ladder=ladder))  # fmt: skip


def _stage(agent: Agent, text: str, setting: Setting) -> _Stage:
    by, people = setting.get("by", "ana"), list(setting.get("people", ()))
    if all(one.name != by for one in people):
        people.append(Somebody(by))
    place = Place(platform=PLATFORM, tenant=TENANT, channel="general", thread="t1")
    task = Task(text=text, by=PersonId(by), place=place, agent=agent.name)
    given = tuple(setting.get("tools", ()))
    if wrong := no_tool(given):
        raise ScriptError(wrong)
    ours, theirs = (*people_tools(), *pattern_tools()), {tool.spec.name for tool in given}
    shipped = [one for one in ours if one.spec.name not in theirs]
    world = World(
        task=task,
        agent=agent.name,
        policy=setting.get("policy") or careful(),
        toolbox=Toolbox((*given, *shipped)),
        table=Table(Cast(people), task.by, setting.get("began", BEGAN)),
        journal=Journal(restarts=setting.get("restarts", False)),
    )
    answers = Answers(
        table=world.table, toolbox=world.toolbox, decide=lambda call, request: world.decide(call, request.path)
    )
    world.table.act = answers.act
    world.table.tell(f"{by}: {text}")
    return _Stage(agent, world, setting.get("model"), random.Random(text), [])


@dataclass(frozen=True, slots=True)
class _Stage:
    """One run: the world it happens in, and the agent that is called, once or again and again."""

    agent: Agent
    world: World
    model: Model | None
    chance: random.Random
    notes: list[str]

    async def played(self) -> str:
        """The agent's answer, after as many calls of the agent as it takes."""
        for _ in range(STEPS_MOST):
            try:
                return await self._called()
            except Restarted:
                continue
        raise ScriptError(f"{self.agent.name} has asked for {STEPS_MOST} steps and is not done")

    async def replayed(self, answer: str) -> None:
        """Call the agent once more from its whole journal: it must ask for every step, and say the same."""
        again = await self._called()
        if left := next(self.world.journal.forgotten(), None):
            raise NotReplayable(f"{left} was done, and is not asked for when the agent is called again")
        if again != answer:
            raise NotReplayable(f"called again, {self.agent.name} answers {again!r} and no longer {answer!r}")

    async def _called(self) -> str:
        """One call of the agent, while people do what their scripts say."""
        table = self.world.table
        table.sit_down()
        self.world.journal.begin()
        context = Context(self.world, self.model, self.chance, self.notes)
        try:
            async with asyncio.TaskGroup() as group:
                work = group.create_task(_within(self.agent, self.world.task, context), name=self.agent.name)
                guide = group.create_task(table.direct(), name="people and time")
                await asyncio.wait({work, guide}, return_when=asyncio.FIRST_COMPLETED)
                guide.cancel()
                if table.stopped_by is not None:
                    work.cancel()
        except BaseExceptionGroup as several:
            raise first(several) from None
        if table.stopped_by is not None:
            return self._stopped(table.stopped_by)
        return work.result()

    def _stopped(self, by: PersonId) -> str:
        table = self.world.table
        for request in table.open():
            table.requests[request.id] = close(request, Move.CANCEL, at=table.now, cause=Cause.STOPPED)
        return f"Stopped by {by}."

    def story(self, answer: str) -> Story:
        table = self.world.table
        table.tell(f"{self.agent.name}: {answer}")
        return Story(
            answer=answer,
            status=RunStatus.DONE if table.stopped_by is None else RunStatus.STOPPED,
            calls=tuple(self.world.called),
            requests=tuple(table.requests.values()),
            said=tuple(self.notes),
            thought=tuple(getattr(self.model, "read", ())),
            moments=tuple(table.moments),
            unused=table.unused,
        )


async def _within(agent: Agent, task: Task, context: Context) -> str:
    return await agent(task, context)
