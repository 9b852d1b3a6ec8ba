"""What a foreign tool is called here: `tickets__search`.

The name of a server holds no `__` and does not end in `_`, so what stands before the first `__` is the server, always:
tools of two servers never share a name. Ours hold no `__`; what another tool is called already is refused all the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable
from typing import Final

from agents.toolbox import NAME
from bot.domain.inert import show_line

BETWEEN: Final = "__"
LONGEST: Final = 64  # characters, as `NAME` says
SHOWN: Final = 60  # characters of a foreign name in a sentence
_STRANGE = re.compile(r"[^a-zA-Z0-9_-]+")


def tool_name(server: str, foreign: str) -> str | None:
    """The name of *foreign* here; None if nothing of it can be read. What is too long ends in its own digest."""
    plain = _STRANGE.sub("_", foreign)
    if not any(char.isalnum() for char in plain):
        return None
    name = f"{server}{BETWEEN}{plain}"
    if len(name) > LONGEST:
        name = f"{name[: LONGEST - 9]}-{hashlib.sha256(foreign.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return name if NAME.fullmatch(name) else None


def clashes(server: str, offered: Iterable[str], taken: Collection[str]) -> list[str]:
    """Why some of the tools *offered* cannot have a name, one sentence each."""
    found: dict[str, str] = {}
    told = []
    for foreign in offered:
        name = tool_name(server, foreign)
        if name is None:
            told.append(f"its tool {shown(foreign)} has no name that can be written here; skip it")
        elif name in found:
            told.append(f"its tools {shown(found[name])} and {shown(foreign)} would both be called {name}; skip one")
        elif name in taken:
            told.append(f"its tool {shown(foreign)} would be called {name}, as another tool is; skip it")
        else:
            found[name] = foreign
    return told


def shown(foreign: str) -> str:
    """A foreign name in a sentence."""
    return show_line(foreign[:SHOWN]) + ("…" if len(foreign) > SHOWN else "")
