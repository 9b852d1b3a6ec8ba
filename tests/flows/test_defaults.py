"""A question may say what the agent goes on with if nobody answers: shown from the beginning, and nobody's answer."""

from __future__ import annotations

import pytest

from bot.domain.ports import RunContext, Said
from bot.domain.run import Task
from bot.domain.wire import Json
from tests.flows.stage import STEADY, Build, Hands, Played, call, calls, events, moves, policy, settled
from tests.house import words

RULES = policy(more="defaults: {ladder: [{after: 1h, expire: true}]}")
LABEL = "If nobody answers in time, the agent goes on with"


def asking(**more: Json) -> Said:
    return calls(call("ask_people", question="Which colour?", options=["red", "blue"], **more))


async def test_a_declared_default_is_used_and_said_to_be_nobodys_answer(build: Build) -> None:
    """PN-04, AS-21, D-18, D-23: it stands on the card from the start; in time, card, model and audit say that nobody
    spoke.
    """
    model = Played(asking(default="blue"))
    async with build(policy=RULES, model=model, pace=STEADY) as house:
        await house.mention("ana", "paint the door")
        card = await house.card("pick_a")
        assert [block.text for block in card.card.blocks if block.label == LABEL] == ["blue"]

        house.clock.advance(hours=1, seconds=1)

        await house.shows("Nobody answered. The default you declared is used: 'blue'")
        await house.chat.until(lambda: card.card.title == "Not answered in time: question" and not card.card.buttons)
        assert card.card.status.startswith("Default used, nobody answered until ")
        assert card.card.status.endswith("the agent goes on with “blue”.")
        [decided] = await events(house, "request_decided")
        assert (decided["status"], decided["by"]) == ("expired", [])
        assert not await events(house, "vote_counted")
        late = await house.press("pick_a", by="ana", card=card)
        assert not late.is_taken
        assert await settled(house)


async def test_an_answer_in_time_leaves_the_default_unused(build: Build) -> None:
    """AS-21: whoever answers is listened to."""
    model = Played(asking(default="blue"))
    async with build(policy=RULES, model=model) as house:
        await house.mention("ana", "paint the door")

        await house.press("pick_a", by="ana")

        await house.shows("Ana answered. Their answer: 'red'")
        assert "default" not in model.read.rpartition("answered.")[2]


async def test_an_agent_of_code_declares_a_default_as_a_model_does(build: Build) -> None:
    """AS-21, D-23: `ctx.ask` says as much as the tool: what is gone on with, and that only the options are answers."""

    class Painter:
        name, tools = "painter", ("ask_people",)

        async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # the port's signature
            options = ("red", "blue")
            return (await ctx.ask("Which colour?", options=options, default="blue", may_write=False)).text

    async with build(policy=RULES, agents=[Painter()], model=Played(), pace=STEADY) as house:
        await house.mention("ana", "paint the door")
        card = await house.card("pick_a")
        assert [block.text for block in card.card.blocks if block.label == LABEL] == ["blue"]
        assert "write" not in moves(card)

        house.clock.advance(hours=1, seconds=1)

        await house.shows("Nobody answered. The default you declared is used: 'blue'")


async def test_a_default_signs_nothing(build: Build, hands: Hands) -> None:
    """D-01, D-25, ST-22: an agent whose default is yes has asked nobody for the payment; that call waits by itself."""
    turns = (calls(call("ask_people", question="Shall I pay 90?", default="yes")), calls(call("wire", amount=90)))
    async with build(policy=RULES, tools=hands.tools, model=Played(*turns), pace=STEADY) as house:
        await house.mention("ana", "pay if they want it")
        question = await house.card("write")
        house.clock.advance(hours=1, seconds=1)

        card = await house.card("approve", but=[question])

        assert not hands.did
        assert "90" in words(card)
        house.clock.advance(hours=4, seconds=1)
        await house.shows("Results:")
        assert not hands.did
        assert await settled(house)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"default": "green", "may_write": False}, "Not asked: its default is none of the options."),
        ({"default": "  "}, "Not asked: its default says nothing."),
    ],
)
async def test_a_default_that_nobody_could_have_chosen_is_refused(
    build: Build, more: dict[str, Json], told: str
) -> None:
    """AS-21, ST-33: the model reads what is wrong with it; nobody is asked."""
    async with build(policy=RULES, model=Played(asking(**more))) as house:
        await house.mention("ana", "paint the door")

        await house.shows(told)
        assert not await events(house, "request_opened")
