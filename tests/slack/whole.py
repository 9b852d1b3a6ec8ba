"""The whole bot in a whole Slack: real engine, store, adapter and rehearsal; people who write, press and read.

async with a_site() as site, Replica(site, redis_url, namespace, tmp_path) as bot:
    await site.asks("ana", "refund 120 for order 1042")
    await site.presses("bo", "Approve", await bot.seen("Approve"))

`Site` is Slack and its people, who see what is on their screens and nothing else. `Replica` is one process of the bot.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiohttp

from adapters.server import Address
from adapters.slack.chat import Slack, SlackWithin
from adapters.slack.http import PATH
from adapters.slack.install_pages import COOKIE, INSTALL, REDIRECT
from adapters.slack.office import SlackSettings, opened_office
from adapters.slack.people import Trust
from agents.toolbox import Toolbox
from bot.domain.chat import Account, PersonId, Place
from bot.domain.ports import Chat, Directory
from bot.domain.request import RequestId
from bot.domain.wire import Json
from bot.peoplefile import PeopleDirectory
from bot.runtime.views import RuntimeViews
from tests.fakes.slack import FakeMessage, FakeSlack, FakeView, Reply, payloads
from tests.house import KEY
from tests.whole import LOOK, NAMES, Whole, people_of


class Site:
    """A workspace with #ops and #lounge. Gus is a guest there, Mallory comes from another company's workspace."""

    def __init__(self, slack: FakeSlack) -> None:
        self.slack = slack
        self.ids = {name: slack.add_user(name) for name in NAMES}
        self.ids["gus"] = slack.add_user("gus", is_restricted=True)
        self.ids["mallory"] = slack.add_user("mallory", team_id="T0ELSEWHERE", is_stranger=True)
        self.ops = slack.add_channel("ops", self.ids.values())
        self.lounge = slack.add_channel("lounge", self.ids.values())

    def people(self, groups: str = "", *, unlisted: Sequence[str] = (), apart: Sequence[str] = ()) -> PeopleDirectory:
        """people.yml of this workspace: all but *unlisted*; those *apart* are in no group of the file."""
        accounts = {name: {"slack": user} for name, user in self.ids.items()}
        return people_of({"slack": self.slack.team}, accounts, groups, unlisted=unlisted, apart=apart)

    def joins(self, name: str, *, is_bot: bool = False) -> str:
        """Somebody new in #ops whom people.yml does not know: a full member, or another bot."""
        self.ids[name] = self.slack.add_user(name, is_bot=is_bot)
        self.slack.channel(self.ops).members.add(self.ids[name])
        return name

    def dm(self, who: str) -> str:
        return self.slack.dm(self.ids[who])

    # ----------------------------------------------------------- what people do

    async def asks(self, by: str, text: str, *, channel: str = "") -> str:
        """A mention at the top of a channel; the ts of the post, which is the thread."""
        return await self.slack.say(self.ids[by], channel or self.ops, f"{self.slack.mention} {text}")

    async def says(self, by: str, text: str, thread: str, *, channel: str = "") -> str:
        return await self.slack.say(self.ids[by], channel or self.ops, text, thread)

    async def presses(self, by: str, label: str, card: FakeMessage) -> str:
        """Press a button that is on the screen; what the person is told about it, in private.

        Whoever approves what is high-risk reads its details first.
        """
        if label == "Approve" and "⚠ High-risk" in self.text(card):
            await self.reads(by, card)
        return await self.clicks(by, self.press(by, label, card))

    async def reads(self, by: str, card: FakeMessage) -> str:
        """Press Details, and read what then stands in a window."""
        await self.slack.press(self.ids[by], card.channel, card.ts, "Details")
        await self.slack.until(lambda: self._window(by)[:1] not in ([], ["One moment"]), f"{by} reads the details")
        told = "\n".join(self._window(by))
        await self.slack.close_view(self.ids[by])
        return told

    def _window(self, by: str) -> list[str]:
        """The lines of the window this person has before them, its title first."""
        view = self.slack.view_of(self.ids[by])
        return self.text(view).splitlines() if view is not None else []

    def press(self, by: str, label: str, card: FakeMessage) -> dict[str, Any]:
        """A press as it leaves the person's screen now, whenever it is sent."""
        return self.slack.block_actions(self.ids[by], card.channel, card.ts, label)

    async def clicks(self, by: str, payload: dict[str, Any]) -> str:
        before = len(self.whispers(by))
        await self.slack.interact(payload)
        return await self._whispered(by, before)

    async def opens(self, by: str, label: str, card: FakeMessage) -> FakeView:
        """Press a button with a form behind it; the form, once it can be filled in."""
        await self.slack.press(self.ids[by], card.channel, card.ts, label)
        await self.slack.until(lambda: self._form(by) is not None, f"{by} sees a form")
        view = self._form(by)
        assert view is not None
        return view

    async def submits(self, by: str, **values: object) -> Reply:
        """Fill the form in, by the names of its fields, and send it."""
        return await self.slack.submit(self.ids[by], {f"f.{name}": value for name, value in values.items()})

    async def rejects(self, by: str, card: FakeMessage, reason: str) -> str:
        await self.opens(by, "Reject", card)
        before = len(self.whispers(by))
        await self.submits(by, reason=reason)
        return await self._whispered(by, before)

    async def copied(self, card: FakeMessage, channel: str, thread: str | None = None) -> FakeMessage:
        """*card* once more, buttons and all, as somebody forwards it."""
        ts = await self.slack.say(self.ids["ana"], channel, "look at this", thread)
        copy = self.slack.message(channel, ts)
        assert copy is not None
        copy.show(card.text, card.blocks)
        return copy

    def _form(self, by: str) -> FakeView | None:
        view = self.slack.view_of(self.ids[by])
        return view if view is not None and "submit" in view.body else None

    # ---------------------------------------------------------- what people read

    def text(self, shown: FakeMessage | FakeView) -> str:
        return self.slack.text_of(shown)

    def whispers(self, who: str) -> list[str]:
        """What only this person read, oldest first."""
        return [self.text(one) for one in self.slack.ephemerals(self.ids[who])]

    def said(self, thread: str) -> str:
        """What the bot shows in this thread."""
        return "\n".join(self.text(post) for post in self.posts() if thread == post.thread_ts)

    def posts(self) -> list[FakeMessage]:
        return self.slack.posts()

    def live(self) -> list[FakeMessage]:
        """Every message, in any conversation, on which more can still be pressed than a look at what was done."""
        return [post for post in self.posts() if {*self.slack.buttons_of(post)} - {LOOK}]

    def titled(self, title: str) -> list[FakeMessage]:
        return [post for post in self.posts() if title in self.text(post).splitlines()[0]]

    async def _whispered(self, who: str, before: int) -> str:
        await self.slack.until(lambda: len(self.whispers(who)) > before, f"{who} is told something")
        return self.whispers(who)[before]


