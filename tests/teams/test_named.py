"""Channels by their names: as a rule says them, among the teams that have the app."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.teams.named import Rooms
from bot.domain.chat import Place
from bot.domain.errors import ChatUnavailable, Undeliverable
from tests.teams.indoors import Indoors, indoors


@pytest.fixture
async def house() -> AsyncIterator[Indoors]:
    async with indoors() as house:
        yield house


def called(name: str, tenant: str = "") -> Place:
    return Place(platform="teams", tenant=tenant, channel=name)


async def two_teams(house: Indoors) -> str:
    """Support and Sales, each with a channel ops. Returns the id of Sales."""
    sales = house.teams.add_team("Sales", ["ops", "deals"], [house.ana, house.bo])
    await house.said(house.ana, house.team)
    await house.said(house.ana, sales)
    return sales


async def test_a_name_is_the_one_channel_of_that_name(house: Indoors) -> None:
    """PN-16: in any case; its tenant is the app's own where the rule names none."""
    await two_teams(house)

    place = await house.office.rooms.placed(called("Deals"))

    assert place == house.place(channel=house.teams.channel("deals"))
    assert (await house.office.places.where(place)).service_url == house.teams.service_url


async def test_a_name_that_two_teams_have_needs_its_team(house: Indoors) -> None:
    await two_teams(house)

    with pytest.raises(Undeliverable, match="write teams/#Support/ops or teams/#Sales/ops"):
        await house.office.rooms.placed(called("ops"))

    assert (await house.office.rooms.placed(called("support/ops"))).channel == house.ops


async def test_the_channel_without_a_name_is_called_general(house: Indoors) -> None:
    """Teams sends no name for a team's first channel: every client translates it."""
    sales = await two_teams(house)

    assert (await house.office.rooms.placed(called("Sales/General"))).channel == sales


async def test_an_id_is_a_name_too_and_a_known_place_is_asked_for_nowhere(house: Indoors) -> None:
    await house.said(house.ana, house.team)
    assert (await house.office.rooms.placed(called(house.ops))).channel == house.ops
    asked = len(house.teams.called)

    await house.office.rooms.placed(house.place())

    assert len(house.teams.called) == asked


async def test_what_was_found_is_believed_for_a_minute(house: Indoors) -> None:
    await house.said(house.ana, house.team)
    clock = [0.0]
    rooms = Rooms(house.office.places, house.office.connector, house.teams.tenant, lambda: clock[0])
    assert len(await rooms.rooms(house.teams.tenant)) == 2

    asked = len(house.teams.calls("channels"))
    with pytest.raises(Undeliverable):
        await rooms.placed(called("unheard"))
    assert len(house.teams.calls("channels")) == asked
    clock[0] = 61.0
    with pytest.raises(Undeliverable):
        await rooms.placed(called("unheard"))
    assert len(house.teams.calls("channels")) == asked + 1


async def test_a_team_that_left_is_passed_over_and_forgotten(house: Indoors) -> None:
    await two_teams(house)
    house.teams._world.teams[house.team].has_app = False  # Teams told nobody

    assert (await house.office.rooms.placed(called("ops"))).channel != house.ops

    assert len(await house.office.places.teams(house.teams.tenant)) == 1


async def test_a_service_that_is_down_is_no_missing_channel(house: Indoors) -> None:
    """Fail closed: nobody knows, so it is tried again; nothing is called undeliverable."""
    await house.said(house.ana, house.team)
    house.teams.faults.fail("channels", 500, "ServiceError")

    with pytest.raises(ChatUnavailable):
        await house.office.rooms.placed(called("ops"))


async def test_without_a_tenant_anywhere_the_rule_says_what_is_missing(house: Indoors) -> None:
    rooms = Rooms(house.office.places, house.office.connector, "")

    with pytest.raises(Undeliverable, match=r"tenants: \{teams: TENANT\}"):
        await rooms.placed(called("ops"))
