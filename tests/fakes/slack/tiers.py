"""How often a method may be called: sliding minutes per method and workspace, about one post a second per channel."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any

from tests.fakes.slack.methods import METHODS, PER_MINUTE

POSTS = (5, 5.0)  # "one a second, short bursts are fine": five in any five seconds


class Tiers:
    def __init__(self) -> None:
        self._calls: defaultdict[tuple[str, ...], deque[float]] = defaultdict(deque)

    def wait(self, method: str, team: str, args: Mapping[str, Any], now: float) -> int | None:
        """None, and the call counts; or the whole seconds to wait."""
        key: tuple[str, ...] = (method, team)
        if method == "chat.postMessage":
            key, (most, window) = (*key, str(args.get("channel"))), POSTS
        elif (tier := METHODS[method].tier) in PER_MINUTE:
            most, window = PER_MINUTE[tier], 60.0
        else:
            return None
        times = self._calls[key]
        while times and times[0] <= now - window:
            times.popleft()
        if len(times) >= most:
            return max(1, math.ceil(times[0] + window - now))
        times.append(now)
        return None
