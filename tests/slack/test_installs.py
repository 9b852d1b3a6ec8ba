"""Many workspaces: people install on our two pages, tokens are kept, and go when the app is removed; and the one
workspace of a single token."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import Morsel, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
import redis.asyncio as redis
from aiohttp import web
from slack_sdk.oauth.installation_store import Bot, Installation
from structlog.testing import capture_logs

from adapters.slack.api import SlackGone
from adapters.slack.install_pages import COOKIE, INSTALL, REDIRECT, STARTS_MOST, InstallPages, Registration
from adapters.slack.installs import REMEMBERED, Installed, KeptInstalls, KeptStates
from adapters.slack.manifest import SCOPES
from adapters.slack.office import SlackSettings, opened_office
from adapters.slack.workspace import OneWorkspace, bare_client
from bot.domain.errors import BadSettings, ChatUnavailable, StoreUnavailable
from bot.domain.ports import Keep
from bot.store.keep import RedisKeep
from bot.store.link import Link
from tests.fakes.keep import MemoryKeep
from tests.fakes.loopback import routed
from tests.fakes.slack import FakeSlack

BETA, ORG = "T0BETA", "E0ORG"
KEY = b"k" * 32


class Clock:
    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


@dataclass
class Page:
    status: int
    text: str
    cookie: Morsel[str] | None
    headers: Mapping[str, str]

    @property
    def link(self) -> dict[str, str]:
        """What the page's link asks Slack for."""
        url = re.findall(r'href="(https://slack[^"]+)"', self.text)[0].replace("&amp;", "&")
        return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


@dataclass
class Site:
    """Our pages on loopback, a browser without a memory, and what is behind them."""

    slack: FakeSlack
    keep: Keep
    session: aiohttp.ClientSession
    clock: Clock = field(default_factory=Clock)
    url: str = ""
    api_url: str = ""
    only: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.client = bare_client(self.session, self.api_url or self.slack.api_url)
        self.installs = KeptInstalls(self.keep, self.slack.client_id, self.only)
        self.installed = Installed(self.installs, self.client, self.clock)

    @property
    def pages(self) -> InstallPages:
        ours = Registration(client_id=self.slack.client_id, client_secret=self.slack.client_secret, scopes=SCOPES)
        return InstallPages(ours, self.installs, KeptStates(self.keep), self.client, self.clock)

    async def get(self, path: str, *, cookie: str = "", query: str = "", **params: str) -> Page:
        headers = {"Cookie": f"{COOKIE}={cookie}"} if cookie else {}
        url = f"{self.url}{path}{query}"
        async with self.session.get(url, params=params or None, headers=headers, allow_redirects=False) as answer:
            jar = SimpleCookie(answer.headers.get("Set-Cookie", ""))
            return Page(answer.status, await answer.text(), jar.get(COOKIE), dict(answer.headers))

    async def begin(self) -> str:
        """Open the first page; the state."""
        return (await self.get(INSTALL)).link["state"]

    async def finish(self, team: str = BETA, user: str = "U0ANA", name: str = "Beta") -> Page:
        """Go all the way."""
        state = await self.begin()
        code = self.slack.consent(team, user, name=name)
        return await self.get(REDIRECT, cookie=state, code=code, state=state)


@asynccontextmanager
async def opened(slack: FakeSlack, keep: Keep, api_url: str = "", *only: str) -> AsyncIterator[Site]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        site = Site(slack, keep, session, api_url=api_url, only=frozenset(only))
        async with routed(*site.pages.routes) as site.url:
            yield site


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as slack:
        yield slack


@pytest.fixture
def keep() -> MemoryKeep:
    return MemoryKeep()


@pytest.fixture
async def site(slack: FakeSlack, keep: MemoryKeep) -> AsyncIterator[Site]:
    async with opened(slack, keep) as site:
        yield site


# -------------------------------------------------------------------- the pages


