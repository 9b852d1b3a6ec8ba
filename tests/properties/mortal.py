"""A whole bot whose process dies after any write, and people who act only when everything rests.

    rest -> people do one thing -> rest -> … -> the run has ended
      ^ the process dies at a write: every later write of it is refused, it is left, and another one adopts the run

Engine, desk, store, journal and gate are the real ones, the server too; time stands still. Not which pattern runs nor
what its model says (patterns).
"""

from __future__ import annotations

import asyncio
import random
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from bot.domain.chat import Button, Field, FieldKind
from bot.domain.errors import LeaseLost, NoSuchRequest
from bot.domain.ports import Agent
from bot.domain.request import RequestId, RunId
from bot.domain.run import Opened, RunStatus
from bot.domain.store import Batch, Fence, Loaded, Turn, Turned
from bot.domain.wire import dumps
from bot.runtime.engine import Engine
from bot.runtime.host import in_order
from bot.store.link import Link
from tests.contracts.given import Clock
from tests.contracts.on_redis import KEY, frozen
from tests.fakes.chat import Posted
from tests.flows.stage import policy
from tests.house import House
from tests.properties.fragile import Fragile
from tests.properties.patterns import Cast, Drawn, Mind, World

T = TypeVar("T")
THREAD = "t1"
WHOLE_EVERY = 5  # deaths of which one is that of a whole engine; the others lose their shard, which is quicker
ACTS_MOST = 60  # what people do in one run; more is a run that never ends
TIRED = 6  # acts after which people only bring it to an end
GIVING_UP = frozenset({"end", "leave", "reject"})  # people do so now and then; else there would be little to see
ENDING = ("hand_back", "approve", "accept", "proceed", "end", "leave", "pick_a")
NOT_ANSWERS = frozenset({"stop", "steps", "details", "explain", "hand_to", "edit", "take_run", "hand_back", "reroute"})
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z")  # of a decision: the clock's own, not the run's
ENDED = (RunStatus.DONE, RunStatus.STOPPED, RunStatus.FAILED)


@dataclass
class Doom:
    """Each step kills one process: the one that writes it first. *lands*: whether such a last write still arrives."""

    lands: Callable[[], bool] = lambda: True
    is_on: bool = False
    died_at: set[str] = field(default_factory=set)

    def strikes(self, what: object) -> bool | None:
        """None: this write goes well. Else the process dies; True if the write arrives first."""
        step = str(what)
        if not self.is_on or step in self.died_at:
            return None
        self.died_at.add(step)
        return self.lands()


class Dying(Fragile):
    """Dead once and for all: whatever the process still writes is refused."""

    doom = Doom()
    is_dead = False

    def strikes(self, about: object) -> bool | None:
        lands = self.doom.strikes(_step(about) if isinstance(about, Batch) else about)
        self.is_dead = lands is not None
        return lands

    async def turn(self, turn: Turn) -> Turned:
        """People's votes show no fence, and come from any process."""
        if turn.fence is None:
            return await super().turn(turn)
        return await self.risk(turn.fence, ("closes", turn.after.path), partial(super().turn, turn))

    async def risk(self, fence: Fence, about: object, write: Callable[[], Awaitable[T]]) -> T:
        if self.is_dead:
            raise LeaseLost(fence.shard)
        return await super().risk(fence, about, write)


def _step(batch: Batch) -> object:
    """What *batch* is about, the same in every process."""
    entries = [(type(one).__name__, getattr(one, "path", "")) for one in batch.entries]
    return entries, batch.status, batch.line, batch.run.takes if batch.run else 0


