"""What every `Chat` promises, tried on whichever one a subclass opens.

    class TestSlack(ChatContract):
        @asynccontextmanager
        async def open(self) -> AsyncIterator[ChatHouse]: ...   # yields while `chat.serve(door)` is running

Tests run against a `ChatHouse`: the adapter, a `Door` in the place of the front door, and the few things that only
people on that platform can do: type, read, delete.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import pytest

from bot.domain.chat import Account, Answer, Button, Card, Click, Fact, Form, Message, MessageRef, PersonId, Place
from bot.domain.errors import StoreUnavailable, Undeliverable
from bot.domain.ports import Chat

PATIENCE = 10.0  # seconds; only a broken adapter ever waits so long
HOSTILE = "<!channel> <@U1> @here *bold* _it_ [a](b) `c` <script>alert(1)</script> <b>&amp;</b> \\n </at>"


class Door:
    """A front door that hears, and can be shut for the next few deliveries."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Message] = asyncio.Queue()
        self.turned_away: list[str] = []
        self.shut_for = 0

    async def message(self, message: Message) -> Answer | None:
        if self.shut_for > 0:
            self.shut_for -= 1
            self.turned_away.append(message.delivery)
            raise StoreUnavailable("shut")
        self.heard.put_nowait(message)
        return None

    async def click(self, click: Click) -> Answer:
        return Answer(is_taken=True, text=f"{click.move} taken")

    async def form(self, form: Form) -> Answer:
        return Answer(is_taken=True, text=f"{form.move} taken")

    async def order(self, text: str, by: Account, place: Place, delivery: str) -> Answer | None:
        """No command is known here."""

    async def revoke(self, grant_id: str, by: Account, delivery: str) -> Answer:  # noqa: ARG002  # anybody may
        return Answer(is_taken=True, text=f"{grant_id} revoked")

    async def next(self) -> Message:
        async with asyncio.timeout(PATIENCE):
            return await self.heard.get()


class ChatHouse(Protocol):
    """One opened adapter with people in it."""

    @property
    def chat(self) -> Chat: ...
    @property
    def door(self) -> Door: ...
    @property
    def place(self) -> Place:
        """Somewhere a card can stand that both Ana and Bo read."""
        ...

    @property
    def nowhere(self) -> Place:
        """Somewhere no card can ever stand."""
        ...

    @property
    def ana(self) -> Account: ...
    @property
    def bo(self) -> Account: ...
    @property
    def stranger(self) -> Account:
        """An account the platform does not know."""
        ...

    async def say(self, text: str) -> None:
        """Ana gives the bot a task: a mention at the top of a channel."""
        ...

    async def shown(self, ref: MessageRef) -> str | None:
        """Every text Ana reads on this message, in order; None if there is no such message any more."""
        ...

    async def read_by(self, account: Account) -> str:
        """Everything this person reads just now, whispers included."""
        ...

    async def delete(self, ref: MessageRef) -> None: ...
    async def close(self) -> None:
        """End `serve` early."""
        ...


