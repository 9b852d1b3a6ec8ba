"""Channels by their names, as a rule says them: `#Finance`, or `#Team/Channel` where several teams have one.

    a place -> known by its id already | among the channels of the teams where the app is installed | Undeliverable

Teams tells a bot only about teams that have it, so whoever reads the refusal is told to add it there. What was found is
remembered for a minute, and its place for good (places). Not owned: who is in a team (graph, people).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog

from adapters.recall import Clock, Recall
from adapters.teams.codes import Outcome
from adapters.teams.connector import Connector, TeamsRefused, Where
from adapters.teams.places import Installed, Places, Seen
from adapters.teams.shapes import CHANNEL, PLATFORM
from bot.domain.chat import Place
from bot.domain.errors import Undeliverable
from bot.domain.wire import replace

log = structlog.get_logger()

KEEP = 60.0  # seconds a list of channels is believed
GENERAL = "General"  # a team's first channel, whose name Teams does not send
LEFT = frozenset({Outcome.NOT_INSTALLED, Outcome.GONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One channel of one team that has the app."""

    id: str
    name: str
    team: Installed
    team_name: str

    def is_called(self, name: str) -> bool:
        wanted = name.casefold()
        return wanted in (self.id.casefold(), self.name.casefold(), self.told.casefold())

    @property
    def told(self) -> str:
        return f"{self.team_name}/{self.name}"


class Rooms:
    """*home* is the tenant of places that name none; empty if that is not clear."""

    def __init__(self, places: Places, connector: Connector, home: str, clock: Clock = time.monotonic) -> None:
        self._places, self._connector, self._home = places, connector, home
        self._known = Recall[tuple[Room, ...]](clock, KEEP)

    async def placed(self, place: Place) -> Place:
        """*place* with its tenant, and with its channel's id. Raises Undeliverable, ChatUnavailable."""
        tenant = place.tenant or self._home
        if not tenant:
            why = "no tenant is named for it; write tenants: {teams: TENANT} in people.yml, or set TEAMS_TENANT_ID"
            raise Undeliverable(f"{PLATFORM}/#{place.channel}", why)
        place = replace(place, tenant=tenant)
        if place.is_direct or await self._places.seen(place) is not None:
            return place
        room = _the_one(place, await self.rooms(tenant))
        found = replace(place, channel=room.id)
        team = room.team
        seen = Seen(service_url=team.service_url, bot=team.bot, kind=CHANNEL, team=team.team)
        await self._places.know(found, seen)
        return found

    async def rooms(self, tenant: str) -> tuple[Room, ...]:
        """Every channel of *tenant* that the app may write to."""

        async def look() -> tuple[Room, ...]:
            return tuple([room for team in await self._places.teams(tenant) for room in await self._of(tenant, team)])

        return await self._known.get(tenant, look)

    async def _of(self, tenant: str, team: Installed) -> tuple[Room, ...]:
        at = Where(tenant=tenant, service_url=team.service_url, conversation=team.team)
        try:
            name = str((await self._connector.team(at, team.team)).get("name") or "")
            channels = await self._connector.channels(at, team.team)
        except TeamsRefused as refused:
            log.info("teams_team_left", team=team.team, outcome=refused.outcome)
            if refused.outcome in LEFT:
                general = Place(platform=PLATFORM, tenant=tenant, channel=team.team)
                await self._places.forget(general, team=team.team)
            return ()
        return tuple(
            Room(id=str(one["id"]), name=str(one.get("name") or GENERAL), team=team, team_name=name)
            for one in channels
            if one.get("id")
        )


def _the_one(place: Place, rooms: tuple[Room, ...]) -> Room:
    found = [room for room in rooms if room.is_called(place.channel)]
    where = f"{PLATFORM}/#{place.channel}"
    if not found:
        why = "no team that has this app has a channel of that name; add the app to its team, or correct the name"
        raise Undeliverable(where, why)
    if len(found) > 1:
        told = " or ".join(f"teams/#{room.told}" for room in found[:3])
        raise Undeliverable(where, f"several teams have a channel of that name; write {told}")
    return found[0]
