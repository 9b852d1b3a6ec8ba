"""The page as somebody new to it meets it: nothing out of sight, nothing lost, nothing stale.

Behind the front door stands the `StandIn`; everything in front of it is real.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Route, ViewportSize, expect

from bot.domain.chat import Button, Card, Fact, Tone
from tests.playground import browser as eyes
from tests.playground.browser import become, card, dialog, say, seen, settled
from tests.playground.test_page_in_chromium import GENERAL, TASK, house

pytestmark = pytest.mark.skipif(eyes.executable() is None, reason="Chromium is not installed (apt install chromium)")


def status_card(title: str, *, is_alive: bool) -> Card:
    """A run's status card."""
    stop = Button(subject="r", move="stop", label="Stop", token="t", style="danger")
    return Card(title=title, tone=Tone.QUIET, status=title, buttons=(stop,) if is_alive else ())


# ------------------------------------------------------------- the bot is away


async def test_who_one_is_stays_whole_when_the_next_person_cannot_be_loaded(tmp_path: Path) -> None:
    """The server is away while one chooses Bo: the page stays Ana's, says so, and her buttons work; then Bo comes."""
    async with house(tmp_path) as (browser, chat, front), seen(browser, chat.url, as_="ana") as page:
        await say(page, TASK)
        await card(page).wait_for()
        await page.route("**/api/start?*", lambda route: route.abort())
        await page.get_by_label("Viewing as").select_option("bo")
        await expect(page.locator("#toast")).to_have_text("Not reachable; try again.")
        await expect(page.get_by_label("Viewing as")).to_have_value("ana")
        assert "as=ana" in page.url

        await card(page).get_by_role("button", name="Explain").click()
        await settled(page, "by Ana Lima")
        await page.unroute("**/api/start?*")
        await become(page, "bo")

        await expect(page.locator("#toast")).to_be_hidden()
        assert [act.by.user for act in front.acts] == ["ana"]


async def test_nothing_can_be_pressed_as_the_one_before_while_the_next_person_is_on_the_way(tmp_path: Path) -> None:
    """One looks as Bo and presses at once, while what Bo may see still loads: the press waits, and is Bo's."""
    async with house(tmp_path) as (browser, chat, front), seen(browser, chat.url, as_="ana") as page:
        await say(page, TASK)
        await card(page).wait_for()
        may_answer = asyncio.Event()

        async def hold(route: Route) -> None:
            await may_answer.wait()
            await route.continue_()

        await page.route("**/api/start?as=bo*", hold)
        await page.get_by_label("Viewing as").select_option("bo")
        pressing = asyncio.create_task(card(page).get_by_role("button", name="Explain").click())
        await expect(page.locator("#main[inert]")).to_be_visible()
        assert not await page.evaluate("document.querySelector('.card button').matches(':not([inert] *)')")
        may_answer.set()
        await pressing

        await settled(page, "by Bo Chen")
        assert [act.by.user for act in front.acts] == ["bo"]


# ------------------------------------------------------------------ in view


@pytest.mark.parametrize("size", [eyes.DESKTOP, eyes.PHONE])
async def test_the_buttons_of_a_card_are_in_view_when_it_comes_and_when_it_is_opened(
    tmp_path: Path, size: ViewportSize
) -> None:
    """A card longer than the pane, on a desk and on a phone."""
    async with house(tmp_path) as (browser, chat, _), seen(browser, chat.url, as_="ana", size=size) as page:
        approve = page.locator("#replies").get_by_role("button", name="Approve")
        await say(page, TASK + " and more" * 150)
        await expect(approve).to_be_in_viewport(ratio=1)

        await page.get_by_role("button", name="Close thread").click()
        await page.get_by_role("button", name="1 reply").click()

        await expect(approve).to_be_in_viewport(ratio=1)


async def test_minor_facts_stand_in_one_quiet_line(tmp_path: Path) -> None:
    """Tool, risk and digest take little room; nothing else moves there."""
    labels = ("Tool", "Asked by", "Risk", "Deadline", "Signatures", "Digest", "⚠ Hidden characters")
    facts = tuple(Fact(label=label, value="said") for label in labels)
    async with house(tmp_path) as (browser, chat, _), seen(browser, chat.url, as_="ana") as page:
        await chat.post(Card(title="t", facts=facts), GENERAL, key="k")

        await expect(card(page).locator(".facts.minor dt")).to_have_text(["Tool", "Risk", "Digest"])
        await expect(card(page).locator(".facts:not(.minor) dt")).to_have_text([labels[1], *labels[3:5], labels[6]])


