"""Who may answer: quorum by person and group, separation of duties, strangers; asked at the click and at the start."""

from __future__ import annotations

import asyncio

import pytest

from adapters.slack.lookups import Lookups
from adapters.slack.people import SlackDirectory, Trust
from bot.domain.chat import Account, Answer, Person, PersonId
from bot.domain.errors import ChatUnavailable, Unavailable
from bot.domain.people import GroupSource, SourceKind
from bot.domain.ports import Directory
from bot.domain.render import DETAILS
from bot.domain.wire import replace
from bot.runtime.views import RuntimeViews
from tests.flows.doors import rested
from tests.flows.stage import (
    STEADY,
    Build,
    Hands,
    Played,
    Staff,
    call,
    calls,
    events,
    ownerless,
    policy,
    quiet,
    request_of,
    run_of,
    settled,
)
from tests.house import KEY, House, click, find, is_high, words
from tests.slack.table import Table

WIRE = calls(call("wire", amount=90))
TWO = "groups: [{of: approvers, need: 2}]"
APART = "groups: [approvers], separate_duties: true"
HIGH = "groups: [{of: approvers, need: 2}], high: true"


async def test_a_quorum_needs_that_many_different_people(build: Build, hands: Hands) -> None:
    """PN-03, I4: bo's second click does not count; what is lacking is told and shown; chris completes it."""
    async with build(policy=policy(TWO), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")

        first = await house.press("approve", by="bo")
        second = await house.press("approve", by="bo")

        assert first.text == "Counted: 1 of 2; still needed: approvers."
        assert (second.is_taken, second.text) == (False, "You already answered this.")
        await house.shows("1 of 2, approvers still needed")
        assert not hands.did
        assert (await house.press("approve", by="chris")).text == "Approved. It runs now."
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_every_group_must_be_filled_and_a_person_sits_once(build: Build, hands: Hands) -> None:
    """PN-03, A2-05, A2-18: chris is approver and finance, yet fills one seat only; with bo both seats are taken,
    whoever came first.
    """
    rules = policy("groups: [approvers, finance]")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")

        assert (await house.press("approve", by="chris")).text.startswith("Counted: 1 of 2; still needed: ")
        assert not hands.did
        assert (await house.press("approve", by="bo")).text == "Approved. It runs now."
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_one_rejection_ends_a_quorum(build: Build, hands: Hands) -> None:
    """PN-03: one "no" is enough, whoever signed before."""
    async with build(policy=policy(TWO), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        await house.press("approve", by="bo")

        answer = await house.press("reject", by="chris", fields={})

        assert answer.text == "Rejected. It will not run."
        await house.shows("rejected by Chris")
        assert not hands.did
        assert await settled(house)


async def test_of_two_clicks_at_once_one_decides_and_the_other_is_told(house: House) -> None:
    """CD-07, D-45: both click within the same moment. One decision, one effect, and the loser hears who it was."""
    await house.mention("ana", "refund 120 on order 1042")
    card = await house.card()

    answers = await asyncio.gather(*(house.press("approve", by=who, card=card) for who in ("bo", "chris")))

    assert sorted(answer.is_taken for answer in answers) == [False, True]
    loser = next(answer for answer in answers if not answer.is_taken)
    assert loser.text in ("Bo already answered: approved.", "Chris already answered: approved.")
    assert ("bo", "Approved. It runs now.") in house.chat.whispers or (
        "chris",
        "Approved. It runs now.",
    ) in house.chat.whispers
    await house.shows("Done")
    assert house.refunds == 1
    assert len(await events(house, "request_decided")) == 1
    assert await settled(house)


@pytest.mark.parametrize(
    ("who", "told"),
    [
        ("mallory", "Sorry, I do not know you, so I cannot count your answer."),
        ("gus", "Sorry, guests, bots and deactivated accounts cannot answer."),
        ("ana", "Sorry, you asked for or changed this, so somebody else has to sign it."),
        ("erin", "Sorry, this needs an answer from: approvers."),
    ],
)
async def test_who_may_not_answer_is_told_why_and_written_down(house: House, who: str, told: str) -> None:
    """PP-01, T10, T16, D-30: stranger, guest, requester, bystander: refused in private, state unchanged, audited."""
    await house.mention("ana", "refund 120 on order 1042")

    answer = await house.press("approve", by=who)

    assert (answer.is_taken, answer.text) == (False, told)
    refused = (await events(house, "vote_refused"))[-1]
    assert (refused["account"], refused["cause"]) == (f"playground/local/{who}", "NotEligible")
    assert (await request_of(house, await house.card())).is_open
    assert told not in "\n".join(words(post) for post in house.chat.posts)
    assert await house.is_sound()


async def test_nobody_signs_what_they_asked_for_even_as_an_approver(build: Build, hands: Hands) -> None:
    """PN-03, PP-01, T10: ana may approve now, and has a second account; the person counts, not the login."""
    staff = Staff()
    staff.change("ana", groups=frozenset({"approvers"}))
    other = Account(platform="playground", tenant="local", user="ana2")
    ana = await staff.who(Account(platform="playground", tenant="local", user="ana"))
    assert ana is not None
    staff.change("ana", accounts=(*ana.accounts, other))
    async with build(policy=policy(APART), tools=hands.tools, model=Played(WIRE), directory=staff) as house:
        await house.mention("ana", "pay")

        for login in ("ana", "ana2"):
            assert "somebody else has to sign it" in (await house.press("approve", by=login)).text

        assert (await house.press("approve", by="bo")).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_whoever_steered_the_agent_does_not_sign_for_it(build: Build, hands: Hands) -> None:
    """T10: the agent acts on bo's words now, so bo cannot approve what came of them."""
    model = Played(WIRE, calls(call("wire", amount=80)))
    async with build(policy=policy(APART), tools=hands.tools, model=model) as house:
        thread = await house.mention("ana", "pay")
        first = await house.card()
        await house.say("bo", "pay 80, it was a return", thread=thread)
        second = await house.card(but=[first])

        refused = await house.press("approve", by="bo", card=second)

        assert not refused.is_taken
        assert (await house.press("approve", by="chris", card=second)).is_taken
        await house.shows("ok wire 80 bank")
        assert await settled(house)


async def test_a_request_that_too_few_people_could_answer_is_refused_when_it_is_made(
    build: Build, hands: Hands
) -> None:
    """PP-01: the agent is told so; no card is shown that nobody could ever sign."""
    rules = policy("groups: [requester], separate_duties: true")
    model = Played(WIRE)
    async with build(policy=rules, tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")

        await house.shows("Nobody can approve this")

        assert not house.with_button("approve")
        assert (await events(house, "call_denied"))[0]["cause"] == "unsatisfiable"
        assert await settled(house)


# ------------------------------------------------------- again at the start


async def test_an_approver_who_left_before_the_last_signature_does_not_count(build: Build, hands: Hands) -> None:
    """T16: bo signs and is deactivated; chris's signature alone is not enough; dana, promoted, completes it."""
    staff = Staff()
    async with build(policy=policy(TWO), tools=hands.tools, model=Played(WIRE), directory=staff) as house:
        await house.mention("ana", "pay")
        await house.press("approve", by="bo")
        staff.change("bo", is_active=False)

        answer = await house.press("approve", by="chris")

        assert answer.text == "Counted: 1 of 2; still needed: approvers."
        assert not hands.did
        staff.change("dana", groups=frozenset({"approvers"}))
        assert (await house.press("approve", by="dana")).text == "Approved. It runs now."
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_an_approver_who_left_before_the_start_takes_their_signature_with_them(
    build: Build, hands: Hands
) -> None:
    """T16: approved while no process could start it, and void when one can; the card says so."""
    staff = Staff()
    parts = {"tools": hands.tools, "model": Played(WIRE), "directory": staff, "pace": STEADY}
    async with build(policy=policy(), **parts) as house:
        await house.mention("ana", "pay")
        card = await house.card()

        async with ownerless(house):
            assert (await house.press("approve", by="bo", card=card)).text == "Approved. It runs now."
            staff.change("bo", groups=frozenset())

        await house.shows("Approved, but not run: somebody who approved it may no longer do so")
        await quiet(house)
        assert card.card.title == "Approved, but not run: wire"
        assert not hands.did
        assert await settled(house)


async def test_nobody_approves_for_a_requester_who_left(build: Build, hands: Hands) -> None:
    """T09: asked at the click."""
    staff = Staff()
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE), directory=staff) as house:
        await house.mention("ana", "pay")
        await house.card()
        staff.change("ana", is_active=False)

        answer = await house.press("approve", by="bo")

        assert (answer.is_taken, answer.text) == (False, "Ana, who asked for this, may no longer give tasks.")
        assert not hands.did
        assert (await house.press("reject", by="bo", fields={})).is_taken
        assert await settled(house)


async def test_a_requester_who_left_before_the_start_takes_the_call_with_them(build: Build, hands: Hands) -> None:
    """T09: asked again right before the start."""
    staff = Staff()
    parts = {"tools": hands.tools, "model": Played(WIRE), "directory": staff, "pace": STEADY}
    async with build(policy=policy(), **parts) as house:
        await house.mention("ana", "pay")
        card = await house.card()

        async with ownerless(house):
            await house.press("approve", by="bo", card=card)
            staff.change("ana", is_active=False)

        await house.shows("ana, who asked for it, may no longer give tasks")
        assert not hands.did
        assert await settled(house)


async def test_a_requester_who_left_gets_nothing_done_without_a_signature_either(build: Build, hands: Hands) -> None:
    """T09: a call that needs nobody is not started for somebody who is gone."""
    staff = Staff()
    model = Played(WIRE, calls(call("peek", what="salaries")))
    async with build(policy=policy(), tools=hands.tools, model=model, directory=staff) as house:
        await house.mention("ana", "pay")
        await house.card()
        staff.change("ana", is_active=False)

        await house.press("reject", by="bo", fields={})

        await house.shows("may not give tasks any more")
        assert not hands.did
        assert await settled(house)


async def test_somebody_the_ladder_reached_loses_the_right_with_their_account(build: Build, hands: Hands) -> None:
    """erin stands in, signs, and is deactivated before bo completes the quorum."""
    staff = Staff()
    rules = policy(TWO, "{after: 1m, dm: '@erin'}, {after: 4h, expire: true}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), directory=staff) as house:
        await house.mention("ana", "pay")
        await house.card()
        house.clock.advance(minutes=2)
        await house.shows("asked Erin as well")
        assert (await house.press("approve", by="erin")).is_taken
        staff.change("erin", is_active=False)

        answer = await house.press("approve", by="bo")

        assert answer.text == "Counted: 1 of 2; still needed: approvers."
        assert not hands.did
        assert await house.is_sound()


async def test_a_failed_look_up_refuses(build: Build, hands: Hands) -> None:
    """PP-01: the directory is down: nothing is counted, and the platform is told to try again."""

    class Down(Staff):
        is_down = False

        async def who(self, account: Account) -> Person | None:
            if self.is_down:
                raise Unavailable("the directory does not answer")
            return await super().who(account)

    staff = Down()
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE), directory=staff) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        staff.is_down = True

        with pytest.raises(Unavailable):
            await house.press("approve", by="bo", card=card)

        staff.is_down = False
        assert not await events(house, "vote_counted")
        assert not hands.did
        assert (await house.press("approve", by="bo", card=card)).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_a_guest_cannot_stop_a_run(house: House) -> None:
    """The button is there for everybody to see; a guest's press is refused and written down."""
    thread = await house.mention("ana", "refund 120 on order 1042")
    await house.card()

    answer = await house.press("stop", by="gus")

    assert (answer.is_taken, answer.text) == (False, "Sorry, I may not take tasks from you here.")
    assert (await events(house, "vote_refused"))[-1]["cause"] == "NotRequestable"
    assert await run_of(house, thread)
    assert await house.is_sound()


