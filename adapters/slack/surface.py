"""The surface: how Slack itself shows that an agent works, waits for people, or is ready for the next task.

    status of a run -> two lamps of its thread: the agent session, and the older "is working…" below the composer
    a lamp that a workspace or a thread does not have -> never touched again, and nobody is bothered

Decoration: the status card says the same, and no run waits for this. So nothing is raised, and what cannot be shown
within two seconds is dropped; except that an end which could not be shown is shown with the next chance, at the latest
by `tend`, or the thread would say "is working" for ever. The older lamp locks the composer in some clients, and people
answer by typing: it is off whenever they are asked.

A run may end in another process than it began in, so what a thread shows and which ends are owed is in `Keep`, for all
of them; an end is sent even so, whatever is believed to stand there.

Not here: words that grow (`streams`), the status card (the outbox).
"""

from __future__ import annotations

import asyncio
import enum
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from weakref import WeakValueDictionary

import structlog

from adapters.slack.api import Api, SlackRefused
from adapters.slack.mouth import Users
from adapters.slack.streams import Streams, is_for_good
from bot.domain.chat import PersonId, Place
from bot.domain.errors import Broken, CountersignError, Refused, Unavailable
from bot.domain.ports import Keep, Live
from bot.domain.run import RunStatus
from bot.domain.wire import Record, pack, unpack

K = TypeVar("K")
V = TypeVar("V")
log = structlog.get_logger()

WITHIN = 2.0  # seconds; the next picture of the status card waits behind it
OWED_EVERY = 15.0  # seconds between two tries to show an end that was lost
OWED_AT_ONCE = 10  # ends of one such try
OWED_FOR = timedelta(days=7)  # nobody looks at a thread for a lamp that stuck so long ago
REMEMBERED_FOR = timedelta(days=1)  # what a thread shows; then one call more is made
REMEMBERED = 2_000  # threads
ROLL = "slack:lamps"  # threads with an end that is owed
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
Shown = dict[str, str]  # what each lamp of a thread shows, by method; nothing while nobody knows


class Lamps(Record):
    """What is known of one thread, by every process: what it shows, and the end that could not be shown."""

    place: Place
    shown: Mapping[str, str] = {}
    owed: RunStatus | None = None


class Told(enum.Enum):
    """What became of something that should be shown."""

    SHOWN = "shown"
    ABSENT = "absent"  # there is no such lamp
    LOST = "lost"  # Slack did not answer, or asked us to slow down