async def test_a_confirmation_shows_what_will_run(tmp_path: Path) -> None:
    """The arguments stand in the dialog, above its buttons; a form without a question has its fields alone."""
    async with house(tmp_path) as (browser, chat, _), seen(browser, chat.url, as_="bo") as page:
        await say(page, TASK)
        await card(page).get_by_role("button", name="Approve").click()

        await expect(dialog(page).locator("pre")).to_contain_text('"amount": 90')
        shown = await dialog(page).locator("pre").bounding_box()
        button = await dialog(page).get_by_role("button", name="Approve").bounding_box()
        assert shown
        assert button
        assert shown["y"] + shown["height"] < button["y"]


# ---------------------------------------------------------------- after a press


@pytest.mark.parametrize("keys", ["Enter", " "])
async def test_the_focus_stays_on_the_card_after_a_press(tmp_path: Path, keys: str) -> None:
    """On the button where it is still there; on the card where it is gone; never on nothing."""
    async with house(tmp_path) as (browser, chat, front), seen(browser, chat.url, as_="ana") as page:
        first = Card(title="t", status="1", buttons=(Button(subject="r", move="a", label="Sign", token="t"),))
        ref = await chat.post(first, GENERAL, key="k")
        sign = card(page).get_by_role("button", name="Sign")
        await sign.focus()
        await page.keyboard.press(keys)
        await expect(card(page).locator(".note")).to_be_visible()
        await expect(sign).to_be_focused()

        await chat.update(ref, Card(title="t", status="over"))
        await settled(page, "over")
        await expect(card(page)).to_be_focused()
        assert len(front.acts) == 1


async def test_the_focus_goes_to_the_outcome_after_a_dialog(tmp_path: Path) -> None:
    """The card loses its buttons while the dialog is open over it."""
    async with house(tmp_path) as (browser, chat, _), seen(browser, chat.url, as_="ana") as page:
        await say(page, TASK)
        await card(page).wait_for()
        await become(page, "bo")
        await card(page).get_by_role("button", name="Approve").click()
        await dialog(page).get_by_role("button", name="Approve").click()

        await settled(page, "Approved by Bo Chen")
        await expect(page.locator(".card", has_text="Approved by Bo Chen")).to_be_focused()


async def test_a_private_note_goes_when_the_card_tells_the_end(tmp_path: Path) -> None:
    """It stays while the card is open, gives way to the next one, and goes with the final state."""
    async with house(tmp_path) as (browser, chat, front), seen(browser, chat.url, as_="ana") as page:
        first = Card(title="t", status="1", buttons=(Button(subject="r", move="a", label="Sign", token="t"),))
        ref = await chat.post(first, GENERAL, key="k")
        note = page.locator(".note")
        await card(page).get_by_role("button", name="Sign").click()
        await expect(note).to_contain_text("Somebody already answered this.")
        front.is_down = True
        await card(page).get_by_role("button", name="Sign").click()
        await expect(note).to_have_count(1)
        await expect(note).not_to_contain_text("Somebody already answered this.")

        await chat.update(ref, Card(title="t", status="over"))

        await settled(page, "over")
        await expect(note).to_have_count(0)


async def test_the_channel_tells_how_a_thread_stands(tmp_path: Path) -> None:
    """Waiting while a request is open, done when the run's status card says so; nothing while it works."""
    async with house(tmp_path) as (browser, chat, _), seen(browser, chat.url, as_="ana") as page:
        await say(page, "good morning")
        first = page.locator("#list > .message").first
        thread = GENERAL.in_thread(await first.get_attribute("data-key"))
        status = await chat.post(status_card("Working", is_alive=True), thread, key="s")
        await expect(first).to_contain_text("1 reply")
        await expect(first.locator(".mark")).to_have_count(0)

        sign = Button(subject="q", move="approve", label="Approve", token="t")
        ref = await chat.post(Card(title="Approval needed", buttons=(sign,)), thread, key="q")
        await expect(first.locator(".mark")).to_have_text("waiting")
        await chat.update(ref, Card(title="Approved", status="Approved"))
        await chat.update(status, status_card("Done", is_alive=False))

        await expect(first.locator(".mark")).to_have_text("done")
