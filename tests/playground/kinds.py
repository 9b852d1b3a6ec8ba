"""One picture for each way in which people steer, on the real bot: each begins with a line of the rehearsal's playbook.

    async with seen(browser, url, as_="ana", size=READING) as page:
        shown = await KINDS["review"](page)        # plays it, and says which parts of the page show it

Read by `story`, which takes the pictures. What each part must show is expected here: a scene that shows less fails.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from playwright.async_api import Locator, Page, expect

from tests.playground.browser import become, dialog
from tests.playground.thread import asks, go, newest

Shown = Sequence[Locator]
Scene = Callable[[Page], Awaitable[Shown]]


async def question(page: Page) -> Shown:
    card = await asks(page, "paint the front door", "Question")
    await expect(card.get_by_role("button", name="green")).to_be_visible()
    return [card]


async def form(page: Page) -> Shown:
    """Every kind of field: words, a day, a number, a choice, a person, several choices, yes or no."""
    card = await asks(page, "book a trip to Oslo", "Please fill in")
    await card.get_by_role("button", name="Fill in").click()
    await dialog(page).get_by_label("day").fill("2027-05-04")
    await dialog(page).get_by_label("class").select_option("economy")
    await dialog(page).get_by_label("guest").select_option("Chris")
    await dialog(page).get_by_label("breakfast").check()
    await dialog(page).get_by_label("late check-out").check()
    return [dialog(page)]


async def row(page: Page) -> Shown:
    card = await asks(page, "import the price list", "Please fill in")
    await expect(card).to_contain_text("→ 42")
    return [card]


async def review(page: Page) -> Shown:
    """The second round: the draft again, and what is different."""
    card = await asks(page, "announce that we move on Friday", "round 1 of 3")
    await card.get_by_role("button", name="Revise").click()
    await dialog(page).get_by_label("What should be different").fill("say when the van comes")
    await dialog(page).get_by_role("button", name="Revise").click()
    again = newest(page, "round 2 of 3")
    await expect(again).to_contain_text("+ Version 2")
    return [again]


async def plan(page: Page) -> Shown:
    card = await asks(page, "plan the summer party", "A plan to look at")
    await expect(card.get_by_role("button", name="Edit the steps")).to_be_visible()
    return [card]


async def escalation(page: Page) -> Shown:
    """As Dana, Ana's manager, finds it in her inbox."""
    await asks(page, "a customer threatens to sue us", "Handed over to people")
    await become(page, "dana")
    await go(page, "dana", "inbox")
    waiting = page.locator(".waiting", has_text="Handed over to people").last
    await expect(waiting.get_by_role("button", name="I take it")).to_be_visible()
    return [waiting.locator(".waiting-line"), waiting.locator(".card")]


async def stuck(page: Page) -> Shown:
    card = await asks(page, "read every page of the report", "The agent is stuck")
    await expect(card).to_contain_text("has failed 3 times in a row")
    return [card]


async def taken(page: Page) -> Shown:
    """Bo takes over while a card waits: it is closed, and the run is his until he hands it back."""
    await asks(page, "refund 120 for order 1042, it arrived broken", "Approval needed: refund")
    await become(page, "bo")
    await page.locator("#thread").get_by_role("button", name="Take over").click()
    status = newest(page, "Bo works on this by hand")
    await expect(status.get_by_role("button", name="Hand back")).to_be_visible()
    await expect(page.locator("#thread").get_by_role("button", name="Approve")).to_have_count(0)
    return [page.locator("#thread .byline").last, status, page.locator("#thread .card").last]


async def grant(page: Page) -> Shown:
    card = await asks(page, "keep a diary in diary.txt", "Approval needed: write_file")
    await card.get_by_role("button", name="Approve and allow more").click()
    await dialog(page).get_by_role("button", name="Show the terms").click()
    offer = page.locator("#thread .card", has=page.get_by_role("button", name="Approve and give it"))
    await expect(offer).to_be_visible()
    return [offer]


async def sheet(page: Page) -> Shown:
    line = "cancel orders 1001, 1002 and 1003, the customer moved"
    card = await asks(page, line, "Approval needed: 3 × cancel_order")
    await expect(card.get_by_role("button", name="Approve all 3")).to_be_visible()
    return [card]


async def details(page: Page) -> Shown:
    card = await asks(page, "refund 600 for order 1021, wrong item", "High-risk: refund")
    await become(page, "dana")
    await card.get_by_role("button", name="Details").click()
    sheet = page.locator("#sheet")
    await expect(sheet).to_contain_text("Every argument")
    return [sheet.locator(".bar"), sheet.locator(".card")]


async def glass(page: Page) -> Shown:
    """Bo approves alone, with a reason; the thread is told, and somebody else is asked whether it was right."""
    card = await asks(page, "refund 610 for order 1021, wrong item", "High-risk: refund")
    await become(page, "bo")
    await card.get_by_role("button", name="Details").click()
    await page.locator("#sheet").get_by_role("button", name="Close details").click()
    await card.get_by_role("button", name="Break glass").click()
    await dialog(page).get_by_label("Why nobody else can be waited for").fill("the customer leaves in an hour")
    await dialog(page).get_by_role("button", name="Break glass").click()
    said = page.locator("#thread .words", has_text="Glass broken: Bo approved refund").last
    asked = newest(page, "Glass was broken: please review")
    await expect(asked).to_be_visible()
    return [said, asked]


async def typed(page: Page) -> Shown:
    card = await asks(page, "delete diary.txt", "High-risk: delete_file")
    await become(page, "bo")
    await card.get_by_role("button", name="Details").click()
    await page.locator("#sheet").get_by_role("button", name="Close details").click()
    await card.get_by_role("button", name="Approve").click()
    await dialog(page).get_by_label("Type the value of path to approve").fill("diary.txt")
    return [dialog(page)]


async def handoff(page: Page) -> Shown:
    """A yes or no to go on with, which signs nothing; with the words the agent hands it over in."""
    card = await asks(page, "check with me before you close the shop", "close the shop")
    await expect(card.get_by_role("textbox").or_(card.get_by_role("button", name="Answer"))).to_be_visible()
    return [card]


ANSWERED = (question, form, row, review, plan, escalation, stuck, handoff)
SIGNED = (taken, grant, sheet, details, glass, typed)
KINDS: Mapping[str, Scene] = {scene.__name__: scene for scene in (*ANSWERED, *SIGNED)}
