"""One call of one Web API method.

    token of the workspace -> a turn (pace) -> one request, never repeated here -> reply | an error sorted by codes

Owns what every call has in common: who pays, how long it may take, what its failure means. Never repeats anything: a
post whose reply was lost is on somebody's screen perhaps, and only the caller knows how to look. Does not own what is
said (mouth, modals, people), nor where tokens come from (installs).

    ChatUnavailable   nothing was done; try again
    ├── PerhapsDone   the reply was lost, or Slack stumbled: it may have been done
    └── SlackStopped  the token is dead: no call was made, but for one a minute that asks whether it still is
    SlackRefused      Slack said no; `outcome` says what that means
    SlackGone         the workspace uninstalled the app
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from yarl import URL

from adapters.slack.codes import Outcome, is_not_there, outcome_of
from adapters.slack.pace import Pace
from bot.domain.errors import ChatUnavailable, Refused, Undeliverable

log = structlog.get_logger()
PLATFORM = "slack"

DEADLINE = 10.0  # seconds; a Web API call that takes longer will not come back
UPLOAD_DEADLINE = 20.0  # seconds for the bytes of one file; ours: 10 MB at 4 Mbit/s
SETTLE = 2.0  # seconds for a request whose reply was lost to show its effect
STOPPED_AGAIN = 60.0  # seconds until one call asks again whether a workspace is still stopped
SLOW_DOWN = 5.0  # seconds, for a 429 that does not name its time
LONGEST_PAUSE = 3600.0  # seconds; a longer Retry-After is not believed

# Methods that take blocks read JSON; every other one reads a form, and several read nothing else.
JSON_METHODS = frozenset(
    {
        *("chat.postMessage", "chat.postEphemeral", "chat.update", "chat.startStream", "chat.appendStream"),
        *("chat.stopStream", "views.open", "views.push", "views.update", "views.publish"),
    }
)
# At DEBUG the SDK writes bodies down, and it asks its own logger's level alone: this one has no ears.
SILENT = logging.Logger("slack_sdk.silent", logging.WARNING)
SILENT.addHandler(logging.NullHandler())


class PerhapsDone(ChatUnavailable):
    """Nobody knows whether Slack did it. Repeat only what may happen twice, or look first."""


class SlackStopped(ChatUnavailable):
    """Slack does not take this workspace's token. It is tried again once a minute, with a new token at once."""

    def __init__(self, team: str, code: str) -> None:
        super().__init__(PLATFORM, f"workspace {team} is stopped ({code}); install the app again", STOPPED_AGAIN)
        self.team, self.code = team, code


class SlackGone(Undeliverable):
    """The app is not installed in this workspace."""

    def __init__(self, team: str) -> None:
        super().__init__(f"slack/{team}", "the app is not installed there")
        self.team = team


class SlackRefused(Refused):
    """Slack said no. `outcome` is what its code means for this method, `needed` the scope that is missing."""

    def __init__(self, method: str, code: str, needed: str = "") -> None:
        remedy = f"; grant the app the scope {needed} and install it again" if needed else ""
        super().__init__(f"Slack refused {method}: {code}{remedy}")
        self.method, self.code, self.needed = method, code, needed
        self.outcome = outcome_of(method, code)


class Tokens(Protocol):
    """Where a workspace's bot token comes from."""

    async def token(self, team: str) -> str:
        """Raises SlackGone for a workspace that uninstalled, Unavailable if it cannot be told now."""
        ...


