"""The two pages of "Add to Slack": one that starts, one that Slack sends people back to.

    GET /slack/install         a fresh state, in a cookie and in the link -> Slack asks the person
    GET /slack/oauth_redirect  this browser's state? not used before? -> code -> token -> kept -> "installed"

Every end is a page in plain words; what a request carries is never shown again, and never logged (T11, T20).
Owns no tokens (`installs`). Whoever serves these routes keeps no access log: the code stands in the URL.
"""

from __future__ import annotations

import hmac
import html
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import structlog
from aiohttp import web
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters.slack.api import SlackRefused
from adapters.slack.installs import STATE_LIVES, KeptInstalls, KeptStates, owner_of
from adapters.slack.workspace import said
from bot.domain.errors import ChatUnavailable, Unavailable

log = structlog.get_logger()

INSTALL, REDIRECT = "/slack/install", "/slack/oauth_redirect"
COOKIE = "__Host-countersign-install"  # the prefix: only this very host, over https, can set it
STARTS_MOST, STARTS_WITHIN = 60, 60.0  # states issued in so many seconds: each costs room in the store
LONGEST = 512  # characters of a state or code
GOVSLACK = "slack-gov.com"  # docs.slack.dev, GovSlack: the same paths on another host
TEAM = re.compile(r"[TE][A-Z0-9]{2,20}")
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

AGAIN = f'Please <a href="{INSTALL}">start again</a>.'
CANCELLED = "Nothing was installed, because it was cancelled on Slack's page."
REFUSED = "Slack did not go on with the installation. Nothing was installed."
ELSEWHERE = "This page does not belong to an installation that was started in this browser. Nothing was installed."
USED = "This installation was finished or given up before. Nothing was installed now."
BROKEN_LINK = "Slack sent an incomplete answer. Nothing was installed."
UNINVITED = "Countersign does not work for this workspace. Whoever runs it has to name it in SLACK_WORKSPACES first."
STALE_CODE = "Slack no longer knows this installation. Nothing was installed."
MISSET = "Slack refused Countersign's own credentials. Whoever runs it has been told; nothing was installed."
SILENT = "Slack did not answer. Nothing was installed."
LOST = "Slack agreed, but it could not be written down. Countersign does not work there yet."
BUSY = "Too many people are installing just now. Please try again in a minute."