async def test_a_workspace_installs_us_and_its_token_is_used(site: Site) -> None:
    """Page, link, Allow, back, installed: from then on calls in that workspace carry its own token."""
    page = await site.finish(name="Beta & <b>Sons</b>")

    assert page.status == 200
    assert "installed in Beta &amp; &lt;b&gt;Sons&lt;/b&gt;" in page.text
    token = await site.installed.token(BETA)
    assert token.startswith(f"xoxb-{BETA}-")
    assert token != site.slack.bot_token
    assert await site.installed.bot_user(BETA) == site.slack.bot_of(BETA)
    assert await site.installed.teams() == (BETA,)


async def test_the_first_page_links_to_slack_and_binds_this_browser(site: Site) -> None:
    """T11: scopes are the manifest's; the state in the link is in a cookie that no other host and no script reads."""
    page = await site.get(INSTALL, team="T0WANTED")

    assert page.status == 200
    assert page.cookie is not None
    state = page.cookie.value
    assert page.link == {
        "client_id": site.slack.client_id,
        "scope": ",".join(SCOPES),
        "state": state,
        "team": "T0WANTED",
    }
    assert COOKIE.startswith("__Host-")
    told = {name: page.cookie[name] for name in ("secure", "httponly", "samesite", "path", "domain", "max-age")}
    assert told == {"secure": True, "httponly": True, "samesite": "Lax", "path": "/", "domain": "", "max-age": "600"}


@pytest.mark.parametrize(
    ("api_url", "site"),
    [
        ("https://slack.com/api/", "slack.com"),
        ("https://slack-gov.com/api/", "slack-gov.com"),
        ("https://team.slack-gov.com/api", "slack-gov.com"),
        ("https://proxy.example.com/slack/api/", "slack.com"),
        ("https://slack-gov.com.example.com/api/", "slack.com"),
        ("http://127.0.0.1:8080/api/", "slack.com"),
    ],
)
async def test_people_agree_on_the_site_that_the_web_api_belongs_to(keep: MemoryKeep, api_url: str, site: str) -> None:
    """GovSlack has its own; whoever was sent to slack.com would install nothing there."""
    settings = SlackSettings(client_id="1.2", client_secret="s", signing_secret="s", api_url=api_url)
    async with opened_office(settings, keep) as office, aiohttp.ClientSession() as browser:
        assert office.pages is not None
        async with routed(*office.pages.routes) as url, browser.get(url + INSTALL) as page:
            text = await page.text()

    assert f'href="https://{site}/oauth/v2/authorize?client_id=1.2&amp;' in text


@pytest.mark.parametrize("team", ["<script>", "T1&scope=admin", "t1", "T" * 40])
async def test_a_workspace_that_is_none_is_not_passed_on(site: Site, team: str) -> None:
    page = await site.get(INSTALL, team=team)

    assert "team" not in page.link
    assert page.link["scope"] == ",".join(SCOPES)


async def test_pages_are_told_to_no_one(site: Site) -> None:
    """T20: the code stands in the URL: nothing may be cached, framed, run, or told to the next site."""
    for page in (await site.get(INSTALL), await site.get(REDIRECT)):
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'; frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


async def test_a_state_is_good_once(site: Site) -> None:
    """T11: whoever brings it again, even in the same browser, is refused, and no code is exchanged for them."""
    state = await site.begin()
    for status in (200, 401, 401):
        code = site.slack.consent(BETA, "U0ANA")
        page = await site.get(REDIRECT, cookie=state, code=code, state=state)
        assert page.status == status

    assert "finished or given up before" in page.text
    assert len(site.slack.calls("oauth.v2.access")) == 1


async def test_a_state_is_good_for_ten_minutes(site: Site, keep: MemoryKeep) -> None:
    state = await site.begin()
    (name,) = keep.values
    assert keep.lives[name] == timedelta(minutes=10)
    assert state not in name

    keep.expire(name)

    assert (await site.get(REDIRECT, cookie=state, code="c", state=state)).status == 401


