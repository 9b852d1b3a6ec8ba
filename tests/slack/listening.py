"""A house with ears for a fake Slack: the real bolt, api and forms; a front door and views that a test directs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp

from adapters.asides import Asides
from adapters.flood import Flood
from adapters.server import Address
from adapters.slack.api import Api
from adapters.slack.cards import draw
from adapters.slack.ears import Ears, Handlers, Within
from adapters.slack.guard import Guard
from adapters.slack.http import PATH, serving
from adapters.slack.modals import Modals
from adapters.slack.pace import Pace
from adapters.slack.reading import Command, HomeClick, HomeOpened, Shortcut
from adapters.slack.socket import Sockets, SocketSettings, Timing
from adapters.slack.workspace import OneWorkspace
from bot.domain.chat import Account, Answer, Button, Card, Click, Field, FieldKind, Form, Message, Person, Place
from bot.domain.errors import CountersignError, StoreUnavailable, Undeliverable
from bot.domain.offer import Grant
from bot.domain.pages import AuditRow, Awaited, Queued, RunView, Settled, Waiting
from bot.domain.request import RequestId, RunId
from bot.domain.wire import Json
from bot.peoplefile import PeopleDirectory
from bot.runtime.commands import Commands
from tests.fakes.slack import FakeSlack

PATIENCE = 5.0  # seconds until a test that waits has failed
APPROVE = Button(subject="q-1", move="approve", label="Approve", token="tok-a", style="primary")
REASON = Field(name="reason", label="Reason", kind=FieldKind.LONG_TEXT)
REJECT = Button(subject="q-1", move="reject", label="Reject", token="tok-r", fields=(REASON,))
CARD = Card(title="Refund 40?", buttons=(APPROVE, REJECT))


class Front:
    """A front door that writes down what came, in order, and answers what a test wants."""

    def __init__(self) -> None:
        self.came: list[Message | Click | Form] = []
        self.answer: Answer | None = Answer(is_taken=True, text="")
        self.commands: Commands | None = None  # the runtime's own
        self.revoked: list[tuple[str, str, str]] = []  # grants, by whom, and the delivery
        self.error: Exception | None = None
        self.shut = 0  # so many of the next are not recorded
        self.opened = asyncio.Event()  # cleared: whoever comes waits outside
        self.opened.set()
        self.knocked = asyncio.Event()

    async def message(self, message: Message) -> Answer | None:
        return await self._take(message)

    async def click(self, click: Click) -> Answer:
        return await self._take(click) or Answer(is_taken=True, text="")

    async def form(self, form: Form) -> Answer:
        return await self._take(form) or Answer(is_taken=True, text="")

    async def order(self, text: str, by: Account, place: Place, delivery: str) -> Answer | None:
        """What *commands* says, if a test put some there."""
        await self._let_in()
        return await self.commands.order(text, by, place, delivery) if self.commands else None

    async def revoke(self, grant_id: str, by: Account, delivery: str) -> Answer:
        await self._let_in()
        self.revoked.append((grant_id, by.user, delivery))
        return self.answer or Answer(is_taken=True, text="")

    @property
    def deliveries(self) -> list[str]:
        return [one.delivery for one in self.came]

    async def _take(self, one: Message | Click | Form) -> Answer | None:
        await self._let_in(one)
        return self.answer

    async def _let_in(self, *what: Message | Click | Form) -> None:
        self.knocked.set()
        await self.opened.wait()
        self.came += what
        if self.shut:
            self.shut -= 1
            raise StoreUnavailable("the store is away")
        if self.error is not None:
            raise self.error


class Looks:
    """Views over the buttons a test puts there; forms look at nothing else."""

    def __init__(self) -> None:
        self.buttons: dict[tuple[str, str], Button] = {(one.subject, one.move): one for one in (APPROVE, REJECT)}
        self.error: CountersignError | None = None
        self.opened = asyncio.Event()
        self.opened.set()
        self.asked = 0

    async def button(self, request: RequestId, move: str) -> Button | None:
        self.asked += 1
        await self.opened.wait()
        if self.error is not None:
            raise self.error
        return self.buttons.get((request, move))

    async def absence(self, viewer: Account) -> str:  # noqa: ARG002  # nobody is away here
        return ""

    async def queue(self, viewer: Account) -> tuple[Queued, ...]:  # noqa: ARG002  # nobody escalates here
        return ()

    async def team(self, viewer: Account) -> tuple[Awaited, ...]:  # noqa: ARG002  # nobody manages anybody here
        return ()

    async def waiting_for(self, account: Account) -> tuple[Waiting, ...]:
        raise NotImplementedError(account)

    async def settled_by(self, account: Account, *, most: int = 10) -> tuple[Settled, ...]:
        raise NotImplementedError(account, most)

    async def grants(self, viewer: Account) -> tuple[Grant, ...]:
        raise NotImplementedError(viewer)

    async def run(self, run: RunId, viewer: Account) -> RunView | None:
        raise NotImplementedError(run, viewer)

    async def runs(self, viewer: Account, *, most: int = 50) -> tuple[RunView, ...]:
        raise NotImplementedError(viewer, most)

    async def report(self, viewer: Account, since: timedelta) -> str | None:
        raise NotImplementedError(viewer, since)

    async def trail(self, viewer: Account, *, run: RunId | None = None, most: int = 200) -> tuple[AuditRow, ...]:
        raise NotImplementedError(viewer, run, most)


class Workspaces:
    """Where the app is installed, as far as the house knows. `error` is what asking costs."""

    def __init__(self) -> None:
        self.known: dict[str, OneWorkspace] = {}
        self.error: CountersignError | None = None
        self.asked = 0

    async def token(self, team: str) -> str:
        if team not in self.known:
            raise Undeliverable(team, "not installed")
        return self.known[team].secret

    async def bot_user(self, team: str, enterprise: str | None = None) -> str | None:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return await self.known[team].bot_user(team, enterprise) if team in self.known else None


@dataclass
class Plugged:
    """What the other parts of the adapter were handed."""

    came: list[HomeOpened | HomeClick | Command | Shortcut | str] = field(default_factory=list)
    error: CountersignError | None = None
    shown: Mapping[str, Json] = field(default_factory=lambda: {"text": "Two requests wait for you."})

    def handlers(self) -> Handlers:
        return Handlers(
            home_opened=self._take,
            home_clicked=self._take,
            uninstalled=self._uninstalled,
            command=self._command,
            shortcut=self._take,
        )

    async def _take(self, one: HomeOpened | HomeClick | Command | Shortcut) -> None:
        self.came.append(one)
        if self.error is not None:
            raise self.error

    async def _uninstalled(self, team: str) -> None:
        self.came.append(team)

    async def _command(self, command: Command) -> Mapping[str, Json]:
        await self._take(command)
        return self.shown


class Known(PeopleDirectory):
    """Who is known to the house: nobody, until a test says so."""

    def __init__(self) -> None:
        super().__init__(())

    def add(self, person: Person) -> None:
        super().__init__((*self.people, person))


class House:
    def __init__(self, slack: FakeSlack, flood: Flood | None) -> None:
        self.slack, self._flood = slack, flood or Flood()
        self.front, self.views, self.teams, self.plugged = Front(), Looks(), Workspaces(), Plugged()
        self.people = Known()
        self.whispers: list[tuple[str, str]] = []  # user, text
        self.whispered_at: list[Place] = []
        self.whisper_error: Exception | None = None
        self._whispered = asyncio.Event()
        self.ears: Ears
        self.api: Api
        home = OneWorkspace(secret=slack.bot_token, team=slack.team, user=slack.bot_user)
        self.teams.known[slack.team] = home

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ears without a transport."""
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            self.api = Api(session, self.teams, Pace(), self.slack.api_url)
            asides = Asides(group, self._whisper)
            self.ears = Ears(
                Within(
                    app_id=self.slack.app_id,
                    teams=self.teams,
                    front=self.front,
                    asides=asides,
                    modals=Modals(self.api, self.views, self.front, asides, self.people),
                    handlers=self.plugged.handlers(),
                    flood=self._flood,
                )
            )
            yield

    def sockets(self, timing: Timing | None = None) -> Sockets:
        settings = SocketSettings(app_token=self.slack.app_token, base_url=self.slack.api_url)
        return Sockets(settings, self.ears, timing)

    async def post(self, channel: str, card: Card = CARD, thread: str | None = None) -> str:
        drawn = draw(card, user_of={})
        blocks = list(drawn.blocks)
        more = {"text": drawn.text, "blocks": blocks, "thread_ts": thread}
        reply = await self.api.call(self.slack.team, "chat.postMessage", channel=channel, **more)
        return str(reply["ts"])

    async def told(self, count: int = 1) -> list[tuple[str, str]]:
        """What was whispered, once there are *count* of them."""
        async with asyncio.timeout(PATIENCE):
            while len(self.whispers) < count:
                self._whispered.clear()
                await self._whispered.wait()
        return self.whispers

    async def _whisper(self, text: str, place: Place, to: Account) -> None:
        if self.whisper_error is not None:
            raise self.whisper_error
        self.whispers.append((to.user, text))
        self.whispered_at.append(place)
        self._whispered.set()


@asynccontextmanager
async def a_house(*, flood: Flood | None = None, over: str = "http") -> AsyncIterator[House]:
    """A fake Slack and a house that hears it: *over* http, over a socket, or not yet."""
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(FakeSlack())
        house = House(slack, flood)
        await stack.enter_async_context(house.running())
        if over == "http":
            guard = Guard(slack.signing_secret)
            port = await stack.enter_async_context(serving(Address(port=0), house.ears, guard))
            slack.request_url = f"http://127.0.0.1:{port}{PATH}"
        elif over == "socket":
            await stack.enter_async_context(house.sockets().open())
            await slack.until(lambda: slack.sockets.lines, "a connection")
        yield house
