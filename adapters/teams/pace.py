"""Teams' limits: which calls share a bucket, and how large it is. What a bucket does stands in `adapters.pace`.

    a call -> its conversation's turn (all threads of a channel are one) -> its tenant's turn -> go

One after the other, so that a turn far away in one conversation takes no place in the tenant's. Edits and typing have a
smaller bucket of their own in front: they never take the last places, which an escalation may need.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from adapters.pace import Turns, Window
from adapters.teams.shapes import PLATFORM, THREAD

# learn.microsoft.com, "Optimize your bot with rate limiting": per bot and conversation, then per app and tenant.
WRITES = ((7, 1.0), (8, 2.0), (60, 30.0), (1_800, 3_600.0))
READS = ((14, 1.0), (16, 2.0), (120, 30.0), (3_600, 3_600.0))
TENANT = ((50, 1.0),)
YIELDING = ((3, 1.0), (4, 2.0), (30, 30.0), (900, 3_600.0))  # half of WRITES; the share is ours


class Kind(enum.StrEnum):
    """What a call is to the limits."""

    WRITE = "write"  # a message
    YIELD = "yield"  # an edit, or typing: it can wait, and the next one says more
    READ = "read"
    CREATE = "create"  # no conversation yet: the tenant's limit alone


LINES: Mapping[Kind, Mapping[str, Sequence[Window]]] = {
    Kind.WRITE: {"writes": WRITES},
    Kind.YIELD: {"yielding": YIELDING, "writes": WRITES},
    Kind.READ: {"reads": READS},
    Kind.CREATE: {},
}


class Pace:
    """Clock and sleep are passed in; both count seconds."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._turns = Turns(PLATFORM, clock, sleep)

    async def turn(self, tenant: str, conversation: str, kind: Kind) -> None:
        """Return when a call of this *kind* may be made; turns are given in the order they were asked for.

        Raises ChatUnavailable, with the time to wait, if that is more than LONGEST_WAIT away.
        """
        place = _counted(conversation)
        for line, windows in LINES[kind].items():
            await self._turns.turn((tenant, place, line), windows, f"a {kind} in {place[:40]}")
        await self._turns.turn((tenant,), TENANT, f"a {kind} in tenant {tenant}")

    def pause(self, tenant: str, conversation: str, kind: Kind, *, seconds: float) -> None:
        """Teams said 429: nothing of this conversation for so long (of this tenant, where there was none yet)."""
        lines = list(LINES[kind].items())
        if lines:
            line, windows = lines[-1]
            self._turns.pause((tenant, _counted(conversation), line), windows, seconds)
        else:
            self._turns.pause((tenant,), TENANT, seconds)


def _counted(conversation: str) -> str:
    """What Teams counts as one conversation: a chat, or a channel with all its threads (same page as the numbers)."""
    return conversation.partition(THREAD)[0]
