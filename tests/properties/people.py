"""What the people's side is tried on: a crew, rules of every kind, tools that write down each start, a bot that dies.

The engine, the store and its server are the real ones. Invented are the model (it does the plan it is given), the
tools, the people, and the moments when a process dies. Not what people do (test_people), nor what must hold (book).
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

from bot.domain.calls import Outcome, Risk, ToolCall, ToolResult, ToolSpec
from bot.domain.chat import Card, MessageRef, Person, PersonId, Place
from bot.domain.errors import InvalidArguments
from bot.domain.ports import Leave, Line, Said, Tool, WantedCall
from bot.domain.wire import Json
from bot.peoplefile import PeopleDirectory, parse_people
from bot.runtime.engine import Engine
from bot.store.link import Link
from bot.store.redis import RedisStore
from tests.fakes.chat import FakeChat
from tests.flows.stage import Staff
from tests.house import KEY, QUICK, Clock, House

T = TypeVar("T")
LEASE = timedelta(seconds=30)
SHARDS = 2
CREW = b"""
people:
  ana: {name: Ana, groups: [sales], manager: dana, accounts: {playground: ana}}
  bo: {name: Bo, groups: [approvers], manager: dana, accounts: {playground: bo}}
  chris: {name: Chris, groups: [approvers, finance], manager: dana, accounts: {playground: chris}}
  dana: {name: Dana, groups: [managers], manager: erin, accounts: {playground: dana}}
  erin: {name: Erin, groups: [managers], accounts: {playground: erin}}
  eve: {name: Eve, groups: [sales], manager: dana, accounts: {playground: eve}}
  gus: {name: Gus, groups: [approvers], guest: true, accounts: {playground: gus}}
"""
WIDENED = timedelta(minutes=15)  # from then on the ladder's people may fill any seat
POLICY = """
defaults:
  ask: {groups: [approvers], separate_duties: true, reason: on_reject}
  ladder:
    - {after: 5m, remind: here}
    - {after: 15m, also: managers}
    - {after: 30m, dm: manager(approver)}
    - {after: 4h, expire: true}
