"""The chat contract, kept by the playground and by the terminal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from adapters.playground.chat import Playground, PlaygroundSettings
from adapters.terminal import Terminal
from bot.domain.chat import Account, MessageRef, Person, PersonId, Place
from tests.contracts.chat import ChatContract, ChatHouse, Door
from tests.playground.client import Client, client
from tests.playground.seat import Seat
from tests.playground.standin import StandIn


def people(platform: str) -> tuple[Person, ...]:
    return tuple(
        Person(id=PersonId(user), name=user.title(), accounts=(account(platform, user),)) for user in ("ana", "bo")
    )


def account(platform: str, user: str) -> Account:
    return Account(platform=platform, tenant="local", user=user)


# -------------------------------------------------------------- the playground


class PlaygroundHouse:
    def __init__(self, chat: Playground, door: Door, client: Client, stack: AsyncExitStack) -> None:
        self.chat, self.door, self.client, self.stack = chat, door, client, stack
        self.place = Place(platform="playground", tenant="local", channel="general")
        self.nowhere = Place(platform="playground", tenant="local", channel="attic")
        self.ana, self.bo, self.stranger = (account("playground", user) for user in ("ana", "bo", "nobody"))

    async def say(self, text: str) -> None:
        await self.client.say("ana", "general", f"@countersign {text}")

    async def shown(self, ref: MessageRef) -> str | None:
        found = [each for each in await self.client.messages("ana") if each["id"] == ref.id]
        return "\n".join(_texts(found[0]["card"])) if found else None

    async def read_by(self, account: Account) -> str:
        return "\n".join(_texts(await self.client.messages(account.user)))

    async def delete(self, ref: MessageRef) -> None:
        await self.client.send(f"api/messages/{ref.id}/delete", {"by": "ana"})

    async def close(self) -> None:
        await self.stack.aclose()


class TestPlayground(ChatContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[ChatHouse]:
        settings = PlaygroundSettings(people=people("playground"), db=self.tmp / "play.db", port=0)
        chat, door = Playground(settings, StandIn()), Door()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(chat.serve(door))
            async with client(chat.url) as speaker:
                yield PlaygroundHouse(chat, door, speaker, stack)


def _texts(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [text for each in value.values() for text in _texts(each)]
        case list():
            return [text for each in value for text in _texts(each)]
    return []


# ---------------------------------------------------------------- the terminal


class TerminalHouse:
    def __init__(self, chat: Terminal, door: Door, seat: Seat, stack: AsyncExitStack) -> None:
        self.chat, self.door, self.seat, self.stack = chat, door, seat, stack
        self.place = Place(platform="terminal", tenant="local", channel="terminal")
        self.nowhere = Place(platform="playground", tenant="local", channel="general")
        self.ana, self.bo, self.stranger = (account("terminal", user) for user in ("ana", "bo", "nobody"))

    async def say(self, text: str) -> None:
        self.seat.hit(text)

    async def shown(self, ref: MessageRef) -> str | None:
        """What `show` prints for the card, asked for by its number."""
        number = next((each.number for each in self.chat.shown if each.ref == ref), None)
        return await self.seat.type(f"show {number}") if number else None

    async def read_by(self, account: Account) -> str:
        """What is printed while this person sits here. Ana sits here first, and again afterwards."""
        before = "\n".join(self.seat.printed) if account == self.ana else ""
        after = await self.seat.type(f"as {account.user}")
        await self.seat.type("as ana")
        return before.partition("You are Bo now.")[0] + after

    async def delete(self, ref: MessageRef) -> None:
        self.chat.withdraw(ref)

    async def close(self) -> None:
        await self.stack.aclose()


class TestTerminal(ChatContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[ChatHouse]:
        seat, door = Seat(), Door()
        chat = Terminal(people("terminal"), StandIn(), seat.keyboard, seat.write)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(chat.serve(door))
            yield TerminalHouse(chat, door, seat, stack)