async def test_a_guest_and_a_stranger_cannot_give_tasks(build: Build, hands: Hands) -> None:
    """T09: a polite refusal, and not one token spent."""
    model = Played(WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        for who in ("gus", "mallory"):
            await house.mention(who, "pay")

        assert [text for _, text in house.chat.whispers] == ["Sorry, I may not take tasks from you here."] * 2
        assert not model.asked
        assert not await house.audit()


async def test_the_button_of_a_high_risk_call_asks_once_more(house: House) -> None:
    """ST-03: the platform shows the question before it sends the click."""
    await house.mention("ana", "refund 501 on order 1001")
    card = await house.card()
    assert find(card, "approve").confirm == "Run refund with exactly the arguments shown?"
    assert card.card.title == "⚠ High-risk: refund"
    assert (await house.press("approve", by="dana")).is_taken
    assert await settled(house)


# --------------------------------------------------------------------- memory


class Forgetful(Staff):
    """A directory that remembers everybody as they were at first; `fresh` is what is true now."""

    def __init__(self) -> None:
        super().__init__()
        self.now = Staff()

    def fresh(self) -> Directory:
        return self.now


@pytest.mark.parametrize("is_high", [True, False])
async def test_high_risk_is_judged_by_what_is_true_now(build: Build, hands: Hands, is_high: bool) -> None:
    """T16: chris lost the right a moment ago. What is ordinary may be judged by a directory's memory of a minute."""
    staff = Forgetful()
    rules = policy(HIGH if is_high else TWO)
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), directory=staff) as house:
        await house.mention("ana", "pay")
        await house.press("approve", by="bo")
        staff.now.change("chris", groups=frozenset())

        answer = await house.press("approve", by="chris")

        told = "Sorry, this needs an answer from: approvers." if is_high else "Approved. It runs now."
        assert (answer.is_taken, answer.text) == (not is_high, told)
        assert await house.is_sound()


