"""Cards in Slack: literal, whole or in a file with its hash, and never refused for their form."""

from __future__ import annotations

import difflib
import hashlib
import html
import json

import pytest
from hypothesis import given, settings

from adapters.lengths import size
from adapters.slack.cards import Drawn, button_value, draw, read_action, read_value, whisper_blocks
from adapters.slack.limits import UPDATE_TEXT, faults, view_faults
from bot.domain.chat import Block, Button, Card, Fact, PersonId
from bot.domain.errors import Undeliverable
from bot.domain.request import Kind, Status
from bot.domain.wire import replace
from tests.contracts.chat import HOSTILE
from tests.domain.given import ANA, BO, CY, ask, call, decided, drawn, request
from tests.goldens import picture_name, statuses
from tests.hostile import ANY_CARD, TEXT, nodes, said
from tests.slack.drawing import MARKUP, buttons, labels, parsed, texts
from tests.slack.pictures import GOLDEN, SLACK_USERS, pictures
from tests.slack.second import sdk_faults, sdk_view_faults
from tests.stories import CARDS, LONG


def shown(card: Card) -> Drawn:
    return draw(card, user_of=SLACK_USERS)


# --------------------------------------------------------------- any card


@settings(max_examples=100, deadline=None)
@given(ANY_CARD)
def test_any_card_is_drawn_whole_literally_and_without_faults(card: Card) -> None:
    """PP-06, T02, T04: sizes from 0 to 20,000 and hostile Unicode; every text stands in a block or in a file."""
    picture = shown(card)

    assert faults(picture.blocks) + sdk_faults(picture.blocks) == []
    read = "".join(texts(picture.blocks)) + "".join(file.content.decode("utf-8", "replace") for file in picture.files)
    assert [text[:80] for text in said(card) if text not in read] == []
    assert set(parsed(picture.blocks)) <= {f"<@{user}>" for user in SLACK_USERS.values()}
    assert MARKUP.findall(picture.text) == []
    assert 0 < size(picture.text) <= UPDATE_TEXT


@settings(max_examples=40, deadline=None)
@given(ANY_CARD)
def test_every_file_is_on_the_card_with_its_name_and_hash(card: Card) -> None:
    """T02: whoever signs can check that the file they read is the one the card means."""
    picture = shown(card)

    read = "".join(texts(picture.blocks)) + "".join(file.content.decode("utf-8", "replace") for file in picture.files)
    assert picture.files[: len(card.attachments)] == card.attachments
    assert len({file.name for file in picture.files}) == len(picture.files)
    for file in picture.files:
        assert hashlib.sha256(file.content).hexdigest() == file.sha256
        assert f"attached: {file.name} ({len(file.content):,} bytes, sha256 {file.sha256})" in read


@settings(max_examples=40, deadline=None)
@given(ANY_CARD, ANY_CARD)
def test_the_same_card_is_always_the_same_picture_and_another_has_other_ids(one: Card, other: Card) -> None:
    """Slack wants new block ids for every new picture; a repeated update must not be a new picture."""
    first, again, second = shown(one), shown(replace(one)), shown(other)

    assert again == first
    if second.blocks != first.blocks:
        assert not {block["block_id"] for block in first.blocks} & {block["block_id"] for block in second.blocks}


@settings(max_examples=40, deadline=None)
@given(ANY_CARD)
def test_every_button_can_be_read_back(card: Card) -> None:
    """PP-11, T13: subject, token and move come back as they were given; whether a form comes first stands in the id."""
    pressed = [(read_value(b["value"]), read_action(b["action_id"])) for b in buttons(shown(card).blocks)]

    assert pressed == [((b.subject, b.token), (b.move, bool(b.fields))) for b in card.buttons]
    assert not [b for b in buttons(shown(card).blocks) if "url" in b], "a preview that follows links presses nothing"


@settings(max_examples=40, deadline=None)
@given(ANY_CARD)
def test_every_card_with_a_footer_can_replace_every_other(card: Card) -> None:
    """`chat.update` answers `block_mismatch` when a message with rich text would lose it."""
    picture = shown(replace(card, footer="q1 · r1 · v1"))

    assert "rich_text" in [block["type"] for block in picture.blocks]