@pytest.mark.parametrize("cookie", ["", "another"])
async def test_a_state_of_another_browser_is_refused_and_not_used_up(site: Site, cookie: str) -> None:
    """T11: somebody's link must not make another person's browser install what they did not begin."""
    state, code = await site.begin(), site.slack.consent(BETA, "U0EVE")

    page = await site.get(REDIRECT, cookie=cookie, code=code, state=state)

    assert page.status == 400
    assert "in this browser" in page.text
    assert not site.slack.calls("oauth.v2.access")
    assert (await site.get(REDIRECT, cookie=state, code=code, state=state)).status == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?code=c", 400),
        ("?state=", 400),
        ("?state=forged&code=c", 401),
        ("?state=forged&state=forged&code=c", 400),
        (f"?state={'x' * 600}&code=c", 400),
        ("?state=%ff%fe&code=%ff", 400),
    ],
)
async def test_a_made_up_return_is_refused_and_never_an_error_of_ours(site: Site, query: str, status: int) -> None:
    """T11: 4xx, never 500."""
    assert (await site.get(REDIRECT, cookie="forged", query=query)).status == status


@pytest.mark.parametrize("code", ["", "x" * 600])
async def test_a_return_without_a_usable_code_is_refused(site: Site, code: str) -> None:
    state = await site.begin()

    assert (await site.get(REDIRECT, cookie=state, state=state, code=code)).status == 400
    assert not site.slack.calls("oauth.v2.access")


@pytest.mark.parametrize(
    ("error", "told"), [("access_denied", "it was cancelled"), ("<script>alert(1)</script>", "did not go on")]
)
async def test_a_person_who_changes_their_mind_reads_that_nothing_happened(site: Site, error: str, told: str) -> None:
    page = await site.get(REDIRECT, error=error)

    assert page.status == 200
    assert told in page.text
    assert error not in page.text
    assert INSTALL in page.text


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("invalid_code", 401, "no longer knows"),
        ("code_already_used", 401, "no longer knows"),
        ("bad_client_secret", 500, "own credentials"),
        ("internal_error", 502, "did not answer"),
        ("something_new", 502, "did not go on"),
    ],
)
@pytest.mark.parametrize("method", ["oauth.v2.access", "auth.test"])
async def test_what_slack_refuses_is_told_in_plain_words(
    site: Site, keep: MemoryKeep, method: str, code: str, status: int, told: str
) -> None:
    """Nothing is kept, the cookie is gone, and the way to begin again is on the page."""
    site.slack.faults.fail(method, code)

    page = await site.finish()

    assert (page.status, told in page.text) == (status, True)
    assert code not in page.text
    assert page.cookie is not None
    assert page.cookie.value == ""
    assert not keep.values
    assert (await site.finish()).status == 200


@pytest.mark.parametrize("trouble", ["lose_reply", "html", "rate_limit"])
async def test_a_slack_that_stumbles_is_no_error_of_ours(site: Site, trouble: str) -> None:
    getattr(site.slack.faults, trouble)("oauth.v2.access")

    page = await site.finish()

    assert page.status == 502
    assert "Slack did not answer" in page.text


async def test_a_wrong_client_secret_is_told_to_whoever_runs_us(slack: FakeSlack, keep: MemoryKeep) -> None:
    """The person at the page cannot help it; the log names the settings, and no value."""
    async with opened(slack, keep) as site:
        slack.client_secret = "another"
        async with routed(*site.pages.routes) as site.url:
            with capture_logs() as logs:
                page = await site.finish()

    assert page.status == 500
    assert [line["remedy"] for line in logs if line["event"] == "slack_credentials_refused"] == [
        "correct SLACK_CLIENT_ID and its secret"
    ]


