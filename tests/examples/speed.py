"""How fast a table is scanned and written, and what it takes of memory.

python -m tests.examples.speed [rows]
"""

from __future__ import annotations

import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import typer

from agents.examples.csv.agent import cleaner
from agents.tools.files import WorkFolder
from agents.tools.sample import lines
from agents.tools.tables import Answer, Part, Tables, Wanted

NAME = "sample.csv"


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with Path(folder, NAME).open("wb") as file:
            file.writelines(lines(rows))
        size = Path(folder, NAME).stat().st_size
        typer.echo(f"{rows:,} rows, {size / 1e6:.1f} MB")
        tables = Tables(WorkFolder(Path(folder)))
        odd: list[int] = []
        _measured("scan", rows, lambda: odd.extend(_scanned(tables)))
        answers = tuple(Answer(row=row, skip=True) for row in dict.fromkeys(odd))
        wanted = Wanted(NAME, tables.look(NAME).sha256, "out.csv", cleaner.columns, answers)
        _measured("write", rows, lambda: tables.write(wanted, key="speed"))


def _scanned(tables: Tables) -> list[int]:
    found, at, first, is_end = list[int](), tables.look(NAME).at, 1, False
    while not is_end:
        part = tables.scan(NAME, cleaner.columns, Part(at, first, cleaner.part))
        found += [one.row for one in part.odd]
        at, first, is_end = part.at, part.next, part.is_end
    return found


def _measured(what: str, rows: int, work: Callable[[], object]) -> None:
    """Once for the time, and once more, slower, for the memory."""
    began = time.perf_counter()
    work()
    took = time.perf_counter() - began
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    typer.echo(f"{what}: {rows / took:,.0f} rows/s, at most {peak / 1e6:.2f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
