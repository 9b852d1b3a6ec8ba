"""Presence: the platform's own sign that a run works, waits or has ended. Decoration, and treated as such."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from bot.domain.chat import Place
from bot.domain.errors import ChatUnavailable, CountersignError, Undeliverable
from bot.domain.run import RunStatus
from tests.fakes.chat import FakeChat
from tests.flows.stage import Build, Hands, Played, call, calls, policy, settled
from tests.house import House

WIRE = calls(call("wire", amount=90))


class Sulking(FakeChat):
    """Cannot show presence: it fails, or never answers."""

    trouble: CountersignError | None = None

    async def presence(self, place: Place, status: RunStatus) -> None:
        await super().presence(place, status)
        if self.trouble is None:
            await asyncio.Event().wait()
        else:
            raise self.trouble


async def test_presence_follows_the_run_where_its_task_was_given(build: Build, hands: Hands) -> None:
    """It waits while people are asked, and the last thing said is that it is done."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        thread = await house.mention("ana", "pay")
        card = await house.card()
        await house.chat.until(lambda: said(house)[-1:] == [RunStatus.WAITING], "waiting")

        await house.press("approve", by="bo", card=card)
        await house.shows("ok wire 90 bank")

        assert await settled(house)
        await house.chat.until(lambda: said(house)[-1] == RunStatus.DONE, "done")
        assert {(place.channel, place.thread) for place, _ in house.chat.presences} == {("general", thread)}


@pytest.mark.parametrize("trouble", [ChatUnavailable("x", "down"), Undeliverable("x", "not_agent_app"), None])
async def test_presence_that_fails_is_not_tried_again_and_holds_up_nothing(
    build: Build, hands: Hands, trouble: CountersignError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status message is shown all the same, and its row is gone: one try for each time it was shown."""
    monkeypatch.setattr("bot.runtime.outbox.PRESENCE_WITHIN", 0.01)
    chat = Sulking()
    chat.trouble = trouble
    with capture_logs() as logs:
        async with build(policy=policy(), tools=hands.tools, model=Played(WIRE), chat=chat) as house:
            await house.mention("ana", "pay")
            await house.press("approve", by="bo")

            await house.shows("ok wire 90 bank")

            assert await settled(house)

    status = next(post for post in chat.posts if post.key.endswith("/status"))
    assert status.card.title == "Done"
    assert 0 < len(chat.presences) <= len(status.cards)
    told = {line["event"] for line in logs}
    assert "presence_failed" in told
    assert not told & {"outbox_retry", "row_failed"}


def said(house: House) -> list[RunStatus]:
    return [status for _, status in house.chat.presences]
