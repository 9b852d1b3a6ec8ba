"""Do the values of a form keep its schema? Asked while its card is open, so that what is wrong stands beside the field.

    value -> every keyword of its part that limits it -> nothing, or one sentence

KEYWORDS is all that can be checked here: a schema with any other is refused before anybody is asked (form_schema), so
that no answer is taken that the agent then cannot use. A schema is an agent's work: how much is looked at is bounded.
Not how texts become values (forms).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from bot.domain import pattern
from bot.domain.calls import canonical
from bot.domain.form_formats import FORMATS
from bot.domain.form_slots import Part, Schema, followed, meant_by, plain
from bot.domain.inert import show_line
from bot.domain.wire import Json

LONGEST_TEXT = 3_000  # characters a platform's field can hold
LOOKS_MOST = 20_000  # parts of a schema held against the values of one form; alternatives may nest
TRIES_MOST = 4_100  # patterns tried on them, at their cost: room for 20 of the largest, each tried twice
DEEPEST = 40  # parts within parts: one that means itself has no end
TOO_MUCH = "This is too much to be checked here."

_Told = Iterator[str]
_Check = Callable[[Any, Any], _Told]


def problems_of(schema: Schema, values: Mapping[str, Json]) -> dict[str, str]:
    """What a form's values lack or break, one sentence a field."""
    read = plain(schema)
    parts = {name: part for name, part in read.get("properties", {}).items() if isinstance(part, Mapping)}
    lacking = [name for name in read.get("required", ()) if _is_lacking(name, values, parts, read)]
    found, look = dict.fromkeys(lacking, "Please fill this in."), _Look(read)
    for name, part in parts.items():
        if name not in found and name in values and (told := look.objection(part, values[name])):
            found[name] = told
    return found


def _is_lacking(name: str, values: Mapping[str, Json], parts: Mapping[str, Part], whole: Part) -> bool:
    """Nothing at all; of what may be null, null is an answer."""
    may_be_null = name in values and meant_by(parts.get(name, {}), whole).is_nullable
    return values.get(name) in (None, "") and not (values.get(name) is None and may_be_null)


class _TooMuch(Exception):
    """A schema that takes too long, whatever the value."""


class _Look:
    """Values held against parts of the schema *whole*, with a bound on what that takes."""

    def __init__(self, whole: Part) -> None:
        self._whole, self._looks, self._tries, self._depth = whole, 0, 0, 0

    def objection(self, part: Part, value: Json) -> str | None:
        """Why *value* is none that *part* describes, in one sentence; None if it is one.

        First held against what *part* means, which says most, then against all that it says: it may limit more.
        """
        meant = meant_by(part, self._whole)
        if value is None and meant.is_nullable:
            return None
        try:
            told = self._first(meant.part, value)
            return told if told or meant.part is part else self._first(part, value)
        except _TooMuch:
            return TOO_MUCH

    def _first(self, part: Part, value: Json) -> str | None:
        self._depth = 0  # a look that found something was left halfway
        return next(self.at(part, value), None)

    def at(self, part: Part, value: Json) -> _Told:
        """What *part* objects to. Raises _TooMuch."""
        self._looks += 1
        if self._looks > LOOKS_MOST or self._depth >= DEEPEST:
            raise _TooMuch
        self._depth += 1
        yield from self._of_part(part, value)
        if (target := followed(part, self._whole)) is not part:
            yield from self.at(target, value)
        self._depth -= 1

    def _of_part(self, part: Part, value: Json) -> _Told:
        if "type" in part and not _is_of_type(part["type"], value):
            yield f"Must be {_types(part['type'])}."
            return
        yield from _kept(ANY, part, value)
        yield from self._of_alternatives(part, value)
        match value:
            case bool() | None:
                return
            case int() | float():
                yield from _kept(NUMBERS, part, value)
            case str():
                yield from self._of_text(part, value)
            case list():
                yield from self._of_list(part, value)
            case dict():
                yield from self._of_object(part, value)

    def _of_alternatives(self, part: Part, value: Json) -> _Told:
        fitting = {name: sum(self._fits(one, value) for one in part[name]) for name in ALTERNATIVES if name in part}
        if fitting.get("anyOf") == 0 or fitting.get("oneOf") == 0:
            yield "This is none of what is wanted here."
        if fitting.get("oneOf", 1) > 1:
            yield "This could mean more than one of what is wanted here."
        for one in part.get("allOf", ()):
            yield from self.at(one, value)

    def _fits(self, part: Part, value: Json) -> bool:
        depth = self._depth
        is_fitting = next(self.at(part, value), None) is None
        self._depth = depth  # a look that found something was left halfway
        return is_fitting

    def _of_text(self, part: Part, value: str) -> _Told:
        if len(value) < part.get("minLength", 0):
            yield f"At least {part['minLength']} characters, please."
        if len(value) > (most := part.get("maxLength", LONGEST_TEXT)):
            yield f"At most {most} characters, please."
        if wanted := part.get("pattern"):
            self._tries += pattern.cost(str(wanted))
            if self._tries > TRIES_MOST:
                raise _TooMuch
            if not pattern.fits(str(wanted), value):
                yield "That does not have the form that is wanted."
        known = FORMATS.get(str(part.get("format")))
        if known is not None and not known.fits(value):
            yield f"Please write {known.example}."

    def _of_list(self, part: Part, value: list[Json]) -> _Told:
        if len(value) < (least := part.get("minItems", 0)):
            yield f"At least {least}, please."
        if len(value) > (most := part.get("maxItems", len(value))):
            yield f"At most {most}, please."
        if part.get("uniqueItems") is True and len({canonical(one) for one in value}) < len(value):
            yield "Each only once, please."
        first: list[Part] = part.get("prefixItems", [])
        for at, one in enumerate(value):
            wanted = first[at] if at < len(first) else part.get("items")
            if wanted is not None:
                yield from (f"Number {at + 1}: {told}" for told in self.at(wanted, one))

    def _of_object(self, part: Part, value: dict[str, Json]) -> _Told:
        parts, other = part.get("properties", {}), part.get("additionalProperties")
        if lacking := [name for name in part.get("required", ()) if name not in value]:
            yield f"{show_line(lacking[0])} is missing."
        if len(value) < (least := part.get("minProperties", 0)):
            yield f"At least {least} names, please."
        if len(value) > (most := part.get("maxProperties", len(value))):
            yield f"At most {most} names, please."
        for name, one in value.items():
            if name in parts or isinstance(other, Mapping):
                yield from (f"{show_line(name)}: {told}" for told in self.at(parts.get(name, other), one))
            elif other is False:
                yield f"{show_line(name)} is no name that is wanted here."


