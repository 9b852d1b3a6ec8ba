"""The mouth against a strict Teams: said once, said whole, said to the right people, or not said at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.teams.connector import PerhapsDone
from adapters.teams.mouth import AI, Mouth
from bot.domain.chat import Block, Card, Click, MessageRef, Person, PersonId, Place
from bot.domain.errors import ChatUnavailable, Undeliverable
from bot.domain.wire import replace
from tests.fakes.teams import ALWAYS
from tests.teams.indoors import Indoors, ended, indoors, signable

POST, PUT, CREATE = "post", "put", "create"


@pytest.fixture
async def house() -> AsyncIterator[Indoors]:
    async with indoors() as house:
        yield house


def press(ref: MessageRef, house: Indoors, *, id: str = "", token: str = "seal-a", subject: str = "q-1") -> Click:
    """Bo presses Approve in the message *id* beside *ref*."""
    there = replace(ref, id=id or ref.id)
    by = house.account(house.bo)
    return Click(delivery="d", by=by, ref=there, subject=subject, move="approve", token=token)


async def lost(house: Indoors) -> tuple[str, Mouth]:
    """Teams takes a card with the key k, and its answer never comes; the thread, and whose post it was."""
    thread, mouth = await house.settle(), house.mouth()
    house.teams.faults.lose_reply(POST)
    with pytest.raises(PerhapsDone):
        await mouth.post(signable(), house.place(thread), key="k")
    return thread, mouth


def let_go(house: Indoors) -> None:
    """The time is up for which one process alone may post a card."""
    house.keep.expire(*[name for name in house.keep.values if ":posting:" in name])


# --------------------------------------------------------------------------- where


async def test_a_card_stands_in_its_thread_and_its_ref_names_none(house: Indoors) -> None:
    """Decision 3: a click may lack the thread, so what is compared does not depend on it."""
    thread = await house.settle()

    ref = await house.mouth().post(signable(), house.place(thread), key="k")

    post = house.only(house.ops)
    assert (post.id, post.thread) == (ref.id, thread)
    assert ref.place == house.place()


async def test_a_channel_without_a_thread_gets_a_new_one(house: Indoors) -> None:
    """Section 12: the message that opens the thread is the card; what follows it stands below."""
    await house.settle()

    ref = await house.mouth().post(signable(), house.place(), key="k")

    assert house.only(house.ops).thread == ref.id
    standing = await house.office.places.standing(ref)
    assert standing is not None
    assert standing.conversation == f"{house.ops};messageid={ref.id}"
    assert len(house.teams.calls(CREATE)) == 1


async def test_a_rule_names_a_channel_in_another_tenants_words(house: Indoors) -> None:
    """CD-01, PN-16: `teams/#ops` comes without a tenant and by name; the ref says where it stands."""
    await house.settle()

    ref = await house.mouth().post(signable(), Place(platform="teams", tenant="", channel="OPS"), key="k")

    assert ref.place == house.place()


async def test_what_cannot_stand_anywhere_says_what_to_do(house: Indoors) -> None:
    await house.settle()

    with pytest.raises(Undeliverable, match="add the app to its team, or correct the name"):
        await house.mouth().post(signable(), Place(platform="teams", tenant="", channel="Nowhere"), key="k")


async def test_a_place_that_lost_the_app_is_forgotten_and_the_fallback_reads_it(house: Indoors) -> None:
    """Section 17: 403 is a fact about the place; the card is not lost where there is somewhere else."""
    await house.settle()
    chat = house.teams.add_group_chat([house.ana, house.bo], "old friends")
    await house.said(house.ana, chat)
    house.teams._world.conversations[chat].is_installed = False  # Teams tells nobody of it here
    fallback = Place(platform="teams", tenant="", channel="ops")

    ref = await house.mouth(fallback=fallback).post(signable(), house.place(channel=chat), key="k")

    assert ref.place == house.place()
    assert await house.office.places.seen(house.place(channel=chat)) is None


async def test_what_was_meant_for_one_person_is_shown_to_nobody_else(house: Indoors) -> None:
    await house.settle()
    house.teams.block(house.ana)
    mouth = house.mouth(fallback=Place(platform="teams", tenant="", channel="ops"))

    with pytest.raises(Undeliverable):
        await mouth.post(signable(), await mouth.direct(house.account(house.ana)), key="k")

    assert house.teams.posts() == []


# ---------------------------------------------------------------------------- once


async def test_a_lost_answer_is_not_repeated_blindly(house: Indoors) -> None:
    """Decision 9: Teams took the card and the connection dropped. For 30 s nothing is posted again."""
    thread, mouth = await lost(house)
    let_go(house)

    with pytest.raises(ChatUnavailable) as waits:
        await mouth.post(signable(), house.place(thread), key="k")

    assert waits.value.retry_after == 2.0
    assert len(house.teams.posts(house.ops)) == 1


async def test_the_first_press_on_a_lost_card_adopts_it(house: Indoors) -> None:
    """Decision 9: the press names the message; from then on the key means it, in every process."""
    thread, mouth = await lost(house)
    let_go(house)
    arrived = house.only(house.ops)

    pressed = press(MessageRef(place=house.place(), id=arrived.id), house)
    assert await house.once().meant(pressed) == pressed.ref

    assert await house.mouth().post(signable(), house.place(thread), key="k") == pressed.ref
    assert len(house.teams.posts(house.ops)) == 1
    await mouth.update(pressed.ref, ended(signable()))
    assert "Approved by Bo" in house.teams.text_of(house.only(house.ops))


async def test_a_press_whose_seal_we_never_posted_there_adopts_nothing(house: Indoors) -> None:
    """T14: whoever makes a card up does not make its message one of ours."""
    await lost(house)
    ref = MessageRef(place=house.place(), id="1700000000000")

    for forged in (press(ref, house, token="made up"), press(ref, house, subject="q-2")):
        assert await house.once().meant(forged) == ref

    assert await house.office.places.standing(ref) is None


async def test_after_half_a_minute_it_is_posted_again_and_both_are_one(house: Indoors) -> None:
    """Decision 9: a press on either counts for the request, and both show its end."""
    thread, mouth = await lost(house)
    let_go(house)
    house.time.later(30.0)

    ref = await mouth.post(signable(), house.place(thread), key="k")

    first, second = house.teams.posts(house.ops)
    assert second.id == ref.id
    assert await house.once().meant(press(ref, house, id=first.id)) == ref
    await mouth.update(ref, ended(signable()))
    assert ["Approved by Bo" in house.teams.text_of(one) for one in house.teams.posts(house.ops)] == [True, True]


async def test_a_press_on_the_first_that_comes_while_the_second_is_posted_wins(house: Indoors) -> None:
    """Decision 9: the first message is the request's by then; the second doubles it."""
    thread, mouth = await lost(house)
    let_go(house)
    house.time.later(30.0)
    may_go = house.teams.faults.gate(POST)
    async with asyncio.TaskGroup() as group:
        posting = group.create_task(mouth.post(signable(), house.place(thread), key="k"))
        await house.teams.until(lambda: len(house.teams.calls(POST)) == 2, "the second post")
        first = house.only(house.ops)
        early = press(MessageRef(place=house.place(), id=first.id), house)
        assert await house.once().meant(early) == early.ref
        may_go.set()

    assert posting.result().id == first.id
    second = house.teams.posts(house.ops)[1]
    assert (await house.once().meant(press(early.ref, house, id=second.id))).id == first.id


