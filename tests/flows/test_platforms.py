"""One request on several platforms at once: people vote, not accounts, and a platform that is down holds nobody up."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from bot.domain.chat import Account, Answer, Card, MessageRef, Person, PersonId, Place
from bot.domain.errors import ChatUnavailable, Undeliverable
from bot.domain.wire import replace
from bot.peoplefile import PeopleDirectory
from bot.runtime.parts import Parts
from tests.fakes.chat import FakeChat, Posted
from tests.flows.stage import Hands, Played, call, calls, events, moves, policy, request_of, settled, shown
from tests.house import House, click, find, words

WIRE = calls(call("wire", amount=90))
TENANTS = {"playground": "local", "slack": "T1", "teams": "T1"}
PLATFORMS = tuple(TENANTS)
TO_BOTH = policy(ladder='{after: 1m, also: "slack/#ops"}, {after: 2m, also: "teams/#Ops"}, {after: 4h, expire: true}')


def person(who: str, platforms: Sequence[str], *groups: str) -> Person:
    accounts = tuple(Account(platform=one, tenant=TENANTS[one], user=who) for one in platforms)
    return Person(id=PersonId(who), name=who.title(), accounts=accounts, groups=frozenset(groups))


STAFF = PeopleDirectory(
    (
        person("ana", PLATFORMS),
        person("bo", PLATFORMS, "approvers"),
        person("chris", ("teams", "slack"), "approvers"),
    )
)


class Elsewhere(FakeChat):
    """Another platform: it fills in the tenant that a rule leaves out, and its refs name no thread."""

    nobody: frozenset[str] = frozenset()  # who cannot be written to

    async def direct(self, to: Account) -> Place:
        if to.user in self.nobody:
            raise Undeliverable(f"{self.platform}/{to.user}", "the app is not installed for them")
        return replace(await super().direct(to), tenant="T1")

    async def post(self, card: Card, place: Place, *, key: str) -> MessageRef:
        return await super().post(card, replace(place, tenant=place.tenant or "T1"), key=key)


class Wide(House):
    """A house with three platforms. Tasks are given in the playground."""

    slack: Elsewhere
    teams: Elsewhere

    async def _parts(self) -> Parts:
        self.slack, self.teams = Elsewhere(platform="slack"), Elsewhere(platform="teams")
        chats = {chat.platform: chat for chat in (self.chat, self.slack, self.teams)}
        return dataclasses.replace(await super()._parts(), chats=chats)

    async def press_on(self, chat: FakeChat, move: str, post: Posted, *, by: str) -> Answer:
        """Press a button there, with an account of there."""
        pressed = click(find(post, move), post, by, uuid.uuid4().hex[:8])
        account = Account(platform=chat.platform, tenant=TENANTS[chat.platform], user=by)
        await self._confirmed(pressed.subject, post)
        return await self.desk.click(replace(pressed, by=account))

    async def card_on(self, chat: FakeChat) -> Posted:
        await chat.until(lambda: any(moves(post) for post in chat.posts), f"a card on {chat.platform}")
        return next(post for post in chat.posts if moves(post))


@pytest.fixture
def wide(redis_url: str, namespace: str, tmp_path: Path) -> Callable[..., Wide]:
    return partial(Wide, redis_url, namespace, tmp_path, directory=STAFF)


def down(platform: str) -> Callable[[str, Card, Place], None]:
    def fail(_what: str, _card: Card, _place: Place) -> None:
        raise ChatUnavailable(platform, "down", retry_after=0.01)

    return fail


def up(_what: str, _card: Card, _place: Place) -> None:
    """All is well."""


async def spread(house: Wide) -> list[Posted]:
    """The card on all three platforms."""
    await house.mention("ana", "pay")
    first = await house.card()
    house.clock.advance(minutes=2, seconds=5)
    return [first, await house.card_on(house.slack), await house.card_on(house.teams)]


async def test_the_first_valid_decision_wins_wherever_it_is_made(wide: Callable[..., Wide], hands: Hands) -> None:
    """CD-01, CD-07, PN-16, D-45: the card stands on three platforms; Bo signs in Teams, Chris is late in Slack, and all
    three show the end.
    """
    async with wide(policy=TO_BOTH, tools=hands.tools, model=Played(WIRE)) as house:
        posts = await spread(house)
        assert [(post.place.platform, post.place.tenant, post.place.channel) for post in posts] == [
            ("playground", "local", "general"),
            ("slack", "T1", "ops"),
            ("teams", "T1", "Ops"),
        ]
        await house.shows("No answer yet: shown in teams/#Ops as well.")

        assert (await house.press_on(house.teams, "approve", posts[2], by="bo")).is_taken
        late = await house.press_on(house.slack, "approve", posts[1], by="chris")

        assert (late.is_taken, late.text) == (False, "Bo already answered: approved.")
        await house.shows("ok wire 90 bank")
        assert await settled(house)
        assert [(post.card.title, moves(post)) for post in posts] == [("Approved: wire", [])] * 3
        assert hands.did == ["wire 90 bank"]


async def test_two_platforms_are_not_two_persons(wide: Callable[..., Wide], hands: Hands) -> None:
    """CD-01, PN-16, T15: two must sign. Bo signs in Slack and again in Teams: that is one. Chris makes it two."""
    both = policy(
        ask="groups: [{of: approvers, need: 2}]",
        ladder='{after: 1m, also: "slack/#ops"}, {after: 2m, also: "teams/#Ops"}, {after: 4h, expire: true}',
    )
    async with wide(policy=both, tools=hands.tools, model=Played(WIRE)) as house:
        posts = await spread(house)

        assert (await house.press_on(house.slack, "approve", posts[1], by="bo")).is_taken
        again = await house.press_on(house.teams, "approve", posts[2], by="bo")

        held = await request_of(house, posts[0])
        assert [vote.person for vote in held.votes] == ["bo"]
        assert held.is_open
        assert hands.did == []
        assert "already" in again.text.lower()
        assert (await house.press_on(house.teams, "approve", posts[2], by="chris")).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)
        assert [moves(post) for post in posts] == [[], [], []]


async def test_a_platform_that_is_down_holds_up_no_other(wide: Callable[..., Wide], hands: Hands) -> None:
    """CD-01: Slack takes nothing. The card in the thread is signed, the call runs and its end is read meanwhile."""
    async with wide(policy=TO_BOTH, tools=hands.tools, model=Played(WIRE)) as house:
        house.slack.fail = down("slack")
        await house.mention("ana", "pay")
        card = await house.card()
        house.clock.advance(minutes=2, seconds=5)
        in_teams = await house.card_on(house.teams)

        assert (await house.press("approve", by="bo", card=card)).is_taken

        await house.shows("Results: ok wire 90 bank")
        await house.teams.until(lambda: not moves(in_teams), "the card in Teams has ended")
        assert house.slack.posts == []
        house.slack.fail = up
        assert await settled(house)


async def test_a_thread_is_told_while_its_card_waits_for_another_platform(
    wide: Callable[..., Wide], hands: Hands
) -> None:
    """CD-01: the rule's channel is in Teams, which is down; the reminder in the thread is read, and the card comes."""
    rules = policy(ladder="{after: 5m, remind: here}, {after: 4h, expire: true}", more='    place: "teams/#Ops"\n')
    async with wide(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        house.teams.fail = down("teams")
        await house.mention("ana", "pay")
        await house.chat.until(lambda: house.chat.posts, "the run has begun")
        while not (await house.store.totals(0)).pending:
            pass
        house.clock.advance(minutes=5, seconds=1)

        await house.shows("Reminder: wire still waits")

        assert house.teams.posts == []
        house.teams.fail = up
        card = await house.card_on(house.teams)
        assert (card.place.channel, card.place.tenant) == ("Ops", "T1")
        assert (await house.press_on(house.teams, "approve", card, by="chris")).is_taken
        await house.shows("Results: ok wire 90 bank")
        assert await settled(house)


DM = policy(ladder='{after: 1m, dm: "@chris"}, {after: 4h, expire: true}')


async def test_a_direct_message_goes_to_the_first_account_that_can_be_reached(
    wide: Callable[..., Wide], hands: Hands
) -> None:
    """CD-01: Chris has no app in Teams, so the card comes to Slack, and is signed there."""
    async with wide(policy=DM, tools=hands.tools, model=Played(WIRE)) as house:
        house.teams.nobody = frozenset({"chris"})
        await house.mention("ana", "pay")
        await house.card()
        house.clock.advance(minutes=1, seconds=1)

        card = await house.card_on(house.slack)

        assert card.place.channel == "dm-chris"
        assert house.teams.posts == []
        assert (await house.press_on(house.slack, "approve", card, by="chris")).is_taken
        assert await settled(house)
        assert await events(house, "card_lost") == []


async def test_an_account_where_posting_is_refused_is_passed_over_too(wide: Callable[..., Wide], hands: Hands) -> None:
    """CD-01: the chat exists, and takes nothing: the person blocked the bot there."""

    def blocked(_what: str, _card: Card, place: Place) -> None:
        raise Undeliverable(place.key, "blocked")

    async with wide(policy=DM, tools=hands.tools, model=Played(WIRE)) as house:
        house.teams.fail = blocked
        await house.mention("ana", "pay")
        first = await house.card()
        house.clock.advance(minutes=1, seconds=1)

        assert (await house.card_on(house.slack)).place.channel == "dm-chris"

        await house.press("approve", by="bo", card=first)
        assert await settled(house)


async def test_whoever_no_account_reaches_is_lost_with_the_last_reason(wide: Callable[..., Wide], hands: Hands) -> None:
    async with wide(policy=DM, tools=hands.tools, model=Played(WIRE)) as house:
        house.teams.nobody = house.slack.nobody = frozenset({"chris"})
        await house.mention("ana", "pay")
        first = await house.card()
        house.clock.advance(minutes=1, seconds=1)
        while not await events(house, "card_lost"):
            pass

        [lost] = await events(house, "card_lost")
        assert (lost["copy"], lost["why"]) == ("dm-chris", "the app is not installed for them")
        await shown(house)
        await house.press("approve", by="bo", card=first)
        assert await settled(house)
        assert "Approved by Bo" in words(first)