async def test_nothing_of_a_sign_in_is_ever_logged_or_shown(site: Site) -> None:
    """T20: neither state nor code nor token."""
    with capture_logs() as logs:
        state, code = await site.begin(), site.slack.consent(BETA, "U0ANA")
        pages = [await site.get(REDIRECT, cookie=state, code=code, state=state) for _ in range(2)]
        site.slack.faults.fail("oauth.v2.access", "invalid_code")
        pages.append(await site.finish())

    told = f"{logs} {[page.text for page in pages]}"
    assert "slack_installed" in told
    for secret in (state, code, await site.installed.token(BETA), site.slack.client_secret):
        assert secret not in told


async def test_without_its_store_nobody_is_sent_to_slack(site: Site, keep: MemoryKeep) -> None:
    keep.is_down = True

    page = await site.get(INSTALL)

    assert page.status == 503
    assert page.cookie is None
    state = "x"
    assert (await site.get(REDIRECT, cookie=state, state=state, code="c")).status == 503


async def test_a_token_that_could_not_be_written_down_is_told_as_not_installed(slack: FakeSlack) -> None:
    """Slack has agreed; nobody may believe that we have."""

    class Full(MemoryKeep):
        async def put(self, name: str, value: bytes, *, keep: timedelta | None = None) -> None:
            raise StoreUnavailable(f"no room for {len(value)} bytes of {name} {keep}")

    async with opened(slack, Full()) as site:
        page = await site.finish()

    assert page.status == 503
    assert "does not work there yet" in page.text


async def test_starting_again_and_again_fills_no_store(site: Site, keep: MemoryKeep) -> None:
    """T18: so many in a minute, whoever they are; a minute later there is room again."""
    assert [(await site.get(INSTALL)).status for _ in range(STARTS_MOST)] == [200] * STARTS_MOST

    assert (await site.get(INSTALL)).status == 429
    assert len(keep.values) == STARTS_MOST
    site.clock.at += 61
    assert (await site.get(INSTALL)).status == 200


async def test_a_workspace_nobody_named_installs_nothing(slack: FakeSlack, keep: MemoryKeep) -> None:
    """T15: the page stands on the internet, and every full member of an installed workspace may give tasks."""
    async with opened(slack, keep, "", "T0OTHER") as site:
        page = await site.finish()

    assert page.status == 403
    assert "SLACK_WORKSPACES" in page.text
    assert not keep.values


async def test_a_workspace_that_is_no_longer_named_is_as_good_as_gone(site: Site, keep: MemoryKeep) -> None:
    await site.finish()
    assert await site.installed.teams() == (BETA,)

    async with opened(site.slack, keep, "", "T0OTHER") as later, opened(site.slack, keep, "", BETA) as named:
        assert await later.installed.bot_user(BETA) is None
        assert await later.installed.teams() == ()
        assert await named.installed.bot_user(BETA) is not None


# -------------------------------------------------------------- an organisation


ORG_GRANT: Mapping[str, Any] = {
    "ok": True,
    "app_id": "A0",
    "authed_user": {"id": "W0ADMIN"},
    "scope": ",".join(SCOPES),
    "token_type": "bot",
    "access_token": "xoxb-org",
    "bot_user_id": "W0BOT",
    "team": None,
    "enterprise": {"id": ORG, "name": "Org"},
    "is_enterprise_install": True,
}


@asynccontextmanager
async def grid(grant: Mapping[str, Any] = ORG_GRANT) -> AsyncIterator[str]:
    """A Slack that knows one organisation; the fake knows workspaces only."""

    async def answer(request: web.Request) -> web.Response:
        is_grant = request.match_info["method"] == "oauth.v2.access"
        whole = {"ok": True, "url": "https://org.slack.com/", "bot_id": "B0ORG", "enterprise_id": ORG}
        return web.json_response(grant if is_grant else whole)

    async with routed(web.post("/api/{method}", answer)) as url:
        yield f"{url}/api/"


