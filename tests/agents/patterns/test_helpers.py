"""An agent as a tool of another, and a finish by a call."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agents.patterns.helpers import helper_tools
from agents.patterns.phases import Phases
from agents.patterns.room import Room, Turn
from agents.patterns.sequential import Sequential
from agents.react import ReAct
from agents.testing import Act, Script, Somebody, Story, answer, call, calls, rehearse, say
from agents.toolbox import tool
from bot.domain.calls import Risk
from bot.domain.errors import InvalidArguments
from bot.domain.ports import Line, RunContext, Tool
from bot.domain.run import Task

CLERK = ReAct(name="clerk", prompt="You look things up.", tools=("ask_people",), about="It knows the orders.")
CODER = ReAct(name="coder", prompt="You write code.", tools=("ask_people",))
LEAD = ReAct(name="lead", prompt="You lead.", helpers=(CLERK, CODER))


async def play(agent: ReAct, *turns: object, acts: tuple[Act, ...] = (), tools: tuple[Tool, ...] = ()) -> Story:
    return await rehearse(
        agent,
        "close order 7",
        tools=(*helper_tools(agent), *tools),
        model=Script(turns),  # type: ignore[arg-type]  # whatever a test scripts
        people=[Somebody("ana", answers=acts)],
        restarts=True,
    )


async def test_a_helper_gets_a_task_and_its_words_are_the_result() -> None:
    """PP-05: it reads the task as another agent's words, and nothing else that was said."""
    story = await play(LEAD, call("ask_clerk", task="Find order 7."), "Order 7 is open.", "It is open.")

    helper, lead = story.thought[1], story.thought[2]
    assert [line.text for line in helper] == ["You look things up.", "[lead, an agent] Find order 7."]
    assert (lead[-1].role, lead[-1].text) == ("tool", "Order 7 is open.")
    assert story.answer == "It is open."


async def test_helpers_of_one_turn_work_beside_each_other_and_beside_tools() -> None:
    """Results come in the order of the calls, whichever ends first."""

    @tool(risk=Risk.READ)
    def peek(what: str) -> str:
        """Look."""
        return f"saw {what}"

    def told(lines: tuple[Line, ...]) -> str:
        return f"I have {lines[-1].text.rpartition(' ')[2]}"

    lead = ReAct(name="lead", prompt="You lead.", helpers=(CLERK, CODER), tools=("peek",))
    turn = calls(call("ask_coder", task="do B"), call("peek", what="x"), call("ask_clerk", task="do A"))

    story = await play(lead, turn, told, told, "done", tools=(peek,))

    assert [line.text for line in story.thought[-1][-3:]] == ["I have B", "saw x", "I have A"]


async def test_a_request_raised_deep_inside_names_the_inner_agent_and_comes_back_to_it() -> None:
    """PP-05: the clerk asks, ana answers the clerk; the lead reads what the clerk makes of it."""
    nested = ReAct(name="boss", prompt="You decide.", helpers=(LEAD,))
    story = await play(
        nested,
        call("ask_lead", task="close it"),
        call("ask_clerk", task="which one?"),
        call("ask_people", question="Which order?"),
        "It is order 7.",
        "Order 7, says the clerk.",
        "Closed.",
        acts=(answer("seven"),),
    )

    (request,) = story.requests
    assert request.agent == "clerk"
    assert story.thought[3][-1].text == "ana answered. Their answer: 'seven'"
    assert story.thought[4][-1].text == "It is order 7."
    assert story.answer == "Closed."


class Waits:
    """A member that waits an hour, and reads what was said meanwhile."""

    tools = ()

    def __init__(self, name: str) -> None:
        self.name = name
        self.read: list[str] = []

    async def reply(self, room: Room, ctx: RunContext) -> Turn:
        await ctx.sleep(timedelta(hours=1))
        await room.hear(ctx)
        self.read.append(room.words[-1].text)
        return Turn(by=self.name, text=f"{self.name} is done")

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        return (await self.reply(Room(task), ctx)).text


