"""One call at a time: what its failure means, and what never leaks."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from adapters.slack.api import STOPPED_AGAIN, Api, PerhapsDone, SlackGone, SlackRefused, SlackStopped, text_in
from adapters.slack.codes import Outcome
from adapters.slack.pace import Pace
from bot.domain.errors import ChatUnavailable, Undeliverable
from tests.slack.given import Booth, opened_booth


@pytest.fixture
async def booth() -> AsyncIterator[Booth]:
    async with opened_booth() as booth:
        yield booth


async def test_a_call_says_what_was_asked_and_returns_what_slack_said(booth: Booth) -> None:
    """Blocks travel as JSON, everything else as a form; what is None stays away."""
    api, team = booth.api(), booth.slack.team

    posted = await api.call(team, "chat.postMessage", channel=booth.channel, text="hi", thread_ts=None)
    page = await api.call(team, "conversations.history", channel=booth.channel, limit=1, include_all_metadata=True)

    assert booth.slack.calls("chat.postMessage") == [{"channel": booth.channel, "text": "hi"}]
    assert page["messages"][0]["ts"] == posted["ts"]


@pytest.mark.parametrize("method", ["chat.postMessage", "users.info"])
async def test_a_lost_reply_may_have_been_done_and_is_never_asked_twice(booth: Booth, method: str) -> None:
    """Slack did it, the connection dropped: the SDK's own repetition would do it again."""
    booth.slack.faults.lose_reply(method)

    with pytest.raises(PerhapsDone) as caught:
        await booth.api().call(booth.slack.team, method, channel=booth.channel, text="hi", user=booth.ana)

    assert len(booth.slack.calls(method)) == 1
    assert caught.value.retry_after


@pytest.mark.parametrize("status", [200, 500, 503, 404])
async def test_a_page_instead_of_a_reply_may_have_been_done(booth: Booth, status: int) -> None:
    """A proxy or an outage answers in HTML. Nobody knows what stands behind it; its text goes nowhere."""
    booth.slack.faults.html("chat.update", status)

    with pytest.raises(PerhapsDone) as caught:
        await booth.api().call(booth.slack.team, "chat.update", channel=booth.channel, ts="1.1", text="hi")

    assert "trouble" not in str(caught.value)


