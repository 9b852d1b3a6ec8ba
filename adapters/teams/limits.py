"""Teams' limits and the house's rules as a table, and what is wrong with a card before it is sent.

    card -> every object inside it, once -> kinds, keys, lengths, ids, buttons, mentions, live text -> faults

Numbers are from the documentation of Teams and of Adaptive Cards 1.5, and the house's own where it says so. Names in
the tables are `type.key`. What a schema can say is said again by the official one, in the tests; a card that it passes
can still be refused, or do nothing when pressed, and those rules stand here alone.

Not here: how a card is drawn so that it has no faults (`cards`, `fields`, `windows`).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapters.lengths import size as units

Raw = Mapping[str, Any]
"""An Adaptive Card object as it travels: what JSON makes of it."""

VERSION = "1.5"  # the newest that Teams draws
CARD_BYTES = 40_000  # the house's: a whole card as UTF-16; a message may have 100 KB, older documents say 40 KB
ACTIONS = 6  # in one row
TYPED_MOST = 8_000  # the house's: characters of one input, as it begins and as it comes back
CHOICES_MOST = 100  # the house's: more are not read through
OURS = "countersign"  # the one key of a button's data that is not an input's
FETCH = {"type": "task/fetch"}  # opens a dialog

CHARACTERS: Mapping[str, int] = {
    "AdaptiveCard.fallbackText": 1_000,
    "Action.Execute.title": 100,
    "Action.Submit.title": 100,
    "Action.ShowCard.title": 100,
    "Action.Execute.verb": 60,
    "Input.Text.value": TYPED_MOST,
    "Input.Text.label": 500,
    "Input.Number.label": 500,
    "Input.Date.label": 500,
    "Input.Toggle.label": 500,
    "Input.ChoiceSet.label": 500,
    "choice.title": 300,
    "choice.value": 2_000,
    "fact.title": 1_000,  # every character of 300 may be escaped
    "fact.value": 1_000,
}
"""Characters of one text, all of them the house's: beyond it, people cannot read the whole of it on a phone."""

KEYS: Mapping[str, frozenset[str]] = {
    kind: frozenset(keys.split())
    for kind, keys in {
        "AdaptiveCard": "$schema version body actions fallbackText msteams",
        "Container": "items style bleed spacing separator",
        "TextBlock": "text wrap weight size style isSubtle color spacing",
        "RichTextBlock": "inlines spacing separator",
        "TextRun": "text weight size isSubtle color fontType",
        "FactSet": "facts",
        "ActionSet": "actions spacing",
        "Image": "url altText",
        "Action.Execute": "title verb style data fallback",
        "Action.Submit": "title style data",
        "Action.ShowCard": "title style card",
        "Input.Text": "id label value isMultiline maxLength isRequired errorMessage",
        "Input.Number": "id label value min max isRequired errorMessage",
        "Input.Date": "id label value isRequired errorMessage",
        "Input.Toggle": "id label title value valueOn valueOff",
        "Input.ChoiceSet": "id label value choices style isMultiSelect wrap isRequired errorMessage",
    }.items()
}
"""Every type that we draw, and every key of it. Nothing here loads a picture from anywhere, opens a link or leaves."""

NEEDED: Mapping[str, tuple[str, ...]] = {
    "AdaptiveCard": ("body",),
    "Container": ("items",),
    "TextBlock": ("text", "wrap"),
    "RichTextBlock": ("inlines",),
    "TextRun": ("text",),
    "FactSet": ("facts",),
    "ActionSet": ("actions",),
    "Image": ("url", "altText"),
    "Action.Execute": ("title", "verb", "data", "fallback"),
    "Action.Submit": ("title", "data"),
    "Action.ShowCard": ("title", "card"),
    "Input.Text": ("id", "label", "maxLength"),
    "Input.Number": ("id", "label"),
    "Input.Date": ("id", "label"),
    "Input.Toggle": ("id", "label", "title", "valueOn", "valueOff"),
    "Input.ChoiceSet": ("id", "label", "choices"),
    "choice": ("title", "value"),
    "fact": ("title", "value"),
}
"""Keys that must say something."""

UNTYPED: Mapping[str, str] = {"facts": "fact", "choices": "choice"}  # objects without a type, by their list
STYLES = frozenset({"default", "positive", "destructive"})

_FUNCTION = re.compile(r"\{\{(?:DATE|TIME)\(", re.IGNORECASE)
_MENTION = re.compile(r"(?<!\\)<at\b[^>]*>.*?</at>|(?<!\\)</?at\b", re.IGNORECASE | re.DOTALL)


def size(card: Raw) -> int:
    """Bytes of *card* as Teams counts them: its JSON as UTF-16."""
    return 2 * units(json.dumps(card, ensure_ascii=False, separators=(",", ":")))


