"""How a test forces an order of events: it holds a door open until the other one has gone through.

Every door stands at the store, whose methods are the only steps that processes share. Nothing here sleeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from bot.domain.ports import Said
from bot.domain.store import Batch
from tests.flows.stage import HASTY, Build, Hands, Played, policy, shown, subject_of
from tests.house import House

Meanwhile = Callable[..., Awaitable[object]]


async def nothing(*_args: object) -> None:
    return None


def around(house: House, method: str, *, before: Meanwhile = nothing, after: Meanwhile = nothing) -> None:
    """From now on something happens around every call of this store method; it is given the call's arguments."""
    inner = getattr(house.store, method)

    async def outer(*args: Any, **options: Any) -> Any:
        await before(*args)
        answer = await inner(*args, **options)
        await after(*args)
        return answer

    setattr(house.store, method, outer)


def answered_never(house: House, method: str, kind: type) -> asyncio.Event:
    """The first write of an entry of this kind lands, and its answer never comes. Set when it has landed."""
    landed = asyncio.Event()

    async def silence(*args: object) -> None:
        batch = next(arg for arg in args if isinstance(arg, Batch))
        if not landed.is_set() and any(isinstance(entry, kind) for entry in batch.entries):
            landed.set()
            await asyncio.Event().wait()

    around(house, method, after=silence)
    return landed


@asynccontextmanager
async def robbed(house: House) -> AsyncIterator[None]:
    """Another process takes the shard without a word, and later gives it back. Needs the pace `STEADY`."""
    house.clock.advance(hours=10)
    thief = await house.store.acquire(0, "thief", timedelta(hours=9))
    assert thief is not None, "the lease ran out"
    yield
    await house.store.release(thief)
    await house.engine.shards.look(house.engine.runner.drop)


@asynccontextmanager
async def slow_to_look(house: House) -> AsyncIterator[None]:
    """Meanwhile this process hears every bell, and reads only afterwards what came."""
    door = asyncio.Event()

    async def wait(*_args: object) -> None:
        await door.wait()

    around(house, "tail", before=wait)
    yield
    door.set()


async def interrupted(build: Build, hands: Hands, turn: Said, **parts: object) -> str:
    """A signed call is at work, and its process goes down in the middle of it. Returns the signed request."""
    hands.may_end.clear()
    scene = {"policy": policy(), "tools": hands.tools, "model": Played(turn), "pace": HASTY}
    async with build(**{**scene, **parts}) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        await house.press("approve", by="bo", card=card)
        await hands.began.wait()
    hands.may_end.set()
    hands.house = house
    return subject_of(card)


# ------------------------------------------------------------------- looks


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await holds():
            pass


async def unread(house: House) -> None:
    """Wait until no run has mail."""

    async def is_read() -> bool:
        return not await house.store.mailbox(0)

    await until(is_read)


async def stopping(house: House) -> None:
    """Wait until a run in memory is being stopped."""

    async def is_stopping() -> bool:
        await house.store.totals(0)
        return any(host.is_stopping for host in house.engine.runner.hosts.values())

    await until(is_stopping)


async def looked(house: House) -> None:
    """Wait until the outbox has looked at the store once more."""
    has_looked = asyncio.Event()

    async def note(*_args: object) -> None:
        has_looked.set()

    around(house, "rows", after=note)
    house.engine.outbox.nudge()
    async with asyncio.timeout(10):
        await has_looked.wait()


async def rested(house: House) -> None:
    """Wait until everything is shown and nobody is showing anything."""

    async def is_idle() -> bool:
        await house.store.totals(0)
        return not any(task.get_name().startswith("outbox ") for task in asyncio.all_tasks())

    await shown(house)
    await until(is_idle)
