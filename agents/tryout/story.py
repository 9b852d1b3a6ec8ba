"""What happened in a rehearsal: the answer, every call with its end, every request, and the whole as a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.domain.calls import Cause, Outcome
from bot.domain.chat import PersonId
from bot.domain.ports import Line
from bot.domain.request import Request, RequestId
from bot.domain.run import RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """One call and how it ended. `who` decided it; empty if nobody was asked, or nobody answered."""

    step: str
    tool: str
    args: Mapping[str, Any]  # as they ran; as they were asked for, if they could not be read
    outcome: Outcome
    text: str  # what the agent read
    cause: Cause | None = None  # why it did not run
    who: tuple[PersonId, ...] = ()
    why: str = ""  # the rule that let it through, asked or forbade
    request: RequestId | None = None
    answer: str = ""  # what people answered, as JSON; only of a tool that asks


@dataclass(frozen=True, slots=True)
class Moment:
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A run from its task to its end. Everything is in the order in which it happened."""

    answer: str
    status: RunStatus  # done, or stopped
    calls: tuple[Called, ...]
    requests: tuple[Request, ...]  # as they ended
    said: tuple[str, ...]  # what the agent noted in the thread
    thought: tuple[tuple[Line, ...], ...]  # the conversation before each answer of the model
    moments: tuple[Moment, ...]
    unused: Mapping[PersonId, tuple[str, ...]] = field(default_factory=dict)  # answers that nobody asked for

    def ran(self, tool: str) -> tuple[Called, ...]:
        """The calls of *tool* that took effect."""
        return tuple(one for one in self.calls if one.tool == tool and one.outcome is Outcome.OK)

    def transcript(self) -> str:
        """One line for each thing that happened, with its time in the test's own clock."""
        return "\n".join(f"{moment.at:%a %H:%M:%S}  {moment.text}" for moment in self.moments)