rules:
  - {id: look, when: tool.risk == "read", allow: true}
  - {id: wire, when: tool.name == "wire", ask: {groups: [{of: approvers, need: 2}], separate_duties: true}}
  - {id: ship, when: tool.name == "ship", ask: {groups: [approvers, finance]}}
  - id: burn
    when: tool.name == "burn"
    ask: {groups: [approvers], separate_duties: true, high: true, veto: [managers]}
  - {id: erase, when: tool.name == "erase", ask: {groups: [approvers], type: what, veto: [managers]}}
  - id: blast
    when: tool.name == "blast"
    ask:
      groups: [{of: managers, need: 2}]
      separate_duties: true
      break_glass: {of: approvers, review: managers, within: 24h}
  - id: tidy
    when: tool.name == "tidy"
    ask: {groups: [approvers], separate_duties: true, grant: {most: 3, within: 8h, same: [what]}}
  - {id: sort, when: tool.name == "sort", ask: {groups: [approvers], batch: true, words: true}}
  - id: keep
    when: tool.name == "keep"
    ask: {groups: [finance]}
    ladder: [{after: 1h, remind: here}, {after: 7d, review: here}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """What a rule of POLICY wants, said once more in the book's own words."""

    seats: tuple[tuple[str, int], ...] = (("approvers", 1),)
    is_separate: bool = False
    is_high: bool = False
    is_widened: bool = True  # by the ladder, after WIDENED
    glass: str = ""
    risk: Risk = Risk.WRITE
    is_idempotent: bool = False


RULES: Mapping[str, Wants] = {
    "pay": Wants(is_separate=True, risk=Risk.IRREVERSIBLE),  # as the defaults say
    "wire": Wants(seats=(("approvers", 2),), is_separate=True, risk=Risk.IRREVERSIBLE),
    "ship": Wants(seats=(("approvers", 1), ("finance", 1)), is_idempotent=True),
    "burn": Wants(is_separate=True, is_high=True, risk=Risk.IRREVERSIBLE),
    "erase": Wants(),
    "blast": Wants(seats=(("managers", 2),), is_separate=True, glass="approvers"),
    "tidy": Wants(is_separate=True, is_idempotent=True),
    "sort": Wants(),
    "keep": Wants(seats=(("finance", 1),), is_widened=False),
    "peek": Wants(seats=(), risk=Risk.READ),
}


# ------------------------------------------------------------------ the world


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A tool was started: with what leave, and who was who just then."""

    tool: str
    what: str
    leave: Leave
    step: int
    life: int
    crew: Mapping[PersonId, Person]


class Fate:
    """When one process dies: at a write, before or after it has arrived. A dead process does nothing any more."""

    def __init__(self) -> None:
        self.dead = asyncio.Event()
        self._is_buried = False
        self._left: int | None = None
        self._arrives = False

    def doom(self, left: int, *, arrives: bool) -> None:
        self._left, self._arrives = left, arrives

    def bury(self) -> None:
        self._is_buried = True
        self.dead.set()

    async def around(self, doing: Callable[[], Awaitable[T]], *, is_write: bool) -> T:
        await self.must_live()
        strikes = is_write and self._strikes()
        if strikes and not self._arrives:
            self.dead.set()
            await self.must_live()
        result = await doing()
        if strikes:
            self.dead.set()
        await self.must_live()
        return result

    async def must_live(self) -> None:
        if self._is_buried:
            raise asyncio.CancelledError
        if self.dead.is_set():
            await asyncio.Event().wait()

    def _strikes(self) -> bool:
        if self._left is None:
            return False
        self._left -= 1
        if self._left >= 0:
            return False
        self._left = None
        return True


@dataclass
class World:
    """What really happened, whoever died meanwhile."""

    staff: Crew
    fate: Fate = field(default_factory=Fate)
    starts: list[Start] = field(default_factory=list)
    step: int = 0
    life: int = 0

    def tools(self) -> tuple[Tool, ...]:
        return tuple(Deed(self, name, wants) for name, wants in RULES.items())


class Crew(Staff):
    """Everybody, as they are now."""

    def __init__(self) -> None:
        super().__init__()
        self._now = parse_people(CREW)

    def reset(self, who: PersonId) -> None:
        before = {person.id: person for person in parse_people(CREW).people}[who]
        self._now = PeopleDirectory(tuple(before if one.id == who else one for one in self._now.people))

    def snapshot(self) -> Mapping[PersonId, Person]:
        return {person.id: person for person in self._now.people}


class Deed:
    """`ports.Tool`: each start is written down, in a moment at which the process may die."""

    def __init__(self, world: World, name: str, wants: Wants) -> None:
        self._world = world
        schema = '{"properties":{"what":{"type":"string"}},"required":["what"],"type":"object"}'
        told = f"{name} something"
        self.spec = ToolSpec(
            name=name, version="1", description=told, schema=schema, risk=wants.risk, is_idempotent=wants.is_idempotent
        )

    def check(self, args: Json) -> Json:
        if not isinstance(args, dict) or not isinstance(args.get("what"), str):
            raise InvalidArguments(self.spec.name, {"what": "It must be text."})
        return {"what": args["what"]}

    async def run(self, call: ToolCall, leave: Leave) -> ToolResult:
        world, what = self._world, str(call.values["what"])

        async def happen() -> None:
            crew = world.staff.snapshot()
            start = Start(tool=call.tool, what=what, leave=leave, step=world.step, life=world.life, crew=crew)
            world.starts.append(start)

        await world.fate.around(happen, is_write=True)
        return ToolResult(outcome=Outcome.OK, text=f"{call.tool} {what} done")


# ------------------------------------------------------------------ the model

PLAN = re.compile(r"plan: (.*)")
ASKED: Mapping[str, Callable[[str], Json]] = {
    "ask_people": lambda what: {"question": f"Which {what}?", "options": ["red", "blue"]},
    "fill_form": lambda what: {
        "question": f"Where is {what}?",
        "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
    "review_draft": lambda what: {"draft": f"Dear {what}"},
    "propose_plan": lambda what: {"goal": what, "steps": ["one", "two"]},
    "escalate": lambda what: {"reason": what, "context": "nothing works", "suggestion": "wait"},
    "handoff_to_user": lambda what: {"message": f"Is it {what}?"},
}


def wanted(name: str, what: str, id: str) -> WantedCall:
    args = ASKED[name](what) if name in ASKED else {"what": what}
    return WantedCall(id=id, tool=name, args=json.dumps(args))


class Planner:
    """`ports.Model`: does the last plan that a person wrote, a turn for each of its answers since then."""

    name = "planner"

    async def think(
        self,
        lines: Sequence[Line],
        tools: Sequence[ToolSpec],  # noqa: ARG002  # the port's signature
        *,
        on_text: Callable[[str], None] | None = None,  # noqa: ARG002  # the port's signature
    ) -> Said:
        if "Explain:" in lines[-1].text:
            return Said(text="Because the plan says so.")
        at = max((i for i, line in enumerate(lines) if line.role == "user" and PLAN.search(line.text)), default=0)
        found = PLAN.search(lines[at].text)
        turns = found[1].split("; ") if found else []
        done = sum(line.role == "assistant" for line in lines[at:])
        if done >= len(turns):
            return Said(text="That was all.")
        pairs = [each.split(" ", 1) for each in turns[done].split(", ")]
        calls = (wanted(name, what, f"c{len(lines)}.{i}") for i, (name, what) in enumerate(pairs))
        return Said(text="As planned.", calls=tuple(calls))


# ---------------------------------------------------------------- the process

WRITES = frozenset(
    {"start", "tell", "stop", "append", "open", "spend", "turn", "leave", "come_back", "revoke", "posted"}
)
FORGETFUL = dataclasses.replace(QUICK, lease=LEASE, evict_after=timedelta(0))  # gives memory back at once
RETENTIVE = dataclasses.replace(QUICK, lease=LEASE)


class Screen(FakeChat):
    """The chat: hears nothing from the dead."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    async def post(self, card: Card, place: Place, *, key: str) -> MessageRef:
        return await self._world.fate.around(lambda: super(Screen, self).post(card, place, key=key), is_write=True)

    async def update(self, ref: MessageRef, card: Card) -> None:
        await self._world.fate.around(lambda: super(Screen, self).update(ref, card), is_write=False)


class Process(House):
    """A house without a rehearsal endpoint, which lives as long as its fate says."""

    fate: Fate

    async def __aenter__(self) -> Self:
        self.link = Link(self.url, shift=self.clock)
        self._stack.push_async_callback(self.link.close)
        self.store = RedisStore(self.link, namespace=self.namespace, shards=SHARDS, key=KEY)
        await self.store.prepare()
        for name, method in inspect.getmembers(self.store, inspect.iscoroutinefunction):
            if not name.startswith("_"):
                setattr(self.store, name, _fated(self.fate, method, is_write=name in WRITES))
        self.engine = Engine(await self._parts())
        self.desk = await self._stack.enter_async_context(self.engine.running())
        return self


def _fated(fate: Fate, method: Callable[..., Awaitable[Any]], *, is_write: bool) -> Callable[..., Awaitable[Any]]:
    async def fated(*args: Any, **options: Any) -> Any:
        return await fate.around(lambda: method(*args, **options), is_write=is_write)

    return fated


@dataclass
class Bot:
    """The process that lives now. When it dies, or is closed, another one takes its place."""

    url: str
    namespace: str
    folder: Path
    world: World
    is_forgetful: bool
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.chat = Screen(self.world)

    async def rise(self) -> None:
        self.world.fate, self.world.life = Fate(), self.world.life + 1
        self.house = Process(
            self.url,
            self.namespace,
            self.folder,
            policy=POLICY,
            tools=self.world.tools(),
            model=Planner(),
            pace=FORGETFUL if self.is_forgetful else RETENTIVE,
            shards=SHARDS,
            chat=self.chat,
            clock=self.clock,
            directory=self.world.staff,
        )
        self.house.fate = self.world.fate
        self._up, self._down = asyncio.Event(), asyncio.Event()
        self._life = asyncio.create_task(self._live(self.house), name="process")
        await self._first(self._up)

    async def _live(self, house: Process) -> None:
        async with house:
            self._up.set()
            await self._down.wait()

    async def close(self) -> None:
        """SIGTERM."""
        self._down.set()
        await self._first(self.world.fate.dead)
        if not self._life.done():
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL: nothing it was doing goes on. Its lease runs out."""
        self.world.fate.bury()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:  # type: ignore[arg-type]  # it is in a task
            await asyncio.sleep(0)  # whatever was only just created begins, and so ends as it should
            for task in others:
                task.cancel()
            await asyncio.wait(others, timeout=0.05)
        await self.house.link.close()
        self.clock.advance(seconds=LEASE.total_seconds() + 1)

    async def _first(self, event: asyncio.Event) -> None:
        """Wait for *event*, or for the process's end."""
        waiting = asyncio.create_task(event.wait())
        await asyncio.wait({self._life, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await asyncio.wait({waiting})
        if self._life.done():
            self._life.result()

    async def look(self) -> None:
        """See at once what time it is, and what became of the leases: time may have jumped over them."""
        house = self.house
        await self._unless_dead(house.store.prepare())
        await self._unless_dead(house.engine.shards.look(house.engine.runner.drop))

    async def let_go(self) -> None:
        """Until the next look nobody owns a run: what people do is counted, and nothing starts."""
        await self._unless_dead(self.house.engine.shards.close())

    async def _unless_dead(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(doing)
        waiting = asyncio.create_task(self.world.fate.dead.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            task.result()
