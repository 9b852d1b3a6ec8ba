"""The whole bot in Teams when sending is hard: a lost answer, another channel, people without the app."""

from __future__ import annotations

import pytest

from tests.fakes.teams import ALWAYS
from tests.flows.stage import Hands, Played, call, calls, policy, settled
from tests.teams.whole import Build, Site

WIRE = calls(call("wire", amount=90))
AGAIN = "Not recorded, please try again."


async def test_a_card_whose_post_was_never_answered_is_adopted_and_signed(
    site: Site, build: Build, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decision 9: Bo sees the card before we know that it stands; pressing again, he signs it, and there is one."""
    monkeypatch.setattr("adapters.teams.once.LOOK_EVERY", 0.01)
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as bot:
        site.teams.faults.lose_reply("post", times=ALWAYS)
        await site.asks("ana", "pay")
        await site.teams.until(lambda: [one for one in site.live() if "Approve" in site.buttons(one)], "the card")
        card = next(one for one in site.live() if "Approve" in site.buttons(one))
        site.teams.faults.clear("post")

        told = [await site.presses("bo", "Approve", card)]
        while told[-1] == AGAIN:
            told.append(await site.presses("bo", "Approve", card))

        assert told[0] == AGAIN
        assert told[-1] == "Approved. It runs now."
        bot.clock.advance(seconds=31)  # what nobody has pressed, the run's own status, is posted again
        await bot.shows("ok wire 90 bank")
        assert hands.did == ["wire 90 bank"]
        assert [one.id for one in site.titled("wire")] == [card.id]


async def test_a_rule_sends_the_card_to_another_channel_by_its_name(site: Site, build: Build, hands: Hands) -> None:
    """PN-16, CD-07: teammates sign in General; the thread reads the end."""
    rules = policy(more='    place: "#general"\n')
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        thread = await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        assert card.conversation != site.ops
        assert card.thread == card.id

        assert await site.presses("bo", "Approve", card) == "Approved. It runs now."

        await bot.shows("ok wire 90 bank", in_thread=thread)
        assert await settled(bot)
        assert not site.live()


async def test_a_person_without_the_app_is_not_reached_and_the_ladder_goes_on(
    site: Site, build: Build, hands: Hands
) -> None:
    """Decision 12: Dana does not have it, and the thread says so; Erin, asked next, is sent the card."""
    rules = policy(ladder='{after: 1m, dm: "@dana"}, {after: 2m, dm: "@erin"}, {after: 4h, expire: true}')
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        await site.teams.uninstall(site.ids["dana"])
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        bot.clock.advance(minutes=2, seconds=5)

        sent = await bot.seen("Approve", but=[card])

        assert sent.conversation == site.teams.direct_chat(site.ids["erin"])
        assert site.teams.direct(site.ids["dana"]) == []
        await bot.shows("Dana cannot be reached by direct message", in_thread=card.thread or "")
        await site.presses("bo", "Approve", card)
        await bot.shows("ok wire 90 bank")
        assert await settled(bot)


async def test_an_end_that_teams_lost_is_shown_when_somebody_presses_the_old_button(
    site: Site, build: Build, hands: Hands
) -> None:
    """Decision 10, CD-08: Teams refuses the edit; the thread reads the end, and the next press mends the card."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as bot:
        thread = await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        site.teams.faults.fail("put", 403, "ServiceError", times=ALWAYS)
        await site.presses("bo", "Approve", card)
        await bot.shows("ok wire 90 bank", in_thread=thread)
        await site.teams.until(lambda: site.titled("Approved: wire"), "the end, beside the card")
        assert "Approve" in site.buttons(card)
        site.teams.faults.clear("put")

        told = await site.clicks("chris", "Approve", card)

        assert told == "Bo already answered: approved."
        await site.teams.until(lambda: not site.buttons(card), "the end, on the card")
        assert len(site.titled("Approved: wire")) == 2  # the card, and the note beside it, once
        assert hands.did == ["wire 90 bank"]
