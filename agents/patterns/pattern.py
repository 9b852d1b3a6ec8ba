"""What all that take turns have alike: asked alone, they reply in a room with nothing but the task.

Speaks     `__call__` from `reply`          agents, people
Pattern    `reply` from `work`, in a room of its own: what members say stays there, what people say does not
Around     a context around another, for a pattern that listens along: all else is the other's
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, cast

from agents.patterns.room import Room, Turn, branched
from bot.domain.calls import ToolResult
from bot.domain.inquiry_question import Asks
from bot.domain.ports import RunContext, WantedCall
from bot.domain.run import Task


class Speaks(ABC):
    """`ports.Agent` of a `Member`."""

    __slots__ = ()

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        """What it says; an end before that says why."""
        return (await self.reply(Room(task), ctx)).text

    @abstractmethod
    async def reply(self, room: Room, ctx: RunContext) -> Turn:
        """As `Member.reply`."""


class Pattern(Speaks):
    """`ports.Agent` and `Member` made of members."""

    __slots__ = ()

    async def reply(self, room: Room, ctx: RunContext) -> Turn:
        with branched(room) as inner:
            return await self.work(inner, ctx)

    @abstractmethod
    async def work(self, room: Room, ctx: RunContext) -> Turn:
        """The whole of it, in *room*, which is the pattern's own."""


class Around(Asks):
    """A `RunContext` around *ctx*, which does whatever is not done here."""

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    async def use(self, wanted: Sequence[WantedCall], *, why: str = "") -> tuple[ToolResult, ...]:
        return await self._ctx.use(wanted, why=why)

    @property
    def whole(self) -> RunContext:
        """Itself, as what it is with all that it forwards."""
        return cast(RunContext, self)
