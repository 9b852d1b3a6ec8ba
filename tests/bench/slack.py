"""How long Slack waits for our "ok" to a click: the whole adapter beside a bare bolt app, and two replicas at once.

    signed click -> HTTP -> guard, ears, desk, vote (durable) -> 200 -> the signed tool's first line

Every click is a vote on an open request of its own: one approver is enough. Slack, the bot and bolt are processes of
their own (`slackside`); this one sends clicks, and nothing else runs in it meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import math
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Self

from adapters.slack.http import PATH
from bot.domain.wire import dumps, loads
from bot.store.embedded import EmbeddedServer
from bot.store.link import Link
from tests.bench.yardstick import Yardstick

PENDING = 100  # at least this many requests stay open while single clicks are measured
CLIENTS = 16
BURST = 400  # clicks of one round of both replicas
SHARDS = 16  # as with a server of one's own
LONGEST_LINE = 1 << 26  # bytes; hundreds of clicks are one line

Said = dict[str, Any]


class Side:
    """A process of `slackside`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, name: str) -> Self:
        command = (sys.executable, "-m", "tests.bench.slackside", name)
        return cls(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=LONGEST_LINE))

    async def ask(self, **what: Any) -> Said:
        assert self._process.stdin is not None
        self._process.stdin.write(dumps(what) + b"\n")
        return await self.hear()

    async def hear(self) -> Said:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("a process of the bench has ended; its own words are above")
        said: Said = loads(line)
        return said

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


class Wire:
    """One HTTP connection that is kept open, as bare as can be: what is measured is the other side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secret: str) -> None:
        self._reader, self._writer, self._secret = reader, writer, secret.encode()

    @classmethod
    async def open(cls, port: int, secret: str) -> Self:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        return cls(reader, writer, secret)

    async def click(self, body: bytes) -> tuple[float, float]:
        """Post *body*, signed now: when it went out, and when the "ok" was read."""
        request = self._signed(body)
        began = time.perf_counter()
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        ended = time.perf_counter()
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        await self._reader.readexactly(int(length or 0))
        assert head.startswith(b"HTTP/1.1 200"), head.split(b"\r\n", 1)[0]
        return began, ended

    def _signed(self, body: bytes) -> bytes:
        now = str(int(time.time())).encode()
        signature = hmac.new(self._secret, b"v0:" + now + b":" + body, hashlib.sha256).hexdigest().encode()
        lines = (
            b"POST " + PATH.encode() + b" HTTP/1.1",
            b"Host: 127.0.0.1",
            b"User-Agent: Slackbot 1.0 (+https://api.slack.com/robots)",
            b"Content-Type: application/x-www-form-urlencoded",
            b"X-Slack-Request-Timestamp: " + now,
            b"X-Slack-Signature: v0=" + signature,
            b"Content-Length: " + str(len(body)).encode(),
        )
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    def close(self) -> None:
        self._writer.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """Slack, the bots, and Redis between them. Orders are numbered through."""

    slack: Side
    bots: Sequence[Side]
    ports: Sequence[int]
    hello: Said
    link: Link
    orders: itertools.count[int]

    async def open_cards(self, wanted: int) -> list[tuple[int, bytes]]:
        """Until *wanted* requests are open: each one's order, and what Slack posts when Bo approves it."""
        there = (await self.bots[0].ask(do="cards", pending=await self._pending()))["cards"]
        orders = [next(self.orders) for _ in range(wanted - len(there))]
        threads = (await self.slack.ask(tasks=orders))["threads"]
        await self.bots[0].ask(do="ask", orders=orders, threads=threads)
        cards = (await self.bots[0].ask(do="cards", pending=wanted))["cards"]
        bodies = (await self.slack.ask(cards=[ts for _, ts in cards]))["bodies"]
        return [(order, body.encode()) for (order, _), body in zip(cards, bodies, strict=True)]

    async def keep_pace(self, is_kept: bool) -> None:
        """Call Slack no faster than it allows, or as fast as can be."""
        for bot in self.bots:
            await bot.ask(do="pace", is_kept=is_kept)

    async def rest(self) -> None:
        """Until the shards are shared out evenly, and nothing is left to do or to show."""
        for bot in self.bots:
            await bot.ask(do="rest")

    async def _pending(self) -> int:
        return int((await self.bots[0].ask(do="pending"))["pending"])


