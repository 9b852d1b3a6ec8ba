"""One bot process for the crash tests: the real engine on a real server; chat, tool and model are the test's.

    python -m tests.crash.worker <plan as JSON>

Takes people's events from the platform's socket until SIGTERM; dies at `plan.moment` if it has one.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

import msgspec

from agents.react import ReAct
from agents.roster import Roster
from agents.tools.people import people_tools
from bot.domain.budget import Budgets, Limit
from bot.domain.calls import ToolSpec
from bot.domain.chat import Account, Answer, Card, MessageRef, PersonId, Place
from bot.domain.errors import Unavailable, UnknownTool
from bot.domain.ports import Agent, FrontDoor, Line, Live, RunContext, Said, Tool, WantedCall
from bot.domain.run import RunStatus, Task
from bot.domain.wire import Json, Record, dumps
from bot.peoplefile import read_people
from bot.policyfile import parse_policy
from bot.runtime.engine import Engine
from bot.runtime.parts import Pace, Parts
from bot.store.link import Link
from tests.crash.doom import Doom, DoomedStore
from tests.crash.ledger import Ledger, LedgerTool
from tests.crash.lines import LONGEST, Ahead, Done, Give, Heard, Hello, Post, Update, hear, say
from tests.crash.lines import Line as Spoken

ROOT = Path(__file__).resolve().parents[2]
KEY = b"k" * 32
COMMAND = re.compile(
    r"\b(charge|top_up|nudge|tidy|fix|flaky|blast|settle|keep|ask|escalate|fill|draft|plan|hand) (\d+)(?: x(\d+))?"
)
MORE = re.compile(r" then (\d+)")  # so many more turns of one call each
TOOLS = ("charge", "top_up", "nudge", "tidy", "fix", "flaky", "blast", "settle", "keep")
FORM: Json = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "integer"}}}
ASKED: Mapping[str, tuple[str, Callable[[int], Json]]] = {  # what is asked of people, and by which tool
    "ask": ("ask_people", lambda amount: {"question": f"Which {amount}?", "options": ["red", "blue"]}),
    "escalate": ("escalate", lambda amount: {"reason": f"{amount}", "context": "it is stuck", "suggestion": "wait"}),
    "fill": ("fill_form", lambda amount: {"question": f"How much after {amount}?", "schema": FORM}),
    "draft": ("review_draft", lambda amount: {"draft": f"Dear all, it is {amount}."}),
    "plan": ("propose_plan", lambda amount: {"goal": "pay", "steps": [f"charge {amount}", f"charge {amount + 1}"]}),
    "hand": ("handoff_to_user", lambda amount: {"message": f"Shall it be {amount}?"}),
}
BEGINS = "these steps instead and no others: "  # what an agent reads before the steps that people left of its plan
POLICY = """
defaults:
  ask: {groups: [approvers], separate_duties: true, reason: never}
  ladder: [{after: 5m, remind: here}, {after: 4h, expire: true}]
  exec_window: 15m
rules:
  - id: two-signatures
    when: tool.name == "charge" && args.amount >= 100
    ask: {groups: [{of: approvers, need: 2}], separate_duties: true, reason: never}
    because: high_stakes
  - id: together
    when: tool.name == "tidy"
    ask: {groups: [approvers], separate_duties: true, reason: never, batch: true}
  - id: free
    when: tool.name == "nudge" || tool.name == "flaky"
    allow: true
    because: read_only
  - id: allowed-ahead
    when: tool.name == "fix"
    ask: {groups: [approvers], separate_duties: true, reason: never, grant: {most: 2, within: 8h}}
  - id: in-an-emergency
    when: tool.name == "blast"
    ask:
      groups: [{of: approvers, need: 2}]
      separate_duties: true
      reason: never
      break_glass: {of: approvers, review: managers, within: 24h}
  - id: one-person
    when: tool.name == "settle"
    ask: {groups: [finance], separate_duties: true, reason: never}
  - id: no-deadline
    when: tool.name == "keep"
    ask: {groups: [approvers], separate_duties: true, reason: never}
    ladder: [{after: 1h, remind: here}, {after: 7d, review: here}]
