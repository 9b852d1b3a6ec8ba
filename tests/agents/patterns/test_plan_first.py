"""Plan first: nothing before a yes, what was approved word for word, and people when it does not work."""

from __future__ import annotations

import pytest

from agents.patterns.person import Person
from agents.patterns.plan_first import PlanFirst
from agents.testing import Script, Somebody, accept, approve, leave, press, proceed, rehearse, reject, revise
from agents.toolbox import tool
from bot.domain.calls import Risk
from bot.domain.ports import Leave
from bot.domain.request import Kind
from tests.agents.patterns.minds import Minds, agent, call

TWO = call(
    "plan",
    goal="find the cause",
    facts=["it began at nine"],
    steps=[{"what": "read the logs", "who": "logs"}, {"what": "ask the customer", "who": "support"}],
)
GO_ON, DONE = call("progress", state="go_on"), call("progress", state="done", note="The disk was full.")
STALLED = call("progress", state="stalled", note="no logs there")


def team(*tools: str, **more: object) -> PlanFirst:
    members = (agent("logs", *tools), agent("support"))
    return PlanFirst(name="incident", planner=agent("planner"), members=members, **more)  # type: ignore[arg-type]  # a test's own keywords


async def test_a_step_that_people_drop_is_never_done_and_findings_are_looked_at_before_the_report() -> None:
    """GN-20, A2-02, D-10: the edited plan leaves worker 2 out; the findings card comes before the answer."""
    minds = Minds(planner=[TWO, DONE], logs=["the disk is full"], support=[])
    edited = press("edit_steps", text="logs: read the logs of the db")

    story = await rehearse(
        team(review=Person(name="lead")), "the site is down", model=minds,
        people=[Somebody("ana", answers=[edited, accept()])], restarts=True,
    )  # fmt: skip

    assert [one.kind for one in story.requests] == [Kind.PLAN, Kind.REVIEW]
    assert story.requests[0].call.values["steps"] == ["logs: read the logs", "support: ask the customer"]
    assert "it began at nine" in story.requests[0].call.values["goal"]
    assert minds.read["support"] == []
    assert story.requests[1].call.values["draft"] == "The disk was full."
    assert story.answer == "The disk was full."


async def test_a_worker_reads_the_approved_plan_itself() -> None:
    """AU-15, D-10: the second version's own text, with its version, is in the worker's first request; no "proceed"."""
    other = call("plan", goal="find it", steps=[{"what": "read the new logs", "who": "logs"}])
    minds = Minds(planner=[TWO, other, DONE], logs=["full"], support=[])

    await rehearse(
        team(), "down", model=minds,
        people=[Somebody("ana", answers=[press("change", text="logs only"), proceed()])], restarts=True,
    )  # fmt: skip

    read = minds.told("logs", 0)
    assert "logs only" in minds.told("planner", 1)
    assert "Plan 1, version 2, as people approved it. Its goal: find it\n1. logs: read the new logs" in read
    assert "Do this step and no other: read the new logs" in read
    assert "ask the customer" not in read


async def test_a_plan_that_is_not_approved_begins_nothing() -> None:
    """A2-02, D-09."""
    minds = Minds(planner=[TWO], logs=[], support=[])

    story = await rehearse(team(), "down", model=minds, people=[Somebody("ana", answers=[leave()])], restarts=True)

    assert minds.order == ["planner"]
    assert story.answer.startswith("Nothing was begun: the plan was not approved.")


async def test_an_approved_plan_signs_none_of_its_steps() -> None:
    """ST-35, D-47: delete is signed and runs once; restart is rejected and never runs; the planner hears both."""
    did: list[str] = []

    @tool(risk=Risk.IRREVERSIBLE)
    async def wipe(what: str, leave: Leave) -> str:  # noqa: ARG001  # the gate's word
        """Delete something."""
        did.append(f"wipe {what}")
        return "ok"

    @tool(risk=Risk.IRREVERSIBLE)
    async def restart(what: str, leave: Leave) -> str:  # noqa: ARG001  # the gate's word
        """Restart something."""
        did.append(f"restart {what}")
        return "ok"

    steps = [{"what": "delete the logs", "who": "logs"}, {"what": "restart the db", "who": "logs"}]
    minds = Minds(
        planner=[call("plan", goal="clean", steps=steps), GO_ON, DONE],
        logs=[call("wipe", what="logs"), "deleted", call("restart", what="db"), "not restarted"],
        support=[],
    )

    story = await rehearse(
        team("wipe", "restart"), "clean up", tools=(wipe, restart), model=minds,
        people=[Somebody("ana", answers=[proceed()]), Somebody("bo", answers=[approve(), reject("not now")])],
        restarts=True,
    )  # fmt: skip

    assert did == ["wipe logs"]
    assert [one.kind for one in story.requests] == [Kind.PLAN, Kind.APPROVAL, Kind.APPROVAL]
    assert "not restarted" in minds.told("planner")


