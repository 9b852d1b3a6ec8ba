"""Calls as they were recorded, to be judged once more: records alone.

What became of a call, and all that a verdict on it depended on. Not how they are read (runtime/recalling), nor what
another policy would say (policytry).
"""

from __future__ import annotations

import enum
from datetime import datetime

from bot.domain.calls import Past, ToolCall
from bot.domain.chat import PersonId, Place
from bot.domain.request import RunId
from bot.domain.wire import Record


class Was(enum.StrEnum):
    """What became of a call when it was made."""

    ASKED = "asked"
    HANDED = "handed over"
    LET = "let through"
    GRANTED = "run on a grant"
    REFUSED = "refused"


class Made(Record):
    """A call and all that a verdict on it depends on, but for who its requester is."""

    call: ToolCall
    requester: PersonId
    place: Place
    agent: str
    history: tuple[Past, ...] = ()
    is_whole: bool = True  # every earlier call of its run is in `history`


class Recalled(Record):
    """A call as it was judged then. `made` is None where it cannot be put together again."""

    run: RunId
    at: datetime
    tool: str
    was: Was
    rule: str
    made: Made | None = None


class Recollection(Record):
    """The newest calls first. `is_cut`: older ones of the span were not read."""

    calls: tuple[Recalled, ...]
    is_cut: bool