async def test_a_request_that_was_never_sent_is_posted_by_the_next_try(house: Indoors) -> None:
    """Section 17: what Teams said no to is certainly not there."""
    thread, mouth = await house.settle(), house.mouth()
    house.teams.faults.rate_limit(POST, retry_after=60)
    with pytest.raises(ChatUnavailable) as slowed:
        await mouth.post(signable(), house.place(thread), key="k")
    house.time.later(61)

    assert not isinstance(slowed.value, PerhapsDone)
    assert not [name for name in house.keep.values if ":post:" in name]


async def test_two_processes_post_one_card(house: Indoors) -> None:
    """PP-03: the second waits for the first, and finds its message."""
    thread = await house.settle()
    may_go = house.teams.faults.gate(POST)
    async with asyncio.TaskGroup() as group:
        posting = group.create_task(house.mouth().post(signable(), house.place(thread), key="k"))
        await house.teams.until(lambda: house.teams.calls(POST), "the first post")
        with pytest.raises(ChatUnavailable, match="somebody else is posting this card"):
            await house.mouth().post(signable(), house.place(thread), key="k")
        may_go.set()

    assert await house.mouth().post(signable(), house.place(thread), key="k") == posting.result()
    assert len(house.teams.posts(house.ops)) == 1


# --------------------------------------------------------------------------- edits


