"""A message as a reader's client shows it: its words in order, and what Slack's parsers make of them.

`mrkdwn` gives `<…>` a meaning and turns bare URLs and addresses into links; `plain_text` and code mean nothing but
themselves. Inside backquotes `<…>` still means what it says: Slack notifies people who are named in a code span.
The `text` beside blocks is what notifications show: it is not read on screen, but it can mention.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.fakes.slack.world import FakeMessage, FakeView, Json, World

ANGLED = re.compile(r"<([^<>\n]+)>")
BARE = re.compile(
    r"(?<![\w@/.<|])(?:[a-z][a-z0-9+.-]*://|www\.)[^\s<>|`]+|(?<![\w<])[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.IGNORECASE
)
DOMAIN = re.compile(
    r"(?<![\w@/.:-])(?:[a-z0-9-]+\.)+(?:com|net|org|io|dev|app|example|evil)\b[^\s<>|`]*", re.IGNORECASE
)
MARKDOWN_LINK = re.compile(r"!?\[([^\]\n]*)\]\(\s*<?([^)\s>]+)[^)\n]*\)")
NAMED = re.compile(r"(?<![\w<])@([\w.-]+)")  # means somebody only with `link_names` or `parse: full`
BROADCASTS = ("here", "channel", "everyone", "group")


class Reader:
    """Reads for people who know everybody's name."""

    def __init__(self, world: World) -> None:
        self._world = world

    def text_of(self, shown: FakeMessage | FakeView) -> str:
        """Every text on screen, one part a line: blocks, or the text if there are none; file names last."""
        if isinstance(shown, FakeView):
            return "\n".join([shown.title, *self._words(shown.blocks)]).strip()
        words = list(self._words(shown.blocks)) if shown.blocks else [self._mrkdwn(shown.text)]
        return "\n".join([*words, *(file.name for file in shown.files)])

    def mentions_of(self, shown: FakeMessage | FakeView) -> list[str]:
        """Whom it would notify: user and group ids, and `here`, `channel`, `everyone`."""
        parts = [*_marked(shown.blocks), *([shown.text] if isinstance(shown, FakeMessage) else [])]
        angled = [one for part in parts for one in _angled(part)]
        found = [name for name in map(_mention, angled) if name]
        if isinstance(shown, FakeMessage) and (shown.args.get("link_names") or shown.args.get("parse") == "full"):
            found += [name for part in parts for name in NAMED.findall(part)]
        return found + [one for one in map(_rich_mention, _inner(shown.blocks)) if one]

    def links_of(self, shown: FakeMessage | FakeView) -> list[str]:
        """What can be clicked or fetched: link targets of text and rich text, images, URLs of buttons."""
        blocks = shown.blocks
        found = [url for part in _marked(blocks, verbatim=False) for url in _bare(part)]
        found += [url for part in _marked(blocks) for url in _pointed(part)]
        if isinstance(shown, FakeMessage) and not blocks:
            found += [*_pointed(shown.text), *_bare(shown.text)]
        found += [url for part in _markdown(blocks) for _label, url in MARKDOWN_LINK.findall(part)]
        names = ("url", "image_url", "title_url", "video_url", "thumbnail_url", "provider_icon_url")
        return found + [str(each[name]) for each in _inner(blocks) for name in names if each.get(name)]

    # ------------------------------------------------------------------ words

    def _words(self, value: Any) -> Iterator[str]:
        if isinstance(value, list):
            for each in value:
                yield from self._words(each)
            return
        if not isinstance(value, dict):
            return
        match value.get("type"):
            case "mrkdwn":
                yield self._mrkdwn(str(value["text"]))
            case "plain_text" | "raw_text":
                yield str(value["text"])
            case "markdown":
                yield self._mrkdwn(str(value["text"]))
            case "rich_text_section" | "rich_text_quote" | "rich_text_preformatted":
                yield "".join(self._inline(each) for each in value["elements"])
            case "plain_text_input" | "number_input" | "email_text_input" | "url_text_input":
                yield str(value.get("initial_value", ""))
            case "task_card" | "plan":
                yield str(value["title"])
                yield from self._words([value.get("details"), value.get("output"), value.get("tasks")])
            case _:
                yield from self._words([inner for name, inner in _in_order(value) if name not in _UNSEEN])

    def _inline(self, part: Json) -> str:
        match part["type"]:
            case "user":
                return f"@{self._name(part['user_id'])}"
            case "usergroup":
                return f"@{self._group(part['usergroup_id'])}"
            case "broadcast":
                return f"@{part['range']}"
            case "channel":
                return f"#{self._channel(part['channel_id'])}"
            case "emoji":
                return f":{part['name']}:"
            case "date":
                return str(part.get("fallback", part["timestamp"]))
        return str(part.get("text") or part.get("url") or "")

    def _mrkdwn(self, text: str) -> str:
        """Mentions by name, links by label, entities as the characters they stand for."""
        shown = ANGLED.sub(lambda found: self._angle(found[1]), text)
        return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")

    def _angle(self, inner: str) -> str:
        target, _, label = inner.partition("|")
        if label:
            return label
        match target[0]:
            case "@":
                return f"@{self._name(target[1:])}"
            case "#":
                return f"#{self._channel(target[1:])}"
            case "!":
                return f"@{self._group(target.removeprefix('!subteam^').removeprefix('!'))}"
        return target

    def _name(self, id: str) -> str:
        return self._world.users[id].name if id in self._world.users else id

    def _group(self, id: str) -> str:
        return self._world.groups[id].handle if id in self._world.groups else id

    def _channel(self, id: str) -> str:
        return self._world.channels[id].name if id in self._world.channels else id


