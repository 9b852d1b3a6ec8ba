"""Any text and any card, for properties: short and very long, hostile, on every part; and what a card says.

Whatever a chat makes markup of stands here, so that each adapter meets the tricks of all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from adapters.lengths import sound
from bot.domain.chat import Attachment, Block, Button, Card, Fact, Field, Tone
from tests.domain.given import ANA, BO, CY

NASTY = (
    *("<!channel>", "<@U1>", "<https://evil|https://bank>", "```", "*b*", ":smile:", "&lt;", "\u202e", "\x00", "\n"),
    *("<at>Bo</at>", "{{DATE(2026-05-01T00:00:00Z, LONG)}}", "[a](https://evil)", "www.evil.example", "1. one", "_\\_"),
)

WORDS = st.text(max_size=30) | st.sampled_from(NASTY)
LONG = st.builds(lambda text, times: text * times, WORDS, st.integers(0, 2_500)).map(lambda text: text[:20_000])
TEXT = WORDS | LONG

BUTTONS = st.builds(
    Button,
    subject=st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True),
    move=st.sampled_from(["approve", "reject", "edit", "explain", "stop"]),
    label=WORDS | st.text(max_size=120),
    token=st.from_regex(r"[A-Za-z0-9_=-]{1,22}", fullmatch=True),
    style=st.sampled_from(["plain", "primary", "danger"]),
    fields=st.sampled_from([(), (Field(name="reason", label="Reason"),)]),
    confirm=st.none() | WORDS | st.text(max_size=400),
)
FILES = st.builds(
    lambda name, content: Attachment(name=name, content=content, sha256=hashlib.sha256(content).hexdigest()),
    st.from_regex(r"[a-z]{1,12}\.(txt|json)", fullmatch=True),
    st.binary(max_size=40),
)
ANY_CARD = st.builds(
    Card,
    title=TEXT,
    body=TEXT,
    tone=st.sampled_from(list(Tone)),
    facts=st.lists(st.builds(Fact, label=TEXT, value=TEXT), max_size=25).map(tuple),
    blocks=st.lists(st.builds(Block, label=TEXT, text=TEXT, is_code=st.booleans()), max_size=8).map(tuple),
    attachments=st.lists(FILES, max_size=3, unique_by=lambda file: file.name).map(tuple),
    status=TEXT,
    buttons=st.lists(BUTTONS, max_size=30).map(tuple),
    footer=TEXT,
    mentions=st.lists(st.sampled_from([ANA, BO, CY]), max_size=4).map(tuple),
    author=WORDS,
    run=WORDS,
)


def nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every object inside *value*, in order."""
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from nodes(inner)


def said(card: Card) -> list[str]:
    """Every text of *card* that has something to see."""
    facts = [text for fact in card.facts for text in (fact.label, fact.value)]
    blocks = [text for block in card.blocks for text in (block.label, block.text)]
    asked = [text for button in card.buttons for text in (button.label, button.confirm or "")]
    every = [card.title, card.body, card.status, card.footer, card.author, *facts, *blocks, *asked]
    return [text for text in map(sound, every) if text.strip()]
