"""Loops that go on: what goes wrong in one look is said, and the next look comes.

Nothing is swallowed: an outage is a warning, anything else an error with its trace. A loop that died
quietly would leave runs asleep for ever; one that killed the process would take every run along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from bot.domain.errors import LeaseLost, Unavailable

log = structlog.get_logger()


async def steadily(look: Callable[[], Awaitable[object]], every: timedelta, name: str) -> None:
    """Look, wait, and look again, until cancelled."""
    while True:
        await unharmed(look(), name)
        await asyncio.sleep(every.total_seconds())


async def unharmed(look: Awaitable[object], name: str) -> None:
    try:
        await look
    except (Unavailable, LeaseLost) as error:
        log.warning("look_failed", loop=name, error=str(error))
    except Exception as error:  # said aloud; the next look comes
        log.error("look_broke", loop=name, error=f"{type(error).__name__}: {error}", exc_info=error)
