"""The life of a sheet: replies and stops, time, lists from which cards are opened, processes that die."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.chat import Card, Place
from bot.domain.errors import Undeliverable
from bot.domain.request import Status
from bot.domain.run import Opened
from bot.runtime.views import RuntimeViews
from tests.fakes.chat import FakeChat
from tests.flows.doors import answered_never, around
from tests.flows.sheets import BATCH, LIST, items, noted, options, recorded, tidies, withdrawn
from tests.flows.stage import (
    HASTY,
    Build,
    Hands,
    Played,
    call,
    calls,
    events,
    gone,
    policy,
    quiet,
    request_of,
    results,
    settled,
    shown,
)
from tests.flows.test_hours import FRIDAY, MONDAY, clock_at, office, until
from tests.house import KEY, account, find

# ---------------------------------------------------------- the life of a sheet


async def test_a_reply_withdraws_every_item_and_a_stop_cancels_every_item(build: Build, hands: Hands) -> None:
    """AS-03, AS-16: what is true of one card is true of all that stand on one."""
    async with build(policy=policy(BATCH), tools=hands.tools, model=Played(tidies(3), tidies(2))) as house:
        thread = await house.mention("ana", "tidy up")
        first = await house.card("approve_all")
        await house.say("ana", "wait, the shelf comes first", thread=thread)
        await house.chat.until(lambda: first.card.status == "3 superseded." and not first.card.buttons)

        second = await house.card("approve_all", but=[first])
        await house.press("stop", by="ana", card=second)
        await quiet(house)

        await house.chat.until(lambda: second.card.status == "2 cancelled.")
        assert not hands.did
        assert await settled(house)


async def test_a_word_counts_for_no_item_of_a_sheet(build: Build, hands: Hands) -> None:
    """PN-17, D-29: not for all of them, nor for the last one that is open: it stands beside others."""
    spoken = policy("groups: [requester], words: true, batch: true")
    async with build(policy=spoken, tools=hands.tools, model=Played(tidies(2))) as house:
        thread = await house.mention("ana", "tidy up")
        sheet = await house.card("approve_all")

        both = await house.say("ana", "approve", thread=thread)
        first = (await items(house, sheet))[0]
        await withdrawn(house, first)
        last = await house.say("ana", "approve", thread=thread)

        assert both is not None
        assert both.text == "2 requests are open here; please use their buttons."
        assert last is not None
        assert last.text == "It stands on a card with others; please use the buttons of that card."
        assert not await events(house, "vote_counted")
        assert await house.is_sound()


async def test_a_sheet_waits_for_a_person_once_and_home_can_sign_it(build: Build, hands: Hands) -> None:
    """PN-12, AS-20: one entry in the list of what waits, with the sheet's own buttons and message."""
    async with build(policy=policy(BATCH), tools=hands.tools, model=Played(tidies(3))) as house:
        await house.mention("ana", "tidy up")
        sheet = await house.card("approve_all")
        views = RuntimeViews(house.store, house.engine.parts.toolbox, house.engine.parts.directory, KEY)

        (waiting,) = await views.waiting_for(account("bo"))
        assert (waiting.ref, waiting.card) == (sheet.ref, sheet.card)
        assert await views.button(waiting.request, "approve_some") == find(sheet, "approve_some")
        await house.press("approve_all", by="bo", card=sheet)

        assert await views.waiting_for(account("bo")) == ()
        await quiet(house)


async def test_time_speaks_once_for_the_sheet_and_its_message_goes_to_the_manager(build: Build, hands: Hands) -> None:
    """I11, CD-09: each item climbs its own ladder; one reminder is read, one direct message shows the sheet, and
    pressing there counts for every item."""
    ladder = "{after: 10m, remind: here}, {after: 20m, dm: managers}, {after: 4h, expire: true}"
    async with build(policy=policy(BATCH, ladder), tools=hands.tools, model=Played(tidies(3))) as house:
        await house.mention("ana", "tidy up")
        sheet = await house.card("approve_all")
        house.clock.advance(minutes=11)
        await house.chat.until(lambda: noted(house, "Reminder:"))
        await recorded(house, "rung_fired", 3)
        await shown(house)
        assert noted(house, "Reminder:") == ["Reminder: tidy still waits for a signature. 2 more on the same card."]

        house.clock.advance(minutes=10)
        await recorded(house, "rung_fired", 6)
        await shown(house)
        direct = [post for post in house.chat.posts if post.place.channel == "dm-dana"]
        assert [post.card.title for post in direct] == ["Approval needed: 3 × tidy"]
        assert len(noted(house, "No answer yet")) == 1
        answer = await house.press("approve_all", by="dana", card=direct[0])

        assert answer.text == "3 approved."
        await house.shows("Results:")
        await shown(house)
        assert sheet.card.status == direct[0].card.status == "3 done."
        assert await settled(house)


