"""Watching a run: its living status message, the steps behind it, long answers, and who may read the whole trace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest

from agents.patterns.room import Room, take_turn
from agents.react import ReAct
from agents.toolbox import tool
from bot.domain.budget import Budgets, Limit, Price
from bot.domain.calls import Risk, ToolSpec
from bot.domain.chat import Block, Card
from bot.domain.ports import Leave, Line, RunContext, Said
from bot.domain.run import Task
from tests.fakes.chat import Posted
from tests.flows.stage import Build, Hands, Played, Turn, call, calls, events, moves, policy, quiet, settled, status
from tests.house import House, words

FREE = "rules: [{id: all, allow: true}]"
DRAFTER, WRITER, CHECKER = (
    ReAct(name=name, prompt=f"You are the {name}.", tools=("wire", "tidy", "peek", "ask_people"))
    for name in ("drafter", "writer", "checker")
)


class InTurn:
    """Three members, one after the other, in one room."""

    name, tools = "in turn", ("wire", "tidy", "peek", "ask_people")

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        room = Room(task)
        for member in (DRAFTER, WRITER, CHECKER):
            turn = await take_turn(member, room, ctx)
        return f"Finished: {turn.text}"


class Cast(Played):
    """Plays for each member its own turns, by the prompt it is asked with; `slow` names the one who takes for ever."""

    def __init__(self, **turns: Sequence[Turn]) -> None:
        super().__init__()
        self.parts = {name: Played(*played) for name, played in turns.items()}
        self.slow, self.thinking, self.was_cancelled = "", asyncio.Event(), asyncio.Event()

    async def think(
        self, lines: Sequence[Line], tools: Sequence[ToolSpec], *, on_text: Callable[[str], None] | None = None
    ) -> Said:
        self.asked.append(tuple(lines))
        self._changed.set()
        name = lines[0].text.removeprefix("You are the ").removesuffix(".")
        said = await self.parts[name].think(lines, tools, on_text=on_text)
        if name == self.slow and "quickly" not in lines[-1].text:
            self.thinking.set()
            self._changed.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.was_cancelled.set()
                raise
        return Said(text=said.text, calls=said.calls, tokens_in=1_000, tokens_out=100)


async def begun(hands: Hands) -> None:
    async with asyncio.timeout(10):
        await hands.began.wait()


def facts(card: Card) -> dict[str, str]:
    return {fact.label: fact.value for fact in card.facts}


async def looked(house: House, by: str, post: Posted | None = None) -> tuple[Block, ...]:
    answer = await house.press("steps", by=by, card=post or status(house))
    assert answer.details is not None, answer.text
    return answer.details.blocks


# ------------------------------------------------------------- the status message


async def test_the_status_message_says_who_is_at_it_since_when_and_at_what_cost(build: Build, hands: Hands) -> None:
    """AS-01, AU-09: one message: the member and its step, since when, model calls, tokens, money, the budget."""
    model = Cast(drafter=[Said(text="A draft.")], writer=[calls(call("tidy", what="desk")), Said(text="Done.")],
                 checker=[Said(text="It is good.")])  # fmt: skip
    hands.may_end.clear()
    prices, budgets = {"": Price(in_=2.0, out=10.0)}, Budgets(run=Limit(tokens=2_600))
    async with build(
        policy=FREE, tools=hands.tools, model=model, agents=[InTurn()], prices=prices, budgets=budgets
    ) as house:
        await house.mention("ana", "pay")
        await begun(hands)
        await house.chat.until(lambda: status(house).card.status == "writer · Using tidy", "who, and what")

        shown = facts(status(house).card)
        assert shown["Used"] == "2 model calls · 2,200 tokens · $0.006"
        assert shown["Since"].endswith("UTC")
        assert shown["Budget"] == "The budget of this run is nearly used up: 2,200 of 2,600 tokens."
        assert moves(status(house)) == ["take_run", "stop", "steps"]

        hands.may_end.set()
        await house.press("go_on", by="ana")
        await house.shows("Finished: It is good.")
        await settled(house)
        assert len([post for post in house.chat.posts if post.key.endswith("/status")]) == 1
        assert "Took" in facts(status(house).card)
        assert "Since" not in facts(status(house).card)


async def test_a_call_that_two_must_sign_says_that_it_waits_for_two(build: Build, hands: Hands) -> None:
    """AS-01: `wire · waiting for 2 approvals`."""
    ask = "groups: [{of: approvers, need: 2}]"
    async with build(policy=policy(ask), tools=hands.tools, model=Played(calls(call("wire", amount=5)))) as house:
        await house.mention("ana", "pay")
        await house.card()

        await house.chat.until(lambda: status(house).card.status == "wire · waiting for 2 approvals", "how many")


# --------------------------------------------------------------------------- steps


async def test_the_steps_are_shown_to_colleagues_and_the_trace_to_those_who_had_a_hand_in_it(build: Build) -> None:
    """AS-01, AS-29, D-43, A2-01: who, what, what came of it, when, at what cost; reasoning, arguments and results only
    for whoever asked, answered or is asked; no secret for anybody, not even where a tool repeats it.
    """

    @tool(risk=Risk.WRITE, secrets=("pin",))
    async def unlock(door: str, pin: str, leave: Leave) -> str:  # noqa: ARG001  # a tool takes its leave
        """Open a door."""
        return f"opened {door} with {pin}"

    turns = (calls(call("unlock", door="cellar", pin="hunter2-hunter2"), text="The cellar it is."), Said(text="Open."))
    prices = {"": Price(in_=1.0, out=1.0)}
    async with build(policy=policy(), tools=[unlock], model=Played(*turns), prices=prices) as house:
        await house.mention("ana", "open the cellar")
        await house.card()
        for asked, is_told in (("ana", True), ("bo", True), ("erin", False)):  # bo is asked to sign it just now
            assert ("The cellar it is." in str(await looked(house, asked))) is is_told
        await house.press("approve", by="bo")
        await house.shows("Open.")
        await settled(house)

        steps, trace = await looked(house, "bo")
        assert "1. wanted 1 call" in steps.text
        assert "2. unlock · done · 20" in steps.text
        assert "3. answered" in steps.text
        assert "thought: The cellar it is." in trace.text
        assert 'wanted: unlock(door="cellar", pin=•••)' in trace.text
        assert "unlock: opened cellar with ••••" in trace.text

        steps, told = await looked(house, "erin")
        assert "unlock · done" in steps.text
        assert "cellar" not in f"{steps}{told}"
        assert told.text.startswith("Reasoning, arguments and results are for whoever gave this task")
        assert "hunter2" not in str([await looked(house, who) for who in ("ana", "bo", "chris", "erin")])
        assert {one["person"] for one in await events(house, "trace_opened")} >= {"ana", "bo"}
        assert "erin" not in {one["person"] for one in await events(house, "trace_opened")}
        assert await house.is_sound(is_quiet=True)


async def test_strangers_and_guests_see_no_step(build: Build, hands: Hands) -> None:
    """D-43: gus is a guest; nobody knows zed."""
    async with build(policy=FREE, tools=hands.tools, model=Played()) as house:
        await house.mention("ana", "hello")
        await house.shows("Results:")
        await settled(house)

        for who in ("gus", "zed"):
            answer = await house.press("steps", by=who, card=status(house))
            assert not answer.is_taken
            assert answer.details is None
        assert not await events(house, "trace_opened")


# ------------------------------------------------------------------ in mid-run


async def test_stop_ends_a_member_that_thinks_for_ever(build: Build, hands: Hands) -> None:
    """AS-01, AS-07: the second of three hangs in its model; within two seconds all is over, and no step comes after."""
    model = Cast(drafter=[Said(text="A draft.")], writer=[], checker=[])
    model.slow = "writer"
    async with build(policy=FREE, tools=hands.tools, model=model, agents=[InTurn()]) as house:
        await house.mention("ana", "write")
        await model.until(model.thinking.is_set)
        await house.card("stop")

        began = time.monotonic()
        await house.press("stop", by="bo", card=status(house))
        await quiet(house)

        assert time.monotonic() - began < 2
        assert model.was_cancelled.is_set()
        assert len(model.asked) == 2
        await house.shows("Stopped by Bo.")
        assert await settled(house)


async def test_stop_ends_a_member_whose_tool_hangs(build: Build, hands: Hands) -> None:
    """AS-01, AS-07: the tool is given a second to end; the record says that nobody knows what it did."""
    hands.may_end.clear()
    model = Cast(drafter=[Said(text="A draft.")], writer=[calls(call("tidy", what="desk"))], checker=[])
    async with build(policy=FREE, tools=hands.tools, model=model, agents=[InTurn()]) as house:
        await house.mention("ana", "pay")
        await begun(hands)
        await house.card("stop")

        began = time.monotonic()
        await house.press("stop", by="bo", card=status(house))
        await quiet(house)

        assert time.monotonic() - began < 2
        assert len(model.asked) == 2
        assert [one["outcome"] for one in await events(house, "tool_finished")] == ["unknown"]
        await house.shows("Stopped by Bo.")
        assert await settled(house)


async def test_a_reply_to_a_member_that_thinks_is_read_within_two_seconds(build: Build, hands: Hands) -> None:
    """AS-03, AS-07: in the middle of a pattern, and everybody after it hears it as well."""
    model = Cast(drafter=[Said(text="A draft.")], writer=[Said(text="Written.")], checker=[Said(text="Good.")])
    model.slow = "writer"
    async with build(policy=FREE, tools=hands.tools, model=model, agents=[InTurn()]) as house:
        thread = await house.mention("ana", "write")
        await model.until(model.thinking.is_set)

        began = time.monotonic()
        await house.say("bo", "do it quickly", thread=thread)
        await house.shows("Finished: Good.")

        assert time.monotonic() - began < 2
        assert model.was_cancelled.is_set()
        assert "do it quickly" in model.read
        assert await settled(house)


async def test_whoever_replies_while_a_tool_runs_is_told_when_it_will_be_read(build: Build, hands: Hands) -> None:
    """AS-03: what has begun is not cut off; the reply comes before the next step."""
    hands.may_end.clear()
    model = Played(calls(call("tidy", what="desk")))
    async with build(policy=FREE, tools=hands.tools, model=model) as house:
        thread = await house.mention("ana", "pay")
        await begun(hands)

        answer = await house.say("ana", "and tell Bo", thread=thread)

        assert answer is not None
        assert (answer.is_taken, answer.text) == (
            True,
            "I read this as soon as tidy has ended: what has begun is not cut off.",
        )
        hands.may_end.set()
        await house.shows("Results: ok tidy desk")
        assert "and tell Bo" in model.read
        assert await settled(house)


async def test_a_task_that_is_delivered_twice_is_no_reply_to_itself(
    build: Build, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CD-08: Slack tells of one mention as two events; the second may come before the first is remembered."""
    hands.may_end.clear()
    async with build(policy=FREE, tools=hands.tools, model=Played(calls(call("tidy", what="desk")))) as house:

        async def forgets(*_: object, **__: object) -> None:
            """It has not got so far."""

        monkeypatch.setattr(house.store, "remember", forgets)
        thread = await house.mention("ana", "pay", delivery="one")
        await begun(hands)

        assert await house.say("ana", "@countersign pay", thread=thread, is_mention=True, delivery="one") is None

        hands.may_end.set()
        await house.shows("Results: ok tidy desk")
        assert not await events(house, "reply_heard")
        assert await settled(house)


