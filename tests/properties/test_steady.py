"""Loops that go on: whatever one look comes to, the next one comes, and each failure is said once, as what it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.domain.errors import BadRecord, ChatUnavailable, LeaseLost, StoreUnavailable
from bot.runtime.steady import steadily, unharmed

AT_ONCE = timedelta(0)
OUTAGES: tuple[Exception, ...] = (StoreUnavailable("away"), LeaseLost(0), ChatUnavailable("playground", "slow down"))
BUGS: tuple[Exception, ...] = (ValueError("ours"), BadRecord("ours"), TimeoutError(), KeyError("ours"))
Outcomes = Sequence[Exception | None]

outcomes = st.lists(st.sampled_from([None, *OUTAGES, *BUGS]), min_size=1, max_size=20)


class Looks:
    """Looks that come to *outcomes*, one after the other, and to nothing afterwards."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes, self.count, self.are_over = outcomes, 0, asyncio.Event()

    async def __call__(self) -> None:
        self.count += 1
        if self.count >= len(self._outcomes):
            self.are_over.set()
        if self.count <= len(self._outcomes) and (outcome := self._outcomes[self.count - 1]) is not None:
            raise outcome


@given(outcomes)
def test_every_look_comes_and_every_failure_is_said_once_as_what_it_is(outcomes: Outcomes) -> None:
    """An outage passes and is a warning, anything else is a bug and an error with its trace; the loop goes on."""
    with capture_logs() as said:
        looks = asyncio.run(looked(outcomes))

    failures = [error for error in outcomes if error is not None]
    assert looks.count >= len(outcomes)
    assert [entry["log_level"] for entry in said] == ["warning" if e in OUTAGES else "error" for e in failures]
    assert [entry.get("exc_info") for entry in said] == [None if e in OUTAGES else e for e in failures]
    assert {entry["loop"] for entry in said} <= {"sweep"}


async def test_a_loop_ends_when_it_is_cancelled_in_the_middle_of_a_look() -> None:
    """The way out is open: cancellation is no failure of a look, and nothing is said."""
    began = asyncio.Event()

    async def look() -> None:
        began.set()
        await asyncio.Event().wait()

    with capture_logs() as said:
        loop = asyncio.ensure_future(steadily(look, AT_ONCE, "sweep"))
        await began.wait()
        loop.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loop

    assert not said


async def test_a_loop_ends_when_it_is_cancelled_between_two_looks() -> None:
    looks = Looks([None])
    loop = asyncio.ensure_future(steadily(looks, timedelta(hours=1), "sweep"))
    await looks.are_over.wait()
    loop.cancel()

    with pytest.raises(asyncio.CancelledError):
        await loop
    assert looks.count == 1


async def test_what_ends_the_process_is_not_held_up() -> None:
    """Only failures of a look are a look's own: an exit goes through."""

    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        await unharmed(leave(), "sweep")


async def looked(outcomes: Outcomes) -> Looks:
    """The looks of a loop that is told to end after the last outcome, and goes on until then."""
    looks = Looks(outcomes)
    loop = asyncio.ensure_future(steadily(looks, AT_ONCE, "sweep"))
    over = asyncio.ensure_future(looks.are_over.wait())
    await asyncio.wait({loop, over}, return_when=asyncio.FIRST_COMPLETED)
    for task in (loop, over):
        task.cancel()
    await asyncio.wait({loop, over})
    assert loop.cancelled(), "it went on until it was told to end"
    return looks
