"""A request: one question put to people, and the table of moves that leads to its one decision.

Pure: no clock, no directory, no store. Who a person is and what time it is are passed in; the store
applies what `vote` and `close` return only if the request has not changed in between (`version`).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NewType

from bot.domain.calls import Cause, Digest, Evidence, Past, ToolCall, ToolResult
from bot.domain.chat import Account, MessageRef, PersonId, Place
from bot.domain.errors import AlreadySettled, AlreadyVoted, NotEligible, TooLate, Unread
from bot.domain.offer import Offer
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
    STUCK = "stuck"
    AFTERMATH = "aftermath"  # was it right to break the glass?


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
    REJECT = "reject"  # recovery: skip it, and leave it in doubt
    ANSWER = "answer"  # recovery: it happened; an inquiry (domain/inquiry): what `Vote.answer` says
    EXPIRE = "expire"
    CANCEL = "cancel"
    SUPERSEDE = "supersede"
    SPEND = "spend"
    BREAK_GLASS = "break_glass"  # one person approves alone, and is asked about it afterwards


class Right(enum.StrEnum):
    """What a vote is counted as."""

    SEAT = "seat"  # one of the groups that are asked
    VETO = "veto"  # may only reject
    GLASS = "glass"  # broke the glass


NEXT: Mapping[Status, Mapping[Move, Status]] = {
    Status.OPEN: {
        Move.APPROVE: Status.APPROVED,
        Move.REJECT: Status.REJECTED,
        Move.ANSWER: Status.ANSWERED,
        Move.EXPIRE: Status.EXPIRED,
        Move.CANCEL: Status.CANCELLED,
        Move.SUPERSEDE: Status.SUPERSEDED,
        Move.BREAK_GLASS: Status.APPROVED,
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
    Kind.APPROVAL: frozenset({Move.APPROVE, Move.REJECT, Move.BREAK_GLASS}),
    Kind.RECOVERY: frozenset({Move.APPROVE, Move.REJECT, Move.ANSWER}),
    Kind.QUESTION: frozenset({Move.ANSWER}),
    Kind.HANDOFF: frozenset({Move.ANSWER}),
    Kind.FORM: frozenset({Move.ANSWER}),
    Kind.REVIEW: frozenset({Move.ANSWER}),
    Kind.PLAN: frozenset({Move.ANSWER}),
    Kind.ESCALATION: frozenset({Move.ANSWER}),
    Kind.STUCK: frozenset({Move.ANSWER}),
    Kind.AFTERMATH: frozenset({Move.ANSWER}),
}

SIGNING = frozenset({Move.APPROVE, Move.BREAK_GLASS})  # moves after which a call runs
OUTSTAYING = frozenset({Kind.RECOVERY})  # stay open when somebody takes their run over
OUTLIVING = frozenset({Kind.AFTERMATH})  # stay open when their run ends: nothing waits for them but people


class Stand(Record):
    """A deputy's right: the seats that the absent `person` could fill, by the indexes of their groups."""

    person: PersonId
    seats: tuple[int, ...]


class Vote(Record):
    """One person's answer, as counted. `seats` are the indexes of the groups they may fill by their own right."""

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
    right: Right = Right.SEAT
    stands_for: tuple[Stand, ...] = ()  # people who were away: whoever answered was their deputy


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
    reason: str = ""


class Handed(Record):
    """Somebody who could have answered passed the question on: from then on it is asked of `to` alone."""

    by: PersonId
    to: PersonId
    at: datetime
    delivery: str = ""  # the form that did it: sent again, it changes nothing more
    is_back: bool = False  # nobody did: `by` can no longer answer, and it fell to `to`


