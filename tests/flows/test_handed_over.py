"""A rule hands a call over to people: it never runs, and what they say is all that comes of it."""

from __future__ import annotations

import pytest

from agents.toolbox import tool
from bot.domain.calls import Outcome, Risk
from bot.domain.render import DETAILS
from bot.domain.wire import replace
from tests.flows.stage import (
    STEADY,
    Build,
    Hands,
    Played,
    call,
    calls,
    events,
    moves,
    policy,
    request_of,
    settled,
)
from tests.flows.test_escalations import ESCALATE, direct, queue_of
from tests.house import find, words

HAND_OVER = policy().replace(
    "  - id: sign\n",
    """  - id: too-much
    when: tool.name == "wire" && args.amount > 500
    escalate: {to: managers, suggestion: offer half of it}
  - id: sign
""",
)
MUCH = calls(call("wire", amount=600))


async def test_what_a_rule_hands_over_reaches_people_whole_and_does_not_run(build: Build, hands: Hands) -> None:
    """GN-09, GN-10: why the rule holds, the call with its arguments and a suggestion; "do it" signs nothing."""
    async with build(policy=HAND_OVER, tools=hands.tools, model=Played(MUCH)) as house:
        await house.mention("ana", "pay")

        card = await direct(house, "dana")

        assert moves(card) == ["take", "follow", "direct", "decline", "hand_to", DETAILS, "stop"]
        said = words(card)
        assert [part for part in ("too-much", "args.amount 600", "bank", "offer half of it") if part not in said] == []
        assert "wire, version 1" in " ".join(block.label for block in card.card.blocks)
        assert [one.reason for one in await queue_of(house, "dana")] == [(await request_of(house, card)).ask.why]
        assert (await house.press("follow", by="dana", card=card)).is_taken
        await house.shows("Not run: a rule hands this over to people. Dana answered. Do what the rule suggests")
        await house.shows("The agent does what the rule suggests: 'offer half of it'")
        assert hands.did == []
        assert await settled(house)


@pytest.mark.parametrize("move", ["take", "direct", "decline"])
async def test_no_answer_lets_the_call_run(build: Build, hands: Hands, move: str) -> None:
    """I1, GN-10: whatever they answer; the same call is handed over again."""
    model = Played(MUCH, MUCH)
    async with build(policy=HAND_OVER, tools=hands.tools, model=model, pace=STEADY) as house:
        await house.mention("ana", "pay")
        card = await direct(house, "dana")

        await house.press(move, by="dana", card=card, fields={"text": "pay all of it"} if move == "direct" else None)
        if move == "take":
            await house.press("hand_back", by="dana", card=await house.card("hand_back"), fields={"text": "done"})

        again = await direct(house, "dana", but=[card])
        assert (await request_of(house, again)).call.values["tool"] == "wire, version 1"
        assert hands.did == []
        assert await house.is_sound()


async def test_silence_about_what_was_handed_over_runs_nothing(build: Build, hands: Hands) -> None:
    """D-03: it expires by the default ladder, and the agent may assume nothing."""
    rules = HAND_OVER + "defaults: {ladder: [{after: 1h, expire: true}]}"
    async with build(policy=rules, tools=hands.tools, model=Played(MUCH), pace=STEADY) as house:
        await house.mention("ana", "pay")
        await direct(house, "dana")

        house.clock.advance(hours=1, seconds=1)

        await house.shows("Assume nothing.")
        assert hands.did == []
        assert await settled(house)


async def test_after_a_restart_the_answer_is_heard_and_history_is_the_same(build: Build, hands: Hands) -> None:
    """I12: one process stops while it waits, one after it was heard. Whatever follows, the first call did not run."""
    rules = HAND_OVER.replace("args.amount > 500", 'total("amount") > 500')
    model = Played(MUCH, calls(call("wire", amount=90)))
    parts = {"policy": rules, "tools": hands.tools, "model": model}
    async with build(**parts) as house:
        await house.mention("ana", "pay")
        card = await direct(house, "dana")
    async with house.again() as house:
        assert (await house.press("decline", by="dana", card=card)).is_taken
        second = await house.card("approve")
        [earlier] = (await request_of(house, second)).history
        assert (earlier.tool, earlier.values["amount"], earlier.outcome) == ("wire", 600, Outcome.NOT_RUN)
    async with house.again() as house:
        assert (await house.press("approve", by="bo", card=second)).is_taken
        await house.shows("ok wire 90 bank")
        assert hands.did == ["wire 90 bank"]
        assert await settled(house)
        assert len(await events(house, "request_opened")) == 2


