"""Teams: mouth and ears under one name.

    out: outbox -> Mouth, Surface -> Connector          in: http -> Sdk (proof, turn) -> Ears -> front door

Implements `Chat` by naming the others; owns only that they are opened and closed in the right order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.asides import Asides
from adapters.flood import Flood
from adapters.teams.answers import Reply
from adapters.teams.deeds import Deeds, DeedsWithin
from adapters.teams.dialogs import Dialogs, DialogsWithin
from adapters.teams.ears import Ears, Handlers, Within
from adapters.teams.edits import Edits
from adapters.teams.giving import Giving, GivingWithin
from adapters.teams.http import PATH, serving
from adapters.teams.inbox import Inbox, InboxWithin
from adapters.teams.mouth import Mouth
from adapters.teams.mouth import Within as Speaking
from adapters.teams.office import Office
from adapters.teams.once import Once
from adapters.teams.people import TeamsDirectory
from adapters.teams.shapes import PLATFORM, Raw
from adapters.teams.surface import Surface
from bot.domain.chat import Account, Card, MessageRef, PersonId, Place
from bot.domain.ports import Directory, FrontDoor, Live, Meter, Views
from bot.domain.run import RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamsWithin:
    """What the bot behind it lends. *people* is the outermost directory; *own* the one that knows Teams."""

    office: Office
    own: TeamsDirectory
    people: Directory
    views: Views
    meter: Meter
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    edits: Edits | None = None


class Teams:
    """Implements `Chat`."""

    platform = PLATFORM

    def __init__(self, within: TeamsWithin) -> None:
        office, self._with = within.office, within
        self._once = Once(office.keep, office.places, within.clock)
        speaking = Speaking(
            connector=office.connector,
            places=office.places,
            rooms=office.rooms,
            once=self._once,
            people=within.own,
            bot=office.bot,
            service_url=office.cloud.service_url,
            fallback=office.fallback,
        )
        self._mouth = Mouth(speaking, within.edits)
        self._surface = Surface(office.connector, office.places, office.rooms)
        self._port: int | None = None

    @property
    def where(self) -> str:
        """How Teams reaches us, for whoever started the bot."""
        host = self._with.office.settings.address.host
        return f"Teams through http://{host}:{self._port}{PATH}" if self._port else "Teams"

    def not_ready(self) -> list[str]:
        """Why nothing from Teams is taken just now; nothing when all is well."""
        keys = self._with.office.keys
        return ["Teams' signing keys are not loaded"] if keys is not None and not keys.is_ready else []

    @asynccontextmanager
    async def serve(self, front: FrontDoor) -> AsyncIterator[None]:
        from adapters.teams.sdk import Sdk  # 490 modules, wanted where Teams is set up and nowhere else

        office = self._with.office
        sdk = Sdk(office.settings.app_id, office.cloud, office.proof, office.connector)
        async with AsyncExitStack() as stack:
            group = await stack.enter_async_context(asyncio.TaskGroup())
            stack.callback(group.create_task(self._surface.tend(), name="type while runs work").cancel)
            ears = self._ears(front, group)

            async def take(header: str, raw: Raw) -> Reply | None:
                return await sdk.turn(header, raw, ears.take)

            self._port = await stack.enter_async_context(serving(office.settings.address, take, office.proof.knock))
            yield

    def _ears(self, front: FrontDoor, group: asyncio.TaskGroup) -> Ears:
        """Everything that listens, around one front door."""
        office, views, people = self._with.office, self._with.views, self._with.people
        asides, flood, places = Asides(group, self._mouth.whisper), Flood(), office.places
        deeds = Deeds(DeedsWithin(front=front, places=places, once=self._once, people=people))
        inbox = Inbox(
            InboxWithin(
                views=views,
                front=front,
                people=people,
                deeds=deeds,
                places=places,
                connector=office.connector,
                mouth=self._mouth,
                keep=office.keep,
                asides=asides,
            )
        )
        dialogs = Dialogs(DialogsWithin(views=views, people=people, deeds=deeds, inbox=inbox, asides=asides))
        giving = Giving(GivingWithin(front=front, people=people, places=places, flood=flood))
        handlers = Handlers(fetch=dialogs.fetch, submit=dialogs.submit, give=giving.give)
        return Ears(
            Within(
                front=front,
                places=places,
                deeds=deeds,
                keep=office.keep,
                asides=asides,
                inbox=inbox,
                handlers=handlers,
                meter=self._with.meter,
                flood=flood,
            )
        )

    # ----------------------------------------------------------------- out

    async def post(self, card: Card, place: Place, *, key: str) -> MessageRef:
        return await self._mouth.post(card, place, key=key)

    async def update(self, ref: MessageRef, card: Card) -> None:
        await self._mouth.update(ref, card)

    async def whisper(self, text: str, place: Place, to: Account) -> None:
        await self._mouth.whisper(text, place, to)

    async def direct(self, to: Account) -> Place:
        return await self._mouth.direct(to)

    async def presence(self, place: Place, status: RunStatus) -> None:
        await self._surface.presence(place, status)

    def live(self, place: Place, reader: PersonId) -> Live:
        return self._surface.live(place, reader)
