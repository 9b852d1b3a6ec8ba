"""Teams' limits, kept under a clock that only moves when somebody sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from adapters.pace import LONGEST_WAIT
from adapters.teams.pace import READS, TENANT, WRITES, YIELDING, Kind, Pace
from bot.domain.errors import ChatUnavailable
from tests.pacing import Hours, busiest, others_first


class Callers:
    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.hours = Hours()
        self.pace = Pace(self.hours.clock, self.hours.sleep)
        self.started: list[tuple[str, float]] = []
        self.sent_away: list[tuple[str, float]] = []
        self._group = group

    async def ask(
        self, name: str, kind: Kind = Kind.WRITE, *, at: str = "19:a", tenant: str = "T", times: int = 1
    ) -> None:
        for _ in range(times):
            self._group.create_task(self._one(name, kind, at, tenant))
        await others_first()

    async def _one(self, name: str, kind: Kind, at: str, tenant: str) -> None:
        try:
            await self.pace.turn(tenant, at, kind)
        except ChatUnavailable as error:
            self.sent_away.append((name, error.retry_after or 0.0))
        else:
            self.started.append((name, self.hours.now))

    def times(self, name: str) -> list[float]:
        return [at for said, at in self.started if said == name]


@pytest.mark.parametrize(("kind", "windows"), [(Kind.WRITE, WRITES), (Kind.READ, READS), (Kind.YIELD, YIELDING)])
async def test_every_window_of_a_conversation_is_kept(kind: Kind, windows: Sequence[tuple[int, float]]) -> None:
    """However much is wanted, in a burst or for an hour: a 429 stays the exception."""
    async with asyncio.TaskGroup() as group:
        callers = Callers(group)
        await callers.ask("one", kind, times=12)
        for _ in range(900):
            await callers.hours.pass_by(4.5)
            await callers.ask("one", kind, times=6)
        await callers.hours.pass_by(LONGEST_WAIT)

    times = callers.times("one")
    for most, seconds in windows:
        assert busiest(times, seconds) <= most
    assert len(times) >= windows[-1][0]  # an hour's worth, nearly as fast as may be
    assert callers.sent_away


async def test_a_short_burst_goes_at_once() -> None:
    """A note and a card follow each other."""
    async with asyncio.TaskGroup() as group:
        callers = Callers(group)
        await callers.ask("note", times=7)
        assert callers.times("note") == [0.0] * 7

        await callers.ask("next")
        await callers.hours.pass_by(3)
    assert callers.times("next")[0] >= 1.0


async def test_a_busy_conversation_holds_up_nobody_but_itself() -> None:
    """Neither by what it sends nor by what it waits for."""
    async with asyncio.TaskGroup() as group:
        callers = Callers(group)
        await callers.ask("busy", times=60)

        await callers.ask("other chat", at="19:b")
        await callers.ask("same chat of another tenant", tenant="U")
        await callers.ask("reading", Kind.READ)

        assert {name for name, at in callers.started if at == 0.0} == {
            *("busy", "other chat", "same chat of another tenant", "reading"),
        }
        await callers.hours.pass_by(60)


async def test_an_escalation_never_waits_behind_edits() -> None:
    """Edits and typing leave places free: a message that calls somebody goes at once, however many cards change."""
    async with asyncio.TaskGroup() as group:
        callers = Callers(group)
        await callers.ask("edit", Kind.YIELD, times=40)

        await callers.ask("escalation")
        assert callers.times("escalation") == [0.0]

        for second in range(2, 120, 2):
            await callers.hours.pass_by(2)
            await callers.ask("edit", Kind.YIELD, times=4)
            await callers.ask(f"escalation {second}")
            assert callers.times(f"escalation {second}") == [second]
        await callers.hours.pass_by(60)
    assert busiest(callers.times("edit"), 30.0) == YIELDING[2][0]


async def test_the_threads_of_a_channel_share_its_limit() -> None:
    """Teams counts a channel as one conversation, however many threads write in it."""
    async with asyncio.TaskGroup() as group:
        callers = Callers(group)
        for number in range(12):
            await callers.ask("any", at=f"19:a@thread.tacv2;messageid={number}")
        await callers.hours.pass_by(5)

    assert busiest(callers.times("any"), 1.0) <= WRITES[0][0]


async def test_a_tenant_has_a_limit_over_all_its_conversations() -> None:
    async with asyncio.TaskGroup() as group:
        callers = Callers(group)
        for number in range(120):
            await callers.ask("any", at=f"19:{number}")
        await callers.hours.pass_by(10)

    times = callers.times("any")
    assert len(times) == 120
    assert busiest(times, TENANT[0][1]) == TENANT[0][0]


async def test_a_pause_holds_up_its_conversation_alone_and_whoever_waits_there_already() -> None:
    """429: this conversation rests as long as Teams said. Afterwards it goes one by one, in order."""
    async with asyncio.TaskGroup() as group:
        callers = Callers(group)
        await callers.ask("before", times=9)

        callers.pace.pause("T", "19:a", Kind.WRITE, seconds=8.0)
        await callers.ask("free", at="19:b")
        await callers.ask("edit", Kind.YIELD)
        await callers.hours.pass_by(20)

    assert callers.times("free") == [0.0]
    late = [at for at in callers.times("before") + callers.times("edit") if at > 0]
    assert len(late) == 3
    assert min(late) >= 8.0


async def test_who_would_wait_too_long_is_told_when_to_come_back() -> None:
    """The outbox keeps the row; no queue grows here."""
    async with asyncio.TaskGroup() as group:
        callers = Callers(group)
        callers.pace.pause("T", "19:a", Kind.WRITE, seconds=30.0)
        callers.pace.pause("T", "", Kind.CREATE, seconds=1.0)

        await callers.ask("early")
        assert callers.sent_away == [("early", 30.0)]

        await callers.ask("create", Kind.CREATE, at="")
        await callers.hours.pass_by(2)
    assert callers.times("create") == [1.0]
