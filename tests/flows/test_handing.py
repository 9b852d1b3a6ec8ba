"""A question handed on: asked of somebody else, the same question, and of nobody but them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.domain.chat import FieldKind
from bot.domain.errors import StoreUnavailable
from bot.domain.request import RequestId
from bot.domain.store import Row
from bot.domain.wire import replace
from bot.runtime.gone import LOOKED_EVERY
from tests.fakes.chat import Posted
from tests.flows.doors import around
from tests.flows.stage import (
    STEADY,
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
    subject_of,
)
from tests.house import House, find

COLOURS = calls(call("ask_people", question="Which colour?", options=["red", "blue"]))
PLAN = calls(call("propose_plan", goal="pay everybody", steps=["pay bo"]))


async def test_a_question_handed_on_is_the_same_question_asked_of_somebody_else(build: Build) -> None:
    """ST-15, A2-10: chris gets the card, the first one is inert and says where it went; id and digest stay."""
    async with build(policy=policy(), model=Played(COLOURS)) as house:
        await house.mention("ana", "paint the door")
        first = await house.card("pick_a")
        before = await request_of(house, first)

        answer = await hand(house, first, by="ana", to="chris")

        assert answer == "Chris is asked now."
        copy = await direct(house, "chris")
        assert moves(copy) == ["pick_a", "pick_b", "write", "leave", "hand_to", "stop"]
        assert copy.card.mentions == ("chris",)
        await house.chat.until(lambda: moves(first) == ["stop"], "the first card is inert")
        assert first.card.status.startswith("Ana handed this to Chris at")
        after = await request_of(house, copy)
        assert (after.id, after.call.digest) == (before.id, before.call.digest)
        await house.press("pick_b", by="chris", card=copy)
        await house.shows("Chris answered. Their answer: 'blue'")
        handed = (await events(house, "request_handed"))[0]
        assert (handed["request"], handed["by"], handed["to"]) == (before.id, "ana", "chris")
        assert await settled(house)


async def test_whoever_handed_it_on_answers_no_more(build: Build) -> None:
    """I5: an old picture of the card is still on their screen; a press there is refused, and stands in the audit."""
    async with build(policy=policy(), model=Played(COLOURS)) as house:
        await house.mention("ana", "paint the door")
        first = await house.card("pick_a")
        await hand(house, first, by="ana", to="chris")

        late = await house.press("pick_a", by="ana", card=first)
        again = await hand(house, first, by="ana", to="bo")

        assert not late.is_taken
        assert "Sorry" in late.text
        assert "Sorry" in again
        assert len(await events(house, "vote_refused")) == 2
        assert (await request_of(house, first)).is_open


async def test_a_typed_reply_of_the_new_person_is_the_answer(build: Build) -> None:
    async with build(policy=policy(), model=Played(COLOURS)) as house:
        thread = await house.mention("ana", "paint the door")
        first = await house.card("pick_a")
        await hand(house, first, by="ana", to="chris")
        await direct(house, "chris")

        await house.say("chris", "red", thread=thread)

        await house.shows("Their answer: 'red'")
        assert await settled(house)


async def test_it_can_be_handed_on_again_and_back(build: Build) -> None:
    """Each one who is asked may pass it on; the copy they had loses its buttons, and gets them back."""
    async with build(policy=policy(), model=Played(COLOURS)) as house:
        await house.mention("ana", "paint the door")
        first = await house.card("pick_a")
        await hand(house, first, by="ana", to="chris")
        of_chris = await direct(house, "chris")
        await hand(house, of_chris, by="chris", to="bo")
        of_bo = await direct(house, "bo")
        await house.chat.until(lambda: moves(of_chris) == ["stop"])

        await hand(house, of_bo, by="bo", to="chris")

        await house.chat.until(lambda: "pick_a" in moves(of_chris) and moves(of_bo) == ["stop"])
        assert len([post for post in house.chat.posts if post.place.channel == "dm-chris"]) == 1
        await house.press("pick_a", by="chris", card=of_chris)
        await house.shows("Their answer: 'red'")
        assert await settled(house)


@pytest.mark.parametrize("typed", ["chris", "@chris", "Chris", "@Chris", "chRIS "])
async def test_a_person_is_named_by_id_or_by_their_exact_name(build: Build, typed: str) -> None:
    async with build(policy=policy(), model=Played(COLOURS)) as house:
        await house.mention("ana", "paint the door")
        assert (await hand(house, await house.card("pick_a"), by="ana", to=typed)) == "Chris is asked now."


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "Please say to whom."),
        ("gus", "Gus cannot answer: guests, bots and deactivated accounts never do."),
        ("bo", "Bo cannot answer: guests, bots and deactivated accounts never do."),
        ("somebody else", "I know nobody of that name. Please write @id, or the name as it is spelled here."),
        ("approvers", "I know nobody of that name. Please write @id, or the name as it is spelled here."),
        ("Twin", "2 people are called that. Please write one of: @dana, @erin."),
        ("chris", "Chris cannot be reached by a direct message here."),
    ],
)
async def test_who_cannot_answer_is_refused_beside_the_field(build: Build, typed: str, told: str) -> None:
    """Nothing changes: the question stays where it was, and the form says why."""
    staff = Staff()
    staff.change("bo", is_active=False)
    staff.change("chris", accounts=())
    staff.change("dana", name="Twin")
    staff.change("erin", name="Twin")
    async with build(policy=policy(), model=Played(COLOURS), directory=staff) as house:
        await house.mention("ana", "paint the door")
        card = await house.card("pick_a")

        answer = await house.press("hand_to", by="ana", card=card, fields={"person": typed})

        assert answer.problems == {"person": told}
        assert not await events(house, "request_handed")
        assert "pick_a" in moves(card)


async def test_only_who_may_answer_hands_it_on_and_a_settled_question_goes_nowhere(build: Build) -> None:
    async with build(policy=policy(), model=Played(PLAN)) as house:
        await house.mention("ana", "pay them")
        card = await house.card("proceed")

        other = await hand(house, card, by="bo", to="bo")
        await house.press("proceed", by="ana", card=card)
        late = await hand(house, card, by="ana", to="chris")

        assert "Sorry" in other
        assert "already answered" in late
        assert not await events(house, "request_handed")


async def test_a_form_that_is_sent_again_hands_nothing_on_twice(build: Build) -> None:
    """I10: the same delivery gets the same answer, though its sender may not hand it on any more."""
    async with build(policy=policy(), model=Played(COLOURS)) as house:
        await house.mention("ana", "paint the door")
        card = await house.card("pick_a")
        sent = [
            await house.press("hand_to", by="ana", card=card, fields={"person": "chris"}, delivery="once")
            for _ in range(2)
        ]

        assert sent[0] == sent[1]
        assert len(await events(house, "request_handed")) == 1


async def test_a_signature_is_handed_to_nobody(build: Build, hands: Hands) -> None:
    """A rule says who signs: neither the card offers it nor does a made-up press do it."""
    async with build(policy=policy(), tools=hands.tools, model=Played(calls(call("wire", amount=90)))) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        assert "hand_to" not in moves(card)
        forged = replace(find(card, "approve"), move="hand_to")
        card.cards.append(replace(card.card, buttons=(forged,)))

        refused = await house.press("hand_to", by="bo", card=card, fields={"person": "bo"})

        assert not refused.is_taken
        assert not await events(house, "request_handed")


async def test_the_new_person_is_reminded_and_still_has_until_the_deadline(build: Build) -> None:
    """Handing on buys no time: the ladder goes on, and calls whoever is asked now."""
    rules = policy(more="defaults: {ladder: [{after: 1h, remind: here}, {after: 4h, expire: true}]}")
    async with build(policy=rules, model=Played(COLOURS), pace=STEADY) as house:
        await house.mention("ana", "paint the door")
        card = await house.card("pick_a")
        await hand(house, card, by="ana", to="chris")
        await direct(house, "chris")

        house.clock.advance(hours=1, seconds=1)
        await house.chat.until(lambda: any("Reminder" in post.card.body for post in house.chat.posts))
        reminder = next(post for post in house.chat.posts if "Reminder" in post.card.body)
        house.clock.advance(hours=3)

        assert reminder.card.mentions == ("chris",)
        await house.shows("nobody answered in time")
        assert await settled(house)


async def test_a_question_handed_on_before_a_restart_is_answered_after_it(build: Build) -> None:
    """I12: the copy is posted by whoever comes next, and the answer wakes the run there."""
    async with build(policy=policy(), model=Played(COLOURS)) as house:
        await house.mention("ana", "paint the door")
        await hand(house, await house.card("pick_a"), by="ana", to="chris")
        await shown(house)
    async with house.again() as later:
        await later.press("pick_a", by="chris", card=await direct(later, "chris"))

        await later.shows("Their answer: 'red'")
        assert await settled(later)


async def test_a_direct_message_that_is_still_being_posted_is_pressed_once_more(build: Build) -> None:
    """T14, CD-06: it stands before chris, and its place is not written down yet: nothing is counted, nor refused."""
    async with build(policy=policy(), model=Played(COLOURS)) as house:
        await house.mention("ana", "paint the door")
        first = await house.card("pick_a")
        may_be_known = asyncio.Event()

        async def wait(_fence: object, row: Row, *_: object) -> None:
            await may_be_known.wait() if "|dm-chris|" in row.name else None

        around(house, "posted", before=wait)
        await hand(house, first, by="ana", to="chris")
        await house.chat.until(lambda: any(post.place.channel == "dm-chris" for post in house.with_button("pick_b")))
        copy = house.with_button("pick_b")[-1]

        with pytest.raises(StoreUnavailable):
            await house.press("pick_b", by="chris", card=copy, delivery="same")

        may_be_known.set()
        await direct(house, "chris")
        assert (await house.press("pick_b", by="chris", card=copy, delivery="same")).is_taken
        assert not await events(house, "vote_refused")
        assert await settled(house)


async def test_a_question_whose_person_left_falls_to_whoever_handed_it_on(build: Build) -> None:
    """ST-15, T16: within minutes the card says so and can be pressed again; nobody waits for somebody who is gone."""
    staff = Staff()
    async with build(policy=policy(), model=Played(COLOURS), directory=staff, pace=STEADY) as house:
        await house.mention("ana", "paint the door")
        first = await house.card("pick_a")
        await hand(house, first, by="ana", to="chris")
        of_chris = await direct(house, "chris")
        house.clock.advance(seconds=LOOKED_EVERY.total_seconds() + 1)  # chris is still there: nothing changes
        await house.chat.until(lambda: moves(first) == ["stop"])

        staff.change("chris", is_active=False)
        house.clock.advance(seconds=LOOKED_EVERY.total_seconds() + 1)

        await house.chat.until(lambda: "pick_a" in moves(first) and moves(of_chris) == ["stop"])
        assert first.card.status.startswith("Chris can no longer answer: Ana may again.")
        await house.shows("Chris can no longer answer this. It is asked of you again.")
        assert not (await house.press("pick_a", by="chris", card=of_chris)).is_taken
        assert not (await house.press("pick_a", by="bo", card=first)).is_taken
        fell = (await events(house, "request_fell_back"))[0]
        assert (fell["gone"], fell["to"]) == ("chris", "ana")
        await house.press("pick_b", by="ana", card=first)
        await house.shows("Ana answered. Their answer: 'blue'")
        assert await settled(house)


@pytest.mark.parametrize(("also_gone", "asked"), [((), "chris"), (("chris",), "ana")])
async def test_it_falls_to_the_last_who_can_still_answer_else_to_whoever_gave_the_task(
    build: Build, also_gone: tuple[str, ...], asked: str
) -> None:
    """ST-15: ana, chris, bo; bo is taken out, and perhaps chris as well. Its deadline and its digest stay."""
    staff = Staff()
    async with build(policy=policy(), model=Played(COLOURS), directory=staff, pace=STEADY) as house:
        thread = await house.mention("ana", "paint the door")
        first = await house.card("pick_a")
        before = await request_of(house, first)
        await hand(house, first, by="ana", to="chris")
        await hand(house, await direct(house, "chris"), by="chris", to="bo")
        for who in ("bo", *also_gone):
            staff.change(who, is_active=False)

        house.clock.advance(seconds=LOOKED_EVERY.total_seconds() + 1)
        await house.chat.until(lambda: "pick_a" in moves(first))

        after = await request_of(house, first)
        assert [need.of for need in after.ask.groups] == [f"@{asked}"]
        assert (after.deadline, after.call.digest) == (before.deadline, before.call.digest)
        await house.say(asked, "red", thread=thread)
        await house.shows("Their answer: 'red'")
        assert await settled(house)


async def test_while_nobody_at_all_can_answer_it_waits_for_somebody_who_comes_back(build: Build) -> None:
    """ST-15: both are gone; chris is there again, and it is still asked of him."""
    staff = Staff()
    async with build(policy=policy(), model=Played(COLOURS), directory=staff, pace=STEADY) as house:
        await house.mention("ana", "paint the door")
        first = await house.card("pick_a")
        await hand(house, first, by="ana", to="chris")
        of_chris = await direct(house, "chris")
        for who in ("ana", "chris"):
            staff.change(who, is_active=False)
        house.clock.advance(seconds=LOOKED_EVERY.total_seconds() + 1)
        await timed(house)
        staff.change("chris", is_active=True)

        assert not await events(house, "request_fell_back")
        await house.press("pick_a", by="chris", card=of_chris)
        await house.shows("Their answer: 'red'")
        assert await settled(house)


async def test_whoever_the_ladder_calls_after_it_was_handed_on_can_press_their_copy(build: Build) -> None:
    """GN-11, CD-09: dana hands an escalation to bo, who does not answer; erin, called above her, has buttons, too."""
    more = "defaults: {ladder: [{after: 1h, dm: manager(manager(requester))}, {after: 4h, expire: true}]}"
    escalate = calls(call("escalate", reason="r", context="c", suggestion="s"))
    async with build(policy=policy(more=more), model=Played(escalate), pace=STEADY) as house:
        await house.mention("ana", "answer the complaint")
        await hand(house, await direct(house, "dana"), by="dana", to="bo")
        await direct(house, "bo")

        house.clock.advance(hours=1, seconds=1)

        card = await direct(house, "erin")
        assert "decline" in moves(card)
        assert (await house.press("decline", by="erin", card=card)).is_taken
        assert await settled(house)


async def test_the_field_asks_for_a_person(build: Build) -> None:
    async with build(policy=policy(), model=Played(COLOURS)) as house:
        await house.mention("ana", "paint the door")
        (field,) = find(await house.card("hand_to"), "hand_to").fields
        assert (field.name, field.kind) == ("person", FieldKind.PERSON)


# ------------------------------------------------------------------- helpers


async def timed(house: House) -> None:
    """Whatever is due by now has been dealt with."""
    async with asyncio.timeout(10):
        while await house.store.overdue(0, timedelta(0)):
            pass


async def hand(house: House, card: Posted, *, by: str, to: str) -> str:
    return (await house.press("hand_to", by=by, card=card, fields={"person": to})).text


async def direct(house: House, who: str) -> Posted:
    """The copy in somebody's direct messages, once it can be pressed."""

    def found() -> list[Posted]:
        return [post for post in house.with_button("hand_to") if post.place.channel == f"dm-{who}"]

    await house.chat.until(found, f"a card for {who}")
    post = found()[-1]
    while post.ref not in [copy.ref for copy in (await house.store.held(RequestId(subject_of(post)))).copies]:
        pass
    return post
