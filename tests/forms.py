"""A form with a field of every kind, and fields as strange as they come, for whatever platform draws them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from bot.domain.chat import Field, FieldKind
from bot.domain.wire import Json
from tests.hostile import TEXT

SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string"},
        "amount": {"type": "number", "description": "In euros."},
        "currency": {"type": "string", "enum": ["EUR", "USD"]},
        "is_express": {"type": "boolean"},
        "note": {"type": "string"},
        "parcel": {"type": "object"},
        "until": {"type": ["string", "null"]},
    },
    "required": ["order_id", "amount", "until"],
}
VALUES: dict[str, Json] = {
    "order_id": "7",
    "amount": 150,
    "currency": "EUR",
    "is_express": True,
    "note": "two\nlines",
    "parcel": {"kg": 2},
    "until": "May",
}


def any_field(**more: Any) -> st.SearchStrategy[Field]:
    """*more*: strategies for what only this platform's fields have."""
    return st.builds(
        Field,
        name=TEXT,
        label=TEXT,
        kind=st.sampled_from(list(FieldKind)),
        value=TEXT,
        is_required=st.booleans(),
        options=st.lists(TEXT, max_size=5, unique=True).map(tuple)
        | st.integers(90, 120).map(lambda count: tuple(map(str, range(count)))),
        hint=TEXT,
        **more,
    )
