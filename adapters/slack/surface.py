"""The surface: how Slack itself shows that an agent works, waits for people, or is ready for the next task.

    status of a run -> two lamps of its thread: the agent session, and the older "is working…" below the composer
    a lamp that a workspace or a thread does not have -> never touched again, and nobody is bothered

Decoration: the status card says the same, and no run waits for this. So nothing is raised, and what cannot be shown
within two seconds is dropped; except that an end which could not be shown is shown with the next chance, at the latest
by `tend`, or the thread would say "is working" for ever. The older lamp locks the composer in some clients, and people
answer by typing: it is off whenever they are asked.

Not here: words that grow (`streams`), the status card (the outbox).
"""

from __future__ import annotations

import asyncio
import enum
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakValueDictionary

import structlog

from adapters.slack.api import Api, SlackRefused
from adapters.slack.mouth import Users
from adapters.slack.streams import Streams, is_for_good
from bot.domain.chat import PersonId, Place
from bot.domain.errors import CountersignError, Refused, Unavailable
from bot.domain.ports import Keep, Live
from bot.domain.run import RunStatus

K = TypeVar("K")
V = TypeVar("V")
log = structlog.get_logger()

WITHIN = 2.0  # seconds; the next picture of the status card waits behind it
OWED_EVERY = 15.0  # seconds between two tries to show an end that was lost
REMEMBERED = 2_000  # threads
OFF = ""  # the older lamp shows nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """What a thread shows: the session's status, and what the older lamp says ("<bot> is working…")."""

    session: str
    typing: str = OFF


LIGHTS: Mapping[RunStatus, Light] = {
    RunStatus.ACTIVE: Light(session="processing", typing="is working…"),
    RunStatus.WAITING: Light(session="suspended"),
    RunStatus.STOPPING: Light(session="processing", typing="is stopping…"),
    RunStatus.DONE: Light(session="active"),
    RunStatus.STOPPED: Light(session="active"),
    RunStatus.FAILED: Light(session="active"),
}
AT_WORK = frozenset({RunStatus.ACTIVE, RunStatus.STOPPING})
ENDED = frozenset({RunStatus.DONE, RunStatus.STOPPED, RunStatus.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lamp:
    method: str


SESSION = Lamp(method="agents.sessions.setStatus")
TYPING = Lamp(method="assistant.threads.setStatus")


class Told(enum.Enum):
    """What became of something that should be shown."""

    SHOWN = "shown"
    ABSENT = "absent"  # there is no such lamp
    LOST = "lost"  # Slack did not answer, or asked us to slow down


class Surface:
    """Implements `Chat.presence` and `Chat.live`. Remembers the last 2,000 threads; *people* are a draft's readers."""

    def __init__(self, api: Api, keep: Keep, people: Users) -> None:
        self._api, self._streams = api, Streams(api, keep, people)
        self._shown: OrderedDict[tuple[str, Lamp], str | None] = OrderedDict()  # None: this thread has no such lamp
        self._without: set[tuple[str, Lamp]] = set()  # workspaces and the lamps they do not have
        self._owed: OrderedDict[str, tuple[Place, RunStatus]] = OrderedDict()  # ends that could not be shown
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # one status a thread at a time

    async def presence(self, place: Place, status: RunStatus) -> None:
        """As `Chat.presence`: at most 2 s, and only what has changed is sent. Raises nothing of Slack's."""
        self._owed.pop(place.key, None)
        is_told = False
        try:
            async with asyncio.timeout(WITHIN):
                async with self._turn(place):
                    is_told = await self._show(place, status)
                if is_told:
                    await self._catch_up()
        except TimeoutError:
            log.info("slack_presence_lost", place=place.key, status=status, why="no answer in time")
        if status in ENDED and not is_told:
            _remember(self._owed, place.key, (place, status))

    async def tend(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Until cancelled: show what is owed, though no other run is shown meanwhile. Ends for nothing else."""
        while True:
            await sleep(OWED_EVERY)
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(WITHIN):
                        await self._catch_up()
            except Exception as error:  # said aloud; a lamp must never end the bot
                log.error("slack_presence_failed", error=f"{type(error).__name__}: {error}", exc_info=error)

    def live(self, place: Place, reader: PersonId) -> Live:
        """As `Chat.live`."""
        return self._streams.live(place, reader)

    async def _show(self, place: Place, status: RunStatus) -> bool:
        """Switch both lamps, and clear away what should not stand beside them. False if anything was lost."""
        light = LIGHTS[status]
        told = [] if light.typing else [await self._switch(place, TYPING, OFF)]  # first: somebody wants to type
        told.append(await self._switch(place, SESSION, light.session))
        if light.typing and told == [Told.ABSENT]:  # one sign of work is enough
            told.append(await self._switch(place, TYPING, light.typing))
        if status not in AT_WORK:
            told.append(await self._clear(place))
        return Told.LOST not in told

    async def _catch_up(self) -> None:
        """Show one end that was owed: Slack answers again."""
        for key, owed in list(self._owed.items())[:1]:
            async with self._turn(owed[0]):  # the thread's next task may have begun while we waited
                if self._owed.get(key) is owed and await self._show(*owed) and self._owed.get(key) is owed:
                    del self._owed[key]

    def _turn(self, place: Place) -> asyncio.Lock:
        return self._turns.setdefault(place.key, asyncio.Lock())

    async def _clear(self, place: Place) -> Told:
        """No draft stands beside a question or an answer."""
        try:
            await self._streams.clear(place)
        except CountersignError as error:
            log.info("slack_draft_left", place=place.key, error=str(error))
            return Told.LOST if isinstance(error, Unavailable) else Told.ABSENT
        return Told.SHOWN

    # ----------------------------------------------------------------- one lamp

    async def _switch(self, place: Place, lamp: Lamp, to: str) -> Told:
        if (place.tenant, lamp) in self._without or (lamp is TYPING and place.thread is None):
            return Told.ABSENT
        key = place.key, lamp
        if key in self._shown and (shown := self._shown[key]) in (None, to):
            return Told.SHOWN if shown is not None else Told.ABSENT
        self._shown.pop(key, None)  # until Slack answers, nobody knows
        try:
            await self._api.call(place.tenant, lamp.method, channel_id=place.channel, thread_ts=place.thread, status=to)
        except SlackRefused as refused:
            return self._absent(place, lamp, refused)
        except Refused:  # the app is not installed there any more
            return Told.ABSENT
        except Unavailable as lost:
            log.info("slack_presence_lost", place=place.key, why=str(lost))
            return Told.LOST
        _remember(self._shown, key, to)
        return Told.SHOWN

    def _absent(self, place: Place, lamp: Lamp, refused: SlackRefused) -> Told:
        """Remember who has no such lamp: the workspace, or this thread alone (its first message may be deleted)."""
        log.info("slack_presence_off", place=place.key, method=lamp.method, code=refused.code)
        if is_for_good(refused):
            self._without.add((place.tenant, lamp))
        else:
            _remember(self._shown, (place.key, lamp), None)
        return Told.ABSENT


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> None:
    """Put it in front; what nobody asked for the longest is forgotten, which costs one call more."""
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
