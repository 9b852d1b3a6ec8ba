"""A draft and whoever looks at it, round after round, until it goes on or ends.

    maker -> draft, marked as one -> a look -> it goes on
       ^                               ├ words go back ─┐
       └───────────────────────────────────────────────┘
                                       └ an end: stopped, unaccepted, or nobody there

How many rounds there are is counted where people look (`Person.rounds`): in the last one they are told so, and may
allow another, write it themselves or end it. Nothing goes on without their move (D-09). Not who is a maker of what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agents.patterns.person import GOES_BACK, STOP, UNACCEPTED, UNANSWERED, Person
from agents.patterns.room import SAID, Member, Room, Turn, take_turn
from bot.domain.ports import Agent, RunContext

WAITS = "Draft – awaiting review"  # above every draft that nobody has looked at (A2-14)

ENDS: Mapping[str, Callable[[str, Turn], str]] = {
    STOP: lambda who, _: f"Workflow halted by {who}.",
    UNACCEPTED: lambda who, _: f"{who} wants no further version. Its status is: unaccepted. Nothing went on.",
    UNANSWERED: lambda _, turn: f"Nobody decided it as {turn.by}, so nothing went on. {turn.text}",
}


async def rounds(maker: Agent | Member, gate: Person, room: Room, ctx: RunContext) -> Turn:
    """The turn that ended it: of *gate*, whose text is what goes on; or of *maker*, if people ended that one."""
    while True:
        made = await draft_turn(maker, room, ctx)
        if made.move != SAID:
            return made
        looked = await take_turn(gate, room, ctx)
        if looked.move not in GOES_BACK:
            return looked


async def draft_turn(maker: Agent | Member, room: Room, ctx: RunContext) -> Turn:
    """One turn of *maker*. Its words are in the thread under its name, as what they are: a draft."""
    turn = await take_turn(maker, room, ctx, is_told=False)
    if turn.move == SAID and turn.text.strip():
        with ctx.acting_as(maker.name):
            await ctx.note(f"{WAITS}\n\n{turn.text}")
    return turn


def ended(pattern: str, turn: Turn) -> Turn:
    """The last word of *pattern*, because *turn* ended it."""
    tell = ENDS.get(turn.move)
    who = str(turn.values.get("by") or turn.by)
    words = f" They say: {turn.text!r}" if tell and turn.move != UNANSWERED and turn.text else ""
    return Turn(by=pattern, text=tell(who, turn) + words if tell else turn.text, move=turn.move)
