"""An agent as a tool of another: `ask_<name>` gives it a task, and its words are the call's result.

    ReAct(name="lead", helpers=(clerk, Sequential(…)), …)
    toolbox = Toolbox((*tools, *helper_tools(lead)))      # the roof declares them; a model reads their schemas there

Such a call never runs as a tool: the loop takes it from the model's answer (`agents/react`), and the helpers of one
turn work side by side, each under its own name. A request that one of them raises names it, and the answer is its own
(PP-05). What people write meanwhile is heard by every one of them, and by whoever asked, once.
"""

# ruff: noqa: ARG001  # the parameters are the schema; no body is ever called

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, NamedTuple, NoReturn

from pydantic import Field

from agents.patterns.calls import PatternCall
from agents.patterns.person import ANSWER, GOES_ON
from agents.patterns.room import PEOPLE, SAID, Member, Room, Turn, Word, take_turn
from agents.patterns.turned import Left, farthest
from bot.domain.calls import Cause, Outcome, Risk, ToolResult
from bot.domain.chat import PersonId
from bot.domain.errors import BadJson, InvalidArguments
from bot.domain.ports import Agent, RunContext, Tool, WantedCall
from bot.domain.run import Heard
from bot.domain.wire import read_foreign, replace

DEPTH_MOST = 5  # agents below each other: a deeper nest is a mistake, and nobody could follow its cards
NOT_NAMED = re.compile(r"[^A-Za-z0-9_-]")
Text = Annotated[str, Field(min_length=1, max_length=20_000, pattern=r"\S")]


def helper_tools(*agents: Agent) -> tuple[Tool, ...]:
    """A tool for every helper anywhere inside *agents*, each once: for the roof, to put into the toolbox.

    Raises ValueError for a nest deeper than DEPTH_MOST, or when two different helpers would be one tool.
    """
    found: dict[str, Agent] = {}
    for agent in agents:
        for helper in _helpers(agent, DEPTH_MOST):
            tool = tool_of(helper)
            if found.setdefault(tool, helper) != helper:
                raise ValueError(f"two helpers are called {helper.name}; give each a name of its own")
    return tuple(_declared(tool, helper) for tool, helper in found.items())


def tool_of(helper: Agent | Member) -> str:
    """What the tool is called by which *helper* is asked."""
    return f"ask_{NOT_NAMED.sub('_', helper.name)}"[:64]


def as_helpers(owner: str, helpers: tuple[Agent, ...]) -> dict[str, Agent]:
    """*helpers* by their tools. Raises ValueError when two are one tool, or they are nested too deep."""
    found = {tool_of(helper): helper for helper in helpers}
    if len(found) < len(helpers):
        names = ", ".join(helper.name for helper in helpers)
        raise ValueError(f"two helpers of {owner} are called the same ({names}); give each a name of its own")
    for helper in helpers:
        list(_helpers(helper, DEPTH_MOST - 1))
    return found


