"""Parts: a long answer is read whole, in order, once; and what is signed is never in parts."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.lengths import sound
from adapters.teams.cards import draw
from adapters.teams.limits import faults
from adapters.teams.parts import parted
from bot.domain.chat import Block, Card, Person, PersonId
from bot.domain.errors import ChatUnavailable
from bot.domain.wire import replace
from tests.hostile import NASTY
from tests.teams.drawing import texts, unshown
from tests.teams.indoors import Indoors, indoors, signable

POST = "post"
LONG = st.tuples(st.sampled_from([*NASTY, "words and ", "𝒜", '"\\\n', "{{DATE(", "<at>"]), st.integers(1, 40_000)).map(
    lambda drawn: (drawn[0] or " ") * (drawn[1] // max(len(drawn[0]), 1) + 1)
)
ANSWER = Card(body="".join(f"line {number} of the answer\n" for number in range(4_000)), author="assistant")


@pytest.fixture
async def house() -> AsyncIterator[Indoors]:
    async with indoors() as house:
        yield house


@settings(max_examples=40, deadline=None)
@given(LONG)
def test_the_parts_of_any_answer_are_whole_and_have_no_faults(text: str) -> None:
    """Decision 14, T06: no text is cut, however much of it is markup or has to be spelled."""
    parts = parted(Card(body=text, author="assistant", run="r-1"))

    drawn = [draw(part, known={}).card for part in parts]
    assert [fault for card in drawn for fault in faults(card)] == []
    assert "".join(part.body for part in parts) == sound(text) or len(parts) == 1
    for part, card in zip(parts, drawn, strict=True):
        assert not part.body.strip() or _read(part.body) in map(_read, texts(card))
    assert {(part.author, part.run) for part in parts} == {("assistant", "r-1")}


def test_what_asks_or_shows_how_a_request_stands_is_never_in_parts() -> None:
    """T06: half of a card cannot be signed, and its end is one picture."""
    long = (Block(label="report", text="x" * 100_000),)

    for card in (replace(signable(), blocks=long), Card(title="Approved", status="by Bo", blocks=long)):
        assert parted(card) == (card,)


async def test_a_long_answer_goes_on_in_the_same_thread_and_calls_people_once(house: Indoors) -> None:
    """Decision 14: nothing is lost; each part is labelled as an agent's."""
    thread = await house.settle()
    bo = Person(id=PersonId("bo"), name="Bo", accounts=(house.account(house.bo),))
    answer = replace(ANSWER, mentions=(bo.id,))

    ref = await house.mouth(bo).post(answer, house.place(thread), key="k")
    again = await house.mouth(bo).post(answer, house.place(thread), key="k")

    posts = house.teams.posts(house.ops)
    read = "\n".join(map(house.teams.text_of, posts))
    assert again == ref
    assert ref.id == posts[0].id
    assert len(posts) == len(parted(answer)) > 2
    assert {post.thread for post in posts} == {thread}
    assert [line for line in read.splitlines() if line.startswith("line ")] == ANSWER.body.splitlines()
    assert all(house.teams.is_labelled(post) for post in posts)
    assert [house.teams.mentions_of(post) for post in posts] == [[house.bo], *([[]] * (len(posts) - 1))]


async def test_an_answer_that_opens_a_thread_goes_on_inside_of_it(house: Indoors) -> None:
    """Section 12: a channel's new thread is the first part's."""
    await house.settle()

    ref = await house.mouth().post(ANSWER, house.place(), key="k")

    assert {post.thread for post in house.teams.posts(house.ops)} == {ref.id}


async def test_what_was_broken_off_goes_on_where_it_stopped(house: Indoors) -> None:
    """Decision 9: a part that Teams did not take is posted by the next try, and no other part again."""
    thread = await house.settle()
    house.teams.faults.gate(POST).set()  # the first part
    house.teams.faults.fail(POST, 412, "PreconditionFailed", times=4)
    with pytest.raises(ChatUnavailable):
        await house.mouth().post(ANSWER, house.place(thread), key="k")
    assert len(house.teams.posts(house.ops)) == 1

    await house.mouth().post(ANSWER, house.place(thread), key="k")

    read = "\n".join(map(house.teams.text_of, house.teams.posts(house.ops)))
    assert [line for line in read.splitlines() if line.startswith("line ")] == ANSWER.body.splitlines()


async def test_a_long_whisper_is_read_whole(house: Indoors) -> None:
    """Decision 11: a list that somebody asked for is not cut either."""
    thread = await house.settle()

    await house.mouth().whisper(ANSWER.body, house.place(thread), house.account(house.bo))

    read = "\n".join(map(house.teams.text_of, house.teams.direct(house.bo)))
    assert [line for line in read.splitlines() if line.startswith("line ")] == ANSWER.body.splitlines()


def _read(text: str) -> str:
    """What is spelled out on the way there, and what is not, alike."""
    return sound(unshown(text))
