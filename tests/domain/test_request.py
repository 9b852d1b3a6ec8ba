"""Requests: the table of moves, votes, seats; no list of moves ever runs a call that people did not sign."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bot.domain.calls import Cause, Digest
from bot.domain.chat import PersonId
from bot.domain.errors import AlreadySettled, AlreadyVoted, NotEligible, Refused, TooLate, Unread
from bot.domain.request import (
    NEXT,
    VOTES,
    Kind,
    Move,
    Request,
    Right,
    Status,
    Vote,
    can_fill,
    close,
    look,
    seats,
    settled_text,
    spend,
    vote,
)
from bot.domain.verdict import Glass, Need
from bot.domain.wire import replace
from tests.domain.given import ANA, BO, CY, NOW, ask, decided, request
from tests.domain.given import vote as ballot

PEOPLE = [PersonId(name) for name in ("ana", "bo", "cy", "di", "ed")]
CLOSINGS = [Move.EXPIRE, Move.CANCEL, Move.SUPERSEDE]
GLASS = Glass(of="oncall", review="managers", within=timedelta(hours=24))


def veto(by: PersonId = BO, **changes: Any) -> Vote:
    return ballot(by, **{"move": Move.REJECT, "right": Right.VETO, "seats": (), **changes})


def glass(by: PersonId = BO, **changes: Any) -> Vote:
    return ballot(by, **{"move": Move.BREAK_GLASS, "right": Right.GLASS, "seats": (), "reason": "it burns", **changes})


# --------------------------------------------------------------- the table


def test_the_table_names_every_status_and_leads_only_to_statuses() -> None:
    """I3: one row per status, even if the row is empty."""
    assert set(NEXT) == set(Status)
    assert all(isinstance(status, Status) for row in NEXT.values() for status in row.values())
    assert set(VOTES) == set(Kind)


def test_only_an_open_request_can_be_decided_and_only_an_approved_one_be_spent() -> None:
    """I1, I3: nothing but a spend leaves a decided status, and it leaves only "approved"."""
    assert {status for status, row in NEXT.items() if row} == {Status.OPEN, Status.APPROVED}
    assert dict(NEXT[Status.APPROVED]) == {Move.SPEND: Status.SPENT}
    assert Move.SPEND not in NEXT[Status.OPEN]


def test_every_move_but_a_spend_ends_an_open_request_in_a_status_of_its_own() -> None:
    """Broken glass alone ends where an approval does: what may run then is the same call, once."""
    row = NEXT[Status.OPEN]

    assert set(row) == set(Move) - {Move.SPEND}
    assert row[Move.BREAK_GLASS] is row[Move.APPROVE]
    assert len(set(row.values())) == len(row) - 1


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OPEN])
def test_after_the_end_no_vote_and_no_closing_changes_anything(status: Status) -> None:
    """I3: the first decision stands, and whoever comes later is told what it was."""
    ended = decided(status)

    with pytest.raises(AlreadySettled) as refused:
        vote(ended, ballot())
    assert "already" in refused.value.people_read
    for move in CLOSINGS:
        with pytest.raises(AlreadySettled):
            close(ended, move, at=NOW, cause=Cause.STOPPED)


# ------------------------------------------------------------------- votes


def test_one_approval_decides_a_quorum_of_one() -> None:
    after = vote(request(), ballot(BO))

    assert after.status is Status.APPROVED
    assert after.decision is not None
    assert (after.decision.by, after.decision.cause, after.version) == ((BO,), None, 2)


def test_one_rejection_decides_whatever_the_quorum() -> None:
    """I6: two of three signed; the third refuses; it is rejected."""
    asked = request(ask=ask(Need(of="finance", need=3)))

    after = vote(vote(vote(asked, ballot(ANA)), ballot(BO)), ballot(CY, Move.REJECT, reason="too much"))

    assert after.status is Status.REJECTED
    assert after.decision is not None
    assert (after.decision.by, after.decision.cause, after.decision.reason) == ((CY,), Cause.PERSON, "too much")


def test_nobody_counts_twice() -> None:
    """I4: also from another account and for another seat."""
    asked = request(ask=ask(Need(of="finance"), Need(of="legal")))

    with pytest.raises(AlreadyVoted):
        vote(vote(asked, ballot(BO)), ballot(BO, seats=(1,), delivery="other"))


@pytest.mark.parametrize(("late", "is_counted"), [(-1, True), (0, False), (1, False)])
def test_a_vote_counts_strictly_before_the_deadline(late: int, is_counted: bool) -> None:
    """I7, T31: a millisecond before, at, and after."""
    asked = request(deadline=NOW)
    given_vote = ballot(at=NOW + timedelta(milliseconds=late))

    if is_counted:
        assert vote(asked, given_vote).status is Status.APPROVED
    else:
        with pytest.raises(TooLate):
            vote(asked, given_vote)


def test_who_may_sit_nowhere_may_not_vote() -> None:
    """I5: an excluded person arrives here without a seat."""
    with pytest.raises(NotEligible):
        vote(request(), ballot(seats=()))


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("move", list(Move))
def test_only_the_answers_of_its_kind_are_votes(kind: Kind, move: Move) -> None:
    asked = request(kind=kind, ask=ask(break_glass=GLASS))

    given_vote = glass() if move is Move.BREAK_GLASS else ballot(move=move)
    if move in VOTES[kind]:
        assert not vote(asked, given_vote).is_open
    else:
        with pytest.raises(NotEligible):
            vote(asked, given_vote)


# ------------------------------------------------------------------ rights


def test_a_veto_rejects_without_a_seat_and_does_nothing_else() -> None:
    """A2-05, D-30, I6: legal may stop it; legal's yes is no signature."""
    asked = request(ask=ask(veto=("legal",)))

    assert vote(asked, veto()).status is Status.REJECTED
    with pytest.raises(NotEligible):
        vote(asked, veto(move=Move.APPROVE))
    with pytest.raises(NotEligible):
        vote(request(), veto())