async def test_a_secret_argument_is_not_shown_to_whom_it_is_handed(build: Build) -> None:
    """ST-26: neither on the card, nor in the record of what was asked."""

    @tool(risk=Risk.WRITE, secrets=("key",))
    async def unlock(door: str, key: str) -> str:
        """Open a door."""
        return f"open {door} {key}"

    asks = "    ask: {groups: [approvers]}\n    ladder: [{after: 4h, expire: true}]\n"
    rules = policy().replace(asks, "    escalate: {to: managers, suggestion: go there}\n")
    model = Played(calls(call("unlock", door="front", key="hunter2")))
    async with build(policy=rules, tools=(unlock,), model=model) as house:
        await house.mention("ana", "open it")

        card = await direct(house, "dana")

        assert "front" in words(card)
        assert "hunter2" not in words(card)
        assert "hunter2" not in (await request_of(house, card)).call.args


async def test_a_call_edited_into_what_a_rule_hands_over_is_not_signed(build: Build, hands: Hands) -> None:
    """I2: whoever signs cannot change it into a call that nobody may sign."""
    async with build(policy=HAND_OVER, tools=hands.tools, model=Played(calls(call("wire", amount=90)))) as house:
        await house.mention("ana", "pay")
        await house.card()

        answer = await house.press("edit", by="bo", fields={"amount": "600", "to": "bank"})

        assert not answer.is_taken
        assert "hands this version over to people and lets nobody sign it" in answer.text
        assert hands.did == []


PAY = """rules:
  - id: big
    when: tool.name == "raise_pay" && args.salary > 500
    escalate: {to: managers, suggestion: ask her}
"""


@tool(risk=Risk.WRITE, private=("salary",), secrets=("pin",))
async def raise_pay(who: str, salary: int, pin: str = "CANARY-9") -> str:
    """Pay somebody more."""
    return f"{who} {salary} {pin}"


async def test_whoever_is_handed_what_is_private_reads_it_in_details(build: Build) -> None:
    """A2-01, GN-09, PN-13: dana reads the salary, what was done before and what became of others like it; the card, its
    reason and ana do not; the audit says that she read it. The secret stands nowhere, nor in the record."""
    turns = (calls(call("raise_pay", who="Bo", salary=61_234)), calls(call("raise_pay", who="Chris", salary=71_234)))
    async with build(policy=PAY, tools=(raise_pay,), model=Played(*turns), pace=STEADY) as house:
        await house.mention("ana", "raise it")
        first = await direct(house, "dana")
        assert (await house.press("decline", by="dana", card=first)).is_taken
        card = await direct(house, "dana", but=[first])
        assert moves(card) == ["take", "follow", "direct", "decline", "hand_to", DETAILS, "stop"]

        read = await house.press(DETAILS, by="dana", card=card)
        foreign = await house.press(DETAILS, by="ana", card=card)

        assert (foreign.is_taken, foreign.details) == (False, None)
        assert read.details is not None
        told = {block.label: block.text for block in read.details.blocks}
        assert '"salary": 71234' in told["What is private: not on the card, and for you alone"]
        assert '"who": "Chris"' in told["Every argument"]
        assert told["What this run did before"] == "1. raise_pay: not run"
        assert told["What people decided about calls like it"].startswith("1 like this in 30 days: 1 answered.")
        assert 'with who="Bo"' in told["What people decided about calls like it"]
        everything = [str(shown) for post in house.chat.posts for shown in post.cards]
        assert not [one for one in everything if "1234" in one or "CANARY" in one]
        assert "CANARY" not in str(read)
        assert "CANARY" not in str((await request_of(house, card)).private)
        assert [one["person"] for one in await events(house, "details_opened")] == ["dana"]
        assert not [one for one in await house.audit() if "1234" in str(one.fields)]
        assert (await house.press("follow", by="dana", card=card)).is_taken
        assert await settled(house)


async def test_what_an_agent_hands_over_by_itself_has_no_details(build: Build) -> None:
    """GN-09: all of it stands on the card; a made-up press opens nothing."""
    async with build(policy=policy(), model=Played(ESCALATE)) as house:
        await house.mention("ana", "answer the complaint")
        card = await direct(house, "dana")
        assert DETAILS not in moves(card)
        card.cards.append(replace(card.card, buttons=(replace(find(card, "take"), move=DETAILS),)))

        assert not (await house.press(DETAILS, by="dana", card=card)).is_taken
