"""What an agent writes as a form: what nobody could fill in, or what would hold up the bot, is put to nobody."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bot.domain import pattern
from bot.domain.form_check import problems_of
from bot.domain.form_schema import FIELDS_MOST, OPTIONS_MOST, PARTS_MOST, PATTERNS_MOST, schema_flaw
from bot.domain.forms import values_from_fields
from bot.domain.wire import Json


def form(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


TEXT = {"type": "string"}
SLOW = "^(a+)+$"


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (form(), "no field"),
        ({"properties": [TEXT]}, "no field"),
        (form(a="text"), "not described by an object"),
        (form(a={"anyOf": ["string", {"type": "null"}]}), "not described by an object"),
        (form(a={"type": "string", "minLength": "abc"}), "a minLength that is no count"),
        (form(a={"type": "string", "maxLength": -1}), "a maxLength that is no count"),
        (form(a={"type": "string", "minLength": 9, "maxLength": 2}), "a minLength above its maxLength"),
        (form(a={"type": "number", "minimum": "3"}), "a minimum that is no number"),
        (form(a={"type": "number", "minimum": 5, "maximum": 4}), "bounds that no number keeps"),
        (form(a={"type": "number", "minimum": 5, "exclusiveMaximum": 5}), "bounds that no number keeps"),
        (form(a={"type": "string", "minLength": 3_001}), "above the 3,000 characters of a field"),
        (form(a={"enum": ["x" * 3_001, "y"]}), "a value to choose of more than 3,000 characters"),
        (form(a={"type": "array", "items": {"enum": ["x"]}, "minItems": 2}), "a minItems above the 1 values"),
        (form(a={"type": "array", "items": {"enum": ["x"]}, "minItems": None}), "a minItems that is no count"),
        (form(a={"type": "string", "pattern": "("}), "a pattern that cannot be tried"),
        (form(a={"type": "string", "pattern": "(?=a)a"}), "a pattern that cannot be tried"),
        (form(a={"type": "string", "pattern": 7}), "a pattern that is not a text"),
        (form(a={"type": "string", "pattern": "x" * 201}), "a pattern that is too large"),
        (form(a={"type": "string", "pattern": "((a{100}){100}){100}"}), "a pattern that is too large"),
        (form(a={"anyOf": [{"type": "string", "pattern": "("}, {"type": "null"}]}), "a pattern that cannot be tried"),
        ({**form(a={"$ref": "#/$defs/A"}), "$defs": {"A": {"type": "string", "pattern": "("}}}, "cannot be tried"),
        ({**form(a={"$ref": "#/$defs/A"}), "$defs": [1]}, "$defs are not an object"),
        (form(a={"type": "string", "not": {"const": "x"}}), "has a not, which cannot be checked here"),
        (form(a={"type": "array", "contains": TEXT}), "has a contains, which cannot be checked here"),
        (form(a={"type": "array", "items": {"if": TEXT}}), "has a if, which cannot be checked here"),
        (form(a={"type": "object", "properties": {"b": {"propertyNames": TEXT}}}), "has a propertyNames, which"),
        (form(a={"type": "string", "format": "password"}), "has the format password, which cannot be checked here"),
        (form(a={"type": "string", "format": 7}), "has a format that cannot be read"),
        (form(a={"type": "array", "uniqueItems": "yes"}), "has a uniqueItems that cannot be read"),
        (form(a={"type": "integer", "multipleOf": 0}), "has a multipleOf that is no number above 0"),
        (form(a={"type": "day"}), "has a type that is none of string"),
        (form(a={"type": []}), "has a type that is none of string"),
        (form(a={"anyOf": []}), "has a anyOf that is no list of parts"),
        (form(a={"type": "array", "items": [TEXT]}), "not described by an object"),
        (form(a={"type": "object", "required": [1]}), "has a required that is not a list of names"),
        (form(a={"$ref": "https://example.com/a"}), "refers to https://example.com/a, which does not stand in"),
        (form(a={"allOf": [{"title": f"{n}"} for n in range(PARTS_MOST + 1)]}), "more than 600 parts"),
        ({**form(a=TEXT), "if": {}}, "its if cannot be checked here"),
        ({**form(a=TEXT), "required": 5}, "`required` is not a list of names"),
        ({**form(a=TEXT), "required": [{}]}, "`required` is not a list of names"),
        ({**form(a=TEXT), "required": ["b"]}, "b is required, and no field"),
        (form(**{f"f{n}": TEXT for n in range(FIELDS_MOST + 1)}), f"at most {FIELDS_MOST} fields"),
        (form(**{f"f{n}": {"pattern": "a", **TEXT} for n in range(PATTERNS_MOST + 1)}), "may have a pattern"),
        (form(a={"enum": [str(n) for n in range(OPTIONS_MOST + 1)]}), f"more than {OPTIONS_MOST} values"),
        (form(a={"enum": []}), "nothing to choose from"),
        (form(**{"": TEXT}), "another name"),
        (form(**{"a\u202eb": TEXT}), "another name"),
        (form(**{"n" * 81: TEXT}), "another name"),
        (form(_reason=TEXT), "another name"),
    ],
)
def test_a_form_that_nobody_could_send_is_told_to_its_agent(schema: dict[str, Any], why: str) -> None:
    """ST-13, T18: one sentence for the model, instead of a card that waits for ever or a run that breaks."""
    assert why in (schema_flaw(schema, {}) or "no flaw")


def test_a_required_text_too_long_for_a_field_is_a_flaw() -> None:
    """It would get no field, and so never a value."""
    told = schema_flaw({**form(a=TEXT), "required": ["a"]}, {"a": "x" * 4_000})

    assert told == "the form has no field that people can fill in"


def test_an_ordinary_form_has_no_flaw() -> None:
    """What pydantic writes for a model, with an alternative, a reference, a pattern and bounds."""
    size: dict[str, Json] = {"enum": ["s", "m"], "type": "string"}
    schema = {
        "title": "Shirt",
        "type": "object",
        "$defs": {"Size": size},
        "properties": {
            "size": {"$ref": "#/$defs/Size"},
            "code": {"anyOf": [{"type": "string", "pattern": r"^[A-Z]{2}\d{4}$"}, {"type": "null"}], "default": None},
            "count": {"type": "integer", "minimum": 1, "maximum": 9},
            "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1},
        },
        "required": ["size", "count"],
    }

    assert schema_flaw(schema, {"count": 1}) is None
    wrong = {"size": "m", "code": "AB12", "count": "3", "tags": "a"}
    assert problems_of(schema, values_from_fields(schema, wrong)) == {
        "code": "That does not have the form that is wanted."
    }


def test_a_pattern_made_to_be_slow_is_tried_in_a_moment() -> None:
    """T18: Python's own engine would need longer than the universe is old, and everybody's clicks would wait."""
    schema, began = form(a={"type": "string", "pattern": SLOW}), time.process_time()

    assert schema_flaw(schema, {}) is None
    assert problems_of(schema, {"a": "a" * 2_000 + "!"}) == {"a": "That does not have the form that is wanted."}
    assert not problems_of(schema, {"a": "aaaa"})

    assert time.process_time() - began < 1


@pytest.mark.parametrize("wanted", [r"\w{450}", r"(\w{20}){20}", r"(\w{2}\d{2}){5}" * 5])
def test_the_largest_patterns_are_built_in_a_moment(wanted: str) -> None:
    began = time.process_time()

    pattern.flaw(wanted)

    assert time.process_time() - began < 1


def test_what_is_required_and_may_be_null_can_be_left_empty() -> None:
    """Nobody could send the form before: an empty field is null, and null was not taken for an answer."""
    schema = {**form(a={"anyOf": [{"type": "string"}, {"type": "null"}]}), "required": ["a"]}

    values = values_from_fields(schema, {"a": ""})

    assert values == {"a": None}
    assert not problems_of(schema, values)
    assert problems_of(schema, {}) == {"a": "Please fill this in."}
    assert problems_of({**form(a=TEXT), "required": ["a"]}, {"a": None}) == {"a": "Please fill this in."}
