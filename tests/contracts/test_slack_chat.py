"""The chat contract, kept by the whole Slack adapter: over HTTP and over Socket Mode, against the strict fake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from adapters.server import Address
from adapters.slack.chat import Slack, SlackWithin
from adapters.slack.http import PATH
from adapters.slack.office import SlackSettings, opened_office
from adapters.slack.people import Trust
from bot.domain.chat import Account, MessageRef, PersonId, Place
from bot.domain.wire import Json
from bot.peoplefile import PeopleDirectory
from tests.contracts.chat import ChatContract, ChatHouse, Door
from tests.fakes.keep import MemoryKeep
from tests.fakes.slack import FakeSlack
from tests.slack.listening import Looks


class SlackHouse:
    """Ana and Bo are members of #ops, where the bot is. Everybody reads there what everybody else reads."""

    def __init__(self, slack: FakeSlack, chat: Slack, door: Door, stack: AsyncExitStack) -> None:
        self.slack, self.chat, self.door, self.stack = slack, chat, door, stack
        ana, bo = slack.add_user("ana"), slack.add_user("bo")
        self.ops = slack.add_channel("ops", [ana, bo])
        self.place, self.nowhere = self._place(self.ops), self._place("C0NOWHERE")
        self.ana, self.bo, self.stranger = (self._account(user) for user in (ana, bo, "U0NOBODY"))

    async def say(self, text: str) -> None:
        await self.slack.say(self.ana.user, self.ops, f"{self.slack.mention} {text}")

    async def shown(self, ref: MessageRef) -> str | None:
        message = self.slack.message(ref.place.channel, ref.id)
        return self.slack.text_of(message) if message else None

    async def read_by(self, account: Account) -> str:
        places = (self.ops, self.slack.dm(account.user))
        seen = [message for place in places for message in self.slack.messages(place)]
        return "\n".join(map(self.slack.text_of, [*seen, *self.slack.ephemerals(account.user)]))

    async def delete(self, ref: MessageRef) -> None:
        await self.slack.erase(self.ana.user, ref.place.channel, ref.id)

    async def close(self) -> None:
        await self.stack.aclose()

    def _place(self, channel: str) -> Place:
        return Place(platform="slack", tenant=self.slack.team, channel=channel)

    def _account(self, user: str) -> Account:
        return Account(platform="slack", tenant=self.slack.team, user=user)


@asynccontextmanager
async def serving(slack: FakeSlack, settings: SlackSettings) -> AsyncIterator[SlackHouse]:
    """The adapter as the roof opens it, with a door in the runtime's place."""
    door = Door()
    async with AsyncExitStack() as stack:
        office = await stack.enter_async_context(opened_office(settings, MemoryKeep()))
        people = office.directory(PeopleDirectory(()), Trust())
        chat = Slack(SlackWithin(office=office, people=people, views=Looks(), explain=nothing_said))
        await stack.enter_async_context(chat.serve(door))
        yield SlackHouse(slack, chat, door, stack)


async def nothing_said(tool: str, args: Json, by: PersonId, place: Place) -> str:
    """No test of the contract asks for the policy."""
    raise AssertionError(f"{tool}({args}) for {by} at {place.key}")


class TestSlackOverHttp(ChatContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[ChatHouse]:
        async with FakeSlack() as slack:
            settings = SlackSettings(
                bot_token=slack.bot_token,
                signing_secret=slack.signing_secret,
                api_url=slack.api_url,
                address=Address(port=0),
            )
            async with serving(slack, settings) as house:
                slack.request_url = house.chat.where.removeprefix("Slack through ")
                assert slack.request_url.endswith(PATH)
                yield house


class TestSlackOverASocket(ChatContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[ChatHouse]:
        async with FakeSlack() as slack:
            slack.ack_within = 0.2  # what is not taken is not acked, and Slack waits that long before it comes again
            settings = SlackSettings(bot_token=slack.bot_token, app_token=slack.app_token, api_url=slack.api_url)
            async with serving(slack, settings) as house:
                await slack.until(lambda: slack.sockets.lines, "a connection")
                yield house