async def test_an_organisation_installs_us_for_its_workspaces(slack: FakeSlack, keep: MemoryKeep) -> None:
    """Enterprise Grid: one token; a workspace is known once a payload came that names both; others stay foreign."""
    async with grid() as api_url, opened(slack, keep, api_url) as site:
        page = await site.finish()
        assert "installed in Org" in page.text

        assert await site.installed.teams() == ()
        assert await site.installed.bot_user("T0ONE") is None
        assert await site.installed.bot_user("T0ONE", "E0OTHER") is None
        assert await site.installed.bot_user("T0ONE", ORG) == "W0BOT"

        again = Installed(site.installs, site.client)  # another process
        assert await again.token("T0ONE") == "xoxb-org"
        assert await again.teams() == ("T0ONE",)
        with pytest.raises(SlackGone):
            await again.token("T0TWO")


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": None},
        {"token_type": "user"},
        {"enterprise": None},
        {"authed_user": None},
        {"is_enterprise_install": False},
    ],
)
async def test_a_grant_that_lacks_something_installs_nothing(
    slack: FakeSlack, keep: MemoryKeep, change: dict[str, Any]
) -> None:
    """No bot token, or nobody it is for: told as not installed, and nothing is kept."""
    async with grid({**ORG_GRANT, **change}) as api_url, opened(slack, keep, api_url) as site:
        page = await site.finish()

    assert page.status == 502
    assert not keep.values


# ------------------------------------------------------------------- removal


async def test_a_removed_app_has_no_token_left(site: Site, keep: MemoryKeep) -> None:
    """Slack takes the token no more: the row goes, at once and in every process; a second event changes nothing."""
    await site.finish()
    await site.installed.token(BETA)
    site.slack.faults.fail("auth.test", "account_inactive")

    await site.installed.uninstalled(BETA)
    await site.installed.uninstalled(BETA)

    with pytest.raises(SlackGone):
        await site.installed.token(BETA)
    assert await site.installed.bot_user(BETA) is None
    assert await site.installed.teams() == ()
    assert not any(b"xoxb" in value for value in keep.values.values())


async def test_a_late_event_does_not_undo_a_new_installation(site: Site) -> None:
    """Slack repeats an event for minutes: removed, installed again, and then the event comes once more."""
    await site.finish()

    await site.installed.uninstalled(BETA)

    assert (await site.installed.token(BETA)).startswith("xoxb-")


async def test_while_slack_is_silent_nothing_is_deleted_and_the_event_comes_again(site: Site) -> None:
    await site.finish()
    site.slack.faults.lose_reply("auth.test")

    with pytest.raises(ChatUnavailable):
        await site.installed.uninstalled(BETA)

    assert (await site.installed.token(BETA)).startswith("xoxb-")


async def test_a_removed_organisation_takes_all_its_workspaces_along(slack: FakeSlack, keep: MemoryKeep) -> None:
    async with grid() as api_url, opened(slack, keep, api_url) as site:
        await site.finish()
        await site.installed.bot_user("T0ONE", ORG)
        await site.installed.bot_user("T0TWO", ORG)
        dead = Installed(site.installs, bare_client(site.session, slack.api_url))  # there, nobody knows the token

        await dead.uninstalled("T0ONE")

        assert await dead.teams() == ()
        with pytest.raises(SlackGone):
            await dead.token("T0TWO")


async def test_a_token_is_remembered_for_a_minute_and_its_absence_not_at_all(site: Site, keep: MemoryKeep) -> None:
    """A call must not cost a look; but whoever has just installed is not told to wait."""
    with pytest.raises(SlackGone):
        await site.installed.token(BETA)
    await site.finish()
    token = await site.installed.token(BETA)

    keep.is_down = True
    site.clock.at += REMEMBERED - 1
    assert await site.installed.token(BETA) == token
    site.clock.at += 2
    with pytest.raises(StoreUnavailable):
        await site.installed.token(BETA)


