"""Branches of one run, side by side: the run is awake while any of them is.

As in the runtime. The floor, where wings share what is the same, has no event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from agents.tryout.table import Table

T = TypeVar("T")


async def side_by_side(table: Table, branches: Sequence[Coroutine[Any, Any, T]]) -> tuple[T, ...]:
    """Run *branches* as tasks. Raises the first error of one of them, as it is."""
    if not branches:
        return ()
    table.awake += len(branches) - 1
    left = len(branches)

    async def walk(branch: Coroutine[Any, Any, T]) -> T:
        nonlocal left
        try:
            return await branch
        finally:
            left -= 1
            table.rest(1 if left else 0)  # the last one hands its wakefulness back to the parent

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(walk(branch)) for branch in branches]
    except BaseExceptionGroup as several:
        raise first(several) from None
    return tuple(task.result() for task in tasks)


def first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error inside a group of groups."""
    error = several.exceptions[0]
    return first(error) if isinstance(error, BaseExceptionGroup) else error
