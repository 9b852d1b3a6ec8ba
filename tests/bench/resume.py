"""How long from a click to the next line: in the same process, from another one, and on an evicted run."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

from bot.domain.request import RequestId, RunId
from bot.store.embedded import EmbeddedServer
from tests.bench.bot import Bot, running
from tests.bench.yardstick import Yardstick

PARTS = ("wake", "tool", "line")
PENDING = 100  # at least this many requests stay open while clicks are measured


class Times:
    """Seconds, by what was measured."""

    def __init__(self) -> None:
        self.wake: list[float] = []
        self.tool: list[float] = []
        self.line: list[float] = []

    def add(self, bot: Bot, order: int, began: float) -> None:
        self.wake.append(bot.stamps.wake[order] - began)
        self.tool.append(bot.stamps.tool[order] - began)
        self.line.append(bot.stamps.line[order] - began)


async def measure(folder: Path, *, rounds: int, clicks: int) -> Mapping[str, float]:
    """Rounds of clicks, each kind beside the others and the yardstick; the medians of each round's medians."""
    async with EmbeddedServer(folder) as server:
        async with running(server.url, "resume") as bot, _voter(server.url, "resume") as voter:
            found = [await _round(bot, voter, number, clicks) for number in range(rounds + 1)]
        medians = {name: median(one[name] for one in found[1:]) for name in found[0]}  # the first round warms up
        return {**medians, "step": await _step(server.url, rounds)}


async def _round(bot: Bot, voter: Process, number: int, clicks: int) -> Mapping[str, float]:
    open_before = len(await bot.open_requests())
    wanted = PENDING + 3 * clicks
    first = number * 10_000 + 1
    await bot.ask(range(first, first + wanted - open_before))
    await bot.quiet(pending=wanted)
    yardstick = Yardstick(bot.link)
    hot, far, cold = Times(), Times(), Times()
    requests = iter(await bot.open_requests())
    for _ in range(clicks):
        await yardstick.take()
        await _hot(bot, next(requests), hot)
        await _far(bot, voter, next(requests), far)
        await _cold(bot, next(requests), cold)
    return {
        "write": yardstick.write,
        "read": yardstick.read,
        **{f"hot.{part}": median(getattr(hot, part)) for part in PARTS},
        **{f"far.{part}": median(getattr(far, part)) for part in PARTS},
        **{f"cold.{part}": median(getattr(cold, part)) for part in PARTS},
    }


async def _hot(bot: Bot, request: RequestId, times: Times) -> None:
    """Somebody clicks in the process that holds the run in memory."""
    order, click = await bot.click(request)
    began = time.perf_counter()
    answer = await bot.engine.desk.click(click)
    assert answer.is_taken, answer.text
    await _ended(bot, order)
    times.add(bot, order, began)


async def _cold(bot: Bot, request: RequestId, times: Times) -> None:
    """The same, after the run has left memory."""
    run = (await bot.store.held(request)).request.run
    await bot.engine.runner.leave(bot.engine.runner.hosts[RunId(run)])
    assert run not in bot.engine.runner.hosts, "it has left"
    await _hot(bot, request, times)


async def _far(bot: Bot, voter: Process, request: RequestId, times: Times) -> None:
    """The click comes to another process, which owns no shard; this one hears the doorbell."""
    assert voter.stdin is not None
    assert voter.stdout is not None
    order, _ = await bot.click(request)
    voter.stdin.write(f"{request}\n".encode())
    began = float(await voter.stdout.readline())
    await _ended(bot, order)
    times.add(bot, order, began)


async def _ended(bot: Bot, order: int) -> None:
    """Until the agent went on, and then until its end is shown: the next click finds a quiet house."""
    await bot.stamps.until(lambda: order in bot.stamps.line)
    began = time.perf_counter()
    while time.perf_counter() < began + 10:
        is_shown = all(row.name.startswith("run|") for row in await bot.store.rows(0))  # those keep a slow pace
        if is_shown and all(host.is_asleep for host in bot.engine.runner.hosts.values()):
            return
    raise AssertionError(f"order {order} never came to rest")


async def _step(url: str, rounds: int) -> float:
    """One step of an agent around an empty function: recorded before the agent goes on."""
    async with running(url, "step", agent="stepper") as bot:
        for order in range(rounds):
            await bot.ask((order,))
            await bot.stamps.until(lambda: len(bot.stamps.step) == order + 1)  # noqa: B023  # awaited in the loop
        return median(bot.stamps.step.values())


@asynccontextmanager
async def _voter(url: str, namespace: str) -> AsyncIterator[Process]:
    """Another process on the same store."""
    voter = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.voter", url, namespace, stdin=PIPE, stdout=PIPE
    )
    assert voter.stdin is not None
    assert voter.stdout is not None
    try:
        await voter.stdout.readline()
        yield voter
    finally:
        voter.stdin.close()
        await voter.wait()
