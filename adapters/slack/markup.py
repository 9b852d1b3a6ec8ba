"""Slack's markup as plain words: what somebody wrote, as they saw it.

    <@U1> · <#C1|ops> · <https://…|label> · &lt;  ->  words

Pure functions. What we write ourselves is made inert elsewhere (literal).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

BOT = "@countersign"  # what a mention of the bot reads as, whatever the app is called in a workspace
_MARKUP = re.compile(r"<([^<>]*)>")
_ENTITY = re.compile(r"&(lt|gt|amp);")
_CHARACTER: Mapping[str, str] = {"lt": "<", "gt": ">", "amp": "&"}


def words(text: str, bot_user: str) -> str:
    """What somebody wrote, as they saw it: Slack's markup as plain words, the bot's mention as `@countersign`.

    A link reads as where it leads, never as its label. A mention and nothing else says nothing.
    """
    plain = _MARKUP.sub(lambda found: _plain(found[1], bot_user), text)
    read = writable(_ENTITY.sub(lambda found: _CHARACTER[found[1]], plain).strip())
    return "" if read == BOT else read


def is_mentioned(text: str, bot_user: str) -> bool:
    """Does somebody speak to the bot there?"""
    return any(found[1].partition("|")[0] == f"@{bot_user}" for found in _MARKUP.finditer(text))


def writable(text: str) -> str:
    """*text* as something that can be written down: half a character, which no person types, becomes a `?`."""
    return text.encode("utf-8", "replace").decode()


def _plain(markup: str, bot_user: str) -> str:
    what, _, label = markup.partition("|")
    match what[:1]:
        case "@":
            return BOT if what == f"@{bot_user}" else what
        case "#":
            return f"#{label}" if label else what
        case "!":
            return label if label else f"@{what[1:]}"
        case _:
            return what.removeprefix("mailto:").removeprefix("tel:")
