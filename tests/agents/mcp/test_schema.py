"""Foreign schemas: held to, bounded, nothing fetched, never slow."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.mcp.errors import Unfit
from agents.mcp.schema import Schema
from bot.domain.errors import InvalidArguments

NESTED = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "minLength": 2},
        "most": {"type": "integer", "default": 5, "maximum": 50},
        "where": {"$ref": "#/$defs/where"},
        "kind": {"enum": ["open", "closed"]},
    },
    "required": ["query"],
    "additionalProperties": False,
    "$defs": {"where": {"type": "object", "properties": {"deep": {"type": "boolean", "default": False}}}},
}


def problems(schema: dict[str, Any], args: Any) -> dict[str, str]:
    with pytest.raises(InvalidArguments) as refused:
        Schema(schema).fitted("t", args)
    return refused.value.problems


def test_defaults_are_part_of_what_is_signed() -> None:
    """I8: also below an argument that is there, and through a local reference; a second time changes nothing."""
    schema = Schema(NESTED)

    fitted = schema.fitted("t", {"query": "ab", "where": {}})

    assert fitted == {"query": "ab", "most": 5, "where": {"deep": False}}
    assert schema.fitted("t", fitted) == fitted


def test_a_default_that_does_not_fit_is_left_to_the_server() -> None:
    """`null` for a text is what careless servers write."""
    schema = Schema({"type": "object", "properties": {"a": {"type": "string", "default": None}}})

    assert schema.fitted("t", {}) == {}


def test_each_field_has_one_sentence_and_no_value_is_repeated() -> None:
    """T20, T28: a value may be secret."""
    found = problems(NESTED, {"query": "s", "most": "canary", "kind": "x", "extra": 1, "where": {"deep": "y"}})

    assert found == {
        "query": "It must have at least 2 characters.",
        "most": "It must be a whole number.",
        "kind": 'It must be one of "open", "closed".',
        "extra": "There is no such argument.",
        "where.deep": "It must be true or false.",
    }
    assert problems(NESTED, {}) == {"query": "It is missing."}
    assert problems(NESTED, []) == {"arguments": "It must be an object."}


def wide(depth: int) -> dict[str, Any]:
    """Two references in each of *depth* layers: 2**depth checks, if somebody makes them."""
    layers = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(depth)}
    return {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/d0"}},
        "$defs": layers | {f"d{depth}": {"type": "string"}},
    }


@pytest.mark.parametrize("schema", [wide(40), {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}}])
@pytest.mark.timeout(10)
def test_a_schema_without_an_end_refuses_and_holds_nobody_up(schema: dict[str, Any]) -> None:
    """T18: of doubled references, and of one to itself."""
    assert problems(schema, {"a": "x"}) == {"arguments": "They cannot be checked: the schema leads nowhere."}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("draft", [None, "http://json-schema.org/draft-07/schema#"])
def test_a_slow_pattern_is_tried_on_nothing_slowly(draft: str | None) -> None:
    """T18: `(a+)+$` would take years in Python; also behind a reference to the whole, in a draft of its own."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}, "b": {"$ref": "#"}},
    }
    schema |= {"$schema": draft} if draft else {}

    assert problems(schema, {"b": {"a": "a" * 60 + "!"}}) == {"b.a": "It does not have the form that is wanted."}
    look_ahead = {"type": "object", "properties": {"a": {"pattern": "(?=x)"}}}
    assert Schema(look_ahead).fitted("t", {"a": "y"}) == {"a": "y"}  # the server tries its own


def deep(levels: int) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": deep(levels - 1)}} if levels else {"type": "object"}


