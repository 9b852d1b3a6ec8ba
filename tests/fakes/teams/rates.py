"""How often a bot may call: per conversation and per tenant, as it is documented (reference, 16)."""

from __future__ import annotations

import math
from collections import defaultdict, deque

WRITES = ((7, 1), (8, 2), (60, 30), (1800, 3600))  # calls, seconds; send, create and edit together
READS = ((14, 1), (16, 2), (120, 30), (3600, 3600))
TENANT = ((50, 1),)
Windows = tuple[tuple[int, int], ...]


class Rates:
    def __init__(self) -> None:
        self._calls: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def wait(self, tenant: str, conversation: str, now: float, *, is_read: bool) -> int | None:
        """Count the call, or the whole seconds until it may be made again. A refused call counts for nothing."""
        windows = READS if is_read else WRITES
        rows: list[tuple[tuple[str, str], Windows]] = [(("tenant", tenant), TENANT)]
        rows += [(("read" if is_read else "write", conversation), windows)] if conversation else []
        waits = [self._over(key, limits, now) for key, limits in rows]
        if longest := max(waits):
            return max(1, math.ceil(longest))
        for key, _limits in rows:
            self._calls[key].append(now)
        return None

    def _over(self, key: tuple[str, str], limits: Windows, now: float) -> float:
        calls, longest = self._calls[key], limits[-1][1]
        while calls and calls[0] <= now - longest:
            calls.popleft()
        waits = [0.0]
        for most, seconds in limits:
            if len(calls) >= most and (left := calls[-most] + seconds - now) > 0:
                waits.append(left)
        return max(waits)
