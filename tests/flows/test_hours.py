"""Hours: people are called by the clock on their own wall; their rights, and what is urgent, wait for no morning."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bot.domain.chat import Card, Place
from bot.domain.errors import Undeliverable
from bot.domain.hours import Hours, read_spans
from tests.fakes.chat import Posted
from tests.flows.stage import (
    Build,
    Hands,
    Played,
    Staff,
    call,
    calls,
    events,
    moves,
    policy,
    request_of,
    settled,
    shown,
)
from tests.house import QUICK, Clock, House

WIRE = calls(call("wire", amount=90))
COLOURS = calls(call("ask_people", question="Which colour?", options=["red", "blue"]))
BERLIN = Hours(zone="Europe/Berlin", work=read_spans("Mon-Fri 09:00-17:30"))
FRIDAY = datetime(2030, 3, 1, 17, 0, tzinfo=UTC)  # 18:00 in Berlin: the office is closed
MONDAY = datetime(2030, 3, 4, 8, 0, tzinfo=UTC)  # 09:00 there
LAZY = dataclasses.replace(QUICK, timers_every=timedelta(hours=1))  # timers are looked at when the test says so
SIX_DAYS = "defaults: {ladder: [{after: 6d, expire: true}]}"
TO_MANAGER = policy(ladder="{after: 5m, dm: manager(approver)}, {after: 6d, expire: true}")


def clock_at(moment: datetime) -> Clock:
    clock = Clock()
    clock.ahead = moment - datetime.now(UTC)
    return clock


def office(*people: str, hours: Hours = BERLIN) -> Staff:
    """Everybody of people.yml, *people* with working hours."""
    staff = Staff()
    for who in people:
        staff.change(who, hours=hours, zone=hours.zone)
    return staff


def until(house: House, moment: datetime, seconds: float = 0) -> None:
    house.clock.advance(seconds=(moment - house.store.now()).total_seconds() + seconds)


def direct(house: House, who: str) -> list[Posted]:
    return [post for post in house.chat.posts if post.place.channel == f"dm-{who}"]


async def its_dm(house: House, who: str) -> Posted:
    await house.chat.until(lambda: direct(house, who), f"a message to {who}")
    await shown(house)
    return direct(house, who)[0]


async def test_a_manager_who_is_away_is_asked_when_their_hours_begin(build: Build, hands: Hands) -> None:
    """PN-04, CD-09: the step is taken at its time and says until when; the message comes on Monday at nine, once."""
    parts = {"tools": hands.tools, "directory": office("dana"), "clock": clock_at(FRIDAY)}
    async with build(policy=TO_MANAGER, model=Played(WIRE), **parts) as house:
        await house.mention("ana", "pay")
        origin = await house.card()
        house.clock.advance(minutes=6)
        await house.shows("No answer yet. Dana is away until Mon 09:00 (their time) and is asked then.")
        until(house, MONDAY, -60)
        assert await house.engine.timers.look(house.engine.shards.fences[0]) == 0
        await shown(house)
        assert not direct(house, "dana")

        until(house, MONDAY, 1)

        card = await its_dm(house, "dana")
        assert (await house.press("approve", by="dana", card=card)).is_taken
        await house.shows("ok wire 90 bank")
        assert [sent["person"] for sent in await events(house, "copy_sent")] == ["dana"]
        assert await settled(house)
        assert len(direct(house, "dana")) == 1
        assert not moves(origin)
        assert not moves(card)


async def test_a_morning_whose_group_cannot_be_read_any_more_calls_nobody_and_is_over(
    build: Build, hands: Hands
) -> None:
    """D-03: as on the ladder, such a group is nobody; the timer does not come back every ten seconds for days."""
    staff = office("dana")
    parts = {"tools": hands.tools, "directory": staff, "clock": clock_at(FRIDAY), "pace": LAZY}
    async with build(policy=TO_MANAGER, model=Played(WIRE), **parts) as house:
        fence = house.engine.shards.fences[0]
        await house.mention("ana", "pay")
        await house.card()
        house.clock.advance(minutes=6)
        await house.engine.timers.look(fence)
        await house.shows("Dana is away")

        staff.lost = "approvers"
        until(house, MONDAY, 1)
        assert await house.engine.timers.look(fence) == 1

        house.clock.advance(minutes=1)
        assert await house.engine.timers.look(fence) == 0
        assert not direct(house, "dana")


async def test_rights_do_not_wait_for_a_message(build: Build, hands: Hands) -> None:
    """Dana looks in on Friday night by herself: the step has reached her. On Monday there is nothing left to say."""
    parts = {"tools": hands.tools, "directory": office("dana"), "clock": clock_at(FRIDAY)}
    async with build(policy=TO_MANAGER, model=Played(WIRE), **parts) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        assert not (await house.press("approve", by="dana", card=card)).is_taken
        house.clock.advance(minutes=6)
        await house.shows("Dana is away")

        assert (await house.press("approve", by="dana", card=card)).is_taken

        await house.shows("ok wire 90 bank")
        until(house, MONDAY, 1)
        await house.engine.timers.look(house.engine.shards.fences[0])
        assert await settled(house)
        assert not direct(house, "dana")
        assert not await events(house, "copy_sent")
        assert await house.store.overdue(0, timedelta(0)) == 0


async def test_an_escalation_waits_for_the_hours_of_whoever_it_is_for(build: Build) -> None:
    """PN-04, GN-04, CD-09: on Friday night the thread says until when; the message comes on Monday at nine, once. Who
    is there hears of it at once, and whoever it is for may answer at any time.
    """
    escalating = calls(call("escalate", reason="r", context="c", suggestion="s", of="managers"))
    parts = {"directory": office("dana"), "clock": clock_at(FRIDAY)}
    rules = policy(more="defaults: {ladder: [{after: 6d, expire: true}]}")
    async with build(policy=rules, model=Played(escalating), **parts) as house:
        await house.mention("ana", "answer the complaint")
        told = "Escalated to Erin. Dana is away until Mon 09:00 (their time) and is asked then."
        await house.shows(told)
        note = next(post for post in house.chat.posts if post.card.body == told)
        await its_dm(house, "erin")
        assert (note.card.mentions, direct(house, "dana")) == (("erin",), [])
        until(house, MONDAY, 1)

        card = await its_dm(house, "dana")

        assert (await house.press("decline", by="dana", card=card)).is_taken
        await house.shows("Results: Dana answered.")
        assert [sent["person"] for sent in await events(house, "copy_sent")] == ["dana"]
        assert await settled(house)


async def test_an_escalation_for_nobody_who_is_there_calls_nobody_yet(build: Build) -> None:
    """PN-04, GN-04: the thread reads no name as if it had been called; their say does not wait."""
    escalating = calls(call("escalate", reason="r", context="c", suggestion="s"))
    parts = {"directory": office("dana"), "clock": clock_at(FRIDAY)}
    async with build(policy=policy(), model=Played(escalating), **parts) as house:
        await house.mention("ana", "answer the complaint")
        card = await house.card("decline")

        await house.shows("Escalated. Dana is away until Mon 09:00 (their time) and is asked then.")

        assert (await house.press("decline", by="dana", card=card)).is_taken
        await house.shows("Results: Dana answered.")
        until(house, MONDAY, 1)
        await shown(house)
        assert not direct(house, "dana")
        assert await settled(house)


async def test_high_risk_waits_for_nobodys_morning(build: Build, hands: Hands) -> None:
    ladder = "{after: 5m, dm: manager(approver)}, {after: 6d, expire: true}"
    parts = {"tools": hands.tools, "directory": office("dana"), "clock": clock_at(FRIDAY)}
    async with build(policy=policy("groups: [approvers], high: true", ladder), model=Played(WIRE), **parts) as house:
        await house.mention("ana", "pay")
        await house.card()
        house.clock.advance(minutes=6)

        await house.shows("No answer yet: asked Dana as well.")
        await its_dm(house, "dana")
        assert await house.is_sound()


async def test_a_reminder_mentions_only_whoever_is_there(build: Build, hands: Hands) -> None:
    """Bo sleeps, Chris is there; Bo gets the card when his day begins, because he is still asked."""
    rules = policy(ladder="{after: 5m, remind: here}, {after: 6d, expire: true}")
    parts = {"tools": hands.tools, "directory": office("bo"), "clock": clock_at(FRIDAY)}
    async with build(policy=rules, model=Played(WIRE), **parts) as house:
        await house.mention("ana", "pay")
        await house.card()
        house.clock.advance(minutes=6)
        await house.shows("Reminder: wire still waits for a signature. Bo is away until Mon 09:00 (their time)")
        reminder = next(post for post in house.chat.posts if "Reminder" in post.card.body)
        assert reminder.card.mentions == ("chris",)
        assert not direct(house, "bo")

        until(house, MONDAY, 1)

        assert (await its_dm(house, "bo")).card.mentions == ("bo",)
        request = await request_of(house, direct(house, "bo")[0])
        assert request.standins == ()  # he was one of those asked all along
        assert await house.is_sound()


async def test_several_who_are_away_are_told_of_in_one_sentence(build: Build, hands: Hands) -> None:
    rules = policy(ladder="{after: 5m, also: managers}, {after: 6d, expire: true}")
    staff = office("dana")
    staff.change("erin", hours=Hours(zone="America/New_York", work=read_spans("Mon-Fri 08:00-12:00")))
    parts = {"tools": hands.tools, "directory": staff, "clock": clock_at(FRIDAY)}
    async with build(policy=rules, model=Played(WIRE), **parts) as house:
        await house.mention("ana", "pay")
        await house.card()
        house.clock.advance(minutes=6)

        told = "Away, and asked when they are back: Dana (Mon 09:00 their time), Erin (Mon 08:00 their time)."
        await house.shows(f"No answer yet. {told}")
        until(house, MONDAY, 1)
        await its_dm(house, "dana")
        assert not direct(house, "erin")
        until(house, datetime(2030, 3, 4, 13, 0, 1, tzinfo=UTC))
        await its_dm(house, "erin")
        assert await house.is_sound()


async def test_whoever_is_no_longer_asked_is_not_woken(build: Build, hands: Hands) -> None:
    """T16: Bo left the approvers over the weekend."""
    rules = policy(ladder="{after: 5m, remind: here}, {after: 6d, expire: true}")
    staff = office("bo")
    parts = {"tools": hands.tools, "directory": staff, "clock": clock_at(FRIDAY), "pace": LAZY}
    async with build(policy=rules, model=Played(WIRE), **parts) as house:
        await house.mention("ana", "pay")
        await house.card()
        house.clock.advance(minutes=6)
        assert await looked(house) == 1
        await house.shows("Bo is away")
        staff.change("bo", groups=frozenset())

        until(house, MONDAY, 1)

        assert await looked(house) == 1
        assert not direct(house, "bo")
        assert not await events(house, "copy_sent")
        house.clock.advance(hours=1)
        assert await looked(house) == 0, "it is not put off: there is nothing left to say"


async def test_a_morning_that_passed_unseen_is_not_made_up_for_at_night(build: Build, hands: Hands) -> None:
    """Nobody ran on Monday until ten at night; Dana is called on Tuesday morning, by whoever runs then."""
    parts = {"tools": hands.tools, "directory": office("dana"), "clock": clock_at(FRIDAY), "pace": LAZY}
    async with build(policy=TO_MANAGER, model=Played(WIRE), **parts) as house:
        await house.mention("ana", "pay")
        await house.card()
        house.clock.advance(minutes=6)
        await looked(house)
        await house.shows("Dana is away")
        await shown(house)
    house.clock.advance(seconds=(MONDAY - FRIDAY).total_seconds() + 13 * 3600)

    async with house.again() as later:
        await looked(later)
        assert not direct(later, "dana")
        assert not await events(later, "copy_sent")
        until(later, MONDAY + timedelta(days=1), 1)
        assert await looked(later) == 1
        await its_dm(later, "dana")
        assert len(await events(later, "copy_sent")) == 1
        assert await later.is_sound()


async def test_whoever_has_the_card_already_gets_a_word_below_it(build: Build, hands: Hands) -> None:
    """Chris was sent it by day, and reminded of it by night: on Monday a message under the card, not a second card."""
    rules = policy(ladder="{after: 5m, also: '@chris'}, {after: 8h, remind: here}, {after: 6d, expire: true}")
    noon = datetime(2030, 3, 1, 11, 0, tzinfo=UTC)
    parts = {"tools": hands.tools, "directory": office("chris"), "clock": clock_at(noon)}
    async with build(policy=rules, model=Played(WIRE), **parts) as house:
        await house.mention("ana", "pay")
        await house.card()
        house.clock.advance(minutes=6)
        await its_dm(house, "chris")
        house.clock.advance(hours=8)
        await house.shows("Reminder: wire")
        await shown(house)
        assert len(direct(house, "chris")) == 1

        until(house, MONDAY, 1)

        await house.chat.until(lambda: len(direct(house, "chris")) == 2, "a second message")
        card, word = direct(house, "chris")
        assert moves(card)
        assert word.card.body == "Still open: wire waits for an answer."
        assert word.card.mentions == ("chris",)
        assert await house.is_sound()


# ----------------------------------------------------- managers who cannot be reached


def no_dm(*who: str) -> Callable[[str, Card, Place], None]:
    def fail(what: str, card: Card, place: Place) -> None:  # noqa: ARG001  # what a chat is asked
        if place.channel in {f"dm-{one}" for one in who}:
            raise Undeliverable(place.key, "cannot_dm_user")

    return fail


async def test_a_manager_who_cannot_be_reached_is_replaced_by_the_next_one_up(build: Build, hands: Hands) -> None:
    """CD-09: Dana takes no messages, so her manager Erin is asked, and may decide; the thread says so, and shows it."""
    async with build(policy=TO_MANAGER, model=Played(WIRE), tools=hands.tools) as house:
        house.chat.fail = no_dm("dana")
        await house.mention("ana", "pay")
        origin = await house.card()
        assert not (await house.press("approve", by="erin", card=origin)).is_taken
        house.clock.advance(minutes=6)

        card = await its_dm(house, "erin")

        await house.shows("Dana cannot be reached by direct message: asked Erin instead.")
        assert [lost["copy"] for lost in await events(house, "card_lost")] == ["dm-dana"]
        assert [(sent["person"], sent["why"]) for sent in await events(house, "copy_sent")] == [
            ("erin", "dana cannot be reached")
        ]
        assert (await house.press("approve", by="erin", card=card)).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)
        assert origin.card.title == "Approved: wire"


async def test_when_no_manager_can_be_reached_the_thread_says_so_once(build: Build, hands: Hands) -> None:
    """CD-09: the fallback is the thread; nobody is tried for ever."""
    async with build(policy=TO_MANAGER, model=Played(WIRE), tools=hands.tools) as house:
        house.chat.fail = no_dm("dana", "erin")
        await house.mention("ana", "pay")
        card = await house.card()
        house.clock.advance(minutes=6)

        told = "Erin cannot be reached by direct message, nor is there a manager above to ask"
        await house.shows(told)
        await shown(house)
        assert sum(told in post.card.body for post in house.chat.posts) == 1
        assert [lost["copy"] for lost in await events(house, "card_lost")] == ["dm-dana", "dm-erin"]
        assert (await house.press("approve", by="erin", card=card)).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_somebody_who_is_nobodys_manager_is_replaced_by_nobody(build: Build, hands: Hands) -> None:
    """The policy named Chris, not whoever stands above him: no right grows out of a message that was lost."""
    rules = policy(ladder="{after: 5m, dm: '@chris'}, {after: 6d, expire: true}")
    async with build(policy=rules, model=Played(WIRE), tools=hands.tools) as house:
        house.chat.fail = no_dm("chris")
        await house.mention("ana", "pay")
        card = await house.card()
        house.clock.advance(minutes=6)
        await house.shows("asked Chris as well")
        await shown(house)

        assert [lost["copy"] for lost in await events(house, "card_lost")] == ["dm-chris"]
        assert not await events(house, "copy_sent")
        assert (await request_of(house, card)).standins == ("chris",)
        assert not (await house.press("approve", by="dana", card=card)).is_taken


async def test_the_next_manager_up_is_called_by_their_own_clock(build: Build, hands: Hands) -> None:
    parts = {"tools": hands.tools, "directory": office("erin"), "clock": clock_at(FRIDAY)}
    async with build(policy=TO_MANAGER, model=Played(WIRE), **parts) as house:
        house.chat.fail = no_dm("dana")
        await house.mention("ana", "pay")
        await house.card()
        house.clock.advance(minutes=6)
        await house.shows("Dana cannot be reached by direct message. Erin is away until Mon 09:00 (their time)")

        until(house, MONDAY, 1)

        await its_dm(house, "erin")
        assert [sent["why"] for sent in await events(house, "copy_sent")] == [
            "dana cannot be reached",
            "they may be called now",
        ]
        assert await house.is_sound()


async def test_two_managers_up_may_be_named_in_the_policy(build: Build, hands: Hands) -> None:
    """Bo's manager is Dana, and hers is Erin; above Erin there is nobody."""
    rules = policy(
        ladder="{after: 5m, dm: manager(manager(approver))}, "
        "{after: 10m, dm: manager(manager(manager(approver)))}, {after: 4h, expire: true}"
    )
    async with build(policy=rules, model=Played(WIRE), tools=hands.tools) as house:
        await house.mention("ana", "pay")
        await house.card()
        house.clock.advance(minutes=6)
        await house.shows("No answer yet: asked Erin as well.")
        house.clock.advance(minutes=6)

        await house.shows("asked nobody who could be found as well.")
        await shown(house)
        assert [post.place.channel for post in house.with_button("approve")] == ["general", "dm-erin"]
        assert await house.is_sound()


