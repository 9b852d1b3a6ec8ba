"""On call: whoever the schedule names at that moment is asked, at any hour; if it names nobody, the thread says so."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bot.domain.wire import replace
from bot.oncallfile import OnCallFile
from bot.peoplefile import PeopleDirectory, read_people
from tests.flows.stage import Build, Hands, Played, call, calls, policy, request_of, results, settled, shown
from tests.flows.test_hours import BERLIN, FRIDAY, clock_at, direct, its_dm
from tests.house import ROOT, Clock
from tests.roof.calendars import calendar, event

WIRE = calls(call("wire", amount=90))
ASKS_SUPPORT = policy(ladder="{after: 5m, dm: oncall(support)}, {after: 6d, expire: true}")
WEEKEND = event("support: chris", "20300301T160000Z", "20300302T160000Z")  # Friday from five o'clock in Berlin
SUNDAY = event("support: dana", "20300302T160000Z", "20300303T160000Z")


def duty(folder: Path, clock: Clock, *events: str) -> PeopleDirectory:
    """The people of people.yml, all with working hours in Berlin, and a schedule."""
    people = PeopleDirectory(tuple(replace(one, hours=BERLIN) for one in read_people(ROOT / "people.yml").people))
    file = folder / "oncall.ics"
    file.write_text(calendar(*events))
    people.duty = OnCallFile(file, people.people, clock=lambda: datetime.now(UTC) + clock.ahead)
    return people


async def test_whoever_is_on_call_is_asked_at_any_hour_and_the_next_one_after_them(
    build: Build, hands: Hands, tmp_path: Path
) -> None:
    """CD-09, I11: on Friday night that is Chris; a day later, for another call, it is Dana. Both have gone home."""
    clock = clock_at(FRIDAY)
    model = Played(WIRE, calls(call("wire", amount=91)))
    people = duty(tmp_path, clock, WEEKEND, SUNDAY)
    async with build(policy=ASKS_SUPPORT, tools=hands.tools, model=model, directory=people, clock=clock) as house:
        await house.mention("ana", "pay")
        first = await house.card()
        assert not (await house.press("approve", by="dana", card=first)).is_taken
        house.clock.advance(minutes=6)

        await house.shows("No answer yet: asked Chris as well.")
        card = await its_dm(house, "chris")
        assert (await house.press("approve", by="chris", card=card)).is_taken
        second = await house.card(but=[first, card])
        house.clock.advance(days=1)

        await house.shows("No answer yet: asked Dana as well.")
        assert (await request_of(house, second)).standins == ("dana",)
        card = await its_dm(house, "dana")
        assert (await house.press("reject", by="dana", card=card)).is_taken
        await house.shows("Results: ok wire 90 bank / Not run: rejected by")
        assert await settled(house)


async def test_an_escalation_to_whoever_is_on_call_waits_for_no_morning(build: Build, tmp_path: Path) -> None:
    """CD-09, GN-04: Chris went home hours ago and is called all the same: that is what on call means."""
    clock = clock_at(FRIDAY)
    escalating = calls(call("escalate", reason="r", context="c", suggestion="s", of="oncall(support)"))
    people = duty(tmp_path, clock, WEEKEND)
    async with build(policy=policy(), model=Played(escalating), directory=people, clock=clock) as house:
        await house.mention("ana", "answer the complaint")

        await house.shows("Escalated to Chris.")

        card = await its_dm(house, "chris")
        assert (await house.press("decline", by="chris", card=card)).is_taken
        await house.shows("Results: Chris answered.")
        assert await settled(house)


async def test_everybody_is_asked_whose_shifts_overlap(build: Build, hands: Hands, tmp_path: Path) -> None:
    clock = clock_at(FRIDAY)
    people = duty(tmp_path, clock, WEEKEND, event("support: erin, dana", "20300301T000000Z", "20300302T000000Z"))
    parts = {"tools": hands.tools, "directory": people, "clock": clock}
    async with build(policy=ASKS_SUPPORT, model=Played(WIRE), **parts) as house:
        await house.mention("ana", "pay")
        await house.card()
        house.clock.advance(minutes=6)

        await house.shows("No answer yet: asked Chris and Dana and Erin as well.")
        assert await house.is_sound()


async def test_nobody_on_call_is_said_and_the_ladder_goes_on(build: Build, hands: Hands, tmp_path: Path) -> None:
    """The schedule has a gap: nobody gains a right, the next step comes at its time."""
    rules = policy(ladder="{after: 5m, dm: oncall(support)}, {after: 10m, dm: '@erin'}, {after: 1h, expire: true}")
    clock = clock_at(datetime(2030, 2, 1, 10, tzinfo=UTC))
    people = duty(tmp_path, clock, WEEKEND)
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), directory=people, clock=clock) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        house.clock.advance(minutes=6)
        await house.shows("No answer yet: nobody is on call for support now.")
        assert (await request_of(house, card)).standins == ()
        house.clock.advance(minutes=6)

        await house.shows("No answer yet: asked Erin as well.")
        assert await house.is_sound()


async def test_a_rotation_that_is_gone_holds_up_no_ladder(build: Build, hands: Hands, tmp_path: Path) -> None:
    """D-03: somebody renamed it in the file while a request waited; nobody is asked by that name, and it expires."""
    rules = policy(ladder="{after: 5m, dm: oncall(support)}, {after: 1h, expire: true}")
    clock = clock_at(FRIDAY)
    people = duty(tmp_path, clock, event("second-line: chris", "20300301T000000Z", "20300302T000000Z"))
    model = Played(WIRE)
    async with build(policy=rules, tools=hands.tools, model=model, directory=people, clock=clock) as house:
        await house.mention("ana", "pay")
        await house.card()
        house.clock.advance(hours=2)

        await house.shows("Results:")
        assert results(model.asked[-1]) == ["Not run: nobody answered in time. Nobody refused it either."]
        assert await settled(house)


async def test_a_call_may_be_signed_by_whoever_is_on_call(build: Build, hands: Hands, tmp_path: Path) -> None:
    """The right is judged when it is used: Chris, who went off duty, signs no more; nor is anything asked of a gap."""
    rules = policy("groups: [oncall(support)]", ladder="{after: 2d, remind: here}, {after: 6d, expire: true}")
    clock = clock_at(FRIDAY)
    people = duty(tmp_path, clock, WEEKEND, SUNDAY)
    again = calls(call("wire", amount=91))
    model = Played(WIRE, again)
    async with build(policy=rules, tools=hands.tools, model=model, directory=people, clock=clock) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        house.clock.advance(days=1)
        assert not (await house.press("approve", by="chris", card=card)).is_taken
        assert not direct(house, "chris")
        assert (await house.press("approve", by="dana", card=card)).is_taken
        second = await house.card(but=[card])
        assert (await house.press("reject", by="dana", card=second)).is_taken
        await shown(house)
        house.clock.advance(days=30)

        await house.mention("ana", "pay once more")

        await house.shows("it needs 1 of oncall(support), and not enough people are there")
        assert hands.did == ["wire 90 bank"]
        assert await settled(house)


async def test_who_was_asked_because_they_are_on_call_is_reminded_at_night(
    build: Build, hands: Hands, tmp_path: Path
) -> None:
    """And an approver who sleeps is not."""
    rules = policy(
        "groups: [oncall(support), approvers]", ladder="{after: 5m, remind: here}, {after: 6d, expire: true}"
    )
    clock = clock_at(FRIDAY)
    people = duty(tmp_path, clock, event("support: dana", "20300301T000000Z", "20300304T000000Z"))
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), directory=people, clock=clock) as house:
        await house.mention("ana", "pay")
        await house.card()
        house.clock.advance(minutes=6)

        await house.shows("Away, and asked when they are back: Bo (Mon 09:00 their time), Chris")
        reminder = next(post for post in house.chat.posts if "Reminder" in post.card.body)
        assert reminder.card.mentions == ("dana",)
