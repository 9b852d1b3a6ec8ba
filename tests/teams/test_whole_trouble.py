"""The whole bot in Teams: restarts, several processes, a store that is away, and a Teams that loses, refuses, hangs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.store.embedded import EmbeddedServer
from tests.fakes.proxy import Proxy
from tests.fakes.teams import ALWAYS, FakeMessage
from tests.fakes.teams.answers import UNREACHABLE
from tests.flows.stage import Hands, Played, call, calls, events, policy, quiet, settled, shown
from tests.teams.whole import Build, Replica, Site, url_of

WIRE = calls(call("wire", amount=90))
REFUND = "refund 120 for order 1042, it arrived broken"


# ------------------------------------------------------------------- restarts


async def test_a_restart_between_card_and_click_loses_nothing(site: Site, build: Build, hands: Hands) -> None:
    """PP-03, CD-05b: the card was posted by a process that is gone; its button works, and nothing is asked twice."""
    parts: dict[str, Any] = {"policy": policy(), "tools": hands.tools, "model": Played(WIRE)}
    async with build(**parts) as before:
        thread = await site.asks("ana", "pay")
        card = await before.seen("Approve")

    async with build(**parts) as after:
        assert await site.presses("bo", "Approve", card) == "Approved. It runs now."
        await after.shows("ok wire 90 bank", in_thread=thread)
        assert await settled(after)

    assert hands.did == ["wire 90 bank"]
    assert len(site.titled("Approved: wire")) == 1
    assert not site.live()


async def test_a_restart_between_decision_and_edit_ends_every_card(site: Site, build: Build, hands: Hands) -> None:
    """PP-03, I9: the process dies while Teams has not yet answered an edit; the next one makes it."""
    parts: dict[str, Any] = {"policy": policy(), "tools": hands.tools, "model": Played(WIRE)}
    async with build(**parts) as before:
        await site.asks("ana", "pay")
        card = await before.seen("Approve")
        await shown(before)
        site.teams.faults.hang("put", ALWAYS)
        assert await site.presses("bo", "Approve", card) == "Approved. It runs now."
        await before.until(lambda: hands.did, "it runs")
        assert "Approve" in site.buttons(card)
    site.teams.faults.clear("put")

    async with build(**parts) as after:
        await after.shows("ok wire 90 bank")
        assert await settled(after)

    assert "Approved by Bo" in site.text(card)
    assert not site.live()
    assert hands.did == ["wire 90 bank"]


async def test_a_click_reaches_the_process_that_does_not_own_the_run(site: Site, build: Build, hands: Hands) -> None:
    """PP-02, PP-03, CD-05a: two whole bots on one store; Teams gives everything to the one that owns nothing."""
    parts: dict[str, Any] = {"policy": policy(), "tools": hands.tools}
    async with build(model=Played(WIRE), **parts) as owner, build(model=Played(WIRE), **parts) as other:
        await site.asks("ana", "pay")
        card = await owner.seen("Approve")

        assert await site.presses("bo", "Approve", card) == "Approved. It runs now."

        await owner.shows("ok wire 90 bank")
        assert await settled(owner)
        assert url_of(other.adapter) != url_of(owner.adapter)
        assert not other.engine.runner.hosts
        assert hands.did == ["wire 90 bank"]
        assert not site.live()


# ------------------------------------------------------------------- the store


@pytest.mark.parametrize("is_phone", [False, True])
async def test_a_click_while_the_store_is_away_says_so_and_counts_nothing(
    site: Site, redis_server: EmbeddedServer, namespace: str, tmp_path: Path, hands: Hands, is_phone: bool
) -> None:
    """I10, CD-05c: nothing was written, so nothing is claimed; the same button works when the store is back."""
    async with Proxy(Path(redis_server.url.removeprefix("unix://"))) as wire:
        parts: dict[str, Any] = {"policy": policy(), "tools": hands.tools, "model": Played(WIRE)}
        async with Replica(site, wire.url, namespace, tmp_path, **parts) as bot:
            await site.asks("ana", "pay")
            card = await bot.seen("Approve")
            await shown(bot)
            if is_phone:
                site.teams.phones.add(site.ids["bo"])
            wire.is_down = True
            await wire.cut()

            told = await site.teams.press(site.ids["bo"], card.conversation, card.id, "Approve")

            wire.is_down = False
            assert told.kind == ("error" if is_phone else "words")
            assert told.words == (UNREACHABLE if is_phone else "Not recorded, please try again.")
            site.teams.phones.clear()
            while (again := await site.presses("bo", "Approve", card)) != "Approved. It runs now.":
                assert "recorded" in again
            assert len(await events(bot, "vote_counted")) == 1
            await bot.shows("ok wire 90 bank")
            assert hands.did == ["wire 90 bank"]


# ------------------------------------------------------------ posts that got lost


async def test_a_card_whose_post_was_never_answered_is_adopted_by_the_first_click(
    site: Site, build: Build, hands: Hands
) -> None:
    """CD-07, PP-04: Bo sees the card before we know that it stands; he signs it, and there is one."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as bot:
        card = await unanswered(bot)

        told = [await site.presses("bo", "Approve", card)]
        while told[-1] != "Approved. It runs now.":
            assert told[-1] == "Not recorded, please try again.", told
            await bot.store.totals(0)
            told.append(await site.presses("bo", "Approve", card))

        bot.clock.advance(seconds=31)  # the run's own status, which nobody pressed, is posted again
        await bot.shows("ok wire 90 bank")
        assert await settled(bot)
        assert [one.id for one in site.titled("wire")] == [card.id]
        assert not site.buttons(card)
        [orphan] = site.live()  # of the status: nobody can tell that it stands there, until somebody presses it
        assert await site.presses("ana", "Stop", orphan) == "This run has already ended."
        assert hands.did == ["wire 90 bank"]


