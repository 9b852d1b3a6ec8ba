"""The office: what of Teams is needed before anybody listens: keys, tokens, the connector, places, and who is who.

    settings -> a session -> one token and the signing keys, asked for at once -> Connector, Places, Proof, directory

Opened before the engine, because rules are judged by the directory. Not mouth and ears (chat).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import structlog

from adapters.server import Address
from adapters.teams.clouds import LOOPBACK, Changes, Cloud, cloud_of
from adapters.teams.connector import Connector, Timing
from adapters.teams.credentials import Certificate, Credential, Secret
from adapters.teams.graph import Graph, Lookups, Sources
from adapters.teams.http import PORT
from adapters.teams.keys import KeySet, opened_keys
from adapters.teams.named import Rooms
from adapters.teams.pace import Pace
from adapters.teams.people import TeamsDirectory, Trust
from adapters.teams.places import Places
from adapters.teams.proof import Proof
from adapters.teams.shapes import PLATFORM
from adapters.teams.tokens import Tokens
from bot.domain.chat import Place
from bot.domain.errors import BadSettings, ChatUnavailable
from bot.domain.ports import Directory, Keep

log = structlog.get_logger()

NONE, TOKENS = "none", "tokens"  # TEAMS_AUTH
EMULATOR = "emulator"  # whose app and tenant nobody named
WHERE_TO_FIND = "copy it from the app's page in Entra"


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamsSettings:
    """*app_password*, or *certificate*: one PEM file with key and certificate. Secrets are never shown by `repr`.

    *tenant* is where the app is registered; *tenants* are those whose people it serves (empty: that one alone).
    *fallback* is a channel that reads what can be shown nowhere else: its id, or `Team/Channel`.
    """

    app_id: str = ""
    app_password: str = ""
    certificate: bytes = b""
    tenant: str = ""
    tenants: tuple[str, ...] = ()
    auth: str = TOKENS
    cloud: str = "public"
    changes: Changes = field(default_factory=Changes)
    address: Address = field(default_factory=lambda: Address(port=PORT))
    fallback: str | None = None
    is_graph: bool = True

    def __repr__(self) -> str:
        return f"TeamsSettings(app_id={self.app_id!r}, tenant={self.tenant!r}, address={self.address!r})"

    @property
    def allowed(self) -> frozenset[str]:
        """The tenants whose people are people here, as Microsoft writes them."""
        named = self.tenants or ((self.tenant,) if self.tenant else ())
        return frozenset(tenant.lower() for tenant in named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    settings: TeamsSettings
    cloud: Cloud
    session: aiohttp.ClientSession
    keys: KeySet | None  # None: an emulator's activities bear no tokens
    proof: Proof
    connector: Connector
    places: Places
    rooms: Rooms
    lookups: Lookups
    keep: Keep

    @property
    def bot(self) -> str:
        """The bot's id where it has heard nothing yet."""
        return f"28:{self.settings.app_id or EMULATOR}"

    @property
    def fallback(self) -> Place | None:
        channel = self.settings.fallback
        return Place(platform=PLATFORM, tenant="", channel=channel) if channel else None

    def directory(self, base: Directory, trust: Trust) -> TeamsDirectory:
        """Who is who: the base first, then what Microsoft says."""
        return TeamsDirectory(base, self.lookups, trust)


@asynccontextmanager
async def opened_office(settings: TeamsSettings, keep: Keep, timing: Timing | None = None) -> AsyncIterator[Office]:
    """Raises BadSettings for what cannot be used or Entra refuses, ChatUnavailable if Microsoft does not answer."""
    if told := list(problems(settings)):
        raise BadSettings(told)
    is_open = settings.auth == NONE
    cloud = cloud_of(settings.cloud, settings.changes, is_emulator=is_open)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        keys = tokens = None
        if is_open:
            log.warning("teams_unauthenticated", meaning="anybody on this machine can speak as anybody; emulators only")
        else:
            tokens = Tokens(session, cloud, settings.tenant, credential(settings))
            await tokens.prove(cloud.scope)
            keys = await stack.enter_async_context(opened_keys(session, cloud.metadata))
            await keys.load()
        connector = Connector(session, cloud, tokens, Pace(), timing)
        places = Places(keep)
        home = settings.tenant.lower()
        graph = Graph(session, cloud, tokens) if tokens and settings.is_graph else None
        if graph is not None:
            await _looked(graph)
        yield Office(
            settings=settings,
            cloud=cloud,
            session=session,
            keys=keys,
            proof=Proof(settings.app_id or EMULATOR, cloud, keys, settings.allowed),
            connector=connector,
            places=places,
            rooms=Rooms(places, connector, home),
            lookups=Lookups(sources=Sources(connector=connector, places=places, home=home, graph=graph)),
            keep=keep,
        )


async def _looked(graph: Graph) -> None:
    """Graph that does not answer keeps nobody from starting: whoever is judged by it waits for it."""
    try:
        await graph.look()
    except ChatUnavailable as error:
        log.warning("teams_graph_silent", why=error.why)


def credential(settings: TeamsSettings) -> Credential:
    """Raises BadSettings for a certificate that cannot be read."""
    if settings.certificate:
        return Certificate.read(settings.app_id, settings.certificate)
    return Secret(settings.app_id, settings.app_password)


def problems(settings: TeamsSettings) -> Iterator[str]:
    """Every mistake, one sentence each. Nothing is served unauthenticated by accident."""
    if settings.auth not in (NONE, TOKENS):
        yield f"TEAMS_AUTH: {settings.auth[:20]!r} is neither {TOKENS} nor {NONE}; leave it out, unless for an emulator"
        return
    if not settings.tenant:
        yield f"TEAMS_TENANT_ID is missing: it is the directory (tenant) id; {WHERE_TO_FIND}, or from the emulator"
    if settings.auth == NONE:
        if settings.app_password or settings.certificate:
            yield "TEAMS_AUTH=none is for emulators, and a secret of a real app is set; take one of the two away"
        if settings.address.host not in LOOPBACK:
            yield f"TEAMS_AUTH=none lets anybody in, and {settings.address.host} is no loopback address; use 127.0.0.1"
        return
    if not settings.app_id:
        yield f"TEAMS_APP_ID is missing: it is the application (client) id; {WHERE_TO_FIND}"
    if settings.app_password and settings.certificate:
        yield "TEAMS_APP_PASSWORD and TEAMS_APP_CERTIFICATE are both set; keep the one that shall be used"
    if not settings.app_password and not settings.certificate:
        yield f"TEAMS_APP_PASSWORD is missing: it is a client secret's value; {WHERE_TO_FIND}"
