"""Somebody is away and names a deputy: who signs then, for how long, and what is written down."""

from __future__ import annotations

import pytest

from bot.domain.chat import Answer
from bot.domain.errors import StoreUnavailable
from bot.domain.standing import check_standing
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
    settled,
    shown,
)
from tests.house import Clock, House

WIRE = calls(call("wire", amount=90))
FINANCE = "groups: [finance]"  # chris alone
TWO = "groups: [{of: approvers, need: 2}]"  # bo and chris
APART = "groups: [approvers], separate_duties: true"


async def leaves(house: House, who: str, deputy: str = "", *, span: str = "1 week", delivery: str = "") -> Answer:
    named = f", @{deputy} decides" if deputy else ""
    answer = await house.say(
        who, f"@countersign away for {span}{named}", thread=f"away-{who}", is_mention=True, delivery=delivery
    )
    assert answer is not None
    return answer


async def test_a_deputy_signs_in_their_own_name(build: Build, hands: Hands) -> None:
    """PN-05, I5, A2-18: chris is away, erin decides. The audit says who it was, and for whom."""
    async with build(policy=policy(FINANCE), tools=hands.tools, model=Played(WIRE)) as house:
        told = await leaves(house, "chris", "erin")
        await house.mention("ana", "pay")

        answer = await house.press("approve", by="erin")

        assert told.text.endswith("Erin (erin) may decide for you, in their own name.")
        assert answer.text == "Approved. It runs now."
        await house.shows("ok wire 90 bank")
        [vote] = await events(house, "vote_counted")
        assert (vote["person"], vote["account"]) == ("erin", "playground/local/erin")
        assert (vote["seats"], vote["stands_for"]) == ([], [{"person": "chris", "seats": [0]}])
        [decided] = await events(house, "request_decided")
        assert decided["by"] == ["erin"]
        assert await settled(house)


