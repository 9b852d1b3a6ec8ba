"""The whole bot in Teams, from a mention to the end of every card: nothing between people and tools is a stand-in."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from tests.fakes.teams import FakeMessage
from tests.flows.stage import Hands, Played, call, calls, events, policy, results, settled
from tests.teams.whole import Build, Replica, Site

WIRE = calls(call("wire", amount=90))
REFUND = "refund 120 for order 1042, it arrived broken"


# ---------------------------------------------------------------- one signature


async def test_a_mention_becomes_a_card_and_a_signature_one_effect(site: Site, bot: Replica) -> None:
    """CD-01, CD-04, CD-07, CD-08, AS-36: thread, Adaptive Card, Approve, one refund; every card tells its end."""
    thread = await site.asks("ana", REFUND)
    card = await bot.seen("Approve")

    assert (card.conversation, card.thread) == (site.ops, thread)
    assert site.buttons(card) == ["Approve", "Edit", "Reject", "Explain", "Details", "Stop"]
    assert site.teams.typing(site.ops)
    assert await site.presses("bo", "Approve", card) == "Approved. It runs now."

    await bot.shows("Done: refund", in_thread=thread)
    assert await settled(bot)
    assert bot.book == [(1042, 12_000)]
    assert site.text(card).startswith("Approved: refund")
    assert "Approved by Bo" in site.text(card)
    assert not site.live()
    assert any(site.teams.is_labelled(post) for post in site.teams.posts(site.ops))


async def test_execute_and_its_twin_on_a_phone_lead_to_the_same_record(site: Site, build: Build, hands: Hands) -> None:
    """CD-04, AU-21, PP-11: where Execute is dead, Submit counts the same; who pressed it reads so in their own chat."""
    rules = policy("groups: [{of: approvers, need: 2}]")
    site.teams.phones.add(site.ids["chris"])
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")

        assert (await site.presses("bo", "Approve", card)).startswith("Counted: 1 of 2")
        assert await site.presses("chris", "Approve", card) == ""

        await site.told("chris", "Approved. It runs now.")
        await bot.shows("ok wire 90 bank")
        assert await settled(bot)
        by_execute, by_submit = await events(bot, "vote_counted")
        kinds = [one.activity["type"] for one in site.teams.deliveries[-2:]]
        assert kinds == ["invoke", "message"]
        own = {"delivery", "voter", "person", "tally", "account"}
        assert {k: v for k, v in by_execute.items() if k not in own} == {
            k: v for k, v in by_submit.items() if k not in own
        }
        assert hands.did == ["wire 90 bank"]


async def test_of_twenty_people_at_once_one_decides_and_the_others_hear_who(
    site: Site, build: Build, hands: Hands
) -> None:
    """CD-07, I3, D-45: twenty screens in the same moment; one decision, one effect, and twenty answers."""
    crowd = [await site.joins(f"zoe{number}") for number in range(20)]
    parts = {"policy": policy("groups: [crowd]"), "people": site.people("crowd: {teams_team: Support}")}
    async with build(**parts, tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        pressed = {who: site.press(who, "Approve", card) for who in crowd}

        told = await asyncio.gather(*(site.sends(who, one) for who, one in pressed.items()))

        words = [answer.words for answer in told]
        assert words.count("Approved. It runs now.") == 1
        assert sum(one.endswith(" already answered: approved.") for one in words) == 19, words
        await bot.shows("ok wire 90 bank")
        assert await settled(bot)
        assert len(await events(bot, "request_decided")) == 1
        assert hands.did == ["wire 90 bank"]


@pytest.mark.parametrize("how", ["deliver_twice", "deliver_anew", "at_once"])
async def test_one_press_that_comes_twice_is_one_vote(site: Site, build: Build, hands: Hands, how: str) -> None:
    """T12, PP-11: with one id, with two, and in the same moment; each is answered with words that hold."""
    rules = policy("groups: [{of: approvers, need: 2}]")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        setattr(site.teams.faults, how, True)
        await site.presses("bo", "Approve", card)
        setattr(site.teams.faults, how, False)

        replies = [one.reply for one in site.teams.deliveries if one.activity["type"] == "invoke"]
        assert [reply.status for reply in replies] == [200, 200]
        assert all(reply.json["value"] for reply in replies)
        assert len(await events(bot, "vote_counted")) == 1
        assert not hands.did
        await site.presses("chris", "Approve", card)
        await bot.shows("ok wire 90 bank")
        assert await settled(bot)


async def test_a_click_on_a_card_that_has_ended_says_who_ended_it(site: Site, bot: Replica) -> None:
    """CD-07: the screen was old; the press is not lost without a word."""
    await site.asks("ana", REFUND)
    card = await bot.seen("Approve")
    late = site.press("chris", "Approve", card)
    await site.presses("bo", "Approve", card)
    await bot.shows("Done: refund")

    assert (await site.sends("chris", late)).words == "Bo already answered: approved."
    assert await settled(bot)
    assert bot.refunds == 1


# ---------------------------------------------------------------- how it is asked


@pytest.mark.parametrize("where", ["channel", "group chat", "own chat"])
@pytest.mark.parametrize("trouble", ["deliver_twice", "deliver_anew", "at_once", "later"])
async def test_what_is_said_once_starts_one_run_however_often_it_is_told(
    site: Site, build: Build, hands: Hands, where: str, trouble: str
) -> None:
    """CD-08, T12: a mention, or words in one's own chat; the same, with another id, at once, and 15 s later anew."""
    place = {"channel": site.ops, "group chat": site.chat, "own chat": site.dm("ana")}[where]
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as bot:
        if trouble != "later":
            setattr(site.teams.faults, trouble, True)
        await site.says("ana", "@countersign pay" if where != "own chat" else "pay", at=place)
        site.teams.faults.deliver_twice = site.teams.faults.deliver_anew = site.teams.faults.at_once = False
        if trouble == "later":
            bot.clock.advance(seconds=15)
            await site.teams.again(site.teams.deliveries[-1], is_anew=True)

        card = await bot.seen("Approve")
        assert card.conversation == place
        await site.presses("bo" if where != "own chat" else "ana", "Stop", card)
        assert await settled(bot)
        assert len(await events(bot, "run_started")) == 1
        assert not await events(bot, "reply_heard")


