"""Commands: what people write to the bot that is no task, the same on every platform.

    text -> domain/orders: is all of it a command? -> who asks -> its row here -> an answer, for them alone

Owns which command does what. Not the grammar (orders), nor the deeds (leaving, lists, overview, putting_off).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import structlog

from bot.domain import orders
from bot.domain.chat import Account, Answer, Place
from bot.domain.errors import BadRecord, BadSeal, NotRequestable, Refused
from bot.domain.orders import Misread
from bot.domain.people import may_answer
from bot.domain.ports import Directory
from bot.domain.preferences import Preferences
from bot.runtime.allowed import Allowed, Revoke
from bot.runtime.asked import Asked
from bot.runtime.leaving import Leaving, Remembering
from bot.runtime.lists import Lists, Stop
from bot.runtime.overview import Overview
from bot.runtime.parts import Parts
from bot.runtime.putting_off import PuttingOff
from bot.runtime.rights import Rights
from bot.runtime.views import RuntimeViews
from bot.runtime.whom import Whom
from bot.runtime.wishes import Wishes

log = structlog.get_logger()

Deed = Callable[[Asked], Awaitable[str]]
"""Carry a command out; return what the person reads. Raises Refused with words for them, Unavailable."""

FOR_ANYBODY = ("whoami",)  # also for guests, who would like to know why everything else is refused


class Table(Protocol):
    """A part of the commands: its deeds by their names."""

    @property
    def deeds(self) -> Mapping[str, Deed]: ...


class Commands:
    def __init__(self, directory: Directory, *parts: Table) -> None:
        self._directory = directory
        self._deeds: Mapping[str, Deed] = {name: deed for part in parts for name, deed in part.deeds.items()} | {
            "help": self._help
        }

    async def order(self, text: str, by: Account, place: Place, delivery: str) -> Answer | None:
        """Do what *text* orders. None if it is no command: then it is a task or a reply.

        The same *delivery* changes something once. Raises Unavailable when nothing is known to have been done.
        """
        read = orders.read(text)
        if read is None:
            return None
        person = await self._directory.who(by)
        word = "" if isinstance(read, Misread) else read.word
        if person is None or not (may_answer(person) or word in FOR_ANYBODY):
            return Answer(is_taken=False, text=NotRequestable.people_read)
        if isinstance(read, Misread):
            return Answer(is_taken=False, text=read.told)
        asked = Asked(word=word, rest=read.rest, name=read.name, by=by, person=person, place=place, delivery=delivery)
        try:
            told = await self._deeds[word](asked)
        except (Refused, BadSeal, BadRecord) as error:
            log.info("command_refused", word=word, person=person.id, cause=type(error).__name__)
            return Answer(is_taken=False, text=error.people_read)
        return Answer(is_taken=orders.NAMES[word].does, text=told)

    async def _help(self, asked: Asked) -> str:
        return orders.helped(asked.name)


def commands(parts: Parts, rights: Rights, absences: Remembering, *, stop: Stop, revoke: Revoke) -> Commands:
    """Every command of `orders.TABLE`, on the parts of one process."""
    store, people = parts.store, parts.directory
    views = RuntimeViews(store, parts.toolbox, people, parts.key, reports=parts.policy.reports)
    return Commands(
        people,
        Overview(store, views, rights),
        Lists(views, people, store.now, stop),
        PuttingOff(store, views),
        Leaving(store, people, absences),
        Allowed(views, revoke),
        Whom(parts.roster),
        Wishes(Preferences(store.keep())),
    )