async def test_without_an_absence_nobody_signs_for_anybody(build: Build, hands: Hands) -> None:
    """D-30: the same press as above, refused; and refused again when chris is back."""
    async with build(policy=policy(FINANCE), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        assert (await house.press("approve", by="erin")).text == "Sorry, this needs an answer from: finance."

        await leaves(house, "chris", "erin")
        back = await house.say("chris", "@countersign back", thread="b", is_mention=True)
        refused = await house.press("approve", by="erin")

        assert back is not None
        assert back.text == "Welcome back. Nobody decides for you any more."
        assert refused.text == "Sorry, this needs an answer from: finance."
        assert not hands.did
        assert (await house.press("approve", by="chris")).is_taken
        assert await settled(house)


async def test_being_away_is_not_passed_on(build: Build, hands: Hands) -> None:
    """PN-05, T10: chris names erin, erin names dana. Neither of them signs for chris while erin is away."""
    async with build(policy=policy(FINANCE), tools=hands.tools, model=Played(WIRE)) as house:
        await leaves(house, "erin", "dana")
        told = await leaves(house, "chris", "erin")
        await house.mention("ana", "pay")

        refused = [await house.press("approve", by=who) for who in ("erin", "dana")]

        assert "But Erin is away now, too" in told.text
        assert [one.is_taken for one in refused] == [False, False]
        assert not hands.did
        assert (await house.press("approve", by="chris")).is_taken
        assert await settled(house)


async def test_whoever_is_excluded_signs_for_nobody(build: Build, hands: Hands) -> None:
    """I5, T10: ana asked for it, so she cannot sign it in the place of chris either."""
    rules = policy("groups: [finance], separate_duties: true")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await leaves(house, "chris", "ana")
        await house.mention("ana", "pay")

        refused = await house.press("approve", by="ana")

        assert (refused.is_taken, refused.text) == (
            False,
            "Sorry, you asked for or changed this, so somebody else has to sign it.",
        )
        assert not hands.did
        assert (await house.press("approve", by="chris")).is_taken
        assert await settled(house)


async def test_a_requesters_deputy_may_not_sign_what_the_requester_may_not(build: Build, hands: Hands) -> None:
    """PN-05, I5, T10: bo, an approver, gives the task and names dana. His right does not reach her around the rule."""
    async with build(policy=policy(APART), tools=hands.tools, model=Played(WIRE)) as house:
        await leaves(house, "bo", "dana")
        await house.mention("bo", "pay")

        refused = await house.press("approve", by="dana")

        assert refused.text == "Sorry, this needs an answer from: approvers."
        assert not hands.did
        assert (await house.press("approve", by="chris")).is_taken
        assert await settled(house)


@pytest.mark.parametrize("order", [("erin", "chris"), ("chris", "erin")])
async def test_somebody_and_their_deputy_are_one_signature(build: Build, hands: Hands, order: tuple[str, str]) -> None:
    """I4, T10: need 2 of {bo, chris}. chris and whoever decides for chris make one, in either order."""
    async with build(policy=policy(TWO), tools=hands.tools, model=Played(WIRE)) as house:
        await leaves(house, "chris", "erin")
        await house.mention("ana", "pay")

        first, second = [await house.press("approve", by=who) for who in order]

        assert first.text == "Counted: 1 of 2; still needed: approvers."
        if order[0] == "erin":
            assert second.text == "Counted: 1 of 2; still needed: approvers."
        else:
            assert second.text == "Chris, for whom you decide, has been counted already."
        assert not hands.did
        assert (await house.press("approve", by="bo")).text == "Approved. It runs now."
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_two_deputies_of_one_person_are_one_signature(build: Build, hands: Hands) -> None:
    """I4: chris names erin, who signs, and then names dana instead."""
    async with build(policy=policy(TWO), tools=hands.tools, model=Played(WIRE)) as house:
        await leaves(house, "chris", "erin")
        await house.mention("ana", "pay")
        await house.press("approve", by="erin")
        await leaves(house, "chris", "dana")

        refused = await house.press("approve", by="dana")

        assert refused.text == "Chris, for whom you decide, has been counted already."
        assert not hands.did
        assert (await house.press("approve", by="bo")).is_taken
        assert await settled(house)


async def test_a_deputy_of_two_sits_once(build: Build, hands: Hands) -> None:
    """I4: erin decides for bo and for chris, and is still one person."""
    async with build(policy=policy(TWO), tools=hands.tools, model=Played(WIRE)) as house:
        await leaves(house, "bo", "erin")
        await leaves(house, "chris", "erin")
        await house.mention("ana", "pay")

        answer = await house.press("approve", by="erin")

        assert answer.text == "Counted: 1 of 2; still needed: approvers."
        assert (await house.press("approve", by="erin")).text == "You already answered this."
        assert not hands.did
        assert (await house.press("approve", by="chris")).text == "Approved. It runs now."
        assert await settled(house)


async def test_a_deputy_who_may_sign_anyway_can_fill_the_other_seat(build: Build, hands: Hands) -> None:
    """A2-18: bo is an approver and decides for chris of finance; dana, an approver now, leaves him that seat."""
    staff = Staff()
    staff.change("dana", groups=frozenset({"approvers"}))
    rules = policy("groups: [approvers, finance]")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), directory=staff) as house:
        await leaves(house, "chris", "bo")
        await house.mention("ana", "pay")

        assert not (await house.press("approve", by="bo")).text.startswith("Approved")
        assert (await house.press("approve", by="dana")).text == "Approved. It runs now."

        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_an_absence_ends_by_the_stores_clock(build: Build, hands: Hands) -> None:
    """Nobody came back by hand: when the time is up the deputy signs nothing, and the audit says so once."""
    clock = Clock()
    parts = {"tools": hands.tools, "model": Played(WIRE), "clock": clock}
    async with build(policy=policy(FINANCE, "{after: 40h, expire: true}"), **parts) as house:
        await leaves(house, "chris", "erin", span="4 hours")
        await house.mention("ana", "pay")
        await house.card()

        clock.advance(hours=4, minutes=1)
        await house.store.prepare()  # hears the clock, as every other call of a process does
        refused = await house.press("approve", by="erin")

        assert refused.text == "Sorry, this needs an answer from: finance."
        [ended] = await events(house, "away_ended")
        assert (ended["person"], ended["cause"]) == ("chris", "deadline")
        assert await house.store.absences() == ()
        assert (await house.press("approve", by="chris")).is_taken
        assert await settled(house)


