"""Details, typed confirmation and broken glass in a whole Slack: what opens, what it wants, what everybody reads."""

from __future__ import annotations

from tests.flows.stage import Hands, Played, call, calls, policy, quiet
from tests.slack.test_whole_rights import WIRE
from tests.slack.whole import Build, Site

HIGH = "groups: [approvers], high: true"
TOLD = "Please open Details first: what is high-risk is approved only by who has read all of it."


async def test_details_open_a_window_and_then_an_approval_counts(site: Site, build: Build, hands: Hands) -> None:
    """AS-29, D-33, AU-24: everything in a modal for that person alone; before it, a click is refused in one line."""
    async with build(policy=policy(HIGH), tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")

        assert await site.clicks("bo", site.press("bo", "Approve", card)) == TOLD
        assert not hands.did
        told = await site.reads("bo", card)
        assert told.startswith("Details: wire\n")
        assert '"amount": 90' in told
        assert "Why a person is asked" in told
        assert await site.clicks("bo", site.press("bo", "Approve", card)) == "Approved. It runs now."
        await bot.shows("ok wire 90 bank")
        await quiet(bot)
        assert await bot.is_sound(is_quiet=True)


async def test_details_too_long_for_a_window_say_so(site: Site, build: Build, hands: Hands) -> None:
    """T02: nothing is cut in silence; the arguments stand whole in the card's file."""
    long = calls(call("wire", amount=90, to="x" * 240_000))
    async with build(policy=policy(HIGH), tools=hands.tools, model=Played(long)) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")

        told = await site.reads("bo", card)

        assert "characters, more than fits here. They stand whole on the card, or in the file" in told
        assert "attached" in site.text(card)


async def test_who_may_not_answer_reads_nothing(site: Site, build: Build, hands: Hands) -> None:
    """D-30, T32: the window says why, and holds no argument."""
    async with build(policy=policy(HIGH), tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")

        told = await site.reads("ana", card)

        assert told.startswith("Not possible\nSorry, this needs an answer from: approvers.")
        assert "90" not in told


async def test_an_approval_is_typed_in_a_window(site: Site, build: Build, hands: Hands) -> None:
    """AU-24: what differs is said beside the field, and the window stays open."""
    async with build(policy=policy("groups: [approvers], type: amount"), tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")

        await site.opens("bo", "Approve", card)
        await site.submits("bo", typed="9")
        assert site.slack.errors_of(site.ids["bo"]) == {
            "Type the value of amount to approve": "This is not the value of amount, letter for letter."
        }
        await site.submits("bo", typed="90")

        await bot.shows("ok wire 90 bank")


async def test_glass_is_broken_in_a_window_and_reviewed_on_a_card(site: Site, build: Build, hands: Hands) -> None:
    """I4: the reason is wanted, the thread reads of it, and a manager answers after the run has ended."""
    rules = policy("groups: [managers], break_glass: {of: approvers, review: managers, within: 24h}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        thread = await site.asks("ana", "pay")
        card = await bot.seen("Break glass")

        await site.opens("bo", "Break glass", card)
        await site.submits("bo", reason="the bank closes")
        await bot.shows("ok wire 90 bank")
        await quiet(bot)

        assert "Glass broken: Bo approved wire" in site.said(thread)
        review = await bot.seen("It was right")
        assert site.slack.buttons_of(review) == ["It was right", "It was wrong", "Details"]
        await site.opens("dana", "It was right", review)
        await site.submits("dana", text="it had to be")
        await bot.shows("It was right: 'it had to be'")
        await quiet(bot)
        assert await bot.is_sound(is_quiet=True)
