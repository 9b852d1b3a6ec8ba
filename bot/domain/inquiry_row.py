"""The row of a table that people are asked about: all its columns, its number, and the field in question marked.

Not what is asked about it: that is a form's (inquiry_form) or a question's (inquiry_question).
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.asking import Part, Values
from bot.domain.calls import canonical
from bot.domain.wire import Json

WIDE = 100  # characters of a line; a wider table is shown as one line a column


def row_part(table: Values) -> Part:
    """The rows that were given, as one exact piece of text."""
    return Part(label=f"Row {_number(table)} is in question", text=_marked(table), is_exact=True)


def table_flaw(table: Values) -> str | None:
    """Why this table cannot be shown, in one sentence."""
    columns, rows = table["columns"], table["rows"]
    if any(len(row) != len(columns) for row in rows):
        return f"each row of the table must have {len(columns)} cells"
    if not 0 <= table["row"] < len(rows):
        return f"the row in question must be one of 0 to {len(rows) - 1}"
    if table["column"] not in columns:
        return f"the column in question must be one of {', '.join(columns)}"
    return None


def _marked(table: Values) -> str:
    """Every row and column that was given, the row in question with an arrow, its field in brackets."""
    here, column = table["row"], table["columns"].index(table["column"])
    rows = [[_cell(cell) for cell in row] for row in table["rows"]]
    rows[here][column] = f"[ {rows[here][column]} ]"
    names = [_cell(name) for name in table["columns"]]
    lines = _grid(names, rows, table)
    if any(len(line) > WIDE for line in lines):
        return "\n".join(f"{'→' if at == column else ' '} {name}: {rows[here][at]}" for at, name in enumerate(names))
    return "\n".join(lines)


def _grid(names: Sequence[str], rows: Sequence[Sequence[str]], table: Values) -> list[str]:
    numbers = [str(table["first"] + at) for at in range(len(rows))]
    lines = [["row", *names], *([number, *row] for number, row in zip(numbers, rows, strict=True))]
    widths = [max(len(line[at]) for line in lines) for at in range(len(names) + 1)]
    marks = [" ", *("→" if at == table["row"] else " " for at in range(len(rows)))]
    return [
        f"{mark} {'  '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))}".rstrip()
        for mark, line in zip(marks, lines, strict=True)
    ]


def _cell(value: Json) -> str:
    """A text as it is, anything else and a text of several lines as JSON: one cell is one line."""
    is_plain = isinstance(value, str) and value == " ".join(value.split()) and value != ""
    return value if is_plain and isinstance(value, str) else canonical(value).decode()


def _number(table: Values) -> int:
    return int(table["first"] + table["row"])
