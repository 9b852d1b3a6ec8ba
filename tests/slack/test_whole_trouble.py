"""The whole bot in Slack: several processes, races, and a Slack that fails, slows down or throws us out."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest

from adapters.slack.pace import Pace
from tests.fakes.slack import FakeMessage, payloads
from tests.flows.stage import Hands, Played, call, calls, events, policy, quiet, settled, shown
from tests.slack.whole import Build, Site

WIRE = calls(call("wire", amount=90))
REFUND = "refund 120 for order 1042, it arrived broken"


# --------------------------------------------------------------- several processes


@pytest.mark.parametrize("processes", [1, 2])
async def test_an_open_home_tab_stays_true_whichever_process_has_the_run(
    site: Site, build: Build, hands: Hands, processes: int
) -> None:
    """CD-08, PP-02, PP-03: Slack tells of the opened tab over HTTP, so to the last process, which owns nothing."""
    parts: dict[str, Any] = {"policy": policy(), "tools": hands.tools, "over": "http"}
    async with AsyncExitStack() as stack:
        bots = [await stack.enter_async_context(build(model=Played(WIRE), **parts)) for _ in range(processes)]
        await site.slack.open_home(site.ids["bo"])
        await site.slack.until(lambda: "Nothing waits for you" in home(site, "bo"), "an empty list")

        await site.asks("ana", "pay")
        card = await bots[0].seen("Approve")
        await site.slack.until(lambda: "Approve" in buttons_at_home(site, "bo"), "the request on the tab")
        before = len(site.slack.calls("views.publish"))
        await site.presses("chris", "Approve", card)
        await site.slack.until(lambda: "Nothing waits for you" in home(site, "bo"), "an empty list again")

        await bots[0].shows("Done")
        assert await settled(bots[0])
        assert "Approve" not in buttons_at_home(site, "bo")
        assert len(site.slack.calls("views.publish")) - before <= 3


async def test_a_home_tab_that_was_open_before_a_restart_loses_its_buttons_after_it(
    site: Site, build: Build, hands: Hands
) -> None:
    """CD-08, PP-03: who looked is known to the process that runs now."""
    parts: dict[str, Any] = {"policy": policy(), "tools": hands.tools, "model": Played(WIRE)}
    async with build(**parts) as before:
        await site.asks("ana", "pay")
        card = await before.seen("Approve")
        await site.slack.open_home(site.ids["bo"])
        await site.slack.until(lambda: "Approve" in buttons_at_home(site, "bo"), "the request on the tab")

    async with build(**parts) as after:
        await site.presses("chris", "Approve", card)
        await after.shows("ok wire 90 bank")

        await site.slack.until(lambda: "Nothing waits for you" in home(site, "bo"), "an empty list")
        assert await settled(after)


def home(site: Site, who: str) -> str:
    """What this person reads on their Home tab; nothing before it was ever published."""
    shown = site.slack.home_of(site.ids[who])
    return site.text(shown) if shown is not None else ""


def buttons_at_home(site: Site, who: str) -> list[str]:
    shown = site.slack.home_of(site.ids[who])
    return [spot.label for spot in payloads.spots(shown.body["blocks"])] if shown is not None else []


@pytest.mark.parametrize("over", ["socket", "http"])
async def test_a_click_reaches_the_process_that_does_not_own_the_run(
    site: Site, build: Build, hands: Hands, over: str
) -> None:
    """PP-02, PP-03, CD-05a: two whole bots on one store; Slack gives each payload to one of them: over sockets in
    turn, over HTTP all of them to the one that owns nothing.
    """
    parts: dict[str, Any] = {"policy": policy(), "tools": hands.tools, "over": over}
    async with build(model=Played(WIRE), **parts) as owner, build(model=Played(WIRE), **parts) as other:
        for who in ("bo", "chris"):
            await site.asks("ana", "pay")
            card = await owner.seen("Approve")
            assert await site.presses(who, "Approve", card) == "Approved. It runs now."
            await owner.shows("Done")
            assert await settled(owner)

        given = [line.sent for line in site.slack.sockets.lines]
        assert len(given) == (2 if over == "socket" else 0)
        assert all(given), given
        assert over == "socket" or (site.slack.request_url or "-") in other.adapter.where
        assert not other.engine.runner.hosts
        assert hands.did == ["wire 90 bank"] * 2
        assert len(site.titled("Approved: wire")) == 2
        assert not site.live()


async def test_a_restarted_process_goes_on_where_the_other_one_stopped(site: Site, build: Build, hands: Hands) -> None:
    """PP-03, CD-05b: the card was posted by a process that is gone; its button works, and nothing is asked twice."""
    parts: dict[str, Any] = {"policy": policy(), "tools": hands.tools, "model": Played(WIRE)}
    async with build(**parts) as before:
        await site.asks("ana", "pay")
        card = await before.seen("Approve")

    async with build(**parts) as after:
        assert await site.presses("bo", "Approve", card) == "Approved. It runs now."
        await after.shows("ok wire 90 bank")
        assert await settled(after)

    assert hands.did == ["wire 90 bank"]
    assert len(site.titled("Approved: wire")) == 1
    assert not site.live()


async def test_of_fifty_races_each_has_one_decision_that_card_and_reply_agree_on(
    site: Site, build: Build, hands: Hands
) -> None:
    """CD-07, I3: Approve and Reject leave two screens in the same moment, on two processes."""
    parts: dict[str, Any] = {"policy": policy(), "tools": hands.tools, "over": "socket"}
    async with build(model=Played(WIRE), **parts) as bot, build(model=Played(WIRE), **parts):
        cards: list[FakeMessage] = []
        for number in range(50):
            thread = await site.asks(site.joins(f"guest{number}"), "pay")  # each writes once: nobody floods
            cards.append(await bot.seen("Approve", but=cards))
            assert cards[-1].thread_ts == thread
            approved = site.press("bo", "Approve", cards[-1])
            await site.opens("chris", "Reject", cards[-1])
            bo, chris = len(site.whispers("bo")), len(site.whispers("chris"))
            await asyncio.gather(site.slack.interact(approved), site.submits("chris", reason="no"))
            await bot.shows("Results:", in_thread=thread)
            await site.slack.until(partial(is_decided, site, cards[-1]), "the card shows its end")
            is_approved = site.text(cards[-1]).startswith("Approved")
            await site.slack.until(partial(is_told, site, "bo", bo), "bo is told")
            told = site.whispers("bo")[bo]
            assert told == ("Approved. It runs now." if is_approved else "Chris already answered: rejected.")
            if is_approved:
                view = site.slack.view_of(site.ids["chris"])
                assert view is not None
                assert "Bo already answered: approved." in site.text(view)
                await site.slack.close_view(site.ids["chris"])
            else:
                await site.slack.until(partial(is_told, site, "chris", chris), "chris is told")
                assert site.whispers("chris")[chris] == "Rejected. It will not run."

        assert await settled(bot)
        assert len(await events(bot, "request_decided")) == 50
        assert len(hands.did) == len(site.titled("Approved: wire"))
        assert len(site.titled("Rejected: wire")) == 50 - len(hands.did)
        assert not site.live()


def is_told(site: Site, who: str, before: int) -> bool:
    return len(site.whispers(who)) > before


# ----------------------------------------------------------------------- trouble


async def test_a_thread_that_must_not_be_updated_holds_up_no_other(
    site: Site, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`chat.update` answers 429 for ten minutes; in another thread a card is posted and signed, and its call runs."""
    monkeypatch.setattr("adapters.slack.office.Pace", Pace)
    async with build() as bot:
        await site.asks("ana", REFUND)
        first = await bot.seen("Approve")
        site.slack.faults.rate_limit("chat.update", retry_after=600)

        await site.presses("bo", "Approve", first)
        await bot.until(lambda: bot.refunds == 1, "the signed call ran")
        thread = await site.asks("chris", "refund 130 for order 1043, wrong item")

        second = await bot.seen("Approve", but=[first])
        assert second.thread_ts == thread
        assert await site.presses("bo", "Approve", second) == "Approved. It runs now."
        await bot.until(lambda: bot.refunds == 2, "the other thread's call ran")
        assert await bot.is_sound()