async def test_a_mention_that_comes_again_with_another_time_is_the_same_task(site: Site, bot: Replica) -> None:
    """CD-08: the second layer of repetitions changes the id, and perhaps the time, of what somebody wrote once."""
    await site.asks("ana", REFUND)
    await bot.seen("Approve")
    first = site.teams.deliveries[-1].activity
    again = {**first, "id": str(int(first["id"]) + 15_000), "timestamp": "2026-11-20T10:00:15.000Z"}

    await site.teams.deliver(again)

    assert len(await events(bot, "run_started")) == 1
    assert not await events(bot, "reply_heard")


async def test_words_in_ones_own_chat_are_a_task_that_nobody_else_reads(site: Site, bot: Replica) -> None:
    """GN-06, PN-16: "is this what you meant?" is asked where ana wrote."""
    await site.says("ana", "refund 40 for order 1042, it arrived broken", at=site.dm("ana"))
    card = await bot.seen("Approve", at=site.dm("ana"))

    assert await site.presses("ana", "Approve", card) == "Approved. It runs now."
    await bot.shows("Done: refund")
    assert await settled(bot)
    assert bot.refunds == 1
    assert {post.conversation for post in site.posts()} == {site.dm("ana")}


async def test_in_a_group_chat_the_whole_chat_is_the_conversation(site: Site, build: Build, hands: Hands) -> None:
    """CD-07: there are no threads there; what is said to the bot while it works is context, and Stop ends it."""
    model = Played(WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model) as bot:
        await site.asks("ana", "pay", at=site.chat)
        first = await bot.seen("Approve", at=site.chat)

        await site.asks("bo", "the account has changed", at=site.chat)

        await bot.until(lambda: "the account has changed" in model.read, "it was read")
        await site.teams.until(lambda: not site.live() or first not in site.live(), "the old card is closed")
        assert len(await events(bot, "run_started")) == 1
        await site.asks("ana", "stop", at=site.chat)
        assert await settled(bot)
        assert not site.live()
        assert not hands.did


