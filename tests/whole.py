"""What whole-flow tests of every chat share: who is who, a front door that can be shut, looks at what came of it.

A chat's own `whole.py` adds its site (the chat and its people, who see what is on their screens and nothing else) and
its `Replica` (one process of the bot there).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

from bot.domain.chat import Account, Answer, Click, Form, Message, Place
from bot.domain.errors import StoreUnavailable
from bot.domain.ports import FrontDoor
from bot.domain.request import RequestId
from bot.peoplefile import PeopleDirectory, parse_people
from tests.house import House

# who is in which groups, and whose manager is whom; the same as in the shipped people.yml
NAMES: Mapping[str, tuple[str, str]] = {
    "ana": ("sales", "dana"),
    "bo": ("approvers", "dana"),
    "chris": ("approvers, finance", "dana"),
    "dana": ("managers", "erin"),
    "erin": ("managers", ""),
}
Accounts = Mapping[str, Mapping[str, str]]  # name -> platform -> account
LOOK = "Steps"  # the one button that stays when a run is over: it changes nothing


def people_of(
    tenants: Mapping[str, str],
    accounts: Accounts,
    groups: str = "",
    *,
    unlisted: Sequence[str] = (),
    apart: Sequence[str] = (),
) -> PeopleDirectory:
    """people.yml for these accounts: all but *unlisted*; those *apart* are in no group of the file."""
    listed = "\n".join(_listed(name, accounts[name], name in apart) for name in NAMES if name not in unlisted)
    more = f"groups:\n  {groups}\n" if groups else ""
    return parse_people(f"tenants: {_flow(tenants)}\npeople:\n{listed}\n{more}".encode())


def _listed(name: str, accounts: Mapping[str, str], is_apart: bool) -> str:
    groups, manager = NAMES[name]
    facts = [f"name: {name.title()}", f"accounts: {_flow(accounts)}"]
    facts += [f"manager: {manager}"] if manager else []
    facts += [] if is_apart else [f"groups: [{groups}]"]
    return f"  {name}: {{{', '.join(facts)}}}"


def _flow(pairs: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in pairs.items()) + "}"


class Whole(House):
    """One process of the bot. Its chat's own class opens the chat, and lets it listen through `front`."""

    def __init__(self, *where: Any, **parts: Any) -> None:
        super().__init__(*where, **parts)
        self._where, self._given = where, parts
        self.front = Front()

    @property
    def book(self) -> list[tuple[int, int]]:
        """The shop's own book of refunds: order and cents, oldest first."""
        with closing(sqlite3.connect(self._folder / "shop.db")) as base:
            return base.execute("SELECT order_id, cents FROM refunds ORDER BY seq").fetchall()

    async def until(self, holds: Callable[[], object], what: str) -> None:
        """Wait until *holds* of something that is not in the chat; look again after every look at the store."""
        try:
            async with asyncio.timeout(10):
                while not holds():
                    await self.store.totals(0)
        except TimeoutError:
            raise AssertionError(f"never happened: {what}") from None

    async def known(self, request: RequestId, message: str) -> None:
        """Wait until the store knows that *request* is shown as *message*."""
        async with asyncio.timeout(10):
            while message not in [copy.ref.id for copy in (await self.store.held(request)).copies if copy.ref]:
                pass


class Front:
    """The front door, which is shut for the next *shut_for* posts and *deaf_for* presses: the store was away."""

    def __init__(self) -> None:
        self.desk: FrontDoor
        self.shut_for = self.deaf_for = 0

    async def message(self, message: Message) -> Answer | None:
        if self.shut_for:
            self.shut_for -= 1
            raise StoreUnavailable("the store is away")
        return await self.desk.message(message)

    async def click(self, click: Click) -> Answer:
        self._hear()
        return await self.desk.click(click)

    async def form(self, form: Form) -> Answer:
        self._hear()
        return await self.desk.form(form)

    async def order(self, text: str, by: Account, place: Place, delivery: str) -> Answer | None:
        return await self.desk.order(text, by, place, delivery)

    async def revoke(self, grant_id: str, by: Account, delivery: str) -> Answer:
        return await self.desk.revoke(grant_id, by, delivery)

    def _hear(self) -> None:
        if self.deaf_for:
            self.deaf_for -= 1
            raise StoreUnavailable("the store is away")
