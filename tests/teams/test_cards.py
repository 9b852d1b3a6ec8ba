"""Cards in Teams: inert, whole or with nothing to sign, and never refused for their form."""

from __future__ import annotations

import base64
import difflib
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.lengths import size as units
from adapters.lengths import sound
from adapters.signable import HARMLESS, NOT_WHOLE
from adapters.teams.cards import SHOW_ALL, Drawn, Known, draw, read_data
from adapters.teams.fields import Fill
from adapters.teams.limits import ACTIONS, CARD_BYTES, FETCH, dialog_faults, faults, size
from adapters.teams.windows import form
from bot.domain.chat import Attachment, Block, Button, Card, Fact, Field, FieldKind, Tone
from bot.domain.errors import Undeliverable
from bot.domain.inert import show
from bot.domain.render import DETAILS
from bot.domain.request import Kind, Status
from bot.domain.wire import replace
from tests.contracts.chat import HOSTILE
from tests.domain.given import ANA, BO, CY, ask, call, decided, drawn, request
from tests.goldens import picture_name, statuses
from tests.hostile import ANY_CARD, TEXT, nodes, said
from tests.stories import CARDS, LONG
from tests.teams.drawing import actions, live, sending, texts, titles, typed_into, unshown
from tests.teams.oracle import complaints
from tests.teams.pictures import GOLDEN, KNOWN, pictures


def shown(card: Card) -> Drawn:
    return draw(card, known=KNOWN)


def read(card: Card) -> str:
    return "".join(texts(shown(card).card))


def moves(picture: Drawn) -> list[str]:
    found = [read_data(action["data"]) for action in sending(picture.card)]
    return [pressed.move for pressed in found if pressed is not None]


def is_whole(card: Card, picture: Drawn) -> bool:
    """Does every text of *card* stand there, or in the form that one of its buttons opens?"""
    there = spaced("".join([*texts(picture.card), *opened(card, picture)]))
    return all(spaced(unshown(text))[:90] in there for text in said(card))


def opened(card: Card, picture: Drawn) -> list[str]:
    """What the dialogs say that stand between a button of *picture* and what it sends."""
    fetching = [action["data"] for action in sending(picture.card) if "msteams" in action["data"]]
    pressed = [(one.move, one.subject, one.token) for one in map(read_data, fetching) if one is not None]
    asking = [button for button in card.buttons if (button.move, button.subject, button.token) in pressed]
    return [text for button in asking for text in texts(form(button))]


def spaced(text: str) -> str:
    """A browser shows a tab as spaces, and no space that people could tell from another."""
    return text.replace("\t", "    ").replace("\u00a0", " ")


# --------------------------------------------------------------- any card


@settings(max_examples=100, deadline=None)
@given(ANY_CARD)
def test_any_card_is_drawn_literally_and_without_faults(card: Card) -> None:
    """PP-06, T04: sizes from 0 to 20,000 and hostile Unicode, by the house's rules and by the official schema."""
    picture = shown(card)

    assert faults(picture.card) == ()
    assert complaints(picture.card) == []
    assert live(picture.card) == []
    assert 0 < units(picture.summary) <= 1_000


@settings(max_examples=100, deadline=None)
@given(ANY_CARD)
def test_any_card_is_whole_or_lets_nothing_run(card: Card) -> None:
    """T01, T02: whoever cannot read all of it cannot sign it there, and is told so."""
    picture = shown(card)

    there = "".join(texts(picture.card))
    is_told = NOT_WHOLE in there or "characters in all, sha256 " in there
    assert is_whole(card, picture) or is_told
    if not set(moves(picture)) <= {*HARMLESS, DETAILS, SHOW_ALL}:
        assert is_whole(card, picture)
        assert moves(picture) == [button.move for button in card.buttons]


@settings(max_examples=40, deadline=None)
@given(ANY_CARD)
def test_the_same_card_is_always_the_same_picture(card: Card) -> None:
    """A repeated edit must not be another picture."""
    assert shown(replace(card)) == shown(card)


@settings(max_examples=40, deadline=None)
@given(ANY_CARD)
def test_every_button_can_be_read_back(card: Card) -> None:
    """PP-11, T13: subject, token and move come back as they were given."""
    picture = shown(card)

    pressed = [read_data(action["data"]) for action in sending(picture.card)]
    known = {(button.subject, button.token) for button in card.buttons}
    assert None not in pressed
    assert {(one.subject, one.token) for one in pressed if one is not None} <= known
    assert not [node for node in nodes(picture.card) if "url" in node], "a preview that follows links presses nothing"


