"""What grants could have saved: presses, counted from requests that people settled, never too many."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.domain.calls import ToolCall
from bot.domain.chat import PersonId
from bot.domain.request import Decision, Kind, Request, RequestId, Right, Status
from bot.domain.saved import SHOWN, Saved, lines, saved
from bot.domain.verdict import Glass, Grantable, Need
from bot.domain.wire import Json, replace
from tests.domain import given

BOUNDS = Grantable(most=5, within=timedelta(hours=8), same=("order_id",))
DORA = PersonId("dora")
ASKS = ("grant", "is_high", "typed", "groups", "separate_duties", "break_glass")  # what a test changes of the rule


def minutes(number: float) -> datetime:
    return given.NOW + timedelta(minutes=number)


def order(amount: int = 1, number: str = "7") -> ToolCall:
    args: Json = {"order_id": number, "amount": amount}
    return given.call(args)


def settled(at: float, call: ToolCall | None = None, **changes: Any) -> Request:
    """A request of *at* minutes, which bo approved half a minute later."""
    asks = {name: changes.pop(name) for name in ASKS if name in changes}
    status = changes.pop("status", Status.SPENT)
    decided, end = changes.pop("decided", at + 0.5), Status.REJECTED if status is Status.REJECTED else Status.APPROVED
    found = given.request(
        id=RequestId(f"q-{at}"),
        call=call or order(),
        ask=replace(given.ask(), **{"grant": BOUNDS, **asks}),
        opened=minutes(at),
        status=status,
        decision=Decision(status=end, at=minutes(decided), by=(given.BO,)),
        votes=(given.vote(digest=(call or order()).digest, at=minutes(decided)),),
    )
    return replace(found, **changes)


def counted(*requests: Request) -> list[tuple[int, int, int]]:
    return [(one.approved, one.saved, one.same) for one in saved(requests)]


def test_what_was_approved_again_within_the_bounds_of_the_rule_could_have_been_saved() -> None:
    """PN-14: three of one order: the first would have given a grant, the others run on it; one is the very call."""
    found = saved([settled(1), settled(2), settled(3, order(amount=9)), settled(4, order(number="8"))])

    assert found == (Saved(tool="refund", rule="big-refund", approved=4, saved=2, same=1),)
    assert lines(found) == [
        "Approvals that a grant, as the policy allows it, could have saved:",
        "  refund (rule big-refund): 2 of 4, 1 of them the very same call",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"grant": None},
        {"is_high": True},
        {"typed": "order_id"},
        {"groups": (Need(of="finance", need=2),)},
        {"grant": Grantable(most=5, within=timedelta(hours=8), same=("ticket",))},
        {"kind": Kind.RECOVERY},
        {"requester": DORA},
        {"place": replace(given.PLACE, thread="2.0")},
        {"call": given.call({"order_id": "8", "amount": 1})},
        {"call": replace(order(), version="2")},
        {"separate_duties": True, "excluded": (given.BO,)},
    ],
)
def test_what_no_grant_may_be_given_for_is_never_counted(changes: dict[str, Any]) -> None:
    """PN-14, AS-33: no bounds, high, typed, two signatures, another requester, thread, order, version, or own giver."""
    assert counted(settled(1), settled(2, **changes)) == []


@pytest.mark.parametrize(
    "first",
    [
        {"standins": (given.BO,)},
        {"votes": (replace(given.vote(), seats=(), stands_for=()),)},
        {
            "break_glass": Glass(of="oncall", review="managers", within=timedelta(hours=1)),
            "votes": (given.vote(right=Right.GLASS),),
        },
        {"status": Status.REJECTED},
        {"status": Status.EXPIRED},
    ],
)
def test_nobody_gives_more_than_their_own_signature_lets_them(first: dict[str, Any]) -> None:
    """PN-14: a stand-in of the ladder, a deputy, broken glass, a rejection and silence give no grant."""
    assert counted(settled(1, **first), settled(2)) == []


def test_a_call_that_was_asked_about_before_the_press_is_not_saved() -> None:
    """PN-14: five cards of one turn are five questions, whatever their answers allow later."""
    assert counted(settled(1, decided=9), settled(2, decided=9.5), settled(3, decided=10)) == []


def test_a_grant_is_used_up_and_ends_as_the_rule_says() -> None:
    """PN-14: two uses, or an hour; the next approval gives the next one."""
    two = Grantable(most=2, within=timedelta(hours=8))
    hour = Grantable(most=5, within=timedelta(hours=1))

    assert counted(*(settled(number, grant=two) for number in range(1, 7))) == [(6, 4, 4)]
    assert counted(*(settled(number, grant=hour) for number in (1, 50, 70, 100))) == [(4, 2, 2)]


def test_after_a_rejection_nothing_more_is_saved() -> None:
    """PN-14: somebody wanted to see each: what the grant would have let run was refused."""
    assert counted(settled(1), settled(2, status=Status.REJECTED), settled(3), settled(4)) == [(3, 1, 1)]


def test_most_stands_first_and_a_long_list_is_cut() -> None:
    found = [Saved(tool=f"t{n}", rule="r", approved=9, saved=n, same=0) for n in range(SHOWN + 2, 0, -1)]

    told = lines(found)

    assert told[1] == f"  t{SHOWN + 2} (rule r): {SHOWN + 2} of 9"
    assert told[-1] == "  and 2 more tools and rules."
    assert lines([]) == []
