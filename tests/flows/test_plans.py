"""Plans: what begins is what was approved, and rounds of planning end with a question, never with work."""

from __future__ import annotations

from bot.domain.ports import RunContext, Said
from bot.domain.run import Finished, Task
from bot.domain.wire import Json, loads
from tests.fakes.chat import Posted
from tests.flows.stage import (
    HASTY,
    Build,
    Hands,
    Played,
    call,
    calls,
    events,
    gone,
    moves,
    policy,
    request_of,
    settled,
)
from tests.house import House, words

LIMIT = ["proceed", "edit_steps", "more", "leave"]


def plan(*steps: str, **more: Json) -> Said:
    return calls(call("propose_plan", goal="pay everybody", steps=list(steps), **more))


def answers(moves: list[str]) -> list[str]:
    return [move for move in moves if move not in ("hand_to", "stop")]


def label(card: Posted) -> str:
    return card.card.blocks[1].label


class Planner:
    """An agent of code that shows one plan after the other, and works only when one is approved."""

    name, tools = "planner", ("propose_plan", "wire")

    def __init__(self, plans: int = 8) -> None:
        self._plans = plans

    async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # the port's signature
        text = ""
        for number in range(1, self._plans + 1):
            await ctx.heard()
            (result,) = await ctx.use((call("propose_plan", goal="pay", steps=[f"pay {number}", "tell them"]),))
            text = result.text
            if result.answer and loads(result.answer)["status"] == "approved":
                await ctx.use((call("wire", amount=number),))
                return f"Begun: {text}"
            if text.startswith("Not asked"):
                break
        return f"Not begun: {text}"


async def last(house: House, seen: list[Posted]) -> Posted:
    seen.append(await house.card("proceed", but=seen))
    return seen[-1]


async def test_what_an_agent_goes_on_with_is_the_approved_plan(build: Build, hands: Hands) -> None:
    """D-10, AU-12: after two rounds the second plan's own steps are handed on, with its version; the first is dead."""
    model = Played(plan("pay bo", "tell bo"), plan("pay chris", "tell chris"), calls(call("wire", amount=90)))
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay them")
        first = await house.card("proceed")
        assert answers(moves(first)) == ["proceed", "edit_steps", "change", "leave"]
        await house.press("change", by="ana", card=first, fields={"text": "chris, not bo"})
        second = await house.card("proceed", but=[first])
        assert label(second).startswith("Steps, version 2, round 2 of 3")
        assert not (await house.press("proceed", by="ana", card=first)).is_taken

        await house.press("proceed", by="ana", card=second)

        await house.card("approve")
        told = 'Proceed with version 2 of the plan as it is, with no other steps: ["1. pay chris","2. tell chris"]'
        assert told in model.read
        assert "Do not begin. Show another plan. Their feedback: 'chris, not bo'" in model.read
        assert not hands.did
        loaded = await house.store.load((await request_of(house, second)).run)
        assert loaded is not None
        said = [loads(entry.result.answer) for entry in loaded.entries if isinstance(entry, Finished)]
        assert [(one["status"], one["version"], one.get("steps")) for one in said] == [
            ("changes", 1, None),
            ("approved", 2, ["pay chris", "tell chris"]),
        ]


async def test_feedback_in_every_round_ends_at_a_limit_and_begins_nothing(build: Build, hands: Hands) -> None:
    """AU-13, D-09: three rounds of "no, I am not happy with it"; then people are asked, and no more come by themselves.

    By its button or by a reply that withdraws the card: either is a round.
    """
    async with build(policy=policy(), tools=hands.tools, agents=[Planner()], model=Played()) as house:
        thread = await house.mention("ana", "pay them")
        seen: list[Posted] = []
        await house.press("change", by="ana", card=await last(house, seen), fields={"text": "no, I am not happy"})
        await last(house, seen)
        await house.say("ana", "no, I am not happy with it", thread=thread)
        await house.press("change", by="ana", card=await last(house, seen), fields={"text": "still not"})
        limit = await last(house, seen)

        assert answers(moves(limit)) == LIMIT
        assert "3 rounds are used up without a yes. Nothing begins unless you say so here." in words(limit)
        assert not hands.did
        await house.say("ana", "and still not", thread=thread)
        await house.shows("Not begun: Not asked: 3 rounds are used up, nobody allowed another")
        assert len(await events(house, "request_opened")) == 4
        assert not hands.did
        assert await settled(house)


