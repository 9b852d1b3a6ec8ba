"""What an agent is told about a call that did not run: always the true cause.

Refused by a person, refused by a rule, nobody answered, could not be shown, stopped: these are not the same.
"""

from __future__ import annotations

from bot.domain.calls import Cause, Outcome, ToolResult
from bot.domain.run import Decided

REPLIED = "Not run: somebody replied meanwhile; read it first."
OVERTAKEN = "Not run: somebody took this over before it began. Read what they say first."
NEVER_BEGAN = ToolResult(outcome=Outcome.NOT_RUN, cause=Cause.STOPPED, text="Not run: stopped before it began.")
IN_DOUBT = ToolResult(outcome=Outcome.UNKNOWN, cause=Cause.STOPPED, text="Stopped before it was started again.")


def told(decided: Decided, head: str = "Not run", *, who: str = "") -> str:
    """The true cause, for the model: refused by a person is not the same as nobody answered. *who* are names."""
    decision = decided.decision
    reason = f" Reason: {decision.reason!r}" if decision.reason else ""
    match decision.cause:
        case Cause.DEADLINE:
            return f"{head}: nobody answered in time. Nobody refused it either."
        case Cause.UNDELIVERABLE:
            return f"{head}: no card could be shown to anybody.{reason}"
        case Cause.SUPERSEDED:
            return f"{head}: a newer instruction took its place.{reason}"
        case Cause.STOPPED:
            return f"{head}: the run was stopped."
    return f"{head}: rejected by {who or 'a person'}.{reason}"
