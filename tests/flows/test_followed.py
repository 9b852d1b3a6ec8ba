"""What people said while an agent worded its last answer: never lost, also if its process dies right after the end."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.ports import Said
from bot.domain.run import Run
from bot.domain.store import Batch
from tests.flows.doors import around
from tests.flows.stage import DONE, STEADY, Build, Hands, Played, call, calls, events, policy, quiet, settled
from tests.house import House


def late_reply(house: House, model: Played) -> None:
    """Bo replies in the moment in which the first run is about to end."""

    async def speak(_fence: object, _run: object, batch: Batch) -> None:
        if batch.status is DONE and len(model.asked) == 1:
            await house.say("bo", "and look at order 7, too", thread="t", delivery="late")

    around(house, "append", before=speak)


def cut_off(house: House, door: str) -> asyncio.Event:
    """The process dies at *door*, before or after what it does to the store: no line of it runs any more."""
    is_dead, (edge, method) = asyncio.Event(), door.split()

    async def dead(*args: object) -> None:
        is_first = method == "start" and isinstance(args[0], Run) and args[0].task.by == "ana"
        if not is_first and not is_dead.is_set():
            is_dead.set()
            await asyncio.Event().wait()

    around(house, method, before=dead) if edge == "before" else around(house, method, after=dead)
    return is_dead


@pytest.mark.parametrize("door", ["before start", "after start", "before untime"])
async def test_a_reply_to_the_last_word_outlives_the_process_that_ended_the_run(
    build: Build, hands: Hands, door: str
) -> None:
    """I12, AS-16: the end is written, and then the process is gone: whoever owns the shard takes the words up, once."""
    model = Played(Said(text="Looked."))
    async with build(policy=policy(), tools=hands.tools, model=model, pace=STEADY) as house:
        late_reply(house, model)
        is_dead = cut_off(house, door)
        await house.mention("ana", "look", thread="t")
        async with asyncio.timeout(10):
            await is_dead.wait()
    async with house.again() as later:
        later.clock.advance(seconds=6)
        await model.until(lambda: len(model.asked) >= 2)
        await quiet(later)

        assert "and look at order 7, too" in model.read
        assert [task["person"] for task in await events(later, "run_started")] == ["ana", "bo"]
        assert len(model.asked) == 2
        assert not await later.store.overdue(0, -STEADY.lease)
        assert await settled(later)


async def test_words_that_nobody_took_up_are_told_to_the_run_that_has_the_thread_by_then(
    build: Build, hands: Hands
) -> None:
    """I12: the process died after the end, and somebody gave the thread another task before the words were found."""
    pay = calls(call("wire", amount=1))
    model = Played(lambda lines: pay if "pay" in lines[-1].text else Said(text="Looked."))
    async with build(policy=policy(), tools=hands.tools, model=model, pace=STEADY) as house:
        late_reply(house, model)
        is_dead = cut_off(house, "before start")
        await house.mention("ana", "look", thread="t")
        async with asyncio.timeout(10):
            await is_dead.wait()
    async with house.again() as later:
        await later.mention("ana", "pay", thread="t")
        await later.card()

        later.clock.advance(seconds=6)

        await later.chat.until(lambda: "and look at order 7, too" in model.read)
        assert [task["person"] for task in await events(later, "run_started")] == ["ana", "ana"]
        assert await settled(later)
