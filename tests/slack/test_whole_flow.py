"""The whole bot in Slack, from a mention to the end of every card: nothing between people and tools is a stand-in."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from tests.fakes.slack import FakeMessage
from tests.flows.stage import EXPLAINED, Hands, Played, call, calls, events, policy, results, settled
from tests.slack.whole import Build, Replica, Site

WIRE = calls(call("wire", amount=90))
REFUND = "refund 120 for order 1042, it arrived broken"


# ---------------------------------------------------------------- one signature


@pytest.mark.parametrize("over", ["http", "socket"])
async def test_a_mention_becomes_a_card_and_a_signature_one_effect(site: Site, build: Build, over: str) -> None:
    """CD-04, CD-07, CD-08: thread opened, card with buttons, Approve, one refund, and every card tells its end."""
    async with build(over=over) as bot:
        thread = await site.asks("ana", REFUND)
        card = await bot.seen("Approve")

        assert (card.channel, card.thread_ts) == (site.ops, thread)
        await site.slack.until(lambda: site.slack.sessions.get((site.ops, thread)) == "suspended", "people are asked")
        assert site.slack.buttons_of(card) == ["Approve", "Edit", "Reject", "Explain", "Details", "Stop"]
        assert await site.presses("bo", "Approve", card) == "Approved. It runs now."

        await bot.shows("Done: refund")
        assert await settled(bot)
        assert bot.refunds == 1
        assert site.text(card).startswith("Approved: refund")
        assert "Approved by Bo" in site.text(card)
        assert not site.live()
        await site.slack.until(lambda: site.slack.sessions.get((site.ops, thread)) == "active", "it is over")


async def test_of_two_clicks_at_once_one_counts_and_the_other_person_hears_whose(site: Site, bot: Replica) -> None:
    """CD-07, D-45: within the same moment; one decision, one effect."""
    await site.asks("ana", REFUND)
    card = await bot.seen("Approve")
    pressed = {who: site.press(who, "Approve", card) for who in ("bo", "chris")}

    told = await asyncio.gather(*(site.clicks(who, payload) for who, payload in pressed.items()))

    assert sorted(told) in (
        ["Approved. It runs now.", "Bo already answered: approved."],
        ["Approved. It runs now.", "Chris already answered: approved."],
    )
    await bot.shows("Done: refund")
    assert await settled(bot)
    assert bot.refunds == 1


async def test_a_click_on_a_card_that_has_ended_says_who_ended_it(site: Site, bot: Replica) -> None:
    """CD-07: the screen was old; the press is not lost without a word."""
    await site.asks("ana", REFUND)
    card = await bot.seen("Approve")
    late = site.press("chris", "Approve", card)
    await site.presses("bo", "Approve", card)
    await bot.shows("Done: refund")

    assert await site.clicks("chris", late) == "Bo already answered: approved."
    assert await settled(bot)
    assert bot.refunds == 1


# ------------------------------------------------------------------------ forms


async def test_an_edit_is_a_form_whose_mistakes_stand_beside_their_fields(site: Site, bot: Replica) -> None:
    """PN-02, PP-08, AS-03, ST-43, T10: bo changes the amount; what he wrote is signed by somebody else, and that
    runs.
    """
    await site.asks("ana", REFUND)
    first = await bot.seen("Approve")
    form = await site.opens("bo", "Edit", first)
    assert "120" in site.text(form)

    await site.submits("bo", amount="0", currency="gold")

    problems = site.slack.errors_of(site.ids["bo"])
    assert len(problems) == 2, problems
    assert site.slack.view_of(site.ids["bo"]) is not None
    await site.submits("bo", amount="110", currency="USD")
    second = await bot.seen("Approve", but=[first])
    assert site.slack.view_of(site.ids["bo"]) is None
    assert site.whispers("bo") == ["Changed. Somebody else has to sign your version now."]
    assert "somebody else has to sign" in await site.presses("bo", "Approve", second)
    assert await site.presses("chris", "Approve", second) == "Approved. It runs now."
    await bot.shows("Done: refund")
    assert await settled(bot)
    assert bot.book == [(1042, 11_000)]
    assert not site.live()


async def test_a_rejection_wants_a_reason_and_the_agent_reads_it(site: Site, build: Build, hands: Hands) -> None:
    """GN-02: a reason of blanks is no reason; with one it ends, runs nothing, and stands on the card."""
    model = Played(WIRE)
    rules = policy("groups: [approvers], reason: on_reject")
    async with build(policy=rules, tools=hands.tools, model=model) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Reject")
        await site.opens("bo", "Reject", card)

        await site.submits("bo", reason="   ")

        assert list(site.slack.errors_of(site.ids["bo"])) == ["Reason"]
        await site.submits("bo", reason="the invoice is wrong")
        await bot.shows("Results:")
        assert "the invoice is wrong" in model.read
        assert await settled(bot)
        assert "Rejected by Bo" in site.text(card)
        assert "the invoice is wrong" in site.text(card)
        assert not hands.did
        assert not site.live()


# ---------------------------------------------------------------- how it is asked


async def test_a_task_in_a_direct_message_needs_no_mention(site: Site, bot: Replica) -> None:
    """GN-06: "is this what you meant?" is asked where ana wrote, and nobody else reads it."""
    dm = site.dm("ana")
    thread = await site.slack.say(site.ids["ana"], dm, "refund 40 for order 1042, it arrived broken")
    card = await bot.seen("Approve")

    assert (card.channel, card.thread_ts) == (dm, thread)
    assert await site.presses("ana", "Approve", card) == "Approved. It runs now."
    await bot.shows("Done: refund")
    assert await settled(bot)
    assert bot.refunds == 1
    assert {post.channel for post in site.posts()} == {dm}


@pytest.mark.parametrize("trouble", ["deliver_twice", "at_once", "out_of_order"])
async def test_one_post_starts_one_run_however_often_it_is_told(site: Site, bot: Replica, trouble: str) -> None:
    """CD-08, I12: `app_mention` and `message` are twins, both may come again, and an edit is no second task."""
    setattr(site.slack.faults, trouble, True)

    thread = await site.asks("ana", REFUND)
    await site.slack.edit(site.ids["ana"], site.ops, thread, f"{site.slack.mention} {REFUND}!!")

    card = await bot.seen("Approve")
    await site.presses("bo", "Approve", card)
    await bot.shows("Done: refund")
    assert await settled(bot)
    assert len(await events(bot, "run_started")) == 1
    assert not await events(bot, "reply_heard")
    assert bot.refunds == 1


async def test_no_bot_gives_a_task_not_even_ourselves(site: Site, bot: Replica) -> None:
    """CD-08, T17: another bot mentions us, and Slack tells us of every post of our own."""
    await site.slack.say(site.ids[site.joins("deploybot", is_bot=True)], site.ops, f"{site.slack.mention} {REFUND}")
    assert not await events(bot, "run_started")
    await site.asks("ana", REFUND)
    await bot.seen("Approve")

    for post in site.posts():
        await site.slack.echo(post.channel, post.ts)

    assert len(await events(bot, "run_started")) == 1
    assert not await events(bot, "reply_heard")


async def test_what_could_not_be_written_down_comes_again_and_starts_one_run(site: Site, bot: Replica) -> None:
    """I10: the bot was starting; Slack delivers again, and nothing typed is lost or done twice."""
    bot.front.shut_for = 2

    await site.asks("ana", REFUND)

    await bot.seen("Approve")
    assert [one.reply.status for one in site.slack.deliveries] == [503, 503, 200, 200]
    assert len(await events(bot, "run_started")) == 1


async def test_a_reply_in_the_thread_corrects_what_waits(site: Site, bot: Replica) -> None:
    """AU-30: "it's order 17 not 71": a new card with order 17; the old one is closed, its button dead."""
    thread = await site.asks("ana", "refund 120 for order 71, it arrived broken")
    first = await bot.seen("Approve")
    old = site.press("bo", "Approve", first)

    await site.says("ana", "it's order 17 not 71", thread)

    second = await bot.seen("Approve", but=[first])
    assert await site.clicks("bo", old) == "This request is already superseded."
    assert bot.refunds == 0
    await site.presses("bo", "Approve", second)
    await bot.shows("Done: refund")
    assert await settled(bot)
    assert bot.book == [(17, 12_000)]
    assert not site.live()


async def test_several_calls_of_one_turn_are_answered_in_any_order(site: Site, build: Build, hands: Hands) -> None:
    """AU-17: three cards at once; the last is signed first, one is rejected, each call keeps its own answer."""
    model = Played(calls(*(call("wire", amount=amount) for amount in (1, 2, 3))))
    async with build(policy=policy(), tools=hands.tools, model=model) as bot:
        await site.asks("ana", "pay all three")
        cards = {amount: await of_amount(bot, amount) for amount in (1, 2, 3)}

        await site.presses("bo", "Approve", cards[3])
        await site.rejects("chris", cards[2], "not this one")
        await site.presses("chris", "Approve", cards[1])

        await bot.shows("Results:")
        assert await settled(bot)
        assert sorted(hands.did) == ["wire 1 bank", "wire 3 bank"]
        rejected = "Not run: rejected by Chris. Reason: 'not this one'"
        assert results(model.asked[-1]) == ["ok wire 1 bank", rejected, "ok wire 3 bank"]
        assert site.text(cards[2]).startswith("Rejected: wire")
        assert not site.live()


# ----------------------------------------------------------------- how it ends


@pytest.mark.parametrize("end", ["approve", "reject", "expire", "stop", "supersede"])
async def test_no_end_leaves_a_copy_with_buttons(site: Site, build: Build, hands: Hands, end: str) -> None:
    """CD-09, I9: the card stands in the thread and with the manager; whatever ends it ends it everywhere."""
    rules = policy(ladder="{after: 5m, dm: manager(approver)}, {after: 4h, expire: true}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        thread = await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        bot.clock.advance(minutes=6)
        copy = await bot.seen("Approve", at=site.dm("dana"))

        await brought_to(end, bot, card, thread)

        assert await settled(bot)
        assert not site.live()
        assert site.text(card).splitlines()[0] == site.text(copy).splitlines()[0]
        assert hands.did == (["wire 90 bank"] if end == "approve" else [])


async def brought_to(end: str, bot: Replica, card: FakeMessage, thread: str) -> None:
    match end:
        case "approve":
            await bot.site.presses("bo", "Approve", card)
        case "reject":
            await bot.site.rejects("bo", card, "no")
        case "expire":
            bot.clock.advance(hours=5)
        case "stop":
            await bot.site.presses("ana", "Stop", card)
        case "supersede":
            await bot.site.says("ana", "leave it", thread)


@pytest.mark.parametrize("how", ["button", "slack"])
async def test_stop_ends_the_run_for_good(site: Site, bot: Replica, how: str) -> None:
    """AS-16, AS-37: our button, or the one Slack shows beside an agent that works."""
    thread = await site.asks("ana", REFUND)
    card = await bot.seen("Approve")
    old = site.press("bo", "Approve", card)

    if how == "button":
        assert await site.presses("ana", "Stop", card) == "Stopping."
    else:
        await site.slack.event("agent_session_stopped", channel=site.ops, thread_ts=thread, user=site.ids["ana"])

    await bot.shows("Stopped by Ana.")
    assert await settled(bot)
    assert not site.live()
    assert await site.clicks("bo", old)
    assert bot.refunds == 0
    assert site.slack.sessions[(site.ops, thread)] == "active"


async def test_slacks_own_stop_ends_a_run_whose_open_question_offers_that_word(site: Site, build: Build) -> None:
    """AS-16, D-12: whoever types "stop" there may have answered; whoever presses Stop has not. A guest may not."""
    asked = calls(call("ask_people", question="Shall I go on?", options=["stop", "go on"]))
    async with build(policy=policy(), model=Played(asked)) as bot:
        thread = await site.asks("ana", "pay")
        await bot.shows("Shall I go on?")
        stop = partial(site.slack.event, "agent_session_stopped", channel=site.ops, thread_ts=thread)

        await stop(user=site.ids["gus"])
        await site.slack.until(lambda: site.whispers("gus"), "gus is told")
        await stop(user=site.ids["ana"])

        await bot.shows("Stopped by Ana.")
        assert await settled(bot)
        assert not site.live()
        [refused] = await events(bot, "vote_refused")
        assert refused["cause"] == "NotRequestable"
        assert str(refused["account"]).endswith(site.ids["gus"])


async def test_the_manager_signs_in_a_direct_message_and_the_thread_shows_it(site: Site, build: Build) -> None:
    """CD-09, AU-31: five minutes of silence; dana's copy has working buttons, and every copy shows the end."""
    rules = "rules:\n  - id: all\n    when: tool.risk != 'read'\n    ask: {groups: [approvers]}\n"
    rules += "    ladder: [{after: 5m, dm: manager(approver)}, {after: 4h, expire: true}]\n"
    async with build(policy=rules + "  - id: rest\n    allow: true\n") as bot:
        thread = await site.asks("ana", REFUND)
        card = await bot.seen("Approve")
        assert "needs an answer from: approvers" in await site.presses("dana", "Approve", card)
        bot.clock.advance(minutes=6)
        copy = await bot.seen("Approve", at=site.dm("dana"))

        assert await site.presses("dana", "Approve", copy) == "Approved. It runs now."

        await bot.shows("Done: refund")
        assert await settled(bot)
        assert "Approved by Dana" in site.text(card)
        assert "Approved by Dana" in site.text(copy)
        assert "asked Dana as well" in site.said(thread)
        assert bot.refunds == 1
        assert not site.live()


