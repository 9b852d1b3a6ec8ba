"""Tables: read part by part, judged by their columns' formats, written whole and as people answered, or not at all."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from agents.tools.files import WorkFolder
from agents.tools.formats import read_format
from agents.tools.sample import sample_tools
from agents.tools.tables import table_tools
from bot.domain.calls import Outcome, ToolResult
from bot.domain.errors import InvalidArguments
from bot.domain.ports import Tool
from tests.agents.given import call_of, named, run

COLUMNS = {"order": "integer", "class": "one of retail, online", "day": "date", "amount": "number?"}
TABLE = """\
order,class,day,amount
1,retail,2026-01-02,10
2,,2026-01-03,20
3, online ,2026-01-04,
4,retail,31.02.26,40
5,retail,2026-01-06,50
"""


class Desk:
    """The tools on one folder, and what was read of the table last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        work = WorkFolder(folder)
        self.tools: dict[str, Tool] = named((*table_tools(work), *sample_tools(work)))

    async def run(self, tool: str, **args: Any) -> ToolResult:
        return await run(self.tools[tool], args)

    async def got(self, tool: str, **args: Any) -> dict[str, Any]:
        result = await self.run(tool, **args)
        assert result.outcome is Outcome.OK, result.text
        return dict(json.loads(result.text.partition("\n")[0]))

    async def scanned(self, columns: dict[str, str] = COLUMNS, **args: Any) -> dict[str, Any]:
        at = args.pop("at", None) or (await self.got("look_at_table", path="t.csv"))["at"]
        return await self.got("scan_rows", path="t.csv", columns=columns, at=at, **args)

    async def written(self, *answers: dict[str, Any], **args: Any) -> ToolResult:
        sha256 = (await self.got("look_at_table", path="t.csv"))["sha256"]
        wanted = {"source": "t.csv", "sha256": sha256, "target": "out/t.csv", "columns": COLUMNS, "answers": answers}
        return await self.run("write_clean_table", **{**wanted, **args})


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "t.csv").write_text(TABLE)
    return Desk(tmp_path)


def odd_rows(found: dict[str, Any]) -> list[tuple[int, str, str]]:
    return [(one["row"], flaw["column"], flaw["why"]) for one in found["odd"] for flaw in one["flaws"]]


# ------------------------------------------------------------------ reading


async def test_only_rows_that_do_not_fit_come_back_with_all_their_cells(desk: Desk) -> None:
    """AS-27: the missing value and the bad date; not blanks around a value, nor an empty one that may be so."""
    found = await desk.scanned()

    assert odd_rows(found) == [(2, "class", "it is missing"), (4, "day", "it is no date such as 2026-03-31")]
    assert [one["cells"] for one in found["odd"]] == [["2", "", "2026-01-03", "20"], ["4", "retail", "31.02.26", "40"]]
    assert (found["rows"], found["is_end"]) == (5, True)


async def test_a_scan_in_parts_finds_the_same_as_one(desk: Desk) -> None:
    """Where one part ends, the next begins: behind a value of two lines, an empty line, and at an end without one."""
    rows = '1,"ret\nail",2026-01-02,1\r\n\r\n3,retail,nay,3\r\n4,retail,2026-01-02\r\n5,online,x,5'
    text = f"order,class,day,amount\r\n{rows}"
    (desk.folder / "t.csv").write_bytes(text.encode())
    whole, parts, at, first = await desk.scanned(), list[tuple[int, str, str]](), None, 1
    while True:
        part = await desk.scanned(at=at, first=first, most=1)
        parts += odd_rows(part)
        at, first = part["at"], part["next"]
        if part["is_end"]:
            break

    assert parts == odd_rows(whole)
    assert [row for row, _, _ in parts] == [1, 2, 3, 4, 5]
    assert [why for _, _, why in parts][1::2] == ["the line is empty", "it has 3 cells instead of 4"]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"order,class\n1,retail\n", "t.csv has the columns order, class; expected were"),
        (b"order,order\n", "does not begin with the names of its columns"),
        (b"", "does not begin with the names of its columns"),
        (b'order,class,day,amount\n1,"retail,2026-01-02,1\n', "Row 1 cannot be read as CSV"),
        (b"order,class,day,amount\n" + b"1" * 300_000, "has a line of more than 200,000 bytes"),
    ],
)
async def test_what_is_no_such_table_is_told_in_a_sentence(desk: Desk, raw: bytes, told: str) -> None:
    (desk.folder / "t.csv").write_bytes(raw)
    at = raw.find(b"\n") + 1

    result = await desk.run("scan_rows", path="t.csv", columns=COLUMNS, at=at)

    assert result.outcome is Outcome.ERROR
    assert told in result.text


