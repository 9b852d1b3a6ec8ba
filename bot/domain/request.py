"""A request: one question put to people, and the table of moves that leads to its one decision.

Pure: no clock, no directory, no store. Who a person is and what time it is are passed in; the store
applies what `vote` and `close` return only if the request has not changed in between (`version`).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NewType

from bot.domain.calls import Cause, Digest, Past, ToolCall, ToolResult
from bot.domain.chat import Account, MessageRef, PersonId, Place
from bot.domain.errors import AlreadySettled, AlreadyVoted, NotEligible, TooLate
from bot.domain.verdict import Ask
from bot.domain.wire import Record, replace

RequestId = NewType("RequestId", str)
RunId = NewType("RunId", str)


class Kind(enum.StrEnum):
    APPROVAL = "approval"
    RECOVERY = "recovery"
    QUESTION = "question"
    HANDOFF = "handoff"
    FORM = "form"
    REVIEW = "review"
    PLAN = "plan"
    ESCALATION = "escalation"


class Status(enum.StrEnum):
    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    ANSWERED = "answered"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    SPENT = "spent"


class Move(enum.StrEnum):
    APPROVE = "approve"  # recovery: it did not happen, run it
    REJECT = "reject"  # recovery: stop
    ANSWER = "answer"  # recovery: it happened; an inquiry (domain/inquiry): what `Vote.answer` says
    EXPIRE = "expire"
    CANCEL = "cancel"
    SUPERSEDE = "supersede"
    SPEND = "spend"


NEXT: Mapping[Status, Mapping[Move, Status]] = {
    Status.OPEN: {
        Move.APPROVE: Status.APPROVED,
        Move.REJECT: Status.REJECTED,
        Move.ANSWER: Status.ANSWERED,
        Move.EXPIRE: Status.EXPIRED,
        Move.CANCEL: Status.CANCELLED,
        Move.SUPERSEDE: Status.SUPERSEDED,
    },
    Status.APPROVED: {Move.SPEND: Status.SPENT},  # its one call has started; it never starts twice
    Status.REJECTED: {},
    Status.ANSWERED: {},
    Status.EXPIRED: {},
    Status.CANCELLED: {},
    Status.SUPERSEDED: {},
    Status.SPENT: {},
}

VOTES: Mapping[Kind, frozenset[Move]] = {
    Kind.APPROVAL: frozenset({Move.APPROVE, Move.REJECT}),
    Kind.RECOVERY: frozenset({Move.APPROVE, Move.REJECT, Move.ANSWER}),
    Kind.QUESTION: frozenset({Move.ANSWER}),
    Kind.HANDOFF: frozenset({Move.ANSWER}),
    Kind.FORM: frozenset({Move.ANSWER}),
    Kind.REVIEW: frozenset({Move.ANSWER}),
    Kind.PLAN: frozenset({Move.ANSWER}),
    Kind.ESCALATION: frozenset({Move.ANSWER}),
}


class Vote(Record):
    """One person's answer, as counted. `seats` are the indexes of the groups this person may fill."""

    person: PersonId
    account: Account
    move: Move
    digest: Digest
    ref: MessageRef
    at: datetime
    delivery: str
    seats: tuple[int, ...] = ()
    reason: str = ""
    answer: str = ""  # canonical JSON of what an inquiry was answered


class Decision(Record):
    """The answer that stands. `by` is empty when no person but time or the system decided."""

    status: Status
    at: datetime
    by: tuple[PersonId, ...] = ()
    cause: Cause | None = None
    reason: str = ""
    answer: str = ""  # as in `Vote`


class Edit(Record):
    """This request's call was changed by a person before signing."""

    editor: PersonId
    was: str  # the original canonical arguments
    delivery: str = ""  # the form that changed it: sent again, it changes nothing more


class Copy(Record):
    """One place where a request or a status is shown. `ref` is None until the platform has confirmed it."""

    name: str
    place: Place | None = None  # None: a direct message, found when it is posted; or posted, and `ref` says where
    to: PersonId | None = None
    ref: MessageRef | None = None

    @property
    def where(self) -> Place | None:
        return self.ref.place if self.ref is not None else self.place


class Request(Record):
    """One question put to people. Everything that decides it is a snapshot taken when it was opened."""

    id: RequestId
    run: RunId
    path: str  # the step that asks
    call: ToolCall
    ask: Ask
    policy: str  # hash of the policy that asked
    task: str  # what the person wanted, in their words
    agent: str
    requester: PersonId
    place: Place
    opened: datetime
    kind: Kind = Kind.APPROVAL
    status: Status = Status.OPEN
    version: int = 1  # rises with every change: what a vote was computed from is what it is applied to
    excluded: tuple[PersonId, ...] = ()  # never count where duties are separated
    standins: tuple[PersonId, ...] = ()  # people the ladder reached: may fill any seat
    deadline: datetime | None = None
    why: str = ""  # the agent's own words, never trusted
    explanation: str = ""  # the agent's answer to "Explain"
    edit: Edit | None = None
    replaces: RequestId | None = None
    replaced_by: RequestId | None = None
    votes: tuple[Vote, ...] = ()
    decision: Decision | None = None
    rung: int = 0  # the next step of the ladder
    history: tuple[Past, ...] = ()  # the run's other calls, for judging an edited version
    outcome: ToolResult | None = None  # what the signed call came to

    @property
    def is_open(self) -> bool:
        return self.status is Status.OPEN


