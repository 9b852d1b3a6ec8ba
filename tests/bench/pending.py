"""100,000 runs that wait for people: what they cost, how fast a restart is ready, how fast a burst is dealt with.

build in one process -> weigh -> stop it and its server -> start both again -> first click -> burst
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from asyncio.subprocess import PIPE
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import mean

from bot.domain.wire import loads
from tests.bench.bot import SHORT, Bot, running

NAMESPACE = "bench"
BATCH = 2_000  # runs in memory at once while building
SAMPLE = 300  # keys of each kind that are weighed
BURST = 5_000


async def measure(folder: Path, *, pending: int, burst: int = BURST) -> Mapping[str, float]:
    """Every row about many pending runs. Each stage is a process of its own, as a bot would be."""
    built = await _stage("build", folder, pending)
    began = time.perf_counter()
    first = await _stage("first", folder, pending)
    ready = first["resumed"] - began
    return {**built, **first, "ready": ready, **await _stage("burst", folder, min(burst, pending // 2))}


async def _stage(name: str, folder: Path, count: int) -> dict[str, float]:
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.stage", name, str(folder), str(count)), stdout=PIPE
    )
    out, _ = await run.communicate()
    if run.returncode != 0:
        raise RuntimeError(f"the stage {name} ended with {run.returncode}")
    found: dict[str, float] = loads(out.splitlines()[-1])
    return found


# ----------------------------------------------------- the stages, inside their processes


async def build(url: str, pending: int) -> Mapping[str, float]:
    """Put *pending* requests to people through the whole engine, let every run leave memory, and weigh."""
    began = time.perf_counter()
    async with running(url, NAMESPACE, SHORT) as bot:
        await _grow(bot, 1, min(200, pending // 2))  # whatever is made once is made now
        before, used = rss_mb(), await _used(bot)
        first = await bot.pending()
        for start in range(first, pending, BATCH):
            await _grow(bot, start + 1, min(start + BATCH, pending))
        built = time.perf_counter() - began
        return {
            "bytes_each": (await _used(bot) - used) / (pending - first),
            "rss_growth_mb": rss_mb() - before,
            "made_per_s": pending / built,
            **await _weigh(bot),
        }


async def _grow(bot: Bot, first: int, last: int) -> None:
    await bot.ask(range(first, last + 1))
    await bot.quiet(pending=last, most_hosts=0)


async def first(url: str, pending: int) -> Mapping[str, float]:
    """The first resumed run after a restart: any of them."""
    started = time.perf_counter()
    async with running(url, NAMESPACE, SHORT) as bot:
        order, click = await bot.click(await bot.open_request(random.randrange(pending)))
        await bot.engine.desk.click(click)
        await bot.stamps.until(lambda: order in bot.stamps.line)
        resumed = bot.stamps.tool[order]
        return {"resumed": resumed, "after_server_s": resumed - started}


async def burst(url: str, count: int) -> Mapping[str, float]:
    """*count* people click at the same moment, each on another evicted run."""
    async with running(url, NAMESPACE, SHORT) as bot:
        requests = (await bot.open_requests())[:count]
        clicks = [await bot.click(request) for request in requests]
        began = time.perf_counter()
        answers = await asyncio.gather(*(bot.engine.desk.click(click) for _, click in clicks))
        taken = time.perf_counter() - began
        assert all(answer.is_taken for answer in answers), "every vote counts"
        await bot.stamps.until(lambda: len(bot.stamps.line) == count)
        resumed = max(bot.stamps.tool.values()) - began
        return {"accepted_per_s": count / taken, "resumed_per_s": count / resumed}


STAGES = {"build": build, "first": first, "burst": burst}


# ---------------------------------------------------------------------- weights


async def _used(bot: Bot) -> int:
    found = await bot.link.ask(bot.link.client.info("memory"))
    return int(found["used_memory"] - found.get("mem_aof_buffer", 0))


async def _weigh(bot: Bot) -> Mapping[str, float]:
    """Bytes per pending run, by kind of key: MEMORY USAGE of a sample, times how many there are."""
    weights: dict[str, list[int]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    async for name in bot.link.client.scan_iter(count=10_000):
        kind = name.decode().partition("}:")[2].partition(":")[0]
        counts[kind] += 1
        if len(weights[kind]) < SAMPLE:
            weights[kind].append(await bot.link.ask(bot.link.client.memory_usage(name, samples=0)))
    each = await bot.pending()
    return {f"weight.{kind}": mean(found) * counts[kind] / each for kind, found in weights.items()}


def rss_mb() -> float:
    """What this process holds in memory, from /proc; 0 where there is none."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * 4096 / 2**20
