"""`ports.RunContext` in memory: every method is a step, acted once and answered from the journal ever after."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from agents.tryout.branches import side_by_side
from agents.tryout.errors import ScriptError
from agents.tryout.gate import World, use
from agents.tryout.journal import MISSING
from bot.domain.calls import ToolResult, ToolSpec
from bot.domain.chat import Attachment
from bot.domain.errors import UnknownTool
from bot.domain.ports import Line, Model, Said, WantedCall
from bot.domain.run import Heard, Task
from bot.domain.scope import Scope, Scoped
from bot.domain.wire import pack

T = TypeVar("T")


class Context(Scoped):
    """One call of the agent. The world outlives it."""

    def __init__(self, world: World, model: Model | None, chance: random.Random, notes: list[str]) -> None:
        super().__init__("a tryout")
        self._world, self._model, self._chance, self._notes = world, model, chance, notes
        self._known = world.journal.known

    @property
    def task(self) -> Task:
        return self._world.task

    async def think(
        self,
        lines: Sequence[Line],
        tools: Sequence[str] = (),
        *,
        model: str = "",  # noqa: ARG002  # one script plays every model
        heeds: bool = False,  # noqa: ARG002  # a script answers at once: nobody can come in between
    ) -> Said:
        read = hashlib.sha256(b"".join(pack(line) for line in lines)).hexdigest()[:12]
        path, mark = self._scope.get().next(), f"think about {len(lines)} lines ({read})"
        known = self._known(path, mark)
        if known is not MISSING:
            return known  # type: ignore[no-any-return]  # a journal holds results of every kind
        if self._model is None:
            raise ScriptError("the agent thinks, and the test gave it no model: model=Script([…])")
        specs = tuple(self._spec(name) for name in tools)
        said = await self._model.think(lines, specs)
        self._world.journal.record(path, mark, said)
        return said

    def _spec(self, name: str) -> ToolSpec:
        try:
            return self._world.toolbox.get(name).spec
        except UnknownTool:
            there = ", ".join(spec.name for spec in self._world.toolbox.specs())
            told = f"{self._world.agent} has the tool {name!r}, and the test gave it no such one"
            raise ScriptError(f"{told}: rehearse(…, tools=[{name}]); there are {there}") from None

    async def heard(self) -> tuple[Heard, ...]:
        scope, table = self._scope.get(), self._world.table
        scope.listened = scope.steps
        path = f"{scope.ahead()}~{scope.heard}"
        known: Any = self._known(path, "heard") if self._world.journal.is_begun(path) else MISSING
        new = tuple(table.letters[scope.upto :])
        if known is MISSING and (not new or self._world.journal.is_begun(scope.ahead())):
            return ()
        scope.heard += 1
        if known is not MISSING:
            scope.upto, heard = known
            return heard  # type: ignore[no-any-return]  # a journal holds results of every kind
        self._known(path, "heard")
        heard, scope.upto = new, len(table.letters)
        table.told = scope.upto
        table.steered += [one.by for one in heard if one.by not in table.steered]
        self._world.refused.clear()  # people gave direction: what they rejected before may be asked again (D-46)
        self._world.journal.record(path, "heard", (scope.upto, heard))
        return heard

    async def use(self, wanted: Sequence[WantedCall], *, why: str = "") -> tuple[ToolResult, ...]:
        scope = self._scope.get()
        path = scope.next()
        if scope.agent:
            self._world.actors[path] = scope.agent
        return await use(self._world, path, wanted, why)

    async def note(self, text: str, *, files: Sequence[Attachment] = ()) -> None:
        scope = self._scope.get()
        path, mark = scope.next(), " ".join(["note", text, *(file.sha256 for file in files)])
        if self._known(path, mark) is MISSING:
            self._notes.append(text)
            with_files = f" (with {', '.join(file.name for file in files)})" if files else ""
            self._world.table.tell(f"{scope.agent or self._world.agent} notes: {text}{with_files}")
            self._world.journal.record(path, mark, None)

    async def route(self, pattern: str, at: str, members: Sequence[str] = ()) -> None:
        scope, table = self._scope.get(), self._world.table
        path, mark = scope.next(), " ".join(["route", pattern, at, *members])
        if self._known(path, mark) is MISSING:
            table.routes = {**table.routes, pattern: (at, tuple(members))}
            if members:
                self._notes.append(f"Routed to {at}.")
                table.tell(f"{scope.agent or self._world.agent} notes: Routed to {at}.")
            self._world.journal.record(path, mark, None)

    async def progress(self, text: str, done: int, total: int) -> None:
        """No step, and nothing that a story tells of."""

    async def sleep(self, time: timedelta) -> None:
        """By the test's clock: it jumps to the end as soon as everybody waits."""
        table, path = self._world.table, self._scope.get().next()
        if self._known(path, "sleep") is MISSING:
            table.timers.setdefault(path, (table.now, table.now + time))
            await table.until(lambda: path not in table.timers)
            self._world.journal.record(path, "sleep", None)

    async def now(self) -> datetime:
        return self._once("now", self._world.table.now)

    async def random(self) -> float:
        path = self._scope.get().next()
        known = self._known(path, "random")
        return float(known) if known is not MISSING else self._kept(path, "random", self._chance.random())

    async def gather(self, *branches: Coroutine[Any, Any, T]) -> tuple[T, ...]:
        scope = self._scope.get()
        path = scope.next()
        self._known(path, f"gather {len(branches)}")
        inner = scope.branches(path, len(branches))
        pairs = zip(inner, branches, strict=True)
        results = await side_by_side(self._world.table, [self._within(one, branch) for one, branch in pairs])
        scope.rejoin(inner)
        return results

    async def _within(self, scope: Scope, branch: Coroutine[Any, Any, T]) -> T:
        self._scope.set(scope)  # a task has its own copy of the context
        result = await branch
        if scope.listened_last:
            self._once("ends", "")
        return result

    def _once(self, mark: str, value: T) -> T:
        path = self._scope.get().next()
        known = self._known(path, mark)
        return known if known is not MISSING else self._kept(path, mark, value)

    def _kept(self, path: str, mark: str, value: T) -> T:
        self._world.journal.record(path, mark, value)
        return value
