"""Text in Teams: whatever people write is shown as they wrote it, and nothing is made of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.lengths import sound
from adapters.teams.literal import (
    LINE_MOST,
    RUNS_MOST,
    bare,
    code,
    escaped,
    heading,
    is_line,
    named,
    runs,
    unescaped,
    words,
)
from tests.hostile import NASTY, TEXT
from tests.teams.drawing import AT, FUNCTION, MARKUP, SLASHED, texts, unshown

LINES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=60)
PIECES = ("{", "{{", "<", "at>", "/at", "[", "\\", "1", ".", "&", "amp;", "http", "://", "@", "a")
PARTS = st.lists(st.sampled_from([*NASTY, *PIECES]))


@settings(max_examples=200, deadline=None)
@given(LINES | PARTS.map("".join).map(lambda text: " ".join(text.split())))
def test_no_character_is_left_that_markdown_reads(text: str) -> None:
    """T04: emphasis, links, lists, headings, tags, dates; and what is escaped reads back as it was."""
    shown = escaped(text)

    assert unescaped(shown) == sound(text)
    assert not MARKUP.search(SLASHED.sub("\x01", shown))


@settings(max_examples=200, deadline=None)
@given(TEXT | PARTS.map("".join))
def test_no_run_is_a_date_or_a_mention_and_joined_they_are_the_text(text: str) -> None:
    """T04: the official renderer makes dates of runs, too; Teams looks for `<at>` everywhere."""
    drawn = [run["text"] for run in runs(text)]

    assert not any(FUNCTION.search(run) or AT.search(run) for run in drawn)
    assert unshown("".join(drawn)) == unshown(sound(text))
    assert len(drawn) <= RUNS_MOST


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("order_id", "order\\_id"),
        ("[pay](https://evil)", "\\[pay\\](https:\\//evil)"),
        ("www.evil.example", "www\\.evil.example"),
        ("_www.evil.example", "\\_www\\.evil.example"),
        ("ana@corp.example", "ana\\@corp.example"),
        ("<at>Bo</at>", "\\<at\\>Bo\\</at\\>"),
        ("{{TIME(2026-05-01T00:00:00Z)}}", "{\\{TIME(2026-05-01T00:00:00Z)}}"),
        ("&amp;", "\\&amp;"),
        ("12345. first", "12345\\. first"),
        ("- one", "\\- one"),
        ("-5 of 7 & 3.5", "-5 of 7 & 3.5"),
        ("2026-05-01 16:00 UTC, then it is not executed", "2026-05-01 16:00 UTC, then it is not executed"),
    ],
)
def test_only_what_means_something_is_escaped(text: str, shown: str) -> None:
    """A backslash that a client shows is a smaller evil than a link, but none is best."""
    assert escaped(text) == shown


def test_a_text_full_of_tricks_does_not_make_the_card_large() -> None:
    """T18: each run weighs as much as thirty characters; where there are too many, one character is spelled out."""
    drawn = list(runs("<at>" * 5_000))

    assert len(drawn) == 1
    assert drawn[0]["text"].startswith("⟨U+003C⟩at>⟨U+003C⟩at>")


def test_where_there_are_no_runs_a_date_is_spelled_out() -> None:
    """The label of an input is a run of the renderer's own."""
    assert bare("{{DATE(2026-05-01T00:00:00Z)}}") == "{⟨U+007B⟩DATE(2026-05-01T00:00:00Z)}}"
    assert bare("{{ name }}") == "{{ name }}"


@pytest.mark.parametrize(("text", "line"), [("a", True), ("", False), (" a", False), ("a\nb", False), ("a\tb", False)])
def test_a_line_is_one_line_without_spaces_around_it(text: str, line: bool) -> None:
    assert is_line(text) is line
    assert is_line("x" * LINE_MOST)
    assert not is_line("x" * (LINE_MOST + 1))


def test_a_title_is_found_by_screen_readers_unless_it_is_too_long() -> None:
    assert (heading("Approve this")["type"], heading("Approve this")["style"]) == ("TextBlock", "heading")
    assert heading("x" * 400)["type"] == "RichTextBlock"


def test_an_empty_text_says_so() -> None:
    """A block without a run is refused."""
    assert texts([words(""), words(" \n"), code("")]) == ["(empty)"] * 3


@settings(max_examples=100, deadline=None)
@given(TEXT)
def test_a_name_in_a_mention_is_a_name(name: str) -> None:
    """T04: the same text stands in Markdown and in an entity, so nothing in it may need an escape."""
    shown = named(name)

    assert 0 < len(shown) <= 60
    assert escaped(f"a {shown}") == f"a {shown}", "it stands after <at>, so at no line's start"
    assert not set(shown) & set("<>[]*_`~|\\&{}#")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ana O'Neil-Díaz", "Ana O'Neil-Díaz"),
        ("*Bo*_x", "Bo x"),
        ("</at>", "at"),
        ("\u202e", "somebody"),
        ("www.x.y", "www x y"),
        ("J. Doe", "J. Doe"),
        ("-", "somebody"),
    ],
)
def test_names_keep_their_letters(name: str, shown: str) -> None:
    assert named(name) == shown
