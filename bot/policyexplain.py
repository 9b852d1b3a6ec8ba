"""`policy explain`: what the policy says about one call, rule by rule, with the values each rule saw.

    tried rules -> the one that holds -> its verdict, spelled out

Only words: the verdict is the policy's own (`domain/policy`), the same as at run time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from bot.domain.calls import ToolCall, ToolSpec
from bot.domain.hours import written
from bot.domain.policy import Facts, Policy
from bot.domain.verdict import Allow, Ask, Climb, Deny, Escalate, Rung, Verdict


def explain_text(policy: Policy, call: ToolCall, spec: ToolSpec, facts: Facts) -> str:
    """What `policy explain` says: each rule up to the one that decides, with the values it saw; then the verdict."""
    verdict = policy.decide(call, spec, facts)
    tried = [*policy.trace(call, spec, facts)]
    width = max((len(one.rule) for one in tried), default=0)
    marks = {True: "HOLDS", False: "no", None: "FAILS"}
    where = ", ".join(part for part in (facts.agent, facts.place.platform) if part)
    lines = [f"{call.tool} {_safe_args(call, spec)} for {facts.requester.id}" + (f" ({where})" if where else "")]
    lines += [f"  {one.rule:{width}}  {marks[one.is_held]:5}  {one.told}".rstrip() for one in tried]
    if not any(one.is_held is not False for one in tried):
        lines.append("  no rule holds: the default asks")
    return "\n".join([*lines, *_verdict_lines(verdict)])


def _safe_args(call: ToolCall, spec: ToolSpec) -> str:
    shown = ", ".join(f"{k}={'(secret)' if k in spec.secrets else repr(v)[:80]}" for k, v in call.values.items())
    return f"({shown})"


def _verdict_lines(verdict: Verdict) -> Iterator[str]:
    match verdict:
        case Allow(why=why):
            yield f"ALLOW  {why}"
        case Deny(why=why):
            yield f"DENY  {why}"
        case Escalate(why=why) as by:
            yield f"ESCALATE  {why}"
            yield f"  to       {by.to}, who say how to go on; the call does not run"
            yield f"  suggests {by.suggestion}"
        case Ask(why=why) as ask:
            yield f"ASK  {why}"
            yield f"  who      {' and '.join(f'{need.need} of {need.of}' for need in ask.groups)}"
            apart = "nobody signs their own request" if ask.separate_duties else ""
            yield "  how      " + ", ".join(
                part
                for part in (
                    f"in {ask.place}",
                    apart,
                    "high risk" if ask.is_high else "",
                    "words count" if ask.may_use_words else "buttons only",
                    f"reason {ask.reason.replace('_', ' ')}",
                )
                if part
            )
            yield from (f"  {told}" for told in _besides(ask))
            yield f"  ladder   {' · '.join(map(_rung, ask.ladder))}; starts within {_span(ask.exec_window)}"
            if ask.clock:
                hours, window = f"{written(ask.clock.work)}, {ask.clock.zone}", _span(ask.exec_window)
                yield f"  clock    pauses outside {hours}; what was signed still has to start within {window}"


def _besides(ask: Ask) -> Iterator[str]:
    if ask.veto:
        yield f"veto     {' and '.join(ask.veto)} may reject"
    if ask.typed:
        yield f"type     the value of {ask.typed}, letter for letter"
    if bounds := ask.grant:
        bound = f", with the same {' and '.join(bounds.same)}" if bounds.same else ""
        yield f"grant    up to {bounds.most} more within {_span(bounds.within)}{bound}"
    if ask.is_batch:
        yield "batch    equal calls of one turn stand on one card"
    if glass := ask.break_glass:
        yield f"glass    one of {glass.of} may approve alone; {glass.review} review it within {_span(glass.within)}"


def _rung(rung: Rung) -> str:
    return f"{_span(rung.after)} {rung.do}" + ("" if rung.do is Climb.EXPIRE else f" {rung.to}")


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    size, unit = next((n, u) for n, u in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")) if seconds % n == 0)
    return f"{seconds // size}{unit}"