class Replica(Whole):
    """One process of the bot. *over* is http, socket, or oauth (http, for many workspaces)."""

    def __init__(
        self,
        site: Site,
        *where: Any,
        over: str = "http",
        people: PeopleDirectory | None = None,
        manager_field: str | None = None,
        **parts: Any,
    ) -> None:
        super().__init__(*where, **parts)
        self.site, self._over, self._people = site, over, people or site.people()
        self._field = manager_field
        self.adapter: Slack
        self.views: RuntimeViews

    def again(self) -> Replica:
        given = {**self._given, "clock": self.clock, "manager_field": self._field}
        return Replica(self.site, *self._where, over=self._over, people=self._people, **given)

    async def _outside(self, toolbox: Toolbox) -> tuple[Chat, Directory]:
        office = await self._stack.enter_async_context(opened_office(self._settings(), self.store.keep()))
        home = self._people.tenants.get("slack", "")
        trust = Trust(sources=self._people.sources, home=home, manager_field=self._field)
        people = office.directory(self._people, trust)
        self.views = RuntimeViews(self.store, toolbox, people, KEY)
        self.adapter = Slack(SlackWithin(office=office, people=people, views=self.views, explain=nothing_said))
        return self.adapter, people

    def _settings(self) -> SlackSettings:
        slack = self.site.slack
        is_socket, is_oauth = self._over == "socket", self._over == "oauth"
        return SlackSettings(
            bot_token="" if is_oauth else slack.bot_token,
            client_id=slack.client_id if is_oauth else "",
            client_secret=slack.client_secret if is_oauth else "",
            signing_secret="" if is_socket else slack.signing_secret,
            app_token=slack.app_token if is_socket else "",
            api_url=slack.api_url,
            address=Address(port=0),
        )

    async def _listen(self) -> None:
        slack, lines = self.site.slack, len(self.site.slack.sockets.lines)
        self.front.desk = self.desk
        await self._stack.enter_async_context(self.adapter.serve(self.front))
        if self._over == "socket":
            await slack.until(lambda: len(slack.sockets.lines) > lines, "a connection")
        else:
            slack.request_url = self.adapter.where.removeprefix("Slack through ")
        if self._over == "oauth":
            await self._install(self.adapter.where.removeprefix("Slack through ").removesuffix(PATH))

    async def _install(self, base: str) -> None:
        """Ana goes to "Add to Slack" and presses Allow."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as browser:
            async with browser.get(base + INSTALL) as page:
                [state] = set(re.findall(r"state=([\w-]+)", await page.text()))
            code = self.site.slack.consent(self.site.slack.team, self.site.ids["ana"])
            asked = {"code": code, "state": state}
            async with browser.get(base + REDIRECT, params=asked, headers={"Cookie": f"{COOKIE}={state}"}) as page:
                assert page.status == 200, await page.text()

    # -------------------------------------------------------------------- looks

    async def seen(self, label: str = "Approve", *, but: Sequence[FakeMessage] = (), at: str = "") -> FakeMessage:
        """Wait for a card with this button (none of *but*; in the channel *at*) that the store knows to be shown."""
        known = [post.ts for post in but]

        def found() -> list[FakeMessage]:
            posts = [post for post in self.site.posts() if post.ts not in known and at in ("", post.channel)]
            return [post for post in posts if label in self.site.slack.buttons_of(post)]

        await self.site.slack.until(found, f"a card with {label}")
        card = found()[-1]
        if request := subject_of(card):
            await self.known(request, card.ts)
        return card

    def whereabouts(self, who: str, card: FakeMessage) -> tuple[Place, Account]:
        """Where *card* stands, and the account of somebody there, in the runtime's own words."""
        team = self.site.slack.team
        place = Place(platform="slack", tenant=team, channel=card.channel, thread=card.thread_ts)
        return place, Account(platform="slack", tenant=team, user=self.site.ids[who])

    async def shows(self, text: str, *, in_thread: str = "") -> None:
        """Wait until some message (of one thread) shows *text* now."""
        posts = self.site.posts

        def is_shown() -> bool:
            here = [post for post in posts() if in_thread in ("", post.thread_ts)]
            return any(text in self.site.text(post) for post in here)

        await self.site.slack.until(is_shown, text)


