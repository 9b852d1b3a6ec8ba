"""The chat contract, kept by the whole Teams adapter against the strict fake: over HTTP both ways, with real tokens."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from adapters.teams.chat import Teams, TeamsWithin
from adapters.teams.office import opened_office
from adapters.teams.people import Trust
from bot.domain.chat import Account, MessageRef, Place
from bot.peoplefile import PeopleDirectory
from bot.telemetry import Metrics
from tests.contracts.chat import ChatContract, ChatHouse, Door
from tests.fakes.keep import MemoryKeep
from tests.fakes.teams import FakeTeams
from tests.slack.listening import Looks
from tests.teams.indoors import Quick, settings_of


class TeamsHouse:
    """Ana and Bo are in the team Support, where the app is, and have it in chats of their own."""

    def __init__(self, teams: FakeTeams, chat: Teams, door: Door, stack: AsyncExitStack) -> None:
        self.teams, self.chat, self.door, self.stack = teams, chat, door, stack
        ana, bo = teams.add_person("Ana Alvarez"), teams.add_person("Bo Brandt")
        stranger = teams.add_person("Sal Stranger", with_app=False)
        self.support = teams.add_team("Support", ["ops"], [ana, bo])
        self.ops = teams.channel("ops")
        self.place, self.nowhere = self._place(self.ops), self._place("19:nowhere@thread.tacv2")
        self.ana, self.bo, self.stranger = (self._account(user) for user in (ana, bo, stranger))

    async def say(self, text: str) -> None:
        await self.teams.say(self.ana.user, self.ops, text)

    async def shown(self, ref: MessageRef) -> str | None:
        found = [one for one in self.teams.messages(ref.place.channel) if one.id == ref.id]
        return self.teams.text_of(found[0]) if found else None

    def thread_of(self, ref: MessageRef) -> str | None:
        return self.teams.message(ref.id).thread

    async def read_by(self, account: Account) -> str:
        places = (self.ops, self.teams.direct_chat(account.user))
        seen = [message for place in places for message in self.teams.messages(place)]
        return "\n".join(map(self.teams.text_of, seen))

    async def delete(self, ref: MessageRef) -> None:
        await self.teams.erase(self.ana.user, ref.place.channel, ref.id)

    async def close(self) -> None:
        await self.stack.aclose()
        self.teams.connect(None)

    def _place(self, channel: str) -> Place:
        return Place(platform="teams", tenant=self.teams.tenant, channel=channel)

    def _account(self, user: str) -> Account:
        return Account(platform="teams", tenant=self.teams.tenant, user=user)


class TestTeams(ChatContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[ChatHouse]:
        """The adapter as the roof opens it, with a door in the runtime's place, installed and spoken to once."""
        time, door = Quick(), Door()
        async with FakeTeams() as teams, AsyncExitStack() as stack:
            office = await stack.enter_async_context(opened_office(settings_of(teams), MemoryKeep(), time.timing))
            people = office.directory(PeopleDirectory(()), Trust(tenants=frozenset({teams.tenant}), home=teams.tenant))
            lent = TeamsWithin(office=office, own=people, people=people, views=Looks(), meter=Metrics())
            chat = Teams(dataclasses.replace(lent, clock=time.now, edits=time.edits))
            await stack.enter_async_context(chat.serve(door))
            house = TeamsHouse(teams, chat, door, stack)
            teams.connect(chat.where.removeprefix("Teams through "))
            await teams.install(house.support)
            yield house
            assert teams.complaints == []

    def thread_of(self, house: ChatHouse, ref: MessageRef) -> str | None:
        assert isinstance(house, TeamsHouse)
        return house.thread_of(ref)