async def test_a_card_that_was_posted_twice_is_one_request_and_both_end(
    site: Site, build: Build, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CD-07, PP-04: nobody pressed while it was in doubt, so it is posted again; the first one still counts."""
    monkeypatch.setattr("adapters.teams.once.DOUBT", timedelta(seconds=0.2))
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as bot:
        first = await unanswered(bot)
        second = await bot.seen("Approve", but=[first])

        assert await site.presses("bo", "Approve", first) == "Approved. It runs now."

        await bot.shows("ok wire 90 bank")
        assert await settled(bot)
        assert hands.did == ["wire 90 bank"]
        assert len(await events(bot, "request_opened")) == 1
        assert not site.buttons(second)
        await site.teams.until(lambda: not site.buttons(first), "both end")


async def unanswered(bot: Replica) -> FakeMessage:
    """The card, which stands there, and nobody told us so. Then Teams is well again."""
    site = bot.site
    site.teams.faults.lose_reply("post", ALWAYS)
    await site.asks("ana", "pay")
    await site.teams.until(lambda: site.titled("Approval needed"), "the card")
    site.teams.faults.clear("post")
    return site.titled("Approval needed")[0]


@pytest.mark.parametrize("loss", ["lose_request", "html"])
async def test_a_post_that_never_arrived_is_made_again(
    site: Site, build: Build, hands: Hands, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PP-04: the connection broke before, or a proxy answered with a page."""
    monkeypatch.setattr("adapters.teams.once.DOUBT", timedelta(seconds=0.2))
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as bot:
        getattr(site.teams.faults, loss)("post", times=2)

        await site.asks("ana", "pay")

        card = await bot.seen("Approve")
        await site.presses("bo", "Approve", card)
        await bot.shows("ok wire 90 bank")
        assert await settled(bot)
        assert [one.id for one in site.titled("wire")] == [card.id]


# ------------------------------------------------------------ edits that got lost


@pytest.mark.parametrize(("status", "code"), [(403, "ServiceError"), (404, "ActivityNotFoundInConversation")])
@pytest.mark.parametrize("is_for_ever", [False, True])
async def test_an_end_that_cannot_be_edited_in_is_said_in_the_thread(
    site: Site, build: Build, hands: Hands, status: int, code: str, is_for_ever: bool
) -> None:
    """PN-16, I9: the edit is tried once more; if it stays lost, a short message in the thread says how it ended."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as bot:
        thread = await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        await shown(bot)
        site.teams.faults.fail("put", status, code, ALWAYS if is_for_ever else 1)

        assert await site.presses("bo", "Approve", card) == "Approved. It runs now."

        await bot.shows("Approved by Bo", in_thread=thread)
        await bot.shows("ok wire 90 bank", in_thread=thread)
        await quiet(bot)
        ends = [post for post in site.posts() if "Approved by Bo" in site.text(post)]
        assert len(ends) == 1
        assert (ends[0].id == card.id) is not is_for_ever
        assert not site.buttons(ends[0])
        assert ends[0].thread == thread
        if is_for_ever:  # the old picture stands, and signs nothing any more
            assert "already" in await site.presses("chris", "Approve", card)
        assert hands.did == ["wire 90 bank"]


async def test_a_card_that_somebody_deleted_still_ends_in_words(site: Site, build: Build, hands: Hands) -> None:
    """I9: an owner deleted the card; the deadline holds, and the thread says so."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as bot:
        thread = await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        await shown(bot)
        await site.teams.erase(site.ids["bo"], site.ops, card.id)

        bot.clock.advance(hours=5)

        await bot.shows("Expired", in_thread=thread)
        assert await settled(bot)
        assert not hands.did


# ------------------------------------------------------------- who is not reached


async def test_a_manager_without_the_app_is_passed_over_and_the_thread_says_so(
    site: Site, build: Build, hands: Hands
) -> None:
    """CD-09, A2-10: dana cannot be written to; erin is asked in her place, and nobody has to guess."""
    site.teams._world.personal(site.teams.person(site.ids["dana"])).is_installed = False
    steps = "{after: 1m, dm: manager(approver)}, {after: 4h, expire: true}"
    async with build(policy=policy(ladder=steps), tools=hands.tools, model=Played(WIRE)) as bot:
        thread = await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        bot.clock.advance(minutes=1, seconds=5)

        copy = await bot.seen("Approve", but=[card])

        assert copy.conversation == site.dm("erin")
        assert not site.teams.direct(site.ids["dana"])
        assert "Dana cannot be reached by direct message: asked Erin instead." in site.said(thread)
        assert await site.presses("erin", "Approve", copy) == "Approved. It runs now."
        await bot.shows("ok wire 90 bank")
        assert await settled(bot)


async def test_an_app_that_was_removed_from_the_team_leaves_the_deadline_in_force(
    site: Site, build: Build, hands: Hands
) -> None:
    """D-03: nothing can be shown any more; nothing is signed, and nothing runs."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        await bot.seen("Approve")
        await shown(bot)
        await site.teams.uninstall(site.team, site.ids["bo"])

        bot.clock.advance(hours=5)

        await quiet(bot)
        assert [one["status"] for one in await events(bot, "request_decided")] == ["expired"]
        assert not hands.did
        assert await bot.is_sound()


# ------------------------------------------------------------------- slow Teams


async def test_a_thread_that_must_not_be_edited_holds_up_no_other(site: Site, build: Build) -> None:
    """CD-07: Teams takes its time with every edit; in another thread a card is posted, signed, and its call runs."""
    async with build() as bot:
        await site.asks("ana", REFUND)
        first = await bot.seen("Approve")
        await shown(bot)
        gate = site.teams.faults.gate("put", ALWAYS)

        await site.presses("bo", "Approve", first)
        await bot.until(lambda: bot.refunds == 1, "the signed call ran")
        thread = await site.asks("chris", "refund 130 for order 1043, wrong item")

        second = await bot.seen("Approve", but=[first])
        assert second.thread == thread
        assert await site.presses("bo", "Approve", second) == "Approved. It runs now."
        await bot.until(lambda: bot.refunds == 2, "the other thread's call ran")
        gate.set()
        assert await settled(bot)
