"""The page in a real browser: a task is given, a card is signed by somebody else, and everybody sees it happen.

Behind the front door stands the `StandIn`; everything in front of it is real.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

from adapters.playground.chat import Playground, PlaygroundSettings
from bot.domain.chat import Account, Attachment, Block, Button, Card, Fact, Place
from tests.playground import browser as eyes
from tests.playground.browser import become, card, chromium, dialog, fits, say, seen, settled, take
from tests.playground.standin import PEOPLE, StandIn

pytestmark = pytest.mark.skipif(eyes.executable() is None, reason="Chromium is not installed (apt install chromium)")

GENERAL = Place(platform="playground", tenant="local", channel="general")
PNG = base64.b64decode(  # one grey dot
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TASK = "@countersign refund order 7, it arrived broken"
HOSTILE = (
    "<script>window.hit = 1</script> <img src=x onerror='window.hit = 1'> <!channel> *bold* \u202eevil\u202c &amp;"
)


@asynccontextmanager
async def house(tmp: Path) -> AsyncIterator[tuple[Browser, Playground, StandIn]]:
    front = StandIn()
    examples = {"refund order 7, it arrived broken": "an approver signs"}
    chat = Playground(PlaygroundSettings(people=PEOPLE, db=tmp / "play.db", port=0, examples=examples), front)
    front.chat = chat
    async with chat.serve(front), chromium() as browser:
        yield browser, chat, front


# ------------------------------------------------------------------- the flow


async def test_a_task_is_given_and_somebody_else_signs_it(tmp_path: Path) -> None:
    """Ana asks and is refused; Bo signs from his inbox; Ana, who kept looking, sees the end without a reload."""
    async with house(tmp_path) as (browser, chat, front), seen(browser, chat.url, as_="ana") as ana:
        await say(ana, TASK)
        await expect(card(ana)).to_contain_text('"amount": 90')
        await take(ana, tmp_path / "shots" / "card.png")

        await card(ana).get_by_role("button", name="Approve").click()
        await dialog(ana).get_by_role("button", name="Approve").click()
        await expect(card(ana).locator(".note")).to_contain_text("somebody else must approve it")

        async with seen(browser, chat.url, as_="bo", at="inbox") as bo:
            await take(bo, tmp_path / "shots" / "inbox.png")
            await card(bo).get_by_role("button", name="Approve").click()
            await expect(dialog(bo)).to_contain_text("This cannot be undone.")
            await take(bo, tmp_path / "shots" / "confirm.png")
            await dialog(bo).get_by_role("button", name="Approve").click()
            await expect(bo.get_by_text("Nothing waits for you")).to_be_visible()

        await settled(ana, "Approved by Bo Chen")
        await expect(ana.locator("#replies")).to_contain_text("Refund RF-001")
        await expect(ana.locator("#replies").get_by_role("button", name="Approve")).to_have_count(0)
        assert [act.by.user for act in front.acts] == ["ana", "bo"]


async def test_what_is_put_off_leaves_the_inbox_and_its_number_until_it_is_shown_again(tmp_path: Path) -> None:
    """PN-12: chosen from the list beside the card; below stands when it comes back, and a button to see it now."""
    async with house(tmp_path) as (browser, chat, _), seen(browser, chat.url, as_="ana") as ana:
        await say(ana, TASK)
        await card(ana).wait_for()
        async with seen(browser, chat.url, as_="bo", at="inbox") as bo:
            await expect(bo.get_by_role("button", name="Approve")).to_have_count(1)

            await bo.get_by_label("Put off").select_option("Put off for 4 hours")

            await expect(bo.get_by_text("Nothing waits for you")).to_be_visible()
            await expect(bo.get_by_role("button", name="Approve")).to_have_count(0)
            await expect(bo.locator("#rail")).not_to_contain_text("1 waiting")
            await bo.get_by_role("button", name="Show now").click()

            await expect(bo.get_by_role("button", name="Approve")).to_have_count(1)
            await expect(bo.get_by_role("button", name="Show now")).to_have_count(0)


async def test_a_form_shows_its_problems_beside_the_fields(tmp_path: Path) -> None:
    """A wrong amount keeps the dialog open, with the reason tied to its field; corrected, it goes through."""
    async with house(tmp_path) as (browser, chat, front), seen(browser, chat.url, as_="ana") as page:
        await say(page, TASK)
        await card(page).wait_for()
        await become(page, "bo")
        await card(page).get_by_role("button", name="Edit").click()
        amount = dialog(page).get_by_label("Amount")
        await expect(amount).to_have_value("90")

        await amount.fill("lots")
        await dialog(page).get_by_role("button", name="Propose change").click()
        await expect(amount).to_have_accessible_description("This must be a number.")
        await expect(amount).to_be_focused()
        await take(page, tmp_path / "shots" / "form.png")
        await amount.fill("80")
        await dialog(page).get_by_label("Currency").select_option("USD")
        await dialog(page).get_by_label("Tell the customer").uncheck()
        await dialog(page).get_by_role("button", name="Propose change").click()

        await settled(page, "Approved with changes by Bo Chen")
        fields = dict(getattr(front.acts[-1], "fields", {}))
        assert fields == {"amount": "80", "currency": "USD", "tell": "no", "note": ""}


async def test_a_rejection_needs_its_reason(tmp_path: Path) -> None:
    """An empty field is not even sent; what the bot finds too short is said beside the field."""
    async with house(tmp_path) as (browser, chat, front), seen(browser, chat.url, as_="ana") as page:
        await say(page, TASK)
        await card(page).wait_for()
        await become(page, "cy")
        await card(page).get_by_role("button", name="Reject").click()
        reason = dialog(page).get_by_label("Why not?")

        await dialog(page).get_by_role("button", name="Reject").click()
        await expect(reason).to_have_accessible_description(re.compile("Please fill this in"))
        await reason.fill("no")
        await dialog(page).get_by_role("button", name="Reject").click()
        await expect(reason).to_have_accessible_description(re.compile("Please say a little more"))
        await reason.fill("It was never ordered")
        await dialog(page).get_by_role("button", name="Reject").click()

        await settled(page, "Rejected by Cy Okafor: It was never ordered")
        assert len(front.acts) == 2


async def test_a_click_that_was_not_recorded_is_said_so(tmp_path: Path) -> None:
    """The store is away: the dialog stays, and pressing again works."""
    async with house(tmp_path) as (browser, chat, front), seen(browser, chat.url, as_="ana") as page:
        await say(page, TASK)
        await card(page).wait_for()
        await become(page, "bo")
        await card(page).get_by_role("button", name="Approve").click()
        front.is_down = True

        await dialog(page).get_by_role("button", name="Approve").click()
        await expect(dialog(page)).to_contain_text("Not recorded, please try again.")
        front.is_down = False
        await dialog(page).get_by_role("button", name="Approve").click()

        await settled(page, "Approved by Bo Chen")


async def test_a_late_answer_does_not_turn_one_back_into_somebody_else(tmp_path: Path) -> None:
    """Ana sends; before the server answers, one looks as Bo. The page stays Bo's."""
    async with house(tmp_path) as (browser, chat, _), seen(browser, chat.url, as_="ana") as page:
        may_answer, is_sent = asyncio.Event(), asyncio.Event()

        async def hold(route: Route) -> None:
            is_sent.set()
            await may_answer.wait()
            await route.continue_()

        await page.route("**/api/messages", hold)
        await say(page, TASK)
        await is_sent.wait()
        await become(page, "bo")
        may_answer.set()

        await expect(page.get_by_role("button", name="1 reply")).to_be_visible()
        await expect(page.get_by_label("Viewing as")).to_have_value("bo")
        await expect(page.locator("#thread")).to_be_hidden()


