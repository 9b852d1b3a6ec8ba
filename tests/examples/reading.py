"""Pictures of the examples in which people read: a review of code, and a text on its way to the public page."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.playground.browser import become, say
from tests.playground.kinds import Shown


async def code_review(page: Page) -> Shown:
    """Ana has accepted the first finding; the second waits for her, in the same thread."""
    await say(page, "@countersign review the sample")
    thread = page.locator("#thread")
    await thread.get_by_role("button", name="Go through all 3").click()
    await expect(thread.get_by_role("button", name="Modify")).to_have_count(3)
    first = thread.locator(".card", has_text="snippet.py, line 1").last
    await first.get_by_role("button", name="Accept").click()
    await expect(thread.get_by_role("button", name="Modify")).to_have_count(2)
    second = thread.locator(".card", has_text="snippet.py, line 5").last
    await expect(second.get_by_role("button", name="Skip")).to_be_visible()
    return [second]


async def content(page: Page) -> Shown:
    """Bo wanted it shorter; the second draft, and what is different, wait for him."""
    await say(page, "@countersign write a post about our new office")
    thread = page.locator("#thread")
    await expect(thread.locator(".card", has_text="round 1 of 3").last).to_be_visible()
    await become(page, "bo")
    await thread.get_by_role("button", name="Shorter").click()
    card = thread.locator(".card", has_text="round 2 of 3").last
    await expect(card.get_by_role("button", name="Add CTA")).to_be_visible()
    draft = thread.locator(".words", has_text="Draft – awaiting review").last
    await expect(draft).to_be_visible()
    return [draft, card]