# --------------------------------------------------------------- literal


def test_hostile_text_is_shown_as_it_is_written_everywhere() -> None:
    """T04: what looks like a mention, markup or a tag, on every part of a card."""
    card = Card(
        title=HOSTILE,
        body=HOSTILE,
        facts=(Fact(label="args", value=HOSTILE), Fact(label="long", value=HOSTILE * 9)),
        blocks=(Block(label=HOSTILE, text=HOSTILE), Block(label="code", text=HOSTILE, is_code=True)),
        status=HOSTILE,
        footer=HOSTILE,
    )

    picture = shown(card)

    assert "".join(texts(picture.card)).count(HOSTILE) == 8 + 9
    assert live(picture.card) == []


@pytest.mark.parametrize("text", ["a\nb\n\n c", "`a` ```b```", '{\n  "a": {\n    "b":   1\n  }\n}', " a  b ", "&amp;"])
def test_code_keeps_newlines_and_all_its_spaces(text: str) -> None:
    """What people sign is what runs: a browser would join two spaces, and drop those at the start of a line."""
    picture = shown(Card(blocks=(Block(label="", text=text, is_code=True),)))

    (block,) = picture.card["body"]
    raw = "".join(run["text"] for run in block["inlines"])
    assert texts(picture.card) == [text]
    assert "  " not in raw
    assert not any(line.startswith(" ") for line in raw.split("\n"))
    assert {run["fontType"] for run in block["inlines"]} == {"Monospace"}


def test_characters_that_would_be_lost_are_spelled_out() -> None:
    """T03: a NUL or half an emoji would vanish, or break the whole message."""
    picture = shown(Card(title="a\x00b", body="c\ud800d\re", facts=(Fact(label="f\x7f", value="g"),)))

    assert texts(picture.card) == ["a⟨U+0000⟩b", "c⟨U+D800⟩d⟨U+000D⟩e", "f⟨U+007F⟩", "g"]


def test_what_is_attached_shows_what_hides_in_it() -> None:
    """T03: a file may hold what turns the reading around; on the card it is spelled out."""
    content = '{"note":"abc\u202edef"}'.encode()
    file = Attachment(name="arguments.json", content=content, sha256=hashlib.sha256(content).hexdigest())

    there = read(Card(title="t", attachments=(file,)))

    assert "abc⟨U+202E⟩def" in there
    assert f"attached: arguments.json ({len(content)} bytes, sha256 {file.sha256})" in there


# -------------------------------------------------------------- mentions


def test_only_known_people_are_mentioned_once_each() -> None:
    """T04: the line of mentions is ours, and each stands word by word in an entity: else Teams refuses the message."""
    picture = shown(Card(title="Approve this?", mentions=(BO, ANA, BO, CY)))

    assert picture.card["body"][0]["text"] == "<at>Bo</at> <at>Ana</at>"
    assert picture.card["msteams"]["entities"] == list(picture.entities)
    assert picture.entities[0] == {
        "type": "mention",
        "text": "<at>Bo</at>",
        "mentioned": {"id": "29:bo", "name": "Bo"},
    }


def test_people_of_one_name_are_told_apart() -> None:
    """Teams knows by the text alone whom a mention means."""
    both = {ANA: Known(id="29:a", name="Sam"), BO: Known(id="29:b", name="Sam")}

    picture = draw(Card(title="t", mentions=(ANA, BO)), known=both)

    assert picture.card["body"][0]["text"] == "<at>Sam</at> <at>Sam 2</at>"
    assert [entity["mentioned"]["id"] for entity in picture.entities] == ["29:a", "29:b"]


@settings(max_examples=100, deadline=None)
@given(TEXT, TEXT)
def test_no_name_and_no_id_can_break_a_mention(name: str, id: str) -> None:
    """T04: a name is what somebody calls themselves."""
    picture = draw(Card(title="t", body="<at>Bo</at>", mentions=(BO,)), known={BO: Known(id=id, name=name)})

    assert faults(picture.card) == ()
    assert live(picture.card) == []
    assert len(picture.entities) <= 1