# -------------------------------------------------------------- who sees what


async def test_every_text_stays_literal(tmp_path: Path) -> None:
    """T04: tags, mentions, markup and reordering marks, typed by people or put on every part of a card."""
    hostile = Card(
        title=HOSTILE,
        body=HOSTILE,
        facts=(Fact(label=HOSTILE, value=HOSTILE),),
        blocks=(Block(label=HOSTILE, text=HOSTILE, is_code=True), Block(label=HOSTILE, text=HOSTILE)),
        status=HOSTILE,
        buttons=(Button(subject="r", move="approve", label=HOSTILE, token="t"),),
        footer=HOSTILE,
        author=HOSTILE,
    )
    async with house(tmp_path) as (browser, chat, _), seen(browser, chat.url, as_="ana") as page:
        await chat.post(hostile, GENERAL, key="k")
        await say(page, HOSTILE)
        await expect(page.locator("#list .text").last).to_have_text(HOSTILE, use_inner_text=True)

        count = "text => document.querySelector('#list').textContent.split(text).length - 1 === 13"
        await page.wait_for_function(count, arg=HOSTILE)  # the message is drawn again once it is handed in
        assert await page.evaluate("window.hit") is None
        assert await page.locator("#list script, #list img:not(.avatar)").count() == 0
        await page.get_by_role("button", name="Delete message").first.focus()


