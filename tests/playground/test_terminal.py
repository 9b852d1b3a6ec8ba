"""The terminal: the same flow, typed. Cards have numbers, buttons have names, people take turns at one screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapters.terminal import Terminal
from adapters.terminal_text import ENDED
from bot.domain.chat import (
    Account,
    Answer,
    Attachment,
    Button,
    Card,
    Click,
    Field,
    FieldKind,
    Message,
    Person,
    Place,
)
from bot.domain.wire import replace
from tests.playground.seat import PATIENCE, Seat
from tests.playground.standin import PEOPLE, StandIn

HERE = Place(platform="terminal", tenant="local", channel="terminal")


@asynccontextmanager
async def opened(answers: StandIn | None = None) -> AsyncIterator[tuple[Terminal, Seat, StandIn]]:
    seat, front = Seat(), answers or StandIn()
    terminal = Terminal([_here(person) for person in PEOPLE], front, seat.keyboard, seat.write)
    front.chat = terminal
    async with terminal.serve(front):
        yield terminal, seat, front


def _here(person: Person) -> Person:
    return replace(person, accounts=(Account(platform="terminal", tenant="local", user=str(person.id)),))


async def test_a_task_is_typed_and_its_card_approved_by_somebody_else() -> None:
    """Ana asks and may not sign; Bo sits down, signs, and confirms."""
    async with opened() as (_, seat, front):
        seat.hit("refund order 7")
        await seat.reads("approve 1")

        seat.hit("approve 1")
        seat.hit("yes")
        await seat.reads("somebody else must approve it")
        await seat.type("as bo")
        seat.hit("approve 1")
        seat.hit("yes")
        printed = await seat.reads("Refund RF-001")

        assert "Approved by Bo Chen" in printed
        assert [(act.by.user, act.move) for act in front.acts] == [("ana", "approve"), ("bo", "approve")]


async def test_anything_but_yes_sends_nothing() -> None:
    """The question before a dangerous button is a real one."""
    async with opened() as (_, seat, front):
        seat.hit("refund order 7")
        await seat.reads("approve 1")
        seat.hit("approve 1")
        seat.hit("hmm")

        await seat.reads("Nothing was sent.")

        assert front.acts == []


async def test_a_form_is_one_line_and_its_problems_stand_under_it() -> None:
    """`edit 1 amount=lots` is told what is wrong; fields not named keep their value."""
    async with opened() as (_, seat, front):
        seat.hit("refund order 7")
        await seat.reads("approve 1")
        await seat.type("as bo")

        assert "Amount: This must be a number." in await seat.type("edit 1 amount=lots")
        await seat.type("edit 1 amount=80 note='late parcel'")

        assert [dict(getattr(act, "fields", {})) for act in front.acts][-1] == {
            "amount": "80",
            "currency": "EUR",
            "tell": "true",
            "note": "late parcel",
        }


async def test_a_button_with_one_field_takes_the_rest_of_the_line() -> None:
    """A reason needs no quotes, even with an apostrophe; a missing one is asked for."""
    async with opened() as (_, seat, front):
        seat.hit("refund order 7")
        await seat.reads("approve 1")

        assert "reason: Why not?" in await seat.type("reject 1")
        await seat.type("reject 1 it's not broken, amount=0")

        assert [getattr(act, "fields", None) for act in front.acts] == [{"reason": "it's not broken, amount=0"}]


async def test_talk_is_a_reply_until_new() -> None:
    """One thread at a time; a line that only begins like a command is talk."""
    async with opened() as (_, seat, front):
        for line in ("refund order 7", "order 17, I meant", "new", "and order 8", "help me"):
            await seat.type(line)
        await seat.reads("and order 8")

        assert [(each.text, each.is_mention) for each in front.messages[:3]] == [
            ("refund order 7", True),
            ("order 17, I meant", False),
            ("and order 8", True),
        ]
        assert front.messages[0].place == front.messages[1].place != front.messages[2].place


async def test_a_command_opens_no_thread() -> None:
    """What comes after it is a task again, and not a reply to nothing."""

    class Obeys(StandIn):
        async def message(self, message: Message) -> Answer | None:
            if not message.text.startswith("away"):
                return await super().message(message)
            self.messages.append(message)
            return Answer(is_taken=True, text="You are away.")

    async with opened(Obeys()) as (_, seat, front):
        await seat.type("away until Mon, @bo decides")
        await seat.reads("You are away.")
        await seat.type("refund order 7")
        await seat.reads("refund order 7")

        assert [message.is_mention for message in front.messages] == [True, True]


class Quick(StandIn):
    """Answers a task at once, and ends; one that asks waits for people; one that makes no sense is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.pressed, self.came, self.go = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.go.set()

    async def message(self, message: Message) -> Answer | None:
        self.messages.append(message)
        self.came.set()
        await self.go.wait()
        if "nothing" in message.text:
            return Answer(is_taken=False, text="Nothing is running here.")
        assert self.chat
        if message.text.startswith("ask"):
            button = Button(subject="r1", move="approve", label="Approve", token="seal")
            await self.chat.post(Card(title="Approval needed", buttons=(button,)), message.place, key=message.delivery)
        else:
            said = Card(body="One moment.", author="helper", run="run-1")
            await self.chat.post(said, message.place, key=f"{message.delivery}/turn")
            done = Card(body=f"Done: {message.text}", author="assistant", mentions=(PEOPLE[0].id,), run="run-1")
            await self.chat.post(done, message.place, key=message.delivery)
        return None

    async def click(self, click: Click) -> Answer:
        self.acts.append(click)
        self.pressed.set()
        return Answer(is_taken=True, text="Approved.")


