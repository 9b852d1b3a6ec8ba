"""What the flow tests play with: a scripted model, tools that count, people who leave, and a way to wait for the end.

Not the house itself (tests/house.py). Nothing here sleeps: every wait is for a condition.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Protocol

from agents.toolbox import tool
from bot.domain.calls import Risk, ToolSpec
from bot.domain.chat import Account, Answer, Person, PersonId
from bot.domain.errors import ChatUnavailable, Unsatisfiable
from bot.domain.people import may_answer
from bot.domain.ports import Directory, Leave, Line, Said, Tool, WantedCall
from bot.domain.request import Request, RequestId, RunId
from bot.domain.run import RunStatus
from bot.domain.wire import Json, replace
from bot.peoplefile import PeopleDirectory, read_people
from tests.fakes.chat import Posted
from tests.house import QUICK, ROOT, House

HASTY = dataclasses.replace(QUICK, evict_after=timedelta(0), shutdown_grace=timedelta(0))  # memory given back at once
STEADY = dataclasses.replace(QUICK, lease=timedelta(hours=9))  # a lease that is given up stays free
DONE, STOPPED, FAILED = RunStatus.DONE, RunStatus.STOPPED, RunStatus.FAILED
FREE = "rules: [{id: all, allow: true}]"
EXPLAINED = "Because the customer waits."
Turn = Said | Callable[[Sequence[Line]], Said]


class Build(Protocol):
    """Makes a house of this test's own store and folder."""

    def __call__(self, **parts: object) -> House: ...


class Played:
    """A model that plays its turns, one for each answer it already gave, and then reports what came of the calls.

    The turn depends on the conversation alone: a restarted process plays on where the other one stopped.
    """

    name = "played"

    def __init__(self, *turns: Turn) -> None:
        self.turns = turns
        self.asked: list[tuple[Line, ...]] = []
        self._changed = asyncio.Event()

    async def think(
        self,
        lines: Sequence[Line],
        tools: Sequence[ToolSpec],  # noqa: ARG002  # the port's signature
        *,
        on_text: Callable[[str], None] | None = None,  # noqa: ARG002
    ) -> Said:
        self.asked.append(tuple(lines))
        self._changed.set()
        if "Explain:" in lines[-1].text:
            return Said(text=EXPLAINED)
        given = sum(line.role == "assistant" for line in lines)
        if given >= len(self.turns):
            return Said(text=f"Results: {' / '.join(results(lines))}")
        turn = self.turns[given]
        return turn if isinstance(turn, Said) else turn(lines)

    @property
    def read(self) -> str:
        """Everything the model was told in its last conversation."""
        return "\n".join(line.text for line in self.asked[-1])

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                self._changed.clear()
                await self._changed.wait()


class Dear(Played):
    """Each answer takes 400 tokens in and 100 out."""

    async def think(
        self, lines: Sequence[Line], tools: Sequence[ToolSpec], *, on_text: Callable[[str], None] | None = None
    ) -> Said:
        said = await super().think(lines, tools, on_text=on_text)
        return Said(text=said.text, calls=said.calls, tokens_in=400, tokens_out=100)


def results(lines: Sequence[Line]) -> list[str]:
    return [line.text for line in lines if line.role == "tool"]


def call(tool_name: str, **args: Json) -> WantedCall:
    text = json.dumps(args)
    return WantedCall(id=f"{tool_name}:{text}"[:60], tool=tool_name, args=text)


def calls(*wanted: WantedCall, text: str = "") -> Said:
    return Said(text=text, calls=wanted)


def peeks(count: int) -> tuple[Said, ...]:
    return tuple(calls(call("peek", what=f"drawer {number}")) for number in range(count))


class Hands:
    """Tools that write down each start. `wire` cannot be undone, `tidy` may be repeated, `peek` only looks."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.keys: list[str] = []
        self.began, self.may_end = asyncio.Event(), asyncio.Event()
        self.may_end.set()
        self.house: House  # the one that was interrupted

    @property
    def tools(self) -> tuple[Tool, ...]:
        @tool(risk=Risk.IRREVERSIBLE, touches=("money",))
        async def wire(amount: int, leave: Leave, to: str = "bank") -> str:
            """Send money."""
            return await self.do(f"wire {amount} {to}", leave)

        @tool(risk=Risk.WRITE, idempotent=True)
        async def tidy(what: str, leave: Leave) -> str:
            """Put something in order."""
            return await self.do(f"tidy {what}", leave)

        @tool(risk=Risk.READ)
        async def peek(what: str, leave: Leave) -> str:
            """Look at something."""
            return await self.do(f"peek {what}", leave)

        return wire, tidy, peek

    async def do(self, what: str, leave: Leave) -> str:
        self.did.append(what)
        self.keys.append(leave.key)
        self.began.set()
        await self.may_end.wait()
        return f"ok {what}"


class Staff:
    """A directory whose people may change, or fail to be found, while requests wait."""

    def __init__(self) -> None:
        self._now = read_people(ROOT / "people.yml")
        self.is_away = False  # nobody can say who is who, but for whoever gives a task
        self.turned_away = asyncio.Event()
        self.lost = ""  # a group that cannot be read any more

    def change(self, who: str, **facts: object) -> None:
        """Give *who* other facts: `is_active=False`, `groups=frozenset()` …"""
        people = tuple(replace(p, **facts) if p.id == who else p for p in self._now.people)
        self._now = PeopleDirectory(people)

    def fresh(self) -> Directory:
        return self

    async def who(self, account: Account) -> Person | None:
        return await self._now.who(account)

    async def person(self, id: PersonId) -> Person | None:
        if self.is_away:
            self.turned_away.set()
            raise ChatUnavailable("slack", "it does not answer")
        return await self._now.person(id)

    async def members(self, group: str) -> frozenset[PersonId]:
        if group == self.lost:
            raise Unsatisfiable(f"group {group} is gone")
        return await self._now.members(group)

    async def active(self, ids: frozenset[PersonId]) -> frozenset[PersonId]:
        found = [await self.person(who) for who in sorted(ids)]
        return frozenset(person.id for person in found if person is not None and may_answer(person))

    async def groups(self) -> frozenset[str]:
        return await self._now.groups()

    async def on_call(self, rotation: str) -> frozenset[PersonId]:
        return await self._now.on_call(rotation)


def policy(ask: str = "groups: [approvers]", ladder: str = "{after: 4h, expire: true}", more: str = "") -> str:
    """A policy that lets reading through and asks for everything else as *ask* says; *more* are keys of that rule."""
    return f"""
