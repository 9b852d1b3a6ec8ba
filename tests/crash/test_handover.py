"""Shards change hands: fairly, at once when a process says goodbye, and never under a tool that is at work."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
import redis.asyncio as redis

from bot.domain.calls import ToolCall, ToolResult
from bot.domain.chat import MessageRef
from bot.domain.errors import LeaseLost
from bot.domain.ports import Leave
from bot.domain.request import Copy, RequestId, RunId
from bot.domain.run import Step
from bot.domain.store import Batch, Effects, Fence, Row, Turn
from bot.domain.wire import replace
from bot.runtime.shards import Shards
from bot.store.embedded import EmbeddedServer
from bot.store.link import Link
from bot.store.redis import RedisStore
from tests.crash.doom import Doom
from tests.crash.ledger import Ledger, LedgerTool
from tests.crash.worker import POLICY, Echo
from tests.fakes.proxy import Proxy
from tests.house import KEY, House

LAST = next(f"t{n}" for n in range(100) if zlib.crc32(f"playground/local/general/t{n}".encode()) % 2 == 1)
SILENT = ("renew", "release", "checkpoint")  # they answer no instead of raising


class HeldTool(LedgerTool):
    """Starts, and has its effect when the test says so."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__("charge", ledger, lambda _moment: None)
        self.started, self.go = asyncio.Semaphore(0), asyncio.Event()

    async def run(self, call: ToolCall, leave: Leave) -> ToolResult:
        self.started.release()
        await self.go.wait()
        return await super().run(call, leave)


