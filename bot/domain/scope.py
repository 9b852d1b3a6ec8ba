"""Where a run's code is: its branch, its position there, how far it has heard, and who acts. Alike for every context.

A step is named by the branch it was asked for in and its position there; so the same function called again names its
steps alike, whatever order its branches go in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from bot.domain.inquiry_question import Asks


class Scope:
    """One branch: its path, how many steps it has asked for, how far it has heard, and who acts in it."""

    def __init__(self, prefix: str = "", *, upto: int = 0, agent: str = "") -> None:
        self.prefix, self.steps, self.heard = prefix, 0, 0
        self.upto, self.agent = upto, agent
        self.listened = -1  # how many steps it had asked for when it last asked what people say

    def next(self) -> str:
        """The path of the step that is asked for now."""
        path = self.ahead()
        self.steps, self.heard = self.steps + 1, 0
        return path

    def take_back(self, heard: int) -> None:
        """The step last asked for was none: the same place again, where *heard* replies were taken in before."""
        self.steps, self.heard = self.steps - 1, heard

    def ahead(self) -> str:
        return f"{self.prefix}/{self.steps}"

    @property
    def listens(self) -> bool:
        """Has this branch ever asked what people say?"""
        return self.listened >= 0

    @property
    def listened_last(self) -> bool:
        """Was that the last thing it did? Called again, it would hear what came since."""
        return self.listened == self.steps

    def branches(self, path: str, count: int) -> list[Scope]:
        """Those inside the step at *path*: they have heard what this one has, and act under its name."""
        return [Scope(f"{path}.{at}", upto=self.upto, agent=self.agent) for at in range(count)]

    def rejoin(self, branches: list[Scope]) -> None:
        """Go on from the furthest that one of *branches* has heard."""
        self.upto = max((one.upto for one in branches), default=self.upto)


class Scoped(Asks):
    """A context that knows its branch. A task has its own copy of the variable."""

    def __init__(self, name: str) -> None:
        self._scope: ContextVar[Scope] = ContextVar(f"scope of {name}")
        self._scope.set(Scope())

    @contextmanager
    def acting_as(self, name: str) -> Iterator[None]:
        """As `RunContext.acting_as`."""
        scope = self._scope.get()
        before, scope.agent = scope.agent, name
        try:
            yield
        finally:
            scope.agent = before
