"""A tool's arguments as fields people can edit, and what they typed as arguments again.

Works on any JSON Schema of an object: texts, numbers, yes/no, choices (`enum`), several choices (an array of them),
dates (`format: date`) and people (`format: person`) get a field of their kind, everything else is edited as JSON.
What is read back is only *typed right*; whether it may run is `Tool.check`'s business, and whether a person exists
the directory's. Texts are shown inert and read back exactly; secrets and very long values get no field.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, cast

from bot.domain import pattern
from bot.domain.calls import canonical
from bot.domain.chat import Field, FieldKind, PersonId
from bot.domain.errors import BadJson, InvalidArguments
from bot.domain.inert import show, show_line, unshow
from bot.domain.people import NAME
from bot.domain.wire import Json, Record, loads, read_foreign

SHORT_TEXT = 80  # characters; a longer text, or one of several lines, gets a big field
LONGEST_FIELD = 3_000  # characters a platform's field can hold; a longer value is not editable there
YES_NO: Mapping[str, bool] = {"yes": True, "no": False, "true": True, "false": False}
FORMATS: Mapping[str, FieldKind] = {"date": FieldKind.DATE, "person": FieldKind.PERSON}
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
EDIT_REASON = "_reason"  # a field of the edit form that is not an argument

Schema = str | Mapping[str, Any]


class _Slot(Record):
    """One argument, as the schema describes it. `choices` maps what is shown, on one line, to what is meant."""

    name: str
    kind: FieldKind | None  # None: edited as JSON
    label: str
    hint: str
    is_required: bool
    is_nullable: bool
    is_whole: bool
    may_be_none: bool  # of several choices, none at all will do
    choices: Mapping[str, Json]


def fields_of(schema: Schema, values: Mapping[str, Json], *, secrets: Collection[str] = ()) -> tuple[Field, ...]:
    """One field for each argument of *schema* that people can edit, starting with its value in *values*."""
    slots = (slot for name, slot in _slots(schema).items() if name not in secrets)
    return tuple(field for slot in slots if (field := _field(slot, values)) is not None)


def values_from_fields(
    schema: Schema,
    fields: Mapping[str, object],
    *,
    was: Mapping[str, Json] | None = None,
    secrets: Collection[str] = (),
) -> dict[str, Json]:
    """The arguments that *fields* say, laid over *was* (the arguments the form began with).

    A field left empty takes an optional argument away. Raises InvalidArguments with one sentence per
    field that cannot be read; a field that names a secret or no argument at all is such a field.
    """
    read = _plain(schema)
    slots = {name: slot for name, slot in _slots(read).items() if name not in secrets}
    values, problems = dict(was or {}), {}
    for name, typed in fields.items():
        if name == EDIT_REASON:
            continue
        try:
            _put(values, slots, name, typed)
        except ValueError as error:
            problems[name] = str(error)
    if problems:
        raise InvalidArguments(str(read.get("title", "this call")), problems)
    return values


def problems_of(schema: Schema, values: Mapping[str, Json]) -> dict[str, str]:
    """What a form's values lack, one sentence a field: required ones, bounds, lengths, patterns, choices."""
    read = _plain(schema)
    parts = {name: part for name, part in read.get("properties", {}).items() if isinstance(part, Mapping)}
    lacking = [name for name in read.get("required", ()) if _is_lacking(name, values, parts, read)]
    found = dict.fromkeys(lacking, "Please fill this in.")
    for name, part in parts.items():
        if name not in found and name in values and (told := _objection(_without_null(part, read)[0], values[name])):
            found[name] = told
    return found


def people_in(schema: Schema, values: Mapping[str, Json]) -> dict[str, PersonId]:
    """The people that *values* name, by field. Whether they exist is the directory's to say."""
    slots = _slots(_plain(schema))
    named = {name: values.get(name) for name, slot in slots.items() if slot.kind is FieldKind.PERSON}
    return {name: PersonId(value) for name, value in named.items() if isinstance(value, str)}


def _is_lacking(
    name: str, values: Mapping[str, Json], parts: Mapping[str, Mapping[str, Any]], whole: Mapping[str, Any]
) -> bool:
    """Nothing at all; of what may be null, null is an answer."""
    may_be_null = name in values and _without_null(parts.get(name, {}), whole)[1]
    return values.get(name) in (None, "") and not (values.get(name) is None and may_be_null)


def _objection(part: Mapping[str, Any], value: Json) -> str | None:
    match value:
        case bool() | None:
            return None
        case int() | float():
            return _out_of_bounds(part, value)
        case list():
            if len(value) < (least := int(part.get("minItems", 0))):
                return f"At least {least}, please."
            if len(value) > (most := int(part.get("maxItems", len(value)))):
                return f"At most {most}, please."
        case str():
            if len(value) < int(part.get("minLength", 0)):
                return f"At least {part['minLength']} characters, please."
            if len(value) > int(part.get("maxLength", LONGEST_FIELD)):
                return f"At most {part.get('maxLength', LONGEST_FIELD)} characters, please."
            if (wanted := part.get("pattern")) and not pattern.fits(str(wanted), value):
                return "That does not have the form that is wanted."
    return None


