"""The gate: no call runs without leave, and none runs twice on one leave.

    call -> read and check -> decide() -> allow -> run
                                       -> deny  -> result says why
                                       -> ask   -> request -> sleep -> decision -> spend -> run

Owns the calls of one turn, side by side. The steps of each are its passage; what a passage asks of the rest
of the house is the gatehouse. Not the rules (policy), the votes (ballot), nor what a tool does.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.calls import ToolResult
from bot.domain.ports import WantedCall
from bot.runtime.context import side_by_side
from bot.runtime.gatehouse import Gatehouse
from bot.runtime.host import Host
from bot.runtime.lanes import lanes
from bot.runtime.passage import Passage
from bot.runtime.tray import Tray


class Gate:
    """What every tool call of every agent goes through."""

    def __init__(self, house: Gatehouse) -> None:
        self.house = house

    async def use(self, host: Host, path: str, wanted: Sequence[WantedCall], why: str) -> tuple[ToolResult, ...]:
        """The calls of one turn: those people must sign are put to them at once, results come in order."""
        tray = Tray(self.house, host, len(wanted))
        passages = [
            Passage(self.house, host, lane, path=f"{path}.{i}", wanted=call, why=why)
            for i, (call, lane) in enumerate(zip(wanted, lanes(host, tray), strict=True))
        ]
        if len(passages) == 1:  # most turns: no task of its own, which a sleeper would keep and a waker go through
            return (await passages[0].go(),)
        return await side_by_side(host, [passage.go() for passage in passages])
