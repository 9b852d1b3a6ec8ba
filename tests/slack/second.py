"""A second opinion: what slack_sdk's own models say of blocks and views that ours let through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.basic_objects import JsonObject
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

Raw = Mapping[str, Any]


def sdk_faults(blocks: Sequence[Raw]) -> list[str]:
    """What a model of slack_sdk refuses, or cannot read at all."""
    found = []
    for block in blocks:
        try:
            found += _refused(Block.parse(dict(block)))
        except TypeError as error:  # a key that the model's constructor requires is missing
            found.append(f"cannot be read ({error})")
    return found


def sdk_view_faults(view: Raw) -> list[str]:
    return _refused(View(**view)) + sdk_faults(view["blocks"])


def _refused(model: JsonObject | None) -> list[str]:
    found = []
    for part in _parts(model):
        try:
            part.validate_json()
        except SlackObjectFormationError as error:
            found.append(f"{type(part).__name__}: {error}")
    return found


def _parts(value: object) -> Iterator[JsonObject]:
    """Every Block Kit object inside *value*, itself first."""
    if isinstance(value, JsonObject):
        yield value
        for inner in vars(value).values():
            yield from _parts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _parts(inner)
