"""What Teams makes of Markdown: the words that are left, where links lead, and what stands out.

An unescaped `*`, `_`, backquote or `[…](…)` is markup and vanishes; `\\*` and `&#42;` are characters. Renderers differ:
where one of them would see markup, this one does.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

HIDDEN = 0xF0000  # a private plane: what stands there has been read already and is no markup any more
ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])|(`+)([^`]|[^`].*?[^`])\2(?!`)", re.DOTALL)
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]\w{1,30});")
LINK = re.compile(r"!?\[([^\[\]]*)\]\(\s*<?([^()\s<>]*)>?(?:\s+\"[^\"]*\")?\s*\)")
AUTO = re.compile(r"<([a-z][a-z0-9+.-]{1,31}:[^\s<>]*|[\w.+-]+@[\w-]+(?:\.[\w-]+)+)>", re.IGNORECASE)
BARE = re.compile(r"(?<![\w/])(?:https?://|www\.)[^\s<>|`\")]+", re.IGNORECASE)
TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--.*?-->", re.DOTALL)
HREF = re.compile(r"\b(?:href|src)\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
STRONG = (
    re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*", re.DOTALL),
    re.compile(r"(?<!\w)__(?=\S)(.+?)(?<=\S)__(?!\w)", re.DOTALL),
    re.compile(r"~~(?=\S)(.+?)(?<=\S)~~", re.DOTALL),
    re.compile(r"\*(?=[^\s*])(.+?)(?<=[^\s*])\*", re.DOTALL),
    re.compile(r"(?<!\w)_(?=[^\s_])(.+?)(?<=[^\s_])_(?!\w)", re.DOTALL),
)
BLOCKS = (
    (re.compile(r"^ {0,3}#{1,6}[ \t]+", re.MULTILINE), ""),
    (re.compile(r"^ {0,3}>[ \t]?", re.MULTILINE), ""),
    (re.compile(r"^[ \t]*[-*+][ \t]+", re.MULTILINE), "• "),
    (re.compile(r"^ {0,3}(?:```|~~~).*$\n?", re.MULTILINE), ""),
    (re.compile(r"^ {0,3}(?:[-*_][ \t]*){3,}$\n?", re.MULTILINE), ""),
)
MOMENT = re.compile(
    r"\{\{(DATE|TIME)\((\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d))(?:, ?(?:COMPACT|LONG|SHORT))?\)\}\}"
)


@dataclass
class Rendered:
    """*links*: where a click would lead. *marks*: what is bold, slanted, struck out or code."""

    words: str = ""
    links: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)


def rendered(text: str, mentions: list[str], *, with_tags: bool) -> Rendered:
    """What is read of *text*. *mentions*: the `<at>…</at>` that mean somebody. *with_tags*: HTML is read, too."""
    found = Rendered()
    for marked in mentions:
        text = text.replace(marked, _hide(html.unescape(marked.removeprefix("<at>").removesuffix("</at>"))))
    text = ESCAPED.sub(lambda at: _hide(at[1]) if at[1] else _mark(found, at[3], whole=True), text)
    text = AUTO.sub(lambda at: _link(found, at[1], at[1]), text)
    text = TAG.sub(lambda at: _tag(found, at[0]), text) if with_tags else text
    text = ENTITY.sub(lambda at: _hide(html.unescape(at[0])), text)
    for pattern, instead in BLOCKS:
        text = _noted(pattern, instead, text, found)
    text = LINK.sub(lambda at: _link(found, at[2], at[1]), text)
    if with_tags:
        found.links += [_shown(one) for one in BARE.findall(text)]
    for pattern in STRONG:
        text = _until_still(pattern, lambda at: _mark(found, at[1], whole=False), text)
    found.words = moments(_shown(text))
    return found


def moments(text: str) -> str:
    """`{{DATE(…)}}` and `{{TIME(…)}}` are read as a date and a time, in cards only."""

    def told(at: re.Match[str]) -> str:
        when = datetime.fromisoformat(at[2])
        return f"{when:%Y-%m-%d}" if at[1] == "DATE" else f"{when:%H:%M}"

    return MOMENT.sub(told, text)


def _noted(pattern: re.Pattern[str], instead: str, text: str, found: Rendered) -> str:
    if instead == "" and pattern.search(text):
        found.marks += [_shown(one).strip() for one in pattern.findall(text)]
    return pattern.sub(instead, text)


def _until_still(pattern: re.Pattern[str], put: Callable[[re.Match[str]], str], text: str) -> str:
    while (again := pattern.sub(put, text)) != text:
        text = again
    return text


def _mark(found: Rendered, inner: str, *, whole: bool) -> str:
    found.marks.append(_shown(inner))
    return _hide(inner) if whole else inner


def _link(found: Rendered, target: str, label: str) -> str:
    found.links.append(_shown(target))
    return label


def _tag(found: Rendered, tag: str) -> str:
    found.links += HREF.findall(tag)
    found.marks.append(tag)
    return "\n" if tag.lower().startswith(("<br", "</p", "</div", "</li")) else ""


def _hide(text: str) -> str:
    return "".join(chr(HIDDEN + ord(one)) if 32 < ord(one) < 0xFFFE else one for one in text)


def _shown(text: str) -> str:
    return "".join(chr(ord(one) - HIDDEN) if HIDDEN < ord(one) < HIDDEN + 0xFFFE else one for one in text)