class Mortal(House):
    """A house of one run, whose process may be followed by another one at any time."""

    store: Dying

    def __init__(self, url: str, folder: Path, drawn: Drawn, doom: Doom, agent: Agent | None = None) -> None:
        self._doom, namespace = doom, f"p{uuid.uuid4().hex[:12]}"
        self.world, self._frozen = World(drawn), Clock()
        self.agent = agent or Cast(drawn).agent
        super().__init__(url, namespace, folder, policy=policy(), model=Mind(self.world), agents=[self.agent])
        self._tools = self.world.tools(self.agent)
        self._life = AsyncExitStack()
        self.lives = 0

    async def __aenter__(self) -> Mortal:
        link = frozen(Link(self._url, shift=self._frozen))
        self._stack.push_async_callback(link.close)
        self.store = Dying(link, namespace=self._namespace, shards=1, key=KEY)
        self.store.doom = self._doom
        await self.store.prepare()
        self._stack.push_async_callback(self._leave)
        await self.live()
        return self

    async def live(self) -> None:
        """Another process: it adopts whatever there is."""
        self.lives += 1
        self.store.is_dead = False
        self.engine = Engine(await self._parts())
        self.desk = await self._life.enter_async_context(self.engine.running())

    async def _followed(self) -> None:
        """What the dead process had is adopted: by a new engine, or by whoever has the shard next."""
        if self.lives % WHOLE_EVERY == 0:
            await self._leave()
            await self.live()
            return
        await self.engine.shards.close()
        await self.engine.runner.drop(0)
        await self.engine.shards.look(self.engine.runner.drop)
        self.lives += 1
        self.store.is_dead = False
        for run in (*await self.store.executing(0), *await self.store.mailbox(0)):
            self.engine.runner.rouse_soon(run)

    async def _leave(self) -> None:
        await self._life.aclose()

    # ------------------------------------------------------------------ a run

    async def lived(self) -> Loaded:
        """The run from its task to its end, with all that people do meanwhile."""
        self.world.is_dead = lambda: self.store.is_dead
        self.world.say = lambda text: self.say("ana", text, thread=THREAD)
        await self.mention("ana", "pay what is owed", thread=THREAD)
        self.run = await self._begun()
        for moment in range(ACTS_MOST):
            loaded = await self.rest()
            if loaded.status in ENDED:
                return loaded
            await People(self, loaded, moment).act()
        raise AssertionError(f"people did {ACTS_MOST} things, and the run goes on")

    async def _begun(self) -> RunId:
        (run,) = await self.store.recent_runs(0, 1)
        return run

    async def rest(self) -> Loaded:
        """Until the run has ended, or nothing happens any more without people. A dead process is replaced."""
        async with asyncio.timeout(20):
            while True:
                if self.store.is_dead:
                    await self._followed()
                loaded = await self.loaded()
                rests = loaded.status in ENDED or (await self._rests(loaded) and await self._rests(await self.loaded()))
                if rests and not self.store.is_dead:
                    return await self.loaded()
                await asyncio.sleep(0)

    async def told(self) -> None:
        """Until all that was said is in the thread."""
        async with asyncio.timeout(10):
            while not all(row.name.startswith("run|") for row in await self.store.rows(0)):  # those keep a slow pace
                self.engine.outbox.nudge()

    async def loaded(self) -> Loaded:
        loaded = await self.store.load(self.run)
        assert loaded is not None
        return loaded

    async def _rests(self, loaded: Loaded) -> bool:
        runner = self.engine.runner
        is_at_work = runner._lock(self.run).locked() or any(
            not task.get_name().startswith("run ") for task in runner._spawned if not task.done()
        )
        host = runner.hosts.get(self.run)
        if is_at_work or self.store.is_dead:
            return False
        if host is None:
            return loaded.status is RunStatus.WAITING and self.run not in await self.store.mailbox(0)
        return host.is_asleep and host.mail == loaded.mail and len(host.letters) == len(loaded.letters)


