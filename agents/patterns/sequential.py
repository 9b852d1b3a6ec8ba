"""One after the other: each member reads what was said before, and people may stand between.

    writer -> a person looks -> editor -> … -> the last words are the answer
       ^             │
       └ words back ─┘     a draft that is not accepted goes nowhere, and nobody after it is called

A person who looks says what becomes of the last draft before them: it goes on as it is, as they wrote it, or not at
all. `look_after` puts such a person after a member, without a role of their own. Whoever answers is a member as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from agents.patterns.pattern import Pattern
from agents.patterns.person import ANSWER, GOES_BACK, GOES_ON, SKIP, Person
from agents.patterns.room import SAID, Member, Room, Turn, take_turn, tools_of
from agents.patterns.rounds import draft_turn, ended
from bot.domain.ports import Agent, RunContext

LOOKER = "reviewer"  # who looks after a member, where nobody has that role
ANSWERS = frozenset({ANSWER, SKIP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequential(Pattern):
    """`ports.Agent` and `Member`. *rounds* of *look_after*: a draft, and what people say to it, are one."""

    name: str
    members: tuple[Agent | Member, ...]
    look_after: tuple[str, ...] = ()  # members whose words people look at before they go on
    of: str = ""  # who looks after them; empty: whoever gave the task
    rounds: int = 3

    def __post_init__(self) -> None:
        """Raises ValueError for members that nobody could follow."""
        names = [member.name for member in self.members]
        if not names:
            raise ValueError(f"{self.name} has no members; name at least one")
        if unknown := [name for name in self.look_after if name not in names]:
            raise ValueError(f"{self.name} looks after {', '.join(unknown)}, not among its members {', '.join(names)}")
        first = self.members[0]
        if _looks(first):
            raise ValueError(f"{first.name} looks at a draft, and stands first in {self.name}; put its maker before it")
        makers = 0
        for stage in self._stages():
            makers += not isinstance(stage, Person)
            if _looks(stage) and not makers:
                raise ValueError(f"{stage.name} of {self.name} looks at a draft, and no agent stands before it")

    @property
    def tools(self) -> tuple[str, ...]:
        return tools_of(*self._stages())

    async def work(self, room: Room, ctx: RunContext) -> Turn:
        """The last words that stand; an end before that says why."""
        stages, at = self._stages(), 0
        while at < len(stages):
            await room.hear(ctx)
            turn = await _taken(stages, at, room, ctx)
            if turn.move in GOES_BACK:
                at = max(before for before in range(at) if not isinstance(stages[before], Person))
            elif turn.move == SAID or turn.move in GOES_ON | ANSWERS:
                at += 1
            else:
                return ended(self.name, turn)
        return Turn(by=self.name, text=room.draft())

    def _stages(self) -> tuple[Agent | Member, ...]:
        """The members, and after each that is looked after whoever looks."""
        found: list[Agent | Member] = []
        for member in self.members:
            found.append(member)
            if member.name in self.look_after:
                found.append(Person(name=LOOKER, of=self.of, about=member.name, rounds=self.rounds))
        return tuple(found)


async def _taken(stages: tuple[Agent | Member, ...], at: int, room: Room, ctx: RunContext) -> Turn:
    """The turn of a stage. What somebody is to look at next is shown as a draft."""
    is_draft = at + 1 < len(stages) and _looks(stages[at + 1]) and not isinstance(stages[at], Person)
    return await (draft_turn if is_draft else take_turn)(stages[at], room, ctx)


def _looks(member: Agent | Member) -> bool:
    return isinstance(member, Person) and member.does != "answer"
