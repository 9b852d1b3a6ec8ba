"""Terminal chat: the whole flow in one terminal.

A line is a task; lines after it are replies in its thread, until it ends or `new`. Cards are printed with a number, and
answered by it: `approve 1`, `reject 1 too much`, `edit 1 amount=90`. `as bo` switches to another person;
what only somebody else may see waits until they sit down. `help` says the rest.

Owns one screen's words. Cards are remembered for as long as the process lives, like the screen's own scrollback:
after a restart a card is simply printed again. What was typed is handed in until it is taken, and when the input
ends before the answer is there (a pipe), the answer is waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import structs

from adapters.terminal_text import BANNER, ENDED, HELP, command, draw, fields_of, inert, slug, usage
from bot.domain.chat import (
    Account,
    Answer,
    Button,
    Card,
    Click,
    Field,
    FieldKind,
    Form,
    Message,
    MessageRef,
    Person,
    PersonId,
    Place,
)
from bot.domain.errors import CountersignError, Unavailable, Undeliverable
from bot.domain.ports import FrontDoor, Live, Views
from bot.domain.run import RunStatus
from bot.domain.run_card import OF_RUNS
from bot.domain.wire import replace

PLATFORM = "terminal"
TENANT = "local"
CHANNEL = "terminal"
FIRST_WAIT = 0.1  # seconds before a message is handed in again; doubled up to LONGEST_WAIT
LONGEST_WAIT = 5.0
LINGER = 10.0  # seconds that an answer may take after the input has ended


class Reader(Protocol):
    """Lines of input, such as an `asyncio.StreamReader`. Empty bytes mean the end."""

    async def readline(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Shown:
    """A card on the screen. `number` is what people type."""

    number: int
    ref: MessageRef
    card: Card
    seen_by: str | None  # a user; None: everybody


@dataclass(slots=True)
class Screen:
    """Writes what the person in front of it may see and keeps the rest for its owner."""

    write: Callable[[str], None]
    user: str
    kept: dict[str, list[str]] = field(default_factory=dict)

    def say(self, text: str, *, to: str | None = None) -> None:
        if to in (None, self.user):
            self.write(text)
        else:
            self.kept.setdefault(str(to), []).append(text)

    def sit(self, user: str) -> None:
        self.user = user
        for text in self.kept.pop(user, []):
            self.write(text)


class Terminal:
    """Implements `Chat` for one screen. *people* without a terminal account are left out."""

    def __init__(self, people: Sequence[Person], views: Views, reader: Reader, write: Callable[[str], None]) -> None:
        self._people = {account.user: person for person in people for account in person.accounts if _is_ours(account)}
        if not self._people:
            raise Undeliverable(PLATFORM, "nobody has a terminal account")
        self._views, self._reader = views, reader
        self._screen = Screen(write, next(iter(self._people)))
        self._cards: dict[str, Shown] = {}  # by message id
        self._numbers: dict[str, int] = {}  # also of cards that are gone
        self._keys: dict[str, MessageRef] = {}
        self._moves = {"press"}  # every button word that was ever shown
        self._typed: asyncio.Queue[Message] = asyncio.Queue()
        self._thread: str | None = None
        self._is_quiet = (
            asyncio.Event()
        )  # nothing is under way: no task was given, it has ended, or it waits for people
        self._is_quiet.set()
        self._session = secrets.token_hex(4)
        self._count = 0
        self._closed = asyncio.Event()

    @property
    def platform(self) -> str:
        return PLATFORM

    async def ended(self) -> None:
        """Return when the person has left: `quit`, or the end of the input."""
        await self._closed.wait()

    @asynccontextmanager
    async def serve(self, front: FrontDoor) -> AsyncIterator[None]:
        self._screen.say(BANNER.format(name=inert(self._people[self._screen.user].name)))
        async with asyncio.TaskGroup() as group:
            deliver = group.create_task(self._deliver(front), name="hand typed lines in")
            listen = group.create_task(self._listen(front), name="read the terminal")
            try:
                yield
            finally:
                deliver.cancel()
                listen.cancel()

    async def post(self, card: Card, place: Place, *, key: str) -> MessageRef:
        owner = self._owner(place)
        if key not in self._keys:
            ref = MessageRef(place=place, id=self._next("card"))
            self._keys[key] = ref
            self._screen.say(self._draw(self._show(ref, card, owner)), to=owner)
            self._notice(card, place)
        return self._keys[key]

    async def update(self, ref: MessageRef, card: Card) -> None:
        before = self._cards.get(ref.id)
        if before is None or before.card == card:
            return
        was, shown = before.card, self._show(ref, card, before.seen_by)
        has_grown = replace(was, body="") == replace(card, body="") and card.body.startswith(was.body)
        text = f"  {inert(card.body[len(was.body) :])}" if has_grown else self._draw(shown)
        self._screen.say(text, to=shown.seen_by)
        self._notice(card, ref.place)

    async def whisper(self, text: str, place: Place, to: Account) -> None:
        if _is_ours(to) and to.user in self._people and place.platform == PLATFORM:
            self._screen.say(f"  (only you) {inert(text)}", to=to.user)

    async def direct(self, to: Account) -> Place:
        if not _is_ours(to) or to.user not in self._people:
            raise Undeliverable(f"{to.platform} user {to.user}", "nobody of that name is at this terminal")
        return Place(platform=PLATFORM, tenant=TENANT, channel=f"dm-{to.user}", is_direct=True)

    async def presence(self, place: Place, status: RunStatus) -> None:
        """The status card says it already."""

    def live(self, place: Place, reader: PersonId) -> Live:  # noqa: ARG002  # the port's signature
        """What is printed stays: only final words are."""
        return contextlib.nullcontext()

    @property
    def shown(self) -> tuple[Shown, ...]:
        """The cards that are on the screen."""
        return tuple(self._cards.values())

    def withdraw(self, ref: MessageRef) -> None:
        """Forget a card, as if somebody had deleted its message. Its key still names it."""
        self._cards.pop(ref.id, None)

    # ------------------------------------------------------------------ in

    async def _listen(self, front: FrontDoor) -> None:
        while line := await self._reader.readline():
            text = command(line.decode("utf-8", "replace").strip())
            if text == "quit":
                break
            if text:
                await self._do(front, text)
        else:
            await self._linger()
        self._closed.set()

    async def _linger(self) -> None:
        """The input has ended: let what was asked come to its end, or to a card that waits."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await self._is_quiet.wait()

    async def _deliver(self, front: FrontDoor) -> None:
        while True:
            message, wait = await self._typed.get(), FIRST_WAIT
            while not await self._handed_in(front, message):
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)

    async def _handed_in(self, front: FrontDoor, message: Message) -> bool:
        try:
            answer = await front.message(message)
        except Unavailable:
            return False
        except CountersignError as error:
            answer = Answer(is_taken=False, text=error.people_read)
        if answer and answer.text:
            await self.whisper(answer.text, message.place, message.by)
        if answer and message.is_mention:
            self._end(message.place)  # no task began: it was refused, or a command
        return True

    def _notice(self, card: Card, place: Place) -> None:
        """What a card means for the thread: the run's last word, which calls whoever gave the task, ends it (a member's
        turn calls nobody); a question to people lets it rest."""
        if card.author and card.mentions and not (card.title or card.buttons) and self._end(place):
            self._screen.say(ENDED)
        elif place.thread == self._thread and any(button.move not in OF_RUNS for button in card.buttons):
            self._is_quiet.set()

    def _end(self, place: Place) -> bool:
        if self._thread is None or place.thread != self._thread:
            return False
        self._thread = None
        self._is_quiet.set()
        return True

    async def _do(self, front: FrontDoor, text: str) -> None:
        word, _, rest = text.partition(" ")
        rest = rest.strip()
        match word.lower():
            case "help":
                self._screen.say(HELP)
            case "who":
                self._screen.say("\n".join(f"  {user}  {person.name}" for user, person in self._people.items()))
            case "as" if rest in self._people:
                self._screen.say(f"  You are {self._people[rest].name} now.")
                self._screen.sit(rest)
            case "as":
                self._screen.say(f"  Nobody here is called {inert(rest)!r}. Try: {', '.join(self._people)}")
            case "new":
                self._thread = None
                self._is_quiet.set()
                self._say(rest)
            case "inbox":
                await self._inbox()
            case "show" if shown := self._shown(rest):
                self._screen.say(self._draw(shown, is_whole=True))
            case _:
                await self._press_or_say(front, text)

    async def _press_or_say(self, front: FrontDoor, text: str) -> None:
        """A line that names a button of a card presses it; every other line is talk."""
        found = self._stop() if text.lower() == "stop" else self._button(text)
        if (
            found is None
            and (tried := re.fullmatch(r"(\w+) (\d+(?:\.\d+)?)\b.*", text))
            and tried[1].lower() in self._moves
        ):
            self._screen.say(f"  Card {tried[2]} has no button {tried[1].lower()!r} for you now.")
            return
        if found is None:
            self._say(text)
            return
        shown, button, rest = found
        if button.fields and not rest and any(field.is_required and not field.value for field in button.fields):
            self._screen.say(usage(shown.number, button))
            return
        if button.confirm and not await self._confirmed(button.confirm):
            self._screen.say("  Nothing was sent.")
            return
        answer = await self._send(front, shown.ref, button, rest)
        self._tell(answer, button)
        if answer.details is not None:
            self._screen.say(draw(answer.details, shown.number, "", is_whole=True))

    async def _send(self, front: FrontDoor, ref: MessageRef, button: Button, rest: str) -> Answer:
        by, delivery = self._account(self._screen.user), self._next("act")
        click = Click(delivery=delivery, by=by, ref=ref, subject=button.subject, move=button.move, token=button.token)
        if self._thread is not None:
            self._is_quiet.clear()  # an answer sets something going
        try:
            form = Form(**structs.asdict(click), fields=self._filled(button, rest)) if button.fields else None
            answer = await (front.form(form) if form else front.click(click))
        except CountersignError as error:
            answer = Answer(is_taken=False, text=error.people_read)
        if not answer.is_taken or answer.details is not None:
            self._is_quiet.set()  # nothing was set going: it only looked
        return answer

    def _filled(self, button: Button, rest: str) -> dict[str, object]:
        """What was typed, with people where users of this terminal were named."""
        fields = fields_of(button, rest)
        users = {field.name: str(fields[field.name]).removeprefix("@") for field in button.fields if _is_person(field)}
        return fields | {name: self._people[user].id for name, user in users.items() if user in self._people}

    def _tell(self, answer: Answer, button: Button) -> None:
        labels = {each.name: each.label for each in button.fields}
        problems = [f"  {labels.get(name, name)}: {inert(what)}" for name, what in (answer.problems or {}).items()]
        self._screen.say("\n".join([f"  (only you) {inert(answer.text)}", *problems]))

    async def _confirmed(self, question: str) -> bool:
        self._screen.say(f"  {inert(question)} Type yes to go on.")
        return (await self._reader.readline()).decode("utf-8", "replace").strip().lower() in {"yes", "y"}

    def _say(self, text: str) -> None:
        if not text:
            return
        line, is_task = self._next("line"), self._thread is None
        self._thread = self._thread or line
        self._is_quiet.clear()
        place = Place(platform=PLATFORM, tenant=TENANT, channel=CHANNEL, thread=self._thread)
        by = self._account(self._screen.user)
        ref = MessageRef(place=place, id=line)
        self._typed.put_nowait(Message(delivery=line, by=by, place=place, text=text, ref=ref, is_mention=is_task))

    async def _inbox(self) -> None:
        waiting = await self._views.waiting_for(self._account(self._screen.user))
        for each in waiting:
            if each.put_off is not None:
                until = f"{each.put_off.astimezone():%a %Y-%m-%d %H:%M}"
                self._screen.say(f"  Put off until {until}: {inert(each.card.title)} (now {each.request})")
            elif each.ref is not None:  # also a card that was shown elsewhere or withdrawn: it gets a number here
                here = self._cards.get(each.ref.id)
                seen_by = None if here and here.seen_by is None else self._screen.user
                self._screen.say(self._draw(self._show(each.ref, each.card, seen_by)))
        if not waiting:
            self._screen.say("  Nothing waits for you.")

    # ------------------------------------------------------------- small things

    def _show(self, ref: MessageRef, card: Card, seen_by: str | None) -> Shown:
        """Remember what *ref* shows now, under the number it always had."""
        number = self._numbers.setdefault(ref.id, len(self._numbers) + 1)
        self._cards[ref.id] = Shown(number, ref, card, seen_by)
        self._moves.update(word for button in card.buttons for word in (button.move, slug(button.label)))
        return self._cards[ref.id]

    def _draw(self, shown: Shown, *, is_whole: bool = False) -> str:
        names = {person.id: person.name for person in self._people.values()}
        mentions = " ".join(f"@{names.get(each, each)}" for each in shown.card.mentions)
        return draw(shown.card, shown.number, mentions, is_whole=is_whole)

    def _button(self, text: str) -> tuple[Shown, Button, str] | None:
        word, _, tail = text.partition(" ")
        number, _, rest = tail.strip().partition(" ")
        number, _, nth = number.partition(".")
        shown = self._shown(number)
        if shown is None:
            return None
        if word.lower() == "press" and nth.isdigit() and 1 <= int(nth) <= len(shown.card.buttons):
            return shown, shown.card.buttons[int(nth) - 1], rest.strip()
        named = [button for button in shown.card.buttons if word.lower() in (button.move, slug(button.label))]
        return (shown, named[0], rest.strip()) if named and not nth else None

    def _stop(self) -> tuple[Shown, Button, str] | None:
        found = [(shown, button, "") for shown in self._cards.values() for button in shown.card.buttons]
        return next((each for each in reversed(found) if each[1].move == "stop"), None)

    def _shown(self, number: str) -> Shown | None:
        mine = [each for each in self._cards.values() if each.seen_by in (None, self._screen.user)]
        return next((each for each in mine if str(each.number) == number), None)

    def _owner(self, place: Place) -> str | None:
        """Whose direct conversation *place* is; None for what everybody reads. Raises Undeliverable."""
        user = place.channel.removeprefix("dm-") if place.is_direct else None
        if (place.platform, place.tenant) != (PLATFORM, TENANT) or (user and user not in self._people):
            raise Undeliverable(place.key, "there is no such conversation at this terminal")
        return user

    def _account(self, user: str) -> Account:
        return Account(platform=PLATFORM, tenant=TENANT, user=user)

    def _next(self, what: str) -> str:
        self._count += 1
        return f"terminal:{self._session}:{what}-{self._count}"


def _is_person(field: Field) -> bool:
    return field.kind is FieldKind.PERSON


def _is_ours(account: Account) -> bool:
    return (account.platform, account.tenant) == (PLATFORM, TENANT)
