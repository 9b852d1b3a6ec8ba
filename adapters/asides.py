"""Asides: what one person is told, and what is done after the platform heard "ok", never before.

Owns these tasks: they live in the group of whoever serves. One that fails is said aloud in the log and harms no other:
what people decided was written down before it began.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from bot.domain.chat import Account, Answer, Place
from bot.domain.errors import Broken, CountersignError, Unavailable

log = structlog.get_logger()

Whisper = Callable[[str, Place, Account], Awaitable[None]]


class Asides:
    def __init__(self, group: asyncio.TaskGroup, whisper: Whisper) -> None:
        self._group, self._whisper = group, whisper

    def tell(self, text: str, place: Place, to: Account) -> None:
        """Tell one person *text* at *place*, soon. Nothing for an empty text."""
        if text:
            self.later(self._tell(text, place, to), "tell one person")

    def later(self, deed: Coroutine[Any, Any, None], name: str) -> None:
        """Do *deed* in our own group, so that it is neither lost nor waited for. *name* stands in the log."""
        self._group.create_task(_guarded(deed, name), name=name)

    async def _tell(self, text: str, place: Place, to: Account) -> None:
        await self._whisper(text, place, to)


async def judged(deed: Awaitable[Answer | None]) -> Answer | None:
    """What the front door answers to *deed*; an error of ours is an answer as well.

    Raises Unavailable when nothing was recorded, and everything that is a bug.
    """
    try:
        return await deed
    except Unavailable:
        raise
    except CountersignError as error:
        if isinstance(error, Broken):
            log.error("deed_broken", error=str(error), exc_info=error)
        return Answer(is_taken=False, text=error.people_read)


async def _guarded(deed: Coroutine[Any, Any, None], name: str) -> None:
    try:
        await deed
    except CountersignError as error:
        log.warning("aside_lost", task=name, error=str(error))
    except Exception as error:  # said aloud; one person's answer must not end everybody's
        log.error("aside_failed", task=name, error=f"{type(error).__name__}: {error}", exc_info=error)