async def test_a_call_that_hangs_ends_at_the_deadline(booth: Booth, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds, here a twentieth of one: one hanging call must not hold up a conversation for ever."""
    monkeypatch.setattr("adapters.slack.api.DEADLINE", 0.05)
    booth.slack.faults.hang("chat.postMessage")

    with pytest.raises(PerhapsDone, match="TimeoutError"):
        await booth.api().call(booth.slack.team, "chat.postMessage", channel=booth.channel, text="hi")


async def test_what_never_left_was_certainly_not_done(booth: Booth) -> None:
    """No server there: whoever posts need not look for an orphan."""
    async with aiohttp.ClientSession() as session:
        api = Api(session, booth.tokens, Pace(), "http://127.0.0.1:9/api/")

        with pytest.raises(ChatUnavailable) as caught:
            await api.call(booth.slack.team, "chat.postMessage", channel=booth.channel, text="hi")

    assert not isinstance(caught.value, PerhapsDone)


async def test_a_closed_session_is_not_replaced_behind_our_back(booth: Booth) -> None:
    """The SDK would open one of its own, and post after the end."""
    await booth.session.close()

    with pytest.raises(ChatUnavailable, match="closed"):
        await booth.api().call(booth.slack.team, "chat.postMessage", channel=booth.channel, text="hi")

    assert not booth.slack.calls("chat.postMessage")


async def test_a_429_names_its_time_and_holds_up_its_own_channel_alone(booth: Booth) -> None:
    """The other channel posts at once; this one waits as long as Slack said, and then goes on."""
    api, team = booth.api(), booth.slack.team
    booth.slack.faults.rate_limit("chat.postMessage", retry_after=7)

    with pytest.raises(ChatUnavailable) as caught:
        await api.call(team, "chat.postMessage", channel=booth.channel, text="one")
    await api.call(team, "chat.postMessage", channel=booth.fallback, text="other")

    assert caught.value.retry_after == 7
    assert not isinstance(caught.value, PerhapsDone)
    assert booth.hours.naps == []
    await api.call(team, "chat.postMessage", channel=booth.channel, text="one")
    assert sum(booth.hours.naps) == pytest.approx(7)


async def test_at_our_pace_slack_never_says_429(booth: Booth) -> None:
    """The fake counts as Slack does. A minute of posts, as fast as the pace lets them."""
    api, team = booth.api(), booth.slack.team
    booth.slack.enforce_tiers = True

    for number in range(30):
        before = len(booth.hours.naps)
        await api.turn(team, "chat.postMessage", booth.channel)
        booth.slack.later(sum(booth.hours.naps[before:]))
        await api.send(team, "chat.postMessage", channel=booth.channel, text=str(number))

    assert len(booth.slack.posts(booth.channel)) == 30


async def test_a_missing_scope_is_named(booth: Booth) -> None:
    """The operator reads which one, once, and what to do."""
    booth.slack.scopes.remove("users:read")
    api = booth.api()

    with capture_logs() as told:
        for _ in range(2):
            with pytest.raises(SlackRefused, match="grant the app the scope users:read") as caught:
                await api.call(booth.slack.team, "users.info", user=booth.ana)

    assert caught.value.outcome is Outcome.STOP_FEATURE
    assert [(line["event"], line["needed"]) for line in told] == [("slack_refused", "users:read")]


async def test_a_dead_token_stops_its_workspace_and_no_other(booth: Booth) -> None:
    """One call finds out; no more are made, the operator is told once, and a revived workspace is called again."""
    slack, api = booth.slack, booth.api()
    booth.tokens.known["T2"] = slack.install("T2")
    slack.faults.fail("auth.test", "token_revoked")

    with capture_logs() as told:
        for _ in range(3):
            with pytest.raises(SlackStopped) as caught:
                await api.call(slack.team, "auth.test")

    assert caught.value.retry_after
    assert len(slack.calls("auth.test")) == 1
    assert [line["event"] for line in told] == ["slack_team_stopped"]
    assert (await api.call("T2", "auth.test"))["ok"]
    api.revive(slack.team)
    assert (await api.call(slack.team, "auth.test"))["ok"]


async def test_a_workspace_that_takes_its_token_again_is_found_without_a_restart(booth: Booth) -> None:
    """An app that was switched off and on keeps its token: one call a minute asks, all others wait for its answer."""
    slack, api = booth.slack, booth.api()
    slack.faults.fail("auth.test", "account_inactive", times=2)

    with capture_logs() as told:
        for _ in range(3):  # the first finds out; after a minute one asks again, in vain
            with pytest.raises(SlackStopped):
                await api.call(slack.team, "auth.test")
            await booth.hours.sleep(STOPPED_AGAIN / 2 + 1)
        assert len(slack.calls("auth.test")) == 2
        await booth.hours.sleep(STOPPED_AGAIN)
        for _ in range(2):
            assert (await api.call(slack.team, "auth.test"))["ok"]

    assert [line["event"] for line in told] == ["slack_team_stopped", "slack_team_goes_on"]


async def test_a_new_token_revives_a_stopped_workspace(booth: Booth) -> None:
    """Somebody installs the app again; nothing needs a restart."""
    api = booth.api()
    good, booth.tokens.known[booth.slack.team] = booth.slack.bot_token, "xoxb-forged"
    with pytest.raises(SlackStopped):
        await api.call(booth.slack.team, "auth.test")

    booth.tokens.known[booth.slack.team] = good

    assert (await api.call(booth.slack.team, "auth.test"))["ok"]


async def test_a_workspace_without_the_app_gets_nothing(booth: Booth) -> None:
    """Uninstalled: never deliverable, and no call is made."""
    with pytest.raises(SlackGone) as caught:
        await booth.api().call("T9", "auth.test")

    assert isinstance(caught.value, Undeliverable)
    assert not booth.slack.called


async def test_nothing_of_a_call_stands_in_a_log(booth: Booth, caplog: pytest.LogCaptureFixture) -> None:
    """T20: at DEBUG the SDK writes bodies; ours never does, nor any error's text."""
    caplog.set_level(logging.DEBUG)
    api, said = booth.api(), []
    faults = booth.slack.faults
    for spoil in (
        faults.lose_reply,
        faults.html,
        faults.rate_limit,
        lambda method: faults.fail(method, "msg_too_long"),
    ):
        spoil("chat.postMessage")
        with capture_logs() as told, pytest.raises((ChatUnavailable, SlackRefused)) as caught:
            await api.call(booth.slack.team, "chat.postMessage", channel=booth.channel, text="canary-text")
        booth.hours.later(60)
        said.append(json.dumps(told) + str(caught.value) + repr(caught.value.__cause__))
    await api.call(booth.slack.team, "chat.postMessage", channel=booth.channel, text="canary-text")

    everything = " ".join(said) + caplog.text
    assert "canary-text" not in everything
    assert booth.slack.bot_token not in everything


async def test_a_file_goes_only_where_nobody_can_listen(booth: Booth) -> None:
    """The address comes in a reply: plain http is for the loopback server that gave it."""
    with pytest.raises(SlackRefused, match="not_https"):
        await booth.api().upload("http://192.0.2.1/upload", b"secret")


async def test_a_file_follows_no_redirect(booth: Booth) -> None:
    """The bytes were given to one address."""
    seen: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        seen.append(await request.read())
        raise web.HTTPTemporaryRedirect("/elsewhere") if request.path == "/upload" else web.HTTPOk

    app = web.Application()
    app.router.add_post("/{path}", take)
    async with TestServer(app) as server:
        api = Api(booth.session, booth.tokens, Pace(), str(server.make_url("/api/")))

        with pytest.raises(SlackRefused, match="http_307"):
            await api.upload(str(server.make_url("/upload")), b"bytes")

    assert seen == [b"bytes"]


@pytest.mark.parametrize("reply", [{}, {"ts": ""}, {"ts": 17.5}, {"ts": None}])
def test_a_reply_without_what_it_must_hold_may_have_been_done(reply: dict[str, object]) -> None:
    """It says "ok", but not where: whoever posts has to look."""
    with pytest.raises(PerhapsDone, match="has no ts"):
        text_in(reply, "ts", "chat.postMessage")
