"""Places: learned from what Teams says, forgotten when we are removed, and the same for every process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.teams.clouds import ForeignHost
from adapters.teams.places import Places, Seen
from bot.domain.chat import MessageRef, Place
from bot.domain.errors import Undeliverable
from tests.fakes.teams import Json
from tests.teams.indoors import Indoors, indoors, signable


@pytest.fixture
async def house() -> AsyncIterator[Indoors]:
    async with indoors() as house:
        yield house


async def told(house: Indoors, id: str, *, removed: bool = False, action: str = "") -> None:
    """Install or remove the app, and learn from whatever Teams says of it."""
    teams = house.teams
    await (teams.uninstall(id, action=action or "remove") if removed else teams.install(id, action=action or "add"))
    for delivery in teams.deliveries:
        await house.heard(delivery.activity)


async def test_what_is_learned_outlives_the_process(house: Indoors) -> None:
    """Section 12: everything works after a restart, before anybody writes."""
    thread = await house.settle()

    where = await Places(house.keep).where(house.place(thread))

    assert where.conversation == f"{house.ops};messageid={thread}"
    assert where.service_url == house.teams.service_url


async def test_a_place_nobody_spoke_of_is_refused_with_a_remedy(house: Indoors) -> None:
    with pytest.raises(Undeliverable, match="add the app to that team or chat"):
        await house.office.places.where(house.place())


@pytest.mark.parametrize("action", ["remove", "remove-upgrade"])
async def test_whoever_takes_the_app_away_is_written_to_no_more(house: Indoors, action: str) -> None:
    """Section 6: `installationUpdate` with any kind of removal; another installation brings the chat back."""
    await house.settle()
    account = house.account(house.ana)
    assert await house.office.places.direct(account) is not None

    await told(house, house.ana, removed=True, action=action)
    assert await house.office.places.direct(account) is None

    await house.said(house.ana, house.teams.direct_chat(house.ana))
    assert await house.office.places.direct(account) is not None


async def test_a_team_that_removed_the_app_is_asked_for_nothing(house: Indoors) -> None:
    """Section 6: `conversationUpdate` names the bot among those removed; it may come back."""
    tenant = house.teams.tenant
    await told(house, house.team)
    assert [one.team for one in await house.office.places.teams(tenant)] == [house.team]

    await told(house, house.team, removed=True)
    assert await house.office.places.teams(tenant) == ()

    await house.said(house.ana, house.ops)
    assert [one.team for one in await Places(house.keep).teams(tenant)] == [house.team]


async def test_many_teams_are_remembered_though_they_come_at_once(house: Indoors) -> None:
    """Two processes enlist two teams: a number each, and nobody overwrites anybody."""
    other = house.teams.add_team("Sales", ["deals"], [house.ana])
    here, there = Places(house.keep), Places(house.keep)
    from adapters.teams.shapes import Inbound

    await here.learn(Inbound.of(house.teams.words(house.ana, house.ops, "hello")))
    await there.learn(Inbound.of(house.teams.words(house.ana, house.teams.channel("deals"), "hello")))
    await here.learn(Inbound.of(house.teams.words(house.ana, house.ops, "hello again")))

    assert [one.team for one in await here.teams(house.teams.tenant)] == [house.team, other]


async def test_what_is_known_already_is_not_written_again_at_once(house: Indoors) -> None:
    """A busy channel costs the store one write a minute, and a forgotten place comes back within one."""
    clock = [0.0]
    places = Places(house.keep, clock=lambda: clock[0])
    from adapters.teams.shapes import Inbound

    hello = Inbound.of(house.teams.words(house.ana, house.ops, "hello"))
    await places.learn(hello)
    house.keep.values.clear()

    await places.learn(hello)
    assert await places.seen(house.place()) is None

    clock[0] = 61.0
    await places.learn(hello)
    assert await places.seen(house.place()) is not None


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/emea/",
        "https://smba.trafficmanager.net.evil.example/",
        "https://u@smba.trafficmanager.net/",
        "http://smba.trafficmanager.net/emea/",
    ],
)
async def test_a_stored_service_url_is_input_like_any_other(house: Indoors, url: str) -> None:
    """T24, section 7: somebody changed what is kept. No request leaves, and no token is sent."""
    await house.settle()
    seen = await house.office.places.seen(house.place())
    assert seen is not None
    await house.office.places.know(house.place(), Seen(service_url=url, bot=seen.bot, kind=seen.kind))
    before = len(house.teams.called)

    with pytest.raises(Undeliverable, match="no service URL of this cloud"):
        await house.mouth().post(signable(), house.place(), key="k")
    with pytest.raises(ForeignHost):
        await house.office.connector.members(await house.office.places.where(house.place()))

    assert len(house.teams.called) == before


async def test_a_click_that_names_no_conversation_is_found_by_its_message(house: Indoors) -> None:
    """AdaptiveCards#8864: only `replyToId` says where it stood."""
    thread = await house.settle()
    ref = await house.mouth().post(signable(), house.place(thread), key="k")

    assert await Places(house.keep).posted_at(house.teams.tenant, ref.id) == ref
    assert await Places(house.keep).posted_at("another tenant", ref.id) is None


async def test_ids_are_opaque_and_never_names_of_the_store(house: Indoors) -> None:
    """Whatever an id holds, it reads and writes its own entry alone."""
    strange = Place(platform="teams", tenant="t\0", channel="a|b:c\0d")
    places = house.office.places
    await places.know(strange, Seen(service_url="https://x/", bot="28:b"))
    ref = MessageRef(place=strange, id="1\0")

    assert await places.seen(strange) is not None
    assert await places.seen(Place(platform="teams", tenant="t", channel="\0a|b:c\0d")) is None
    assert await places.standing(ref) is None
    assert all("\0" not in name and len(name) < 80 for name in house.keep.values)


async def test_a_bot_is_met_by_nobody(house: Indoors) -> None:
    """T17: what a bot says teaches us nothing about a person."""
    words: Json = house.teams.words(house.ana, house.ops, "hello")
    words["from"] = {"id": house.teams.bot_id, "role": "bot"}

    inbound = await house.heard(words)

    assert await house.office.places.met(inbound.by) is None