def test_words_that_look_like_a_mention_on_the_card_are_none() -> None:
    """T04: Bo is mentioned; the agent's words are not his name."""
    picture = shown(Card(title="<at>Bo</at>", body="<at>Bo</at>", mentions=(BO,)))

    whole = json.dumps(picture.card["body"])
    assert whole.count("<at>Bo</at>") == 1
    assert texts(picture.card) == ["<at>Bo</at>", "<at>Bo</at>", "<at>Bo</at>"]


# ----------------------------------------------------------------- whole


def test_long_arguments_stand_on_the_card_itself() -> None:
    """PP-06, T02: a bot cannot put a file in a channel; 5,700 characters fit, and can be signed."""
    card = drawn(request(call=call(LONG)))

    picture = shown(card)

    (file,) = card.attachments
    assert show(file.content.decode()) in "".join(texts(picture.card))
    assert titles(picture.card) == ["Approve", "Edit", "Reject", "Explain", "Details", "Stop"]


def test_a_form_too_large_for_the_card_opens_in_a_dialog() -> None:
    """Its starting values would not fit beside what is signed; what is signed stays whole."""
    draft = Field(name="text", label="Your own", kind=FieldKind.LONG_TEXT, value="x" * 7_000)
    write = Button(subject="q", move="write", label="Write it", token="t", fields=(draft,))
    card = Card(title="t", blocks=(Block(label="Draft", text="y" * 14_000),), buttons=(write,))

    picture = shown(card)

    (action,) = actions(picture.card)
    assert (action["type"], action["data"]["msteams"]) == ("Action.Submit", FETCH)
    assert "y" * 14_000 in "".join(texts(picture.card))


def test_only_as_many_forms_leave_the_card_as_must() -> None:
    small = Field(name="reason", label="Reason")
    large = Field(name="text", label="Text", kind=FieldKind.LONG_TEXT, value="x" * 7_000)
    buttons = tuple(
        Button(subject="q", move=move, label=move, token="t", fields=(field,))
        for move, field in (("reject", small), ("write", large), ("accept", small))
    )

    picture = shown(Card(title="t", blocks=(Block(label="", text="y" * 14_000),), buttons=buttons))

    assert [action["type"] for action in actions(picture.card)] == [
        "Action.ShowCard",
        "Action.Submit",
        "Action.ShowCard",
    ]


def test_arguments_too_large_for_a_card_cannot_be_approved_there() -> None:
    """T01, T02: 100,000 characters; the beginning, how many there are and which, and a button to read all of it."""
    card = drawn(request(call=call({"note": "n" * 100_000}), ask=ask(is_high=True)))

    picture = shown(card)

    there = "".join(texts(picture.card))
    assert titles(picture.card) == ["Show all", "Reject", "Details", "Stop"]
    assert NOT_WHOLE in there
    assert card.attachments[0].sha256 in there
    assert "characters in all, sha256 " in there
    assert "Show all: shows you all of it" in there
    assert size(picture.card) <= CARD_BYTES


def test_a_file_that_is_no_text_makes_a_card_that_nobody_signs() -> None:
    """Nobody can read it here, so nobody can know what they would sign."""
    file = Attachment(name="a.bin", content=b"\xff\xfe\x00", sha256="0" * 64)

    picture = shown(replace(drawn(), attachments=(file,)))

    assert set(moves(picture)) <= {*HARMLESS, SHOW_ALL}


def test_a_small_picture_stands_on_the_card_itself() -> None:
    """T04: it is in the card, so that nothing is fetched; its name and digest stand above it."""
    there = draw(Card(body="draw shows a.png.", attachments=(picture_of(9_000),)), known=KNOWN).card

    (image,) = [node for node in nodes(there) if node.get("type") == "Image"]
    assert image["url"] == "data:image/png;base64," + base64.b64encode(picture_of(9_000).content).decode()
    assert image["altText"] == "a.png"
    assert any("a.png (9,000 bytes" in text for text in texts(there))
    assert (faults(there), complaints(there)) == ((), [])


def test_a_picture_without_room_is_said_to_be_there() -> None:
    """A message of Teams holds about 100 KB; a bot can put no file in a channel."""
    there = draw(Card(body="draw shows a.png.", attachments=(picture_of(20_000),)), known=KNOWN).card

    assert [node for node in nodes(there) if node.get("type") == "Image"] == []
    assert "This is a picture, and larger than what fits a card here." in "".join(texts(there))


