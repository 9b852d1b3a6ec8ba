"""The one workspace of a single bot token: who it is, asked once at the start, so that a bad token is found then.

Also how Slack is asked where `Api` cannot: before a token is known, or about a token itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Self

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters.slack.api import DEADLINE, PLATFORM, SILENT, SlackGone, SlackRefused
from bot.domain.errors import BadSettings, ChatUnavailable

log = structlog.get_logger()

COPY = "copy the Bot User OAuth Token from the app's page OAuth & Permissions"
REMEDIES: Mapping[str, str] = {
    "invalid_auth": f"Slack does not know it; {COPY}",
    "not_authed": f"Slack does not know it; {COPY}",
    "token_revoked": f"it was revoked; install the app again and {COPY}",
    "token_expired": f"it has expired; switch token rotation off, install the app again and {COPY}",
    "account_inactive": f"the app or its workspace was removed; install the app again and {COPY}",
    "not_allowed_token_type": f"it is another kind of token; {COPY}",
    "ekm_access_denied": "an administrator has suspended access to this workspace; ask them",
    "team_access_not_granted": "the organisation has not let the app into this workspace; ask an administrator",
}
DEAD = frozenset({"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"})


def bare_client(session: aiohttp.ClientSession, base_url: str) -> AsyncWebClient:
    """A client without a token, that repeats nothing and logs nothing. The session belongs to whoever opened it."""
    return AsyncWebClient(base_url=base_url, session=session, retry_handlers=[], logger=SILENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWorkspace:
    """Gives the same answers as `Installed`, for one workspace (or one organisation, if the token is for all of it)."""

    secret: str
    team: str
    user: str
    is_whole: bool = False

    @classmethod
    async def of(cls, token: str, client: AsyncWebClient) -> Self:
        """Ask Slack whose *token* it is. Raises BadSettings if Slack refuses it, ChatUnavailable if nobody answers."""
        try:
            told = await said("auth.test", client.auth_test(token=token))
        except SlackRefused as refused:
            why = REMEDIES.get(refused.code, "look the code up in Slack's documentation of auth.test")
            raise BadSettings([f"SLACK_BOT_TOKEN is refused by Slack ({refused.code}): {why}."]) from refused
        is_whole = told.get("is_enterprise_install") is True
        team = told.get("enterprise_id") if is_whole else told.get("team_id")
        if not (team and told.get("bot_id") and told.get("user_id")):
            raise BadSettings([f"SLACK_BOT_TOKEN is not a bot's token; {COPY}."])
        return cls(secret=token, team=team, user=told["user_id"], is_whole=is_whole)

    def __repr__(self) -> str:
        return f"OneWorkspace({self.team})"  # never the token

    async def token(self, team: str) -> str:
        """Raises SlackGone for any other workspace."""
        if not self._is_ours(team):
            raise SlackGone(team)
        return self.secret

    async def bot_user(self, team: str, enterprise: str | None = None) -> str | None:  # noqa: ARG002  # as `Installed`
        return self.user if self._is_ours(team) else None

    async def teams(self) -> tuple[str, ...]:
        """Empty for a whole organisation: which workspaces it has is not told."""
        return () if self.is_whole else (self.team,)

    async def uninstalled(self, team: str) -> None:
        """Nothing is kept that could be deleted: whoever set the token must set another."""
        log.error("slack_token_revoked", team=team, remedy="install the app again and set SLACK_BOT_TOKEN")

    def _is_ours(self, team: str) -> bool:
        return self.is_whole or team == self.team


async def said(method: str, call: Awaitable[AsyncSlackResponse]) -> AsyncSlackResponse:
    """What Slack answers to *call*. Raises SlackRefused with Slack's code, ChatUnavailable without a usable answer."""
    try:
        async with asyncio.timeout(DEADLINE):
            return await call
    except SlackApiError as error:
        code = code_of(error)
        if code in _STUMBLES:
            raise ChatUnavailable(PLATFORM, f"{method}: {code or 'no readable answer'}") from None
        raise SlackRefused(method, code) from None  # the SDK's own text holds the body
    except (aiohttp.ClientError, OSError, SlackClientError) as error:
        raise ChatUnavailable(PLATFORM, f"{method}: {type(error).__name__}") from error
    except (AttributeError, ValueError):  # what the SDK makes of a body that is not UTF-8, or no JSON object
        raise ChatUnavailable(PLATFORM, f"{method}: the reply cannot be read") from None


_STUMBLES = frozenset(
    {"", "ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)


def code_of(error: SlackApiError) -> str:
    """Slack's own code of a refusal; empty if what came back was no answer of Slack's."""
    answer = error.response
    return str(answer.get("error") or "") if isinstance(answer, AsyncSlackResponse | dict) else ""
