"""What people call themselves, as it stands amid our own sentences: one line that hides nothing (T09).

A name is shown, and never decides anything. The same on every platform.
"""

from __future__ import annotations

from bot.domain.inert import is_hidden

LONGEST_NAME = 80  # characters; Slack's own limit


def called(name: object) -> str:
    """*name* on one line, without what cannot be seen; empty if nothing is left, or if it is no text."""
    text = " ".join(name.split()) if isinstance(name, str) else ""
    return "".join(char for char in text if not is_hidden(char)).strip()[:LONGEST_NAME].rstrip()
