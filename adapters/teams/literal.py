"""Text on an Adaptive Card, letter by letter: what people wrote is never markup, a mention, a link or a date.

    anybody's text -> words | code   RichTextBlock, whose runs are not Markdown
                   -> heading | escaped  TextBlock, FactSet and checkboxes, which are: every character is escaped

A run is plain text, but not quite: the renderer turns `{{DATE(…)}}` and `{{TIME(…)}}` into dates there, too, and Teams
looks for `<at>`. Both are taken apart, into two runs that read as one; where there are none, one character is spelled.

Not here: what a card is made of (`cards`, `inputs`), how long it may be (`limits`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from adapters.lengths import size, sound
from bot.domain.inert import is_hidden

Raw = dict[str, Any]

LINE_MOST = 300  # characters of a text that stands in one line, escaped; a longer one is words
NAME_MOST = 60  # characters of a name in a mention
NBSP = "\u00a0"  # the only space that a browser neither joins with its neighbour nor drops at a line's start
NO_WORDS = "(empty)"
RUNS_MOST = 20  # of one text; each weighs as much as thirty characters

_LIVE = re.compile(r"(?<=\{)(?=\{(?:DATE|TIME)\()|(?<=<)(?=/?at\b)", re.IGNORECASE)  # where a run must end
_TAG = re.compile(r"<(?=/?at\b)", re.IGNORECASE)
_FUNCTION = re.compile(r"(?<=\{)\{(?=(?:DATE|TIME)\()", re.IGNORECASE)
_MARKUP = re.compile(
    r"[\\`*_\[\]<>~|]"  # emphasis, code, links, tags, tables, struck text
    r"|(?<=\{)\{"  # a date
    r"|&(?=#?\w+;)"  # a character by name
    r"|(?<=:)/(?=/)|(?<=www)\.|(?<=\w)@(?=\w)"  # what is made a link although nobody wrote one
    r"|^[#+=-](?!\w)|(?<=^\d)[.)]|(?<=^\d\d)[.)]|(?<=^\d\d\d)[.)]",  # a heading, a list
    re.IGNORECASE,
)
_LONG_NUMBER = re.compile(r"^(\d{4,9})([.)])")  # a list may begin at any number
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_PADDED = re.compile(r"(?m)^ +|(?<= ) +")
_UNNAMED = re.compile(r"[^\w .,'’()-]|_|\.(?=\w)|(?<=www)\.", re.IGNORECASE)


def words(text: str, **look: Any) -> Raw:
    """*text* whole, its lines kept; *look* is of the block (`spacing`) and of its runs (`size`, `isSubtle`, …)."""
    block: Raw = {"type": "RichTextBlock", "inlines": []}
    if "spacing" in look:
        block["spacing"] = look.pop("spacing")
    return {**block, "inlines": list(runs(text if text.strip() else NO_WORDS, **look))}


def code(text: str) -> Raw:
    """*text* monospaced, with all its spaces: a browser would join them, and people sign what they see."""
    return words(_PADDED.sub(lambda found: NBSP * len(found[0]), text.replace("\t", "    ")), fontType="Monospace")


def heading(text: str) -> Raw:
    """The title of a card, which screen readers find as such, unless it is too long for a line."""
    if not is_line(text):
        return words(text, weight="Bolder", size="Large")
    shown = {"text": escaped(text), "wrap": True, "weight": "Bolder", "size": "Large", "style": "heading"}
    return {"type": "TextBlock", **shown}


def runs(text: str, **look: Any) -> Iterator[Raw]:
    """*text* in as few runs as make it inert; joined, they are *text*. In one that is full of it, it is spelled out."""
    parts = _LIVE.split(sound(text))
    shown = parts if len(parts) <= RUNS_MOST else [_TAG.sub("⟨U+003C⟩", bare(text))]
    return ({"type": "TextRun", "text": part, **look} for part in shown if part)


def is_line(text: str) -> bool:
    """Can *text* stand where Markdown is read, one line and no spaces around it?"""
    return text == text.strip() != "" and size(text) <= LINE_MOST and not any(char in text for char in "\n\t")


def escaped(text: str) -> str:
    """*text*, one line, for where Markdown is read. `unescaped` gives it back."""
    marked = _MARKUP.sub(lambda found: f"\\{found[0]}", sound(text))
    return _LONG_NUMBER.sub(r"\1\\\2", marked)


def unescaped(text: str) -> str:
    """What Markdown shows of an escaped *text*."""
    return _ESCAPED.sub(r"\1", text)


def bare(text: str) -> str:
    """*text* for where a client reads no Markdown but may read dates: the label of an input, of a button."""
    return _FUNCTION.sub("⟨U+007B⟩", sound(text))


def named(name: str) -> str:
    """*name* as a mention can bear it: letters, digits and spaces, for its text has to be the same in two places."""
    seen = "".join(char for char in name if not is_hidden(char))
    return " ".join(_UNNAMED.sub(" ", seen).split())[:NAME_MOST].strip(" .,'’()-") or "somebody"
