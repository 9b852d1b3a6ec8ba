"""The bot that is measured: the real engine, desk and store; a model and a chat that answer at once.

One tiny agent: it thinks once, asks for a refund that an approver must sign, and goes on. The rules and the
people are the shipped ones. Stamps say when which line of it ran.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import time
import uuid
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from agents.roster import Roster
from agents.toolbox import Toolbox, tool
from bot.domain.calls import Risk, ToolSpec
from bot.domain.chat import Account, Card, Click, Message, MessageRef, PersonId, Place
from bot.domain.policy import Policy
from bot.domain.ports import FrontDoor, Line, Live, RunContext, Said, Tool, WantedCall
from bot.domain.request import RequestId
from bot.domain.run import Decided, RunStatus, Task
from bot.domain.wire import dumps
from bot.garbage import settle
from bot.peoplefile import read_people
from bot.policyfile import parse_policy
from bot.runtime.engine import Engine
from bot.runtime.host import Host
from bot.runtime.parts import Pace, Parts
from bot.runtime.seal import Seal
from bot.store.keys import Keyring
from bot.store.link import Link
from bot.store.redis import RedisStore
from bot.telemetry import Metrics, configure_logging

ROOT = Path(__file__).resolve().parents[2]
KEY = b"k" * 32
PLATFORM, TENANT = "playground", "local"
STEADY = Pace(evict_after=timedelta(hours=1))  # nothing leaves memory unless a row says so
SHORT = Pace(evict_after=timedelta(0))  # whoever waits leaves memory at the next sweep
TOOLS = ("refund",)
STEPS = 500
Sleep = Callable[[Host, RequestId], Coroutine[Any, Any, Decided]]


class Stamps:
    """When the lines that matter ran, in seconds of the machine's one monotonic clock, by order number."""

    def __init__(self) -> None:
        self.wake: dict[int, float] = {}  # the agent's coroutine goes on
        self.tool: dict[int, float] = {}  # the signed tool's first line
        self.line: dict[int, float] = {}  # the agent's next line
        self.step: dict[int, float] = {}  # seconds of one journalled step
        self.changed = asyncio.Event()

    def at_wake(self, order: int) -> None:
        self.wake[order] = time.perf_counter()

    def at_tool(self, order: int) -> None:
        self.tool[order] = time.perf_counter()

    def at_line(self, order: int) -> None:
        self.line[order] = time.perf_counter()
        self.changed.set()

    async def until(self, holds: Callable[[], object]) -> None:
        while not holds():
            self.changed.clear()
            await self.changed.wait()


class Clerk:
    """The agent: think, ask for a signed call, go on."""

    name = "clerk"
    tools = TOOLS

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        said = await ctx.think((Line(role="user", text=task.text),), self.tools)
        await ctx.use(said.calls, why=said.text)
        self._stamps.at_line(order_of(task.text))
        return "Refunded."


class Stepper:
    """An agent that takes steps around nothing, and divides."""

    name = "stepper"
    tools = ()

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        began = time.perf_counter()
        for _ in range(STEPS):
            await ctx.now()
        order = order_of(task.text)
        self._stamps.step[order] = (time.perf_counter() - began) / STEPS
        self._stamps.at_line(order)
        return "Walked."


class Script:
    """`ports.Model`: always wants the refund that the task names."""

    name = "script"

    async def think(
        self,
        lines: Sequence[Line],
        tools: Sequence[ToolSpec],  # noqa: ARG002  # the port's signature
        *,
        on_text: Callable[[str], None] | None = None,  # noqa: ARG002  # the port's signature
    ) -> Said:
        args = {"order_id": order_of(lines[-1].text), "amount": 120, "reason": "it arrived broken"}
        call = WantedCall(id="call_1", tool="refund", args=dumps(args).decode())
        return Said(text="I refund the order as asked.", calls=(call,), tokens_in=420, tokens_out=36)


def refund_tool(stamps: Stamps) -> Tool:
    @tool(risk=Risk.IRREVERSIBLE, touches=("money",))
    async def refund(order_id: int, amount: int, reason: str) -> str:
        """Pay money back for an order."""
        stamps.at_tool(order_id)
        return f"Refunded {amount} for order {order_id}: {reason}."

    return refund


class PromptChat:
    """`ports.Chat`: confirms every post at once and keeps nothing; ids are as long as Slack's."""

    platform = PLATFORM

    @asynccontextmanager
    async def serve(self, front: FrontDoor) -> AsyncIterator[None]:  # noqa: ARG002  # the port's signature
        yield

    async def post(self, card: Card, place: Place, *, key: str) -> MessageRef:  # noqa: ARG002  # the port's signature
        return MessageRef(place=place, id=f"1785000000.{zlib.crc32(key.encode()) % 1_000_000:06}")

    async def update(self, ref: MessageRef, card: Card) -> None: ...

    async def whisper(self, text: str, place: Place, to: Account) -> None: ...

    async def direct(self, to: Account) -> Place:
        return Place(platform=PLATFORM, tenant=TENANT, channel=f"D{to.user}", is_direct=True)

    async def presence(self, place: Place, status: RunStatus) -> None: ...

    def live(self, place: Place, reader: PersonId) -> Live:  # noqa: ARG002  # the port's signature
        return nullcontext()