@asynccontextmanager
async def quick() -> AsyncIterator[tuple[Terminal, Seat, Quick]]:
    seat, front = Seat(), Quick()
    terminal = Terminal([_here(person) for person in PEOPLE], front, seat.keyboard, seat.write)
    front.chat = terminal
    async with terminal.serve(front):
        yield terminal, seat, front


async def test_a_line_after_the_end_is_a_new_task() -> None:
    """Never a reply to a thread where nobody listens any more: it would be swallowed in silence."""
    async with quick() as (_, seat, front):
        seat.hit("look up order 7")
        await seat.reads(ENDED)
        seat.hit("look up order 17")
        await seat.reads("Done: look up order 17")

        assert [each.is_mention for each in front.messages] == [True, True]
        assert front.messages[0].place != front.messages[1].place


async def test_each_turn_names_its_agent_and_only_the_last_word_ends_the_task() -> None:
    """AS-15: what a member says on the way is no end, and neither is a reply to it a task."""
    async with quick() as (_, seat, front):
        seat.hit("look up order 7")
        printed = await seat.reads(ENDED)

        assert printed.index("helper: One moment.") < printed.index("assistant: Done") < printed.index(ENDED)
        assert printed.count(ENDED) == 1
        assert front.messages


async def test_a_line_after_a_task_that_did_not_begin_is_a_new_task() -> None:
    """A refused task opens no thread to reply in."""
    async with quick() as (_, seat, front):
        seat.hit("nothing")
        await seat.reads("Nothing is running here.")
        seat.hit("look up order 17")
        await seat.reads("Done: look up order 17")

        assert [each.is_mention for each in front.messages] == [True, True]


@pytest.mark.parametrize(
    ("line", "told"), [("look up order 7", "Done:"), ("ask me", "approve 1"), ("nothing", "only you")]
)
async def test_input_that_ends_after_a_task_gets_its_answer(line: str, told: str) -> None:
    """`echo "look up order 7" | countersign serve --terminal`: it leaves after the answer, not before."""
    async with quick() as (terminal, seat, front), asyncio.TaskGroup() as group:
        front.go.clear()
        seat.hit(line)
        seat.keyboard.feed_eof()
        leaving = group.create_task(_left(terminal, seat), name="leave")
        await front.came.wait()
        front.go.set()

        assert told in await leaving


async def test_input_that_ends_after_an_answer_gets_what_came_of_it() -> None:
    """A press sets the run going again; its end is printed before it leaves."""
    async with quick() as (terminal, seat, front):
        seat.hit("ask me")
        await seat.reads("approve 1")
        seat.hit("approve 1")
        seat.keyboard.feed_eof()
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            leaving = group.create_task(_left(terminal, seat), name="leave")
            await front.pressed.wait()
            for _ in range(5):  # turns of the loop in which it could leave too early
                await asyncio.sleep(0)
            done = Card(body="Done: paid", author="assistant", mentions=(PEOPLE[0].id,), run="run-1")
            await terminal.post(done, front.messages[0].place, key="end")

            assert "Done: paid" in await leaving


async def _left(terminal: Terminal, seat: Seat) -> str:
    """What was printed when the terminal was left."""
    await terminal.ended()
    return "\n".join(seat.printed)


