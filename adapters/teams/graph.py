"""What Microsoft says about people: Graph where the app may read it, else the rosters of where the app is.

    Graph   /users/{id} · /users/{id}/manager · /groups/{id}/transitiveMembers
    roster  the conversation they were seen in, their own chat, the teams that have the app

A look-up that fails raises ChatUnavailable; none answers from an old one. A permission that nobody granted is no
failure: it is said once, and the roster alone is believed. Not owned: which person an account is (people).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import structlog
from yarl import URL

from adapters.called import called
from adapters.recall import KEEP, Clock, Recall
from adapters.teams.bodies import body_of
from adapters.teams.clouds import Cloud, ForeignHost
from adapters.teams.codes import Outcome
from adapters.teams.connector import Connector, TeamsRefused, Where
from adapters.teams.places import Installed, Places, around
from adapters.teams.shapes import PLATFORM, Raw
from adapters.teams.tokens import Tokens
from bot.domain.chat import Account
from bot.domain.errors import BadJson, ChatUnavailable, Unsatisfiable
from bot.domain.wire import MAX_BYTES, read_signed

log = structlog.get_logger()

KEEP_MANAGER = 4 * 3600.0  # seconds; who leads whom changes seldom, and is asked anew for what is high-risk
DENIED_AGAIN = 3600.0  # seconds until a permission that was missing is asked for again
DEADLINE = aiohttp.ClientTimeout(total=8.0)  # seconds of one request
MOST = 5_000  # members of a group that are read
MOST_PAGES = 50
MOST_TEAMS = 10  # rosters in which somebody is looked for
USERS = "User.Read.All"
NOBODY = "00000000-0000-0000-0000-000000000000"  # an object id that no directory gives
PERSON = "id,displayName,mail,userPrincipalName,userType,accountEnabled"
ABSENT = frozenset({Outcome.NOBODY, Outcome.GONE, Outcome.NOT_INSTALLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One account of one tenant, as Microsoft sees it now."""

    id: str
    name: str
    addresses: frozenset[str] = frozenset()  # in lower case; an administrator gave them
    is_active: bool = True
    is_guest: bool = False
    is_bot: bool = False  # no roster lists any
    zone: str = ""  # nobody says

    @property
    def is_full(self) -> bool:
        return self.is_active and not self.is_guest


class NoPermission(Exception):
    """The tenant's administrator has not granted what this look-up needs."""