"""


class Plan(Record):
    """What one process is told at its start."""

    redis: str
    namespace: str
    socket: str
    ledger: str
    owner: str
    moment: str = ""  # where it dies
    ahead: float = 0.0  # seconds the store's clock runs ahead
    shards: int = 1
    lease: float = 30.0  # seconds
    cards: int = sys.maxsize  # every call is pressed on a card of its own
    steps: int = 0  # that a run may take before people are asked for more; 0: as many as it likes
    is_changed: bool = False  # is the agent's program another one than that of the first process?
    seen: str = ""  # where the moments are written down that it has passed, when it ends in peace


async def work(plan: Plan) -> None:
    stopped, ahead = asyncio.Event(), [plan.ahead]
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    link = Link(plan.redis, shift=lambda: timedelta(seconds=ahead[0]))
    doom = Doom(plan.moment)
    store = DoomedStore(link, namespace=plan.namespace, shards=plan.shards, key=KEY)
    store.doom = doom
    await store.prepare()
    async with _connected(plan, doom) as chat, asyncio.TaskGroup() as tasks:
        engine = Engine(_parts(plan, store, chat, doom))
        listening = tasks.create_task(chat.listen(tasks, ahead, stopped.set), name="platform")
        async with engine.running() as desk:
            chat.open(desk, plan.owner)
            await stopped.wait()
            chat.front = None
        listening.cancel()
    await link.close()
    _tell(plan, doom)


def _tell(plan: Plan, doom: Doom) -> None:
    """What it passed, for whoever asks whether the matrix kills everywhere."""
    if plan.seen:
        Path(plan.seen).write_text("\n".join(doom.seen))


def _parts(plan: Plan, store: DoomedStore, chat: WireChat, doom: Doom) -> Parts:
    ledger = Ledger(Path(plan.ledger))
    working = [LedgerTool(name, ledger, doom.reach, is_idempotent=name == "top_up") for name in TOOLS]
    tools: tuple[Tool, ...] = (*working, *people_tools())
    agent: Agent = ReAct(name="assistant", prompt="Do it.", tools=tuple(tool.spec.name for tool in tools))
    return Parts(
        store=store,
        chats={chat.platform: chat},
        policy=parse_policy(POLICY.encode()),
        toolbox=Box(tools),
        model=Echo(doom),
        roster=Roster((Changed(agent) if plan.is_changed else agent,), default=agent.name),
        directory=read_people(ROOT / "people.yml"),
        meter=Silence(),
        key=KEY,
        owner=plan.owner,
        pace=Pace(
            lease=timedelta(seconds=plan.lease),
            sweep_every=timedelta(milliseconds=100),
            timers_every=timedelta(milliseconds=20),
        ),
        open_most=None,
        place_most=None,
        cards_most=plan.cards,
        budgets=Budgets(run=Limit(steps=plan.steps)),
        may_repeat=True,  # many threads ask for the same
    )


class Changed:
    """The agent's next version: it takes a step before all others, so no journal of the old one fits it."""

    def __init__(self, agent: Agent) -> None:
        self._agent, self.name, self.tools = agent, agent.name, agent.tools

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        await ctx.now()
        return await self._agent(task, ctx)


class Echo:
    """A model that does what it reads: "charge 7" is one call, "charge 7 x3" three calls of one turn, and
    "charge 7 then 2" three turns of one call each. Of a plan it does what people left of it, and nothing else.
    """

    name = "echo"

    def __init__(self, doom: Doom) -> None:
        self._doom = doom

    async def think(
        self,
        lines: Sequence[Line],
        tools: Sequence[ToolSpec],  # noqa: ARG002  # the port's signature
        *,
        on_text: Callable[[str], None] | None = None,  # noqa: ARG002  # the port's signature
    ) -> Said:
        self._doom.reach("before model")
        said = _answer(lines)
        self._doom.reach("after model")
        return said


def _answer(lines: Sequence[Line]) -> Said:
    asked = max(i for i, line in enumerate(lines) if line.role == "user" and COMMAND.search(line.text))
    results = [line.text for line in lines[asked:] if line.role == "tool"]
    found, more = COMMAND.search(lines[asked].text), MORE.search(lines[asked].text)
    assert found is not None, "the line was chosen because it holds a command"
    turn, turns = sum(line.role == "assistant" for line in lines[asked:]), 1 + int(more[1] if more else 0)
    if turn == 1 and results[-1].partition(BEGINS)[1]:
        left = COMMAND.findall(results[-1].partition(BEGINS)[2])
        return Said(calls=tuple(_call(f"p{asked}.{i}", word, int(amount)) for i, (word, amount, _) in enumerate(left)))
    if turn >= turns:
        return Said(text=f"{len(results)} results, the last: {results[-1]}")
    first, count = int(found[2]) + turn, int(found[3] or 1)
    return Said(calls=tuple(_call(f"c{asked}.{turn}.{i}", found[1], first + i) for i in range(count)))


