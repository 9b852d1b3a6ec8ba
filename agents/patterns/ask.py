"""What a pattern itself asks of people: how it goes on when it cannot, and which way.

    how = await ask_stuck(ctx, room, "The talk has had its 6 turns.")      go_on · done · guide · end
    which = await ask_which(ctx, room, "Who goes on?", ("writer", "user"))

Who speaks before it can be asked is heard first, then it is asked again. Nobody's silence is a yes: no answer is an
end, or none of the options. Not what follows from an answer: that is the pattern's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agents.patterns.room import Room
from bot.domain.asking import CHOICE, TEXT
from bot.domain.calls import Cause, Outcome, ToolResult
from bot.domain.inquiry_question import asking
from bot.domain.inquiry_stuck import Trouble
from bot.domain.ports import RunContext, WantedCall
from bot.domain.wire import dumps, loads

ASKED_MOST = 10  # times the same question, when somebody speaks each time before it can be put
TOLD_MOST, TRIED_MOST, LINE_MOST = 500, 20, 300  # of `ask_when_stuck`: characters, lines, characters of a line
GO_ON, DONE, GUIDE, END = "go_on", "done", "guide", "end"


class How(NamedTuple):
    """How people want it to go on, in a word, and in their words; `end` if nobody said. *told* is for the last word."""

    move: str
    text: str
    told: str


async def ask_stuck(ctx: RunContext, room: Room, told: str, tried: Sequence[str] = ()) -> How:
    """Put to people that it cannot go on by itself. Their words of guidance are in *room* afterwards."""
    lines = [_line(one) for one in tried][-TRIED_MOST:]
    args = {"what": Trouble.STEPS, "told": told[:TOLD_MOST], "tried": lines}
    result = await put(ctx, room, WantedCall(id="stuck", tool="ask_when_stuck", args=dumps(args).decode()))
    if result.outcome is not Outcome.OK:
        return How(END, "", result.text)
    answer = loads(result.answer)
    how = How(str(answer["move"]), str(answer.get(TEXT) or ""), result.text)
    if how.move == GUIDE:
        room.guided(how.told)
    return how


async def ask_which(ctx: RunContext, room: Room, question: str, options: Sequence[str]) -> str | None:
    """The one of *options* that people choose; None if they leave it, or nobody answers."""
    wanted = asking(question, options=options, of="", default="", may_write=False)
    result = await put(ctx, room, wanted)
    return chosen(result, options)


def chosen(result: ToolResult, options: Sequence[str]) -> str | None:
    """Which of *options* the answer to a question is; None if it is none of them."""
    if result.outcome is not Outcome.OK:
        return None
    answer = loads(result.answer)
    move = str(answer["move"])
    if move.startswith("pick_"):
        return options["abcde".index(move.removeprefix("pick_"))]
    return str(answer[CHOICE]) if move == "choose" and answer[CHOICE] in options else None


async def put(ctx: RunContext, room: Room, wanted: WantedCall) -> ToolResult:
    """The answer to *wanted*, a call that only people can run."""
    for _ in range(ASKED_MOST):
        (result,) = await ctx.use((wanted,))
        if result.cause is not Cause.SUPERSEDED:
            break
        await room.hear(ctx)
    return result


def _line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= LINE_MOST else f"{flat[: LINE_MOST - 1]}…"