class Helpers:
    """The helpers of one agent in one of its turns."""

    def __init__(self, owner: str, helpers: Mapping[str, Agent], room: Room, ctx: RunContext) -> None:
        self._owner, self._helpers, self._room, self._ctx = owner, helpers, room, ctx

    async def use(self, calls: Sequence[WantedCall], why: str) -> tuple[tuple[ToolResult, ...], list[Word]]:
        """The results in order, and what people said meanwhile: tools pass the gate, helpers work beside them."""
        asked = [call for call in calls if call.tool in self._helpers]
        if not asked:
            return await self._ctx.use(calls, why=why), []
        others = tuple(call for call in calls if call.tool not in self._helpers)
        used, *said = await self._ctx.gather(self._used(others, why), *(self._ask(call) for call in asked))
        if left := [(one.left, _replies(one.heard)) for one in (used, *said) if one.left]:
            raise farthest(left, 0)
        results = {id(call): one.result for call, one in zip(asked, said, strict=True)}
        ran = iter(used.results)
        heard = max((one.heard for one in (used, *said)), key=len)  # each hears every reply, some of them sooner
        return tuple(results[id(call)] if id(call) in results else next(ran) for call in calls), heard

    async def _used(self, calls: tuple[WantedCall, ...], why: str) -> _Came:
        """What came of the tools beside them. Where nothing ran because people spoke, this branch hears it."""
        results = await self._ctx.use(calls, why=why) if calls else ()
        if all(one.cause is not Cause.SUPERSEDED for one in results):
            return _Came(results)
        try:
            heard = await self._ctx.heard()
        except Left as left:
            return _Came(left=left)
        return _Came(results, [Word(one.by, one.text, is_person=True) for one in heard])

    async def _ask(self, call: WantedCall) -> _Came:
        """What a helper says to the task of *call*. It reads nothing of the room but that."""
        helper = self._helpers[call.tool]
        try:
            task = str(_declared(call.tool, helper).read(read_foreign(call.args or "{}"))["task"])
        except (BadJson, InvalidArguments) as error:
            return _Came((ToolResult(outcome=Outcome.NOT_RUN, cause=Cause.INVALID, text=f"Not asked: {error}"),))
        inner = Room(replace(self._room.task, text=task), asked_by=self._owner)
        try:
            turn = await take_turn(helper, inner, self._ctx, is_told=False)
        except Left as left:  # the others hear it as well, and end by themselves
            return _Came(heard=_said(inner), left=left)
        result = ToolResult(outcome=Outcome.OK, text=_words(turn))
        return _Came((result,), _said(inner))


class _Came(NamedTuple):
    """What came of one branch."""

    results: tuple[ToolResult, ...] = ()
    heard: list[Word] = []  # noqa: RUF012  # never changed
    left: Left | None = None

    @property
    def result(self) -> ToolResult:
        return self.results[0]


def _said(inner: Room) -> list[Word]:
    return [word for word in inner.words[1:] if word.is_person and word.by != PEOPLE]


def _replies(words: Sequence[Word]) -> list[Heard]:
    return [Heard(by=PersonId(word.by), text=word.text) for word in words]


def _words(turn: Turn) -> str:
    """A helper's words as whoever asked reads them: an end before the answer is called one."""
    if turn.move in (SAID, ANSWER, *GOES_ON):
        return turn.text
    return f"It ended before it was finished ({turn.move}). {turn.text}".strip()


def _declared(tool: str, helper: Agent) -> PatternCall:
    def ask(task: Text) -> NoReturn:
        raise AssertionError("the loop of whoever asks takes this")

    about = str(getattr(helper, "about", "") or "") or f"Give {helper.name}, another agent, a task."
    ask.__doc__ = f"{about}\n\nArgs:\n    task: all that it must know; it reads nothing of what was said here"
    return PatternCall(ask, {"risk": Risk.READ, "name": tool})


def _helpers(agent: object, left: int) -> Iterator[Agent]:
    """Every helper inside *agent*, however deep. Raises ValueError below the depth."""
    if left < 0:
        name = getattr(agent, "name", type(agent).__name__)
        raise ValueError(f"{name} is nested deeper than {DEPTH_MOST} agents; flatten the ones above it")
    yield from getattr(agent, "helpers", ())
    for inner in _inside(agent):
        yield from _helpers(inner, left - 1)


def _inside(agent: object) -> Iterator[object]:
    """The agents that are parts of *agent*: in its fields, or in tuples in them."""
    if dataclasses.is_dataclass(agent):
        for field in dataclasses.fields(agent):
            yield from _agents_in(getattr(agent, field.name))


def _agents_in(value: object) -> Iterator[object]:
    if isinstance(value, tuple):
        for one in value:
            yield from _agents_in(one)
    elif dataclasses.is_dataclass(value) and hasattr(value, "name") and callable(value):
        yield value
