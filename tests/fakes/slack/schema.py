"""A small language to say what JSON a platform accepts: text, string, items, one of, and shapes made of them.

Each check gives the faults it finds, as Slack words them: `[ERROR] what [json-pointer:/blocks/0/text]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Check = Callable[[Any, str], Iterator[str]]


def fault(what: str, at: str) -> str:
    return f"[ERROR] {what} [json-pointer:{at or '/'}]"


def string(most: int, least: int = 1) -> Check:
    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield fault("must be a string", at)
        elif len(value) > most:
            yield fault(f"must be less than {most + 1} characters", at)
        elif len(value) < least:
            yield fault(f"must be more than {least - 1} characters", at)

    return check


def boolean(value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, bool):
        yield fault("must be a boolean", at)


def whole(low: int, high: int) -> Check:
    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            yield fault(f"must be a whole number from {low} to {high}", at)

    return check


def one_of(*allowed: str) -> Check:
    def check(value: Any, at: str) -> Iterator[str]:
        if value not in allowed:
            yield fault(f"must be one of {', '.join(allowed)}", at)

    return check


def anything(_value: Any, _at: str) -> Iterator[str]:
    yield from ()


def items(check: Check, most: int, least: int = 1) -> Check:
    def check_all(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield fault("must be an array", at)
            return
        if len(value) > most:
            yield fault(f"no more than {most} items allowed", at)
        if len(value) < least:
            yield fault(f"must provide at least {least} items", at)
        for number, each in enumerate(value):
            yield from check(each, f"{at}/{number}")

    return check_all


@dataclass(frozen=True)
class Shape:
    """An object with these keys and no others. *rule* judges what no single key can."""

    required: Mapping[str, Check] = field(default_factory=dict)
    optional: Mapping[str, Check] = field(default_factory=dict)
    rule: Check = anything

    def __call__(self, value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield fault("must be an object", at)
            return
        for name in self.required.keys() - value.keys():
            yield fault(f"missing required field: {name}", at)
        for name, inner in value.items():
            check = self.required.get(name) or self.optional.get(name)
            if check is None:
                yield fault(f"unexpected field: {name}", at)
            else:
                yield from check(inner, f"{at}/{name}")
        yield from self.rule(value, at)


def typed(shapes: Mapping[str, Shape], *kinds: str) -> Check:
    """An object whose `type` is one of *kinds* (all of them if none are named) and that has this type's shape."""

    def check(value: Any, at: str) -> Iterator[str]:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in (kinds or tuple(shapes)):
            yield fault(f"unsupported type: {kind}", at)
        elif (shape := shapes.get(kind)) is None:
            raise AssertionError(f"the fake names {kind} and has no shape for it")
        else:
            rest = {name: inner for name, inner in value.items() if name != "type"}
            yield from shape(rest, at)

    return check


def text(most: int, *kinds: str) -> Check:
    """A text object: `plain_text` or `mrkdwn`, neither empty nor longer than *most*."""
    shapes = {
        "plain_text": Shape({"text": string(most)}, {"emoji": boolean}),
        "mrkdwn": Shape({"text": string(most)}, {"verbatim": boolean}),
    }
    return typed(shapes, *(kinds or ("plain_text", "mrkdwn")))


def any_key_of(*names: str) -> Check:
    def check(value: Any, at: str) -> Iterator[str]:
        if not any(name in value for name in names):
            yield fault(f"missing required field: {' or '.join(names)}", at)

    return check
