"""Edit forms: what people typed becomes the arguments they meant, or a sentence beside the field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.calls import canonical
from bot.domain.chat import FieldKind
from bot.domain.errors import InvalidArguments
from bot.domain.forms import EDIT_REASON, LONGEST_FIELD, fields_of, values_from_fields
from bot.domain.wire import Json

SCHEMA: dict[str, Any] = {
    "title": "refund",
    "type": "object",
    "$defs": {"Speed": {"enum": ["slow", "fast"], "type": "string"}},
    "properties": {
        "text": {"type": "string"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "count": {"type": "integer"},
        "amount": {"type": ["number", "null"]},
        "is_urgent": {"type": "boolean"},
        "speed": {"$ref": "#/$defs/Speed"},
        "level": {"enum": [1, 2, None]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "token": {"type": "string"},
    },
    "required": ["text", "count", "note", "amount", "is_urgent", "speed", "level", "tags"],
}
VALUES: dict[str, Json] = {
    "text": "hello",
    "note": None,
    "count": 3,
    "amount": 12.5,
    "is_urgent": True,
    "speed": "fast",
    "level": 2,
    "tags": ["a"],
    "token": "s3cret",
}


def read(fields: dict[str, object], **more: Any) -> dict[str, Json]:
    return values_from_fields(SCHEMA, fields, **more)


def problem(name: str, typed: object) -> str:
    with pytest.raises(InvalidArguments) as refused:
        read({name: typed})
    assert list(refused.value.problems) == [name]
    return refused.value.problems[name]


def test_every_kind_of_argument_gets_a_field_of_its_kind() -> None:
    kinds = {field.name: field.kind for field in fields_of(SCHEMA, VALUES)}

    assert kinds == {
        "text": FieldKind.TEXT,
        "note": FieldKind.TEXT,
        "count": FieldKind.NUMBER,
        "amount": FieldKind.NUMBER,
        "is_urgent": FieldKind.YES_NO,
        "speed": FieldKind.CHOICE,
        "level": FieldKind.CHOICE,
        "tags": FieldKind.LONG_TEXT,
        "token": FieldKind.TEXT,
    }


def test_a_secret_has_no_field_and_cannot_be_set_by_a_forged_one() -> None:
    """T20: a form that names the secret all the same is refused."""
    assert "token" not in [field.name for field in fields_of(SCHEMA, VALUES, secrets=("token",))]
    with pytest.raises(InvalidArguments, match="not a field"):
        read({"token": "mine"}, was=VALUES, secrets=("token",))


@given(
    st.fixed_dictionaries(
        {
            "text": st.text(max_size=200),
            "note": st.none() | st.text(max_size=200),
            "count": st.integers(),
            "amount": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "is_urgent": st.booleans(),
            "speed": st.sampled_from(["slow", "fast"]),
            "level": st.sampled_from([1, 2, None]),
            "tags": st.lists(st.text(max_size=20), max_size=5),
        }
    )
)
def test_a_form_sent_unchanged_means_the_same_call(values: dict[str, Json]) -> None:
    """T06: canonical bytes before and after are equal, whatever characters the values hold."""
    fields = {field.name: field.value for field in fields_of(SCHEMA, values)}

    assert canonical(values_from_fields(canonical(SCHEMA).decode(), fields, was=values)) == canonical(values)


def test_what_is_typed_is_what_is_meant() -> None:
    typed = {
        "text": "5",
        "note": "x",
        "count": " 7 ",
        "amount": "1e3",
        "is_urgent": "No",
        "speed": "slow",
        "level": "1",
    }

    assert read({**typed, "tags": '["b"]'}, was=VALUES) == {
        **VALUES,
        "text": "5",
        "note": "x",
        "count": 7,
        "amount": 1000.0,
        "is_urgent": False,
        "speed": "slow",
        "level": 1,
        "tags": ["b"],
    }


@pytest.mark.parametrize("typed", ["1,000", "12 €", "NaN", "Infinity", "0x10", "1.5", "true", '"3"', "١٢", "1e400"])
def test_a_number_is_read_strictly(typed: str) -> None:
    """Nothing is guessed: no thousands marks, no units, no fraction where a whole number is wanted."""
    assert "number" in problem("count", typed)


@pytest.mark.parametrize(
    ("name", "typed", "told"),
    [
        ("is_urgent", "maybe", "yes or no"),
        ("speed", "faster", "one of slow, fast"),
        ("tags", "[1", "not JSON"),
        ("tags", '{"a":1,"a":2}', "appears twice"),
        ("count", "", "a value is needed"),
        ("count", object(), "cannot be read"),
        ("price", "1", "not a field"),
    ],
)
def test_a_field_that_cannot_be_read_is_answered_beside_it(name: str, typed: object, told: str) -> None:
    assert told in problem(name, typed)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidArguments) as refused:
        read({"count": "x", "is_urgent": "y", "text": "fine"})

    assert list(refused.value.problems) == ["count", "is_urgent"]


def test_platforms_that_send_toggles_and_numbers_as_such_are_understood() -> None:
    assert read({"is_urgent": False, "count": 4, "amount": None}) == {"is_urgent": False, "count": 4, "amount": None}


def test_an_emptied_optional_argument_is_taken_away() -> None:
    assert read({"token": ""}, was={"text": "x", "token": "y"}) == {"text": "x"}


def test_a_very_long_value_keeps_what_it_was() -> None:
    """A platform's field would cut it: it has no field, and the edit leaves it alone."""
    values = {**VALUES, "text": "x" * (LONGEST_FIELD + 1)}
    fields = {field.name: field.value for field in fields_of(SCHEMA, values)}

    assert "text" not in fields
    assert read({**fields}, was=values) == values


def test_the_reason_of_an_edit_is_not_an_argument() -> None:
    assert read({EDIT_REASON: "typo", "text": "x"}) == {"text": "x"}


def test_a_schema_without_named_arguments_gives_no_form() -> None:
    assert fields_of("{}", {"a": 1}) == ()
