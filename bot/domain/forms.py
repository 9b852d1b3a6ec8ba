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
from decimal import Decimal
from typing import cast

from bot.domain.calls import canonical
from bot.domain.chat import Field, FieldKind, PersonId
from bot.domain.errors import BadJson, InvalidArguments
from bot.domain.form_slots import Schema, Slot, plain, slots_of
from bot.domain.inert import show, show_line, unshow
from bot.domain.people import NAME
from bot.domain.wire import Json, read_foreign

SHORT_TEXT = 80  # characters; a longer text, or one of several lines, gets a big field
LONGEST_FIELD = 3_000  # characters a platform's field can hold; a longer value is not editable there
YES_NO: Mapping[str, bool] = {"yes": True, "no": False, "true": True, "false": False}
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
EDIT_REASON = "_reason"  # a field of the edit form that is not an argument


def fields_of(schema: Schema, values: Mapping[str, Json], *, secrets: Collection[str] = ()) -> tuple[Field, ...]:
    """One field for each argument of *schema* that people can edit, starting with its value in *values*."""
    slots = (slot for name, slot in slots_of(schema).items() if name not in secrets)
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
    read = plain(schema)
    slots = {name: slot for name, slot in slots_of(read).items() if name not in secrets}
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


def people_in(schema: Schema, values: Mapping[str, Json]) -> dict[str, PersonId]:
    """The people that *values* name, by field. Whether they exist is the directory's to say."""
    slots = slots_of(schema)
    named = {name: values.get(name) for name, slot in slots.items() if slot.kind is FieldKind.PERSON}
    return {name: PersonId(value) for name, value in named.items() if isinstance(value, str)}


# ----------------------------------------------------------------- showing


def _field(slot: Slot, values: Mapping[str, Json]) -> Field | None:
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


def _fits(slot: Slot, text: str) -> bool:
    """Can a field of this kind begin with *text*?"""
    match slot.kind:
        case FieldKind.DATE:
            return _is_date(text)
        case FieldKind.MULTI:
            return set(text.split("\n")) <= slot.choices.keys()
        case FieldKind.PERSON:
            return NAME.fullmatch(text) is not None
        case FieldKind.NUMBER if slot.may_be_text:
            return _is_number(_json_or_none(text))
    return True


def _text_of(slot: Slot, value: Json) -> str:
    if value is None and slot.is_nullable:
        return ""
    if isinstance(value, list) and slot.kind is FieldKind.MULTI:
        labels = [label for one in value for label, meant in slot.choices.items() if meant == one]
        if len(set(labels)) == len(value):
            return "\n".join(labels)
    if isinstance(value, str) and (slot.kind in (FieldKind.DATE, FieldKind.PERSON) or slot.may_be_text):
        return show(value)
    if isinstance(value, bool) and slot.kind is FieldKind.YES_NO:
        return "yes" if value else "no"
    if isinstance(value, str) and (slot.kind is FieldKind.TEXT or slot.choices.get(show(value)) == value):
        return show(value)
    return show(canonical(value).decode())


# ----------------------------------------------------------------- reading


def _put(values: dict[str, Json], slots: Mapping[str, Slot], name: str, typed: object) -> None:
    """Set or take away one argument; an empty text left empty stays. Raises ValueError with what its person reads."""
    slot = slots.get(name)
    if slot is None:
        raise ValueError("this is not a field of the call")
    text = unshow(typed) if isinstance(typed, str) else _as_text(typed)
    if slot.may_be_text and text and values.get(name) == text:
        return  # an exact decimal that nobody touched stays the text that it was
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


def _value(slot: Slot, text: str) -> Json:
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
            return _number(text.strip(), slot)
        case FieldKind.DATE:
            return _day(text.strip())
        case FieldKind.MULTI:
            return _chosen(slot, text)
        case FieldKind.PERSON:
            return _person(text.strip())
        case None:
            return _json(text)


def _chosen(slot: Slot, text: str) -> list[Json]:
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


def _number(text: str, slot: Slot) -> int | float:
    """A number exactly as JSON writes it: no thousands marks, no units, no NaN, and of a decimal no digit lost."""
    value = _json_or_none(text)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError("a number such as 12 or 12.5, please")
    if slot.is_whole and value != int(value):
        raise ValueError("a whole number, please")
    if slot.may_be_text and Decimal(text) != Decimal(repr(value)):
        raise ValueError("a number of at most 15 digits, please")
    return int(value) if slot.is_whole else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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
