"""Inert text: nothing hides, and nothing is lost by showing it."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.inert import hidden, mixed_script, show, show_line, spoken, unshow

EVERY_CHARACTER = [chr(point) for point in range(0x110000)]
NASTY = st.text(
    st.one_of(st.characters(), st.sampled_from("⟨⟩U+0123ABCDEF\u202e\u200b\ufe0f\U000e0041\u3164\ud800\n\t"))
)


def is_forbidden(char: str) -> bool:
    """The list of T03, written out here a second time on purpose."""
    point = ord(char)
    if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp", "Cs"} and char not in "\n\t":
        return True
    if 0xE0000 <= point <= 0xE007F or 0xFE00 <= point <= 0xFE0F or 0xE0100 <= point <= 0xE01EF:
        return True
    return char in "\u3164\uffa0\u2800\u115f\u1160\u034f"


def test_every_forbidden_character_of_unicode_is_spelled_out() -> None:
    """T03: all 1,114,112 code points, one by one."""
    shown = show("".join(EVERY_CHARACTER))

    assert not [hex(ord(char)) for char in set(shown) if is_forbidden(char)]
    assert show("\u202e") == "⟨U+202E⟩"
    assert show("\U000e0041") == "⟨U+E0041⟩"


@given(NASTY)
def test_what_is_shown_can_be_read_back_exactly(text: str) -> None:
    """T03: unshow(show(s)) == s for all s, spellings and lone brackets included."""
    assert unshow(show(text)) == text
    assert unshow(show_line(text)) == text


@given(NASTY)
def test_a_shown_line_is_one_line_without_forbidden_characters(text: str) -> None:
    """T21: no newline survives in a title, a fact or a name."""
    shown = show_line(text)

    assert len(shown.splitlines()) <= 1
    assert not any(is_forbidden(char) or char in "\n\t" for char in shown)


@given(NASTY)
def test_a_text_changes_if_and_only_if_something_in_it_hides(text: str) -> None:
    """T03: what looks untouched is untouched."""
    assert (show(text) == text) == (not hidden(text) and "⟨" not in text)


def test_a_literal_spelling_is_not_mistaken_for_the_character_it_names() -> None:
    """T03: somebody types the six characters ⟨U+202E⟩; they do not become an override."""
    assert show("⟨U+202E⟩") == "⟨U+27E8⟩U+202E⟩"
    assert unshow(show("⟨U+202E⟩")) == "⟨U+202E⟩"


def test_a_spelling_beyond_unicode_stays_text() -> None:
    assert unshow("⟨U+FFFFFF⟩ ⟨U+12⟩ ⟨") == "⟨U+FFFFFF⟩ ⟨U+12⟩ ⟨"


@pytest.mark.parametrize("text", ["Rückgabe für Zoë: 50 €", "取引先へ送金\u3000一件", "Привет, мир", "line\n\tnext"])
def test_ordinary_text_of_any_language_stays_as_it_is(text: str) -> None:
    assert show(text) == text
    assert hidden(text) == 0


@pytest.mark.parametrize("word", ["аpprove", "pаypal", "Αdmin", "ｄelete", "𝚍elete", "gооgle"])
def test_a_word_that_borrows_letters_is_named(word: str) -> None:
    """T03: Cyrillic а in "аpprove", Greek Α, full-width and styled letters."""
    warning = mixed_script(f"please {word} it")

    assert warning is not None
    assert word in warning


@pytest.mark.parametrize(
    "text", ["approve", "одобрить это", "approve одобрить", "10 µs", "Δt", "naïve café", "1ª 2º", "αβγ"]
)
def test_words_in_one_alphabet_raise_no_warning(text: str) -> None:
    assert mixed_script(text) is None


def test_a_flood_of_disguised_words_gives_a_short_warning() -> None:
    warning = mixed_script(" ".join(f"а{n}x" for n in range(1000)))

    assert warning is not None
    assert len(warning) < 400
    assert warning.endswith("997 more")


def test_a_long_ordinary_text_is_shown_quickly() -> None:
    """256 kB of ASCII, the most that is ever attached, costs milliseconds."""
    text = "The quick brown fox. " * 12_500
    began = time.perf_counter()

    show(text)
    mixed_script(text)

    assert time.perf_counter() - began < 0.5


def test_an_agents_words_hide_nothing_and_stay_pleasant() -> None:
    """T03: an override that turns a line around is spelled out; an emoji's glue and a thin space are not worth it."""
    assert spoken("Done \u2705\ufe0f 12\u202f000\u00a0€ \U0001f468\u200d\U0001f469") == "Done ✅ 12 000 € 👨👩"
    assert spoken("safe \u202egnp.exe\u200b") == "safe ⟨U+202E⟩gnp.exe⟨U+200B⟩"