async def test_bytes_that_are_no_text_do_not_fit(desk: Desk) -> None:
    (desk.folder / "t.csv").write_bytes(b"order,class,day,amount\n1,reta\xff,2026-01-02,1\n")

    found = await desk.scanned({**COLUMNS, "class": "text"})

    assert odd_rows(found) == [(1, "class", "it holds bytes that are no UTF-8")]


@pytest.mark.parametrize(
    ("form", "fits", "fails"),
    [
        ("integer", ["0", "-12", "+7"], ["1.0", "1e3", "٣", "1_000", "12 000", ""]),
        ("number", ["0.5", "-12", "3"], ["1,5", ".5", "5.", "nan", "inf"]),
        ("date", ["2024-02-29"], ["2026-02-29", "20260101", "2026-1-1", "31.02.26", "2026-W01-1"]),
        ("text", ["Ana", "ä ö"], ["two\nlines", "\x07"]),
        ("text?", ["", "Ana"], ["\x07"]),
        ("one of a, b c", ["a", "b c"], ["A", "b", "a, b c", ""]),
    ],
)
def test_a_format_takes_what_it_says_and_nothing_near_it(form: str, fits: list[str], fails: list[str]) -> None:
    found = read_format(form)

    assert [value for value in fits if found.flaw(value)] == []
    assert [value for value in fails if not found.flaw(value)] == []


@pytest.mark.parametrize("form", ["dates", "one of a, a", "one of ", ""])
def test_a_format_that_is_none_is_refused_before_anything_is_read(desk: Desk, form: str) -> None:
    with pytest.raises(InvalidArguments):
        desk.tools["scan_rows"].check({"path": "t.csv", "columns": {"order": form}, "at": 0})


# ------------------------------------------------------------------ writing

RIGHT = ({"row": 2, "skip": True}, {"row": 4, "values": {"day": "2026-02-28"}})


async def test_every_row_is_there_as_it_was_or_as_people_answered(desk: Desk) -> None:
    """AS-27: five rows accounted for, three by themselves and two by people; the summary has each change."""
    result = await desk.written(*RIGHT)

    assert (desk.folder / "out/t.csv").read_text() == (
        "order,class,day,amount\n1,retail,2026-01-02,10\n3,online,2026-01-04,\n4,retail,2026-02-28,40\n"
        "5,retail,2026-01-06,50\n"
    )
    done = json.loads(result.text.partition("\n")[0])
    counts = [done[name] for name in ("rows", "as_they_were", "tidied", "corrected", "skipped")]
    assert counts == [5, 2, 1, 1, 1]
    (summary,) = result.files
    assert (summary.name, summary.content.decode().splitlines()) == (
        "summary.csv",
        [
            "row,how,column,was,now",
            '2,skipped,,"2,,2026-01-03,20",',
            "3,tidied,class, online ,online",
            "4,corrected,day,31.02.26,2026-02-28",
        ],
    )


