"""Concurrent: members at work side by side on the same task; people look at all that came of it, once.

    task -> a branch for each member -> what came of each, in order; a branch that failed says so
         -> the join agent sums it up, if there is one -> one card for people, if they look -> the answer

A branch that waits for people holds no other one. One that fails ends nothing but itself: it is marked, for whoever
sums up and whoever looks. Not what a member does (react), nor how a look is taken (person).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import structlog

from agents.patterns.pattern import Pattern
from agents.patterns.person import (
    ANSWER,
    GOES_BACK,
    GOES_ON,
    SKIP,
    STOP,
    UNACCEPTED,
    UNANSWERED,
    Person,
    looker,
)
from agents.patterns.room import SAID, Member, Room, Turn, take_turn, tools_of
from agents.patterns.rounds import draft_turn
from agents.patterns.turned import Left, farthest
from bot.domain.errors import CountersignError, InvalidArguments, ModelRefused, ModelUnavailable, UnknownTool
from bot.domain.ports import Agent, RunContext

log = structlog.stdlib.get_logger(__name__)
FAILED = "failed"  # the move of a turn when no branch came to anything
RESULTS = frozenset({SAID, ANSWER, SKIP, *GOES_ON})
MARKS: Mapping[str, str] = {**dict.fromkeys((*GOES_BACK, UNACCEPTED, STOP), "NOT ACCEPTED"), UNANSWERED: "UNANSWERED"}
MEMBER_FAILURES = (ModelUnavailable, ModelRefused, InvalidArguments, UnknownTool)  # the same on every replay


class Branch(NamedTuple):
    """What came of one branch: its turn, or why there is none. *left*: what was heard there ends all of them."""

    by: str
    turn: Turn | None = None
    failed: str = ""
    left: Left | None = None

    @property
    def is_result(self) -> bool:
        """Is it an agent's words, or what a person let go on or answered? Else nothing goes on from it."""
        return self.turn is not None and self.turn.move in RESULTS

    @property
    def said(self) -> str:
        if self.turn is None:
            return f"FAILED. {self.failed}"
        if self.is_result:
            return self.turn.text
        return f"{MARKS.get(self.turn.move, 'ENDED EARLY')}. {self.turn.told or self.turn.text}"

    @property
    def told(self) -> str:
        return f"{self.by}:\n{self.said}" if self.is_result else f"{self.by}: {self.said}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrent(Pattern):
    """`ports.Agent` and `Member`: *members* side by side; *join* sums up, *review* (a `Person`) looks at the whole.

    A review that wants changes goes back to *join*; without one every member goes again. After *max_rounds* versions
    more of them are people's to give, as their card says (D-37).
    """

    name: str
    members: tuple[Agent | Member, ...]
    join: Agent | Member | None = None
    review: Person | None = None
    max_rounds: int = 3

    def __post_init__(self) -> None:
        """Raises ValueError for members that could not be told apart."""
        names = [one.name for one in self.members]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"{self.name}: its members must be at least one, each with a name of its own")
        if self.review is not None:
            looker(self.name, "review", self.review)

    @property
    def tools(self) -> tuple[str, ...]:
        return tools_of(*self.members, self.join, self.review)

    async def work(self, room: Room, ctx: RunContext) -> Turn:
        """What came of all of them; of what people looked at, the text that they let go on."""
        made = await self._made(room, ctx)
        while self.review is not None and made.move == SAID:
            review = replace(self.review, rounds=min(self.review.rounds, self.max_rounds))
            looked = await take_turn(review, room, ctx)
            if looked.move in GOES_ON:
                return Turn(by=self.name, text=looked.text)
            if looked.move not in GOES_BACK:
                told = f"This was not accepted, and is not used. {looked.told or looked.text}".strip()
                return Turn(by=self.name, text=told, move=looked.move)
            made = await (self._made(room, ctx) if self.join is None else self._joined(room, ctx))
        return made

    async def _made(self, room: Room, ctx: RunContext) -> Turn:
        """One round of all members, summed up; the room knows it as a draft."""
        branches = await self._branched(room, ctx)
        aggregate = "\n\n".join(one.told for one in branches)
        room.say(self.name, aggregate)
        if not any(one.is_result for one in branches):
            return Turn(by=self.name, text=f"None of the members came to a result.\n\n{aggregate}", move=FAILED)
        return await self._joined(room, ctx) if self.join else Turn(by=self.name, text=aggregate)

    async def _joined(self, room: Room, ctx: RunContext) -> Turn:
        assert self.join is not None, "only a pattern that has one"
        if self.review is not None:
            turn = await draft_turn(self.join, room, ctx)
        else:
            turn = await take_turn(self.join, room, ctx, is_told=False)  # its words are the answer, and told as that
        return Turn(by=self.name, text=turn.text, move=turn.move)

    async def _branched(self, room: Room, ctx: RunContext) -> Sequence[Branch]:
        return await side_by_side(self.members, [room.branch() for _ in self.members], room, ctx)


async def side_by_side(
    members: Sequence[Agent | Member], rooms: Sequence[Room], room: Room, ctx: RunContext
) -> Sequence[Branch]:  # fmt: skip
    """A turn of each of *members* in its own of *rooms*, branches of *room*, which knows then what people said.

    Raises Left, once every branch has ended by itself, if what was heard in one of them ends them all.
    """
    since = len(room.words)
    pairs = zip(members, rooms, strict=True)
    branches = await ctx.gather(*(_branch(member, its, ctx) for member, its in pairs))
    room.join(rooms, since)
    left = [(one.left, its.replies(since)) for one, its in zip(branches, rooms, strict=True) if one.left is not None]
    if left:
        raise farthest(left, len(room.words) - since)
    return branches


async def _branch(member: Agent | Member, room: Room, ctx: RunContext) -> Branch:
    """One branch to its end, whatever that is. The same on every replay: a step that failed fails again."""
    try:
        return Branch(member.name, turn=await take_turn(member, room, ctx))
    except Left as left:
        return Branch(member.name, left=left)
    except MEMBER_FAILURES as error:
        log.warning("branch_failed", member=member.name, error=type(error).__name__)
        failed = error.people_read
    except (CountersignError, AssertionError):  # not a member's own: the run cannot go on here, or a budget is spent
        raise
    except Exception as error:  # noqa: BLE001  # one member's program must not stop the others (AU-19)
        log.warning("branch_failed", member=member.name, error=type(error).__name__)
        failed = f"Its program failed ({type(error).__name__})."
    with ctx.acting_as(member.name):
        await ctx.note(f"I could not finish this. {failed}")
    return Branch(member.name, failed=failed)
