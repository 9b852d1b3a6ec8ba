"""A call that a person spells out: `call restart service=api reason="it hangs"`, for any tool the agent has.

So somebody sees their own tool on a card before there is a model, or a scene for it. Nothing is guessed: a line that is
not wholly such a call is none, and the tool checks its arguments as always.
"""

from __future__ import annotations

import json
import re

from bot.domain.errors import BadJson
from bot.domain.wire import Json, read_foreign

VALUE = r'"(?:[^"\\\n]|\\.)*"|[^\s"=]+'
LINE = re.compile(rf"(?:@\S+\s+)?call\s+(?P<tool>[\w-]+)(?P<args>(?:\s+\w+=(?:{VALUE}))*)\s*", re.IGNORECASE)
ARGUMENT = re.compile(rf"(?P<name>\w+)=(?P<value>{VALUE})")


def spelled_out(line: str) -> tuple[str, str] | None:
    """The tool, and its arguments as JSON text; None if *line* is no such call."""
    found = LINE.fullmatch(line)
    if found is None:
        return None
    args = {one["name"]: _value(one["value"]) for one in ARGUMENT.finditer(found["args"])}
    return found["tool"], json.dumps(args, ensure_ascii=False)


def _value(text: str) -> Json:
    """A number, true, false, null, words in quotes; what is no JSON is a text as it stands."""
    try:
        return read_foreign(text)
    except BadJson:
        return text
