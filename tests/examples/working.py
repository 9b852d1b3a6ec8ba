"""The scenes of the examples whose agents plan first and then work."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.playground.browser import become, dialog
from tests.playground.kinds import Shown
from tests.playground.thread import asks, newest


async def plan_code_deploy(page: Page) -> Shown:
    """The plan is Ana's to approve, the trial Bo's to sign; the picture is the script that is to be deployed."""
    plan = await asks(page, "write a script that watches a folder and alerts on new files", "Checkpoint")
    await plan.get_by_role("button", name="Approve & continue").click()
    trial = newest(page, "High-risk: run_code")
    await expect(trial).to_be_visible()
    await become(page, "bo")
    await trial.get_by_role("button", name="Details").click()
    await expect(page.locator("#sheet")).to_contain_text("told of report.pdf and of nothing else")
    await page.locator("#sheet").get_by_role("button", name="Close details").click()
    await trial.get_by_role("button", name="Approve").click()
    await dialog(page).get_by_role("button", name="Approve").click()
    script = newest(page, "# Tried:")
    await expect(script).to_be_visible()
    await become(page, "ana")
    await expect(script.get_by_role("button", name="Approve & continue")).to_be_visible()
    return [script]


async def incident(page: Page) -> Shown:
    """The plan, before anything is done: Ana may take a step out, change one, or send all of it back."""
    plan = await asks(page, "incident: the checkout answers 502 since 09:12", "A plan to look at")
    await expect(plan.get_by_role("button", name="Edit the steps")).to_be_visible()
    await expect(plan).to_contain_text("operator: restart checkout")
    return [plan]
