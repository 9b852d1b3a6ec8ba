"""Concurrent: side by side, one card for the whole, and a failure that is marked and ends nothing else."""

from __future__ import annotations

import pytest

from agents.patterns.concurrent import Concurrent
from agents.patterns.person import Person
from agents.testing import Somebody, accept, answer, rehearse, revise
from bot.domain.errors import BudgetSpent, ModelUnavailable
from bot.domain.ports import RunContext
from bot.domain.request import Kind
from bot.domain.run import Task
from tests.agents.patterns.minds import Minds, agent, call


class Broken:
    """An agent of code whose program fails."""

    name, tools = "c", ()

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        await ctx.note(f"I begin: {task.text}")
        raise ZeroDivisionError("a secret value")


async def test_one_card_shows_two_results_and_one_failure_and_the_approved_report_is_posted() -> None:
    """GN-17, AU-19: three branches, one fails: one card for the whole; what is accepted is the answer."""
    team = Concurrent(name="team", members=(agent("a"), agent("b"), Broken()), review=Person(name="editor"))

    story = await rehearse(
        team,
        "analyse",
        model=Minds(a=["a found x"], b=["b found y"]),
        people=[Somebody("ana", answers=[accept()])],
        restarts=True,
    )

    (card,) = story.requests
    draft = card.call.values["draft"]
    assert card.kind is Kind.REVIEW
    assert draft == "a:\na found x\n\nb:\nb found y\n\nc: FAILED. Its program failed (ZeroDivisionError)."
    assert story.answer == draft
    assert "secret" not in story.transcript()


async def test_a_branch_that_waits_for_people_does_not_hold_the_others() -> None:
    """AS-04, GN-17: while one branch waits, the other one has finished; people are asked once."""
    team = Concurrent(name="team", members=(agent("a", "ask_people"), agent("b")))
    minds = Minds(a=[call("ask_people", question="How deep?"), "deep"], b=["b is done"])

    story = await rehearse(
        team, "analyse", model=minds, people=[Somebody("ana", answers=[answer("very")])], restarts=True
    )

    told = [moment.text for moment in story.moments]
    asked = next(at for at, text in enumerate(told) if text.startswith("ana: answer"))
    assert any("b notes: b is done" in text for text in told[:asked])
    assert story.answer == "a:\ndeep\n\nb:\nb is done"


async def test_who_sums_up_reads_every_branch_and_its_words_are_what_people_see() -> None:
    """GN-17: the aggregate is summed up first; feedback goes back to whoever summed it up, and to nobody else."""
    team = Concurrent(
        name="team", members=(agent("a"), agent("b")), join=agent("editor"), review=Person(name="boss")
    )  # fmt: skip
    minds = Minds(a=["x"], b=["y"], editor=["x and y", "x, then y"])

    story = await rehearse(
        team, "analyse", model=minds, people=[Somebody("ana", answers=[revise("in order"), accept()])], restarts=True
    )

    assert "a:\nx\n\nb:\ny" in minds.told("editor", 0)
    assert "in order" in minds.told("editor", 1)
    assert (len(minds.read["a"]), story.answer) == (1, "x, then y")


async def test_without_anybody_who_sums_up_feedback_goes_to_all_members() -> None:
    """GN-17."""
    team = Concurrent(name="team", members=(agent("a"), agent("b")), review=Person(name="boss"))
    minds = Minds(a=["x", "x2"], b=["y", "y2"])

    story = await rehearse(
        team, "analyse", model=minds, people=[Somebody("ana", answers=[revise("deeper"), accept()])], restarts=True
    )

    assert all("deeper" in minds.told(who) for who in "ab")
    assert story.answer == "a:\nx2\n\nb:\ny2"


async def test_when_nobody_comes_to_anything_people_are_not_asked_to_look() -> None:
    team = Concurrent(name="team", members=(Broken(),), review=Person(name="boss"))

    story = await rehearse(team, "analyse", model=Minds())

    assert not story.requests
    assert story.answer.startswith("None of the members came to a result.")


async def test_a_model_that_does_not_answer_fails_its_own_branch_alone() -> None:
    """GN-17, AU-19."""
    team = Concurrent(name="team", members=(agent("a"), agent("b")))

    story = await rehearse(team, "analyse", model=Minds(a=[ModelUnavailable("gone")], b=["y"]))

    assert story.answer == f"a: FAILED. {ModelUnavailable.people_read}\n\nb:\ny"


async def test_what_ends_the_run_is_no_branch_s_failure() -> None:
    """A spent budget, a lost lease, a changed program: none of them is a result."""
    team = Concurrent(name="team", members=(agent("a"), agent("b")))

    with pytest.raises(BudgetSpent):
        await rehearse(team, "analyse", model=Minds(a=[BudgetSpent("run", "all of it")], b=["y"]))


def test_members_that_could_not_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="each with a name of its own"):
        Concurrent(name="team", members=(agent("a"), agent("a")))