@asynccontextmanager
async def town(url: str, namespace: str, *, bots: int, shards: int) -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        slack = await _started("slack", stack)
        hello = {**await slack.hear(), "url": url, "namespace": namespace, "shards": shards, "share": shards // bots}
        sides = [await _started("bot", stack) for _ in range(bots)]
        ports = [int((await side.ask(**hello))["port"]) for side in sides]
        link = Link(url)
        stack.push_async_callback(link.close)
        yield Town(slack=slack, bots=sides, ports=ports, hello=hello, link=link, orders=itertools.count(1))


async def _started(name: str, stack: AsyncExitStack) -> Side:
    side = await Side.start(name)
    stack.push_async_callback(side.end)
    return side


async def measure(folder: Path, *, rounds: int, clicks: int) -> Mapping[str, float]:
    """Medians of the rounds; a first round of each kind warms up. Seconds, but for `per_s`."""
    async with EmbeddedServer(folder) as server:
        singles = await _singles(server.url, rounds=rounds, clicks=clicks)
        bursts = await _bursts(server.url, rounds=rounds)
    found = [*singles[1:]], [*bursts[1:]]
    return {name: median(one[name] for one in some) for some in found for name in some[0]}


# ------------------------------------------------------------ one client at a time


async def _singles(url: str, *, rounds: int, clicks: int) -> list[Mapping[str, float]]:
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(town(url, "acks", bots=1, shards=1))
        bolt = await _started("bolt", stack)
        port = int((await bolt.ask(**here.hello))["port"])
        ours = await _wire(here.ports[0], here, stack)
        theirs = await _wire(port, here, stack)
        return [await _round(here, ours, theirs, clicks) for _ in range(rounds + 1)]


async def _round(here: Town, ours: Wire, theirs: Wire, clicks: int) -> Mapping[str, float]:
    """Each click of ours beside the same bytes to bolt, and the yardstick."""
    yardstick = Yardstick(here.link)
    acks, tools, bolts, votes = list[float](), list[float](), list[float](), list[float]()
    for order, body in (await here.open_cards(PENDING + clicks))[:clicks]:
        await yardstick.take()
        began, ended = await ours.click(body)
        acks.append(ended - began)
        came = await here.bots[0].ask(do="tool", order=order)
        tools.append(float(came["at"]) - began)
        votes.append(float(came["vote"]))
        began, ended = await theirs.click(body)
        bolts.append(ended - began)
    found = {"ack": acks, "tool": tools, "bolt": bolts, "redis": votes}
    return {**{name: median(times) for name, times in found.items()}, "small": yardstick.write}


# -------------------------------------------------------- two replicas, many clients


async def _bursts(url: str, *, rounds: int) -> list[Mapping[str, float]]:
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(town(url, "burst", bots=2, shards=SHARDS))
        wires = [await _wire(port, here, stack) for port, _ in zip(itertools.cycle(here.ports), range(CLIENTS))]
        return [await _burst(here, wires) for _ in range(rounds + 1)]


async def _burst(here: Town, wires: Sequence[Wire]) -> Mapping[str, float]:
    """Everybody clicks; meanwhile tools run, and cards are drawn again as fast as Slack allows, which is slowly."""
    await here.rest()
    left = iter([body for _, body in await here.open_cards(BURST)])
    times = list[float]()

    async def press(wire: Wire) -> None:
        for body in left:
            began, ended = await wire.click(body)
            times.append(ended - began)

    await here.keep_pace(True)
    began = time.perf_counter()
    await asyncio.gather(*(press(wire) for wire in wires))
    took = time.perf_counter() - began
    await here.keep_pace(False)
    return {"p99": sorted(times)[math.ceil(len(times) * 0.99) - 1], "per_s": BURST / took}


async def _wire(port: int, here: Town, stack: AsyncExitStack) -> Wire:
    wire = await Wire.open(port, here.hello["secret"])
    stack.callback(wire.close)
    return wire
