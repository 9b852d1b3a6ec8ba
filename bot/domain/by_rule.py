"""A rule hands a call over to people: it does not run, and they say how the agent goes on.

    the call as its agent wants it -> an escalation: why the rule holds, the call whole, what the rule suggests
        -> an answer -> the call's result: it did not run, and these are their words

What people answer signs nothing. What is private in that call stands in its Details alone; what is secret is not kept.
Not who is asked and how often (policy), nor the answers there are (inquiry).
"""

from __future__ import annotations

from bot.domain import inquiry
from bot.domain.arguments import SHOWN_MOST, canonical_text, private_text, secret_texts, without
from bot.domain.calls import Cause, Outcome, ToolResult, ToolSpec, make_call
from bot.domain.request import Decision, Kind, Request
from bot.domain.wire import Json, replace

TOOL = "escalate"  # the tool with which an agent hands over by itself; read alike, listed in one queue
RULE = "rule"  # the argument that says it was a rule; that tool takes none of this name


def handed_over(asked: Request, spec: ToolSpec, suggestion: str) -> Request:
    """*asked*, for a call of *spec* that a rule hands over, as the escalation that people read; secrets are masked."""
    hide = secret_texts(asked, spec)
    why = without(asked.ask.why, hide)
    told: dict[str, Json] = {
        RULE: asked.ask.rule,
        "reason": why,
        "tool": f"{asked.call.tool}, version {asked.call.version}",
        "digest": asked.call.digest,
        "context": canonical_text(asked, spec),
        "suggestion": suggestion,
    }
    call = make_call(id=asked.call.id, tool=TOOL, version="1", args=told)
    private = private_text(asked, spec)
    if len(private) > SHOWN_MOST:
        private = f"not shown: {len(private):,} characters, more than Details hold"
    sources = tuple(without(source, hide) for source in asked.sources)
    ask = replace(asked.ask, why=why)
    return replace(asked, kind=Kind.ESCALATION, call=call, ask=ask, sources=sources, private=private)


def is_by_rule(request: Request) -> bool:
    return request.kind is Kind.ESCALATION and request.call.tool == TOOL and RULE in request.call.values


def result(asked: Request, decision: Decision, who: str) -> ToolResult:
    """What the agent hears once *who* have answered *asked*."""
    answer = inquiry.outcome(asked, decision.answer)
    text = f"Not run: a rule hands this over to people. {who} answered. {inquiry.told(asked, decision.answer)}"
    return ToolResult(outcome=Outcome.NOT_RUN, cause=Cause.POLICY, text=text, answer=answer)
