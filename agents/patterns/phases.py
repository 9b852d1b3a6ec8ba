"""Phases: each ends at a checkpoint, and only people's explicit yes begins the next.

    1/3 -> Approve & continue -> 2/3 -> … -> 3/3 -> "All phases complete."
     ^ └ Send feedback ┘└ Stop -> "Workflow halted by Ana."

A later phase reads what was approved before, and what people said to it. Words in the thread begin nothing (D-22).
"""

from __future__ import annotations

from dataclasses import dataclass

from agents.patterns.pattern import Pattern
from agents.patterns.person import GOES_ON, Person
from agents.patterns.room import Member, Room, Turn, tools_of
from agents.patterns.rounds import ended, rounds
from bot.domain.ports import Agent, RunContext

COMPLETE = "All phases complete."
APPROVER = "approver"  # the role of whoever stands at a checkpoint, as the phases read it


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases(Pattern):
    """`ports.Agent` and `Member`: what each phase is called, and who works in it."""

    name: str
    phases: tuple[tuple[str, Agent | Member], ...]
    of: str = ""  # who stands at the checkpoints; empty: whoever gave the task
    instructions: str = ""  # at the top of each checkpoint's card
    rounds: int = 3  # versions of a phase's output, until more of them are people's to give

    def __post_init__(self) -> None:
        """Raises ValueError without phases, or when two are called the same: each has rounds of its own."""
        labels = [label for label, _ in self.phases]
        if not labels or not all(label.strip() for label in labels) or len(set(labels)) < len(labels):
            raise ValueError(f"{self.name} needs phases, each with a name of its own; it has {labels}")
        for number, label in enumerate(labels, 1):
            self._checkpoint(number, label)

    @property
    def tools(self) -> tuple[str, ...]:
        return tools_of(*(member for _, member in self.phases), self._checkpoint(1, ""))

    async def work(self, room: Room, ctx: RunContext) -> Turn:
        """That all phases are complete, and the output of the last; an end before that says why."""
        for number, (label, member) in enumerate(self.phases, 1):
            turn = await rounds(member, self._checkpoint(number, label), room, ctx)
            if turn.move not in GOES_ON:
                return ended(self.name, turn)
        return Turn(by=self.name, text=f"{COMPLETE}\n\n{turn.text}")

    def _checkpoint(self, number: int, label: str) -> Person:
        return Person(
            name=APPROVER,
            of=self.of,
            does="gate",
            about=label,
            stage=f"{number}/{len(self.phases)}",
            instructions=self.instructions,
            rounds=self.rounds,
        )
