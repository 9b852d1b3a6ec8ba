"""A text that may be used only as people accepted it.

    a review ends -> the accepted text's digest, kept with the call   ...   a later call -> is its text one of them?

Of the drafts under one name the one that was accepted last counts: it took the earlier one's place.
A tool says which of its arguments it is (`ToolSpec.accepted`). The agent's own word that a text was accepted counts for
nothing, and a signature does not make up for it. Not what a review is, nor whose yes it takes (inquiry_review, policy).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from bot.domain.calls import Outcome, Past, ToolCall, ToolResult, ToolSpec
from bot.domain.inquiry_finding import FINDING
from bot.domain.request import Kind
from bot.domain.wire import loads


def accepted_in(spec: ToolSpec, result: ToolResult) -> str:
    """The digest of the text that people accepted with this call; empty if they accepted none.

    What they wrote themselves, and an earlier version that they chose, is accepted, too. A tool that merely runs
    accepts nothing, whatever it answers, and a finding is a part of something and no text of its own.
    """
    if spec.asks != Kind.REVIEW or spec.name == FINDING or result.outcome is not Outcome.OK or not result.answer:
        return ""
    answer = loads(result.answer)
    return _digest(str(answer["final"])) if answer.get("status") == "accepted" else ""


def unaccepted(spec: ToolSpec, call: ToolCall, history: Sequence[Past]) -> str | None:
    """Why *call* may not run, in a sentence, if its text was accepted nowhere in *history*; None if it may."""
    if not spec.accepted:
        return None
    accepted = {past.values.get("name", ""): past.accepted for past in history if past.accepted}
    if _digest(str(call.values.get(spec.accepted, ""))) in accepted.values():
        return None
    return (
        f"the {spec.accepted} of {spec.name} must be exactly what people accepted in this run, and this is not. "
        "Show it with review_draft, and use the accepted text to the letter"
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
