"""How approvals go: who decides how much and how fast, what was signed without looking, what nobody answered.

    audit entries + how much waits for whom + what grants could have saved -> Report -> lines of text

Pure. Says what was recorded and nothing of what people meant. Not here: reading the store (bot/runtime/reporting,
bot/reports), what a grant could have saved (saved), who may see it (`Policy.reports`), pictures (bot/picture).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.audit import Entry
from bot.domain.chat import PersonId
from bot.domain.inert import show_line
from bot.domain.request import SIGNING, Move, Status
from bot.domain.saved import Saved
from bot.domain.saved import lines as saved_lines
from bot.domain.wire import Record

QUICK = timedelta(seconds=3)  # an approval faster than this was hardly read (T19)
NAME_MOST = 40  # characters of a name in a table
PEOPLE_MOST = 10  # people told apart in a short report
WHYS_MOST = 3  # reasons why nobody can be read
WHY_MOST = 160  # characters of one


class Figures(Record):
    """Of one person, or of everybody. Times are from the opening of a request to that person's vote."""

    approved: int = 0
    rejected: int = 0
    answered: int = 0  # inquiries: neither an approval nor a rejection
    quick: int = 0  # approvals within QUICK
    refused: int = 0  # presses that did not count
    waiting: int = 0  # open requests: those they may answer now; of everybody, all there are
    typical: timedelta | None = None  # half of their votes came within this time
    slow: timedelta | None = None  # nine in ten did

    @property
    def decisions(self) -> int:
        return self.approved + self.rejected + self.answered

    @property
    def share(self) -> float | None:
        """Of what they approved or rejected, the part they approved; None if that is nothing."""
        judged = self.approved + self.rejected
        return self.approved / judged if judged else None


class Load(Record):
    """What waits now: how many open requests there are, and how many of them each person may answer."""

    requests: int = 0
    people: Mapping[PersonId, int] = {}
    unread: Mapping[str, int] = {}  # of `requests`: those whose group or rotation cannot be read any more, by why


class Report(Record):
    """What the audit says of one span. `people` are sorted: whoever decides most stands first."""

    since: datetime
    until: datetime
    everybody: Figures
    people: Mapping[PersonId, Figures]
    expired: Mapping[str, int]  # per group: requests that ended because too few of it answered
    is_cut: bool = False  # older records of the span were not read
    unread: Mapping[str, int] = {}  # as in `Load`
    saved: tuple[Saved, ...] = ()  # what grants could have saved, most first


def report(
    entries: Iterable[Entry],
    *,
    since: datetime,
    until: datetime,
    load: Load | None = None,
    is_cut: bool = False,
) -> Report:
    """What happened from *since* on and before *until*, and what waits now.

    A vote whose request was opened before the first of *entries* is counted, and its time is not known.
    """
    books: dict[PersonId, _Book] = {}
    everybody, expired, requests = _Book(), Counter[str](), _Requests()
    for entry in sorted(entries, key=lambda one: (one.at, one.shard, one.seq)):
        requests.note(entry)
        if not since <= entry.at < until:
            continue
        if person := entry.fields.get("person"):
            books.setdefault(PersonId(str(person)), _Book()).note(entry, requests)
        everybody.note(entry, requests)
        expired.update(requests.unanswered(entry))
    load = load or Load()
    figures = {who: books.get(who, _Book()).figures(load.people.get(who, 0)) for who in {*books, *load.people}}
    told = {who: one for who, one in figures.items() if one != Figures()}
    order = sorted(told, key=lambda who: (-told[who].decisions, -told[who].waiting, who))
    return Report(
        since=since,
        until=until,
        everybody=everybody.figures(load.requests),
        people={who: told[who] for who in order},
        expired=dict(sorted(expired.items())),
        is_cut=is_cut,
        unread=dict(sorted(load.unread.items())),
    )


