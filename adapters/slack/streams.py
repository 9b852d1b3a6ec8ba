"""Streams: a model's words while they grow, as a draft in the run's thread that goes again.

    the words are long -> the try is written down -> a stream is started with a line that says "draft" -> where it
    stands is written down -> words, as literal blocks, piece by piece -> the turn is over: stopped, deleted, forgotten

What counts is the note the outbox posts from the journal; a draft is never made into one, so a replay has nothing to
show again. No draft stands that nobody remembers to delete: what a killed process left is deleted before the thread's
next draft, and when the run waits or ends. Of a start whose answer was lost only the try is known: it is looked for in
the thread, by its label. Words are blocks, not markdown: a stream cannot be told not to
unfurl links (T04, T05). A draft has no stop button of its own: the run has one.

Not here: when a turn begins and ends (the runtime), the final words (`mouth`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from adapters.lengths import cut, sound
from adapters.slack.api import DEADLINE, PLATFORM, SETTLE, Api, PerhapsDone, SlackRefused, text_in
from adapters.slack.codes import Outcome
from adapters.slack.limits import MESSAGE_TEXT, ONE_TEXT, weight
from adapters.slack.literal import Raw, contexts, section
from adapters.slack.mouth import Users
from adapters.slack.once import find
from bot.domain.chat import PersonId, Place
from bot.domain.errors import ChatUnavailable, CountersignError, Undeliverable
from bot.domain.ports import Keep, OnText
from bot.domain.wire import Record, pack, unpack

log = structlog.get_logger()

LONG = 200  # characters; a shorter turn is read as quickly when it is final
PIECE = 100  # characters of one append, at least
EVERY = 1.0  # seconds between two appends; Slack takes 100 a minute (tier 4)
MOST = MESSAGE_TEXT - 500  # characters of a draft, as Slack counts them; its label needs a few
PIECES = 45  # blocks of a draft, of the 50 a message may have
ENDS_WITHIN = 1.5  # seconds; a stopped run is given two to let go
STOPS_WITHIN = 0.7  # seconds of these, so that some are left to delete it
KEPT = timedelta(days=30)  # where a draft stands is known so long if its process died
LATEST = timedelta(seconds=DEADLINE + SETTLE)  # after its start, a draft stands in its thread, or never will

LABEL = "Draft, still being written. It goes when the answer is there."

HERE_ALONE = frozenset({"thread_ts_required", "thread_ts_not_allowed", "invalid_thread_ts"})
PASSING = frozenset({Outcome.REROUTE, Outcome.NO_STREAM, Outcome.CANCEL, Outcome.GONE, Outcome.NOBODY, Outcome.REPAIR})


def is_for_good(refused: SlackRefused) -> bool:
    """Does this workspace not have it at all? Otherwise it is this conversation that does not, or not just now."""
    return refused.code not in HERE_ALONE and refused.outcome not in PASSING


class Draft(Record):
    """One draft of a thread: tried since when, and where it stands once that is known."""

    since: datetime
    ts: str = ""


class Words:
    """What one turn has said so far, and how much of it the draft shows."""

    def __init__(self) -> None:
        self.writer: asyncio.Task[None] | None = None
        self.is_out = False  # from now on something may stand in Slack
        self.over = asyncio.Event()
        self._text, self._shown = "", ""
        self._weight, self._pieces = 0, 0
        self._changed = asyncio.Event()

    def hear(self, text: str) -> None:
        self._text = sound(text[:MOST])
        self._changed.set()

    def end(self) -> None:
        self.over.set()
        self._changed.set()

    async def more(self) -> str | None:
        """The next piece, as soon as it is long enough. None when the turn is over, or its words began anew."""
        while not self.over.is_set() and self._text.startswith(self._shown):
            piece = _piece(self._text[len(self._shown) :])
            grown = self._weight + weight([section(piece)])
            if piece.strip() and grown <= MOST and self._pieces < PIECES:
                self._shown, self._weight, self._pieces = self._shown + piece, grown, self._pieces + 1
                return piece
            self._changed.clear()
            await self._changed.wait()
        return None

    async def rest(self) -> None:
        """Wait until the next append may go, or the turn is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY):
                await self.over.wait()


