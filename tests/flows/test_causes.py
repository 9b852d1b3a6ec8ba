"""When a call does not run, the model is told the true cause, and each cause in its own words."""

from __future__ import annotations

import pytest

from agents.react import ReAct
from agents.toolbox import ToolProblem, tool
from bot.domain.calls import Risk
from bot.domain.chat import Card, Place
from bot.domain.errors import Undeliverable
from bot.domain.ports import Said, Tool, WantedCall
from tests.flows.stage import (
    Build,
    Hands,
    Played,
    call,
    calls,
    events,
    moves,
    policy,
    quiet,
    request_of,
    results,
    settled,
)
from tests.house import House, words

WIRE = calls(call("wire", amount=90))


async def test_a_person(build: Build, hands: Hands) -> None:
    """PN-09, PP-04, GN-02: who rejected it, and why."""
    model = Played(WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        await house.press("reject", by="bo", fields={"reason": "offer store credit"})
        await house.shows("Results:")
        assert results(model.asked[-1]) == ["Not run: rejected by Bo. Reason: 'offer store credit'"]
        assert not hands.did
        assert await settled(house)


async def test_the_policy(build: Build, hands: Hands) -> None:
    """PN-09, D-18: a rule, not a person; nobody was asked."""
    model = Played(WIRE)
    rules = "rules:\n  - {id: freeze, when: 'tool.name == \"wire\"', deny: payments are frozen}\n"
    async with build(policy=rules, tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        await house.shows("Results:")
        (told,) = results(model.asked[-1])
        assert told.startswith("Not run: the policy forbids it (rule `freeze`: payments are frozen")
        assert (await events(house, "call_denied"))[0]["cause"] == "policy"
        assert not await events(house, "request_opened")
        assert await settled(house)


async def test_the_deadline(build: Build, hands: Hands) -> None:
    """PN-09, PP-07, D-01, AS-21: nobody answered, and nobody refused either."""
    model = Played(WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        house.clock.advance(hours=5)
        await house.shows("Results:")
        assert results(model.asked[-1]) == ["Not run: nobody answered in time. Nobody refused it either."]
        await house.chat.until(lambda: card.card.title == "Expired – not executed: wire", "the card shows it")
        assert not hands.did
        assert await settled(house)


async def test_a_card_that_cannot_be_shown(build: Build, hands: Hands) -> None:
    """PN-09: the channel is archived: no card, so no signature, and the agent knows that no person refused."""
    model = Played(WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        house.chat.fail = archived
        await house.mention("ana", "pay")
        await house.shows("Results:")
        (told,) = results(model.asked[-1])
        assert told.startswith("Not run: no card could be shown to anybody.")
        assert [lost["why"] for lost in await events(house, "card_lost")] == ["is_archived"]
        assert await settled(house)


async def test_a_newer_instruction(build: Build, hands: Hands) -> None:
    """PN-09: nobody refused it; somebody said something newer."""
    model = Played(WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        thread = await house.mention("ana", "pay")
        await house.card()
        await house.say("ana", "leave it", thread=thread)
        await house.shows("Results:")
        (told,) = results(model.asked[-1])
        assert told.startswith("Not run: a newer instruction took its place.")
        assert await settled(house)


# ----------------------------------------------------- not a matter of people


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (WantedCall(id="1", tool="nope", args="{}"), "Not run: nope is not among your tools."),
        (WantedCall(id="1", tool="wire", args='{"amount": 1, "amount": 9999}'), "appears twice"),
        (WantedCall(id="1", tool="wire", args='{"amount": '), "JSON refused"),
        (WantedCall(id="1", tool="wire", args="[" * 100_000), "nested deeper"),
        (WantedCall(id="1", tool="wire", args='{"amount": 1, "to": "\\ud800"}'), "lone surrogate"),
        (WantedCall(id="1", tool="wire", args='{"amount": "much"}'), "amount"),
        (WantedCall(id="1", tool="wire", args='{"amount": 1, "sudo": true}'), "There is no such argument"),
        (WantedCall(id="1", tool="wire", args='{"amount": NaN}'), "JSON"),
        (WantedCall(id="1", tool="wire", args="[]"), "one JSON object"),
    ],
)
async def test_a_call_that_cannot_be_read_goes_back_to_the_model(
    build: Build, hands: Hands, wanted: WantedCall, told: str
) -> None:
    """T06, T28: an error to the model, never a card."""
    model = Played(calls(wanted))
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        await quiet(house)
        (result,) = results(model.asked[-1])
        assert result.startswith("Not run: ")
        assert told in result
        assert not await events(house, "request_opened")
        assert not hands.did
        assert await settled(house)


async def test_one_turn_of_a_gated_a_free_and_an_unknown_call(build: Build, hands: Hands) -> None:
    """PP-05, T28: one card, one run, one error, results in order."""
    turn = calls(call("wire", amount=1), call("peek", what="x"), call("nope"))
    model = Played(turn)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        await house.press("approve", by="bo")
        await house.shows("Results:")
        assert results(model.asked[-1]) == ["ok wire 1 bank", "ok peek x", "Not run: nope is not among your tools."]
        assert len(await events(house, "request_opened")) == 1
        assert await settled(house)


async def test_the_same_call_after_a_rejection_is_not_asked_again(build: Build, hands: Hands) -> None:
    """D-46: no second card for what was just rejected; another amount is another question."""
    model = Played(WIRE, WIRE, calls(call("wire", amount=80)))
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        first = await house.card()
        await house.press("reject", by="bo", card=first, fields={})

        second = await house.card(but=[first])

        assert "already rejected exactly this call" in model.read
        assert (await request_of(house, second)).call.values["amount"] == 80
        assert (await events(house, "call_denied"))[0]["cause"] == "repeated"
        await house.press("approve", by="bo", card=second)
        await house.shows("ok wire 80 bank")
        assert await settled(house)


async def test_new_direction_lifts_the_ban_on_the_same_call(build: Build, hands: Hands) -> None:
    """D-46: ana asks for it again, after something else was proposed."""
    model = Played(WIRE, calls(call("wire", amount=80)), WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        thread = await house.mention("ana", "pay")
        first = await house.card()
        await house.press("reject", by="bo", card=first, fields={})
        second = await house.card(but=[first])
        await house.say("ana", "no really, 90", thread=thread)

        third = await house.card(but=[first, second])

        assert (await request_of(house, third)).call.values["amount"] == 90
        await house.press("approve", by="bo", card=third)
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_another_amount_after_an_approval_needs_its_own_signature(build: Build, hands: Hands) -> None:
    """D-25: 90 is approved; the model then wants 900."""
    model = Played(WIRE, calls(call("wire", amount=900)))
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        first = await house.card()
        await house.press("approve", by="bo", card=first)
        await house.card(but=[first])
        assert hands.did == ["wire 90 bank"]
        assert await house.is_sound()


# ------------------------------------------------------------ tools that fail


async def test_a_tool_that_raises_is_a_result_without_its_secrets(build: Build) -> None:
    """D-26, ST-37: people and the model read that it failed; the exception's text stays in the logs."""

    @tool(risk=Risk.IRREVERSIBLE)
    async def burn() -> str:
        """Burn something."""
        raise RuntimeError("password=hunter2")

    @tool(risk=Risk.IRREVERSIBLE)
    async def refuse() -> str:
        """Refuse something."""
        raise ToolProblem("The bank is closed.")

    model = Played(calls(call("burn"), call("refuse")))
    async with build(policy=policy(), tools=(burn, refuse), model=model) as house:
        await house.mention("ana", "go")
        await house.chat.until(lambda: len(house.with_button("approve")) == 2, "two cards")
        for post in house.with_button("approve"):
            await house.press("approve", by="bo", card=post)
        await house.shows("Results:")

        assert results(model.asked[-1]) == [
            "burn failed inside. Part of it may have taken effect.",
            "The bank is closed.",
        ]
        assert "hunter2" not in "\n".join(words(post) for post in house.chat.posts)
        assert [end["outcome"] for end in await events(house, "tool_finished")] == ["error", "error"]
        assert await settled(house)


async def test_a_tool_that_breaks_its_contract_ends_as_a_result(build: Build, hands: Hands) -> None:
    """A tool object that raises from `run` has failed; the run, and everybody else's, goes on."""
    wire: Tool = hands.tools[0]

    class Broken:
        spec = wire.spec

        def __init__(self) -> None:
            self.check = wire.check

        async def run(self, *_: object) -> object:
            raise KeyError("oops")

    broken = Broken()
    model = Played(WIRE)
    async with build(policy=policy(), tools=(broken,), model=model) as house:
        await house.mention("ana", "pay")
        await house.press("approve", by="bo")
        await house.shows("The tool broke; whether it did anything is not known.")
        assert await settled(house)


async def test_a_tool_that_hangs_ends_at_its_own_limit(build: Build, hands: Hands) -> None:
    """It was started and gave no answer: unknown, said as such; a hanging look-up has simply failed."""
    from datetime import timedelta

    @tool(risk=Risk.IRREVERSIBLE, timeout=timedelta(milliseconds=50))
    async def stall() -> str:
        """Wait for ever."""
        await hands.may_end.wait()
        return "never"

    hands.may_end.clear()
    model = Played(calls(call("stall")))
    async with build(policy=policy(), tools=(stall,), model=model) as house:
        await house.mention("ana", "go")
        await house.press("approve", by="bo")
        await house.shows("Whether it took effect is not known.")
        assert [end["outcome"] for end in await events(house, "tool_finished")] == ["unknown"]
        assert await settled(house)


# ------------------------------------------------------------------- limits


@pytest.mark.parametrize(("size", "attached"), [(10, 0), (2_000, 0), (12_000, 1), (100_000, 1)])
async def test_long_arguments_are_shown_whole_or_attached_whole(build: Build, size: int, attached: int) -> None:
    """T02, D-33: the dangerous tail is there to be read before anybody signs, to the byte."""

    @tool(risk=Risk.IRREVERSIBLE)
    async def query(sql: str) -> str:
        """Run SQL."""
        return str(len(sql))

    sql = "x" * size + "; DROP TABLE users"
    async with build(policy=policy(), tools=(query,), model=Played(calls(call("query", sql=sql)))) as house:
        await house.mention("ana", "go")
        card = await house.card()

        assert len(card.card.attachments) == attached
        if attached:
            assert card.card.attachments[0].content.decode() == f'{{"sql":"{sql}"}}'
        else:
            assert "DROP TABLE users" in words(card)
        assert (await house.press("approve", by="bo", card=card)).is_taken
        await house.shows(str(len(sql)))
        assert await settled(house)


async def test_arguments_too_large_to_be_shown_cannot_be_signed(build: Build) -> None:
    """PP-06, T02: no card, no signature; the model is told why."""

    @tool(risk=Risk.IRREVERSIBLE)
    async def query(sql: str) -> str:
        """Run SQL."""
        return sql

    model = Played(calls(call("query", sql="x" * 300_000)))
    async with build(policy=policy(), tools=(query,), model=model) as house:
        await house.mention("ana", "go")
        await house.shows("too large to be shown to people in full")
        assert not house.with_button("approve")
        assert await settled(house)


async def test_an_agent_that_never_ends_stops_at_its_limit(build: Build, hands: Hands) -> None:
    """AS-19, D-37: the limit is named, and what was done stands."""
    endless = ReAct(name="endless", prompt="go on", tools=("peek",), max_steps=3)
    model = Played(*(calls(call("peek", what=str(n)), text=f"step {n}") for n in range(100)))
    async with build(policy=policy(), tools=hands.tools, model=model, agents=[endless]) as house:
        await house.mention("ana", "go")
        card = await house.card("go_on")
        assert card.card.blocks[0].text == "Step limit 3 reached."
        await house.press("end", by="ana", card=card)
        await house.shows("I stopped before I was finished. Step limit 3 reached.")
        assert len(model.asked) == 3
        assert await settled(house)


async def test_a_finished_text_with_a_call_in_it_is_not_the_end(build: Build, hands: Hands) -> None:
    """D-36: the run ends when nothing is wanted any more, not when a word says so."""
    model = Played(calls(call("wire", amount=90), text="DONE. All done."), Said(text="Paid."))
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        assert not await events(house, "run_ended")
        assert "approve" in moves(card)
        await house.press("approve", by="bo", card=card)
        await house.shows("Paid.")
        assert await settled(house)


def archived(what: str, card: Card, place: Place) -> None:
    if what == "post" and any(button.move == "approve" for button in card.buttons):
        raise Undeliverable(place.key, "is_archived")


async def test_the_agent_is_told_and_the_thread_is_told(house: House) -> None:
    """GN-02: after a refusal the agent resumes and says so in the thread."""
    await house.mention("ana", "refund 0 on order 7")
    await house.shows("This was not done")
    assert house.refunds == 0
    assert await settled(house)
