"""How a member decides something: by a call, never by its words. The calls that patterns alone understand.

    room, an Offer -> the member thinks -> a call that fits? -> a Turn whose move is the call
                              ^        └ words, or a call that does not fit: it is told why, a few times
                              └──────────── then people are asked how it goes on, or whether it ends

Such a call never runs: its pattern takes it from the model's answer and does what it says. Called by an agent for
which it means nothing it is refused before any policy sees it. Not what a call leads to: that is its pattern's.
"""

# ruff: noqa: ARG001  # the parameters are the schema; no body is ever called

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from agents.patterns.room import SAID, Member, Room, Turn, take_turn
from agents.toolbox import FunctionTool
from bot.domain.calls import Cause, Outcome, Risk, ToolCall, ToolResult
from bot.domain.errors import BadJson, InvalidArguments
from bot.domain.ports import Agent, Leave, Line, RunContext, Said, Tool
from bot.domain.wire import Json, read_foreign

TRIES = 3  # answers of a model that decide nothing, until people are asked

Values = Mapping[str, Any]
Name = Annotated[str, Field(min_length=1, max_length=80)]
Text = Annotated[str, Field(min_length=1, max_length=20_000, pattern=r"\S")]
Note = Annotated[str, Field(max_length=4_000)]
Fact = Annotated[str, Field(min_length=1, max_length=1_000)]


class PatternCall(FunctionTool):
    """A call that only a pattern understands. As a `Tool` it gives a model its schema, and is refused if called."""

    def read(self, args: Json) -> Values:
        """The arguments with their defaults. Raises InvalidArguments."""
        read = super().check(args)
        assert isinstance(read, dict), "arguments are an object"
        return read

    def check(self, args: Json) -> Json:  # noqa: ARG002  # the port's signature
        raise InvalidArguments(self.spec.name, {"call": self._refusal})

    async def run(self, call: ToolCall, leave: Leave) -> ToolResult:  # noqa: ARG002  # the port's signature
        return ToolResult(outcome=Outcome.NOT_RUN, text=f"Not run: {self._refusal}", cause=Cause.INVALID)

    @property
    def _refusal(self) -> str:
        return "only an agent of whom a pattern wants this may call it, alone, and it means nothing here."


def _call(fn: Callable[..., NoReturn]) -> PatternCall:
    return PatternCall(fn, {"risk": Risk.READ})


class Step(BaseModel):
    """One step of a plan."""

    model_config = ConfigDict(extra="forbid")

    what: Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\n]*\S[^\n]*$", description="in one line")]
    who: Annotated[Name, Field(description="the member that does it")]
    beside: Annotated[bool, Field(description="whether it is done side by side with the step before it")] = False


class Finding(BaseModel):
    """One thing that should be different, and how."""

    model_config = ConfigDict(extra="forbid")

    file: Annotated[str, Field(min_length=1, max_length=500, description="the file, as it is called above its lines")]
    line: Annotated[int, Field(ge=1, description="the number of the first line in question")]
    last: Annotated[int | None, Field(ge=1, description="of the last one, if there are several")] = None
    problem: Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"\S", description="what is wrong, and why")]
    suggestion: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2_900,
            pattern=r"\S",
            description="what stands in place of exactly these lines, indented as it should be, and nothing else",
        ),
    ]


@_call
def next_speaker(name: Name, note: Note = "") -> NoReturn:
    """Give the floor to a member.

    Args:
        name: who speaks next
        note: what they should speak to; everybody reads it
    """
    raise AssertionError("a pattern takes this")


@_call
def finish(
    answer: Text,
    next_steps: Annotated[list[Fact], Field(max_length=20)] = [],  # noqa: B006  # part of the schema, never called
) -> NoReturn:
    """End the work, with its whole result. Nothing else ends it.

    Args:
        answer: the whole result, as people read it
        next_steps: what people may want to do now, one line each; empty if there is nothing
    """
    raise AssertionError("a pattern takes this")


@_call
def hand_to(name: Name, note: Note = "") -> NoReturn:
    """Hand the task on to a member, who reads all that was said and goes on in your place.

    Args:
        name: who goes on
        note: what they should know
    """
    raise AssertionError("a pattern takes this")


@_call
def plan(
    goal: Text,
    steps: Annotated[list[Step], Field(min_length=1, max_length=50)],
    facts: Annotated[list[Fact], Field(max_length=50)] = [],  # noqa: B006  # part of the schema, never called
) -> NoReturn:
    """Say what is known and what is to be done, by whom. People read it before anything begins.

    Args:
        goal: what the plan is for
        steps: what is done, in order
        facts: what is known for certain
    """
    raise AssertionError("a pattern takes this")


@_call
def progress(
    state: Literal["go_on", "stalled", "done", "stuck"],
    note: Note = "",
    facts: Annotated[list[Fact], Field(max_length=50)] = [],  # noqa: B006  # part of the schema, never called
) -> NoReturn:
    """Judge how far the plan has come.

    Args:
        state: go_on: the next step of the plan is right; stalled: the plan does not work and another is needed;
            done: nothing is left to do; stuck: people must say how to go on
        note: why; of done, the findings, whole, as people read them
        facts: what is known for certain now, and was not before
    """
    raise AssertionError("a pattern takes this")


