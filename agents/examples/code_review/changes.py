"""From decided findings to changed files: each replaces exactly its lines, all of them counted as they stood before."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from agents.examples.code_review.source import Source


class Edit(NamedTuple):
    """*text* in place of the lines *first* to *last* of *file*."""

    file: str
    first: int
    last: int
    text: str

    def meets(self, other: Edit) -> bool:
        """Do both replace one line?"""
        return self.file == other.file and self.first <= other.last and other.first <= self.last


def applied(source: Source, edits: Iterable[Edit]) -> Mapping[str, str]:
    """The files that *edits* change, whole. No two of them may meet. Line ends stay as each file has them."""
    changed: dict[str, list[str]] = {}
    for edit in sorted(edits, reverse=True):  # from the end, so that the numbers in front of it still hold
        lines = changed.setdefault(edit.file, list(source.lines[edit.file]))
        end = "\r" if lines[edit.first - 1].endswith("\r") else ""
        lines[edit.first - 1 : edit.last] = [f"{line}{end}" for line in _written(edit.text)]
    texts = {name: "\n".join(lines) for name, lines in changed.items()}
    return {name: text for name, text in sorted(texts.items()) if text != source.files[name]}


def patch(source: Source, changed: Mapping[str, str]) -> str:
    """The same as a patch that `git apply` takes."""
    return "".join(
        _line(line)
        for name, text in changed.items()
        for line in difflib.unified_diff(_lines(source.files[name]), _lines(text), f"a/{name}", f"b/{name}")
    )


def _written(text: str) -> list[str]:
    """Lines as people typed them, whatever ends their keyboard gave them."""
    return text.replace("\r\n", "\n").rstrip("\n").split("\n")


def _lines(text: str) -> list[str]:
    """With their ends; the last one may have none."""
    lines = [f"{line}\n" for line in text.split("\n")]
    return [*lines[:-1], lines[-1].removesuffix("\n")] if lines[-1] != "\n" else lines[:-1]


def _line(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