class Bot:
    """One process of the bot, running, and the people around it."""

    def __init__(self, engine: Engine, link: Link, namespace: str, stamps: Stamps) -> None:
        self.engine, self.link, self.stamps = engine, link, stamps
        self.store, self._ring = engine.parts.store, Keyring(namespace, 0)
        self._seal, self._numbers = Seal(KEY), itertools.count(1)

    async def ask(self, orders: Sequence[int], *, at_once: int = 100) -> None:
        """Ana gives one task per order, *at_once* at a time."""
        left = iter(orders)

        async def give() -> None:
            for order in left:
                await self._give(order)

        await asyncio.gather(*(give() for _ in range(at_once)))

    async def _give(self, order: int) -> None:
        number = f"1785{order:06}.{next(self._numbers):06}"
        place = Place(platform=PLATFORM, tenant=TENANT, channel="C0123ABCDEF", thread=number)
        text = f"@countersign refund 120 for order {order}, it arrived broken"
        ref = MessageRef(place=place, id=number)
        delivery = f"Ev{uuid.uuid4().hex[:12]}"
        await self.engine.desk.message(
            Message(delivery=delivery, by=account("ana"), place=place, text=text, ref=ref, is_mention=True)
        )

    async def quiet(self, *, pending: int, most_hosts: int | None = None) -> None:
        """Until *pending* requests are open, every card is shown, and at most *most_hosts* runs are in memory."""
        while True:
            totals = await self.store.totals(0)
            is_small = most_hosts is None or len(self.engine.runner.hosts) <= most_hosts
            if totals.pending == pending and totals.outbox == 0 and is_small:
                return
            await asyncio.sleep(0.01)

    async def pending(self) -> int:
        return (await self.store.totals(0)).pending

    async def open_request(self, index: int) -> RequestId:
        found: list[bytes] = await self.link.ask(self.link.client.zrange(self._ring("open"), index, index))
        return RequestId(found[0].decode())

    async def open_requests(self) -> list[RequestId]:
        """Every open request of the one shard, oldest first."""
        found: list[bytes] = await self.link.ask(self.link.client.zrange(self._ring("open"), 0, -1))
        return [RequestId(name.decode()) for name in found]

    async def click(self, request: RequestId) -> tuple[int, Click]:
        """The order behind *request*, and Bo's click on Approve as a platform would hand it in."""
        held = await self.store.held(request)
        ref = held.copies[0].ref
        assert ref is not None, "its card is shown"
        token = self._seal.request(held.request, "approve")
        delivery = f"Ev{uuid.uuid4().hex[:12]}"
        click = Click(delivery=delivery, by=account("bo"), ref=ref, subject=request, move="approve", token=token)
        return int(held.request.call.values["order_id"]), click


@asynccontextmanager
async def running(url: str, namespace: str, pace: Pace = STEADY, agent: str = "clerk") -> AsyncIterator[Bot]:
    """A whole engine on the server at *url*, whose tasks go to *agent*."""
    stamps = Stamps()
    link = Link(url)
    try:
        store = RedisStore(link, namespace=namespace, shards=1, key=KEY)
        await store.prepare()
        engine = Engine(parts(store, stamps, pace, agent))
        with patch.object(Host, "decision", _watched(Host.decision, stamps)):
            async with engine.running():
                settle()
                yield Bot(engine, link, namespace, stamps)
    finally:
        await link.close()


def _watched(decision: Sleep, stamps: Stamps) -> Sleep:
    """Where a branch lies down for people, with a stamp for the moment it goes on."""

    async def watched(host: Host, request: RequestId) -> Decided:
        decided = await decision(host, request)
        stamps.at_wake(order_of(host.run.task.text))
        return decided

    return watched


def parts(store: RedisStore, stamps: Stamps, pace: Pace, agent: str) -> Parts:
    chat = PromptChat()
    return Parts(
        store=store,
        chats={chat.platform: chat},
        policy=patient_policy(),
        toolbox=Toolbox((refund_tool(stamps),)),
        model=Script(),
        roster=Roster((Clerk(stamps), Stepper(stamps)), default=agent),
        directory=read_people(ROOT / "people.yml"),
        meter=Metrics(),
        key=KEY,
        owner=f"bench:{os.getpid()}:{uuid.uuid4().hex[:6]}",
        pace=pace,
        open_most=None,  # Ana asks for all of them
        place_most=None,
        may_repeat=True,
    )


def patient_policy() -> Policy:
    """The shipped rules, whose reminders come hours later: 100,000 runs take minutes to make, and none is reminded."""
    text = (ROOT / "policy.yml").read_text()
    return parse_policy(
        re.sub(r"after: (\d+)m", r"after: \1h", text).replace("after: 4h, expire", "after: 40h, expire").encode()
    )


@contextmanager
def logging_as_shipped() -> Iterator[None]:
    """Log what the product logs, rendered and written: its cost belongs to the measurement, its text to nobody."""
    with open(os.devnull, "w") as nowhere:
        configure_logging("INFO", nowhere)
        yield


def account(user: str) -> Account:
    return Account(platform=PLATFORM, tenant=TENANT, user=user)


def order_of(text: str) -> int:
    return int(text.partition("order ")[2].partition(",")[0])
