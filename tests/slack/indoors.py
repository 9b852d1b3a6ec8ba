"""A house whose Home tab, commands and shortcut are the real ones: real ears, api and mouth, a fake Slack around it.

What the runtime would say is said by `Front` and by lists that a test fills. Time moves only when a test moves it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from adapters.asides import Asides
from adapters.flood import Flood
from adapters.server import Address
from adapters.slack.api import Api
from adapters.slack.commands import Commands, CommandsWithin, Giving
from adapters.slack.ears import Ears, Handlers, Within
from adapters.slack.guard import Guard
from adapters.slack.home import Home, HomeWithin
from adapters.slack.http import PATH, serving
from adapters.slack.modals import Modals
from adapters.slack.mouth import Mouth
from adapters.slack.pace import Pace
from adapters.slack.windows import directly
from adapters.slack.workspace import OneWorkspace
from bot.domain.chat import Account, Answer, Block, Card, MessageRef, Person, PersonId, Place
from bot.domain.errors import CountersignError
from bot.domain.offer import Grant
from bot.domain.pages import Awaited, Queued, RunView, Settled, Waiting
from bot.domain.request import RequestId, RunId
from bot.domain.wire import Json
from bot.peoplefile import PeopleDirectory
from bot.runtime import commands as runtime
from bot.runtime.lists import Lists as Rows
from tests.fakes.keep import MemoryKeep
from tests.fakes.slack import FakeSlack, FakeView
from tests.slack.given import People
from tests.slack.listening import APPROVE, REJECT, Front, Looks, Workspaces

CARD = Card(
    title="Approval needed: refund",
    status="Waiting for 1 of finance",
    blocks=(Block(label="refund will run with exactly this", text='{"amount": 40}', is_code=True),),
    buttons=(APPROVE, REJECT),
)


class Stopwatch:
    """A clock that a test moves; whoever sleeps wakes when it has gone far enough."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []
        self.slept = asyncio.Event()
        self._is_over = False

    def utc(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if self._is_over:
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + timedelta(seconds=seconds), woken))
        self.slept.set()
        await woken

    def end(self) -> None:
        """Nobody sleeps any more: the house closes."""
        self._is_over = True
        self.later(3600)

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        for until, woken in self._sleepers:
            if until <= self.now and not woken.done():
                woken.set_result(None)
        self._sleepers = [(until, woken) for until, woken in self._sleepers if not woken.done()]
        self.slept.clear()


