"""What a reader sees of a message in the fake Teams: unescaped markup vanishes, escaped markup is read."""

from __future__ import annotations

import pytest

from tests.fakes.teams import FakeTeams
from tests.fakes.teams.markdown import rendered
from tests.fakes.teamsbot import Body, button, card


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("plain *slanted* **bold** ~~gone~~ `code`", "plain slanted bold gone code"),
        (r"\*not slanted\* \[no\]\(link\) \`no code\`", "*not slanted* [no](link) `no code`"),
        ("&#42;not slanted&#42; &lt;b&gt;", "*not slanted* <b>"),
        ("a snake_case_name and 2 * 3 * 4", "a snake_case_name and 2 * 3 * 4"),
        ("[label](https://x.example)", "label"),
        ("`*code*`", "*code*"),
        ("# Title\n- one\n* two\n1. three", "Title\n• one\n• two\n1. three"),
        ("> quoted", "quoted"),
        ("***\nafter", "after"),
        ("<b>as it is</b>", "<b>as it is</b>"),
        ("{{DATE(2026-11-20T10:00:00Z, SHORT)}} {{TIME(2026-11-20T10:00:00Z)}}", "2026-11-20 10:00"),
        ("{{DATE(soon)}}", "{{DATE(soon)}}"),
    ],
)
def test_markdown_is_read_as_teams_shows_it(text: str, words: str) -> None:
    """AS: what somebody hides in markup is not on screen; what is escaped is."""
    assert rendered(text, [], with_tags=False).words == words


def test_links_and_marks_are_told_apart_from_words() -> None:
    found = rendered("[label](https://x.example/a_b) <https://y.example> **loud** `rm -rf`", [], with_tags=False)

    assert found.links == ["https://x.example/a_b", "https://y.example"] or found.links == [
        "https://y.example",
        "https://x.example/a_b",
    ]
    assert sorted(found.marks) == ["loud", "rm -rf"]


def test_a_text_of_a_message_has_tags_and_bare_links_and_a_card_has_not() -> None:
    text = 'see <a href="https://x.example">here</a> or https://y.example'

    message, block = rendered(text, [], with_tags=True), rendered(text, [], with_tags=False)

    assert (message.words, sorted(message.links)) == (
        "see here or https://y.example",
        ["https://x.example", "https://y.example"],
    )
    assert (block.words, block.links) == (text, [])


def test_only_a_mention_that_means_somebody_is_shown_as_a_name() -> None:
    assert rendered("<at>Bo_B_</at> and <at>all</at>", ["<at>Bo_B_</at>"], with_tags=False).words == (
        "Bo_B_ and <at>all</at>"
    )


def test_a_card_is_read_from_top_to_bottom_with_what_opens_in_it() -> None:
    """Labels, starting values, choices, the cards behind buttons; hidden things are not read."""
    inner = card(button("Send"), body=[{"type": "Input.Text", "id": "why", "label": "Reason", "value": "*because*"}])
    rows: list[Body] = [
        {"type": "TextBlock", "text": "**Refund**"},
        {"type": "RichTextBlock", "inlines": ["*as ", {"type": "TextRun", "text": "typed*"}]},
        {"type": "TextBlock", "text": "hidden", "isVisible": False},
        {"type": "FactSet", "facts": [{"title": "Amount", "value": r"1\*2"}]},
        {"type": "ColumnSet", "columns": [{"items": [{"type": "TextBlock", "text": "left"}]}]},
        {
            "type": "Input.ChoiceSet",
            "id": "size",
            "label": "Size",
            "style": "expanded",
            "choices": [{"title": "Small", "value": "s"}, {"title": "Large", "value": "l"}],
        },
    ]
    whole = card(button("Approve"), {"type": "Action.ShowCard", "title": "Reject", "card": inner}, body=rows)

    assert FakeTeams.text_of(whole).split("\n") == [
        *("Refund", "*as typed*", "Amount: 1*2", "left", "Size", "Small", "Large"),
        *("Approve", "Reject", "Reason", "*because*", "Send"),
    ]
    assert FakeTeams.buttons_of(whole) == ["Approve", "Reject"]
    assert FakeTeams.buttons_of(whole, opened=True) == ["Approve", "Reject", "Send"]
