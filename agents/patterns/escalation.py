"""Escalation: certain words bring people in before the member does anything more.

    words -> does a trigger fire? -> no: the member goes on
                                  -> yes: an escalation; the member waits -> what people say is in the room
    a call, while somebody has written -> not run: their words are read first

Triggers only ever raise: none of them lets anything through, and what they find is quoted as data. They look at the
task and at all that is said, by people and by agents, and again at each reply that is heard. Nobody answers, or too
much waits already: the member ends, and does nothing. Not what a member may do otherwise: that is the policy's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace

from agents.patterns.ask import put
from agents.patterns.pattern import Around, Speaks
from agents.patterns.person import UNANSWERED
from agents.patterns.room import PEOPLE, Member, Room, Turn, Word, branched, take_turn, tools_of
from agents.patterns.turned import Left
from bot.domain.calls import Cause, Outcome, ToolResult
from bot.domain.chat import PersonId
from bot.domain.ports import Agent, RunContext, WantedCall
from bot.domain.run import Heard, Task
from bot.domain.telling import REPLIED
from bot.domain.wire import dumps

ESCALATE = "escalate"  # the shipped tool that only people run
QUOTED_MOST = 4_000  # characters of what was said, on the card
UNHEARD = "It was handed over to people, and nobody has decided yet: nothing was done. {told}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What brings people in: *words* (whole, whatever their case) or a *pattern* (a regular expression)."""

    name: str  # why, as the card says it: "a legal threat"
    words: tuple[str, ...] = ()
    pattern: str = ""
    suggestion: str = "Take it over, or say what should be answered."

    def __post_init__(self) -> None:
        """Raises ValueError for a trigger that nothing, or everything, fires."""
        if not (self.words or self.pattern) or not all(word.strip() for word in self.words):
            raise ValueError(f"trigger {self.name!r} names no words; give it words, or a pattern")
        try:
            compiled = re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"the pattern of trigger {self.name!r} cannot be read: {error}") from error
        if self.pattern and compiled.search(""):
            raise ValueError(f"the pattern of trigger {self.name!r} fits everything; make it narrower")

    def fires(self, text: str) -> bool:
        found = [rf"(?<!\w){re.escape(word.strip())}(?!\w)" for word in self.words]
        return any(re.search(one, text, re.IGNORECASE) for one in (*found, *([self.pattern] if self.pattern else [])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation(Speaks):
    """`ports.Agent` and `Member`: *member*, with people called in before it when a trigger fires."""

    name: str
    member: Agent | Member
    triggers: tuple[Trigger, ...]
    to: str = ""  # who is asked: a group or @person; empty: the manager of whoever gave the task

    def __post_init__(self) -> None:
        """Raises ValueError without triggers."""
        if not self.triggers:
            raise ValueError(f"{self.name} has no triggers, so nothing would ever be handed over; name at least one")

    @property
    def tools(self) -> tuple[str, ...]:
        return tools_of(self.member)

    async def reply(self, room: Room, ctx: RunContext) -> Turn:
        watch = _Watch(self, room.task, ctx)
        since = next((at for at, word in reversed(list(enumerate(room.words))) if word.by == self.name), -1)
        try:
            with ctx.acting_as(self.member.name):
                await watch.read(room, since + 1)
            with branched(room) as inner:
                turn = await take_turn(self.member, inner, watch.whole, is_told=False)
        except _Undecided as undecided:
            room.heard(undecided.replies)
            return Turn(by=self.name, text=undecided.told, move=UNANSWERED)
        return replace(turn, by=self.name)

    def fired(self, text: str) -> Trigger | None:
        return next((one for one in self.triggers if one.fires(text)), None)


class _Undecided(Left):
    """Nobody said how to go on: `told` is the last word."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told


class _Watch(Around):
    """A `RunContext` whose ears know the triggers, and whose hands rest while anything is unread."""

    def __init__(self, escalation: Escalation, task: Task, ctx: RunContext) -> None:
        super().__init__(ctx)
        self._escalation, self._task = escalation, task
        self._unread: ContextVar[tuple[Heard, ...]] = ContextVar("unread", default=())  # of each branch

    async def heard(self) -> tuple[Heard, ...]:
        """As `RunContext.heard`; what people decide about a reply that fired a trigger comes after it."""
        unread = self._unread.get()
        self._unread.set(())
        return (*unread, *await self._heard())

    async def use(self, wanted: Sequence[WantedCall], *, why: str = "") -> tuple[ToolResult, ...]:
        """As `RunContext.use`, but nothing runs before all that was said is read."""
        self._unread.set((*self._unread.get(), *await self._heard()))
        if self._unread.get():
            return tuple(ToolResult(outcome=Outcome.NOT_RUN, cause=Cause.SUPERSEDED, text=REPLIED) for _ in wanted)
        return await self._ctx.use(wanted, why=why)

    async def _heard(self) -> tuple[Heard, ...]:
        replies = await self._ctx.heard()
        if not replies:
            return ()
        heard = Room(self._task)
        heard.heard(replies)
        try:
            await self.read(heard, 1)
        except _Undecided as undecided:
            undecided.replies = replies
            raise
        return tuple(Heard(by=PersonId(word.by), text=word.text) for word in heard.words[1:])

    async def read(self, room: Room, at: int) -> None:
        """Hand over what fires in the words of *room* from *at* on. People's answers are in it afterwards.

        Raises _Undecided if there are none.
        """
        while at < len(room.words):
            word, at = room.words[at], at + 1
            if word.by != PEOPLE and (trigger := self._escalation.fired(word.text)):
                result = await put(self._ctx, room, self._call(trigger, word))
                if result.outcome is not Outcome.OK:
                    raise _Undecided(UNHEARD.format(told=result.text))
                room.guided(result.text)

    def _call(self, trigger: Trigger, word: Word) -> WantedCall:
        by = f"{word.by} wrote" if word.is_person else f"{word.by}, an agent, said"
        task = f"\n\nThe task was: {self._task.text[:QUOTED_MOST]}" if word.text != self._task.text else ""
        args = {
            "reason": f"{trigger.name}: certain words bring people in, and these are there",
            "context": f"{by}: {word.text[:QUOTED_MOST]}{task}",
            "suggestion": trigger.suggestion,
            "of": self._escalation.to,
        }
        return WantedCall(id="trigger", tool=ESCALATE, args=dumps(args).decode())
