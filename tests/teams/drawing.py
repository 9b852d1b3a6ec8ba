"""Reading an Adaptive Card the way Teams would: which texts people see, and what Teams would make of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.teams.literal import NBSP, unescaped
from bot.domain.inert import unshow
from tests.hostile import nodes

Raw = Mapping[str, Any]

ACTIONS = ("Action.Execute", "Action.Submit", "Action.ShowCard")
MARKUP = re.compile(r"[`*_\[\]<>~|]|\{\{|&#?\w+;|://|\bwww\.|\w@\w|^[#+=-](?!\w)|^\d{1,9}[.)]", re.IGNORECASE)
FUNCTION = re.compile(r"\{\{(DATE|TIME)\(", re.IGNORECASE)
AT = re.compile(r"</?at\b", re.IGNORECASE)
SLASHED = re.compile(r"\\[!-/:-@\[-`{-~]")


def texts(card: Any) -> list[str]:
    """Every text people read, in order, as they read it."""
    return [text.replace(NBSP, " ") for text in _texts(card)]


def _texts(node: Any) -> Iterator[str]:
    match node:
        case {"type": "RichTextBlock", "inlines": runs}:
            yield unshown("".join(run["text"] for run in runs))
        case {"type": "TextBlock", "text": text}:
            yield unescaped(text)
        case {"type": "FactSet", "facts": facts}:
            yield from (unescaped(text) for fact in facts for text in (fact["title"], fact["value"]))
        case {"type": "Action.Execute" | "Action.Submit", "title": title}:
            yield unshown(title)
        case {"type": "Action.ShowCard", "title": title, "card": card}:
            yield unshown(title)
            yield from _texts(card)
        case {"type": "AdaptiveCard"}:
            yield from _texts([*node["body"], *node.get("actions", ())])
        case {"type": str(kind)} if kind.startswith("Input."):
            yield unshown(node["label"])
            yield from (unescaped(choice["title"]) for choice in node.get("choices", ()))
            yield str(node.get("value", ""))
        case Mapping():
            yield from (text for value in node.values() for text in _texts(value))
        case list() | tuple():
            yield from (text for value in node for text in _texts(value))


def unshown(text: str) -> str:
    """What was spelled out only because a chat would have made something of it."""
    return text.replace("⟨U+007B⟩", "{").replace("⟨U+003C⟩", "<")


def live(card: Raw) -> list[str]:
    """Every mention, date, link or piece of Markdown that Teams would make of *card*, its own mentions aside."""
    own = {entity["text"] for entity in card["msteams"].get("entities", ())}
    found: list[str] = []
    for node in nodes(card):
        match node.get("type"):
            case "TextRun":
                found += [node["text"]] if FUNCTION.search(node["text"]) or AT.search(node["text"]) else []
            case "TextBlock":
                left = node["text"]
                for mention in own:
                    left = left.replace(mention, "")
                found += [left] if _is_markdown(left) else []
            case "FactSet":
                found += [text for fact in node["facts"] for text in fact.values() if _is_markdown(text)]
            case "Input.ChoiceSet" if node.get("isMultiSelect"):
                found += [choice["title"] for choice in node["choices"] if _is_markdown(choice["title"])]
            case "Action.OpenUrl" | "Image" | "Media" | "ImageSet" | "Table":
                found.append(str(node))
        if isinstance(label := node.get("label"), str) and FUNCTION.search(label):
            found.append(label)
        if "selectAction" in node or "url" in node:
            found.append(str(node))
    return found


def _is_markdown(text: str) -> bool:
    """Is a character left that Markdown reads? Escaped ones stand for themselves."""
    return MARKUP.search(SLASHED.sub("\x01", text)) is not None


def actions(card: Any) -> list[Raw]:
    """Every button as people see it: the outer ones, in order."""
    rows = [node["actions"] for node in card["body"] if node["type"] == "ActionSet"]
    return [action for row in [*rows, card.get("actions", ())] for action in row]


def sending(card: Any) -> list[Raw]:
    """Every button that sends something, those inside of a ShowCard included; not their twins."""
    shown = [action["card"]["actions"] if "card" in action else [action] for action in actions(card)]
    return [action for some in shown for action in some]


def titles(card: Any) -> list[str]:
    return [unshown(str(action["title"])) for action in actions(card)]


def typed_into(card: Any) -> dict[str, Raw]:
    """The inputs of *card* by id."""
    return {str(node["id"]): node for node in nodes(card) if str(node.get("type")).startswith("Input.")}


def sent(action: Raw, card: Any, **typed: str | None) -> dict[str, Any]:
    """What Teams sends for *action*: its data, and every input around it that is not empty, as a text.

    *typed* by input id with `_` for `.`: what somebody typed, None for emptied.
    """
    values = dict(action["data"])
    for name, node in typed_into(card).items():
        given = typed.get(name.replace(".", "_").replace("~", "_"), ...)
        value = str(node.get("value", "")) if given is ... else given
        if value:
            values[name] = value
    return values


__all__ = ["actions", "live", "sending", "sent", "texts", "titles", "typed_into", "unshow", "unshown"]
