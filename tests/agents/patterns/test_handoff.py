"""Handoff: a call routes, people re-route, and whoever loses the work begins nothing more."""

from __future__ import annotations

import pytest

from agents.patterns.concurrent import Concurrent
from agents.patterns.handoff import Handoff
from agents.patterns.person import Person
from agents.testing import ScriptError, Somebody, answer, press, rehearse, reroute
from bot.domain.calls import Cause
from bot.domain.request import Kind, Status
from tests.agents.patterns.minds import Minds, agent, call

TO_BILLING = call("hand_to", name="billing", note="it is about an invoice")


def desk(**more: object) -> Handoff:
    members = (agent("billing", "ask_people"), agent("tech"))
    return Handoff(name="desk", triage=agent("triage"), members=members, **more)  # type: ignore[arg-type]  # a test's own keywords


async def test_people_turn_it_to_another_agent_who_reads_the_history_and_why() -> None:
    """GN-19: Billing gets no more calls; Tech's first request has the history and the override note."""
    minds = Minds(triage=[TO_BILLING], billing=[call("ask_people", question="Which invoice?")], tech=["fixed"])

    story = await rehearse(
        desk(), "my router is down", model=minds,
        people=[Somebody("ana", answers=[reroute("tech", "it is no invoice")])], restarts=True,
    )  # fmt: skip

    assert minds.order == ["triage", "billing", "tech"]
    read = minds.told("tech", 0)
    assert "[ana] my router is down" in read
    assert "it is about an invoice" in read
    assert "What I did before this was turned to somebody else:\nask_people(question=•••): not_run" in read
    assert "[ana] Re-routed from billing to tech. it is no invoice" in read
    assert story.said == ("it is about an invoice", "Routed to billing.", "Routed to tech.")
    (asked,) = story.requests
    assert (asked.kind, asked.status, asked.decision.cause) == (Kind.QUESTION, Status.SUPERSEDED, Cause.SUPERSEDED)  # type: ignore[union-attr]  # it is closed
    assert story.answer == "fixed"


async def test_triage_routes_by_a_call_and_never_by_words() -> None:
    """GN-19, D-41: words route nobody, a stranger's name is told back."""
    minds = Minds(triage=["hand to billing", call("hand_to", name="zoe"), TO_BILLING], billing=["paid"], tech=[])

    story = await rehearse(desk(), "pay", model=minds, restarts=True)

    assert "words alone decide nothing" in minds.told("triage", 1)
    assert "'zoe' is none of: billing, tech." in minds.told("triage", 2)
    assert story.answer == "paid"


async def test_members_hand_it_on_and_a_circle_is_put_to_people() -> None:
    """GN-19, D-37: after as many hands as may be, people are asked."""
    back = [call("hand_to", name="billing") for _ in range(5)]
    minds = Minds(triage=[TO_BILLING], billing=[call("hand_to", name="tech") for _ in range(5)], tech=back)

    story = await rehearse(
        desk(max_hands=3), "pay", model=minds,
        people=[Somebody("ana", answers=[press("done", text="I paid it myself")])], restarts=True,
    )  # fmt: skip

    assert minds.order == ["triage", "billing", "tech", "billing"]
    assert "from hand to hand 4 times" in story.requests[0].call.values["told"]
    assert story.answer == "I paid it myself"


async def test_nobody_can_turn_it_where_it_is_not_routed() -> None:
    """Not before triage has routed it, and not to whoever has it."""
    minds = Minds(triage=[call("ask_people", question="?"), TO_BILLING], billing=["paid"], tech=[])
    team = Handoff(name="desk", triage=agent("triage", "ask_people"), members=desk().members)

    with pytest.raises(ScriptError, match=r"cannot be turned there just now\. Members: nobody"):
        await rehearse(team, "pay", model=minds, people=[Somebody("ana", answers=[reroute("tech")])])


async def test_a_member_with_branches_lets_each_of_them_end_by_itself() -> None:
    """GN-19, GN-17: two branches wait for people; both are withdrawn, both end, and tech goes on."""
    billing = Concurrent(name="billing", members=(agent("a", "ask_people"), agent("b", "ask_people")))
    team = Handoff(name="desk", triage=agent("triage"), members=(billing, agent("tech")))
    minds = Minds(
        triage=[TO_BILLING],
        a=[call("ask_people", question="a?")],
        b=[call("ask_people", question="b?")],
        tech=["fixed"],
    )

    story = await rehearse(
        team, "pay", model=minds, people=[Somebody("ana", answers=[reroute("tech")])], restarts=True
    )  # fmt: skip

    assert [one.status for one in story.requests] == [Status.SUPERSEDED, Status.SUPERSEDED]
    assert (len(minds.read["a"]), len(minds.read["b"]), story.answer) == (1, 1, "fixed")
    assert minds.told("tech").count("Re-routed from billing to tech") == 1


async def test_people_can_be_members() -> None:
    """A2-10: triage routes to a person, whose words are the answer."""
    team = Handoff(name="desk", triage=agent("triage"), members=(Person(name="boss", does="answer"), agent("tech")))
    minds = Minds(triage=[call("hand_to", name="boss")], tech=[])

    story = await rehearse(team, "pay?", model=minds, people=[Somebody("ana", answers=[answer("yes, pay")])])

    assert story.answer == "yes, pay"


def test_a_triage_that_cannot_decide_is_refused() -> None:
    with pytest.raises(ValueError, match="boss cannot be its triage"):
        Handoff(name="desk", triage=Person(name="boss"), members=(agent("tech"),))  # type: ignore[arg-type]  # refused
