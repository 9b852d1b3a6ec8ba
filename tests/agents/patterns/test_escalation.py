"""Certain words bring people in, and nothing is done before they have said how to go on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agents.patterns.escalation import Escalation, Trigger
from agents.react import ReAct
from agents.testing import Act, Script, Somebody, Story, call, press, rehearse, say, silence
from agents.toolbox import FunctionTool, tool
from bot.domain.calls import Risk
from bot.domain.ports import RunContext, WantedCall
from bot.domain.run import Task

TRIGGERS = (
    Trigger(name="A legal threat", words=("lawyer", "sue")),
    Trigger(name="They want a manager", words=("manager", "supervisor")),
    Trigger(name="Nobody knows what is wrong", pattern=r"error \d{3}.*again", suggestion="Send an engineer."),
)
SUPPORT = Escalation(
    name="desk", member=ReAct(name="support", prompt="Help.", tools=("peek",)), triggers=TRIGGERS, to="managers"
)


def peeks() -> tuple[FunctionTool, list[str]]:
    did: list[str] = []

    @tool(risk=Risk.READ)
    def peek(what: str) -> str:
        """Look."""
        did.append(what)
        return f"saw {what}"

    return peek, did


async def play(task: str, *turns: object, dana: tuple[Act, ...] = ()) -> Story:
    peek, _ = peeks()
    return await rehearse(
        SUPPORT,
        task,
        tools=(peek,),
        model=Script(turns),  # type: ignore[arg-type]  # whatever a test scripts
        people=[Somebody("dana", groups={"managers"}, answers=dana)],
        restarts=True,
    )


@pytest.mark.parametrize(
    ("task", "why", "suggestion"),
    [
        ("They say they will SUE us", "A legal threat", "Take it over, or say what should be answered."),
        ("she wants your manager!", "They want a manager", "Take it over, or say what should be answered."),
        ("error 500 came again", "Nobody knows what is wrong", "Send an engineer."),
    ],
)
async def test_a_trigger_brings_people_in_before_anything_is_done(task: str, why: str, suggestion: str) -> None:
    """GN-09, GN-10: the manager reads reason, context and suggestion; the member then acts on their words."""
    story = await play(task, "All right.", dana=(press("direct", text="be kind"),))

    (request,) = story.requests
    assert request.call.values["reason"].startswith(why)
    assert request.call.values["context"].count(task) == 1
    assert request.call.values["suggestion"] == suggestion
    assert request.agent == "support"
    assert story.thought[0][-1].text == "[people] dana answered. Their direction: 'be kind'"
    assert story.answer == "All right."


@pytest.mark.parametrize("task", ["an issue with my order", "pursue it", "error 500"])
async def test_other_words_bring_in_nobody(task: str) -> None:
    """GN-10: words are whole words."""
    story = await play(task, "All right.")

    assert not story.requests


async def test_nobody_decides_and_nothing_is_done() -> None:
    """D-01: the model is never asked."""
    story = await play("I will sue", dana=(silence(),))

    assert not story.thought
    assert story.answer.startswith("It was handed over to people, and nobody has decided yet: nothing was done.")


async def test_a_threat_in_a_reply_stops_the_member_before_its_next_tool() -> None:
    """GN-10: it wanted to look once more; it reads first what was said, and what the manager says of it."""
    peek, did = peeks()
    member = ReAct(name="support", prompt="Help.", tools=("peek", "ask_people", "escalate"))
    desk = Escalation(name="desk", member=member, triggers=TRIGGERS, to="managers")

    story = await rehearse(
        desk,
        "my order is late",
        tools=(peek,),
        model=Script(
            [
                call("escalate", reason="r", context="c", suggestion="s", of="managers"),
                call("peek", what="the order"),
                "I told the manager.",
            ]
        ),
        people=[
            Somebody("ana", answers=[say("then I call my lawyer")]),
            Somebody("dana", groups={"managers"}, answers=[press("direct", text="wait"), press("follow")]),
        ],
    )

    second = story.requests[1]
    assert second.call.values["reason"].startswith("A legal threat")
    assert "ana wrote: then I call my lawyer" in second.call.values["context"]
    assert did == ["the order"]
    order = [line.text[:40] for line in story.thought[1][-2:]]
    assert order == ["[ana] then I call my lawyer", "[people] dana answered. Do what you suggested"[:40]]
    assert len(story.requests) == 2


@pytest.mark.parametrize(
    ("trigger", "why"),
    [
        ({"name": "t"}, "names no words"),
        ({"name": "t", "words": (" ",)}, "names no words"),
        ({"name": "t", "pattern": "("}, "cannot be read"),
        ({"name": "t", "pattern": "a*"}, "fits everything"),
    ],
)
def test_a_trigger_that_says_nothing_is_refused(trigger: dict[str, object], why: str) -> None:
    """A mistake is found when it is declared."""
    with pytest.raises(ValueError, match=why):
        Trigger(**trigger)  # type: ignore[arg-type]  # what a file may say


def test_an_escalation_without_triggers_is_refused() -> None:
    """It would never hand anything over."""
    with pytest.raises(ValueError, match="no triggers"):
        Escalation(name="desk", member=SUPPORT.member, triggers=())


async def test_no_tool_runs_before_what_was_said_is_read() -> None:
    """GN-10: the words came just before the call; the call is not run, and what people say of them is heard first."""
    peek, did = peeks()
    seen: list[str] = []

    class Clerk:
        name, tools = "clerk", ("peek",)

        async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # the port's signature
            await ctx.sleep(timedelta(hours=1))
            (result,) = await ctx.use((WantedCall(id="1", tool="peek", args='{"what": "x"}'),))
            seen.extend([result.text, *(one.text for one in await ctx.heard())])
            return "done"

    desk = Escalation(name="desk", member=Clerk(), triggers=TRIGGERS, to="managers")
    people = [
        Somebody("ana", answers=[say("I will sue you")]),
        Somebody("dana", groups={"managers"}, answers=[press("decline")]),
    ]

    await rehearse(desk, "my order is late", tools=(peek,), people=people)

    assert not did
    assert seen == [
        "Not run: somebody replied meanwhile; read it first.",
        "I will sue you",
        "dana answered. They decline: it stays with you, and nothing was decided.",
    ]
