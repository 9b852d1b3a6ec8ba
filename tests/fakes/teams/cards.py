"""What Teams takes for an Adaptive Card: small, strict and this fake's own. Nothing of the adapters is imported.

`faults` says everything that is wrong; `actions` and `inputs` walk a card as a person does, from top to bottom.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fakes.teams.world import CARD, Json

VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5")
ACTIONS_MOST = 6
SIZE_MOST = 40 * 1024  # bytes as UTF-16; the stricter of the two figures that are documented (reference, 10 and 16)
CHILDREN = {"Container": "items", "Column": "items", "TableCell": "items", "ColumnSet": "columns", "Table": "rows"}
IMPLIED = {"ColumnSet": "Column", "Table": "TableRow", "TableRow": "TableCell"}  # what may leave out its type
CHILDREN |= {"TableRow": "cells", "ImageSet": "images", "ActionSet": "actions", "RichTextBlock": "inlines"}
PARTS_OF_BODY = ("items", "columns", "rows", "cells", "images", "actions")
NEEDS = {
    "TextBlock": ("text",),
    "TextRun": ("text",),
    "Image": ("url",),
    "Media": ("sources",),
    "FactSet": ("facts",),
    "Input.ChoiceSet": ("id", "choices"),
    "Input.Toggle": ("id", "title"),
    **{name: (part,) for name, part in CHILDREN.items() if name not in {"Column", "Table", "TableRow", "TableCell"}},
    **dict.fromkeys(("Column", "Table", "TableRow", "TableCell"), ()),
    **{f"Input.{name}": ("id",) for name in ("Text", "Number", "Date", "Time")},
}
ONLY_IN = {"Column": "ColumnSet", "TableRow": "Table", "TableCell": "TableRow", "TextRun": "RichTextBlock"}
ACTIONS = {
    "Action.Execute": ("verb", "title"),
    "Action.Submit": ("title",),
    "Action.OpenUrl": ("url", "title"),
    "Action.ShowCard": ("card", "title"),
    "Action.ToggleVisibility": ("targetElements", "title"),
}
STYLES = ("default", "positive", "destructive")
TEXTS = ("text", "title", "id", "label", "errorMessage", "placeholder", "value", "url", "verb", "fallbackText")


@dataclass(frozen=True)
class Spot:
    """One action: where it stands, and which cards are around it, the outermost first."""

    action: Json
    cards: tuple[Json, ...]

    @property
    def title(self) -> str:
        return str(self.action.get("title", ""))


def faults(card: Any) -> list[str]:
    """Everything for which Teams refuses the card, or would show something else than was meant."""
    if not isinstance(card, dict):
        return ["a card is an object"]
    found = list(_root(card))
    if found:
        return found
    try:
        json.dumps(card, allow_nan=False)
    except (TypeError, ValueError) as problem:
        return [f"not JSON: {problem}"]
    found += [problem for each in _cards(card) for problem in _inner_card(each)]
    ids = [str(each.get("id")) for each in inputs(card)]
    found += [f"two inputs have the id {one!r}" for one in sorted({one for one in ids if ids.count(one) > 1})]
    if size(card) > SIZE_MOST:
        found.append(f"{size(card)} bytes as UTF-16, more than {SIZE_MOST}")
    return found + list(_entities(card))


def size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-16-le"))


def actions(card: Json, around: tuple[Json, ...] = ()) -> Iterator[Spot]:
    """Every action, those of ShowCards after the one that shows them. Fallbacks are not shown."""
    cards = (*around, card)
    for each in [*_in(card.get("body"), "Action."), *_list(card.get("actions"))]:
        yield Spot(each, cards)
        if each.get("type") == "Action.ShowCard" and isinstance(each.get("card"), dict):
            yield from actions(each["card"], cards)


def inputs(card: Json, *, deep: bool = True) -> Iterator[Json]:
    """The inputs of a card; *deep*: and of its ShowCards."""
    yield from _in(card.get("body"), "Input.")
    if deep:
        for spot in actions(card):
            if len(spot.cards) == 1 and spot.action.get("type") == "Action.ShowCard":
                yield from inputs(spot.action["card"])


def mention_entities(card: Json) -> list[Json]:
    told = card.get("msteams")
    rows = told.get("entities") if isinstance(told, dict) else None
    return [each for each in _list(rows) if each.get("type") == "mention"]


# ------------------------------------------------------------------- walking


def _in(value: Any, prefix: str) -> Iterator[Json]:
    """What stands in a body and has a type with *prefix*, in reading order; never into another card."""
    for each in _list(value):
        if str(each.get("type", "")).startswith(prefix):
            yield each
            continue
        for part in PARTS_OF_BODY:
            yield from _in(each.get(part), prefix)
        if isinstance(each.get("selectAction"), dict) and prefix == "Action.":
            yield each["selectAction"]


def _cards(card: Json) -> Iterator[Json]:
    yield card
    for spot in actions(card):
        if len(spot.cards) == 1 and isinstance(spot.action.get("card"), dict):
            yield from _cards(spot.action["card"])


def _list(value: Any) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


# ------------------------------------------------------------------ the rules


def _root(card: Json) -> Iterator[str]:
    if card.get("type") != "AdaptiveCard":
        yield f"the root is {card.get('type')!r}, not an AdaptiveCard"
    if card.get("version") not in VERSIONS:
        yield f"version {card.get('version')!r} is none that Teams draws; they are {', '.join(VERSIONS)}"
    if not isinstance(card.get("body", []), list) or not isinstance(card.get("actions", []), list):
        yield "body and actions are lists"
    if not card.get("body") and not card.get("actions"):
        yield "nothing to show"


def _inner_card(card: Json) -> Iterator[str]:
    if card.get("type") != "AdaptiveCard":
        yield f"a ShowCard shows {card.get('type')!r}, not an AdaptiveCard"
    rows = card.get("actions") or []
    if len(rows) > ACTIONS_MOST:
        yield f"{len(rows)} actions in a row, more than {ACTIONS_MOST}"
    for each in rows:
        yield from _action(each)
    yield from _elements(card.get("body") or [], "AdaptiveCard")


def _elements(rows: Any, parent: str) -> Iterator[str]:
    if not isinstance(rows, list):
        yield f"what is in a {parent} is a list"
        return
    for each in rows:
        if isinstance(each, str) and parent == "RichTextBlock":
            continue
        if not isinstance(each, dict):
            yield f"{each!r} in a {parent} is no element"
            continue
        yield from _element(each, parent)


def _element(each: Json, parent: str) -> Iterator[str]:
    kind = str(each.get("type") or IMPLIED.get(parent, ""))
    if kind not in NEEDS:
        yield f"there is no element {kind!r}"
        return
    if kind in ONLY_IN and ONLY_IN[kind] != parent:
        yield f"a {kind} stands in a {ONLY_IN[kind]} only, not in a {parent}"
    yield from (f"{kind} without {name}" for name in NEEDS[kind] if each.get(name) is None)
    yield from _words(each, kind)
    if "selectAction" in each:
        yield from _action(each["selectAction"], untitled=True)
    if kind == "ActionSet":
        rows = each.get("actions") or []
        yield from [f"{len(rows)} actions in a row, more than {ACTIONS_MOST}"] if len(rows) > ACTIONS_MOST else []
        for action in rows:
            yield from _action(action)
    elif part := CHILDREN.get(kind):
        yield from _elements(each.get(part, []), kind)
    elif check := PARTS.get(kind):
        yield from check(each)
    if kind.startswith("Input.") and each.get("isRequired") and not each.get("errorMessage"):
        yield f"{each.get('id')!r} is required and has no errorMessage"


def _words(each: Json, kind: str) -> Iterator[str]:
    for name in TEXTS:
        wanted: Any = (int, float) if (kind, name) == ("Input.Number", "value") else str
        if name in each and (not isinstance(each[name], wanted) or isinstance(each[name], bool)):
            yield f"{name} of a {kind} is {each[name]!r}"


def _facts(each: Json) -> Iterator[str]:
    for fact in each.get("facts") or [None]:
        if not isinstance(fact, dict) or not all(isinstance(fact.get(name), str) for name in ("title", "value")):
            yield f"{fact!r} is no fact"


def _choices(each: Json) -> Iterator[str]:
    rows: Sequence[Any] = each.get("choices") or [None]
    for row in rows:
        if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in ("title", "value")):
            yield f"{row!r} is no choice"
    values = [row.get("value") for row in rows if isinstance(row, dict)]
    if len(set(values)) < len(values):
        yield f"{each.get('id')!r} has two choices with one value"
    if not each.get("isMultiSelect") and each.get("value") and each["value"] not in values:
        yield f"{each.get('id')!r} starts with {each['value']!r}, which is none of its choices"


PARTS: dict[str, Callable[[Json], Iterator[str]]] = {"FactSet": _facts, "Input.ChoiceSet": _choices}


def _action(each: Any, *, untitled: bool = False, is_fallback: bool = False) -> Iterator[str]:
    if not isinstance(each, dict) or each.get("type") not in ACTIONS:
        yield f"there is no action {each.get('type') if isinstance(each, dict) else each!r}"
        return
    kind = str(each["type"])
    for name in ACTIONS[kind]:
        if each.get(name) in (None, "") and not (untitled and name == "title"):
            yield f"{kind} without {name}"
    if "verb" in each and not isinstance(each["verb"], str):
        yield f"verb of a {kind} is {each['verb']!r}"
    if each.get("style", "default") not in STYLES:
        yield f"style of a {kind} is {each['style']!r}"
    if kind in {"Action.Execute", "Action.Submit"} and not isinstance(each.get("data", {}), dict):
        yield f"data of a {kind} is {each['data']!r}, not an object"
    if isinstance(each.get("fallback"), dict) and not is_fallback:
        yield from _action(each["fallback"], is_fallback=True)
        if kind == "Action.Execute" and each["fallback"].get("data") != each.get("data"):
            yield f"{each.get('title')!r} sends something else where Execute is dead"


def _entities(card: Json) -> Iterator[str]:
    """Every mention stands in a text of the card, letter by letter, and names somebody."""
    shown = json.dumps([card.get("body"), card.get("actions")], ensure_ascii=False)
    for each in mention_entities(card):
        text, who = each.get("text"), each.get("mentioned")
        if not isinstance(text, str) or not (text.startswith("<at>") and text.endswith("</at>")):
            yield f"a mention's text is {text!r}"
        elif json.dumps(text, ensure_ascii=False)[1:-1] not in shown:
            yield f"the mention {text!r} stands nowhere in the card"
        if not isinstance(who, dict) or not who.get("id") or not who.get("name"):
            yield f"the mention {text!r} is of nobody"


def attachment(card: Json) -> Json:
    return {"contentType": CARD, "content": card}
