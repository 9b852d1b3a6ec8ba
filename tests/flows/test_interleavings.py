"""Two things in the same moment: a lease that goes and a run that stays, a signature and a lost right, a reply and a

question. Each order of events is forced (doors.py).

Not the order of cards (test_interleavings_outbox.py), nor writes whose end is not known (test_interleavings_writes.py).
"""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.chat import PersonId
from bot.domain.ports import Said
from bot.domain.store import Batch
from tests.flows.doors import around, robbed, slow_to_look, unread
from tests.flows.stage import (
    DONE,
    HASTY,
    STEADY,
    Build,
    Hands,
    Played,
    Staff,
    call,
    calls,
    events,
    gone,
    ownerless,
    policy,
    quiet,
    reached,
    request_of,
    run_of,
    settled,
)

WIRE = calls(call("wire", amount=90))
APART = "groups: [approvers], separate_duties: true"
BOTH = "groups: [finance, approvers]"
FREE_TIDY = policy().replace('tool.risk == "read"', 'tool.name != "wire"')  # only `wire` needs a signature


# ------------------------------------------------------------- a lease that goes


@pytest.mark.parametrize("how", ["it is put to sleep", "somebody replies"])
async def test_a_process_whose_lease_was_taken_goes_on(build: Build, hands: Hands, how: str) -> None:
    """I2: it writes nothing more for that run and lives; with the lease back, the run goes on where it was."""
    rules = policy(ladder="{after: 7d, expire: true}")
    model = Played(WIRE, WIRE) if how == "somebody replies" else Played(WIRE)
    async with build(policy=rules, tools=hands.tools, model=model, pace=STEADY) as house:
        thread = await house.mention("ana", "pay")
        card = await house.card()
        await house.press("explain", by="bo", card=card)
        await house.shows("Because the customer waits.")
        async with robbed(house):
            if how == "somebody replies":
                await house.say("ana", "is it done?", thread=thread)
                await reached(house)
            for host in house.engine.runner.hosts.values():
                host.idle_since -= 10_000  # it has waited for hours
            await gone(house)

        new = card if how == "it is put to sleep" else await house.card(but=[card])
        await house.press("approve", by="bo", card=new)
        await house.shows("ok wire 90 bank")
        assert hands.did == ["wire 90 bank"]
        assert await settled(house)


async def test_an_explanation_lets_a_run_sleep_on(build: Build, hands: Hands) -> None:
    """Asking "why?" wakes an evicted run once; it sleeps on with its mail read, and is not woken for ever."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE), pace=HASTY) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        await gone(house)

        await house.press("explain", by="bo", card=card)
        await house.shows("Because the customer waits.")

        await unread(house)
        await gone(house)
        assert not await house.store.executing(0)
        assert (await house.press("reject", by="bo", card=card, fields={})).is_taken
        assert await settled(house)


# ------------------------------------------------------------ a seat that is lost


async def test_a_signature_fills_no_seat_of_a_group_that_was_left_before_the_start(build: Build, hands: Hands) -> None:
    """T16: chris signed for finance and left it, though not the approvers: at the start nobody sits for finance."""
    staff = Staff()
    parts = {"tools": hands.tools, "model": Played(WIRE), "directory": staff, "pace": STEADY}
    async with build(policy=policy(BOTH), **parts) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        await house.press("approve", by="bo", card=card)

        async with ownerless(house):
            assert (await house.press("approve", by="chris", card=card)).text == "Approved. It runs now."
            staff.change("chris", groups=frozenset({"approvers"}))

        await house.shows("Approved, but not run: somebody who approved it may no longer do so")
        assert not hands.did
        assert await settled(house)


async def test_a_signature_fills_no_seat_of_a_group_that_was_left_before_the_last_vote(
    build: Build, hands: Hands
) -> None:
    """T16: chris signed first, for both groups, and left finance; bo's signature finds that seat empty again."""
    staff = Staff()
    async with build(policy=policy(BOTH), tools=hands.tools, model=Played(WIRE), directory=staff) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        await house.press("approve", by="chris", card=card)
        staff.change("chris", groups=frozenset({"approvers"}))

        answer = await house.press("approve", by="bo", card=card)

        assert answer.text == "Counted: 1 of 2; still needed: finance."
        assert not hands.did
        assert await house.is_sound()


