"""One run in this process's memory: its journal, its letters, and the beds its branches sleep in.

A branch that waits for people lies in a bed; when every branch does, the run may leave memory. The host
holds the futures: a coroutine awaiting a future that nobody holds is garbage-collected.

Who has the run is read from its letters, so that every process that loads it knows: while somebody works on it by
hand, whatever the agent asks for next waits in a bed, too. That pause is no step, and leaves no trace in the journal.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot.domain.budget import NONE, OWN, Spending, Usage, day_of, total
from bot.domain.calls import Digest, Outcome, Past, ToolResult
from bot.domain.chat import PersonId
from bot.domain.letters import GaveBack, Letter, Said, Took, taken_by
from bot.domain.request import Request, RequestId, RunId
from bot.domain.run import Decided, Entry, Heard, Run, RunStatus, Step, Told
from bot.domain.store import Batch, Fence, Loaded, Store, Tail
from bot.domain.wire import replace
from bot.runtime.beds import Bed, Gong
from bot.runtime.journal import Journal

log = structlog.get_logger()
BAR_EVERY = timedelta(seconds=1)  # Slack takes about one edit of a message in a second
BY_HAND = "I took this over, worked on it by hand, and hand it back now."


class Host:
    """A run and everything this process knows about it."""

    __slots__ = (  # more than thirty attributes make a dictionary of 1,600 bytes for each run in memory
        *("_tasks", "_now", "_is_daily", "run", "id", "journal", "status", "line", "mail", "seen", "letters", "told"),
        *("actors", "ears", "past", "refused", "asks", "signed", "life", "hands", "calls", "_calm", "_alarms"),
        *("_paused", "_hurried", "_spoken", "listens", "awake", "idle_since", "is_stopping", "is_leaving", "_beds"),
        *("till", "bar", "_bar_at"),
    )

    def __init__(
        self, store: Store, fence: Fence, loaded: Loaded, tasks: asyncio.TaskGroup, *, is_daily: bool = True
    ) -> None:
        """*is_daily*: what it uses counts for its day, and for its person's."""
        self._tasks, self._now, self._is_daily = tasks, store.now, is_daily
        self.run: Run = loaded.run
        self.id = RunId(loaded.run.id)
        self.journal = Journal(store, fence, loaded, self)
        self.status = loaded.status
        self.line = loaded.line
        self.mail = loaded.mail
        self.seen = 0  # the mail that the last write knew of
        self.letters: list[Letter] = list(loaded.letters)
        self.told = loaded.told  # how many letters the agent has taken in
        self.actors: dict[str, str] = {}  # who asked for the calls of a turn, where it was not the run's own agent
        self.ears: dict[str, int] = {}  # how many letters the branch had heard that asked for the calls of a turn
        self.past: dict[str, Past] = {}  # calls of this run by path, as a policy may ask about them
        self.refused: set[Digest] = set()  # rejected by a person since they last gave direction
        self.asks: set[RequestId] = set(loaded.asks)  # requests that are, or may be, open
        self.signed: dict[RequestId, Request] = {}  # as this process has just decided them: need not be read again
        self.life: asyncio.Task[None] | None = None  # the agent's coroutine
        self.hands: set[asyncio.Task[ToolResult]] = set()  # tools at work
        self.calls = 0  # calls between their begin and the record of their end
        self._calm = Gong()  # no call is under way any more
        self._alarms: dict[str, Bed[None]] = {}  # branches that sleep by the clock
        self._paused: list[Bed[None]] = []  # branches that wait until the run is handed back
        self._hurried: list[asyncio.Timeout] = []  # of what ends when people say something
        self._spoken = Gong()  # a letter has come
        self.listens = False  # the agent asks what people said
        self.awake = 1  # branches that are not in bed
        self.idle_since = time.monotonic()
        self.is_stopping = False
        self.is_leaving = False  # eviction or shutdown: the coroutine ends, the run does not
        self._beds: dict[RequestId, list[Bed[Decided]]] = {}
        self.till = asyncio.Lock()  # one branch at a time asks about a budget
        self.bar = ""  # how far a long piece of work has come, while it lasts: calls meanwhile are not named
        self._bar_at: datetime | None = None  # when that was last said

    # --------------------------------------------------------------- beds

    async def decision(self, request: RequestId) -> Decided:
        """Sleep until *request* is decided. Listens first, then looks: no wake-up is lost."""
        bed: Bed[Decided] = Bed(self)
        self._beds.setdefault(request, []).append(bed)
        self.asks.add(request)
        try:
            decided = self.journal.decided.get(request) or await bed.sleep()
            self.asks.discard(request)
            return decided
        finally:
            beds = [one for one in self._beds.pop(request, []) if one is not bed]
            self._beds |= {request: beds} if beds else {}

    def alarm(self, path: str) -> Bed[None]:
        """Where the branch at *path* sleeps until its timer is due, which may have been noticed already."""
        return self._alarms.setdefault(path, Bed(self))

    def ring_alarm(self, path: str) -> None:
        self.alarm(path).wake(None)

    def learn(self, entry: Entry) -> None:
        """Take in an entry that somebody else wrote; wake whoever waits for it."""
        self.journal.learn(entry)
        if isinstance(entry, Decided):
            for bed in self._beds.get(entry.request, ()):
                bed.wake(entry)

    def catch_up(self, tail: Tail, known: int) -> tuple[Letter, ...]:
        """Take in what the store says came after *known* letters; return those that are new here."""
        for entry in tail.entries:
            self.learn(entry)
        new = tail.letters[len(self.letters) - known :]
        self.letters.extend(new)
        if new:
            self._spoken.strike()
        self._interrupt()
        self.journal.length, self.mail = tail.length, tail.mail
        return new

    def employ(self, work: Coroutine[Any, Any, ToolResult], name: str) -> asyncio.Task[ToolResult]:
        """Run a tool as a task that outlives a cancelled coroutine, so that its end can still be recorded."""
        task = self._tasks.create_task(_told(work), name=name)
        self.hands.add(task)
        task.add_done_callback(self.hands.discard)
        task.add_done_callback(lambda _: work.close())  # cancelled before its turn came, it was never awaited
        return task

    async def surely(self, work: Coroutine[Any, Any, None]) -> None:
        """Do *work* to its end even if a Stop comes meanwhile: what a tool did must be written down."""
        task = self._tasks.create_task(_caught(work), name=f"record of {self.id}")
        task.add_done_callback(lambda _: work.close())
        try:
            error = await asyncio.shield(task)
        except asyncio.CancelledError:
            if not self.is_stopping:
                task.cancel()
            await asyncio.wait({task})
            raise
        if error is not None:
            raise error

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """A call is under way: until its end is recorded, letting go of this run would leave it in doubt."""
        self.calls += 1
        try:
            yield
        finally:
            self.calls -= 1
            if not self.calls:
                self._calm.strike()

    async def calm(self) -> None:
        """Wait until no call is under way."""
        while self.calls:
            await self._calm.heard()

    def dismiss(self) -> None:
        """End the coroutine, not the run: another call of the agent goes on from the journal."""
        if not self.is_leaving:
            self.is_leaving = True
            if self.life is not None:
                self.life.cancel()

    def lie_down(self) -> None:
        self.awake -= 1
        self.idle_since = time.monotonic()

    @property
    def is_asleep(self) -> bool:
        """Every branch waits for people or for time: nothing is lost if this memory is given back."""
        return self.awake == 0 and not self.hands

    # --------------------------------------------------------- taken over

    @property
    def takes(self) -> int:
        """How often people took this run over. If its record says fewer, what was asked before is yet to be closed."""
        return sum(isinstance(letter, Took) for letter in self.letters)

    @property
    def is_taken(self) -> bool:
        """Nothing may begin: somebody works on this by hand, or what was asked before they did is not closed yet."""
        return bool(self.letters) and (taken_by(self.letters) is not None or self.takes > self.run.takes)

    def is_overtaken(self, path: str = "") -> bool:
        """What was asked for at *path* before its branch heard of a takeover is out of date, whoever has it now."""
        return self.is_taken or (self.listens and any(isinstance(one, GaveBack) for one in self._news(path)))

    async def until_returned(self) -> None:
        """Sleep while somebody works on this by hand."""
        while self.is_taken:
            is_last = self.awake == 1 and not self.calls and self.takes == self.run.takes
            if is_last and self.status is not RunStatus.WAITING:
                await self.write(Batch(op="", count=0, status=RunStatus.WAITING))
                continue  # it may have been handed back meanwhile
            bed: Bed[None] = Bed(self)
            self._paused.append(bed)
            try:
                await bed.sleep()
            finally:
                self._paused.remove(bed)

    def look_again(self) -> None:
        """Somebody took the run over or handed it back, and that is written down: let those who wait see."""
        for bed in self._paused:
            bed.wake(None)

    # ------------------------------------------------------------ letters

    def unheard(self) -> tuple[Heard, ...]:
        """What people said and the agent has not taken in, in order."""
        return self._words(self.told)

    def has_words(self, since: int) -> bool:
        return bool(self._words(since))

    async def until_spoken(self, since: int) -> None:
        """Wait for something to hear that came after *since* letters."""
        while not self._words(since):
            await self._spoken.heard()

    def _words(self, since: int) -> tuple[Heard, ...]:
        said = (_said(letter) for letter in self.letters[since:])
        return tuple(heard for heard in said if heard is not None)

    def is_spoken_to(self, path: str = "") -> bool:
        """Is there something to hear before the call at *path*? Who never listens is not told of a takeover."""
        words = (Said, GaveBack) if self.listens else (Said,)
        return any(isinstance(letter, words) for letter in self._news(path))

    def _news(self, path: str) -> Sequence[Letter]:
        """Letters that whoever asked for the call at *path* had not heard; without one, that no branch has heard."""
        return self.letters[self.ears.get(path.rpartition(".")[0], self.told) :]

    @contextmanager
    def interrupting(self, limit: asyncio.Timeout) -> Iterator[None]:
        """While this lasts, the time of *limit* is over as soon as people say something, or take this run over."""
        self._hurried.append(limit)
        try:
            yield
        finally:
            self._hurried.remove(limit)

    def _interrupt(self) -> None:
        if self.is_spoken_to() or self.is_overtaken():
            for limit in self._hurried:
                if not limit.expired():
                    limit.reschedule(asyncio.get_running_loop().time())

    def instructions(self) -> tuple[Heard, ...]:
        """Those of the unheard words that ask for something: not that somebody merely handed the run back."""
        return instructions(self.letters[self.told :])

    async def hear(self, path: str, since: int) -> tuple[Told, ...]:
        """Take in, before the step at *path*, what came after *since* letters: its authors now steer this run.

        Empty if nobody said anything.
        """
        heard = self._words(since)
        if not heard:
            return ()
        self.steer([h.by for h in heard])
        told = Told(path=path, heard=heard, upto=len(self.letters))
        await self.write(Batch(op="", count=0, entries=(told,), letters=told.upto, run=self.run))
        self.told = told.upto
        return (told,)

    def steer(self, people: Sequence[PersonId]) -> Run:
        """From now on the run acts on their words. To be written down with what they said."""
        self.run = replace(self.run, steered_by=tuple(dict.fromkeys((*self.run.steered_by, *people))))
        return self.run

    @property
    def barred(self) -> tuple[PersonId, ...]:
        """Whoever's words this run acts on: they never sign where duties are separated."""
        return tuple(dict.fromkeys((self.run.task.by, *self.run.steered_by)))

    @property
    def makers(self) -> tuple[PersonId, ...]:
        """Who made what this run shows: whoever gave the task, or worked on it by hand. Feedback makes nobody one."""
        hands = (letter.by for letter in self.letters if isinstance(letter, Took | GaveBack))
        return tuple(dict.fromkeys((self.run.task.by, *hands)))

    def actor(self, path: str) -> str:
        """Which agent asked for the call at *path*: a member of a pattern, or the run's own."""
        return self.actors.get(path.rpartition(".")[0], self.run.agent)

    def member(self, path: str) -> str:
        """The member of a pattern that asked for the call at *path*; empty if it is the run's own agent."""
        actor = self.actor(path)
        return actor if actor != self.run.agent else ""

    def others(self, path: str) -> tuple[Past, ...]:
        """This run's other calls in the order of its steps, as a policy may ask about them."""
        rest = [where for where in self.past if where != path]
        return tuple(self.past[where] for where in in_order(rest)) if rest else ()

    def before(self, path: str) -> tuple[Past, ...]:
        """This run's calls at the steps before *path*."""
        earlier = in_order({*self.past, path})
        return tuple(self.past[where] for where in earlier[: earlier.index(path)])

    # ------------------------------------------------------------- writes

    async def write(self, batch: Batch) -> None:
        """Append to the journal, with the mail taken into account and the status message kept true."""
        await self.journal.write(batch)

    async def progress(self, line: str, *, is_end: bool) -> None:
        """Let the status message say *line*; not so soon after the last time, but for the end. No entry is written."""
        now = self._now()
        if self.is_taken or (self._bar_at is not None and now - self._bar_at < BAR_EVERY and not is_end):
            return
        self.bar, self._bar_at = "" if is_end else line, now
        await self.write(Batch(op="", count=0, line=line))

    def dressed(self, batch: Batch, *, is_last_step: bool) -> Batch:
        """What every write carries: the run's status when it changes, the mail that was seen, and what it spends."""
        is_last_awake = is_last_step and self.awake == 1 and not self.calls
        is_beside = not self.awake and bool(batch.entries) and all(_is_beside(entry) for entry in batch.entries)
        status = batch.status or (RunStatus.WAITING if is_last_awake else RunStatus.ACTIVE)
        status = self.status if is_beside else status  # it goes on to wait, and its mail is still to be seen to
        line = batch.line if batch.line != self.line else None
        used = total(batch.entries)
        is_shown = line is not None or used != NONE
        dirty = (*batch.effects.dirty, f"run|{self.id}") if is_shown else batch.effects.dirty
        return replace(
            batch,
            status=status if status is not self.status else None,
            line=line,
            seen=None if is_beside else self.mail,
            spends=self._spending(used),
            effects=replace(batch.effects, dirty=dirty),
        )

    def _spending(self, used: Usage) -> Spending | None:
        if used == NONE or not self._is_daily:
            return None
        return Spending(day=day_of(self._now()), person=self.run.task.by, usage=used)

    def settled(self, made: Batch) -> None:
        """The write has landed: only now does the store say what it said. `run` was changed by whoever wrote it."""
        self.status = made.status or self.status
        self.line = made.line or self.line
        self.seen = made.seen or 0


