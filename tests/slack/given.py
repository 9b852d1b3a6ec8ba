"""A booth from which the mouth speaks into a fake Slack. Time moves only when somebody waits, and the Keep forgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aiohttp

from adapters.slack.api import Api, SlackGone
from adapters.slack.lookups import Lookups
from adapters.slack.mouth import Mouth
from adapters.slack.pace import Pace
from bot.domain.chat import Account, Button, Card, Fact, MessageRef, PersonId, Place
from bot.domain.wire import replace
from tests.fakes.keep import MemoryKeep
from tests.fakes.slack import FakeSlack
from tests.slack.table import Table


class Hours:
    """A clock that starts now, because the fake Slack's does, and is moved by sleeping."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.naps: list[float] = []

    def utc(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.later(seconds)
        await asyncio.sleep(0)

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class TimedKeep(MemoryKeep):
    """`MemoryKeep` in which time passes: what was kept for a while ends with it."""

    def __init__(self, hours: Hours) -> None:
        super().__init__()
        self._hours = hours
        self._ends: dict[str, datetime] = {}

    def _set(self, name: str, value: bytes, life: timedelta | None) -> None:
        super()._set(name, value, life)
        self._ends[name] = self._hours.now + (life or timedelta(days=36_500))

    def _look(self) -> None:
        super()._look()
        self.expire(*(name for name, end in self._ends.items() if end <= self._hours.now))


@dataclass
class Tokens:
    """One token a workspace. Without one, the app is not installed there."""

    known: dict[str, str]

    async def token(self, team: str) -> str:
        if team not in self.known:
            raise SlackGone(team)
        return self.known[team]


@dataclass
class People:
    """Who is known here; who reads a channel is what *looks* hears from Slack, nobody else's without it."""

    known: dict[str, str] = field(default_factory=dict)
    looks: Lookups | None = None

    async def user_of(self, person: PersonId, team: str) -> str | None:  # noqa: ARG002  # the protocol's signature
        return self.known.get(person)

    async def placed(self, place: Place) -> Place:
        found = await self.looks.channel_id(place.tenant, place.channel) if self.looks else None
        return replace(place, channel=found) if found else place

    async def is_shared(self, team: str, channel: str) -> bool:
        return self.looks is not None and await self.looks.is_shared(team, channel)


@dataclass
class Booth:
    """*ana* and *bo* are members of *channel*; *fallback* is where homeless cards go."""

    slack: FakeSlack
    session: aiohttp.ClientSession
    hours: Hours
    keep: TimedKeep
    tokens: Tokens
    people: People
    ana: str
    bo: str
    channel: str
    fallback: str

    def pace(self) -> Pace:
        return Pace(self.hours.seconds, self.hours.sleep)

    def api(self, pace: Pace | None = None) -> Api:
        """Another process: a pace of its own."""
        return Api(self.session, self.tokens, pace or self.pace(), self.slack.api_url, self.hours.seconds)

    def mouth(self, *, api: Api | None = None, fallback: str | None = None) -> Mouth:
        speaking = api or self.api()
        people = People(self.people.known, Lookups(speaking, Table(self.slack.team), self.hours.seconds))
        return Mouth(speaking, self.keep, people, fallback, clock=self.hours.utc)

    def place(self, thread: str | None = None, channel: str | None = None) -> Place:
        return Place(platform="slack", tenant=self.slack.team, channel=channel or self.channel, thread=thread)

    def account(self, user: str) -> Account:
        return Account(platform="slack", tenant=self.slack.team, user=user)

    def read(self, ref: MessageRef) -> str | None:
        """What a person reads there; None if there is no such message."""
        message = self.slack.message(ref.place.channel, ref.id)
        return self.slack.text_of(message) if message else None

    async def thread(self) -> str:
        """Ana gives a task; the run lives in the thread below it."""
        return await self.slack.say(self.ana, self.channel, "refund order 7")


@asynccontextmanager
async def opened_booth() -> AsyncIterator[Booth]:
    async with FakeSlack() as slack, aiohttp.ClientSession() as session:
        hours = Hours()
        ana, bo = slack.add_user("ana"), slack.add_user("bo")
        slack.subscribed.clear()  # nobody listens here
        yield Booth(
            slack=slack,
            session=session,
            hours=hours,
            keep=TimedKeep(hours),
            tokens=Tokens({slack.team: slack.bot_token}),
            people=People({"person.ana": ana, "person.bo": bo}),
            ana=ana,
            bo=bo,
            channel=slack.add_channel("ops", [ana, bo]),
            fallback=slack.add_channel("approvals", [bo]),
        )


def signable(title: str = "Approval needed: refund") -> Card:
    """A card that waits for people: approve, reject."""
    return Card(
        title=title,
        facts=(Fact(label="amount", value="90"),),
        buttons=(
            Button(subject="r1", move="approve", label="Approve", token="seal-a"),
            Button(subject="r1", move="reject", label="Reject", token="seal-r"),
        ),
        footer="r1 · run1 · v1",
        run="run1",
    )


def ended(title: str = "Rejected: refund") -> Card:
    """The same request at its end."""
    return Card(title=title, status="Rejected by Bo", footer="r1 · run1 · v1", run="run1")


def note(title: str = "Looking at order 7") -> Card:
    return Card(title=title, body="One moment.", footer="run1", run="run1")