async def test_time_goes_on_for_the_others_when_the_first_is_decided(build: Build, hands: Hands) -> None:
    """I11: the head's end silences nobody: the rest is reminded of, and a manager gets the sheet all the same."""
    ladder = "{after: 20m, dm: managers}, {after: 4h, expire: true}"
    async with build(policy=policy(BATCH, ladder), tools=hands.tools, model=Played(tidies(3))) as house:
        await house.mention("ana", "tidy up")
        sheet = await house.card("approve_all")
        first = (await items(house, sheet))[0]
        await withdrawn(house, first)

        house.clock.advance(minutes=21)
        await recorded(house, "rung_fired", 2)
        await shown(house)

        direct = [post for post in house.chat.posts if post.place.channel == "dm-dana"]
        assert [post.card.status for post in direct] == ["1 cancelled, 2 waiting."]
        answer = await house.press("approve_all", by="dana", card=direct[0])
        assert answer.text == "2 approved, 1 was already cancelled."
        await house.shows("ok tidy desk 3")
        assert await settled(house)


async def test_whoever_is_called_when_their_hours_begin_gets_the_sheet_once(build: Build, hands: Hands) -> None:
    """CD-09: three items wait over the weekend; on Monday dana has one message, with all that is open by then."""
    parts = {"tools": hands.tools, "directory": office("dana"), "clock": clock_at(FRIDAY)}
    rules = policy(BATCH, "{after: 5m, dm: managers}, {after: 6d, expire: true}")
    async with build(policy=rules, model=Played(tidies(3)), **parts) as house:
        await house.mention("ana", "tidy up")
        sheet = await house.card("approve_all")
        house.clock.advance(minutes=6)
        await recorded(house, "rung_fired", 3)
        await withdrawn(house, (await items(house, sheet))[0])
        await shown(house)
        assert not [post for post in house.chat.posts if post.place.is_direct and post.place.channel == "dm-dana"]

        until(house, MONDAY, 1)
        await recorded(house, "copy_sent", 2)
        await shown(house)

        (direct,) = [post for post in house.chat.posts if post.place.channel == "dm-dana"]
        assert direct.card.status == "1 cancelled, 2 waiting."
        answer = await house.press("approve_all", by="dana", card=direct)
        assert answer.text == "2 approved, 1 was already cancelled."
        await house.shows("ok tidy desk 3")
        assert await settled(house)


async def test_a_sheet_that_can_be_shown_nowhere_ends_every_item(build: Build, hands: Hands) -> None:
    """CD-08: the true cause for each call; nothing waits unseen."""

    def nowhere(_what: str, card: Card, place: Place) -> None:
        if "approve_all" in {button.move for button in card.buttons}:
            raise Undeliverable(place.key, "the channel is archived")

    model = Played(tidies(3))
    async with build(policy=policy(BATCH), tools=hands.tools, model=model, chat=FakeChat(fail=nowhere)) as house:
        await house.mention("ana", "tidy up")

        await house.shows("Results:")

        assert all("no card could be shown to anybody" in told for told in results(model.asked[-1]))
        assert {lost["copy"] for lost in await events(house, "card_lost")} == {"main", "sheet-main"}
        assert await settled(house)


# --------------------------------------------------------------------- lists


async def test_beyond_five_cards_of_a_turn_there_is_a_list(build: Build, hands: Hands) -> None:
    """T19: nine different calls are five cards and one list, which approves nothing: each has to be read by itself."""
    turn = calls(*(call("wire", amount=n) for n in range(1, 10)))
    async with build(policy=LIST, tools=hands.tools, model=Played(turn)) as house:
        await house.mention("ana", "pay")
        listed = await house.card("open_one")
        await shown(house)

        assert len(house.with_button("approve")) == 5
        assert listed.card.title == "4 more requests wait here"
        assert [button.move for button in listed.card.buttons] == ["open_one", "reject_all", "stop"]
        assert len(await events(house, "request_opened")) == 9
        assert await house.is_sound()