async def test_two_processes_share_the_shards_and_the_last_one_has_them_all(
    redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """Four shards: all to the first, two each, and all to whoever stays, as soon as the other has said goodbye."""
    link = Link(redis_url)
    store = RedisStore(link, namespace=namespace, shards=4, key=KEY)
    async with _house(redis_url, namespace, tmp_path, _held(tmp_path), shards=4) as house:
        one, two = house.engine.shards, Shards(dataclasses.replace(house.engine.parts, owner="two", store=store))
        assert len(one.fences) == 4
        await two.look(_nothing)
        await one.look(house.engine.runner.drop)
        await two.look(_nothing)
        assert (len(one.fences), len(two.fences)) == (2, 2)
        assert not set(one.fences) & set(two.fences)

    await two.look(_nothing)
    assert len(two.fences) == 4
    await two.close()
    await link.close()


async def test_a_tool_at_work_is_not_cut_short_when_another_process_joins(
    redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """The newcomer gets a shard on which no tool is at work; nobody is asked what became of a healthy call."""
    tool = _held(tmp_path)
    async with _house(redis_url, namespace, tmp_path, tool, shards=2) as old:
        await old.mention("ana", "charge 7", thread=LAST)
        await old.press("approve", by="bo")
        await tool.started.acquire()
        async with old.again() as new:
            await _owns(new, {0})
            tool.go.set()
            await _ended(old)
        await _must_be_undoubted(old)


async def test_sigterm_waits_until_what_tools_did_is_written_however_slow_the_store_is(
    redis_server: EmbeddedServer, namespace: str, tmp_path: Path
) -> None:
    """Six tools end at once while the process is leaving, and every write takes a fifth of a second."""
    tool = _held(tmp_path)
    async with Proxy(Path(redis_server.url.removeprefix("unix://"))) as proxy:
        house = _house(proxy.url, namespace, tmp_path, tool)
        await house.__aenter__()
        await house.mention("ana", "charge 1 x6")
        await house.chat.until(lambda: len(house.with_button("approve")) == 6, "six cards")
        for post in house.with_button("approve"):
            await house.press("approve", by="bo", card=post)
        for _ in range(6):
            await tool.started.acquire()
        proxy.latency = 0.2
        leaving = asyncio.create_task(house.__aexit__(None, None, None))  # owned: awaited below
        tool.go.set()
        await leaving

        proxy.latency = 0.0
        async with _house(redis_server.url, namespace, tmp_path, tool) as after:
            after.chat.posts = house.chat.posts
            await _ended(after)
            await _must_be_undoubted(after, calls=6)


@pytest.mark.parametrize(
    "what", ["append", "open", "spend", "posted", "due", "failed", "checkpoint", "turn", "renew", "release"]
)
async def test_whoever_lost_the_shard_changes_nothing_any_more(
    what: str, redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """I2, T27: every write of an owner shows its epoch, and is refused once another one has taken over."""
    tool = _held(tmp_path)
    async with _house(redis_url, namespace, tmp_path, tool) as house:
        await house.mention("ana", "charge 7")
        await house.card()
        host = next(iter(house.engine.runner.hosts.values()))
        stale = host.journal.fence
        await house.store.release(stale)
        assert await house.store.acquire(0, "another", timedelta(hours=1)) is not None
        before = await _everything(redis_url, namespace)

        with contextlib.nullcontext() if what in SILENT else pytest.raises(LeaseLost):
            await _write(house, what, stale, host.id)

        assert await _everything(redis_url, namespace) == before


async def _write(house: House, what: str, stale: Fence, run: RunId) -> None:
    store = house.store
    loaded = await store.load(run)
    assert loaded is not None, "the run is there"
    (ask,) = loaded.asks
    held = await store.held(ask)
    after = replace(held.request, version=held.request.version + 1)
    batch = Batch(op="late", count=loaded.count, entries=(Step(path="/9", mark="late", result=""),))
    row = Row(name=f"card|{ask}|main", stamp=1)
    writes: dict[str, Callable[[], Awaitable[object]]] = {
        "append": lambda: store.append(stale, run, batch),
        "open": lambda: store.open(stale, batch, replace(held.request, id=RequestId("q-0-late")), ()),
        "spend": lambda: store.spend(stale, batch, after),
        "posted": lambda: store.posted(
            stale, row, Copy(name="main", ref=MessageRef(place=held.request.place, id="late")), Effects()
        ),
        "due": lambda: store.due(stale, most=10, hidden=timedelta(seconds=10)),
        "failed": lambda: store.failed(stale, "rung|q|0", (timedelta(seconds=10),)),
        "turn": lambda: store.turn(Turn(after=after, effects=Effects(), fence=stale)),
        "checkpoint": lambda: store.checkpoint(stale, (1, 1), "mac", b"{}"),
        "renew": lambda: store.renew(stale, timedelta(hours=1)),
        "release": lambda: store.release(stale),
    }
    await writes[what]()


# ------------------------------------------------------------------- given


def _held(folder: Path) -> HeldTool:
    return HeldTool(Ledger(folder / "ledger"))


def _house(url: str, namespace: str, folder: Path, tool: HeldTool, *, shards: int = 1) -> House:
    return House(url, namespace, folder, policy=POLICY, tools=(tool,), model=Echo(Doom("")), shards=shards)


async def _nothing(_shard: int) -> None: ...


async def _owns(house: House, shards: set[int]) -> None:
    async with asyncio.timeout(10):
        while set(house.engine.shards.fences) != shards:
            house.engine.shards.changed.clear()
            await house.engine.shards.changed.wait()


async def _ended(house: House) -> None:
    await house.chat.until(lambda: any(post.key.endswith("/end") for post in house.chat.posts), "the end")


async def _must_be_undoubted(house: House, *, calls: int = 1) -> None:
    """Every call started once, and nobody was asked what became of it."""
    events = Counter(entry.event for entry in await house.audit())
    assert (events["request_opened"], events["tool_started"], events["tool_finished"]) == (calls, calls, calls)
    assert await house.is_sound()


async def _everything(redis_url: str, namespace: str) -> dict[bytes, bytes | None]:
    """Every byte of the shard."""
    client = redis.Redis.from_url(redis_url)
    found = {key: await client.dump(key) async for key in client.scan_iter(match=f"{{{namespace}:0}}*")}
    await client.aclose()
    return found