async def test_saying_it_again_replaces_it_and_a_redelivery_does_nothing(build: Build, hands: Hands) -> None:
    """I10: the first message comes again after the second one; what the second one said stands."""
    async with build(policy=policy(FINANCE), tools=hands.tools, model=Played(WIRE)) as house:
        first = await leaves(house, "chris", "erin", delivery="one")
        await leaves(house, "chris", "dana", delivery="two")
        again = await leaves(house, "chris", "erin", delivery="one")

        assert again == first
        assert [one.deputy for one in await house.store.absences()] == ["dana"]
        assert len(await events(house, "away_set")) == 2
        await house.mention("ana", "pay")
        assert not (await house.press("approve", by="erin")).is_taken
        assert (await house.press("approve", by="dana")).is_taken
        assert await settled(house)


async def test_an_absence_survives_a_restart(build: Build, hands: Hands) -> None:
    parts = {"tools": hands.tools, "model": Played(WIRE)}
    async with build(policy=policy(FINANCE), **parts) as house:
        await leaves(house, "chris", "erin")
        await house.mention("ana", "pay")
        await house.card()
    async with house.again() as later:
        assert (await later.press("approve", by="erin")).text == "Approved. It runs now."

        await later.shows("ok wire 90 bank")
        assert await settled(later)


async def test_a_deputy_signs_on_any_shard(build: Build, hands: Hands) -> None:
    """Absences are told on the first shard, the votes here on others: the audit adds up over all of them."""
    async with build(policy=policy(FINANCE), tools=hands.tools, model=Played(WIRE), shards=8) as house:
        await leaves(house, "chris", "erin")
        thread = next(f"t{n}" for n in range(99) if house.store.shard_of(f"playground/local/general/t{n}"))
        await house.mention("ana", "pay", thread=thread)

        assert (await house.press("approve", by="erin")).text == "Approved. It runs now."

        await house.shows("ok wire 90 bank")
        assert await house.is_sound()
        assert [entry.event for entry in await house.audit() if "chris" in entry.body] == ["away_set", "vote_counted"]


async def test_a_forged_deputy_is_not_believed(build: Build, hands: Hands) -> None:
    """T22: whoever writes to Redis makes no deputy: not by a new record, nor by moving or changing a true one."""
    async with build(policy=policy(FINANCE), tools=hands.tools, model=Played(WIRE)) as house:
        key = f"{{{house.namespace}:0}}:away"
        await leaves(house, "bo", "erin")
        client = house.store._link.client
        true = await client.hget(key, "bo")
        assert isinstance(true, bytes)
        own = b"99999999999999 " + b"A" * 20 + b'1{"person":"chris"}'
        forged = [true, true.replace(b'"bo"', b'"chris"'), own, b"x"]
        await house.mention("ana", "pay")
        await house.card()

        for value in forged:
            await client.hset(key, "chris", value)
            house.engine.absences.forget()
            assert not (await house.press("approve", by="erin")).is_taken

        assert not hands.did
        back = await house.say("chris", "@countersign back", thread="b", is_mention=True)
        assert back is not None
        assert back.is_taken
        assert (await house.press("approve", by="chris")).is_taken
        assert await settled(house)


async def test_an_absence_of_ours_that_is_put_back_shows_in_the_audit(build: Build, hands: Hands) -> None:
    """T22, I5: our own record bears our seal also after its person came back; the audit remembers that they did."""
    async with build(policy=policy(FINANCE), tools=hands.tools, model=Played(WIRE)) as house:
        key = f"{{{house.namespace}:0}}:away"
        await leaves(house, "chris", "erin")
        client = house.store._link.client
        old = await client.hget(key, "chris")
        assert isinstance(old, bytes)
        await house.say("chris", "@countersign back", thread="b", is_mention=True)
        await house.mention("ana", "pay")
        await house.card()
        assert not (await house.press("approve", by="erin")).is_taken

        house.clock.advance(minutes=1)
        await client.hset(key, "chris", old)
        house.engine.absences.forget()
        await house.press("approve", by="erin")

        await quiet(house)
        told = [found.told for found in check_standing(await house.audit())]
        assert told == ["erin was counted for chris, who had not named them as deputy then"]


