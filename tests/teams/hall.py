"""A house that hears: everything of the adapter, on the strict fake of Teams, around a front door that a test directs.

Ana and Bo are people, Gil is a guest. What the runtime would say is said by `Front` and by lists that a test fills.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.teams.chat import Teams, TeamsWithin
from adapters.teams.deeds import Deeds, DeedsWithin
from bot.domain.chat import Account, Block, Button, Card, Field, FieldKind, MessageRef, Person, PersonId, Place
from bot.domain.pages import Waiting
from bot.domain.request import RequestId, RunId
from bot.peoplefile import PeopleDirectory
from tests.fakes.teams import Answer, FakeMessage
from tests.slack.indoors import Lists
from tests.slack.listening import Front
from tests.teams.indoors import Indoors, indoors

APPROVE = Button(subject="q-1", move="approve", label="Approve", token="tok-a", style="primary")
REASON = Field(name="reason", label="Reason", kind=FieldKind.LONG_TEXT)
REJECT = Button(subject="q-1", move="reject", label="Reject", token="tok-r", fields=(REASON,))
DETAILS = Button(subject="q-1", move="details", label="Details", token="tok-d")
CARD = Card(
    title="Approval needed: refund",
    status="Waiting for 1 of finance",
    blocks=(Block(label="refund will run with exactly this", text='{"amount": 40}', is_code=True),),
    buttons=(APPROVE, REJECT, DETAILS),
)


@dataclass
class Counted:
    """A meter that writes down what was counted."""

    counts: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def count(self, name: str, **labels: str) -> None:
        self.counts.append((name, labels))

    def observe(self, name: str, value: float, **labels: str) -> None:
        raise NotImplementedError(name, value, labels)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        raise NotImplementedError(name, value, labels)


class Hall:
    def __init__(self, here: Indoors) -> None:
        self.here, self.teams, self.front, self.views, self.meter = here, here.teams, Front(), Lists(), Counted()
        self.views.buttons = {(one.subject, one.move): one for one in CARD.buttons}
        self.ana, self.bo, self.gil, self.ops = here.ana, here.bo, here.gil, here.ops
        people = (self._person("ana", self.ana), self._person("bo", self.bo))
        self.own = here.directory(*people)
        within = TeamsWithin(
            office=here.office,
            own=self.own,
            people=self.own,
            views=self.views,
            meter=self.meter,
            edits=here.time.edits,
        )
        self.chat = Teams(within)

    def account(self, user: str) -> Account:
        return self.here.account(user)

    def place(self, thread: str | None = None) -> Place:
        return self.here.place(thread)

    async def task(self, text: str = "@countersign refund order 7") -> str:
        """Ana gives a task in ops; the thread's id. The front door has heard it, and forgets it."""
        thread = await self.teams.say(self.ana, self.ops, text)
        self.front.came.clear()
        return thread

    async def card(self, card: Card = CARD, key: str = "card") -> MessageRef:
        """A card below a task of Ana's."""
        return await self.chat.post(card, self.place(await self.task()), key=key)

    async def press(self, user: str, ref: MessageRef, title: str, **typed: str) -> Answer:
        return await self.teams.press(user, ref.place.channel, ref.id, title, 0, **typed)

    async def told(self, user: str, *words: str) -> list[str]:
        """What *user* reads in their own chat, once it holds all of *words*."""

        def lines() -> list[str]:
            return [self.teams.text_of(one) for one in self.teams.direct(user)]

        await self.teams.until(lambda: all(any(word in line for line in lines()) for word in words), f"told {words}")
        return lines()

    async def inbox(self, user: str) -> FakeMessage:
        """*user*'s list, asked for and shown."""
        before = len(self.teams.direct(user))
        await self.teams.say(user, self.teams.direct_chat(user), "pending")
        await self.teams.until(lambda: len(self.teams.direct(user)) > before, "a list")
        return self.teams.direct(user)[-1]

    def waits(self, user: str, number: int = 1, *, ref: MessageRef | None = None, card: Card = CARD) -> MessageRef:
        """One more request waits for *user*; its card stands in ops, or where *ref* says."""
        shown = ref or MessageRef(place=self.place(), id=f"17000000{number:02}")
        self.views.waiting.setdefault(user, []).append(
            Waiting(
                request=RequestId("q-1"),
                run=RunId(f"r-0-{number}"),
                card=card,
                place=shown.place,
                ref=shown,
                opened=datetime.now(UTC) - timedelta(minutes=5),
            )
        )
        return shown

    def deeds(self, *people: tuple[str, str]) -> Deeds:
        """For other people: their ids and names."""
        known = PeopleDirectory(tuple(Person(id=PersonId(one), name=name) for one, name in people))
        places, once = self.here.office.places, self.here.once()
        return Deeds(DeedsWithin(front=self.front, places=places, once=once, people=known))

    async def rest(self) -> None:
        """Whatever follows an answer is over."""
        async with asyncio.timeout(5):
            while any(task.get_name() in FOLLOWING for task in asyncio.all_tasks()):  # noqa: ASYNC110 - theirs to tell
                await asyncio.sleep(0)

    def _person(self, name: str, user: str) -> Person:
        return Person(id=PersonId(name), name=f"{name.title()} Lima", accounts=(self.account(user),))


FOLLOWING = (
    "tell one person",
    "show what waits for somebody",
    "show somebody's list again",
    "welcome somebody",
    "learn where a press came from",
)


@asynccontextmanager
async def a_hall(**changes: Any) -> AsyncIterator[Hall]:
    async with indoors(**changes) as here:
        hall = Hall(here)
        async with hall.chat.serve(hall.front):
            here.teams.connect(hall.chat.where.removeprefix("Teams through "))
            yield hall
