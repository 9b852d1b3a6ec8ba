"""The JSON Schema of a foreign tool's arguments: taken over word for word, and what it says is held to.

foreign schema -> bounded? nothing fetched? -> `Schema`
model's arguments -> defaults filled in -> valid? -> what is sent

Its prose (titles, descriptions) is shown with everything invisible spelled out; what it checks stays as it came. A
pattern that could take years is not tried here: the server tries its own. Not which tool it belongs to (offer).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Final, cast

import jsonschema
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry, Specification
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT4, DRAFT6, DRAFT7, DRAFT201909, DRAFT202012

from agents.mcp.errors import Unfit
from agents.toolbox import MOST_PROBLEMS
from bot.domain import pattern
from bot.domain.calls import canonical
from bot.domain.errors import BadJson, InvalidArguments
from bot.domain.inert import hidden, show, show_line
from bot.domain.wire import Json

BYTES_MOST: Final = 64_000  # of one schema; it is sent to the model with every question
DEPTH_MOST: Final = 24
PARTS_MOST: Final = 600  # objects and lists in it: 1,600 took 2 s to read, which nothing else may do meanwhile
ARGUMENTS_MOST: Final = 100
STEPS_MOST: Final = 10_000  # words of a schema tried in one check: a reference can lead to two more, thirty times over
PROSE_MOST: Final = 2_000  # characters of one description
CHOICES_SHOWN: Final = 10
PROSE: Final = ("title", "description", "$comment")
DATA: Final = ("enum", "const", "default", "examples", "required")  # what stands below is no schema
REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")

_DRAFTS: Final[Mapping[str, tuple[Any, Specification[Any]]]] = {
    "https://json-schema.org/draft/2020-12/schema": (jsonschema.Draft202012Validator, DRAFT202012),
    "https://json-schema.org/draft/2019-09/schema": (jsonschema.Draft201909Validator, DRAFT201909),
    "http://json-schema.org/draft-07/schema": (jsonschema.Draft7Validator, DRAFT7),
    "http://json-schema.org/draft-06/schema": (jsonschema.Draft6Validator, DRAFT6),
    "http://json-schema.org/draft-04/schema": (jsonschema.Draft4Validator, DRAFT4),
}
_DEFAULT_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"  # what MCP says of a schema without one


class Schema:
    """A schema that may be used. `text` is what the model and people read."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        """Raises Unfit, with one sentence that follows "its schema"."""
        _must_be_bounded(raw)
        self._base, self._specification = _draft(raw)
        self._raw: dict[str, Any] = {word: part for word, part in raw.items() if word != "$schema"}
        _must_be_a_schema(self._base, self._raw)
        _must_be_an_object(self._raw)
        _must_stay_here(self._raw, self._resolver())
        self._known: dict[str, Any] = {}
        self.text = json.dumps(_readable(dict(raw)), ensure_ascii=False)  # in the server's own order

    def fitted(self, tool: str, args: Json) -> Json:
        """The arguments as they are sent: *args* with the schema's defaults. Raises InvalidArguments.

        Defaults that would make valid arguments invalid are left to the server.
        """
        filled = self._filled(args, self._raw, DEPTH_MOST)
        if not self._problems(filled):
            return filled
        if problems := self._problems(args):
            raise InvalidArguments(tool, problems)
        return args

    def _problems(self, args: Json) -> dict[str, str]:
        """One sentence a field; empty if *args* are valid."""
        found: dict[str, str] = {}
        try:
            canonical(args)
            for error in self._errors(args):
                for field, told in _sentences(error):
                    found.setdefault(field, told)
                if len(found) >= MOST_PROBLEMS:
                    break
        except (Unresolvable, RecursionError, _TooMuch):
            return {"arguments": "They cannot be checked: the schema leads nowhere."}
        except ArithmeticError:
            return {"arguments": "They cannot be checked: a number is too large."}
        except BadJson:
            return {"arguments": "They cannot be written as JSON."}
        return found

    def _filled(self, value: Json, part: Any, depth: int) -> Json:
        """*value* with what *part* of the schema says is there if nobody says otherwise."""
        part = self._followed(part)
        if depth <= 0 or not isinstance(part, dict):
            return value
        if isinstance(value, list) and isinstance(part.get("items"), dict):
            return [self._filled(item, part["items"], depth - 1) for item in value]
        if not isinstance(value, dict) or not isinstance(part.get("properties"), dict):
            return value
        filled = dict(value)
        for name, inner in part["properties"].items():
            if name in filled:
                filled[name] = self._filled(filled[name], inner, depth - 1)
            elif isinstance(inner, dict) and "default" in inner:
                filled[name] = deepcopy(inner["default"])
        return filled

    def _followed(self, part: Any) -> Any:
        """What a local reference means; at most four of them in a row."""
        for _ in range(4):
            if not (isinstance(part, dict) and isinstance(part.get("$ref"), str)):
                break
            try:
                part = self._meant(part["$ref"])
            except (Unresolvable, ValueError, TypeError):
                return None
        return part

    def _meant(self, ref: str) -> Any:
        """Looked up once: a list may have 20,000 items of one kind."""
        if ref not in self._known:
            self._known[ref] = self._resolver().lookup(ref).contents
        return self._known[ref]

    def _resolver(self) -> Any:
        registry: Registry[Any] = Registry()  # knows nothing but what it is given: nothing can be fetched
        return registry.resolver_with_root(self._specification.create_resource(self._raw))

    def _errors(self, args: Json) -> Iterator[ValidationError]:
        """The validator of its own draft, but nothing is fetched, every step is counted, patterns never slow."""
        left = [STEPS_MOST]

        def counted(check: Any) -> Any:
            def tried(validator: Any, wanted: Any, instance: Any, schema: Any) -> Any:
                left[0] -= len(wanted) if isinstance(wanted, list) else 1  # a choice of 300 is 300 comparisons
                if left[0] < 0:
                    raise _TooMuch
                return check(validator, wanted, instance, schema)

            return tried

        known = {**self._base.VALIDATORS, **UNLIKE}
        changed = {word: counted(check) for word, check in known.items()}
        kind = cast(Any, jsonschema.validators).extend(self._base, changed)  # untyped
        registry: Registry[Any] = Registry()
        yield from kind(self._raw, registry=registry).iter_errors(args)


def _left(_validator: Any, _wanted: Any, _instance: Any, _schema: Any) -> Iterator[ValidationError]:
    """To the server: what is evaluated elsewhere is found by following references that nobody counts."""
    yield from ()


def _unique(_validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    """The library compares each with each: a minute for 3,000 items."""
    if wanted and isinstance(instance, list) and len({canonical(one) for one in instance}) < len(instance):
        yield ValidationError("")


class _TooMuch(Exception):
    """More steps than anybody means."""


def _pattern(_validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not pattern.flaw(wanted) and not pattern.fits(wanted, instance):
        yield ValidationError("")


UNLIKE: Final[Mapping[str, Any]] = {
    "pattern": _pattern, "uniqueItems": _unique, "unevaluatedProperties": _left, "unevaluatedItems": _left,
}  # fmt: skip


# ------------------------------------------------------------------- taking over


def _must_be_bounded(raw: Mapping[str, Any]) -> None:
    parts = [0]

    def walk(value: object, depth: int) -> None:
        if isinstance(value, dict | list):
            parts[0] += 1
            if depth <= 0 or parts[0] > PARTS_MOST:
                raise Unfit(f"is nested deeper than {DEPTH_MOST}, or has more than {PARTS_MOST:,} parts")
            for inner in value.values() if isinstance(value, dict) else value:
                walk(inner, depth - 1)

    walk(dict(raw), DEPTH_MOST)
    try:
        size = len(canonical(dict(raw)))
    except (BadJson, ValueError):  # also a number of 5,000 digits
        raise Unfit("cannot be written as JSON") from None
    if size > BYTES_MOST:
        raise Unfit(f"has {size:,} bytes, more than {BYTES_MOST:,}")


def _must_be_a_schema(base: Any, raw: dict[str, Any]) -> None:
    try:
        base.check_schema(raw)
    except SchemaError as error:
        raise Unfit(f"is no JSON Schema (at {_at(error.absolute_path)})") from None
    except (RecursionError, Unresolvable):
        raise Unfit("is no JSON Schema") from None


def _must_be_an_object(raw: Mapping[str, Any]) -> None:
    if raw.get("type") != "object":
        raise Unfit("does not describe an object")
    arguments = raw.get("properties", {})
    if len(arguments) > ARGUMENTS_MOST:
        raise Unfit(f"has {len(arguments)} arguments, more than {ARGUMENTS_MOST}")
    for part in arguments.values():
        if not isinstance(part, dict) or not all(isinstance(one, dict) for one in part.get("anyOf", ())):
            raise Unfit("has an argument that is not described")


def _must_stay_here(raw: dict[str, Any], resolver: Any) -> None:
    """Every reference leads to a schema that was looked at, and no name or choice hides anything from people."""
    parts = list(_schemas(raw))
    looked_at = {id(part) for part in parts}
    for part in parts:
        if part is not raw and any(isinstance(part.get(word), str) for word in ("$id", "id", "$schema")):
            raise Unfit("holds another schema with an address or a kind of its own")
        if isinstance(part.get("patternProperties"), dict):
            raise Unfit("describes arguments by patternProperties, which are not checked here")
        for ref in (part[word] for word in REFERENCES if isinstance(part.get(word), str)):
            if not ref.startswith("#"):
                raise Unfit("refers to another document; nothing is fetched")
            try:
                target = resolver.lookup(ref).contents
            except (Unresolvable, ValueError, TypeError):  # a name where a list has numbers
                raise Unfit("refers to a part that it does not have") from None
            if id(target) not in looked_at:
                raise Unfit("refers to a part that is no schema")
    if any(hidden(text) for text in _plain_texts(raw)):
        raise Unfit("hides characters in a name or a choice")


def _schemas(part: Any) -> Iterator[dict[str, Any]]:
    """*part* and every schema that stands in it. A name of an argument is taken for a word now and then: no harm."""
    if isinstance(part, dict):
        yield part
        for word, inner in part.items():
            if word not in DATA:
                yield from _schemas(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _schemas(inner)


def _plain_texts(value: Any, *, is_prose: bool = False) -> Iterator[str]:
    """Every text that is not prose: names, choices, defaults."""
    match value:
        case str() if not is_prose:
            yield value
        case list():
            for item in value:
                yield from _plain_texts(item)
        case dict():
            for word, inner in value.items():
                yield word
                yield from _plain_texts(inner, is_prose=word in PROSE)


def _readable(part: Any) -> Any:
    """The same schema; in its prose everything invisible is spelled out, and no text is endless."""
    match part:
        case dict():
            return {word: _prose(inner) if word in PROSE and isinstance(inner, str) else
                    inner if word in DATA else _readable(inner) for word, inner in part.items()}  # fmt: skip
        case list():
            return [_readable(inner) for inner in part]
    return part


def _prose(text: str) -> str:
    return show(text[:PROSE_MOST]) + ("…" if len(text) > PROSE_MOST else "")


def _draft(raw: Mapping[str, Any]) -> tuple[Any, Specification[Any]]:
    named = raw.get("$schema", _DEFAULT_DRAFT)
    found = _DRAFTS.get(named.rstrip("#")) if isinstance(named, str) else None
    if found is None:
        raise Unfit("is written in a kind of JSON Schema that is not known here")
    return found


# ------------------------------------------------------------------- sentences


def _sentences(error: ValidationError) -> Iterator[tuple[str, str]]:
    """What is wrong with which field. Values are never repeated: one of them may be secret."""
    where = [str(part) for part in error.absolute_path]
    wanted, given, schema = cast(Any, error.validator_value), cast(Any, error.instance), cast(Any, error.schema)
    match error.validator:
        case "required":
            yield from ((_at([*where, name]), "It is missing.") for name in wanted if name not in given)
        case "additionalProperties" if wanted is False:
            strange = [name for name in given if name not in schema.get("properties", {})]
            yield from ((_at([*where, name]), "There is no such argument.") for name in strange[:MOST_PROBLEMS])
        case word:
            yield _at(where), _SENTENCES.get(str(word), _other)(wanted)


def _at(path: Any) -> str:
    return show_line(".".join(str(part) for part in path))[:100] or "arguments"


def _type(wanted: Any) -> str:
    names = [wanted] if isinstance(wanted, str) else wanted
    return f"It must be {' or '.join(_TYPES.get(str(name), 'something else') for name in names)}."


def _enum(wanted: Any) -> str:
    shown = ", ".join(show_line(json.dumps(one, ensure_ascii=False))[:60] for one in wanted[:CHOICES_SHOWN])
    return f"It must be one of {shown}{', …' if len(wanted) > CHOICES_SHOWN else ''}."


def _other(_wanted: Any) -> str:
    return "It does not fit the schema."


_TYPES: Final = {"string": "a text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
                 "object": "an object", "array": "a list", "null": "null"}  # fmt: skip
_SENTENCES: Final[Mapping[str, Callable[[Any], str]]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda wanted: _enum([wanted]),
    "pattern": lambda _: "It does not have the form that is wanted.",
    "minimum": lambda least: f"It must be at least {least}.",
    "maximum": lambda most: f"It must be at most {most}.",
    "exclusiveMinimum": lambda least: f"It must be more than {least}.",
    "exclusiveMaximum": lambda most: f"It must be less than {most}.",
    "minLength": lambda least: f"It must have at least {least} characters.",
    "maxLength": lambda most: f"It may have at most {most} characters.",
    "minItems": lambda least: f"It must have at least {least} items.",
    "maxItems": lambda most: f"It may have at most {most} items.",
    "anyOf": lambda _: "It fits none of the kinds that are allowed.",
    "oneOf": lambda _: "It must fit exactly one of the kinds that are allowed.",
}
