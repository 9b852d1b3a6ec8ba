"""Looks at the store, for pages and commands: what waits for me, what a run did, what the audit says.

Reads only. Strangers and guests see nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from bot.domain import wording
from bot.domain.audit import Entry, parse_line
from bot.domain.chat import Account, Button, PersonId
from bot.domain.errors import Broken, NoSuchRequest, NotEligible, Unsatisfiable
from bot.domain.grant import Grant
from bot.domain.pages import AuditRow, Awaited, Moment, Queued, RunView, Settled, Waiting
from bot.domain.ports import Directory, Toolbox
from bot.domain.request import Move, RequestId, RunId
from bot.domain.run import Run, RunStatus
from bot.domain.sheet import MOVES as SHEET_MOVES
from bot.domain.sheet import OWN
from bot.domain.store import Loaded, Store
from bot.domain.verdict import Audience
from bot.domain.wire import dumps, replace
from bot.runtime.absences import StoredAbsences
from bot.runtime.drawing import Drawing
from bot.runtime.granted import listed
from bot.runtime.leaving import told
from bot.runtime.putting_off import Kept
from bot.runtime.queueing import Queue
from bot.runtime.reporting import Reporting
from bot.runtime.rights import Rights
from bot.runtime.sharing import items_of, sheet
from bot.runtime.sight import may_see
from bot.runtime.team import Team

LOOKED_BACK = 2_000  # audit records, over all shards, in which somebody's own answers are looked for
LEAST = 100  # of one shard
NAMING = ("person", "by", "to", "deputy")  # fields of a record that say who

SENTENCES: Mapping[str, str] = {
    "run_started": "{person} gave the task",
    "run_ended": "The run ended: {status}",
    "run_resumed": "The agent woke up: {status}",
    "run_stopped": "{person} pressed Stop",
    "reply_heard": "{person} replied in the thread",
    "run_taken": "{person} took it over, to work on it by hand",
    "run_returned": "{person} handed it back to the agent",
    "rerouted": "{person} turned it from {left} to {agent}",
    "call_allowed": "{tool} was let through by rule {rule}",
    "call_denied": "{tool} was not run: {cause}",
    "request_opened": "Asked people about {tool} (rule {rule})",
    "trace_opened": "{person} read what the agent thought and found",
    "details_opened": "{person} opened the details",
    "card_shown": "A card was shown ({copy})",
    "card_lost": "A card could not be shown ({copy}): {why}",
    "vote_counted": "{person} answered: {move}",
    "vote_refused": "An answer was refused: {cause}",
    "request_decided": "Decided: {status}",
    "request_handed": "{by} handed it to {to}",
    "request_fell_back": "{gone} can no longer answer: it is asked of {to} again",
    "rung_fired": "Time passed: {do}",
    "copy_sent": "{person} was asked by direct message: {why}",
    "tool_started": "{tool} started",
    "tool_finished": "The tool ended: {outcome}",
    "away_set": "{person} is away; {deputy} decides meanwhile",
    "away_ended": "{person} is back",
    "grant_offered": "{person} looked at what more of {tool} would be allowed",
    "grant_given": "{person} allowed more of {tool}, at most {most} times",
    "grant_used": "{tool} ran without being asked about, as {person} had allowed",
    "grant_revoked": "{person} revoked what was allowed of {tool}",
    "checkpoint": "The audit was sealed",
}


class RuntimeViews:
    """Implements `bot.domain.ports.Views`."""

    def __init__(
        self, store: Store, toolbox: Toolbox, directory: Directory, key: bytes, *, reports: Sequence[Audience] = ()
    ) -> None:
        self._store = store
        self._absences = StoredAbsences(store)
        self._rights = Rights(directory, self._absences, is_judging=False)
        self._drawing = Drawing(toolbox, directory, self._absences, key)
        self._kept = Kept(store.keep())
        self._reporting = Reporting(store, self._rights, directory, reports)

    async def waiting_for(self, account: Account) -> tuple[Waiting, ...]:
        found: dict[RequestId, Waiting] = {}  # a sheet once, whichever of its items waits
        for shard in range(self._store.shards):
            for id in await self._store.open_requests(shard):  # noqa: A001  # its name everywhere
                waiting = await self._waiting(id, account)
                found |= {waiting.request: waiting} if waiting else {}
        return tuple(sorted(found.values(), key=lambda waiting: waiting.opened))

    async def team(self, viewer: Account) -> tuple[Awaited, ...]:
        return await Team(self._store, self._rights).of(viewer)

    async def queue(self, viewer: Account) -> tuple[Queued, ...]:
        return await Queue(self._store, self._rights).of(viewer)

    async def button(self, request: RequestId, move: str) -> Button | None:
        """None for a forgotten request as well. Raises BadSeal for a record that is not ours."""
        try:
            held = await self._store.held(request)
        except NoSuchRequest:
            return await self._run_button(RunId(request), move)
        items = await items_of(self._store, held.request) if move in SHEET_MOVES else ()
        drawn = await (self._drawing.sheet(sheet(items)) if items else self._drawing.request(held.request))
        return next((button for button in drawn.buttons if button.move == move), None)

    async def _run_button(self, run: RunId, move: str) -> Button | None:
        """A form may stand behind a button about a whole run, too: Hand back."""
        try:
            loaded = await self._store.load(run)
        except (ValueError, IndexError):
            return None
        return await self._drawing.run_button(_as_is(loaded), move) if loaded is not None else None

    async def settled_by(self, account: Account, *, most: int = 10) -> tuple[Settled, ...]:
        """Looks through the last LOOKED_BACK records; an older answer is not found, nor one to a forgotten request."""
        person = await self._rights.tasker(account)
        if person is None:
            return ()
        found: list[Settled] = []
        for entry in await self._votes(person.id):
            settled = await self._settled(entry) if len(found) < most else None
            found.extend([settled] if settled else [])
        return tuple(found)

    async def grants(self, viewer: Account) -> tuple[Grant, ...]:
        return await listed(self._store, self._rights, viewer)

    async def run(self, run: RunId, viewer: Account) -> RunView | None:
        person = await self._rights.tasker(viewer)
        if person is None:
            return None
        try:
            loaded = await self._store.load(run)
        except (ValueError, IndexError):
            return None
        if loaded is None or not may_see(person, viewer, loaded):
            return None
        shard = int(run.split("-", 2)[1])
        entries = [parse_line(shard, line) for line in await self._store.trail(run)]
        names = await self._names(entries)
        return replace(await self._view(loaded), moments=tuple(_moment(entry, names) for entry in entries))

    async def absence(self, viewer: Account) -> str:
        person = await self._rights.tasker(viewer)
        held = (await self._absences.fresh().now()).get(person.id) if person else None
        if person is None or held is None:
            return ""
        return told(held, person, await self._rights.person(held.deputy) if held.deputy else None)

    async def runs(self, viewer: Account, *, most: int = 50) -> tuple[RunView, ...]:
        person = await self._rights.tasker(viewer)
        if person is None:
            return ()
        views: list[RunView] = []
        for shard in range(self._store.shards):
            for run in await self._store.recent_runs(shard, most):
                loaded = await self._store.load(run)
                views.extend([await self._view(loaded)] if loaded and may_see(person, viewer, loaded) else [])
        return tuple(sorted(views, key=lambda view: view.began, reverse=True)[:most])

    async def trail(self, viewer: Account, *, run: RunId | None = None, most: int = 200) -> tuple[AuditRow, ...]:
        if await self._rights.tasker(viewer) is None:
            return ()
        if run is not None:
            if await self.run(run, viewer) is None:
                return ()
            shard = int(run.split("-", 2)[1])
            return tuple(_row(parse_line(shard, line)) for line in await self._store.trail(run))[-most:]
        rows: list[AuditRow] = []
        for shard in range(self._store.shards):
            rows += [_row(parse_line(shard, line)) for line in await self._store.audit_lines(shard, -most, -1)]
        return tuple(sorted(rows, key=lambda row: (row.at, row.shard, row.seq))[-most:])

    async def report(self, viewer: Account, since: timedelta) -> str | None:
        return await self._reporting.told(viewer, since)

    async def _names(self, entries: Sequence[Entry]) -> dict[PersonId, str]:
        """What everybody is called whom *entries* name by their id."""
        people = {who for entry in entries for name in NAMING if isinstance(who := entry.fields.get(name), str)}
        return {who: await self._rights.name(who) for who in map(PersonId, sorted(people))}

    async def _waiting(self, id: RequestId, account: Account) -> Waiting | None:
        try:
            held = await self._store.held(id)
            person, *_ = await self._rights.claim(held.request, account, Move.REJECT)  # a seat, or a veto
        except (NoSuchRequest, NotEligible, Unsatisfiable, Broken):
            return None
        request = held.request
        if not request.is_open or any(vote.person == person.id for vote in request.votes):
            return None
        items = await items_of(self._store, request)
        shown = items[0] if items else held
        ref = next((copy.ref for copy in shown.copies if copy.ref is not None and copy.name != OWN), None)
        put_off = await self._kept.get(person.id, shown.request.id)
        due = [one.request.deadline for one in items or (held,) if one.request.is_open and one.request.deadline]
        return Waiting(
            request=shown.request.id,
            run=request.run,
            card=await (self._drawing.sheet(sheet(items)) if items else self._drawing.request(request)),
            place=request.place,
            ref=ref,
            opened=shown.request.opened,
            deadline=min(due, default=None),
            put_off=put_off.holds(self._store.now()),
        )

    async def _votes(self, person: PersonId) -> list[Entry]:
        """This person's answers among the last records, latest first."""
        each = max(LOOKED_BACK // self._store.shards, LEAST)
        entries = [
            parse_line(shard, line)
            for shard in range(self._store.shards)
            for line in await self._store.audit_lines(shard, -each, -1)
            if '"vote_counted"' in line  # most records are about something else, and need not be read
        ]
        own = [e for e in entries if e.event == "vote_counted" and e.fields.get("person") == person]
        return sorted(own, key=lambda entry: (entry.at, entry.shard, entry.seq), reverse=True)

    async def _settled(self, vote: Entry) -> Settled | None:
        try:
            request = (await self._store.held(RequestId(vote.subject))).request
        except (NoSuchRequest, Broken):
            return None
        card, move = await self._drawing.request(request), str(vote.fields.get("move"))
        return Settled(request=request.id, run=request.run, card=card, move=move, at=vote.at)

    async def _view(self, loaded: Loaded) -> RunView:
        run = _as_is(loaded)
        return RunView(
            run=run.id,
            status=run.status,
            task=run.task.text,
            requester=run.task.by,
            place=run.task.place,
            began=run.began,
            stop=self._drawing.stop(run),
            asked_by=await self._rights.name(run.task.by),
        )


def _as_is(loaded: Loaded) -> Run:
    """The run with its status as it is now; its own record keeps only how it ended."""
    return loaded.run if loaded.run.status is not RunStatus.ACTIVE else replace(loaded.run, status=loaded.status)


def _moment(entry: Entry, names: Mapping[PersonId, str]) -> Moment:
    fields = entry.fields
    person = fields.get("person")
    called = {name: wording.name(names, PersonId(who)) for name in NAMING if isinstance(who := fields.get(name), str)}
    text = SENTENCES.get(entry.event, entry.event).format_map(_Quiet(fields | called))
    return Moment(at=entry.at, event=entry.event, text=text, person=PersonId(str(person)) if person else None)


def _row(entry: Entry) -> AuditRow:
    subject = entry.fields.get("request") or entry.fields.get("run") or ""
    return AuditRow(
        shard=entry.shard,
        seq=entry.seq,
        at=entry.at,
        event=entry.event,
        subject=str(subject),
        body=dumps(entry.fields).decode(),
        link=entry.link,
    )


class _Quiet(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "–"