def _is_beside(entry: Entry) -> bool:
    """Was it written beside the run's own course, whose coroutine knows nothing of it?"""
    return isinstance(entry, Step) and entry.path.startswith(OWN)


def instructions(letters: Sequence[Letter]) -> tuple[Heard, ...]:
    """What *letters* ask for: not that somebody merely handed the run back."""
    asking = (letter for letter in letters if not (isinstance(letter, GaveBack) and not letter.text))
    return tuple(heard for letter in asking if (heard := _said(letter)) is not None)


def _said(letter: Letter) -> Heard | None:
    match letter:
        case Said(heard=heard):
            return heard
        case GaveBack(by=by, text=text):
            return Heard(by=by, text=f"{BY_HAND} {text}".strip())
    return None


def next_id(run: RunId) -> RunId:
    """A new run on the same shard: its thread is there."""
    return RunId(f"r-{run.split('-', 2)[1]}-{secrets.token_hex(8)}")


def in_order(paths: Iterable[str]) -> list[str]:
    """*paths* as the steps came: `/10.0` after `/2.1`."""
    return sorted(paths, key=lambda path: [int(number) for number in re.findall(r"[0-9]+", path)])


async def _caught(work: Coroutine[Any, Any, None]) -> Exception | None:
    """Hand an error over instead of raising it: it belongs to whoever waits, not to the task's owner."""
    try:
        await work
    except Exception as error:  # noqa: BLE001  # raised again by the one who waits
        return error
    return None


async def _told(work: Coroutine[Any, Any, ToolResult]) -> ToolResult:
    """A tool that breaks its promise not to raise has failed; nobody else has."""
    try:
        return await work
    except Exception as error:  # becomes the call's result, and is logged
        log.error("tool_broke", error=f"{type(error).__name__}: {error}", exc_info=error)
        return ToolResult(outcome=Outcome.ERROR, text="The tool broke; whether it did anything is not known.")
