"""The playbook: which words of a person lead to which calls, as a file that people can read and extend.

The shipped book is one file, and one part beside each example (`agents/examples/*/rehearsal.yml`).
Owns the files' shape and their errors. Not how a conversation is played (`mind`), nor HTTP (`server`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from bot.domain.wire import Record, replace

SHIPPED = Path(__file__).with_name("playbook.yml")
EXAMPLES = Path(__file__).parents[1] / "examples"
T = TypeVar("T", bound=Record)
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

    `each` names a group: one call for every `item` found in it, whose named groups are holes too. One that
    `is_optional` is made only by an agent that has the tool.
    """

    tool: str
    is_optional: bool = False
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
    """What happens after a line that matches: the turns in order, then a report of what came of it.

    With `prompt`, it is a scene of the agents whose prompt fits that pattern, and of no others. With `recall`, it is
    one only after a line, whoever's, that fits that pattern: the newest is taken, its named groups are holes too.
    """

    name: str
    match: str
    prompt: str = ""
    recall: str = ""
    turns: tuple[Turn, ...] = ()
    is_aside: bool = False  # "thanks": played only when nothing else is going on
    fault: Fault | None = None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.match, FLAGS)

    @cached_property
    def recalled(self) -> re.Pattern[str]:
        return re.compile(self.recall, FLAGS)

    @cached_property
    def whose(self) -> re.Pattern[str]:
        return re.compile(self.prompt, FLAGS)


class Ending(Record, forbid_unknown_fields=True):
    """How a result is reported: the first whose `match` fits the result's text, and whose `fields` are its fields.

    With `each`, the result is a list of such objects: each is told so, and {all} is the whole list. With `prompt`, it
    is an ending of the agents whose prompt fits that pattern, who try it before everybody's.
    """

    say: str
    match: str = ""
    prompt: str = ""
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


class Part(Record, forbid_unknown_fields=True):
    """What an example adds: its scenes and endings come first."""

    tries: tuple[Try, ...] = ()
    endings: tuple[Ending, ...] = ()
    scenes: tuple[Scene, ...] = ()
    parts: Mapping[str, str] = {}


def shipped() -> Playbook:
    """The book of the bot that ships, with the parts of its examples. Raises ValueError, as `load`."""
    return load(SHIPPED, *sorted(EXAMPLES.glob("*/rehearsal.yml")))


def load(path: Path, *more: Path) -> Playbook:
    """Read a playbook, and the parts that *more* files add. Raises ValueError that names the file and the mistake."""
    book = _checked(path, _spelled_out(_read(path, Playbook)))
    for one in more:
        part = _read(one, Part)
        whole = replace(
            book, scenes=part.scenes, endings=part.endings, tries=part.tries, parts={**book.parts, **part.parts}
        )
        added = _checked(one, _spelled_out(whole))
        scenes, endings = (*added.scenes, *book.scenes), (*added.endings, *book.endings)
        book = replace(book, scenes=scenes, endings=endings, tries=(*book.tries, *added.tries))
    return book


def _read(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), kind)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise ValueError(f"{_named(path)}: {error}") from error


def _named(path: Path) -> str:
    """The parts of the examples all have one name: with their folder's."""
    return f"{path.parent.name}/{path.name}" if path.name == "rehearsal.yml" else path.name


def _checked(path: Path, book: Playbook) -> Playbook:
    plans = [plan for scene in book.scenes for turn in scene.turns for plan in turn.calls]
    patterns = [pattern for scene in book.scenes for pattern in (scene.match, scene.prompt, scene.recall)]
    patterns += [pattern for ending in book.endings for pattern in (ending.match, ending.prompt)]
    patterns += [plan.item for plan in plans] + [turn.after for scene in book.scenes for turn in scene.turns]
    for pattern in patterns:
        try:
            re.compile(pattern, FLAGS)
        except re.error as error:
            raise ValueError(f"{_named(path)}: {pattern!r} is not a pattern: {error}") from error
    if not book.label.strip():
        raise ValueError(f"{_named(path)}: the label may not be empty")
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