@pytest.mark.parametrize("loss", ["lose_reply", "lose_request"])
async def test_a_card_whose_reply_was_lost_stands_once(site: Site, build: Build, hands: Hands, loss: str) -> None:
    """CD-07: nobody knows whether it stands; our mark tells, and the card that stands is the one that is signed."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as bot:
        getattr(site.slack.faults, loss)("chat.postMessage", 2)

        await site.asks("ana", "pay")

        card = await bot.seen("Approve")
        await site.presses("bo", "Approve", card)
        await bot.shows("ok wire 90 bank")
        assert await settled(bot)
        assert len(site.posts()) == 3  # status, card, answer
        assert hands.did == ["wire 90 bank"]


@pytest.mark.parametrize("loss", ["", "lose_reply"])
async def test_a_card_stands_once_in_the_channel_that_the_policy_names(
    site: Site, build: Build, hands: Hands, loss: str
) -> None:
    """`place: "#finance"`: Slack posts to a name, but nothing can be looked for, or updated, in one."""
    finance = site.slack.add_channel("finance", [site.ids["bo"]])
    rules = policy(more='    place: "#finance"')
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        if loss:
            site.slack.faults.lose_reply("chat.postMessage", 2)

        await site.asks("ana", "pay")

        card = await bot.seen("Approve", at=finance)

        assert (card.thread_ts, site.titled("Approval needed")) == (None, [card])
        await site.presses("bo", "Approve", card)
        await bot.shows("ok wire 90 bank")
        assert await settled(bot)
        assert site.text(card).startswith("Approved: wire")
        assert hands.did == ["wire 90 bank"]


async def test_a_step_shows_the_card_in_a_second_channel(site: Site, build: Build, hands: Hands) -> None:
    """CD-07: `also: "#finance"`. Bo presses there; both cards end, and nothing ran twice."""
    finance = site.slack.add_channel("finance", [site.ids["bo"]])
    rules = policy(ladder='{after: 5m, also: "#finance"}, {after: 4h, expire: true}')
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        first = await bot.seen("Approve")

        bot.clock.advance(minutes=6)

        card = await bot.seen("Approve", at=finance)
        await bot.shows("shown in #finance as well")
        assert await site.presses("bo", "Approve", card) == "Approved. It runs now."
        await bot.shows("ok wire 90 bank")
        assert await settled(bot)
        assert [site.text(one).startswith("Approved: wire") for one in (first, card)] == [True, True]
        assert hands.did == ["wire 90 bank"]


async def test_a_workspace_that_removed_the_app_is_called_no_more(site: Site, build: Build) -> None:
    """One of many workspaces leaves while a card waits: not one call more, its clicks are nobody's, nothing runs."""
    async with build(over="oauth") as bot:
        await site.asks("ana", REFUND)
        card = await bot.seen("Approve")
        await shown(bot)
        late = site.press("bo", "Approve", card)
        reply = await site.slack.uninstall(site.slack.team)
        assert reply.status == 200
        called = len(site.slack.called)

        bot.clock.advance(hours=5)

        assert (await site.slack.interact(late)).status == 403
        await quiet(bot)
        assert await bot.is_sound()
        assert [one["status"] for one in await events(bot, "request_decided")] == ["expired"]
        assert len(site.slack.called) == called
        assert bot.refunds == 0


async def test_a_token_that_slack_refuses_is_not_tried_again_and_again(site: Site, build: Build) -> None:
    """The only workspace there is removed the app: nobody can be found or told, yet the deadline holds (D-03)."""
    async with build() as bot:
        await site.asks("ana", REFUND)
        card = await bot.seen("Approve")
        await shown(bot)
        await site.slack.uninstall(site.slack.team)
        await bot.adapter.whisper("are you there?", *bot.whereabouts("ana", card))  # this one learns of it
        called = len(site.slack.called)

        bot.clock.advance(hours=5)

        async with asyncio.timeout(10):
            while not await events(bot, "run_ended"):
                pass
        assert site.slack.called[called:] == []
        assert bot.refunds == 0
        assert await bot.is_sound()


def is_decided(site: Site, card: FakeMessage) -> bool:
    return site.text(card).startswith(("Approved", "Rejected"))
