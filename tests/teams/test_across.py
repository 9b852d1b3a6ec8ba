"""One request on Slack, in Teams and in the playground: people decide, not accounts; nobody waits for who is down.

Both are whole: their strict fakes, real adapters, one engine, one store. Tasks are given where each test says.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest

from adapters.playground.chat import Playground, PlaygroundSettings
from adapters.server import Address
from adapters.slack.chat import Slack, SlackWithin
from adapters.slack.office import SlackSettings
from adapters.slack.office import opened_office as opened_slack
from adapters.slack.people import Trust as SlackTrust
from adapters.teams.chat import Teams, TeamsWithin
from adapters.teams.office import opened_office as opened_teams
from agents.patterns.escalation import Escalation, Trigger
from agents.patterns.person import Person as Reviewer
from agents.patterns.sequential import Sequential
from agents.toolbox import Toolbox
from bot.domain.card_buttons import STEPS
from bot.domain.chat import Account, Answer
from bot.domain.ports import Chat, Directory
from bot.domain.request import RequestId
from bot.domain.wire import replace
from bot.runtime.parts import Parts
from bot.runtime.views import RuntimeViews
from bot.telemetry import Metrics
from tests.agents.patterns.minds import Minds, agent
from tests.fakes.chat import Posted
from tests.fakes.slack import FakeMessage as SlackMessage
from tests.fakes.teams import ALWAYS
from tests.fakes.teams import FakeMessage as TeamsMessage
from tests.flows.stage import Hands, Played, call, calls, events, moves, policy, settled
from tests.house import KEY, click, find
from tests.playground.client import client
from tests.slack.whole import NoHurry as SlackNoHurry
from tests.slack.whole import Site as SlackSite
from tests.slack.whole import a_site as a_slack_site
from tests.slack.whole import nothing_said
from tests.slack.whole import subject_of as slack_subject
from tests.teams.indoors import Quick, settings_of
from tests.teams.whole import Site as TeamsSite
from tests.teams.whole import shifted, subject_of, trust_of, url_of
from tests.whole import NAMES, Whole, people_of

WIRE = calls(call("wire", amount=90))
EVERYWHERE = (
    '{after: 1m, also: "teams/#ops"}, {after: 2m, also: "slack/#ops"}, '
    '{after: 3m, dm: "@dana"}, {after: 4h, expire: true}'
)
IN_TEAMS_TOO = '{after: 1m, also: "teams/#ops"}, {after: 4h, expire: true}'


class Both(Whole):
    """One process on Slack, Teams and the playground."""

    def __init__(self, slack: SlackSite, teams: TeamsSite, *where: Any, **parts: Any) -> None:
        super().__init__(*where, **parts)
        self.slack, self.teams = slack, teams
        self.adapters: tuple[Slack, Teams]

    async def _outside(self, toolbox: Toolbox) -> tuple[Chat, Directory]:
        keep, time, stack = self.store.keep(), Quick(), self._stack
        teams_office = await stack.enter_async_context(opened_teams(settings_of(self.teams.teams), keep, time.timing))
        slack_office = await stack.enter_async_context(opened_slack(_settings(self.slack), keep))
        base = self._people()
        here = slack_office.directory(base, SlackTrust(sources=base.sources, home=self.slack.slack.team))
        people = teams_office.directory(here, trust_of(self.teams, base))
        views = RuntimeViews(self.store, toolbox, people, KEY)
        slack = Slack(SlackWithin(office=slack_office, people=here, views=views, explain=nothing_said))
        teams = Teams(
            TeamsWithin(
                office=teams_office,
                own=people,
                people=people,
                views=views,
                meter=Metrics(),
                clock=shifted(self.clock),
                edits=time.edits,
            )
        )
        self.adapters = (slack, teams)
        return self.chat, people

    async def _parts(self) -> Parts:
        parts = await super()._parts()
        return dataclasses.replace(parts, chats={one.platform: one for one in (self.chat, *self.adapters)})

    async def _listen(self) -> None:
        slack, teams = self.adapters
        self.front.desk = self.desk
        for adapter in self.adapters:
            await self._stack.enter_async_context(adapter.serve(self.front))
        self.slack.slack.request_url = slack.where.removeprefix("Slack through ")
        self.teams.teams.connect(url_of(teams))
        await self.teams.teams.install(self.teams.team)

    def _people(self) -> Any:
        tenants = {"slack": self.slack.slack.team, "teams": self.teams.teams.tenant, "playground": "local"}
        accounts = {
            name: {"slack": self.slack.ids[name], "teams": self.teams.ids[name], "playground": name} for name in NAMES
        }
        return people_of(tenants, accounts)

    # -------------------------------------------------------------------- looks

    async def on_slack(self, label: str = "Approve", at: str = "") -> SlackMessage:
        """Wait for a card with this button there."""
        fake = self.slack.slack

        def found() -> list[SlackMessage]:
            posts = [one for one in self.slack.live() if at in ("", one.channel)]
            return [one for one in posts if label in fake.buttons_of(one)]

        await fake.until(found, f"a card with {label} on Slack")
        if request := slack_subject(found()[-1]):
            await self.known(request, found()[-1].ts)
        return found()[-1]

    async def on_teams(self, label: str = "Approve", at: str = "") -> TeamsMessage:
        def found() -> list[TeamsMessage]:
            posts = [one for one in self.teams.live() if at in ("", one.conversation)]
            return [one for one in posts if label in self.teams.buttons(one)]

        await self.teams.teams.until(found, f"a card with {label} in Teams")
        if request := subject_of(found()[-1]):
            await self.known(request, found()[-1].id)
        return found()[-1]

    async def in_playground(self, move: str = "approve") -> Posted:
        await self.chat.until(lambda: self.with_button(move), f"a card with {move}")
        post = self.with_button(move)[-1]
        await self.known(RequestId(find(post, move).subject), post.ref.id)
        return post

    async def played(self, move: str, post: Posted, *, by: str) -> Answer:
        pressed = click(find(post, move), post, by, uuid.uuid4().hex[:8])
        return await self.desk.click(replace(pressed, by=Account(platform="playground", tenant="local", user=by)))

    def live(self) -> list[object]:
        """What can still be pressed, anywhere, but for the look at a run's steps, which stays."""
        return [*self.slack.live(), *self.teams.live(), *(one for one in self.chat.posts if {*moves(one)} - {STEPS})]


