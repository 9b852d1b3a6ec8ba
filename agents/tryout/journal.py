"""What the agent's steps came to: acted once, answered from here ever after, whichever order they are asked in.

step asked for -> known? the same answer -> else act -> record -> (a restart, where the test wants one after each step)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agents.tryout.errors import NotReplayable

MISSING = object()  # no step has None for a reason to be taken for "not yet"
OURS = "an agent must get time, chance and whatever else may change from its context"


class Restarted(BaseException):
    """The process ends here, and the agent is called again from its journal. Not for agents to catch."""


class Journal:
    def __init__(self, *, restarts: bool) -> None:
        self._steps: dict[str, tuple[str, Any]] = {}
        self._marks: dict[str, str] = {}  # steps that have begun: what they were
        self._seen: set[str] = set()
        self._restarts = restarts

    def known(self, path: str, mark: str) -> Any:
        """The result of the step at *path*, or MISSING. Raises NotReplayable if another step was asked for there."""
        was = self._marks.setdefault(path, mark)
        if was != mark:
            raise NotReplayable(f"step {path} was {was!r} and is {mark!r} when the agent is called again: {OURS}")
        self._seen.add(path)
        return self._steps[path][1] if path in self._steps else MISSING

    def is_begun(self, path: str) -> bool:
        """Was the step at *path*, or one inside it, asked for before this call of the agent?"""
        return any(one == path or one.startswith((f"{path}.", f"{path}/")) for one in self._marks)

    def record(self, path: str, mark: str, result: object) -> None:
        """Keep what the step came to; here the process ends, if the test wants it to."""
        self._steps[path] = (mark, result)
        if self._restarts:
            raise Restarted

    def begin(self) -> None:
        """The agent is called: nothing has been asked for yet."""
        self._seen = set()

    def forgotten(self) -> Iterator[str]:
        """Steps that were done, and that the agent does not ask for any more."""
        return (f"step {path} ({mark})" for path, (mark, _) in self._steps.items() if path not in self._seen)
