"""Time: ladders, people whose hours begin, and branches that sleep by the clock.

    rung|<request>|<index> -> climbing      wake|<request>|<person> -> calling      sleep|<run>|<path> -> runner

Timers are claimed, not taken: one that a dead process claimed comes back. What each does happens once, because it
is one change of a record. Not what that is, nor timers of shards that nobody owns (watchdog).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import structlog

from bot.domain.chat import PersonId
from bot.domain.errors import CountersignError, LeaseLost, StoreUnavailable
from bot.domain.request import RequestId, RunId
from bot.domain.store import Fence, Timer
from bot.runtime.calling import Calling
from bot.runtime.climbing import Climbing
from bot.runtime.parts import Parts
from bot.runtime.rights import Rights
from bot.runtime.runner import Runner
from bot.runtime.steady import steadily

log = structlog.get_logger()
AT_ONCE = 200  # timers claimed in one look
HIDDEN = timedelta(seconds=10)  # until a claimed timer that was not dealt with comes back


class Timers:
    def __init__(self, parts: Parts, rights: Rights, runner: Runner, fences: Callable[[], Mapping[int, Fence]]) -> None:
        self._parts, self._store = parts, parts.store
        self._runner, self._fences = runner, fences
        self.climbing, self.calling = Climbing(parts, rights, runner), Calling(parts, rights)
        self._deal: Mapping[str, Callable[[str, str, Fence], Awaitable[None]]] = {
            "rung": lambda request, index, fence: self.climbing.climb(RequestId(request), int(index), fence),
            "wake": lambda request, who, fence: self.calling.wake(RequestId(request), PersonId(who), fence),
            "sleep": self._alarm,
        }

    async def run(self) -> None:
        await steadily(self._look_all, self._parts.pace.timers_every, "timers")

    async def _look_all(self) -> None:
        for fence in list(self._fences().values()):
            await self.look(fence)

    async def look(self, fence: Fence) -> int:
        """Deal with what is due on one shard; return how many timers that was."""
        try:
            due = await self._store.due(fence, most=AT_ONCE, hidden=HIDDEN)
            for timer in due:
                await self._fire(timer, fence)
            return len(due)
        except (StoreUnavailable, LeaseLost) as error:
            log.warning("timers_wait", shard=fence.shard, error=str(error))
            return 0

    async def _fire(self, timer: Timer, fence: Fence) -> None:
        kind, _, rest = timer.name.partition("|")
        subject, _, detail = rest.partition("|")
        try:
            await self._deal[kind](subject, detail, fence)
        except (StoreUnavailable, LeaseLost):
            raise
        except CountersignError as error:  # it comes back, and the others are not held up
            log.error("timer_failed", timer=timer.name, error=str(error))

    async def _alarm(self, run: str, path: str, fence: Fence) -> None:
        if not await self._runner.alarm(RunId(run), path):
            await self._store.untime(fence.shard, f"sleep|{run}|{path}")
