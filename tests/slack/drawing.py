"""Reading drawn blocks the way Slack would: which texts people see, and what in them Slack would parse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

MARKUP = re.compile(r"<[^<>]*>")  # what Slack takes for a mention, link or broadcast, where it parses at all
NASTY = ("<!channel>", "<@U1>", "<https://evil|https://bank>", "```", "*b*", ":smile:", "&lt;", "\u202e", "\x00", "\n")

WORDS = st.text(max_size=30) | st.sampled_from(NASTY)
LONG = st.builds(lambda text, times: text * times, WORDS, st.integers(0, 2_500)).map(lambda text: text[:20_000])
TEXT = WORDS | LONG


def nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every object inside *value*, in order."""
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from nodes(inner)


def texts(blocks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every text people read, in order."""
    return [node["text"] for node in nodes(blocks) if isinstance(node.get("text"), str)]


def parsed(blocks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every mention, link, broadcast, emoji or markup that Slack would make of *blocks*."""
    found: list[str] = []
    for node in nodes(blocks):
        match node.get("type"):
            case "mrkdwn" | "markdown":
                found += [*MARKUP.findall(node["text"]), MARKUP.sub("", node["text"]).strip()]
            case "plain_text" if node.get("emoji") is not False:
                found.append(node["text"])
            case "link" | "user" | "usergroup" | "channel" | "broadcast" | "emoji" | "image" | "date":
                found.append(str(node))
            case "text" if node.get("style"):
                found.append(str(node))
    return [one for one in found if one]


def buttons(blocks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [node for node in nodes(blocks) if node.get("type") == "button"]


def labels(blocks: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(button["text"]["text"]) for button in buttons(blocks)]