class Surface:
    """Implements `Chat.presence` and `Chat.live`. *people* are a draft's readers, *clock* tells UTC."""

    def __init__(
        self, api: Api, keep: Keep, people: Users, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._api, self._keep, self._streams = api, keep, Streams(api, keep, people, clock)
        self._dark: OrderedDict[tuple[str, Lamp], None] = OrderedDict()  # threads and the lamps they do not have
        self._without: set[tuple[str, Lamp]] = set()  # workspaces and the lamps they do not have
        self._owed: OrderedDict[str, tuple[Place, RunStatus]] = OrderedDict()  # ends we know to be owed
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # one status a thread at a time

    async def presence(self, place: Place, status: RunStatus) -> None:
        """As `Chat.presence`: at most 2 s; sends what has changed, and every end. Raises nothing of Slack's."""
        self._owed.pop(place.key, None)
        async with self._turn(place):
            is_told = await self._present(place, status)
        if is_told and self._owed:
            with suppress(TimeoutError):
                async with asyncio.timeout(WITHIN):
                    await self._catch_up(1)

    async def tend(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Until cancelled: show what is owed, though no other run is shown meanwhile. Ends for nothing else."""
        while True:
            await sleep(OWED_EVERY)
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(WITHIN * OWED_AT_ONCE):
                        await self._look()
                        await self._catch_up(OWED_AT_ONCE)
            except Exception as error:  # said aloud; a lamp must never end the bot
                log.error("slack_presence_failed", error=f"{type(error).__name__}: {error}", exc_info=error)

    def live(self, place: Place, reader: PersonId) -> Live:
        """As `Chat.live`."""
        return self._streams.live(place, reader)

    async def _present(self, place: Place, status: RunStatus) -> bool:
        """Show it, and write down what the thread shows then, or still has to. False if anything was lost."""
        was, is_told = Lamps(place=place), False
        shown: Shown = {}
        try:
            async with asyncio.timeout(WITHIN):
                was = await self._known(place)
                shown.update(was.shown)
                is_told = await self._show(place, status, shown)
        except TimeoutError:
            log.info("slack_presence_lost", place=place.key, status=status, why="no answer in time")
        is_owed = status in ENDED and not is_told
        if is_owed:
            _remember(self._owed, place.key, (place, status))
        now = Lamps(place=place, shown=shown, owed=status if is_owed else None)
        if now != was or status in ENDED:
            await self._write(now, is_over=status in ENDED and is_told)
        return is_told

    async def _show(self, place: Place, status: RunStatus, shown: Shown) -> bool:
        """Switch both lamps, and clear away what should not stand beside them. False if anything was lost."""
        light = LIGHTS[status]
        if status in ENDED:  # whatever anybody believes: one of the two is lit
            shown.pop(SESSION.method, None)
        if status in ENDED and (place.tenant, SESSION) in self._without:
            shown.pop(TYPING.method, None)
        told = [] if light.typing else [await self._switch(place, TYPING, OFF, shown)]  # first: somebody wants to type
        told.append(await self._switch(place, SESSION, light.session, shown))
        if light.typing and told == [Told.ABSENT]:  # one sign of work is enough
            told.append(await self._switch(place, TYPING, light.typing, shown))
        if status not in AT_WORK:
            told.append(await self._clear(place))
        return Told.LOST not in told

    # ---------------------------------------------------------- what is owed

    async def _look(self) -> None:
        """Ends that another process could not show, perhaps one that is gone."""
        try:
            found = await self._keep.enrolled(ROLL)
        except Unavailable as away:
            log.info("slack_presence_unknown", why=str(away))
            return
        for lamps in (unpack(Lamps, value) for value in found.values()):
            if lamps.owed is not None and lamps.place.key not in self._owed:
                _remember(self._owed, lamps.place.key, (lamps.place, lamps.owed))

    async def _catch_up(self, most: int) -> None:
        """Show up to *most* ends that are owed: Slack answers again."""
        for key, owed in list(self._owed.items())[:most]:
            async with self._turn(owed[0]):  # the thread's next task may have begun while we waited
                if self._owed.get(key) is not owed:
                    continue
                if await self._is_owed(owed[0]):
                    await self._present(*owed)  # still lost: it stands last in the row again
                if self._owed.get(key) is owed:
                    del self._owed[key]

    async def _is_owed(self, place: Place) -> bool:
        """Has no other process shown it since, or begun the thread's next task?"""
        try:
            known = await self._keep.get(_name(place))
        except Unavailable:
            return True
        return known is not None and unpack(Lamps, known).owed is not None

    async def _known(self, place: Place) -> Lamps:
        try:
            known = await self._keep.get(_name(place))
            return unpack(Lamps, known) if known is not None else Lamps(place=place)
        except (Unavailable, Broken) as away:  # then everything is sent
            log.info("slack_presence_unknown", place=place.key, why=str(away))
            return Lamps(place=place)

    async def _write(self, lamps: Lamps, *, is_over: bool) -> None:
        """For every process. Of a run that is over nothing is kept."""
        try:
            if is_over:
                await self._keep.forget(_name(lamps.place))
            elif lamps.owed is not None:
                await self._keep.enrol(ROLL, lamps.place.key, pack(lamps), keep=OWED_FOR, most=REMEMBERED)
            else:
                await self._keep.put(_name(lamps.place), pack(lamps), keep=REMEMBERED_FOR)
        except Unavailable as away:
            log.info("slack_presence_unknown", place=lamps.place.key, why=str(away))

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

    async def _switch(self, place: Place, lamp: Lamp, to: str, shown: Shown) -> Told:
        if (place.tenant, lamp) in self._without or (lamp is TYPING and place.thread is None):
            return Told.ABSENT
        if (place.key, lamp) in self._dark:
            return Told.ABSENT
        if shown.pop(lamp.method, None) == to:  # until Slack answers, nobody knows
            shown[lamp.method] = to
            return Told.SHOWN
        try:
            await self._api.call(place.tenant, lamp.method, channel_id=place.channel, thread_ts=place.thread, status=to)
        except SlackRefused as refused:
            return self._absent(place, lamp, refused)
        except Refused:  # the app is not installed there any more
            return Told.ABSENT
        except Unavailable as lost:
            log.info("slack_presence_lost", place=place.key, why=str(lost))
            return Told.LOST
        shown[lamp.method] = to
        return Told.SHOWN

    def _absent(self, place: Place, lamp: Lamp, refused: SlackRefused) -> Told:
        """Remember who has no such lamp: the workspace, or this thread alone (its first message may be deleted)."""
        log.info("slack_presence_off", place=place.key, method=lamp.method, code=refused.code)
        if is_for_good(refused):
            self._without.add((place.tenant, lamp))
        else:
            _remember(self._dark, (place.key, lamp), None)
        return Told.ABSENT


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> None:
    """Put it in front; what nobody asked for the longest is forgotten, which costs one call more."""
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)


def _name(place: Place) -> str:
    return f"{ROLL}:{place.key}"
