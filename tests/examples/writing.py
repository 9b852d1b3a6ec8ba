"""Scenes of the examples that answer customers and write to vendors."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.playground.browser import become, dialog
from tests.playground.kinds import Shown
from tests.playground.thread import asks, go, newest


async def support(page: Page) -> Shown:
    """Up to 500 an approver signs, and reads where the clerk looked; above it a manager gets a message."""
    line = "customer writes: please refund 120 for order 1042, it arrived broken"
    card = await asks(page, line, "Approval needed: refund")
    await expect(card).to_contain_text("order 1042 in the shop")
    await asks(page, "customer writes: our lawyer will be in touch about order 1042", "Handed over to people")
    await become(page, "dana")
    await go(page, "dana", "inbox")
    waiting = page.locator(".waiting", has_text="Handed over to people").last
    await expect(waiting).to_contain_text("our lawyer will be in touch")
    await expect(waiting.get_by_role("button", name="I take it")).to_be_visible()
    return [waiting.locator(".waiting-line"), waiting.locator(".card")]


async def vendor(page: Page) -> Shown:
    """The tone, a draft in two rounds, and the signer's card with exactly the accepted text."""
    line = "write to our vendor sales@vendor.example and ask for 10 % off the Q2 order"
    card = await asks(page, line, "In which tone")
    await card.get_by_role("button", name="formal", exact=True).click()
    draft = newest(page, "round 1 of 3")
    await draft.get_by_role("button", name="Revise").click()
    await dialog(page).get_by_label("What should be different").fill("mention that we pay within ten days")
    await dialog(page).get_by_role("button", name="Revise").click()
    again = newest(page, "round 2 of 3")
    await expect(again).to_contain_text("What is different")
    await again.get_by_role("button", name="Accept", exact=True).click()
    await become(page, "bo")
    signed = newest(page, "High-risk: send_email")
    await expect(signed).to_contain_text("outside: vendor.example is not our own domain")
    await expect(signed.get_by_role("button", name="Approve", exact=True)).to_be_visible()
    return [signed]