async def test_a_failed_look_refuses(build: Build, hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail closed: who is away cannot be read, so nothing is counted, and the press may come again."""

    async def gone() -> None:
        raise StoreUnavailable("away")

    async with build(policy=policy("groups: [finance], high: true"), tools=hands.tools, model=Played(WIRE)) as house:
        await leaves(house, "chris", "erin")
        await house.mention("ana", "pay")
        card = await house.card("details")
        monkeypatch.setattr(house.store, "absences", gone)

        with pytest.raises(StoreUnavailable):
            await house.press("details", by="erin", card=card)

        monkeypatch.undo()
        assert not hands.did
        await house.press("details", by="erin", card=card)
        assert (await house.press("approve", by="erin", card=card)).is_taken
        assert await settled(house)


# ------------------------------------------------------- again at the start


async def test_a_signature_given_while_the_absence_held_outlives_it(build: Build, hands: Hands) -> None:
    """The audit proves that erin might sign then; that chris comes back before the call starts takes nothing away."""
    parts = {"tools": hands.tools, "model": Played(WIRE), "pace": STEADY}
    async with build(policy=policy(FINANCE), **parts) as house:
        await leaves(house, "chris", "erin")
        await house.mention("ana", "pay")
        card = await house.card()

        async with ownerless(house):
            assert (await house.press("approve", by="erin", card=card)).text == "Approved. It runs now."
            await house.say("chris", "@countersign back", thread="b", is_mention=True)

        await house.shows("ok wire 90 bank")
        assert await settled(house)


@pytest.mark.parametrize(("who", "facts"), [("erin", {"is_active": False}), ("chris", {"groups": frozenset()})])
async def test_a_deputy_or_a_right_that_is_gone_takes_the_signature_along(
    build: Build, hands: Hands, who: str, facts: dict[str, object]
) -> None:
    """T16: the deputy leaves the company, or chris leaves the group, between signature and start."""
    staff = Staff()
    parts = {"tools": hands.tools, "model": Played(WIRE), "pace": STEADY, "directory": staff}
    async with build(policy=policy(FINANCE), **parts) as house:
        await leaves(house, "chris", "erin")
        await house.mention("ana", "pay")
        card = await house.card()

        async with ownerless(house):
            assert (await house.press("approve", by="erin", card=card)).is_taken
            staff.change(who, **facts)

        await house.shows("Approved, but not run: somebody who approved it may no longer do so")
        await quiet(house)
        assert not hands.did
        assert await settled(house)


# ------------------------------------------------------------------ ladder


async def test_reminders_and_copies_go_to_the_deputy(build: Build, hands: Hands) -> None:
    """A reminder calls erin, not chris; so does a copy sent to finance, which lends erin nothing for longer."""
    clock = Clock()
    ladder = "{after: 5m, remind: here}, {after: 10m, dm: finance}, {after: 40h, expire: true}"
    parts = {"tools": hands.tools, "model": Played(WIRE), "clock": clock}
    async with build(policy=policy("groups: [approvers, finance]", ladder), **parts) as house:
        await leaves(house, "chris", "erin")
        await house.mention("ana", "pay")
        card = await house.card()

        clock.advance(minutes=6)
        await house.shows("Reminder:")
        clock.advance(minutes=5)
        await house.shows("asked Erin as well. Chris is away until")
        await shown(house)

        reminder = next(post for post in house.chat.posts if "Reminder:" in post.card.body)
        assert reminder.card.mentions == ("bo", "erin")
        assert [post.place.channel for post in house.chat.posts if post.place.is_direct] == ["dm-erin"]
        assert (await request_of(house, card)).standins == ("chris",)
        await house.press("reject", by="bo", fields={})
        assert await settled(house)


async def test_a_card_says_who_decides_instead(build: Build, hands: Hands) -> None:
    """PN-05: also those drawn before: a card tells of absences as it is drawn."""
    async with build(policy=policy(FINANCE), tools=hands.tools, model=Played(WIRE)) as house:
        await leaves(house, "chris", "erin")
        await house.mention("ana", "pay")

        card = await house.card()

        assert ("Away", "Chris: Erin decides") in [(fact.label, fact.value) for fact in card.card.facts]
        await house.press("reject", by="erin", fields={})
        await quiet(house)
        assert "Away" not in [fact.label for fact in card.card.facts]
        assert await settled(house)


async def test_the_inbox_of_a_deputy_shows_what_waits(build: Build, hands: Hands) -> None:
    """PN-12: what chris is asked stands in erin's list."""
    async with build(policy=policy(FINANCE), tools=hands.tools, model=Played(WIRE)) as house:
        await leaves(house, "chris", "erin")
        await house.mention("ana", "pay")
        await house.card()

        told = await house.say("erin", "@countersign pending", thread="p", is_mention=True)

        assert told is not None
        assert "Waiting for you." in told.text
        await house.press("reject", by="erin", fields={})
        assert await settled(house)
