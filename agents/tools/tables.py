"""Tables as CSV files of the work folder, row by row: never a whole one in memory, nor in a result.

    look_at_table     columns, size, digest                           scan_rows     counts, and what does not fit
    write_clean_table every row as it is, as people answered it, or nothing at all

A row fits its columns' formats, or somebody has answered for it: the one that writes looks at every row again, and
writes nothing where an answer is missing, is for a row that fits, or does not fit itself. Blanks around a value go;
nothing else is changed by itself. Not how CSV is read and judged (csvfile), nor who is asked about a row (the agent).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from agents.toolbox import Shown, ToolProblem, tool
from agents.tools.csvfile import BLOCK, Judge, Lines, Odd, Sheet, is_blank, put, read_header, read_rows
from agents.tools.files import PathText, WorkFolder
from agents.tools.formats import read_format
from bot.domain.calls import Evidence, Risk
from bot.domain.ports import Leave, Tool
from bot.domain.wire import Record

ODD_MOST = 50  # rows that do not fit, of one scan: it ends there, and the next goes on
ODD_CHARS = 20_000  # characters of them: a result that is cut could not be read
ANSWERS_MOST = 200  # of one table; people have to read them before they sign
SHOWN_MOST = 200  # changed rows on a card
SUMMARY_MOST = 5_000  # changed rows in the summary
WITHIN = timedelta(seconds=60)


def _formats(columns: Mapping[str, str]) -> Mapping[str, str]:
    for text in columns.values():
        read_format(text)
    return columns


Columns = Annotated[dict[str, str], Field(min_length=1, max_length=40), AfterValidator(_formats)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


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
    values: dict[str, Annotated[str, Field(max_length=2_000)]] = {}  # pydantic copies it
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
        """Write a CSV file again, with what people said about rows that do not fit. No other row is changed.

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
            lines = Lines(file, path)
            columns = read_header(lines, path)
            at, size = lines.at, lines.at
            while block := file.read(BLOCK):
                lines.digest.update(block)
                size += len(block)
        return Table(path=path, columns=columns, bytes=size, sha256=lines.digest.hexdigest(), at=at)

    def scan(self, path: str, columns: Mapping[str, str], part: Part) -> Scanned:
        with self._folder.reading(path) as file:
            lines = Lines(file, path)
            judge = Judge(read_header(lines, path), columns, path)
            lines.go_to(part.at)
            odd: list[Odd] = []
            count = size = 0
            for cells in read_rows(lines, part.first):
                _, flaws = judge.judged(cells)
                if flaws:
                    odd.append(judge.odd(part.first + count, cells, flaws))
                    size += sum(map(len, (*odd[-1].cells, *(one.value for one in odd[-1].flaws))))
                count += 1
                if count == part.most or len(odd) == ODD_MOST or size > ODD_CHARS:
                    break
            at = lines.at
            is_end = is_blank(file)
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
        over = "It is new." if is_there is None else f"{target} is there, {is_there:,} bytes, and would be replaced."
        told = Evidence(label=target, text=f"{count.told} {over}")
        label = f"Rows that change ({', '.join(header)})"
        return [told, Evidence(label=label, text="\n".join(changes) or "none", is_code=True)]

    def write(self, wanted: Wanted, *, key: str) -> Shown:
        count, changes = _Count(), Sheet(["row", "how", "column", "was", "now"])
        digest, size = hashlib.sha256(), 0
        with self._passed(wanted) as (header, rows), self._folder.replacing(wanted.target, key=key) as out:
            sheet = Sheet(header)
            for row in rows:
                count.add(row)
                if row.now is not None:
                    sheet.add(row.now)
                if row.how != "same" and changes.rows < SUMMARY_MOST:
                    for line in _told(row, header):
                        changes.add(line)
                if sheet.is_full:
                    size += put(out, digest, sheet.taken())
            size += put(out, digest, sheet.taken())
        done = Cleaned(path=wanted.target, bytes=size, sha256=digest.hexdigest(), **count.parts)
        return Shown(done, files=[("summary.csv", changes.taken())], sources=[f"file {wanted.source}"])

    @contextmanager
    def _passed(self, wanted: Wanted) -> Iterator[tuple[tuple[str, ...], Iterator[_Row]]]:
        """Every row as it is to be. The rows raise ToolProblem where one does not fit and nobody answered for it."""
        if wanted.source == wanted.target:
            raise ToolProblem("A table is written to another file than it is read from.")
        with self._folder.reading(wanted.source) as file:
            lines = Lines(file, wanted.source)
            header = read_header(lines, wanted.source)
            yield header, _settled(lines, Judge(header, wanted.columns, wanted.source), wanted)


def _settled(lines: Lines, judge: Judge, wanted: Wanted) -> Iterator[_Row]:
    answers = {one.row: one for one in wanted.answers}
    if len(answers) < len(wanted.answers):
        raise ToolProblem("A row has two answers.")
    for number, cells in enumerate(read_rows(lines, 1), 1):
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


def _answered(number: int, was: list[str], tidy: list[str], answer: Answer | None, judge: Judge) -> _Row:
    if answer is None:
        raise ToolProblem(f"Row {number} does not fit, and nobody answered for it.")
    if answer.skip:
        return _Row(number, was, None, "skipped")
    now, flaws = judge.judged(judge.mended(tidy, answer.values))
    if flaws:
        raise ToolProblem(f"Row {number} would not fit as answered: {flaws[0].column or 'the row'}: {flaws[0].why}.")
    return _Row(number, was, now, "corrected")


# ------------------------------------------------------------------ telling


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
        auto = f"{of['same']:,} as they are, {of['tidied']:,} without blanks around a value"
        people = f"{of['corrected']:,} as people answered, {of['skipped']:,} left out"
        return f"{sum(of.values()):,} rows: {auto}, {people}."


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
    sheet = Sheet(cells)
    return sheet.taken().decode().rstrip("\n")
