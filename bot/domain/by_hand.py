"""While somebody works on a run by hand, nothing new begins, nor what was asked for before, ever after: shown from the
audit alone (a part of I1).

What was under way may end, a call in doubt may be settled or repeated under its key, and an edit that was sent in the
same moment may still put its own version in the old one's place, to be withdrawn at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.audit import Entry
from bot.domain.history import Found, Log, same

STAYING = frozenset({"recovery", "aftermath"})  # kinds of requests that are opened whoever has the run


def begun_by_hand(log: Log) -> Found:
    """Every call that was begun, and every request that was opened, between a takeover and its end.

    And every call that was begun after it on what had been asked for before it.
    """
    for entries in log.runs.values():
        has, last = "", ""
        asked: dict[str, int] = {}  # request -> before how many takeovers it was put to people, or what it replaces was
        takes = 0
        for position, entry in enumerate(entries):
            if entry.event == "request_opened":
                asked[str(entry.fields["request"])] = asked.get(str(entry.fields.get("replaces")), takes)
            if entry.event == "run_taken":
                takes, last = takes + 1, str(entry.fields["person"])
                has = has or last
            elif entry.event == "run_returned":
                has = ""
            elif has and _begins(log, entry, entries[position + 1 :]):
                yield entry, f"this began while {has} worked on the run by hand"
            elif asked.get(str(entry.fields.get("request")), takes) < takes and _begins_late(log, entry):
                yield entry, f"this began on what was asked for before {last} took the run over"


def _begins(log: Log, entry: Entry, later: Sequence[Entry]) -> bool:
    fields = entry.fields
    if entry.event == "request_opened":
        return fields["kind"] not in STAYING and fields.get("replaces") is None
    if entry.event != "tool_started":
        return False
    return not _is_again(log, entry) and not _is_a_look(entry, later)


def _begins_late(log: Log, entry: Entry) -> bool:
    """Is it the first beginning of a call? What is in doubt may be repeated; what people say of it counts when said."""
    if entry.event != "tool_started":
        return False
    kind = log.requests[str(entry.fields["request"])].openings[0].fields["kind"]
    return kind not in STAYING and not _is_again(log, entry)


def _is_again(log: Log, start: Entry) -> bool:
    step = log.steps[str(start.fields["run"]), str(start.fields["path"])]
    return any(one.event == "tool_started" and one.seq < start.seq for one in step)


def _is_a_look(start: Entry, later: Sequence[Entry]) -> bool:
    """What only reads is written down when it has ended, its beginning and its end in one step."""
    is_free, follows = start.fields["request"] is None, bool(later) and later[0].seq == start.seq + 1
    return is_free and follows and same(later[0], start, "path")
