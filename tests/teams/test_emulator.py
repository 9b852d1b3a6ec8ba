"""An emulator: everything works without a token either way, on this machine alone, and for no page in a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.teams.clouds import CLOUDS
from bot.domain.chat import Click
from bot.domain.wire import dumps
from tests.teams.hall import Hall, a_hall


@pytest.fixture
async def hall() -> AsyncIterator[Hall]:
    async with a_hall(auth="none", app_password="") as hall:
        hall.teams.is_emulator = True
        yield hall


async def test_a_task_a_card_and_a_press_need_no_token(hall: Hall) -> None:
    """Decision 17: the whole way in and out; whoever is met is known from the roster, for Graph is not asked."""
    ref = await hall.card()

    answer = await hall.press(hall.bo, ref, "Approve")

    assert answer.kind == "words"
    [click] = [came for came in hall.front.came if isinstance(came, Click)]
    assert (click.by, click.ref) == (hall.account(hall.bo), ref)
    assert {reply.reply.status for reply in hall.teams.deliveries} == {200}
    assert hall.teams.called
    assert [called.route for called in hall.teams.called if called.token or called.route in ("token", "graph")] == []


@pytest.mark.parametrize("url", [CLOUDS["public"].service_url, "http://169.254.169.254/", "http://localhost.evil.com/"])
async def test_whoever_names_another_host_is_not_heard(hall: Hall, url: str) -> None:
    """Decision 17, T24: else anybody on this machine could have us call anything."""
    await hall.task()
    said = {**hall.teams.words(hall.ana, hall.ops, "@countersign refund order 7"), "serviceUrl": url}
    called = len(hall.teams.called)

    assert (await hall.teams.forge(said, "")).status == 403

    assert hall.front.came == []
    assert len(hall.teams.called) == called


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:3978", "null"])
async def test_a_page_in_somebodys_browser_cannot_sign(hall: Hall, origin: str) -> None:
    """T11: no token stands between a page and the port, so what a browser sends is refused, whatever name it used."""
    ref = await hall.card()
    pressed: Any = hall.teams.click(hall.bo, ref.place.channel, ref.id, "Approve", 0)
    sent = hall.teams.deliveries[-1]

    reply = await hall.teams.raw(dumps(pressed), {**sent.headers, "Origin": origin})

    assert reply.status == 401
    assert hall.front.came == []