@pytest.mark.parametrize("is_mentioned", [True, False])
async def test_a_reply_in_the_thread_corrects_what_waits(site: Site, bot: Replica, is_mentioned: bool) -> None:
    """AU-30: "it's order 17 not 71": a new card with order 17; the old one is closed, its button dead."""
    site.teams.hears_all = not is_mentioned
    thread = await site.asks("ana", "refund 120 for order 71, it arrived broken")
    first = await bot.seen("Approve")
    old = site.press("bo", "Approve", first)

    await site.says("ana", f"{'@countersign ' if is_mentioned else ''}it's order 17 not 71", thread)

    second = await bot.seen("Approve", but=[first])
    assert second.thread == thread
    assert (await site.sends("bo", old)).words == "This request is already superseded."
    assert bot.refunds == 0
    await site.presses("bo", "Approve", second)
    await bot.shows("Done: refund")
    assert await settled(bot)
    assert bot.book == [(17, 12_000)]
    assert not site.live()


async def test_no_bot_gives_a_task_not_even_ourselves(site: Site, bot: Replica) -> None:
    """CD-08, T17: another bot mentions us, and Teams tells us of a post of our own."""
    for sender in ("28:00000000-0000-0000-0000-00000000b07b", site.teams.bot_id):
        told = site.teams.words(site.ids["bo"], site.ops, f"@countersign {REFUND}")
        told["from"] = {"id": sender, "name": "Deploy"}
        assert (await site.teams.deliver(told)).status == 200

    assert not await events(bot, "run_started")
    assert not site.posts()


async def test_an_edit_a_deletion_and_a_thumb_are_no_second_task(site: Site, bot: Replica) -> None:
    """CD-08, I12: what Teams tells about a message is not the message."""
    thread = await site.asks("ana", REFUND)
    card = await bot.seen("Approve")

    await site.teams.edit(site.ids["ana"], site.ops, thread, f"@countersign {REFUND}!!")
    await site.teams.like(site.ids["bo"], site.ops, card.id)
    await site.teams.erase(site.ids["ana"], site.ops, thread)

    assert len(await events(bot, "run_started")) == 1
    assert not await events(bot, "reply_heard")
    assert "Approve" in site.buttons(card)


async def test_what_could_not_be_written_down_comes_again_and_starts_one_run(site: Site, bot: Replica) -> None:
    """I10: the store was away; Teams delivers again, and nothing typed is lost or done twice."""
    bot.front.shut_for = 2

    await site.asks("ana", REFUND)

    await bot.seen("Approve")
    assert [one.reply.status for one in site.teams.deliveries] == [503, 503, 200]
    assert len(await events(bot, "run_started")) == 1


async def test_several_calls_of_one_turn_are_answered_in_any_order(site: Site, build: Build, hands: Hands) -> None:
    """AU-17: three cards at once; the last is signed first, one is rejected, each call keeps its own answer."""
    model = Played(calls(*(call("wire", amount=amount) for amount in (1, 2, 3))))
    async with build(policy=policy(), tools=hands.tools, model=model) as bot:
        await site.asks("ana", "pay all three")
        cards = {amount: await of_amount(bot, amount) for amount in (1, 2, 3)}

        await site.presses("bo", "Approve", cards[3])
        await site.presses("chris", "Reject", cards[2], Reason="not this one")
        await site.presses("chris", "Approve", cards[1])

        await bot.shows("Results:")
        assert await settled(bot)
        assert sorted(hands.did) == ["wire 1 bank", "wire 3 bank"]
        rejected = "Not run: rejected by Chris. Reason: 'not this one'"
        assert results(model.asked[-1]) == ["ok wire 1 bank", rejected, "ok wire 3 bank"]
        assert site.text(cards[2]).startswith("Rejected: wire")
        assert not site.live()


async def of_amount(bot: Replica, amount: int) -> FakeMessage:
    """The card about this amount."""
    titled = partial(bot.site.titled, "Approval needed: wire")
    await bot.site.teams.until(lambda: len(titled()) == 3, "three cards")
    [found] = [post for post in titled() if f'"amount": {amount},' in bot.site.text(post)]
    return await bot.seen("Approve", but=[post for post in bot.site.posts() if post is not found])


# ----------------------------------------------------------------- how it ends