# ------------------------------------------------------------------ long answers


@pytest.mark.parametrize("length", [4_000, 4_001, 60_000])
async def test_a_long_answer_is_read_in_part_and_attached_whole(build: Build, hands: Hands, length: int) -> None:
    """AS-15: not one character is lost, and the part says that it is one."""
    text = ("a line of words\n" * length)[:length]
    async with build(policy=FREE, tools=hands.tools, model=Played(Said(text=text))) as house:
        await house.mention("ana", "tell me all")
        await house.shows("a line of words")
        await settled(house)

        [post] = [post for post in house.chat.posts if "a line of words" in post.card.body]
        if length <= 4_000:
            assert (post.card.body, post.card.attachments) == (text, ())
            return
        [file] = post.card.attachments
        assert (file.name, file.content.decode()) == ("answer.md", text)
        assert len(post.card.body) < 3_200
        assert post.card.body.endswith(f"… the whole answer, {length:,} characters, is attached as answer.md.")


async def test_a_long_turn_of_a_member_is_attached_whole(build: Build, hands: Hands) -> None:
    """AS-15: as the last answer is."""
    text = "word " * 2_000
    model = Cast(drafter=[Said(text=text)], writer=[Said(text="Ok.")], checker=[Said(text="Good.")])
    async with build(policy=FREE, tools=hands.tools, model=model, agents=[InTurn()]) as house:
        await house.mention("ana", "write")
        await house.shows("Finished: Good.")

        [post] = [post for post in house.chat.posts if "word word" in words(post)]
        assert [file.content.decode() for file in post.card.attachments] == [text]
        assert post.card.author == "drafter"
        assert await settled(house)


async def test_a_reply_that_is_too_long_is_refused_and_not_cut(build: Build, hands: Hands) -> None:
    """An agent that reads half an instruction may do the opposite of it."""
    async with build(policy=policy(), tools=hands.tools, model=Played(calls(call("wire", amount=5)))) as house:
        thread = await house.mention("ana", "pay")
        await house.card()

        answer = await house.say("ana", "x" * 20_001, thread=thread)

        assert answer is not None
        assert (answer.is_taken, answer.text) == (False, "That is too long: at most 20,000 characters, please.")
        assert not await events(house, "reply_heard")