class Lists(Looks):
    """Views over the lists a test puts there, by user. `error` is what every look costs."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[str, list[Waiting]] = {}
        self.all_runs: list[RunView] = []
        self.hidden: set[str] = set()  # runs that nobody may see
        self.settled: list[Settled] = []
        self.allowed: tuple[Grant, ...] = ()
        self.looks = 0
        self.looked = asyncio.Event()
        self.away = 0  # so many of the next looks find no store
        self.away_error: CountersignError | None = None
        self.gone: dict[str, str] = {}  # who is away, and what they read about it
        self.teams: dict[str, tuple[Awaited, ...]] = {}  # what waits for those whom somebody manages
        self.reports: dict[str, str] = {}  # who may read how approvals go, and what they read
        self.read = asyncio.Event()  # cleared: whoever looks waits
        self.read.set()

    async def absence(self, viewer: Account) -> str:
        return self.gone.get(viewer.user, "")

    async def queue(self, viewer: Account) -> tuple[Queued, ...]:  # noqa: ARG002  # nobody escalates here
        return ()

    async def team(self, viewer: Account) -> tuple[Awaited, ...]:
        return self.teams.get(viewer.user, ())

    async def waiting_for(self, account: Account) -> tuple[Waiting, ...]:
        self.looks += 1
        self.looked.set()
        found = tuple(self.waiting.get(account.user, ()))
        await self.read.wait()
        if self.away and self.away_error:
            self.away -= 1
            raise self.away_error
        return found

    async def settled_by(self, account: Account, *, most: int = 10) -> tuple[Settled, ...]:  # noqa: ARG002 - everybody's
        return tuple(self.settled[:most])

    async def report(self, viewer: Account, since: timedelta) -> str | None:  # noqa: ARG002 - of any span
        return self.reports.get(viewer.user)

    async def grants(self, viewer: Account) -> tuple[Grant, ...]:  # noqa: ARG002 - everybody's
        return self.allowed

    async def run(self, run: RunId, viewer: Account) -> RunView | None:
        return next((one for one in await self.runs(viewer) if one.run == run), None)

    async def runs(self, viewer: Account, *, most: int = 50) -> tuple[RunView, ...]:  # noqa: ARG002 - everybody's
        return tuple(one for one in self.all_runs if one.run not in self.hidden)[:most]


@dataclass
class Explained:
    """What the policy says. `calls` is what it was asked."""

    calls: list[tuple[str, Json, str]] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    told: str = "refund (amount=40) for ana\n  refunds  HOLDS  args.amount 40 > 30\nASK  refunds\n"
    error: CountersignError | None = None

    async def __call__(self, tool: str, args: Json, person: PersonId, place: Place) -> str:
        self.calls.append((tool, args, person))
        self.places.append(place)
        if self.error is not None:
            raise self.error
        return self.told


class Indoors:
    """Ana and Bo are members, Gus is a guest, Zoe is nobody we know; the bot is in *ops* and not in *secret*."""

    def __init__(self, slack: FakeSlack, flood: Flood | None) -> None:
        self.slack, self.front, self.views, self.watch = slack, Front(), Lists(), Stopwatch()
        self.ana, self.bo, self.gus, self.zoe = (slack.add_user(name) for name in ("ana", "bo", "gus", "zoe"))
        people = [self.ana, self.bo, self.gus, self.zoe]
        self.ops = slack.add_channel("ops", people)
        self.secret = slack.add_channel("secret", people, is_private=True, with_bot=False)
        self.lobby = slack.add_channel("lobby", people, with_bot=False)
        self.people = PeopleDirectory((self._person("ana", "support"), self._person("bo"), self._person("gus")))
        self.explained, self.flood = Explained(), flood or Flood()
        self.stopped: list[tuple[RunId, Account, str]] = []  # runs, by whom, and the delivery
        self.front.commands = runtime.Commands(self.people, Rows(self.views, self.people, self.watch.utc, self._stop))
        self.teams = Workspaces()
        self.teams.known[slack.team] = OneWorkspace(secret=slack.bot_token, team=slack.team, user=slack.bot_user)
        self.keep = MemoryKeep()
        self.within: HomeWithin
        self.home: Home
        self.api: Api

    async def _stop(self, run: RunId, by: Account, delivery: str) -> Answer:
        self.stopped.append((run, by, delivery))
        return self.front.answer or Answer(is_taken=True, text="")

    def process(self) -> Home:
        """Another process of the bot, which no payload reaches."""
        return Home(self.within)

    def account(self, user: str) -> Account:
        return Account(platform="slack", tenant=self.slack.team, user=user)

    def place(self, channel: str, thread: str | None = None) -> Place:
        return Place(platform="slack", tenant=self.slack.team, channel=channel, thread=thread)

    def waits(self, user: str, number: int = 1, *, ref: MessageRef | None = None, card: Card = CARD) -> MessageRef:
        """One more request waits for *user*; its card stands in ops, or where *ref* says."""
        shown = ref or MessageRef(place=self.place(self.ops), id=f"17000000{number:02}.000100")
        self.views.waiting.setdefault(user, []).append(
            Waiting(
                request=RequestId("q-1"),
                run=RunId(f"r-0-{number}"),
                card=card,
                place=shown.place,
                ref=shown,
                opened=self.watch.now - timedelta(minutes=5),
            )
        )
        return shown

    def answered(self, user: str) -> None:
        self.views.waiting[user].clear()

    async def opens(self, user: str) -> FakeView:
        """*user* opens the tab and sees it."""
        before = len(self.slack.calls("views.publish"))
        await self.slack.open_home(user)
        await self.published(before + 1)
        home = self.slack.home_of(user)
        assert home is not None
        return home

    async def published(self, count: int) -> None:
        """So many publications were asked for, and every one is answered."""
        await self.slack.until(lambda: len(self.slack.calls("views.publish")) >= count, f"{count} publications")
        await self.rest()

    async def rest(self, home: Home | None = None) -> None:
        """Nobody tends a Home tab any more, or looks who does, unless it sleeps."""
        ours = home or self.home

        def is_at_work() -> bool:
            return ours._is_reading or any(one.is_tended for one in ours._lookers.values())

        async with asyncio.timeout(5):
            while is_at_work() and not self.watch._sleepers:  # noqa: ASYNC110 - theirs to tell, not ours
                await asyncio.sleep(0)

    async def both(self, one: Coroutine[Any, Any, object], other: Coroutine[Any, Any, object]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(one)
            group.create_task(other)

    async def window(self, user: str, *words: str) -> FakeView:
        """The person's window, once it says all of *words*."""

        def is_there() -> bool:
            shown = self.slack.view_of(user)
            return shown is not None and all(word in self.slack.text_of(shown) for word in words)

        await self.slack.until(is_there, f"a window with {words}")
        shown = self.slack.view_of(user)
        assert shown is not None
        return shown

    async def whispered(self, user: str) -> list[str]:
        """What the person alone reads in the conversation with the bot, once there is anything."""
        await self.slack.until(lambda: self.slack.ephemerals(user), f"a whisper to {user}")
        whispers = self.slack.ephemerals(user)
        assert {one.channel for one in whispers} == {self.slack.dm(user)}
        return [self.slack.text_of(one) for one in whispers]

    async def types(self, user: str, text: str, channel: str = "") -> str:
        """What *user* reads after `/countersign text`."""
        reply = await self.slack.command(user, channel or self.ops, "/countersign", text)
        assert reply.status == 200
        return self.slack.text_of(self.slack.ephemerals(user)[-1])

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            self.api = Api(session, self.teams, Pace(), self.slack.api_url)
            mouth = Mouth(self.api, self.keep, People(), None)
            in_person = Asides(group, directly(mouth))
            self.within = HomeWithin(
                api=self.api,
                keep=self.keep,
                views=self.views,
                front=self.front,
                people=self.people,
                asides=in_person,
                clock=self.watch.utc,
                sleep=self.watch.sleep,
            )
            self.home = self.process()
            within = CommandsWithin(
                api=self.api,
                front=self.front,
                people=self.people,
                teams=self.teams,
                mouth=mouth,
                asides=in_person,
                explain=self.explained,
                flood=self.flood,
            )
            ears = self._ears(Asides(group, mouth.whisper), within)
            async with serving(Address(port=0), ears, Guard(self.slack.signing_secret)) as port:
                self.slack.request_url = f"http://127.0.0.1:{port}{PATH}"
                try:
                    yield
                finally:
                    self.watch.end()

    def _ears(self, asides: Asides, within: CommandsWithin) -> Ears:
        return Ears(
            Within(
                app_id=self.slack.app_id,
                teams=self.teams,
                front=self.front,
                asides=asides,
                modals=Modals(self.api, self.views, self.front, asides, self.people),
                handlers=Handlers(
                    home_opened=self.home.home_opened,
                    home_clicked=self.home.home_clicked,
                    uninstalled=self._uninstalled,
                    command=Commands(within).command,
                    shortcut=Giving(within).shortcut,
                ),
                flood=self.flood,
            )
        )

    async def _uninstalled(self, team: str) -> None:
        raise NotImplementedError(team)

    def _person(self, name: str, *groups: str) -> Person:
        account = self.account(getattr(self, name))
        return Person(
            id=PersonId(name),
            name=f"{name.title()} Lima",
            accounts=(account,),
            groups=frozenset(groups),
            is_guest=name == "gus",
        )


@asynccontextmanager
async def indoors(flood: Flood | None = None) -> AsyncIterator[Indoors]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(FakeSlack())
        slack.subscribed &= {"app_home_opened"}
        here = Indoors(slack, flood)
        await stack.enter_async_context(here.listening())
        yield here
