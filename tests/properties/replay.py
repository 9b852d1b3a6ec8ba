"""A random agent, and a process that dies and forgets at random: what replay is tried on.

The store, the journal, the gate and the context are the real ones; the server is real too. Invented are the
model (what it says follows from what it is told), two tools, the people, and the moments when things break.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from agents.toolbox import Toolbox, tool
from bot.domain.calls import Risk
from bot.domain.errors import LeaseLost
from bot.domain.ports import Leave, Line, Model, RunContext, Said, Tool, WantedCall
from bot.domain.request import Move, RequestId, vote
from bot.domain.run import Decided
from bot.domain.store import Effects, Loaded, Turn
from bot.domain.wire import dumps
from bot.peoplefile import read_people
from bot.policyfile import parse_policy
from bot.runtime.absences import StoredAbsences
from bot.runtime.context import Context, Mind
from bot.runtime.gate import Gate
from bot.runtime.gatehouse import Gatehouse
from bot.runtime.host import Host
from bot.runtime.rights import Rights
from bot.telemetry import Metrics
from tests.contracts.given import LEASE, Clock, Owner, StoreHouse
from tests.domain import given
from tests.properties.fragile import Fragile

ROOT = Path(__file__).resolve().parents[2]
POLICY = parse_policy(b'rules:\n  - {id: reading, when: tool.risk == "read", allow: true}\n')
MOST_LIVES = 100
NAP = timedelta(seconds=1)


# ------------------------------------------------------------------ the agent


@dataclass(frozen=True)
class Op:
    """One thing the agent does. `number` is its own: no two ops of a program ask for the same call."""

    kind: str
    number: int = 0
    branches: tuple[tuple[Op, ...], ...] = ()


Program = tuple[Op, ...]


async def play(program: Program, ctx: RunContext) -> list[Any]:
    """What a program came to: everything it was told, in its order."""
    told: list[Any] = []
    lines = [Line(role="system", text="go")]
    for op in program:
        match op.kind:
            case "think":
                lines.append(Line(role="user", text=str(op.number)))
                said = await ctx.think(tuple(lines))
                lines.append(Line(role="assistant", text=said.text))
                told.append(said.text)
            case "look" | "pay":
                told += [result.text for result in await ctx.use([wanted(op.kind, op.number)])]
            case "turn":  # a free call between two that people sign
                calls = [wanted("pay", op.number), wanted("look", op.number), wanted("pay", op.number + 1000)]
                told += [result.text for result in await ctx.use(calls)]
            case "note":
                await ctx.note(str(op.number))
            case "random":
                told.append(await ctx.random())
            case "sleep":
                await ctx.sleep(NAP)
            case "now":
                told.append((await ctx.now()).isoformat())
            case "gather":
                told.append(await ctx.gather(*(play(branch, ctx) for branch in op.branches)))
    return told


def wanted(name: str, number: int) -> WantedCall:
    return WantedCall(id=f"call{number}", tool=name, args=dumps({"number": number}).decode())


# ----------------------------------------------------------------- the world


@dataclass
class World:
    """Chance, and what really happened."""

    chance: random.Random
    paid: dict[str, int] = field(default_factory=dict)  # by idempotency key
    is_over: bool = False  # from now on only the journal may answer

    async def dawdle(self) -> None:
        """Let others go first, sometimes."""
        assert not self.is_over, "a finished step acts again"
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)

    def tools(self) -> tuple[Tool, ...]:
        @tool(risk=Risk.READ)
        async def look(number: int) -> str:
            """Look something up."""
            await self.dawdle()
            return f"saw {number}"

        @tool(risk=Risk.WRITE, idempotent=True)
        async def pay(number: int, leave: Leave) -> str:
            """Pay something out."""
            await self.dawdle()
            self.paid[leave.key] = number
            await self.dawdle()
            return f"paid {number}"

        return look, pay


class Echo:
    """`ports.Model`: says what follows from what it is told, after a while."""

    name = "echo"

    def __init__(self, world: World) -> None:
        self._world = world

    async def think(
        self, lines: Sequence[Line], _tools: Sequence[object], *, on_text: Callable[[str], None] | None = None
    ) -> Said:
        del on_text
        await self._world.dawdle()
        return Said(text=hashlib.sha256(repr(lines).encode()).hexdigest()[:8])


@dataclass
class Crashes:
    """After how many writes this process dies each time, and whether the last write still arrived."""

    plan: list[tuple[int, bool]]

    def strikes(self) -> bool | None:
        """None: this write goes well. Else the process dies; True if the write arrived first."""
        if not self.plan:
            return None
        left, arrives = self.plan[0]
        if left > 0:
            self.plan[0] = (left - 1, arrives)
            return None
        self.plan.pop(0)
        return arrives


class Rough(Fragile):
    """Each process dies as its plan has it."""

    crashes = Crashes([])

    def strikes(self, about: object) -> bool | None:  # noqa: ARG002  # a plan counts writes
        return self.crashes.strikes()


class Watched(Host):
    """Says when every branch is asleep: the last one awake lay down, or ended."""

    def __init__(self, *args: Any) -> None:
        self.fell_asleep = asyncio.Event()
        super().__init__(*args)

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "awake" and value == 0:
            self.fell_asleep.set()


# ------------------------------------------------------------------- the run


class Bench:
    """One run of one program, from process to process until it ends."""

    def __init__(self, store: Rough, clock: Clock, program: Program, world: World) -> None:
        self.store, self.program, self.world = store, program, world
        self.house = StoreHouse(store, clock)
        model: Model = Echo(world)
        toolbox = Toolbox(world.tools())
        directory = read_people(ROOT / "people.yml")
        meter = Metrics()
        self._mind = Mind({"": model}, toolbox, meter, {})
        behind = Gatehouse(store, POLICY, toolbox, Rights(directory, StoredAbsences(store)), meter)
        behind.may_repeat = True  # what repeats another call depends on when people answered that one
        self._gate = Gate(behind)
        self._lives = self.deaths = 0

    async def run(self) -> tuple[list[Any], Loaded]:
        """The answer, and the run as the store holds it then."""
        self.owner = await self.house.owner(f"{self.world.chance.random()}")
        while (answer := await self.live()) is None:
            assert self._lives < MOST_LIVES, "the run never ends"
        return answer, await self._loaded()

    async def live(self) -> list[Any] | None:
        """One process: take the shard over, replay, go on; None if it died or gave the memory back."""
        self._lives += 1
        self.house.clock.tick(LEASE)
        fence = await self.house.fence(self.owner.shard, f"life {self._lives}")
        async with asyncio.TaskGroup() as tasks:
            host = Watched(self.store, fence, await self._loaded(), tasks)
            context = Context(host, self._gate, self._mind, lambda: self.house.clock.at)
            life = tasks.create_task(self._live(context))
            while not life.done():
                await self._until_still(host, life)
                if not life.done() and not await self._something_happens(host):
                    life.cancel()
                    await asyncio.wait({life})
            for hand in host.hands:
                hand.cancel()
        return None if life.cancelled() else life.result()

    async def _live(self, context: Context) -> list[Any] | None:
        try:
            return await play(self.program, context)
        except LeaseLost:
            self.deaths += 1
            return None

    async def _until_still(self, host: Watched, life: asyncio.Task[Any]) -> None:
        """Until every branch waits for people, or the agent has ended."""
        asleep = asyncio.create_task(host.fell_asleep.wait())
        await asyncio.wait({asleep, life}, return_when=asyncio.FIRST_COMPLETED)
        asleep.cancel()
        host.fell_asleep.clear()

    async def _something_happens(self, host: Watched) -> bool:
        """Somebody answers, or it is time to get up. False: the run is evicted before it hears of it."""
        if not host.is_asleep:
            return True
        self.house.clock.tick(NAP)
        timers = await self.store.due(host.journal.fence, most=99, hidden=timedelta(0))
        naps = [timer.name for timer in timers if timer.name.startswith("sleep|")]
        asked = await self.store.open_requests(self.owner.shard)
        assert naps or asked, "everybody sleeps, and nobody was asked"
        event = self.world.chance.choice([*naps, *asked])
        wake = self._get_up(host, event) if event in naps else await self._answer(host, RequestId(event))
        if self.world.chance.random() < 0.3:
            return False
        wake()
        return True

    def _get_up(self, host: Watched, timer: str) -> Callable[[], None]:
        return lambda: host.ring_alarm(timer.split("|")[2])

    async def _answer(self, host: Watched, id: RequestId) -> Callable[[], None]:
        request = (await self.store.held(id)).request
        move = Move.APPROVE if int(request.call.digest[0], 16) % 3 else Move.REJECT
        ballot = given.vote(given.BO, move, digest=request.call.digest, at=request.opened, delivery=request.id)
        after = vote(request, ballot)
        assert after.decision is not None
        decided = Decided(request=after.id, decision=after.decision)
        await self.store.turn(Turn(after=after, entries=(decided,), effects=Effects(), delivery=request.id))
        return lambda: host.learn(decided)

    async def _loaded(self) -> Loaded:
        loaded = await self.store.load(self.owner.run.id)
        assert loaded is not None
        return loaded

    owner: Owner
