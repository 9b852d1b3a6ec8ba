"""An office for tests of who is who: the fake Slack, the real `Api`, a clock, and directories around a people file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from adapters.slack.api import Api, SlackGone
from adapters.slack.lookups import Lookups
from adapters.slack.pace import Pace
from adapters.slack.people import SlackDirectory, Trust
from bot.domain.chat import Account, Person
from bot.domain.people import may_answer
from bot.domain.ports import Directory
from bot.peoplefile import parse_people
from tests.fakes.slack import FakeSlack
from tests.slack.table import Table

NOBODY = "people:\n  zoe: {name: Zoe, accounts: {playground: zoe}}\n"


@dataclass
class Hours:
    """A clock that moves when somebody says so, or sleeps by it."""

    now: float = 1000.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@dataclass
class Office:
    """A fake workspace, the real `Api`, and directories around a people file."""

    slack: FakeSlack
    session: aiohttp.ClientSession
    tokens: dict[str, str]
    hours: Hours = field(default_factory=Hours)

    async def token(self, team: str) -> str:
        if team not in self.tokens:
            raise SlackGone(team)
        return self.tokens[team]

    async def teams(self) -> tuple[str, ...]:
        return tuple(self.tokens)

    async def bot_user(self, team: str) -> str | None:
        return self.slack.bot_of(team) if team in self.tokens else None

    def directory(
        self, people: str = NOBODY, *, manager_field: str | None = None, is_matching_email: bool = False
    ) -> SlackDirectory:
        api = Api(self.session, self, Pace(self.hours.clock, self.hours.sleep), self.slack.api_url)
        return around(people, Lookups(api, self, self.hours.clock), manager_field, is_matching_email)

    def on(self, user: str, team: str = "") -> Account:
        return Account(platform="slack", tenant=team or self.slack.team, user=user)

    def own(self, *users: str) -> set[str]:
        """The ids of people whom nobody listed."""
        return {f"slack.{self.slack.team}.{user}" for user in users}

    def install(self, team: str) -> None:
        self.tokens[team] = self.slack.install(team)


@asynccontextmanager
async def opened() -> AsyncIterator[Office]:
    async with FakeSlack() as slack, aiohttp.ClientSession() as session:
        yield Office(slack, session, {slack.team: slack.bot_token})


def around(
    people: str, looks: Lookups, manager_field: str | None = None, is_matching_email: bool = False
) -> SlackDirectory:
    base = parse_people(people.encode())
    trust = Trust(
        sources=base.sources,
        home=base.tenants.get("slack", ""),
        manager_field=manager_field,
        is_matching_email=is_matching_email,
    )
    return SlackDirectory(base, looks, trust)


def by_table(
    table: Table, people: str = NOBODY, hours: Hours | None = None, *, is_matching_email: bool = False
) -> SlackDirectory:
    looks = Lookups(table, table, (hours or Hours()).clock)
    return around(people, looks, is_matching_email=is_matching_email)


def u(user: str, team: str = "T1") -> Account:
    return Account(platform="slack", tenant=team, user=user)


async def may(directory: Directory, account: Account) -> bool:
    person = await directory.who(account)
    return person is not None and may_answer(person)


def the(person: Person | None) -> Person:
    assert person is not None
    return person


def sourced(kind: str, name: str, more: str = "") -> str:
    return f"{NOBODY}{more}groups:\n  finance: {{{kind}: {name}}}\n"
