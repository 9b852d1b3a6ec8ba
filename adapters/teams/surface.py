"""The surface: how Teams shows that an agent works: "is typing", again and again until it waits or ends.

    ACTIVE, STOPPING -> typing now, and every few seconds (`tend`)      anything else -> quiet; it fades by itself

Decoration: the status card says the same, and no run waits for this. So nothing is raised, and what cannot be shown
within two seconds is dropped. Words that grow are not shown: a stream in Teams ends as a message that stays.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import nullcontext

import structlog

from adapters.recall import each
from adapters.teams.connector import Connector
from adapters.teams.named import Rooms
from adapters.teams.places import Places
from adapters.teams.shapes import CHANNEL_ID
from bot.domain.chat import PersonId, Place
from bot.domain.errors import Refused, Unavailable
from bot.domain.ports import Live
from bot.domain.run import RunStatus

log = structlog.get_logger()

WITHIN = 2.0  # seconds; the next picture of the status card waits behind it
EVERY = 4.0  # seconds; clients show typing for about five
LONGEST = 600.0  # seconds of typing after which nobody believes it: another process may have gone on with the run
REMEMBERED = 500  # conversations that type at a time
AT_WORK = frozenset({RunStatus.ACTIVE, RunStatus.STOPPING})


class Surface:
    """Implements `Chat.presence` and `Chat.live`."""

    def __init__(
        self, connector: Connector, places: Places, rooms: Rooms, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connector, self._places, self._rooms, self._clock = connector, places, rooms, clock
        self._at_work: OrderedDict[str, tuple[Place, float]] = OrderedDict()  # since when, by conversation

    async def presence(self, place: Place, status: RunStatus) -> None:
        """As `Chat.presence`: at most 2 s. Raises nothing of Teams'."""
        if status not in AT_WORK:
            self._at_work.pop(place.key, None)
            return
        self._at_work[place.key] = (place, self._clock())
        if len(self._at_work) > REMEMBERED:
            self._at_work.popitem(last=False)
        await self._type(place)

    async def tend(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Until cancelled: type again wherever a run works. Ends for nothing else."""
        while True:
            await sleep(EVERY)
            for key, (_, since) in list(self._at_work.items()):
                if self._clock() - since > LONGEST:
                    self._at_work.pop(key, None)
            await each(list(self._at_work.values()), self._again)

    def live(self, place: Place, reader: PersonId) -> Live:  # noqa: ARG002  # as every `Chat`
        """As `Chat.live`: words are shown when they are final."""
        return nullcontext()

    async def _again(self, working: tuple[Place, float]) -> None:
        place, _ = working
        try:
            if place.key in self._at_work:  # it may have ended while others were shown
                await self._type(place)
        except Exception as error:  # said aloud; a sign of work must never end the bot
            log.error("teams_typing_failed", error=f"{type(error).__name__}: {error}", exc_info=error)

    async def _type(self, place: Place) -> None:
        try:
            async with asyncio.timeout(WITHIN):
                where = await self._places.where(await self._rooms.placed(place))
                typing = {
                    "type": "typing",
                    "channelId": CHANNEL_ID,
                    "serviceUrl": where.service_url,
                    "conversation": {"id": where.conversation},
                }
                await self._connector.post(where, typing)
        except (Refused, Unavailable, TimeoutError) as error:
            log.info("teams_typing_lost", place=place.key, why=f"{type(error).__name__}: {error}")
