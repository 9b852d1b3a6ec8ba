"""What people typed against every keyword of a form's schema: one sentence beside the field, while the card is open."""

from __future__ import annotations

import time
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from bot.domain.calls import canonical
from bot.domain.chat import FieldKind
from bot.domain.errors import InvalidArguments
from bot.domain.form_check import TOO_MUCH, problems_of
from bot.domain.form_formats import FORMATS
from bot.domain.form_schema import schema_flaw
from bot.domain.forms import fields_of, values_from_fields
from bot.domain.wire import Json


def form(part: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": part}, **more}


PAIR = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("part", "wrong", "told", "right"),
    [
        ({"type": "integer", "multipleOf": 5}, 7, "Must be a multiple of 5.", 10),
        ({"type": "number", "multipleOf": 0.1}, 0.25, "Must be a multiple of 0.1.", 0.3),
        ({"const": "x", "type": "string"}, "y", 'Must be "x".', "x"),
        ({"enum": [1, "b"]}, True, "Please choose one of the values that are wanted here.", 1),
        ({"type": "array", "uniqueItems": True}, [1, 1.0], "Each only once, please.", [1, True]),
        ({"type": "array", "items": {"type": "integer"}}, [1, "b"], "Number 2: Must be a whole number.", [1, 2.0]),
        ({"type": "array", "items": {"minimum": 3}}, [3, 2], "Number 2: Must be at least 3.", [3, "text"]),
        ({"type": "array", "prefixItems": [{"type": "string"}]}, [1], "Number 1: Must be a text.", ["a", 1]),
        (PAIR, {}, "x is missing.", {"x": 1}),
        (PAIR, {"x": 1, "y": 2}, "y is no name that is wanted here.", {"x": 1}),
        ({"additionalProperties": {"type": "integer"}}, {"z": "1"}, "z: Must be a whole number.", {"z": 1}),
        ({"type": "object", "minProperties": 1}, {}, "At least 1 names, please.", {"a": None}),
        ({"type": "object", "maxProperties": 1}, {"a": 1, "b": 2}, "At most 1 names, please.", {"a": 1}),
        ({"type": ["integer", "array"]}, "1", "Must be a whole number or a list such as [1, 2].", [1]),
        ({"anyOf": [{"type": "integer"}, {"type": "array"}]}, "x", "This is none of what is wanted here.", 1),
        (
            {"oneOf": [{"type": "integer"}, {"type": "number"}]},
            1,
            "This could mean more than one of what is wanted here.",
            1.5,
        ),
        ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, 3, "Must be at most 2.", 2),
        ({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}, 0, "Must be at least 1.", None),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}], "minLength": 3},
            "ab",
            "At least 3 characters, please.",
            None,
        ),
        ({"$ref": "#/$defs/D", "maximum": 5}, 6, "Must be at most 5.", 4),
        ({"$ref": "#/$defs/D"}, 1, "Must be a multiple of 2.", 2),
        ({"type": "array", "items": {"$ref": "#/$defs/D"}}, [2, 3], "Number 2: Must be a multiple of 2.", [2]),
    ],
)
def test_every_keyword_is_checked_beside_its_field(part: Any, wrong: Json, told: str, right: Json) -> None:
    """ST-43: what the agent could not use is not taken from people."""
    schema = form(part, **{"$defs": {"D": {"type": "integer", "multipleOf": 2}}})

    assert schema_flaw(schema, {}) is None
    assert problems_of(schema, {"a": wrong}) == {"a": told}
    assert problems_of(schema, {"a": right}) == {}


TYPES: dict[str, Any] = {"date": date, "date-time": datetime, "uuid": UUID}


WRITTEN = [
    ("date", "2026-03-31", "2026-02-31"),
    ("date-time", "2026-03-31T09:30:00Z", "2026-03-31T09:30:00"),
    ("time", "09:30", "9.30 h"),
    ("duration", "PT1H30M", "90 minutes"),
    ("email", "ana@example.com", "ana at example.com"),
    ("uri", "https://example.com/a?b", "example.com"),
    ("uuid", "6f1c2d3e-0000-4000-8000-000000000001", "6f1c2d3e"),
    ("ipv4", "192.0.2.1", "192.0.2.256"),
    ("ipv6", "2001:db8::1", "2001:db8"),
    ("ipvanyaddress", "192.0.2.1", "here"),
    ("person", "bo", "Bo Lima"),
]


@pytest.mark.parametrize(("name", "right", "wrong"), WRITTEN)
def test_a_text_of_every_format_is_checked_and_how_to_write_it_is_said(name: str, right: str, wrong: str) -> None:
    """ST-43: also where a list of them is typed; what we take, pydantic takes."""
    schema = form({"type": "array", "items": {"type": "string", "format": name}})

    assert problems_of(schema, {"a": [right]}) == {}
    assert problems_of(schema, {"a": [right, wrong]}) == {"a": f"Number 2: Please write {FORMATS[name].example}."}
    TypeAdapter(TYPES.get(name, str)).validate_python(right)