async def test_a_reminder_calls_whoever_has_not_answered_in_the_thread(site: Site, build: Build, hands: Hands) -> None:
    """CD-09, AU-31: bo has signed, chris has not; chris alone is mentioned, beside the card."""
    rules = policy("groups: [{of: approvers, need: 2}]", "{after: 5m, remind: here}, {after: 4h, expire: true}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        thread = await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        await site.presses("bo", "Approve", card)
        bot.clock.advance(minutes=6)

        await bot.shows("Reminder: wire still waits for a signature.", in_thread=thread)

        [reminder] = [post for post in site.posts() if "Reminder" in site.text(post)]
        assert site.slack.mentions_of(reminder) == [site.ids["chris"]]
        assert reminder.channel == site.ops


async def test_the_manager_may_come_from_a_field_of_slacks_profiles(site: Site, build: Build, hands: Hands) -> None:
    """AU-31: nobody of them is in people.yml; finn's profile says that gil is his manager, so gil is asked."""
    field = site.slack.add_profile_field("Manager")
    finn, gil = (site.ids[site.joins(who)] for who in ("finn", "gil"))
    site.slack.user(finn).fields[field] = gil
    site.slack.add_usergroup("signers", [finn])
    people = site.people("signers: {slack_usergroup: signers}")
    rules = policy("groups: [signers]", "{after: 5m, dm: manager(approver)}, {after: 4h, expire: true}")
    parts: dict[str, Any] = {"policy": rules, "tools": hands.tools, "model": Played(WIRE)}
    async with build(people=people, manager_field="Manager", **parts) as bot:
        await site.asks("ana", "pay")
        await bot.seen("Approve")
        bot.clock.advance(minutes=6)

        copy = await bot.seen("Approve", at=site.dm("gil"))

        assert await site.presses("gil", "Approve", copy) == "Approved. It runs now."
        await bot.shows("ok wire 90 bank")
        assert await settled(bot)
        assert not site.live()


async def test_explain_shows_the_agents_words_on_the_card(site: Site, build: Build, hands: Hands) -> None:
    """Asked by an approver; its words stand on the card, quoted, which can still be signed."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Explain")

        await site.presses("bo", "Explain", card)

        await bot.shows(EXPLAINED)
        assert EXPLAINED in site.text(card)
        assert {"Approve", "Reject"} <= set(site.slack.buttons_of(card))
        assert not hands.did


async def of_amount(bot: Replica, amount: int) -> FakeMessage:
    """The card about this amount."""
    slack, titled = bot.site.slack, partial(bot.site.titled, "Approval needed: wire")
    await slack.until(lambda: len(titled()) == 3, "three cards")
    found = [post for post in titled() if f'"amount": {amount},' in bot.site.text(post)]
    assert len(found) == 1, bot.site.text(titled()[0])
    return await bot.seen("Approve", but=[post for post in bot.site.posts() if post not in found])
