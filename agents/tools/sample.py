"""A table to try things on: invented orders, most of them right, in a new file of the work folder.

The same number of rows is always the same table. Five rows have two that do not fit; more rows have a few of every
sort. Never written over anything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated

from pydantic import Field

from agents.toolbox import ToolProblem, tool
from agents.tools.files import PathText, WorkFolder
from bot.domain.calls import Risk
from bot.domain.ports import Leave, Tool
from bot.domain.wire import Record

COLUMNS = ("order", "customer", "class", "day", "amount")
ROWS_MOST = 1_000_000
CLASSES = ("retail", "wholesale", "online")
NAMES = ("Abel", "Brandt", "Castro", "Duval", "Egger", "Flores", "Grant")
ODD = {  # row: column, and what stands there instead
    2: ("class", ""),
    4: ("day", "31.02.2026"),
    700: ("class", "retial"),
    1_500: ("amount", "12,50"),
    7_000: ("class", "retial"),
    42_000: ("day", "yesterday"),
    70_000: ("class", "retial"),
    99_000: ("amount", ""),
}
BLANKS = 997  # every row of so many has blanks around its customer


class Invented(Record):
    path: str
    rows: int


def sample_tools(folder: WorkFolder) -> tuple[Tool, ...]:
    @tool(risk=Risk.WRITE, touches=("files",), idempotent=True, category="technical")
    def invent_table(path: PathText, rows: Annotated[int, Field(ge=1, le=ROWS_MOST)], *, leave: Leave) -> Invented:
        """Write an invented table of orders into a new file of the work folder, to try things on.

        Args:
            path: a file that is not there yet, or is this very table
            rows: how many; a few of them do not fit
        """
        if folder.present_size(path) not in (None, sum(map(len, lines(rows)))):
            raise ToolProblem(f"{path} is there already, and is another file. Nothing was written.")
        with folder.replacing(path, key=leave.key) as out:
            out.writelines(lines(rows))
        return Invented(path=path, rows=rows)

    return (invent_table,)


def lines(rows: int) -> Iterator[bytes]:
    """The table as it stands in the file."""
    yield (",".join(COLUMNS) + "\n").encode()
    for number in range(1, rows + 1):
        yield (",".join(_cells(number)) + "\n").encode()


def _cells(number: int) -> list[str]:
    name = NAMES[number % len(NAMES)]
    cells = [
        str(number),
        f" {name} " if number % BLANKS == 0 else name,
        CLASSES[number % len(CLASSES)],
        (date(2026, 1, 1) + timedelta(days=number % 200)).isoformat(),
        f"{number % 900 + 5}.{number % 100:02}",
    ]
    if number in ODD:
        column, value = ODD[number]
        cells[COLUMNS.index(column)] = f'"{value}"' if "," in value else value
    return cells
