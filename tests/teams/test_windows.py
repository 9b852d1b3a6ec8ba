"""Dialogs in Teams: all of it, page by page, for one person, and nothing there that Teams would refuse."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.lengths import sound
from adapters.teams.limits import CARD_BYTES, dialog_faults, size
from adapters.teams.presses import SHOW_ALL, Pressed, read_data
from adapters.teams.windows import SENTENCE_MOST, dialog, form, sentence
from bot.domain.chat import Block, Button, Card, Fact
from bot.domain.wire import replace
from tests.domain.given import ask, call, drawn, request
from tests.hostile import ANY_CARD, TEXT
from tests.stories import details_card
from tests.teams.drawing import live, texts, titles
from tests.teams.oracle import complaints

PRESS = Pressed(subject="q1", move=SHOW_ALL, token="t", behind="ref")


def pages(card: Card) -> list[dict[str, Any]]:
    """Every page, by pressing Next until there is none."""
    found = [dialog(card, press=PRESS)]
    while "Next" in titles(found[-1]):
        pressed = read_data(found[-1]["actions"][-1]["data"])
        assert pressed is not None
        found.append(dialog(card, press=pressed, page=pressed.page))
    return found


@settings(max_examples=40, deadline=None)
@given(ANY_CARD)
def test_any_card_has_pages_without_faults_and_no_button_of_its_own(card: Card) -> None:
    """T04: what one person reads alone is as literal as what everybody reads."""
    for page in pages(card):
        assert dialog_faults(page) == ()
        assert complaints(page) == []
        assert live(page) == []
        assert set(titles(page)) <= {"Back", "Next"}


@settings(max_examples=40, deadline=None)
@given(ANY_CARD)
def test_the_pages_together_are_the_whole_card(card: Card) -> None:
    """T01: whoever reads to the end has read all of it."""
    read = "".join(text for page in pages(replace(card, buttons=())) for text in texts(page))

    for text in [card.body, card.status, *(block.text for block in card.blocks), *(f.value for f in card.facts)]:
        words = sound(text).split()
        assert not words or words[0][:50] in read
        assert not words or words[-1][-50:] in read


def test_a_hundred_thousand_characters_are_read_page_by_page() -> None:
    """PP-06: what was too large to be signed in Teams can be read there."""
    text = "\n".join(f"line {number} of the arguments" for number in range(4_000))
    card = Card(title="Details", blocks=(Block(label="Every argument", text=text, is_code=True),))

    found = pages(card)

    assert len(found) > 4
    shown = [block for page in found for block in texts(page)]
    assert text in "".join(block for block in shown if block.startswith("line ") or "\nline " in block)
    assert f"Page 2 of {len(found)}" in texts(found[1])
    assert titles(found[0]) == ["Next"]
    assert titles(found[1]) == ["Back", "Next"]
    assert titles(found[-1]) == ["Back"]
    assert all(size(page) <= CARD_BYTES for page in found)


def test_a_page_knows_what_it_belongs_to() -> None:
    """The press that turns a page is the press that opened the dialog, once more."""
    card = Card(blocks=(Block(label="", text="x " * 30_000),))

    pressed = read_data(dialog(card, press=PRESS, page=2)["actions"][-1]["data"])

    assert pressed == Pressed(subject="q1", move=SHOW_ALL, token="t", behind="ref", page=3)


def test_a_page_that_is_not_there_is_the_nearest_one() -> None:
    """T13: anybody may ask for page 900."""
    card = Card(title="t", body="short")

    assert dialog(card, page=900) == dialog(card) == dialog(card, page=-3)


def test_the_details_are_one_page_in_their_order() -> None:
    card = details_card()

    read = "\0".join(texts(dialog(card)))

    spots = [read.find(text) for text in (card.title, card.facts[0].value, card.blocks[0].text, card.footer)]
    assert -1 not in spots
    assert spots == sorted(spots)


def test_facts_after_long_ones_stay_after_them() -> None:
    facts = (Fact(label="a", value="1"), Fact(label="b", value="x" * 5_000), Fact(label="c", value="3"))

    read = "\0".join(texts(dialog(Card(title="t", facts=facts))))

    assert read.index("a") < read.index("xxx") < read.index("c")


def test_what_is_attached_is_read_as_well() -> None:
    card = drawn(request(call=call({"note": "n" * 60_000}), ask=ask(is_high=True)))

    read = "".join(text for page in pages(card) for text in texts(page))

    assert read.count("n") > 60_000
    assert card.attachments[0].sha256 in read


@settings(max_examples=40, deadline=None)
@given(TEXT, TEXT)
def test_any_sentence_is_a_dialog_without_faults(title: str, text: str) -> None:
    card = sentence(title, text)

    assert dialog_faults(card) == ()
    assert complaints(card) == []
    assert live(card) == []
    assert len("".join(texts(card))) < SENTENCE_MOST * 9


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=300))
def test_a_form_carries_along_what_it_is_given(behind: str) -> None:
    behind = sound(behind)
    button = Button(subject="q", move="edit", label="Edit", token="t", confirm="Sure?")

    pressed = read_data(form(button, behind=behind)["actions"][0]["data"])

    assert pressed is not None
    assert pressed.behind == behind
