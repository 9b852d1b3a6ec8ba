"""Edit forms: what people typed becomes the arguments they meant, or a sentence beside the field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.calls import canonical
from bot.domain.chat import FieldKind
from bot.domain.errors import InvalidArguments
from bot.domain.form_check import problems_of
from bot.domain.forms import EDIT_REASON, LONGEST_FIELD, fields_of, people_in, values_from_fields
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


# ------------------------------------------------- dates, people, several

MORE: dict[str, Any] = {
    "type": "object",
    "$defs": {"Class": {"enum": ["late", "lost", "broken"], "type": "string"}},
    "properties": {
        "day": {"type": "string", "format": "date"},
        "why": {"type": "array", "items": {"$ref": "#/$defs/Class"}, "minItems": 1, "maxItems": 2},
        "tags": {"type": "array", "items": {"enum": ["a", "[b]", "two\nlines"], "type": "string"}},
        "owner": {"anyOf": [{"type": "string", "format": "person"}, {"type": "null"}]},
        "amount": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1000},
    },
    "required": ["day", "why", "amount", "tags"],
}


def more(**fields: object) -> dict[str, Json]:
    return values_from_fields(MORE, fields)


def test_dates_people_and_several_choices_have_fields_of_their_kind() -> None:
    fields = {field.name: field for field in fields_of(MORE, {"why": ["late", "lost"], "day": "2026-03-31"})}

    assert [(name, field.kind) for name, field in fields.items()] == [
        ("day", FieldKind.DATE),
        ("why", FieldKind.MULTI),
        ("tags", FieldKind.MULTI),
        ("owner", FieldKind.PERSON),
        ("amount", FieldKind.NUMBER),
    ]
    assert fields["why"].value == "late\nlost"
    assert fields["tags"].options == ("a", "[b]", "two⟨U+000A⟩lines")
    assert [fields[name].is_required for name in ("day", "why", "tags", "owner")] == [True, True, False, False]


@given(
    st.fixed_dictionaries(
        {
            "day": st.dates().map(str),
            "why": st.lists(st.sampled_from(["late", "lost", "broken"]), max_size=4),
            "tags": st.lists(st.sampled_from(["a", "[b]", "two\nlines"]), max_size=4),
            "owner": st.none() | st.sampled_from(["bo", "slack.T1.U2"]),
            "amount": st.integers(1, 999),
        }
    )
)
def test_a_form_of_every_kind_sent_unchanged_means_the_same(values: dict[str, Json]) -> None:
    """T06: also a list in which something stands twice."""
    fields = {field.name: field.value for field in fields_of(MORE, values)}

    assert canonical(values_from_fields(MORE, fields, was=values)) == canonical(values)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("late\nlost", ["late", "lost"]),
        (["lost"], ["lost"]),
        ('["late", "late"]', ["late", "late"]),
        ("", []),
        ([], []),
    ],
)
def test_several_choices_come_as_lines_or_as_a_list(typed: object, meant: list[str]) -> None:
    """A page sends lines, a terminal what was typed, another platform a list."""
    assert more(why=typed) == {"why": meant}


@pytest.mark.parametrize(
    ("name", "typed", "told"),
    [
        ("day", "31.02.26", "a date such as 2026-03-31, please"),
        ("day", "2026-02-31", "a date such as 2026-03-31, please"),
        ("day", "20260331", "a date such as 2026-03-31, please"),
        ("day", "", "a value is needed"),
        ("why", "late\nwrong", "some of late, lost, broken"),
        ("why", "[1]", "some of late, lost, broken"),
        ("why", "[late", "this is not JSON"),
        ("owner", "Bo Lima", "the name of one person, please"),
        ("owner", "<@U1>", "the name of one person, please"),
        ("amount", "abc", "a number such as 12 or 12.5, please"),
    ],
)
def test_what_is_none_of_its_kind_is_said_beside_it(name: str, typed: str, told: str) -> None:
    """ST-43: "abc" and a day that does not exist."""
    with pytest.raises(InvalidArguments) as refused:
        more(**{name: typed})

    assert list(refused.value.problems) == [name]
    assert told in refused.value.problems[name]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"amount": -5}, {"amount": "Must be more than 0."}),
        ({"amount": 1000}, {"amount": "Must be less than 1000."}),
        ({"why": []}, {"why": "At least 1, please."}),
        ({"why": ["late"] * 3}, {"why": "At most 2, please."}),
        ({"day": ""}, {"day": "Please fill this in."}),
        ({}, {}),
    ],
)
def test_bounds_are_said_beside_the_field(values: dict[str, Json], told: dict[str, str]) -> None:
    """ST-43: −5 is refused in place, 45.10 is not."""
    whole: dict[str, Json] = {"day": "2026-03-31", "why": ["late"], "amount": 45.1, "tags": []}

    assert problems_of(MORE, {**whole, **values}) == told


def test_what_a_field_cannot_begin_with_is_shown_to_be_corrected() -> None:
    """AS-27: the anomaly itself stands in the form, as it is."""
    fields = {field.name: field for field in fields_of(MORE, {"day": "31.02.26", "owner": "Bo Lima", "why": ["x"]})}

    assert (fields["day"].kind, fields["day"].value) == (FieldKind.TEXT, "31.02.26")
    assert (fields["owner"].kind, fields["owner"].value) == (FieldKind.TEXT, "Bo Lima")
    assert (fields["why"].kind, fields["why"].value) == (FieldKind.TEXT, '["x"]')


def test_the_people_of_a_form_are_told_by_field() -> None:
    assert people_in(MORE, more(owner="@bo")) == {"owner": "bo"}
    assert people_in(MORE, {"owner": None}) == {}


def test_a_list_of_anything_else_stays_json() -> None:
    """Numbers, objects, free texts: no platform has a field for them."""
    schema = {"properties": {"n": {"type": "array", "items": {"enum": [1, 2]}}, "t": {"type": "array", "items": {}}}}

    assert [field.kind for field in fields_of(schema, {})] == [FieldKind.LONG_TEXT, FieldKind.LONG_TEXT]
    assert values_from_fields(schema, {"n": "[]"}, was={"n": [1]}) == {"n": []}


@pytest.mark.parametrize("choices", [["1", 1], [True, "true"], ["", 1], [None, "null"], ['"1"', "1", 1]])
def test_a_text_and_a_number_of_the_same_spelling_are_two_choices(choices: list[Json]) -> None:
    """ST-13: each has its own label, each is read as itself, and a form that begins with one names that one."""
    schema = {"properties": {"a": {"enum": choices}}, "required": ["a"]}
    (field,) = fields_of(schema, {})

    assert len(field.options) == len(choices)
    assert [canonical(values_from_fields(schema, {"a": label})["a"]) for label in field.options] == [
        canonical(choice) for choice in choices
    ]
    assert [fields_of(schema, {"a": choice})[0].value for choice in choices] == list(field.options)
