"""Tables as CSV files of the work folder, row by row: never a whole one in memory, nor in a result.

    look_at_table     columns, size, digest                           scan_rows     counts, and what does not fit
    write_clean_table every row as it is, as people answered it, or nothing at all

A row fits its columns' formats (formats), or somebody has answered for it: the one that writes looks at every row again,
and writes nothing where an answer is missing, is for a row that fits, or does not fit itself. Blanks around a value go;
nothing else is changed by itself. Not who is asked about a row, nor how (the agent).
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, BinaryIO

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from agents.toolbox import Shown, ToolProblem, tool
from agents.tools.files import PathText, WorkFolder
from agents.tools.formats import Format, read_format
from bot.domain.calls import Evidence, Risk
from bot.domain.ports import Leave, Tool
from bot.domain.wire import Record

LINE_MOST = 200_000  # bytes of a line
CELL_MOST = 300  # characters of a cell that people are asked about
ODD_MOST = 50  # rows that do not fit, of one scan: it ends there, and the next goes on
ANSWERS_MOST = 200  # of one table; people have to read them before they sign
SHOWN_MOST = 200  # changed rows on a card
SUMMARY_MOST = 5_000  # changed rows in the summary
BLOCK = 1 << 16  # bytes
WITHIN = timedelta(seconds=60)


def _formats(columns: Mapping[str, str]) -> Mapping[str, str]:
    for text in columns.values():
        read_format(text)
    return columns


Columns = Annotated[dict[str, str], Field(min_length=1, max_length=40), AfterValidator(_formats)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


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


class Table(Record):
    path: str
    columns: tuple[str, ...]
    bytes: int
    sha256: str
    at: int  # where its rows begin


class Scanned(Record):
    rows: int
    at: int  # where the next scan begins
    next: int  # the number of its first row
    is_end: bool
    odd: tuple[Odd, ...] = ()


class Answer(BaseModel):
    """What people said about a row that does not fit."""

    model_config = ConfigDict(extra="forbid")

    row: Annotated[int, Field(ge=1)]
    values: dict[str, Annotated[str, Field(max_length=2_000)]] = {}  # noqa: RUF012  # pydantic copies it
    skip: bool = False


class Cleaned(Record):
    """What became of every row: the last four add up to `rows`."""

    path: str
    rows: int
    as_they_were: int
    tidied: int  # lost blanks around a value
    corrected: int
    skipped: int
    bytes: int
    sha256: str


def table_tools(folder: WorkFolder) -> tuple[Tool, ...]:
    tables = Tables(folder)

    @tool(risk=Risk.READ, touches=("files",), category="technical", timeout=WITHIN)
    def look_at_table(path: PathText) -> Table:
        """Tell the columns, size and digest of a CSV file in the work folder."""
        return tables.look(path)

    @tool(risk=Risk.READ, touches=("files",), category="technical", timeout=WITHIN)
    def scan_rows(
        path: PathText,
        columns: Columns,
        at: Annotated[int, Field(ge=0)],
        first: Annotated[int, Field(ge=1)] = 1,
        most: Annotated[int, Field(ge=1, le=100_000)] = 5_000,
    ) -> Scanned:
        """Read rows of a CSV file and return only those that do not fit their columns; and where to go on.

        Args:
            columns: what each column holds: integer, number, date, text, or one of A, B; with ? it may be missing
            at: the byte where the first row begins, as look_at_table or the scan before says
            first: the number of that row
            most: rows to read
        """
        return tables.scan(path, columns, Part(at, first, most))

    @tool(
        risk=Risk.WRITE,
        touches=("files",),
        idempotent=True,
        category="technical",
        preview=tables.foreseen,
        preview_timeout=timedelta(seconds=30),
        timeout=WITHIN,
    )
    def write_clean_table(
        source: PathText,
        sha256: Sha256,
        target: PathText,
        columns: Columns,
        answers: Annotated[list[Answer], Field(max_length=ANSWERS_MOST)] = [],  # noqa: B006  # part of the schema
        *,
        leave: Leave,
    ) -> Shown:
        """Write a CSV file again, with what people said about rows that do not fit. Nothing else is changed or left out.

        Args:
            sha256: of the source, as look_at_table said: of another file nothing is written
            target: another file; what was in it before is lost
            columns: what each column holds, as for scan_rows
            answers: for each row that does not fit, its right values, or that it is skipped
        """
        return tables.write(Wanted(source, sha256, target, columns, tuple(answers)), key=leave.key)

    return look_at_table, scan_rows, write_clean_table


@dataclass(frozen=True, slots=True)
class Part:
    at: int
    first: int
    most: int


@dataclass(frozen=True, slots=True)
class Wanted:
    source: str
    sha256: str
    target: str
    columns: Mapping[str, str]
    answers: tuple[Answer, ...]


@dataclass(slots=True)
class _Row:
    """A row on its way: as it was, as it is to be (None: left out), and why."""

    number: int
    was: Sequence[str]
    now: Sequence[str] | None
    how: str


class Tables:
    """Every method blocks, and raises ToolProblem with nothing changed."""

    def __init__(self, folder: WorkFolder) -> None:
        self._folder = folder

    def look(self, path: str) -> Table:
        with self._folder.reading(path) as file:
            lines = _Lines(file, path)
            columns = _header(lines, path)
            at, size = lines.at, lines.at
            while block := file.read(BLOCK):
                lines.digest.update(block)
                size += len(block)
        return Table(path=path, columns=columns, bytes=size, sha256=lines.digest.hexdigest(), at=at)

    def scan(self, path: str, columns: Mapping[str, str], part: Part) -> Scanned:
        with self._folder.reading(path) as file:
            lines = _Lines(file, path)
            judge = _Judge(_header(lines, path), columns, path)
            lines.go_to(part.at)
            odd: list[Odd] = []
            count = 0
            for cells in _rows(lines, part.first):
                _, flaws = judge.judged(cells)
                if flaws:
                    odd.append(judge.odd(part.first + count, cells, flaws))
                count += 1
                if count == part.most or len(odd) == ODD_MOST:
                    break
            at = lines.at
            is_end = _is_blank(file)
        return Scanned(rows=count, at=at, next=part.first + count, is_end=is_end, odd=tuple(odd))

    def foreseen(
        self, source: str, sha256: str, target: str, columns: Mapping[str, str], answers: Sequence[Answer]
    ) -> list[Evidence]:
        """What `write` would do: how many rows, and every one that changes."""
        count, changes, more = _Count(), list[str](), 0
        with self._passed(Wanted(source, sha256, target, columns, tuple(answers))) as (header, rows):
            for row in rows:
                count.add(row)
                if row.how == "same":
                    continue
                if len(changes) < SHOWN_MOST:
                    changes.append(_change(row))
                else:
                    more += 1
        changes += [f"… and {more:,} more rows"] if more else []
        is_there = self._folder.present_size(target)
        over = f"{target} is there, {is_there:,} bytes, and would be replaced." if is_there is not None else "It is new."
        told = Evidence(label=target, text=f"{count.told} {over}")
        label = f"Rows that change ({', '.join(header)})"
        return [told, Evidence(label=label, text="\n".join(changes) or "none", is_code=True)]

    def write(self, wanted: Wanted, *, key: str) -> Shown:
        count, changes = _Count(), _Sheet(["row", "how", "column", "was", "now"])
        digest, size = hashlib.sha256(), 0
        with self._passed(wanted) as (header, rows), self._folder.replacing(wanted.target, key=key) as out:
            sheet = _Sheet(header)
            for row in rows:
                count.add(row)
                if row.now is not None:
                    sheet.add(row.now)
                if row.how != "same" and changes.rows < SUMMARY_MOST:
                    for line in _told(row, header):
                        changes.add(line)
                if sheet.is_full:
                    size += _put(out, digest, sheet.taken())
            size += _put(out, digest, sheet.taken())
        done = Cleaned(path=wanted.target, bytes=size, sha256=digest.hexdigest(), **count.parts)
        return Shown(done, files=[("summary.csv", changes.taken())], sources=[f"file {wanted.source}"])

    @contextmanager
    def _passed(self, wanted: Wanted) -> Iterator[tuple[tuple[str, ...], Iterator[_Row]]]:
        """Every row as it is to be. The rows raise ToolProblem where one does not fit and nobody answered for it."""
        if wanted.source == wanted.target:
            raise ToolProblem("A table is written to another file than it is read from.")
        with self._folder.reading(wanted.source) as file:
            lines = _Lines(file, wanted.source)
            header = _header(lines, wanted.source)
            yield header, _settled(lines, _Judge(header, wanted.columns, wanted.source), wanted)


def _settled(lines: _Lines, judge: _Judge, wanted: Wanted) -> Iterator[_Row]:
    answers = {one.row: one for one in wanted.answers}
    if len(answers) < len(wanted.answers):
        raise ToolProblem("A row has two answers.")
    for number, cells in enumerate(_rows(lines, 1), 1):
        answer = answers.pop(number, None)
        tidy, flaws = judge.judged(cells)
        if not flaws and answer is not None:
            raise ToolProblem(f"Row {number} fits; an answer about it changes nothing.")
        if flaws:
            yield _answered(number, cells, tidy, answer, judge)
        else:
            yield _Row(number, cells, tidy, "same" if tidy == cells else "tidied")
    if lines.digest.hexdigest() != wanted.sha256:
        raise ToolProblem(f"{wanted.source} was changed since it was read. Please begin again.")
    if answers:
        raise ToolProblem(f"There is no row {min(answers)} in {wanted.source}.")


def _answered(number: int, was: list[str], tidy: list[str], answer: Answer | None, judge: _Judge) -> _Row:
    if answer is None:
        raise ToolProblem(f"Row {number} does not fit, and nobody answered for it.")
    if answer.skip:
        return _Row(number, was, None, "skipped")
    now, flaws = judge.judged(judge.mended(tidy, answer.values))
    if flaws:
        raise ToolProblem(f"Row {number} would not fit as answered: {flaws[0].column or 'the row'}: {flaws[0].why}.")
    return _Row(number, was, now, "corrected")


# ------------------------------------------------------------------ judging


class _Judge:
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


class _Lines:
    """The lines of a file as text, one after the other; how many bytes they were, and their digest."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file, self._path = file, path
        self.at, self.digest = 0, hashlib.sha256()

    def __iter__(self) -> _Lines:
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
        return not _is_blank(self._file)


