"""A run in somebody's hands, out of memory and in other processes; agents that do not listen; names nobody knows."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.ports import RunContext
from bot.domain.run import RunStatus, Task
from tests.flows.stage import (
    HASTY,
    Build,
    Hands,
    Played,
    Staff,
    call,
    calls,
    events,
    gone,
    handed_back,
    policy,
    run_of,
    settled,
    shown,
    status,
    taken_over,
)

WIRE = calls(call("wire", amount=90))
PEEK = calls(call("peek", what="files"))


@pytest.mark.parametrize("pace", ["hasty", "quick"])
async def test_a_run_in_somebodys_hands_survives_a_restart(build: Build, hands: Hands, pace: str) -> None:
    """I12: the pause is in the letters: another process knows it, begins nothing, and goes on once it may."""
    model = Played(calls(call("peek", what="first")), WIRE, PEEK)
    options = {"pace": HASTY} if pace == "hasty" else {}
    async with build(policy=policy(), tools=hands.tools, model=model, **options) as house:
        thread = await house.mention("ana", "pay")
        await house.card()
        await taken_over(house, by="bo")
        await shown(house)
    asked = len(model.asked)
    async with house.again() as later:
        await later.say("ana", "any news?", thread=thread)
        await shown(later)
        loaded = await later.store.load(await run_of(later, thread))
        assert loaded is not None
        assert (len(model.asked), loaded.run.taken_by) == (asked, "bo")

        await handed_back(later, by="bo", text="go on")

        await later.shows("ok peek files")
        assert hands.did == ["peek first", "peek files"]
        assert await settled(later)


async def test_a_run_out_of_memory_is_taken_over_and_leaves_memory_again(build: Build, hands: Hands) -> None:
    """While a person works, the run costs Redis alone, and is waiting there."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE, PEEK), pace=HASTY) as house:
        thread = await house.mention("ana", "pay")
        card = await house.card()
        await gone(house)

        await taken_over(house, by="bo")
        await house.chat.until(lambda: card.card.title == "Withdrawn: wire")
        await gone(house)

        loaded = await house.store.load(await run_of(house, thread))
        assert loaded is not None
        assert loaded.status is RunStatus.WAITING
        await handed_back(house, by="bo")
        await house.shows("ok peek files")
        assert await settled(house)


async def test_stop_ends_a_run_in_somebodys_hands(build: Build, hands: Hands) -> None:
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        await taken_over(house, by="bo")
        card = status(house)

        await house.press("stop", by="chris", card=card)

        await house.shows("Stopped by Chris.")
        late = await house.press("hand_back", by="bo", card=card, fields={"text": "go on"})
        assert late.text == "This run has already ended."
        assert await settled(house)


async def test_an_agent_of_code_that_never_listens_goes_on_where_it_was(build: Build, hands: Hands) -> None:
    """It has no ear: what it asks for after the pause is asked as ever, before and after a restart."""

    class Deaf:
        name, tools = "deaf", ()

        async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # the port's signature
            first = await ctx.use((call("wire", amount=1),))
            second = await ctx.use((call("wire", amount=2),))
            return f"{first[0].text} / {second[0].text}"

    async with build(policy=policy(), tools=hands.tools, agents=(Deaf(),), pace=HASTY) as house:
        await house.mention("ana", "pay")
        first = await house.card()
        await taken_over(house, by="bo")
        await handed_back(house, by="bo")

        second = await house.card(but=[first])
        await gone(house)
        await house.press("approve", by="bo", card=second)

        await house.shows("Reason: 'Bo took this over' / ok wire 2 bank")
        assert hands.did == ["wire 2 bank"]
        assert await settled(house)


async def test_a_name_nobody_can_look_up_does_not_hold_up_a_takeover(build: Build, hands: Hands) -> None:
    """The directory is away: what was asked is withdrawn all the same, under their id."""
    staff = Staff()
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE), directory=staff) as house:
        await house.mention("ana", "pay")
        card = await house.card()

        staff.is_away = True
        await house.press("take_run", by="bo")

        async with asyncio.timeout(10):
            while not await events(house, "request_decided"):
                pass
        staff.is_away = False
        await house.chat.until(lambda: "bo took this over" in card.card.status)