@pytest.mark.parametrize(
    ("answers", "args", "told"),
    [
        (RIGHT[:1], {}, "Row 4 does not fit, and nobody answered for it."),
        ((*RIGHT, {"row": 1, "skip": True}), {}, "Row 1 fits; an answer about it changes nothing."),
        ((*RIGHT, {"row": 9, "skip": True}), {}, "There is no row 9"),
        ((*RIGHT, RIGHT[0]), {}, "A row has two answers."),
        ((RIGHT[0], {"row": 4, "values": {"day": "soon"}}), {}, "Row 4 would not fit as answered: day"),
        ((RIGHT[0], {"row": 4, "values": {"colour": "red"}}), {}, "There is no column colour."),
        (RIGHT, {"sha256": "0" * 64}, "t.csv was changed since it was read."),
        (RIGHT, {"target": "t.csv"}, "to another file than it is read from"),
        (RIGHT, {"target": "../t.csv"}, "may not lead out"),
    ],
)
async def test_anything_less_than_all_of_it_writes_nothing(
    desk: Desk, answers: tuple[dict[str, Any], ...], args: dict[str, Any], told: str
) -> None:
    """AS-27: no row is dropped or guessed, whatever an agent claims; not even half a file is left behind."""
    result = await desk.written(*answers, **args)

    assert result.outcome is Outcome.ERROR
    assert told in result.text
    assert [one for one in desk.folder.rglob("*") if one.is_file()] == [desk.folder / "t.csv"]
    assert (desk.folder / "t.csv").read_text() == TABLE


async def test_the_card_shows_how_many_rows_of_each_sort_and_every_change(desk: Desk) -> None:
    tool = desk.tools["write_clean_table"]
    sha256 = (await desk.got("look_at_table", path="t.csv"))["sha256"]
    args = {"source": "t.csv", "sha256": sha256, "target": "out.csv", "columns": COLUMNS, "answers": list(RIGHT)}

    found = await tool.preview(call_of(tool, args))  # type: ignore[attr-defined]  # a tool made of a function has one

    assert found[0].text == (
        "5 rows: 2 as they are, 1 without blanks around a value, 1 as people answered, 1 left out. It is new."
    )
    assert found[1].text.splitlines() == [
        "-2: 2,,2026-01-03,20",
        "-3: 3, online ,2026-01-04,",
        "+3: 3,online,2026-01-04,",
        "-4: 4,retail,31.02.26,40",
        "+4: 4,retail,2026-02-28,40",
    ]
    assert not (desk.folder / "out.csv").exists(), "a look changes nothing"


# ------------------------------------------------------------------- sample


async def test_an_invented_table_is_the_same_again_and_never_takes_another_files_place(desk: Desk) -> None:
    made = await desk.got("invent_table", path="s.csv", rows=5)
    once = (desk.folder / "s.csv").read_bytes()
    again = await desk.run("invent_table", path="s.csv", rows=5)
    other = await desk.run("invent_table", path="t.csv", rows=5)

    assert (made["rows"], again.outcome, (desk.folder / "s.csv").read_bytes()) == (5, Outcome.OK, once)
    assert (other.outcome, (desk.folder / "t.csv").read_text()) == (Outcome.ERROR, TABLE)


async def test_a_hundred_thousand_rows_are_never_in_memory_together(desk: Desk) -> None:
    """The file has more than three million bytes; reading, judging and writing it takes a quarter of that at most."""
    await desk.run("invent_table", path="s.csv", rows=100_000)
    size = (desk.folder / "s.csv").stat().st_size
    columns = {"order": "integer", "customer": "text", "class": "text?", "day": "text", "amount": "text?"}
    look = await desk.got("look_at_table", path="s.csv")
    tracemalloc.start()
    try:
        found = await desk.got("scan_rows", path="s.csv", columns=columns, at=look["at"], most=100_000)
        args = {"source": "s.csv", "sha256": look["sha256"], "target": "o.csv", "columns": columns}
        done = await desk.got("write_clean_table", **args)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (found["rows"], done["rows"], found["odd"]) == (100_000, 100_000, [])
    assert peak < size / 4, (peak, size)
