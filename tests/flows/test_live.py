"""Live words: a turn of the model may be seen while it grows. The journal is what counts; nothing is shown twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from bot.domain.calls import ToolSpec
from bot.domain.chat import Card, MessageRef, PersonId, Place
from bot.domain.errors import ModelUnavailable
from bot.domain.ports import Line, OnText, Said
from tests.fakes.chat import FakeChat
from tests.flows.stage import HASTY, Build, Hands, Played, call, calls, gone, policy, settled, shown, status
from tests.house import House

WIRE = calls(call("wire", amount=90), text="I wire the money now.")


class Speaking(Played):
    """Says each answer word by word, if anybody listens; may stop in the middle of one."""

    def __init__(self, *turns: Said) -> None:
        super().__init__(*turns)
        self.listeners: list[Callable[[str], None] | None] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.error: Exception | None = None

    async def think(
        self, lines: Sequence[Line], tools: Sequence[ToolSpec], *, on_text: Callable[[str], None] | None = None
    ) -> Said:
        said = await super().think(lines, tools, on_text=on_text)
        self.listeners.append(on_text)
        words = said.text.split()
        for end in range(1, len(words) + 1):
            if on_text is not None:
                on_text(" ".join(words[:end]))
        await self.may_go_on.wait()
        if self.error is not None:
            raise self.error
        return said


class Watched(FakeChat):
    """Writes down what is seen live, and what is posted meanwhile, in the order in which it happens."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.readers: list[tuple[Place, PersonId]] = []
        self.house: House
        self.steps: list[int] = []  # in the journal at the end of each turn

    @asynccontextmanager
    async def live(self, place: Place, reader: PersonId) -> AsyncIterator[OnText]:
        self.readers.append((place, reader))
        self.seen.append("begins")
        try:
            yield self._hear
        finally:
            self.steps.append(await self._journalled())
            self.seen.append("ends")
            self.changed.set()

    async def post(self, card: Card, place: Place, *, key: str) -> MessageRef:
        if any(button.move == "approve" for button in card.buttons):
            self.seen.append("card")
        return await super().post(card, place, key=key)

    def _hear(self, text: str) -> None:
        self.seen.append(text)
        self.changed.set()

    async def _journalled(self) -> int:
        [run] = await self.house.store.recent_runs(0, 1)
        loaded = await self.house.store.load(run)
        return len(loaded.entries) if loaded else 0


@pytest.fixture
def chat() -> Watched:
    return Watched()


async def test_words_are_seen_while_they_grow_and_the_turn_is_over_before_the_card_stands(
    build: Build, hands: Hands, chat: Watched
) -> None:
    """Nobody reads a sentence that still grows beside the question it leads to; nothing grows while people think."""
    async with build(policy=policy(), tools=hands.tools, model=Speaking(WIRE), chat=chat) as house:
        chat.house = house
        thread = await house.mention("ana", "pay")
        card = await house.card()

        *words, end, posted = chat.seen
        assert words[:3] == ["begins", "I", "I wire"]
        assert words[-1] == "I wire the money now."
        assert (end, posted) == ("ends", "card")
        assert [(place.thread, by) for place, by in chat.readers] == [(thread, "ana")]

        await house.press("approve", by="bo", card=card)
        await house.shows("Results: ok wire 90 bank")

        assert await settled(house)
        assert chat.seen[-1] == "ends"
        assert chat.seen.count("begins") == chat.seen.count("ends") == 2


async def test_what_was_seen_is_in_the_journal_before_its_draft_goes(build: Build, hands: Hands, chat: Watched) -> None:
    """AS-30: durable first: a process that dies between the two leaves a draft to clear away, never an answer to
    guess.
    """
    async with build(policy=policy(), tools=hands.tools, model=Speaking(WIRE), chat=chat) as house:
        chat.house = house
        await house.mention("ana", "pay")
        await house.card()

        assert chat.steps == [1]


@pytest.mark.parametrize("is_restart", [False, True])
async def test_a_replay_shows_nothing_again(build: Build, hands: Hands, chat: Watched, is_restart: bool) -> None:
    """The run leaves memory, or its process ends, while people think. The first turn is answered from the journal."""
    model = Speaking(WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model, chat=chat, pace=HASTY) as house:
        chat.house = house
        await house.mention("ana", "pay")
        card = await house.card()
        await shown(house)
        await gone(house)
        before = list(chat.seen)
        if not is_restart:
            await house.press("approve", by="bo", card=card)
            await house.shows("Results: ok wire 90 bank")
    if is_restart:
        async with house.again() as later:
            chat.house = later
            await later.press("approve", by="bo", card=card)
            await later.shows("Results: ok wire 90 bank")

    replayed = chat.seen[len(before) :]
    assert replayed.count("begins") == 1
    assert "I wire" not in replayed
    assert "Results: ok" in replayed
    assert len(model.listeners) == 2


async def test_a_chat_that_shows_final_words_alone_needs_nothing(build: Build, hands: Hands) -> None:
    """The hook is optional: nobody listens, and the answer is the same."""
    model = Speaking(WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        await house.press("approve", by="bo")
        await house.shows("Results: ok wire 90 bank")

        assert await settled(house)
        assert model.listeners == [None, None]


async def test_a_stop_in_the_middle_of_a_sentence_ends_the_turn_that_is_seen(
    build: Build, hands: Hands, chat: Watched
) -> None:
    """What was stopped says nothing more, and leaves nothing half said."""
    model = Speaking(WIRE)
    model.may_go_on.clear()
    async with build(policy=policy(), tools=hands.tools, model=model, chat=chat) as house:
        chat.house = house
        await house.mention("ana", "pay")
        await chat.until(lambda: "I wire the money now." in chat.seen, "the sentence")

        await house.press("stop", by="ana")

        await chat.until(lambda: status(house).card.title == "Stopped", "stopped")
        assert chat.seen[-1] == "ends"
        assert not hands.did
        assert await settled(house)


async def test_a_model_that_fails_ends_the_turn_that_is_seen(build: Build, hands: Hands, chat: Watched) -> None:
    """People read why, not half an answer."""
    model = Speaking(WIRE)
    model.error = ModelUnavailable("gave up")
    async with build(policy=policy(), tools=hands.tools, model=model, chat=chat) as house:
        chat.house = house
        await house.mention("ana", "pay")

        await house.shows(ModelUnavailable.people_read)
        assert chat.seen[-1] == "ends"
        assert chat.steps == [1]  # that it gave no answer: a step that failed fails again on every replay
        assert await settled(house)
