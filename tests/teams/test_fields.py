"""Forms in Teams: what a person sees is what they may change, and what they type is what the call gets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.teams.fields import A_NUMBER, CHOSEN, Fill, flaw, inputs, read, told
from adapters.teams.limits import TYPED_MOST, dialog_faults, faults
from adapters.teams.presses import Pressed, drawn, read_data
from adapters.teams.windows import form
from bot.domain.chat import Button, Field, FieldKind
from bot.domain.forms import fields_of, values_from_fields
from bot.domain.wire import Json, replace
from tests.contracts.chat import HOSTILE
from tests.domain.given import ANA, BO
from tests.forms import SCHEMA, VALUES, any_field
from tests.hostile import NASTY
from tests.teams.drawing import live, sent, texts, typed_into
from tests.teams.oracle import complaints

NEEDED = {**SCHEMA, "required": ["order_id", "amount", "is_express", "until"]}
ANY_FIELD = any_field(may_start_empty=st.booleans())
REASONS = ("late", "lo,st", "=br%oken")
WHY = Field(name="why", label="Why", kind=FieldKind.MULTI, options=REASONS, value="lo,st\n=br%oken")
DAY = Field(name="day", label="Day", kind=FieldKind.DATE, value="2026-03-31")
OWNER = Field(name="owner", label="Owner", kind=FieldKind.PERSON, value="ana")
PEOPLE = {ANA: "Ana", BO: "Bo"}


def button(*fields: Field, move: str = "edit") -> Button:
    return Button(subject="q1", move=move, label="Edit", token="t", fields=fields)


def dialog(*fields: Field, **fill: Any) -> dict[str, Any]:
    return form(button(*fields), fill=Fill(**fill))


def edit(values: dict[str, Json]) -> dict[str, Any]:
    return dialog(*fields_of(NEEDED, values))


def element(field: Field, **fill: Any) -> dict[str, Any]:
    (found,) = typed_into(dialog(field, **fill)).values()
    return dict(found)


def pressed(card: dict[str, Any], **typed: str | None) -> Pressed:
    """*card* as Teams sends it: what is untouched as it began, what is empty not at all."""
    found = read_data(sent(card["actions"][0], card, **typed))
    assert found is not None
    return found


def read_back(card: dict[str, Any], **typed: str | None) -> dict[str, Json]:
    return values_from_fields(NEEDED, pressed(card, **typed).fields, was=VALUES)


# ---------------------------------------------------------------- drawing


@settings(max_examples=100, deadline=None)
@given(st.lists(ANY_FIELD, max_size=6, unique_by=lambda field: field.name))
def test_any_form_is_a_dialog_without_faults_and_without_markup(fields: list[Field]) -> None:
    """T04: names, hints and values of a tool's arguments come from anywhere."""
    card = dialog(*fields, people=PEOPLE)

    assert dialog_faults(card) == ()
    assert complaints(card) == []
    assert live(card) == []
    assert len(typed_into(card)) in (0, len(fields))


def test_a_form_larger_than_a_dialog_says_so() -> None:
    """Half a form would be half a question."""
    large = dialog(*(Field(name=f"a{n}", label="a", value="é" * 5_000) for n in range(5)))

    assert typed_into(large) == {}
    assert "actions" not in large
    assert "Please reject this instead" in texts(large)[-1]


def test_a_value_too_long_for_a_field_is_not_offered_for_editing() -> None:
    """More would come back cut, and somebody would sign the rest unseen."""
    too_long = dialog(Field(name="to", label="To"), Field(name="body", label="Body", value="x" * (TYPED_MOST + 1)))

    assert element(Field(name="body", label="Body", value="x" * TYPED_MOST))["value"] == "x" * TYPED_MOST
    assert typed_into(too_long) == {}
    assert texts(too_long)[-1] == (
        "“Body” is 8,001 characters long; a form in Teams holds 8,000 for one field. "
        "Please reject this instead and say in the reason what should be different."
    )


def test_a_long_draft_is_written_anew_and_never_begun_with_a_part_of_it() -> None:
    """GN-12: nobody accepts a text that was cut; the field starts empty and says what to do."""
    own = Field(name="text", label="Own", kind=FieldKind.LONG_TEXT, value="x" * 8_001, may_start_empty=True)

    card = dialog(own)

    assert "value" not in typed_into(card)["edit.text"]
    assert "Write the whole text, at most 8,000 characters" in "".join(texts(card))
    assert flaw([own]) is None


def test_each_kind_has_its_input() -> None:
    """The form starts with the values that would run."""
    found = {name.removeprefix("edit."): one for name, one in typed_into(edit(VALUES)).items()}

    assert {name: (one["type"], one["value"]) for name, one in found.items()} == {
        "order_id": ("Input.Text", "7"),
        "amount": ("Input.Number", 150),
        "currency": ("Input.ChoiceSet", "=EUR"),
        "is_express": ("Input.Toggle", "yes"),
        "note": ("Input.Text", "two\nlines"),
        "parcel": ("Input.Text", '{"kg":2}'),
        "until": ("Input.Text", "May"),
    }
    assert [name for name, one in found.items() if one.get("isMultiline")] == ["note", "parcel"]