def test_evidence_without_room_leaves_the_card_signable() -> None:
    """PN-13: nobody signs evidence. The card says that it did not fit, and all of it is behind a button."""
    content = ("a row of a table\n" * 3_000).encode()
    file = Attachment(name="evidence-1.txt", content=content, sha256="0" * 64, is_aside=True)

    picture = shown(replace(drawn(), attachments=(file,)))

    assert {"approve", SHOW_ALL} <= set(moves(picture))
    assert "No room here for evidence-1.txt, 51,000 bytes." in "".join(texts(picture.card))
    assert set(moves(shown(replace(drawn(), attachments=(replace(file, is_aside=False),))))) <= {*HARMLESS, SHOW_ALL}


def picture_of(size: int) -> Attachment:
    content = b"\x89PNG\r\n\x1a\n".ljust(size, b"\xff")
    return Attachment(name="a.png", content=content, sha256="0" * 64, is_aside=True)


def test_a_long_answer_without_buttons_says_how_long_it_was() -> None:
    """An agent's report of 90,000 characters: nothing is signed there, so nothing is said of signing."""
    there = read(Card(body="word " * 18_000))

    assert there.startswith("word word ")
    assert "(90,000 characters in all, sha256 " in there
    assert NOT_WHOLE not in there


def test_a_card_of_too_many_parts_keeps_its_name_and_what_lets_nothing_run() -> None:
    blocks = tuple(Block(label=f"Label {n}", text=f"text {n}") for n in range(600))

    picture = shown(replace(drawn(), blocks=blocks))

    assert titles(picture.card) == ["Show all", "Reject", "Details", "Stop"]
    assert texts(picture.card)[0] == "Approval needed: refund"


# --------------------------------------------------------------- buttons


def test_a_button_and_its_twin_say_the_same() -> None:
    """A client that does not know Execute sends the twin, and it must mean the same."""
    stop = Button(subject="r1", move="stop", label="Stop", token="seal", style="danger")

    (action,) = actions(shown(Card(title="t", buttons=(stop,))).card)

    assert action == {
        "type": "Action.Execute",
        "verb": "cs.stop",
        "title": "Stop",
        "style": "destructive",
        "data": {"countersign": {"subject": "r1", "move": "stop", "token": "seal"}},
        "fallback": {
            "type": "Action.Submit",
            "title": "Stop",
            "style": "destructive",
            "data": {"countersign": {"subject": "r1", "move": "stop", "token": "seal"}},
        },
    }


def test_a_dangerous_button_asks_once_more() -> None:
    """The question is the card's own; the button that answers it is inside."""
    approve = actions(shown(drawn(request(ask=ask(is_high=True)))).card)[0]

    inner = approve["card"]
    assert (approve["type"], approve["title"], approve["style"]) == ("Action.ShowCard", "Approve", "positive")
    assert texts(inner)[0] == "Run refund with exactly the arguments shown?"
    assert inner["actions"][0]["verb"] == "cs.approve"


def test_details_open_a_dialog() -> None:
    """ST-40: what there is to know is shown to one person alone."""
    card = shown(drawn(request(ask=ask(is_high=True)))).card
    (details,) = [action for action in actions(card) if action["title"] == "Details"]

    assert (details["title"], details["data"]["msteams"]) == ("Details", {"type": "task/fetch"})


def test_no_row_has_more_buttons_than_teams_takes_and_none_is_lost() -> None:
    """Teams drops the seventh button of a row without a word."""
    many = tuple(Button(subject="q", move="pick", label=f"{n}", token="t") for n in range(20))

    card = shown(Card(title="t", buttons=many)).card

    rows = [len(node["actions"]) for node in card["body"] if node["type"] == "ActionSet"]
    assert rows == [ACTIONS, ACTIONS, ACTIONS, 2]
    assert titles(card) == [button.label for button in many]


def test_two_forms_of_one_move_have_inputs_of_their_own() -> None:
    """Teams gathers all inputs of a card under their ids."""
    note = Field(name="note", label="Note")
    twice = tuple(Button(subject=f"q{n}", move="pick", label="Pick", token="t", fields=(note,)) for n in (1, 2))

    card = shown(Card(title="t", buttons=twice)).card

    assert list(typed_into(card)) == ["pick.note", "pick~2.note"]


def test_a_field_for_a_person_lets_choose_from_those_the_caller_knows() -> None:
    owner = Field(name="owner", label="Owner", kind=FieldKind.PERSON)
    button = Button(subject="q", move="hand_to", label="Hand to…", token="t", fields=(owner,))

    card = draw(Card(title="t", buttons=(button,)), known={}, fill=Fill(people={ANA: "Ana", BO: "Bo"})).card

    assert [choice["value"] for choice in typed_into(card)["hand_to.owner"]["choices"]] == ["ana", "bo"]


