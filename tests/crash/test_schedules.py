"""Schedules drawn by lot: tasks, clicks, replies, stops, doubles, time, kills and restarts in any order.

A schedule is a seed. More of them: CRASH_SCHEDULES=200. One again: CRASH_SEED=17.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from tests.crash.platform import Posted
from tests.crash.points import POINTS
from tests.crash.stage import MINUTE, Process, Stage

MANY = int(os.environ.get("CRASH_SCHEDULES", "30"))
SEEDS = [int(os.environ["CRASH_SEED"])] if "CRASH_SEED" in os.environ else list(range(1, MANY + 1))
MOVES = 14
STORIES = {"charge": "signed", "top_up": "idempotent", "nudge": "free"}  # by tool: what its calls go through
PASSED = {"_press": "rejected", "_wait": "expired", "_reply": "replied", "_stop": "stopped"}  # what a move adds to that
ASKED = ("request", "card", "vote", "decision", "spend", "rung", "reminder", "expiry", "withdrawal")  # by people


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_happens_in_whatever_order_the_promises_hold(
    seed: int, redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """PN-11, I1–I15 at quiescence, and three histories that agree: audit, ledger and platform."""
    async with Stage(redis_url, namespace, tmp_path, shards=2, lease=3.0) as stage:
        schedule = Schedule(stage, seed)
        try:
            async with _looked_after(stage, schedule):
                await schedule.play()
                await schedule.wind_up()
            await stage.finish()
            await stage.must_be_sound(effects=len(stage.ledger.facts("effect")))
            await _books_agree(stage)
        except BaseException:
            print(f"\nCRASH_SEED={seed}: {schedule.done}")  # noqa: T201  # what replays it
            raise


def test_a_schedule_dies_only_where_it_comes_by() -> None:
    """PN-11: a moment that no move leads to kills nobody, and proves nothing."""
    assert not any("told" in one or "spend" in one for one in moments(["nudge"], ["_task", "_stop"], 0))
    assert {"before told", "after reply"} <= {*moments(["nudge"], ["_task", "_reply"], 0)}
    assert {"before expiry", "after rung"} <= {*moments(["charge"], ["_task", "_wait"], 0)}
    assert "before expiry" not in moments(["charge"], ["_task", "_press"], 0)
    assert "before recovery request" not in moments(["charge"], ["_task"], 0)
    assert "before recovery request" in moments(["charge"], ["_task"], 1)
    assert not any("recovery" in one for one in moments(["top_up"], ["_task"], 1))


def moments(tools: Sequence[str], moves: Sequence[str], life: int) -> list[str]:
    """Where a process may die while *tools* are asked for and *moves* made; what comes of a death, in a later life."""
    stories = {STORIES[tool] for tool in tools} | {PASSED[move] for move in moves if move in PASSED}
    is_asked = any(tool != "nudge" for tool in tools)
    found = set()
    for point in POINTS:
        moment = point.moment.partition("#")[0]
        is_of_all = point.story == "signed" and not point.first  # every call goes that way, as far as it is asked about
        is_late = bool(point.first) and life == 0
        is_asking = moment.split()[-1] in ASKED
        if (is_of_all or point.story in stories) and not is_late and (is_asked or not is_asking):
            found.add(moment)
    return sorted(moment for moment in found if "press by" not in moment)


class Schedule:
    """What happens, drawn by lot from a seed."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage, self._lot = stage, random.Random(seed)
        self._tasks = 0
        self.done: list[str] = []
        weights: dict[Callable[[], Awaitable[None]], int] = {
            self._task: 3,
            self._press: 6,
            self._kill: 2,
            self._wait: 1,
            self._reply: 1,
            self._stop: 1,
        }
        self._moves = [self._task, *self._lot.choices(list(weights), weights=list(weights.values()), k=MOVES)]
        self._tools = self._lot.choices(("charge", "charge", "top_up", "nudge"), k=self._moves.count(self._task))

    async def play(self) -> None:
        for move in self._moves:
            self.done.append(move.__name__)
            await move()

    async def wind_up(self) -> None:
        """No more faults: whoever is asked answers, until every task has its answer."""
        self.done.append("wind up")
        closing = asyncio.create_task(self._sign_all())  # owned: cancelled below
        try:
            await self._stage.is_quiet(answers=self._tasks)
        finally:
            closing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await closing

    def doom(self, life: int) -> str:
        """Where the next process dies, if the lot says so: at a moment that this schedule passes."""
        names = [move.__name__ for move in self._moves]
        return self._lot.choice(moments(self._tools, names, life)) if self._lot.random() < 0.4 else ""

    # --------------------------------------------------------------- moves

    async def _task(self) -> None:
        tool = self._tools[self._tasks]
        amount, count = self._lot.choice((7, 150)), self._lot.choice((1, 1, 2))
        self._tasks += 1
        await self._stage.say("ana", f"{tool} {amount} x{count}", thread=f"t{self._tasks}")

    async def _press(self) -> None:
        platform = self._stage.platform
        await platform.until(lambda: self._approvals() or len(platform.answers) >= self._tasks, "a card or the end")
        if posts := self._approvals():
            move = self._lot.choice(("approve", "approve", "approve", "reject"))
            await self._stage.press(move, self._lot.choice(("bo", "chris", "ana", "gus")), post=self._lot.choice(posts))

    async def _kill(self) -> None:
        running = [process for process in self._stage.processes if process.is_running]
        if running:
            self._lot.choice(running).send(signal.SIGKILL)

    async def _wait(self) -> None:
        await self._stage.advance(self._lot.choice((6 * MINUTE, 250 * MINUTE)))

    async def _reply(self) -> None:
        await self._stage.say("ana", "nudge 3 instead", thread=f"t{self._lot.randint(1, self._tasks)}", is_reply=True)

    async def _stop(self) -> None:
        posts = [post for post in self._stage.platform.with_button("stop") if post.key.endswith("/status")]
        if posts:
            await self._stage.press("stop", "ana", post=self._lot.choice(posts))

    async def _sign_all(self) -> None:
        platform = self._stage.platform
        while True:
            await platform.until(self._approvals, "", within=None)
            post = self._approvals()[0]
            for by in ("bo", "chris"):
                if post.offers("approve"):
                    await self._stage.press("approve", by, post=post)
            await platform.withdrawn(post, "approve")

    def _approvals(self) -> list[Posted]:
        return [post for post in self._stage.platform.with_button("approve") if not post.offers("answer")]


