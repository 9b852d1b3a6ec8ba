"""Previews: what a tool finds out about a call before anybody signs it.

    def before(order_id: int, amount: Money) -> str: ...     # the tool's own arguments, without the leave

    @tool(preview=before, preview_timeout=timedelta(seconds=5))
    def refund(order_id: int, amount: Money, *, leave: Leave) -> Refunded: ...

A preview only reads. A plain function runs in a thread: its time may be over before it ends, and then nobody waits
for it. Whatever goes wrong is evidence, too, marked as failed. Not how much of it is kept (domain/evidence), nor when
it is asked for (the gate).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

import structlog

from bot.domain.calls import Evidence
from bot.domain.errors import Refused

WITHIN: Final = timedelta(seconds=10)  # by default: people wait for the card meanwhile
LABEL: Final = "Dry run"  # of evidence that is only a text

log = structlog.stdlib.get_logger(__name__)


class NoEvidence(TypeError):
    """A preview gave something that is neither text nor Evidence."""


class Preview:
    """One tool's preview function."""

    def __init__(self, tool: str, fn: Callable[..., Any], names: Collection[str], within: timedelta) -> None:
        """Raises TypeError when *fn* does not take exactly the arguments *names*, or has no time."""
        if within <= timedelta():
            raise TypeError(f"{tool}: a preview needs some time; preview_timeout is {within}")
        _must_take(tool, fn, names)
        self._tool, self._fn, self._within = tool, fn, within.total_seconds()

    async def of(self, given: Mapping[str, object]) -> tuple[Evidence, ...]:
        """Never raises but CancelledError."""
        try:
            async with asyncio.timeout(self._within) as limit:
                return _read(await self._called(given))
        except TimeoutError as error:
            return self._overdue() if limit.expired() else self._broken(error)
        except Refused as problem:  # with a ToolProblem: its message is made for people
            return failed(problem.people_read)
        except Exception as error:  # noqa: BLE001  # any failure of foreign code is evidence, by contract
            return self._broken(error)

    async def _called(self, given: Mapping[str, object]) -> object:
        if inspect.iscoroutinefunction(self._fn):
            return await self._fn(**given)
        return await asyncio.to_thread(self._fn, **given)

    def _overdue(self) -> tuple[Evidence, ...]:
        return failed(f"the preview of {self._tool} gave no answer within {self._within:g} seconds")

    def _broken(self, error: Exception) -> tuple[Evidence, ...]:
        """The message may hold values of arguments: only its class is logged."""
        log.warning("preview_failed", tool=self._tool, error=type(error).__name__)
        return failed(f"the preview of {self._tool} failed inside")


def failed(told: str) -> tuple[Evidence, ...]:
    """*told*: one sentence that is safe to read."""
    return (Evidence(label=LABEL, text=told, is_failed=True),)


def _must_take(tool: str, fn: Callable[..., Any], names: Collection[str]) -> None:
    has = {
        name
        for name, one in inspect.signature(fn).parameters.items()
        if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    }
    if has != set(names) or len(has) != len(inspect.signature(fn).parameters):
        takes, must = ", ".join(sorted(has)) or "nothing", ", ".join(sorted(names)) or "nothing"
        raise TypeError(f"{tool}: its preview takes {takes}; it must take {must}, as the tool does without its leave")


def _read(value: object) -> tuple[Evidence, ...]:
    match value:
        case None:
            return ()
        case Evidence():
            return (value,)
        case str():
            return (Evidence(label=LABEL, text=value),)
        case Iterable() if not isinstance(value, bytes | Mapping):
            return tuple(one for item in value for one in _read(item))
    raise NoEvidence(type(value).__name__)