# --------------------------------------------------------------- a reply meanwhile


async def test_a_reply_while_a_question_is_being_opened_comes_before_it(build: Build, hands: Hands) -> None:
    """AS-03: the directory is slow; what bo says meanwhile is read first, nobody is asked about the old call."""

    class SlowDirectory(Staff):
        was_asked, may_answer = asyncio.Event(), asyncio.Event()

        async def members(self, group: str) -> frozenset[PersonId]:
            self.was_asked.set()
            await self.may_answer.wait()
            return await super().members(group)

    staff, model = SlowDirectory(), Played(WIRE, calls(call("wire", amount=10)))
    async with build(policy=policy(), tools=hands.tools, model=model, directory=staff) as house:
        thread = await house.mention("ana", "pay")
        await staff.was_asked.wait()

        await house.say("bo", "wait, make it 10", thread=thread)
        await reached(house)
        staff.may_answer.set()

        card = await house.card()
        assert (await request_of(house, card)).call.values["amount"] == 10
        assert len(await events(house, "request_opened")) == 1
        assert "wait, make it 10" in model.read
        await house.press("approve", by="chris", card=card)
        await house.shows("ok wire 10 bank")
        assert await settled(house)


@pytest.mark.parametrize("text", ["no, do something quite different", "stop"])
async def test_a_reply_that_comes_with_an_edit_closes_the_edited_request(build: Build, hands: Hands, text: str) -> None:
    """AS-16: another process took the edit and the reply; the owner hears of both in one look, and closes both."""
    async with build(policy=policy(APART), tools=hands.tools, model=Played(WIRE)) as house, house.again() as replica:
        thread = await house.mention("ana", "pay")
        card = await house.card()
        async with slow_to_look(house):
            await replica.press("edit", by="bo", card=card, fields={"amount": "10"})
            await replica.say("ana", text, thread=thread)

        await quiet(house)

        assert not await house.store.open_requests(0)
        assert not hands.did
        assert await settled(house)


async def test_a_reply_to_the_last_word_is_the_next_task(build: Build, hands: Hands) -> None:
    """It came after the agent's last look and before the end: it was accepted, so it is not lost."""
    model = Played(Said(text="Looked."))
    async with build(policy=policy(), tools=hands.tools, model=model) as house:

        async def speak(_fence: object, _run: object, batch: Batch) -> None:
            if batch.status is DONE and len(model.asked) == 1:
                await house.say("bo", "and look at order 7, too", thread="t", delivery="late")

        around(house, "append", before=speak)
        await house.mention("ana", "look", thread="t")

        await model.until(lambda: len(model.asked) == 2)

        assert "and look at order 7, too" in model.read
        assert [task["person"] for task in await events(house, "run_started")] == ["ana", "bo"]
        assert await settled(house)


async def test_a_mention_right_after_stop_is_a_new_task(build: Build, hands: Hands) -> None:
    """AS-16: the old run still waits for its tool to end; whoever asks again is not talking to it."""
    hands.may_end.clear()
    async with build(policy=FREE_TIDY, tools=hands.tools, model=Played(calls(call("tidy", what="desk")))) as house:
        thread = await house.mention("ana", "tidy up")
        await hands.began.wait()
        first = await run_of(house, thread)
        await house.say("ana", "stop", thread=thread)

        await house.mention("bo", "tidy up after all", thread=thread)

        assert await run_of(house, thread) != first
        hands.may_end.set()
        await house.shows("Results: ok tidy desk")
        await house.shows("Stopped by Ana.")
        assert await settled(house)


# --------------------------------------------------------------------------- twice


async def test_an_edit_delivered_twice_in_one_moment_changes_the_call_once(build: Build, hands: Hands) -> None:
    """T12: both deliveries end, with the same words."""
    async with build(policy=policy(APART), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()

        async with asyncio.timeout(5):
            answers = await asyncio.gather(
                *(house.press("edit", by="bo", card=card, fields={"amount": "10"}, delivery="same") for _ in range(2))
            )

        assert {(answer.is_taken, answer.text) for answer in answers} == {
            (True, "Changed. Somebody else has to sign your version now.")
        }
        assert len(await events(house, "request_opened")) == 2
        assert await house.is_sound()