def _out_of_bounds(part: Mapping[str, Any], value: float) -> str | None:
    if (least := part.get("minimum")) is not None and value < least:
        return f"Must be at least {least}."
    if (most := part.get("maximum")) is not None and value > most:
        return f"Must be at most {most}."
    if (above := part.get("exclusiveMinimum")) is not None and value <= above:
        return f"Must be more than {above}."
    if (below := part.get("exclusiveMaximum")) is not None and value >= below:
        return f"Must be less than {below}."
    return None


# ------------------------------------------------------------- the schema


def _plain(schema: Schema) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], loads(schema)) if isinstance(schema, str) else schema


def _slots(schema: Schema) -> dict[str, _Slot]:
    """Each argument, in the order that `x-order` gives: canonical JSON keeps the order of a list, not of keys."""
    read = _plain(schema)
    required, given = read.get("required", ()), read.get("x-order")
    parts = read.get("properties", {})
    first = [name for name in given if isinstance(name, str) and name in parts] if isinstance(given, list) else []
    return {
        name: _slot(name, parts[name], read, is_required=name in required)
        for name in dict.fromkeys([*first, *parts])
        if isinstance(parts[name], Mapping)
    }


def _slot(name: str, part: Mapping[str, Any], whole: Mapping[str, Any], *, is_required: bool) -> _Slot:
    meant, is_nullable = _without_null(part, whole)
    several = _several(meant, whole)
    choices = several or _choices(meant)
    return _Slot(
        name=name,
        kind=FieldKind.MULTI if several else FieldKind.CHOICE if choices else _kind(meant),
        label=show_line(name),
        hint=show_line(str(part.get("description", meant.get("description", ""))))[:150],
        is_required=is_required,
        is_nullable=is_nullable,
        is_whole=meant.get("type") == "integer",
        may_be_none=bool(several) and not meant.get("minItems"),
        choices=choices,
    )


def _kind(part: Mapping[str, Any]) -> FieldKind | None:
    match part.get("type"):
        case "string":
            return FORMATS.get(str(part.get("format")), FieldKind.TEXT)
        case "integer" | "number":
            return FieldKind.NUMBER
        case "boolean":
            return FieldKind.YES_NO
    return None


