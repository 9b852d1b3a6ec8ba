"""A book kept beside the bot: what people really did, and what may follow from it, in plain words of its own.

    acts that were taken -> who signed what, by which right -> was each start of a tool allowed, once?

Nothing here asks the product who may do what: groups, deputies, seats and grants are worked out anew from the crew and
from who said that they are away. Where the product may be stricter, the book is an upper bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.chat import Person, PersonId
from bot.domain.request import Decision, Kind, Request, RequestId, RunId, Status, Vote
from tests.properties.people import RULES, WIDENED, Start, Wants

SLACK = timedelta(seconds=5)  # between our look at the clock and the store's
APPROVED = (Status.APPROVED, Status.SPENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    deputy: PersonId | None
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something a person did, and was told that it counts. Who was who, and who was away, as it was then."""

    by: PersonId
    move: str
    step: int
    at: datetime
    delivery: str
    requests: tuple[RequestId, ...]  # what it may have answered
    crew: Mapping[PersonId, Person]
    away: Mapping[PersonId, Away]


@dataclass(slots=True, kw_only=True)
class Given:
    """A grant, as whoever gave it meant it."""

    by: PersonId
    requester: PersonId
    thread: str
    run: RunId | None
    what: str
    most: int
    until: datetime
    revoked: int | None = None  # in which step
    keys: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Book:
    acts: list[Act] = field(default_factory=list)
    away: dict[PersonId, Away] = field(default_factory=dict)
    steers: dict[RunId, list[tuple[PersonId, int]]] = field(default_factory=dict)
    opened: dict[RequestId, int] = field(default_factory=dict)  # in which step it was first seen
    requests: dict[RequestId, Request] = field(default_factory=dict)
    decided: dict[RequestId, tuple[Decision, tuple[Vote, ...]]] = field(default_factory=dict)
    read: set[tuple[PersonId, RequestId]] = field(default_factory=set)  # whose details somebody opened
    grants: dict[str, Given] = field(default_factory=dict)
    taken: dict[RunId, tuple[PersonId, int]] = field(default_factory=dict)  # who has it by hand, since which step
    stopped: dict[RunId, int] = field(default_factory=dict)
    judged: int = 0  # starts that were looked at
    seen: Counter[str] = field(default_factory=Counter)  # what really happened, and how often

    def steer(self, run: RunId, by: PersonId, step: int) -> None:
        self.steers.setdefault(run, []).append((by, step))

    def gone(self, now: datetime) -> Mapping[PersonId, Away]:
        return {who: one for who, one in self.away.items() if now < one.until + SLACK}

    # ------------------------------------------------------------- requests

    def look(self, request: Request, step: int) -> Iterator[str]:
        """Take down how *request* stands now; what is wrong with it, in sentences."""
        self.opened.setdefault(request.id, step)
        self.requests[request.id] = request
        if request.decision is not None and not request.votes and request.status in APPROVED:
            yield "it is approved, and nobody voted"
        yield from self._changed(request, step)
        for vote in request.votes:
            if not any(self._is_of(act, vote, request) for act in self.acts):
                yield f"{vote.person}'s {vote.move} was counted, and was never pressed, or not taken"
            barred = self._barred(request)
            if request.ask.separate_duties and vote.person in barred:
                yield f"{vote.person} asked for, steered or changed it, and was counted"

    def _changed(self, request: Request, step: int) -> Iterator[str]:
        if request.decision is None:
            if request.id in self.decided:
                yield "it was decided and is open again"
            return
        if request.id not in self.decided:
            self.seen[f"{request.kind} {request.decision.status}"] += 1
            is_answer = request.status is Status.ANSWERED and request.kind not in (Kind.AFTERMATH, Kind.RECOVERY)
            if is_answer:
                self.steer(request.run, request.decision.by[0], step)
        first = self.decided.setdefault(request.id, (request.decision, request.votes))
        if first != (request.decision, request.votes):
            yield f"it was decided as {first[0].status}, and is {request.decision.status} now"

    def _is_of(self, act: Act, vote: Vote, request: Request) -> bool:
        return vote.delivery.split("/")[0] == act.delivery and vote.person == act.by and request.id in act.requests

    def _barred(self, request: Request) -> frozenset[PersonId]:
        """Whoever gave the task, spoke to the run before this was asked, or changed the call."""
        chain, editors = request, set[PersonId]()
        while chain.edit is not None:
            editors.add(chain.edit.editor)
            chain = self.requests[chain.replaces] if chain.replaces else chain
        first = self.opened[chain.id]
        spoke = {who for who, step in self.steers.get(request.run, []) if step <= first}
        return frozenset({request.requester} | spoke | editors)

    # --------------------------------------------------------------- starts

    def judge(self, starts: list[Start], leaves: Mapping[tuple[str, str], str], since: datetime) -> Iterator[str]:
        """What is wrong with the starts that came since the last look, at *since*.

        *leaves* says by which rule a step of a run was let through.
        """
        while self.judged < len(starts):
            start = starts[self.judged]
            told = f"step {start.step}: {start.tool} {start.what} was started"
            yield from (f"{told}: {why}" for why in self._wrong(start, starts[: self.judged], leaves, since))
            self.judged += 1

    def _wrong(
        self, start: Start, before: Iterable[Start], leaves: Mapping[tuple[str, str], str], since: datetime
    ) -> Iterator[str]:
        wants, leave = RULES[start.tool], start.leave
        again = [one for one in before if one.leave.request == leave.request and one.leave.key == leave.key]
        if again and wants.seats:
            self.seen["started again after a death"] += 1
            if not wants.is_idempotent or again[-1].life == start.life:
                yield "it ran twice on one leave"
        if not again and wants.seats:
            if self.stopped.get(leave.run, start.step) < start.step:
                yield "its run was stopped before"
            has, since_step = self.taken.get(leave.run, ("", start.step))
            if since_step < start.step:
                yield f"{has} works on its run by hand"
        if leave.request is not None:
            yield from self._unsigned(start, self.requests[leave.request], wants)
        elif wants.seats and not again:
            path = leave.key.removeprefix(leave.run).rpartition(":")[0]
            yield from self._ungranted(start, leaves.get((leave.run, path), ""), since)

    def _unsigned(self, start: Start, request: Request, wants: Wants) -> Iterator[str]:
        if (request.call.tool, request.call.values["what"]) != (start.tool, start.what):
            yield f"the signature was for {request.call.tool} {request.call.args}"
        acts = [act for act in self.acts if request.id in act.requests and act.by not in self._barred_where(request)]
        if any(act.move == "break_glass" and self._may_break(act, request, start, wants) for act in acts):
            self.seen["started on broken glass"] += 1
            reviews = [one for one in self.requests.values() if one.about == request.id]
            if not reviews:
                yield "nobody is asked to review its broken glass"
            return
        signed = [act for act in acts if act.move in ("approve", "approve_all", "approve_some", "give", "edit", "word")]
        if wants.is_high:
            signed = [act for act in signed if (act.by, request.id) in self.read]
        chairs = [group for group, need in wants.seats for _ in range(need)]
        if not self._fill(chairs, signed, request, start):
            yield f"{[act.by for act in signed]} signed, which is not enough for {chairs}"
        kind = "a second leave" if request.kind is Kind.RECOVERY else f"{len(chairs)} signatures"
        self.seen[f"started on {kind}"] += 1

    def _barred_where(self, request: Request) -> frozenset[PersonId]:
        return self._barred(request) if request.ask.separate_duties else frozenset()

    def _may_break(self, act: Act, request: Request, start: Start, wants: Wants) -> bool:
        was, now = act.crew[act.by], start.crew[act.by]
        is_theirs = _may(was) and _may(now) and wants.glass in was.groups and wants.glass in now.groups
        return bool(wants.glass) and is_theirs and act.by not in self._barred(request)

    def _fill(
        self,
        chairs: list[str],
        signed: list[Act],
        request: Request,
        start: Start,
        used: frozenset[PersonId] = frozenset(),
    ) -> bool:
        """Can every chair be taken by somebody of their own, by a right of its own?"""
        if not chairs:
            return True
        for act in signed:
            others = [one for one in signed if one.by != act.by]
            for holder in self._holders(chairs[0], act, request, start):
                if holder not in used and self._fill(chairs[1:], others, request, start, used | {holder}):
                    self.seen["a deputy's signature was used"] += holder != act.by
                    return True
        return False

    def _holders(self, group: str, act: Act, request: Request, start: Start) -> Iterator[PersonId]:
        """By whose right *act* may fill a chair of *group*: then, and when the call was started."""
        if not (_may(act.crew[act.by]) and _may(start.crew[act.by])):
            return
        is_wide = RULES[start.tool].is_widened and act.at >= request.opened + WIDENED - SLACK
        barred = self._barred_where(request)
        for holder in act.crew:
            was, now = act.crew[holder], start.crew[holder]
            in_group = group in was.groups and group in now.groups
            if holder in barred or not (in_group or (is_wide and "managers" in was.groups)):
                continue
            gone = act.away.get(holder)
            if holder == act.by or (gone is not None and gone.deputy == act.by and act.by not in act.away):
                yield holder

    def _ungranted(self, start: Start, rule: str, since: datetime) -> Iterator[str]:
        given = self.grants.get(rule.removeprefix("grant:"))
        if given is None:
            yield f"nobody signed it, and {rule or 'nothing'} let it through"
            return
        self.seen["started on a grant"] += 1
        given.keys.add(start.leave.key)
        run, giver = start.leave.run, start.crew[given.by]
        spoke = {who for who, step in self.steers.get(run, []) if step < start.step}
        checks = {
            "for another value": given.what == start.what,
            "for somebody else's task": given.requester == start.leave.requester,
            "in another run": given.run in (None, run),
            "more often than given": len(given.keys) <= given.most,
            "after its end": since < given.until + SLACK,
            "after it was revoked": given.revoked is None or given.revoked >= start.step,
            "after its giver lost the right": _may(giver) and self._could_give(given.by, start, since),
            "though its giver steers the run": given.by not in spoke,
        }
        yield from (f"its grant was used {why}" for why, holds in checks.items() if not holds)

    def _could_give(self, who: PersonId, start: Start, since: datetime) -> bool:
        """Is it their own right, or that of somebody who is away and named them?"""
        gone = self.gone(since)
        lent = {absent for absent, one in gone.items() if one.deputy == who and who not in gone}
        return any("approvers" in start.crew[holder].groups for holder in {who, *lent})


def _may(person: Person) -> bool:
    return person.is_active and not person.is_guest
