"""A model that says what a test wrote down: one answer a turn, or a function of the conversation so far.

Script([call("refund", order_id=7, amount=40, reason="late"), "Refunded."])
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from agents.tryout.errors import ScriptError
from bot.domain.calls import ToolSpec
from bot.domain.ports import Line, OnText, Said, WantedCall
from bot.domain.wire import replace

Turn = str | WantedCall | Said | Callable[[Sequence[Line]], "str | WantedCall | Said"]


def call(tool: str, **args: object) -> WantedCall:
    """A tool call as the model words it. Its id is given by the turn it stands in."""
    return WantedCall(id="", tool=tool, args=json.dumps(args))


def calls(*wanted: WantedCall, why: str = "") -> Said:
    """Several calls of one turn. *why* is what the model says beside them: people read it as its reason."""
    return Said(text=why, calls=wanted)


class Script:
    """`ports.Model`. `read` holds every conversation it was shown, turn by turn."""

    name = "script"

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = tuple(turns)
        self.read: list[tuple[Line, ...]] = []

    async def think(
        self, lines: Sequence[Line], tools: Sequence[ToolSpec], *, on_text: OnText | None = None
    ) -> Said:  # fmt: skip
        """The next answer. Raises ScriptError when the script is over, naming what the model was asked last."""
        turn = len(self.read)
        self.read.append(tuple(lines))
        if turn >= len(self._turns):
            last = f"{lines[-1].role}: {lines[-1].text[:200]}" if lines else "nothing"
            raise ScriptError(f"the model is asked for answer {turn + 1}, its script has {turn}; it last read {last!r}")
        said = _said(self._turns[turn], lines)
        if on_text is not None and said.text:
            on_text(said.text)
        del tools  # a script knows what it wants
        return replace(said, calls=tuple(_named(one, turn, at) for at, one in enumerate(said.calls)))


def _said(turn: Turn, lines: Sequence[Line]) -> Said:
    given = turn(lines) if callable(turn) else turn
    match given:
        case str():
            return Said(text=given)
        case WantedCall():
            return Said(calls=(given,))
    return given


def _named(wanted: WantedCall, turn: int, at: int) -> WantedCall:
    return wanted if wanted.id else replace(wanted, id=f"call-{turn}-{at}")