@pytest.mark.parametrize("end", ["approve", "reject", "expire", "stop", "supersede"])
async def test_no_end_leaves_a_copy_with_buttons(site: Site, build: Build, hands: Hands, end: str) -> None:
    """CD-09, I9, PN-16: the card stands in the thread, with the manager and in a channel; one end, everywhere."""
    steps = '{after: 5m, dm: manager(approver)}, {after: 6m, also: "#approvals"}, {after: 4h, expire: true}'
    async with build(policy=policy(ladder=steps), tools=hands.tools, model=Played(WIRE)) as bot:
        thread = await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        bot.clock.advance(minutes=7)
        copies = [await bot.seen("Approve", at=place) for place in (site.dm("dana"), site.approvals)]

        await brought_to(end, bot, card, thread)

        assert await settled(bot)
        assert not site.live()
        assert {site.text(one).splitlines()[0] for one in copies} == {site.text(card).splitlines()[0]}
        assert hands.did == (["wire 90 bank"] if end == "approve" else [])


async def brought_to(end: str, bot: Replica, card: FakeMessage, thread: str) -> None:
    match end:
        case "approve":
            await bot.site.presses("bo", "Approve", card)
        case "reject":
            await bot.site.presses("bo", "Reject", card, Reason="no")
        case "expire":
            bot.clock.advance(hours=5)
        case "stop":
            await bot.site.presses("ana", "Stop", card)
        case "supersede":
            await bot.site.says("ana", "@countersign leave it", thread)


@pytest.mark.parametrize("how", ["button", "word"])
async def test_stop_ends_the_run_for_good(site: Site, bot: Replica, how: str) -> None:
    """AS-16, AS-37, D-42: the button, or the word in the thread."""
    thread = await site.asks("ana", REFUND)
    card = await bot.seen("Approve")
    old = site.press("bo", "Approve", card)

    if how == "button":
        assert await site.presses("ana", "Stop", card) == "Stopping."
    else:
        await site.says("ana", "@countersign stop", thread)

    await bot.shows("Stopped by Ana.", in_thread=thread)
    assert await settled(bot)
    assert not site.live()
    assert (await site.sends("bo", old)).words.startswith("This request is already")
    assert bot.refunds == 0


async def test_the_manager_signs_in_a_direct_message_and_the_thread_shows_it(site: Site, build: Build) -> None:
    """CD-09, AU-31: five minutes of silence; dana's copy has working buttons, and every copy shows the end."""
    rules = policy("groups: [approvers]", "{after: 5m, dm: manager(approver)}, {after: 4h, expire: true}")
    async with build(policy=rules) as bot:
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
        assert site.teams.mentions_of(reminder) == [site.ids["chris"]]


@pytest.mark.parametrize("is_named_whole", [False, True])
async def test_a_rule_sends_the_card_to_a_channel_by_its_name(
    site: Site, build: Build, hands: Hands, is_named_whole: bool
) -> None:
    """PN-16, CD-07: teammates sign in approvals, in a thread of its own; the run's thread reads the end."""
    rules = policy(more=f'    place: "#{"Support/" if is_named_whole else ""}Approvals"\n')
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        thread = await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        assert (card.conversation, card.thread) == (site.approvals, card.id)

        assert await site.presses("bo", "Approve", card) == "Approved. It runs now."

        await bot.shows("ok wire 90 bank", in_thread=thread)
        assert await settled(bot)
        assert not site.live()


async def test_what_waits_can_be_signed_from_ones_own_list(site: Site, bot: Replica) -> None:
    """PN-12: the row's button names the card in the channel, which ends with it."""
    await site.asks("ana", REFUND)
    card = await bot.seen("Approve")
    await site.says("bo", "pending", at=site.dm("bo"))
    await site.teams.until(lambda: site.teams.direct(site.ids["bo"]), "a list")
    listed = site.teams.direct(site.ids["bo"])[-1]

    await site.clicks("bo", "Approve", listed)

    assert "Approved. It runs now." in site.teams.text_of(listed, site.ids["bo"])
    await bot.shows("Done: refund")
    assert await settled(bot)
    assert bot.refunds == 1
    assert "Approved by Bo" in site.text(card)
