"""The scenes of the examples whose agents plan first and then work."""

from __future__ import annotations

from playwright.async_api import Locator, Page, expect

from tests.playground.browser import become, dialog, say
from tests.playground.kinds import Shown


async def plan_code_deploy(page: Page) -> Shown:
    """The plan is Ana's to approve, the trial Bo's to sign; the picture is the script that is to be deployed."""
    await _asks(page, "write a script that watches a folder and alerts on new files")
    await _card(page, "Checkpoint").get_by_role("button", name="Approve & continue").click()
    trial = _card(page, "High-risk: run_code")
    await expect(trial).to_be_visible()
    await become(page, "bo")
    await trial.get_by_role("button", name="Details").click()
    await expect(page.locator("#sheet")).to_contain_text("told of report.pdf and of nothing else")
    await page.locator("#sheet").get_by_role("button", name="Close details").click()
    await trial.get_by_role("button", name="Approve").click()
    await dialog(page).get_by_role("button", name="Approve").click()
    script = _card(page, "# Tried:")
    await expect(script).to_be_visible()
    await become(page, "ana")
    await expect(script.get_by_role("button", name="Approve & continue")).to_be_visible()
    return [script]


async def incident(page: Page) -> Shown:
    """The plan, before anything is done: Ana may take a step out, change one, or send all of it back."""
    await _asks(page, "incident: the checkout answers 502 since 09:12")
    plan = _card(page, "A plan to look at")
    await expect(plan.get_by_role("button", name="Edit the steps")).to_be_visible()
    await expect(plan).to_contain_text("operator: restart checkout")
    return [plan]


async def _asks(page: Page, line: str) -> None:
    """Ana gives the task in #general."""
    await page.evaluate("location.hash = 'as=ana&at=general'")
    await expect(page.locator("#thread")).to_be_hidden()
    await say(page, f"@countersign {line}")


def _card(page: Page, text: str) -> Locator:
    return page.locator("#thread .card", has_text=text).last