def _header(lines: _Lines, path: str) -> tuple[str, ...]:
    names = tuple(name.strip().removeprefix("\ufeff") for name in next(csv.reader(lines, strict=True), ()))
    if not names or not all(names) or len(set(names)) < len(names):
        raise ToolProblem(f"{path} does not begin with the names of its columns, each of them once.")
    return names


def _rows(lines: _Lines, first: int) -> Iterator[list[str]]:
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


def _is_blank(file: BinaryIO) -> bool:
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


class _Sheet:
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


def _put(out: BinaryIO, digest: Any, raw: bytes) -> int:
    digest.update(raw)
    return out.write(raw)


class _Count:
    """How many rows there are of each sort."""

    def __init__(self) -> None:
        self._of = dict.fromkeys(("same", "tidied", "corrected", "skipped"), 0)

    def add(self, row: _Row) -> None:
        self._of[row.how] += 1

    @property
    def parts(self) -> Mapping[str, int]:
        of = self._of
        parts = {name: of[name] for name in ("tidied", "corrected", "skipped")}
        return {"rows": sum(of.values()), "as_they_were": of["same"], **parts}

    @property
    def told(self) -> str:
        of = self._of
        parts = f"{of['same']:,} as they are, {of['tidied']:,} without blanks around a value"
        return f"{sum(of.values()):,} rows: {parts}, {of['corrected']:,} as people answered, {of['skipped']:,} left out."


def _change(row: _Row) -> str:
    was = f"-{row.number}: {_line(row.was)}"
    return was if row.now is None else f"{was}\n+{row.number}: {_line(row.now)}"


def _told(row: _Row, header: Sequence[str]) -> Iterator[list[str]]:
    """The summary's lines of one changed row: one for each value that is another now."""
    if row.now is None or len(row.was) != len(header):
        yield [str(row.number), row.how, "", _line(row.was), _line(row.now or ())]
        return
    for name, was, now in zip(header, row.was, row.now, strict=True):
        if was != now:
            yield [str(row.number), row.how, name, was, now]


def _line(cells: Sequence[str]) -> str:
    sheet = _Sheet(cells)
    return sheet.taken().decode().rstrip("\n")