# --------------------------------------------------------------- literal


def test_hostile_text_is_shown_as_it_is_written_everywhere() -> None:
    """T04: what looks like a mention, markup or a tag, on every part of a card."""
    card = Card(
        title=HOSTILE,
        body=HOSTILE,
        facts=(Fact(label="args", value=HOSTILE),),
        blocks=(Block(label=HOSTILE, text=HOSTILE), Block(label="code", text=HOSTILE, is_code=True)),
        status=HOSTILE,
        footer=HOSTILE,
    )

    picture = shown(card)

    assert "".join(texts(picture.blocks)).count(HOSTILE) == 8
    assert parsed(picture.blocks) == []
    assert HOSTILE in html.unescape(picture.text)


@pytest.mark.parametrize("text", ["a\nb\n\n c", "`a` ```b```", "\tif x:\n\t\treturn", ":smile: &amp; <b>", " a  b "])
def test_code_keeps_newlines_tabs_and_backticks(text: str) -> None:
    """What people sign is what runs, whitespace included."""
    picture = shown(Card(blocks=(Block(label="", text=text, is_code=True),)))

    assert texts(picture.blocks) == [text]
    assert picture.blocks[0]["elements"][0]["type"] == "rich_text_preformatted"


def test_characters_that_slack_would_lose_are_spelled_out() -> None:
    """T03: a NUL or half an emoji would vanish, or break the whole message."""
    picture = shown(Card(title="a\x00b", body="c\ud800d\re", facts=(Fact(label="f\x7f", value="g"),)))

    assert texts(picture.blocks) == ["a⟨U+0000⟩b", "c⟨U+D800⟩d⟨U+000D⟩e", "f⟨U+007F⟩\ng"]


def test_only_known_users_are_mentioned_once_each() -> None:
    """T04: the mention line is ours; a made-up user id cannot get markup into it."""
    bad = PersonId("bad")
    card = Card(title="Approve this?", mentions=(BO, ANA, BO, CY, bad))

    picture = draw(card, user_of={**SLACK_USERS, bad: "U1> <!channel"})

    assert picture.blocks[0]["text"] == {"type": "mrkdwn", "text": "<@UBO> <@UANA>"}
    assert parsed(picture.blocks) == ["<@UBO>", "<@UANA>"]


def test_the_notification_says_what_is_asked_and_of_whom() -> None:
    """A lock screen shows title, status and the facts that matter, escaped."""
    text = shown(drawn(request(agent="<!here>"))).text

    assert text.splitlines() == [
        "Approval needed: refund",
        "Waiting for an answer.",
        "Asked by: Ana, through &lt;!here&gt;",
        "Risk: write: changes something",
        "Deadline: 2026-05-01 16:00 UTC, then it is not executed",
    ]


def test_a_long_notification_is_cut_between_characters() -> None:
    """`chat.update` takes 4,000; half an entity would be shown as such."""
    text = shown(Card(body="&" * 5_000)).text

    assert text == "&amp;" * 799 + "…"


# ----------------------------------------------------------------- whole


def test_long_arguments_stay_attached_as_the_renderer_made_them() -> None:
    """PP-06, T02: the attachment goes with the card, and the card names it."""
    card = drawn(request(call=call(LONG)))

    picture = shown(card)

    assert picture.files == card.attachments
    assert card.attachments[0].sha256 in "".join(texts(picture.blocks))
    assert labels(picture.blocks) == ["Approve", "Edit", "Reject", "Explain", "Details", "Stop"]


def test_code_too_long_for_one_text_moves_whole_to_a_file() -> None:
    """It is never split: two boxes would not be the text that runs."""
    code = "x" * 3_001
    card = Card(title="t", body="words " * 600, blocks=(Block(label="Changed by Bo", text=code, is_code=True),))

    picture = shown(card)

    (file,) = picture.files
    assert (file.name, file.content.decode()) == ("changed-by-bo.txt", code)
    assert card.body in "".join(texts(picture.blocks))


