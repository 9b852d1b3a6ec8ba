"""The whole story on the real bot in a real browser, with a picture at every turn; and one of each way to steer.

python -m tests.playground.story docs/screenshots
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, expect
from pydantic import SecretStr

from bot.app import App, opened
from bot.config import Settings
from tests import postgres
from tests.examples.scenes import SCENES, WITH_DATABASE
from tests.examples.shop import opened_shop
from tests.playground.browser import PHONE, READING, STORY, become, card, chromium, dialog, say, seen, take
from tests.playground.doubt import doubt, in_doubt
from tests.playground.kinds import KINDS
from tests.playground.slim import slimmed

EXAMPLE = "example-"  # in front of a picture's name
TASK = "@countersign refund 120 for order 1042, it arrived broken"


@asynccontextmanager
async def bot(folder: Path, sql_url: str | None = None) -> AsyncIterator[App]:
    """The bot as `serve` opens it: embedded server, rehearsal model, shipped rules."""
    settings = Settings(
        COUNTERSIGN_VAR=folder,
        PORT=0,
        COUNTERSIGN_HEALTH_PORT=0,
        COUNTERSIGN_CODE="on",
        COUNTERSIGN_SQL_URL=SecretStr(sql_url) if sql_url else None,
    )
    async with opened(settings) as app:
        yield app


async def tell(app: App, pictures: Path) -> None:
    """Ana asks, Bo signs, Ana sees the end; Dana looks on, on her phone."""
    async with chromium() as browser, seen(browser, app.url, as_="ana", size=STORY) as page:
        await say(page, TASK)
        approval = page.locator(".card", has_text="Approval needed: refund").last
        await expect(approval).to_be_visible()
        await take(page, pictures / "approval.png")
        async with seen(browser, app.url, as_="bo", at="inbox", size=PHONE) as phone:
            await expect(card(phone)).to_contain_text("refund")
            await take(phone, pictures / "inbox-phone.png")
        await become(page, "bo")
        await _edit(page, pictures)
        await expect(page.locator(".card", has_text="Done").last).to_be_visible()
        await expect(page.locator("#list .mark")).to_have_text("done")
        await take(page, pictures / "done.png")
        await page.get_by_role("button", name="Timeline").last.click()
        await expect(page.get_by_text("gave the task").last).to_be_visible()
        await take(page, pictures / "timeline.png")
        async with seen(browser, app.url, as_="dana", at="audit") as audit:
            await expect(audit.get_by_text("Vote counted").first).to_be_visible()
            await take(audit, pictures / "audit.png", scheme="dark")


async def show(browser: Browser, app: App, kind: str, pictures: Path) -> None:
    """One way in which people steer, or one example, as whoever reads its card sees it."""
    scene = KINDS[kind] if kind in KINDS else {**SCENES, **WITH_DATABASE}[kind.removeprefix(EXAMPLE)]
    async with seen(browser, app.url, as_="ana", size=READING) as page:
        await take(page, pictures / f"{kind}.png", of=await scene(page))


async def show_doubt(browser: Browser, var: Path, pictures: Path) -> None:
    """A call that was running when the bot was killed, as Bo finds it in his inbox."""
    async with in_doubt(var) as url, seen(browser, url, as_="bo", at="inbox", size=READING) as page:
        await take(page, pictures / "doubt.png", of=await doubt(page))


async def _edit(page: Page, pictures: Path) -> None:
    """Bo changes the amount first; with duties separated, somebody else signs his version."""
    await page.locator(".card").get_by_role("button", name="Edit").last.click()
    await dialog(page).get_by_label("amount").fill("110")
    await take(page, pictures / "edit.png")
    await dialog(page).get_by_role("button", name="Propose change").last.click()
    await expect(page.locator(".card", has_text="Changed by Bo").last).to_be_visible()
    await become(page, "chris")
    await take(page, pictures / "changed.png")
    await page.locator(".card").get_by_role("button", name="Approve").last.click()


async def _main(pictures: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with bot(Path(folder, "story")) as app:
            await tell(app, pictures)
        async with bot(Path(folder, "kinds")) as app, chromium() as browser:
            for kind in KINDS:
                await show(browser, app, kind, pictures)
        for name in SCENES:  # each by itself: an inbox is not full of the others' cards
            async with bot(Path(folder, name)) as app, chromium() as browser:
                await show(browser, app, EXAMPLE + name, pictures)
        if (programs := postgres.binaries()) is not None:
            with postgres.running(programs) as server:
                async with bot(Path(folder, "base"), opened_shop(server)) as app, chromium() as browser:
                    for name in WITH_DATABASE:
                        await show(browser, app, EXAMPLE + name, pictures)
        async with chromium() as browser:
            await show_doubt(browser, Path(folder, "doubt"), pictures)


async def _slim(pictures: Sequence[Path]) -> None:
    async with chromium() as browser:
        await slimmed(browser, pictures)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    asyncio.run(_main(folder))
    asyncio.run(_slim(sorted(folder.glob("*.png"))))
