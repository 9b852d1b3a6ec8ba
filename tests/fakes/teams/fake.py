"""FakeTeams: opens everything, lets tests furnish tenants, teams and chats, and looks at what is there afterwards."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import aiohttp

from tests.fakes.teams import answers, reading
from tests.fakes.teams.clicks import Clicks
from tests.fakes.teams.delivery import Delivery, Post, Reply
from tests.fakes.teams.entra import Entra
from tests.fakes.teams.faults import Faults
from tests.fakes.teams.server import Called, Server
from tests.fakes.teams.world import (
    CHANNEL,
    GROUP,
    PERSONAL,
    REGIONS,
    FakeConversation,
    FakeMessage,
    FakePerson,
    FakeTeam,
    Json,
    World,
)

PATIENCE = 10.0  # seconds that `until` waits


class FakeTeams(Clicks):
    """A Teams of one's own on loopback. One tenant has the app from the start; `add_tenant` adds others."""

    def __init__(self) -> None:
        world, faults = World(), Faults()
        entra = Entra(world)
        super().__init__(world, entra, faults, Server(world, entra, faults), Post(world, entra, faults))
        self._dialogs, self._answers, self.phones = {}, {}, set()
        self._opened = AsyncExitStack()
        self._post.judge = self._judge
        self.app_id, self.bot_id, self.tenant = world.app_id, world.bot_id, world.tenant
        self.app_password = entra.app_password

    async def __aenter__(self) -> Self:
        await self._opened.enter_async_context(self._server.serving())
        self._post.session = await self._opened.enter_async_context(aiohttp.ClientSession())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opened.aclose()

    # ------------------------------------------------------------------ wiring

    def connect(self, url: str | None) -> None:
        """Where the bot listens, with its path; None: nowhere."""
        self._post.url = url

    @property
    def login_url(self) -> str:
        """What stands for https://login.microsoftonline.com."""
        return self._world.base

    @property
    def openid_metadata(self) -> str:
        """What stands for https://login.botframework.com/v1/.well-known/openidconfiguration."""
        return f"{self._world.base}/v1/.well-known/openidconfiguration"

    @property
    def graph_url(self) -> str:
        """What stands for https://graph.microsoft.com, without the version."""
        return self._world.base

    @property
    def origin(self) -> str:
        """Scheme, host and port of everything here: the one host a bot's tokens may go to."""
        return self._world.base

    @property
    def service_url(self) -> str:
        """Of the app's own tenant; see `service_url_of`."""
        return self._world.service_url(self.tenant)

    def service_url_of(self, tenant: str) -> str:
        return self._world.service_url(tenant)

    @property
    def ack_within(self) -> float:
        """Seconds the bot has to answer."""
        return self._post.ack_within

    @ack_within.setter
    def ack_within(self, seconds: float) -> None:
        self._post.ack_within = seconds

    @property
    def redeliver(self) -> bool:
        """What is not taken comes again: once the same, once with another id, both at once."""
        return self._post.redeliver

    @redeliver.setter
    def redeliver(self, is_on: bool) -> None:
        self._post.redeliver = is_on

    @property
    def is_emulator(self) -> bool:
        """As a developer's emulator: nobody shows anybody a token, and a bot that does is refused."""
        return self._server.is_emulator

    @is_emulator.setter
    def is_emulator(self, is_on: bool) -> None:
        self._server.is_emulator = self._post.is_emulator = is_on

    @property
    def enforce_rates(self) -> bool:
        return self._server.enforce_rates

    @enforce_rates.setter
    def enforce_rates(self, is_on: bool) -> None:
        self._server.enforce_rates = is_on

    def count_rates_by(self, clock: Callable[[], float]) -> None:
        """Rates go by this clock, in seconds: the one by which the bot waits for its turns."""
        self._server.rate_clock = clock

    @property
    def size_most(self) -> int:
        """Bytes of a message, as UTF-16."""
        return self._server.size_most

    @size_most.setter
    def size_most(self, bytes: int) -> None:
        self._server.size_most = bytes

    @property
    def html_errors(self) -> bool:
        """What is too large is answered by a proxy, with a page."""
        return self._server.html_errors

    @html_errors.setter
    def html_errors(self, is_on: bool) -> None:
        self._server.html_errors = is_on

    def now(self) -> float:
        return self._world.now()

    def later(self, seconds: float) -> None:
        """Put Teams' clock forward: tokens age, rates recover, messages are younger."""
        self._world.later += seconds

    # ------------------------------------------------------------------ tokens

    def roll_keys(self, *, keep: bool = False) -> None:
        """From now on activities are signed with a new key; *keep*: the old one is still published."""
        self._entra.roll(keep=keep)

    def revoke_tokens(self) -> None:
        """Every token that was given out is refused from now on: 401."""
        self._entra.revoke()

    def register_certificate(self, pem: bytes) -> None:
        """Besides its password, the app may prove itself with this certificate's key."""
        self._entra.register(pem)

    def bad_token(self, kind: str) -> str:
        """An Authorization header that must be refused, for `forge`; *kind* is one of BAD_TOKENS."""
        return self._entra.bad(kind, self.service_url)

    @property
    def issued(self) -> list[Json]:
        """The claims of every token that the bot was given."""
        return self._entra.issued

    @property
    def graph_permissions(self) -> set[str]:
        return self._server.graph.permissions

    # -------------------------------------------------------------- furnishing

    def add_tenant(self, *, with_app: bool = True) -> str:
        """Another company, elsewhere: its service URL differs. *with_app*: its admin consented to the app."""
        new = str(uuid.uuid4())
        self._world.regions[new] = REGIONS[len(self._world.regions) % len(REGIONS)]
        if with_app:
            self._entra.directories.add(new)
        return new

    def add_person(
        self,
        name: str,
        *,
        tenant: str = "",
        manager: str | None = None,
        is_guest: bool = False,
        with_app: bool = True,
    ) -> str:
        """Somebody, and their AAD object id. *with_app*: it is installed for them; nobody was told yet."""
        person = FakePerson(str(uuid.uuid4()), name, tenant or self.tenant, self._world.roster_id(), manager, is_guest)
        self._world.people[person.id] = person
        chat = FakeConversation(f"a:{self._world.roster_id()[4:]}", PERSONAL, person.tenant, people={person.id})
        chat.is_installed = with_app
        self._world.conversations[chat.id] = chat
        return person.id

    def add_team(
        self, name: str, channels: Iterable[str] = (), members: Iterable[str] = (), *, with_app: bool = True
    ) -> str:
        """A team with its General channel and *channels*. Returns its id, which is also General's."""
        people = set(members)
        tenant = next((self._world.people[one].tenant for one in people), self.tenant)
        team = FakeTeam(self._world.thread_id("tacv2"), name, tenant, people, with_app)
        self._world.teams[team.id] = team
        for called in ("General", *channels):
            new = team.id if called == "General" else self._world.thread_id("tacv2")
            self._world.conversations[new] = FakeConversation(new, CHANNEL, tenant, called, team=team)
        return team.id

    def add_group_chat(self, members: Iterable[str], name: str = "", *, with_app: bool = True) -> str:
        people = set(members)
        tenant = next((self._world.people[one].tenant for one in people), self.tenant)
        chat = FakeConversation(self._world.thread_id("v2"), GROUP, tenant, name, people, is_installed=with_app)
        self._world.conversations[chat.id] = chat
        return chat.id

    def add_group(self, name: str, members: Iterable[str] = ()) -> str:
        """A group of the directory, for Graph; its id."""
        new = str(uuid.uuid4())
        self._world.groups[new] = name
        for one in members:
            self._world.people[one].groups.add(new)
        return new

    def channel(self, name: str) -> str:
        """The id of the channel called *name*."""
        return next(one.id for one in self._world.conversations.values() if one.kind == CHANNEL and one.name == name)

    def direct_chat(self, person: str) -> str:
        """The id of this person's chat with the bot."""
        return self._world.personal(self.person(person)).id

    def person(self, id: str) -> FakePerson:
        """By AAD id or roster id; what it has can be changed: `is_guest`, `is_deleted`, `manager`, `name`."""
        found = self._world.person(id)
        if found is None:
            raise KeyError(id)
        return found

    def close(self, conversation: str) -> None:
        """The channel or chat is deleted."""
        del self._world.conversations[conversation]

    # ----------------------------------------------------------------- looking

    @property
    def complaints(self) -> list[str]:
        """Everything the bot did that no bot may do. Empty at the end of a good test."""
        return self._world.complaints

    def messages(self, conversation: str, thread: str | None = None) -> list[FakeMessage]:
        """What stands there, oldest first: everybody's. *thread*: of this one only."""
        place, root = self._world.place_of(conversation)
        rows = place.messages.values() if place else ()
        return [one for one in rows if not one.is_deleted and one.thread in {thread or root or one.thread}]

    def posts(self, conversation: str = "", thread: str | None = None) -> list[FakeMessage]:
        """The bot's own, everywhere if no *conversation* is named."""
        rows = self.messages(conversation, thread) if conversation else list(self._world.messages())
        return [one for one in rows if one.by == self.bot_id and not one.is_deleted]

    def direct(self, person: str) -> list[FakeMessage]:
        """What the bot wrote to this person alone."""
        return self.posts(self.direct_chat(person))

    def message(self, id: str) -> FakeMessage:
        return next(one for one in self._world.messages() if one.id == id)

    def typing(self, conversation: str) -> int:
        """How often the bot was seen typing there."""
        place, _root = self._world.place_of(conversation)
        return len(place.typed) if place else 0

    def mentions_of(self, message: FakeMessage) -> list[str]:
        """The AAD ids of whom it mentions."""
        return [self.person(one).id for one in reading.mentioned_in(message)]

    def notified(self, person: str) -> list[FakeMessage]:
        """The bot's messages that called this person: direct ones, and those that mentioned them when they were new."""
        return [one for one in self.posts() if person in self._called_by(one)]

    text_of = staticmethod(reading.text_of)
    links_of = staticmethod(reading.links_of)
    marks_of = staticmethod(reading.marks_of)
    buttons_of = staticmethod(reading.buttons_of)
    notice_of = staticmethod(reading.notice_of)
    is_labelled = staticmethod(reading.is_labelled)

    @property
    def deliveries(self) -> list[Delivery]:
        """Everything that was sent to the bot, attempt by attempt."""
        return self._post.sent

    @property
    def called(self) -> list[Called]:
        """Every call of the bot's, in order."""
        return self._server.called

    def calls(self, route: str) -> list[Called]:
        """The calls of one route (see faults.ROUTES), whatever became of them."""
        return [one for one in self._server.called if one.route == route]

    async def until(self, holds: Callable[[], object], what: str = "") -> None:
        """Wait until *holds*; look again at every change."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    self._world.changed.clear()
                    await self._world.changed.wait()
        except TimeoutError:
            raise AssertionError("\n".join([f"never happened: {what}", *self._seen_so_far()])) from None

    def _seen_so_far(self) -> Iterator[str]:
        yield from (f"{one.conversation} {one.id}: {self.text_of(one)}" for one in self._world.messages())
        yield from (f"called {one.route}" for one in self.called[-10:])
        yield from (f"complaint: {one}" for one in self.complaints)

    def _judge(self, invoke: Json, reply: Reply) -> None:
        for problem in answers.faults(str(invoke["name"]), reply):
            self._world.complain(problem)

    def _called_by(self, message: FakeMessage) -> set[str]:
        place = self._world.conversations[message.conversation]
        if place.kind == PERSONAL:
            return place.people
        first = message.versions[0] if message.versions else message.activity
        then = FakeMessage(message.id, message.conversation, message.by, first)
        return {self.person(one).id for one in reading.mentioned_in(then)}
