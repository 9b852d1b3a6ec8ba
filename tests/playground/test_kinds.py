"""Every way to steer, in a real browser on the real bot, from a line that anybody can type; also on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.playground.browser import PHONE, chromium, dialog, executable, fits, seen
from tests.playground.kinds import KINDS
from tests.playground.slim import slimmed
from tests.playground.story import bot, show, show_doubt

pytestmark = pytest.mark.skipif(executable() is None, reason="Chromium is not installed (apt install chromium)")
MOST = 150_000  # bytes of a picture


async def test_a_newcomer_sees_every_way_to_steer(tmp_path: Path) -> None:
    """AS-26, AS-29, ST-18, ST-39, ST-43: a line of the playbook asks for each card; its picture is small enough."""
    async with bot(tmp_path / "var") as app, chromium() as browser:
        for kind in KINDS:
            await show(browser, app, kind, tmp_path / "pictures")
        pictures = sorted((tmp_path / "pictures").glob("*.png"))
        await slimmed(browser, pictures)

    assert [path.stem for path in pictures] == sorted(KINDS)
    assert [path.name for path in pictures if path.stat().st_size > MOST] == []


async def test_a_call_in_doubt_is_put_to_people_on_the_page(tmp_path: Path) -> None:
    """D-50: the process died inside the call; the card says so, and asks what happened."""
    async with chromium() as browser:
        await show_doubt(browser, tmp_path / "var", tmp_path)
        await slimmed(browser, [tmp_path / "doubt.png"])

    assert (tmp_path / "doubt.png").stat().st_size <= MOST


@pytest.mark.parametrize("kind", ["row", "review", "sheet", "grant", "form"])
async def test_no_card_is_wider_than_a_phone(kind: str, tmp_path: Path) -> None:
    """AS-29: 390 points wide: nothing scrolls sideways, in the thread or in a form."""
    async with (
        bot(tmp_path / "var") as app,
        chromium() as browser,
        seen(browser, app.url, as_="ana", size=PHONE) as page,
    ):
        await KINDS[kind](page)
        await fits(page, kind)


async def test_the_start_of_a_channel_offers_what_to_try(tmp_path: Path) -> None:
    """AS-29: every line of the playbook stands there with what it shows, and one press gives the task."""
    async with bot(tmp_path / "var") as app, chromium() as browser, seen(browser, app.url, as_="ana") as page:
        form = page.get_by_role("button", name="book a trip to Oslo a form with every kind of field")

        await form.click()

        await expect(page.locator("#thread .card", has_text="Please fill in")).to_be_visible()
        await page.locator("#thread").get_by_role("button", name="Fill in").click()
        await expect(dialog(page)).to_contain_text("What shall I book for the trip to Oslo?")
