"""The agent's own answer to "why?": asked beside the run, shown quoted on the card, never trusted.

The run's coroutine sleeps meanwhile and knows nothing of it.
"""

from __future__ import annotations

import structlog

from bot.domain.budget import OWN, THINKS, Sums
from bot.domain.errors import CountersignError, ModelRefused, ModelUnavailable
from bot.domain.letters import Explain
from bot.domain.ports import Line, Said
from bot.domain.request import Request
from bot.domain.run import Step
from bot.domain.store import Batch, Effects, Turn
from bot.domain.wire import pack, replace, unpack
from bot.runtime.host import Host
from bot.runtime.parts import Parts
from bot.runtime.purse import Purses

log = structlog.get_logger()
SYSTEM = (
    "You asked for a tool call and people must sign it. One of them wants to know why. "
    "Answer in at most four plain sentences. Do not ask for approval and do not call tools."
)


PATH = f"{OWN}explain"  # no step of an agent is ever called so


class Explainer:
    def __init__(self, parts: Parts, purse: Purses) -> None:
        self._parts, self._store, self._purse = parts, parts.store, purse

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
            said = _known(host, request) or await self._asked(host, request)
        except (ModelUnavailable, ModelRefused) as error:
            log.warning("explain_failed", request=request.id, error=str(error))
            return "(The agent could not be asked; please decide without it.)"
        return said.text or "(The agent gave no explanation.)"

    async def _asked(self, host: Host, request: Request) -> Said:
        """What the model says, written down with what it cost: it comes out of the same budgets as every answer."""
        said = await self._parts.model.think(_lines(host, request), ())
        said = self._purse.charged(host, Sums(run=host.journal.used), "", said)
        number = sum(path.startswith(PATH) for path in host.journal.steps)
        step = Step(path=f"{PATH}.{number}", mark=_mark(request), result=pack(said).decode())
        await host.write(Batch(op="", count=0, entries=(step,)))
        return said

    async def _show(self, letter: Explain, text: str) -> None:
        while True:
            held = await self._store.held(letter.request)
            if not held.request.is_open:
                return
            after = replace(held.request, explanation=text, version=held.request.version + 1)
            if (await self._store.turn(Turn(after=after, effects=Effects(dirty=held.rows)))).is_applied:
                return


def _mark(request: Request) -> str:
    return f"{THINKS}explain {request.id}"


def _known(host: Host, request: Request) -> Said | None:
    """What was answered before, by a process that ended before it could show it."""
    found = next((step for step in host.journal.steps.values() if step.mark == _mark(request)), None)
    return unpack(Said, found.result.encode()) if found is not None else None


def _lines(host: Host, request: Request) -> tuple[Line, ...]:
    done = "\n".join(f"- {past.tool}({past.args}): {past.outcome}" for past in host.past.values() if past.outcome)
    story = f"Task: {host.run.task.text}\nDone so far:\n{done or '- nothing'}\nWhat you said: {request.why}"
    question = f"Explain: why {request.call.tool} with {request.call.args}?"
    return (Line(role="system", text=SYSTEM), Line(role="user", text=f"{story}\n\n{question}"))
