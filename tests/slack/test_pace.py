"""Buckets under a clock that only moves when somebody sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from adapters.pace import LONGEST_WAIT, REMEMBERED
from adapters.slack.codes import FAMILY_OF
from adapters.slack.pace import TIERS, Pace
from bot.domain.errors import ChatUnavailable
from tests.pacing import Hours, busiest, others_first

POST = "chat.postMessage"


class Callers:
    """Calls that wait for their turns, and when each of them started."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.hours = Hours(now=1_000.0)
        self.pace = Pace(self.hours.clock, self.hours.sleep)
        self.started: list[tuple[str, float]] = []
        self.sent_away: list[tuple[str, float]] = []
        self._group = group

    async def ask(self, *names: str, method: str = POST, channel: str = "C1", team: str = "T1") -> None:
        for name in names:
            self._group.create_task(self._one(name, team, method, channel))
        await others_first()

    async def _one(self, name: str, team: str, method: str, channel: str) -> None:
        try:
            await self.pace.turn(team, method, channel)
        except ChatUnavailable as error:
            self.sent_away.append((name, error.retry_after or 0.0))
        else:
            self.started.append((name, self.hours.now - 1_000.0))


@pytest.fixture
def names() -> Iterator[str]:
    return (f"n{number}" for number in range(10_000))


async def test_a_short_burst_goes_at_once_and_then_about_one_a_second(names: Iterator[str]) -> None:
    """AU-09: a note and a card follow each other; a flood keeps to Slack's five in five seconds."""
    async with asyncio.TaskGroup() as group:
        callers = Callers(group)

        await callers.ask(*(next(names) for _ in range(10)))
        await callers.hours.pass_by(60)

    times = [at for _, at in callers.started]
    assert times[:5] == [0.0] * 5
    assert len(times) == 10
    assert busiest(times, 5.0) == 5


async def test_turns_are_given_in_the_order_they_were_asked_for() -> None:
    """No card before the note it belongs to."""
    async with asyncio.TaskGroup() as group:
        callers = Callers(group)

        await callers.ask(*"abcdefghij")
        await callers.hours.pass_by(60)

    assert "".join(name for name, _ in callers.started) == "abcdefghij"


@pytest.mark.parametrize(("method", "per_minute"), [("chat.startStream", 20), ("chat.update", 50), ("users.info", 100)])
async def test_a_tier_is_kept_in_every_minute(method: str, per_minute: int, names: Iterator[str]) -> None:
    """Slack counts per method and workspace; whoever keeps asking never gets more than the tier in any minute."""
    async with asyncio.TaskGroup() as group:
        callers = Callers(group)

        for _ in range(400):
            await callers.ask(next(names), method=method)
            await callers.hours.pass_by(0.5)
        await callers.hours.pass_by(LONGEST_WAIT)

    times = [at for _, at in callers.started]
    assert per_minute * 0.8 <= busiest(times, 60.0) <= per_minute
    assert len(times) >= 3 * per_minute  # 200 s: nearly all that Slack would take


async def test_channels_workspaces_and_methods_do_not_wait_for_each_other() -> None:
    """One busy channel holds up nobody but itself."""
    async with asyncio.TaskGroup() as group:
        callers = Callers(group)
        await callers.ask(*"abcde")

        await callers.ask("other channel", channel="C2")
        await callers.ask("other team", team="T2")
        await callers.ask("other method", method="chat.update")
        await callers.ask("same")

        assert [name for name, _ in callers.started[5:]] == ["other channel", "other team", "other method"]
        await callers.hours.pass_by(10)
        assert callers.started[-1][0] == "same"


async def test_a_pause_holds_up_its_own_bucket_alone() -> None:
    """429: this channel rests as long as Slack said. Others go on."""
    async with asyncio.TaskGroup() as group:
        callers = Callers(group)

        callers.pace.pause("T1", POST, "C1", seconds=7.0)
        await callers.ask("paused")
        await callers.ask("free", channel="C2")

        assert callers.started == [("free", 0.0)]
        await callers.hours.pass_by(10)
        assert callers.started[1:] == [("paused", 7.0)]


async def test_a_pause_reaches_those_who_wait_already() -> None:
    """A turn given before the 429 is void: it would be the next 429. Afterwards they go one by one, in order."""
    async with asyncio.TaskGroup() as group:
        callers = Callers(group)
        await callers.ask(*"abcdefg")

        callers.pace.pause("T1", POST, "C1", seconds=8.0)
        await callers.hours.pass_by(20)

    late = callers.started[5:]
    assert [name for name, _ in late] == ["f", "g"]
    assert late[0][1] >= 8.0
    assert late[1][1] >= late[0][1] + 1.0


async def test_a_turn_too_far_away_is_refused_with_the_time_to_wait() -> None:
    """The outbox keeps the row and comes back; no queue grows here. The refused one takes nobody's turn."""
    async with asyncio.TaskGroup() as group:
        callers = Callers(group)

        callers.pace.pause("T1", POST, "C1", seconds=LONGEST_WAIT + 1)
        await callers.ask("early")
        assert callers.sent_away == [("early", LONGEST_WAIT + 1)]

        await callers.hours.pass_by(LONGEST_WAIT + 1)
        await callers.ask("again")
        assert [name for name, _ in callers.started] == ["again"]


async def test_idle_buckets_are_forgotten_and_resting_ones_are_not() -> None:
    """A year of channels must not stay in memory; a pause must."""
    hours = Hours()
    pace = Pace(hours.clock, hours.sleep)
    pace.pause("T1", POST, "C1", seconds=3_000.0)
    for number in range(REMEMBERED + 5):
        hours.now += 1.0
        await pace.turn("T1", POST, f"C{number + 100}")

    assert len(pace._turns.buckets) < 100
    with pytest.raises(ChatUnavailable):
        await pace.turn("T1", POST, "C1")


def test_every_method_we_know_codes_of_has_a_tier() -> None:
    """A method that nobody looked up would go at the slowest useful tier, and nobody would know why."""
    assert set(FAMILY_OF) - set(TIERS) == {POST}
