"""Somebody takes a run over: what was asked is withdrawn, and nothing begins until it is handed back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from bot.domain.calls import ToolSpec
from bot.domain.ports import Line, Said
from bot.domain.run import Begun
from bot.domain.store import Batch
from tests.fakes.chat import Posted
from tests.flows.doors import around
from tests.flows.stage import (
    HASTY,
    Build,
    Hands,
    Played,
    call,
    calls,
    events,
    handed_back,
    moves,
    policy,
    run_of,
    settled,
    status,
    taken_over,
)
from tests.house import House

WIRE = calls(call("wire", amount=90))
PEEK = calls(call("peek", what="files"))
FREE = "rules:\n  - {id: free, when: 'tool.name == \"tidy\"', allow: true}\n"


async def test_taking_over_withdraws_what_was_asked_and_handing_back_goes_on_from_there(
    build: Build, hands: Hands
) -> None:
    """AS-37, AS-03, D-38: the pending call can be signed no more at once; the new instruction is what happens next."""
    model = Played(WIRE, PEEK)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        card = await house.card()

        taken = await house.press("take_run", by="bo")

        assert taken.is_taken
        await house.chat.until(lambda: status(house).card.title == "Bo works on this by hand")
        await house.chat.until(lambda: not card.card.buttons, "no live buttons")
        assert card.card.title == "Withdrawn: wire"
        assert "Bo took this over" in card.card.status
        assert not (await house.press("approve", by="chris", card=card)).is_taken
        assert len(model.asked) == 1
        await handed_back(house, by="bo", text="list the files instead")
        await house.shows("ok peek files")
        assert "I took this over, worked on it by hand, and hand it back now. list the files instead" in model.read
        assert hands.did == ["peek files"]
        assert [one["person"] for one in await events(house, "run_taken")] == ["bo"]
        assert [one["person"] for one in await events(house, "run_returned")] == ["bo"]
        assert await settled(house)


async def test_what_is_said_meanwhile_is_heard_with_the_hand_back(build: Build, hands: Hands) -> None:
    """AS-03: replies are kept, begin nothing, and are read in the order in which they came."""
    model = Played(WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        thread = await house.mention("ana", "pay")
        await taken_over(house, by="bo")

        await house.say("ana", "yes", thread=thread)
        await house.say("chris", "I called the bank", thread=thread)
        await handed_back(house, by="bo", text="it is paid")

        await house.shows("Results:")
        heard = [line.text for line in model.asked[-1] if line.role == "user"][1:]
        assert [text.partition("]")[0] for text in heard] == ["[ana", "[chris", "[bo"]
        assert heard[2].endswith("it is paid")
        assert not hands.did
        assert await settled(house)


async def test_a_question_is_withdrawn_too(build: Build) -> None:
    """D-38: whoever works on it by hand is asked nothing; the agent is told why it has no answer."""
    model = Played(calls(call("ask_people", question="Which colour?", options=["red", "blue"])))
    async with build(policy=policy(), model=model) as house:
        await house.mention("ana", "paint the door")
        card = await house.card("pick_a")

        await taken_over(house, by="bo")

        await house.chat.until(lambda: card.card.title == "Withdrawn: question")
        assert card.card.status.endswith("Bo took this over")
        await handed_back(house, by="bo")
        await house.shows("a newer instruction took its place. Reason: 'Bo took this over'")
        assert await settled(house)


async def test_a_call_in_doubt_stays_a_question_and_is_not_run_again_while_somebody_has_the_run(
    build: Build, hands: Hands
) -> None:
    """I2: what became of it must be settled whoever works on it; "run it now" starts nothing behind their back."""
    hands.may_end.clear()
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE), pace=HASTY) as house:
        await house.mention("ana", "pay")
        await house.press("approve", by="bo")
        await hands.began.wait()
    hands.may_end.set()
    async with house.again() as later:
        card = await later.card("answer")

        await taken_over(later, by="dana")

        assert card.card.buttons, "still open"
        await later.press("approve", by="chris", card=card)
        await later.chat.until(lambda: "not run again: somebody took this over first" in shown_words(later))
        assert hands.did == ["wire 90 bank"]
        await handed_back(later, by="dana")
        assert await settled(later)


async def test_a_tool_at_work_ends_and_is_recorded_and_nothing_follows_it(build: Build, hands: Hands) -> None:
    """What has begun is not torn down: its result is known, and the next step waits."""
    model = Played(WIRE, PEEK)
    hands.may_end.clear()
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        await house.press("approve", by="bo")
        await hands.began.wait()

        await taken_over(house, by="bo")
        hands.may_end.set()

        await house.chat.until(lambda: any("Done." in post.card.status for post in house.chat.posts))
        assert (await events(house, "tool_finished"))[0]["outcome"] == "ok"
        assert len(model.asked) == 1
        await handed_back(house, by="bo")
        await house.shows("Results: ok wire 90 bank / ok peek files")
        assert await settled(house)


async def test_an_answer_of_the_model_is_kept_and_what_it_asked_for_does_not_begin(build: Build, hands: Hands) -> None:
    """The model was thinking: its turn is journalled, and is out of date when the run comes back."""
    thinking, may_answer = asyncio.Event(), asyncio.Event()

    class Slow(Played):
        async def think(
            self, lines: Sequence[Line], tools: Sequence[ToolSpec], *, on_text: Callable[[str], None] | None = None
        ) -> Said:
            if not self.asked:
                thinking.set()
                await may_answer.wait()
            return await super().think(lines, tools, on_text=on_text)

    model = Slow(calls(call("tidy", what="desk")))
    async with build(policy=FREE, tools=hands.tools, model=model) as house:
        thread = await house.mention("ana", "tidy up")
        await thinking.wait()
        await taken_over(house, by="bo")

        may_answer.set()
        await steps(house, thread, 1)
        await handed_back(house, by="bo", text="I did the desk")

        await house.shows("Results: Not run: somebody took this over before it began.")
        assert not hands.did
        assert model.read.index("Not run:") < model.read.index("I did the desk")
        assert await settled(house)


# --------------------------------------------------------------------- races


async def test_a_signature_that_was_counted_first_starts_nothing_after_a_takeover(build: Build, hands: Hands) -> None:
    """The vote wins, the takeover comes before the call begins: the store refuses the start, and the card says so."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        thread = await house.mention("ana", "pay")
        card = await house.card()
        await house.card("take_run")

        async def take(*_: object) -> None:
            if not await events(house, "run_taken"):
                await house.say("dana", "I'll do this.", thread=thread)

        around(house, "spend", before=take)
        await house.press("approve", by="bo", card=card)

        await house.chat.until(lambda: card.card.title == "Approved, but not run: wire")
        await handed_back(house, by="dana")
        await house.shows("Results: Approved, but not run: somebody took this over first.")
        assert not hands.did
        assert await settled(house)


