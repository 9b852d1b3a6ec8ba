"""Evidence, worked out: a tool's preview is run before people are asked, and never again for the same request.

    about to ask -> preview, by whoever opens the request -> bounded, without secrets -> in the one write that opens it

People wait for it at most as long as the tool's own deadline. A Stop ends it at once; so does whatever is said to the
run meanwhile. For an edited call somebody waits for an answer within seconds, so that it has less time.
Not what is kept of it, nor how it is shown (domain/evidence).
"""

from __future__ import annotations

import asyncio
from typing import cast

import structlog

from bot.domain import evidence
from bot.domain.arguments import secret_values
from bot.domain.calls import Evidence, ToolCall
from bot.domain.ports import Previewing, Tool
from bot.runtime.host import Host

TOGETHER = 8  # previews of one process at a time: an agent may ask for a hundred calls in one turn
EDITED_WITHIN = 1.5  # seconds; a platform wants its answer within 3
NOT_READY = "the preview of the edited call was not ready in time"

log = structlog.get_logger()


class Previews:
    """The previews of this process."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(TOGETHER)

    async def before_asking(self, host: Host, tool: Tool, call: ToolCall) -> tuple[Evidence, ...] | None:
        """What *call* would do, as far as its tool can say; None when people said something to its run meanwhile."""
        if not tool.spec.has_preview:
            return ()
        try:
            async with asyncio.timeout(None) as limit:
                with host.interrupting(limit):
                    async with self._room:
                        return await _found(tool, call)
        except TimeoutError:
            return None


async def of_edited(tool: Tool, call: ToolCall) -> tuple[Evidence, ...]:
    """The same for a call that somebody changed and sends now; without an answer in time, that is what it says."""
    if not tool.spec.has_preview:
        return ()
    try:
        async with asyncio.timeout(EDITED_WITHIN):
            return await _found(tool, call)
    except TimeoutError:
        return evidence.failed(NOT_READY)


async def _found(tool: Tool, call: ToolCall) -> tuple[Evidence, ...]:
    found = await cast(Previewing, tool).preview(call)  # `has_preview` says that it is one
    log.info("preview_ended", tool=call.tool, pieces=len(found), failed=sum(one.is_failed for one in found))
    return evidence.kept(found, secret_values(call.values, tool.spec.secrets))
