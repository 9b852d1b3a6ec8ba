"""Customer support: who signs which refund, what goes to a manager before anything else, and what is asked first."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.tools.knowledge import Library, knowledge_tools
from bot.domain.request import Kind
from tests.agents.patterns.minds import Minds, call
from tests.examples.shipped import shipped
from tests.examples.theatre import Theatre, a_theatre
from tests.fakes.chat import Posted
from tests.fakes.slack import FakeMessage
from tests.flows.stage import Build, events, moves, request_of, settled
from tests.flows.test_escalations import direct, queue_of
from tests.house import ROOT, House, words

KNOWLEDGE = ROOT / "agents" / "examples" / "support" / "knowledge"
FOUR = {  # each of them is a manager's, whatever the clerk would do; each asks for money as well
    "a legal threat": "customer writes: refund 40 for order 1042, or my lawyer writes to you",
    "they want a manager": "customer writes: let me speak to your manager, and refund 40 for order 1042",
    "nobody can say why": "customer writes: we tried everything and it stays dark, refund 40 for order 1042",
    "too much money": "customer writes: please refund 600 for order 1021, wrong item",
}


def clerk(*turns: object) -> Minds:
    """A model for the clerk: its prompt begins with the word You."""
    return Minds(You=turns)  # type: ignore[arg-type]  # whatever a test scripts


def paid(house: House, *orders: int) -> float:
    return sum(house.shop.order(order).refunded for order in orders)


async def rule_of(house: House, card: Posted) -> str:
    return (await request_of(house, card)).ask.rule


# ------------------------------------------------------------------ the ladder


@pytest.mark.parametrize(
    ("amount", "rule", "group"),
    [
        (50, "small-refund", "requester"),
        (100.00, "small-refund", "requester"),
        (100.01, "medium-refund", "approvers"),
        (500.00, "medium-refund", "approvers"),
    ],
)
async def test_what_support_may_refund_is_signed_by_whom_the_amount_names(
    build: Build, amount: float, rule: str, group: str
) -> None:
    """GN-03, GN-06, D-28: up to 100.00 whoever asked confirms, up to 500.00 an approver signs; no manager is asked."""
    model = clerk(call("refund", order_id=1021, amount=amount, reason="wrong item"))
    async with build(agents=[shipped("support")], model=model) as house:
        await house.mention("ana", "customer says: the item is the wrong one")
        card = await house.card("approve")

        request = await request_of(house, card)
        assert (request.ask.rule, request.ask.groups[0].of) == (rule, group)
        assert request.agent == "support-clerk"
        assert not [post for post in house.chat.posts if post.place.is_direct]
        assert paid(house, 1021) == 0
        if group == "approvers":
            assert not (await house.press("approve", by="ana", card=card)).is_taken
        signer = "ana" if group == "requester" else "bo"
        assert (await house.press("approve", by=signer, card=card)).is_taken
        assert await settled(house)
        assert paid(house, 1021) == amount


@pytest.mark.parametrize("amount", [500.01, 600])
async def test_a_model_that_refunds_too_much_reaches_the_manager_and_no_approver(build: Build, amount: float) -> None:
    """GN-10, D-28: the policy hands the call over, whatever the model wanted; "do it" pays nothing either."""
    model = clerk(call("refund", order_id=1021, amount=amount, reason="wrong item"), "A manager calls you.")
    async with build(agents=[shipped("support")], model=model) as house:
        await house.mention("ana", "customer says: the item is the wrong one")
        card = await direct(house, "dana")

        assert await rule_of(house, card) == "support-large-refund"
        assert "up to 500 in all" in words(card)
        assert not house.with_button("approve")
        assert (await house.press("follow", by="dana", card=card)).is_taken
        assert await settled(house)
        assert paid(house, 1021) == 0
        assert "Not run: a rule hands this over to people." in model.told("You")


async def test_many_small_refunds_on_one_order_are_a_large_one(build: Build) -> None:
    """D-28: 90 and 90 is an approver's; 450 with 90 before it is a manager's."""
    small = call("refund", order_id=1021, amount=90, reason="wrong item")
    large = call("refund", order_id=1021, amount=450, reason="wrong item")
    async with build(agents=[shipped("support")], model=clerk(small, small, large)) as house:
        await house.mention("ana", "customer says: the item is the wrong one")
        first = await house.card("approve")
        await house.press("approve", by="ana", card=first)
        second = await house.card("approve", but=[first])
        assert (await request_of(house, second)).ask.groups[0].of == "approvers"
        await house.press("approve", by="bo", card=second)

        assert await rule_of(house, await direct(house, "dana")) == "support-large-refund"
        assert paid(house, 1021) == 180


async def test_a_small_refund_is_confirmed_by_whoever_asked_and_by_nobody_else(build: Build) -> None:
    """GN-06: the card names the amount and the order; the rehearsal plays the model."""
    async with build(agents=[shipped("support")]) as house:
        await house.mention("ana", "support: refund $50 on order 7")
        card = await house.card("approve")

        values = (await request_of(house, card)).call.values
        assert (values["amount"], values["order_id"], values["currency"]) == (50, 7, "USD")
        assert not (await house.press("approve", by="bo", card=card)).is_taken
        assert (await house.press("approve", by="ana", card=card)).is_taken
        assert await settled(house)
        assert paid(house, 7) == 50


# ------------------------------------------------------------------- triggers


@pytest.mark.parametrize("line", FOUR.values(), ids=FOUR)
async def test_each_of_the_four_reaches_a_manager_and_nothing_is_paid(build: Build, line: str) -> None:
    """GN-09, GN-10: reason, context and suggestion in a direct message; no refund runs, nor is one put up."""
    async with build(agents=[shipped("support")]) as house:
        await house.mention("ana", line)
        card = await direct(house, "dana")

        request = await request_of(house, card)
        assert request.kind is Kind.ESCALATION
        details = ["details"] if "rule" in request.call.values else []  # what a rule hands over is a call to be read
        assert moves(card) == ["take", "follow", "direct", "decline", "hand_to", *details, "stop"]
        assert not house.with_button("approve")
        assert len(await events(house, "request_opened")) == 1
        await house.press("direct", by="dana", card=card, fields={"text": "answer kindly, and promise nothing"})
        assert await settled(house)
        assert paid(house, 1042, 1021) == 0
        assert not house.with_button("approve")


async def test_a_trigger_comes_before_the_model_is_even_asked(build: Build) -> None:
    """GN-10: it shows no manager less than all of it: why, what was written, and what to do."""
    model = clerk("I answer kindly.")
    async with build(agents=[shipped("support")], model=model) as house:
        await house.mention("ana", FOUR["a legal threat"])
        card = await direct(house, "dana")

        assert not model.order
        for part in ("A legal threat", "my lawyer writes to you", "refund nothing until then"):
            assert part in words(card)


@pytest.mark.parametrize(
    "line", ["customer says: I pursue a career in management", "customer says: the courtesy lamp is broken"]
)
async def test_words_that_only_look_alike_bring_in_nobody(build: Build, line: str) -> None:
    """GN-10: whole words; else people would soon read no such message."""
    async with build(agents=[shipped("support")], model=clerk("All right.")) as house:
        await house.mention("ana", line)

        assert await settled(house)
        assert not await events(house, "request_opened")


async def test_what_no_word_gives_away_the_clerk_hands_over_by_itself(build: Build) -> None:
    """GN-04, GN-10: it has looked, cannot say what is wrong, and says so to a manager; the rehearsal plays it."""
    async with build(agents=[shipped("support")]) as house:
        await house.mention("ana", "customer writes: the app crashes whenever I open order 17")
        card = await direct(house, "dana")

        assert "A technical problem that I cannot find: the app." in words(card)
        await house.press("decline", by="dana", card=card)
        assert await settled(house)
        assert paid(house, 17) == 0


async def test_what_the_manager_decides_is_still_signed_by_whom_the_policy_names(build: Build) -> None:
    """GN-02, D-25: she says "refund 500 on order 1021"; her words sign nothing, and an approver does."""
    async with build(agents=[shipped("support")]) as house:
        await house.mention("ana", FOUR["too much money"])
        card = await direct(house, "dana")
        await house.press("direct", by="dana", card=card, fields={"text": "refund 500 on order 1021"})

        again = await house.card("approve")
        assert (await request_of(house, again)).ask.rule == "medium-refund"
        assert paid(house, 1021) == 0
        assert (await house.press("approve", by="bo", card=again)).is_taken
        assert await settled(house)
        assert paid(house, 1021) == 500


async def test_what_is_handed_over_waits_in_the_managers_queue_oldest_first(build: Build) -> None:
    """GN-11: three threads, three rows; ana, who is no manager, sees none."""
    lines = list(FOUR.values())[:3]
    async with build(agents=[shipped("support")]) as house:
        cards: list[Posted] = []
        for line in lines:
            await house.mention("ana", line)
            cards.append(await direct(house, "dana", but=cards))

        queue = await queue_of(house, "dana")
        assert [one.request for one in queue] == [(await request_of(house, card)).id for card in cards]
        assert await queue_of(house, "ana") == ()


# ------------------------------------------------------------- asked, looked up


@pytest.mark.parametrize("agent", ["support", "assistant"])
async def test_an_unclear_wish_is_a_question_and_no_call(build: Build, agent: str) -> None:
    """ST-11: "clean it up" is answered with what could be meant; nothing is looked up, let alone done."""
    async with build(agents=[shipped("support")] if agent == "support" else []) as house:
        await house.mention("ana", "clean it up")
        card = await house.card("leave")

        request = await request_of(house, card)
        assert request.kind is Kind.QUESTION
        assert "What shall I clean up?" in words(card)
        assert not request.history
        assert not await events(house, "call_allowed")


@pytest.mark.parametrize("agent", ["support-clerk", "assistant"])
def test_the_prompts_say_that_an_unclear_wish_is_asked_about(agent: str) -> None:
    """ST-11: what the rehearsal plays, a model is told to do."""
    prompt = getattr(shipped(agent), "prompt", "")

    assert "could mean several things" in prompt
    assert "ask_people" in prompt


async def test_the_card_of_a_refund_names_where_the_clerk_looked(build: Build) -> None:
    """AS-28: the example's own folder of rules, and the order; looking up asks nobody."""
    desk = shipped("support", without=())
    async with build(agents=[desk], tools=knowledge_tools(Library(KNOWLEDGE))) as house:
        await house.mention("ana", "customer writes: please refund 120 for order 1042, it arrived broken")
        card = await house.card("approve")

        sources = (await request_of(house, card)).sources
        assert "order 1042 in the shop" in sources
        assert "refunds.md, Refunds: goods that arrived broken" in sources
        assert "refunds.md, Refunds: goods that arrived broken" in str(card.card)
        assert len(await events(house, "request_opened")) == 1


