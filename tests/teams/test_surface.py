"""The surface: typing while a run works, quiet otherwise, and never anybody's trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.teams import surface
from adapters.teams.surface import EVERY, LONGEST, Surface
from bot.domain.chat import PersonId
from bot.domain.run import RunStatus
from tests.fakes.teams import ALWAYS
from tests.teams.indoors import Indoors, indoors


@pytest.fixture
async def house() -> AsyncIterator[Indoors]:
    async with indoors() as house:
        yield house


def of(house: Indoors) -> Surface:
    return Surface(house.office.connector, house.office.places, house.office.rooms, house.time.seconds)


class Ticks:
    """The pause between two rounds of `tend`: each ends when a test says so."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.waits = asyncio.Event()
        self.goes = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.waits.set()
        await self.goes.wait()
        self.goes.clear()

    async def tick(self) -> None:
        """One round, from its pause to the next one."""
        await self.waits.wait()
        self.waits.clear()
        self.goes.set()
        await self.waits.wait()


@pytest.mark.parametrize("status", list(RunStatus))
async def test_only_who_works_types(house: Indoors, status: RunStatus) -> None:
    """Decision 16: ACTIVE and STOPPING; whoever waits for people leaves the line to them."""
    thread = await house.settle()

    await of(house).presence(house.place(thread), status)

    assert house.teams.typing(house.ops) == (status in (RunStatus.ACTIVE, RunStatus.STOPPING))


async def test_typing_goes_on_until_the_run_waits(house: Indoors) -> None:
    thread, shown, ticks = await house.settle(), of(house), Ticks()
    async with asyncio.TaskGroup() as group:
        tending = group.create_task(shown.tend(ticks.sleep))
        await shown.presence(house.place(thread), RunStatus.ACTIVE)
        await ticks.tick()
        await ticks.tick()
        assert house.teams.typing(house.ops) == 3

        await shown.presence(house.place(thread), RunStatus.WAITING)
        await ticks.tick()
        tending.cancel()

    assert house.teams.typing(house.ops) == 3
    assert set(ticks.asked) == {EVERY}


async def test_nobody_types_for_ever(house: Indoors) -> None:
    """Another process may have gone on with the run: this one hears nothing of its end."""
    thread, shown, ticks = await house.settle(), of(house), Ticks()
    async with asyncio.TaskGroup() as group:
        tending = group.create_task(shown.tend(ticks.sleep))
        await shown.presence(house.place(thread), RunStatus.ACTIVE)
        house.time.later(LONGEST + 1)
        await ticks.tick()
        tending.cancel()

    assert house.teams.typing(house.ops) == 1


@pytest.mark.parametrize("trouble", ["refused", "down", "unknown place"])
async def test_it_raises_nothing(house: Indoors, trouble: str) -> None:
    thread = await house.settle()
    if trouble == "refused":
        house.teams.faults.fail("post", 403, "ForbiddenOperationException")
    if trouble == "down":
        house.teams.faults.fail("post", 500, "ServiceError", times=ALWAYS)
    place = house.place(thread, channel="19:gone" if trouble == "unknown place" else "")

    await of(house).presence(place, RunStatus.ACTIVE)

    assert house.teams.typing(house.ops) == 0


async def test_a_hung_service_holds_nobody_up(house: Indoors, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most two seconds; here, next to none."""
    monkeypatch.setattr(surface, "WITHIN", 0.01)
    thread = await house.settle()
    house.teams.faults.hang("post")

    await of(house).presence(house.place(thread), RunStatus.ACTIVE)

    assert house.teams.typing(house.ops) == 0


async def test_words_are_shown_when_they_are_final(house: Indoors) -> None:
    """Decision 16: a stream in Teams would stay."""
    async with of(house).live(house.place(), PersonId("ana")) as hear:
        assert hear is None