class Api:
    """Calls Slack for any workspace. The session belongs to whoever opened it."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        tokens: Tokens,
        pace: Pace,
        base_url: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session, self._tokens, self._pace, self._clock = session, tokens, pace, clock
        self._base = base_url.rstrip("/") + "/"
        self._dead: dict[str, tuple[str, str]] = {}  # workspace -> the token Slack refused, and the code
        self._rests: dict[str, float] = {}  # such a workspace -> when its token is tried again
        self._told: set[tuple[str, str, str]] = set()  # what an operator has read already

    async def call(self, team: str, method: str, *, channel: str = "", **args: Any) -> Mapping[str, Any]:
        """Wait for a turn, call *method* once, return its reply. Arguments that are None are left out.

        *channel* is the method's argument of that name; posts are paced by it. Takes at most LONGEST_WAIT for the
        turn and DEADLINE for the call. A refusal that leaves things as they were wanted (`DONE`) is a reply.
        Raises ChatUnavailable, SlackRefused, SlackGone.
        """
        await self.turn(team, method, channel)
        return await self.send(team, method, channel=channel, **args)

    async def turn(self, team: str, method: str, channel: str = "") -> None:
        """Wait until *method* may be called: for whoever has to look at something between the turn and the call."""
        await self._pace.turn(team, method, channel)

    async def send(self, team: str, method: str, *, channel: str = "", **args: Any) -> Mapping[str, Any]:
        """`call` without the wait: the turn was taken before."""
        token = await self._token(team)
        given = {name: value for name, value in args.items() if value is not None}
        if channel:
            given["channel"] = channel
        try:
            reply = await self._ask(token, method, given)
            if self._dead.pop(team, None) is not None:
                log.info("slack_team_goes_on", team=team)
            return reply
        except SlackRefused as refused:
            if refused.outcome is Outcome.DONE:
                return {"ok": False, "error": refused.code}
            self._tell(team, token, refused)
            raise
        except _TooFast as fast:
            self._pace.pause(team, method, channel, seconds=fast.seconds)
            raise ChatUnavailable(PLATFORM, f"{method} is called too often", fast.seconds) from None

    async def upload(self, url: str, content: bytes) -> None:
        """Send a file's bytes to the address Slack gave for them. Harmless to repeat: nobody sees it yet.

        Raises ChatUnavailable, or SlackRefused if Slack will not have it.
        """
        method = "files.upload"
        where = URL(url)
        if where.scheme != "https" and where.origin() != URL(self._base).origin():
            raise SlackRefused(method, "not_https")
        try:
            async with asyncio.timeout(UPLOAD_DEADLINE):
                reply = await self._session.post(where, data=content, allow_redirects=False)
                await reply.read()
        except (aiohttp.ClientError, OSError) as error:
            raise PerhapsDone(PLATFORM, f"{method}: {type(error).__name__}", SETTLE) from error
        if reply.status == 429:
            raise ChatUnavailable(PLATFORM, f"{method} is called too often", _seconds(reply.headers))
        if reply.status >= 500:
            raise PerhapsDone(PLATFORM, f"{method}: HTTP {reply.status}", SETTLE)
        if reply.status != 200:
            raise SlackRefused(method, f"http_{reply.status}")

    def revive(self, team: str) -> None:
        """The operator did something about it: call this workspace again."""
        self._dead.pop(team, None)

    # ---------------------------------------------------------------- one request

    async def _token(self, team: str) -> str:
        """A token that Slack has not refused: a new installation brings a new one and needs no `revive`.

        A refused one is tried once a minute: an app that was switched off and on again keeps its token, and Slack has
        refused good ones. Nobody restarts a bot for that.
        """
        token, now = await self._tokens.token(team), self._clock()
        dead, code = self._dead.get(team, ("", ""))
        if token == dead and now < self._rests[team]:
            raise SlackStopped(team, code)
        if dead:
            self._rests[team] = now + STOPPED_AGAIN  # the others wait for what becomes of this one
        return token

    async def _ask(self, token: str, method: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._session.closed:  # the SDK would open one of its own, which nobody closes in time
            raise ChatUnavailable(PLATFORM, "the adapter is closed")
        client = AsyncWebClient(
            token=token, base_url=self._base, session=self._session, retry_handlers=[], logger=SILENT
        )
        body = {"json": dict(given)} if method in JSON_METHODS else {"data": _form(given)}
        try:
            async with asyncio.timeout(DEADLINE):
                reply = await client.api_call(method, **body)
        except SlackApiError as error:
            raise _sorted(method, error.response) from None  # its text holds the body
        except aiohttp.ClientConnectorError as error:
            raise ChatUnavailable(PLATFORM, f"{method}: {type(error).__name__}") from error
        except (aiohttp.ClientError, OSError, SlackClientError) as error:
            raise PerhapsDone(PLATFORM, f"{method}: {type(error).__name__}", SETTLE) from error
        except (AttributeError, ValueError):  # what the SDK makes of a body that is not UTF-8, or no JSON object
            raise PerhapsDone(PLATFORM, f"{method}: the reply cannot be read", SETTLE) from None
        data: Mapping[str, Any] = reply.data if isinstance(reply.data, dict) else {}
        return data

    def _tell(self, team: str, token: str, refused: SlackRefused) -> None:
        """What an operator must know, once; and a dead token is dead from here on: raises SlackStopped."""
        code, method = refused.code, refused.method
        match refused.outcome:
            case Outcome.STOP_TEAM:
                if self._dead.get(team) != (token, code):
                    log.error("slack_team_stopped", team=team, code=code, method=method)
                self._dead[team], self._rests[team] = (token, code), self._clock() + STOPPED_AGAIN
                raise SlackStopped(team, code) from None
            case Outcome.STOP_FEATURE | Outcome.UNKNOWN if (team, method, code) not in self._told:
                self._told.add((team, method, code))
                log.error("slack_refused", team=team, code=code, method=method, needed=refused.needed)


def text_in(reply: Mapping[str, Any], name: str, method: str) -> str:
    """A text that *method* must answer with. Raises PerhapsDone: without it nobody knows what was done."""
    value = reply.get(name)
    if not isinstance(value, str) or not value:
        raise PerhapsDone(PLATFORM, f"{method}: the reply has no {name}", SETTLE)
    return value


class _TooFast(Exception):
    """A 429, in whichever form it came."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


def _form(given: Mapping[str, Any]) -> dict[str, str]:
    """Slack reads nested values and booleans of a form as JSON."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}


def _sorted(method: str, response: Any) -> Exception:
    """What a reply without "ok" stands for. *response* is the SDK's, or aiohttp's own when the body was no JSON."""
    status = getattr(response, "status_code", None) or response.status
    data = getattr(response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    if status == 429:
        return _TooFast(_seconds(response.headers))
    if not isinstance(code, str) and is_not_there(method, status):
        return SlackRefused(method, "unknown_method")
    if status >= 500 or not isinstance(data, dict) or not isinstance(code, str):
        return PerhapsDone(PLATFORM, f"{method}: HTTP {status}", SETTLE)
    match outcome_of(method, code):
        case Outcome.PACE:
            return _TooFast(_seconds(response.headers))
        case Outcome.RETRY:
            return PerhapsDone(PLATFORM, f"{method}: {code}", SETTLE)
        case _:
            return SlackRefused(method, code, str(data.get("needed") or ""))


def _seconds(headers: Mapping[str, str]) -> float:
    """How long Retry-After asks us to wait."""
    told = headers.get("Retry-After", "")
    return min(float(told), LONGEST_PAUSE) if told.isascii() and told.isdigit() else SLOW_DOWN
