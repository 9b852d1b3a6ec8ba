"""Deputies, checked from the audit alone: whoever was counted in somebody's place was named by them, and in time.

    away_set … away_ended | the next away_set | until        one absence of one person
    vote_counted, stands_for                                 must fall into one that names the voter

Absences are told on one shard and votes on any, so this needs the logs of all of them; times are the store's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bot.domain.absence import BEHIND
from bot.domain.audit import Entry, Violation
from bot.domain.history import lacks, ms
from bot.domain.wire import Record

BEHIND_MS = int(BEHIND.total_seconds() * 1000)


class Span(Record):
    """One absence, in ms since the epoch; its end is not part of it."""

    deputy: str | None
    first: int
    end: int


def check_standing(entries: Iterable[Entry]) -> list[Violation]:
    """Every vote of *entries*, the logs of all shards, that was counted for somebody who had not asked for it (I5)."""
    known = [entry for entry in entries if not lacks(entry)]
    spans = _spans(sorted(known, key=lambda entry: (entry.shard, entry.seq)))
    votes = [entry for entry in known if entry.event == "vote_counted" and entry.fields.get("stands_for")]
    return [
        Violation(invariant="I5", shard=vote.shard, seq=vote.seq, subject=vote.subject, told=told)
        for vote in votes
        for told in _unasked(vote, spans)
    ]


def _unasked(vote: Entry, spans: Mapping[str, Sequence[Span]]) -> Iterator[str]:
    voter, at = vote.fields["person"], ms(vote)
    if any(one.first + BEHIND_MS <= at < one.end for one in spans.get(voter, ())):
        yield f"{voter} was counted as a deputy while away"
    for stand in vote.fields["stands_for"]:
        absent = str(stand["person"])
        held = [one for one in spans.get(absent, ()) if one.first <= at < one.end + BEHIND_MS]
        if not any(one.deputy == voter for one in held):
            yield f"{voter} was counted for {absent}, who had not named them as deputy then"


def _spans(entries: Sequence[Entry]) -> Mapping[str, Sequence[Span]]:
    told: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.event in ("away_set", "away_ended"):
            told[str(entry.fields["person"])].append(entry)
    return {person: list(_absences(found)) for person, found in told.items()}


def _absences(told: Sequence[Entry]) -> Iterator[Span]:
    for entry, after in zip(told, [*told[1:], None], strict=True):
        if entry.event == "away_set":
            until = int(entry.fields["until_ms"])
            end = until if after is None else min(until, ms(after))
            yield Span(deputy=entry.fields["deputy"], first=ms(entry), end=end)
