"""A message as it stands on a reader's screen: its words in order, its buttons, where it leads and whom it calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.fakes.teams import cards
from tests.fakes.teams.activities import AI
from tests.fakes.teams.markdown import Rendered, moments, rendered
from tests.fakes.teams.world import FakeMessage, Json

PLAIN: dict[str, tuple[str, ...]] = {
    **{f"Input.{name}": ("label", "value") for name in ("Text", "Number", "Date", "Time")},
    "Input.Toggle": ("label", "title"),
    "Image": ("altText",),
}


def text_of(shown: FakeMessage | Json, person: str = "") -> str:
    """Every text on screen, one part a line; ShowCards opened, buttons by their titles. *person*: whose screen."""
    return "\n".join(one.words for one in _parts(shown, person) if one.words)


def links_of(shown: FakeMessage | Json, person: str = "") -> list[str]:
    """What can be clicked or is fetched: links of texts, addresses of buttons and images."""
    found = [url for one in _parts(shown, person) for url in one.links]
    card = shown.card_for(person) if isinstance(shown, FakeMessage) else shown
    return found + [str(each["url"]) for each in _every(card) if isinstance(each.get("url"), str)]


def marks_of(shown: FakeMessage | Json, person: str = "") -> list[str]:
    """What Markdown made stand out: bold, slanted, struck out, code, headings, tags."""
    return [mark for one in _parts(shown, person) for mark in one.marks]


def buttons_of(shown: FakeMessage | Json, person: str = "", *, opened: bool = False) -> list[str]:
    """The titles in reading order; *opened*: and those inside ShowCards."""
    card = shown.card_for(person) if isinstance(shown, FakeMessage) else shown
    spots = cards.actions(card) if card else ()
    return [spot.title for spot in spots if opened or len(spot.cards) == 1]


def notice_of(message: FakeMessage) -> str:
    """What a lock screen shows."""
    return str(message.activity.get("summary") or text_of(message))


def is_labelled(message: FakeMessage) -> bool:
    """Does it say "AI generated"?"""
    return any(each.get("type") == AI for each in message.activity.get("entities") or ())


def mentioned_in(message: FakeMessage) -> list[str]:
    """The ids that are mentioned, as they were sent: of texts and cards."""
    rows = [each for each in message.activity.get("entities") or () if each.get("type") == "mention"]
    rows += cards.mention_entities(message.card) if message.card else []
    return [str(each["mentioned"]["id"]) for each in rows]


# ---------------------------------------------------------------------- parts


def _parts(shown: FakeMessage | Json, person: str) -> list[Rendered]:
    if not isinstance(shown, FakeMessage):
        return list(_card(shown, _marked(shown)))
    if shown.is_deleted:
        return []
    card = shown.card_for(person)
    return [*_text(shown), *(_card(card, _marked(card)) if card else ())]


def _text(message: FakeMessage) -> Iterator[Rendered]:
    told = message.activity
    if not told.get("text"):
        return
    mentions = [str(each["text"]) for each in told.get("entities") or () if each.get("type") == "mention"]
    if told.get("textFormat") == "plain" and "attachments" not in told:
        yield Rendered(str(told["text"]))
    else:
        yield rendered(str(told["text"]), mentions, with_tags=True)


def _marked(card: Json) -> list[str]:
    return [str(each["text"]) for each in cards.mention_entities(card)]


def _card(card: Json, mentions: list[str]) -> Iterator[Rendered]:
    yield from _body(card.get("body"), mentions)
    for action in card.get("actions") or ():
        yield from _action(action, mentions)


def _body(value: Any, mentions: list[str]) -> Iterator[Rendered]:
    for each in value or ():
        if each.get("isVisible") is False:
            continue
        match each.get("type"):
            case "TextBlock":
                yield rendered(str(each["text"]), mentions, with_tags=False)
            case "RichTextBlock":
                yield _runs(each)
            case "FactSet":
                for fact in each["facts"]:
                    title, told = (rendered(fact[name], mentions, with_tags=False) for name in ("title", "value"))
                    words = f"{title.words}: {told.words}".removeprefix(": ")
                    yield Rendered(words, title.links + told.links, title.marks + told.marks)
            case "Input.ChoiceSet":
                yield from (Rendered(str(text)) for text in [each.get("label"), *_choices(each)] if text)
            case "ActionSet":
                for action in each["actions"]:
                    yield from _action(action, mentions)
            case str(type) if type in PLAIN:
                yield from (Rendered(str(each[name])) for name in PLAIN[type] if each.get(name) not in (None, ""))
            case _:
                yield from _inside(each, mentions)


def _inside(each: Json, mentions: list[str]) -> Iterator[Rendered]:
    """Containers, columns, rows and cells; the latter often without a type of their own."""
    for name in ("columns", "rows", "cells", "items", "images"):
        yield from _body(each.get(name), mentions)


def _runs(each: Json) -> Rendered:
    """Runs mean nothing but themselves, but for dates, which each run is looked through for."""
    runs = [one if isinstance(one, str) else str(one["text"]) for one in each["inlines"]]
    marks = [str(one["text"]) for one in each["inlines"] if isinstance(one, dict) and one.get("highlight")]
    return Rendered("".join(map(moments, runs)), [], marks)


def _choices(each: Json) -> list[str]:
    """All of them where they are spread out, else the one that is chosen."""
    if each.get("style", "compact") == "expanded" or each.get("isMultiSelect"):
        return [str(one["title"]) for one in each["choices"]]
    return [str(one["title"]) for one in each["choices"] if one["value"] == each.get("value")]


def _action(action: Json, mentions: list[str]) -> Iterator[Rendered]:
    yield Rendered(str(action.get("title", "")))
    if action.get("type") == "Action.ShowCard":
        yield from _card(action["card"], mentions)


def _every(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _every(each)
