"""Results as the model reads them: text as it is, anything else as JSON, and never more than helps."""

from __future__ import annotations

import msgspec
from pydantic_core import PydanticSerializationError, to_json

MOST_RESULT = 100_000  # bytes of a result that reach the model; more costs tokens and helps nobody


def result_text(value: object) -> str:
    """What the model reads: text as it is, anything else as JSON. Never raises, and says when it was cut."""
    match value:
        case str():
            text = value
        case bytes():
            text = value.decode("utf-8", "replace")
        case _:
            text = _json_text(value)
    raw = text.encode("utf-8", "replace")
    if len(raw) <= MOST_RESULT:
        return raw.decode("utf-8")
    return raw[:MOST_RESULT].decode("utf-8", "ignore") + f"\n… cut: {len(raw)} bytes in all"


def _json_text(value: object) -> str:
    try:
        return to_json(value, bytes_mode="base64", inf_nan_mode="strings", fallback=_record_fields).decode()
    except (PydanticSerializationError, ValueError, TypeError, RecursionError):
        return f"({type(value).__name__}: cannot be written as JSON)"


def _record_fields(value: object) -> object:
    """Records whole: on the wire they leave defaults out, but the model should read them."""
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    raise TypeError(type(value).__name__)