_ORDER = (
    "title",
    "subtitle",
    "label",
    "body",
    "text",
    "fields",
    "accessory",
    "element",
    "elements",
    "hint",
    "child_blocks",
    "rows",
)
_UNSEEN = {"confirm", "initial_option", "initial_options"}


def _in_order(value: Mapping[str, Any]) -> Sequence[tuple[str, Any]]:
    return sorted(value.items(), key=lambda row: _ORDER.index(row[0]) if row[0] in _ORDER else len(_ORDER))


def _inner(value: Any) -> Iterator[Json]:
    """Every object in it, itself first."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _inner(each)


def _markdown(blocks: list[Json]) -> Iterator[str]:
    return (str(each["text"]) for each in _inner(blocks) if each.get("type") == "markdown")


def _marked(blocks: list[Json], *, verbatim: bool = True) -> Iterator[str]:
    """Every text that a parser reads; without the *verbatim* ones, in which only `<…>` means something."""
    parsed = (each for each in _inner(blocks) if each.get("type") in {"mrkdwn", "markdown"})
    return (str(each["text"]) for each in parsed if verbatim or not each.get("verbatim"))


def _angled(text: str) -> Iterator[str]:
    return (found[1] for found in ANGLED.finditer(text))


def _mention(inner: str) -> str | None:
    target = inner.partition("|")[0]
    if target.startswith("@"):
        return target[1:]
    if target.startswith("!subteam^"):
        return target.removeprefix("!subteam^")
    return target[1:] if target.startswith("!") and target[1:] in BROADCASTS else None


def _rich_mention(part: Json) -> str | None:
    names = {"user": "user_id", "usergroup": "usergroup_id", "broadcast": "range"}
    name = names.get(str(part.get("type")))
    return str(part[name]) if name and name in part else None


def _pointed(text: str) -> Iterator[str]:
    return (inner.partition("|")[0] for inner in _angled(text) if inner[0] not in "@#!")


def _bare(text: str) -> Iterator[str]:
    """Addresses that the parser makes links of by itself."""
    rest = ANGLED.sub(" ", text)
    yield from BARE.findall(rest)
    yield from DOMAIN.findall(BARE.sub(" ", rest))
