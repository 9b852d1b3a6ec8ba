"""The correlation store's seam: what may change together, and under which guard.

Every method is one atomic step in the store. A writer that owns a shard shows its `Fence`; a change to a
request shows the version it was computed from. What a caller wants done besides (audit records, cards to
show again, timers) travels in `Effects` and happens in the same step or not at all.

Any method may raise StoreUnavailable: then it is unknown whether the step happened, and calling again
with the same arguments is safe.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.absence import Absence
from bot.domain.budget import Spending, Usage
from bot.domain.chat import Card, PersonId, Place
from bot.domain.letters import Letter
from bot.domain.offer import Grant, GrantId
from bot.domain.ports import Keep
from bot.domain.request import Copy, Request, RequestId, RunId
from bot.domain.run import Entry, Run, RunStatus
from bot.domain.wire import Record

FORM = "form"  # the copy an editor saw: the form they filled in and sent


class Fence(Record):
    """Proof of owning a shard: refused by every script once another owner has taken over."""

    shard: int
    owner: str
    epoch: int


class Note(Record):
    """A card that needs no answer, waiting to be posted. `key` makes its post unrepeatable."""

    key: str
    place: Place
    card: Card
    is_aside: bool = False  # it stands beside the run's own conversation, and keeps no order with what stands there
    offers: str = ""  # a move of its run's status message: that button stands on it as well, if it is there by then


class Timer(Record):
    name: str  # rung|<request>|<index>, wake|<request>|<person>, sleep|<run>|<path>, late|<run>| …: see runtime/timers
    due: datetime
    tries: int = 0  # how often dealing with it has failed, one time after the other


class Effects(Record):
    """What happens in the same step as a change."""

    audit: tuple[bytes, ...] = ()  # bodies, in order
    dirty: tuple[str, ...] = ()  # outbox rows to show again
    notes: tuple[Note, ...] = ()
    timers: tuple[Timer, ...] = ()
    untime: tuple[str, ...] = ()


class Batch(Record):
    """What an owner adds to a run's journal. `op` names the write: the same one twice counts once."""

    op: str
    count: int  # entries this owner side has written before
    entries: tuple[Entry, ...] = ()
    effects: Effects = Effects()
    seen: int | None = None  # mail taken into account so far
    status: RunStatus | None = None
    line: str | None = None  # what the status message says now
    run: Run | None = None  # the new record, when it changed
    letters: int | None = None  # letters taken in so far
    most: int | None = None  # for `open`: refused when the requester would have more open requests
    place_most: int | None = None  # the same for the channel where they are shown
    is_single: bool = False  # for `open`: refused when exactly the same waits already
    known: int | None = None  # letters the writer has seen: refused if there are more
    closes: Request | None = (
        None  # for `append`: the signed request whose outcome is now known; shown wherever it stands
    )
    uses: Grant | None = None  # for `append`: the grant the call begins on, as it is after this use
    spends: Spending | None = None  # for `append`: added to the sums of a day, once
    took: int = 0  # for `spend`: letters up to the last takeover; refused when the request was asked for before it


class Loaded(Record):
    """A run as the store holds it. `length` is the journal's length when it was read."""

    run: Run
    status: RunStatus
    count: int
    entries: tuple[Entry, ...]
    length: int
    letters: tuple[Letter, ...]
    mail: int
    asks: tuple[RequestId, ...] = ()  # its open requests
    line: str = ""
    told: int = 0  # letters it has taken in
    copy: Copy | None = None  # its status message


class Tail(Record):
    """What came to a run since it was last read."""

    entries: tuple[Entry, ...]
    letters: tuple[Letter, ...]
    length: int
    mail: int
    status: RunStatus


class Held(Record):
    """A request and where it is shown."""

    request: Request
    copies: tuple[Copy, ...]

    @property
    def rows(self) -> tuple[str, ...]:
        """The outbox rows of every copy that is a message; an editor's form is none. Of its sheet, if there is one:

        a row without a copy's name means all of them.
        """
        own = tuple(card_row(self.request, copy.name) for copy in self.copies if copy.name != FORM)
        return own if (sheet := sheet_row(self.request)) is None else (*own, sheet)


def card_row(request: Request, copy: str) -> str:
    return f"card|{request.id}|{copy}|{request.run}"


def sheet_row(request: Request) -> str | None:
    return f"card|{request.sheet}||{request.run}" if request.sheet is not None else None


class Turn(Record):
    """One change of a request: `after` takes the place of version `after.version - 1`."""

    after: Request
    effects: Effects
    entries: tuple[Entry, ...] = ()  # the Decided entry, when this change decides
    delivery: str = ""  # the click behind it: counted once
    answer: str = ""  # what the clicker is told, also when the click is delivered again
    copies: tuple[Copy, ...] = ()  # copies to add
    opens: Request | None = None  # an edited call takes the old one's place
    gives: Grant | None = None  # what whoever approves allows from now on
    fence: Fence | None = None
    is_expiry: bool = False  # allowed only at or after the deadline; every other vote only before it
    is_single: bool = False  # not applied when exactly what it opens waits already
    adds: str = ""  # a channel (crowd.place_key) that `after` is shown in from now on, and counted in; it is in `also`
    place_most: int | None = None  # not applied, and `is_full`, when that channel would show more open requests
    shared: tuple[Copy, ...] = ()  # copies to add to the sheet on which `after` stands, unless it has them
    letter: Letter | None = None  # what the run hears of it in the same step
    known: int | None = None  # letters the writer has seen: not applied if the run has more


