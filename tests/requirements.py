"""What must hold, and which tests prove it: docs/requirements.md, written from the tests themselves.

    docstrings of tests -> ids they cite -> Proofs ┐
    requirements.toml: a few words per id,         ├-> table: id · words · tests · state
    and what is still to come, with the reason     ┘

    python -m tests.requirements     rewrites the document

Tests are read, not imported. A citation counts in the docstring (or the name) of something that pytest runs:
a test, a class or a file of tests, a rule that a table of the file lists, a hypothesis invariant; never of a
test that is skipped whatever happens. Whether a test really checks what it cites, only a reader can say.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
WORDS = TESTS / "requirements.toml"
DOCUMENT = ROOT / "docs" / "requirements.md"
SHOWN = 3  # tests of one row that stand in the open; more are folded away

_ID = r"(?:(?:AS|AU|GN|ST|A2|CD|PN|PP|D)-\d{2}|T\d{2}|I\d{1,2})"
_CITED = re.compile(rf"(?<![\w/-])({_ID})[a-c]?(?:\s*(?:\.\.|–|…| to )\s*({_ID}))?(?![\w-])")
NEVER_RUN = ("skip", "xfail")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Proofs = Mapping[str, Sequence[str]]  # id -> file::name, in the order of the files


# ------------------------------------------------------------- who cites what


def collect(folder: Path = TESTS) -> Proofs:
    """Every id that some test cites, and the tests: `flows/test_time.py::test_…`. Sorted by file."""
    files = {path: ast.parse(path.read_text()) for path in sorted(folder.rglob("*.py"))}
    contracts = {name for path, tree in files.items() if _is_collected(path) for name in _bases(tree)}
    found: dict[str, list[str]] = {}
    for path, tree in files.items():
        for name, text in _claims(tree, is_collected=_is_collected(path), contracts=contracts):
            for row in cited(text):
                found.setdefault(row, []).append(f"{path.relative_to(folder).as_posix()}::{name}".removesuffix("::"))
    return found


def cited(text: str) -> list[str]:
    """The ids in *text*, ranges written out: `ST-19..ST-21`, `I1–I15` and `I1 to I15` name all of them."""
    found: list[str] = []
    for match in _CITED.finditer(text):
        found += _span(match[1], match[2]) if match[2] else [match[1]]
    return list(dict.fromkeys(found))


def _span(first: str, last: str) -> list[str]:
    kind, low = _split(first)
    other, high = _split(last)
    if kind != other:
        return [first, last]
    width = len(first) - len(kind) if kind != "I" else 1
    return [f"{kind}{number:0{width}d}" for number in range(low, high + 1)]


def _split(id: str) -> tuple[str, int]:
    kind = "I" if id.startswith("I") else id[:1] if id.startswith("T") else id.rpartition("-")[0] + "-"
    return kind, int(id.removeprefix(kind))


def _claims(tree: ast.Module, *, is_collected: bool, contracts: set[str]) -> Iterator[tuple[str, str]]:
    """Name and text of whatever pytest runs in this file; the file itself has no name."""
    if is_collected and not _never_runs(tree):
        yield "", ast.get_docstring(tree) or ""
        listed = _listed(tree)
        yield from (_claim(node) for node in _functions(tree) if _is_claim(node, listed))
    for kind in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        if kind.name in contracts or (is_collected and not _never_runs(tree) and not _skips(kind)):
            yield kind.name, ast.get_docstring(kind) or ""
            yield from (_claim(node, kind.name) for node in _functions(kind) if _is_claim(node, set()))


def _claim(node: Function, kind: str = "") -> tuple[str, str]:
    name = f"{kind}::{node.name}" if kind else node.name
    return name, f"{node.name.replace('_', ' ')}\n{ast.get_docstring(node) or ''}"


def _is_claim(node: Function, listed: set[str]) -> bool:
    runs = node.name.startswith("test_") or node.name in listed or "invariant" in _marks(node)
    return runs and not _skips(node)


def _is_collected(path: Path) -> bool:
    return path.name.startswith("test_")


def _bases(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from (base.id for base in node.bases if isinstance(base, ast.Name))


def _functions(node: ast.Module | ast.ClassDef) -> Iterator[Function]:
    return (one for one in node.body if isinstance(one, Function))


def _listed(tree: ast.Module) -> set[str]:
    """Names in the tables of a file: functions that a parametrized test is run with."""
    tables = (node.value for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and node.value)
    return {one.id for table in tables for one in ast.walk(table) if isinstance(one, ast.Name)}


def _skips(node: Function | ast.ClassDef) -> bool:
    return any(mark in NEVER_RUN for mark in _marks(node))


def _never_runs(tree: ast.Module) -> bool:
    """Has the whole file `pytestmark = pytest.mark.skip(…)`? A skipif depends on the machine, and counts."""
    marks = (node.value for node in tree.body if isinstance(node, ast.Assign) and "pytestmark" in ast.dump(node))
    return any(one.attr in NEVER_RUN for mark in marks for one in ast.walk(mark) if isinstance(one, ast.Attribute))


def _marks(node: Function | ast.ClassDef) -> set[str]:
    """The last names of its decorators: skip, invariant, parametrize, …"""
    plain = (mark.func if isinstance(mark, ast.Call) else mark for mark in node.decorator_list)
    return {mark.attr if isinstance(mark, ast.Attribute) else getattr(mark, "id", "") for mark in plain}


# ------------------------------------------------------------ what is wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """requirements.toml: a few words per id, by chapter; and which ids wait, for what, and why."""

    chapters: Mapping[str, Mapping[str, str]]  # chapter -> id -> words
    later: Mapping[str, Mapping[str, str]]  # what it waits for -> id -> reason
    titles: Mapping[str, str] = field(default_factory=dict)  # chapter -> what it holds

    @property
    def ids(self) -> Mapping[str, str]:
        return {row: words for chapter in self.chapters.values() for row, words in chapter.items()}

    def waits(self, id: str) -> tuple[str, str] | None:
        """What *id* waits for and why; None if it waits for nothing."""
        return next(((what, rows[id]) for what, rows in self.later.items() if id in rows), None)


def wanted(path: Path = WORDS) -> Wanted:
    """Raises tomllib.TOMLDecodeError, KeyError."""
    read = tomllib.loads(path.read_text())
    return Wanted(chapters=read["rows"], later=read["later"], titles=read["chapters"])


def problems(want: Wanted, proofs: Proofs) -> list[str]:
    """One sentence for each id that is neither proved nor to come, or that nobody knows."""
    known = want.ids
    found = [
        f"{row} has no words in {WORDS.name}, yet {tests[0]} cites it"
        for row, tests in proofs.items()
        if row not in known
    ]
    found += [
        f"{row} waits for {what}, and has no words"
        for what, rows in want.later.items()
        for row in rows
        if row not in known
    ]
    found += [
        f"{row} ({words}) is proved by no test; cite it where it is proved, or say in {WORDS.name} what it waits for"
        for row, words in known.items()
        if row not in proofs and want.waits(row) is None
    ]
    return found


# -------------------------------------------------------------- the document


def document(want: Wanted, proofs: Proofs) -> str:
    rows = {chapter: [_row(one, want, proofs) for one in ids] for chapter, ids in want.chapters.items()}
    parts = [_HEAD.format(summary=_summary(want, proofs))]
    for chapter, lines in rows.items():
        head = f"## {chapter}: {want.titles[chapter]}"
        parts.append("\n".join([head, "", "| id | what must hold | tests | state |", "|---|---|---|---|", *lines]))
    return "\n\n".join(parts) + "\n"


_HEAD = """# What must hold, and which tests prove it