def test_broken_glass_approves_alone_whatever_the_quorum() -> None:
    """I4: with a reason, and the decision names nobody but the one who broke it."""
    asked = request(ask=ask(Need(of="finance", need=3), break_glass=GLASS))

    after = vote(vote(asked, ballot(BO)), glass(CY))

    assert after.status is Status.APPROVED
    assert after.decision is not None
    assert after.decision.by == (CY,)
    assert after.broken_by is not None
    assert after.broken_by.person == CY


@pytest.mark.parametrize(
    "given_vote",
    [
        lambda: glass(ANA),
        lambda: glass(reason=" "),
        lambda: ballot(move=Move.BREAK_GLASS, reason="in a hurry"),
        lambda: glass(move=Move.APPROVE),
        lambda: glass(move=Move.REJECT),
    ],
    ids=["whoever asked", "no reason", "a seat is no hammer", "an approval is none", "a rejection is none"],
)
def test_glass_is_broken_only_by_others_with_a_reason_and_by_that_move(given_vote: Callable[[], Vote]) -> None:
    """I4, I5, D-30: who is excluded never breaks it, also where duties are not separated."""
    asked = request(ask=ask(break_glass=GLASS), excluded=(ANA,))

    with pytest.raises(NotEligible):
        vote(asked, given_vote())
    with pytest.raises(NotEligible):
        vote(request(), glass())


def test_what_is_high_risk_is_approved_only_by_who_has_opened_its_details() -> None:
    """AU-22, AU-24, D-33, I8: each for themselves; refusing needs no reading."""
    asked = request(ask=ask(Need(of="finance", need=2), is_high=True, break_glass=GLASS))

    read = look(asked, BO)

    assert (read.looked, read.version) == ((BO,), 2)
    assert vote(read, ballot(BO)).is_open
    for unread in (ballot(CY), glass(CY)):
        with pytest.raises(Unread):
            vote(read, unread)
    assert vote(read, ballot(CY, Move.REJECT)).status is Status.REJECTED
    with pytest.raises(AlreadySettled):
        look(decided(Status.APPROVED), BO)


# ------------------------------------------------------------------- spend