async def test_a_plan_that_stalls_is_planned_and_approved_again_and_then_people_are_asked() -> None:
    """GN-20, A2-11, D-37: stalls used up; people's words reach the planner."""
    one = call("plan", goal="g", steps=[{"what": "look", "who": "logs"}])
    minds = Minds(planner=[one, STALLED, one, STALLED, one, DONE], logs=["?", "?", "there"], support=[])

    story = await rehearse(
        team(max_stalls=1), "down", model=minds,
        people=[Somebody("ana", answers=[proceed(), proceed(), press("guide", text="look at db2"), proceed()])],
        restarts=True,
    )  # fmt: skip

    assert [one.kind for one in story.requests] == [Kind.PLAN, Kind.PLAN, Kind.STUCK, Kind.PLAN]
    assert "2 plans in a row did not work" in story.requests[2].call.values["told"]
    assert "look at db2" in minds.told("planner", 4)
    assert story.answer == "The disk was full."


async def test_steps_side_by_side_are_done_so_and_one_that_fails_is_told() -> None:
    """GN-20, GN-17: the plan says which; the planner reads what became of each."""
    both = call(
        "plan", goal="g", steps=[{"what": "x", "who": "logs"}, {"what": "y", "who": "support", "beside": True}]
    )  # fmt: skip
    minds = Minds(planner=[both, DONE], logs=["found x"], support=[call("nothing_like_it"), "no y"])

    story = await rehearse(team(), "down", model=minds, people=[Somebody("ana", answers=[proceed()])], restarts=True)

    assert story.requests[0].call.values["steps"] == ["logs: x", "& support: y"]
    assert "found x" in minds.told("planner")
    assert "no y" in minds.told("planner")
    assert "found x" not in minds.told("support")


async def test_feedback_on_the_findings_is_planned_for_and_approved_anew() -> None:
    """GN-20."""
    one = call("plan", goal="g", steps=[{"what": "look", "who": "logs"}])
    minds = Minds(planner=[one, DONE, one, call("progress", state="done", note="The network.")], logs=[], support=[])

    story = await rehearse(
        team(review=Person(name="lead")), "down", model=minds,
        people=[Somebody("ana", answers=[proceed(), revise("it was not the disk"), proceed(), accept()])],
        restarts=True,
    )  # fmt: skip

    assert "it was not the disk" in minds.told("planner", 2)
    assert story.answer == "The network."


async def test_an_edited_line_that_nobody_could_do_is_not_guessed() -> None:
    """D-10: people are told which line, and another plan is made."""
    one = call("plan", goal="g", steps=[{"what": "look", "who": "logs"}])
    minds = Minds(planner=[one, one, DONE], logs=["seen"], support=[])

    story = await rehearse(
        team(), "down", model=minds,
        people=[Somebody("ana", answers=[press("edit_steps", text="zoe: look"), press("go_on"), proceed()])],
        restarts=True,
    )  # fmt: skip

    assert "'zoe: look' names no member and step" in story.requests[1].call.values["told"]
    assert story.answer == "The disk was full."


async def test_a_plan_for_strangers_is_told_back_and_shown_to_nobody() -> None:
    stranger = call("plan", goal="g", steps=[{"what": "look", "who": "zoe"}])
    minds = Minds(planner=[stranger, TWO, GO_ON, DONE], logs=["a"], support=["b"])

    story = await rehearse(team(), "down", model=minds, people=[Somebody("ana", answers=[proceed()])])

    assert "'zoe' is no member; the members are logs, support." in minds.told("planner", 1)
    assert len(story.requests) == 1


async def test_a_call_of_a_pattern_means_nothing_outside_of_one() -> None:
    """D-41: refused before any policy sees it, and people are not asked."""
    lone = agent("lone", "plan", "hand_to")

    story = await rehearse(lone, "x", model=Script([call("hand_to", name="billing"), "ok"]))

    assert not story.requests
    assert story.calls[0].text.startswith("Not run: arguments of hand_to are not valid: call: only an agent of whom")


def test_a_member_whose_name_cannot_stand_in_a_plan_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot stand in a plan"):
        PlanFirst(name="p", planner=agent("planner"), members=(agent("a:b"),))
