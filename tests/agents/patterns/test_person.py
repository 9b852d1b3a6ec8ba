"""A person as a member: what they press is what they mean, and nobody's silence is a yes."""

from __future__ import annotations

from typing import Any

import pytest

from agents.patterns.person import Person
from agents.patterns.room import Room, Turn, Word
from agents.testing import Act, Somebody, accept, answer, press, rehearse, revise, silence, take_over
from bot.domain import inquiry
from bot.domain.ports import RunContext
from bot.domain.run import Task


class Alone:
    """A pattern of one person, who looks at what an agent has said."""

    name, tools = "alone", ()

    def __init__(self, person: Person, draft: str = "v1") -> None:
        self.person, self.draft = person, draft
        self.turn: Turn
        self.room: Room

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        self.room = Room(task)
        self.room.say("writer", self.draft)
        self.turn = await self.person.reply(self.room, ctx)
        return self.turn.text


async def meant(person: Person, *acts: Act, draft: str = "v1") -> Turn:
    alone = Alone(person, draft)
    await rehearse(alone, "announce it", people=[Somebody("ana", answers=acts)])
    return alone.turn


@pytest.mark.parametrize(
    ("act", "move", "text"),
    [
        (accept(), "accept", "v1"),
        (revise("shorter"), "revise", "shorter"),
        (take_over("mine"), "take_over", "mine"),
        (take_over("v1"), "accept", "v1"),
        (press("leave", text="no need"), "unaccepted", "no need"),
        (press("want_a"), "revise", "Shorter"),
        (answer("LGTM!"), "accept", "v1"),
        (answer("ok but shorten it"), "revise", "ok but shorten it"),
    ],
)
async def test_what_a_reviewer_presses_is_the_move_of_their_turn(act: Act, move: str, text: str) -> None:
    """GN-13, D-22, D-41: their own text is the draft from now on; words that are no exact yes go back."""
    turn = await meant(Person(name="human_reviewer", directions=("Shorter",)), act)

    assert (turn.by, turn.move, turn.text, turn.is_role) == ("human_reviewer", move, text, True)
    assert turn.values["by"] == "ana"


@pytest.mark.parametrize(
    ("act", "move", "text"),
    [
        (accept(), "pass", "v1"),
        (revise("typo"), "fail", "typo"),
        (answer("passed"), "pass", "v1"),
        (answer("ok"), "fail", "ok"),
        (press("leave"), "unaccepted", ""),
    ],
)
async def test_a_check_passes_or_fails_with_notes(act: Act, move: str, text: str) -> None:
    """A2-09, ST-09: "ok" is no pass: whoever checks says so, or presses the button."""
    turn = await meant(Person(name="qa_reviewer", does="check", criteria="No typos."), act)

    assert (turn.move, turn.text) == (move, text)


async def test_nobody_answers_and_nothing_is_accepted() -> None:
    """D-01: silence is a move of its own, and the reason comes with it."""
    turn = await meant(Person(name="human_reviewer"), silence())

    assert turn.move == "unanswered"
    assert "nobody answered in time" in turn.text


async def test_nobody_there_to_ask_is_no_yes() -> None:
    """A group without people."""
    turn = await meant(Person(name="human_reviewer", of="approvers"))

    assert turn.move == "unanswered"
    assert "not enough people are there" in turn.text


async def test_a_draft_too_long_to_be_shown_whole_is_shown_to_nobody() -> None:
    """Nobody accepts what they could not read."""
    turn = await meant(Person(name="human_reviewer"), draft="x" * 20_001)

    assert turn.move == "unanswered"
    assert "20,001 characters" in turn.text


@pytest.mark.parametrize(
    ("act", "move", "text"),
    [
        (answer("Blue is calmer."), "answer", "Blue is calmer."),
        (answer("pass"), "skip", ""),
        (press("leave"), "skip", ""),
    ],
)
async def test_a_person_answers_in_a_talk_or_passes(act: Act, move: str, text: str) -> None:
    """GN-18: their turn is theirs to skip."""
    turn = await meant(Person(name="guest", does="answer", instructions="Say what you think."), act)

    assert (turn.move, turn.text) == (move, text)


async def test_the_card_of_a_role_says_what_is_asked_of_it_first() -> None:
    """A2-08, A2-18: instructions, role and criteria stand above the draft; the asker is whoever made it."""
    person = Person(
        name="qa_reviewer", role="QA", instructions="Approve or suggest edits.", does="check", criteria="No typos."
    )
    story = await rehearse(Alone(person), "announce it", people=[Somebody("ana", answers=[accept()])])

    (request,) = story.requests
    assert [(part.label, part.text) for part in inquiry.parts(request)][:3] == [
        ("Your role: QA", "Approve or suggest edits."),
        ("Criteria", "No typos."),
        ("Draft “qa_reviewer”, round 1 of 3", "v1"),
    ]
    assert request.agent == "writer"


def test_what_a_person_wrote_is_the_draft_and_what_they_say_of_one_is_not() -> None:
    """The room knows what would be looked at next."""
    task = Task(text="t", by="ana", place=None)  # type: ignore[arg-type]  # a room looks at no place
    room = Room(task, [Word("writer", "v1", draft="v1")])

    room.take(Turn(by="qa", text="typo", move="fail", is_role=True))
    assert room.draft() == "v1"
    room.take(Turn(by="qa", text="v2", move="take_over", told="Use exactly this instead:\nv2", is_role=True))

    assert room.draft() == "v2"
    assert room.words[-1].text == "Use exactly this instead:\nv2"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"rounds": 21}, "there may be 1 to 20"),
        ({"instructions": "x" * 2_001}, "at most 2,000 fit on a card"),
        ({"directions": ("a", "b", "c", "d")}, "at most 3 fit"),
    ],
)
def test_what_no_card_could_show_is_refused_when_declared(fields: dict[str, Any], why: str) -> None:
    """The same bounds as the tool's, found before anybody waits for a look that cannot be asked for."""
    with pytest.raises(ValueError, match=why):
        Person(name="qa", **fields)


@pytest.mark.parametrize(
    ("does", "why"), [("check", "there are no criteria"), ("wave", "a person does one of answer, review, gate, check")]
)
def test_a_person_who_could_not_be_asked_is_refused_when_declared(does: str, why: str) -> None:
    """A mistake in a file is found when it is read."""
    with pytest.raises(ValueError, match=why):
        Person(name="qa", does=does)  # type: ignore[arg-type]  # what a file may say