def test_labels_hints_and_what_is_required_are_shown() -> None:
    card = dialog(Field(name="a", label=HOSTILE, hint="In euros."), Field(name="b", label="", is_required=False))

    first, second = typed_into(card).values()
    assert (first["label"], first["isRequired"], first["errorMessage"]) == (HOSTILE, True, "Please fill this in.")
    assert (second["label"], "isRequired" in second) == ("Value", False)
    assert "In euros." in texts(card)


@pytest.mark.parametrize("value", ["1e+21", "12345678901234567890", "9007199254740993", "0.12345678", "007", "abc"])
def test_a_number_that_a_browser_might_change_is_edited_as_text(value: str) -> None:
    """A browser's numbers are doubles; what runs must be what stands there."""
    found = element(Field(name="n", label="n", kind=FieldKind.NUMBER, value=value))

    assert (found["type"], found["value"]) == ("Input.Text", value)


def test_a_number_too_large_for_a_browser_is_not_taken_from_one() -> None:
    """9007199254740993 typed would arrive as …992, and somebody else's order be refunded."""
    found = element(Field(name="n", label="n", kind=FieldKind.NUMBER))

    assert (found["type"], found["max"], found["errorMessage"]) == ("Input.Number", 2**53 - 1, A_NUMBER)


def test_a_switch_stands_only_where_it_was_on_or_off_before() -> None:
    """A switch that nobody touched says "no"; where nothing was chosen, that would be somebody's choice."""
    known = Field(name="c", label="c", kind=FieldKind.YES_NO, value="yes")

    kinds = [
        element(one)["type"] for one in (known, replace(known, value=""), replace(known, is_required=False, value=""))
    ]

    assert kinds == ["Input.Toggle", "Input.ChoiceSet", "Input.ChoiceSet"]
    assert "isRequired" not in element(known), "a switch that is required has to be on"


@pytest.mark.parametrize("options", [tuple(map(str, range(101))), ("EUR", "x" * 101), ("a", " "), ()])
def test_a_choice_that_cannot_be_listed_is_typed(options: tuple[str, ...]) -> None:
    """A cut label could stand for two of them."""
    card = dialog(Field(name="c", label="c", kind=FieldKind.CHOICE, value="EUR", options=options))

    assert typed_into(card)["edit.c"]["type"] == "Input.Text"
    assert any(text.startswith("One of: ") for text in texts(card))


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        (replace(WHY, options=tuple(map(str, range(101)))), "Several, one a line. One of: 0, 1"),
        (replace(DAY, value="31.02.26"), "A date such as 2026-03-31."),
        (OWNER, "Somebody's name or id."),
        (Field(name="n", label="n", kind=FieldKind.NUMBER, value="many"), "A number."),
    ],
)
def test_what_inputs_cannot_hold_is_typed(field: Field, hint: str) -> None:
    card = dialog(field)

    assert typed_into(card)[f"edit.{field.name}"]["type"] == "Input.Text"
    assert any(text.startswith(hint) for text in texts(card))


def test_people_are_chosen_from_those_the_caller_names() -> None:
    """Two of one name are told apart by their ids; whoever is none of them is typed."""
    found = element(OWNER, people=PEOPLE)

    assert (found["style"], found["value"]) == ("filtered", "ana")
    assert [choice["title"] for choice in found["choices"]] == ["Ana (ana)", "Bo (bo)"]
    assert element(replace(OWNER, value="cy"), people=PEOPLE)["type"] == "Input.Text"


# ------------------------------------------------------------ reading back


def test_a_form_sent_as_it_was_changes_nothing() -> None:
    """What Teams sends back for untouched inputs is the very call."""
    assert read_back(edit(VALUES)) == VALUES


def test_what_is_typed_is_what_the_call_gets() -> None:
    changed = {"edit_amount": "12.5", "edit_currency": "=USD", "edit_is_express": "no", "edit_note": "*hi* &amp;"}

    typed = read_back(edit(VALUES), **changed)

    assert typed == VALUES | {"amount": 12.5, "currency": "USD", "is_express": False, "note": "*hi* &amp;"}


def test_an_optional_argument_can_be_taken_away() -> None:
    """Teams does not send an empty input at all, and the choice of none means the same."""
    typed = read_back(edit(VALUES), edit_note=None, edit_parcel=None, edit_currency="-", edit_until=None)

    assert typed == {"order_id": "7", "amount": 150, "is_express": True, "until": None}


def test_a_form_that_was_lost_on_the_way_takes_nothing_away() -> None:
    """msteams-docs#9291: in channels, a client sent the button's data and no input; no argument is dropped by it."""
    card = edit(VALUES)

    found = read_data(card["actions"][0]["data"])

    assert found is not None
    assert found.fields == {}


