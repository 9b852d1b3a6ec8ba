"""The demo: a whole story in seconds, with the real bot in a process of its own and simulated people.

    ana asks for a refund -> bo signs it -> it happens once
    --kill: the bot dies while the card waits, and again while a signed call is running
    --slack, --teams: the people are in a strict imitation of it, and the bot talks to it as to the real one
    --both: one request stands on both, and two people sign it in two places

The story ends well only if the audit verifies and each effect, counted where it happened, happened exactly once.
Owns the story. Not the bot's process (demostage), nor how people read and press (demopage, demoslack,
demoteams, demoboth).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

from aiohttp import ClientError

from bot.demoboth import BothStage, both_stage
from bot.demopage import page_stage
from bot.demoslack import slack_stage
from bot.demostage import Say, Stage, Warehouse
from bot.demoteams import teams_stage


class Troupe(Protocol):
    """A stage with people on it."""

    warehouse: Warehouse

    async def start(self) -> None: ...
    async def die(self, when: str) -> None: ...
    async def kill(self) -> None: ...
    async def stop(self) -> None: ...
    async def write(self, by: str, text: str) -> None: ...
    async def press(self, by: str, move: str, fields: dict[str, str] | None = None) -> None:
        """Press *move* on the newest card that has it; try again while the answer is "not recorded"."""
        ...

    async def sees(self, move: str) -> object:
        """Wait for a card with this button."""
        ...

    async def ends(self, runs: int) -> None:
        """Wait until this many runs say that they are done."""
        ...

    async def listen_on(self) -> None:
        """Wait for the answer to what was asked last; it may come a moment after the run's end."""
        ...

    def tell(self, text: str) -> None: ...
    def refunds(self) -> int: ...
    async def verify(self) -> bool: ...


async def play_demo(say: Say, *, is_deadly: bool, where: str = "page") -> int:
    """Play it; 0 if it ended as it must. *where* is page, slack, teams or both.

    Raises BadSettings where there is no imitation of the platform.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="countersign-")))
        warehouse = await stack.enter_async_context(Warehouse.opened())
        stage = await stack.enter_async_context(STAGES[where](say, folder, warehouse))
        stack.push_async_callback(stage.kill)
        try:
            if isinstance(stage, BothStage):
                return await _across(stage, is_deadly=is_deadly)
            return await _story(stage, is_deadly=is_deadly)
        except (ClientError, TimeoutError) as error:
            say(f"THIS IS WRONG: the bot stopped answering ({type(error).__name__}).")
            return 1


async def _across(stage: BothStage, *, is_deadly: bool) -> int:
    await stage.story(is_deadly=is_deadly)
    await stage.stop()
    return await _reckon(stage, shipments=0)


async def _story(stage: Troupe, *, is_deadly: bool) -> int:
    await _refund(stage, is_deadly=is_deadly)
    if is_deadly:
        await _shipment(stage)
    await stage.listen_on()
    await stage.stop()
    return await _reckon(stage, shipments=1 if is_deadly else 0)


async def _refund(stage: Troupe, *, is_deadly: bool) -> None:
    """The card waits; with *is_deadly* the bot dies and comes back before anybody signs."""
    await stage.start()
    await stage.write("ana", "@countersign refund 120 for order 1042, it arrived broken")
    await stage.sees("approve")
    if is_deadly:
        await stage.die("while the card waits")
        await stage.start()
    await stage.press("bo", "approve")
    await stage.ends(1)


async def _shipment(stage: Troupe) -> None:
    """The signed call is running when the bot dies: nobody guesses, a person says what happened."""
    stage.warehouse.is_slow = True
    await stage.write("ana", f"@countersign post ship-order-1042 to {stage.warehouse.url}")
    await stage.press("bo", "details")  # what leaves the house is high-risk: read first
    await stage.press("bo", "approve")
    await stage.warehouse.is_asked.wait()
    await stage.die("while the signed call is running")
    stage.warehouse.is_slow = False
    await stage.start()
    stage.tell("the warehouse's own book says: it has the order.")
    await stage.press("bo", "answer", {"result": "the warehouse has it"})
    await stage.ends(2)


async def _reckon(stage: Stage | Troupe, *, shipments: int) -> int:
    refunds, shipped = stage.refunds(), stage.warehouse.count
    audit = await stage.verify()
    is_good = audit and refunds == 1 and shipped == shipments
    stage.tell(f"refunds in the shop's book: {refunds}")
    if shipments:
        stage.tell(f"orders in the warehouse's book: {shipped}")
    stage.tell("everything happened exactly once." if is_good else "THIS IS WRONG: it did not happen exactly once.")
    return 0 if is_good else 1


Opened = Callable[[Say, Path, Warehouse], AbstractAsyncContextManager[Any]]
STAGES: Mapping[str, Opened] = {"page": page_stage, "slack": slack_stage, "teams": teams_stage, "both": both_stage}