class People:
    """What somebody does at one moment of a run that rests. It follows from the moment and what is asked, no more."""

    def __init__(self, house: Mortal, loaded: Loaded, moment: int) -> None:
        self._house, self._loaded, self._moment = house, loaded, moment
        self._chance = random.Random(f"{house.world.drawn.seed} {moment}")

    async def act(self) -> None:
        if self._loaded.run.taken_by is not None:
            await self._house.press("hand_back", by="bo", fields={"text": self._words()})
            return
        asked = await self._asked()
        assert asked, f"everybody sleeps, and nobody was asked: {self._loaded.line}"
        cards = [await self._card(one) for one in asked]
        chance = self._chance.random()
        if self._moment < TIRED and chance < 0.2:
            await self._house.say("ana", f"{self._words()} They may sue.", thread=THREAD)
        elif self._moment < TIRED and chance < 0.27:
            await self._house.press("take_run", by="bo")
        elif self._moment < TIRED and chance < 0.4 and self._loaded.run.routes:
            await self._reroute()
        else:
            await self._answer(*self._chance.choice(list(zip(asked, cards, strict=True))))

    async def _asked(self) -> list[RequestId]:
        """The open requests, in the order of the steps that asked."""
        opened = [entry for entry in self._loaded.entries if isinstance(entry, Opened)]
        found: list[RequestId] = []
        for path in in_order({entry.path for entry in opened}):
            found += [entry.request for entry in opened if entry.path == path and await self._is_open(entry.request)]
        return found

    async def _is_open(self, id: RequestId) -> bool:
        try:
            return (await self._house.store.held(id)).request.is_open
        except NoSuchRequest:
            return False

    async def _reroute(self) -> None:
        route = self._loaded.run.routes[-1]
        to = self._chance.choice([name for name in route.members if name != route.at] or [route.at])
        await self._house.press("reroute", by="ana", fields={"to": to, "text": self._words()})

    async def _answer(self, id: RequestId, post: Posted) -> None:
        button = self._chosen(post, id)
        values = {one.name: self._value(one) for one in button.fields}
        for who in ("bo", "ana", "dana", "chris"):
            answer = await self._house.press(button.move, by=who, fields=values or None, card=post)
            if answer.is_taken:
                return
        raise AssertionError(f"nobody may {button.move}: {answer.text}")

    async def _card(self, id: RequestId) -> Posted:
        def shown() -> list[Posted]:
            return [p for p in self._house.chat.posts if any(b.subject == id for b in p.card.buttons)]

        await self._house.chat.until(shown, f"a card about {id}")
        await self._house._confirmed(id, shown()[0])
        return shown()[0]

    def _chosen(self, post: Posted, id: RequestId) -> Button:
        offered = [one for one in post.card.buttons if one.subject == id and one.move not in NOT_ANSWERS]
        if self._moment >= TIRED and (ends := [one for move in ENDING for one in offered if one.move == move]):
            return ends[0]
        patient = [one for one in offered if one.move not in GIVING_UP]
        return self._chance.choice(patient if patient and self._chance.random() < 0.8 else offered)

    def _value(self, asked: Field) -> object:
        match asked.kind:
            case FieldKind.CHOICE:
                return asked.options[0]
            case FieldKind.TEXT | FieldKind.LONG_TEXT if asked.value.count("\n"):
                return "\n".join(asked.value.splitlines()[:-1])  # steps: without the last one
            case FieldKind.TEXT | FieldKind.LONG_TEXT:
                return asked.value or self._words()
        return asked.value

    def _words(self) -> str:
        return f"Words {self._moment}."


# ------------------------------------------------------------------ what is left


def story(loaded: Loaded) -> Mapping[str, list[str]]:
    """What the journal says of each path, in its order. Ids that chance made are named by where they were asked."""
    names: dict[str, str] = {loaded.run.id: "RUN"}
    for entry in loaded.entries:
        if isinstance(entry, Opened):
            names[entry.request] = f"<{entry.path}#{sum(at.startswith(f'<{entry.path}#') for at in names.values())}>"
    found: dict[str, list[str]] = {}
    pattern = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))
    for entry in loaded.entries:
        text = TIME.sub("TIME", pattern.sub(lambda one: names[one[0]], dumps(entry).decode()))
        where = str(getattr(entry, "path", "")) or names[str(getattr(entry, "request", ""))]
        if text not in found.setdefault(where, []):  # a call that may be repeated begins again in each process
            found[where].append(text)
    return found


@dataclass(frozen=True)
class Left:
    """What a run leaves behind: its journal, what was paid, and what agents said, each as often as it was."""

    status: RunStatus
    told: str
    journal: Mapping[str, list[str]]
    paid: list[int]
    said: list[tuple[str, str]]
    deaths: int = field(compare=False)


async def left_by(url: str, folder: Path, drawn: Drawn, doom: Doom, agent: Agent | None = None) -> Left:
    """One run from its task to its end, through as many processes as *doom* makes of it. The audit holds."""
    async with Mortal(url, folder, drawn, doom, agent) as house:
        loaded = await house.lived()
        await house.told()
        await house.is_sound()
    return Left(
        loaded.status, loaded.run.told, story(loaded), sorted(house.world.paid.values()), said(house), house.lives - 1
    )


def said(house: Mortal) -> list[tuple[str, str]]:
    """What agents said in the thread, by whom: each once."""
    cards = [post.card for post in house.chat.posts]
    return sorted((card.author, card.body) for card in cards if card.body and card.author)