Written by `python -m tests.requirements` from the docstrings of the tests and from `tests/requirements.toml`;
a test checks that it is current. *in part*: the tests prove what is there, and the rest waits for what is named.

{summary}"""


def _summary(want: Wanted, proofs: Proofs) -> str:
    lines = ["| | rows | proved | in part | to come |", "|---|---|---|---|---|"]
    for chapter, ids in want.chapters.items():
        states = [_state(row, want, proofs) for row in ids]
        counts = [sum(state.startswith(kind) for state in states) for kind in ("proved", "in part", "to come")]
        lines.append(f"| {chapter} | {len(ids)} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)


def _row(id: str, want: Wanted, proofs: Proofs) -> str:
    return f"| {id} | {want.ids[id]} | {_links(proofs.get(id, ()))} | {_state(id, want, proofs)} |"


def _state(id: str, want: Wanted, proofs: Proofs) -> str:
    waits = want.waits(id)
    if waits is None:
        return "proved"
    what, why = waits
    return f"{'in part' if id in proofs else 'to come'}: waits for {what} ({why})"


def _links(tests: Sequence[str]) -> str:
    links = [_link(test) for test in tests]
    if len(links) <= SHOWN:
        return "<br>".join(links)
    rest = "<br>".join(links[SHOWN:])
    return "<br>".join(links[:SHOWN]) + f"<details><summary>and {len(links) - SHOWN} more</summary>{rest}</details>"


def _link(test: str) -> str:
    file, _, name = test.partition("::")
    return f"[{Path(file).stem}::{name or 'all'}](../tests/{file})"


if __name__ == "__main__":
    want, proofs = wanted(), collect()
    for problem in problems(want, proofs):
        sys.stderr.write(problem + "\n")
    DOCUMENT.write_text(document(want, proofs))
    sys.exit(1 if problems(want, proofs) else 0)