# ---------------------------------------------------------- slack_sdk's contract


def installation(user: str, token: str | None, team: str = BETA, **more: Any) -> Installation:
    return Installation(
        team_id=team, bot_token=token, bot_id="B1", bot_user_id="UB", bot_scopes="a,b", user_id=user, **more
    )


async def test_the_newest_bot_token_is_everybodys(keep: MemoryKeep) -> None:
    """Ana installs, Bo installs again: what Ana brought is not used any more, and her row never held it."""
    installs, where = KeptInstalls(keep, "1.2"), dict[str, Any](enterprise_id=None, team_id=BETA)
    await installs.async_save(installation("U0ANA", "xoxb-old", user_token="xoxp-ana", bot_token_expires_in=60))
    newest = installation("U0BO", "xoxb-new")
    await installs.async_save(newest)

    ana = await installs.async_find_installation(**where, user_id="U0ANA")
    latest = await installs.async_find_installation(**where)
    bot = await installs.async_find_bot(**where)

    assert ana is not None
    assert (ana.user_id, ana.user_token, ana.bot_token) == ("U0ANA", "xoxp-ana", "xoxb-new")
    assert ana.bot_token_expires_at is None
    assert latest is not None
    assert vars(latest) == vars(newest)
    assert bot is not None
    assert vars(bot) == vars(newest.to_bot())
    assert not any(b"xoxb-old" in value for value in keep.values.values())


async def test_what_is_deleted_is_gone_and_the_rest_stays(keep: MemoryKeep) -> None:
    installs, where = KeptInstalls(keep, "1.2"), dict[str, Any](enterprise_id=None, team_id=BETA)
    for user in ("U0ANA", "U0BO"):
        await installs.async_save(installation(user, "xoxb-1"))
    await installs.async_save(installation("U0CY", "xoxb-2", team="T0OTHER"))

    await installs.async_delete_installation(**where, user_id="U0BO")
    latest = await installs.async_find_installation(**where)
    assert latest is not None
    assert latest.user_id == "U0ANA"
    await installs.async_delete_bot(**where)
    assert await installs.async_find_bot(**where) is None
    left = await installs.async_find_installation(**where)
    assert left is not None
    assert left.bot_token is None
    await installs.async_delete_installation(**where)
    assert await installs.async_find_installation(**where) is None

    other = await installs.async_find_bot(enterprise_id=None, team_id="T0OTHER")
    assert other is not None
    await installs.async_delete_all(enterprise_id=None, team_id="T0OTHER")
    assert await installs.async_find_bot(enterprise_id=None, team_id="T0OTHER") is None


async def test_a_bot_alone_can_be_saved_and_rows_of_a_grid_are_apart(keep: MemoryKeep) -> None:
    """T15: an organisation's row is not its workspace's, and another app's rows are not ours."""
    installs = KeptInstalls(keep, "1.2")
    bot = Bot(enterprise_id=ORG, team_id=BETA, bot_token="xoxb-1", bot_id="B", bot_user_id="U", installed_at=1.0)
    await installs.async_save_bot(bot)

    found = await installs.async_find_bot(enterprise_id=ORG, team_id=BETA)
    assert found is not None
    assert vars(found) == vars(bot)
    assert await installs.async_find_bot(enterprise_id=ORG, team_id=BETA, is_enterprise_install=True) is None
    assert await installs.async_find_bot(enterprise_id=ORG, team_id=None) is None
    assert await KeptInstalls(keep, "3.4").async_find_bot(enterprise_id=ORG, team_id=BETA) is None


