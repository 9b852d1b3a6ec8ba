"""Grants, as the audit must show them: given with an approval, within the rule's bounds, used within their terms.

A part of I1, written from the promise and not from the code that keeps it: nothing here imports what decides at a call.

    given: by somebody who approved that very call, no wider than the rule let them
    used:  the same tool, requester, agent and fixed arguments, in time, not revoked, no more often than allowed
    begun: a call that a grant let through has its use in the same step, and each use lets one call through
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.domain.audit import Entry
from bot.domain.history import Found, Log, lacks, ms, same

RULE = "grant:"  # in front of a grant's id, where a rule's name stands


def granted(log: Log) -> Found:
    """Everything that grants promise (I1)."""
    told = [entry for entry in log.entries if entry.event.startswith("grant_") and not lacks(entry)]
    given = {str(entry.fields["grant"]): entry for entry in reversed(told) if entry.event == "grant_given"}
    for entry in told:
        match entry.event:
            case "grant_given":
                yield from _given(log, entry, given)
            case "grant_used":
                yield from _used(log, entry, given, told)
    for step in log.steps.values():
        yield from _begun(step, is_quiet=log.is_quiet)


# ------------------------------------------------------------------- given


def _given(log: Log, entry: Entry, given: dict[str, Entry]) -> Found:
    fields, case = entry.fields, log.requests.get(str(entry.fields["request"]))
    opening = case.openings[0] if case and case.openings else None
    if given[str(fields["grant"])] is not entry:
        yield entry, "this grant was given before"
    if case is None or opening is None or not same(opening, entry, "run", "tool", "rule"):
        yield entry, "it comes from a request about something else"
        return
    if "agent" in opening.fields and not same(opening, entry, "agent"):  # before grants were of an agent, it had none
        yield entry, "it is for another agent than asked for that call"
    votes = [one for one in case.votes if one.seq < entry.seq and one.fields["move"] == "approve"]
    if not any(one.fields["person"] == fields["person"] for one in votes):
        yield entry, f"{fields['person']} gave it without approving the call it came from"
    if not any(one.seq < entry.seq and one.fields["status"] == "approved" for one in case.decisions):
        yield entry, "it was given before the call it came from was approved"
    yield from ((entry, told) for told in _too_wide(entry, opening))


def _too_wide(entry: Entry, opening: Entry) -> Iterator[str]:
    """What the rule did not let anybody give."""
    fields, bounds = entry.fields, opening.fields.get("grantable")
    if not bounds:
        yield "its rule lets nobody allow more than one call"
        return
    if opening.fields.get("high") or sum(group["need"] for group in opening.fields["groups"]) != 1:
        yield "one signature was not enough for the call it came from"
    if fields["most"] > bounds["most"]:
        yield f"it allows {fields['most']} calls, the rule {bounds['most']}"
    if fields["until_ms"] > ms(entry) + bounds["within_ms"]:
        yield "it ends later than the rule allows"
    if missing := sorted(set(bounds["same"]) - set(fields["names"])):
        yield f"it leaves {' and '.join(missing)} open"


# -------------------------------------------------------------------- used


def _used(log: Log, use: Entry, given: dict[str, Entry], told: Sequence[Entry]) -> Found:
    fields, grant = use.fields, given.get(str(use.fields["grant"]))
    if grant is None or (grant.shard, grant.seq) > (use.shard, use.seq) or grant.shard != use.shard:
        yield use, f"grant {fields['grant']} was used and never given"
        return
    started = [one for one in log.runs.get(str(fields["run"]), ()) if one.event == "run_started"]
    if any(
        one.fields["person"] != grant.fields["requester"] or one.fields["place"] != grant.fields["thread"]
        for one in started
    ):
        yield use, "it was used for somebody else's task, or in another thread"
    if not same(use, grant, "tool", "same", "person"):
        yield use, "it was used for another call than it allows"
    if not same(use, grant, "agent"):  # neither has one where it was written before grants were of an agent
        yield use, f"it was used by another agent than {grant.fields.get('agent') or 'it was given to'}"
    if grant.fields["only"] not in (None, fields["run"]):
        yield use, f"it was used outside of run {grant.fields['only']}"
    if ms(use) >= grant.fields["until_ms"]:
        yield use, "it was used after its end"
    opening = log.requests[str(grant.fields["request"])].openings[:1]
    earlier = [one for one in log.runs[str(fields["run"])] if one.seq < use.seq]
    heard = [one.fields["person"] for one in earlier if one.event == "reply_heard"]
    if any(one.fields["separate"] for one in opening) and fields["person"] in heard:
        yield use, f"{fields['person']} steers this run, and duties are separated"
    before = [one for one in told if one.seq < use.seq and same(one, use, "grant") and one.shard == use.shard]
    if any(one.event == "grant_revoked" for one in before):
        yield use, "it was used after it was revoked"
    number = sum(one.event == "grant_used" for one in before) + 1
    if number > grant.fields["most"]:
        yield use, f"it was used {number} times, and allows {grant.fields['most']}"


def _begun(step: Sequence[Entry], *, is_quiet: bool) -> Found:
    """Every leave that names a grant stands beside a use of it for these bytes, and no use stands for two."""
    uses = [entry for entry in step if entry.event == "grant_used"]
    leaves = [entry for entry in step if entry.event == "call_allowed" and _named(entry)]
    for leave in leaves:
        fitting = [use for use in uses if use.fields["grant"] == _named(leave) and same(use, leave, "tool", "digest")]
        if not any(use.seq < leave.seq for use in fitting):
            yield leave, f"let through by grant {_named(leave)}, which was not used for it"
    for use in uses[1:]:
        yield use, "a second grant was used for one call"
    if is_quiet and uses and not leaves:
        yield uses[0], "a grant was used up and let nothing through"


def _named(leave: Entry) -> str:
    """The grant that a leave names; empty for a rule's own."""
    rule = str(leave.fields["rule"])
    return rule.removeprefix(RULE) if rule.startswith(RULE) else ""
