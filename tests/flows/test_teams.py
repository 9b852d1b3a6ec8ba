"""Patterns on the real engine: side by side, in talk, from hand to hand, by plan, by rule; killed, stopped, turned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from agents.patterns.concurrent import Concurrent
from agents.patterns.group_chat import GroupChat
from agents.patterns.handoff import Handoff
from agents.patterns.person import Person
from agents.patterns.plan_first import PlanFirst
from agents.patterns.routes import Routes, Way
from bot.domain.errors import ModelUnavailable
from bot.domain.ports import Agent
from tests.agents.patterns.minds import Minds, agent, call
from tests.fakes.chat import Posted
from tests.flows.stage import HASTY, Build, Hands, events, gone, moves, policy, quiet, request_of, settled, status
from tests.house import House

AT_ONCE = 2.0  # seconds within which a Stop, a takeover or a reply has its effect in every pattern
A, B, C = agent("a", "wire"), agent("b", "wire"), agent("c", "wire")
LEAD = Person(name="lead", role="reviewer")
PLAN = call("plan", goal="g", steps=[{"what": "pay", "who": "a"}, {"what": "tell", "who": "b"}])
DESK = Handoff(
    name="desk", triage=agent("triage"), members=(agent("billing", "wire", "ask_people"), agent("tech", "wire"))
)
TO_BILLING = call("hand_to", name="billing", note="an invoice, I think")


def bodies(house: House) -> list[str]:
    return [post.card.body for post in house.chat.posts]


async def answer(house: House) -> str:
    await settled(house)
    return house.chat.posts[-1].card.body


async def reroute(house: House, to: str, why: str = "", *, by: str = "ana", delivery: str = "") -> Posted:
    """Press Re-route on the note that says who has it."""
    note = next(post for post in reversed(house.chat.posts) if "Routed to" in post.card.body)
    answered = await house.press("reroute", by=by, card=note, fields={"to": to, "text": why}, delivery=delivery)
    assert answered.is_taken, answered.text
    return note


# ---------------------------------------------------------------- concurrent


async def test_a_branch_that_failed_stays_failed_after_a_restart_and_one_card_shows_it(
    build: Build, hands: Hands
) -> None:
    """GN-17, AS-04, AU-19: one branch waits for days, one's model was down; called again from the journal it is still
    the one that failed, and the others' results are as they were."""
    team = Concurrent(name="team", members=(A, B, C), review=LEAD)
    minds = Minds(a=[call("wire", amount=7), "a paid"], b=[ModelUnavailable("down"), "b, too late"], c=["c found it"])
    async with build(policy=policy(), tools=hands.tools, agents=[team], model=minds, pace=HASTY) as house:
        await house.mention("ana", "analyse")
        await house.card("approve")
        await house.shows("I could not finish this.")
        await gone(house)

        await house.press("approve", by="bo")
        card = await house.card("accept")
        await gone(house)
        await house.press("accept", by="ana", card=card)

        draft = (await request_of(house, card)).call.values["draft"]
        assert draft == f"a:\na paid\n\nb: FAILED. {ModelUnavailable.people_read}\n\nc:\nc found it"
        assert await answer(house) == draft
        assert len(house.with_button("accept")) + len(minds.read["b"]) == 1  # the card is settled, b was asked once
        assert hands.did == ["wire 7 bank"]


# ------------------------------------------------------------------- handoff