class Graph:
    """Microsoft Graph, for the app's own tenant. The session belongs to whoever opened it."""

    def __init__(
        self, session: aiohttp.ClientSession, cloud: Cloud, tokens: Tokens, clock: Clock = time.monotonic
    ) -> None:
        self._session, self._cloud, self._tokens, self._clock = session, cloud, tokens, clock
        self._denied: dict[str, float] = {}  # permission -> when it is tried again

    @property
    def knows_users(self) -> bool:
        """False once the tenant has refused to tell who is there, and until it tells again."""
        return USERS not in self._denied

    async def look(self) -> None:
        """Find out before anybody is judged whether users may be read at all. Raises ChatUnavailable."""
        with suppress(NoPermission):
            await self.user(NOBODY)

    async def user(self, id: str) -> User | None:
        """None for an unknown one, or one that was deleted. Raises NoPermission, ChatUnavailable."""
        said = await self._get(USERS, f"users/{quote(id, safe='')}", {"$select": PERSON})
        return None if said is None else _from_graph(said)

    async def manager(self, id: str) -> str | None:
        """The object id of their manager; None if they have none. Raises NoPermission, ChatUnavailable."""
        said = await self._get(USERS, f"users/{quote(id, safe='')}/manager", {"$select": "id"})
        return str(said.get("id") or "") or None if said else None

    async def members(self, group: str) -> frozenset[str] | None:
        """The object ids in a group and the groups inside it. None if it is not there. Raises as the others."""
        path: str = f"groups/{quote(group, safe='')}/transitiveMembers"
        query: Mapping[str, str] = {"$select": "id", "$top": "999"}
        found: set[str] = set()
        for _ in range(MOST_PAGES):
            said = await self._get("GroupMember.Read.All", path, query)
            if said is None:
                return None
            found |= {one["id"] for one in _objects(said.get("value")) if _is_user(one)}
            after = said.get("@odata.nextLink")
            if not isinstance(after, str) or not after or len(found) > MOST:
                return frozenset(found)
            path, query = self._next(after)
        return frozenset(found)

    def _next(self, link: str) -> tuple[str, Mapping[str, str]]:
        """The next page, on Graph's own host and nowhere else: a token goes along."""
        url = URL(link)
        if str(url.origin()) != str(URL(self._cloud.graph).origin()) or not url.path.startswith("/v1.0/"):
            raise ChatUnavailable(PLATFORM, "Graph's next page is elsewhere")
        return url.path.removeprefix("/v1.0/"), url.query

    async def _get(self, permission: str, path: str, query: Mapping[str, str]) -> Raw | None:
        if self._clock() < self._denied.get(permission, 0.0):
            raise NoPermission(permission)
        token, status, body = "", 0, b""
        for _ in range(2):
            token = await self._tokens.get(f"{self._cloud.graph}/.default", refused=token)
            status, body = await self._ask(path, query, token)
            if status != 401:
                break
        match status:
            case 200 | 404:
                self._denied.pop(permission, None)
                return _object(body) if status == 200 else None
            case 403:
                self._deny(permission)
                raise NoPermission(permission)
        raise ChatUnavailable(PLATFORM, f"Graph answered HTTP {status}")

    async def _ask(self, path: str, query: Mapping[str, str], token: str) -> tuple[int, bytes]:
        url = URL(f"{self._cloud.graph}/v1.0/{path}?{urlencode(query, quote_via=quote)}", encoded=True)
        headers = {"Authorization": f"Bearer {token}"}
        try:
            async with self._session.get(url, headers=headers, timeout=DEADLINE, allow_redirects=False) as answer:
                return answer.status, await body_of(answer, MAX_BYTES)
        except (aiohttp.ClientError, OSError) as error:
            raise ChatUnavailable(PLATFORM, f"Graph: {type(error).__name__}") from error

    def _deny(self, permission: str) -> None:
        if permission not in self._denied:
            remedy = "people.yml and the rosters are believed alone; grant it in Entra, or set TEAMS_GRAPH=false"
            log.warning("teams_graph_denied", permission=permission, remedy=remedy)
        self._denied[permission] = self._clock() + DENIED_AGAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is asked. *graph* answers for accounts of *home* alone; without it the rosters are all there is."""

    connector: Connector
    places: Places
    home: str
    graph: Graph | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What was heard, each by `tenant/what`."""

    users: Recall[User | None]
    managers: Recall[str | None]
    members: Recall[frozenset[str]]

    @classmethod
    def empty(cls, clock: Clock) -> Memory:
        return cls(users=Recall(clock, KEEP), managers=Recall(clock, KEEP_MANAGER), members=Recall(clock, KEEP))

    def fresh(self) -> Memory:
        """An empty one that this one learns from."""
        return Memory(users=self.users.fresh(), managers=self.managers.fresh(), members=self.members.fresh())


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookups:
    """Every method raises ChatUnavailable when Microsoft gives no usable answer."""

    sources: Sources
    clock: Clock = time.monotonic
    memory: Memory = field(default_factory=lambda: Memory.empty(time.monotonic))

    def fresh(self) -> Lookups:
        """Look-ups that have asked nothing yet: no answer is older than this call. This one learns what they hear."""
        return Lookups(sources=self.sources, clock=self.clock, memory=self.memory.fresh())

    def is_exact(self, tenant: str) -> bool:
        """Does Graph answer for *tenant*? Whom it does not know is not there; a roster only does not show them."""
        return self._is_asked(tenant) and self._graph().knows_users

    def _is_asked(self, tenant: str) -> bool:
        return self.sources.graph is not None and tenant == self.sources.home

    async def user(self, account: Account) -> User | None:
        """The account as its tenant sees it now; None if nobody there knows it."""

        async def look() -> User | None:
            if self._is_asked(account.tenant):
                try:
                    return await self._graph().user(account.user)
                except NoPermission:
                    pass
            return await self._in_rosters(account)

        return await self.memory.users.get(f"{account.tenant}/{account.user}", look)

    async def manager(self, account: Account) -> str | None:
        """The object id of their manager; None if they have none, or nobody may know."""
        if not self._is_asked(account.tenant):
            return None

        async def look() -> str | None:
            try:
                return await self._graph().manager(account.user)
            except NoPermission:
                return None

        return await self.memory.managers.get(f"{account.tenant}/{account.user}", look)

    async def team(self, tenant: str, name: str) -> frozenset[str]:
        """The object ids in the team called *name* (or with that id), guests included. Raises Unsatisfiable."""
        return await self.memory.members.get(f"{tenant}/team/{name}", lambda: self._team(tenant, name))

    async def group(self, tenant: str, id: str) -> frozenset[str]:
        """The object ids in an Entra group. Raises Unsatisfiable."""

        async def look() -> frozenset[str]:
            if not self._is_asked(tenant):
                raise Unsatisfiable(f"Entra group {id} can only be read through Graph; set TEAMS_GRAPH=true")
            try:
                found = await self._graph().members(id)
            except NoPermission as error:
                raise Unsatisfiable(f"Entra group {id} needs the permission {error}, granted in Entra") from error
            if found is None:
                raise Unsatisfiable(f"tenant {tenant} has no group {id}; correct it in people.yml")
            return found

        return _bounded(await self.memory.members.get(f"{tenant}/group/{id}", look), id)

    def _graph(self) -> Graph:
        assert self.sources.graph is not None, "_is_asked says so"
        return self.sources.graph

    # ----------------------------------------------------------------- rosters

    async def _in_rosters(self, account: Account) -> User | None:
        met = await self.sources.places.met(account)
        user = met.user if met else account.user
        for at in [at async for at in self._where(account)]:
            try:
                found = _from_roster(await self.sources.connector.member(at, user), account.tenant)
            except TeamsRefused as refused:
                if refused.outcome in ABSENT:
                    continue
                raise ChatUnavailable(PLATFORM, f"a roster was refused: {refused.outcome}") from refused
            except ForeignHost as error:
                raise ChatUnavailable(PLATFORM, str(error)) from error
            if account.user in (found.id, user):
                return found
        return None

    async def _where(self, account: Account) -> AsyncIterator[Where]:
        """Every conversation whose roster may know them: where they were seen first, then teams."""
        met, seen = await self.sources.places.met(account), set[str]()
        for conversation in (around(met.at), met.direct) if met else ():
            if conversation and conversation not in seen and met is not None:
                seen.add(conversation)
                yield Where(tenant=account.tenant, service_url=met.service_url, conversation=conversation)
        for team in (await self.sources.places.teams(account.tenant))[:MOST_TEAMS]:
            if team.team not in seen:
                yield _at(account.tenant, team)

    async def _team(self, tenant: str, name: str) -> frozenset[str]:
        for team in await self.sources.places.teams(tenant):
            try:
                is_it = team.team == name or await self._is_called(tenant, team, name)
                people = await self.sources.connector.members(_at(tenant, team)) if is_it else None
            except TeamsRefused as refused:
                if refused.outcome in ABSENT:
                    continue
                raise ChatUnavailable(PLATFORM, f"a roster was refused: {refused.outcome}") from refused
            if people is not None:
                users = [_from_roster(one, tenant) for one in people]
                for user in users if not self.is_exact(tenant) else ():
                    self.memory.users.put(f"{tenant}/{user.id}", user, self.clock())
                return _bounded(frozenset(user.id for user in users), name)
        raise Unsatisfiable(f"no team called {name!r} has this app; add it there, or correct the name")

    async def _is_called(self, tenant: str, team: Installed, name: str) -> bool:
        said = await self.sources.connector.team(_at(tenant, team), team.team)
        return name.casefold() == str(said.get("name") or "").casefold() or name == said.get("aadGroupId")


