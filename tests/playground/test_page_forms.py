"""Fields of every kind on the page: a day, a person, several choices; the keyboard reaches them all."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from adapters.playground.chat import Playground, PlaygroundSettings
from bot.domain.chat import Answer, Button, Card, Field, FieldKind, Form, Place
from tests.playground import browser as eyes
from tests.playground.browser import card, chromium, dialog, seen, take
from tests.playground.standin import PEOPLE, StandIn

pytestmark = pytest.mark.skipif(eyes.executable() is None, reason="Chromium is not installed (apt install chromium)")

GENERAL = Place(platform="playground", tenant="local", channel="general")
FIELDS = (
    Field(name="day", label="Day", kind=FieldKind.DATE, value="2026-03-31"),
    Field(name="owner", label="Owner", kind=FieldKind.PERSON),
    Field(name="why", label="Why", kind=FieldKind.MULTI, options=("late", "lost", "<b>broken</b>"), value="late"),
    Field(name="old", label="Old owner", kind=FieldKind.PERSON, value="gone.person", is_required=False),
)
FILL = Button(subject="q-1", move="fill", label="Fill in", token="t", fields=FIELDS)


class Taking(StandIn):
    """Takes every form that names an owner other than Gus."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    async def form(self, form: Form) -> Answer:
        self.forms.append(form)
        if form.fields["owner"] == "gus":
            return Answer(is_taken=False, text="No.", problems={"owner": "Not a guest.", "why": "Please choose less."})
        return Answer(is_taken=True, text="Thank you, noted.")


async def test_each_kind_has_an_input_of_its_own(tmp_path: Path) -> None:
    """ST-43: nothing is typed that can be picked; problems stand beside their fields, and what was picked stays."""
    front = Taking()
    chat = Playground(PlaygroundSettings(people=PEOPLE, db=tmp_path / "play.db", port=0), front)
    async with chat.serve(front), chromium() as browser, seen(browser, chat.url, as_="ana") as page:
        await chat.post(Card(title="Please fill in", buttons=(FILL,)), GENERAL, key="k")
        await card(page).get_by_role("button", name="Fill in").click()
        form = dialog(page)
        await expect(form.get_by_label("Day")).to_have_value("2026-03-31")
        await expect(form.get_by_label("late")).to_be_checked()
        await expect(form.get_by_label("Old owner")).to_have_value("gone.person")

        await form.get_by_label("late").uncheck()
        await form.get_by_role("button", name="Fill in").click()
        await expect(form.get_by_role("group", name="Why")).to_have_accessible_description("Please fill this in.")
        assert front.forms == []

        await form.get_by_label("lost").check()
        await form.get_by_label("<b>broken</b>").check()
        await form.get_by_label("Owner", exact=True).select_option("Gus Visitor")
        await form.get_by_label("Day").fill("2026-04-01")
        await take(page, tmp_path / "shots" / "kinds.png")
        await form.get_by_role("button", name="Fill in").click()
        await expect(form.get_by_role("group", name="Why")).to_have_accessible_description("Please choose less.")

        await form.get_by_label("Owner", exact=True).select_option("Bo Chen")
        await form.get_by_role("button", name="Fill in").click()
        await expect(form).to_be_hidden()

    assert front.forms[-1].fields == {
        "day": "2026-04-01",
        "owner": "bo",
        "why": "lost\n<b>broken</b>",
        "old": "gone.person",
    }