rules:
  - id: reading
    when: tool.risk == "read"
    allow: true
  - id: sign
    ask: {{{ask}}}
    ladder: [{ladder}]
{more}
"""


# ------------------------------------------------------------------- looks


def thread_on(house: House, shard: int) -> str:
    """A thread whose runs live on *shard*."""
    return next(
        thread
        for number in itertools.count()
        if house.store.shard_of(f"playground/local/general/{(thread := f't{number}')}") == shard
    )


async def request_of(house: House, post: Posted) -> Request:
    return (await house.store.held(RequestId(subject_of(post)))).request


def subject_of(post: Posted) -> str:
    """The request a card is, or was, about."""
    return next(button.subject for card in post.cards for button in card.buttons if button.subject.startswith("q-"))


def moves(post: Posted) -> list[str]:
    return [button.move for button in post.card.buttons]


async def run_of(house: House, thread: str) -> RunId:
    found = await house.store.live_run(f"playground/local/general/{thread}")
    assert found is not None, f"no run lives in {thread}"
    return found


def status(house: House) -> Posted:
    """The living status message of the newest run; LookupError while none is posted."""
    return [post for post in house.chat.posts if post.key.endswith("/status")][-1]


async def events(house: House, name: str) -> list[dict[str, object]]:
    """The bodies of every audit record of this event."""
    return [entry.fields for entry in await house.audit() if entry.event == name]


@asynccontextmanager
async def ownerless(house: House) -> AsyncIterator[None]:
    """For a while no process owns the shard: clicks are counted, and nothing can start. Needs the pace `STEADY`."""
    await house.engine.shards.close()
    yield
    await house.engine.shards.look(house.engine.runner.drop)
    for run in (*await house.store.executing(0), *await house.store.mailbox(0)):
        house.engine.runner.rouse_soon(run)


async def asked(house: House) -> None:
    """Wait until a request is open, whether or not its card could be posted."""
    async with asyncio.timeout(10):
        while not (await house.store.totals(0)).pending:
            pass


async def reached(house: House) -> None:
    """Wait until a reply has reached the one run in memory, whose agent has not read it yet."""
    async with asyncio.timeout(10):
        while not any(host.unheard() for host in house.engine.runner.hosts.values()):
            await house.store.totals(0)


async def settled(house: House) -> bool:
    """Wait until nothing is at work, waits for people or waits to be shown; then every promise must hold."""
    await quiet(house)
    return await house.is_sound(is_quiet=True)


async def quiet(house: House) -> None:
    """Wait until every run has ended and every card shows it."""
    async with asyncio.timeout(10):
        while not await _is_quiet(house):
            pass


async def _is_quiet(house: House) -> bool:
    loaded = [await house.store.load(run) for run in await house.store.recent_runs(0, 50)]
    has_ended = all(one is not None and one.status in (DONE, STOPPED, FAILED) for one in loaded)
    return has_ended and (await house.store.totals(0)).outbox == 0


async def shown(house: House) -> None:
    """Wait until every card and note is posted, whatever may still wait for people."""
    async with asyncio.timeout(10):
        while (await house.store.totals(0)).outbox:
            pass


async def gone(house: House) -> None:
    """Wait until no run is in this process's memory."""
    async with asyncio.timeout(10):
        while house.engine.runner.hosts:
            await house.store.totals(0)


async def taken_over(house: House, *, by: str) -> None:
    """Somebody has the run, and what was asked before is closed."""
    answer = await house.press("take_run", by=by)
    assert answer.is_taken
    await house.chat.until(lambda: moves(status(house)) == ["hand_back", "stop", "steps"], "it can be handed back")


async def handed_back(house: House, *, by: str, text: str = "", delivery: str = "") -> Answer:
    await house.card("hand_back")
    return await house.press("hand_back", by=by, card=status(house), fields={"text": text}, delivery=delivery)