async def test_workspaces_that_install_in_the_same_moment_are_all_listed(redis_url: str, namespace: str) -> None:
    """On the real store: twenty at once, each twice, and what Redis holds shows no token (T22)."""
    link = Link(redis_url)
    stores = [KeptInstalls(RedisKeep(link, namespace, KEY), "1.2") for _ in range(2)]
    teams = [f"T{n}" for n in range(20)]
    await asyncio.gather(*(one.async_save(installation("U1", f"xoxb-{t}", team=t)) for t in teams for one in stores))

    assert sorted(await stores[0].owners()) == sorted(teams)
    async with redis.Redis.from_url(redis_url) as server:
        kept = [str(await server.get(name)) async for name in server.scan_iter(f"{{{namespace}}}:keep:*")]
    assert len(kept) == 40
    assert not any("xoxb" in value for value in kept)
    async with aiohttp.ClientSession() as session:
        installed = Installed(stores[1], bare_client(session, "http://127.0.0.1:1/"))
        assert await installed.token("T7") == "xoxb-T7"
    await link.close()


# ------------------------------------------------------------- one workspace alone


async def test_a_single_token_knows_its_workspace(site: Site) -> None:
    """One `auth.test` at the start, and none afterwards; any other workspace is foreign."""
    one = await OneWorkspace.of(site.slack.bot_token, site.client)

    assert await one.teams() == (site.slack.team,)
    assert await one.token(site.slack.team) == site.slack.bot_token
    assert await one.bot_user(site.slack.team) == site.slack.bot_user
    assert await one.bot_user(BETA) is None
    with pytest.raises(SlackGone):
        await one.token(BETA)
    await one.uninstalled(site.slack.team)
    assert [call.method for call in site.slack.called] == ["auth.test"]
    assert site.slack.bot_token not in f"{one} {one!r}"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("invalid_auth", "Slack does not know it; copy the Bot User OAuth Token"),
        ("account_inactive", "install the app again"),
        ("token_revoked", "install the app again"),
        ("token_expired", "switch token rotation off"),
        ("brand_new_code", "look the code up"),
    ],
)
async def test_a_token_that_slack_refuses_is_one_clear_sentence(site: Site, code: str, told: str) -> None:
    """At the start, not at the first call hours later; with the remedy, without the token."""
    site.slack.faults.fail("auth.test", code)

    with pytest.raises(BadSettings) as caught:
        await OneWorkspace.of(site.slack.bot_token, site.client)

    (sentence,) = caught.value.problems
    assert sentence.startswith(f"SLACK_BOT_TOKEN is refused by Slack ({code}): ")
    assert told in sentence
    assert site.slack.bot_token not in sentence


async def test_a_token_of_another_kind_is_refused(slack: FakeSlack, keep: MemoryKeep) -> None:
    """A person's token would act as that person."""

    async def person(_request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "team_id": BETA, "user_id": "U1"})

    async with routed(web.post("/api/auth.test", person)) as url, opened(slack, keep, f"{url}/api/") as site:
        with pytest.raises(BadSettings, match="is not a bot's token"):
            await OneWorkspace.of("xoxp-1", site.client)


async def test_a_token_for_a_whole_organisation_is_every_workspaces(slack: FakeSlack, keep: MemoryKeep) -> None:
    async def whole(_request: web.Request) -> web.Response:
        told = {"team_id": ORG, "enterprise_id": ORG, "user_id": "W1", "bot_id": "B1", "is_enterprise_install": True}
        return web.json_response({"ok": True, **told})

    async with routed(web.post("/api/auth.test", whole)) as url, opened(slack, keep, f"{url}/api/") as site:
        one = await OneWorkspace.of("xoxb-1", site.client)

    assert (await one.token("T0ONE"), await one.bot_user("T0TWO"), await one.teams()) == ("xoxb-1", "W1", ())


@pytest.mark.parametrize("trouble", ["lose_request", "html", "rate_limit"])
async def test_a_slack_that_does_not_answer_at_the_start_is_not_a_bad_setting(site: Site, trouble: str) -> None:
    getattr(site.slack.faults, trouble)("auth.test")

    with pytest.raises(ChatUnavailable):
        await OneWorkspace.of(site.slack.bot_token, site.client)