async def test_of_three_edits_within_two_seconds_the_last_is_made(house: Indoors) -> None:
    """Decision 10: the first at once; of those that wait, the latest state wins."""
    thread, mouth = await house.settle(), house.mouth()
    ref = await mouth.post(signable(), house.place(thread), key="k")
    await mouth.update(ref, signable("first"))
    house.time.slept.clear()

    await asyncio.gather(*[mouth.update(ref, signable(title)) for title in ("second", "third", "fourth")])

    assert "fourth" in house.teams.text_of(house.only(house.ops))
    assert len(house.teams.calls(PUT)) == 2
    assert house.time.slept == [2.0]


async def test_an_end_that_can_be_edited_in_no_more_is_said_beside_it_once(house: Indoors) -> None:
    """Decision 10: people deleted the card; the thread reads how it ended, in short."""
    thread, mouth = await house.settle(), house.mouth()
    ref = await mouth.post(signable(), house.place(thread), key="k")
    await house.teams.erase(house.ana, house.ops, ref.id)

    await mouth.update(ref, signable("still open"))
    assert house.teams.posts(house.ops) == []
    for _ in range(2):
        await mouth.update(ref, ended(signable()))

    notice = house.only(house.ops)
    assert notice.thread == thread
    assert "Approved by Bo" in house.teams.text_of(notice)
    assert "Somebody has to sign" not in house.teams.text_of(notice)


async def test_a_card_that_teams_refuses_cannot_be_signed(house: Indoors) -> None:
    """T06: nothing that could be approved stays where its words could not be shown."""
    thread, mouth = await house.settle(), house.mouth()
    ref = await mouth.post(signable(), house.place(thread), key="k")
    house.teams.faults.fail(PUT, 413, "MessageSizeTooBig")

    with pytest.raises(Undeliverable):
        await mouth.update(ref, signable("changed"))

    shown = house.teams.text_of(house.only(house.ops))
    assert "could not be shown whole" in shown
    assert "Approve" not in house.teams.buttons_of(house.only(house.ops))


async def test_a_note_that_is_refused_is_said_in_short(house: Indoors) -> None:
    thread = await house.settle()
    house.teams.faults.fail(POST, 400, "BadSyntax")

    report = Card(title="Report", blocks=(Block(label="rows", text="x"),))
    await house.mouth().post(report, house.place(thread), key="k")

    assert "could not be shown whole" in house.teams.text_of(house.only(house.ops))


async def test_an_edit_follows_the_service_url_heard_last(house: Indoors) -> None:
    """Section 11: Teams moves conversations; what is stored is where they are now."""
    thread, mouth = await house.settle(), house.mouth()
    ref = await mouth.post(signable(), house.place(thread), key="k")
    teams = house.teams
    teams._world.regions[teams.tenant] = "amer"  # the tenant has moved
    await house.said(house.bo, house.ops)

    await mouth.update(ref, ended(signable()))

    assert "Approved by Bo" in teams.text_of(next(one for one in teams.posts(house.ops) if one.id == ref.id))


