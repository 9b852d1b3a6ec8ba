"""Processes around the Slack rows: `python -m tests.bench.slackside slack | bot | bolt`, spoken to in lines of JSON.

slack   the strict fake: people, threads, and the signed bodies of their clicks
bot     one whole replica with the Slack adapter over HTTP; the little agent of `bot.py`, the shipped policy
bolt    a bare bolt app that acks a button and does nothing else

Each reads what it needs from its first line, says where it listens, and then answers one line at a time.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import uvloop
from aiohttp import web
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from adapters.server import Address
from adapters.slack import office
from adapters.slack.chat import Slack, SlackWithin
from adapters.slack.http import PATH
from adapters.slack.office import SlackSettings, opened_office
from adapters.slack.pace import Pace
from adapters.slack.people import Trust
from agents.roster import Roster
from agents.toolbox import Toolbox
from bot.app import Front
from bot.domain.chat import Account, Message, MessageRef, PersonId, Place
from bot.domain.request import RequestId
from bot.domain.store import Turn, Turned
from bot.domain.wire import Json, dumps, loads
from bot.garbage import settle
from bot.peoplefile import parse_people
from bot.runtime.engine import Engine
from bot.runtime.parts import Parts
from bot.runtime.views import RuntimeViews
from bot.store.keys import Keyring
from bot.store.link import Link
from bot.store.redis import RedisStore
from bot.telemetry import Metrics
from tests.bench.bot import KEY, STEADY, Clerk, Script, Stamps, logging_as_shipped, patient_policy, refund_tool
from tests.fakes.slack import FakeSlack

Said = dict[str, Any]
Turning = Callable[[RedisStore, Turn], Coroutine[Any, Any, Turned]]
PATIENCE = 60.0  # seconds until a house that should come to rest never will
PEOPLE = """\
tenants: {{slack: {team}}}
people:
  ana: {{name: Ana, groups: [sales], manager: dana, accounts: {{slack: {ana}}}}}
  bo: {{name: Bo, groups: [approvers], manager: dana, accounts: {{slack: {bo}}}}}
  dana: {{name: Dana, groups: [managers], accounts: {{slack: {dana}}}}}
"""


class Lines:
    """Standard input and output, one JSON object a line."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    @classmethod
    async def open(cls) -> Lines:
        reader = asyncio.StreamReader(limit=1 << 26)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        return cls(reader)

    async def read(self) -> Said | None:
        line = await self._reader.readline()
        return loads(line) if line else None

    def say(self, said: Mapping[str, Any]) -> None:
        sys.stdout.write(dumps(said).decode() + "\n")
        sys.stdout.flush()


# ------------------------------------------------------------------- slack


async def slack_side(lines: Lines) -> None:
    async with FakeSlack() as slack:
        slack.subscribed.clear()  # tasks are given to the bot directly: they are not what is measured
        ana, bo, dana = (slack.add_user(name) for name in ("ana", "bo", "dana"))
        ops = slack.add_channel("ops", [ana, bo, dana])
        lines.say(
            {
                "api_url": slack.api_url,
                "secret": slack.signing_secret,
                "token": slack.bot_token,
                "team": slack.team,
                "channel": ops,
                "ana": ana,
                "bo": bo,
                "dana": dana,
            }
        )
        while asked := await lines.read():
            if "tasks" in asked:
                lines.say({"threads": [await slack.say(ana, ops, _task(order)) for order in asked["tasks"]]})
            else:
                lines.say({"bodies": [_body(slack, bo, ops, ts) for ts in asked["cards"]]})


def _task(order: int) -> str:
    return f"@countersign refund 120 for order {order}, it arrived broken"


def _body(slack: FakeSlack, user: str, channel: str, ts: str) -> str:
    """What Slack posts when *user* presses Approve there."""
    return urlencode({"payload": dumps(slack.block_actions(user, channel, ts, "Approve")).decode()})


# --------------------------------------------------------------------- bot


class Loose(Pace):
    """The shipped pace, which can be let go: hundreds of cards at Slack's own pace would take an hour to post."""

    is_kept = False

    async def turn(self, team: str, method: str, channel: str = "") -> None:
        if self.is_kept:
            await super().turn(team, method, channel)