class Turned(Record):
    """`mail` is the run's mail count after a decision. `repeat` is the first answer to the same delivery."""

    is_applied: bool
    mail: int = 0
    repeat: str | None = None
    is_full: bool = False  # nothing was done: the channel shows as much as it may


class Started(Record):
    run: Run
    is_new: bool


class Row(Record):
    """One thing to show. `stamp` changes whenever it is marked again."""

    name: str  # card|<request>|<copy, or empty for each>|<run> · note|<key> · run|<run>
    stamp: int


class Ring(Record):
    """The doorbell. A run has mail, or (without a run) the outbox has rows."""

    run: RunId | None = None
    mail: int = 0  # the run's mail count after this ring


class Sealed(Record):
    """An audit chain's head (`seq`, `link`), and the last record a checkpoint covers with its `mac`."""

    seq: int
    link: str
    covered: int
    mac: str


OPEN_MOST = 50  # open requests of one person's tasks (T18): more than anybody answers in a day
GRANTS_MOST = 1_000  # of a shard that are looked at; what lies beyond gives no leave: people are asked
PLACE_MOST = 100  # open requests in one channel (T18): beyond that nobody reads them
CARDS_MOST = 5  # cards that one turn of an agent posts; what is beyond stands on a list (T19)
AGES = {"1m": timedelta(minutes=1), "1h": timedelta(hours=1), "1d": timedelta(days=1)}  # counted apart


FAILS_LATE = 3  # a timer that failed so often in a row is late, however soon it is tried again


class Totals(Record):
    """For gauges. `older` counts the open requests that wait for longer than each of AGES."""

    pending: int
    oldest: datetime | None
    outbox: int
    older: Mapping[str, int] = {}