async def test_a_press_turns_the_work_to_another_agent_and_is_audited(build: Build, hands: Hands) -> None:
    """GN-19, D-41: the note has the menu; Billing's card is withdrawn and it gets no more calls; Tech has the history
    and the reason; the audit says who turned it. A second delivery turns nothing more."""
    minds = Minds(triage=[TO_BILLING], billing=[call("wire", amount=5)], tech=["The router was off."])
    async with build(policy=policy(), tools=hands.tools, agents=[DESK], model=minds) as house:
        await house.mention("ana", "my router is down")
        asked = await house.card("approve")
        await house.shows("Routed to billing.")
        note = await reroute(house, "tech", "no invoice at all", delivery="once")
        await reroute(house, "tech", "no invoice at all", delivery="once")
        said = await answer(house)

        assert said == "The router was off."
        assert (minds.order, hands.did) == (["triage", "billing", "tech"], [])
        assert "[ana] @countersign my router is down" in minds.told("tech")
        assert "[ana] Re-routed from billing to tech. no invoice at all" in minds.told("tech")
        assert "approve" not in moves(asked)
        (turned,) = await events(house, "rerouted")
        assert (turned["person"], turned["left"], turned["agent"]) == ("ana", "billing", "tech")
        assert [button.fields[0].options for button in note.cards[0].buttons] == [("tech",)]
        assert "Routed to tech." in "\n".join(bodies(house))


async def test_a_slow_model_does_not_keep_the_work_from_being_turned(build: Build, hands: Hands) -> None:
    """GN-19: two seconds, while Billing's model is still thinking; its answer is nobody's any more."""
    minds = Minds(triage=[TO_BILLING], billing=["too late"], tech=["done"])
    minds.gates["billing"] = asyncio.Event()
    async with build(policy=policy(), tools=hands.tools, agents=[DESK], model=minds) as house:
        await house.mention("ana", "my router is down")
        await house.shows("Routed to billing.")
        await _thinks(minds, "billing")
        began = time.monotonic()

        await reroute(house, "tech")

        assert await answer(house) == "done"
        assert time.monotonic() - began < AT_ONCE
        assert "too late" not in "\n".join(bodies(house))


async def test_work_that_was_turned_stays_so_after_a_restart(build: Build, hands: Hands) -> None:
    """GN-19: out of memory before the press and after it; the journal says who has it, and for whom a call is asked."""
    which = call("ask_people", question="Which?")
    minds = Minds(triage=[TO_BILLING], billing=[which], tech=[call("wire", amount=3), "ok"])
    async with build(policy=policy(), tools=hands.tools, agents=[DESK], model=minds, pace=HASTY) as house:
        await house.mention("ana", "my router is down")
        await house.card("leave")
        await house.shows("Routed to billing.")
        await gone(house)
        await reroute(house, "tech")
        card = await house.card("approve")
        await gone(house)

        assert (await request_of(house, card)).agent == "tech"
        await house.press("approve", by="bo", card=card)

        assert await answer(house) == "ok"
        assert (minds.order, hands.did) == (["triage", "billing", "tech", "tech"], ["wire 3 bank"])


async def test_only_who_may_give_tasks_turns_work_and_only_where_it_can_go(build: Build, hands: Hands) -> None:
    """GN-19, T13: a guest may not; whoever has it is no choice; while somebody has it by hand, nobody turns it."""
    minds = Minds(triage=[TO_BILLING], billing=[call("ask_people", question="Which?"), "ok"], tech=[])
    async with build(policy=policy(), tools=hands.tools, agents=[DESK], model=minds) as house:
        await house.mention("ana", "my router is down")
        await house.card("leave")
        await house.shows("Routed to billing.")
        note = next(post for post in house.chat.posts if "Routed to" in post.card.body)

        guest = await house.press("reroute", by="gus", card=note, fields={"to": "tech"})
        same = await house.press("reroute", by="ana", card=note, fields={"to": "billing"})
        await house.press("take_run", by="ana", card=status(house))
        by_hand = await house.press("reroute", by="bo", card=note, fields={"to": "tech"})

        assert [one.is_taken for one in (guest, same, by_hand)] == [False, False, False]
        assert same.text == "billing has it now: choose one of the others."
        assert by_hand.text == "Ana works on this by hand: hand it back first."
        assert not await events(house, "rerouted")
        await house.press("stop", by="ana", card=status(house))
        await quiet(house)
        over = await house.press("reroute", by="ana", card=note, fields={"to": "tech"})
        assert over.text == "This run has already ended."


# ---------------------------------------------------------------- plan first


