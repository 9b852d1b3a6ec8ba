"""The office: what of Slack is needed before anybody listens: the Web API, our workspaces, and who is who there.

    settings -> a session -> whose token is it (asked once) | who installed us (kept) -> Api, directory

Opened before the engine, because rules are judged by the directory. Not mouth and ears (chat).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from adapters.server import Address
from adapters.slack.api import Api
from adapters.slack.install_pages import InstallPages, Registration, authorize_url
from adapters.slack.installs import Installed, KeptInstalls, KeptStates
from adapters.slack.lookups import Lookups
from adapters.slack.manifest import SCOPES
from adapters.slack.pace import Pace
from adapters.slack.people import SlackDirectory, Trust
from adapters.slack.workspace import OneWorkspace, bare_client
from bot.domain.ports import Directory, Keep

log = structlog.get_logger()

Teams = OneWorkspace | Installed


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackSettings:
    """One workspace by *bot_token*, or many by *client_id* and *client_secret*; Socket Mode by *app_token*, HTTP by
    *signing_secret*. Secrets are never shown by `repr`."""

    bot_token: str = ""
    app_token: str = ""
    signing_secret: str = ""
    client_id: str = ""
    client_secret: str = ""
    api_url: str = "https://slack.com/api/"
    fallback_channel: str | None = None
    workspaces: tuple[str, ...] = ()  # that may install an app of many workspaces; empty: whoever finds the page
    address: Address = field(default_factory=Address)

    def __repr__(self) -> str:
        return f"SlackSettings(api_url={self.api_url!r}, address={self.address!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    settings: SlackSettings
    api: Api
    teams: Teams
    keep: Keep
    pages: InstallPages | None  # "Add to Slack", for an app of many workspaces

    def directory(self, base: Directory, trust: Trust) -> SlackDirectory:
        """Who is who: people.yml first, then what Slack says."""
        return SlackDirectory(base, Lookups(self.api, self.teams), trust)


@asynccontextmanager
async def opened_office(settings: SlackSettings, keep: Keep) -> AsyncIterator[Office]:
    """Raises BadSettings for a token that Slack refuses, ChatUnavailable if Slack does not answer."""
    async with aiohttp.ClientSession() as session:
        client = bare_client(session, settings.api_url)
        teams, pages = await _teams(settings, keep, client)
        api = Api(session, teams, Pace(), settings.api_url)
        yield Office(settings=settings, api=api, teams=teams, keep=keep, pages=pages)


async def _teams(settings: SlackSettings, keep: Keep, client: AsyncWebClient) -> tuple[Teams, InstallPages | None]:
    if settings.bot_token:
        return await OneWorkspace.of(settings.bot_token, client), None
    if not settings.workspaces:
        log.warning("slack_installs_open", remedy="name the workspaces that may install the app in SLACK_WORKSPACES")
    installs = KeptInstalls(keep, settings.client_id, frozenset(settings.workspaces))
    registration = Registration(
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        scopes=SCOPES,
        authorize_url=authorize_url(settings.api_url),
    )
    return Installed(installs, client), InstallPages(registration, installs, KeptStates(keep), client)