async def test_a_whisper_is_seen_by_one_person(tmp_path: Path) -> None:
    """Live, in the channel both are looking at."""
    async with (
        house(tmp_path) as (browser, chat, _),
        seen(browser, chat.url, as_="ana") as ana,
        seen(browser, chat.url, as_="bo") as bo,
    ):
        await chat.whisper("Only Bo reads this", GENERAL, Account(platform="playground", tenant="local", user="bo"))
        await chat.post(Card(body="and everybody this"), GENERAL, key="k")

        await expect(bo.locator("#list")).to_contain_text("Only you can see thisOnly Bo reads this")
        await expect(ana.locator("#list")).to_contain_text("and everybody this")
        await expect(ana.locator("#list")).not_to_contain_text("Only Bo reads this")


async def test_news_come_to_an_open_page(tmp_path: Path) -> None:
    """A second person's page, another channel: the text there, the unread mark here, and the count in the inbox."""
    async with (
        house(tmp_path) as (browser, chat, _),
        seen(browser, chat.url, as_="ana") as ana,
        seen(browser, chat.url, as_="bo", at="finance") as bo,
    ):
        await say(ana, TASK)

        await expect(bo.get_by_role("button", name="general 2 unread")).to_be_visible()
        await expect(bo.get_by_role("button", name="Inbox 1 waiting")).to_be_visible()
        await say(bo, "good morning")
        await expect(ana.get_by_role("button", name="finance 1 unread")).to_be_visible()


async def test_a_deleted_card_is_gone_and_still_answerable_from_the_inbox(tmp_path: Path) -> None:
    """Its message went, the request did not."""
    async with house(tmp_path) as (browser, chat, _), seen(browser, chat.url, as_="bo") as page:
        await become(page, "ana")
        await say(page, TASK)
        await card(page).hover()
        await page.locator("#replies").get_by_role("button", name="Delete message").last.click()
        await dialog(page).get_by_role("button", name="Delete").click()
        await expect(page.locator(".card")).to_have_count(0)

        await become(page, "bo")
        await page.get_by_role("button", name="Inbox").click()
        await card(page).get_by_role("button", name="Approve").click()
        await dialog(page).get_by_role("button", name="Approve").click()

        await expect(page.get_by_text("Nothing waits for you")).to_be_visible()


# -------------------------------------------------------------- looking back