@pytest.mark.parametrize("leaves", ["bo", "ana"])
async def test_whoever_left_between_a_high_risk_approval_and_its_start_stops_it(
    build: Build, hands: Hands, leaves: str
) -> None:
    """T16, T09: the memory still knows them; the start asks again."""
    staff = Forgetful()
    parts = {"tools": hands.tools, "model": Played(WIRE), "directory": staff, "pace": STEADY}
    async with build(policy=policy("groups: [approvers], high: true"), **parts) as house:
        await house.mention("ana", "pay")
        card = await house.card()

        async with ownerless(house):
            assert (await house.press("approve", by="bo", card=card)).is_taken
            staff.now.change(leaves, is_active=False)

        await house.shows("Approved, but not run: ")
        assert not hands.did
        assert await settled(house)


async def test_a_first_signature_of_high_risk_is_dropped_when_its_person_leaves(build: Build, hands: Hands) -> None:
    """T16: bo is gone between the first click and the quorum; the vote goes with him, at once."""
    staff = Forgetful()
    async with build(policy=policy(HIGH), tools=hands.tools, model=Played(WIRE), directory=staff) as house:
        await house.mention("ana", "pay")
        await house.press("approve", by="bo")
        staff.now.change("bo", is_active=False)

        assert (await house.press("approve", by="chris")).text == "Counted: 1 of 2; still needed: approvers."
        assert not hands.did
        staff.now.change("ana", is_active=False)
        staff.now.change("dana", groups=frozenset({"approvers"}))
        assert (await house.press("approve", by="dana")).text == "Ana, who asked for this, may no longer give tasks."
        assert await house.is_sound()


