"""A plan as a pattern keeps it: what is known, what is to be done and by whom, and what came of it.

    the planner's call -> steps -> lines people read and may edit -> the approved lines -> steps again

A line is `who: what`; `& who: what` is done side by side with the line before it. People edit lines, so a line is read
back as it was written, and one that names no member is said to. Not who approves it, nor who works (plan_first).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BESIDE = "& "  # in front of a line that is done side by side with the one before it


@dataclass(frozen=True, slots=True)
class PlanStep:
    """What *who* does; *beside*: side by side with the step before it."""

    who: str
    what: str
    beside: bool = False

    @property
    def line(self) -> str:
        return f"{BESIDE if self.beside else ''}{self.who}: {self.what}"


@dataclass(slots=True)
class Ledger:
    """The plan as it stands: the *number*th that people approved, in the *version* that they saw."""

    goal: str = ""
    facts: list[str] = field(default_factory=list)
    steps: list[PlanStep] = field(default_factory=list)
    done: list[str] = field(default_factory=list)  # what came of the steps so far, of every version
    number: int = 0
    version: int = 0

    def learn(self, facts: Sequence[str]) -> None:
        self.facts += [fact for fact in facts if fact not in self.facts]

    def approve(self, steps: Sequence[PlanStep], version: int) -> None:
        self.steps, self.number, self.version = list(steps), self.number + 1, version

    @property
    def told(self) -> str:
        """The approved plan, word for word, for whoever works on it (D-10, AU-15)."""
        lines = [f"{number}. {step.line}" for number, step in enumerate(self.steps, 1)]
        known = ["", "What is known:", *(f"• {fact}" for fact in self.facts)] if self.facts else []
        head = f"Plan {self.number}, version {self.version}, as people approved it. Its goal: {self.goal}"
        return "\n".join([head, *lines, *known])

    def groups(self) -> list[list[PlanStep]]:
        """The steps in order, those together that are done side by side."""
        found: list[list[PlanStep]] = []
        for step in self.steps:
            if step.beside and found:
                found[-1].append(step)
            else:
                found.append([step])
        return found


def planned(steps: Sequence[Mapping[str, Any]]) -> list[PlanStep]:
    """The steps of a planner's call."""
    return [PlanStep(str(one["who"]), " ".join(str(one["what"]).split()), bool(one["beside"])) for one in steps]


def read(lines: Sequence[str], members: Collection[str]) -> list[PlanStep]:
    """The steps that people approved. Raises ValueError, naming it, for a line that says of no member that it works."""
    return [_read(line, members) for line in lines]


def _read(line: str, members: Collection[str]) -> PlanStep:
    who, found, what = line.removeprefix(BESIDE).partition(":")
    if not found or who.strip() not in members or not what.strip():
        raise ValueError(f"{line!r} names no member and step; write one of {', '.join(members)}, a colon, and what")
    return PlanStep(who.strip(), what.strip(), line.startswith(BESIDE))


def unready(steps: Sequence[PlanStep], members: Collection[str]) -> str | None:
    """Why nobody could do this, in one sentence; None: somebody could."""
    if stranger := next((step.who for step in steps if step.who not in members), None):
        return f"{stranger!r} is no member; the members are {', '.join(members)}."
    return None
