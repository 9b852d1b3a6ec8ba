"""What makes a verdict other than another one, and when it is only stricter."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from bot.domain.drift import FACETS, MOVES, Change, Fate, Weight, changes, fate
from bot.domain.hours import Hours
from bot.domain.verdict import Allow, Ask, Climb, Deny, Escalate, Glass, Grantable, Need, ReasonRule, Rung, Verdict
from bot.domain.wire import replace

GLASS = Glass(of="oncall", review="managers", within=timedelta(hours=24))
BOUNDS = Grantable(most=5, within=timedelta(hours=8), same=("path",))
ASK = Ask(
    rule="a",
    why="it holds",
    groups=(Need(of="approvers"),),
    ladder=(Rung(after=timedelta(hours=4), do=Climb.EXPIRE),),
)
VERDICTS: tuple[Verdict, ...] = (
    Allow(rule="a", why="w"),
    ASK,
    Escalate(rule="a", why="w", to="managers", suggestion="wait"),
    Deny(rule="a", why="w"),
)


def test_every_move_from_one_fate_to_another_has_a_weight() -> None:
    """PN-07: total; what would run unasked that did not is the gravest, whatever it was before."""
    assert {*MOVES} == {(was, now) for was, now in product(Fate, Fate) if was is not now}
    assert all((weight is Weight.UNASKED) == (now is Fate.RUNS) for (_, now), weight in MOVES.items())
    assert [fate(verdict) for verdict in VERDICTS] == [Fate.RUNS, Fate.ASKED, Fate.HANDED, Fate.REFUSED]


@pytest.mark.parametrize("verdict", VERDICTS)
def test_another_name_or_other_words_are_no_change(verdict: Verdict) -> None:
    assert changes(verdict, replace(verdict, rule="b", why="another reason")) == ()


def test_every_field_of_an_ask_but_its_words_belongs_to_one_facet() -> None:
    """PN-07: a field that nobody compares would change unseen."""
    fields = [name for names, _ in FACETS.values() for name in names]
    assert sorted([*fields, "rule", "why"]) == sorted(Ask.__struct_fields__)


@pytest.mark.parametrize(
    ("before", "after", "told", "weight"),
    [
        ({}, {"groups": (Need(of="approvers", need=2),)}, "other approvers", Weight.TIGHTER),
        ({}, {"groups": (Need(of="approvers"), Need(of="legal"))}, "other approvers", Weight.TIGHTER),
        ({}, {"groups": (Need(of="legal"),)}, "other approvers", Weight.OTHER),
        ({"groups": (Need(of="approvers", need=2),)}, {}, "other approvers", Weight.OTHER),
        ({}, {"separate_duties": True}, "other approvers", Weight.TIGHTER),
        ({"separate_duties": True}, {}, "other approvers", Weight.OTHER),
        ({}, {"veto": ("legal",)}, "other approvers", Weight.TIGHTER),
        ({"veto": ("legal",)}, {}, "other approvers", Weight.OTHER),
        ({"break_glass": GLASS}, {}, "other approvers", Weight.TIGHTER),
        ({}, {"break_glass": GLASS}, "other approvers", Weight.OTHER),
        ({}, {"is_high": True}, "another risk", Weight.TIGHTER),
        ({"is_high": True}, {}, "another risk", Weight.OTHER),
        ({}, {"typed": "path"}, "another risk", Weight.TIGHTER),
        ({"typed": "path"}, {"typed": "table"}, "another risk", Weight.OTHER),
        ({}, {"reason": ReasonRule.ALWAYS}, "another risk", Weight.TIGHTER),
        ({"reason": ReasonRule.ALWAYS}, {"reason": ReasonRule.ON_REJECT}, "another risk", Weight.OTHER),
        ({}, {"may_use_words": True}, "another risk", Weight.OTHER),
        ({}, {"exec_window": timedelta(minutes=1)}, "another ladder or time", Weight.TIGHTER),
        ({}, {"exec_window": timedelta(days=1)}, "another ladder or time", Weight.OTHER),
        ({}, {"ladder": (Rung(after=timedelta(hours=1), do=Climb.EXPIRE),)}, "another ladder or time", Weight.OTHER),
        ({}, {"clock": Hours(zone="Etc/UTC")}, "another ladder or time", Weight.OTHER),
        ({"grant": BOUNDS}, {}, "other grants or batches", Weight.TIGHTER),
        ({}, {"grant": BOUNDS}, "other grants or batches", Weight.OTHER),
        ({"grant": BOUNDS}, {"grant": replace(BOUNDS, most=2)}, "other grants or batches", Weight.TIGHTER),
        ({"grant": BOUNDS}, {"grant": replace(BOUNDS, same=())}, "other grants or batches", Weight.OTHER),
        ({}, {"is_batch": True}, "other grants or batches", Weight.OTHER),
        ({}, {"place": "#finance"}, "its card elsewhere", Weight.OTHER),
    ],
)
def test_two_ways_to_ask_are_compared_by_what_a_signer_would_notice(
    before: dict[str, Any], after: dict[str, Any], told: str, weight: Weight
) -> None:
    """PN-07: stricter alone is only what takes something away from everybody, and gives nobody anything."""
    found = changes(replace(ASK, **before), replace(ASK, **after))

    assert found == (
        Change(told=f"asks with {told}{', only stricter' if weight is Weight.TIGHTER else ''}", weight=weight),
    )


def test_what_is_handed_to_others_is_a_change() -> None:
    handed = VERDICTS[2]

    assert changes(handed, replace(handed, to="legal")) == (
        Change(told="is handed over otherwise", weight=Weight.OTHER),
    )