def test_an_approval_is_spent_once() -> None:
    """I2: the second start finds nothing to spend."""
    spent = spend(vote(request(), ballot()), at=NOW + timedelta(minutes=2), digest=request().call.digest)

    assert spent.status is Status.SPENT
    with pytest.raises(AlreadySettled):
        spend(spent, at=NOW + timedelta(minutes=2), digest=request().call.digest)


def test_an_approval_is_spent_within_its_window_and_for_its_own_bytes() -> None:
    """I7 and I1, T06."""
    approved = vote(request(), ballot())
    assert approved.decision is not None
    last = approved.decision.at + approved.ask.exec_window

    assert spend(approved, at=last, digest=approved.call.digest).status is Status.SPENT
    with pytest.raises(TooLate):
        spend(approved, at=last + timedelta(milliseconds=1), digest=approved.call.digest)
    with pytest.raises(NotEligible):
        spend(approved, at=last, digest=Digest("other bytes"))


class Desk(RuleBasedStateMachine):
    """Any list of moves, by anybody, at any time."""

    @initialize(
        needs=st.lists(st.integers(1, 2), min_size=1, max_size=3),
        kind=st.sampled_from(Kind),
        more=st.fixed_dictionaries(
            {"is_high": st.booleans(), "veto": st.sampled_from([(), ("legal",)])},
            optional={"break_glass": st.just(GLASS)},
        ),
    )
    def open(self, needs: list[int], kind: Kind, more: dict[str, Any]) -> None:
        groups = [Need(of=f"group{n}", need=need) for n, need in enumerate(needs)]
        self.request = request(ask=ask(*groups, **more), kind=kind, excluded=(ANA,))
        self.asked, self.seen, self.clock = self.request, {Status.OPEN}, NOW

    @rule(minutes=st.integers(0, 200))
    def time_passes(self, minutes: int) -> None:
        self.clock += timedelta(minutes=minutes)

    @rule(
        by=st.sampled_from(PEOPLE),
        move=st.sampled_from(Move),
        chairs=st.sets(st.integers(0, 2)),
        right=st.sampled_from(Right),
        reason=st.sampled_from(["", "it burns"]),
    )
    def somebody_votes(self, by: PersonId, move: Move, chairs: set[int], right: Right, reason: str) -> None:
        there = tuple(sorted(chair for chair in chairs if chair < len(self.request.ask.groups)))
        given_vote = ballot(by, move, at=self.clock, seats=there, right=right, reason=reason)
        self._try(lambda: vote(self.request, given_vote))

    @rule(by=st.sampled_from(PEOPLE))
    def somebody_reads_it(self, by: PersonId) -> None:
        self._try(lambda: look(self.request, by))

    @rule(move=st.sampled_from(CLOSINGS))
    def it_is_closed(self, move: Move) -> None:
        self._try(lambda: close(self.request, move, at=self.clock, cause=Cause.STOPPED))

    @rule(digest=st.sampled_from([request().call.digest, Digest("other")]))
    def it_is_spent(self, digest: Digest) -> None:
        self._try(lambda: spend(self.request, at=self.clock, digest=digest))

    def _try(self, move: object) -> None:
        before = self.request
        try:
            self.request = move()  # type: ignore[operator]  # a lambda of one of the rules above
        except Refused:
            assert self.request is before, "a refused move changes nothing"
        else:
            assert self.request.version == before.version + 1
            self.seen.add(self.request.status)

    @invariant()
    def what_was_asked_never_changes(self) -> None:
        """I9: the call, the policy and the people asked are a snapshot."""
        assert (self.request.call, self.request.ask, self.request.policy) == (
            self.asked.call,
            self.asked.ask,
            self.asked.policy,
        )

    @invariant()
    def nothing_runs_that_was_not_signed(self) -> None:
        """I1, I4, I6: spent means approved; approved means a full quorum of distinct people and no refusal, or glass
        that one more person broke with a reason. What is high-risk was read by each of them (AU-24)."""
        if self.request.status not in (Status.APPROVED, Status.SPENT):
            return
        votes, rule_ = self.request.votes, self.request.ask
        assert len({one.person for one in votes}) == len(votes)
        assert all(one.digest == self.request.call.digest for one in votes)
        assert not rule_.is_high or {one.person for one in votes} <= set(self.request.looked)
        broken = [one for one in votes if one.right is Right.GLASS]
        assert all(one.move is Move.APPROVE and one.right is Right.SEAT for one in votes if one not in broken)
        if broken:
            assert [(one.move, one.reason) for one in broken] == [(Move.BREAK_GLASS, "it burns")]
            assert rule_.break_glass is not None
            assert broken[0].person != ANA
        else:
            assert seats(self.request).is_full
            assert len(votes) >= sum(group.need for group in rule_.groups)
        assert self.request.deadline is not None
        assert all(one.at < self.request.deadline for one in votes)

    @invariant()
    def there_is_one_end(self) -> None:
        """I3: open, then one end; only an approval is followed by anything, its being spent."""
        assert len(self.seen - {Status.OPEN, Status.SPENT}) <= 1
        assert (Status.SPENT in self.seen) <= (Status.APPROVED in self.seen)
        assert self.request.is_open == (self.request.decision is None)


