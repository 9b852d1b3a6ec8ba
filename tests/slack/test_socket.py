"""Socket Mode: payloads over connections we open, and a watch that makes new ones when they die."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.response import BoltResponse
from structlog.testing import capture_logs

from adapters.slack.ears import Ears
from adapters.slack.reading import Payload
from adapters.slack.socket import LOOK_EVERY, PING_EVERY, SILENT_AFTER, Sockets, SocketSettings, Timing
from bot.domain.chat import Answer
from tests.fakes.loopback import answering
from tests.slack.listening import House, a_house


@dataclass
class Time:
    """A clock a test turns, and sleeps that take no time to speak of."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)
    luck: float = 0.0
    ping_every: float = PING_EVERY
    looked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def timing(self) -> Timing:
        return Timing(clock=lambda: self.now, sleep=self._sleep, jitter=lambda: self.luck, ping_every=self.ping_every)

    @property
    def pauses(self) -> list[float]:
        """Before a new connection; looks are not counted."""
        return [seconds for seconds in self.slept if seconds != LOOK_EVERY]

    async def looks(self, count: int) -> None:
        """Return when the watch has looked so often again."""
        for _ in range(count):
            self.looked.clear()
            await self.looked.wait()

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0.002)
        self.looked.set()


@dataclass
class Counted:
    """Ears that count what one connection brought."""

    ears: Ears
    taken: int = 0

    async def take(self, payload: Payload) -> BoltResponse:
        self.taken += 1
        return await self.ears.take(payload)


async def until_open(house: House, lines: int = 1, *, opened: int = 1) -> None:
    slack = house.slack
    await slack.until(lambda: len(slack.sockets.lines) == lines and slack.sockets.opened >= opened, "connections")


async def ana_in(house: House) -> tuple[str, str]:
    ana = house.slack.add_user("ana")
    return ana, house.slack.add_channel("ops", [ana])


async def test_everything_that_comes_over_http_comes_over_a_socket() -> None:
    """Events, presses, forms with problems, and a command whose answer is the ack."""
    async with a_house(over="socket") as house:
        ana, ops = await ana_in(house)
        card = await house.post(ops)

        await house.slack.say(ana, ops, f"{house.slack.mention} refund 40")
        await house.slack.press(ana, ops, card, "Approve")
        await house.slack.press(ana, ops, card, "Reject")
        await house.slack.until(lambda: (shown := house.slack.view_of(ana)) and shown.title == "Reject", "a form")
        house.front.answer = Answer(is_taken=False, text="", problems={"reason": "longer, please"})
        await house.slack.submit(ana, {"Reason": "no"})
        beside = house.slack.errors_of(ana)
        await house.slack.command(ana, ops, "/countersign", "queue")

    assert {one.reply.status for one in house.slack.deliveries} == {200}
    assert len(house.front.came) == 4
    assert beside == {"Reason": "longer, please"}
    assert [one.text for one in house.slack.ephemerals(ana)] == ["Two requests wait for you."]


async def test_what_was_not_recorded_is_not_acked_and_comes_again() -> None:
    async with a_house(over="socket") as house:
        house.slack.ack_within = 0.2
        house.slack.subscribed -= {"app_mention"}
        house.front.shut = 1
        ana, ops = await ana_in(house)

        await house.slack.say(ana, ops, "hello")

    assert [one.reply.status for one in house.slack.deliveries] == [0, 200]
    assert len(set(house.front.deliveries)) == 1
    assert len(house.front.came) == 2


async def test_two_consumers_share_the_events() -> None:
    """Each payload goes to one of them; together they miss none and double none."""
    async with a_house(over="nothing yet") as house, AsyncExitStack() as stack:
        settings = SocketSettings(app_token=house.slack.app_token, base_url=house.slack.api_url)
        both = [Counted(house.ears), Counted(house.ears)]
        for one in both:
            await stack.enter_async_context(Sockets(settings, one).open())
        await until_open(house, 2)
        ana, ops = await ana_in(house)

        for number in range(10):
            await house.slack.say(ana, ops, f"number {number}")

    assert [one.taken for one in both] == [5, 5]
    assert len(set(house.front.deliveries)) == 10


async def test_a_closed_connection_is_built_anew() -> None:
    """Slack closes connections now and then (1012); what is said after it is heard."""
    async with a_house(over="nothing yet") as house:
        time = Time()
        sockets = house.sockets(time.timing)
        async with sockets.open():
            await until_open(house)
            await house.slack.close_sockets()
            await until_open(house, opened=2)

            await house.slack.say(*await ana_in(house), "still there?")

    assert len(house.front.came) == 1
    assert sockets.reconnects == 1
    assert time.pauses == [0.25]


async def test_a_silent_connection_is_built_anew() -> None:
    """Half open: neither side sees an end, and nothing comes. 60 s of that are enough."""
    async with a_house(over="nothing yet") as house:
        time = Time()
        sockets = house.sockets(time.timing)
        async with sockets.open():
            await until_open(house)
            await time.looks(20)  # the first pong is in
            time.now += SILENT_AFTER
            await time.looks(3)
            assert sockets.reconnects == 0

            time.now += 1
            await until_open(house, opened=2)
            await time.looks(20)

            assert sockets.seconds_since_event == 0
    assert sockets.reconnects == 1


async def test_a_payload_is_a_sign_of_life() -> None:
    async with a_house(over="nothing yet") as house:
        time = Time()
        sockets = house.sockets(time.timing)
        async with sockets.open():
            await until_open(house)
            time.now += 50
            await house.slack.say(*await ana_in(house), "hello")

            assert sockets.seconds_since_event == 0
            time.now += 7
            assert sockets.seconds_since_event == 7


