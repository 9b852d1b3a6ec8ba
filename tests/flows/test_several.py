"""Several calls in one turn: cards at once, answers in any order, each call its own."""

from __future__ import annotations

import itertools

import pytest

from agents.toolbox import tool
from bot.domain.calls import Risk
from tests.fakes.chat import Posted
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
    shown,
)
from tests.house import House

THREE = calls(*(call("wire", amount=n) for n in (1, 2, 3)))


@pytest.mark.parametrize("order", list(itertools.permutations((0, 1, 2))))
async def test_pending_calls_of_one_turn_are_answered_in_any_order(
    build: Build, hands: Hands, order: tuple[int, ...]
) -> None:
    """PP-05, AU-17, D-31: the second is rejected, the others run; every result stands in its call's place."""
    model = Played(THREE)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        cards = await by_amount(house, 3)

        for n in order:
            if n == 1:
                await house.press("reject", by="bo", card=cards[n], fields={"reason": "why"})
            else:
                await house.press("approve", by="bo", card=cards[n])

        await house.shows("Results:")
        assert results(model.asked[-1]) == [
            "ok wire 1 bank",
            "Not run: rejected by Bo. Reason: 'why'",
            "ok wire 3 bank",
        ]
        assert sorted(hands.did) == ["wire 1 bank", "wire 3 bank"]
        assert await settled(house)


async def test_a_signed_call_does_not_wait_for_its_siblings(build: Build, hands: Hands) -> None:
    """PP-05: what is approved runs now, though the other card stays unanswered."""
    async with build(policy=policy(), tools=hands.tools, model=Played(THREE)) as house:
        await house.mention("ana", "pay")
        cards = await by_amount(house, 3)

        await house.press("approve", by="bo", card=cards[2])
        await house.shows("ok wire 3 bank")

        assert hands.did == ["wire 3 bank"]
        assert (await request_of(house, cards[0])).is_open
        assert all({"approve", "reject"} <= set(moves(card)) for card in cards[:2]), "its siblings keep their buttons"
        assert await house.is_sound()