TestDesk = Desk.TestCase


# ------------------------------------------------------------------- seats


def fills(needs: list[int], eligible: list[frozenset[PersonId]]) -> bool:
    """By trying everything: is there an order of people that fills every chair?"""
    chairs = [group for group, need in enumerate(needs) for _ in range(need)]
    people = sorted(set().union(*eligible)) if eligible else []
    return any(
        all(person in eligible[chair] for person, chair in zip(order, chairs, strict=True))
        for order in permutations(people, len(chairs))
    )


GROUPS = st.lists(st.tuples(st.integers(1, 2), st.frozensets(st.sampled_from(PEOPLE))), min_size=1, max_size=3)


@given(GROUPS)
def test_a_request_can_be_filled_exactly_if_some_arrangement_of_people_fills_it(
    groups: list[tuple[int, frozenset[PersonId]]],
) -> None:
    """I4: compared with trying every arrangement."""
    needs, eligible = [need for need, _ in groups], [people for _, people in groups]

    assert can_fill(needs, eligible) == fills(needs, eligible)


@given(GROUPS, st.permutations(PEOPLE))
def test_the_quorum_is_full_exactly_when_the_signers_can_fill_it_whatever_their_order(
    groups: list[tuple[int, frozenset[PersonId]]], order: list[PersonId]
) -> None:
    """I4: who signed first never decides whether the signatures are enough."""
    needs, eligible = [need for need, _ in groups], [people for _, people in groups]
    chairs = {person: tuple(n for n, people in enumerate(eligible) if person in people) for person in order}
    asked = request(ask=ask(*[Need(of=f"g{n}", need=need) for n, need in enumerate(needs)]))
    asked = replace(asked, votes=tuple(ballot(person, seats=chairs[person]) for person in order))

    filled = seats(asked)

    assert filled.is_full == fills(needs, eligible)
    assert all(have <= need for have, need in zip(filled.filled, needs, strict=True))
    assert sum(filled.filled) <= len(order)


def test_one_person_in_two_groups_fills_one_seat() -> None:
    """I4: a team of one cannot sign for two groups."""
    asked = request(ask=ask(Need(of="finance"), Need(of="legal")))

    after = vote(asked, ballot(BO, seats=(0, 1)))

    assert after.is_open
    assert vote(after, ballot(CY, seats=(0,))).status is Status.APPROVED
    assert not can_fill([1, 1], [frozenset({BO}), frozenset({BO})])


# --------------------------------------------------------------- what is told


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        (request(), "This request is no longer active."),
        (decided(Status.EXPIRED, by=()), "This request is already expired."),
        (decided(Status.REJECTED, by=(BO,)), "bo already answered: rejected."),
        (decided(Status.SPENT, by=(BO, CY)), "bo and cy already answered: approved."),
    ],
)
def test_who_comes_too_late_is_told_what_happened(ended: Request, told: str) -> None:
    assert settled_text(ended) == told
