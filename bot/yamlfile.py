"""Reading YAML that people write: every mistake with its line and column, none hidden by another.

    bytes -> open_yaml() -> Reader -> fields / items / text / … , each noting what is wrong -> done()

Nothing is built from tags: the reader looks at nodes, so `no`, `0x10` or `!!python/…` mean nothing but
what a field allows. Anchors are refused: a few of them can spell a file of many gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bot.domain.errors import BadPolicy

LARGEST = 256 * 1024  # bytes of one file
DEEPEST = 20
LONGEST = timedelta(days=366)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
Fields = dict[str, tuple[Node, Node]]  # key -> (its node, its value's node)


class Reader:
    """Reads nodes of one file and collects its problems. A method that finds one returns None."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._problems: list[tuple[int, int, str]] = []

    def note(self, at: Node, sentence: str, *, column: int = 0) -> None:
        """Remember a problem, *column* characters after the start of *at*."""
        self.note_at(at.start_mark.line, at.start_mark.column + column, sentence)

    def note_at(self, line: int, column: int, sentence: str) -> None:
        """Remember a problem at a place counted from 0."""
        self._problems.append((line + 1, column + 1, sentence))

    def spot(self, node: Node) -> str:
        return f"{self.name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"

    def done(self) -> None:
        """Raise BadPolicy with every problem noted, in the order of the file."""
        if self._problems:
            found = sorted(dict.fromkeys(self._problems))
            raise BadPolicy([f"{self.name}:{line}:{column}: {sentence}" for line, column, sentence in found])

    def fields(self, node: Node, what: str, known: Sequence[str] | None = None) -> Fields | None:
        """A mapping's fields; *known* are the keys it may have, any when None. Doubled and unknown keys are noted."""
        if not isinstance(node, MappingNode):
            self.note(node, f"{what} must be a mapping (key: value)")
            return None
        found: Fields = {}
        for key, value in node.value:
            name = self.text(key, f"a key of {what}")
            if name is None:
                continue
            if name in found:
                self.note(key, f"key {name!r} appears twice in {what}; the first is on line {_line(found[name][0])}")
            elif known is not None and name not in known:
                self.note(key, f"{what} has no key {name!r}; it may have {', '.join(known)}")
            else:
                found[name] = (key, value)
        return found

    def whole(self, node: Node, what: str, known: Sequence[str], needs: Sequence[str], told: str) -> Fields | None:
        """As `fields`; None as well where one of *needs* is missing: *told* says what they are for."""
        fields = self.fields(node, what, known)
        missing = [key for key in needs if key not in fields] if fields is not None else []
        if missing:
            self.note(node, f"{what} needs {' and '.join(missing)}: {told}")
        return None if missing else fields

    def items(self, node: Node, what: str) -> list[Node] | None:
        if not isinstance(node, SequenceNode):
            self.note(node, f"{what} must be a list")
            return None
        return list(node.value)

    def text(self, node: Node, what: str) -> str | None:
        if isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:str":
            return str(node.value)
        is_plain = isinstance(node, ScalarNode) and not node.style and node.value
        self.note(node, f"{what} must be text" + (f': write "{node.value}", in quotes' if is_plain else ""))
        return None

    def flag(self, node: Node, what: str) -> bool | None:
        if isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:bool" and node.value in ("true", "false"):
            return bool(node.value == "true")
        self.note(node, f"{what} must be true or false")
        return None

    def count(self, node: Node, what: str, *, least: int, most: int) -> int | None:
        if isinstance(node, ScalarNode) and not node.style and re.fullmatch(r"-?[0-9]{1,6}", node.value):
            number = int(node.value)
            if least <= number <= most:
                return number
        self.note(node, f"{what} must be a whole number from {least} to {most}")
        return None

    def choice(self, node: Node, what: str, options: Sequence[str]) -> str | None:
        if isinstance(node, ScalarNode) and node.value in options:
            return str(node.value)
        self.note(node, f"{what} must be one of {', '.join(options)}")
        return None

    def span(self, node: Node, what: str) -> timedelta | None:
        """A duration such as 30s, 10m, 4h or 2d."""
        found = re.fullmatch(r"([0-9]{1,8})([smhd])", node.value) if isinstance(node, ScalarNode) else None
        span = timedelta(**{UNITS[found[2]]: int(found[1])}) if found else timedelta(0)
        if timedelta(0) < span <= LONGEST:
            return span
        self.note(node, f"{what} must be a time such as 30s, 10m, 4h or 2d, of at most {LONGEST.days}d")
        return None


def open_yaml(data: bytes, name: str) -> tuple[Node, Reader]:
    """The root node of one YAML document and a reader for it. Raises BadPolicy when there is nothing to read."""
    reader = Reader(name)
    root = _root(data, reader)
    reader.done()
    if root is None:
        raise BadPolicy([f"{name}:1:1: the file is empty"])
    return root, reader


def _root(data: bytes, reader: Reader) -> Node | None:
    if len(data) > LARGEST:
        reader.note_at(0, 0, f"the file has {len(data)} bytes; at most {LARGEST} are read")
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        start = data.rfind(b"\n", 0, error.start) + 1
        reader.note_at(data.count(b"\n", 0, error.start), error.start - start, "the file is not valid UTF-8")
        return None
    try:
        return yaml.compose(text, yaml.SafeLoader) if _is_honest(text, reader) else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        reader.note_at(line, column, f"not valid YAML: {error.problem}{_remedy(text.splitlines(), line, column)}")
    except yaml.YAMLError as error:  # a control character, for one: it has no mark
        reader.note_at(0, 0, f"not valid YAML: {error}".split("\n")[0])
    return None


def _remedy(lines: Sequence[str], number: int, column: int) -> str:
    """What most likely has to be written instead, read from the line itself; empty where nothing is likely."""
    line = lines[number] if number < len(lines) else ""
    if line[column : column + 1] == "\t":
        return "; YAML takes no tabs: indent with blanks"
    if line.lstrip().startswith("- "):
        here = len(line) - len(line.lstrip())
        others = [len(one) - len(one.lstrip()) for one in lines[:number] if one.lstrip().startswith("- ")]
        if others and others[0] != here:
            told = f"this item stands {here} blanks in, and the list above it {others[0]}"
            return f"; {told}: indent it like the others"
    if line[column : column + 1] == ":" and ":" in line[:column]:
        return "; a text with a colon in it stands in quotes"
    return ""


def _is_honest(text: str, reader: Reader) -> bool:
    """Note anchors and deep nesting before anything is built from them."""
    depth, is_honest = 0, True
    for event in yaml.parse(text, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            _note_event(reader, event, "anchors and aliases are not read; write it out")
            is_honest = False
        if depth > DEEPEST:
            _note_event(reader, event, f"nested deeper than {DEEPEST}")
            return False
    return is_honest


def _note_event(reader: Reader, event: yaml.Event, sentence: str) -> None:
    if event.start_mark is not None:
        reader.note_at(event.start_mark.line, event.start_mark.column, sentence)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
