"""The scenes of the examples about data: a row that does not fit, and a statement that changes a database."""

from __future__ import annotations

from playwright.async_api import Locator, Page, expect

from tests.playground.browser import become, say
from tests.playground.kinds import Shown


async def csv(page: Page) -> Shown:
    """A value is missing, as Bo, an analyst, finds it: the whole row, and a button for every way."""
    await _asks(page, "clean up 5 sample rows")
    card = _card(page, "class of row 2: it is missing")
    await expect(card).to_be_visible()
    await expect(_card(page, "day of row 4")).to_be_visible()
    await become(page, "bo")
    await expect(card.get_by_role("button", name="wholesale")).to_be_visible()
    await expect(card.get_by_role("button", name="Enter a value")).to_be_visible()
    return [card]


async def migration(page: Page) -> Shown:
    """The plan is approved, the first statement signed; the picture is the second, which is a card of its own."""
    await _asks(page, "migrate the totals of orders to whole cents")
    plan = _card(page, "A plan to look at")
    await plan.get_by_role("button", name="Proceed", exact=True).click()
    first = _card(page, "ADD COLUMN total_cents")
    await expect(first).to_contain_text("Approval needed: sql_execute")
    await become(page, "bo")
    await first.get_by_role("button", name="Approve").click()
    cards = page.locator("#thread .card", has_text="Approval needed: sql_execute")
    second = cards.filter(has_text="UPDATE orders").last
    await expect(second).to_contain_text("about 1,000 of about 1,000 rows")
    return [second]


async def _asks(page: Page, line: str) -> None:
    """Ana gives the task in #general."""
    await page.evaluate("location.hash = 'as=ana&at=general'")
    await expect(page.locator("#thread")).to_be_hidden()
    await say(page, f"@countersign {line}")


def _card(page: Page, text: str) -> Locator:
    return page.locator("#thread .card", has_text=text).last
