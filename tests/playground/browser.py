"""A real browser in front of the playground, and pictures of what it shows.

    async with chromium() as browser, seen(browser, url, as_="ana", size=PHONE) as page:
        await take(page, folder / "inbox.png")

Headless Chromium as the system has it; nothing is downloaded. Tests that need it are skipped where it is missing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

from playwright.async_api import Browser, FloatRect, Locator, Page, ViewportSize, async_playwright

DESKTOP: ViewportSize = {"width": 1280, "height": 800}
STORY: ViewportSize = {"width": 1280, "height": 960}  # all of a card in its thread
READING: ViewportSize = {"width": 1000, "height": 1500}  # a thread alone, and all of a long card
PHONE: ViewportSize = {"width": 390, "height": 844}
NARROW: ViewportSize = {"width": 375, "height": 667}
AIR = 6  # CSS pixels around what a picture is of
PATIENCE = 10_000  # ms; only a broken page ever waits so long

ARGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-lcd-text"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def executable() -> str | None:
    """Where Chromium is, or None."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=list(ARGS))
        yield browser
        await browser.close()


@asynccontextmanager
async def seen(
    browser: Browser, url: str, *, as_: str, at: str = "general", size: ViewportSize = DESKTOP
) -> AsyncIterator[Page]:
    """A page of its own, opened as one person at one place. Fails if the page's code raises or logs an error."""
    complaints: list[str] = []
    context = await browser.new_context(
        viewport=size, is_mobile=size["width"] < 500, has_touch=size["width"] < 500, device_scale_factor=2
    )
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    await page.goto(f"{url}#{urlencode({'as': as_, 'at': at})}")
    await page.locator(f"#as option[value={as_}]").wait_for(state="attached")
    yield page
    await context.close()
    told = ("status of 4", "status of 503", "net::ERR_FAILED")  # what the browser itself says of an answer
    unexpected = [text for text in complaints if not any(each in text for each in told)]
    assert not unexpected, unexpected


async def take(page: Page, path: Path, *, scheme: str = "light", of: Sequence[Locator] = ()) -> None:
    """A picture of the page, once nothing moves any more; or of the part that shows all *of* these, twice as sharp."""
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    await page.evaluate("document.fonts.ready")
    path.parent.mkdir(parents=True, exist_ok=True)
    if of:
        await page.mouse.move(0, 0)  # what is pointed at, or has the focus, shows more than it does at rest
        await page.evaluate("document.querySelector('dialog[open]') ?? document.activeElement.blur()")
        await page.screenshot(path=path, animations="disabled", caret="hide", clip=await _around(of))
    else:
        await page.screenshot(path=path, animations="disabled", caret="hide")


async def _around(parts: Sequence[Locator]) -> FloatRect:
    """The part of the page that shows all of them, with a little air."""
    boxes = [box for part in parts if (box := await part.bounding_box())]
    left, top = min(box["x"] for box in boxes) - AIR, min(box["y"] for box in boxes) - AIR
    right = max(box["x"] + box["width"] for box in boxes) + AIR
    bottom = max(box["y"] + box["height"] for box in boxes) + AIR
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}


async def fits(page: Page, where: str) -> None:
    """Nothing is so wide that the page, or a part of it, scrolls sideways."""
    wide = await page.evaluate(
        """() => [document.documentElement, ...document.querySelectorAll('.list, .sheet, .sheet-body, .dialog, .rail')]
            .filter(each => each.checkVisibility() && each.scrollWidth > each.clientWidth + 1)
            .flatMap(each => [each, ...each.querySelectorAll('*')])
            .filter(each => each.getBoundingClientRect().right > innerWidth + 1)
            .map(each => `${each.tagName}.${each.className}`)"""
    )
    assert wide == [], f"{where} scrolls sideways: {wide}"


async def say(page: Page, text: str) -> None:
    """Write *text* at the top of the conversation that is open."""
    box = page.locator("#message-box")
    await box.fill(text)
    await box.press("Enter")


async def become(page: Page, user: str) -> None:
    await page.get_by_label("Viewing as").select_option(user)
    await arrived(page, user)


async def arrived(page: Page, user: str) -> None:
    """The page is *user*'s: what is pressed from now on is theirs. Until then nothing on it can be pressed."""
    await page.wait_for_function("user => new URLSearchParams(location.hash.slice(1)).get('as') === user", arg=user)
    await page.locator("#main:not([inert])").wait_for(state="attached")


def card(page: Page) -> Locator:
    """The newest card on the page."""
    return page.locator(".card:visible").last


def dialog(page: Page) -> Locator:
    return page.locator("#dialog")


async def settled(page: Page, text: str) -> None:
    """Wait until a card's status says *text*."""
    await page.locator(".status").filter(has_text=text).first.wait_for()
