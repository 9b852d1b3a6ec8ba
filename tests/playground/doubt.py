"""A call in doubt, for its picture: the bot is killed in the middle of a call, and the next process asks people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, expect

from bot.demopage import PageStage, page_stage
from bot.demostage import Warehouse
from tests.playground.kinds import Shown


@asynccontextmanager
async def in_doubt(folder: Path) -> AsyncIterator[str]:
    """The address of a bot that was killed while an order was posted: nobody knows whether the order was taken."""
    async with Warehouse.opened() as warehouse, page_stage(_unheard, folder, warehouse) as stage:
        await stage.start()
        try:
            await _break(stage)
            await stage.start()
            await stage.sees("answer")
            yield stage.url
        finally:
            await stage.kill()


async def _break(stage: PageStage) -> None:
    stage.warehouse.is_slow = True
    await stage.write("ana", f"@countersign post ship-order-1042 to {stage.warehouse.url}")
    await stage.press("bo", "details")  # what leaves the house is high-risk: read first
    await stage.press("bo", "approve")
    await stage.warehouse.is_asked.wait()
    await stage.kill()


async def doubt(page: Page) -> Shown:
    """What people are asked then: whether it happened; nothing is guessed, and nothing runs twice."""
    await page.evaluate("location.hash = 'as=bo&at=inbox'")
    waiting = page.locator(".waiting", has_text="http_post").last
    await expect(waiting.get_by_role("button", name="It happened")).to_be_visible()
    return [waiting.locator(".card")]


def _unheard(line: str) -> None:
    """What a demo would print."""