async def test_a_reply_reaches_every_helper_and_whoever_asked_them_once() -> None:
    """AS-06: ana corrects herself while both work; each reads it, and so does the lead, once."""

    one, two = Waits("one"), Waits("two")
    lead = ReAct(name="lead", prompt="You lead.", helpers=(one, two))

    story = await rehearse(
        lead,
        "close order 7",
        tools=helper_tools(lead),
        model=Script([calls(call("ask_one", task="A"), call("ask_two", task="B")), "done"]),
        people=[Somebody("ana", answers=[say("order 8, I mean")])],
    )

    assert (one.read, two.read) == (["order 8, I mean"], ["order 8, I mean"])
    assert [line.text for line in story.thought[-1]].count("[ana] order 8, I mean") == 1
    assert [line.role for line in story.thought[-1]][-3:] == ["tool", "tool", "user"]


async def test_a_task_that_is_none_is_refused_with_a_sentence() -> None:
    """The model reads what is missing, and asks again."""
    story = await play(LEAD, call("ask_clerk"), "I cannot.")

    assert story.thought[-1][-1].text.startswith("Not asked: ")


async def test_nobody_else_may_call_a_helper() -> None:
    """The tool is there for its schema: it does nothing, and no policy is asked about it."""
    other = ReAct(name="other", prompt="You are alone.")
    story = await rehearse(other, "x", tools=helper_tools(LEAD), model=Script([call("ask_clerk", task="do it"), "no"]))

    assert story.calls == ()
    assert story.thought[1][-1].text == "Not run: ask_clerk is not among your tools."
    with pytest.raises(InvalidArguments):
        helper_tools(LEAD)[0].check({"task": "x"})


def test_every_helper_inside_a_pattern_is_declared_once() -> None:
    """The roof asks for the tools of a whole tree."""
    inner = Sequential(name="seq", members=(LEAD, CODER))
    flow = Phases(name="flow", phases=(("Plan", inner), ("Do", LEAD)))

    declared = {one.spec.name: one.spec.description for one in helper_tools(flow)}

    assert sorted(declared) == ["ask_clerk", "ask_coder"]
    assert "It knows the orders." in declared["ask_clerk"]


def test_two_helpers_of_one_name_are_refused() -> None:
    """A call would not say which."""
    with pytest.raises(ValueError, match="called the same"):
        ReAct(name="lead", prompt="p", helpers=(CLERK, ReAct(name="clerk", prompt="another")))


def test_a_nest_has_a_depth() -> None:
    """Six agents below each other are a mistake."""
    agent = CLERK
    for level in range(5):
        agent = ReAct(name=f"a{level}", prompt="p", helpers=(agent,))

    with pytest.raises(ValueError, match="nested deeper than 5"):
        ReAct(name="top", prompt="p", helpers=(agent,))


# ------------------------------------------------------------------- finish

ENDS = ReAct(name="ends", prompt="p", tools=("finish", "ask_people"))


async def test_a_finish_lists_what_comes_next() -> None:
    """ST-17: below the answer, under their own title; without any, there is none."""
    steps = ["Tell the customer", "Close the ticket"]

    told = await play(ENDS, call("finish", answer="Refunded.", next_steps=steps))
    plain = await play(ENDS, call("finish", answer="Refunded."))

    assert told.answer == "Refunded.\n\nNext steps\n• Tell the customer\n• Close the ticket"
    assert plain.answer == "Refunded."


async def test_a_finish_beside_other_calls_is_none() -> None:
    """D-36: neither ran; the model reads why, and the question is asked by itself."""
    both = calls(call("ask_people", question="Sure?"), call("finish", answer="Done."))

    story = await play(ENDS, both, call("finish", answer="Done."))

    assert not story.requests
    assert [line.text for line in story.thought[1][-2:]] == [
        "Nothing was done. Call finish alone, with no other call beside it."
    ] * 2
    assert story.answer == "Done."


async def test_a_finish_without_an_answer_is_none() -> None:
    """D-36: an empty end is refused."""
    story = await play(ENDS, call("finish", answer=" "), call("finish", answer="Done."))

    assert story.answer == "Done."
    assert story.thought[1][-1].text.startswith("Nothing was done: ")


async def test_whoever_does_not_list_it_cannot_finish_by_a_call() -> None:
    """It means nothing to an agent that was not told of it."""
    story = await play(CLERK, call("finish", answer="Done."), "words")

    assert story.answer == "words"
    assert "it means nothing here" in story.calls[0].text
