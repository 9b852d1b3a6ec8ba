"""One foreign tool as a tool of ours (`ports.Tool`).

signed call -> still the same tool, the same bytes? -> sent once -> answer, or what is known without one

What ends without an answer is ERROR for a tool that only reads, and UNKNOWN for every other: it may have been done.
Not how a server is reached (session), nor whether the call may run (the gate).
"""

from __future__ import annotations

import asyncio

import structlog

from agents.mcp import output
from agents.mcp.errors import Declined, Lost, Unreachable
from agents.mcp.session import Session
from agents.toolbox import must_be_left
from bot.domain.calls import Cause, Outcome, Risk, ToolCall, ToolResult, ToolSpec, canonical
from bot.domain.errors import BadSettings, InvalidArguments
from bot.domain.ports import Leave
from bot.domain.wire import Json

log = structlog.stdlib.get_logger(__name__)


class ForeignTool:
    """A tool of an MCP server. Its spec is what the server offers now: it changes when the server does."""

    def __init__(self, session: Session, foreign: str) -> None:
        """Raises Unfit for what cannot be taken over."""
        self._session, self._foreign = session, foreign
        self._name = session.take(foreign).spec.name

    @property
    def spec(self) -> ToolSpec:
        return self._session.known(self._foreign).spec

    def check(self, args: Json) -> Json:
        """The arguments as they would be sent. Raises InvalidArguments; nothing is sent."""
        schema = self._session.known(self._foreign).schema
        if schema is None:
            raise InvalidArguments(self._name, {"tool": "Its server does not offer it any more."})
        return schema.fitted(self._name, args)

    async def run(self, call: ToolCall, leave: Leave) -> ToolResult:
        """Do it. Raises NotAllowed for a leave or digest of other bytes: somebody went round the gate."""
        must_be_left(self._name, call, leave)
        began, sent = self.spec, _Sent()
        try:
            async with asyncio.timeout(began.timeout.total_seconds()):
                return await self._done(call, sent, is_reading=began.risk is Risk.READ)
        except TimeoutError:
            within = f"within {began.timeout.total_seconds():g} seconds"
            if not sent.is_true:
                return self._unsent(f"was not reached {within}")
            return self._unanswered(f"gave no answer {within}")
        except Unreachable as error:
            return self._unsent(f"cannot be reached: {error.told}")
        except BadSettings as error:
            return self._unsent(f"cannot be reached: {error}")
        except Lost:
            return self._unanswered("broke off while it was at work")
        except Declined as error:
            return self._declined(error)

    async def _done(self, call: ToolCall, sent: _Sent, *, is_reading: bool) -> ToolResult:
        """Once; what only reads once more, if the connection broke. Each time it is asked what the tool is now."""
        for is_last in (False, True) if is_reading else (True,):
            link = await self._session.current(is_reading=is_reading)
            if (changed := self._changed(call)) is not None:
                return changed
            try:
                sent.is_true = True
                return output.result(await link.call(self._foreign, call.values), self._session.secrets)
            except (Lost, Unreachable) as error:
                sent.is_true = isinstance(error, Lost)
                if is_last:
                    raise
        raise Lost("it was asked twice")

    def _changed(self, call: ToolCall) -> ToolResult | None:
        """What was signed must be what would be sent to this very version of the tool."""
        if call.version != self.spec.version:
            told = f"it was signed for version {call.version} of the tool; its server now offers {self.spec.version}."
        else:
            try:
                if canonical(self.check(call.values)).decode() == call.args:
                    return None
                told = "the tool now reads these arguments differently."
            except InvalidArguments as error:
                told = error.people_read
        return ToolResult(outcome=Outcome.NOT_RUN, text=f"Not run: {told}", cause=Cause.INVALID)

    def _unsent(self, told: str) -> ToolResult:
        return ToolResult(outcome=Outcome.ERROR, text=f"{self._name}: its server {told}. Nothing was sent.")

    def _unanswered(self, told: str) -> ToolResult:
        log.warning("mcp_no_answer", tool=self._name)
        if self.spec.risk is Risk.READ:
            return ToolResult(outcome=Outcome.ERROR, text=f"{self._name}: its server {told}.")
        text = f"{self._name} was sent, and its server {told}. Whether it took effect is not known."
        return ToolResult(outcome=Outcome.UNKNOWN, text=text)

    def _declined(self, error: Declined) -> ToolResult:
        told = f"{self._name}: its server answered with an error: {output.line(error.message, self._session.secrets)}"
        if not error.is_surely_not_run and self.spec.risk is not Risk.READ:
            told += " Part of it may have taken effect."
        return ToolResult(outcome=Outcome.ERROR, text=told)


class _Sent:
    """Is anything of the call on its way, so that it may have been done?"""

    is_true = False
