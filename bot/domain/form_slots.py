"""What a JSON Schema of an object says of each argument, as far as a form must know: its kind, its choices, its label.

    property -> through one reference and without null -> slot

Works on any schema: what has no kind of its own is edited as JSON. Not the fields people see (forms), not whether a
value keeps the schema (form_check), nor whether a form can be made of it at all (form_schema).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from bot.domain.calls import canonical
from bot.domain.chat import FieldKind
from bot.domain.inert import show, show_line
from bot.domain.wire import Json, Record, loads

HINT_MOST = 150  # characters; Slack's limit for a field's hint
NUMBER_OR_TEXT = ["number", "string"]  # what pydantic makes of a Decimal, which JSON has no other way to keep exact
FORMATS: Mapping[str, FieldKind] = {"date": FieldKind.DATE, "person": FieldKind.PERSON}

Schema = str | Mapping[str, Any]
Part = Mapping[str, Any]


class Slot(Record):
    """One argument, as the schema describes it. `choices` maps what is shown, on one line, to what is meant."""

    name: str
    kind: FieldKind | None  # None: edited as JSON
    label: str
    hint: str
    is_required: bool
    is_nullable: bool
    is_whole: bool
    may_be_none: bool  # of several choices, none at all will do
    may_be_text: bool  # a number that may also come as a text, as an exact decimal does
    choices: Mapping[str, Json]


class Meant(NamedTuple):
    """What a property means besides null."""

    part: Part
    is_nullable: bool
    may_be_text: bool = False


def plain(schema: Schema) -> Part:
    return cast(Part, loads(schema)) if isinstance(schema, str) else schema


def slots_of(schema: Schema) -> dict[str, Slot]:
    """Each argument, in the order that `x-order` gives: canonical JSON keeps the order of a list, not of keys."""
    read = plain(schema)
    required, given = read.get("required", ()), read.get("x-order")
    parts = read.get("properties", {})
    first = [name for name in given if isinstance(name, str) and name in parts] if isinstance(given, list) else []
    return {
        name: _slot(name, parts[name], read, is_required=name in required)
        for name in dict.fromkeys([*first, *parts])
        if isinstance(parts[name], Mapping)
    }


def meant_by(part: Part, whole: Part) -> Meant:
    """*part* through one local reference, without null; a number that may be a text is a number."""
    part = followed(part, whole)
    if isinstance(named := part.get("type"), list):
        rest = [one for one in named if one != "null"]
        if sorted(map(str, rest)) == NUMBER_OR_TEXT:
            return Meant({**part, "type": "number"}, "null" in named, may_be_text=True)
        return Meant({**part, "type": rest[0] if len(rest) == 1 else rest}, "null" in named)
    either = part.get("anyOf")
    if not isinstance(either, list) or not all(isinstance(one, Mapping) for one in either):
        return Meant(part, is_nullable=False)
    others = [one for one in either if _type(one) != "null"]
    is_nullable = len(others) < len(either)
    if sorted(map(_type, others)) == NUMBER_OR_TEXT:
        number = next(one for one in others if _type(one) == "number")
        kept = {name: value for name, value in part.items() if name != "anyOf"}
        return Meant({**kept, **number}, is_nullable, may_be_text=True)
    if len(others) == 1 and is_nullable:
        return Meant(followed(others[0], whole), is_nullable)
    return Meant(part, is_nullable=False)


def followed(part: Part, whole: Part) -> Part:
    prefix, _, name = str(part.get("$ref", "")).rpartition("/")
    target = whole.get("$defs", {}).get(name) if prefix == "#/$defs" else None
    return target if isinstance(target, Mapping) else part


def _slot(name: str, part: Part, whole: Part, *, is_required: bool) -> Slot:
    meant, is_nullable, may_be_text = meant_by(part, whole)
    several = _several(meant, whole)
    choices = several or _choices(meant)
    return Slot(
        name=name,
        kind=FieldKind.MULTI if several else FieldKind.CHOICE if choices else _kind(meant),
        label=show_line(name),
        hint=show_line(str(part.get("description", meant.get("description", ""))))[:HINT_MOST],
        is_required=is_required,
        is_nullable=is_nullable,
        is_whole=meant.get("type") == "integer",
        may_be_none=bool(several) and not meant.get("minItems"),
        may_be_text=may_be_text,
        choices=choices,
    )


def _type(part: object) -> str:
    return str(part.get("type")) if isinstance(part, Mapping) else ""


def _kind(part: Part) -> FieldKind | None:
    match part.get("type"):
        case "string":
            return FORMATS.get(str(part.get("format")), FieldKind.TEXT)
        case "integer" | "number":
            return FieldKind.NUMBER
        case "boolean":
            return FieldKind.YES_NO
    return None


def _choices(part: Part) -> dict[str, Json]:
    """Those of an `enum`, or the one value of a `const`."""
    options = [part["const"]] if "const" in part else part.get("enum")
    if not isinstance(options, list):
        return {}
    is_text = all(isinstance(option, str) for option in options)
    return {show(option if is_text else canonical(option).decode()): option for option in options}


def _several(part: Part, whole: Part) -> dict[str, Json]:
    """The choices of a list whose items are texts to choose from."""
    items = part.get("items")
    if part.get("type") != "array" or not isinstance(items, Mapping):
        return {}
    options = _choices(followed(items, whole)).values()
    is_text = all(isinstance(option, str) and option.strip() for option in options)
    return {show_line(str(option)): option for option in options} if is_text else {}