REFUSED = [
    ({"type": "string"}, "does not describe an object"),
    ({}, "does not describe an object"),
    ({"type": "object", "properties": {"a": {"type": 3}}}, "is no JSON Schema"),
    ({"type": "object", "properties": []}, "is no JSON Schema"),
    ({"type": "object", "properties": {"a": True}}, "not described"),
    ({"type": "object", "properties": {"a": {"$ref": "http://evil.example/x"}}}, "nothing is fetched"),
    ({"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}}, "nothing is fetched"),
    ({"type": "object", "properties": {"a": {"$ref": "other.json"}}}, "nothing is fetched"),
    ({"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}}, "a part that it does not have"),
    ({"type": "object", "properties": {"a": {"$ref": "#/properties/b/default"}, "b": {"default": {}}}}, "no schema"),
    ({"type": "object", "properties": {"a": {"$id": "http://x/", "type": "string"}}}, "an address or a kind"),
    ({"type": "object", "$schema": "http://evil.example/schema"}, "not known here"),
    ({"type": "object", "patternProperties": {"(a+)+$": {}}}, "patternProperties"),
    ({"type": "object", "properties": {"a\u200bb": {}}}, "hides characters"),
    ({"type": "object", "properties": {"a": {"enum": ["x\U000e0041"]}}}, "hides characters"),
    (deep(30), "nested deeper"),
    ({"type": "object", "properties": {f"a{i}": {} for i in range(101)}}, "101 arguments"),
    ({"type": "object", "description": "x" * 70_000}, "bytes, more than"),
    ({"type": "object", "properties": {"a": {"default": float("nan")}}}, "cannot be written as JSON"),
    ({"type": "object", "properties": {"a": {"enum": [[i] for i in range(2_001)]}}}, "parts"),
]


@pytest.mark.parametrize(("schema", "told"), REFUSED)
def test_a_schema_that_cannot_be_held_to_is_refused(schema: dict[str, Any], told: str) -> None:
    """T18: no other document, no endless one, none that hides something."""
    with pytest.raises(Unfit) as refused:
        Schema(schema)
    assert told in refused.value.told


def test_the_schema_is_shown_word_for_word_but_for_hidden_prose() -> None:
    """An instruction in invisible letters is spelled out; an argument called `description` stays."""
    raw = {"type": "object", "properties": {"description": {"type": "string", "description": "who\u200bm"}}}

    assert json.loads(Schema(raw).text)["properties"] == {
        "description": {"type": "string", "description": "who⟨U+200B⟩m"}
    }
    assert json.loads(Schema(NESTED).text) == NESTED


def again(depth: int) -> dict[str, Any]:
    """Doubled references that only what is *un*evaluated follows: none of the words that count them is tried."""
    layers = {f"d{i}": {"dependentSchemas": {one: {"$ref": f"#/$defs/d{i + 1}"} for one in "pq"}} for i in range(depth)}
    return {"type": "object", "unevaluatedProperties": False, "$ref": "#/$defs/d0", "$defs": layers | {f"d{depth}": {}}}


@pytest.mark.parametrize(
    ("schema", "args"),
    [
        (again(40), {"p": 1, "q": 2}),
        (
            {"type": "object", "properties": {"a": {"contains": {"enum": [[at] * 3 for at in range(300)]}}}},
            {"a": [[1, 2, 4]] * 3_000},
        ),
    ],
)
@pytest.mark.timeout(10)
def test_whatever_is_slow_about_a_schema_is_counted(schema: dict[str, Any], args: Any) -> None:
    """T18: a server's words decide how long a check takes, and the whole bot waits for it."""
    assert problems(schema, args) == {"arguments": "They cannot be checked: the schema leads nowhere."}


@pytest.mark.timeout(10)
def test_many_items_are_compared_at_once() -> None:
    """Each with each would take a minute. 1 and 1.0 are one number; 1 and true are not."""
    schema = {"type": "object", "properties": {"a": {"uniqueItems": True}}}
    many: list[Any] = [{"k": at} for at in range(3_000)]

    assert Schema(schema).fitted("t", {"a": [*many, 1, True]})
    assert problems(schema, {"a": [1, 1.0]}) == {"a": "It does not fit the schema."}
    assert problems(schema, {"a": [*many, {"k": 5}]}) == {"a": "It does not fit the schema."}


@pytest.mark.parametrize("ref", ["#/anyOf/x", "#/title/x", "#/type/0/x", "#/anyOf/7", "#/anyOf/-1x"])
def test_a_reference_into_a_list_or_a_text_is_refused_in_a_sentence(ref: str) -> None:
    """T28: found by a library that raises whatever it likes."""
    with pytest.raises(Unfit, match="refers to a part"):
        Schema({"type": "object", "title": "abc", "anyOf": [{}], "properties": {"a": {"$ref": ref}}})


def test_a_number_that_no_float_holds_is_refused_in_a_sentence() -> None:
    schema = {"type": "object", "properties": {"a": {"multipleOf": 0.1}}}

    assert problems(schema, {"a": 10**400}) == {"arguments": "They cannot be checked: a number is too large."}
