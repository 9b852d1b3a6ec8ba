"""The whole bot in Slack: who may sign, and what their press must be. Whoever may not is told why, in private."""

from __future__ import annotations

import asyncio
import time

import pytest
from slack_sdk.oauth.installation_store import Bot

from adapters.slack.installs import KeptInstalls
from bot.domain.chat import Account, Click
from tests.flows.stage import Hands, Played, call, calls, events, policy, settled
from tests.slack.whole import Build, Replica, Site

WIRE = calls(call("wire", amount=90))
REFUND = "refund 120 for order 1042, it arrived broken"


@pytest.mark.parametrize(
    ("who", "told"),
    [
        ("mallory", "Sorry, I do not know you, so I cannot count your answer."),
        ("gus", "Sorry, guests, bots and deactivated accounts cannot answer."),
        ("ana", "Sorry, you asked for or changed this, so somebody else has to sign it."),
        ("erin", "Sorry, this needs an answer from: approvers."),
    ],
)
async def test_who_may_not_sign_is_told_why_and_nobody_else_is(site: Site, bot: Replica, who: str, told: str) -> None:
    """T10, T16, T32: another company's guest, our guest, the requester, a bystander."""
    await site.asks("ana", REFUND)
    card = await bot.seen("Approve")

    assert await site.presses(who, "Approve", card) == told

    assert all(not site.whispers(name) for name in site.ids if name != who)
    assert told not in "\n".join(site.text(post) for post in site.posts())
    assert "Approve" in site.slack.buttons_of(card)
    assert bot.refunds == 0
    assert await bot.is_sound()


async def test_approvers_are_who_slack_says_they_are(site: Site, build: Build, hands: Hands) -> None:
    """CD-09, D-30: one seat for a user group, one for a channel; nobody in people.yml is in either."""
    finance = site.slack.add_usergroup("finance-approvers", [site.ids["chris"]])
    oncall = site.slack.add_channel("oncall", [site.ids[site.joins(who)] for who in ("finn", "gil")], is_private=True)
    groups = f"finance: {{slack_usergroup: finance-approvers}}\n  oncall: {{slack_channel: {oncall}}}"
    people = site.people(groups, apart=["bo", "chris"])
    rules = policy("groups: [finance, oncall], high: true")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), people=people) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")

        assert (await site.presses("bo", "Approve", card)).startswith("Sorry, this needs an answer from:")
        assert (await site.presses("finn", "Approve", card)).startswith("Counted: 1 of 2")
        site.slack.usergroup(finance).users.remove(site.ids["chris"])
        assert (await site.presses("chris", "Approve", card)).startswith("Sorry, this needs an answer from:")
        site.slack.usergroup(finance).users.append(site.ids["chris"])
        late = site.press("gil", "Approve", card)
        assert await site.presses("chris", "Approve", card) == "Approved. It runs now."
        assert await site.clicks("gil", late) == "finn and Chris already answered: approved."

        await bot.shows("ok wire 90 bank")
        assert await settled(bot)
        assert "Approved by finn and Chris" in site.text(card)


async def test_somebody_who_left_between_click_and_quorum_does_not_count(
    site: Site, build: Build, hands: Hands
) -> None:
    """T16: bo signs and is deactivated in Slack; chris alone is not enough, and the card does not run."""
    rules = policy("groups: [{of: approvers, need: 2}], high: true")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        assert (await site.presses("bo", "Approve", card)).startswith("Counted: 1 of 2")
        late = site.press("bo", "Approve", card)

        site.slack.change_user(site.ids["bo"], deleted=True)

        assert await site.presses("chris", "Approve", card) == "Counted: 1 of 2; still needed: approvers."
        assert "deactivated" in await site.clicks("bo", late)
        assert not hands.did
        site.slack.change_user(site.ids["bo"], deleted=False)
        await bot.shows("Signed by")
        assert await bot.is_sound()


async def test_a_channel_shared_with_another_organisation_shows_nothing_to_sign(
    site: Site, build: Build, hands: Hands
) -> None:
    """T16: the request ends at once, visibly and without its arguments, and the agent is told why."""
    site.slack.channel(site.ops).is_ext_shared = True
    async with build(policy=policy("groups: [approvers]"), tools=hands.tools, model=Played(WIRE)) as bot:
        thread = await site.asks("ana", "pay")

        await bot.shows("shared with another organisation", in_thread=thread)

        assert await settled(bot)
        assert "The details are hidden" in site.said(thread)
        assert all('"amount"' not in str([post.blocks, *post.versions]) for post in site.posts())
        assert all("Approve" not in str(post.versions) for post in site.posts())
        assert not hands.did


