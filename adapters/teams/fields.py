"""A form's fields as inputs of a card, and what comes back as `Form.fields`.

    Field -> input (and hint, and problem) -> Teams -> {"edit.amount": "150"} -> read -> {"amount": "150"}

Ids are `<move>.<field>`, for a card has many forms and one space of names. What is read has the shapes that it has on
every platform: a text each, several choices one a line, "" for what was left empty. Teams does not send what is
empty at all, so a button carries the names of its inputs, and how each is read.

Not here: the button that sends (`presses`), a long form's dialog (`windows`), what values mean (`bot.domain.forms`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, get_args
from urllib.parse import unquote

from adapters.lengths import clipped, one_of, size, sound
from adapters.teams.limits import CHARACTERS, CHOICES_MOST, TYPED_MOST
from adapters.teams.literal import Raw, bare, escaped, words
from bot.domain.chat import Field, FieldKind, PersonId
from bot.domain.people import NAME
from bot.domain.wire import replace

Reading = Literal["typed", "picked", "person"]  # how an input's value is read; travels with the button
READINGS: frozenset[str] = frozenset(get_args(Reading))
CHOSEN, NONE = "=", "-"  # a choice's value: CHOSEN + what it stands for, or NONE for no choice at all
SPELT: Mapping[str, str] = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
LABEL = CHARACTERS["Input.Text.label"]
OPTION = CHARACTERS["choice.title"] // 3  # characters of a choice's label, which is the choice; some are escaped
HINT = 1_000  # characters
PROBLEM = 300  # characters of one problem beside a field
EXACT = 2**53 - 1  # a browser's numbers are doubles; beyond this, what somebody types would be changed

PLEASE = "Please fill this in."
A_NUMBER = "A number, please; a very large one cannot be typed here."
TOO_LONG = "“{label}” is {size:,} characters long; a form in Teams holds {most:,} for one field."
TOO_MUCH = "This form has more than a form in Teams can hold."
START_EMPTY = (
    "What stands there now is too long for this field to start with. Write the whole text, "
    "at most {most:,} characters; or close this and say with another button what should be different."
)

_DAY = re.compile(r"[12][0-9]{3}-[01][0-9]-[0-3][0-9]")
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """What inputs are filled with besides their fields: people to choose from, what was typed, and what was wrong."""

    people: Mapping[PersonId, str] = field(default_factory=dict)
    typed: Mapping[str, object] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


EMPTY = Fill()


def inputs(fields: Sequence[Field], prefix: str, fill: Fill = EMPTY) -> tuple[list[Raw], dict[str, Reading]]:
    """The inputs of *fields* in their order, and how each of them is read back."""
    drawn: list[Raw] = []
    readings: dict[str, Reading] = {}
    for one in map(_startable, fields):
        typed = fill.typed.get(one.name)
        begun = replace(one, value=typed) if isinstance(typed, str) else one
        element, reading, more = _element(begun, fill.people)
        readings[one.name] = reading
        drawn.append({"id": f"{prefix}.{one.name}", "label": _label(one), **element, **_needed(one, element)})
        if problem := fill.problems.get(one.name):
            drawn.append(words(clipped(sound(problem), PROBLEM), color="Attention", spacing="None"))
        if hint := " ".join(part for part in (one.hint.strip(), more) if part):
            drawn.append(words(clipped(sound(hint), HINT), isSubtle=True, size="Small", spacing="None"))
    return drawn, readings


def flaw(fields: Sequence[Field]) -> str | None:
    """Why these fields cannot be put to people in Teams; None if they can, as far as they themselves tell."""
    for one in map(_startable, fields):
        if size(one.value) > TYPED_MOST:
            return TOO_LONG.format(label=clipped(sound(one.label), 80), size=size(one.value), most=TYPED_MOST)
    is_sound = all(sound(one.name + one.value) == one.name + one.value and len(one.name) < 200 for one in fields)
    return None if is_sound else TOO_MUCH


def read(readings: Mapping[str, Reading], values: Mapping[str, object], prefix: str) -> dict[str, str] | None:
    """What *values* hold of a form, by field; None if one of them is none that an input sends.

    What is missing was left empty. A form of several fields of which nothing came at all was lost on the way, as some
    clients do: it reads as nothing, so that no argument is taken away by it.
    """
    came = {name: values.get(f"{prefix}.{name}") for name in readings}
    if len(came) > 1 and all(value is None for value in came.values()):
        return {}
    found = {name: _read(readings[name], value) for name, value in came.items()}
    return None if None in found.values() else {name: text for name, text in found.items() if text is not None}


def told(problems: Mapping[str, str], fields: Sequence[Field]) -> str:
    """*problems* in one line that names their fields: for where nothing can be redrawn."""
    labels = {one.name: one.label for one in fields}
    parts = [f"{labels.get(name) or name}: {said}" if name else said for name, said in problems.items()]
    return clipped(sound(" · ".join(part for part in parts if part.strip())) or "Please check this.", HINT)


# ------------------------------------------------------------------ drawing


def _startable(field: Field) -> Field:
    """*field* as it can begin: empty, if it may be and its value does not fit; never with a part of it."""
    if not field.may_start_empty or size(field.value) <= TYPED_MOST:
        return field
    said = START_EMPTY.format(most=TYPED_MOST)
    return replace(field, value="", hint=" ".join(part for part in (field.hint.strip(), said) if part))


def _label(field: Field) -> str:
    return clipped(bare(field.label if field.label.strip() else "Value"), LABEL)


def _needed(field: Field, element: Raw) -> Raw:
    """A switch is never required: that would mean that it has to be on."""
    if element["type"] == "Input.Toggle" or not (field.is_required or "min" in element):
        return {}
    told = A_NUMBER if "min" in element else PLEASE
    return {"isRequired": True, "errorMessage": told} if field.is_required else {"errorMessage": told}


def _element(field: Field, people: Mapping[PersonId, str]) -> tuple[Raw, Reading, str]:
    """The input of *field*, how it is read, and what its hint must say besides."""
    match field.kind:
        case FieldKind.DATE if not field.value or _DAY.fullmatch(field.value):
            return _begun({"type": "Input.Date"}, field.value), "typed", ""
        case FieldKind.DATE:
            return _text(field), "typed", "A date such as 2026-03-31."
        case FieldKind.PERSON if _is_among(field.value, people):
            return _person(field, people), "person", ""
        case FieldKind.PERSON:
            return _text(field), "person", "Somebody's name or id."
        case FieldKind.MULTI if _is_selectable(field.options):
            return _several(field), "picked", ""
        case FieldKind.MULTI:
            return _text(field), "typed", f"Several, one a line. {one_of(field.options, HINT // 2)}"
        case FieldKind.YES_NO if field.is_required and SPELT.get(field.value.lower()):
            return _switch(field), "typed", ""
        case FieldKind.YES_NO:
            return _select(field, ("yes", "no")), "picked", ""
        case FieldKind.CHOICE if _is_selectable(field.options):
            return _select(field, field.options), "picked", ""
        case FieldKind.CHOICE:
            return _text(field), "typed", one_of(field.options, HINT // 2)
        case FieldKind.NUMBER if not field.value or _is_exact(field.value):
            return _number(field), "typed", ""
        case FieldKind.NUMBER:
            return _text(field), "typed", "A number."
        case FieldKind.TEXT | FieldKind.LONG_TEXT:
            return _text(field), "typed", ""


def _text(field: Field) -> Raw:
    is_long = field.kind in (FieldKind.LONG_TEXT, FieldKind.MULTI) or "\n" in field.value
    return _begun({"type": "Input.Text", "isMultiline": is_long, "maxLength": TYPED_MOST}, field.value)


def _number(field: Field) -> Raw:
    drawn: Raw = {"type": "Input.Number", "min": -EXACT, "max": EXACT}
    if not field.value:
        return drawn
    return drawn | {"value": float(field.value) if "." in field.value else int(field.value)}


def _switch(field: Field) -> Raw:
    """On or off. Only where it begins as one of them: nobody chose what was merely left."""
    drawn = {"type": "Input.Toggle", "title": "yes", "valueOn": "yes", "valueOff": "no"}
    return drawn | {"value": SPELT[field.value.lower()]}


def _begun(drawn: Raw, value: str) -> Raw:
    return {**drawn, "value": value} if value else drawn


def _several(field: Field) -> Raw:
    """Any of the options, as checkboxes, whose labels are Markdown; untouched, those it starts with."""
    choices = [{"title": escaped(option), "value": _value(option)} for option in dict.fromkeys(field.options)]
    first = [_value(line) for line in dict.fromkeys(field.value.split("\n")) if line in field.options]
    drawn = {"type": "Input.ChoiceSet", "isMultiSelect": True, "wrap": True, "choices": choices}
    return _begun(drawn, ",".join(first))


def _select(field: Field, options: Sequence[str]) -> Raw:
    """One of *options*; where none is allowed, that is an option too, for a choice cannot be taken back."""
    choices = [{"title": bare(option), "value": _value(option)} for option in dict.fromkeys(options)]
    first = SPELT.get(field.value.lower(), "") if field.kind is FieldKind.YES_NO else field.value
    drawn = {"type": "Input.ChoiceSet", "style": "compact", "choices": [*_none(field), *choices]}
    return _begun(drawn, _value(first) if first in options else "")


def _person(field: Field, people: Mapping[PersonId, str]) -> Raw:
    """One of *people*, found by typing. Two may have one name: the id stands beside it."""
    choices = [{"title": bare(f"{clipped(name, 80)} ({who})"), "value": who} for who, name in people.items()]
    return _begun({"type": "Input.ChoiceSet", "style": "filtered", "choices": [*_none(field), *choices]}, field.value)


def _none(field: Field) -> list[Raw]:
    return [] if field.is_required else [{"title": "(none)", "value": NONE}]


def _is_among(value: str, people: Mapping[PersonId, str]) -> bool:
    is_usable = all(map(NAME.fullmatch, people)) and 0 < len(people) < CHOICES_MOST
    return is_usable and (not value or value in people)


def _is_selectable(options: Sequence[str]) -> bool:
    is_short = all(option.strip() and size(option) <= OPTION and sound(option) == option for option in options)
    return is_short and 0 < len(options) < CHOICES_MOST


def _is_exact(value: str) -> bool:
    """Will a browser, whose numbers are doubles, send back the number that stands there?"""
    if not _PLAIN_NUMBER.fullmatch(value) or abs(Decimal(value)) > EXACT:
        return False
    return Decimal(repr(float(value))) == Decimal(value)


def _value(option: str) -> str:
    """*option* without what parts several of them from each other."""
    return CHOSEN + option.replace("%", "%25").replace(",", "%2C").replace("\n", "%0A")


# ------------------------------------------------------------------ reading


def _read(reading: Reading, value: object) -> str | None:
    """What one input holds, as text; None if no input sends that."""
    match value:
        case None:
            return ""
        case bool():
            text = "yes" if value else "no"
        case int() | float():
            text = str(value)
        case str():
            text = value.replace("\r\n", "\n").replace("\r", "\n")
        case _:
            return None
    if size(text) > TYPED_MOST:
        return None
    match reading:
        case "typed":
            return text
        case "person":
            return "" if text == NONE else text.strip()
        case "picked":
            parts = [_chosen(part) for part in text.split(",")] if text else []
            return None if None in parts else "\n".join(part for part in parts if part)


def _chosen(value: str) -> str | None:
    if value == NONE:
        return ""
    return unquote(value.removeprefix(CHOSEN)) if value.startswith(CHOSEN) else None
