"""A text that is too long for a thread: its beginning to be read there, and all of it as a file.

Nothing is cut silently: the beginning says that there is more, how much, and where. Not how a platform shows a file.
"""

from __future__ import annotations

import hashlib

from bot.domain.chat import Attachment

READ_MOST = 4_000  # characters that read well in a thread; a screen has about half as many
HEAD_MOST = 2_800  # of a longer text, as much is shown: with what is said of the rest it fits one block of Slack


def in_thread(text: str, name: str) -> tuple[str, tuple[Attachment, ...]]:
    """What stands in the thread, and the file *name* with the whole where that is not all."""
    if len(text) <= READ_MOST:
        return text, ()
    content = text.encode("utf-8", "replace")
    whole = Attachment(name=name, content=content, sha256=hashlib.sha256(content).hexdigest(), is_aside=True)
    return f"{_head(text)}\n\n… the whole answer, {len(text):,} characters, is attached as {name}.", (whole,)


def _head(text: str) -> str:
    """Up to the end of a line or a word where there is one."""
    head = text[:HEAD_MOST]
    for end in ("\n", " "):
        if (at := head.rfind(end)) > HEAD_MOST // 2:
            return head[:at].rstrip()
    return head
