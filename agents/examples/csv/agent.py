"""Cleaning up a table: what fits runs by itself, what does not is people's to say, and all of it is signed at the end.

    path -> look -> scan part by part -> sorted by what is wrong -> lanes, each asks one question at a time
                                                                     │ a value that does not fit is asked again
                                                                     └ all answered -> write_clean_table -> signed

Code and no model: nothing here is a matter of opinion, so nothing may be guessed (AS-27). Equal mistakes share a
question if people want them to. Nobody answers, or somebody stops it: nothing is written. Not how a file is read or
written, nor what fits (agents/tools/tables, which judges every row once more before it writes).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.patterns.ask import ASKED_MOST, chosen
from agents.tools.formats import ONE_OF, read_format
from bot.domain.asking import TEXT
from bot.domain.calls import Cause, Outcome, ToolResult
from bot.domain.ports import RunContext, WantedCall
from bot.domain.run import Task
from bot.domain.wire import Json, dumps, loads

FILE = re.compile(r"(?<![\w/.-])[\w-][\w./-]*\.csv\b", re.IGNORECASE)
SAMPLE = re.compile(r"\b(\d[\d,]{0,8})?\s*sample rows?\b", re.IGNORECASE)
SAMPLE_ROWS = 5  # where nobody says how many
ODD_MOST = 200  # rows that do not fit: with more, it is the file that is wrong
SKIP, SKIP_ALL, ONE_BY_ONE, STOP = "Skip this row", "Skip all of them", "Ask about each row", "Stop, write nothing"
WHICH = "Which file? Please name a CSV file of the work folder, as in: clean up orders.csv"
SPOKEN = "I am a program and read no words here: please press a button, or Stop."


class _Ended(Exception):
    """It ends here, and nothing was written: `told` is the last word."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told


@dataclass(frozen=True, slots=True)
class _Flaw:
    """One thing to ask about: a value in one or several rows, or a whole row where there is no column."""

    column: str
    value: str
    why: str
    rows: tuple[int, ...]
    cells: tuple[str, ...]  # of the first row

    def of(self, row: int, cells: Sequence[str]) -> _Flaw:
        return _Flaw(self.column, self.value, self.why, (row,), tuple(cells))


