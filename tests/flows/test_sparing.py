"""Nobody's direct messages fill with more cards than they can read: the others come as those are answered."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import UTC, datetime, timedelta

from bot.runtime.sparing import DM_MOST
from tests.fakes.chat import Posted
from tests.flows.stage import Build, Hands, Played, call, calls, events, moves, policy, shown
from tests.house import QUICK, Clock, House

LAZY = dataclasses.replace(QUICK, timers_every=timedelta(hours=1))  # timers are looked at when the test says so
NOON = datetime(2030, 3, 1, 12, 0, tzinfo=UTC)
TO_MANAGER = policy(ladder="{after: 5m, dm: manager(approver)}, {after: 6d, expire: true}")
MORE = f"{DM_MOST} cards wait for you here, and more wait behind them"


def scene(hands: Hands) -> dict[str, object]:
    """Every task wants another payment; it is noon."""
    numbers, clock = itertools.count(1), Clock()
    clock.ahead = NOON - datetime.now(UTC)
    model = Played(lambda _: calls(call("wire", amount=next(numbers))))
    return {"policy": TO_MANAGER, "tools": hands.tools, "model": model, "pace": LAZY, "clock": clock}


def direct(house: House, who: str) -> list[Posted]:
    return [post for post in house.chat.posts if post.place.channel == f"dm-{who}"]


def cards(house: House, who: str) -> list[Posted]:
    return [post for post in direct(house, who) if post.card.title]


def escalated(house: House) -> list[str]:
    return [post.card.body for post in house.chat.posts if post.card.body.startswith("Escalated")]


def lines(house: House, who: str) -> list[str]:
    return [post.card.body for post in direct(house, who) if not post.card.title]


async def asked(house: House, count: int) -> None:
    """*count* tasks, by two people, each of which waits for a signature."""
    for number in range(count):
        await house.mention("ana" if number % 2 else "bo", "pay")
        await house.chat.until(lambda: len(house.with_button("approve")) > number, "one more card")  # noqa: B023  # waited for here


async def look(house: House, **time: float) -> None:
    """Later, everything that is due by then has been done, and shown."""
    house.clock.advance(**time)
    while await house.engine.timers.look(house.engine.shards.fences[0]):
        pass
    await shown(house)


async def test_a_hundred_late_requests_are_a_few_cards_and_one_line_for_their_manager(
    build: Build, hands: Hands
) -> None:
    """T29: dana gets twenty cards and one line an hour; each thread says that hers comes later, and she may sign there.

    One that she answers makes room for another, five minutes later.
    """
    async with build(**scene(hands)) as house:
        await asked(house, 100)

        await look(house, minutes=6)

        assert len(cards(house, "dana")) == DM_MOST
        later = "No answer yet. Dana has many open cards already; this one is sent when some of them are answered."
        assert len([post for post in house.chat.posts if post.card.body == later]) == 100 - DM_MOST
        await look(house, minutes=6)
        await look(house, minutes=6)
        assert len(cards(house, "dana")) == DM_MOST
        assert [line[: len(MORE)] for line in lines(house, "dana")] == [MORE]

        answered = cards(house, "dana")[0]
        assert (await house.press("reject", by="dana", card=answered, fields={"reason": "no"})).is_taken
        await house.chat.until(lambda: not moves(answered))
        await look(house, minutes=6)

        assert len(cards(house, "dana")) == DM_MOST + 1
        assert [sent["person"] for sent in await events(house, "copy_sent")] == ["dana"]
        assert len(lines(house, "dana")) == 1
        assert await house.is_sound()


async def test_whoever_is_spared_a_message_may_answer_all_the_same(build: Build, hands: Hands) -> None:
    """T29, CD-09: the step made dana a stand-in; the card in the thread counts for her at once."""
    async with build(**scene(hands)) as house:
        await asked(house, DM_MOST + 1)
        await look(house, minutes=6)
        assert len(cards(house, "dana")) == DM_MOST
        sent = {post.card.footer for post in cards(house, "dana")}

        spared = next(post for post in house.with_button("approve") if post.card.footer not in sent)

        assert (await house.press("approve", by="dana", card=spared)).is_taken
        assert await house.is_sound()


async def test_an_agent_that_escalates_without_end_does_not_bury_whoever_it_escalates_to(build: Build) -> None:
    """T29: dana gets twenty escalations as direct messages; each further thread says that hers comes later."""
    whole = {"reason": "r", "context": "c", "suggestion": "s"}
    parts = {"policy": policy(), "model": Played(calls(call("escalate", **whole))), "pace": LAZY}
    async with build(**parts) as house:
        for number in range(DM_MOST + 3):
            await house.mention(("ana", "bo", "chris")[number % 3], f"answer {number}")
            await house.chat.until(lambda: len(escalated(house)) > number, "one more")  # noqa: B023  # waited for here
        await shown(house)

        assert len(cards(house, "dana")) == DM_MOST
        later = "Escalated. Dana has many open cards already; this one is sent when some of them are answered."
        assert escalated(house).count(later) == 3
        assert [line[: len(MORE)] for line in lines(house, "dana")] == [MORE]

        assert (await house.press("decline", by="dana", card=cards(house, "dana")[0])).is_taken
        await look(house, minutes=6)
        assert len(cards(house, "dana")) == DM_MOST + 1


async def test_what_is_handed_to_somebody_who_has_enough_waits_until_some_are_answered(build: Build) -> None:
    """T29: whoever hands it on hears so; dana may answer it in the thread, where its buttons stay until she has it."""
    question = calls(call("ask_people", question="Which?", options=["a", "b"]))
    async with build(policy=policy(), model=Played(question), pace=LAZY) as house:
        seen: list[Posted] = []
        told: list[str] = []
        for number in range(DM_MOST + 1):
            who = ("ana", "bo", "chris")[number % 3]
            await house.mention(who, f"ask {number}")
            seen.append(await house.card("pick_a", but=[*seen, *direct(house, "dana")]))
            answer = await house.press("hand_to", by=who, card=seen[-1], fields={"person": "dana"})
            told.append(answer.text)
            await shown(house)

        assert len(cards(house, "dana")) == DM_MOST
        assert set(told[:-1]) == {"Dana is asked now."}
        assert told[-1].startswith("Dana has many open cards already; this one is sent when some of them are answered.")
        assert (await house.press("pick_a", by="dana", card=seen[-1])).is_taken
        assert await house.is_sound()
