"""Typed words: only a whole message that is an exact word decides; nothing that merely resembles one does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.words import APPROVE, REJECT, STOP, Meaning, normal, read

DECIDING = (Meaning.APPROVE, Meaning.REJECT)
WORDS = sorted(APPROVE | REJECT | STOP)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        # the generic gate, AgentScope's phase gate and structured options
        *[(word, Meaning.APPROVE) for word in ("yes", "y", "approve", "approved", "APPROVED", "Yes.", "YES!")],
        *[(word, Meaning.REJECT) for word in ("no", "n", "reject", "rejected", "NO!!", "No.", "deny")],
        *[(word, Meaning.STOP) for word in ("stop", "exit", "cancel", "CANCEL", "Stop.", "EXIT", "halt")],
        *[(word, Meaning.LIKE_YES) for word in ("ok", "lgtm", "LGTM!", "PROCEED", "confirm", "okay.", "sure")],
        *[(text, Meaning.LIKE_YES) for text in ("looks good, approve", "Looks good, approve.", "go ahead")],
        # what the guides' other vocabularies say is said to the agent
        *[(word, Meaning.CONTEXT) for word in ("modify", "accept", "skip", "REVISE", "DONE", "PLAN READY")],
        *[(word, Meaning.CONTEXT) for word in ("JSON", "CSV", "email", "sms", "push", "NEEDS_APPROVAL:", "business")],
        *[(text, Meaning.CONTEXT) for text in ("shorter", "add a CTA", "more formal", "focus on type hints")],
        *[(text, Meaning.CONTEXT) for text in ("Add more detail on X", "change step 2 first", "hmm", "", "?")],
        *[(text, Meaning.CONTEXT) for text in ("[HUMAN NEEDED]", "No response", "please stop")],
    ],
)  # fmt: skip
def test_every_word_of_the_guides_has_one_meaning(text: str, meaning: Meaning) -> None:
    """D-12, D-13, D-22, GN-07, AS-16: case and closing marks do not matter, the whole message does."""
    assert read(text) is meaning


@pytest.mark.parametrize(
    "text",
    [
        *("I DISAPPROVE of this, do not send", "don't approve", "not approved", "I disapprove", "approve? no"),
        *("no, yesterday was fine", "eyes only", "yes but NOT the restart", "CANCEL that remark and PROCEED"),
        *(
            "type APPROVE to send",
            "type PROCEED or CANCEL",
            "User: approved",
            "No, approve it tomorrow",
            "not DONE yet",
        ),
        *("approve?", "yes?", "Approved？", "is this approved?", "who said yes?", "approve the next one instead"),
        *("a p p r o v e", "аpprove", "yes\u200b", "\u202eyes", "y e s", "+1", "👍", "✅", ":white_check_mark:"),
    ],
)
def test_what_resembles_an_approval_is_none(text: str) -> None:
    """D-06, D-07, D-08, D-11, D-24, D-36, T08: substrings, quotes, questions, lookalikes, reactions."""
    assert read(text) not in DECIDING


@given(
    st.sampled_from(WORDS), st.sampled_from(["", " ", "\n", "\t "]), st.sampled_from(["", ".", "!", "…", " .", "!!"])
)
def test_space_case_and_closing_marks_change_nothing(word: str, space: str, mark: str) -> None:
    """D-12: as people type on a telephone."""
    assert {read(f"{space}{form(word)}{mark}{space}") for form in (str.lower, str.upper, str.title)} == {read(word)}


@given(st.text(max_size=40), st.sampled_from(WORDS), st.text(max_size=40))
def test_a_word_with_anything_beside_it_decides_nothing(before: str, word: str, after: str) -> None:
    """T08: whatever stands around it, unless all of it is space and marks, or the mention of somebody."""
    meaning = read(f"{before} {word} {after}")

    if meaning in (*DECIDING, Meaning.STOP):
        assert normal(f"{before} {word} {after}") in WORDS


@given(st.text(max_size=60))
def test_any_text_has_a_meaning_and_reading_it_twice_gives_the_same(text: str) -> None:
    assert read(text) is read(text)
    assert (read(text) in DECIDING) <= (normal(text) in APPROVE | REJECT)