async def test_a_read_behind_a_signed_call_sees_what_the_call_left(build: Build, hands: Hands) -> None:
    """AS-34, D-21: read, wire, read: the first read runs, the wire waits, the second read runs after it."""
    turn = calls(call("peek", what="before"), call("wire", amount=1), call("peek", what="after"))
    async with build(policy=policy(), tools=hands.tools, model=Played(turn)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        await hands.began.wait()
        assert hands.did == ["peek before"]

        await house.press("approve", by="bo", card=card)
        await house.shows("Results:")

        assert hands.did == ["peek before", "wire 1 bank", "peek after"]
        assert await settled(house)


async def test_routine_calls_bother_nobody(build: Build, hands: Hands) -> None:
    """AS-20, GN-01, D-44: ten reads and one wire are one card."""
    reads = calls(*(call("peek", what=str(n)) for n in range(10)))
    async with build(policy=policy(), tools=hands.tools, model=Played(reads, calls(call("wire", amount=1)))) as house:
        await house.mention("ana", "look")

        await house.press("approve", by="bo")
        await house.shows("ok wire 1 bank")

        assert len(await events(house, "request_opened")) == 1
        assert len(hands.did) == 11
        assert not [post for post in house.chat.posts if post.place.is_direct]
        assert await settled(house)


SIX = "refund 90 for order 1001, 90.01 for order 1001, 90.02 for order 1001, 90.03 for order 1001, "
SIX += "90.04 for order 1001 and 90.05 for order 1001"  # exactly the same would not be asked six times


async def test_many_small_refunds_are_one_large_one(house: House) -> None:
    """D-28: six times about 90 on one order climb the ladder of the running sum, in one turn or in six."""
    await house.mention("ana", SIX)
    await house.chat.until(lambda: len(house.with_button("approve")) == 6, "six cards")
    await shown(house)

    rules = [(await request_of(house, post)).ask.rule for post in house.with_button("approve")]

    assert sorted(rules) == ["big-refund", *["medium-refund"] * 4, "small-refund"]
    assert await house.is_sound()


async def test_an_edit_counts_what_else_waits_now(house: House) -> None:
    """D-28: the first of six refunds was judged when it was alone; made larger, it is judged beside the others."""
    await house.mention("ana", SIX)
    await house.chat.until(lambda: len(house.with_button("approve")) == 6, "six cards")
    await shown(house)
    cards = house.with_button("approve")
    small = [post for post in cards if (await request_of(house, post)).ask.rule == "small-refund"]

    await house.press("edit", by="ana", card=small[0], fields={"amount": "95"})

    new = await house.card(but=cards)
    assert (await request_of(house, new)).ask.rule == "big-refund"
    assert await house.is_sound()


@pytest.mark.parametrize(
    ("amount", "rule"), [("100", "small"), ("100.01", "medium"), ("500", "medium"), ("500.01", "big")]
)
async def test_the_amount_decides_who_signs(house: House, amount: str, rule: str) -> None:
    """GN-03, D-28: the edges of every tier."""
    await house.mention("ana", f"refund {amount} on order 1001")
    card = await house.card()
    assert (await request_of(house, card)).ask.rule == f"{rule}-refund"
    assert await house.is_sound()


@pytest.mark.parametrize(
    "text",
    [
        "cancel order 17",
        "email bo@example.com about lunch",
        "post hello to https://example.com/",
        "write hello to notes.txt",
        "delete notes.txt",
        "refund 40 on order 1042",
    ],
)
async def test_what_cannot_be_undone_or_leaves_the_house_is_asked_for(house: House, text: str) -> None:
    """AS-02, AU-01, AU-02, D-19: one call of each shipped kind: a card, and nothing started before a decision."""
    await house.mention("ana", text)
    await house.card()
    assert not await events(house, "tool_started")
    assert await house.is_sound()


@pytest.mark.parametrize("name", ["deploy", "lease", "update_rows"])
async def test_a_tool_that_no_rule_knows_is_asked_for(build: Build, name: str) -> None:
    """AU-01, D-17: deployments, purchases and changes of a database make a card under the shipped policy, and nothing
    starts before an approver's signature.
    """
    did: list[str] = []

    async def act(what: str) -> str:
        """Do it."""
        did.append(what)
        return f"did {what}"

    act.__name__ = name
    known = tool(risk=Risk.WRITE)(act)
    async with build(tools=(known,), model=Played(calls(call(name, what="all of it")))) as house:
        await house.mention("ana", "go on")
        card = await house.card()
        assert not did
        assert (await request_of(house, card)).ask.rule == "default"
        assert not (await house.press("approve", by="ana", card=card)).is_taken

        assert (await house.press("approve", by="bo", card=card)).is_taken
        await house.shows("did all of it")
        assert did == ["all of it"]
        assert await settled(house)


async def by_amount(house: House, count: int) -> list[Posted]:
    """The open cards, by the amount they are about, once all are posted."""
    await house.chat.until(lambda: len(house.with_button("approve")) == count, f"{count} cards")
    await shown(house)
    cards = house.with_button("approve")
    amounts = {post.key: int((await request_of(house, post)).call.values["amount"]) for post in cards}
    return sorted(cards, key=lambda post: amounts[post.key])


async def test_one_person_cannot_flood_the_approvers(build: Build, hands: Hands) -> None:
    """T18: the third open request is refused visibly; once one is answered, there is room again; chris has his own."""
    many = calls(*(call("wire", amount=n) for n in (1, 2, 3)))
    async with build(policy=policy(), tools=hands.tools, model=Played(many), open_most=2) as house:
        await house.mention("ana", "pay them all")
        await house.chat.until(lambda: len(house.with_button("approve")) == 2, "two cards")
        assert [one["cause"] for one in await events(house, "call_denied")] == ["busy"]

        await house.mention("chris", "pay them all")
        await house.chat.until(lambda: len(house.with_button("approve")) == 4, "two cards for chris")

        for card in house.with_button("approve"):
            await house.press("reject", by="bo", card=card, fields={"reason": "no"})
        await quiet(house)
        await house.shows("has 2 open requests, the most there may be")
        await house.mention("ana", "pay them all")
        await house.chat.until(lambda: len(house.with_button("approve")) == 2, "room again")