async def test_nobody_waits_for_an_answer_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run may wait for a month; a pipe that has ended does not."""
    monkeypatch.setattr("adapters.terminal.LINGER", 0.01)
    async with opened() as (terminal, seat, front):
        front.is_down = True
        seat.hit("refund order 7")
        seat.keyboard.feed_eof()

        await terminal.ended()


async def test_it_says_who_you_are_and_what_to_type() -> None:
    """An empty screen helps nobody."""
    async with opened() as (_, seat, _front):
        assert "You are Ana Lima. Type a task, or help." in seat.printed[0]


@pytest.mark.parametrize("line", ["/help", "/who", "/inbox", "/as bo"])
async def test_a_slash_in_front_of_a_command_is_forgiven(line: str) -> None:
    """Other programs taught people to type it. It is never sent as a task."""
    async with opened() as (_, seat, front):
        told = await seat.type(line)

        assert told or line == "/help"
        assert front.messages == []


async def test_a_button_that_is_gone_is_said_so_and_not_sent_as_talk() -> None:
    """`approve 1` must never become a reply by accident."""
    async with opened() as (terminal, seat, front):
        seat.hit("refund order 7")
        await seat.reads("approve 1")
        await terminal.update(terminal.shown[0].ref, Card(title="Approval needed", status="Expired"))

        assert "Card 1 has no button 'approve'" in await seat.type("approve 1")
        assert len(front.messages) == 1


async def test_the_inbox_numbers_what_waits() -> None:
    """Ana has nothing to answer; Bo has one card, under the number it always had."""
    async with opened() as (_, seat, _front):
        seat.hit("refund order 7")
        await seat.reads("approve 1")

        assert "Nothing waits for you." in await seat.type("inbox")
        await seat.type("as bo")
        assert "[1] ? Approval needed: refund" in await seat.type("inbox")


async def test_no_text_steers_the_screen() -> None:
    """T03, T21: escape sequences and reordering marks are spelled out, in names, files and answers alike."""
    async with opened() as (terminal, seat, _front):
        evil = "\x1b[2Jgone\r\u202eevil"
        file = Attachment(name=evil, content=evil.encode(), sha256="0" * 64)

        await terminal.post(Card(title=evil, body=evil, attachments=(file,)), HERE, key="k")
        shown = await seat.type("show 1")

        assert not {"\x1b", "\r", "\u202e"} & set("".join(seat.printed))
        assert shown.count("⟨U+001B⟩[2Jgone⟨U+000D⟩⟨U+202E⟩evil") == 4


async def test_words_that_grow_are_not_printed_twice() -> None:
    """A streamed status prints what is new."""
    async with opened() as (terminal, seat, _front):
        ref = await terminal.post(Card(body="I looked up"), HERE, key="k")

        await terminal.update(ref, Card(body="I looked up order 7"))

        assert seat.printed[1:] == ["  I looked up", "   order 7"]


async def test_quit_ends_the_session() -> None:
    """And so does the end of the input."""
    async with opened() as (terminal, seat, _front):
        seat.hit("quit")

        await terminal.ended()


FILL = Button(
    subject="r1",
    move="fill",
    label="Fill in",
    token="t",
    fields=(
        Field(name="day", label="Day", kind=FieldKind.DATE),
        Field(name="owner", label="Owner", kind=FieldKind.PERSON),
        Field(name="why", label="Why", kind=FieldKind.MULTI, options=("late", "lost, stolen", "broken")),
    ),
)


async def test_days_people_and_several_choices_are_typed_on_one_line() -> None:
    """Commas part choices, and whoever sits at this terminal is named as `who` lists them."""
    async with opened() as (terminal, seat, front):
        await terminal.post(Card(title="Please fill in", buttons=(FILL,)), HERE, key="k")

        told = await seat.type("fill-in 1")
        assert "day: Day, a date such as 2026-03-31" in told
        assert "owner: Owner, somebody's name as `who` lists it" in told
        assert "why: Why, some of late, lost, stolen, broken, parted by commas" in told
        await seat.type("fill-in 1 day=2026-03-31 owner=@bo why='late, broken'")
        await seat.type("fill-in 1 day=2026-03-31 owner=nobody why='lost, stolen'")

        assert [dict(getattr(act, "fields", {})) for act in front.acts] == [
            {"day": "2026-03-31", "owner": "bo", "why": "late\nbroken"},
            {"day": "2026-03-31", "owner": "nobody", "why": "lost, stolen"},
        ]
