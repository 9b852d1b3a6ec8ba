"""The checkup: does Microsoft let us do what settings, policy.yml and people.yml count on? For whoever starts the bot.

    connected   a token of our own -> Teams' signing keys -> the tenants        needs nothing but the settings
    examined    Graph -> where the app is installed -> channels -> groups, people, quorums (rollcall)

Looks and changes nothing in Teams: no post, and no chat is opened. What it finds are plain sentences, each with its
remedy and none with a secret. Not owned: settings and files that are wrong in themselves (config, policyfile).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import aiohttp

from adapters.rollcall import Remark, Wanted, bad, good, looked, weak
from adapters.teams.clouds import Cloud, cloud_of
from adapters.teams.graph import NoPermission
from adapters.teams.http import PATH
from adapters.teams.keys import opened_keys
from adapters.teams.office import NONE, Office, TeamsSettings, credential, opened_office, problems
from adapters.teams.people import Trust
from adapters.teams.rollcall import FOREIGN, MOST_NAMED, Rollcall
from adapters.teams.shapes import PLATFORM
from adapters.teams.tokens import NoToken, Tokens
from bot.domain.chat import Place
from bot.domain.errors import ChatUnavailable, Undeliverable
from bot.domain.inert import show_line
from bot.domain.ports import Keep

NOBODY = "00000000-0000-0000-0000-000000000000"  # no directory has it: Graph says 404 to who may ask, 403 to others
PACKAGE = "`python -m bot manifest --teams` writes its package"
ADD = "add it there (the team's menu, Manage team, Apps)"


async def connected(settings: TeamsSettings) -> tuple[Remark, ...]:
    """What Entra and the Bot Framework say. Raises BadSettings for a cloud or certificate that cannot be used."""
    if wrong := list(problems(settings)):
        return tuple(bad(one, is_end=True) for one in wrong)
    if settings.auth == NONE:
        told = "TEAMS_AUTH=none: whoever reaches the port speaks as anybody; for emulators on this machine alone"
        return (weak(told),)
    cloud = cloud_of(settings.cloud, settings.changes)
    async with aiohttp.ClientSession() as session:
        tokens = Tokens(session, cloud, settings.tenant, credential(settings))
        return (
            await _token(tokens, cloud, settings),
            await _keys(session, cloud),
            good(f"people of tenant {' and '.join(sorted(settings.allowed))} may work here"),
        )


async def examined(settings: TeamsSettings, keep: Keep, wanted: Wanted[Trust]) -> tuple[Remark, ...]:
    """What Microsoft says to channels, groups and people, and what is known of where the app is.

    Raises BadSettings, ChatUnavailable or StoreUnavailable if it cannot even begin.
    """
    async with opened_office(settings, keep) as office:
        checkup = _Checkup(office, wanted)
        found = await checkup.remarks()
        if any(one.is_end for one in found):
            return tuple(found)
        return (*found, *await Rollcall(office, wanted, is_asked=checkup.is_asked).remarks())


# ------------------------------------------------------------------- tokens


async def _token(tokens: Tokens, cloud: Cloud, settings: TeamsSettings) -> Remark:
    try:
        await tokens.get(cloud.scope)
    except NoToken as error:
        if error.remedy:
            return bad(f"Entra refuses the app ({error.reason}): {error.remedy.rstrip('.')}", is_end=True)
        told = f"Entra gives no token at {cloud.login} ({error.reason})"
        return bad(f"{told}; look at the network, TEAMS_CLOUD and TEAMS_LOGIN_URL", is_end=True)
    return good(f"Entra gives app {settings.app_id} of tenant {settings.tenant} a token for the Bot Connector")


async def _keys(session: aiohttp.ClientSession, cloud: Cloud) -> Remark:
    try:
        async with opened_keys(session, cloud.metadata) as keys:
            await keys.load()
    except ChatUnavailable as error:
        told = f"the keys that Teams signs with cannot be loaded ({error.why}), so nobody would be heard"
        return bad(f"{told}; look at the network, TEAMS_CLOUD and TEAMS_OPENID_METADATA", is_end=True)
    return good("the keys that Teams signs with are loaded")


# ------------------------------------------------------- the app in its tenants


class _Checkup:
    def __init__(self, office: Office, wanted: Wanted[Trust]) -> None:
        self._office, self._wanted = office, wanted
        self.is_asked = False  # may Graph be asked about people?

    async def remarks(self) -> list[Remark]:
        looks = (
            ("the permission to ask Graph", self._graph),
            ("where the app is installed", self._installs),
            ("the channels", self._channels),
        )
        return await looked(looks, FOREIGN)

    async def _graph(self) -> AsyncIterator[Remark]:
        graph, alone = self._office.lookups.sources.graph, "managers come from people.yml alone"
        if graph is None:
            yield good(f"Graph is not asked: {alone}")
            return
        try:
            await graph.user(NOBODY)
        except NoPermission as lacking:
            told = f"Graph may not be asked about people: {alone}, and guests are told by the rosters of teams"
            remedy = f"grant the application permission {lacking} in Entra, or set TEAMS_GRAPH=false"
            yield weak(f"{told}; {remedy}")
        else:
            self.is_asked = True
            yield good("Graph tells who people are and who leads them")

    async def _installs(self) -> AsyncIterator[Remark]:
        """Where we were heard from: without that, nothing about channels and teams can be known."""
        tenants = sorted(self._wanted.trust.tenants)
        heard = [tenant for tenant in tenants if await self._office.places.tenant(tenant) is not None]
        for tenant in tenants:
            if tenant not in heard:
                told = f"Teams has sent nothing from tenant {tenant} yet; {PACKAGE}: upload that, add it to a team"
                where = f"and have the bot's messaging endpoint lead to port {self._port} here, path {PATH}"
                yield weak(f"{told}, {where}, while `python -m bot serve` runs", is_end=not heard)
        for tenant in heard:
            teams = {room.team.team: room.team_name for room in await self._office.rooms.rooms(tenant)}
            if teams:
                yield good(f"the app is in {len(teams)} of the teams of {tenant}: {_some(teams.values())}")
            else:
                told = f"the app is in no team of {tenant}, so it works in no channel and reads no team's members"
                yield weak(f"{told}; {ADD}")

    async def _channels(self) -> AsyncIterator[Remark]:
        """Every channel that is named somewhere: can a card be put there?"""
        fallback = self._office.settings.fallback
        places = [*self._wanted.places, *([(fallback, "TEAMS_FALLBACK_CHANNEL")] if fallback else [])]
        for place, named_by in places:
            name = place.removeprefix("#")
            try:
                await self._office.rooms.placed(Place(platform=PLATFORM, tenant="", channel=name))
            except Undeliverable as lost:
                yield bad(f"{named_by}: channel {name} is not reached: {lost.why}")
            else:
                yield good(f"{named_by}: channel {name} is there, in a team that has the app")

    @property
    def _port(self) -> int:
        return self._office.settings.address.port


def _some(names: Iterable[str]) -> str:
    """Names of somebody else's, for a terminal."""
    found = [show_line(name) for name in names]
    more = len(found) - MOST_NAMED
    return ", ".join(found[:MOST_NAMED]) + (f" and {more} others" if more > 0 else "")
