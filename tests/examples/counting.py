"""The scenes of the examples about data: a row that does not fit, and a statement that changes a database."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.playground.browser import become
from tests.playground.kinds import Shown
from tests.playground.thread import asks, newest


async def csv(page: Page) -> Shown:
    """A value is missing, as Bo, an analyst, finds it: the whole row, and a button for every way."""
    card = await asks(page, "clean up 5 sample rows", "class of row 2: it is missing")
    await expect(newest(page, "day of row 4")).to_be_visible()
    await become(page, "bo")
    await expect(card.get_by_role("button", name="wholesale")).to_be_visible()
    await expect(card.get_by_role("button", name="Enter a value")).to_be_visible()
    return [card]


async def migration(page: Page) -> Shown:
    """The plan is approved, the first statement signed; the picture is the second, which is a card of its own."""
    plan = await asks(page, "migrate the totals of orders to whole cents", "A plan to look at")
    await plan.get_by_role("button", name="Proceed", exact=True).click()
    first = newest(page, "ADD COLUMN total_cents")
    await expect(first).to_contain_text("Approval needed: sql_execute")
    await become(page, "bo")
    await first.get_by_role("button", name="Approve").click()
    cards = page.locator("#thread .card", has_text="Approval needed: sql_execute")
    second = cards.filter(has_text="UPDATE orders").last
    await expect(second).to_contain_text("about 1,000 of about 1,000 rows")
    return [second]