# ------------------------------------------------------------- the keywords

TYPES: Mapping[str, str] = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list such as [1, 2]",
    "object": 'an object such as {"a": 1}',
    "null": "null",
}


def _is_of_type(wanted: object, value: Json) -> bool:
    named = wanted if isinstance(wanted, list) else [wanted]
    return any(one in named for one in _types_of(value))


def _types_of(value: Json) -> tuple[str, ...]:
    match value:
        case None:
            return ("null",)
        case bool():
            return ("boolean",)
        case int():
            return ("integer", "number")
        case float():
            return ("integer", "number") if value.is_integer() else ("number",)
        case str():
            return ("string",)
        case list():
            return ("array",)
    return ("object",)


def _types(wanted: object) -> str:
    named = wanted if isinstance(wanted, list) else [wanted]
    return " or ".join(TYPES.get(str(one), show_line(str(one))) for one in named)


def _kept(checks: Mapping[str, _Check], part: Part, value: Json) -> _Told:
    for name, check in checks.items():
        if name in part:
            yield from check(part[name], value)


def _one_of(options: list[Json], value: Json) -> _Told:
    if canonical(value) not in {canonical(one) for one in options}:
        yield "Please choose one of the values that are wanted here."


def _exactly(wanted: Json, value: Json) -> _Told:
    if canonical(value) != canonical(wanted):
        yield f"Must be {show_line(canonical(wanted).decode())[:80]}."


def _at_least(least: float, value: Any) -> _Told:
    if value < least:
        yield f"Must be at least {least}."


def _at_most(most: float, value: Any) -> _Told:
    if value > most:
        yield f"Must be at most {most}."


def _above(bound: float, value: Any) -> _Told:
    if value <= bound:
        yield f"Must be more than {bound}."


def _below(bound: float, value: Any) -> _Told:
    if value >= bound:
        yield f"Must be less than {bound}."


def _multiple(step: float, value: Any) -> _Told:
    """As people write numbers: 0.3 is a multiple of 0.1."""
    if Fraction(repr(value)) % Fraction(repr(step)):
        yield f"Must be a multiple of {step}."


ANY: Mapping[str, _Check] = {"enum": _one_of, "const": _exactly}
NUMBERS: Mapping[str, _Check] = {
    "minimum": _at_least,
    "maximum": _at_most,
    "exclusiveMinimum": _above,
    "exclusiveMaximum": _below,
    "multipleOf": _multiple,
}
ALTERNATIVES = ("anyOf", "oneOf")
KEYWORDS = frozenset(  # all that is checked above
    {*ANY, *NUMBERS, *ALTERNATIVES, "allOf", "$ref", "type", "minLength", "maxLength", "pattern", "format"}
    | {"items", "prefixItems", "minItems", "maxItems", "uniqueItems"}
    | {"properties", "required", "additionalProperties", "minProperties", "maxProperties"}
)
NOTES = frozenset(  # these limit nothing
    {"title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly"}
    | {"$comment", "$schema", "$id", "$defs", "discriminator"}
)
