"""Time: ladders, people whose hours begin, and branches that sleep by the clock.

    rung|<request>|<index> -> climbing      wake|<request>|<person> -> calling
    sleep|<run>|<path> -> runner            late|<run>| -> following      gone|<request>|<person> -> gone

Timers are claimed, not taken: one that a dead process claimed comes back. What each does happens once, because it
is one change of a record. One that fails, because its record is forged or for any other reason, comes back ever later,
and is parked in the end: tried and reported once an hour. Not what a timer does, nor who counts those late (watchdog).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import structlog

from bot.domain.chat import PersonId
from bot.domain.errors import LeaseLost, StoreUnavailable, Unavailable
from bot.domain.request import RequestId, RunId
from bot.domain.store import Fence, Timer
from bot.runtime.calling import Calling
from bot.runtime.climbing import Climbing
from bot.runtime.following import follow_up
from bot.runtime.gone import Gone
from bot.runtime.parts import Parts
from bot.runtime.rights import Rights
from bot.runtime.runner import Runner
from bot.runtime.steady import steadily

log = structlog.get_logger()
AT_ONCE = 200  # timers claimed in one look
HIDDEN = timedelta(seconds=10)  # until a claimed timer that was not dealt with comes back
HOUR = timedelta(hours=1)
WAITS = (*(HIDDEN * 2**n for n in range(8)), HOUR)  # until one that failed comes back: 10 s … 21 min, then it is parked
OUTAGE_WAITS = (HIDDEN,)
OUTAGES_SAID = HOUR // HIDDEN  # the first try that fails is said, and then one in so many


class Timers:
    def __init__(self, parts: Parts, rights: Rights, runner: Runner, fences: Callable[[], Mapping[int, Fence]]) -> None:
        self._parts, self._store = parts, parts.store
        self._runner, self._fences = runner, fences
        self.climbing, self.calling = Climbing(parts, rights, runner), Calling(parts, rights)
        self.gone = Gone(parts, rights)
        self._deal: Mapping[str, Callable[[str, str, Fence], Awaitable[None]]] = {
            "rung": lambda request, index, fence: self.climbing.climb(RequestId(request), int(index), fence),
            "wake": lambda request, who, fence: self.calling.wake(RequestId(request), PersonId(who), fence),
            "gone": lambda request, who, fence: self.gone.look(RequestId(request), PersonId(who), fence),
            "sleep": self._alarm,
            "late": lambda run, _, __: follow_up(self._store, RunId(run)),
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
        except Exception as error:  # noqa: BLE001  # said aloud; it comes back, and the others are not held up
            await self._failed(timer, fence, error)
        else:
            if timer.tries:
                await self._store.mended(fence.shard, timer.name)

    async def _failed(self, timer: Timer, fence: Fence, error: Exception) -> None:
        """Let it come back later and later, and in the end once an hour; the watchdog counts it meanwhile."""
        is_outage = isinstance(error, Unavailable)  # over at any moment, and then nobody should wait an hour more
        tries = await self._store.failed(fence, timer.name, OUTAGE_WAITS if is_outage else WAITS)
        told = f"{type(error).__name__}: {error}"
        if is_outage and tries % OUTAGES_SAID == 1:
            log.warning("timer_waits", timer=timer.name, tries=tries, error=told)
        elif tries and not is_outage:
            event = "timer_parked" if tries >= len(WAITS) else "timer_failed"
            log.error(event, timer=timer.name, tries=tries, error=told, exc_info=error)

    async def _alarm(self, run: str, path: str, fence: Fence) -> None:
        if not await self._runner.alarm(RunId(run), path):
            await self._store.untime(fence.shard, f"sleep|{run}|{path}")
