"""Cards in a moment when something else happens: a conversation that is stuck, a look while a card is posted.

Not what cards say (tests/domain/test_render.py), nor a chat that is plainly down (test_chat_trouble.py).
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.domain.chat import Card, MessageRef, Person, PersonId, Place
from bot.domain.errors import ChatUnavailable, Unavailable, Undeliverable
from bot.domain.ports import RunContext
from bot.domain.request import Status
from bot.domain.run import Task
from bot.domain.store import Turn
from tests.fakes.chat import FakeChat
from tests.flows.doors import around, looked, rested
from tests.flows.stage import Build, Hands, Played, Staff, call, calls, events, policy, settled
from tests.house import House

WIRE = calls(call("wire", amount=90))


class Noter:
    """Says its task word by word, then answers; or pays, if it is asked to."""

    name, tools = "noter", ("wire",)

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        if "pay" in task.text:
            return (await ctx.use((call("wire", amount=1),)))[0].text
        for word in task.text.split()[1:]:
            await ctx.note(word)
        return "said"


class Door(FakeChat):
    """A chat whose first card with an Approve button takes as long to post as the test likes."""

    def __init__(self) -> None:
        super().__init__()
        self.is_posting, self.may_post = asyncio.Event(), asyncio.Event()

    async def post(self, card: Card, place: Place, *, key: str) -> MessageRef:
        if any(button.move == "approve" for button in card.buttons):
            self.is_posting.set()
            await self.may_post.wait()
        return await super().post(card, place, key=key)


async def test_a_stuck_conversation_holds_up_no_other(
    build: Build, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More rows than one look takes in wait for a thread that is away; a card elsewhere is posted all the same."""
    monkeypatch.setattr("bot.store.looks.ROWS", 3)

    def away(_what: str, _card: Card, place: Place) -> None:
        if place.thread == "away":
            raise ChatUnavailable("playground", "slow down", retry_after=0.01)

    async with build(policy=policy(), tools=hands.tools, agents=[Noter()], model=Played()) as house:
        house.chat.fail = away
        await house.mention("ana", "a b c d e f", thread="away")
        await waiting(house, 6)

        await house.mention("ana", "pay")
        await house.press("approve", by="bo", card=await house.card())
        await house.shows("ok wire 1 bank")

        assert all(post.place.thread != "away" for post in house.chat.posts)
        house.chat.fail = lambda _what, _card, _place: None
        assert await settled(house)
        assert said(house, "away") == ["a", "b", "c", "d", "e", "f", "said"]


async def test_a_post_that_failed_keeps_its_place_in_the_thread(build: Build, hands: Hands) -> None:
    """The platform asks for patience in the middle of a story; the story goes on where it was."""
    tries: list[str] = []

    def stumble(_what: str, card: Card, _place: Place) -> None:
        tries.append(card.body)
        if card.body in ("first", "second") and tries.count(card.body) == 1:
            raise ChatUnavailable("playground", "429", retry_after=0.0)

    async with build(policy=policy(), tools=hands.tools, agents=[Noter()], model=Played()) as house:
        house.chat.fail = stumble
        await house.mention("ana", "first second third", thread="t")

        assert await settled(house)
        assert said(house, "t") == ["first", "second", "third", "said"]


async def test_a_card_is_drawn_again_when_the_directory_stumbled(
    build: Build, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request was open and its card could not be drawn; it is, as soon as people can be looked up."""
    monkeypatch.setattr("bot.runtime.outbox.BACK_OFF", (0.0,))

    class Stumbling(Staff):
        misses = 0

        async def person(self, id: PersonId) -> Person | None:
            if self.misses:
                self.misses -= 1
                raise Unavailable("the directory does not answer")
            return await super().person(id)

    staff = Stumbling()
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE), directory=staff) as house:

        async def stumble(*_args: object) -> None:
            staff.misses = 5

        around(house, "open", after=stumble)
        await house.mention("ana", "pay")

        await house.press("approve", by="bo", card=await house.card())
        await house.shows("ok wire 90 bank")
        assert staff.misses == 0
        assert await settled(house)


async def test_a_card_is_shown_once_however_often_the_outbox_looks(
    build: Build, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks that come while the platform is slow find nothing new: one post, no update, one audit record."""
    monkeypatch.setattr("bot.runtime.outbox.SKEW", timedelta(0))
    chat = Door()
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE), chat=chat) as house:
        await looked(house)  # this process has the shard; what is opened from now on, it alone has posted
        await house.mention("ana", "pay")
        await chat.is_posting.wait()
        for _ in range(3):
            await looked(house)
        chat.may_post.set()
        card = await house.card()
        await rested(house)

        assert len(card.cards) == 1
        assert len(await events(house, "card_shown")) == 1
        assert await house.is_sound()


async def test_the_outbox_forgets_runs_that_are_over(
    build: Build, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand runs must leave no trace each in this process's memory."""
    monkeypatch.setattr("bot.runtime.outbox.REMEMBERED", 0)
    async with build(policy=policy(), tools=hands.tools, agents=[Noter()], model=Played()) as house:
        for _ in range(3):
            await house.mention("ana", "one two")
        assert await settled(house)
        await rested(house)

        await looked(house)

        assert known(house) == set()


async def test_a_request_nobody_can_see_is_closed_before_its_row_goes(build: Build, hands: Hands) -> None:
    """A crash in between finds the row again; the other way round, the request would wait unseen for ever."""

    def gone(_what: str, card: Card, place: Place) -> None:
        if any(button.move == "approve" for button in card.buttons):
            raise Undeliverable(place.key, "is_archived")

    then: list[str] = []
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:

        async def look(change: Turn) -> None:
            if change.after.status is Status.CANCELLED:
                then.extend(row.name for row in await house.store.rows(0))

        around(house, "turn", before=look)
        house.chat.fail = gone
        await house.mention("ana", "pay")

        await house.shows("no card could be shown to anybody")
        assert [name for name in then if name.startswith("card|")]
        assert await settled(house)


# -------------------------------------------------------------------------- looks


def said(house: House, thread: str) -> list[str]:
    """What stands in *thread*, in order, apart from the status message."""
    return [post.card.body for post in house.chat.posts if post.place.thread == thread and post.card.body]


def known(house: House) -> set[str]:
    """Whatever the outbox keeps in mind by name: rows, conversations."""
    kept = [value for value in vars(house.engine.outbox).values() if isinstance(value, dict)]
    return {key for value in kept for key in value if isinstance(key, str)}


async def waiting(house: House, count: int) -> None:
    async with asyncio.timeout(10):
        while (await house.store.totals(0)).outbox < count:
            pass
