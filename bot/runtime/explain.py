"""The agent's own answer to "why?": asked beside the run, shown quoted on the card, never trusted.

The run's coroutine sleeps meanwhile and knows nothing of it.
"""

from __future__ import annotations

import structlog

from bot.domain.errors import CountersignError
from bot.domain.letters import Explain
from bot.domain.ports import Line
from bot.domain.request import Request
from bot.domain.store import Effects, Turn
from bot.domain.wire import replace
from bot.runtime.host import Host
from bot.runtime.parts import Parts

log = structlog.get_logger()
SYSTEM = (
    "You asked for a tool call and people must sign it. One of them wants to know why. "
    "Answer in at most four plain sentences. Do not ask for approval and do not call tools."
)


class Explainer:
    def __init__(self, parts: Parts) -> None:
        self._parts, self._store = parts, parts.store

    async def explain(self, host: Host, letter: Explain) -> None:
        """Put the agent's explanation on the card. Asked twice, it answers once."""
        try:
            request = (await self._store.held(letter.request)).request
            if not request.is_open or request.explanation:
                return
            await self._show(letter, await self._said(host, request))
        except CountersignError as error:
            log.warning("explain_failed", request=letter.request, error=str(error))

    async def _said(self, host: Host, request: Request) -> str:
        try:
            said = await self._parts.model.think(_lines(host, request), ())
        except CountersignError as error:
            log.warning("explain_failed", request=request.id, error=str(error))
            return "(The agent could not be asked; please decide without it.)"
        return said.text or "(The agent gave no explanation.)"

    async def _show(self, letter: Explain, text: str) -> None:
        while True:
            held = await self._store.held(letter.request)
            if not held.request.is_open:
                return
            after = replace(held.request, explanation=text, version=held.request.version + 1)
            if (await self._store.turn(Turn(after=after, effects=Effects(dirty=held.rows)))).is_applied:
                return


def _lines(host: Host, request: Request) -> tuple[Line, ...]:
    done = "\n".join(f"- {past.tool}({past.args}): {past.outcome}" for past in host.past.values() if past.outcome)
    story = f"Task: {host.run.task.text}\nDone so far:\n{done or '- nothing'}\nWhat you said: {request.why}"
    question = f"Explain: why {request.call.tool} with {request.call.args}?"
    return (Line(role="system", text=SYSTEM), Line(role="user", text=f"{story}\n\n{question}"))
