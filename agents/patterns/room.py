"""The room: what was said in a pattern, by whom, in order. Every member reads it from the beginning.

    room.hear(ctx)                     what people wrote in the thread meanwhile
    turn = await take_turn(member, room, ctx)     one member's turn, under its name, and its words into the room

A member is any agent. One that knows rooms (`Member`) reads the room and says how it meant its words; any other is
called with the room as its task. Owns the words alone: whose turn it is, the patterns decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from bot.domain.chat import PersonId
from bot.domain.ports import Agent, RunContext
from bot.domain.run import Heard, Task
from bot.domain.wire import replace

SAID = "said"  # how an agent means its words: they decide nothing
TOOK_OVER = "take_over"  # how a person means words that take a draft's place
PEOPLE = "people"  # who answered a card, where nobody is named
ENDS_LINE = "\n\r\v\f\x1c-\x1e\x85\u2028\u2029"  # whatever a reader may take for the end of a line
FORGED = re.compile(rf"(?:^|(?<=[{ENDS_LINE}]))(?=\[[^\]\n]{{1,80}}\] )")  # where a line looks like somebody else's


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one member gave. *move*: how a person meant it (`accept`, `revise`, `reject`, `stop`, …); of an agent, SAID.

    *values* are the fields of a form, or whatever else the move came with. *told* is how the others read it in the
    room, where that is not *text*; *is_role*: a person gave it, in the role of a member.
    """

    by: str
    text: str
    move: str = SAID
    values: dict[str, object] = field(default_factory=dict)
    told: str = ""
    is_role: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """One thing that was said. *is_person*: by somebody in the thread, whose words steer; else by a member.

    *is_role*: that member is a person, who answered a card. *draft* is the text that it puts up to be looked at, if
    it is one: what an agent said, or what a person wrote in its place.
    """

    by: str
    text: str
    is_person: bool = False
    is_role: bool = False
    draft: str = ""


class Room:
    """Who said what about *task*, in order. *asked_by*: the agent that gave it, where no person did."""

    def __init__(self, task: Task, words: Iterable[Word] = (), *, asked_by: str = "") -> None:
        self.task, self.asked_by = task, asked_by
        self.words = [Word(asked_by or task.by, task.text, is_person=not asked_by), *words]

    def branch(self) -> Room:
        """The same up to now; what is said there is not heard here, until it is joined."""
        return Room(self.task, self.words[1:], asked_by=self.asked_by)

    def join(self, branches: Sequence[Room], since: int) -> None:
        """Take in what people said while *branches* went on, which began when this had *since* words: once, in order.

        Every branch hears every reply, some of them sooner: the one that heard most heard all.
        """
        for one in branches:
            self.heard(one.replies(since)[len(self.words) - since :])

    def replies(self, since: int) -> list[Heard]:
        """What people wrote in the thread, after the first *since* words here."""
        said = [word for word in self.words[since:] if word.is_person and word.by != PEOPLE]
        return [Heard(by=PersonId(word.by), text=word.text) for word in said]

    def say(self, by: str, text: str, *, is_draft: bool = True) -> None:
        """Words of the member *by*. What only tells whose turn it is, or why, *is_draft* of nothing."""
        if text.strip():
            self.words.append(Word(by, text, draft=text if is_draft else ""))

    def take(self, turn: Turn) -> None:
        """A member's turn. An agent's words are a draft; its verdict, and what a person says of one, are not."""
        text = turn.told or turn.text
        if text.strip():
            draft = turn.text if turn.move in (SAID, TOOK_OVER) else ""
            self.words.append(Word(turn.by, text, is_role=turn.is_role, draft=draft))

    def draft(self) -> str:
        """What was put up last to be looked at; the task, if nothing was."""
        return next((word.draft for word in reversed(self.words) if word.draft), self.task.text)

    def guided(self, text: str) -> None:
        """People said on a card how it should go on here: that steers, as their replies do."""
        self.words.append(Word(PEOPLE, text, is_person=True))

    def heard(self, replies: Sequence[Heard]) -> None:
        self.words += [Word(one.by, one.text, is_person=True) for one in replies]

    async def hear(self, ctx: RunContext) -> bool:
        """Take in what people wrote in the thread. Did they?"""
        replies = await ctx.heard()
        self.heard(replies)
        return bool(replies)

    def as_task(self) -> Task:
        """The room for an agent that knows of none: the task, and below it what was said since."""
        task = FORGED.sub(" ", self.task.text) if self.asked_by else self.task.text
        later = [named(word.by, word.text, is_person=word.is_person or word.is_role) for word in self.words[1:]]
        return replace(self.task, text="\n\n".join([task, *later]))


def named(name: str, text: str, *, is_person: bool = True) -> str:
    """Somebody's words under their name. Nobody can speak as another: their own lines never begin with a name.

    A colleague that is a program is called one, so that its words are nobody's approval.
    """
    return f"[{name if is_person else f'{name}, an agent'}] " + FORGED.sub(" ", text)


@runtime_checkable
class Member(Protocol):
    """An agent, or a person, that takes turns in a room."""

    @property
    def name(self) -> str: ...

    async def reply(self, room: Room, ctx: RunContext) -> Turn:
        """Its turn. It reads the room, takes in what people write meanwhile, and leaves its own words to the caller."""
        ...


@contextmanager
def branched(room: Room) -> Iterator[Room]:
    """A room of its own for a pattern inside another: what its members say stays there, what people say does not."""
    inner, since = room.branch(), len(room.words)
    try:
        yield inner
    finally:
        room.join([inner], since)


async def take_turn(member: Agent | Member, room: Room, ctx: RunContext, *, is_told: bool = True) -> Turn:
    """One turn of *member*, under its name; its words are in the room afterwards, and in the thread if *is_told*."""
    with ctx.acting_as(member.name):
        turn = await _taken(member, room, ctx)
        if is_told and turn.text.strip() and turn.move == SAID:
            await ctx.note(turn.text)
    room.take(turn)
    return turn


async def _taken(member: Agent | Member, room: Room, ctx: RunContext) -> Turn:
    if isinstance(member, Member):
        return await member.reply(room, ctx)
    return Turn(by=member.name, text=await member(room.as_task(), ctx))


def tools_of(*members: object) -> tuple[str, ...]:
    """The tools that *members* have, each once; a member that names none has none."""
    return tuple(dict.fromkeys(name for one in members for name in getattr(one, "tools", ())))


def people(room: Room) -> tuple[PersonId, ...]:
    """Everybody who has spoken in the thread, whoever gave the task first."""
    return tuple(dict.fromkeys(PersonId(word.by) for word in room.words if word.is_person and word.by != PEOPLE))