async def test_an_edited_plan_leaves_a_worker_out_and_findings_are_looked_at(build: Build, hands: Hands) -> None:
    """GN-20, AU-15, D-47, ST-35: killed at every wait; the worker reads the approved text, its risky call is signed."""
    minds = Minds(
        planner=[PLAN, call("progress", state="done", note="All paid.")],
        a=[call("wire", amount=9), "paid"], b=[],
    )  # fmt: skip
    team = PlanFirst(name="incident", planner=agent("planner"), members=(A, B), review=LEAD)
    async with build(policy=policy(), tools=hands.tools, agents=[team], model=minds, pace=HASTY) as house:
        await house.mention("ana", "pay everybody")
        card = await house.card("edit_steps")
        await gone(house)
        await house.press("edit_steps", by="ana", card=card, fields={"text": "a: pay nine"})
        signed = await house.card("approve")
        await gone(house)
        await house.press("approve", by="bo", card=signed)
        found = await house.card("accept")
        await gone(house)
        assert "All paid." not in bodies(house)
        await house.press("accept", by="ana", card=found)

        assert await answer(house) == "All paid."
        assert (minds.read["b"], hands.did) == ([], ["wire 9 bank"])
        assert "Plan 1, version 1, as people approved it. Its goal: g\n1. a: pay nine" in minds.told("a", 0)
        assert (await request_of(house, signed)).agent == "a"


# -------------------------------------------------------------------- routes


async def test_rules_lead_from_the_user_through_people_back_to_the_user(build: Build, hands: Hands) -> None:
    """A2-12, A2-13, A2-14, A2-16: rejected goes back to the writer; no final before the yes, one after it."""
    flow = Routes(
        name="flow",
        members=(agent("writer"), LEAD),
        rules=(
            Way(start="user", to="writer"),
            Way(start="writer", to="lead"),
            Way(start="lead", to="writer", when='decision == "rejected"'),
            Way(start="lead", to="user"),
        ),
    )
    minds = Minds(writer=["one", "two"])
    async with build(policy=policy(), tools=hands.tools, agents=[flow], model=minds, pace=HASTY) as house:
        await house.mention("ana", "summarise the history of the internet")
        first = await house.card("revise")
        await gone(house)
        await house.press("revise", by="ana", card=first, fields={"text": "add ARPANET"})
        second = await house.card("accept", but=[first])
        await gone(house)
        assert not [body for body in bodies(house) if body in ("one", "two")]
        await house.press("accept", by="ana", card=second)

        assert await answer(house) == "two"
        assert "add ARPANET" in minds.told("writer")
        assert bodies(house).count("two") == 1


# ---------------------------------------------------------------- group chat


async def test_what_people_say_in_a_debate_is_read_by_all_and_only_people_end_it_at_its_cap(
    build: Build, hands: Hands
) -> None:  # fmt: skip
    """GN-18, AU-08, D-36, D-37: "consider cost" reaches both under its writer's name; DONE ends nothing."""
    talk = GroupChat(name="talk", members=(agent("a"), agent("b")), max_turns=3)
    minds = Minds(a=["a one", "DONE"], b=["b one"])
    minds.gates["a"] = asyncio.Event()
    async with build(policy=policy(), tools=hands.tools, agents=[talk], model=minds, pace=HASTY) as house:
        thread = await house.mention("ana", "debate")
        await _thinks(minds, "a")
        await house.say("bo", "consider cost", thread=thread)
        await _thinks(minds, "a", times=2)  # its answer was not waited for: it thinks anew
        minds.gates["a"].set()
        card = await house.card("go_on")
        await gone(house)
        assert minds.order == ["a", "a", "b", "a"]
        await house.press("end", by="ana", card=card)

        assert (await answer(house)).startswith("The talk ended without a result.")
        assert all("[bo] consider cost" in minds.told(who) for who in "ab")


# -------------------------------------------------- stop, takeover, redirect


def _chat() -> Agent:
    return GroupChat(name="team", members=(A, B))