class Store(Protocol):
    """Contract: `tests/contracts/store.py`."""

    @property
    def shards(self) -> int: ...
    def now(self) -> datetime:
        """The store's own clock, as last heard: the only clock that judges anything."""
        ...

    def shard_of(self, thread: str) -> int:
        """The shard of a conversation, by its `Place.key`."""
        ...

    # leases
    async def acquire(self, shard: int, owner: str, time: timedelta) -> Fence | None: ...
    async def renew(self, fence: Fence, time: timedelta) -> bool: ...
    async def release(self, fence: Fence) -> None: ...
    async def beat(self, owner: str, time: timedelta) -> int:
        """Say that *owner* lives; return how many processes do."""
        ...

    # intake, by any process
    async def live_run(self, thread: str) -> RunId | None: ...
    async def start(self, run: Run, *, delivery: str, replaces: RunId | None, effects: Effects) -> Started: ...
    async def tell(
        self, run: RunId, letter: Letter, *, delivery: str, effects: Effects, known: int | None = None
    ) -> bool:
        """Put *letter* into the run's inbox. False when the run has ended (or the delivery was counted).

        Raises Unheard when the run has more letters than *known*: somebody was faster.
        """
        ...

    async def remember(self, thread: str, delivery: str, answer: str, *, is_refused: bool) -> None:
        """What *delivery* was answered in *thread*; nothing if it was counted. From now on it counts nowhere there."""
        ...

    async def refusal(self, thread: str, delivery: str) -> str | None:
        """What *delivery* was told when it was refused first; None if it was not."""
        ...

    async def stop(self, run: RunId, *, delivery: str, told: str, effects: Effects) -> bool:
        """Mark the run as stopping. False when it has already ended."""
        ...

    # runs, by their owner
    async def load(self, run: RunId) -> Loaded | None: ...
    async def tail(self, run: RunId, length: int, letters: int) -> Tail: ...
    async def append(self, fence: Fence, run: RunId, batch: Batch) -> int:
        """Add to the journal; return its length. Raises LeaseLost, Unheard.

        With `uses`, Ungranted: its grant is used up, ended, revoked or used meanwhile; then nothing is written.
        """
        ...

    async def spent(self, day: str, person: PersonId) -> tuple[Usage, Usage]:
        """What *person*'s tasks used on *day* so far, and everybody's; on all shards. Forgotten two days later."""
        ...

    async def open(
        self,
        fence: Fence,
        batch: Batch,
        request: Request,
        copies: tuple[Copy, ...],
        others: tuple[Request, ...] = (),
    ) -> int:
        """Put *request* to people, and *others* that stand on its sheet: all of them or none.

        Raises LeaseLost, Unheard, TooMany, Twin, and AlreadySettled if the run was stopped. What waits on other
        shards is looked at just before the step: two that open on two of them at one moment do not see each other.
        """
        ...

    async def spend(self, fence: Fence, batch: Batch, after: Request) -> int:
        """The one start of an approved call. Raises LeaseLost, TooLate, AlreadySettled, Unheard, Overtaken."""
        ...

    # requests, by any process
    async def held(self, request: RequestId) -> Held:
        """Raises NoSuchRequest, BadSeal."""
        ...

    async def lately(self, request: RequestId) -> Held:
        """As this process last wrote it, or as `held` reads it. It may be old: use it only for a `turn`, which is
        refused then. It may lack an end or a copy that others wrote."""
        ...

    async def turn(self, turn: Turn) -> Turned:
        """Apply a change, if the request is still what it was computed from. Raises TooLate, Twin."""
        ...

    # who is away, by any process
    async def leave(self, absence: Absence, *, answer: str) -> str:
        """Somebody is away from now on, with its audit record; it takes the place of an earlier absence of theirs.

        Returns the answer that the first delivery of `absence.delivery` got. Raises NotUnderstood for an end that is
        over, or later than `absence.LONGEST` from now.
        """
        ...

    async def come_back(self, person: PersonId, *, delivery: str, answer: str) -> str | None:
        """*person* is there again, with its audit record. Returns as `leave`; None if they were not away."""
        ...

    async def absences(self) -> tuple[Absence, ...]:
        """Every absence that holds, by person. One that bears no seal of ours names no deputy, and never ends."""
        ...

    # grants, by any process; used by `append`
    async def granted(self, shard: int, thread: str | None = None) -> tuple[GrantId, ...]:
        """Grants whose end has not come and which nobody revoked, the one that ends first the first.

        Those of one thread, by its `Place.key`, or of the whole shard; GRANTS_MOST are looked at.
        """
        ...

    async def grant(self, id: GrantId) -> Grant:
        """Raises NoSuchGrant, BadSeal."""
        ...

    async def revoke(self, after: Grant, run: RunId, *, delivery: str, effects: Effects) -> bool:
        """Put *after*, which is revoked, in the place of its revision before. False if it had changed meanwhile.

        Safe to repeat with the same delivery. *run* is the one whose call it was given with.
        """
        ...

    async def log(self, shard: int, bodies: tuple[bytes, ...]) -> None: ...
    async def sealed(self, shard: int) -> Sealed:
        """How far the audit is written and how far it is covered by checkpoints."""
        ...

    async def checkpoint(self, fence: Fence, span: tuple[int, int], mac: str, body: bytes) -> None:
        """Write a checkpoint over records *span*; nothing if another one covers them already."""
        ...

    # wake-ups, timers, outbox, by the owner
    def listen(self, shards: frozenset[int]) -> AbstractAsyncContextManager[AsyncIterator[Ring]]: ...
    async def mailbox(self, shard: int) -> tuple[RunId, ...]: ...
    async def executing(self, shard: int) -> tuple[RunId, ...]: ...
    async def due(self, fence: Fence, *, most: int, hidden: timedelta) -> tuple[Timer, ...]: ...
    async def untime(self, shard: int, name: str) -> None: ...
    async def retime(self, shard: int, timer: Timer) -> None:
        """Have *timer* come back when it is due, unless it was taken down."""
        ...

    async def failed(self, fence: Fence, name: str, waits: Sequence[timedelta]) -> int:
        """Dealing with a timer failed; it comes back after the first of *waits*, next time after the second, and in the
        end always after the last. Returns how often it has failed; 0 if it was taken down since. Raises LeaseLost."""
        ...

    async def mended(self, shard: int, name: str) -> None:
        """It was dealt with after all: how often it failed is forgotten."""
        ...

    async def rows(self, shard: int, *, after: int = 0) -> tuple[Row, ...]:
        """The next rows marked after stamp *after*, oldest first; empty when there are none."""
        ...

    async def note(self, shard: int, key: str) -> Note | None: ...
    async def show_again(self, shard: int, rows: tuple[str, ...], *, unless_marked: bool = False) -> None:
        """Mark *rows*, also by whoever lost the shard: what it showed last may be out of date.

        *unless_marked*: those that are marked already keep their place in line.
        """
        ...

    async def posted(
        self, fence: Fence, row: Row, copy: Copy | None, effects: Effects, *, home: Place | None = None
    ) -> None:
        """What *row* asks for is shown. It stays in the outbox if it was marked again meanwhile.

        *home* is the place that the copy's request, or its run's task, names itself: most copies stand there.
        """
        ...

    # looks
    def keep(self) -> Keep:
        """A place beside the records for small things: adapters', and what people put off."""
        ...

    async def open_requests(self, shard: int) -> tuple[RequestId, ...]: ...
    async def recent_runs(self, shard: int, most: int) -> tuple[RunId, ...]: ...
    async def trail(self, run: RunId) -> tuple[str, ...]: ...
    async def audit_lines(self, shard: int, first: int, last: int) -> tuple[str, ...]: ...
    async def totals(self, shard: int) -> Totals: ...
    async def overdue(self, shard: int, by: timedelta) -> int:
        """How many timers of *shard* were due longer than *by* ago and claimed by nobody since, or failed so often in a
        row as FAILS_LATE says."""
        ...
