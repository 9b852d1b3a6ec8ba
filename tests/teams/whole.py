"""The whole bot in a whole Teams: real engine, store, adapter and rehearsal; people who write, press and read.

async with a_site() as site, Replica(site, redis_url, namespace, tmp_path) as bot:
    await site.asks("ana", "refund 120 for order 1042")
    await site.presses("bo", "Approve", await bot.seen("Approve"))

`Site` is Teams and its people, who see what is on their screens and nothing else. `Replica` is one process of the bot.
A site that closes has nothing to complain of: the bot did nothing that no bot may do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from adapters.teams.chat import Teams, TeamsWithin
from adapters.teams.office import opened_office
from adapters.teams.pace import Kind
from adapters.teams.people import Trust
from agents.toolbox import Toolbox
from bot.domain.chat import Account, Place
from bot.domain.ports import Chat, Directory
from bot.domain.request import RequestId
from bot.peoplefile import PeopleDirectory
from bot.runtime.views import RuntimeViews
from bot.telemetry import Metrics
from tests.fakes.teams import Answer, FakeMessage, FakeTeams, Json
from tests.hostile import nodes
from tests.house import KEY
from tests.teams.indoors import Quick, settings_of
from tests.whole import LOOK, NAMES, Whole, people_of


class Site:
    """A team with the channels ops and approvals, and a group chat. Gus is a guest; Mallory is another company's."""

    def __init__(self, teams: FakeTeams) -> None:
        self.teams = teams
        self.ids = {name: teams.add_person(name.title()) for name in NAMES}
        self.ids["gus"] = teams.add_person("Gus", is_guest=True)
        self.team = teams.add_team("Support", ["ops", "approvals"], self.ids.values())
        self.ops, self.approvals = teams.channel("ops"), teams.channel("approvals")
        self.chat = teams.add_group_chat(self.ids.values(), "Refunds")
        self.ids["mallory"] = teams.add_person("Mallory", tenant=teams.add_tenant())

    def people(self, groups: str = "", *, unlisted: Sequence[str] = (), apart: Sequence[str] = ()) -> PeopleDirectory:
        """people.yml of this tenant: all but *unlisted*; those *apart* are in no group of the file."""
        accounts = {name: {"teams": user} for name, user in self.ids.items()}
        return people_of({"teams": self.teams.tenant}, accounts, groups, unlisted=unlisted, apart=apart)

    async def joins(self, name: str, **facts: Any) -> str:
        """Somebody new in the team whom people.yml does not know."""
        self.ids[name] = self.teams.add_person(name.title(), **facts)
        await self.teams.join(self.ids[name], self.team)
        return name

    def dm(self, who: str) -> str:
        return self.teams.direct_chat(self.ids[who])

    # ----------------------------------------------------------- what people do

    async def asks(self, by: str, text: str, *, at: str = "") -> str:
        """A mention at the top of a channel, or in a chat; the id of the post, which is a channel's thread."""
        return await self.teams.say(self.ids[by], at or self.ops, text)

    async def says(self, by: str, text: str, thread: str | None = None, *, at: str = "") -> str:
        """Write below *thread*, or in a chat, without a mention; the bot hears it where it hears everything."""
        return await self.teams.say(self.ids[by], at or self.ops, text, thread, mention=False)

    async def presses(self, by: str, label: str, card: FakeMessage, **typed: Any) -> str:
        """Press a button that is on the screen; what stands under the card then, for whoever pressed.

        Whoever approves what is high-risk reads its details first.
        """
        if label == "Approve" and "⚠ High-risk" in self.text(card):
            await self.reads(by, card)
        return await self.clicks(by, label, card, **typed)

    async def clicks(self, by: str, label: str, card: FakeMessage, **typed: Any) -> str:
        return (await self.teams.press(self.ids[by], card.conversation, card.id, label, 0, **typed)).words

    async def reads(self, by: str, card: FakeMessage) -> str:
        """Press Details, and read what then stands in a dialog, or why none opens."""
        answer = await self.teams.press(self.ids[by], card.conversation, card.id, "Details", 0)
        self.teams.close_dialog(self.ids[by])
        return self.text(answer.card) if answer.card is not None else answer.words

    def press(self, by: str, label: str, card: FakeMessage, **typed: Any) -> Json:
        """A press as it leaves the person's screen now, whenever it is sent."""
        return self.teams.click(self.ids[by], card.conversation, card.id, label, 0, **typed)

    async def sends(self, by: str, pressed: Json) -> Answer:
        return await self.teams.send_click(self.ids[by], pressed)

    async def told(self, who: str, text: str) -> None:
        """Wait until this person reads *text* in their own chat with the bot."""

        def is_told() -> bool:
            return any(text in self.text(one) for one in self.teams.direct(self.ids[who]))

        await self.teams.until(is_told, f"{who} reads: {text}")

    # ---------------------------------------------------------- what people read

    def text(self, shown: FakeMessage | Json) -> str:
        return self.teams.text_of(shown)

    def buttons(self, card: FakeMessage) -> list[str]:
        return self.teams.buttons_of(card)

    def said(self, thread: str) -> str:
        """What the bot shows in this thread."""
        return "\n".join(self.text(post) for post in self.posts() if thread == post.thread)

    def posts(self) -> list[FakeMessage]:
        return self.teams.posts()

    def live(self) -> list[FakeMessage]:
        """Every message, in any conversation, on which more can still be pressed than a look at what was done."""
        return [post for post in self.posts() if {*self.buttons(post)} - {LOOK}]

    def titled(self, title: str) -> list[FakeMessage]:
        return [post for post in self.posts() if title in self.text(post).splitlines()[0]]