def test_the_only_field_left_empty_is_empty() -> None:
    found = read_data(dialog(Field(name="reason", label="Reason", is_required=False))["actions"][0]["data"])

    assert found is not None
    assert (found.fields, found.is_form) == ({"reason": ""}, True)


def test_several_choices_come_back_one_a_line() -> None:
    """Options hold commas and percent signs; Teams joins values with commas."""
    card = dialog(WHY, DAY)

    assert pressed(card).fields == {"why": "lo,st\n=br%oken", "day": "2026-03-31"}
    assert pressed(card, edit_why="=late").fields["why"] == "late"
    assert pressed(card, edit_why=None).fields["why"] == ""


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=8, unique=True), st.data())
def test_any_choice_reads_back_as_it_was(options: list[str], data: st.DataObject) -> None:
    """An option may be called anything, also what we call none."""
    field = Field(name="c", label="c", kind=FieldKind.CHOICE, options=tuple(options), is_required=False)
    found = element(field)
    if found["type"] == "Input.Text":
        return
    option = data.draw(st.sampled_from(options))

    values = [choice["value"] for choice in found["choices"]]

    assert pressed(dialog(field), edit_c=values[options.index(option) + 1]).fields == {"c": option}


@pytest.mark.parametrize("option", ["-", "=", "=EUR", "(none)", *NASTY[:5]])
def test_no_choice_can_be_mistaken_for_none(option: str) -> None:
    field = Field(name="c", label="c", kind=FieldKind.CHOICE, value=option, options=(option,), is_required=False)

    assert pressed(dialog(field)).fields == {"c": option}


def test_people_are_named_by_id_and_the_reader_is_told_which_fields_name_somebody() -> None:
    """Who was meant by a name is the directory's to say."""
    found = pressed(dialog(OWNER, DAY, people=PEOPLE), edit_owner="bo")

    assert (found.fields["owner"], found.people) == ("bo", frozenset({"owner"}))
    assert pressed(dialog(replace(OWNER, is_required=False), people=PEOPLE), edit_owner="-").fields == {"owner": ""}


def test_lines_come_back_as_lines_whatever_the_client() -> None:
    assert pressed(dialog(Field(name="a", label="a")), edit_a="one\r\ntwo\rthree").fields == {"a": "one\ntwo\nthree"}


@pytest.mark.parametrize("value", [["x"], {"a": 1}, "x" * (TYPED_MOST + 1)])
def test_what_no_input_sends_is_refused(value: object) -> None:
    """T13: whatever a client makes up is read as nothing, without an error."""
    assert read({"a": "typed"}, {"edit.a": value}, "edit") is None


@pytest.mark.parametrize("value", ["EUR", "=late,EUR", "x"])
def test_a_choice_that_is_none_of_ours_is_refused(value: str) -> None:
    assert read({"a": "picked"}, {"edit.a": value}, "edit") is None
    assert read({"a": "picked"}, {"edit.a": f"{CHOSEN}late"}, "edit") == {"a": "late"}


def test_numbers_and_switches_of_other_clients_are_read_too() -> None:
    """Some send them as such."""
    assert read({"n": "typed", "b": "typed"}, {"e.n": 12.5, "e.b": True}, "e") == {"n": "12.5", "b": "yes"}


# --------------------------------------------------------------- problems


def test_a_problem_stands_beside_its_field_and_what_was_typed_stays() -> None:
    """A dialog is drawn again; nobody writes a long answer twice."""
    card = dialog(*fields_of(NEEDED, VALUES), typed={"amount": "many", "note": "mine"}, problems={"amount": "a number"})

    found = typed_into(card)
    assert (found["edit.amount"]["type"], found["edit.amount"]["value"]) == ("Input.Text", "many")
    assert found["edit.note"]["value"] == "mine"
    body = card["body"]
    at = next(place for place, node in enumerate(body) if node.get("id") == "edit.amount")
    assert texts(body[at + 1]) == ["a number"]
    assert body[at + 1]["inlines"][0]["color"] == "Attention"


def test_a_problem_of_no_field_stands_above_them() -> None:
    card = dialog(Field(name="a", label="A"), problems={"": "Nothing was changed.", "token": "not here"})

    assert texts(card["body"][0]) == ["Nothing was changed. · token: not here"]


def test_where_nothing_can_be_redrawn_the_words_name_field_and_problem() -> None:
    """Decision 8: a click's answer is a line under the card."""
    fields = fields_of(NEEDED, VALUES)

    assert told({"amount": "a number, please", "": "Try again."}, fields) == "amount: a number, please · Try again."
    assert told({"amount": ""}, []) == "amount: "
    assert told({}, []) == "Please check this."


def test_a_form_on_a_card_is_the_same_form() -> None:
    """ShowCard or dialog: one drawer, one reader."""
    fields = fields_of(NEEDED, VALUES)
    inner = drawn(button(*fields), 1)["card"]

    assert inner["body"] == inputs(fields, "edit")[0] == edit(VALUES)["body"]
    assert read_back(inner) == VALUES
    assert faults({**edit(VALUES), "body": inner["body"]}) == ()
