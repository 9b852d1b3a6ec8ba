"""What the tests of this wing share: a call with its leave, and a small context for agents."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from agents.toolbox import FunctionTool
from bot.domain.calls import Evidence, Outcome, ToolCall, ToolResult, make_call
from bot.domain.chat import Attachment, PersonId, Place
from bot.domain.ports import Leave, Line, Said, Tool, WantedCall
from bot.domain.request import RunId
from bot.domain.run import Heard, Task
from bot.domain.wire import Json, dumps, loads

T = TypeVar("T")
PLACE = Place(platform="test", tenant="t", channel="c", thread="1")


def leave_for(call: ToolCall, key: str = "key-1") -> Leave:
    return Leave(digest=call.digest, key=key, run=RunId("r1"), request=None, requester=PersonId("ana"))


def call_of(tool: Tool, args: Json) -> ToolCall:
    """The call as the gate would make it: checked, canonical, named."""
    return make_call(id="c1", tool=tool.spec.name, version=tool.spec.version, args=tool.check(args))


async def run(tool: Tool, args: Mapping[str, Any], key: str = "key-1") -> ToolResult:
    call = call_of(tool, dict(args))
    return await tool.run(call, leave_for(call, key))


def named(tools: Sequence[Tool]) -> dict[str, Tool]:
    return {tool.spec.name: tool for tool in tools}


class Caller:
    """Calls *tools*, all of them on one *repo*, and says what came of it."""

    tools: Mapping[str, FunctionTool]
    repo: str

    async def do(self, tool: str, key: str = "key-1", **args: Any) -> ToolResult:
        return await run(self.tools[tool], {"repo": self.repo, **args}, key)

    async def told(self, tool: str, **args: Any) -> str:
        result = await self.do(tool, **args)
        assert result.outcome is Outcome.OK, result.text
        return result.text

    async def refused(self, tool: str, **args: Any) -> str:
        result = await self.do(tool, **args)
        assert result.outcome is Outcome.ERROR, result.text
        assert "failed inside" not in result.text
        return result.text

    async def before(self, tool: str, **args: Any) -> tuple[Evidence, ...]:
        one = self.tools[tool]
        return await one.preview(call_of(one, {"repo": self.repo, **args}))


def task(text: str, by: str = "ana") -> Task:
    return Task(text=text, by=PersonId(by), place=PLACE)


def people_say(move: str, text: str = "") -> ToolResult:
    """What the gate makes of an answer of Ana's to a loop that is stuck."""
    answer = {"move": move} | ({"text": text} if text else {})
    return ToolResult(outcome=Outcome.OK, text=f"Ana answered. {move} {text}".strip(), answer=dumps(answer).decode())


class Context:
    """A `RunContext` that plays given answers and results, and writes down what it was asked.

    *people* are what they answer, one after the other, each time the loop says that it is stuck.
    """

    def __init__(
        self,
        said: Sequence[Said],
        results: Sequence[str | ToolResult] = (),
        heard: Sequence[Sequence[tuple[str, str]]] = (),
        people: Sequence[ToolResult] = (),
    ) -> None:
        self._said, self._results, self._people = list(said), list(results), list(people)
        self.stuck: list[dict[str, Any]] = []
        self._heard = [tuple(Heard(by=PersonId(by), text=text) for by, text in batch) for batch in heard]
        self.thought: list[tuple[Line, ...]] = []
        self.used: list[tuple[WantedCall, ...]] = []
        self.whys: list[str] = []

    @property
    def task(self) -> Task:
        return task("unused")

    async def think(
        self,
        lines: Sequence[Line],
        tools: Sequence[str] = (),  # noqa: ARG002  # the port's
        *,
        model: str = "",  # noqa: ARG002  # the port's
        heeds: bool = False,  # noqa: ARG002
    ) -> Said:
        self.thought.append(tuple(lines))
        return self._said.pop(0)

    def acting_as(self, name: str) -> AbstractContextManager[None]:  # noqa: ARG002  # the port's
        return nullcontext()

    async def heard(self) -> tuple[Heard, ...]:
        return self._heard.pop(0) if self._heard else ()

    async def use(self, wanted: Sequence[WantedCall], *, why: str = "") -> tuple[ToolResult, ...]:
        if [call.tool for call in wanted] == ["ask_when_stuck"]:
            self.stuck.append(loads(wanted[0].args))
            return (self._people.pop(0),)
        self.used.append(tuple(wanted))
        self.whys.append(why)
        results = [self._results.pop(0) for _ in wanted]
        return tuple(ToolResult(outcome=Outcome.OK, text=one) if isinstance(one, str) else one for one in results)

    async def ask(
        self,
        question: str,
        *,
        options: Sequence[str] = (),
        of: str = "",
        default: str = "",
        may_write: bool = True,
    ) -> ToolResult:
        raise AssertionError(f"no test asks {question}, {options}, {of}, {default}, {may_write}")

    async def note(self, text: str, *, files: Sequence[Attachment] = ()) -> None: ...

    async def route(self, pattern: str, at: str, members: Sequence[str] = ()) -> None: ...
    async def progress(self, text: str, done: int, total: int) -> None: ...
    async def sleep(self, time: timedelta) -> None: ...
    async def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    async def random(self) -> float:
        return 0.5

    async def gather(self, *branches: Coroutine[Any, Any, T]) -> tuple[T, ...]:
        return tuple([await branch for branch in branches])
