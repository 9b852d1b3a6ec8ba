"""Once: a post happens once, whatever is lost, killed or tried by two processes at a time.

    lock -> written down as tried -> posted -> written down where it stands -> unlocked
    tried before, and nobody knows how that ended? -> the platform's own way to find out (`_orphan`), first of all

No platform here takes an idempotency key. The lock lives in the store, for LEASE; each step begins by holding on to it.
Does not own what is posted, nor where (each adapter's mouth), nor how a lost post is found again (each adapter's once).
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.chat import MessageRef, Place
from bot.domain.errors import ChatUnavailable, Refused, Unavailable
from bot.domain.ports import Keep
from bot.domain.wire import Record, pack, replace, unpack

REMEMBERED = timedelta(days=60)  # twice as long as the store remembers an ended request
LEASE = timedelta(seconds=30)  # a killed process's post waits so long; no step of an adapter takes more than 20 s
MARGIN = timedelta(seconds=10)  # whoever comes this close to the end of a lease has lost it
FRESH = timedelta(seconds=5)  # a lease this young need not be renewed
BUSY = 1.0  # seconds until another look at what somebody else is posting just now

Hold = Callable[[], Awaitable[None]]


class Tried(Record):
    """What is known of one post: tried since when, last at which place, and where it stands once that is known."""

    since: datetime
    place: Place
    ref: MessageRef | None = None


@dataclass(slots=True)
class Attempt:
    """One try, alone with its key. `ref` is there if it stands already; `mark` is the key, told to nobody."""

    mark: str
    tried: Tried
    held: datetime
    is_first: bool = False
    is_in_doubt: bool = False

    @property
    def ref(self) -> MessageRef | None:
        return self.tried.ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What differs between platforms: their name, the error of a post that perhaps arrived, and the seconds it takes
    such a post to show."""

    platform: str
    perhaps: type[ChatUnavailable]
    settle: float


class Once(ABC):
    """Remembers posts by key, for every process that shares the Keep. *clock* tells UTC."""

    def __init__(self, keep: Keep, clock: Callable[[], datetime], habits: Habits) -> None:
        self._keep, self._clock, self._habits = keep, clock, habits

    @abstractmethod
    async def _orphan(self, attempt: Attempt) -> MessageRef | None:
        """The message of an earlier try whose answer was lost, if it arrived; None to post it again.

        Raises ChatUnavailable to look later, Undeliverable if nobody can ever tell.
        """

    @asynccontextmanager
    async def attempt(self, key: str, place: Place) -> AsyncIterator[Attempt]:
        """Alone with *key*: nobody else posts it until the context ends.

        Raises ChatUnavailable while somebody else is at it, Undeliverable if nobody can tell whether it stands.
        """
        now = self._clock()
        attempt = Attempt(mark=hashlib.sha256(key.encode()).hexdigest(), tried=Tried(since=now, place=place), held=now)
        async with self._alone(attempt):
            await self._begin(attempt)
            yield attempt

    @asynccontextmanager
    async def sending(self, attempt: Attempt, place: Place) -> AsyncIterator[None]:
        """Around the one call that posts. What ends it without a clear answer leaves the attempt in doubt."""
        tried = self._retried(attempt, place)
        if attempt.tried != tried:  # whoever looks for it later must look there
            await self._write(attempt, tried)
        await self.hold(attempt)
        attempt.is_in_doubt = True
        try:
            yield
        except self._habits.perhaps:
            raise
        except (Refused, Unavailable):
            attempt.is_in_doubt = False
            raise

    async def stands(self, attempt: Attempt, ref: MessageRef) -> None:
        """It was posted. From here on its key means *ref*."""
        await self._write(attempt, replace(attempt.tried, ref=ref))
        attempt.is_in_doubt = False

    async def hold(self, attempt: Attempt) -> None:
        """Before each step: it is still ours, and will be while the step takes. Raises ChatUnavailable if not."""
        age = self._clock() - attempt.held
        if age > LEASE - MARGIN:
            raise ChatUnavailable(self._habits.platform, "posting took too long", BUSY)
        if age > FRESH:
            now = self._clock()
            await self._keep.put(self._lock(attempt), b"held", keep=LEASE)
            attempt.held = now

    def _retried(self, attempt: Attempt, place: Place) -> Tried:
        """What is written down before the call that posts at *place*."""
        return replace(attempt.tried, place=place)

    # ------------------------------------------------------------------ steps

    @asynccontextmanager
    async def _alone(self, attempt: Attempt) -> AsyncIterator[None]:
        if await self._keep.claim(self._lock(attempt), b"held", keep=LEASE) is not None:
            raise ChatUnavailable(self._habits.platform, "somebody else is posting this card just now", BUSY)
        try:
            yield
        finally:
            await self._let_go(attempt)

    async def _let_go(self, attempt: Attempt) -> None:
        if self._clock() - attempt.held >= LEASE:
            return  # the lock is somebody else's by now
        if attempt.is_in_doubt:  # give the platform a moment to show it, before anybody looks
            await self._keep.put(self._lock(attempt), b"doubt", keep=timedelta(seconds=self._habits.settle))
        elif attempt.is_first and attempt.ref is None:
            # certainly not posted: as if never tried
            await self._keep.forget(self._record(attempt.mark), self._lock(attempt))
        else:
            await self._keep.forget(self._lock(attempt))

    async def _begin(self, attempt: Attempt) -> None:
        """Write down that it is tried, before it is; or find what an earlier try left behind."""
        was = await self._keep.claim(self._record(attempt.mark), pack(attempt.tried), keep=REMEMBERED)
        if was is None:
            attempt.is_first = True
            return
        attempt.tried = unpack(Tried, was)
        if attempt.ref is None and (ref := await self._orphan(attempt)):
            await self.stands(attempt, ref)

    async def _write(self, attempt: Attempt, tried: Tried) -> None:
        await self._keep.put(self._record(attempt.mark), pack(tried), keep=REMEMBERED)
        attempt.tried = tried

    def _record(self, mark: str) -> str:
        return f"{self._habits.platform}:post:{mark}"

    def _lock(self, attempt: Attempt) -> str:
        return f"{self._habits.platform}:posting:{attempt.mark}"
