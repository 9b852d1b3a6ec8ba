"""`RunContext`: the agent's only way to the world, one method per kind of step.

A step's path is where the agent asked for it: its branch, then its position there. The same function
called again asks in the same order, so every done step is answered and the first undone one acts.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol, TypeVar

from bot.domain.budget import THINKS, Sums
from bot.domain.calls import ToolResult, ToolSpec
from bot.domain.chat import Attachment, Card
from bot.domain.errors import LeaseLost, SpokenTo
from bot.domain.inert import spoken
from bot.domain.long import in_thread
from bot.domain.ports import Chat, Line, Live, Meter, Model, OnText, Said, Toolbox, WantedCall
from bot.domain.run import Heard, Route, Run, Step, Task
from bot.domain.run_card import REROUTE, progress_line
from bot.domain.scope import Scope, Scoped
from bot.domain.store import Batch, Effects, Note, Timer
from bot.domain.wire import dumps, loads, pack, replace
from bot.runtime import unsaid
from bot.runtime.host import Host
from bot.runtime.purse import Purses, Unmetered

T = TypeVar("T")
NOTHING = Effects()
BRANCH_ENDS = "ends"  # the mark of a branch's last step, which is no more than its end


class _Read(NamedTuple):
    """How far a conversation was read: its last line then, and the digest of all of them."""

    seen: int = 0
    last: Line | None = None
    rolled: bytes = b""

    def is_begin_of(self, lines: Sequence[Line]) -> bool:
        return not self.seen or (self.seen <= len(lines) and lines[self.seen - 1] is self.last)


class Wish(NamedTuple):
    """What a model is asked, and which."""

    model: str
    lines: Sequence[Line]
    tools: Sequence[str]


class CallGate(Protocol):
    """What lets a call through: `bot.runtime.gate`."""

    async def use(self, host: Host, path: str, wanted: Sequence[WantedCall], why: str) -> tuple[ToolResult, ...]: ...


class Mind:
    """What thinking needs: the model, the tools it may be told about, the chats that may show its words meanwhile."""

    def __init__(
        self,
        models: Mapping[str, Model],
        toolbox: Toolbox,
        meter: Meter,
        chats: Mapping[str, Chat],
        purse: Purses | None = None,
    ) -> None:
        """*models* by their names; the default one is "". Without a *purse* nothing has a price, nor a limit."""
        self._models, self._toolbox, self._meter, self._chats = models, toolbox, meter, chats
        self.purse = purse or Unmetered()

    def aloud(self, task: Task) -> Live:
        """Where the words of one turn are seen while they grow. What counts is what the journal then holds."""
        chat = self._chats.get(task.place.platform)
        return chat.live(task.place, task.by) if chat is not None else nullcontext()

    async def ask(self, model: str, lines: Sequence[Line], tools: Sequence[str], on_text: OnText | None) -> Said:
        """One answer of *model*, or of the default one where there is no such model any more."""
        mind = self._models.get(model, self._models[""])
        specs: tuple[ToolSpec, ...] = tuple(self._toolbox.get(name).spec for name in tools)
        outcome = "failed"
        try:
            said = await mind.think(lines, specs, on_text=on_text)
            outcome = "answered"
            return said
        finally:
            self._meter.count("model_calls", outcome=outcome)


class Context(Scoped):
    """Implements `bot.domain.ports.RunContext` for one hosted run."""

    def __init__(self, host: Host, gate: CallGate, mind: Mind, clock: Callable[[], datetime]) -> None:
        super().__init__(host.id)
        self._host, self._gate, self._mind, self._clock = host, gate, mind, clock
        self._marks: dict[str, _Read] = {}  # per branch and agent

    @property
    def task(self) -> Task:
        return self._host.run.task

    async def think(
        self, lines: Sequence[Line], tools: Sequence[str] = (), *, model: str = "", heeds: bool = False
    ) -> Said:
        """One answer of a model, journalled as it came. Only one that is really given is shown while it grows."""
        scope = self._scope.get()
        heard = scope.heard
        path, mark = scope.next(), f"{THINKS}{self._mark(scope, lines)}"
        if heeds and f"{path}~{heard}" in self._host.journal.told:  # a reply came before it was answered
            scope.take_back(heard)
            raise SpokenTo
        known = await self._known(path, mark)
        if known is not None:
            return unsaid.recalled(known.result)
        if heeds and self._host.has_words(scope.upto):  # they came before this process did: no model is asked in vain
            scope.take_back(heard)
            raise SpokenTo
        before = await self._mind.purse.before(self._host)
        try:
            return await self._answered(path, mark, Wish(model, lines, tools), before, heeds=heeds)
        except SpokenTo:
            scope.take_back(heard)
            raise

    async def _answered(self, path: str, mark: str, wish: Wish, before: Sums, *, heeds: bool) -> Said:
        async with self._mind.aloud(self.task) as on_text:  # over before any call of this turn meets the gate
            spoken = self._host.until_spoken(self._scope.get().upto) if heeds else None
            try:
                ask = self._mind.ask(*wish, on_text)
                said = await (ask if spoken is None else unless(spoken, ask))
            except unsaid.FAILURES as error:
                await self._record(path, mark, unsaid.written(error))
                raise
            said = self._mind.purse.charged(self._host, before, wish.model, said)
            await self._record(path, mark, pack(said).decode(), line="Thinking" if said.calls else "Answering")
        return said

    async def heard(self) -> tuple[Heard, ...]:
        """Replies since the last time, taken in just before the next step of this branch."""
        scope = self._scope.get()
        self._host.listens, scope.listened = True, scope.steps
        path = f"{scope.ahead()}~{scope.heard}"
        told = self._host.journal.told.get(path)
        if told is None and self._host.journal.is_known(scope.ahead()):
            return ()
        if told is None:
            await self._host.until_returned()
        took = (told,) if told is not None else await self._host.hear(path, scope.upto)
        if not took:
            return ()
        scope.heard += 1
        scope.upto = took[0].upto or self._host.told
        self._host.refused.clear()  # people gave direction: what they rejected before may be asked again (D-46)
        return took[0].heard

    async def use(self, wanted: Sequence[WantedCall], *, why: str = "") -> tuple[ToolResult, ...]:
        scope = self._scope.get()
        path = scope.next()
        if not self._host.journal.is_known(path):
            await self._host.until_returned()
        if scope.agent:
            self._host.actors[path] = scope.agent
        if scope.listens:
            self._host.ears[path] = scope.upto
        return await self._gate.use(self._host, path, wanted, why)

    async def note(self, text: str, *, files: Sequence[Attachment] = ()) -> None:
        scope = self._scope.get()
        path, mark = scope.next(), _mark("note", "\n".join([text, *(file.sha256 for file in files)]))
        body, whole = in_thread(text, "message.md")
        card = Card(body=spoken(body), run=self._host.id, author=scope.agent, attachments=(*whole, *files))
        note = Note(key=f"{self._host.id}{path}", place=self.task.place, card=card)
        if await self._known(path, mark) is None:
            effects = Effects(notes=(note,), dirty=(f"note|{note.key}",))
            await self._record(path, mark, "", effects=effects)

    async def route(self, pattern: str, at: str, members: Sequence[str] = ()) -> None:
        scope = self._scope.get()
        path, mark = scope.next(), _mark("route", "\n".join([pattern, at, *members]))
        if await self._known(path, mark) is not None:
            return
        routes = [one for one in self._host.run.routes if one.pattern != pattern]
        routes += [Route(pattern=pattern, at=at, members=tuple(members))] if members else []
        run = self._host.run = replace(self._host.run, routes=tuple(routes))
        key = f"{self._host.id}{path}"
        card = Card(body=spoken(f"Routed to {at}."), run=self._host.id, author=scope.agent)
        note = Note(key=key, place=self.task.place, card=card, offers=REROUTE)
        said = Effects(notes=(note,), dirty=(f"note|{key}",)) if members else NOTHING
        effects = replace(said, dirty=(*said.dirty, f"run|{self._host.id}"))
        await self._record(path, mark, "", effects=effects, run=run)

    async def progress(self, text: str, done: int, total: int) -> None:
        """The run's line, as of now. What was done already is told to nobody again."""
        if not self._host.journal.is_known(self._scope.get().ahead()):
            by = self._acting()
            told = progress_line(text, done, total)
            await self._host.progress(f"{by} · {told}" if by else told, is_end=done >= total)

    async def sleep(self, time: timedelta) -> None:
        """Sleep by the store's clock, for a second or a month: a timer of the shard wakes the run."""
        due = datetime.fromisoformat(await self._once("sleep", lambda: (self._clock() + time).isoformat()))
        scope = self._scope.get()
        path = scope.next()
        if await self._known(path, "slept") is not None:
            return
        timer = Timer(name=f"sleep|{self._host.id}|{path}", due=due)
        await self._host.write(Batch(op="", count=0, effects=Effects(timers=(timer,))))
        await self._host.alarm(path).sleep()
        await self._record(path, "slept", "", effects=Effects(untime=(timer.name,)))

    async def now(self) -> datetime:
        return datetime.fromisoformat(await self._once("now", lambda: self._clock().isoformat()))

    async def random(self) -> float:
        return float(await self._once("random", lambda: repr(random.random())))

    async def gather(self, *branches: Coroutine[Any, Any, T]) -> tuple[T, ...]:
        """Run branches side by side; each has its own scope, so they replay in any order."""
        scope = self._scope.get()
        path = scope.next()
        inner = scope.branches(path, len(branches))
        pairs = zip(inner, branches, strict=True)
        results = await side_by_side(self._host, [self._in_scope(one, branch) for one, branch in pairs])
        scope.rejoin(inner)
        return results

    async def _in_scope(self, scope: Scope, branch: Coroutine[Any, Any, T]) -> T:
        self._scope.set(scope)  # a task has its own copy of the context
        result = await branch
        await self._end(scope)
        return result

    async def _end(self, scope: Scope) -> None:
        """Write down that a branch heard nothing more before it ended: a replay would hear what came since."""
        if scope.listened_last and self._host.journal.answer(path := scope.next(), BRANCH_ENDS) is None:
            await self._record(path, BRANCH_ENDS, "")

    async def _once(self, what: str, make: Callable[[], str]) -> str:
        """A value that must be the same on every replay."""
        path = self._scope.get().next()
        known = await self._known(path, what)
        if known is not None:
            return str(loads(known.result))
        value = make()
        await self._record(path, what, dumps(value).decode())
        return value

    async def _known(self, path: str, mark: str) -> Step | None:
        """The recorded step at *path*; or None, once it may be done: nothing begins while people have the run."""
        known = self._host.journal.answer(path, mark)
        if known is None:
            await self._host.until_returned()
        return known

    async def _record(
        self,
        path: str,
        mark: str,
        result: str,
        *,
        effects: Effects = NOTHING,
        line: str | None = None,
        run: Run | None = None,
    ) -> None:
        by = self._acting()
        step = Step(path=path, mark=mark, result=result, by=by)
        line = f"{by} · {line}" if by and line else line
        await self._host.write(Batch(op="", count=0, entries=(step,), effects=effects, line=line, run=run))

    def _acting(self) -> str:
        """The member of a pattern that acts here; empty if it is the run's own agent."""
        agent = self._scope.get().agent
        return agent if agent != self._host.run.agent else ""

    def _mark(self, scope: Scope, lines: Sequence[Line]) -> str:
        """A rolling digest of the conversation: it only grows, so each line is read once."""
        branch = f"{scope.prefix}|{scope.agent}"
        read = self._marks.get(branch, _Read())
        if not read.is_begin_of(lines):
            read = _Read()
        for line in lines[read.seen :]:
            read = _Read(read.seen + 1, line, hashlib.sha256(read.rolled + pack(line)).digest())
        self._marks[branch] = read
        return read.rolled.hex()[:16]