# ------------------------------------------------------------------ one person


async def test_a_whisper_is_read_in_their_own_chat_or_by_nobody(house: Indoors) -> None:
    """Decision 11, T32."""
    thread, mouth = await house.settle(), house.mouth()
    sal = house.teams.add_person("Sal Stranger", with_app=False)

    await mouth.whisper("psst <at>Bo</at>", house.place(thread), house.account(house.bo))
    await mouth.whisper("psst", house.place(thread), house.account(sal))

    [told] = house.teams.direct(house.bo)
    assert "psst <at>Bo</at>" in house.teams.text_of(told)
    assert house.teams.posts() == [told]


async def test_a_direct_chat_is_opened_once_and_kept(house: Indoors) -> None:
    """Decision 12: asked for by `createConversation` where no install event named it; the same in every process."""
    await house.said(house.ana, house.ops)
    bo = house.account(house.bo)

    place = await house.mouth().direct(bo)

    assert await house.mouth().direct(bo) == place
    assert (place.channel, place.is_direct) == (house.teams.direct_chat(house.bo), True)
    assert len(house.teams.calls(CREATE)) == 1


async def test_a_chat_known_from_its_install_event_is_asked_for_by_nobody(house: Indoors) -> None:
    await house.settle()

    place = await house.mouth().direct(house.account(house.ana))

    assert place.channel == house.teams.direct_chat(house.ana)
    assert house.teams.calls(CREATE) == []


async def test_whoever_has_no_app_can_be_told_how_to_get_it(house: Indoors) -> None:
    """Decision 12: 403 is Undeliverable, and its sentence names the remedy."""
    await house.settle()
    sal = house.teams.add_person("Sal Stranger", with_app=False)

    with pytest.raises(Undeliverable, match="ask them to add it in Teams"):
        await house.mouth().direct(house.account(sal))


# ------------------------------------------------------------- what is around it


async def test_what_an_agent_said_is_labelled_and_can_be_rated(house: Indoors) -> None:
    """Decision 15: the AI label and the feedback buttons; a card of ours has neither."""
    thread, mouth = await house.settle(), house.mouth()

    await mouth.post(Card(body="It is 7.", author="assistant"), house.place(thread), key="1")
    await mouth.post(signable(), house.place(thread), key="2")

    said, asked = house.teams.posts(house.ops)
    assert said.activity["entities"] == [AI]
    assert said.activity["channelData"] == {"feedbackLoop": {"type": "default"}}
    assert house.teams.is_labelled(said)
    assert not house.teams.is_labelled(asked)
    assert asked.activity["summary"]


async def test_a_person_is_called_by_their_object_id(house: Indoors) -> None:
    """Section 13: the entity and the words are one; whoever is not there is not called."""
    thread = await house.settle()
    bo = Person(id=PersonId("bo"), name="Bo", accounts=(house.account(house.bo),))
    elsewhere = Person(id=PersonId("cy"), name="Cy", email="cy@example.org")
    card = replace(signable(), mentions=(bo.id, elsewhere.id, PersonId("nobody")))

    await house.mouth(bo, elsewhere).post(card, house.place(thread), key="k")

    assert house.teams.mentions_of(house.only(house.ops)) == [house.bo]


async def test_a_service_that_stumbles_all_day_does_not_get_a_card_each_time(house: Indoors) -> None:
    """Decision 9: each try in doubt has 30 s of its own."""
    thread, mouth = await house.settle(), house.mouth()
    house.teams.faults.fail(POST, 500, "ServiceError", times=ALWAYS)
    tries = 0
    for _ in range(12):
        let_go(house)
        with pytest.raises(ChatUnavailable):
            await mouth.post(signable(), house.place(thread), key="k")
        house.time.later(10.0)
        tries = len(house.teams.calls(POST))

    assert tries == 4