def test_the_longest_text_moves_first_and_the_rest_stays() -> None:
    """People should have to open as few files as possible."""
    blocks = tuple(Block(label=f"Part {n}", text=f"{n}" * size) for n, size in enumerate((2_900, 2_999, 2_800, 2_700)))

    picture = shown(Card(title="t", blocks=blocks))

    assert [file.name for file in picture.files] == ["part-1.txt"]
    assert [block.text in texts(picture.blocks) for block in blocks] == [True, False, True, True]


def test_a_long_answer_shows_its_beginning_above_its_file() -> None:
    """An agent's report of 12,000 characters is readable at a glance and whole in a file."""
    body = "First line.\n" + "word " * 2_400

    picture = shown(Card(body=body))

    (file,) = picture.files
    assert file.content.decode() == body
    assert "".join(texts(picture.blocks)).startswith("First line.\nword ")
    assert f"attached: message.txt ({len(body):,} bytes, sha256 {file.sha256})" in texts(picture.blocks)[0]


def test_a_body_within_the_limits_is_split_between_words_and_loses_nothing() -> None:
    body = "word " * 1_500

    picture = shown(Card(body=body))

    pieces = texts(picture.blocks)
    assert "".join(pieces) == body
    assert len(pieces) == 3
    assert all(piece.endswith("word ") for piece in pieces)


def test_no_text_waits_behind_see_more() -> None:
    """T01: Slack folds the text of a section away unless it says `expand`; nobody signs what they had to unfold."""
    card = Card(title="t" * 200, body="b " * 2_000, blocks=(Block(label="why", text="w " * 700),), status="s")

    folding = [block for block in shown(card).blocks if block["type"] == "section" and "text" in block]

    assert len(folding) >= 4
    assert all(block["expand"] is True for block in folding)


def test_a_card_of_too_many_parts_goes_into_one_file_with_its_buttons_left() -> None:
    """60 blocks of one line each: Slack takes 50."""
    blocks = tuple(Block(label=f"Label {n}", text=f"text {n}") for n in range(60))
    card = replace(drawn(), blocks=blocks)

    picture = shown(card)

    (file,) = picture.files
    assert all(f"{block.label}\n{block.text}" in file.content.decode() for block in blocks)
    assert labels(picture.blocks) == ["Approve", "Edit", "Reject", "Explain", "Details", "Stop"]
    assert card.title in texts(picture.blocks)


# --------------------------------------------------------------- buttons


def test_a_dangerous_button_asks_once_more() -> None:
    """The question is the card's own; the button that answers it looks like the one pressed."""
    card = drawn(request(ask=ask(is_high=True)))

    approve = buttons(shown(card).blocks)[0]

    assert approve["style"] == "primary"
    assert approve["confirm"]["text"]["text"] == "Run refund with exactly the arguments shown?"
    assert (approve["confirm"]["confirm"]["text"], approve["confirm"]["style"]) == ("Approve", "primary")


def test_the_same_move_twice_gets_two_names() -> None:
    """Slack tells two buttons of one message apart by their action_id alone."""
    twice = tuple(Button(subject=f"r{n}", move="stop", label="Stop", token="t") for n in (1, 2))

    pressed = [button["action_id"] for button in buttons(shown(Card(buttons=twice)).blocks)]

    assert pressed == ["cs.stop", "cs.stop.2"]
    assert [read_action(one) for one in pressed] == [("stop", False)] * 2


@pytest.mark.parametrize(
    "value",
    [None, 7, "", "q1", "q1 ", " seal", "q1 seal more", "q1\nseal", "x" * 2_001, "a " + "b" * 2_000, ["q1", "seal"]],
)
def test_a_value_that_is_not_ours_is_not_read(value: object) -> None:
    """T13: whatever a client makes up is refused without an error."""
    assert read_value(value) is None


@pytest.mark.parametrize(
    "action", [None, 7, "", "cs.", "cs", "xx.stop", "cs.STOP", "cs.stop.x", "cs.stop.2.3", "cs.a b"]
)
def test_an_action_that_is_not_ours_is_not_read(action: object) -> None:
    assert read_action(action) is None