class Replica:
    """One process of the bot, and what the conductor wants of it."""

    def __init__(self, engine: Engine, link: Link, given: Said, stamps: Stamps) -> None:
        self._engine, self._link, self._given, self._stamps = engine, link, given, stamps
        self._store = engine.parts.store

    async def ask(self, orders: list[int], threads: list[str]) -> None:
        """Ana gives one task per order, each in its thread."""
        left = iter(zip(orders, threads, strict=True))

        async def give() -> None:
            for order, thread in left:
                await self._give(order, thread)

        await asyncio.gather(*(give() for _ in range(50)))

    async def _give(self, order: int, thread: str) -> None:
        team, channel = self._given["team"], self._given["channel"]
        place = Place(platform="slack", tenant=team, channel=channel, thread=thread)
        by = Account(platform="slack", tenant=team, user=self._given["ana"])
        message = Message(
            delivery=f"slack:{team}:{channel}:{thread}",
            by=by,
            place=place,
            text=_task(order),
            ref=MessageRef(place=place, id=thread),
            is_mention=True,
        )
        await self._engine.desk.message(message)

    async def pending(self) -> int:
        return sum([(await self._store.totals(shard)).pending for shard in range(self._given["shards"])])

    async def cards(self, pending: int) -> list[tuple[int, str]]:
        """So many open requests as their orders and the ts of their cards, once all of them are shown."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [card async for card in self._cards()]
                if len(found) == pending and all(ts for _, ts in found):
                    return sorted(found)
                await asyncio.sleep(0.1)  # looking is not free

    async def _cards(self) -> AsyncIterator[tuple[int, str]]:
        for shard in range(self._given["shards"]):
            ring = Keyring(self._given["namespace"], shard)
            names: list[bytes] = await self._link.ask(self._link.client.zrange(ring("open"), 0, -1))
            for name in names:
                held = await self._store.held(RequestId(name.decode()))
                ref = held.copies[0].ref if held.copies else None
                yield int(held.request.call.values["order_id"]), ref.id if ref else ""

    async def tool_of(self, order: int) -> float:
        """When the tool of *order* began; told once everything about it is over and shown."""
        async with asyncio.timeout(PATIENCE):
            await self._stamps.until(lambda: order in self._stamps.line)
            while not await self._is_at_rest():
                pass  # each look waits for the store
        return self._stamps.tool[order]

    async def rest(self) -> None:
        """Until this replica owns its share of the shards, and nothing is left to do or to show, here or elsewhere."""
        async with asyncio.timeout(PATIENCE):
            while not (await self._is_at_rest() and len(self._engine.shards.fences) == self._given["share"]):
                pass  # each look waits for the store

    async def _is_at_rest(self) -> bool:
        rows = [row for shard in range(self._given["shards"]) for row in await self._store.rows(shard)]
        is_shown = all(row.name.startswith("run|") for row in rows)  # those keep a slow pace
        return is_shown and all(host.is_asleep for host in self._engine.runner.hosts.values())


async def bot_side(lines: Lines) -> None:
    given, votes = await lines.read() or {}, list[float]()
    timed = patch.object(RedisStore, "turn", _timed(RedisStore.turn, votes))
    async with _running(given) as (bot, slack, pace), AsyncExitStack() as stack:
        stack.enter_context(timed)
        found = re.search(r":(\d+)/", slack.where)
        assert found is not None, "it listens over HTTP"
        lines.say({"port": int(found[1])})
        while asked := await lines.read():
            match asked["do"]:
                case "ask":
                    await bot.ask(asked["orders"], asked["threads"])
                    lines.say({})
                case "pending":
                    lines.say({"pending": await bot.pending()})
                case "cards":
                    lines.say({"cards": await bot.cards(asked["pending"])})
                case "pace":
                    pace.is_kept = asked["is_kept"]
                    lines.say({})
                case "rest":
                    await bot.rest()
                    lines.say({})
                case "tool":
                    lines.say({"at": await bot.tool_of(asked["order"]), "vote": votes[-1]})


def _timed(turn: Turning, seconds: list[float]) -> Turning:
    """The one round trip to Redis that an ack waits for, timed where it is made."""

    async def timed(store: RedisStore, change: Turn) -> Turned:
        began = time.perf_counter()
        try:
            return await turn(store, change)
        finally:
            seconds.append(time.perf_counter() - began)

    return timed


@asynccontextmanager
async def _running(given: Said) -> AsyncIterator[tuple[Replica, Slack, Loose]]:
    """The roof of `bot.app`, with a model that answers at once."""
    stamps, link = Stamps(), Link(given["url"])
    try:
        store = RedisStore(link, namespace=given["namespace"], shards=given["shards"], key=KEY)
        await store.prepare()
        settings = SlackSettings(
            bot_token=given["token"],
            signing_secret=given["secret"],
            api_url=given["api_url"],
            address=Address(port=0),
        )
        pace = Loose()
        with patch.object(office, "Pace", lambda: pace):
            async with opened_office(settings, store.keep()) as opened:
                people = opened.directory(parse_people(PEOPLE.format(**given).encode()), Trust(home=given["team"]))
                toolbox = Toolbox((refund_tool(stamps),))
                views = RuntimeViews(store, toolbox, people, KEY)
                slack = Slack(SlackWithin(office=opened, people=people, views=views, explain=_explained))
                parts = Parts(
                    store=store,
                    chats={slack.platform: slack},
                    policy=patient_policy(),
                    toolbox=toolbox,
                    model=Script(),
                    roster=Roster((Clerk(stamps),), default="clerk"),
                    directory=people,
                    meter=Metrics(),
                    key=KEY,
                    owner=f"bench:{os.getpid()}:{uuid.uuid4().hex[:6]}",
                    pace=STEADY,
                    open_most=None,
                    place_most=None,
                )
                front, engine = Front(), Engine(parts)
                async with slack.serve(front), engine.running() as front.desk:
                    settle()
                    yield Replica(engine, link, given, stamps), slack, pace
    finally:
        await link.close()


async def _explained(tool: str, args: Json, by: PersonId, place: Place) -> str:
    raise AssertionError(f"nobody asks what the policy says of {tool}({args}) for {by} at {place.key}")


# -------------------------------------------------------------------- bolt


async def bolt_side(lines: Lines) -> None:
    """The least that answers a click: bolt's own signature check, one listener, an ack."""
    given = await lines.read() or {}
    client = AsyncWebClient(token=given["token"], base_url=given["api_url"])
    app = AsyncApp(client=client, signing_secret=given["secret"], process_before_response=True)

    @app.action(re.compile(r"^cs\."))
    async def pressed(ack: AsyncAck) -> None:
        await ack()

    runner = web.AppRunner(app.web_app(PATH), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        lines.say({"port": int(runner.addresses[0][1])})
        await lines.read()
    finally:
        await runner.cleanup()


SIDES = {"slack": slack_side, "bot": bot_side, "bolt": bolt_side}


async def main(name: str) -> None:
    await SIDES[name](await Lines.open())


if __name__ == "__main__":
    with logging_as_shipped():
        uvloop.run(main(sys.argv[1]))
