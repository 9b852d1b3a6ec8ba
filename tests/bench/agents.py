"""What agents cost: a step of a run, its replay, its journal, many runs at once, and a pattern beside a single agent.

Every number is of the real engine and store. The model and the chat answer at once; a step is `ctx.now()`, a journalled
step around nothing, unless a row says otherwise.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from agents.patterns.sequential import Sequential
from agents.react import ReAct
from agents.roster import Roster
from agents.toolbox import Toolbox
from agents.tools.people import people_tools
from bot.domain.calls import ToolSpec
from bot.domain.chat import Message, MessageRef, Place
from bot.domain.ports import Agent, Line, RunContext, Said
from bot.domain.request import RunId
from bot.domain.run import RunStatus, Task
from bot.runtime.engine import Engine
from bot.runtime.parts import Parts
from bot.store.embedded import EmbeddedServer
from bot.store.keys import Keyring
from bot.store.link import Link
from bot.store.redis import RedisStore
from tests.bench.bot import KEY, PLATFORM, STEADY, STEPS, TENANT, Stamps, account, parts
from tests.bench.pending import rss_mb

SHORT, LONG = 100, 200  # steps of the runs that are replayed
FEW = 50
MANY = 1_000  # runs at once
MANY_STEPS = 5  # of each of them
BARE = 100_000  # times the bare function is called
TASKS = 10  # of each kind in a round
CHANNEL = "C0123ABCDEF"
TURNS = 3  # answers of a model, by one agent or by a team


class Walker:
    """An agent that takes so many steps as its task says: `walk 200`, `talk 200 ask`, `walk 5 together`.

    Who walks takes them around nothing; who talks thinks, in a conversation that grows with each. Then it may ask
    people, or wait, with one step to go, until all are there.
    """

    name, tools = "walker", ("ask_people",)

    def __init__(self) -> None:
        self.walked: list[float] = []  # seconds of one step
        self.arrived: dict[str, float] = {}  # when the last step was taken, by thread
        self.changed, self.gate = asyncio.Event(), asyncio.Event()

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        how, count, *then = task.text.split()
        began = time.perf_counter()
        await (self._walk(int(count), ctx) if how == "walk" else self._talk(int(count), ctx))
        self.walked.append((time.perf_counter() - began) / int(count))
        self.arrived[task.place.thread or ""] = time.perf_counter()
        self.changed.set()
        if then == ["ask"]:
            await ctx.ask("Go on?", options=("yes", "no"))
        if then == ["together"]:
            await self.gate.wait()
            await ctx.now()
        return "There."

    async def _walk(self, count: int, ctx: RunContext) -> None:
        for _ in range(count):
            await ctx.now()

    async def _talk(self, count: int, ctx: RunContext) -> None:
        lines = [Line(role="system", text="You walk."), Line(role="user", text="Go.")]
        for _ in range(count):
            said = await ctx.think(tuple(lines))
            lines += [Line(role="assistant", text=said.text), Line(role="user", text="And then?")]

    async def until(self, holds: Callable[[], object]) -> None:
        while not holds():
            self.changed.clear()
            await self.changed.wait()


class Terse:
    """`ports.Model`: one sentence, at once."""

    name = "terse"

    async def think(
        self,
        lines: Sequence[Line],
        tools: Sequence[ToolSpec],  # noqa: ARG002  # the port's signature
        *,
        on_text: Callable[[str], None] | None = None,  # noqa: ARG002
    ) -> Said:
        return Said(text=f"That is the draft, version {len(lines)}.", tokens_in=420, tokens_out=36)


class Thrice:
    """One agent that thinks and says as often as a team of three does: the same steps, and no pattern."""

    name, tools = "thrice", ()

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        lines = [Line(role="system", text="one"), Line(role="user", text=task.text)]
        for _ in range(TURNS):
            said = await ctx.think(tuple(lines))
            await ctx.note(said.text)
            lines.append(Line(role="user", text=said.text))
        return said.text


TEAM = Sequential(name="team", members=tuple(ReAct(name=one, prompt=one) for one in ("one", "two", "three")))


class Desk:
    """A running engine, and Ana who gives tasks."""

    def __init__(self, engine: Engine, link: Link, walker: Walker) -> None:
        self.engine, self.link, self.walker, self.store = engine, link, walker, engine.parts.store
        self._number = 0

    async def give(self, text: str) -> str:
        """A task in a thread of its own; returns the thread."""
        self._number += 1
        thread = f"1785{self._number:06}.0"
        place = Place(platform=PLATFORM, tenant=TENANT, channel=CHANNEL, thread=thread)
        ref, delivery = MessageRef(place=place, id=thread), f"Ev{self._number:012}"
        message = Message(delivery=delivery, by=account("ana"), place=place, text=text, ref=ref, is_mention=True)
        await self.engine.desk.message(message)
        return thread

    async def ended(self) -> None:
        """Until no run is at work."""
        while await self.store.executing(0) or self.engine.runner.hosts:
            pass


@asynccontextmanager
async def desk(url: str, namespace: str, agent: str = "walker") -> AsyncIterator[Desk]:
    link, walker = Link(url), Walker()
    try:
        store = RedisStore(link, namespace=namespace, shards=1, key=KEY)
        await store.prepare()
        engine = Engine(_made(store, walker, agent))
        async with engine.running():
            yield Desk(engine, link, walker)
    finally:
        await link.close()


def _made(store: RedisStore, walker: Walker, agent: str) -> Parts:
    agents: tuple[Agent, ...] = (walker, Thrice(), TEAM)
    roster, toolbox = Roster(agents, default=agent), Toolbox(people_tools())
    made = parts(store, Stamps(), STEADY, "clerk")
    return replace(made, toolbox=toolbox, model=Terse(), roster=roster)


# ------------------------------------------------------------------------ the rows


async def measure(folder: Path, *, rounds: int) -> Mapping[str, float]:
    """Every row about agents. Times are in seconds, medians of *rounds*; a first round warms up."""
    async with EmbeddedServer(folder) as server:
        found = {**await _steps(server.url, rounds), "bare": await _bare()}
        found |= await _journal(server.url)
        found |= await _replay(server.url, rounds)
        found |= await _teams(server.url, rounds)
        return {**found, **await _many(server.url)}


async def _steps(url: str, rounds: int) -> Mapping[str, float]:
    async with desk(url, "steps") as one:
        for _ in range(rounds + 1):
            await one.give(f"walk {STEPS}")
            await one.ended()
        return {"step": median(one.walker.walked[1:])}


async def _bare() -> float:
    """The function alone that a step is taken around."""

    async def now() -> datetime:
        return datetime.now(UTC)

    began = time.perf_counter()
    for _ in range(BARE):
        await now()
    return (time.perf_counter() - began) / BARE


async def _journal(url: str) -> Mapping[str, float]:
    """Bytes of the journal for each step of a conversation, short and long."""
    found = {}
    async with desk(url, "journal") as one:
        for count in (FEW, LONG):
            await one.give(f"talk {count}")
            await one.ended()
            (run,) = await one.store.recent_runs(0, 1)
            journal = Keyring("journal", 0)("journal", run)
            entries: list[bytes] = await one.link.ask(one.link.client.lrange(journal, 0, -1))
            found[f"bytes.{count}"] = sum(map(len, entries)) / count
    return found


async def _replay(url: str, rounds: int) -> Mapping[str, float]:
    """A run that has left memory is woken, until its agent is where it was: conversations of two lengths in turn."""
    found: dict[int, list[float]] = {SHORT: [], LONG: []}
    async with desk(url, "replay") as one:
        threads = {count: await one.give(f"talk {count} ask") for count in found}
        await one.walker.until(lambda: len(one.walker.arrived) == len(threads))
        runs = {count: await one.store.live_run(f"{PLATFORM}/{TENANT}/{CHANNEL}/{at}") for count, at in threads.items()}
        for _ in range(TASKS * (rounds + 1)):
            for count, run in runs.items():
                assert run is not None
                found[count].append(await _replayed(one, run, threads[count]))
    return {f"replay.{count}": median(times[TASKS:]) for count, times in found.items()}


async def _replayed(one: Desk, run: RunId, thread: str) -> float:
    host = one.engine.runner.hosts[run]
    while not host.is_asleep:
        await one.store.totals(0)
    await one.engine.runner.leave(host)
    assert run not in one.engine.runner.hosts, "it has left"
    one.walker.arrived.clear()
    began = time.perf_counter()
    await one.engine.runner.wake(run)
    await one.walker.until(lambda: thread in one.walker.arrived)
    return one.walker.arrived[thread] - began


async def _teams(url: str, rounds: int) -> Mapping[str, float]:
    """The same steps, three answers and as many notes, by a team in sequence and by one agent; from task to end."""
    found: dict[str, list[float]] = {"team": [], "thrice": []}
    async with desk(url, "team", "team") as team, desk(url, "thrice", "thrice") as thrice:
        for _ in range(TASKS * (rounds + 1)):
            for name, one in (("team", team), ("thrice", thrice)):
                began = time.perf_counter()
                await one.give("draft 1")
                await one.ended()
                found[name].append(time.perf_counter() - began)
    return {name: median(times[TASKS:]) for name, times in found.items()}


async def _many(url: str) -> Mapping[str, float]:
    """Runs that are all at work at one moment, from the first task to the last end; what each weighs then."""
    async with desk(url, "many") as one:
        await one.give(f"walk {MANY_STEPS}")
        await one.ended()  # whatever is made once is made now
        one.walker.arrived.clear()
        before, began = rss_mb(), time.perf_counter()
        await asyncio.gather(*(one.give(f"walk {MANY_STEPS} together") for _ in range(MANY)))
        await one.walker.until(lambda: len(one.walker.arrived) == MANY)
        runs = list(one.engine.runner.hosts)
        assert len(runs) == MANY, "all of them are at work"
        weight = (rss_mb() - before) * 1024 / MANY
        one.walker.gate.set()
        await one.ended()
        took = time.perf_counter() - began
        loaded = [await one.store.load(run) for run in runs]
        done = sum(run is not None and run.status is RunStatus.DONE for run in loaded)
        return {"many.s": took, "many.kb_each": weight, "many.done": done}
