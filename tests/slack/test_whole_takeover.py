"""Taking over, handing back and handing on, in Slack: buttons of the status message, and forms behind them."""

from __future__ import annotations

from tests.flows.stage import Hands, Played, call, calls, events, policy, settled
from tests.slack.whole import Build, Site

WIRE = calls(call("wire", amount=90))
PEEK = calls(call("peek", what="files"))
COLOURS = calls(call("ask_people", question="Which colour?", options=["red", "blue"]))


async def test_a_run_is_taken_over_and_handed_back_with_a_form(site: Site, build: Build, hands: Hands) -> None:
    """AS-37, D-38: the card loses its buttons, the status says whose it is, and the form's text is what comes next."""
    model = Played(WIRE, PEEK)
    async with build(policy=policy(), tools=hands.tools, model=model) as bot:
        await site.asks("ana", "pay")
        card, status = await bot.seen("Approve"), await bot.seen("Take over")
        late = site.press("chris", "Approve", card)

        told = await site.presses("bo", "Take over", status)

        assert told.startswith("You have it.")
        await site.slack.until(lambda: site.slack.buttons_of(status) == ["Hand back", "Stop", "Steps"], "it is Bo's")
        assert site.text(status).startswith("Bo works on this by hand")
        await site.slack.until(lambda: not site.slack.buttons_of(card), "nothing to sign")
        assert "already" in await site.clicks("chris", late)
        form = await site.opens("bo", "Hand back", status)
        assert "What should I do now?" in site.text(form)
        await site.submits("bo", text="list the files instead")
        await bot.shows("ok peek files")
        assert "list the files instead" in model.read
        assert hands.did == ["peek files"]
        assert await settled(bot)


async def test_of_two_people_who_take_it_over_the_second_is_told_who_has_it(site: Site, build: Build) -> None:
    """The screen was old: the button is gone by now, and the press says why."""
    async with build(policy=policy(), model=Played(COLOURS)) as bot:
        await site.asks("ana", "paint the door")
        status = await bot.seen("Take over")
        late = site.press("chris", "Take over", status)
        await site.presses("bo", "Take over", status)

        assert await site.clicks("chris", late) == "Bo works on this already."
        assert await site.presses("ana", "Stop", status) == "Stopping."
        assert await settled(bot)


async def test_a_question_is_handed_to_somebody_chosen_from_the_workspace(site: Site, build: Build) -> None:
    """ST-15: the same question, in chris's direct messages; the first card has nothing left to press but Stop."""
    async with build(policy=policy(), model=Played(COLOURS)) as bot:
        await site.asks("ana", "paint the door")
        first = await bot.seen("Hand to…")
        await site.opens("ana", "Hand to…", first)

        await site.submits("ana", person=site.ids["chris"])

        copy = await bot.seen("blue", at=site.dm("chris"))
        await site.slack.until(lambda: site.slack.buttons_of(first) == ["Stop"], "the first card is inert")
        assert "Ana handed this to Chris" in site.text(first)
        assert await site.presses("chris", "blue", copy) == "Thank you, noted."
        await bot.shows("Their answer: 'blue'")
        assert len(await events(bot, "request_handed")) == 1
        assert await settled(bot)