def _at(tenant: str, team: Installed) -> Where:
    return Where(tenant=tenant, service_url=team.service_url, conversation=team.team)


def _from_graph(said: Raw) -> User:
    """Whoever is not surely a member, and not surely let in, is not."""
    return User(
        id=str(said.get("id") or ""),
        name=called(said.get("displayName")) or str(said.get("id") or ""),
        addresses=_addresses(said.get("mail"), said.get("userPrincipalName")),
        is_active=said.get("accountEnabled") is True,
        is_guest=said.get("userType") != "Member",
    )


def _from_roster(said: Raw, tenant: str) -> User:
    id = str(said.get("aadObjectId") or said.get("objectId") or said.get("id") or "")  # noqa: A001  # its name everywhere
    return User(
        id=id,
        name=called(said.get("name")) or id,
        addresses=_addresses(said.get("email"), said.get("userPrincipalName")),
        is_guest=said.get("userRole") not in (None, "", "user") or said.get("tenantId") not in (None, "", tenant),
    )


def _addresses(*given: object) -> frozenset[str]:
    return frozenset(one.casefold() for one in given if isinstance(one, str) and "@" in one)


def _bounded(found: frozenset[str], name: str) -> frozenset[str]:
    if len(found) > MOST:
        raise Unsatisfiable(f"{name!r} has more than {MOST:,} members; name a smaller group")
    return found


def _is_user(one: Mapping[str, Any]) -> bool:
    is_person = one.get("@odata.type") in (None, "#microsoft.graph.user")
    return is_person and isinstance(one.get("id"), str)


def _objects(value: object) -> Iterable[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _object(body: bytes) -> Raw:
    try:
        value = read_signed(body)
    except BadJson as error:
        raise ChatUnavailable(PLATFORM, "Graph's answer cannot be read") from error
    if not isinstance(value, dict):
        raise ChatUnavailable(PLATFORM, "Graph's answer is no object")
    return value
