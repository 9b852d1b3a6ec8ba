"""A meeting: the chats that people are met in, and what the roof wants to know of them. Records alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from bot.config import Settings
from bot.domain.ports import Chat, Directory, Keep, Meter, Views
from bot.peoplefile import PeopleDirectory
from bot.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """`where` says how people reach us, `not_ready` why they do not just now; `ended` returns when whoever sat in
    front of a terminal has left."""

    chats: tuple[Chat, ...]
    url: Callable[[], str] = str
    where: Callable[[], str] = str
    not_ready: Callable[[], list[str]] = list
    gauges: Mapping[str, Callable[[], float]] = field(default_factory=dict)
    ended: Callable[[], Awaitable[object]] = lambda: asyncio.Event().wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """What a platform's directory stands on: whom people.yml lists, and where it keeps things. *stack* closes it."""

    settings: Settings
    listed: PeopleDirectory
    keep: Keep
    stack: AsyncExitStack


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a platform is opened on. *stack* closes it with the bot."""

    settings: Settings
    rules: Rules
    keep: Keep
    meter: Meter
    stack: AsyncExitStack

    @property
    def footing(self) -> Footing:
        return Footing(settings=self.settings, listed=self.rules.people, keep=self.keep, stack=self.stack)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """One platform that is open: who is known with it, and how its chat is made once everybody is.

    *met* gets what pages may look at, and the directory of all platforms together.
    """

    people: Directory
    met: Callable[[Views, Directory], Meeting]


def together(meetings: list[Meeting]) -> Meeting:
    """Several platforms as one meeting, which nobody can leave."""
    return Meeting(
        chats=tuple(chat for one in meetings for chat in one.chats),
        where=lambda: " and ".join(one.where() for one in meetings),
        not_ready=lambda: [why for one in meetings for why in one.not_ready()],
        gauges={name: value for one in meetings for name, value in one.gauges.items()},
    )