class ChatContract:
    """Subclass it, override `open`, and name the subclass Test…"""

    tmp: Path

    @pytest.fixture(autouse=True)
    def _workplace(self, tmp_path: Path) -> None:
        self.tmp = tmp_path

    def open(self) -> AbstractAsyncContextManager[ChatHouse]:
        raise NotImplementedError

    def thread_of(self, house: ChatHouse, ref: MessageRef) -> str | None:  # noqa: ARG002  # not every ref names it
        """The thread in which a posted message stands."""
        return ref.place.thread

    async def test_a_key_is_posted_once(self) -> None:
        """A crash between post and confirmation must not double a card: the first message stands."""
        async with self.open() as house:
            first = await house.chat.post(card("first"), house.place, key="k")

            again = await house.chat.post(card("second"), house.place, key="k")

            assert again == first
            assert "first" in (await house.shown(first) or "")

    async def test_another_key_is_another_message(self) -> None:
        """Two cards of one run stand side by side."""
        async with self.open() as house:
            one = await house.chat.post(card("one"), house.place, key="1")
            two = await house.chat.post(card("two"), house.place, key="2")

            assert one != two
            assert "two" in (await house.shown(two) or "")

    async def test_an_update_replaces_what_is_shown(self) -> None:
        """A settled card shows its end and no button."""
        async with self.open() as house:
            ref = await house.chat.post(card("Approve this?"), house.place, key="k")

            await house.chat.update(ref, Card(title="Approve this?", status="Approved by Bo"))

            shown = await house.shown(ref) or ""
            assert "Approved by Bo" in shown
            assert "Sign it" not in shown

    async def test_an_update_of_a_deleted_message_is_quiet(self) -> None:
        """People may delete what they like; the request lives on elsewhere."""
        async with self.open() as house:
            ref = await house.chat.post(card("gone"), house.place, key="k")
            await house.delete(ref)

            await house.chat.update(ref, card("back again"))

            assert await house.shown(ref) is None
            assert await house.chat.post(card("gone"), house.place, key="k") == ref

    async def test_every_text_is_literal(self) -> None:
        """T04: what looks like a mention, markup or a tag is shown as it is written."""
        async with self.open() as house:
            ref = await house.chat.post(
                Card(title="Look", body=HOSTILE, facts=(Fact(label="args", value=HOSTILE),)), house.place, key="k"
            )

            assert (await house.shown(ref) or "").count(HOSTILE) == 2

    async def test_a_whisper_is_for_one_person(self) -> None:
        """T32: why a click was refused is nobody else's business."""
        async with self.open() as house:
            await house.chat.whisper("psst, Bo", house.place, house.bo)

            assert "psst, Bo" in await house.read_by(house.bo)
            assert "psst, Bo" not in await house.read_by(house.ana)

    async def test_a_whisper_that_cannot_be_heard_is_lost_quietly(self) -> None:
        """Best effort: nothing fails because a courtesy did."""
        async with self.open() as house:
            await house.chat.whisper("anybody?", house.place, house.stranger)

            assert "anybody?" not in await house.read_by(house.ana)

    async def test_a_direct_conversation_is_always_the_same_one(self) -> None:
        """And it is between the bot and that one person."""
        async with self.open() as house:
            place = await house.chat.direct(house.ana)
            ref = await house.chat.post(card("for Ana"), place, key="k")

            assert place.is_direct
            assert await house.chat.direct(house.ana) == place != await house.chat.direct(house.bo)
            assert "for Ana" in (await house.shown(ref) or "")
            assert "for Ana" not in await house.read_by(house.bo)

    async def test_what_can_never_be_shown_is_undeliverable(self) -> None:
        """The request behind such a card must not wait for anybody."""
        async with self.open() as house:
            with pytest.raises(Undeliverable):
                await house.chat.post(card("lost"), house.nowhere, key="k")
            with pytest.raises(Undeliverable):
                await house.chat.direct(house.stranger)

    async def test_a_mention_opens_a_thread_of_its_own(self) -> None:
        """A task's run lives in the thread below it, so the message names itself."""
        async with self.open() as house:
            await house.say("refund order 7")

            message = await house.door.next()
            assert message.is_mention
            assert message.by == house.ana
            assert "refund order 7" in message.text
            assert message.place.thread == message.ref.id
            ref = await house.chat.post(card("Approve this?"), message.place, key="k")
            assert self.thread_of(house, ref) == message.place.thread

    async def test_what_was_not_recorded_comes_again_under_the_same_delivery(self) -> None:
        """I10, I12: nothing typed is lost, and a repetition is known as one."""
        async with self.open() as house:
            house.door.shut_for = 2

            await house.say("refund order 7")

            message = await house.door.next()
            assert house.door.turned_away == [message.delivery] * 2

    async def test_words_that_are_shown_live_leave_nothing_behind(self) -> None:
        """A draft is decoration: whoever reads later finds only what was posted."""
        async with self.open() as house:
            async with house.chat.live(house.place, PersonId("ana")) as hear:
                if hear is not None:
                    hear("I think I should pay this back. " * 20)

            assert "I think I should" not in await house.read_by(house.ana)

    async def test_nothing_is_heard_after_serve(self) -> None:
        """A process that is shutting down takes nothing it could not finish."""
        async with self.open() as house:
            await house.close()

            with contextlib.suppress(OSError):
                await house.say("too late")

            assert house.door.heard.empty()


def card(title: str) -> Card:
    """A card somebody can answer."""
    return Card(title=title, buttons=(Button(subject="r1", move="approve", label="Sign it", token="seal"),))