STALE = frozenset({"invalid_code", "code_already_used", "invalid_grant", "bad_redirect_uri"})
OURS = frozenset({"invalid_client_id", "bad_client_secret", "invalid_client", "bad_client_id"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What our app is to Slack. *redirect_uri* is needed only if the app has several."""

    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    redirect_uri: str | None = None
    authorize_url: str = "https://slack.com/oauth/v2/authorize"


def authorize_url(api_url: str) -> str:
    """Where people agree: on the site that the Web API at *api_url* belongs to.

    GovSlack has a site of its own. A proxy or an imitation of the Web API has no such page, so it is Slack's.
    """
    host = urlsplit(api_url).hostname or ""
    site = GOVSLACK if host == GOVSLACK or host.endswith(f".{GOVSLACK}") else "slack.com"
    return f"https://{site}/oauth/v2/authorize"


class Failed(Exception):
    """An installation that ends here: what the person reads, and the HTTP status."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(told)
        self.status, self.told = status, told


class InstallPages:
    """Add `routes` to an aiohttp application. *client* is a `bare_client`: it has no token of its own."""

    def __init__(
        self,
        registration: Registration,
        installs: KeptInstalls,
        states: KeptStates,
        client: AsyncWebClient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registration, self._installs, self._states = registration, installs, states
        self._client, self._clock = client, clock
        self._starts: deque[float] = deque(maxlen=STARTS_MOST)

    @property
    def routes(self) -> tuple[web.RouteDef, ...]:
        return (web.get(INSTALL, self.install, allow_head=False), web.get(REDIRECT, self.redirected, allow_head=False))

    async def install(self, request: web.Request) -> web.Response:
        if not self._may_start():
            return _page("Countersign", BUSY, status=429)
        try:
            state = await self._states.async_issue()
        except Unavailable as error:
            log.warning("slack_install_waits", error=str(error))
            return _page("Countersign", "Nothing can be installed just now. Please try again in a minute.", status=503)
        link = f'<a href="{html.escape(self._link(state, request.query.get("team", "")))}">Add Countersign to Slack</a>'
        page = _page("Add Countersign to Slack", f"Slack will show what it may do and ask you to agree. {link}")
        page.set_cookie(
            COOKIE, state, max_age=int(STATE_LIVES.total_seconds()), secure=True, httponly=True, samesite="Lax"
        )
        return page

    async def redirected(self, request: web.Request) -> web.Response:
        """Where Slack sends the person back to, whatever they decided."""
        try:
            installation = await self._finished(request)
            page = _page("Installed", f"Countersign is installed in {_named(installation)}. You can close this page.")
        except Failed as failed:
            log.warning("slack_install_failed", status=failed.status, why=failed.told)
            page = _page("Not installed", f"{failed.told} {AGAIN}", status=failed.status)
        page.del_cookie(COOKIE, secure=True, httponly=True, samesite="Lax")
        return page

    async def _finished(self, request: web.Request) -> Installation:
        if declined := request.query.get("error"):
            raise Failed(200, CANCELLED if declined == "access_denied" else REFUSED)
        await self._must_be_ours(request)
        code = request.query.get("code", "")
        if not 0 < len(code) <= LONGEST:
            raise Failed(400, BROKEN_LINK)
        installation = await self._exchanged(code)
        owner = owner_of(installation.enterprise_id, installation.team_id, installation.is_enterprise_install)
        if not self._installs.is_welcome(owner):
            log.warning("slack_install_uninvited", team=owner)
            raise Failed(403, UNINVITED)
        try:
            await self._installs.async_save(installation)
        except Unavailable as error:
            raise Failed(503, LOST) from error
        log.info("slack_installed", team=installation.team_id, enterprise=installation.enterprise_id)
        return installation

    async def _must_be_ours(self, request: web.Request) -> None:
        """This browser began it, and nobody has finished it: else somebody could install theirs in another's name."""
        states, cookie = request.query.getall("state", []), request.cookies.get(COOKIE, "")
        state = states[0] if len(states) == 1 else ""
        is_same = hmac.compare_digest(state.encode("utf-8", "replace"), cookie.encode("utf-8", "replace"))
        if not is_same or not 0 < len(state) <= LONGEST:
            raise Failed(400, ELSEWHERE)
        try:
            is_fresh = await self._states.async_consume(state)
        except Unavailable as error:
            raise Failed(503, SILENT.replace("Slack", "Our store")) from error
        if not is_fresh:
            raise Failed(401, USED)

    async def _exchanged(self, code: str) -> Installation:
        """A code becomes a token, once; and then who our bot is there, which that answer does not tell."""
        ours = self._registration
        form = {"client_id": ours.client_id, "client_secret": ours.client_secret, "code": code}
        form |= {"redirect_uri": ours.redirect_uri} if ours.redirect_uri else {}
        try:
            granted = await said("oauth.v2.access", self._client.api_call("oauth.v2.access", data=form))
            token = granted.get("access_token")
            if not token or granted.get("token_type") != "bot":
                raise Failed(502, BROKEN_LINK)
            return _installation(granted, await said("auth.test", self._client.auth_test(token=token)))
        except SlackRefused as refused:
            raise _failed(refused) from refused
        except ChatUnavailable as error:
            log.warning("slack_install_silent", error=str(error))
            raise Failed(502, SILENT) from error

    def _link(self, state: str, team: str) -> str:
        ours = self._registration
        query = {"client_id": ours.client_id, "scope": ",".join(ours.scopes), "user_scope": "", "state": state}
        query |= {"redirect_uri": ours.redirect_uri} if ours.redirect_uri else {}
        query |= {"team": team} if TEAM.fullmatch(team) else {}
        return f"{ours.authorize_url}?{urlencode(query)}"

    def _may_start(self) -> bool:
        """Room for one more in this minute?"""
        now = self._clock()
        if len(self._starts) == STARTS_MOST and now - self._starts[0] < STARTS_WITHIN:
            return False
        self._starts.append(now)
        return True


def _failed(refused: SlackRefused) -> Failed:
    if refused.code in OURS:
        log.error("slack_credentials_refused", code=refused.code, remedy="correct SLACK_CLIENT_ID and its secret")
        return Failed(500, MISSET)
    log.warning("slack_install_refused", code=refused.code)
    return Failed(401, STALE_CODE) if refused.code in STALE else Failed(502, REFUSED)


def _installation(granted: AsyncSlackResponse, asked: AsyncSlackResponse) -> Installation:
    enterprise, team, installer = (granted.get(name) or {} for name in ("enterprise", "team", "authed_user"))
    is_whole = granted.get("is_enterprise_install") is True
    if not installer.get("id") or not (enterprise.get("id") if is_whole else team.get("id")):
        raise Failed(502, BROKEN_LINK)
    return Installation(
        app_id=granted.get("app_id"),
        enterprise_id=enterprise.get("id"),
        enterprise_name=enterprise.get("name"),
        enterprise_url=asked.get("url") if is_whole else None,
        team_id=team.get("id"),
        team_name=team.get("name"),
        bot_token=granted.get("access_token"),
        bot_id=asked.get("bot_id"),
        bot_user_id=granted.get("bot_user_id"),
        bot_scopes=granted.get("scope") or "",
        user_id=installer["id"],
        is_enterprise_install=is_whole,
        token_type=granted.get("token_type"),
    )


def _named(installation: Installation) -> str:
    name = installation.enterprise_name if installation.is_enterprise_install else installation.team_name
    return html.escape(name or installation.team_id or installation.enterprise_id or "Slack")


def _page(title: str, body: str, *, status: int = 200) -> web.Response:
    """*body* is HTML of ours: whatever came from outside is escaped by then."""
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{title}</title></head><body><h1>{title}</h1><p>{body}</p></body></html>"
    )
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)
