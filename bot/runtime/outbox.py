"""The outbox: what people should see, shown at least once, in order within a thread, at a pace.

    row marked in the same step as the change -> draw from the record as it is now -> post or update
    -> confirmed by the platform -> the row goes, unless it was marked again meanwhile

Several marks collapse into one update. A crash in between shows again; `Chat.post` keys make that harmless.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.domain import events
from bot.domain.calls import Cause
from bot.domain.chat import Card, MessageRef, Place
from bot.domain.errors import ChatUnavailable, CountersignError, LeaseLost, NoSuchRequest, Unavailable, Undeliverable
from bot.domain.inquiry import is_inquiry
from bot.domain.ports import Chat
from bot.domain.request import Copy, Move, Request, RequestId, RunId
from bot.domain.run import Run, RunStatus
from bot.domain.sheet import OWN, Sheet
from bot.domain.store import FORM, Effects, Fence, Held, Row
from bot.domain.wire import Record, replace
from bot.runtime.absences import StoredAbsences
from bot.runtime.closing import End
from bot.runtime.drawing import Drawing
from bot.runtime.exhibits import Exhibits
from bot.runtime.journal import patiently
from bot.runtime.parts import Parts
from bot.runtime.runner import Runner
from bot.runtime.sharing import copies_of, items_of, sheet
from bot.runtime.steady import unharmed

log = structlog.get_logger()
BACK_OFF = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)  # seconds, when a platform does not say itself
FLUSH_WITHIN = 1.0  # seconds
REMEMBERED = 1_000  # rows whose last update is kept in mind
SKEW = timedelta(seconds=2)  # how far two processes may disagree about the store's clock
LINGER = 0.005  # seconds; a run that is being loaded or caught up goes first: 13 to 24 % faster, measured
PRESENCE_WITHIN = 5.0  # seconds; it is decoration, and the next update of the status waits behind it
BESIDE = ("dm-", "also-")  # begin the names of copies that stand outside of the run's conversation
UPDATE_EVERY = 0.5  # seconds between updates of one message; people cannot read faster


class Wanted(Record):
    """A row, resolved: what to show, and where."""

    row: Row
    copy: Copy
    card: Card
    key: str
    request: Request | None = None
    run: Run | None = None  # the run whose status it shows
    made: datetime | None = None  # since when it may have been shown; None for what never changes
    sheet: Sheet | None = None  # all that the card shows, if it is a sheet
    whole: tuple[RequestId, ...] = ()  # those of its items that it shows whole
    is_aside: bool = False  # a note that stands beside the run's own conversation


class Outbox:
    """Shows the rows of the shards this process owns."""

    def __init__(self, parts: Parts, runner: Runner, fences: Callable[[], Mapping[int, Fence]]) -> None:
        self._parts, self._store, self._runner, self._fences = parts, parts.store, runner, fences
        self._drawing = Drawing(parts.toolbox, parts.directory, StoredAbsences(parts.store), parts.key)
        self._exhibits = Exhibits(parts.store.keep())
        self.instead: Callable[[Held, Copy, Fence], Awaitable[bool]] = _nobody  # the engine knows who calls people
        self._nudged = asyncio.Event()
        self._lines: dict[str, asyncio.Task[None]] = {}  # one worker per conversation
        self._waiting: dict[str, dict[str, Row]] = {}  # rows to show, by conversation
        self._read: dict[Fence, int] = {}  # the newest stamp taken in, by shard and epoch
        self._since: dict[Fence, datetime] = {}  # when we first looked, by shard and epoch
        self._tries: dict[str, int] = {}
        self._shown: dict[str, float] = {}  # when a row's message was last updated

    def nudge(self) -> None:
        self._nudged.set()

    async def run(self, tasks: asyncio.TaskGroup) -> None:
        """Look whenever nudged, and every sweep for rings that were lost."""
        while True:
            await asyncio.sleep(LINGER)
            self._nudged.clear()
            for fence in list(self._fences().values()):
                await unharmed(self._look(fence, tasks), "outbox")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._parts.pace.sweep_every.total_seconds()):
                    await self._nudged.wait()

    async def _look(self, fence: Fence, tasks: asyncio.TaskGroup) -> None:
        """Take in the rows that were marked since the last look; what is being shown is known already."""
        self._forget()
        self._since.setdefault(fence, self._store.now())
        while rows := await self._store.rows(fence.shard, after=self._read.get(fence, 0)):
            for row in rows:
                self._take(row, fence, tasks)
            self._read[fence] = rows[-1].stamp

    def _take(self, row: Row, fence: Fence, tasks: asyncio.TaskGroup) -> None:
        self._queue(_conversation(row), row, fence, tasks)

    def _queue(self, line: str, row: Row, fence: Fence, tasks: asyncio.TaskGroup) -> None:
        self._waiting.setdefault(line, {})[row.name] = row
        worker = self._lines.get(line)
        if worker is None or worker.done():
            self._lines[line] = tasks.create_task(self._work(line, fence, tasks), name=f"outbox {line}")

    async def _work(self, line: str, fence: Fence, tasks: asyncio.TaskGroup) -> None:
        """Show one conversation's rows, one after the other: the first stays first until it is shown."""
        rows = self._waiting.get(line, {})
        while rows and (ours := self._fences().get(fence.shard)):
            row = next(iter(rows.values()))
            try:
                if (aside := await self._show(row, ours, line)) is not None:
                    self._queue(aside, row, ours, tasks)
            except LeaseLost:
                if self._fences().get(fence.shard) in (None, ours):
                    break
                continue  # lost and ours again: these rows were taken in for the new epoch
            except Unavailable as error:
                await self._back_off(line, error)
                continue
            except Exception as error:  # a card that cannot be drawn must not hold up the others
                log.error("row_failed", row=row.name, error=f"{type(error).__name__}: {error}", exc_info=error)
            if rows.get(row.name) == row:  # not marked again meanwhile
                del rows[row.name]
        for kept in (self._waiting, self._lines, self._tries):
            kept.pop(line, None)

    async def _back_off(self, line: str, error: Unavailable) -> None:
        tries = self._tries[line] = self._tries.get(line, 0) + 1
        asked = error.retry_after if isinstance(error, ChatUnavailable) else None
        log.warning("outbox_retry", line=line, tries=tries, error=str(error))
        await asyncio.sleep(asked if asked is not None else BACK_OFF[min(tries, len(BACK_OFF)) - 1])

    def _forget(self) -> None:
        """Paces that are over; 100,000 runs must not leave a trace each."""
        if len(self._shown) > REMEMBERED:
            limit = time.monotonic() - UPDATE_EVERY
            self._shown = {name: at for name, at in self._shown.items() if at > limit}

    async def flush(self) -> None:
        """On the way out: give what is being shown a moment to be confirmed. The rest stays in the store."""
        workers = [task for task in self._lines.values() if not task.done()]
        if workers:
            await asyncio.wait(workers, timeout=FLUSH_WITHIN)

    def stop(self) -> None:
        for task in list(self._lines.values()):
            task.cancel()

    # --------------------------------------------------------------- show

    async def _show(self, row: Row, fence: Fence, line: str) -> str | None:
        """Show *row*, whose turn it is in *line*; or say in which line of its own it shall wait instead."""
        await self._pause(row)
        wanted = await self._resolve(row, fence)
        if wanted is None:
            await self._store.posted(fence, row, None, Effects())
            return None
        if (aside := _aside(wanted)) not in (None, line):
            return aside
        try:
            ref = await self._put(wanted, fence, line)
        except Undeliverable as error:
            await self._lost(wanted, fence, error)
            return None
        if wanted.run is not None:  # before the row goes: whoever dies in between leaves it to the next one
            await self._present(wanted.run)
        copy = None if row.name.startswith("note|") else replace(wanted.copy, ref=ref, place=None)
        try:
            await self._store.posted(fence, row, copy, Effects(audit=_shown(wanted, ref)), home=_home(wanted))
        except LeaseLost:  # our picture may have come after the new owner's, and be older than theirs
            await patiently(partial(self._store.show_again, fence.shard, (row.name,)))
            raise
        if copy is None:
            await self._exhibits.forget(wanted.key, wanted.card)
        return None

    async def _present(self, run: Run) -> None:
        """Say in the platform's own way that *run* works, waits or has ended. It may fail; nobody tries again."""
        place = run.task.place
        try:
            async with asyncio.timeout(PRESENCE_WITHIN):
                await self._parts.chats[place.platform].presence(place, run.status)
        except (CountersignError, TimeoutError) as error:
            log.warning("presence_failed", run=run.id, status=run.status, error=f"{type(error).__name__}: {error}")

    async def _pause(self, row: Row) -> None:
        """Updates of one message keep a pace; the first post goes at once."""
        last = self._shown.get(row.name)
        if last is not None and (wait := last + UPDATE_EVERY - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        if row.name.startswith("run|"):
            self._shown[row.name] = time.monotonic()

    async def _put(self, wanted: Wanted, fence: Fence, line: str) -> MessageRef:
        copy = wanted.copy
        if copy.ref is not None:
            await self._chat(copy.ref.place).update(copy.ref, wanted.card)
            return copy.ref
        ref = await self._directly(wanted) if copy.where is None else await self._post(wanted, copy.where)
        if self._may_stand(wanted, fence, line):
            await self._chat(ref.place).update(ref, wanted.card)
        return ref

    async def _post(self, wanted: Wanted, place: Place) -> MessageRef:
        return await self._chat(place).post(wanted.card, place, key=wanted.key)

    async def _directly(self, wanted: Wanted) -> MessageRef:
        """Post it to the person's first account that can be reached: one that cannot is passed over."""
        to = wanted.copy.to
        person = await self._parts.directory.person(to) if to else None
        lost = Undeliverable(f"a direct message to {to}", "no account on a connected platform")
        about = wanted.sheet.items[:1] if wanted.sheet is not None else (wanted.request,)
        homes = [one.place for one in about if one is not None]
        for account in person.accounts if person else ():
            if account.platform in self._parts.chats and not any(home.is_foreign_to(account) for home in homes):
                try:
                    return await self._post(wanted, await self._parts.chats[account.platform].direct(account))
                except Undeliverable as error:
                    lost = error
        raise lost

    def _chat(self, place: Place) -> Chat:
        if place.platform not in self._parts.chats:
            raise Undeliverable(place.key, f"{place.platform} is not connected here")
        return self._parts.chats[place.platform]

    def _may_stand(self, wanted: Wanted, fence: Fence, line: str) -> bool:
        """Was it perhaps posted before, by another process or with a reply that was lost? Then as it was then."""
        if wanted.made is None:
            return False
        is_ours = fence in self._since and wanted.made > self._since[fence] + SKEW
        return not is_ours or line in self._tries

    async def _lost(self, wanted: Wanted, fence: Fence, error: Undeliverable) -> None:
        """This card can never be shown there. A manager's goes to the next one up; if nobody can see the request at
        all, it ends and says why."""
        log.warning("undeliverable", row=wanted.row.name, why=error.why)
        request = wanted.request
        alone = (request,) if request is not None else ()
        gone = wanted.sheet.items if wanted.sheet is not None else alone
        audit = tuple(events.card_lost(one.id, _copy_name(wanted, one), error.why) for one in gone)
        for one in gone:
            await self._nowhere(one, wanted.copy, fence, error)
        await self._store.posted(fence, wanted.row, None, Effects(audit=audit))

    async def _nowhere(self, request: Request, lost: Copy, fence: Fence, error: Undeliverable) -> None:
        """End *request* if nobody sees it anywhere else, nor will."""
        if not request.is_open:
            return
        held = await self._store.held(request.id)
        is_replaced = await self.instead(held, lost, fence)
        copies = await copies_of(self._store, held)
        if not is_replaced and all(copy.ref is None for copy in copies if copy.name != FORM):
            end = End(move=Move.CANCEL, cause=Cause.UNDELIVERABLE, told=str(error))
            await self._runner.withdraw(request.run, request.id, end)

    # -------------------------------------------------------------- resolve

    async def _resolve(self, row: Row, fence: Fence) -> Wanted | None:
        kind, _, rest = row.name.partition("|")
        match kind:
            case "note":
                note = await self._store.note(fence.shard, rest)
                if note is None:
                    return None
                stands = Copy(name="note", place=note.place)
                card = await self._with_button(await self._exhibits.filled(note), note.offers)
                return Wanted(row=row, copy=stands, card=card, key=rest, is_aside=note.is_aside)
            case "run":
                return await self._status(row, RunId(rest))
        return await self._request(row, rest, fence)

    async def _with_button(self, card: Card, move: str) -> Card:
        """A note's *card* with the button *move* of its run's status message, if that is there now."""
        loaded = await self._store.load(RunId(card.run)) if move else None
        button = await self._drawing.run_button(loaded.run, move) if loaded is not None else None
        return replace(card, buttons=(*card.buttons, button)) if button is not None else card

    async def _status(self, row: Row, id: RunId) -> Wanted | None:
        loaded = await self._store.load(id)
        if loaded is None:
            return None
        run = loaded.run if loaded.run.status is not RunStatus.ACTIVE else replace(loaded.run, status=loaded.status)
        copy = loaded.copy or Copy(name="status", place=run.task.place)
        card = await self._drawing.status(run, loaded.line, loaded.entries)
        return Wanted(row=row, copy=copy, card=card, key=f"{id}/status", run=run, made=run.began)

    async def _request(self, row: Row, rest: str, fence: Fence) -> Wanted | None:
        request, name, _ = rest.split("|")
        try:
            held: Held = await self._store.held(RequestId(request))
        except NoSuchRequest:
            return None
        if not name:  # an item has changed: every message of its sheet
            await self._store.show_again(fence.shard, held.rows)
            return None
        copy = next((copy for copy in held.copies if copy.name == name), None)
        if copy is not None and held.request.items and name != OWN:
            return await self._sheet(row, held, copy)
        if copy is None or (copy.ref is None and not held.request.is_open and name != "main"):
            return None
        card = await self._drawing.copy(held, copy)
        made = held.request.opened if held.request.version > 1 else None  # unchanged: what may stand is the same
        return Wanted(row=row, copy=copy, card=card, key=rest, request=held.request, made=made)

    async def _sheet(self, row: Row, head: Held, copy: Copy) -> Wanted | None:
        found = sheet(await items_of(self._store, head.request))
        if copy.ref is None and not found.open and copy.name != "main":
            return None
        whole = tuple(item.id for item in found.items if self._drawing.is_whole(item))
        card = await self._drawing.sheet(found, to=copy.to)
        key, request = row.name.partition("|")[2], head.request
        return Wanted(
            row=row, copy=copy, card=card, key=key, request=request, made=request.opened, sheet=found, whole=whole
        )


async def _nobody(_held: Held, _lost: Copy, _fence: Fence) -> bool:
    return False


def _home(wanted: Wanted) -> Place | None:
    """The place that the holder of the copy names itself."""
    if wanted.run is not None:
        return wanted.run.task.place
    return wanted.request.place if wanted.request is not None else None


def _shown(wanted: Wanted, ref: MessageRef) -> tuple[bytes, ...]:
    if wanted.request is None:
        return ()
    if wanted.sheet is not None:
        return tuple(_shown_on(wanted.sheet, item, wanted, ref) for item in wanted.sheet.items)
    is_signable = is_inquiry(wanted.request.kind) or any(button.move == "approve" for button in wanted.card.buttons)
    is_complete = is_signable or not wanted.request.is_open
    has_buttons = any(button.subject == wanted.request.id for button in wanted.card.buttons)
    shown = events.card_shown(wanted.request, wanted.copy.name, ref, is_complete=is_complete, has_buttons=has_buttons)
    return (shown,)


def _shown_on(found: Sheet, item: Request, wanted: Wanted, ref: MessageRef) -> bytes:
    """A sheet shows each of its items, with the buttons of all as long as this one waits."""
    name = _copy_name(wanted, item)
    is_complete = item.id in wanted.whole or not item.is_open
    has_buttons = item.is_open and any(button.subject == found.head.id for button in wanted.card.buttons)
    return events.card_shown(item, name, ref, is_complete=is_complete, has_buttons=has_buttons)


def _copy_name(wanted: Wanted, item: Request) -> str:
    """An item's own card has another name than the sheet on which it stands."""
    is_own = wanted.sheet is None or item.id == wanted.sheet.head.id
    return wanted.copy.name if is_own else f"sheet-{wanted.copy.name}"


def _conversation(row: Row) -> str:
    """Cards and notes of one run keep their order: no answer before the card it speaks of.

    Its status message, a direct message that perhaps cannot be opened, and a copy in another channel hold up nothing.
    """
    kind, _, rest = row.name.partition("|")
    if kind == "card":
        request, copy, run = rest.split("|")
        return f"{request}|{copy}" if copy.startswith(BESIDE) else run
    return rest.partition("/")[0] if kind == "note" else row.name


def _aside(wanted: Wanted) -> str | None:
    """The line of what stands beside the run's own conversation: a platform that is down there holds up nobody here."""
    there = wanted.copy.where
    if there is None:
        return None
    if wanted.is_aside:
        return f"beside|{there.key}"
    if wanted.request is None or there.in_thread(None) == wanted.request.place.in_thread(None):
        return None
    return f"{wanted.request.id}|{wanted.copy.name}"
