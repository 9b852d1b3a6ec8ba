"""A task on the page and what comes of it, as every scene plays it: somebody goes there, asks, and finds the card."""

from __future__ import annotations

from playwright.async_api import Locator, Page, expect

from tests.playground.browser import arrived, say


async def asks(page: Page, line: str, about: str) -> Locator:
    """Ana gives the task in #general; the card that comes of it, in the task's thread."""
    await go(page, "ana", "general")
    await say(page, f"@countersign {line}")
    card = newest(page, about)
    await expect(card).to_be_visible()
    return card


def newest(page: Page, text: str) -> Locator:
    """The last card of the thread that says *text*."""
    return page.locator("#thread .card", has_text=text).last


async def go(page: Page, user: str, at: str) -> None:
    await page.evaluate("hash => { location.hash = hash; }", f"as={user}&at={at}")
    await arrived(page, user)
    await expect(page.locator("#thread")).to_be_hidden()