def _without_null(part: Mapping[str, Any], whole: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """What a property means besides null, through one local reference; and whether it may be null."""
    part = _followed(part, whole)
    if isinstance(named := part.get("type"), list):
        rest = [one for one in named if one != "null"]
        return {**part, "type": rest[0] if len(rest) == 1 else None}, "null" in named
    either = part.get("anyOf")
    if isinstance(either, list):
        rest = [one for one in either if one.get("type") != "null"]
        if len(rest) == 1 and len(rest) < len(either):
            return _followed(rest[0], whole), True
    return part, False


def _followed(part: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    prefix, _, name = str(part.get("$ref", "")).rpartition("/")
    target = whole.get("$defs", {}).get(name) if prefix == "#/$defs" else None
    return target if isinstance(target, Mapping) else part


def _choices(part: Mapping[str, Any]) -> dict[str, Json]:
    options = part.get("enum")
    if not isinstance(options, list):
        return {}
    is_text = all(isinstance(option, str) for option in options)
    return {show(option if is_text else canonical(option).decode()): option for option in options}


def _several(part: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Json]:
    """The choices of a list whose items are texts to choose from."""
    items = part.get("items")
    if part.get("type") != "array" or not isinstance(items, Mapping):
        return {}
    options = _choices(_followed(items, whole)).values()
    is_text = all(isinstance(option, str) and option.strip() for option in options)
    return {show_line(str(option)): option for option in options} if is_text else {}


# ----------------------------------------------------------------- showing


def _field(slot: _Slot, values: Mapping[str, Json]) -> Field | None:
    text = _text_of(slot, values[slot.name]) if slot.name in values else ""
    if len(text) > LONGEST_FIELD:
        return None
    kind = slot.kind or FieldKind.LONG_TEXT
    if text and not _fits(slot, text):
        kind = FieldKind.TEXT  # what it starts with is none of its kind: shown as it is, to be corrected
    if kind is FieldKind.TEXT and (len(text) > SHORT_TEXT or "\n" in text):
        kind = FieldKind.LONG_TEXT
    may_be_empty = slot.is_nullable or slot.may_be_none or (slot.kind is FieldKind.TEXT and values.get(slot.name) == "")
    return Field(
        name=slot.name,
        label=slot.label,
        kind=kind,
        value=text,
        is_required=slot.is_required and not may_be_empty,
        options=tuple(slot.choices),
        hint=slot.hint if slot.kind else f"JSON. {slot.hint}".strip(),
    )


def _fits(slot: _Slot, text: str) -> bool:
    """Can a field of this kind begin with *text*?"""
    match slot.kind:
        case FieldKind.DATE:
            return _is_date(text)
        case FieldKind.MULTI:
            return set(text.split("\n")) <= slot.choices.keys()
        case FieldKind.PERSON:
            return NAME.fullmatch(text) is not None
    return True


def _text_of(slot: _Slot, value: Json) -> str:
    if value is None and slot.is_nullable:
        return ""
    if isinstance(value, list) and slot.kind is FieldKind.MULTI:
        labels = [label for one in value for label, meant in slot.choices.items() if meant == one]
        if len(set(labels)) == len(value):
            return "\n".join(labels)
    if isinstance(value, str) and slot.kind in (FieldKind.DATE, FieldKind.PERSON):
        return show(value)
    if isinstance(value, bool) and slot.kind is FieldKind.YES_NO:
        return "yes" if value else "no"
    if isinstance(value, str) and (slot.kind is FieldKind.TEXT or slot.choices.get(show(value)) == value):
        return show(value)
    return show(canonical(value).decode())


# ----------------------------------------------------------------- reading


def _put(values: dict[str, Json], slots: Mapping[str, _Slot], name: str, typed: object) -> None:
    """Set or take away one argument; an empty text left empty stays. Raises ValueError with what its person reads."""
    slot = slots.get(name)
    if slot is None:
        raise ValueError("this is not a field of the call")
    text = unshow(typed) if isinstance(typed, str) else _as_text(typed)
    if slot.kind is FieldKind.MULTI:  # its lines are read one by one
        text = typed if isinstance(typed, str) else text if typed else ""
    if text.strip() or (text and slot.kind is FieldKind.TEXT):
        values[name] = _value(slot, text)
    elif values.get(name) in ("", []):
        return
    elif slot.is_nullable and (slot.is_required or name in values):
        values[name] = None
    elif slot.kind is FieldKind.TEXT and slot.is_required:
        values[name] = ""
    elif slot.kind is FieldKind.MULTI and slot.is_required:
        values[name] = []
    elif slot.is_required:
        raise ValueError("a value is needed")
    else:
        values.pop(name, None)


def _as_text(typed: object) -> str:
    """Some platforms send numbers and toggles as such."""
    if typed is None:
        return ""
    if isinstance(typed, bool | int | float | list | dict):
        return canonical(cast(Json, typed)).decode()
    raise ValueError("this cannot be read")


def _value(slot: _Slot, text: str) -> Json:
    match slot.kind:
        case FieldKind.TEXT | FieldKind.LONG_TEXT:
            return text
        case FieldKind.YES_NO:
            if text.strip().lower() not in YES_NO:
                raise ValueError("yes or no, please")
            return YES_NO[text.strip().lower()]
        case FieldKind.CHOICE:
            if show(text) not in slot.choices:
                raise ValueError("one of " + ", ".join(slot.choices))
            return slot.choices[show(text)]
        case FieldKind.NUMBER:
            return _number(text.strip(), is_whole=slot.is_whole)
        case FieldKind.DATE:
            return _day(text.strip())
        case FieldKind.MULTI:
            return _chosen(slot, text)
        case FieldKind.PERSON:
            return _person(text.strip())
        case None:
            return _json(text)


def _chosen(slot: _Slot, text: str) -> list[Json]:
    """Several choices: one a line, or as a JSON list."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not set(lines) <= slot.choices.keys() and text.lstrip().startswith("["):
        typed = _json(unshow(text))
        lines = [show_line(str(one)) for one in typed] if isinstance(typed, list) else lines
    if not set(lines) <= slot.choices.keys():
        raise ValueError("some of " + ", ".join(slot.choices))
    return [slot.choices[line] for line in lines]


def _day(text: str) -> str:
    if not _is_date(text):
        raise ValueError("a date such as 2026-03-31, please")
    return text


def _is_date(text: str) -> bool:
    try:
        return DATE.fullmatch(text) is not None and date.fromisoformat(text) is not None
    except ValueError:
        return False


def _person(text: str) -> str:
    if not NAME.fullmatch(name := text.removeprefix("@")):
        raise ValueError("the name of one person, please")
    return name


def _number(text: str, *, is_whole: bool) -> int | float:
    """A number exactly as JSON writes it: no thousands marks, no units, no NaN."""
    value = _json_or_none(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number such as 12 or 12.5, please")
    if is_whole and value != int(value):
        raise ValueError("a whole number, please")
    return int(value) if is_whole else value


def _json(text: str) -> Json:
    try:
        return read_foreign(text)
    except BadJson as error:
        raise ValueError(f"this is not JSON: {error.why}") from error


def _json_or_none(text: str) -> Json:
    try:
        return read_foreign(text)
    except BadJson:
        return None