def faults(card: Raw) -> tuple[str, ...]:
    """What Teams would refuse or leave dead, one sentence each. No text of the card stands there: it may be logged."""
    try:
        json.dumps(card, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        return (f"it is not JSON ({type(error).__name__})",)
    nodes = list(_nodes(card, str(card.get("type"))))
    return (
        *_whole_faults(card),
        *(fault for kind, node in nodes for fault in _own_faults(kind, node)),
        *_twin_faults(nodes),
        *_mention_faults(card, nodes),
    )


def dialog_faults(card: Raw) -> tuple[str, ...]:
    """The same for the card of a dialog, where a button sends and nothing else."""
    dead = [kind for kind, _ in _nodes(card, "") if kind in ("Action.Execute", "Action.ShowCard")]
    return (*faults(card), *(f"{kind} in a dialog" for kind in dead))


# ----------------------------------------------------------- the whole card


def _whole_faults(card: Raw) -> Iterator[str]:
    if card.get("type") != "AdaptiveCard" or card.get("version") != VERSION:
        yield f"it is no AdaptiveCard of version {VERSION}"
    if not card.get("fallbackText"):
        yield "it says nothing where cards are not drawn"
    if (total := size(card)) > CARD_BYTES:
        yield f"{total} bytes, most is {CARD_BYTES}"


def _twin_faults(nodes: Sequence[tuple[str, Raw]]) -> Iterator[str]:
    """Teams gathers what is typed under one name each, through all the card."""
    count = Counter(node["id"] for kind, node in nodes if kind.startswith("Input.") and isinstance(node.get("id"), str))
    yield from (f"{times} inputs of one id" for times in count.values() if times > 1)


def _mention_faults(card: Raw, nodes: Sequence[tuple[str, Raw]]) -> Iterator[str]:
    """Whom a text names must be an entity's, word by word; and an entity that no text names is refused."""
    entities = (card.get("msteams") or {}).get("entities") or ()
    meant = Counter(str(entity.get("text")) for entity in entities)
    found = Counter(
        mention
        for kind, node in nodes
        for key in ("text", "title", "value", "label")
        if kind != "Input.Text" and isinstance(text := node.get(key), str)
        for mention in _MENTION.findall(text)
        if not kind.startswith("Action.") and kind != "choice"
    )
    if found != meant or any(times > 1 for times in meant.values()):
        yield "its mentions are not its entities"
    for entity in entities:
        mentioned = entity.get("mentioned") or {}
        if entity.get("type") != "mention" or not mentioned.get("id") or not mentioned.get("name"):
            yield "an entity names nobody"


# ------------------------------------------------------------- one object


def _own_faults(kind: str, node: Raw) -> Iterator[str]:
    if kind not in KEYS and kind not in UNTYPED.values():
        yield f"unknown type {kind[:40]!r}"
        return
    if extra := node.keys() - KEYS.get(kind, {"title", "value"}) - {"type"}:
        yield f"{kind} does not take {', '.join(sorted(map(str, extra)))[:80]}"
    yield from (f"{kind} has no {key}" for key in NEEDED[kind] if not _says_something(node.get(key)))
    for key, value in node.items():
        most = CHARACTERS.get(f"{kind}.{key}")
        if most is not None and isinstance(value, str) and units(value) > most:
            yield f"{kind}.{key} is {units(value)} characters, most is {most}"
    if kind in ("TextBlock", "TextRun", "fact", "choice") and any(map(_is_live, node.values())):
        yield f"{kind} holds a date function"
    if kind == "Image" and not str(node.get("url")).startswith("data:image/"):
        yield "Image is fetched from somewhere"
    yield from _input_faults(kind, node) if kind.startswith("Input.") else ()
    yield from _action_faults(kind, node)


def _input_faults(kind: str, node: Raw) -> Iterator[str]:
    if node.get("isRequired") and not node.get("errorMessage"):
        yield f"{kind} is required and does not say what to do"
    if _is_live(node.get("label")):
        yield f"{kind} holds a date function"
    if kind == "Input.ChoiceSet" and len(node.get("choices") or ()) > CHOICES_MOST:
        yield f"{kind} holds {len(node['choices'])} choices, most is {CHOICES_MOST}"
    if kind == "Input.ChoiceSet" and len({choice.get("value") for choice in node.get("choices") or ()}) < len(
        node.get("choices") or ()
    ):
        yield f"{kind} has two choices of one value"


def _action_faults(kind: str, node: Raw) -> Iterator[str]:
    if len(node.get("actions") or ()) > ACTIONS:
        yield f"{kind} has {len(node['actions'])} actions, most is {ACTIONS}"
    if not kind.startswith("Action."):
        return
    if node.get("style", "default") not in STYLES:
        yield f"{kind} has no style of ours"
    if kind == "Action.ShowCard":
        inner = [inside for inside, _ in _nodes(node.get("card") or {}, "AdaptiveCard")]
        if "Action.ShowCard" in inner:
            yield "a ShowCard inside of another"
        return
    data = node.get("data")
    if not isinstance(data, Mapping) or not isinstance(data.get(OURS), Mapping):
        yield f"{kind} does not carry what it is about"
    elif data.keys() - {OURS, "msteams"} or data.get("msteams", FETCH) != FETCH:
        yield f"{kind} carries what is not ours"
    if kind == "Action.Execute":
        twin = node.get("fallback")
        if not isinstance(twin, Mapping) or twin.get("type") != "Action.Submit" or twin.get("data") != data:
            yield f"{kind} has no twin that says the same"


# ---------------------------------------------------------------- walking


def _nodes(node: Raw, kind: str) -> Iterator[tuple[str, Raw]]:
    """Every object of the card with its kind, itself first; not what a button carries, nor the entities."""
    yield kind, node
    for key, value in node.items():
        if key in ("data", "msteams"):
            continue
        for child in value if isinstance(value, list | tuple) else (value,):
            if isinstance(child, Mapping):
                yield from _nodes(child, str(child.get("type") or UNTYPED.get(key, key)))


def _says_something(value: object) -> bool:
    return bool(value.strip()) if isinstance(value, str) else bool(value)


def _is_live(value: object) -> bool:
    return isinstance(value, str) and _FUNCTION.search(value) is not None
