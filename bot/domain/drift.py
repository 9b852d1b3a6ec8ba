"""How one policy judges a call otherwise than another: what becomes of it, and whether that is less care than before.

    two verdicts on the same call -> changes, each with its weight

Two verdicts that ask people are compared by what a signer would notice: who, how carefully, how long, where, and what
may be allowed ahead. Pure. Not which calls are compared (runtime/recalling), nor how it is told (bot/policytry).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import assert_never

from bot.domain.verdict import Allow, Ask, Deny, Escalate, Grantable, ReasonRule, Verdict
from bot.domain.wire import Record


class Weight(enum.StrEnum):
    """What a change means for whoever answers for it, from the gravest down."""

    UNASKED = "unasked"  # it would run without anybody being asked, and did not before
    OTHER = "other"  # no call runs unasked for it, and yet it is not only stricter
    TIGHTER = "tighter"  # only stricter


class Fate(enum.StrEnum):
    """What a verdict makes of a call."""

    RUNS = "runs by itself"
    ASKED = "asks people"
    HANDED = "is handed over"
    REFUSED = "is refused"


class Change(Record):
    told: str
    weight: Weight


MOVES: Mapping[tuple[Fate, Fate], Weight] = {
    (Fate.ASKED, Fate.RUNS): Weight.UNASKED,
    (Fate.HANDED, Fate.RUNS): Weight.UNASKED,
    (Fate.REFUSED, Fate.RUNS): Weight.UNASKED,
    (Fate.REFUSED, Fate.ASKED): Weight.OTHER,
    (Fate.REFUSED, Fate.HANDED): Weight.OTHER,  # it runs neither way, but people are asked for an answer
    (Fate.HANDED, Fate.ASKED): Weight.OTHER,
    (Fate.RUNS, Fate.ASKED): Weight.TIGHTER,
    (Fate.RUNS, Fate.HANDED): Weight.TIGHTER,
    (Fate.RUNS, Fate.REFUSED): Weight.TIGHTER,
    (Fate.ASKED, Fate.HANDED): Weight.TIGHTER,
    (Fate.ASKED, Fate.REFUSED): Weight.TIGHTER,
    (Fate.HANDED, Fate.REFUSED): Weight.TIGHTER,
}


def changes(before: Verdict, after: Verdict) -> tuple[Change, ...]:
    """What is other in *after*; empty if nothing is. Names and words of rules are no change."""
    if isinstance(before, Ask) and isinstance(after, Ask):
        return tuple(_asked_otherwise(before, after))
    if isinstance(before, Escalate) and isinstance(after, Escalate):
        is_other = (before.to, before.suggestion) != (after.to, after.suggestion)
        return (Change(told="is handed over otherwise", weight=Weight.OTHER),) if is_other else ()
    was, now = fate(before), fate(after)
    return () if was is now else (Change(told=f"{was} -> {now}", weight=MOVES[was, now]),)


def fate(verdict: Verdict) -> Fate:
    match verdict:
        case Allow():
            return Fate.RUNS
        case Ask():
            return Fate.ASKED
        case Escalate():
            return Fate.HANDED
        case Deny():
            return Fate.REFUSED
    assert_never(verdict)


# --------------------------------------------------------- people are asked


def _asked_otherwise(before: Ask, after: Ask) -> list[Change]:
    found = []
    for told, (fields, is_tighter) in FACETS.items():
        if any(getattr(before, name) != getattr(after, name) for name in fields):
            is_only = is_tighter(before, after)
            weight = Weight.TIGHTER if is_only else Weight.OTHER
            found.append(Change(told=f"asks with {told}{', only stricter' if is_only else ''}", weight=weight))
    return found


def _needs_more(before: Ask, after: Ask) -> bool:
    """The same groups or more, each with no fewer signatures; no excuse that was not there before."""
    was, now = _needed(before), _needed(after)
    return (
        all(now.get(of, 0) >= need for of, need in was.items())
        and after.separate_duties >= before.separate_duties
        and set(after.veto) >= set(before.veto)
        and after.break_glass in (None, before.break_glass)
    )


def _needed(ask: Ask) -> dict[str, int]:
    found: dict[str, int] = {}
    for need in ask.groups:
        found[need.of] = found.get(need.of, 0) + need.need
    return found


def _is_graver(before: Ask, after: Ask) -> bool:
    reasons = tuple(ReasonRule)
    return (
        after.is_high >= before.is_high
        and before.typed in ("", after.typed)
        and reasons.index(after.reason) >= reasons.index(before.reason)
        and after.may_use_words <= before.may_use_words
    )


def _is_shorter(before: Ask, after: Ask) -> bool:
    """Only the time between signature and start: a ladder brings other people, so none is only stricter."""
    is_same = (before.ladder, before.clock) == (after.ladder, after.clock)
    return is_same and after.exec_window <= before.exec_window


def _allows_less(before: Ask, after: Ask) -> bool:
    return after.is_batch <= before.is_batch and _is_narrower(before.grant, after.grant)


def _is_narrower(before: Grantable | None, after: Grantable | None) -> bool:
    if after is None or before is None:
        return after is None
    is_within = after.most <= before.most and after.within <= before.within
    return is_within and set(after.same) >= set(before.same)


def _never(before: Ask, after: Ask) -> bool:  # noqa: ARG001  # the table's signature
    return False


FACETS: Mapping[str, tuple[tuple[str, ...], Callable[[Ask, Ask], bool]]] = {
    "other approvers": (("groups", "separate_duties", "veto", "break_glass"), _needs_more),
    "another risk": (("is_high", "typed", "reason", "may_use_words"), _is_graver),
    "another ladder or time": (("ladder", "clock", "exec_window"), _is_shorter),
    "other grants or batches": (("grant", "is_batch"), _allows_less),
    "its card elsewhere": (("place",), _never),
}
"""What of an `Ask` makes a change, and when it is only stricter. `rule` and `why` are in none: they are words."""
