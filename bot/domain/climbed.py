"""What the audit must show of a ladder (I11): each step in its turn, none before its time, and an end to every one.

A review is the one step that comes again: once in each of its periods, later than the one before. Written from the
promise, not from the code that keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.audit import Entry
from bot.domain.history import Case, Log, ms


def climbed(log: Log) -> Iterator[tuple[Entry, str]]:
    """I11: rungs fire in order, once each, never early; expiry comes after all that were due before it."""
    for case, opening in log.opened:
        opened = opening.fields.get("opened_ms", ms(opening))  # the record itself is written a moment later
        after = list(opening.fields["rungs"])
        repeats = opening.fields.get("repeats")
        if "repeats" in opening.fields and repeats is None and opening.fields["deadline_ms"] is None:
            yield opening, "it has neither a deadline nor a review: it could wait unnoticed for ever"  # ST-41
        yield from _steps(case, opened, after, repeats)
        yield from _expiry(case, opening, [opened + one for one in after])


def _steps(case: Case, opened: int, after: list[int], repeats: int | None) -> Iterator[tuple[Entry, str]]:
    period = 0
    for position, rung in enumerate(case.rungs):
        index, last = rung.fields["index"], period
        period = rung.fields.get("period", 1) if index == repeats else 0
        wanted = position if repeats is None else min(position, repeats)
        if index != wanted:
            yield rung, f"rung {index} fired where rung {wanted} was due"
        elif index >= len(after) or ms(rung) < opened + after[index] * max(period, 1):
            yield rung, f"rung {index} fired before its time"
        elif index == repeats and period <= last:
            yield rung, f"rung {index} came twice in one period"


def _expiry(case: Case, opening: Entry, due: list[int]) -> Iterator[tuple[Entry, str]]:
    deadline = opening.fields["deadline_ms"]
    for end in case.decisions:
        if end.fields["status"] == "expired" and deadline is not None:
            fired = {rung.fields["index"] for rung in case.rungs}
            tried = {index for index, at in enumerate(due) if at < deadline}
            if not tried <= fired:
                yield end, f"expired before rung {min(tried - fired)} was tried"
