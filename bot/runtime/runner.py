"""The runner: starts, resumes, stops and gives back the runs of the shards this process owns.

    wake(run) -> in memory? take in what came -> else load it, call the agent again, let it replay

Owns the life of each coroutine. Not where it waits (host), how its end is written (ending), nor how a shard became ours
(shards).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import structlog

from bot.domain.calls import Cause
from bot.domain.chat import PersonId, Tone
from bot.domain.errors import Broken, CountersignError, Diverged, LeaseLost, Refused, StoreUnavailable, Unavailable
from bot.domain.letters import Explain, GaveBack, Letter, Said, Took, taken_by
from bot.domain.request import OUTSTAYING, Kind, Move, Request, RequestId, RunId
from bot.domain.run import Decided, RunStatus
from bot.domain.store import Batch, Effects, Fence
from bot.domain.wire import replace
from bot.runtime.closing import Closing, End
from bot.runtime.context import Context, Mind
from bot.runtime.diverged import Changed
from bot.runtime.ending import Ending
from bot.runtime.explain import Explainer
from bot.runtime.gate import Gate
from bot.runtime.host import Host
from bot.runtime.parts import Parts
from bot.runtime.purse import Purse

log = structlog.get_logger()
LET_GO_WITHIN = 2.0  # seconds a cancelled agent gets; afterwards its writes are refused or never made
KEPT = frozenset(Kind) - {Kind.APPROVAL, Kind.PLAN}  # a reply withdraws a signature or plan asked for, and nothing else
LIVE = (RunStatus.ACTIVE, RunStatus.WAITING, RunStatus.STOPPING)


class Runner:
    """The runs in this process's memory. `fence_of` says which shards are ours right now."""

    def __init__(self, parts: Parts, gate: Gate, fence_of: Callable[[RunId], Fence | None]) -> None:
        self._parts, self._store, self._gate, self._fence_of = parts, parts.store, gate, fence_of
        self._closing = Closing(parts.store, fence_of, self.deliver)
        self._ending = Ending(parts.store, self._attend)
        purse = Purse(parts.store, gate.house, parts.budgets, parts.prices)
        self._mind = Mind({**parts.models, "": parts.model}, parts.toolbox, parts.meter, parts.chats, purse)
        self._explainer, self._changed = Explainer(parts, purse), Changed(parts.store, gate.house)
        self._locks: WeakValueDictionary[RunId, asyncio.Lock] = WeakValueDictionary()
        self._tasks: asyncio.TaskGroup | None = None
        self._is_closing = False
        self._rousing: set[RunId] = set()
        self._spawned: set[asyncio.Task[Any]] = set()
        self._broken: set[RunId] = set()  # runs whose record cannot be read: said once, then left alone
        self.hosts: dict[RunId, Host] = {}

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        """From now on coroutines may be started; *tasks* owns them."""
        self._tasks = tasks

    # --------------------------------------------------------------- wake

    def ring(self, run: RunId, mail: int) -> None:
        """The doorbell rang for *run*: see to it, unless what it rang for is known already."""
        host = self.hosts.get(run)
        if (host is None or host.mail < mail) and self._fence_of(run) is not None:
            self._spawn(self.wake(run), f"wake {run}")

    def deliver(self, run: RunId, decided: Decided, mail: int, signed: Request | None = None) -> None:
        """The shortest way: a decision made in this process for a run in this process's memory."""
        host = self.hosts.get(run)
        if host is not None and not host.is_leaving:
            host.mail += mail == host.mail + 1
            if signed is not None:
                host.signed[signed.id] = signed
            host.learn(decided)
            asyncio.get_running_loop().call_soon(partial(self._parts.meter.count, "resumes", how="hot"))

    def rouse_soon(self, run: RunId, *, is_lost: bool = False) -> None:
        """See to *run* beside everything else. *is_lost*: its mail was found by looking, not by the bell."""
        if run not in self._rousing:
            self._rousing.add(run)
            self._spawn(self._rouse_found(run, is_lost=is_lost), f"adopt {run}")

    async def _rouse_found(self, run: RunId, *, is_lost: bool) -> None:
        try:
            if await self.wake(run) and is_lost:
                self._parts.meter.count("lost_rings")
        finally:
            self._rousing.discard(run)

    async def alarm(self, run: RunId, path: str) -> bool:
        """The clock says that a sleeping branch may go on. False when its run has ended."""
        if run not in self.hosts:
            await self.wake(run)
        if host := self.hosts.get(run):
            host.ring_alarm(path)
            return True
        loaded = await self._store.load(run)
        return loaded is not None and loaded.status in LIVE

    async def wake(self, run: RunId) -> bool:
        """See to a run that has something to do. True if there really was something new."""
        try:
            async with self._lock(run):
                fence = self._fence_of(run)
                if fence is None or self._is_closing or run in self._broken:
                    return False
                host = self.hosts.get(run)
                return await (self._rouse(run, fence) if host is None else self._catch_up(host))
        except (StoreUnavailable, LeaseLost) as error:
            log.warning("wake_failed", run=run, error=str(error))
            return False
        except Broken as error:
            self._broken.add(run)
            log.error("run_unreadable", run=run, error=str(error))
            return False

    async def _rouse(self, run: RunId, fence: Fence) -> bool:
        """Back into memory: load the journal and call the agent again."""
        loaded = await self._store.load(run)
        if loaded is None or loaded.status not in LIVE:
            return False
        assert self._tasks is not None, "begin() comes first"
        host = self.hosts[run] = Host(self._store, fence, loaded, self._tasks, is_daily=self._parts.budgets.are_daily)
        if loaded.status is RunStatus.STOPPING:
            await self._stop(host)
            return True
        host.life = self._spawn(self._live(host), f"run {run}")
        if loaded.entries:
            self._parts.meter.count("resumes", how="cold")
            self._parts.meter.count("replays")
        await self._attend(host, tuple(host.letters[host.told :]))
        return True

    async def _catch_up(self, host: Host) -> bool:
        known = len(host.letters)
        tail = await self._store.tail(host.id, host.journal.length, known)
        is_new = tail.mail > host.mail
        letters = host.catch_up(tail, known)
        if tail.status is RunStatus.STOPPING and not host.is_stopping:
            await self._stop(host)
        else:
            await self._attend(host, letters)
        return is_new

    async def _attend(self, host: Host, letters: tuple[Letter, ...]) -> None:
        """A takeover closes all that was asked; a reply withdraws what waits to be signed; an agent explains itself."""
        for letter in letters:
            if isinstance(letter, Explain):
                self._spawn(self._explainer.explain(host, letter), f"explain {letter.request}")
        if host.takes > host.run.takes or taken_by(host.letters) != host.run.taken_by:
            await self._change_hands(host)
        said = [letter.heard for letter in letters if isinstance(letter, Said)]
        if said and not host.is_taken:  # else nothing is open, and the words wait with those of whoever hands it back
            told = f"{await self._called(said[-1].by)} said: {said[-1].text[:200]}"
            is_turned = any(heard.to for heard in said)  # to another member: nothing that this one asked is awaited
            await self._close_all(host, _superseded(told, OUTSTAYING if is_turned else KEPT))

    async def _change_hands(self, host: Host) -> None:
        """Somebody took the run over, or handed it back: close what was asked before, and write down who has it."""
        has, takes = taken_by(host.letters), host.takes
        hands = [letter.by for letter in host.letters if isinstance(letter, Took | GaveBack)]
        name = await self._called(hands[-1])
        if takes > host.run.takes:
            took = next(letter.by for letter in reversed(host.letters) if isinstance(letter, Took))
            told = f"{await self._called(took)} took this over"
            await self._close_all(host, _superseded(told, OUTSTAYING))
        run = host.run = replace(host.steer(hands), taken_by=has, takes=takes)
        line = f"{name} took this over" if has else f"{name} handed this back"
        await host.write(Batch(op="", count=0, run=run, line=line, effects=Effects(dirty=(f"run|{host.id}",))))
        log.info("run_changed_hands", run=host.id, taken_by=has)
        host.look_again()

    async def _called(self, person: PersonId) -> str:
        """Their name; if nobody can say it now, their id: a takeover waits for no directory."""
        try:
            known = await self._parts.directory.person(person)
        except Unavailable:
            return person
        return known.name if known else person

    # --------------------------------------------------------------- live

    async def _live(self, host: Host) -> None:
        """The agent's coroutine, from its call to its end, whatever the end is."""
        with structlog.contextvars.bound_contextvars(run=host.id):
            try:
                await (self._restart(host) if self._changed.is_known(host) else self._work(host))
            except asyncio.CancelledError:
                if not (host.is_stopping or host.is_leaving or self._is_closing):
                    raise
            except (LeaseLost, StoreUnavailable) as error:
                log.info("run_handed_over", reason=str(error))
            except CountersignError as error:
                await self._fail(host, error, error.people_read)
            except Exception as error:  # noqa: BLE001  # one agent's crash must not stop the others (AU-19)
                await self._fail(host, error, "Something in this task went wrong, so I stopped it.")
            finally:
                if not host.is_stopping:
                    self.hosts.pop(host.id, None)

    async def _work(self, host: Host) -> None:
        try:
            agent = self._parts.roster.get(host.run.agent)
            answer = await agent(host.run.task, Context(host, self._gate, self._mind, self._store.now))
        except Diverged as error:
            log.error("agent_changed", path=error.path, recorded=error.recorded, wanted=error.wanted)
            told = "the agent's program changed meanwhile"
            await self._close_all(host, End(move=Move.CANCEL, cause=Cause.SUPERSEDED, told=told))
            await self._restart(host, error)
            return
        await host.until_returned()
        await self._close_all(host, _cancelled("the run has ended"))  # no answer is awaited
        await self._ending.end(host, RunStatus.DONE, answer, Tone.GOOD)

    async def _restart(self, host: Host, error: Diverged | None = None) -> None:
        """The agent's program is another one than the run began with: people say whether it begins again."""
        try:
            parting = await self._changed.settle(host)
        except Refused as refused:
            raise (error or refused) from refused
        await self._ending.end(host, parting.status, parting.told, parting.tone)

    async def _fail(self, host: Host, error: Exception, people_read: str) -> None:
        tail = await self._ending.tail(host)
        if tail.status is RunStatus.STOPPING:
            self._spawn(self.wake(host.id), f"stop {host.id}")
            return
        log.error("run_failed", error=f"{type(error).__name__}: {error}", exc_info=error)
        try:
            await self._close_all(host, _cancelled("the run failed"))
            await self._ending.end(host, RunStatus.FAILED, people_read, Tone.BAD)
        except LeaseLost as lost:
            log.info("run_handed_over", reason=str(lost))

    # --------------------------------------------------------------- stop

    async def _stop(self, host: Host) -> None:
        """End the coroutine within its grace, close its cards, and say so."""
        host.is_stopping = True
        try:
            if host.life is not None:
                host.life.cancel()
                await asyncio.wait({host.life}, timeout=LET_GO_WITHIN)
            await self._close_all(host, _cancelled("the run was stopped"))
            loaded = await self._store.load(host.id)
            told = loaded.line if loaded and loaded.line else "Stopped."
            await self._ending.end(host, RunStatus.STOPPED, told, Tone.BAD)
        except LeaseLost as error:
            log.info("run_handed_over", run=host.id, reason=str(error))
        finally:
            self.hosts.pop(host.id, None)

    async def _close_all(self, host: Host, end: End) -> None:
        await self._closing.all(host.id, host.asks, end)

    async def withdraw(self, run: RunId, request: RequestId, end: End) -> None:
        """Close one request, unless somebody decides it first."""
        await self._closing.one(run, request, end)

    # ------------------------------------------------------ memory and end

    async def evict(self) -> None:
        """Give back the memory of runs that only wait, and have for long enough."""
        limit = time.monotonic() - self._parts.pace.evict_after.total_seconds()
        for host in [h for h in self.hosts.values() if h.is_asleep and h.idle_since <= limit]:
            await self.leave(host)

    async def leave(self, host: Host) -> None:
        """Let the coroutine go; its run stays in the store, waiting."""
        async with self._lock(host.id):
            if not host.is_asleep or host.is_stopping or host.life is None:
                return
            try:
                if host.status is not RunStatus.WAITING or host.seen < host.mail:
                    await host.write(Batch(op="", count=0, status=RunStatus.WAITING))
            except LeaseLost as error:
                log.info("run_handed_over", run=host.id, reason=str(error))
            if host.is_asleep:
                await self._let_go(host)

    async def drop(self, shard: int) -> None:
        """The shard is somebody else's now (or about to be): forget its runs, write nothing."""
        hosts = [host for host in self.hosts.values() if host.journal.fence.shard == shard]
        for host in hosts:
            host.dismiss()  # all at once: none may begin a call while another one ends
        for host in hosts:
            async with self._lock(host.id):
                await self._let_go(host)

    def is_busy(self, shard: int) -> bool:
        """Is a call under way there, which would be in doubt if the shard were given away now?"""
        return any(host.calls for host in self.hosts.values() if host.journal.fence.shard == shard)

    async def close(self) -> None:
        """SIGTERM: take nothing new, let running tools end and be recorded, then let go of everything."""
        self._is_closing = True
        try:
            async with asyncio.timeout(self._parts.pace.shutdown_grace.total_seconds()):
                await asyncio.gather(*(self._let_end(host) for host in list(self.hosts.values())))
        except TimeoutError:
            log.warning("tools_cut_short", runs=[host.id for host in self.hosts.values() if host.calls])
        for host in list(self.hosts.values()):
            await self._let_go(host)
        for task in self._spawned:
            task.cancel()  # questions to the model, runs about to be loaded: the store still knows of them

    async def _let_end(self, host: Host) -> None:
        await host.calm()
        await self._let_go(host)

    async def _let_go(self, host: Host) -> None:
        host.dismiss()
        if host.life is not None and not host.life.done():
            _, stubborn = await asyncio.wait({host.life}, timeout=LET_GO_WITHIN)
            if stubborn:
                log.error("agent_swallows_cancellation", run=host.id, agent=host.run.agent)
        self.hosts.pop(host.id, None)

    def _lock(self, run: RunId) -> asyncio.Lock:
        return self._locks.setdefault(run, asyncio.Lock())

    def _spawn(self, coroutine: Coroutine[Any, Any, bool | None], name: str) -> asyncio.Task[Any]:
        assert self._tasks is not None, "begin() comes first"
        task = self._tasks.create_task(_guarded(coroutine, name), name=name)
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)
        task.add_done_callback(lambda _: coroutine.close())  # cancelled before its turn came, it was never awaited
        return task


async def _guarded(coroutine: Coroutine[Any, Any, bool | None], name: str) -> None:
    """What goes wrong with one run stays with that run; the process and all others go on."""
    try:
        await coroutine
    except Exception as error:  # said aloud, and the sweep tries the run again
        log.error("task_failed", task=name, error=f"{type(error).__name__}: {error}", exc_info=error)


def _superseded(told: str, kept: frozenset[Kind]) -> End:
    return End(move=Move.SUPERSEDE, cause=Cause.SUPERSEDED, told=told, kept=kept)


def _cancelled(told: str) -> End:
    return End(move=Move.CANCEL, cause=Cause.STOPPED, told=told)
