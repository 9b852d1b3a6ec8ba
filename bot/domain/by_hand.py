"""While somebody works on a run by hand, nothing new begins: shown from the audit alone (a part of I1).

What was under way may end, a call in doubt may be settled or repeated under its key, and an edit that was sent in the
same moment may still put its own version in the old one's place, to be withdrawn at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.domain.audit import Entry
from bot.domain.history import Log, same

STAYING = frozenset({"recovery", "aftermath"})  # kinds of requests that are opened whoever has the run


def begun_by_hand(log: Log) -> Iterator[tuple[Entry, str]]:
    """Every call that was begun, and every request that was opened, between a takeover and its end."""
    for entries in log.runs.values():
        has = ""
        for position, entry in enumerate(entries):
            if entry.event == "run_taken":
                has = has or str(entry.fields["person"])
            elif entry.event == "run_returned":
                has = ""
            elif has and _begins(log, entry, entries[position + 1 :]):
                yield entry, f"this began while {has} worked on the run by hand"


def _begins(log: Log, entry: Entry, later: Sequence[Entry]) -> bool:
    fields = entry.fields
    if entry.event == "request_opened":
        return fields["kind"] not in STAYING and fields["replaces"] is None
    if entry.event != "tool_started":
        return False
    step = log.steps[str(fields["run"]), str(fields["path"])]
    is_again = any(one.event == "tool_started" and one.seq < entry.seq for one in step)
    return not is_again and not _is_a_look(entry, later)


def _is_a_look(start: Entry, later: Sequence[Entry]) -> bool:
    """What only reads is written down when it has ended, its beginning and its end in one step."""
    is_free, follows = start.fields["request"] is None, bool(later) and later[0].seq == start.seq + 1
    return is_free and follows and same(later[0], start, "path")
