"""Text in Slack's blocks, letter by letter: what people wrote is never markup, and is as long as Slack says it is.

`plain`, `section` and `code` are the only places from which anybody's text gets into a block.

Not here: what a card or view is made of (`cards`, `fields`, `homeview`).
"""

from __future__ import annotations

import hashlib
import html
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

from adapters.lengths import cut, size, sound
from adapters.slack.limits import ONE_TEXT, UPDATE_TEXT

Raw = dict[str, Any]


def plain(text: str) -> Raw:
    """*text* as Slack shows it: letter by letter."""
    return {"type": "plain_text", "text": text, "emoji": False}


def section(text: str) -> Raw:
    """*text* whole: without `expand`, Slack folds a longer one away behind "See more"."""
    return {"type": "section", "text": plain(text), "expand": True}


def code(*texts: str) -> Raw:
    """Each of *texts* in a box of its own; newlines, tabs and backticks stay what they are."""
    boxes = [{"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]} for text in texts]
    return {"type": "rich_text", "elements": boxes}


def numbered(blocks: Sequence[Raw]) -> tuple[Raw, ...]:
    """*blocks* with a `block_id` each, made from all of them: a new picture has new ids."""
    picture = hashlib.sha256(json.dumps(blocks, sort_keys=True).encode()).hexdigest()[:16]
    return tuple({"block_id": f"{picture}.{number}"} | block for number, block in enumerate(blocks))


def fallback(text: str, most: int = UPDATE_TEXT) -> str:
    """*text* for a message's `text`: escaped, so that nothing in it is markup, and at most *most* characters."""
    whole = html.escape(sound(text), quote=False)
    if size(whole) <= most:
        return whole if whole.strip() else "(no words)"
    letters = [html.escape(char, quote=False) for char in cut(sound(text), most)]
    ends = itertools.accumulate(size(letter) for letter in letters)
    return "".join(letter for letter, end in zip(letters, ends, strict=True) if end < most) + "…"


def sections(text: str) -> Iterator[Raw]:
    return (section(chunk) for chunk in chunks(text)) if text.strip() else iter(())


def contexts(text: str) -> Iterator[Raw]:
    """Small grey text."""
    for chunk in chunks(text) if text.strip() else ():
        yield {"type": "context", "elements": [plain(chunk)]}


def chunks(text: str) -> Iterator[str]:
    """*text* in pieces of one block each, broken after a line or a word where there is one; joined, it is whole."""
    while text:
        piece = cut(text, ONE_TEXT)
        if len(piece) < len(text):
            end = max(piece.rfind("\n"), piece.rfind(" "))
            piece = piece[: end + 1] if end > ONE_TEXT // 2 else piece
        yield piece
        text = text[len(piece) :]