async def looked(house: House) -> int:
    """Deal with every timer that is due, and wait until all of that is shown; how many there were."""
    count = await house.engine.timers.look(house.engine.shards.fences[0])
    await shown(house)
    return count


async def test_a_question_handed_to_somebody_asleep_waits_for_their_morning(build: Build) -> None:
    """PN-04, ST-15: chris is nobody to call on Friday night, and ana is told until when. The card in the thread can be
    answered by him at once; his own copy comes on Monday at nine, and then the thread's has no buttons any more."""
    parts = {"directory": office("chris"), "clock": clock_at(FRIDAY), "pace": LAZY}
    async with build(policy=policy(more=SIX_DAYS), model=Played(COLOURS), **parts) as house:
        await house.mention("ana", "paint the door")
        card = await house.card("pick_a")

        told = await house.press("hand_to", by="ana", card=card, fields={"person": "chris"})

        assert told.text.startswith("Chris is away until Mon 09:00 (their time) and is asked then.")
        await shown(house)
        assert not direct(house, "chris")
        assert "chris" not in card.card.mentions
        assert card.card.status.startswith("Ana handed this to Chris")
        assert "pick_a" in moves(card)
        assert not (await house.press("pick_a", by="ana", card=card)).is_taken

        until(house, MONDAY, 1)
        while await house.engine.timers.look(house.engine.shards.fences[0]):
            pass

        copy = await its_dm(house, "chris")
        assert moves(card) == ["stop"]
        assert (await house.press("pick_a", by="chris", card=copy)).is_taken
        await house.shows("Chris answered.")
        assert await settled(house)