class Copy(Record):
    """One place where a request or a status is shown. `ref` is None until the platform has confirmed it."""

    name: str
    place: Place | None = None  # None: a direct message, found when it is posted; or posted, and `ref` says where
    to: PersonId | None = None
    ref: MessageRef | None = None
    is_manager: bool = False  # sent to somebody's manager: if it cannot be shown there, the next one up is asked
    instead_of: PersonId | None = None  # the manager below, whom it could not be shown to

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
    standins: tuple[PersonId, ...] = ()  # people the ladder reached: may fill any seat, also before they are called
    deadline: datetime | None = None
    why: str = ""  # the agent's own words, never trusted
    explanation: str = ""  # the agent's answer to "Explain"
    edit: Edit | None = None
    replaces: RequestId | None = None
    replaced_by: RequestId | None = None
    votes: tuple[Vote, ...] = ()
    decision: Decision | None = None
    rung: int = 0  # the next step of the ladder
    reviews: int = 0  # periods of its last step, `review`, that are over
    history: tuple[Past, ...] = ()  # the run's other calls, for judging an edited version
    outcome: ToolResult | None = None  # what the signed call came to
    looked: tuple[PersonId, ...] = ()  # who has opened the details of this very call
    handed: tuple[Handed, ...] = ()  # inquiries: the last one says who is asked
    about: RequestId | None = None  # the request whose broken glass this one reviews
    sheet: RequestId | None = None  # the request whose message shows this one, too (domain/sheet)
    items: tuple[RequestId, ...] = ()  # all that this one's message shows, itself first; empty: itself alone
    also: tuple[str, ...] = ()  # channels where a step of its ladder shows it, too (crowd.place_key): it counts there
    offer: Offer | None = None  # what somebody would like to allow from now on
    gave: str = ""  # the grant that came with its approval
    evidence: tuple[Evidence, ...] = ()  # what its tool found out before it was opened; it decides nothing
    sources: tuple[str, ...] = ()  # where this run looked before it asked
    private: str = ""  # of a call that a rule hands over: what Details show, and `call` does not hold

    @property
    def is_open(self) -> bool:
        return self.status is Status.OPEN

    @property
    def outlives(self) -> bool:
        """Is it answered, reminded of and kept even when its run has ended?"""
        return self.kind in OUTLIVING

    @property
    def broken_by(self) -> Vote | None:
        """The vote that broke the glass, if that is how it was approved."""
        return next((vote for vote in self.votes if vote.right is Right.GLASS), None)


class Seats(Record):
    """How full each group is: `filled[i]` of `ask.groups[i].need`."""

    filled: tuple[int, ...]
    is_full: bool


def vote(request: Request, given: Vote) -> Request:
    """Count *given*. The returned request is decided if this vote completes it.

    Raises AlreadySettled, TooLate, AlreadyVoted, NotEligible or Unread, and then nothing has changed.
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
    if not _has_right(request, given):
        raise NotEligible(request.id, given.person, "Sorry, you may not answer this.")
    must_have_read(request, given.move, given.person)
    counted = replace(request, votes=(*request.votes, given), version=request.version + 1)
    if given.move is Move.APPROVE and not seats(counted).is_full:
        return counted
    return _decided(counted, given)


def _has_right(request: Request, given: Vote) -> bool:
    """A veto can only reject. Only glass that the rule offers can be broken, never by who is excluded, nor silently."""
    match given.right:
        case Right.SEAT:
            return bool(given.seats or given.stands_for) and given.move is not Move.BREAK_GLASS
        case Right.VETO:
            return bool(request.ask.veto) and given.move is Move.REJECT
        case Right.GLASS:
            is_offered = request.ask.break_glass is not None and given.move is Move.BREAK_GLASS
            return is_offered and given.person not in request.excluded and bool(given.reason.strip())


def must_have_read(request: Request, move: Move, person: PersonId) -> None:
    """Raises Unread if *move* lets a high-risk call run whose details *person* has not opened."""
    if request.is_open and move in SIGNING and request.ask.is_high and person not in request.looked:
        raise Unread(request.id, person)


def look(request: Request, person: PersonId) -> Request:
    """*person* has read the details of this very call. Raises AlreadySettled."""
    _must_be_open(request)
    return replace(request, looked=(*request.looked, person), version=request.version + 1)


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
    if len(request.ask.groups) == 1:  # most rules name one: nobody stands in anybody's way
        need, sitting = request.ask.groups[0].need, sum(1 for may in _seated(_approvals(request)) if may)
        return Seats(filled=(min(sitting, need),), is_full=sitting >= need)
    taken: dict[tuple[int, int], int] = {}  # (group, chair) -> index of the vote sitting there
    approvals = _seated(_approvals(request))

    def sit(index: int, tried: set[tuple[int, int]]) -> bool:
        for group in approvals[index]:
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


def _approvals(request: Request) -> list[Vote]:
    return [vote for vote in request.votes if vote.move is Move.APPROVE]


def _seated(approvals: Sequence[Vote]) -> list[tuple[int, ...]]:
    """For each approval the groups it may fill. Nobody's right counts twice: not beside their own vote, which goes
    first, nor through two deputies."""
    used = {vote.person for vote in approvals}
    found: list[tuple[int, ...]] = []
    for vote in approvals:
        lent = [stand for stand in vote.stands_for if stand.person not in used]
        used |= {stand.person for stand in lent}
        found.append(tuple(sorted({*vote.seats, *(seat for stand in lent for seat in stand.seats)})))
    return found


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
