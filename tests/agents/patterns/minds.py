"""A model for tests of patterns: each agent has turns of its own, found by the first word of its prompt."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence

from agents.react import ReAct
from bot.domain.calls import ToolSpec
from bot.domain.ports import Line, Said, WantedCall
from bot.domain.wire import replace

Turn = str | WantedCall | Said | Exception | Callable[[Sequence[Line]], "str | Said | WantedCall"]


def call(tool: str, **args: object) -> WantedCall:
    return WantedCall(id="", tool=tool, args=json.dumps(args))


def agent(name: str, *tools: str, **more: object) -> ReAct:
    """An agent whose prompt is its name."""
    return ReAct(name=name, prompt=name, tools=tools, **more)  # type: ignore[arg-type]  # a test's own keywords


class Minds:
    """`ports.Model`. `read` holds what each agent was shown, turn by turn; one without a turn left says so."""

    name = "minds"

    def __init__(self, **turns: Sequence[Turn]) -> None:
        self._turns = {name: list(given) for name, given in turns.items()}
        self.read: dict[str, list[tuple[Line, ...]]] = {name: [] for name in turns}
        self.offered: dict[str, list[list[str]]] = {name: [] for name in turns}
        self.gates: dict[str, asyncio.Event] = {}  # an agent here thinks until its gate is open
        self.order: list[str] = []
        self.began = asyncio.Event()

    async def think(
        self, lines: Sequence[Line], tools: Sequence[ToolSpec], *, on_text: Callable[[str], None] | None = None
    ) -> Said:
        who = self.who(lines)
        self.order.append(who)
        self.read[who].append(tuple(lines))
        self.offered[who].append([one.name for one in tools])
        self.began.set()
        if who in self.gates:
            await self.gates[who].wait()
        turn = self._turns[who].pop(0) if self._turns[who] else f"{who} has nothing to add"
        if isinstance(turn, Exception):
            raise turn
        given = turn if isinstance(turn, str | WantedCall | Said) else turn(lines)
        said = _said(given)
        if on_text is not None and said.text:
            on_text(said.text)
        number = len(self.read[who])
        return replace(said, calls=tuple(_named(one, f"{who}-{number}-{at}") for at, one in enumerate(said.calls)))

    def who(self, lines: Sequence[Line]) -> str:
        """Whose conversation this is."""
        return lines[0].text.split()[0]

    def told(self, who: str, turn: int = -1) -> str:
        """Everything *who* read at that turn."""
        return "\n".join(line.text for line in self.read[who][turn])


def _said(given: str | WantedCall | Said) -> Said:
    match given:
        case str():
            return Said(text=given)
        case WantedCall():
            return Said(calls=(given,))
    return given


def _named(wanted: WantedCall, id: str) -> WantedCall:
    return wanted if wanted.id else replace(wanted, id=id)