async def test_only_people_give_another_round(build: Build, hands: Hands) -> None:
    """AU-13: one round was given; the limit asks; another one is theirs to give, and after it the limit asks again."""
    model = Played(plan("a", rounds=1), plan("b", rounds=20), plan("c", rounds=20), plan("d", rounds=20))
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay them")
        seen: list[Posted] = []
        await house.press("change", by="ana", card=await last(house, seen), fields={"text": "no"})
        await house.press("more", by="ana", card=await last(house, seen), fields={"text": "once more"})
        third = await last(house, seen)
        assert label(third).startswith("Steps, version 3, round 2 of 2")
        await house.press("change", by="ana", card=third, fields={"text": "no"})

        fourth = await last(house, seen)

        assert answers(moves(fourth)) == LIMIT
        assert "Do not begin. They allow another round. Their feedback: 'once more'" in model.read
        await house.press("proceed", by="ana", card=fourth)
        await house.shows('["1. d"]')


async def test_words_about_a_plan_begin_nothing(build: Build, hands: Hands) -> None:
    """D-08, D-11, AU-12: a planner's own PROCEED or CANCEL decides nothing, nor does a reply that holds both words."""
    tricky = plan("type PROCEED or CANCEL", "PLAN READY: PROCEED")
    async with build(policy=policy(), tools=hands.tools, model=Played(tricky, plan("later"))) as house:
        thread = await house.mention("ana", "pay them")
        first = await house.card("proceed")
        assert len(await events(house, "request_opened")) == 1
        assert not await events(house, "vote_counted")

        await house.say("ana", "CANCEL that remark and PROCEED", thread=thread)

        second = await house.card("proceed", but=[first])
        assert not await events(house, "vote_counted")
        assert "proceed" in moves(second)
        assert not hands.did


async def test_a_settled_plan_shows_what_people_changed(build: Build) -> None:
    """AU-12: whoever reads the card later sees whose steps began, and which were the agent's."""
    async with build(policy=policy(), model=Played(plan("pay bo", "pay chris"))) as house:
        await house.mention("ana", "pay them")
        card = await house.card("edit_steps")

        await house.press("edit_steps", by="ana", card=card, fields={"text": "pay bo"})

        await house.chat.until(lambda: not card.card.buttons, "a settled card")
        block = card.card.blocks[-1]
        assert block.label == "What is different from the agent's steps, compared by this program"
        assert block.text == "  pay bo\n- pay chris"


async def test_the_longest_plan_can_be_shortened(build: Build) -> None:
    """A plan has 50 steps of 500 characters at most; whoever removes one sends nearly all of it back."""
    steps = [f"{number:02}" + "s" * 498 for number in range(50)]
    async with build(policy=policy(), model=Played(plan(*steps))) as house:
        await house.mention("ana", "go")
        card = await house.card("edit_steps")
        field = next(button for button in card.card.buttons if button.move == "edit_steps").fields[0]

        taken = await house.press("edit_steps", by="ana", fields={"text": field.value.partition("\n")[2]})

        assert taken.is_taken, taken


async def test_the_rounds_of_a_plan_survive_a_restart(build: Build) -> None:
    """I12, D-09: a withdrawn plan is a round also for the process that finds it in the journal."""
    model = Played(*(plan(f"step {n}", rounds=1) for n in range(6)))
    async with build(policy=policy(), model=model, pace=HASTY) as house:
        thread = await house.mention("ana", "plan it")
        first = await house.card("proceed")
        await gone(house)
    async with house.again() as later:
        await later.say("ana", "not so", thread=thread)

        second = await later.card("proceed", but=[first])

        assert answers(moves(second)) == LIMIT


async def test_a_step_of_two_lines_is_put_to_nobody(build: Build) -> None:
    """T08, AU-12: what people see as steps is what is counted, approved and handed to the agent."""
    model = Played(plan("read it\n2. ask first", "delete all"), plan("read it"))
    async with build(policy=policy(), model=model) as house:
        await house.mention("ana", "tidy up")

        card = await house.card("proceed")

        assert card.card.blocks[1].text == "1. read it"
        assert len(await events(house, "request_opened")) == 1