async def test_a_page_is_content_with_what_the_directory_remembers(build: Build, hands: Hands) -> None:
    """Whoever opens their list of fifty high-risk requests does not look everybody up fifty times."""
    staff = Forgetful()
    async with build(policy=policy(HIGH), tools=hands.tools, model=Played(WIRE), directory=staff) as house:
        await house.mention("ana", "pay")
        await house.card()
        staff.now.change("bo", groups=frozenset())
        parts = await house._parts()

        views = RuntimeViews(house.store, parts.toolbox, staff, KEY)

        assert len(await views.waiting_for(Account(platform="playground", tenant="local", user="bo"))) == 1
        assert not (await house.press("approve", by="bo")).is_taken


# ----------------------------------------------------------- two accounts


class Both(Staff):
    """bo and chris have an account on Slack as well."""

    def __init__(self) -> None:
        super().__init__()
        for who in ("bo", "chris"):
            here = Account(platform="playground", tenant="local", user=who)
            self.change(who, accounts=(here, Account(platform="slack", tenant="T1", user=who.upper())))


async def from_slack(house: House, user: str, number: str) -> Answer:
    """Open the details, if they have to be read, and approve."""
    post = await house.card()
    by = Account(platform="slack", tenant="T1", user=user)
    if is_high(post):
        await house.desk.click(replace(click(find(post, DETAILS), post, user, f"{number}d"), by=by))
    return await house.desk.click(replace(click(find(post, "approve"), post, user, number), by=by))


