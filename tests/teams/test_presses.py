"""Buttons in Teams: what comes back is read, bounded, and refused when it is not ours."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.teams.presses import BEHIND_MOST, INPUTS_MOST, SHOW_ALL, Pressed, data, drawn, fetching, read_data
from bot.domain.chat import Button, Field

STOP = Button(subject="r1", move="stop", label="Stop", token="seal")
OURS: dict[str, Any] = {"subject": "q1", "move": "edit", "token": "seal"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)

ALIKE = st.fixed_dictionaries({}, optional=dict.fromkeys([*OURS, "inputs", "page", "nth", "behind"], JSON))


def carried(**changes: Any) -> dict[str, Any]:
    return {"countersign": {**OURS, **changes}}


def test_a_press_reads_back_as_it_was_drawn() -> None:
    """PP-11."""
    assert read_data(drawn(STOP, 1)["data"]) == Pressed(subject="r1", move="stop", token="seal")
    assert read_data(fetching(STOP)["data"]) == Pressed(subject="r1", move="stop", token="seal")


def test_what_a_dialog_carries_comes_back() -> None:
    found = read_data(data(STOP, behind="the message", page=3))

    assert found is not None
    assert (found.behind, found.page, found.is_form) == ("the message", 3, False)


def test_a_second_button_of_one_move_reads_its_own_inputs() -> None:
    """Some clients send the inputs of the whole card."""
    values = {"edit.a": "first", "edit~2.a": "second"}

    found = read_data({**carried(inputs={"a": "typed"}, nth=2), **values})

    assert found is not None
    assert found.fields == {"a": "second"}


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "q1 edit seal",
        [],
        {},
        {"countersign": None},
        {"countersign": "q1"},
        {"countersign": {}},
        carried(subject=7),
        carried(subject=""),
        carried(subject="q 1"),
        carried(subject="q" * 301),
        carried(subject="q\x00"),
        carried(token=None),
        carried(token="t" * 301),
        carried(token="\ud800"),
        carried(move="EDIT"),
        carried(move="edit.2"),
        carried(move="e" * 42),
        carried(move=["edit"]),
        carried(behind=7),
        carried(behind="x" * (BEHIND_MOST + 1)),
        carried(page=0),
        carried(page="2"),
        carried(page=True),
        carried(page=10**9),
        carried(nth=-1),
        carried(inputs=["a"]),
        carried(inputs={"a": "eval"}),
        carried(inputs={"a": 7}),
        carried(inputs={7: "typed"}),
        carried(inputs={"a" * 301: "typed"}),
        carried(inputs={str(number): "typed" for number in range(INPUTS_MOST + 1)}),
        {**carried(inputs={"a": "typed"}), "edit.a": ["x"]},
        {**carried(inputs={"a": "picked"}), "edit.a": "made up"},
    ],
)
def test_what_is_not_ours_is_not_read(value: object) -> None:
    """T13: whatever a client makes up is refused without an error."""
    assert read_data(value) is None


@settings(max_examples=300, deadline=None)
@given(JSON | st.fixed_dictionaries({"countersign": ALIKE}))
def test_no_json_at_all_makes_the_reader_stumble(value: object) -> None:
    """T13, T18."""
    found = read_data(value)

    assert found is None or len(found.subject) <= 300


def test_a_form_and_a_question_to_confirm_stand_behind_the_button() -> None:
    reason = Field(name="reason", label="Reason")
    asked = Button(subject="q", move="reject", label="Reject", token="t", confirm="Sure?", fields=(reason,))

    card = drawn(asked, 1)["card"]

    assert [node["type"] for node in card["body"]] == ["RichTextBlock", "Input.Text"]
    assert card["actions"][0]["data"]["countersign"]["inputs"] == {"reason": "typed"}


@pytest.mark.parametrize("move", ["details", SHOW_ALL])
def test_what_is_read_by_one_person_alone_opens_a_dialog(move: str) -> None:
    button = Button(subject="q", move=move, label="Read", token="t")

    assert drawn(button, 1)["data"]["msteams"] == {"type": "task/fetch"}
