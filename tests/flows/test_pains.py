"""What hurts elsewhere and must not hurt here: a decision holds across restarts and turns, and no word is lost."""

from __future__ import annotations

import pytest

from tests.flows.stage import Build, Hands, Played, call, calls, events, policy, request_of, settled

WIRE = calls(call("wire", amount=90))


@pytest.mark.parametrize(
    ("move", "fields", "told", "did"),
    [
        ("approve", None, "Results: ok wire 90 bank", ["wire 90 bank"]),
        ("reject", {"reason": "too much"}, "Results: Not run: rejected by Bo. Reason: 'too much'", []),
    ],
)
async def test_a_decision_after_a_restart_is_heard_and_no_later_task_uses_it(
    build: Build, hands: Hands, move: str, fields: dict[str, object] | None, told: str, did: list[str]
) -> None:
    """PP-03, PP-04: the first press that the new process hears counts, with its comment; the next task of that thread
    asks for its own signature, and what was declined stays undone.
    """
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        thread = await house.mention("ana", "pay")
        first = await house.card()

    async with house.again() as later:
        assert (await later.press(move, by="bo", card=first, fields=fields)).is_taken
        await later.shows(told)
        assert await settled(later)
        await later.mention("ana", "pay again", thread=thread)

        second = await later.card(but=[first])
        again = await later.press("approve", by="chris", card=first)

        assert not again.is_taken
        assert (await request_of(later, second)).is_open
        assert hands.did == did
        await later.press("reject", by="bo", card=second, fields={})
        assert await settled(later)
        assert hands.did == did


async def test_whatever_is_said_while_a_card_waits_reaches_the_agent_and_the_run_goes_on(
    build: Build, hands: Hands
) -> None:
    """PN-17, PP-10: two people write while a signature is waited for; the agent reads both, and asks for it anew."""
    model = Played(WIRE, WIRE, WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        thread = await house.mention("ana", "pay")
        first = await house.card()

        await house.say("ana", "it is for the printer", thread=thread)
        second = await house.card(but=[first])
        await house.say("bo", "which printer?", thread=thread)
        third = await house.card(but=[first, second])

        assert "[ana] it is for the printer" in model.read
        assert "[bo] which printer?" in model.read
        assert not await events(house, "vote_counted")
        await house.press("approve", by="chris", card=third)
        await house.shows("ok wire 90 bank")
        assert hands.did == ["wire 90 bank"]
        assert await settled(house)
