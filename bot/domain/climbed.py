"""What the audit must show of a ladder (I11): each step in its turn, none before its time, and an end to every one.

A review is the one step that comes again: once in each of its periods, later than the one before. Where the ladder has
a clock that pauses, time is what goes by inside its hours. Written from the promise, not from the code that keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.domain.audit import Entry
from bot.domain.history import Case, Found, Log, ms
from bot.domain.hours import Hours, is_zone, open_between, read_spans

MILLISECOND = timedelta(milliseconds=1)


def climbed(log: Log) -> Found:
    """I11: rungs fire in order, once each, never early; expiry comes after all that were due before it."""
    for case, opening in log.opened:
        opened = opening.fields.get("opened_ms", ms(opening))  # the record itself is written a moment later
        after = list(opening.fields["rungs"])
        repeats = opening.fields.get("repeats")
        if "repeats" in opening.fields and repeats is None and opening.fields["deadline_ms"] is None:
            yield opening, "it has neither a deadline nor a review: it could wait unnoticed for ever"  # ST-41
        try:
            clock = _Clock(opened, _hours(opening))
        except (ValueError, KeyError, TypeError):
            yield opening, "the hours in which its ladder's time goes by cannot be read"
            continue
        yield from _steps(case, clock, after, repeats)
        yield from _expiry(case, opening, clock, after)


@dataclass(frozen=True, slots=True)
class _Clock:
    """How much of a ladder's time has gone by since its request was opened; all of it in milliseconds."""

    opened: int
    hours: Hours | None

    def gone_by(self, at: int) -> int:
        since, until = (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms) for ms in (self.opened, at))
        return at - self.opened if self.hours is None else open_between(self.hours, since, until) // MILLISECOND


def _hours(opening: Entry) -> Hours | None:
    """Raises ValueError, KeyError or TypeError for what nobody of ours wrote."""
    if (said := opening.fields.get("clock")) is None:
        return None
    if not is_zone(said["zone"]):
        raise ValueError(f"{said['zone']!r} is not a time zone that is known here")
    return Hours(zone=said["zone"], work=read_spans(said["hours"]))


def _steps(case: Case, clock: _Clock, after: list[int], repeats: int | None) -> Found:
    period = 0
    for position, rung in enumerate(case.rungs):
        index, last = rung.fields["index"], period
        period = rung.fields.get("period", 1) if index == repeats else 0
        wanted = position if repeats is None else min(position, repeats)
        if index != wanted:
            yield rung, f"rung {index} fired where rung {wanted} was due"
        elif index >= len(after) or clock.gone_by(ms(rung)) < after[index] * max(period, 1):
            yield rung, f"rung {index} fired before its time"
        elif index == repeats and period <= last:
            yield rung, f"rung {index} came twice in one period"


def _expiry(case: Case, opening: Entry, clock: _Clock, after: list[int]) -> Found:
    deadline = opening.fields["deadline_ms"]
    for end in case.decisions:
        if end.fields["status"] == "expired" and deadline is not None:
            fired = {rung.fields["index"] for rung in case.rungs}
            tried = {index for index, span in enumerate(after) if span < clock.gone_by(deadline)}
            if not tried <= fired:
                yield end, f"expired before rung {min(tried - fired)} was tried"
