"""The bot of the people's histories: a whole house on a real server, which dies by its fate and rises again."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from bot.domain.chat import Card, MessageRef, Place
from bot.runtime.engine import Engine
from bot.store.link import Link
from bot.store.redis import RedisStore
from tests.fakes.chat import FakeChat
from tests.house import KEY, QUICK, Clock, House
from tests.properties.fate import Fate
from tests.properties.people import POLICY, Planner, World

LEASE = timedelta(seconds=30)
SHARDS = 2
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
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
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
