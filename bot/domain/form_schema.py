"""Is this JSON Schema one that a form can be made of? Said before anybody is asked: a form that nobody can send waits
for ever, and one that cannot be read is the agent's mistake, not people's. So is a keyword that cannot be checked while
the card is open: an answer would be taken that the agent then cannot use.

Not which fields it becomes, nor what people typed (forms, form_check).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from bot.domain import pattern
from bot.domain.chat import FieldKind
from bot.domain.form_check import KEYWORDS, NOTES, TYPES
from bot.domain.form_formats import FORMATS
from bot.domain.form_slots import followed, meant_by
from bot.domain.forms import EDIT_REASON, LONGEST_FIELD, fields_of
from bot.domain.inert import show_line
from bot.domain.wire import Json

FIELDS_MOST = 50  # of one form; Slack holds 100 blocks, and nobody fills in as many
OPTIONS_MOST = 500  # of one field
NAME_MOST = 80  # characters of a field's name
PATTERNS_MOST = 20  # fields with a pattern
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
PARTS_MOST = 600  # of one field: what it refers to, its alternatives, its items and theirs
LISTS, OBJECTS = ("anyOf", "oneOf", "allOf", "prefixItems"), ("properties",)  # keywords that hold further parts
WHOLE = {"type", "properties", "required", "additionalProperties"}  # keywords that mean something at the top
SHAPES: Mapping[str, type] = {"uniqueItems": bool, "properties": dict, "required": list, "format": str}


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
    if unknown := _unknown(schema, WHOLE):
        yield f"its {show_line(unknown)} cannot be checked here"
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
    if len(read := list(_read(part, schema))) > PARTS_MOST:
        yield f"is described by more than {PARTS_MOST} parts"
        return
    for one in read:
        if not isinstance(one, Mapping):
            yield "is not described by an object"
            return
        if "$ref" in one and followed(one, schema) is one:
            yield f"refers to {show_line(str(one['$ref']))[:NAME_MOST]}, which does not stand in its $defs"
        yield from _of_part(one)
        yield from _of_items(one, schema)


def _read(part: object, schema: Mapping[str, Any]) -> Iterator[Any]:
    """Everything that a field's values are held against, each part once; of more than PARTS_MOST, one too many."""
    if isinstance(part, Mapping) and (meant := meant_by(part, schema)).may_be_text:
        part = meant.part  # read as a number: what it says of texts is held against nothing
    found = {id(part): part}
    left = deque([part])
    for _ in range(PARTS_MOST + 1):
        if not left:
            return
        yield (one := left.popleft())
        if isinstance(one, Mapping):
            new = {id(below): below for below in _below(one, schema) if id(below) not in found}
            found |= new
            left += new.values()


def _below(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Any]:
    if (target := followed(part, schema)) is not part:
        yield target
    for keyword in LISTS:
        yield from inner if isinstance(inner := part.get(keyword), list) else ()
    for keyword in OBJECTS:
        yield from inner.values() if isinstance(inner := part.get(keyword), Mapping) else ()
    if "items" in part:
        yield part["items"]
    if not isinstance(other := part.get("additionalProperties", True), bool):
        yield other


def _unknown(part: Mapping[str, Any], known: Collection[str]) -> str | None:
    """The first keyword that limits a value in a way that nothing here checks."""
    return next((name for name in part if name not in known and name not in NOTES and not name.startswith("x-")), None)


def _of_part(part: Mapping[str, Any]) -> Iterator[str]:
    yield from _of_keywords(part)
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


def _of_keywords(part: Mapping[str, Any]) -> Iterator[str]:
    """What it says that cannot be checked, or not be read."""
    if unknown := _unknown(part, KEYWORDS):
        yield f"has a {show_line(unknown)[:NAME_MOST]}, which cannot be checked here"
    if wrong := [key for key, shape in SHAPES.items() if key in part and not isinstance(part[key], shape)]:
        yield f"has a {wrong[0]} that cannot be read"
        return
    if wrong := [key for key in LISTS if key in part and not (isinstance(part[key], list) and part[key])]:
        yield f"has a {wrong[0]} that is no list of parts"
    named = part.get("type", "string")
    if not named or not all(isinstance(one, str) and one in TYPES for one in _listed(named)):
        yield f"has a type that is none of {', '.join(TYPES)}"
    if "format" in part and "string" in _listed(part.get("type", "string")) and part["format"] not in FORMATS:
        yield f"has the format {show_line(part['format'])[:NAME_MOST]}, which cannot be checked here"
    if "multipleOf" in part and not (_is_number(part["multipleOf"]) and part["multipleOf"] > 0):
        yield "has a multipleOf that is no number above 0"
    if not all(isinstance(name, str) for name in part.get("required", [])):
        yield "has a required that is not a list of names"


def _listed(named: object) -> list[object]:
    return named if isinstance(named, list) else [named]


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
