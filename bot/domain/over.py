"""A run that is over stays over: nothing of it is asked, answered, begun or heard any more, shown from the audit alone.

A part of I3. Closing what was open comes before the end, showing it may come after. The review of broken glass waits
for people whatever became of its run, and is answered after its end.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.alone import REVIEW
from bot.domain.audit import Entry
from bot.domain.history import Found, Log

LATE: Mapping[str, str] = {  # events that only a run which goes on can have, and what is wrong with them after its end
    "run_started": "this run id was used before",
    "run_resumed": "the run was told of a decision after its end",
    "run_ended": "the run ended a second time",
    "request_opened": "this was asked after the end of its run",
    "vote_counted": "a vote was counted after the end of its run",
    "tool_started": "this began after the end of its run",
}


def after_end(log: Log) -> Found:
    """Everything that a run did, or was answered, after its end."""
    ends: dict[str, Entry] = {}
    for entry in log.entries:
        if entry.event not in LATE or entry in log.malformed:
            continue
        run = _run_of(log, entry)
        if run in ends and ends[run].shard == entry.shard:
            yield entry, LATE[entry.event]
        elif entry.event == "run_ended":
            ends[run] = entry


def _run_of(log: Log, entry: Entry) -> str:
    """The run that *entry* is about, or whose request it is; empty for a review, and for what was never opened."""
    if entry.event == "request_opened" or "run" not in entry.fields:
        openings = log.requests[str(entry.fields["request"])].openings
        opening = openings[0] if openings else None
        return str(opening.fields["run"]) if opening is not None and opening.fields["kind"] != REVIEW else ""
    return str(entry.fields["run"])
