"""What must hold is proved by a test or listed as to come, and the document says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.requirements import DOCUMENT, Wanted, cited, collect, document, problems, wanted


def test_every_row_is_proved_or_waits_for_something_named() -> None:
    """Neither forgotten nor claimed: a row without a test is listed with what it waits for, and why."""
    assert problems(wanted(), collect()) == []


def test_the_document_is_current() -> None:
    """`python -m tests.requirements` writes it."""
    assert DOCUMENT.read_text() == document(wanted(), collect())


def test_every_chapter_has_all_its_rows_and_every_waiting_row_its_reason() -> None:
    """Nobody can make a row go away by leaving it out."""
    counts = {"AS": 39, "AU": 31, "GN": 25, "ST": 46, "A2": 20, "CD": 10, "D": 50, "T": 32, "I": 15, "PN": 17, "PP": 11}

    want = wanted()

    assert {chapter: len(rows) for chapter, rows in want.chapters.items()} == counts
    assert set(want.titles) == set(counts)
    assert all(words.strip() for words in want.ids.values())
    assert all(why.strip() for rows in want.later.values() for why in rows.values())


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("AS-01, T06: said.", ["AS-01", "T06"]),
        ("ST-19..ST-22 and D-50", ["ST-19", "ST-20", "ST-21", "ST-22", "D-50"]),
        ("I1–I3, I1 to I2", ["I1", "I2", "I3"]),
        ("CD-05a, CD-05b: once", ["CD-05"]),
        ("PN-02, PP-10: said, as in PR 27541", ["PN-02", "PP-10"]),
        ("T24's tricks (T11).", ["T24", "T11"]),
        ("AS-01..ST-02", ["AS-01", "ST-02"]),
        ("U1 of T2 is not T1's; slack.T1.U1; PT10; A2; D1; I/O; XAS-01", []),
    ],
)
def test_ids_are_read_as_people_write_them(text: str, ids: list[str]) -> None:
    assert cited(text) == ids


SOURCE = '''
"""T01: the whole file."""
import pytest

RULES = [rule]


def rule():
    """T02: listed in a table."""


def helper():
    """T03: nobody runs it as a test."""


def test_plain():
    """T04."""


async def test_async_of_T05():
    pass


@pytest.mark.skip(reason="later")
def test_skipped():
    """T06."""


@pytest.mark.parametrize("x", [1])
@pytest.mark.xfail
def test_expected_to_fail():
    """T07."""


@pytest.mark.skipif(True, reason="depends")
def test_that_depends_on_the_machine():
    """T08."""


class TestThings(Contract):
    """T09."""

    def test_inside(self):
        """T10."""

    def helper(self):
        """T11."""
'''
CONTRACT = '''
class Contract:
    def test_kept(self):
        """T12."""


class Alone:
    def test_of_nobody(self):
        """T13."""
'''


def test_only_what_is_run_counts(tmp_path: Path) -> None:
    """Helpers, skipped tests and contracts that nobody keeps prove nothing; a contract that is kept does."""
    (tmp_path / "test_a.py").write_text(SOURCE)
    (tmp_path / "contract.py").write_text(CONTRACT)
    (tmp_path / "test_none.py").write_text('pytestmark = pytest.mark.skip("all")\ndef test_a():\n    """T14."""\n')

    assert dict(collect(tmp_path)) == {
        "T01": ["test_a.py"],
        "T02": ["test_a.py::rule"],
        "T04": ["test_a.py::test_plain"],
        "T05": ["test_a.py::test_async_of_T05"],
        "T08": ["test_a.py::test_that_depends_on_the_machine"],
        "T09": ["test_a.py::TestThings"],
        "T10": ["test_a.py::TestThings::test_inside"],
        "T12": ["contract.py::Contract::test_kept"],
    }


def test_a_gap_a_stranger_and_a_wrong_wait_are_told() -> None:
    """A row that nobody proves, an id nobody knows, and a row that waits without being there."""
    want = Wanted(
        chapters={"AS": {"AS-01": "one", "AS-02": "two", "AS-03": "three"}},
        later={"agents": {"AS-03": "a team", "AS-09": "gone"}},
        titles={"AS": "all"},
    )

    told = problems(want, {"AS-01": ["a.py::test_a"], "XX-01": ["a.py::test_b"]})

    assert [sentence.split(" ")[0] for sentence in told] == ["XX-01", "AS-09", "AS-02"]


def test_a_row_shows_its_state_and_folds_a_long_list_away() -> None:
    """proved; proved in part, with what the rest waits for; to come."""
    want = Wanted(
        chapters={"AS": {"AS-01": "one", "AS-02": "two", "AS-03": "three"}},
        later={"teams": {"AS-02": "cards", "AS-03": "all of it"}},
        titles={"AS": "all"},
    )
    proofs = {"AS-01": [f"a/test_b.py::test_{number}" for number in range(5)], "AS-02": ["test_c.py"]}

    text = document(want, proofs)

    assert "[test_b::test_0](../tests/a/test_b.py)<br>" in text
    assert "<details><summary>and 2 more</summary>[test_b::test_3]" in text
    assert text.count("| proved |") == 2  # the row, and the head of the summary
    assert "| in part: waits for teams (cards) |" in text
    assert "| AS-03 | three |  | to come: waits for teams (all of it) |" in text
    assert "| AS | 3 | 1 | 1 | 1 |" in text
