"""The playbook: which words of a person lead to which calls, as a file that people can read and extend.

Owns the file's shape and its errors. Not how a conversation is played (`mind`), nor HTTP (`server`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import yaml

from bot.domain.wire import Record, replace

SHIPPED = Path(__file__).with_name("playbook.yml")
FLAGS = re.IGNORECASE | re.DOTALL
PART = re.compile(r"(?<!\(\?P)<(\w+)>")  # not the name of a group


class FaultKind(StrEnum):
    STATUS = "status"  # an HTTP error
    HANG = "hang"  # no answer until the caller gives up
    CUT = "cut"  # the stream breaks off in the middle
    STOP = "stop"  # the stream ends properly, but before the answer does
    EMPTY = "empty"  # an answer without words or calls


class Fault(Record, forbid_unknown_fields=True):
    """Something an endpoint may do wrong. For tests."""

    kind: FaultKind
    status: int = 500
    retry_after: str = ""


class Plan(Record, forbid_unknown_fields=True):
    """One call to make. `raw` is sent as the arguments' text.

    `each` names a group: one call for every `item` found in it, whose named groups are holes too.
    """

    tool: str
    args: Mapping[str, Any] = {}
    each: str = ""
    item: str = r"(?P<each>\d+)"
    raw: str | None = None


class Correction(Record, forbid_unknown_fields=True):
    """The last calls again, with one argument changed; only those where it `was` that, if given.

    Without an argument, they are the very same.
    """

    argument: str = ""
    to: Any = None
    was: str = ""


class Turn(Record, forbid_unknown_fields=True):
    """One answer: words, calls, or both.

    With `after`, it is played only if a result of the turn before fits that pattern, whose named groups are holes too;
    else the scene ends. It is played up to `times` times in a row.
    """

    after: str = ""
    times: int = 1
    say: str = ""
    calls: tuple[Plan, ...] = ()
    again: Correction | None = None


class Scene(Record, forbid_unknown_fields=True, dict=True):
    """What happens after a line that matches: the turns in order, then a report of what came of it."""

    name: str
    match: str
    turns: tuple[Turn, ...] = ()
    is_aside: bool = False  # "thanks": played only when nothing else is going on
    fault: Fault | None = None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.match, FLAGS)


class Ending(Record, forbid_unknown_fields=True):
    """How a result is reported: the first whose `match` fits the result's text, and whose `fields` are its fields.

    With `each`, the result is a list of such objects: each is told so, and {all} is the whole list.
    """

    say: str
    match: str = ""
    fields: frozenset[str] = frozenset()
    each: str = ""
    is_done: bool = False


class Try(Record, forbid_unknown_fields=True):
    """A line worth typing, and what a newcomer sees of it."""

    line: str
    shows: str


class Playbook(Record, forbid_unknown_fields=True):
    label: str  # in front of everything said: nobody may take a rehearsal for a mind
    tries: tuple[Try, ...]  # the hole {tries}, a line each
    unknown: str
    nothing_to_correct: str
    endings: tuple[Ending, ...]
    scenes: tuple[Scene, ...]
    parts: Mapping[str, str] = {}  # pieces of patterns; a part may use those above it


def load(path: Path = SHIPPED) -> Playbook:
    """Read a playbook. Raises ValueError that names the file and the mistake."""
    try:
        book = _spelled_out(msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Playbook))
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise ValueError(f"{path.name}: {error}") from error
    plans = [plan for scene in book.scenes for turn in scene.turns for plan in turn.calls]
    patterns = [scene.match for scene in book.scenes] + [ending.match for ending in book.endings]
    patterns += [plan.item for plan in plans] + [turn.after for scene in book.scenes for turn in scene.turns]
    for pattern in patterns:
        try:
            re.compile(pattern, FLAGS)
        except re.error as error:
            raise ValueError(f"{path.name}: {pattern!r} is not a pattern: {error}") from error
    if not book.label.strip():
        raise ValueError(f"{path.name}: the label may not be empty")
    return book


def _spelled_out(book: Playbook) -> Playbook:
    """*book* with its parts put into its patterns."""
    parts: dict[str, str] = {}

    def spelled(pattern: str) -> str:
        return PART.sub(lambda found: parts.get(found[1], found[0]), pattern)

    def turn(one: Turn) -> Turn:
        return replace(one, calls=tuple(replace(plan, item=spelled(plan.item)) for plan in one.calls))

    for name, pattern in book.parts.items():
        parts[name] = spelled(pattern)
    scenes = [replace(one, match=spelled(one.match), turns=tuple(map(turn, one.turns))) for one in book.scenes]
    return replace(book, scenes=tuple(scenes))
