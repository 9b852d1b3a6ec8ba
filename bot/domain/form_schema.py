"""Is this JSON Schema one that a form can be made of? Said before anybody is asked: a form that nobody can send waits
for ever, and one that cannot be read is the agent's mistake, not people's.

Not which fields it becomes, nor what people typed (forms).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.domain import pattern
from bot.domain.chat import FieldKind
from bot.domain.forms import EDIT_REASON, LONGEST_FIELD, fields_of
from bot.domain.inert import show_line
from bot.domain.wire import Json

FIELDS_MOST = 50  # of one form; Slack holds 100 blocks, and nobody fills in as many
OPTIONS_MOST = 500  # of one field
NAME_MOST = 80  # characters of a field's name
PATTERNS_MOST = 20  # fields with a pattern
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
COUNTS = ("minLength", "maxLength", "minItems", "maxItems")


def schema_flaw(schema: Mapping[str, Any], start: Mapping[str, Json]) -> str | None:
    """The first reason why people could not fill in a form of *schema* that begins with *start*, in one sentence."""
    return next(_flaws(schema, start), None)


def _flaws(schema: Mapping[str, Any], start: Mapping[str, Json]) -> Iterator[str]:
    parts, required = schema.get("properties"), schema.get("required", [])
    if not isinstance(parts, dict) or not parts:
        yield "the form has no field that people can fill in"
        return
    if not isinstance(schema.get("$defs", {}), dict):
        yield "its $defs are not an object"
        return
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        yield "its `required` is not a list of names"
        return
    if len(parts) > FIELDS_MOST:
        yield f"a form has at most {FIELDS_MOST} fields, and this one {len(parts)}"
    for name, part in parts.items():
        yield from (f"its field {show_line(name)[:NAME_MOST]} {told}" for told in _of_field(name, part, schema))
    yield from _of_all(schema, start)


def _of_all(schema: Mapping[str, Any], start: Mapping[str, Json]) -> Iterator[str]:
    """What is wrong with fields that are sound by themselves."""
    fields = {field.name: field for field in fields_of(schema, start)}
    if not fields:
        yield "the form has no field that people can fill in"
    if any(field.kind in (FieldKind.CHOICE, FieldKind.MULTI) and not field.options for field in fields.values()):
        yield "a field to choose in has nothing to choose from"
    if missing := [name for name in schema.get("required", ()) if name not in fields]:
        yield f"{show_line(missing[0])[:NAME_MOST]} is required, and no field that people can fill in"
    if sum("pattern" in one for part in schema["properties"].values() for one in _read(part, schema)) > PATTERNS_MOST:
        yield f"at most {PATTERNS_MOST} of its fields may have a pattern"


def _of_field(name: str, part: object, schema: Mapping[str, Any]) -> Iterator[str]:
    if not 0 < len(name) <= NAME_MOST or show_line(name) != name or name == EDIT_REASON:
        yield f"needs another name: 1 to {NAME_MOST} plain characters, and not {EDIT_REASON}"
    for one in _read(part, schema):
        if not isinstance(one, Mapping):
            yield "is not described by an object"
            return
        yield from _of_part(one)
        yield from _of_items(one, schema)


def _read(part: object, schema: Mapping[str, Any]) -> Iterator[Any]:
    """Everything that a field is read from: its own part, what that refers to, its alternatives and its items."""
    found = [part]
    for depth in range(4):  # a reference in an alternative of a reference: deeper, nothing is read
        yield from found
        inner = [below for one in found if isinstance(one, Mapping) for below in _below(one, schema)]
        found = inner if depth < 3 else []


def _below(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Any]:
    prefix, _, name = str(part.get("$ref", "")).rpartition("/")
    if prefix == "#/$defs" and name in schema.get("$defs", {}):
        yield schema["$defs"][name]
    if isinstance(either := part.get("anyOf"), list):
        yield from either
    if part.get("type") == "array" and isinstance(items := part.get("items"), Mapping):
        yield items


def _of_part(part: Mapping[str, Any]) -> Iterator[str]:
    if wrong := [key for key in BOUNDS if key in part and not _is_number(part[key])]:
        yield f"has a {wrong[0]} that is no number"
    if wrong := [key for key in COUNTS if key in part and not (type(part[key]) is int and part[key] >= 0)]:
        yield f"has a {wrong[0]} that is no count"
        return
    for least, most in (("minLength", "maxLength"), ("minItems", "maxItems")):
        if part.get(least, 0) > part.get(most, part.get(least, 0)):
            yield f"has a {least} above its {most}"
    if part.get("minLength", 0) > LONGEST_FIELD:
        yield f"has a minLength above the {LONGEST_FIELD:,} characters of a field"
    if told := _no_number(part):
        yield told
    if "pattern" in part and (told := pattern.flaw(part["pattern"])):
        yield f"has a pattern that {told}"
    options = part.get("enum", [""])
    if not isinstance(options, list) or not options:
        yield "has nothing to choose from"
    elif len(options) > OPTIONS_MOST:
        yield f"has more than {OPTIONS_MOST} values to choose from"
    elif any(isinstance(option, str) and len(option) > LONGEST_FIELD for option in options):
        yield f"has a value to choose of more than {LONGEST_FIELD:,} characters"


def _no_number(part: Mapping[str, Any]) -> str | None:
    """Bounds between which no number lies."""
    given = {key: part[key] for key in BOUNDS if _is_number(part.get(key))}
    least = max((given[key] for key in ("minimum", "exclusiveMinimum") if key in given), default=None)
    most = min((given[key] for key in ("maximum", "exclusiveMaximum") if key in given), default=None)
    if least is None or most is None or least < most:
        return None
    is_one = least == most and least not in (given.get("exclusiveMinimum"), given.get("exclusiveMaximum"))
    return None if is_one else "has bounds that no number keeps"


def _of_items(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """Of several choices, more have to be made than there are."""
    if part.get("type") != "array" or not isinstance(part.get("items"), Mapping):
        return
    items = (part["items"], *_below(part["items"], schema))
    found = (one["enum"] for one in items if isinstance(one, Mapping) and isinstance(one.get("enum"), list))
    options: list[Json] = next(found, [])
    least = part.get("minItems")
    if options and type(least) is int and least > len(options):
        yield f"has a minItems above the {len(options)} values to choose from"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
