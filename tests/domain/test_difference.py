"""Differences between versions: exact, bounded, worked out by us."""

from __future__ import annotations

import pytest

from bot.domain.difference import LINES_MOST, difference


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("a\nb\nc", "a\nB\nc", "  a\n- b\n+ B\n  c"),
        ("a", "a\nb", "  a\n+ b"),
        ("a\nb", "a", "  a\n- b"),
        ("a", "a", "Nothing is different."),
        ("a\r\nb", "a\nb", "Only line ends are different."),
        ("1\n2\n3\n4\n5\n6\nx", "1\n2\n3\n4\n5\n6\ny", "…\n  5\n  6\n- x\n+ y"),
        ("--- a", "+++ b", "- --- a\n+ +++ b"),
    ],
)
def test_what_changed_is_told_line_by_line(before: str, after: str, told: str) -> None:
    """ST-10."""
    assert difference(before, after) == told


def test_versions_too_long_to_compare_say_so() -> None:
    """A draft must not hold up the loop that draws it: 20,000 lines would take seconds."""
    long = "\n".join("ab"[n % 2] for n in range(LINES_MOST + 1))

    assert difference(long, "x") == "Not compared: the versions have 401 and 1 lines."
