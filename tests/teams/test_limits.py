"""What Teams would refuse, or leave dead, is known before it is sent: each limit holds at its number, not above."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.teams.limits import ACTIONS, CARD_BYTES, CHOICES_MOST, FETCH, KEYS, NEEDED, dialog_faults, faults, size
from tests.teams.oracle import complaints

Raw = dict[str, Any]

DATA: Raw = {"countersign": {"subject": "q", "move": "stop", "token": "t"}}


def card(*body: Raw, **changes: Any) -> Raw:
    whole = {"type": "AdaptiveCard", "version": "1.5", "body": list(body) or [rich()], "fallbackText": "f"} | changes
    return {key: value for key, value in whole.items() if value is not None}


def rich(text: str = "a", **look: Any) -> Raw:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **look}]}


def block(text: str = "a", **changes: Any) -> Raw:
    return {"type": "TextBlock", "text": text, "wrap": True} | changes


def submit(**changes: Any) -> Raw:
    return {"type": "Action.Submit", "title": "Stop", "data": DATA} | changes


def execute(**changes: Any) -> Raw:
    made: Raw = {"type": "Action.Execute", "title": "Stop", "verb": "cs.stop", "data": DATA, "fallback": submit()}
    return {key: value for key, value in (made | changes).items() if value is not None}


def show(*body: Raw, **changes: Any) -> Raw:
    inner = {"type": "AdaptiveCard", "body": list(body) or [rich()], "actions": [execute()]}
    return {"type": "Action.ShowCard", "title": "Edit", "card": inner} | changes


def row(*actions: Raw) -> Raw:
    return {"type": "ActionSet", "actions": list(actions)}


def text(**changes: Any) -> Raw:
    return {"type": "Input.Text", "id": "edit.a", "label": "a", "maxLength": 10} | changes


def choices(many: int, **changes: Any) -> Raw:
    listed = [{"title": str(number), "value": f"={number}"} for number in range(many)]
    return {"type": "Input.ChoiceSet", "id": "edit.a", "label": "a", "choices": listed} | changes


def mention(text: str = "<at>Bo</at>", **changes: Any) -> Raw:
    return {"type": "mention", "text": text, "mentioned": {"id": "29:b", "name": "Bo"}} | changes


SOUND = [
    card(),
    card(row(execute(), show(text()), submit(data={**DATA, "msteams": FETCH}))),
    card(block("<at>Bo</at>"), msteams={"width": "Full", "entities": [mention()]}),
    card({"type": "FactSet", "facts": [{"title": "a", "value": "b"}]}),
    card({"type": "Container", "style": "good", "items": [block()]}),
    card(row(show(choices(2)))),
]


@pytest.mark.parametrize("whole", SOUND)
def test_a_sound_card_has_no_faults(whole: Raw) -> None:
    assert faults(whole) == ()
    assert complaints(whole) == []


AT_LIMIT: list[tuple[str, int, Any]] = [
    ("actions in a row", ACTIONS, lambda n: card(row(*[execute()] * n))),
    ("actions of a card", ACTIONS, lambda n: card(actions=[submit()] * n)),
    ("choices", CHOICES_MOST, lambda n: card(choices(n))),
    ("an input's beginning", 8_000, lambda n: card(text(value="a" * n))),
    ("a label", 500, lambda n: card(text(label="a" * n))),
    ("a button's title", 100, lambda n: card(row(show(title="a" * n)))),
    ("what stands where no card is drawn", 1_000, lambda n: card(fallbackText="a" * n)),
    ("a fact", 1_000, lambda n: card({"type": "FactSet", "facts": [{"title": "a", "value": "b" * n}]})),
]


@pytest.mark.parametrize(("most", "made"), [one[1:] for one in AT_LIMIT], ids=[one[0] for one in AT_LIMIT])
def test_a_limit_holds_at_its_number_and_bites_one_above(most: int, made: Any) -> None:
    assert faults(made(most)) == ()
    assert len(faults(made(most + 1))) == 1


def test_a_card_is_weighed_as_utf_16() -> None:
    """T18: 40,000 bytes are 20,000 letters, and half as many emoji."""
    bare = size(card(rich("")))

    assert size(card(rich("a"))) == bare + 2
    assert size(card(rich("é"))) == bare + 2
    assert size(card(rich("😀"))) == bare + 4
    room = (CARD_BYTES - bare) // 2
    assert faults(card(rich("a" * room))) == ()
    assert faults(card(rich("a" * (room + 1)))) == (f"{CARD_BYTES + 2} bytes, most is {CARD_BYTES}",)


BROKEN: list[tuple[Raw, str]] = [
    (card(version="1.6"), "no AdaptiveCard of version 1.5"),
    (card(version=None), "no AdaptiveCard of version 1.5"),
    (card(fallbackText=""), "says nothing where cards are not drawn"),
    (card(rich("a\ud800")), "it is not JSON"),
    (card(rich("a"), body=[{"type": "TextBlock", "text": float("nan"), "wrap": True}]), "it is not JSON"),
    (card({"type": "Media", "url": "https://a"}), "unknown type 'Media'"),
    (card({"type": "Image", "url": "https://a", "altText": "a"}), "Image is fetched from somewhere"),
    (card({"type": "Image", "url": "data:image/png;base64,AA=="}), "Image has no altText"),
    (card(row({"type": "Action.OpenUrl", "title": "a", "url": "https://a"})), "unknown type 'Action.OpenUrl'"),
    (card(block(wrap=False)), "TextBlock has no wrap"),
    (card(block(" ")), "TextBlock has no text"),
    (card(rich("")), "TextRun has no text"),
    (card({"type": "RichTextBlock", "inlines": []}), "RichTextBlock has no inlines"),
    (card(rich("a", selectAction={})), "TextRun does not take selectAction"),
    (card(rich("{{DATE(2026")), "TextRun holds a date function"),
    (card(block("{{time(2026")), "TextBlock holds a date function"),
    (card(text(label="{{DATE(2026")), "Input.Text holds a date function"),
    (card(row(execute(verb=None))), "Action.Execute has no verb"),
    (card(row(execute(data="stop"))), "Action.Execute does not carry what it is about"),
    (card(row(execute(data={"a": 1}))), "Action.Execute does not carry what it is about"),
    (card(row(execute(fallback=None))), "Action.Execute has no twin that says the same"),
    (card(row(execute(fallback="drop"))), "Action.Execute has no twin that says the same"),
    (card(row(execute(fallback=submit(data={"countersign": {}})))), "Action.Execute has no twin that says the same"),
    (card(row(submit(data={**DATA, "edit.a": "1"}))), "Action.Submit carries what is not ours"),
    (card(row(submit(data={**DATA, "msteams": {"type": "signin"}}))), "Action.Submit carries what is not ours"),
    (card(row(execute(style="loud"))), "Action.Execute has no style of ours"),
    (card(row(show(row(show())))), "a ShowCard inside of another"),
    (card(text(), row(show(text()))), "2 inputs of one id"),
    (card(text(isRequired=True)), "Input.Text is required and does not say what to do"),
    (card(text(label="")), "Input.Text has no label"),
    (card(text(id="")), "Input.Text has no id"),
    (card(choices(0)), "Input.ChoiceSet has no choices"),
    (card(choices(1, choices=[{"title": "a", "value": "b"}] * 2)), "Input.ChoiceSet has two choices of one value"),
    (card(block("<at>Bo</at>")), "its mentions are not its entities"),
    (card(rich("<at>Bo</at>")), "its mentions are not its entities"),
    (card(msteams={"entities": [mention()]}), "its mentions are not its entities"),
    (card(block("<at>Bo</at>"), msteams={"entities": [mention(mentioned={"id": ""})]}), "an entity names nobody"),
]


@pytest.mark.parametrize(("whole", "told"), BROKEN)
def test_what_teams_would_refuse_or_leave_dead_is_named(whole: Raw, told: str) -> None:
    """Half of these pass the official schema: a dead verb, a missing twin, inputs of one id, too many buttons."""
    assert any(told in fault for fault in faults(whole))


@pytest.mark.parametrize("inside", [row(execute()), row(show())])
def test_a_dialog_has_neither_execute_nor_another_card(inside: Raw) -> None:
    assert faults(card(inside)) == ()
    assert any("in a dialog" in fault for fault in dialog_faults(card(inside)))
    assert dialog_faults(card(actions=[submit()])) == ()


@pytest.mark.parametrize(
    "whole",
    [
        card({"type": "Marvel"}),
        card(rich(size="Huge")),
        card(text(id=7)),
        card({"type": "FactSet", "facts": [{"title": "a"}]}),
        card(row({"type": "Action.Wonder", "title": "a"})),
        card(rich(colour="red")),
    ],
)
def test_the_official_schema_sees_what_is_no_card(whole: Raw) -> None:
    """The oracle is no rubber stamp."""
    assert complaints(whole) != []


def test_every_type_is_in_every_table() -> None:
    assert KEYS.keys() == NEEDED.keys() - {"choice", "fact"}
    assert all(set(needed) <= KEYS.get(kind, {"title", "value"}) for kind, needed in NEEDED.items())


def test_no_text_of_a_card_stands_in_a_fault() -> None:
    """T20: faults are logged."""
    broken = card(rich("CANARY" * 4_000), text(label="CANARY{{DATE("), row(execute(data={"CANARY": "CANARY"})))

    assert len(faults(broken)) >= 3
    assert "CANARY" not in "".join(faults(broken))