class Streams:
    """Implements `Chat.live`. One draft a thread; *people* says who the reader is there. *clock* tells UTC."""

    def __init__(
        self, api: Api, keep: Keep, people: Users, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._api, self._keep, self._people, self._clock = api, keep, people, clock
        self._busy: set[str] = set()  # threads with a draft of this process
        self._without: set[str] = set()  # workspaces that have no streams

    @asynccontextmanager
    async def live(self, place: Place, reader: PersonId) -> AsyncIterator[OnText | None]:
        """As `Chat.live`: nothing is called until the words are long."""
        if place.thread is None or place.tenant in self._without:
            yield None
            return
        words = Words()
        try:
            async with asyncio.TaskGroup() as group:

                def hear(text: str) -> None:
                    words.hear(text)
                    if len(text) >= LONG and words.writer is None and not words.over.is_set():
                        words.writer = group.create_task(self._write(words, place, reader), name=f"draft {place.key}")

                try:
                    yield hear
                finally:
                    await _ended(words)
        except BaseExceptionGroup as several:  # the writer raises nothing: it is the turn's own error
            raise several.exceptions[0] from None

    async def clear(self, place: Place) -> None:
        """Delete what a process that died left in this thread. Raises Unavailable, BadSeal."""
        if place.key not in self._busy:
            await self._clear(place)

    async def _clear(self, place: Place) -> None:
        known = await self._keep.get(_name(place))
        if known is None:
            return
        draft = unpack(Draft, known)
        if draft.ts:
            await self._delete(place, draft.ts)
        else:
            await self._search(place, draft)

    async def _search(self, place: Place, tried: Draft) -> None:
        """Delete a draft of which nobody knows whether it stands. Raises Unavailable: perhaps it will in a moment."""
        ours = text_in(await self._api.call(place.tenant, "auth.test"), "bot_id", "auth.test")
        is_late = self._clock() - tried.since >= LATEST
        try:
            ts = await find(self._api, place, tried.since, lambda message: _is_draft(message, ours), _nothing)
        except (Undeliverable, SlackRefused) as blind:  # nothing is owed that nobody can do
            log.info("slack_draft_left", place=place.key, error=str(blind))
            is_late, ts = True, None
        if ts is not None:
            await self._delete(place, ts)
        elif is_late:
            await self._keep.forget(_name(place))
        else:
            raise ChatUnavailable(PLATFORM, "a draft may show up yet", SETTLE)

    # ------------------------------------------------------------------ one draft

    async def _write(self, words: Words, place: Place, reader: PersonId) -> None:
        if place.key in self._busy:  # another branch of this run speaks just now
            return
        self._busy.add(place.key)
        try:
            await self._clear(place)
            await self._draft(words, place, reader)
        except SlackRefused as refused:
            if is_for_good(refused):
                self._without.add(place.tenant)
            log.info("slack_draft_refused", place=place.key, method=refused.method, code=refused.code)
        except CountersignError as lost:
            log.info("slack_draft_lost", place=place.key, error=str(lost))
        except Exception as error:  # said aloud; a draft must never end the run it belongs to
            log.error("slack_draft_failed", place=place.key, error=f"{type(error).__name__}: {error}", exc_info=error)
        finally:
            self._busy.discard(place.key)

    async def _draft(self, words: Words, place: Place, reader: PersonId) -> None:
        ts = await self._start(words, place, reader)
        if ts is None:
            return
        try:
            await self._keep.put(_name(place), pack(Draft(since=self._clock(), ts=ts)), keep=KEPT)
            await self._grow(words, place, ts)
        except Exception:
            await self._delete(place, ts)
            raise
        await self._delete(place, ts)  # but not when cancelled: there is no time left, and it is written down

    async def _start(self, words: Words, place: Place, reader: PersonId) -> str | None:
        """The ts of a new stream that says it is a draft; None if there is nobody to stream to."""
        user = await self._people.user_of(reader, place.tenant)
        if user is None:
            return None
        await self._api.turn(place.tenant, "chat.startStream")
        words.is_out = True
        await self._keep.put(_name(place), pack(Draft(since=self._clock())), keep=KEPT)
        try:
            reply = await self._api.send(
                place.tenant,
                "chat.startStream",
                channel=place.channel,
                thread_ts=place.thread,
                recipient_team_id=place.tenant,
                recipient_user_id=user,
                chunks=_chunks(*contexts(LABEL)),
            )
            return text_in(reply, "ts", "chat.startStream")
        except PerhapsDone:
            raise
        except CountersignError:  # certainly not started
            await self._keep.forget(_name(place))
            raise

    async def _grow(self, words: Words, place: Place, ts: str) -> None:
        while (piece := await words.more()) is not None:
            chunks = _chunks(section(piece))
            await self._api.call(place.tenant, "chat.appendStream", channel=place.channel, ts=ts, chunks=chunks)
            await words.rest()

    async def _delete(self, place: Place, ts: str) -> None:
        """Stop it, so that it can be deleted, then delete and forget it. Raises Unavailable: it stays remembered."""
        with suppress(CountersignError, TimeoutError):  # what is a stream no more can be deleted all the same
            async with asyncio.timeout(STOPS_WITHIN):
                await self._api.call(place.tenant, "chat.stopStream", channel=place.channel, ts=ts)
        try:
            await self._api.call(place.tenant, "chat.delete", channel=place.channel, ts=ts)
        except SlackRefused as refused:
            if refused.outcome is Outcome.END_STREAM:
                raise
            log.info("slack_draft_left", place=place.key, code=refused.code)  # deleted by people, or by nobody ever
        known = await self._keep.get(_name(place))
        if known is not None and unpack(Draft, known).ts in ("", ts):
            await self._keep.forget(_name(place))


async def _ended(words: Words) -> None:
    """The turn is over: what stands in Slack is taken away; what was not sent yet never is."""
    words.end()
    if words.writer is not None:
        if words.is_out:
            await asyncio.wait({words.writer}, timeout=ENDS_WITHIN)
        words.writer.cancel()


def _piece(new: str) -> str:
    """The beginning of *new* up to a word's end, if it is long enough for an append; else nothing."""
    if len(new) < PIECE:
        return ""
    end = max(new.rfind(" "), new.rfind("\n")) + 1
    return cut(new[:end] if end >= PIECE else new, ONE_TEXT)


def _is_draft(message: Mapping[str, Any], ours: str) -> bool:
    """Is it ours, with our label in front? No card begins so; a model's words stand in blocks of another kind."""
    first: Mapping[str, Any] = next(iter(message.get("blocks") or ()), {})
    told = [one.get("text") for one in first.get("elements", ()) if isinstance(one, dict)]
    return message.get("bot_id") == ours and first.get("type") == "context" and told == [LABEL]


async def _nothing() -> None:
    """A search holds no lock: two that delete the same draft harm nobody."""


def _chunks(*blocks: Raw) -> list[Raw]:
    return [{"type": "blocks", "blocks": list(blocks)}]


def _name(place: Place) -> str:
    return f"slack:draft:{place.key}"