async def test_an_answered_ping_is_a_sign_of_life() -> None:
    """Nobody says anything all night; the connection stays."""
    async with a_house(over="nothing yet") as house:
        time = Time(ping_every=0.4)
        sockets = house.sockets(time.timing)
        async with sockets.open():
            await until_open(house)
            for _ in range(3):
                time.now += 40
                while sockets.seconds_since_event:
                    await time.looks(1)

    assert sockets.reconnects == 0


async def test_slack_may_ask_for_a_new_connection() -> None:
    """It says so before it closes one: no pause then, for Slack asks one connection after the other."""
    async with a_house(over="nothing yet") as house:
        time = Time()
        async with house.sockets(time.timing).open():
            await until_open(house)
            await house.slack.disconnect_warning()
            await until_open(house, opened=2)

            await house.slack.say(*await ana_in(house), "still there?")

    assert len(house.front.came) == 1
    assert time.pauses == []


async def test_while_slack_refuses_the_pauses_grow_and_differ() -> None:
    """Many processes must not all come back in one moment; and an operator must read why nothing is heard."""
    async with a_house(over="nothing yet") as house:
        house.slack.faults.fail("apps.connections.open", "internal_error", times=9)
        time = Time(luck=0.9)
        with capture_logs() as logs:
            async with house.sockets(time.timing).open():
                await until_open(house)
                await house.slack.say(*await ana_in(house), "hello")

    assert time.pauses == pytest.approx([0.475, 0.95, 1.9, 3.8, 7.6, 15.2, 28.5, 28.5, 28.5])
    refused = [log["code"] for log in logs if log["event"] == "slack_socket_refused"]
    assert refused == ["internal_error"] * 9
    assert house.slack.app_token not in str(logs)


async def test_a_server_that_drops_the_call_is_tried_again() -> None:
    async with a_house(over="nothing yet") as house:
        house.slack.faults.html("apps.connections.open")
        house.slack.faults.lose_request("apps.connections.open", times=2)
        async with house.sockets(Time().timing).open():
            await until_open(house)


@pytest.mark.parametrize(
    "page",
    [
        {"status": 503, "text": "upstream connect error or disconnect/reset before headers"},
        {"status": 503, "body": b"", "content_type": "application/json"},
        {"status": 200, "body": b'{"ok": tr', "content_type": "application/json"},
        {"status": 200, "body": b"[1]", "content_type": "application/json"},
        {"status": 200, "body": b"\xff\xfe", "content_type": "application/json"},
        {"status": 429, "text": '{"ok": false, "error": "ratelimited"}', "headers": {"Retry-After": "soon"}},
    ],
)
async def test_a_page_instead_of_an_address_ends_no_bot(page: dict[str, Any]) -> None:
    """A proxy in front of Slack answers in its own words; every agent of this process lives in the same task group."""
    asked = asyncio.Event()
    calls = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        if calls == 3:
            asked.set()
        return web.Response(**page)

    async with a_house(over="nothing yet") as house, answering(answer) as base:
        settings = SocketSettings(app_token="xapp-1", base_url=f"{base}/api/")
        async with Sockets(settings, house.ears, Time().timing).open(), asyncio.timeout(5):
            await asked.wait()


async def test_a_payload_that_breaks_the_ears_ends_no_bot() -> None:
    class Deaf:
        async def take(self, payload: Payload) -> BoltResponse:
            raise ZeroDivisionError(len(payload))

    async with a_house(over="nothing yet") as house:
        settings = SocketSettings(app_token=house.slack.app_token, base_url=house.slack.api_url)
        with capture_logs() as logs:
            async with Sockets(settings, Deaf(), Time().timing).open():
                await until_open(house)
                await house.slack.say(*await ana_in(house), "hello")

    assert "slack_payload_failed" in [log["event"] for log in logs]


async def test_closing_leaves_no_task_no_connection_and_no_complaint(caplog: pytest.LogCaptureFixture) -> None:
    """Every warning is an error in these tests; what asyncio complains of stands in its log."""
    caplog.set_level(logging.WARNING)
    async with a_house(over="nothing yet") as house:
        before = asyncio.all_tasks()
        async with house.sockets().open():
            await until_open(house)
            await house.slack.say(*await ana_in(house), "hello")
        left = {task.get_name() for task in asyncio.all_tasks() - before if not _is_the_fakes(task)}
        await house.slack.until(lambda: not house.slack.sockets.lines, "the goodbye")

    assert left == set()
    assert [record.message for record in caplog.records] == []


async def test_what_is_being_handled_when_we_close_is_finished_and_acked() -> None:
    """A press that was counted is not shown as an error, only because we were restarted."""
    async with a_house(over="nothing yet") as house:
        ana, ops = await ana_in(house)
        card = await house.post(ops)
        sockets = house.sockets()
        async with sockets.open():
            await until_open(house)
            house.front.opened.clear()
            pressing = asyncio.create_task(house.slack.press(ana, ops, card, "Approve"))
            await house.front.knocked.wait()
            asyncio.get_running_loop().call_later(0.05, house.front.opened.set)

        reply = await pressing

    assert reply.status == 200
    assert len(house.front.came) == 1


def _is_the_fakes(task: asyncio.Task[object]) -> bool:
    coroutine = task.get_coro()
    return "aiohttp/web_protocol" in getattr(getattr(coroutine, "cr_code", None), "co_filename", "")
