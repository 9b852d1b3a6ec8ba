"""In every pattern: people stop, speak and take over while a model thinks or a tool works, and are heard at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from agents.patterns.concurrent import Concurrent
from agents.patterns.escalation import Escalation, Trigger
from agents.patterns.group_chat import GroupChat
from agents.patterns.handoff import Handoff
from agents.patterns.helpers import helper_tools
from agents.patterns.person import Person
from agents.patterns.phases import Phases
from agents.patterns.plan_first import PlanFirst
from agents.patterns.review_loop import ReviewLoop
from agents.patterns.routes import Routes, Way
from agents.patterns.sequential import Sequential
from agents.react import ReAct
from bot.domain.calls import ToolSpec
from bot.domain.ports import Agent, Line, Said, Tool
from tests.agents.patterns.minds import agent
from tests.flows.stage import Build, Hands, call, calls, gone, handed_back, status, taken_over
from tests.house import House, words

AT_ONCE = 2  # seconds, in which people are heard whatever is going on (AS-11)
FREE = "rules:\n  - {id: free, when: tool.name == 'peek', allow: true}\n"


def worker() -> ReAct:
    """The member that is slow: it looks at something, or only thinks."""
    return agent("worker", "peek")


LOOKS = Person(name="reader", of="approvers")
PATTERNS: dict[str, Agent] = {
    "single": worker(),
    "helpers": agent("lead", helpers=(worker(),)),
    "sequential": Sequential(name="sequential", members=(worker(), LOOKS)),
    "phases": Phases(name="phases", phases=(("Draft", worker()),)),
    "review_loop": ReviewLoop(name="loop", maker=worker(), checker=agent("checker"), gate=LOOKS),
    "concurrent": Concurrent(name="concurrent", members=(worker(), agent("quick"))),
    "group_chat": GroupChat(name="chat", members=(worker(), agent("quick"))),
    "handoff": Handoff(name="handoff", triage=agent("triage"), members=(worker(), agent("quick"))),
    "plan_first": PlanFirst(name="plan", planner=agent("planner"), members=(worker(),)),
    "escalation": Escalation(name="escalation", member=worker(), triggers=(Trigger(name="a threat", words=("sue",)),)),
    "routes": Routes(
        name="routes", members=(worker(),), rules=(Way(start="user", to="worker"), Way(start="worker", to="user"))
    ),
}
LEADS = {  # what leads to the worker's turn, by who says it
    "lead": call("ask_worker", task="Look into it."),
    "triage": call("hand_to", name="worker"),
    "planner": call("plan", goal="All is known.", steps=[{"what": "look", "who": "worker"}]),
}
EVERY = pytest.mark.parametrize("pattern", PATTERNS)


class Slow:
    """A model that leads to the worker at once; the worker first thinks until *gate* opens, or calls a tool."""

    name = "slow"

    def __init__(self, *, looks: bool = False) -> None:
        self.looks, self.gate, self.thinks = looks, asyncio.Event(), asyncio.Event()
        self.read: list[str] = []  # what the worker was asked, each time

    async def think(
        self,
        lines: Sequence[Line],
        tools: Sequence[ToolSpec],  # noqa: ARG002  # the port's signature
        *,
        on_text: Callable[[str], None] | None = None,  # noqa: ARG002
    ) -> Said:
        who = lines[0].text.split()[0]
        if who in LEADS and not any(line.role == "assistant" for line in lines):
            return calls(LEADS[who])
        if who != "worker":
            return Said(text="Fine.")
        self.read.append("\n".join(line.text for line in lines))
        if self.looks and lines[-1].role != "tool":
            return calls(call("peek", what="files"))
        self.thinks.set()
        await self.gate.wait()
        return Said(text="That is it.")


def house_of(build: Build, pattern: str, model: Slow, tools: tuple[Tool, ...] | None = None) -> House:
    own, helpers = Hands().tools if tools is None else tools, helper_tools(PATTERNS[pattern])
    return build(policy=FREE, agents=[PATTERNS[pattern]], model=model, tools=(*own, *helpers))


async def given(house: House, began: asyncio.Event) -> str:
    """A task whose worker is at it, and hangs."""
    thread = await house.mention("ana", "look into it")
    if house.engine.parts.roster.get("").name == "plan":
        await house.press("proceed", by="ana")
    async with asyncio.timeout(10):
        await began.wait()
    return thread


async def ended(house: House) -> None:
    await house.chat.until(lambda: "Stopped" in words(status(house)), "it is stopped")


@EVERY
async def test_stop_ends_a_run_whose_model_thinks(build: Build, pattern: str) -> None:
    """AS-11, AS-04: whoever is thinking, the run is over within two seconds, and nothing waits any more."""
    model = Slow()
    async with house_of(build, pattern, model) as house:
        await given(house, model.thinks)

        async with asyncio.timeout(AT_ONCE):
            await house.press("stop", by="ana")
            await ended(house)
            await gone(house)

        assert await house.is_sound()


@EVERY
async def test_words_reach_a_model_while_it_thinks(build: Build, pattern: str) -> None:
    """AS-07, AS-03: it is asked anew with the words within two seconds; what it was thinking is nothing."""
    model = Slow()
    async with house_of(build, pattern, model) as house:
        thread = await given(house, model.thinks)
        model.thinks.clear()

        async with asyncio.timeout(AT_ONCE):
            await house.say("ana", "look at the newest", thread=thread)
            await model.thinks.wait()

        assert "look at the newest" not in model.read[0]
        assert "[ana] look at the newest" in model.read[-1]


@EVERY
async def test_a_run_is_taken_over_and_handed_back_while_a_model_thinks(build: Build, pattern: str) -> None:
    """AS-37, D-38: whoever takes it has it within two seconds; the words of the hand-back are what is thought about."""
    model = Slow()
    async with house_of(build, pattern, model) as house:
        await given(house, model.thinks)
        model.thinks.clear()

        async with asyncio.timeout(AT_ONCE):
            await taken_over(house, by="bo")
        async with asyncio.timeout(AT_ONCE):
            await handed_back(house, by="bo", text="I did the first half")
            await model.thinks.wait()

        assert "I did the first half" in model.read[-1]


@EVERY
async def test_stop_ends_a_run_whose_tool_hangs(build: Build, hands: Hands, pattern: str) -> None:
    """AS-11: a tool that never answers holds nobody up."""
    hands.may_end.clear()
    model = Slow(looks=True)
    async with house_of(build, pattern, model, hands.tools) as house:
        await given(house, hands.began)

        async with asyncio.timeout(AT_ONCE):
            await house.press("stop", by="ana")
            await ended(house)

        assert len(model.read) == 1
        assert await house.is_sound()


@EVERY
async def test_words_said_while_a_tool_hangs_are_read_with_its_result(build: Build, hands: Hands, pattern: str) -> None:
    """AS-07: nothing more begins before they are; what the tool did is not lost."""
    hands.may_end.clear()
    model = Slow(looks=True)
    async with house_of(build, pattern, model, hands.tools) as house:
        thread = await given(house, hands.began)

        await house.say("ana", "look at the newest", thread=thread)
        hands.may_end.set()
        async with asyncio.timeout(AT_ONCE):
            await model.thinks.wait()

        assert "ok peek files" in model.read[-1]
        assert "[ana] look at the newest" in model.read[-1]
