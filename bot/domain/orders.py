"""Text commands: one grammar for every platform.

    "@countersign runs 2"  ->  read()  ->  Order(word=runs, rest="2")     or None: then it is a task or a reply

A message is a command only if all of it fits; so "status of order 12?" is a task. A word that means nothing else at the
beginning of a message (`is_strict`) is taken for a command even if the rest does not fit, and its usage is told.
Behind a slash everything is meant as a command. Not what the commands do (runtime/commands).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence

from bot.domain.absence import USAGE as AWAY
from bot.domain.inert import show_line
from bot.domain.wire import Record

NAME = "@countersign"
WORD_MOST = 40  # characters of a word that is quoted back
_ID = r"['\"`]?(?P<rest>[rq]-[0-9a-z-]{1,80}|[0-9a-f]{4,80})['\"`]?"  # whole, or its last characters
_ONE = r"['\"`]?(?:q-[0-9a-z-]{1,80}|[0-9a-f]{4,80})['\"`]?"  # a request
_PAGE = r"(?: (?P<rest>\d{1,4}))?"


class Word(Record):
    """One command. `grammar` is what may follow the word, `rest` in it what the command is given."""

    name: str
    what: str
    after: str = ""  # what follows the name, as people read it
    grammar: str = ""
    is_strict: bool = False
    does: bool = False  # changes something
    hint: str = ""  # said with the usage; {name} is how people call us

    @property
    def usage(self) -> str:
        return f"{self.name} {self.after}".strip()


class Order(Record):
    """A command as somebody gave it. `rest` is what its grammar found, `name` how they called us."""

    word: str
    rest: str = ""
    name: str = NAME


class Misread(Record):
    """Meant as a command, but none: `told` says what to write instead."""

    told: str


TABLE: tuple[Word, ...] = (
    Word(name="status", what="what runs and what waits: for whom, and since when"),
    Word(
        name="pending",
        after="[team] [PAGE]",
        what="what waits for you, or for those whose manager you are",
        grammar=r"(?: (?P<rest>team(?: \d{1,4})?|\d{1,4}))?",
    ),
    Word(
        name="later",
        after="ID WHEN",
        what="put off what waits for you (until Mon, or 2h): your list alone leaves it out",
        grammar=rf" (?P<rest>{_ONE} (?:(?:until|till|for) .+|\d{{1,4}}[mhd]))",
        hint="Such as {name} later q-0-9f3a until Mon, or 2h. {name} pending lists ids.",
        does=True,
    ),
    Word(
        name="now",
        after="ID",
        what="see again what you put off",
        grammar=rf" (?P<rest>{_ONE})",
        hint="{name} pending lists ids.",
        does=True,
    ),
    Word(name="queue", after="[PAGE]", what="what was escalated to you and your groups", grammar=_PAGE),
    Word(name="runs", after="[PAGE]", what="what runs, latest first", grammar=_PAGE),
    Word(name="show", after="ID", what="one request or run", grammar=f" {_ID}", hint="{name} status lists ids."),
    Word(
        name="stop",
        after="RUN",
        what="end a run for good",
        grammar=f" {_ID}",
        hint="{name} runs lists them.",
        does=True,
    ),
    Word(
        name="away",
        after=AWAY.removeprefix("away "),
        what="you are away, and who decides meanwhile",
        grammar=r"(?: (?P<rest>.*))?",
        is_strict=True,
        does=True,
    ),
    Word(name="back", what="you are there again", does=True),
    Word(name="grants", after="[PAGE]", what="what I need not ask about again", grammar=_PAGE),
    Word(
        name="revoke",
        after="GRANT",
        what="ask about it again",
        grammar=r" ['\"`]?(?P<rest>g-[0-9a-z-]{1,80})['\"`]?",
        hint="{name} grants lists them.",
        does=True,
    ),
    Word(name="preferences", what="what I remember of what you like"),
    Word(
        name="forget",
        after="NAME",
        what="ask you about it again; forget everything clears all",
        grammar=r" ['\"`]?(?!(?:it|that|this|them|me|him|her|us)\b)(?P<rest>[a-z0-9][\w-]{0,39})['\"`]?",
        hint="{name} preferences lists names.",
        does=True,
    ),
    Word(name="agents", what="whom you can give a task, and how"),
    Word(name="report", after="[DAYS]", what="how approvals go", grammar=r"(?: (?P<rest>[1-9]\d{0,2}))?"),
    Word(name="whoami", what="who you are to me"),
    Word(name="help", what="this list"),
)


def read(text: str, table: Sequence[Word] = TABLE) -> Order | Misread | None:
    """The command that *text* is, whatever mention or slash command stands in front; None if it is none."""
    called, plain = _called(" ".join(text.split()))
    first, _, rest = plain.partition(" ")
    word = {one.name: one for one in table}.get(first.casefold())
    is_command = called.startswith("/")
    if word is None:
        return Misread(told=unknown(called, first, table)) if is_command else None
    found = re.fullmatch(word.grammar, f" {rest}" if rest else "", re.IGNORECASE)
    if found is None:
        return Misread(told=misused(called or NAME, word)) if is_command or word.is_strict else None
    return Order(word=word.name, rest=(found.groupdict().get("rest") or "").strip(), name=called or NAME)


def helped(name: str, table: Sequence[Word] = TABLE) -> str:
    """Every command, a line each."""
    return "\n".join(["Mention me with a task, or write:", *_lines(name, table)])


def unknown(name: str, word: str, table: Sequence[Word] = TABLE) -> str:
    """What to write instead of *word*, which is none; the list if there is no word at all."""
    if not word:
        return helped(name, table)
    near = difflib.get_close_matches(word.casefold(), [one.name for one in table], n=1)
    asked = f"Did you mean {name} {near[0]}? " if near else ""
    quoted = show_line(word if len(word) <= WORD_MOST else f"{word[: WORD_MOST - 1]}…").casefold()
    return "\n".join([f"I do not know {quoted}. {asked}There is:", *_lines(name, table)])


def misused(name: str, word: Word) -> str:
    return f"Write {name} {word.usage}. {word.hint.format(name=name)}".strip()


def _lines(name: str, table: Sequence[Word]) -> Iterator[str]:
    return (f"{name} {one.usage}: {one.what}" for one in table)


def _called(text: str) -> tuple[str, str]:
    """How we were called, and what was said."""
    found = re.match(r"([@/]\S+)(?: |$)", text)
    return (found[1], text[found.end() :]) if found else ("", text)


NAMES: Mapping[str, Word] = {word.name: word for word in TABLE}
