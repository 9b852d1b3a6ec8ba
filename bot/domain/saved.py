"""What grants could have saved: presses that the policy would have let somebody give ahead of time (PN-14).

    settled requests, in the order of time -> an approval that could have given a grant
        -> later ones that this grant would have let run -> a count for each tool and rule

Nobody gave these grants: each is the widest that the rule of its call let its signer give, for the thread, from their
press on. What it matches is a real grant's rule (domain/grant). Pure. Not the reading of requests (runtime/reporting).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.calls import Digest, canonical
from bot.domain.grant import matches, used, why_never
from bot.domain.inert import show_line
from bot.domain.offer import Grant, GrantId
from bot.domain.request import Kind, Request, Status
from bot.domain.wire import Record

SHOWN = 5  # lines of a report
NAME_MOST = 40  # characters of a tool's or a rule's name in one of them
SIGNED = (Status.APPROVED, Status.SPENT)


class Saved(Record):
    """Of one tool under one rule: approvals that people pressed, and how many of them a grant would have saved."""

    tool: str
    rule: str
    approved: int
    saved: int
    same: int  # of `saved`: the very call had been approved before, byte for byte


def saved(requests: Iterable[Request]) -> tuple[Saved, ...]:
    """What a grant could have saved among *requests*, most first; nothing of what no grant may be given for.

    Counts too little rather than too much: a call that was asked about before the press that would have given the
    grant is none of it, and neither is any after a rejection of what the grant would have let run.
    """
    judged = [one for one in requests if _is_grantable(one)]
    book = _Book()
    for _, _, is_end, request in sorted(_moments(judged), key=lambda moment: moment[:2]):
        book.ended(request) if is_end else book.asked(request)
    approved = Counter((one.call.tool, one.ask.rule) for one in judged if one.status in SIGNED)
    found = [
        Saved(tool=tool, rule=rule, approved=count, saved=book.saved[tool, rule], same=book.same[tool, rule])
        for (tool, rule), count in approved.items()
        if book.saved[tool, rule]
    ]
    return tuple(sorted(found, key=lambda one: (-one.saved, one.tool, one.rule)))


def lines(found: Sequence[Saved]) -> list[str]:
    """A line for each of the first few, below one that says what they are; nothing where there is nothing."""
    if not found:
        return []
    more = len(found) - SHOWN
    return [
        "Approvals that a grant, as the policy allows it, could have saved:",
        *(f"  {_line(one)}" for one in found[:SHOWN]),
        *([f"  and {more} more tools and rules."] if more > 0 else []),
    ]


def _line(one: Saved) -> str:
    same = f", {one.same} of them the very same call" if one.same else ""
    return f"{_name(one.tool)} (rule {_name(one.rule)}): {one.saved} of {one.approved}{same}"


def _name(text: str) -> str:
    shown = show_line(text)
    return shown if len(shown) <= NAME_MOST else f"{shown[: NAME_MOST - 1]}…"


# ------------------------------------------------------------------- counting


def _is_grantable(request: Request) -> bool:
    """Is it settled by people, and could the rule of its call have let somebody allow more like it?"""
    bounds, values = request.ask.grant, request.call.values
    return (
        request.kind is Kind.APPROVAL
        and request.decision is not None
        and request.status in (*SIGNED, Status.REJECTED)
        and request.broken_by is None
        and bounds is not None
        and why_never(request.ask) is None
        and all(name in values for name in bounds.same)
    )


def _moments(requests: Sequence[Request]) -> Iterable[tuple[datetime, int, bool, Request]]:
    """When each was asked and when it was answered; at one instant, what was answered comes before what is asked."""
    for one in requests:
        assert one.decision is not None, "only what is settled is counted"
        is_at_once = one.opened == one.decision.at
        yield one.opened, 1, False, one
        yield one.decision.at, 2 if is_at_once else 0, True, one


@dataclass(slots=True)
class _Leave:
    """A grant that could have been given, and the calls that were approved under it."""

    grant: Grant
    digests: set[Digest]


class _Book:
    """The grants that could stand at a moment, and what they would have saved up to then."""

    def __init__(self) -> None:
        self.saved, self.same = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        self._standing: list[_Leave] = []
        self._without: set[str] = set()  # requests that nobody would have been asked

    def asked(self, request: Request) -> None:
        leave = next((one for one in self._standing if _would_run(one.grant, request, request.opened)), None)
        if leave is None or request.status not in SIGNED:
            return
        key = (request.call.tool, request.ask.rule)
        self.saved[key] += 1
        self.same[key] += request.call.digest in leave.digests
        self._without.add(request.id)
        leave.grant = used(leave.grant)
        leave.digests.add(request.call.digest)

    def ended(self, request: Request) -> None:
        assert request.decision is not None, "only what is settled is counted"
        at = request.decision.at
        if request.status is Status.REJECTED:
            self._standing = [one for one in self._standing if not _would_run(one.grant, request, at)]
        elif request.id not in self._without and (grant := _given(request, at)) is not None:
            self._standing = [one for one in self._standing if at < one.grant.until and one.grant.left > 0]
            self._standing.append(_Leave(grant=grant, digests={request.call.digest}))


def _given(request: Request, at: datetime) -> Grant | None:
    """The widest grant that its one signer could have given; None for whoever signed by no right of their own."""
    bounds, vote = request.ask.grant, request.votes[-1] if request.votes else None
    if bounds is None or vote is None or not vote.seats or vote.person in request.standins:
        return None
    fixed = {name: request.call.values[name] for name in bounds.same}
    return Grant(
        tool=request.call.tool,
        version=request.call.version,
        rule=request.ask.rule,
        requester=request.requester,
        place=request.place,
        run=None,
        same=canonical(fixed).decode(),
        most=bounds.most,
        until=at + bounds.within,
        is_whole=False,
        hidden=(),
        agent=request.agent,
        id=GrantId(f"could-{request.id}"),
        by=vote.person,
        account=vote.account,
        request=request.id,
        given=at,
    )


def _would_run(grant: Grant, request: Request, at: datetime) -> bool:
    """Would the call of *request* have run on *grant*, whose giver may sign it as the request says?"""
    is_barred = request.ask.separate_duties and grant.by in request.excluded
    return not is_barred and matches(grant, request, at)