@dataclass(slots=True)
class _Table:
    """What was found out about one file."""

    path: str
    columns: tuple[str, ...]
    sha256: str
    bytes: int
    at: int
    rows: int = 0
    odd: dict[int, tuple[str, ...]] = field(default_factory=dict)  # the cells of rows that do not fit
    flaws: list[_Flaw] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaner:
    """An agent of code (agents/coded): *columns* with their formats, and who is asked about what does not fit them."""

    columns: Mapping[str, str]
    analysts: str = "analysts"
    part: int = 5_000  # rows of one scan
    side_by_side: int = 5  # questions that wait at a time

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        try:
            table = await self._looked(await _path(task.text, ctx), ctx)
            await self._scan(table, ctx)
            answers = await self._answers(table, ctx)
            return await self._written(table, answers, ctx)
        except _Ended as ended:
            return ended.told

    # --------------------------------------------------------------- reading

    async def _looked(self, path: str, ctx: RunContext) -> _Table:
        found = await _done(ctx, "look_at_table", path=path)
        columns = tuple(found["columns"])
        if set(columns) != set(self.columns):
            raise _Ended(f"{path} has the columns {', '.join(columns)}; I know {', '.join(self.columns)}.")
        return _Table(path, columns, found["sha256"], found["bytes"], found["at"])

    async def _scan(self, table: _Table, ctx: RunContext) -> None:
        """Read every row once, and keep those that do not fit."""
        at, is_end, told = table.at, False, f"Reading {table.path}"
        await ctx.progress(told, 0, table.bytes)
        while not is_end:
            part: dict[str, Json] = {"at": at, "first": table.rows + 1, "most": self.part}
            found = await _done(ctx, "scan_rows", path=table.path, columns=dict(self.columns), **part)
            _keep(table, found.get("odd", ()))
            table.rows, at, is_end = table.rows + found["rows"], found["at"], found["is_end"]
            if len(table.odd) > ODD_MOST:
                raise _Ended(
                    f"More than {ODD_MOST} of the first {table.rows:,} rows of {table.path} do not fit: it is not the "
                    "table it should be. Nobody was asked, and nothing was written."
                )
            await ctx.progress(told, table.bytes if is_end else at, table.bytes)

    # ---------------------------------------------------------------- asking

    async def _answers(self, table: _Table, ctx: RunContext) -> list[dict[str, Json]]:
        """What people said about each row that does not fit."""
        answers: dict[int, dict[str, Json]] = {row: {"row": row, "values": {}} for row in table.odd}
        # Which question goes to which lane never depends on who answers first: a replay asks in the same places.
        lanes = [table.flaws[first :: self.side_by_side] for first in range(self.side_by_side)]
        await ctx.gather(*(self._lane(table, lane, answers, ctx) for lane in lanes if lane))
        return [answers[row] for row in sorted(answers)]

    async def _lane(
        self, table: _Table, flaws: Sequence[_Flaw], answers: dict[int, dict[str, Json]], ctx: RunContext
    ) -> None:
        for flaw in flaws:
            for row, said in (await self._settled(table, flaw, ctx)).items():
                values = answers[row]["values"]
                assert isinstance(values, dict), "as it was made"
                if said is None:
                    answers[row] = {"row": row, "skip": True}
                elif "skip" not in answers[row]:
                    values |= said

    async def _settled(self, table: _Table, flaw: _Flaw, ctx: RunContext) -> dict[int, dict[str, Json] | None]:
        """For each of its rows the values that people gave; None: it is left out."""
        said = await self._asked(table, flaw, ctx)
        if said == ONE_BY_ONE:
            alone = [flaw.of(row, table.odd[row]) for row in flaw.rows]
            return {one.rows[0]: await self._one(table, one, ctx) for one in alone}
        return dict.fromkeys(flaw.rows, self._values(flaw, said))

    async def _one(self, table: _Table, flaw: _Flaw, ctx: RunContext) -> dict[str, Json] | None:
        return self._values(flaw, await self._asked(table, flaw, ctx))

    def _values(self, flaw: _Flaw, said: str) -> dict[str, Json] | None:
        if said in (SKIP, SKIP_ALL):
            return None
        return {flaw.column: said}

    async def _asked(self, table: _Table, flaw: _Flaw, ctx: RunContext) -> str:
        """One of the options that do something, or a value that fits its column."""
        before = ""
        while True:
            options = self._options(flaw)
            result = await _use(ctx, "ask_about_row", self._question(table, flaw, options, before))
            if result.outcome is not Outcome.OK:
                rows = ", ".join(map(str, flaw.rows))
                raise _Ended(f"Nobody answered about row {rows}, so nothing was written. {result.text}")
            answer = loads(result.answer)
            said = chosen(result, options) or str(answer.get(TEXT) or "").strip()
            if said == STOP:
                raise _Ended(f"Stopped at row {flaw.rows[0]}: nothing was written.")
            if said in (SKIP, SKIP_ALL, ONE_BY_ONE) and said in options:
                return said
            why = read_format(self.columns[flaw.column]).flaw(said) if flaw.column else "please choose"
            if not why:
                return said
            before = f"“{said}” does not fit either: {why}. "

    def _options(self, flaw: _Flaw) -> list[str]:
        values = read_format(self.columns[flaw.column]).choices if flaw.column else ()
        ways = [SKIP] if len(flaw.rows) == 1 else [SKIP_ALL, ONE_BY_ONE]
        return [*values, *ways, STOP]

    def _question(self, table: _Table, flaw: _Flaw, options: Sequence[str], before: str) -> dict[str, Json]:
        number, column = flaw.rows[0], flaw.column or table.columns[0]
        what = f"{flaw.column} of row {number:,}: {flaw.why}" if flaw.column else f"Row {number:,}: {flaw.why}"
        if (more := len(flaw.rows) - 1) > 0:
            others = ", ".join(f"{row:,}" for row in flaw.rows[1:11]) + (", …" if more > 10 else "")
            what += f". The same “{flaw.value}” stands in {more} more: {others}. One answer is for all of them"
        return {
            "question": f"{before}{what}.{self._must(flaw)} ({table.path}, {table.rows:,} rows)",
            "table": _shown(table, number, flaw.cells, column),
            "options": list(options),
            "may_write": bool(flaw.column),
            "of": self.analysts,
        }

    def _must(self, flaw: _Flaw) -> str:
        """What should stand there, where what is wrong does not say so."""
        if not flaw.column:
            return " Leave it out, or stop and mend the file."
        name = read_format(self.columns[flaw.column]).name
        kind = {"integer": "a whole number", "text": "text"}.get(name, name if name.startswith(ONE_OF) else f"a {name}")
        return "" if flaw.value else f" It must be {kind}."

    # --------------------------------------------------------------- writing

    async def _written(self, table: _Table, answers: Sequence[dict[str, Json]], ctx: RunContext) -> str:
        target = f"cleaned/{table.path.rpartition('/')[2]}"
        wanted: dict[str, Json] = {
            "source": table.path,
            "sha256": table.sha256,
            "target": target,
            "columns": dict(self.columns),
            "answers": list(answers),
        }
        result = await _use(ctx, "write_clean_table", wanted, why=f"{table.rows:,} rows, {len(answers)} by people")
        if result.outcome is not Outcome.OK:
            return f"{target} was not written. {result.text}"
        done = _read(result)
        auto, people = done["as_they_were"] + done["tidied"], done["corrected"] + done["skipped"]
        return (
            f"{target} is written. All {done['rows']:,} rows are accounted for: {auto:,} by themselves "
            f"({done['tidied']:,} lost blanks around a value), {people:,} by people "
            f"({done['corrected']:,} corrected, {done['skipped']:,} left out). summary.csv has every change."
        )