@pytest.mark.parametrize(
    "button",
    [
        Button(subject="q 1", move="stop", label="Stop", token="t"),
        Button(subject="q1", move="stop", label="Stop", token=""),
        Button(subject="q1", move="stop", label="Stop", token="t" * 2_000),
        Button(subject="q1", move="stop.2", label="Stop", token="t"),
    ],
)
def test_a_button_that_slack_cannot_carry_makes_the_card_undeliverable(button: Button) -> None:
    """Better no card than a card whose button means something else."""
    with pytest.raises(Undeliverable, match="a button's"):
        shown(Card(title="t", buttons=(button,)))


def test_a_value_is_two_words() -> None:
    """What other parts of the adapter rely on."""
    assert button_value("q1", "seal") == "q1 seal"


def test_nothing_can_be_pressed_after_the_end() -> None:
    """I3: Slack cannot disable a button; a decided card has none."""
    for status in Status:
        if status is not Status.OPEN:
            assert buttons(shown(drawn(decided(status))).blocks) == []


# --------------------------------------------------------------- whispers


@settings(max_examples=40, deadline=None)
@given(TEXT)
def test_any_whisper_is_literal_and_without_faults(text: str) -> None:
    """T04: an error may quote what somebody typed."""
    blocks = whisper_blocks(text)

    assert faults(blocks) + sdk_faults(blocks) == []
    assert parsed(blocks) == []


def test_a_whisper_says_how_much_it_leaves_out() -> None:
    assert "".join(texts(whisper_blocks("psst, Bo"))) == "psst, Bo"
    assert "".join(texts(whisper_blocks("x" * 9_500))) == "x" * 9_500
    assert texts(whisper_blocks("x" * 9_501))[-1].endswith("… (9,501 characters in all)")
    assert texts(whisper_blocks("&" * 9_500))[-1].endswith("… (9,500 characters in all)")


# ----------------------------------------------------------------- golden


@pytest.mark.parametrize("name", sorted(pictures()))
def test_every_kind_of_card_looks_as_it_did(name: str) -> None:
    """One JSON for each kind and status. `python -m tests.slack.pictures` writes them anew; read what changed."""
    path = GOLDEN / f"{name}.json"
    golden = path.read_text(encoding="utf-8") if path.exists() else ""

    now = pictures()[name]

    lines = difflib.unified_diff(golden.splitlines(), now.splitlines(), f"golden/{name}.json", "now", lineterm="")
    assert now == golden, "\n".join([*lines, "", "To keep it: python -m tests.slack.pictures"])


@pytest.mark.parametrize("name", sorted(pictures()))
def test_every_picture_keeps_slacks_limits(name: str) -> None:
    """AS-29: whatever its kind and state, as blocks or as a view: nothing in it that Slack refuses, nor slack_sdk."""
    picture = json.loads(pictures()[name])

    if "files" in picture:
        found = faults(picture["blocks"]) + sdk_faults(picture["blocks"])
    else:
        found = view_faults(picture) + sdk_view_faults(picture)
    assert found == []


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_golden_picture_in_every_status_it_can_come_to(kind: Kind) -> None:
    """A new kind, or a new way for one to end, is seen here before anybody sees it in Slack."""
    missing = {status for status in statuses(kind) if not (GOLDEN / f"{picture_name(kind, status)}.json").exists()}

    assert missing == set()


def test_no_golden_picture_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(pictures())


@pytest.mark.parametrize("name", sorted(CARDS))
def test_everything_on_a_real_card_is_on_screen_in_order(name: str) -> None:
    """Title, body, facts, blocks, attachments, status, buttons, footer; no card of ours needs a file of Slack's."""
    card = CARDS[name]()

    picture = shown(card)

    assert picture.files == card.attachments
    read = "\0".join(texts(picture.blocks))
    facts = [f"{fact.label}\n{fact.value}" for fact in card.facts]
    blocks = [text for block in card.blocks for text in (block.label, block.text)]
    files = [f"attached: {file.name}" for file in card.attachments]
    pressed = [button.label for button in card.buttons]
    spots = [
        read.find(text)
        for text in [card.title, card.body, *facts, *blocks, *files, card.status, *pressed, card.footer]
        if text
    ]
    assert spots == sorted(spots)
    assert -1 not in spots
    assert [node for node in nodes(picture.blocks) if node.get("emoji")] == []