@pytest.mark.parametrize(
    "button",
    [
        Button(subject="q 1", move="stop", label="Stop", token="t"),
        Button(subject="q1", move="stop", label="Stop", token=""),
        Button(subject="q1", move="stop", label="Stop", token="t" * 301),
        Button(subject="q1", move="stop.2", label="Stop", token="t"),
    ],
)
def test_a_button_that_could_not_be_read_back_makes_the_card_undeliverable(button: Button) -> None:
    """Better no card than a card whose button means something else."""
    with pytest.raises(Undeliverable, match="a button's"):
        shown(Card(title="t", buttons=(button,)))


def test_more_buttons_than_anybody_reads_make_the_card_undeliverable() -> None:
    stop = Button(subject="q", move="stop", label="Stop", token="t")

    with pytest.raises(Undeliverable, match="61 buttons"):
        shown(Card(title="t", buttons=(stop,) * 61))


def test_nothing_can_be_pressed_after_the_end() -> None:
    """I3: a decided card has no button."""
    for status in Status:
        if status is not Status.OPEN:
            assert actions(shown(drawn(decided(status))).card) == []


def test_every_effect_stands_above_the_buttons() -> None:
    """ST-40: what follows from a press is said before it."""
    there = read(drawn())

    assert "Approve: runs exactly this, once" in there


@pytest.mark.parametrize("tone", list(Tone))
def test_every_tone_has_a_style(tone: Tone) -> None:
    card = shown(Card(title="t", tone=tone)).card

    assert complaints(card) == []
    assert card["body"][0]["style"] in ("default", "warning", "attention", "good")


# ----------------------------------------------------------------- golden


@pytest.mark.parametrize("name", sorted(pictures()))
def test_every_kind_of_card_looks_as_it_did(name: str) -> None:
    """One JSON for each kind and status. `python -m tests.teams.pictures` writes them anew; read what changed."""
    path = GOLDEN / f"{name}.json"
    golden = path.read_text(encoding="utf-8") if path.exists() else ""

    now = pictures()[name]

    lines = difflib.unified_diff(golden.splitlines(), now.splitlines(), f"golden/{name}.json", "now", lineterm="")
    assert now == golden, "\n".join([*lines, "", "To keep it: python -m tests.teams.pictures"])


@pytest.mark.parametrize("name", sorted(pictures()))
def test_every_picture_keeps_teams_limits_and_the_official_schema(name: str) -> None:
    """AS-29: whatever its kind and state, on a card or in a dialog: nothing in it that Teams would refuse."""
    picture = json.loads(pictures()[name])

    found = faults(picture["card"]) if "card" in picture else dialog_faults(picture["dialog"])
    assert found == ()
    assert complaints(picture.get("card") or picture["dialog"]) == []


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_golden_picture_in_every_status_it_can_come_to(kind: Kind) -> None:
    """A new kind, or a new way for one to end, is seen here before anybody sees it in Teams."""
    missing = {status for status in statuses(kind) if not (GOLDEN / f"{picture_name(kind, status)}.json").exists()}

    assert missing == set()


def test_no_golden_picture_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(pictures())


@pytest.mark.parametrize("name", sorted(CARDS))
def test_everything_on_a_real_card_is_on_screen_in_order(name: str) -> None:
    """Title, body, facts, blocks, attachments, status, buttons, footer; each of ours is whole and has its buttons."""
    card = CARDS[name]()

    picture = shown(card)

    read = "\0".join(texts(picture.card))
    facts = [text for fact in card.facts for text in (fact.label, fact.value)]
    blocks = [text for block in card.blocks for text in (block.label, block.text)]
    files = [f"attached: {file.name}" for file in card.attachments]
    status = [card.status] if card.status else []
    spots, at = [], 0
    for text in [card.title, card.body, *facts, *blocks, *files, *status, *titles(picture.card), card.footer]:
        at = read.find(sound(text), at) if text else at
        spots.append(at)
    assert -1 not in spots
    assert titles(picture.card) == [button.label for button in card.buttons]


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=200))
def test_a_notification_is_plain_words(text: str) -> None:
    """It is what a lock screen says."""
    picture = shown(Card(title=text, body=text))

    assert picture.summary.strip()
    assert "\x00" not in picture.summary