async def test_the_timeline_tells_steps_times_and_who(tmp_path: Path) -> None:
    """From the card's own button, and it grows while one looks."""
    async with house(tmp_path) as (browser, chat, front), seen(browser, chat.url, as_="ana") as page:
        await say(page, TASK)
        await card(page).get_by_role("button", name="Timeline").click()
        moments = page.locator(".timeline li")
        await expect(moments).to_have_count(3)

        async with seen(browser, chat.url, as_="bo", at="inbox") as bo:
            await card(bo).get_by_role("button", name="Approve").click()
            await dialog(bo).get_by_role("button", name="Approve").click()

        await expect(moments).to_have_count(6)
        await expect(moments.nth(3)).to_contain_text("Approved by Bo Chen.")
        await expect(moments.nth(3).locator(".who")).to_contain_text("Bo Chen")
        await expect(moments.nth(3).locator("time")).to_have_count(1)
        await take(page, tmp_path / "shots" / "timeline.png")
        await page.keyboard.press("Escape")
        await expect(page.locator("#sheet")).to_be_hidden()
        assert len(front.acts) == 1


async def test_the_audit_trail_is_readable(tmp_path: Path) -> None:
    """Newest first, in plain words, with who did it and the link; the body is a press away."""
    async with house(tmp_path) as (browser, chat, _), seen(browser, chat.url, as_="ana") as page:
        await say(page, TASK)
        await card(page).wait_for()

        await page.get_by_role("button", name="Audit trail").click()
        await expect(page.locator(".trail tbody tr")).to_have_count(3)
        await expect(page.locator(".trail tr").last).to_contain_text(
            re.compile(r"Run started[\s\S]*Ana Lima\s*r1\s*0/1")
        )
        await expect(page.locator(".trail code.id").last).to_have_text(re.compile("^[0-9a-f]{8}$"))
        await page.get_by_text("Request opened", exact=True).click()
        await expect(page.locator(".trail details[open] pre")).to_contain_text("Approval asked of finance")
        await take(page, tmp_path / "shots" / "audit.png")
        await page.get_by_role("button", name="Runs").click()
        await expect(page.locator(".run")).to_contain_text("refund order 7")


# --------------------------------------------------------------- for everybody


async def test_a_phone_shows_everything_without_scrolling_sideways(tmp_path: Path) -> None:
    """375 px: rail, conversation, thread, form, inbox, timeline, audit."""
    async with house(tmp_path) as (browser, chat, _), seen(browser, chat.url, as_="ana", size=eyes.NARROW) as page:
        await chat.post(
            Card(title="x" * 300, body="y" * 900, facts=(Fact(label="z" * 90, value="z" * 90),)), GENERAL, key="k"
        )
        await say(page, TASK)
        await fits(page, "thread")
        await page.get_by_role("button", name="Edit").click()
        await fits(page, "form")
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Timeline").click()
        await page.get_by_text("audit records").click()
        await fits(page, "timeline")
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Close thread").click()
        await fits(page, "conversation")
        for name in ("Inbox", "Runs", "Audit trail"):
            await page.get_by_role("button", name="Conversations and people").click()
            await fits(page, "rail")
            await page.locator("#rail").get_by_role("button", name=name).click()
            await fits(page, name)


async def test_every_control_has_a_name(tmp_path: Path) -> None:
    """As a screen reader computes it, on every page and in every dialog; and no two controls share an id."""
    async with house(tmp_path) as (browser, chat, _), seen(browser, chat.url, as_="ana") as page:
        await _all_named(page)
        await say(page, TASK)
        await card(page).wait_for()
        await _all_named(page)
        for name in ("Edit", "Reject", "Approve", "Timeline"):
            await card(page).get_by_role("button", name=name).click()
            await _all_named(page)
            await page.keyboard.press("Escape")
        for name in ("Inbox", "Runs", "Audit trail", "Countersign"):
            await page.locator("#rail").get_by_role("button", name=name).click()
            await _all_named(page)


async def _all_named(page: Page) -> None:
    kinds = ("button", "input", "select", "textarea", "a[href]", "summary", "[role=region]", "[role=log]", "dialog")
    for control in await page.locator(", ".join(f"{kind}:visible" for kind in kinds)).all():
        await expect(control).to_have_accessible_name(re.compile(r"\S"))
    ids = await page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(ids) == len(set(ids))