# ------------------------------------------------------------------ steps


async def _path(text: str, ctx: RunContext) -> str:
    """The file that the task names; or the sample it wants, invented now."""
    if found := FILE.search(text):
        return found[0]
    if not (wanted := SAMPLE.search(text)):
        raise _Ended(WHICH)
    rows = int((wanted[1] or str(SAMPLE_ROWS)).replace(",", ""))
    made = await _done(ctx, "invent_table", path=f"sample-{rows}.csv", rows=rows)
    return str(made["path"])


async def _done(ctx: RunContext, tool: str, **args: Json) -> dict[str, Any]:
    """What a call gave. Raises _Ended with its own words where it gave nothing."""
    result = await _use(ctx, tool, args)
    if result.outcome is not Outcome.OK:
        raise _Ended(f"Nothing was written. {result.text}")
    return _read(result)


async def _use(ctx: RunContext, tool: str, args: Mapping[str, Json], *, why: str = "") -> ToolResult:
    """The result of one call, asked for again when somebody's words came first: there is nobody here to read them."""
    for _ in range(ASKED_MOST):
        (result,) = await ctx.use((WantedCall(id=tool, tool=tool, args=dumps(args).decode()),), why=why)
        if result.cause is not Cause.SUPERSEDED:
            break
        if await ctx.heard():
            await ctx.note(SPOKEN)
    return result


def _read(result: ToolResult) -> dict[str, Any]:
    """A result's record; lines about files that were shown stand below it."""
    return dict(loads(result.text.partition("\n")[0]))


def _keep(table: _Table, odd: Sequence[Mapping[str, Any]]) -> None:
    """Take in rows that do not fit. Equal mistakes in a column are one question; a missing value equals no other."""
    for one in odd:
        row, cells = int(one["row"]), tuple(one.get("cells", ()))
        table.odd[row] = cells
        for flaw in one["flaws"]:
            column, value, why = flaw["column"], flaw["value"], flaw["why"]
            same = next((at for at, known in enumerate(table.flaws) if _is_same(known, column, value, why)), None)
            if same is None:
                table.flaws.append(_Flaw(column, value, why, (row,), cells))
            else:
                known = table.flaws[same]
                table.flaws[same] = _Flaw(column, value, why, (*known.rows, row), known.cells)


def _is_same(known: _Flaw, column: str, value: str, why: str) -> bool:
    is_whole = bool(column) and bool(value) and not value.endswith("…")  # what was cut might differ in its end
    return is_whole and (known.column, known.value, known.why) == (column, value, why)


def _shown(table: _Table, number: int, cells: Sequence[str], column: str) -> dict[str, Json]:
    """The row with all its columns. What a row has too many stands in the last of them."""
    last = len(table.columns) - 1
    padded = [*cells, *[""] * len(table.columns)]
    row = [*padded[:last], ",".join(cells[last:])]
    return {"columns": list(table.columns), "rows": [list(row)], "row": 0, "column": column, "first": number}


cleaner = Cleaner(
    columns={
        "order": "integer",
        "customer": "text",
        "class": "one of retail, wholesale, online",
        "day": "date",
        "amount": "number",
    }
)