async def test_a_call_that_needs_nobody_does_not_begin_after_a_takeover_either(build: Build, hands: Hands) -> None:
    """The same for what the policy lets through: the beginning is written in the knowledge of every letter."""
    async with build(policy=FREE, tools=hands.tools, model=Played(calls(call("tidy", what="desk")))) as house:
        thread = "t-race"

        async def take(_fence: object, _run: object, batch: Batch) -> None:
            if any(isinstance(entry, Begun) for entry in batch.entries) and not await events(house, "run_taken"):
                await house.say("bo", "take over", thread=thread)

        around(house, "append", before=take)
        await house.mention("ana", "tidy up", thread=thread)

        await handed_back(house, by="bo")
        await house.shows("Results: Not run: somebody took this over before it began.")
        assert not hands.did
        assert await settled(house)


async def test_of_two_people_who_press_at_once_one_has_it(build: Build, hands: Hands) -> None:
    """The second is told who was faster; a refused press stands in the audit."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card("take_run")
        presses = [house.press("take_run", by=who, card=card) for who in ("bo", "chris")]

        answers = await asyncio.gather(*presses)

        (first, second) = sorted(answers, key=lambda answer: not answer.is_taken)
        assert first.is_taken
        assert second.text in ("Bo works on this already.", "Chris works on this already.")
        assert len(await events(house, "run_taken")) == 1
        assert (await events(house, "vote_refused"))[0]["cause"] == "NotEligible"


async def test_a_press_that_is_delivered_again_takes_nothing_twice(build: Build, hands: Hands) -> None:
    """I10: also after it was handed back: an old press does not stop the agent once more."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE, WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card("take_run")
        await house.press("take_run", by="bo", card=card, delivery="once")

        again = await house.press("take_run", by="bo", card=card, delivery="once")
        await handed_back(house, by="bo", delivery="back")
        await house.card()
        late = await house.press("take_run", by="bo", card=card, delivery="once")
        twice = await house.press("hand_back", by="bo", card=status(house), delivery="back", fields={"text": ""})

        assert (again.is_taken, late.is_taken, twice.is_taken) == (True, True, True)
        assert len(await events(house, "run_taken")) == len(await events(house, "run_returned")) == 1
        assert moves(status(house)) == ["take_run", "stop", "steps"]


