"""Publishing: one text under a name, for everybody to read, with every version kept.

    publish(name, text) -> this key already? -> that version again
                            └ no -> NAME.history/0001-KEY.md -> NAME.md, replaced at once

The tool takes only a text that people accepted in the same run; that is the gate's to see to (`accepted`), before
anybody is asked to sign.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import Field

from agents.toolbox import tool
from agents.tools.files import WorkFolder
from bot.domain.calls import Evidence, Risk
from bot.domain.difference import difference
from bot.domain.ports import Leave, Tool
from bot.domain.wire import Record

LONGEST = 20_000  # characters: as long as a draft may be
_VERSION = re.compile(r"(\d{4,})-([0-9a-f]{16})\.md")

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$", description="small letters, digits and hyphens")]
Text = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class Published(Record):
    name: str
    version: int
    file: str
    sha256: str


class Press:
    """The folder of what is published. Every method blocks; several processes may share it."""

    def __init__(self, root: Path) -> None:
        self._root, self._folder = root, WorkFolder(root)

    def publish(self, name: str, text: str, *, key: str) -> Published:
        """Make *text* what stands under *name*, once per *key*. Raises ToolProblem with nothing changed."""
        mark = hashlib.sha256(key.encode()).hexdigest()[:16]
        with self._alone():
            versions = self._versions(name)
            number = next((number for number, made in versions if made == mark), 0)
            if not number:
                number = max((number for number, _ in versions), default=0) + 1
                self._folder.write(f"{name}.history/{number:04d}-{mark}.md", text, key=key)
            if number >= max((number for number, _ in versions), default=0):  # else a later one stands there already
                self._folder.write(f"{name}.md", text, key=key)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        return Published(name=name, version=number, file=f"{name}.md", sha256=sha256)

    def now(self, name: str) -> str | None:
        """What stands under *name*; None if nothing does."""
        if not self._versions(name):
            return None
        return self._folder.read(f"{name}.md")

    def _versions(self, name: str) -> list[tuple[int, str]]:
        history = self._root / f"{name}.history"
        files = os.listdir(history) if history.is_dir() else []
        return [(int(one[1]), one[2]) for one in map(_VERSION.fullmatch, files) if one]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two versions never get one number."""
        with (self._root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def publishing_tools(press: Press) -> tuple[Tool, ...]:
    """Publishing in *press*."""

    def before(name: str, text: str) -> Evidence:
        if (now := press.now(name)) is None:
            return Evidence(label="What stands there now", text="Nothing: this would be its first version.")
        return Evidence(label="What is different from what stands there now", text=difference(now, text), is_code=True)

    @tool(
        risk=Risk.IRREVERSIBLE,
        touches=("publication",),
        idempotent=True,
        category="business",
        accepted="text",
        preview=before,
    )
    def publish(name: Name, text: Text, *, leave: Leave) -> Published:
        """Publish a text under a name, for everybody to read. Only a text that people accepted with review_draft.

        Args:
            text: the accepted text, to the letter
        """
        return press.publish(name, text, key=leave.key)

    return (publish,)
