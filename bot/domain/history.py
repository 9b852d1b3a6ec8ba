"""The audit as a history that can be asked: by request, by run, by step.

Only an index of what was written; what it must add up to is `invariants`'. A promise yields `Found`: an entry that
breaks it, and in a sentence why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bot.domain.audit import EVENTS, Entry

Found = Iterator[tuple[Entry, str]]


class Log:
    """The entries in order, and the same by what they are about."""

    def __init__(self, entries: Iterable[Entry], *, is_quiet: bool, canaries: Sequence[str]) -> None:
        self.entries = sorted(entries, key=lambda entry: (entry.shard, entry.seq))
        self.is_quiet, self.canaries = is_quiet, canaries
        by_request: dict[str, list[Entry]] = defaultdict(list)
        by_run: dict[str, list[Entry]] = defaultdict(list)
        by_step: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        self.malformed = [entry for entry in self.entries if lacks(entry)]
        for entry in self.entries:
            if lacks(entry):
                continue
            request, run, path = (entry.fields.get(name) for name in ("request", "run", "path"))
            if request:
                by_request[str(request)].append(entry)
            if run:
                by_run[str(run)].append(entry)
            if run and path:
                by_step[str(run), str(path)].append(entry)
        self.requests = {request: Case(request, found) for request, found in by_request.items()}
        self.runs: Mapping[str, Sequence[Entry]] = by_run
        self.steps: Mapping[tuple[str, str], Sequence[Entry]] = by_step

    @property
    def opened(self) -> Iterator[tuple[Case, Entry]]:
        """Every request that was opened, with its opening."""
        return ((case, case.openings[0]) for case in self.requests.values() if case.openings)

    def ended(self, run: str) -> bool:
        return any(entry.event == "run_ended" for entry in self.runs.get(run, ()))


class Case:
    """Everything the audit says about one request, in order."""

    def __init__(self, id: str, entries: Sequence[Entry]) -> None:
        self.id, self.entries = id, entries
        self.openings = self.of("request_opened")
        self.votes = self.of("vote_counted")
        self.decisions = self.of("request_decided")
        self.shown = self.of("card_shown")
        self.rungs = self.of("rung_fired")
        self.starts = self.of("tool_started")

    def of(self, event: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.event == event]

    @property
    def decision(self) -> Entry | None:
        return self.decisions[0] if self.decisions else None

    def is_decided(self, status: str) -> bool:
        return any(entry.fields["status"] == status for entry in self.decisions)


def lacks(entry: Entry) -> str:
    """What is wrong with a record's form; empty if nothing is."""
    if entry.event not in EVENTS:
        return f"{entry.event} is not an event we know"
    missing = [name for name in EVENTS[entry.event] if name not in entry.fields]
    return f"{entry.event} lacks {', '.join(missing)}" if missing else ""


def same(one: Entry, other: Entry, *names: str) -> bool:
    return all(one.fields.get(name) == other.fields.get(name) for name in names)


def ms(entry: Entry) -> int:
    return round(entry.at.timestamp() * 1000)