@dataclass(slots=True)
class _Requests:
    """What is known of requests so far: when each was opened, whom it asked, which seats are taken."""

    opened: dict[str, datetime] = field(default_factory=dict)
    groups: dict[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    taken: dict[str, Counter[int]] = field(default_factory=dict)

    def note(self, entry: Entry) -> None:
        if entry.event == "request_opened":
            self.opened[entry.subject] = entry.at
            self.groups[entry.subject] = entry.fields.get("groups") or ()
        elif entry.event == "vote_counted":
            self.taken.setdefault(entry.subject, Counter()).update(entry.fields.get("seats") or ())

    def unanswered(self, entry: Entry) -> list[str]:
        """The groups of a request that has just expired in which too few answered."""
        if entry.event != "request_decided" or entry.fields.get("status") != Status.EXPIRED:
            return []
        taken = self.taken.get(entry.subject, Counter[int]())
        groups = self.groups.get(entry.subject, ())
        return [str(group["of"]) for i, group in enumerate(groups) if taken[i] < int(str(group["need"]))]


@dataclass(slots=True)
class _Book:
    """One person's votes and refusals, as they are read."""

    moves: Counter[str] = field(default_factory=Counter)
    times: list[timedelta] = field(default_factory=list)
    quick: int = 0
    refused: int = 0

    def note(self, entry: Entry, requests: _Requests) -> None:
        if entry.event == "vote_refused":
            self.refused += 1
        if entry.event != "vote_counted":
            return
        move = str(entry.fields.get("move"))
        self.moves[_kind(move)] += 1
        if opened := requests.opened.get(entry.subject):
            took = max(entry.at - opened, timedelta())
            self.times.append(took)
            self.quick += move in SIGNING and took < QUICK

    def figures(self, waiting: int) -> Figures:
        return Figures(
            approved=self.moves["approved"],
            rejected=self.moves["rejected"],
            answered=self.moves["answered"],
            quick=self.quick,
            refused=self.refused,
            waiting=waiting,
            typical=_within(self.times, 0.5),
            slow=_within(self.times, 0.9),
        )


def _kind(move: str) -> str:
    return "approved" if move in SIGNING else "rejected" if move == Move.REJECT else "answered"


def _within(times: Sequence[timedelta], part: float) -> timedelta | None:
    """The shortest of *times* within which *part* of them lie (nearest rank: always one that really was)."""
    return sorted(times)[max(math.ceil(part * len(times)) - 1, 0)] if times else None


# ------------------------------------------------------------------- in words

HEADS = (
    "person",
    "decided",
    "approved",
    "half within",
    "90 % within",
    f"under {QUICK.seconds} s",
    "refused",
    "waiting",
)


def cells(name: str, figures: Figures) -> tuple[str, ...]:
    """One row under HEADS. Names are shown inert."""
    return (
        named(name),
        str(figures.decisions),
        percent(figures.share),
        took(figures.typical),
        took(figures.slow),
        str(figures.quick),
        str(figures.refused),
        str(figures.waiting),
    )


def told(read: Report, names: Mapping[PersonId, str]) -> str:
    """A short report in plain sentences, for a chat: one line for everybody, one for each of the busiest."""
    lines = [f"From {read.since:%Y-%m-%d} to {read.until:%Y-%m-%d}: {_sentence(read.everybody)}"]
    people = list(read.people.items())
    lines += [f"{named(names.get(who, who))}: {_sentence(one)}" for who, one in people[:PEOPLE_MOST]]
    lines += [f"{len(people) - PEOPLE_MOST} more people."] if len(people) > PEOPLE_MOST else []
    return "\n".join([*lines, *notes(read)])


def notes(read: Report) -> list[str]:
    """What there is to say besides the numbers of people: a line each, nothing where there is nothing."""
    found = [unanswered(read) if read.expired else "", nobody(read) if read.unread else ""]
    found += [*saved_lines(read.saved), CUT if read.is_cut else ""]
    return [note for note in found if note]


CUT = "Older records were not read: the numbers begin later than that."


def unanswered(read: Report) -> str:
    """Whose requests ran out of time."""
    return "Expired unanswered: " + ", ".join(f"{named(group)} {count}" for group, count in read.expired.items()) + "."


def nobody(read: Report) -> str:
    """How many requests wait for people whom nobody can name any more, and why."""
    count = sum(read.unread.values())
    whys = [_clipped(show_line(why), WHY_MOST) for why in list(read.unread)[:WHYS_MOST]]
    more = len(read.unread) - WHYS_MOST
    told = "; ".join([*whys, *([f"and {more} more reasons"] if more > 0 else [])])
    return f"Nobody can be read for {count} open request{'' if count == 1 else 's'}: {told}."


def named(name: str) -> str:
    return _clipped(show_line(name), NAME_MOST)


def _clipped(shown: str, most: int) -> str:
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def percent(share: float | None) -> str:
    """Rounded, yet 100 % only if it is all, and 0 % only if it is nothing."""
    if share is None:
        return "-"
    return f"{min(max(round(share * 100), 0 if share == 0 else 1), 100 if share == 1 else 99)} %"


def took(time: timedelta | None) -> str:
    """A time in its one fitting unit: 2.4 s, 40 s, 12 min, 5 h, 3 d."""
    if time is None:
        return "-"
    seconds = time.total_seconds()
    if seconds < 10:
        return f"{math.floor(seconds * 10) / 10:g} s"  # never rounded up to the mark it is measured against
    for size, unit, until in ((1, "s", 120), (60, "min", 120), (3600, "h", 48)):
        if seconds < size * until:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def _sentence(figures: Figures) -> str:
    parts = [f"{figures.decisions} decided"]
    parts += [f"{percent(figures.share)} approved"] if figures.share is not None else []
    if figures.typical is not None:
        parts.append(f"half within {took(figures.typical)}, nine in ten within {took(figures.slow)}")
    parts += [f"{figures.quick} approved in under {QUICK.seconds} s"] if figures.quick else []
    parts += [f"{figures.refused} refused"] if figures.refused else []
    parts += [f"{figures.waiting} waiting"] if figures.waiting else []
    return ", ".join(parts) + "."
