"""Routes: from → to rules with people as nodes, checked when they are made, and never a yes by default."""

from __future__ import annotations

import pytest

from agents.patterns.person import Person
from agents.patterns.routes import Routes, Way
from agents.testing import Somebody, accept, answer, leave, press, rehearse, revise, silence, take_over
from bot.domain.request import Kind
from tests.agents.patterns.minds import Minds, agent

REVIEWED = (
    Way(start="user", to="writer"),
    Way(start="writer", to="human_reviewer"),
    Way(start="human_reviewer", to="user"),
)
BRANCHED = (*REVIEWED[:2], Way(start="human_reviewer", to="writer", when='decision == "rejected"'), REVIEWED[2])


def routes(*rules: Way, **more: object) -> Routes:
    members = (agent("writer"), Person(name="human_reviewer", role="reviewer"))
    return Routes(name="flow", members=members, rules=rules, **more)  # type: ignore[arg-type]  # a test's own keywords


async def test_writer_then_a_review_card_then_the_final_for_the_requester() -> None:
    """A2-12, A2-13, A2-14: before the yes there is a draft, marked as one; after it, the answer, once."""
    minds = Minds(writer=["The history of the internet."])

    story = await rehearse(
        routes(*REVIEWED), "summarise the history of the internet", model=minds,
        people=[Somebody("ana", answers=[accept()])], restarts=True,
    )  # fmt: skip

    assert [one.kind for one in story.requests] == [Kind.REVIEW]
    assert story.said == ("Draft – awaiting review\n\nThe history of the internet.",)
    assert story.answer == "The history of the internet."


async def test_a_condition_on_the_decision_sends_it_back_or_lets_it_go() -> None:
    """A2-16: rejected → writer, else → user; both paths."""
    minds = Minds(writer=["one", "two"])

    story = await rehearse(
        routes(*BRANCHED), "write", model=minds, people=[Somebody("ana", answers=[revise("add dates"), accept()])],
        restarts=True,
    )  # fmt: skip

    assert "add dates" in minds.told("writer")
    assert story.answer == "two"


async def test_people_and_agents_in_any_order() -> None:
    """A2-17, A2-18: writer → human1 → editor → human2 → user; the editor reads what the first person wrote."""
    flow = Routes(
        name="flow",
        members=(agent("writer"), Person(name="human1"), agent("editor"), Person(name="human2", role="QA")),
        rules=tuple(
            Way(start=start, to=to)
            for start, to in zip(
                ("user", "writer", "human1", "editor", "human2"),
                ("writer", "human1", "editor", "human2", "user"),
                strict=True,
            )
        ),
    )
    minds = Minds(writer=["raw"], editor=["polished"])

    story = await rehearse(
        flow, "write", model=minds,
        people=[Somebody("ana", answers=[take_over("raw, by ana"), accept()])], restarts=True,
    )  # fmt: skip

    assert "raw, by ana" in minds.told("editor")
    assert story.answer == "polished"
    assert len(story.requests) == 2


@pytest.mark.parametrize(
    ("act", "ended"), [(leave(), "unaccepted"), (silence(), "Nobody decided it as human_reviewer")]
)
async def test_no_default_rule_makes_a_no_or_silence_a_yes(act: object, ended: str) -> None:
    """A2-14, D-22: an unconditional rule to the user is for what was accepted, and for nothing else."""
    story = await rehearse(
        routes(*REVIEWED), "write", model=Minds(writer=["one"]), people=[Somebody("ana", answers=[act])]  # type: ignore[list-item]  # both are acts
    )  # fmt: skip

    assert ended in story.answer
    assert story.answer != "one"


async def test_feedback_without_a_rule_for_it_goes_back_to_whoever_made_the_draft() -> None:
    """A2-15: "add ARPANET dates" → the writer revises."""
    minds = Minds(writer=["one", "two"])

    story = await rehearse(
        routes(*REVIEWED), "write", model=minds,
        people=[Somebody("ana", answers=[revise("add ARPANET dates"), accept()])],
    )  # fmt: skip

    assert story.answer == "two"


async def test_where_no_rule_holds_people_say_who_goes_on() -> None:
    """A2-11, A2-12: neither a silent end nor a guess."""
    rules = (
        Way(start="user", to="writer"),
        Way(start="writer", to="human_reviewer", when='text.contains("draft")'),
        Way(start="human_reviewer", to="user"),
    )
    minds = Minds(writer=["something else"])

    story = await rehearse(
        routes(*rules), "write", model=minds, people=[Somebody("ana", answers=[answer("user")])], restarts=True
    )

    assert story.requests[0].call.values["options"] == ["writer", "human_reviewer", "user"]
    assert story.answer == "something else"


async def test_a_condition_that_cannot_be_decided_is_no_condition_that_holds() -> None:
    """It fails closed: people are asked, and told why."""
    rules = (REVIEWED[0], Way(start="writer", to="user", when="values.score > 3"), REVIEWED[1], REVIEWED[2])

    story = await rehearse(
        routes(*rules), "write", model=Minds(writer=["one"]), people=[Somebody("ana", answers=[leave()])]
    )

    assert "a value it names is missing" in story.requests[0].call.values["question"]
    assert story.answer.startswith("This ended before it was finished.")


async def test_used_up_turns_ask_people() -> None:
    """D-37."""
    rules = (
        Way(start="user", to="writer"),
        Way(start="writer", to="writer", when="turns < 99"),
        Way(start="writer", to="human_reviewer"),
        Way(start="human_reviewer", to="user"),
    )

    story = await rehearse(
        routes(*rules, max_turns=2), "write", model=Minds(writer=["1", "2"]),
        people=[Somebody("ana", answers=[press("end")])], restarts=True,
    )  # fmt: skip

    assert "2 turns were taken" in story.requests[0].call.values["told"]
    assert story.answer.endswith("The last draft:\n2")


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ((*REVIEWED[:2], Way(start="human_reviewer", to="zoe")), r"rule 3 \(human_reviewer → zoe\): 'zoe' is unknown"),
        (REVIEWED[:2], "no rule leads from writer to user"),
        ((REVIEWED[0], Way(start="writer", to="user")), "no rule leads from user to human_reviewer"),
        ((*REVIEWED, Way(start="writer", to="user")), "rule 4 .* an earlier rule from writer always holds"),
        ((*REVIEWED[:2], Way(start="human_reviewer", to="user", when="decision ==")), "rule 3 .* condition is wrong"),
        ((*REVIEWED[:2], Way(start="human_reviewer", to="user", when="mood == 1")), "rule 3 .* 'mood' is unknown"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused_when_they_are_made(rules: tuple[Way, ...], why: str) -> None:
    """A2-12: the error names the rule."""
    with pytest.raises(ValueError, match=why):
        routes(*rules)