@_call
def findings(
    summary: Annotated[str, Field(min_length=1, max_length=4_000, pattern=r"\S")],
    found: Annotated[list[Finding], Field(max_length=10)] = [],  # noqa: B006  # part of the schema, never called
) -> NoReturn:
    """End a review with what you found. People accept, change or skip each finding by itself.

    Args:
        summary: what you think of the whole, in a few sentences
        found: what should be different, the most important first; empty if nothing should
    """
    raise AssertionError("a pattern takes this")


@_call
def verdict(move: Literal["accept", "revise", "reject"], text: Note = "") -> NoReturn:
    """Say whether what you were shown is good.

    Args:
        move: accept: as it is; revise: it is done again with what you say; reject: it is not used
        text: what should be different, or why
    """
    raise AssertionError("a pattern takes this")


CALLS: Mapping[str, PatternCall] = {
    one.spec.name: one for one in (next_speaker, finish, hand_to, plan, progress, findings, verdict)
}


def pattern_tools() -> tuple[Tool, ...]:
    """Every call that patterns understand, for the toolbox: a model reads their schemas there."""
    return tuple(CALLS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Which calls of a pattern a member may end its turn with.

    *flaw* says in one sentence what is wrong with a call whose arguments fit the schema; None: nothing. Where it
    *must* be one, words alone are no turn. *told* is what the member is told of it, below its own instructions.
    """

    calls: tuple[str, ...]
    must: bool = True
    told: str = ""
    flaw: Callable[[str, Values], str | None] = lambda _call, _values: None

    def beside(self, call: str) -> Offer:
        """The same, and *call*."""
        return replace(self, calls=(*self.calls, call))

    def taken(self, said: Said) -> Taken | None:
        """The call of this offer in an answer; None if there is none. Raises Misfit, which says what is wrong."""
        mine = next((one for one in said.calls if one.tool in self.calls), None)
        if mine is None:
            if self.must and not said.calls:
                raise Misfit(f"Nothing was decided: words alone decide nothing. Call {' or '.join(self.calls)}.")
            return None
        if len(said.calls) > 1:
            raise Misfit(f"Nothing was done. Call {mine.tool} alone, with no other call beside it.")
        try:
            values = CALLS[mine.tool].read(read_foreign(mine.args or "{}"))
        except (BadJson, InvalidArguments) as error:
            raise Misfit(f"Nothing was done: {error}") from error
        if why := self.flaw(mine.tool, values):
            raise Misfit(f"Nothing was done: {why}")
        return Taken(mine.tool, values)


class Taken(NamedTuple):
    """A call that was taken: its name, and its arguments with their defaults."""

    call: str
    values: Values


class Misfit(Exception):
    """An answer that its pattern cannot take: `told` is for the model."""

    def __init__(self, told: str, *, is_mistake: bool = True) -> None:
        super().__init__(told)
        self.told, self.is_mistake = told, is_mistake

    def lines(self, said: Said) -> tuple[Line, ...]:
        """What the model reads next."""
        if not said.calls:
            return (Line(role="user", text=self.told),)
        return tuple(Line(role="tool", text=self.told, call_id=one.id) for one in said.calls)


@runtime_checkable
class Decider(Member, Protocol):
    """A member that decides by calls (`ReAct` does): for a pattern that must know, and reads no words for it."""

    async def decide(self, room: Room, ctx: RunContext, offer: Offer) -> Turn:
        """Its turn: `move` is the call's name and `values` are its arguments; else as `Member.reply`.

        An answer that does not fit the offer is put right with the model, TRIES times in a row; then people are asked.
        """
        ...


async def decide(member: Decider, room: Room, ctx: RunContext, offer: Offer) -> Turn:
    """One deciding turn of *member*, under its name. To say it, in the room or the thread, is the caller's."""
    with ctx.acting_as(member.name):
        return await member.decide(room, ctx, offer)


async def take_deciding_turn(
    member: Agent | Member, room: Room, ctx: RunContext, offer: Offer, *, is_told: bool = True
) -> Turn:  # fmt: skip
    """As `take_turn`; a member that decides may end its turn with a call of *offer*: words beside it are told, too."""
    if not isinstance(member, Decider):
        return await take_turn(member, room, ctx, is_told=is_told)
    with ctx.acting_as(member.name):
        turn = await member.decide(room, ctx, offer)
        if turn.text.strip() and (turn.move in offer.calls or (is_told and turn.move == SAID)):
            await ctx.note(turn.text)
    room.take(turn)
    return turn


def decider(pattern: str, role: str, member: object) -> Decider:
    """*member*, which decides. Raises ValueError for one that cannot."""
    if not isinstance(member, Decider):
        name = getattr(member, "name", type(member).__name__)
        raise ValueError(f"{pattern}: {name} cannot be its {role}: it decides nothing by calls; take a react agent")
    return member