@contextlib.asynccontextmanager
async def _looked_after(stage: Stage, schedule: Schedule) -> AsyncIterator[None]:
    """Two processes, each started again whenever it dies; and somebody who answers about calls in doubt."""
    async with asyncio.TaskGroup() as tasks:
        keepers = [tasks.create_task(_kept(stage, schedule.doom), name="keeper") for _ in range(2)]
        answering = tasks.create_task(stage.recover(), name="recovery")
        yield
        for task in (*keepers, answering):
            task.cancel()


async def _kept(stage: Stage, doom: Callable[[int], str]) -> None:
    """The first life may end anywhere, the second too; from the third on only from outside."""
    for life in range(100):
        process: Process = await stage.start(doom(life) if life < 2 else "")
        assert await process.ended(within=None) == -signal.SIGKILL, stage.log(process)
        await stage.advance(MINUTE)


async def _books_agree(stage: Stage) -> None:
    """Every effect was started by the audit's account, and every success it tells of is in the ledger."""
    entries = await stage.audit()
    keys = {(e.fields["run"], e.fields["path"]): e.fields["key"] for e in entries if e.event == "tool_started"}
    effects = {fact.key for fact in stage.ledger.facts("effect")}
    assert effects <= set(keys.values())
    successes = [e for e in entries if e.event == "tool_finished" and e.fields["outcome"] == "ok"]
    assert {keys[e.fields["run"], e.fields["path"]] for e in successes} <= effects
    taken = {delivery for delivery, told in stage.platform.delivered if told.startswith(("Approved.", "Rejected."))}
    counted = {e.fields["delivery"] for e in entries if e.event == "vote_counted"}
    assert taken <= counted, "somebody was told that their answer counted, and the audit does not know it"