# ----------------------------------------------------------------------- who


async def test_whoever_has_it_or_gave_the_task_hands_it_back_and_nobody_else(build: Build, hands: Hands) -> None:
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        await taken_over(house, by="bo")

        other = await handed_back(house, by="chris")
        own = await handed_back(house, by="ana")

        assert other.text == "Bo has it: Bo or Ana can hand it back."
        assert own.is_taken
        await house.shows("Results:")
        assert await settled(house)


async def test_guests_and_strangers_take_nothing_over(build: Build, hands: Hands) -> None:
    """T17: who may not give tasks may not stop the agent's hands, and a token for another run is no token."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE, WIRE)) as house:
        thread = await house.mention("ana", "pay")
        card = await house.card("take_run")

        for who in ("gus", "nobody"):
            assert not (await house.press("take_run", by=who, card=card)).is_taken
            told = await house.say(who, "take over", thread=thread)
            assert told is not None
            assert not told.is_taken
        assert not await events(house, "run_taken")
        assert len(await events(house, "vote_refused")) == 2


async def test_who_took_over_and_who_handed_back_do_not_sign_what_follows(build: Build, hands: Hands) -> None:
    """I5, T10: the run acts on their words, so where duties are separated somebody else signs."""
    rules = policy("groups: [approvers], separate_duties: true")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE, WIRE)) as house:
        await house.mention("ana", "pay")
        first = await house.card()
        await taken_over(house, by="bo")
        await handed_back(house, by="ana", text="now pay it")

        second = await house.card(but=[first])
        refused = await house.press("approve", by="bo", card=second)
        signed = await house.press("approve", by="chris", card=second)

        assert not refused.is_taken
        assert signed.is_taken
        await house.shows("ok wire 90 bank")


async def test_words_take_over_and_hand_back_only_as_exact_phrases(build: Build, hands: Hands) -> None:
    """AS-37: "stop, do X instead" is a reply as ever; the two phrases are the buttons, typed."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE, PEEK)) as house:
        thread = await house.mention("ana", "pay")
        card = await house.card()

        await house.say("ana", "stop, look at the files instead", thread=thread)
        await house.chat.until(lambda: card.card.title == "Withdrawn: wire")
        assert not await events(house, "run_taken")
        await house.shows("ok peek files")

        async def said(text: str) -> str:
            thread = await house.mention("ana", "pay")
            await house.say("bo", text, thread=thread)
            return thread

        thread = await said("I’ll do this!")
        taken = await events(house, "run_taken")
        nothing = await house.say("ana", "Hand back to the customer, please", thread=thread)
        returned = await house.say("ana", "hand back.", thread=thread)

        assert len(taken) == 1
        assert nothing is None
        assert returned is not None
        assert returned.is_taken
        assert len(await events(house, "run_returned")) == 1


# ------------------------------------------------------------------- helpers


async def steps(house: House, thread: str, count: int) -> None:
    """Wait until so many entries are in the run's journal."""
    run = await run_of(house, thread)
    async with asyncio.timeout(10):
        while (loaded := await house.store.load(run)) is None or loaded.length < count:
            pass


def shown_words(house: House) -> str:
    def words_of(post: Posted) -> str:
        return "\n".join([post.card.title, post.card.status, *(block.text for block in post.card.blocks)])

    return "\n".join(words_of(post) for post in house.chat.posts)
