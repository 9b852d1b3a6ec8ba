"""Once: a post happens once, whatever is lost, killed or tried by two processes at a time.

    lock -> written down as tried -> posted -> written down where it stands -> unlocked
    tried before, and nobody knows how that ended? -> look for our mark where it was tried, first of all

Slack has no idempotency key. So each post carries the hash of its key as metadata, which says nothing to anybody else,
and only a message of our own bot counts as found: anybody may write metadata. The lock lives in the store, for LEASE;
each step begins by holding on to it. Does not own what is posted, nor where (mouth).
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from adapters.slack.api import PLATFORM, SETTLE, Api, PerhapsDone, SlackRefused, text_in
from adapters.slack.codes import Outcome
from bot.domain.chat import MessageRef, Place
from bot.domain.errors import ChatUnavailable, Refused, Unavailable, Undeliverable
from bot.domain.ports import Keep
from bot.domain.wire import Record, pack, replace, unpack

REMEMBERED = timedelta(days=60)  # twice as long as the store remembers an ended request
LEASE = timedelta(seconds=30)  # a killed process's post waits so long; a step takes LONGEST_WAIT + DEADLINE at most
MARGIN = timedelta(seconds=10)  # whoever comes this close to the end of a lease has lost it
FRESH = timedelta(seconds=5)  # a lease this young need not be renewed
BUSY = 1.0  # seconds until another look at what somebody else is posting just now

EVENT = "countersign_post"
PAGE = 200  # messages; the most Slack recommends
MOST_PAGES = 100
SKEW = timedelta(minutes=5)  # how far our clock and Slack's may disagree

Hold = Callable[[], Awaitable[None]]
IsIt = Callable[[Mapping[str, Any]], bool]


class Tried(Record):
    """What is known of one post: tried since when, last at which place, and where it stands once that is known."""

    since: datetime
    place: Place
    ref: MessageRef | None = None


@dataclass(slots=True)
class Attempt:
    """One try, alone with its key. `ref` is there if it stands already; `mark` is what the post must carry."""

    mark: str
    tried: Tried
    held: datetime
    is_first: bool = False
    is_in_doubt: bool = False

    @property
    def ref(self) -> MessageRef | None:
        return self.tried.ref

    @property
    def metadata(self) -> Mapping[str, object]:
        return {"event_type": EVENT, "event_payload": {"key": self.mark}}


class Once:
    """Remembers posts by key, for every process that shares the Keep. *clock* tells UTC."""

    def __init__(self, api: Api, keep: Keep, clock: Callable[[], datetime]) -> None:
        self._api, self._keep, self._clock = api, keep, clock

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
        if attempt.tried.place != place:  # whoever looks for it later must look there
            await self._write(attempt, replace(attempt.tried, place=place))
        await self.hold(attempt)
        attempt.is_in_doubt = True
        try:
            yield
        except PerhapsDone:
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
            raise ChatUnavailable(PLATFORM, "posting took too long", BUSY)
        if age > FRESH:
            now = self._clock()
            await self._keep.put(_lock(attempt), b"held", keep=LEASE)
            attempt.held = now

    # ------------------------------------------------------------------ steps

    @asynccontextmanager
    async def _alone(self, attempt: Attempt) -> AsyncIterator[None]:
        if await self._keep.claim(_lock(attempt), b"held", keep=LEASE) is not None:
            raise ChatUnavailable(PLATFORM, "somebody else is posting this card just now", BUSY)
        try:
            yield
        finally:
            await self._let_go(attempt)

    async def _let_go(self, attempt: Attempt) -> None:
        if self._clock() - attempt.held >= LEASE:
            return  # the lock is somebody else's by now
        if attempt.is_in_doubt:  # give Slack a moment to show it, before anybody looks
            await self._keep.put(_lock(attempt), b"doubt", keep=timedelta(seconds=SETTLE))
        elif attempt.is_first and attempt.ref is None:
            await self._keep.forget(_record(attempt), _lock(attempt))  # certainly not posted: as if never tried
        else:
            await self._keep.forget(_lock(attempt))

    async def _begin(self, attempt: Attempt) -> None:
        """Write down that it is tried, before it is; or find what an earlier try left behind."""
        was = await self._keep.claim(_record(attempt), pack(attempt.tried), keep=REMEMBERED)
        if was is None:
            attempt.is_first = True
            return
        attempt.tried = unpack(Tried, was)
        if attempt.ref is None and (ref := await self._orphan(attempt)):
            await self.stands(attempt, ref)

    async def _orphan(self, attempt: Attempt) -> MessageRef | None:
        """The message of an earlier try whose answer was lost, if it arrived."""
        place, since = attempt.tried.place, attempt.tried.since
        ours = text_in(await self._api.call(place.tenant, "auth.test"), "bot_id", "auth.test")

        def is_ours(message: Mapping[str, Any]) -> bool:
            metadata = message.get("metadata")
            carried = metadata.get("event_payload") if isinstance(metadata, dict) else None
            return message.get("bot_id") == ours and carried == {"key": attempt.mark}

        found = await find(self._api, place, since, is_ours, lambda: self.hold(attempt))
        return MessageRef(place=place, id=found) if found else None

    async def _write(self, attempt: Attempt, tried: Tried) -> None:
        await self._keep.put(_record(attempt), pack(tried), keep=REMEMBERED)
        attempt.tried = tried


async def find(api: Api, place: Place, since: datetime, is_it: IsIt, hold: Hold) -> str | None:
    """The ts of the message at *place*, posted after *since*, of which *is_it* holds.

    Calls *hold* before each page. A place that is gone holds nothing. Raises Undeliverable if Slack does not let us
    look: nobody can tell then.
    """
    method = "conversations.replies" if place.thread else "conversations.history"
    oldest = f"{(since - SKEW).timestamp():.6f}"
    cursor = None
    for _ in range(MOST_PAGES):
        await hold()
        try:
            page = await api.call(
                place.tenant,
                method,
                channel=place.channel,
                ts=place.thread,
                oldest=oldest,
                limit=PAGE,
                include_all_metadata=True,
                cursor=cursor,
            )
        except SlackRefused as error:
            if error.outcome is Outcome.REROUTE:
                return None
            raise Undeliverable(place.key, f"nobody can tell whether it stands there already; {error}") from error
        for message in page.get("messages", ()):
            if is_it(message):
                return str(message["ts"])
        cursor = (page.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return None
    raise Undeliverable(place.key, f"more than {MOST_PAGES * PAGE} messages to look through")


def _record(attempt: Attempt) -> str:
    return f"slack:post:{attempt.mark}"


def _lock(attempt: Attempt) -> str:
    return f"slack:posting:{attempt.mark}"
