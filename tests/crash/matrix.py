"""The crash matrix as a table: one line a point, shown at the end of a test session and kept in var/."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from bot.domain.wire import Record, dumps
from tests.crash.points import POINTS, Point

PROPERTY = "crash"  # under this name a test's line travels to whoever sums up
PLACE = Path(__file__).resolve().parents[2] / "var" / "crash-matrix.txt"


class Line(Record):
    point: Point
    how: str  # recovered how
    starts: int  # by the ledger
    effects: int

    def packed(self) -> str:
        return dumps(self).decode()


def told(packed: Iterable[str]) -> list[str]:
    """What a session's summary says, and what is kept of it; nothing when no point was tried."""
    lines = [msgspec.json.decode(text, type=Line) for text in packed]
    if not lines:
        return []
    rows = ["", "crash matrix", *table(lines)]
    PLACE.parent.mkdir(exist_ok=True)
    PLACE.write_text("\n".join(rows[2:]) + "\n")
    return rows


def table(lines: Iterable[Line]) -> list[str]:
    """Every line, and what is missing."""
    known = {line.point.number: line for line in lines}
    rows = [f"{'point':5}  {'killed':6}  {'recovered':17}  {'starts':>6}  {'effects':>7}  {'story':10}  where"]
    for point in POINTS:
        line = known.get(point.number)
        killed = "no" if line is None else "twice" if point.first else "yes"
        how, starts, effects = (line.how, line.starts, line.effects) if line else ("not run", 0, 0)
        where = f"{point.moment}: {point.told}"
        rows.append(f"{point.number:5}  {killed:6}  {how:17}  {starts:6}  {effects:7}  {point.story:10}  {where}")
    rows.append(f"{len(known)} of {len(POINTS)} points; a start beyond the effects was asked for by people or by key")
    return rows