def test_the_rules_that_ship_answer_what_the_rehearsal_asks() -> None:
    """AS-28: each heading is found by its own words."""
    library = Library(KNOWLEDGE)

    assert library.search("refunds wrong item")[0].source == "refunds.md, Refunds: the wrong item"
    assert library.search("a customer wants a manager")[0].source.startswith("complaints.md")


async def test_without_a_folder_of_rules_the_clerk_has_no_such_tool(build: Build) -> None:
    """Nobody set it up: it is offered to no model, and the card names the order alone."""
    async with build(agents=[shipped("support")]) as house:
        await house.mention("ana", "customer writes: please refund 120 for order 1042, it arrived broken")
        card = await house.card("approve")

        assert "lookup" not in shipped("support").tools
        assert (await request_of(house, card)).sources == ("order 1042 in the shop",)


# ---------------------------------------------------------------- in Slack


async def test_what_managers_and_approvers_are_asked_outlives_the_process(tmp_path: Path) -> None:
    """CD-05, PP-01, GN-10, AS-28: killed while all of them are waited for; two messages to Dana, one refund of 120.

    The rules of the example's folder stand on the approver's card.
    """
    lines = [FOUR["a legal threat"], FOUR["too much money"]]
    async with a_theatre(tmp_path, COUNTERSIGN_KNOWLEDGE=str(KNOWLEDGE)) as theatre:
        thread = await theatre.site.asks("ana", "customer writes: please refund 120 for order 1042, it arrived broken")
        card = await theatre.card("Approve")
        assert "refunds.md" in theatre.site.text(card)
        threads = [await theatre.site.asks("ana", line) for line in lines]
        handed = await _handed_over(theatre, len(lines))

        await theatre.dies()

        for one in handed:
            assert await theatre.presses("dana", "Do what is suggested", one) == "Thank you, noted."
        assert await theatre.presses("bo", "Approve", card) == "Approved. It runs now."
        await theatre.hears("Done: refund", thread)
        await theatre.hears("A manager has it", threads[0])
        await theatre.hears("This was not done", threads[1])
        assert theatre.refunds() == 1
        assert await theatre.verify()


async def _handed_over(theatre: Theatre, count: int) -> list[FakeMessage]:
    """What waits in Dana's direct messages, once there are so many."""
    slack, dm = theatre.site.slack, theatre.site.dm("dana")

    def waiting() -> list[FakeMessage]:
        return [post for post in theatre.site.live() if post.channel == dm and "Decline" in slack.buttons_of(post)]

    await slack.until(lambda: len(waiting()) == count, f"{count} messages to dana")
    return waiting()