class Seats(Record):
    """How full each group is: `filled[i]` of `ask.groups[i].need`."""

    filled: tuple[int, ...]
    is_full: bool


def vote(request: Request, given: Vote) -> Request:
    """Count *given*. The returned request is decided if this vote completes it.

    Raises AlreadySettled, TooLate, AlreadyVoted or NotEligible, and then nothing has changed.
    """
    _must_be_open(request)
    if request.deadline is not None and given.at >= request.deadline:
        raise TooLate(request.id, "deadline")
    if any(earlier.person == given.person for earlier in request.votes):
        raise AlreadyVoted(request.id, given.person)
    if given.move not in VOTES[request.kind]:
        raise NotEligible(request.id, given.person, f"{given.move} is not an answer to this")
    if given.digest != request.call.digest:
        raise NotEligible(request.id, given.person, "This answer belongs to another version of the call.")
    if not given.seats:
        raise NotEligible(request.id, given.person, "Sorry, you may not answer this.")
    counted = replace(request, votes=(*request.votes, given), version=request.version + 1)
    if given.move is Move.APPROVE and not seats(counted).is_full:
        return counted
    return _decided(counted, given)


def close(request: Request, move: Move, *, at: datetime, cause: Cause, told: str = "") -> Request:
    """End an open request without a vote: expired, cancelled or superseded."""
    _must_be_open(request)
    status = NEXT[request.status][move]
    decision = Decision(status=status, at=at, cause=cause, reason=told)
    return replace(request, status=status, decision=decision, version=request.version + 1)


def spend(request: Request, *, at: datetime, digest: Digest) -> Request:
    """Use the approval up: its one call starts now. Raises TooLate after the execution window."""
    if Move.SPEND not in NEXT[request.status] or request.decision is None:
        raise AlreadySettled(request.id, request.status, settled_text(request))
    if at > request.decision.at + request.ask.exec_window:
        raise TooLate(request.id, "execution window")
    if request.call.digest != digest:
        raise NotEligible(request.id, None, "the call is not the one that was approved")
    return replace(request, status=Status.SPENT, version=request.version + 1)


def seats(request: Request) -> Seats:
    """Fill the groups with approvals, one seat a person, as many as can be (bipartite matching)."""
    taken: dict[tuple[int, int], int] = {}  # (group, chair) -> index of the vote sitting there
    approvals = [v for v in request.votes if v.move is Move.APPROVE]

    def sit(index: int, tried: set[tuple[int, int]]) -> bool:
        for group in approvals[index].seats:
            for chair in ((group, n) for n in range(request.ask.groups[group].need)):
                if chair not in tried:
                    tried.add(chair)
                    if chair not in taken or sit(taken[chair], tried):
                        taken[chair] = index
                        return True
        return False

    for index in range(len(approvals)):
        sit(index, set())
    filled = tuple(sum(1 for group, _ in taken if group == i) for i in range(len(request.ask.groups)))
    return Seats(filled=filled, is_full=all(n >= g.need for n, g in zip(filled, request.ask.groups, strict=True)))


def can_fill(needs: Sequence[int], eligible: Sequence[frozenset[PersonId]]) -> bool:
    """Could distinct people fill every group? The check a request must pass before it is opened."""
    chairs = [group for group, need in enumerate(needs) for _ in range(need)]
    sitting: dict[PersonId, int] = {}

    def place(chair: int, tried: set[PersonId]) -> bool:
        for person in sorted(eligible[chairs[chair]] - tried):
            tried.add(person)
            if person not in sitting or place(sitting[person], tried):
                sitting[person] = chair
                return True
        return False

    return all(place(chair, set()) for chair in range(len(chairs)))


def settled_text(request: Request, names: Mapping[PersonId, str] | None = None) -> str:
    """One sentence for somebody who comes too late. *names* are what people are called; without one, their id."""
    match request.decision:
        case None:
            return "This request is no longer active."
        case Decision(by=(), status=status):
            return f"This request is already {status}."
        case Decision(by=people, status=status):
            done = Status.APPROVED if status is Status.SPENT else status
            called = [(names or {}).get(person, person) for person in people]
            return f"{' and '.join(called)} already answered: {done}."


def _must_be_open(request: Request) -> None:
    if not request.is_open:
        raise AlreadySettled(request.id, request.status, settled_text(request))


def _decided(request: Request, last: Vote) -> Request:
    status = NEXT[request.status][last.move]
    by = tuple(v.person for v in request.votes if v.move is last.move)
    cause = Cause.PERSON if status is Status.REJECTED else None
    decision = Decision(status=status, at=last.at, by=by, cause=cause, reason=last.reason, answer=last.answer)
    return replace(request, status=status, decision=decision)