async def test_whoever_is_asleep_may_answer_what_was_handed_to_them_where_it_stands(build: Build) -> None:
    """PN-04: their right does not wait, only the message does."""
    parts = {"directory": office("chris"), "clock": clock_at(FRIDAY)}
    async with build(policy=policy(), model=Played(COLOURS), **parts) as house:
        await house.mention("ana", "paint the door")
        card = await house.card("pick_a")
        await house.press("hand_to", by="ana", card=card, fields={"person": "chris"})
        await shown(house)

        assert (await house.press("pick_a", by="chris", card=card)).is_taken

        await house.shows("Chris answered.")
        assert await settled(house)
        assert not direct(house, "chris")


async def test_what_is_handed_to_somebody_away_is_asked_of_their_deputy(build: Build) -> None:
    """PN-05, ST-15: chris is away for four weeks and erin decides: she gets the card, and ana hears of both."""
    async with build(policy=policy(), model=Played(COLOURS)) as house:
        await house.say("chris", "@countersign away for 4 weeks, @erin decides", thread="away", is_mention=True)
        await house.mention("ana", "paint the door")
        card = await house.card("pick_a")

        told = await house.press("hand_to", by="ana", card=card, fields={"person": "chris"})

        assert told.text.startswith("Erin decides for Chris, and is asked now. Chris is away until")
        copy = await its_dm(house, "erin")
        assert not direct(house, "chris")
        assert moves(card) == ["stop"]
        assert (await house.press("pick_a", by="erin", card=copy)).is_taken
        await house.shows("Erin answered.")
        assert await settled(house)


