"""Reading drawn blocks the way Slack would: which texts people see, and what in them Slack would parse."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.hostile import nodes

MARKUP = re.compile(r"<[^<>]*>")  # what Slack takes for a mention, link or broadcast, where it parses at all


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