class Replica(Whole):
    """One process of the bot."""

    def __init__(self, site: Site, *where: Any, people: PeopleDirectory | None = None, **parts: Any) -> None:
        super().__init__(*where, **parts)
        self.site, self.time, self._people = site, Quick(), people or site.people()
        self.adapter: Teams

    def again(self) -> Replica:
        given = {**self._given, "clock": self.clock}
        return Replica(self.site, *self._where, people=self._people, **given)

    async def _outside(self, toolbox: Toolbox) -> tuple[Chat, Directory]:
        opening = opened_office(settings_of(self.site.teams), self.store.keep(), self.time.timing)
        office = await self._stack.enter_async_context(opening)
        people = office.directory(self._people, trust_of(self.site, self._people))
        within = TeamsWithin(
            office=office,
            own=people,
            people=people,
            views=RuntimeViews(self.store, toolbox, people, KEY),
            meter=Metrics(),
            clock=shifted(self.clock),
            edits=self.time.edits,
        )
        self.adapter = Teams(within)
        return self.adapter, people

    async def _listen(self) -> None:
        self.front.desk = self.desk
        await self._stack.enter_async_context(self.adapter.serve(self.front))
        self.site.teams.connect(url_of(self.adapter))

    # -------------------------------------------------------------------- looks

    async def seen(self, label: str = "Approve", *, but: Sequence[FakeMessage] = (), at: str = "") -> FakeMessage:
        """Wait for a card with this button (none of *but*; in the chat *at*) that the store knows to be shown."""
        known = [post.id for post in but]

        def found() -> list[FakeMessage]:
            posts = [post for post in self.site.posts() if post.id not in known and at in ("", post.conversation)]
            return [post for post in posts if label in self.site.buttons(post)]

        await self.site.teams.until(found, f"a card with {label}")
        card = found()[-1]
        if request := subject_of(card):
            await self.known(request, card.id)
        return card

    async def shows(self, text: str, *, in_thread: str = "") -> None:
        """Wait until some message (of one thread) shows *text* now."""

        def is_shown() -> bool:
            here = [post for post in self.site.posts() if in_thread in ("", post.thread)]
            return any(text in self.site.text(post) for post in here)

        await self.site.teams.until(is_shown, text)

    def whereabouts(self, who: str, card: FakeMessage) -> tuple[Place, Account]:
        """Where *card* stands, and the account of somebody there, in the runtime's own words."""
        tenant = self.site.teams.tenant
        place = Place(platform="teams", tenant=tenant, channel=card.conversation, thread=card.thread)
        return place, Account(platform="teams", tenant=tenant, user=self.site.ids[who])


class Build(Protocol):
    """Makes a process of this test's own site, store and folder."""

    def __call__(self, **parts: Any) -> Replica: ...


def trust_of(site: Site, people: PeopleDirectory) -> Trust:
    """As the roof reads people.yml."""
    tenant = site.teams.tenant
    listed = {person.id: person for person in people.people}
    return Trust(tenants=frozenset({tenant}), home=tenant, sources=people.sources, people=listed)


def shifted(ahead: Callable[[], timedelta]) -> Callable[[], datetime]:
    """UTC as the store's clock tells it, which a test puts forward."""
    return lambda: datetime.now(UTC) + ahead()


def url_of(adapter: Teams) -> str:
    return adapter.where.removeprefix("Teams through ")


def subject_of(card: FakeMessage) -> RequestId | None:
    """The request a card's buttons are, or were, about."""
    return next((RequestId(one) for one in _subjects(card) if one.startswith("q-")), None)


def run_of(card: FakeMessage) -> str:
    """The run that a card's Stop button is, or was, about."""
    return next(one for one in _subjects(card) if one.startswith("r-"))


def _subjects(card: FakeMessage) -> Iterator[str]:
    for activity in (card.activity, *reversed(card.versions)):
        for node in nodes(activity):
            if isinstance(node.get("countersign"), dict):
                yield str(node["countersign"]["subject"])


class NoHurry:
    """In the place of `Pace`: people who answer in no time meet no limit of Teams'."""

    async def turn(self, tenant: str, conversation: str, kind: Kind) -> None:
        """At once."""

    def pause(self, tenant: str, conversation: str, kind: Kind, *, seconds: float) -> None:
        """Not even after a 429."""


@asynccontextmanager
async def a_site() -> AsyncIterator[Site]:
    async with FakeTeams() as teams:
        teams.enforce_rates = False
        site = Site(teams)
        await teams.join(site.ids["mallory"], site.team)
        teams.deliveries.clear()  # nobody was there yet
        yield site
        assert teams.complaints == []
