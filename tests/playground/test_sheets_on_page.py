"""A sheet in a real browser, on the real bot: one card for three calls, two of them chosen; one entry in the inbox."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.playground.browser import chromium, dialog, executable, say, seen
from tests.playground.story import bot

pytestmark = pytest.mark.skipif(executable() is None, reason="Chromium is not installed (apt install chromium)")


async def test_two_of_three_equal_calls_are_approved_with_one_press(tmp_path: Path) -> None:
    """AS-20, AS-29: three cancellations wait once; Ana takes one out, and the card says what became of each."""
    async with bot(tmp_path / "var") as app, chromium() as browser, seen(browser, app.url, as_="ana") as page:
        await say(page, "@countersign cancel orders 1001, 1002 and 1003, the customer moved")
        card = page.locator(".card", has_text="Approval needed: 3 × cancel_order").last
        await expect(card.get_by_role("button", name="Approve all 3")).to_be_visible()
        async with seen(browser, app.url, as_="ana", at="inbox") as inbox:
            await expect(inbox.locator(".card")).to_have_count(1)

        await card.get_by_role("button", name="Approve some").click()
        await expect(dialog(page).get_by_role("checkbox")).to_have_count(3)
        await dialog(page).get_by_role("checkbox").last.uncheck()
        await dialog(page).get_by_role("button", name="Approve some").click()

        decided = page.locator(".card", has_text="All decided: 3 × cancel_order").last
        await expect(decided).to_contain_text("2 done, 1 rejected.")
        await expect(decided).to_contain_text("3. cancel_order · taken out by Ana")
        await expect(decided.get_by_role("button", name="Approve")).to_have_count(0)