def _call(id: str, word: str, amount: int) -> WantedCall:
    name, args = ASKED.get(word, (word, lambda amount: {"amount": amount}))
    return WantedCall(id=id, tool=name, args=dumps(args(amount)).decode())


class Box:
    """`ports.Toolbox`."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = {tool.spec.name: tool for tool in tools}

    def get(self, name: str) -> Tool:
        if name not in self._tools:
            raise UnknownTool(name)
        return self._tools[name]

    def specs(self) -> tuple[ToolSpec, ...]:
        return tuple(tool.spec for tool in self._tools.values())


class Silence:
    """`ports.Meter`."""

    def count(self, name: str, **labels: str) -> None: ...
    def observe(self, name: str, value: float, **labels: str) -> None: ...
    def gauge(self, name: str, value: float, **labels: str) -> None: ...


# ------------------------------------------------------------------- chat


def _user(give: Give) -> str:
    press = give.click or give.form
    return press.by.user if press else ""


@asynccontextmanager
async def _connected(plan: Plan, doom: Doom) -> AsyncIterator[WireChat]:
    reader, writer = await asyncio.open_unix_connection(plan.socket, limit=LONGEST)
    try:
        yield WireChat(reader, writer, doom)
    finally:
        writer.close()


class WireChat:
    """`ports.Chat` at the end of a socket."""

    platform = "playground"

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doom: Doom) -> None:
        self._reader, self._writer, self._doom = reader, writer, doom
        self._waiting: dict[int, asyncio.Future[MessageRef]] = {}
        self._count = 0
        self.front: FrontDoor | None = None

    def open(self, front: FrontDoor, owner: str) -> None:
        self.front = front
        say(self._writer, Hello(owner=owner))

    async def listen(self, tasks: asyncio.TaskGroup, ahead: list[float], lost: Callable[[], None]) -> None:
        while (line := await hear(self._reader)) is not None:
            match line:
                case Done(n=n, ref=ref):
                    self._waiting.pop(n).set_result(ref)
                case Give():
                    tasks.create_task(self._take(line), name=f"event {line.n}")
                case Ahead(seconds=seconds):
                    ahead[0] = seconds
                case _:
                    raise AssertionError(f"not for a bot: {line}")
        lost()

    async def _take(self, give: Give) -> None:
        """An event: in at the front door, and its answer back; only then does the platform stop delivering it."""
        what = "message" if give.message else f"press by {_user(give)}"
        self._doom.reach(f"before {what}")
        try:
            answer = await self._through(give)
        except Unavailable as error:
            say(self._writer, Heard(n=give.n, unavailable=error.people_read))
            return
        self._doom.reach(f"after {what}")
        say(self._writer, Heard(n=give.n, answer=answer))

    async def _through(self, give: Give) -> Answer | None:
        if self.front is None:
            raise Unavailable("closing")
        if give.message:
            return await self.front.message(give.message)
        if give.form:
            return await self.front.form(give.form)
        assert give.click is not None, "a Give holds one event"
        return await self.front.click(give.click)

    async def post(self, card: Card, place: Place, *, key: str) -> MessageRef:
        kind = "answer" if key.endswith("/end") else "status" if key.endswith("/status") else "card"
        kind = "reminder" if "/rung" in key else kind
        return await self._doom.around(f"post {kind}", self._ask(Post(n=self._next(), key=key, place=place, card=card)))

    async def update(self, ref: MessageRef, card: Card) -> None:
        kind = "card" if card.footer.startswith("q-") else "status"
        await self._doom.around(f"update {kind}", self._ask(Update(n=self._next(), ref=ref, card=card)))

    async def whisper(self, text: str, place: Place, to: Account) -> None: ...

    async def direct(self, to: Account) -> Place:
        return Place(platform=self.platform, tenant="local", channel=f"dm-{to.user}", is_direct=True)

    async def presence(self, place: Place, status: RunStatus) -> None: ...

    def live(self, place: Place, reader: PersonId) -> Live:  # noqa: ARG002  # the port's signature
        return nullcontext()

    @asynccontextmanager
    async def serve(self, front: FrontDoor) -> AsyncIterator[None]:
        self.front = front
        yield

    def _next(self) -> int:
        self._count += 1
        return self._count

    async def _ask(self, line: Post | Update) -> MessageRef:
        done: asyncio.Future[MessageRef] = asyncio.get_running_loop().create_future()
        self._waiting[line.n] = done
        spoken: Spoken = line
        say(self._writer, spoken)
        return await done


if __name__ == "__main__":
    asyncio.run(work(msgspec.json.decode(sys.argv[1], type=Plan)))
