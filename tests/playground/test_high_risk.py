"""High risk in a real browser, on the real bot: details at the side, a value typed, glass broken and reviewed."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.playground.browser import become, chromium, dialog, executable, say, seen
from tests.playground.story import bot

pytestmark = pytest.mark.skipif(executable() is None, reason="Chromium is not installed (apt install chromium)")


async def test_a_deletion_is_read_and_typed_before_it_is_approved(tmp_path: Path) -> None:
    """AS-29, AU-24, D-33: Details open at the side; Approve wants the path typed and says so beside the field."""
    async with bot(tmp_path / "var") as app, chromium() as browser, seen(browser, app.url, as_="ana") as page:
        await say(page, "@countersign delete notes.txt")
        card = page.locator(".card", has_text="High-risk: delete_file").last
        await expect(card).to_be_visible()
        await become(page, "bo")

        await card.get_by_role("button", name="Details").click()
        sheet = page.locator("#sheet")
        await expect(sheet).to_contain_text("Every argument")
        await expect(sheet).to_contain_text('"path": "notes.txt"')
        await expect(sheet).to_contain_text("What this run did before")
        await sheet.get_by_role("button", name="Close details").click()

        await card.get_by_role("button", name="Approve").click()
        field = dialog(page).get_by_label("Type the value of path to approve")
        await expect(field).to_have_value("")
        await field.fill("notes.tx")
        await dialog(page).get_by_role("button", name="Approve").click()
        await expect(dialog(page)).to_contain_text("This is not the value of path, letter for letter.")
        await field.fill("notes.txt")
        await dialog(page).get_by_role("button", name="Approve").click()
        await expect(page.locator(".card", has_text="Approved by Bo").last).to_be_visible()


async def test_glass_is_broken_with_a_reason_and_reviewed(tmp_path: Path) -> None:
    """I4: one approver alone, where a manager was asked; the thread reads of it, and a manager says it was right."""
    async with bot(tmp_path / "var") as app, chromium() as browser, seen(browser, app.url, as_="ana") as page:
        await say(page, "@countersign refund 501 on order 1001")
        card = page.locator(".card", has_text="refund").filter(has_text="In an emergency").last
        await expect(card).to_be_visible()
        await become(page, "bo")
        await card.get_by_role("button", name="Details").click()
        await page.locator("#sheet").get_by_role("button", name="Close details").click()

        await card.get_by_role("button", name="Break glass").click()
        await expect(dialog(page)).to_contain_text("on your signature alone?")
        await dialog(page).get_by_label("Why nobody else can be waited for").fill("no manager is there")
        await dialog(page).get_by_role("button", name="Break glass").click()

        await expect(page.get_by_text("Glass broken: Bo approved refund").last).to_be_visible()
        await become(page, "erin")
        review = page.locator(".card", has_text="Glass was broken: please review").last
        await review.get_by_role("button", name="It was right").click()
        await dialog(page).get_by_label("Why, and what should follow").fill("right")
        await dialog(page).get_by_role("button", name="It was right").click()
        await expect(page.locator(".card", has_text="Erin answered").last).to_be_visible()
