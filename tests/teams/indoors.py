"""A Teams office on the strict fake, and what speaks in it: for tests of what goes out, without anybody who listens.

Ana and Bo are in the team Support with its channel ops, where the app is; Gil is a guest there. `Quick` is a time that
passes when somebody waits, so that no test waits for the two seconds between edits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from adapters.server import Address
from adapters.teams.clouds import Changes
from adapters.teams.connector import Timing
from adapters.teams.edits import Edits
from adapters.teams.mouth import Mouth, Within
from adapters.teams.office import Office, TeamsSettings, opened_office
from adapters.teams.once import Once
from adapters.teams.people import TeamsDirectory, Trust
from adapters.teams.shapes import PLATFORM, Inbound
from bot.domain.chat import Account, Button, Card, Person, Place
from bot.domain.wire import replace
from bot.peoplefile import PeopleDirectory
from tests.fakes.keep import MemoryKeep
from tests.fakes.teams import FakeMessage, FakeTeams, Json


@dataclass
class Quick:
    """A clock for UTC and for seconds; `sleep` puts it forward."""

    ahead: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 11, 20, 10, tzinfo=UTC) + timedelta(seconds=self.ahead)

    def seconds(self) -> float:
        return self.ahead

    def later(self, seconds: float) -> None:
        self.ahead += seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.later(seconds)
        await asyncio.sleep(0)  # whoever else wants to is heard meanwhile

    @property
    def timing(self) -> Timing:
        return Timing(clock=self.seconds, sleep=self.sleep, jitter=lambda: 0.0)

    @property
    def edits(self) -> Edits:
        return Edits(self.seconds, self.sleep)


def settings_of(teams: FakeTeams, **changes: object) -> TeamsSettings:
    """As the roof would read them, with everything of Microsoft's on the fake."""
    base = TeamsSettings(
        app_id=teams.app_id,
        app_password=teams.app_password,
        tenant=teams.tenant,
        changes=Changes(
            metadata=teams.openid_metadata,
            login=teams.login_url,
            graph=teams.graph_url,
            service_url=teams.service_url,
            hosts=(teams.origin,),
        ),
        address=Address(port=0),
    )
    fields = {name: getattr(base, name) for name in base.__dataclass_fields__}
    return TeamsSettings(**{**fields, **changes})


@dataclass
class Indoors:
    """One opened office. `heard` says what Teams would have told us about a conversation."""

    teams: FakeTeams
    office: Office
    keep: MemoryKeep
    time: Quick
    ana: str
    bo: str
    gil: str
    team: str

    @property
    def ops(self) -> str:
        return self.teams.channel("ops")

    def account(self, user: str) -> Account:
        return Account(platform=PLATFORM, tenant=self.teams.tenant, user=user)

    def place(self, thread: str | None = None, channel: str = "") -> Place:
        return Place(platform=PLATFORM, tenant=self.teams.tenant, channel=channel or self.ops, thread=thread)

    async def heard(self, raw: Json) -> Inbound:
        inbound = Inbound.of(raw)
        await self.office.places.learn(inbound)
        return inbound

    async def said(self, user: str, conversation: str, text: str = "hello", thread: str | None = None) -> Inbound:
        return await self.heard(self.teams.words(user, conversation, text, thread))

    async def settle(self) -> str:
        """Everybody has written once: in a thread of ops, and Ana and Bo in their own chats. Returns the thread."""
        first = await self.said(self.ana, self.ops)
        for user in (self.bo, self.gil):
            await self.said(user, self.ops)
        for user in (self.ana, self.bo):
            await self.said(user, self.teams.direct_chat(user))
        return first.activity

    def directory(self, *people: Person, **trust: object) -> TeamsDirectory:
        tenant = self.teams.tenant
        wanted = {"tenants": frozenset({tenant}), "home": tenant, **trust}
        return self.office.directory(PeopleDirectory(people), Trust(**wanted))  # type: ignore[arg-type]  # by name

    def once(self) -> Once:
        return Once(self.keep, self.office.places, self.time.now)

    def mouth(self, *people: Person, fallback: Place | None = None) -> Mouth:
        """A process of its own: what it knows, it has from the Keep."""
        office = self.office
        within = Within(
            connector=office.connector,
            places=office.places,
            rooms=office.rooms,
            once=self.once(),
            people=self.directory(*people),
            bot=office.bot,
            service_url=office.cloud.service_url,
            fallback=fallback,
        )
        return Mouth(within, self.time.edits)

    def only(self, conversation: str = "") -> FakeMessage:
        [post] = self.teams.posts(conversation)
        return post


@asynccontextmanager
async def indoors(*, is_granted: bool = True, **changes: object) -> AsyncIterator[Indoors]:
    """Ends with whatever the bot did that no bot may do: nothing. *is_granted*: may Graph tell who people are?"""
    async with FakeTeams() as teams:
        if not is_granted:
            teams.graph_permissions.clear()
        ana, bo = teams.add_person("Ana Alvarez"), teams.add_person("Bo Brandt")
        gil = teams.add_person("Gil Guest", is_guest=True)
        team = teams.add_team("Support", ["ops"], [ana, bo, gil])
        keep, time = MemoryKeep(), Quick()
        async with opened_office(settings_of(teams, **changes), keep, time.timing) as office:
            house = Indoors(teams=teams, office=office, keep=keep, time=time, ana=ana, bo=bo, gil=gil, team=team)
            yield house
        assert teams.complaints == []


def signable(title: str = "Wire 90 to the bank?", *, subject: str = "q-1") -> Card:
    buttons = (
        Button(subject=subject, move="approve", label="Approve", token="seal-a"),
        Button(subject=subject, move="reject", label="Reject", token="seal-r"),
    )
    return Card(title=title, body="Somebody has to sign this.", buttons=buttons)


def ended(card: Card) -> Card:
    return replace(card, status="Approved by Bo", buttons=())