def _routes() -> Agent:
    ways = (Way(start="user", to="a"), Way(start="a", to="b"), Way(start="b", to="user"))
    return Routes(name="team", members=(A, B), rules=ways)


TEAMS: dict[str, Callable[[], Agent]] = {
    "concurrent": lambda: Concurrent(name="team", members=(A, B)),
    "group_chat": _chat,
    "handoff": lambda: Handoff(name="team", triage=A, members=(B,)),
    "plan_first": lambda: PlanFirst(name="team", planner=A, members=(B,)),
    "routes": _routes,
}


@pytest.mark.parametrize("pattern", TEAMS)
async def test_stop_ends_every_pattern_within_two_seconds_also_while_a_model_thinks(
    build: Build, hands: Hands, pattern: str
) -> None:  # fmt: skip
    """AS-04, GN-15: Stop halts all agents of the task, with one last message."""
    minds = Minds(a=[], b=[])
    minds.gates |= {"a": asyncio.Event(), "b": asyncio.Event()}
    async with build(policy=policy(), tools=hands.tools, agents=[TEAMS[pattern]()], model=minds) as house:
        await house.mention("ana", "work")
        await _thinks(minds, "a")
        began = time.monotonic()

        await house.press("stop", by="ana", card=await _running(house))
        await quiet(house)

        assert time.monotonic() - began < AT_ONCE
        assert status(house).card.title == "Stopped"


@pytest.mark.parametrize("pattern", TEAMS)
async def test_a_reply_reaches_every_pattern_within_two_seconds_while_a_model_thinks(
    build: Build, hands: Hands, pattern: str
) -> None:  # fmt: skip
    """GN-15, GN-18: whoever thinks hears it, and thinks again."""
    minds = Minds(a=[], b=[])
    minds.gates |= {"a": asyncio.Event(), "b": asyncio.Event()}
    async with build(policy=policy(), tools=hands.tools, agents=[TEAMS[pattern]()], model=minds) as house:
        thread = await house.mention("ana", "work")
        await _thinks(minds, "a")
        began = time.monotonic()

        await house.say("bo", "mind the cost", thread=thread)
        await _thinks(minds, "a", times=2)

        assert time.monotonic() - began < AT_ONCE
        assert "[bo] mind the cost" in minds.told("a")
        await house.press("stop", by="ana", card=await _running(house))
        await quiet(house)


@pytest.mark.parametrize("pattern", TEAMS)
async def test_a_takeover_pauses_every_pattern_and_what_was_thought_meanwhile_begins_nothing(
    build: Build, hands: Hands, pattern: str
) -> None:
    """AS-09, GN-15: while somebody has it, no member begins anything; handed back, they hear of it."""
    minds = Minds(a=[call("wire", amount=1)] * 2, b=[call("wire", amount=2)] * 2)
    minds.gates |= {"a": asyncio.Event(), "b": asyncio.Event()}
    async with build(policy=policy(), tools=hands.tools, agents=[TEAMS[pattern]()], model=minds) as house:
        await house.mention("ana", "work")
        await _thinks(minds, "a")
        await house.press("take_run", by="bo", card=await _running(house))
        await house.chat.until(lambda: "hand_back" in moves(status(house)), "it can be handed back")
        for gate in minds.gates.values():
            gate.set()
        assert not hands.did
        assert not house.with_button("approve")

        await house.press("hand_back", by="bo", card=status(house), fields={"text": "I paid by hand"})
        heard = lambda: any("I paid by hand" in minds.told(who) for who in "ab" if minds.read[who])  # noqa: E731  # one use
        await house.chat.until(heard, "they hear of it")

        await house.press("stop", by="ana", card=status(house))
        await quiet(house)
        assert not hands.did


async def _thinks(minds: Minds, who: str, *, times: int = 1) -> None:
    async with asyncio.timeout(10):
        while len(minds.read[who]) < times:
            minds.began.clear()
            await minds.began.wait()


async def _running(house: House) -> Posted:
    return await house.card("stop")
