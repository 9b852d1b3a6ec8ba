"""How many turns of Teams one process takes: our seam around botbuilder, its own adapter, and plain aiohttp.

    16 connections -> the same signed message, again and again -> the answer; the server's CPU time beside the clock's

Each server is a process of its own, so this one can keep one core busy with asking. A turn's cost is the server's CPU
time: whoever asks may be slower than the fastest of the three.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.teams.http import PATH
from bot.domain.wire import dumps, loads
from tests.bench.slack import LONGEST_LINE, Side
from tests.fakes.teams import FakeTeams

CLIENTS = 16
SIDES = ("seam", "stock", "plain")
STOCK_SHARE = 10  # the stock adapter is asked so much less often: it is that much slower

Said = dict[str, Any]


class Wire:
    """One kept connection, as bare as can be."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def turn(self, request: bytes) -> float:
        """Seconds until the answer was read. What is answered 500 is no turn."""
        began = time.perf_counter()
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        await self._reader.readexactly(int(length or 0))
        took = time.perf_counter() - began
        assert head.startswith(b"http/1.1 20"), head.split(b"\r\n", 1)[0]
        return took

    def close(self) -> None:
        self._writer.close()


async def measure(*, rounds: int, turns: int) -> Mapping[str, float]:
    """Medians of the rounds, after one to warm up: seconds of CPU a turn, turns a second, p50 and p99 of an invoke."""
    async with AsyncExitStack() as stack:
        teams = await stack.enter_async_context(FakeTeams())
        given = {
            "metadata": teams.openid_metadata,
            "app": teams.app_id,
            "tenant": teams.tenant,
            "origin": "{0.scheme}://{0.netloc}".format(urlsplit(teams.service_url)),
        }
        sides = {name: await _started(name, given, stack) for name in SIDES}
        message, invoke = await _requests(teams)
        found = [await _round(sides, message, invoke, turns) for _ in range(rounds + 1)][1:]
    return {name: median(one[name] for one in found) for name in found[0]}


async def _started(name: str, given: Said, stack: AsyncExitStack) -> tuple[Side, Sequence[Wire]]:
    command = (sys.executable, "-m", "tests.bench.teamsside", name)
    side = Side(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=LONGEST_LINE))
    stack.push_async_callback(side.end)
    port = int((await side.ask(**given))["port"])
    wires = [Wire(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(CLIENTS)]
    for wire in wires:
        stack.callback(wire.close)
    return side, wires


async def _round(
    sides: Mapping[str, tuple[Side, Sequence[Wire]]], message: bytes, invoke: bytes, turns: int
) -> Mapping[str, float]:
    found = dict[str, float]()
    for name, (side, wires) in sides.items():
        wanted = turns // STOCK_SHARE if name == "stock" else turns
        cpu, began = (await side.ask(look=True))["cpu"], time.perf_counter()
        await _all(wires, message, wanted)
        took = time.perf_counter() - began
        found[f"{name}.cpu"] = ((await side.ask(look=True))["cpu"] - cpu) / wanted
        found[f"{name}.per_s"] = wanted / took
    for name in ("seam", "plain"):  # the stock adapter answers 500 to any invoke with a body
        times = sorted(await _all(sides[name][1][:1], invoke, turns // 4))
        found |= {f"{name}.p50": median(times), f"{name}.p99": times[math.ceil(len(times) * 0.99) - 1]}
    return found


async def _all(wires: Sequence[Wire], request: bytes, turns: int) -> list[float]:
    left, times = iter(range(turns)), list[float]()

    async def press(wire: Wire) -> None:
        for _ in left:
            times.append(await wire.turn(request))

    await asyncio.gather(*(press(wire) for wire in wires))
    return times


async def _requests(teams: FakeTeams) -> tuple[bytes, bytes]:
    """A message and a click, as Teams posts them; the very same bytes each time, as one token serves for an hour."""
    taken = list[tuple[str, Said]]()

    async def take(request: web.Request) -> web.Response:
        taken.append((request.headers["Authorization"], loads(await request.read())))
        return web.Response()

    app = web.Application()
    app.router.add_post(PATH, take)
    async with TestServer(app) as bare:
        teams.connect(str(bare.make_url(PATH)))
        ana = teams.add_person("Ana")
        await teams.say(ana, teams.add_team("Ops", members=[ana]), "@countersign refund 120 for order 7, it broke")
    ((token, said),) = taken
    click = {"action": {"type": "Action.Execute", "verb": "cs.approve", "data": {}}, "trigger": "manual"}
    pressed = {**said, "type": "invoke", "name": "adaptiveCard/action", "value": click}
    return _posted(token, said), _posted(token, pressed)


def _posted(token: str, activity: Mapping[str, Any]) -> bytes:
    body = dumps(activity)
    lines = (
        b"POST " + PATH.encode() + b" HTTP/1.1",
        b"Host: 127.0.0.1",
        b"Content-Type: application/json; charset=utf-8",
        b"Authorization: " + token.encode(),
        b"Content-Length: " + str(len(body)).encode(),
    )
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