async def test_an_item_of_a_list_is_opened_as_its_own_card_and_signed_there(build: Build, hands: Hands) -> None:
    """D-33: with all its buttons; the list says what became of it, and a second person finds it open already."""
    turn = calls(*(call("wire", amount=n) for n in range(1, 8)))
    async with build(policy=LIST, tools=hands.tools, model=Played(turn)) as house:
        await house.mention("ana", "pay")
        listed = await house.card("open_one")
        await shown(house)
        cards = house.with_button("approve")
        second = options(listed, "open_one")[1]

        opened = [await house.press("open_one", by=by, card=listed, fields={"items": second}) for by in ("bo", "dana")]
        own = await house.card("approve", but=cards)
        assert {button.move for button in own.card.buttons} >= {"approve", "edit", "reject", "explain"}
        await house.press("approve", by="bo", card=own)

        assert [answer.text for answer in opened] == ["It stands below as its own card."] * 2
        await house.chat.until(lambda: "approved by Bo, done" in listed.card.blocks[1].label)
        assert hands.did == ["wire 7 bank"]
        late = await house.press("open_one", by="bo", card=listed, fields={"items": second})
        assert not late.is_taken
        await house.press("reject_all", by="bo", card=listed, fields={"reason": ""})
        for card in cards:
            await house.press("reject", by="bo", card=card, fields={})
        await quiet(house)
        assert hands.did == ["wire 7 bank"]
        assert await settled(house)


@pytest.mark.parametrize("which", [0, 1])
async def test_an_item_that_is_changed_leaves_its_sheet_for_a_card_of_its_own(
    build: Build, hands: Hands, which: int
) -> None:
    """I13: an item of the list is opened and edited; its old version is over, and the new one is signed by itself."""
    turn = calls(*(call("wire", amount=n) for n in range(1, 8)))
    apart = policy("groups: [approvers], separate_duties: true")
    async with build(policy=apart, tools=hands.tools, model=Played(turn)) as house:
        await house.mention("ana", "pay")
        listed = await house.card("open_one")
        await shown(house)
        cards = house.with_button("approve")
        await house.press("open_one", by="bo", card=listed, fields={"items": options(listed, "open_one")[which]})
        own = await house.card("edit", but=cards)

        changed = await house.press("edit", by="bo", card=own, fields={"amount": "60"})
        new = await house.card("approve", but=[*cards, own])
        opened = await request_of(house, new)
        await house.press("approve", by="chris", card=new)

        assert changed.is_taken
        assert (opened.sheet, opened.items) == (None, ())
        await house.chat.until(lambda: "changed: see its new card" in listed.card.blocks[which].label)
        await hands.began.wait()
        assert hands.did == ["wire 60 bank"]
        found = await items(house, listed)
        assert (found[which].status, found[1 - which].status) == (Status.SUPERSEDED, Status.OPEN)
        assert await house.is_sound()


# ----------------------------------------------------------------- crashes


async def test_a_process_that_dies_before_it_hears_that_a_sheet_is_open_strands_nothing(
    build: Build, hands: Hands
) -> None:
    """CD-05, I12, I13: a sheet is opened whole; the next process shows it, asks nothing twice, runs each call once."""
    async with build(policy=policy(BATCH), tools=hands.tools, model=Played(tidies(5))) as house:
        landed = answered_never(house, "open", Opened)
        await house.mention("ana", "tidy up")
        await landed.wait()

        async with house.again() as after:
            await house.engine.shards.close()
            await after.engine.shards.look(after.engine.runner.drop)
            sheet = await after.card("approve_all")
            await after.press("approve_all", by="bo", card=sheet)
            await after.shows("Results:")

            assert len(await events(after, "request_opened")) == len(hands.did) == 5
            assert await settled(after)


async def test_a_process_that_dies_before_a_sheet_is_open_has_asked_nothing(build: Build, hands: Hands) -> None:
    """CD-05, I12: the write never comes; the next process finds five calls to ask about, and opens them together."""
    async with build(policy=policy(BATCH), tools=hands.tools, model=Played(tidies(5))) as house:
        began = asyncio.Event()

        async def never(*_args: object) -> None:
            began.set()
            await asyncio.Event().wait()

        around(house, "open", before=never)
        await house.mention("ana", "tidy up")
        await began.wait()
        assert not await events(house, "request_opened")

        async with house.again() as after:
            await house.engine.shards.close()
            await after.engine.shards.look(after.engine.runner.drop)
            sheet = await after.card("approve_all")
            assert len(await items(after, sheet)) == 5
            await after.press("approve_all", by="bo", card=sheet)
            await after.shows("Results:")
            assert len(hands.did) == 5
            assert await settled(after)


async def test_a_sleeping_sheet_leaves_memory_and_wakes_with_one_press(build: Build, hands: Hands) -> None:
    """AS-10: every branch sleeps, so the run does; a press in another process wakes it, and each call runs once."""
    async with build(policy=policy(BATCH), tools=hands.tools, model=Played(tidies(5)), pace=HASTY) as house:
        await house.mention("ana", "tidy up")
        sheet = await house.card("approve_all")
        await gone(house)
        assert not await house.store.executing(0), "it waits in the store as one that waits"

        await house.press("approve_all", by="bo", card=sheet)

        await house.shows("Results:")
        assert len(hands.did) == 5
        assert await settled(house)
