"""CSV as it stands in a file: read line by line, judged by its columns' formats, written piece by piece.

Not which rows are read when, nor what becomes of one that does not fit (tables).
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from agents.toolbox import ToolProblem
from agents.tools.formats import Format, read_format
from bot.domain.wire import Record

LINE_MOST = 200_000  # bytes of a line
CELL_MOST = 300  # characters of a cell that people are asked about
BLOCK = 1 << 16  # bytes


class Flaw(Record):
    """What is wrong with one value; with the whole row if it has no column."""

    column: str
    value: str
    why: str


class Odd(Record):
    """A row that does not fit, whole: its number in the table, from 1."""

    row: int
    cells: tuple[str, ...]
    flaws: tuple[Flaw, ...]


# ------------------------------------------------------------------ judging


class Judge:
    """What the columns of one table must hold."""

    def __init__(self, header: tuple[str, ...], columns: Mapping[str, str], path: str) -> None:
        if set(header) != set(columns):
            raise ToolProblem(f"{path} has the columns {', '.join(header)}; expected were {', '.join(columns)}.")
        self._header = header
        self._formats: tuple[Format, ...] = tuple(read_format(columns[name]) for name in header)

    def judged(self, cells: Sequence[str]) -> tuple[list[str], list[Flaw]]:
        """The row without blanks around its values, and what is wrong with it."""
        tidy = [cell.strip() for cell in cells]
        if len(cells) != len(self._header):
            why = f"it has {len(cells)} cells instead of {len(self._header)}" if cells else "the line is empty"
            return tidy, [Flaw(column="", value=",".join(cells), why=why)]
        found: list[Flaw] = []
        for name, form, value in zip(self._header, self._formats, tidy, strict=True):
            if why := form.flaw(value):
                found.append(Flaw(column=name, value=value, why=why))
        return tidy, found

    def mended(self, tidy: Sequence[str], values: Mapping[str, str]) -> list[str]:
        """The row with *values* in their columns; a row that is no row needs all of them."""
        if strange := set(values) - set(self._header):
            raise ToolProblem(f"There is no column {min(strange)}.")
        own = tidy if len(tidy) == len(self._header) else [""] * len(self._header)
        return [values.get(name, cell) for name, cell in zip(self._header, own, strict=True)]

    def odd(self, number: int, cells: Sequence[str], flaws: Sequence[Flaw]) -> Odd:
        cut = [Flaw(column=one.column, value=_clip(one.value), why=one.why) for one in flaws]
        return Odd(row=number, cells=tuple(_clip(cell) for cell in cells), flaws=tuple(cut))


def _clip(text: str) -> str:
    return text if len(text) <= CELL_MOST else f"{text[: CELL_MOST - 1]}…"


# ------------------------------------------------------------------ reading


class Lines:
    """The lines of a file as text, one after the other; how many bytes they were, and their digest."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file, self._path = file, path
        self.at, self.digest = 0, hashlib.sha256()

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        raw = self._file.readline(LINE_MOST + 1)
        if not raw:
            raise StopIteration
        if len(raw) > LINE_MOST:
            raise ToolProblem(f"{self._path} has a line of more than {LINE_MOST:,} bytes.")
        self.at += len(raw)
        self.digest.update(raw)
        return raw.decode("utf-8", "replace")

    def go_to(self, at: int) -> None:
        self._file.seek(at)
        self.at = at

    @property
    def has_more(self) -> bool:
        return not is_blank(self._file)


def read_header(lines: Lines, path: str) -> tuple[str, ...]:
    names = tuple(name.strip().removeprefix("\ufeff") for name in next(csv.reader(lines, strict=True), ()))
    if not names or not all(names) or len(set(names)) < len(names):
        raise ToolProblem(f"{path} does not begin with the names of its columns, each of them once.")
    return names


def read_rows(lines: Lines, first: int) -> Iterator[list[str]]:
    """Every row; empty lines too, but for those that nothing follows."""
    reader, number = csv.reader(lines, strict=True), first
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise ToolProblem(f"Row {number} cannot be read as CSV ({error}). Please mend it in the file.") from None
        if cells is None or (not cells and not lines.has_more):
            for _ in lines:  # the digest is of the whole file
                pass
            return
        yield cells
        number += 1


def is_blank(file: BinaryIO) -> bool:
    """Does nothing but ends of lines follow? Where the file is read next is left as it was."""
    here = file.tell()
    try:
        while block := file.read(BLOCK):
            if block.strip(b"\r\n"):
                return False
        return True
    finally:
        file.seek(here)


# ------------------------------------------------------------------ writing


class Sheet:
    """CSV in the making, taken out piece by piece."""

    def __init__(self, header: Sequence[str]) -> None:
        self._text = io.StringIO()
        self._writer: Any = csv.writer(self._text, lineterminator="\n")
        self._writer.writerow(header)
        self.rows = 0

    def add(self, cells: Sequence[str]) -> None:
        self._writer.writerow(cells)
        self.rows += 1

    @property
    def is_full(self) -> bool:
        return self._text.tell() > BLOCK

    def taken(self) -> bytes:
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return text.encode("utf-8", "replace")


def put(out: BinaryIO, digest: Any, raw: bytes) -> int:
    digest.update(raw)
    return out.write(raw)