async def test_another_workspace_s_payload_is_nobody_s(site: Site, bot: Replica) -> None:
    """T15: the same user id from a workspace that is not installed, and a whole payload from there."""
    await site.asks("ana", REFUND)
    card = await bot.seen("Approve")

    pressed = site.press("bo", "Approve", card)
    pressed["user"]["team_id"] = "T0OTHER"
    assert await site.clicks("bo", pressed) == "Sorry, I do not know you, so I cannot count your answer."
    reply = await site.slack.press(site.ids["bo"], card.channel, card.ts, "Approve", team="T0OTHER")

    assert reply.status == 403
    assert not await events(bot, "vote_counted")
    assert bot.refunds == 0
    assert await bot.is_sound()


async def test_anyone_means_anyone_of_the_workspace_where_it_was_asked(site: Site, build: Build, hands: Hands) -> None:
    """T15, I14: the app is installed in another workspace as well; its people see nothing of it, and sign nothing."""
    rules = policy("groups: [anyone], separate_duties: true")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), over="oauth") as bot:
        eve = await elsewhere(site, bot, "eve")
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        bos = Account(platform="slack", tenant=site.slack.team, user=site.ids["bo"])
        shown = (await bot.views.waiting_for(bos))[0]
        approve = next(button for button in shown.card.buttons if button.move == "approve")
        assert shown.ref is not None

        seen = await bot.views.waiting_for(eve)
        about, token = approve.subject, approve.token
        press = Click(delivery="slack:1.2", by=eve, ref=shown.ref, subject=about, move="approve", token=token)
        answer = await bot.front.click(press)

        assert not seen
        assert answer.text == "Sorry, this was asked in another workspace: its people decide."
        assert not hands.did
        assert await site.presses("bo", "Approve", card) == "Approved. It runs now."
        await bot.shows("ok wire 90 bank")
        assert await settled(bot)
        assert await bot.is_sound()


async def elsewhere(site: Site, bot: Replica, name: str) -> Account:
    """A full member of another workspace that has installed the app."""
    team = "T0OTHER"
    token = site.slack.install(team)
    user = site.slack.bot_of(team)
    install = Bot(team_id=team, bot_token=token, bot_id="B1", bot_user_id=user, installed_at=time.time())
    await KeptInstalls(bot.store.keep(), site.slack.client_id).async_save_bot(install)
    return Account(platform="slack", tenant=team, user=site.slack.add_user(name, team_id=team))


async def test_a_forwarded_copy_signs_nothing(site: Site, bot: Replica) -> None:
    """T14: the button is genuine, its message is not the one it was shown in."""
    await site.asks("ana", REFUND)
    card = await bot.seen("Approve")

    elsewhere = await site.presses("bo", "Approve", await site.copied(card, site.lounge))
    beside = await site.presses("bo", "Approve", await site.copied(card, site.ops))

    assert elsewhere == beside == "This button is not valid here. Please use the card in its own thread."
    assert {one["cause"] for one in await events(bot, "vote_refused")} == {"NotShown"}
    assert bot.refunds == 0
    assert await site.presses("bo", "Approve", card) == "Approved. It runs now."
    await bot.shows("Done: refund")
    assert await settled(bot)


async def test_a_click_that_is_replayed_a_hundred_times_is_one_vote(site: Site, build: Build, hands: Hands) -> None:
    """T12: the very bytes, with their own good signature: one of two seats, once."""
    rules = policy("groups: [{of: approvers, need: 2}]")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        await site.presses("bo", "Approve", card)
        overheard = site.slack.deliveries[-1]
        assert overheard.payload["type"] == "block_actions"

        replies = await asyncio.gather(*(site.slack.again(overheard) for _ in range(100)))

        assert {reply.status for reply in replies} == {200}
        assert len(await events(bot, "vote_counted")) == 1
        assert not await events(bot, "vote_refused")  # known as the same delivery, not judged a second time
        assert not hands.did
        await site.presses("chris", "Approve", card)
        await bot.shows("ok wire 90 bank")
        assert await settled(bot)
        assert hands.did == ["wire 90 bank"]