async def side_by_side(host: Host, branches: Sequence[Coroutine[Any, Any, T]]) -> tuple[T, ...]:
    """Run branches of one run as tasks; the run is awake while any of them is."""
    if not branches:
        return ()
    host.awake += len(branches) - 1
    left = len(branches)

    async def walk(branch: Coroutine[Any, Any, T]) -> T:
        nonlocal left
        try:
            return await branch
        finally:
            left -= 1
            host.awake -= left > 0  # the last one hands its wakefulness back to the parent

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(walk(branch)) for branch in branches]
    except BaseExceptionGroup as several:
        raise _first(several) from None
    return tuple(task.result() for task in tasks)


async def unless(spoken: Coroutine[Any, Any, None], work: Coroutine[Any, Any, T]) -> T:
    """What *work* gives. Raises SpokenTo, with *work* cancelled, as soon as *spoken* is over first."""
    try:
        async with asyncio.TaskGroup() as group:
            working, listening = group.create_task(work), group.create_task(spoken)
            await asyncio.wait({working, listening}, return_when=asyncio.FIRST_COMPLETED)
            is_done = working.done()
            working.cancel()
            listening.cancel()
    except BaseExceptionGroup as several:
        raise _first(several) from None
    if not is_done:
        raise SpokenTo
    return working.result()


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that matters: a lost lease before anything that followed from it."""
    flat = [_first(error) if isinstance(error, BaseExceptionGroup) else error for error in several.exceptions]
    return next((error for error in flat if isinstance(error, LeaseLost)), flat[0])


def _mark(kind: str, what: str) -> str:
    return f"{kind}:{hashlib.sha256(what.encode()).hexdigest()[:16]}"
