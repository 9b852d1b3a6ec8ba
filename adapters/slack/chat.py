"""Slack: mouth and ears under one name.

    out: outbox -> Mouth, Surface -> Api          in: http | socket -> Ears -> front door

Implements `Chat` by naming the others; owns only that they are opened and closed in the right order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from adapters.asides import Asides
from adapters.flood import Flood
from adapters.slack.api import PLATFORM
from adapters.slack.commands import Commands, CommandsWithin, Explain, Giving
from adapters.slack.ears import Ears, Handlers, Within
from adapters.slack.guard import Guard
from adapters.slack.home import Home, HomeWithin
from adapters.slack.http import PATH, serving
from adapters.slack.modals import Modals
from adapters.slack.mouth import Mouth
from adapters.slack.office import Office
from adapters.slack.people import SlackDirectory
from adapters.slack.socket import SILENT_AFTER, Sockets, SocketSettings
from adapters.slack.surface import Surface
from adapters.slack.windows import directly
from bot.domain.chat import Account, Card, MessageRef, PersonId, Place
from bot.domain.ports import FrontDoor, Live, Views
from bot.domain.run import RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackWithin:
    """What the bot behind it lends. *explain* says what the policy makes of a call."""

    office: Office
    people: SlackDirectory
    views: Views
    explain: Explain


class Slack:
    """Implements `Chat`."""

    platform = PLATFORM

    def __init__(self, within: SlackWithin) -> None:
        office, self._with = within.office, within
        self._mouth = Mouth(office.api, office.keep, within.people, office.settings.fallback_channel)
        self._surface = Surface(office.api, office.keep, within.people)
        self._sockets: Sockets | None = None
        self._home: Home | None = None
        self._port: int | None = None

    @property
    def where(self) -> str:
        """How Slack reaches us, for whoever started the bot."""
        address = self._with.office.settings.address
        http = f"http://{address.host}:{self._port}{PATH}" if self._port else ""
        socket = "a socket (Socket Mode)" if self._sockets else ""
        return "Slack through " + " and ".join(way for way in (socket, http) if way)

    @property
    def silent(self) -> float:
        """Seconds since Slack was last heard through the socket; 0 without one."""
        return self._sockets.seconds_since_event if self._sockets else 0.0

    @property
    def reconnects(self) -> int:
        """How often the socket was built anew."""
        return self._sockets.reconnects if self._sockets else 0

    def not_ready(self) -> list[str]:
        """Why nothing from Slack arrives just now; nothing when all is well."""
        return [f"Slack has not been heard for {self.silent:.0f} s"] if self.silent > SILENT_AFTER else []

    @asynccontextmanager
    async def serve(self, front: FrontDoor) -> AsyncIterator[None]:
        office = self._with.office
        async with AsyncExitStack() as stack:
            group = await stack.enter_async_context(asyncio.TaskGroup())
            stack.callback(group.create_task(self._surface.tend(), name="show ends that were lost").cancel)
            ears = self._ears(front, group)
            settings = office.settings
            if settings.signing_secret:
                guard, routes = Guard(settings.signing_secret), office.pages.routes if office.pages else ()
                served = serving(settings.address, ears, guard, routes)
                self._port = await stack.enter_async_context(served)
            if settings.app_token:
                self._sockets = Sockets(SocketSettings(app_token=settings.app_token, base_url=settings.api_url), ears)
                await stack.enter_async_context(self._sockets.open())
            try:
                yield
            finally:
                if self._home is not None:
                    self._home.close()
                self._home = None

    def _ears(self, front: FrontDoor, group: asyncio.TaskGroup) -> Ears:
        """Everything that listens, around one front door. What must be told in person is told in their own chat."""
        office, views, people = self._with.office, self._with.views, self._with.people
        here, in_person = Asides(group, self._mouth.whisper), Asides(group, directly(self._mouth))
        flood = Flood()
        self._home = Home(
            HomeWithin(api=office.api, keep=office.keep, views=views, front=front, people=people, asides=in_person)
        )
        within = CommandsWithin(
            api=office.api,
            front=front,
            people=people,
            teams=office.teams,
            mouth=self._mouth,
            asides=in_person,
            explain=self._with.explain,
            flood=flood,
        )
        handlers = Handlers(
            home_opened=self._home.home_opened,
            home_clicked=self._home.home_clicked,
            uninstalled=office.teams.uninstalled,
            command=Commands(within).command,
            shortcut=Giving(within).shortcut,
        )
        modals = Modals(office.api, views, front, here, people)
        return Ears(
            Within(
                app_id="",  # the secret, or the socket, already names the app
                teams=office.teams,
                front=front,
                asides=here,
                modals=modals,
                handlers=handlers,
                flood=flood,
            )
        )

    # ----------------------------------------------------------------- out

    async def post(self, card: Card, place: Place, *, key: str) -> MessageRef:
        ref = await self._mouth.post(card, await self._with.people.placed(place), key=key)
        await self._touch()
        return ref

    async def update(self, ref: MessageRef, card: Card) -> None:
        await self._mouth.update(ref, card)
        await self._touch()

    async def whisper(self, text: str, place: Place, to: Account) -> None:
        await self._mouth.whisper(text, place, to)

    async def direct(self, to: Account) -> Place:
        return await self._mouth.direct(to)

    async def presence(self, place: Place, status: RunStatus) -> None:
        await self._surface.presence(place, status)

    def live(self, place: Place, reader: PersonId) -> Live:
        return self._surface.live(place, reader)

    async def _touch(self) -> None:
        """Whoever looks at their Home tab sees what has changed."""
        if self._home is not None:
            await self._home.touch()