class Paged(Both):
    """The same with the playground's own page, over HTTP, instead of its stand-in."""

    async def _parts(self) -> Parts:
        parts = await super()._parts()
        views = RuntimeViews(self.store, parts.toolbox, parts.directory, KEY)
        settings = PlaygroundSettings(people=self._people().people, db=self._folder / "play.db", port=0)
        self.page = Playground(settings, views)
        return dataclasses.replace(parts, chats={**parts.chats, self.page.platform: self.page})

    async def _listen(self) -> None:
        await super()._listen()
        await self._stack.enter_async_context(self.page.serve(self.front))
        self.reader = await self._stack.enter_async_context(client(self.page.url))


class Build(Protocol):
    def __call__(self, **parts: Any) -> Both: ...


@pytest.fixture
async def slack(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SlackSite]:
    monkeypatch.setattr("adapters.slack.office.Pace", SlackNoHurry)
    async with a_slack_site() as site:
        yield site


@pytest.fixture
def build_both(slack: SlackSite, site: TeamsSite, redis_url: str, namespace: str, tmp_path: Path) -> Build:
    return partial(Both, slack, site, redis_url, namespace, tmp_path)


# ------------------------------------------------------------------- one request


@pytest.mark.parametrize("where", ["slack", "teams", "playground", "own chat"])
async def test_the_first_valid_answer_ends_every_copy_wherever_it_came_from(
    build_both: Build, slack: SlackSite, site: TeamsSite, hands: Hands, where: str
) -> None:
    """CD-01, CD-04, CD-07, AS-36, PN-16, I3: four copies of one call; whoever is first decides; all of them say who."""
    rules = policy(ladder=EVERYWHERE)
    async with build_both(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        await bot.mention("ana", "pay")
        first = await bot.in_playground()
        bot.clock.advance(minutes=4)
        there, here = await bot.on_slack(at=slack.ops), await bot.on_teams(at=site.ops)
        await slack.slack.until(lambda: slack.titled("Approval needed"), "Slack")
        late_slack, late_teams = slack.press("chris", "Approve", there), site.press("chris", "Approve", here)

        match where:
            case "slack":
                assert await slack.presses("bo", "Approve", there) == "Approved. It runs now."
            case "teams":
                assert await site.presses("bo", "Approve", here) == "Approved. It runs now."
            case "playground":
                assert (await bot.played("approve", first, by="bo")).text == "Approved. It runs now."
            case _:
                assert await in_own_chat(bot) == "Approved. It runs now."

        who = "Dana" if where == "own chat" else "Bo"
        assert await slack.clicks("chris", late_slack) == f"{who} already answered: approved."
        assert (await site.sends("chris", late_teams)).words == f"{who} already answered: approved."
        await bot.shows("ok wire 90 bank")
        assert await settled(bot)
        assert hands.did == ["wire 90 bank"]
        assert len(await events(bot, "request_decided")) == 1
        assert not bot.live()
        for text in (slack.text(there), site.text(here), first.card.status):
            assert f"Approved by {who}" in text


async def test_a_page_beside_both_shows_the_same_card_and_its_end(
    slack: SlackSite, site: TeamsSite, redis_url: str, namespace: str, tmp_path: Path, hands: Hands
) -> None:
    """PN-16, CD-01: Slack channel, Teams channel, Dana's own chat and the local page at once; bo signs on the page."""
    rules = policy(ladder=EVERYWHERE.replace('"slack/#ops"', '"playground/#approvals"'))
    parts: dict[str, Any] = {"policy": rules, "tools": hands.tools, "model": Played(WIRE)}
    async with Paged(slack, site, redis_url, namespace, tmp_path, **parts) as bot:
        await slack.asks("ana", "pay")
        there = await bot.on_slack(at=slack.ops)
        bot.clock.advance(minutes=4)
        here, own = await bot.on_teams(at=site.ops), await bot.on_slack(at=slack.dm("dana"))
        shown = await bot.reader.card("bo")
        approve = next(button for button in shown["card"]["buttons"] if button["move"] == "approve")
        late = site.press("chris", "Approve", here)

        status, answer = await bot.reader.press("bo", shown["ref"], approve)

        assert (status, answer["text"]) == (200, "Approved. It runs now.")
        assert (await site.sends("chris", late)).words == "Bo already answered: approved."
        await slack.slack.until(lambda: "ok wire" in "".join(map(slack.text, slack.posts())), "Slack hears of it")
        assert await settled(bot)
        assert hands.did == ["wire 90 bank"]
        assert not bot.live()
        on_page = next(one for one in await bot.reader.messages("bo") if one["id"] == shown["id"])
        assert not on_page["card"]["buttons"]
        for text in (slack.text(there), site.text(here), slack.text(own), on_page["card"]["status"]):
            assert "Approved by Bo" in text


async def test_the_same_task_leaves_the_same_record_wherever_it_is_given(
    build_both: Build, slack: SlackSite, site: TeamsSite, hands: Hands
) -> None:
    """AS-36, CD-01, CD-04: one script, three chats: one card each, one signature, one effect, the same events."""
    recorded: list[list[str]] = []
    async with build_both(policy=policy(), tools=hands.tools, model=Played(WIRE)) as bot:
        for where in ("playground", "slack", "teams"):
            before = len(await bot.audit())
            match where:
                case "playground":
                    await bot.mention("ana", "pay")
                    assert (await bot.played("approve", await bot.in_playground(), by="bo")).is_taken
                case "slack":
                    await slack.asks("ana", "pay")
                    assert await slack.presses("bo", "Approve", await bot.on_slack()) == "Approved. It runs now."
                case _:
                    await site.asks("ana", "pay")
                    assert await site.presses("bo", "Approve", await bot.on_teams()) == "Approved. It runs now."
            assert await settled(bot)
            told = [entry.event for entry in (await bot.audit())[before:]]
            assert "card_shown" in told
            recorded.append([event for event in told if event != "card_shown"])  # how often depends on the pace

        assert sorted(recorded[0]) == sorted(recorded[1]) == sorted(recorded[2])
        assert {"run_started", "request_opened", "vote_counted", "request_decided", "run_ended"} <= set(recorded[2])
        assert hands.did == ["wire 90 bank"] * 3
        assert not bot.live()


async def in_own_chat(bot: Both) -> str:
    """Dana, who is asked by direct message, signs where her first account is."""
    dana = bot.slack.dm("dana")
    copy = await bot.on_slack(at=dana)
    return await bot.slack.presses("dana", "Approve", copy)


async def test_a_quorum_counts_persons_and_not_accounts(
    build_both: Build, slack: SlackSite, site: TeamsSite, hands: Hands
) -> None:
    """PN-03, I5, D-30: bo signs on Slack and again in Teams; that is one of two. Chris, in Teams, is the other."""
    rules = policy("groups: [{of: approvers, need: 2}]", ladder=IN_TEAMS_TOO)
    async with build_both(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        await slack.asks("ana", "pay")
        there = await bot.on_slack(at=slack.ops)
        bot.clock.advance(minutes=2)
        here = await bot.on_teams(at=site.ops)

        assert (await slack.presses("bo", "Approve", there)).startswith("Counted: 1 of 2")
        assert "Approved" not in await site.presses("bo", "Approve", here)
        assert not hands.did
        assert len({one["person"] for one in await events(bot, "vote_counted")}) == 1
        assert await site.presses("ana", "Approve", here) != "Approved. It runs now."
        assert await site.presses("chris", "Approve", here) == "Approved. It runs now."

        await slack.slack.until(lambda: "ok wire" in "".join(map(slack.text, slack.posts())), "Slack hears of it")
        assert await settled(bot)
        assert not bot.live()
        assert hands.did == ["wire 90 bank"]


async def test_a_team_of_agents_is_worked_with_by_people_on_both_platforms(
    build_both: Build, slack: SlackSite, site: TeamsSite, hands: Hands
) -> None:
    """PN-01, PN-02: given in Slack to patterns in a pattern; words of it call a manager in, a draft is reviewed, and
    the call it leads to is changed in Teams: that version takes two signatures, one on each platform.
    """
    draft = Sequential(name="draft", members=(agent("drafter"), Reviewer(name="lead", of="approvers")))
    team = Sequential(name="team", members=(draft, agent("payer", "wire")))
    guarded = Escalation(name="guarded", member=team, triggers=(Trigger(name="A threat", words=("sue",)),))
    minds = Minds(drafter=["Pay 90."], payer=[calls(call("wire", amount=90)), "Paid."])
    rules = policy("groups: [{of: approvers, need: 1}, {of: managers, need: 1}]", ladder=IN_TEAMS_TOO)
    async with build_both(policy=rules, tools=hands.tools, agents=[guarded], model=minds) as bot:
        await slack.asks("ana", "they sue us, pay them")
        asked = await bot.on_slack("Do what is suggested", at=slack.dm("dana"))
        assert not minds.order
        await slack.presses("dana", "Do what is suggested", asked)
        await slack.presses("bo", "Accept", await bot.on_slack("Accept", at=slack.ops))
        await bot.on_slack(at=slack.ops)
        bot.clock.advance(minutes=2)
        first = await bot.on_teams(at=site.ops)
        assert "through payer" in site.text(first)

        await site.presses("chris", "Edit", first, **{"edit.amount": "80"})

        await slack.slack.until(
            lambda: any("80" in slack.text(one) for one in slack.titled("Approval needed")), "the new version"
        )
        await site.teams.until(lambda: "Approve" not in site.buttons(first), "the first version is dead in Teams")
        there = await bot.on_slack(at=slack.ops)
        bot.clock.advance(minutes=2)
        here = await bot.on_teams(at=site.ops)
        assert (await slack.presses("bo", "Approve", there)).startswith("Counted: 1 of 2")
        assert await site.presses("erin", "Approve", here) == "Approved. It runs now."
        await slack.slack.until(lambda: "Paid." in "".join(map(slack.text, slack.posts())), "Slack hears of it")
        assert await settled(bot)
        assert hands.did == ["wire 80 bank"]
        assert not bot.live()


# -------------------------------------------------------------- Teams is not there


@pytest.mark.parametrize("how", ["refused", "hangs"])
async def test_teams_that_is_down_delays_nothing_on_slack_and_catches_up(
    build_both: Build, slack: SlackSite, site: TeamsSite, hands: Hands, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CD-01, I9: the card on Slack is posted, signed and ended meanwhile; the one in Teams ends when Teams is back."""
    monkeypatch.setattr("adapters.teams.connector.DEADLINE", aiohttp.ClientTimeout(total=0.5))
    rules = policy(ladder=IN_TEAMS_TOO)
    async with build_both(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        await slack.asks("ana", "pay")
        await bot.on_slack(at=slack.ops)
        bot.clock.advance(minutes=2)
        copy = await bot.on_teams(at=site.ops)
        break_down = site.teams.faults.hang if how == "hangs" else site.teams.faults.lose_request
        for route in ("post", "put", "create"):
            break_down(route, ALWAYS)

        assert await slack.presses("bo", "Approve", await bot.on_slack(at=slack.ops)) == "Approved. It runs now."
        await slack.slack.until(lambda: not slack.live(), "everything on Slack has ended")
        assert site.buttons(copy)

        for route in ("post", "put", "create"):
            site.teams.faults.clear(route)
        assert await settled(bot)
        assert not bot.live()
        assert "Approved by Bo" in site.text(copy)
        assert hands.did == ["wire 90 bank"]


async def test_who_has_both_accounts_is_asked_where_they_can_be_reached(
    build_both: Build, slack: SlackSite, site: TeamsSite, hands: Hands
) -> None:
    """PN-16, CD-09: in Teams, where the task was given, dana does not have the app; Slack's message reaches her."""
    site.teams._world.personal(site.teams.person(site.ids["dana"])).is_installed = False
    rules = policy(ladder="{after: 1m, dm: manager(approver)}, {after: 4h, expire: true}")
    async with build_both(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        thread = await site.asks("ana", "pay")
        card = await bot.on_teams(at=site.ops)
        bot.clock.advance(minutes=2)

        copy = await bot.on_slack(at=slack.dm("dana"))

        assert not site.teams.direct(site.ids["dana"])
        assert await slack.presses("dana", "Approve", copy) == "Approved. It runs now."
        await site.teams.until(lambda: "ok wire" in site.said(thread), "the thread hears of it")
        assert await settled(bot)
        assert "Approved by Dana" in site.text(card)
        assert not bot.live()


def _settings(site: SlackSite) -> SlackSettings:
    slack = site.slack
    return SlackSettings(
        bot_token=slack.bot_token,
        signing_secret=slack.signing_secret,
        api_url=slack.api_url,
        address=Address(port=0),
    )
