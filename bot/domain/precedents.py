"""What people decided about calls like one that waits: of the same tool, asked about by the same rule (PN-13).

    the newest audit entries -> opened: like it? -> decided: how, by whom -> a count, and a line for each of the latest

Read by whoever is about to approve such a call, so it says what was looked at and never more: from when on, and what is
not known any more. Pure. Not the reading (runtime/recollecting), nor who may look (runtime/looking).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain import by_rule, wording
from bot.domain.arguments import brief
from bot.domain.audit import Entry
from bot.domain.calls import ToolSpec
from bot.domain.chat import PersonId
from bot.domain.history import lacks
from bot.domain.inert import show_line
from bot.domain.request import Kind, Request, RequestId, Status
from bot.domain.wire import Json, Record, loads

SPAN = timedelta(days=30)  # as long as the record of a request is kept after its end
SHOWN = 5  # the latest, a line each
LINE_MOST = 200  # characters of what was different in one of them
ENDS = (Status.APPROVED, Status.REJECTED, Status.EXPIRED)  # what people, or their silence, said
HANDED_ENDS = (Status.ANSWERED, Status.EXPIRED)  # of what a rule hands over
UNREAD = "They could not be read just now."


class Precedent(Record):
    """One request like it that has its answer. `is_edited`: somebody had changed what the agent asked for."""

    request: RequestId
    at: datetime
    status: Status
    by: tuple[PersonId, ...] = ()
    is_edited: bool = False


def precedents(request: Request, entries: Sequence[Entry], since: datetime) -> tuple[Precedent, ...]:
    """Every decided request like *request* that was asked after *since*, as *entries* tell of it; the latest first."""
    told = [entry for entry in entries if not lacks(entry)]
    ends = HANDED_ENDS if by_rule.is_by_rule(request) else ENDS
    asked = {
        entry.subject: entry
        for entry in told
        if entry.event == "request_opened" and entry.at >= since and _is_like(entry, request)
    }
    found = [
        Precedent(
            request=RequestId(entry.subject),
            at=entry.at,
            status=Status(entry.fields["status"]),
            by=tuple(PersonId(who) for who in entry.fields["by"]),
            is_edited=bool(asked[entry.subject].fields.get("replaces")),
        )
        for entry in told
        if entry.event == "request_decided" and entry.subject in asked and entry.fields["status"] in ends
    ]
    return tuple(sorted(found, key=lambda one: (one.at, one.request), reverse=True))


def _is_like(opened: Entry, request: Request) -> bool:
    """Another workspace's are none of theirs. Calls that a rule hands over are like others that it handed over."""
    fields = opened.fields
    return (fields["kind"], fields["tool"], fields["rule"], fields["tenant"]) == (
        Kind.ESCALATION if by_rule.is_by_rule(request) else Kind.APPROVAL,
        request.call.tool,
        request.ask.rule,
        request.place.tenant,
    ) and opened.subject != request.id


def counted(found: Sequence[Precedent], since: datetime, now: datetime) -> str:
    """`12 like this in 30 days: 11 approved, 1 rejected`; where less was looked at, since when."""
    is_whole = since <= now - SPAN
    when = f"in {wording.span(SPAN)}" if is_whole else f"since {wording.time(since)}, as far back as was looked"
    if not found:
        return f"None like this {when}."
    count = Counter(one.status for one in found)
    ends = ", ".join(f"{count[end]} {end}" for end in dict.fromkeys((*ENDS, *HANDED_ENDS)) if count[end])
    edited = sum(one.is_edited for one in found)
    return f"{len(found)} like this {when}: {ends}{f'; {edited} changed by a person first' if edited else ''}."


def lines(
    request: Request,
    found: Mapping[Precedent, Request | None],
    spec: ToolSpec | None,
    names: Mapping[PersonId, str],
) -> Iterator[str]:
    """One line for each of *found*, with its record if that is still there."""
    for one, then in found.items():
        people = " and ".join(wording.name(names, who) for who in one.by)
        by = f" by {people}" if people else ""
        edited = ", changed first" if one.is_edited else ""
        yield f"{wording.time(one.at)}: {one.status}{by}{edited}; {_difference(request, then, spec)}"


def _difference(request: Request, then: Request | None, spec: ToolSpec | None) -> str:
    """What was other than now, secrets masked. What was asked in somebody else's direct message stays between them."""
    if then is None:
        return "its arguments are not known any more"
    if then.place.is_direct and then.place.key != request.place.key:
        return "asked in a direct message, its arguments are not shown"
    if spec is None or not spec.version == then.call.version == request.call.version or _is_other(request, then):
        return "another version of the tool, its arguments are not shown"
    was, now = _values(then), _values(request)
    other = [name for name in was if name not in now or was[name] != now[name]]
    missing = [show_line(name) for name in now if name not in was]
    told = [f"with {show_line(brief(was, spec.secrets, LINE_MOST, only=other))}"] if other else []
    told += [wording.line(f"without {', '.join(missing)}")] if missing else []
    return ", ".join(told) or "the same arguments"


def _is_other(request: Request, then: Request) -> bool:
    """Did a rule hand over calls of other tools, or of another version?"""
    return by_rule.is_by_rule(request) and request.call.values["tool"] != then.call.values.get("tool")


def _values(request: Request) -> Mapping[str, Json]:
    """The arguments in question: of what a rule handed over, those of its call, secrets masked."""
    return dict(loads(str(request.call.values["context"]))) if by_rule.is_by_rule(request) else request.call.values