async def test_a_card_can_be_signed_by_keyboard_alone(tmp_path: Path) -> None:
    """Tab to the inbox, to the button, through the dialog; the focus never gets lost."""
    async with house(tmp_path) as (browser, chat, front), seen(browser, chat.url, as_="ana") as page:
        await say(page, TASK)
        await card(page).wait_for()
        await become(page, "bo")
        await page.locator("#as").focus()

        await _tab_to(page, "Inbox", keys="Shift+Tab")
        await page.keyboard.press("Enter")
        await card(page).wait_for()
        await _tab_to(page, "Approve")
        await page.keyboard.press("Enter")
        await expect(dialog(page)).to_be_visible()
        await _tab_to(page, "Approve")
        await page.keyboard.press("Enter")

        await expect(page.get_by_text("Nothing waits for you")).to_be_visible()
        assert [(act.by.user, act.move) for act in front.acts] == [("bo", "approve")]


async def _tab_to(page: Page, name: str, keys: str = "Tab") -> None:
    for _ in range(60):
        text = await page.evaluate("document.activeElement.innerText || ''")
        if text.strip().startswith(name):
            return
        await page.keyboard.press(keys)
    raise AssertionError(f"no {name} within 60 steps")


async def test_the_focus_survives_a_live_update(tmp_path: Path) -> None:
    """A card is drawn anew under somebody's fingers: the same button still has the focus."""
    async with house(tmp_path) as (browser, chat, _), seen(browser, chat.url, as_="ana") as page:
        first = Card(title="t", status="1", buttons=(Button(subject="r", move="a", label="Sign", token="t"),))
        ref = await chat.post(first, GENERAL, key="k")
        button = card(page).get_by_role("button", name="Sign")
        await button.focus()

        await chat.update(ref, Card(title="t", status="2", buttons=first.buttons))

        await settled(page, "2")
        await expect(button).to_be_focused()


# ------------------------------------------------------------------ nothing lost


async def test_what_is_typed_while_the_bot_is_away_is_kept(tmp_path: Path) -> None:
    """The server is gone: the words stay in the box and are sent once it is back, one time."""
    front = StandIn()
    settings = PlaygroundSettings(people=PEOPLE, db=tmp_path / "play.db", port=0)
    async with chromium() as browser:
        first = front.chat = Playground(settings, front)
        async with first.serve(front):
            context = await browser.new_context()
            page = await context.new_page()
            await page.goto(f"{first.url}#as=ana&at=general")
            await page.locator("#message-box").wait_for()
            port = int(first.url.rstrip("/").rpartition(":")[2])
        await say(page, "good morning")
        await expect(page.locator("#composer")).to_contain_text("Not recorded, please try again.")
        await expect(page.locator("#offline")).to_be_visible()

        again = Playground(PlaygroundSettings(people=PEOPLE, db=settings.db, port=port), front)
        async with again.serve(front):
            await page.locator("#message-box").press("Enter")
            await expect(page.locator("#list")).to_contain_text("good morning")
            await expect(page.locator("#message-box")).to_have_value("")
            async with asyncio.timeout(10):
                await front.news.wait()
            await context.close()
    assert [message.text for message in front.messages] == ["good morning"]


async def test_a_picture_from_a_tool_is_seen_in_its_thread(tmp_path: Path) -> None:
    """A chart is looked at, not downloaded; a file that only says it is a picture stays a link."""
    files = (
        Attachment(name="chart.png", content=PNG, sha256="1" * 64),
        Attachment(name="not.png", content=b"<svg onload='window.hit = 1'>", sha256="2" * 64),
    )
    async with house(tmp_path) as (browser, chat, _), seen(browser, chat.url, as_="ana") as page:
        await chat.post(Card(body="draw shows chart.png, not.png.", attachments=files), GENERAL, key="k")

        picture = page.locator(".files img")
        await expect(picture).to_have_count(1)
        await expect(picture).to_have_attribute("alt", "chart.png")
        await picture.scroll_into_view_if_needed()
        await page.wait_for_function("document.querySelector('.files img').naturalWidth > 0")
        await expect(page.locator(".files a")).to_have_count(2)
        assert await page.evaluate("window.hit") is None