async def test_what_falls_back_to_somebody_asleep_calls_them_in_the_morning(build: Build) -> None:
    """PN-04, ST-15: chris left on Friday night; the thread says so and calls nobody, ana's message comes on Monday."""
    staff = office("ana")
    parts = {"directory": staff, "clock": clock_at(FRIDAY), "pace": LAZY}
    async with build(policy=policy(more=SIX_DAYS), model=Played(COLOURS), **parts) as house:
        fence = house.engine.shards.fences[0]
        await house.mention("ana", "paint the door")
        await house.press("hand_to", by="ana", card=await house.card("pick_a"), fields={"person": "chris"})
        await shown(house)
        staff.change("chris", is_active=False)
        house.clock.advance(minutes=6)
        await house.engine.timers.look(fence)

        await house.shows("Chris can no longer answer this. It is asked of Ana again. Ana is away until Mon 09:00")
        said = next(post for post in house.chat.posts if "can no longer answer" in post.card.body)
        assert said.card.mentions == ()

        until(house, MONDAY, 1)
        while await house.engine.timers.look(fence):
            pass
        assert (await its_dm(house, "ana")).card.mentions == ("ana",)


async def test_broken_glass_and_the_end_of_a_run_call_people_at_any_hour(build: Build, hands: Hands) -> None:
    """A2-05: the glass was broken because it could not wait, and the answer is what ana asked for."""
    parts = {"tools": hands.tools, "directory": office("ana", "dana", "erin"), "clock": clock_at(FRIDAY)}
    glass = policy("groups: [managers], break_glass: {of: approvers, review: managers, within: 24h}")
    async with build(policy=glass, model=Played(WIRE), **parts) as house:
        await house.mention("ana", "pay")
        card = await house.card("break_glass")
        assert (await house.press("break_glass", by="bo", card=card, fields={"reason": "now"})).is_taken

        await house.shows("Glass broken")
        await house.shows("Results: ok wire 90 bank")

        called = {post.card.body[:12]: post.card.mentions for post in house.chat.posts if post.card.body}
        assert called["Glass broken"] == ("dana", "erin")
        assert called["Results: ok "] == ("ana",)
