"""The fake Slack's wires: real Socket Mode handlers, and everything that breaks on the way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_sdk.errors import SlackApiError

from tests.fakes.loopback import routed
from tests.fakes.office import Office, refused

# -------------------------------------------------------------------- sockets


@contextlib.asynccontextmanager
async def plugged(office: Office, times: int = 1) -> AsyncIterator[None]:
    """*times* real Socket Mode handlers, all connected."""
    handlers = [AsyncSocketModeHandler(office.app, office.slack.app_token) for _ in range(times)]
    for handler in handlers:
        await handler.connect_async()  # type: ignore[no-untyped-call] # slack_bolt has no types there
    await office.slack.until(lambda: len(office.slack.sockets.lines) == times, "all sockets are connected")
    try:
        yield
    finally:
        for handler in handlers:
            await handler.close_async()  # type: ignore[no-untyped-call] # slack_bolt has no types there


async def test_a_real_socket_handler_hears_and_acknowledges(office: Office) -> None:
    async with plugged(office):
        ts = await office.card()
        await office.slack.say(office.ana, office.ops, office.slack.mention)
        reply = await office.slack.press(office.ana, office.ops, ts, "Approve")

    assert [body.get("type") for body in office.heard] == ["event_callback", "event_callback", "block_actions"]
    assert reply.is_ok


async def test_of_several_sockets_each_payload_reaches_one(office: Office) -> None:
    """PN-10: two Socket Mode consumers share what comes."""
    async with plugged(office, times=2):
        lines = list(office.slack.sockets.lines)
        for _ in range(4):
            await office.slack.say(office.ana, office.ops, "hello")

    assert [line.sent for line in lines] == [2, 2]
    assert len({body["event_id"] for body in office.heard}) == len(office.heard) == 4


async def test_an_envelope_nobody_acknowledged_comes_again(office: Office) -> None:
    """bolt acks nothing for a failed event; Slack counts, and bolt mirrors the count into headers."""
    office.fails, office.slack.ack_within = 1, 0.05

    async with plugged(office):
        await office.slack.say(office.ana, office.ops, "hello")

    assert [one.attempt for one in office.slack.deliveries] == [0, 1]
    assert office.heard[0]["event_id"] == office.heard[1]["event_id"]


async def test_a_closed_socket_comes_back(office: Office) -> None:
    """1012, and the real client connects anew by itself."""
    async with plugged(office):
        await office.slack.close_sockets()
        await office.slack.until(lambda: office.slack.sockets.opened == 2, "connected again")
        await office.slack.say(office.ana, office.ops, "hello")

    assert len(office.heard) == 1


# ------------------------------------------------------------------ mischief


async def test_a_lost_reply_is_a_post_that_happened(office: Office) -> None:
    """PN-10: section 5: the call takes effect and the caller cannot know."""
    office.slack.faults.lose_reply("chat.postMessage")

    with pytest.raises(aiohttp.ClientConnectionError):
        await office.api.chat_postMessage(channel=office.ops, text="once")

    assert [one.text for one in office.slack.posts()] == ["once"]


async def test_a_lost_request_is_a_post_that_did_not_happen(office: Office) -> None:
    office.slack.faults.lose_request("chat.postMessage")

    with pytest.raises(aiohttp.ClientConnectionError):
        await office.api.chat_postMessage(channel=office.ops, text="never")

    assert office.slack.posts() == []


async def test_a_method_is_limited_broken_or_silent_for_as_long_as_asked(office: Office) -> None:
    faults, api = office.slack.faults, office.api
    faults.rate_limit("auth.test", retry_after=7)
    faults.fail("auth.test", "internal_error")
    faults.html("auth.test", status=502)
    faults.hang("auth.test")

    with pytest.raises(SlackApiError) as limited:
        await api.auth_test()
    failed = await refused(api.auth_test())
    with pytest.raises(SlackApiError) as page:
        await api.auth_test()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await api.auth_test()

    assert limited.value.response.headers["Retry-After"] == "7"
    assert failed == "internal_error"
    assert page.value.response.status_code == 502
    assert (await api.auth_test())["user_id"] == office.slack.bot_user
    assert len(office.slack.calls("auth.test")) == 5


async def test_tiers_hold_when_they_are_enforced_and_recover_with_time(office: Office) -> None:
    office.slack.enforce_tiers = True
    for _ in range(20):
        await office.api.usergroups_list()

    with pytest.raises(SlackApiError) as limited:
        await office.api.usergroups_list()
    office.slack.later(60)
    await office.api.usergroups_list()

    assert limited.value.response.status_code == 429
    assert 1 <= int(limited.value.response.headers["Retry-After"]) <= 60


async def test_a_warned_socket_comes_back_on_a_new_line(office: Office) -> None:
    """Slack asks for a new connection before it closes the old one."""
    async with plugged(office):
        await office.slack.disconnect_warning()
        await office.slack.until(lambda: office.slack.sockets.opened == 2, "connected again")


async def test_an_eleventh_socket_is_sent_away(office: Office) -> None:
    """Ten connections an app: the next one hears `too_many_websockets`."""
    async with contextlib.AsyncExitStack() as lines, aiohttp.ClientSession() as session:
        for _ in range(11):
            url = str((await office.api.apps_connections_open(app_token=office.slack.app_token))["url"])
            line = await lines.enter_async_context(session.ws_connect(url))
            hello = await line.receive_json()

    assert hello == {"type": "disconnect", "reason": "too_many_websockets"}


async def test_an_app_that_does_not_answer_hears_of_it_again_with_the_reason(office: Office) -> None:
    """Events within three seconds; a click that nobody took is lost, as the person is told."""

    async def sleepy(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError("nobody wakes it")

    async with routed(web.post("/", sleepy), patience=0.1) as base:
        office.slack.request_url, office.slack.ack_within = f"{base}/", 0.02

        await office.slack.say(office.ana, office.ops, "hello")
        reply = await office.slack.press(office.ana, office.ops, await office.card(), "Deny")

    *events, _click = office.slack.deliveries
    assert [one.headers.get("X-Slack-Retry-Reason") for one in events] == [None, *["http_timeout"] * 3]
    assert (reply.status, reply.reason) == (0, "http_timeout")


async def test_an_app_may_ask_not_to_be_told_again(office: Office) -> None:
    """`X-Slack-No-Retry: 1` ends redelivery."""

    async def busy(_: web.Request) -> web.Response:
        return web.Response(status=503, headers={"X-Slack-No-Retry": "1"})

    async with routed(web.post("/", busy)) as base:
        office.slack.request_url = f"{base}/"

        await office.slack.say(office.ana, office.ops, "hello")

    assert [one.reply.status for one in office.slack.deliveries] == [503]


async def test_twins_can_arrive_side_by_side(over_http: Office) -> None:
    """Two replicas, or one that is slow: the second twin is there before the first is answered."""
    over_http.slack.faults.at_once = True
    both = asyncio.Barrier(2)
    over_http.meets = both.wait

    async with asyncio.timeout(2):
        await over_http.slack.say(over_http.ana, over_http.ops, over_http.slack.mention)

    assert sorted(over_http.types) == ["app_mention", "message"]