@pytest.mark.parametrize("is_high", [True, False])
async def test_a_person_with_two_accounts_fills_one_seat(build: Build, hands: Hands, is_high: bool) -> None:
    """T10, I4: bo signs on Slack and again in the playground. That is one person; chris is the second one."""
    table = Table().add("BO").add("CHRIS")
    directory = SlackDirectory(Both(), Lookups(table, table), Trust())
    rules = policy(HIGH if is_high else TWO)
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), directory=directory) as house:
        await house.mention("ana", "pay")

        first = await from_slack(house, "BO", "1")
        second = await house.press("approve", by="bo")

        assert first.text == "Counted: 1 of 2; still needed: approvers."
        assert (second.is_taken, second.text) == (False, "You already answered this.")
        assert not hands.did
        assert (await from_slack(house, "CHRIS", "2")).text == "Approved. It runs now."
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_a_signature_goes_with_the_slack_account_it_came_from(build: Build, hands: Hands) -> None:
    """T16: bo signs, is deactivated in Slack, and is gone everywhere; a group kept in Slack finds somebody else."""
    table = Table().add("BO").add("CHRIS").add("NEW")
    table.groups["T1"] = {"deputies": ["NEW"]}
    source = GroupSource(kind=SourceKind.SLACK_USERGROUP, name="deputies")
    directory = SlackDirectory(Both(), Lookups(table, table), Trust(sources={"approvers": source}))
    async with build(policy=policy(HIGH), tools=hands.tools, model=Played(WIRE), directory=directory) as house:
        await house.mention("ana", "pay")
        assert (await from_slack(house, "BO", "1")).is_taken
        table.add("BO", deleted=True)

        assert (await from_slack(house, "CHRIS", "2")).text == "Counted: 1 of 2; still needed: approvers."
        assert not (await house.press("approve", by="bo")).is_taken
        assert not hands.did
        assert (await from_slack(house, "NEW", "3")).text == "Approved. It runs now."
        await house.shows("ok wire 90 bank")
        assert (await events(house, "vote_counted"))[-1]["person"] == PersonId("slack.T1.NEW")
        assert await settled(house)


async def test_a_click_on_high_risk_asks_slack_about_nobody_but_the_one_who_clicks(build: Build, hands: Hands) -> None:
    """T16: asked anew, and within the 3 s of a click, however many others may sign."""
    table = Table().add("BO").add("CHRIS")
    directory = SlackDirectory(Both(), Lookups(table, table), Trust())
    async with build(policy=policy(HIGH), tools=hands.tools, model=Played(WIRE), directory=directory) as house:
        await house.mention("ana", "pay")
        await house.card()
        await rested(house)
        before = table.asked.copy()

        assert (await from_slack(house, "BO", "1")).is_taken

        assert table.asked - before == {"users.info": 2}, "to read the details, and to sign"
        assert (await from_slack(house, "CHRIS", "2")).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_a_silent_slack_counts_nobody(build: Build, hands: Hands) -> None:
    """A failed look-up refuses: nothing is counted, and the person may press again."""
    table = Table().add("BO").add("CHRIS")
    directory = SlackDirectory(Both(), Lookups(table, table), Trust())
    rules = policy("groups: [approvers], high: true")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), directory=directory) as house:
        await house.mention("ana", "pay")
        await house.card()
        table.error = ChatUnavailable("slack", "silent")

        with pytest.raises(Unavailable):
            await from_slack(house, "BO", "1")

        table.error = None
        assert not await events(house, "vote_counted")
        assert (await from_slack(house, "BO", "1")).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_a_group_that_slack_does_not_have_is_refused_when_it_is_asked(build: Build, hands: Hands) -> None:
    """The agent is told why; no card is shown that nobody could ever sign."""
    table = Table().add("BO").add("CHRIS")
    source = GroupSource(kind=SourceKind.SLACK_USERGROUP, name="gone")
    directory = SlackDirectory(Both(), Lookups(table, table), Trust(sources={"auditors": source}))
    rules = policy("groups: [auditors]")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), directory=directory) as house:
        await house.mention("ana", "pay")

        await house.shows("group auditors: workspace T1 has no user group 'gone' that is enabled")

        assert not house.with_button("approve")
        assert await settled(house)


async def test_a_directory_that_is_away_delays_a_call_and_fails_no_run(build: Build, hands: Hands) -> None:
    """I12: nobody can say who may sign when the gate asks; the call waits for that, and then for its signature."""
    staff = Staff()
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE), directory=staff) as house:
        staff.is_away = True
        await house.mention("ana", "pay")
        await staff.turned_away.wait()
        assert not house.with_button("approve")

        staff.is_away = False

        assert (await house.press("approve", by="bo")).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)