class Build(Protocol):
    """Makes a process of this test's own site, store and folder."""

    def __call__(self, **parts: Any) -> Replica: ...


def subject_of(card: FakeMessage) -> RequestId | None:
    """The request a card's buttons are about."""
    return next((RequestId(one) for one in _subjects(card) if one.startswith("q-")), None)


def run_of(card: FakeMessage) -> str:
    """The run that a card's Stop button is about."""
    return next(one for one in _subjects(card) if one.startswith("r-"))


def _subjects(card: FakeMessage) -> Iterator[str]:
    for blocks in (card.blocks, *(blocks for _, blocks in reversed(card.versions))):
        for spot in payloads.spots(blocks):
            yield str(spot.element.get("value", "")).partition(" ")[0]


class NoHurry:
    """In the place of `Pace`: people who answer in no time meet no limit of Slack's."""

    async def turn(self, team: str, method: str, channel: str = "") -> None:
        """At once."""

    def pause(self, team: str, method: str, channel: str = "", *, seconds: float) -> None:
        """Not even after a 429."""


async def nothing_said(tool: str, args: Json, by: PersonId, place: Place) -> str:
    """Nobody here asks what the policy says."""
    raise AssertionError(f"nobody asks what the policy says of {tool}({args}) for {by} at {place.key}")


@asynccontextmanager
async def a_site() -> AsyncIterator[Site]:
    async with FakeSlack() as slack:
        yield Site(slack)