def test_there_is_a_case_for_every_format() -> None:
    assert {name for name, _, _ in WRITTEN} == set(FORMATS)


def test_a_schema_made_to_be_slow_is_given_up_in_a_moment() -> None:
    """T18: alternatives of alternatives, a part that means itself, and a list with a pattern for each item."""
    doubled = {f"D{n}": {"anyOf": [{"$ref": f"#/$defs/D{n + 1}"}] * 2} for n in range(30)}
    schema = form({"$ref": "#/$defs/D0"}, **{"$defs": {**doubled, "D30": {"type": "array"}}})
    looped = form({"$ref": "#/$defs/A"}, **{"$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}]}}})
    listed = form({"type": "array", "items": {"type": "string", "pattern": "^[a-z]{500}$"}})
    began = time.process_time()

    assert [schema_flaw(one, {}) for one in (schema, looped, listed)] == [None] * 3
    assert problems_of(schema, {"a": "x"}) == {"a": TOO_MUCH}
    assert problems_of(looped, {"a": "x"}) == {"a": TOO_MUCH}
    assert problems_of(listed, {"a": ["a" * 500] * 100}) == {"a": TOO_MUCH}
    assert problems_of(listed, {"a": ["a" * 500] * 5}) == {}

    assert time.process_time() - began < 1


# ------------------------------------------------------------------- decimals


class Bill(BaseModel):
    amount: Annotated[Decimal, Field(gt=0)]
    tip: Decimal | None = None


BILL = Bill.model_json_schema()


def test_a_decimal_is_a_number_with_a_kind_word_beside_it() -> None:
    """ST-43: “12,50 EUR” and “[1]” are told how a number is written; 12.50 is taken, and a Bill."""
    assert [field.kind for field in fields_of(BILL, {})] == [FieldKind.NUMBER] * 2
    assert schema_flaw(BILL, {}) is None
    for typed in ("12,50 EUR", "[1]", '"12.5"'):
        with pytest.raises(InvalidArguments) as refused:
            values_from_fields(BILL, {"amount": typed})
        assert refused.value.problems == {"amount": "a number such as 12 or 12.5, please"}

    values = values_from_fields(BILL, {"amount": "12.50", "tip": ""})

    assert problems_of(BILL, values) == {}
    assert problems_of(BILL, {"amount": -1}) == {"amount": "Must be more than 0.0."}
    assert Bill.model_validate(values) == Bill(amount=Decimal("12.5"))


def test_no_digit_of_a_decimal_is_lost() -> None:
    """T06: what a number of JSON cannot hold is not rounded behind anybody's back."""
    with pytest.raises(InvalidArguments, match="at most 15 digits"):
        values_from_fields(BILL, {"amount": "0.12345678901234567890"})


@pytest.mark.parametrize("amount", ["12.50", 12.5, "0.12345678901234567890", "about 12"])
def test_a_decimal_that_nobody_touched_stays_as_it_was(amount: Json) -> None:
    """T06: a tool keeps decimals as texts; the edit form sends them back unchanged."""
    was: dict[str, Json] = {"amount": amount}
    fields = {field.name: field.value for field in fields_of(BILL, was)}

    assert canonical(values_from_fields(BILL, fields, was=was)) == canonical(was)
    assert values_from_fields(BILL, {**fields, "amount": "13"}, was=was)["amount"] == 13


# ------------------------------------------------------------------ agreement


class Everything(BaseModel):
    step: Annotated[int, Field(multiple_of=5)]
    share: Annotated[float, Field(ge=0, lt=1)] = 0
    kind: Literal["only"]
    tags: set[Literal["a", "b"]] = set()
    pairs: list[tuple[int, str]] = []
    counts: dict[str, int] = {}
    when: datetime | None = None
    who: UUID | None = None
    code: Annotated[str, Field(pattern="^[A-Z]{2}$")] = "AB"


GOOD: dict[str, Json] = {"step": 5, "kind": "only"}


@pytest.mark.parametrize(
    "values",
    [
        {"step": 7},
        {"step": "5x"},
        {"share": 1},
        {"kind": "other"},
        {"tags": ["c"]},
        {"pairs": [[1]]},
        {"pairs": [[1, "a", 2]]},
        {"pairs": [["x", "a"]]},
        {"counts": {"a": "x"}},
        {"when": "tomorrow"},
        {"who": "me"},
        {"code": "abc"},
    ],
)
def test_what_a_models_schema_lets_through_the_model_takes(values: dict[str, Json]) -> None:
    """ST-43: both refuse the same, so no run fails on what people were allowed to send."""
    schema = Everything.model_json_schema()

    assert schema_flaw(schema, {}) is None
    assert problems_of(schema, {**GOOD, **values}).keys() == values.keys()
    with pytest.raises(ValidationError):
        Everything.model_validate({**GOOD, **values})
    assert not problems_of(schema, GOOD)
    assert Everything.model_validate(GOOD)
