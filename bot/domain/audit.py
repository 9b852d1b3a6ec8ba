"""The audit: one hash-chained list of lines per shard, written in the same step as what it tells.

    <seq> <at in ms> <link> <body>        link = sha1(previous link + " " + seq + " " + at + " " + body)

The chain shows every edit, removal and swap, and names the first bad record. It cannot show that its own tail
was cut off or that somebody rewrote everything: for that there are checkpoints, records that hold
an HMAC-SHA256 over all lines since the one before, and anchors (the head of the chain, or a
checkpoint's mac, kept elsewhere). The link is SHA-1 because the store's scripts know no other.

Not here: what the events must add up to (invariants), and their bodies (events).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec

from bot.domain.errors import BadRecord
from bot.domain.wire import Json, Record, dumps, loads

GENESIS = "0" * 40  # the link before the first record
CHECKPOINT = "checkpoint"

EVENTS: Mapping[str, tuple[str, ...]] = {
    "run_started": ("run", "person", "place", "tenant", "agent"),
    "run_resumed": ("run", "request", "status"),
    "run_stopped": ("run", "person", "delivery"),
    "run_ended": ("run", "status"),
    "reply_heard": ("run", "person", "delivery"),
    "run_taken": ("run", "person", "delivery"),
    "run_returned": ("run", "person", "delivery"),
    "rerouted": ("run", "person", "left", "agent", "delivery"),
    "call_allowed": ("run", "path", "tool", "digest", "rule"),
    "call_denied": ("run", "path", "tool", "digest", "rule", "cause"),
    "request_opened": (
        *("request", "run", "path", "kind", "tool", "digest", "groups", "separate", "excluded", "deadline_ms"),
        *("exec_window_ms", "policy", "rule", "rungs", "tenant"),
    ),
    "trace_opened": ("run", "person", "account", "delivery"),
    "details_opened": ("request", "person", "account", "digest", "delivery"),
    "card_shown": ("request", "copy", "ref", "digest", "version", "complete", "buttons"),
    "card_lost": ("request", "copy", "why"),
    "vote_counted": (
        *("request", "person", "account", "move", "digest", "policy", "ref", "delivery", "seats", "reason"),
    ),
    "vote_refused": ("request", "person", "account", "cause", "delivery"),
    "request_decided": ("request", "status", "digest", "by", "cause"),
    "request_handed": ("request", "by", "to", "version"),
    "request_fell_back": ("request", "gone", "to", "version"),
    "rung_fired": ("request", "index", "do"),
    "copy_sent": ("request", "person", "why"),
    "tool_started": ("run", "path", "request", "tool", "digest", "key", "epoch", "idempotent"),
    "tool_finished": ("run", "path", "request", "outcome"),
    "away_set": ("person", "deputy", "until_ms", "delivery"),
    "away_ended": ("person", "cause", "delivery"),
    "grant_offered": ("request", "person", "tool", "offer"),
    "grant_given": (
        *("grant", "request", "run", "person", "requester", "tool", "rule", "thread", "only", "names", "same"),
        *("most", "until_ms"),
    ),
    "grant_used": ("grant", "run", "path", "tool", "digest", "same", "used", "person"),
    "grant_revoked": ("grant", "person", "tool", "delivery"),
    CHECKPOINT: ("first", "upto", "sha256", "previous", "mac"),
}
"""Every event and the fields its body must have. A body may have more."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LINE = re.compile(r"([1-9][0-9]{0,15}) (0|[1-9][0-9]{0,14}) ([0-9a-f]{40}) (\{.*\})")


class Entry(Record):
    """One audit record. `body` is its JSON as it was hashed, `fields` the same, read."""

    shard: int
    seq: int
    at: datetime
    link: str
    event: str
    body: str
    fields: dict[str, Any]

    @property
    def subject(self) -> str:
        """The request it is about, or else the run."""
        return str(self.fields.get("request") or self.fields.get("run") or "")


class Violation(Record):
    """A promise that the audit shows broken: which (I1–I15), at which record, about what, in one sentence."""

    invariant: str
    shard: int
    seq: int
    subject: str
    told: str


def parse_line(shard: int, line: str) -> Entry:
    """Read one line. Raises BadRecord for anything that is not exactly one record."""
    parts = _LINE.fullmatch(line)
    if parts is None:
        raise BadRecord(f"shard {shard} holds an audit line of another form: {line[:60]!r}")
    seq, at, link_text, body = parts.groups()
    try:
        fields = loads(body)
        time = _EPOCH + timedelta(milliseconds=int(at))
    except (msgspec.DecodeError, UnicodeEncodeError, OverflowError, RecursionError) as error:
        raise BadRecord(f"shard {shard}: audit record {seq} cannot be read: {error}") from error
    event = fields.get("e")
    if not isinstance(event, str):
        raise BadRecord(f"shard {shard}: audit record {seq} names no event")
    rest = {name: value for name, value in fields.items() if name != "e"}
    return Entry(shard=shard, seq=int(seq), at=time, link=link_text, event=event, body=body, fields=rest)


def link(previous: str, seq: int, at_ms: int, body: str) -> str:
    """The link of a record, from the one before it."""
    text = f"{previous} {seq} {at_ms} {body}"
    return hashlib.sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def export(entry: Entry) -> dict[str, Json]:
    """One record as a JSON object that stands on its own."""
    return {
        "id": entry.link,
        "shard": entry.shard,
        "seq": entry.seq,
        "time": entry.at.isoformat(timespec="milliseconds"),
        "event": entry.event,
        "subject": entry.subject,
        "fields": cast(Json, entry.fields),
    }


# --------------------------------------------------------------- the chain


def verify_chain(lines: Sequence[str], *, shard: int = 0, head: tuple[int, str] | None = None) -> list[Violation]:
    """Nothing, or the first bad record of a shard's whole log.

    *head* is the number and link of the last record as kept elsewhere; without it a log that was cut
    short at its end is still a valid chain.
    """
    previous = GENESIS
    for expected, line in enumerate(lines, start=1):
        try:
            entry = parse_line(shard, line)
        except BadRecord as error:
            return [_bad(shard, expected, str(error))]
        if entry.seq != expected:
            return [_bad(shard, expected, _misplaced(entry.seq, expected, lines[expected:]))]
        if entry.link != link(previous, entry.seq, _ms(entry), entry.body):
            return [_bad(shard, expected, f"record {expected} was edited: its link does not follow from its content")]
        previous = entry.link
    if head is not None and head != (len(lines), previous):
        return [_bad(shard, min(len(lines), head[0]) + 1, f"the log ends at {len(lines)}, its head says {head[0]}")]
    return []


def _misplaced(found: int, expected: int, rest: Sequence[str]) -> str:
    if found > expected and not any(line.startswith(f"{expected} ") for line in rest):
        return f"record {expected} is missing: record {found} stands in its place"
    return f"record {found} stands where record {expected} belongs"


def _bad(shard: int, seq: int, told: str) -> Violation:
    return Violation(invariant="I15", shard=shard, seq=seq, subject="", told=told)


def _ms(entry: Entry) -> int:
    return (entry.at - _EPOCH) // timedelta(milliseconds=1)


# ------------------------------------------------------------- checkpoints


def checkpoint(shard: int, lines: Sequence[str], *, previous: str = "", key: bytes) -> bytes:
    """The body of a checkpoint over *lines*: all those after the last line the previous checkpoint covers.

    *previous* is that checkpoint's mac, "" for the first. Raises ValueError if there is nothing to cover.
    """
    if not lines:
        raise ValueError("a checkpoint covers at least one line")
    first, upto = (parse_line(shard, line).seq for line in (lines[0], lines[-1]))
    fields = {"first": first, "upto": upto, "sha256": _sha256(lines), "previous": previous}
    return dumps({"e": CHECKPOINT, **fields, "mac": _mac(key, shard, fields)})


def verify_checkpoints(lines: Sequence[str], key: bytes, *, shard: int = 0, anchor: str = "") -> list[Violation]:
    """Every checkpoint that does not hold, of a log whose chain is valid.

    *anchor* is the mac of a checkpoint kept elsewhere: it must be among them, or the log was rewritten.
    """
    found, previous, covered, macs = list[Violation](), "", 0, set[str]()
    for entry in _checkpoints(shard, lines):
        fields = entry.fields
        problem = _problem(entry, lines, key, (covered, previous))
        if problem:
            found.append(_bad(shard, entry.seq, f"checkpoint {entry.seq} {problem}"))
        else:
            covered = fields["upto"]
        previous = str(fields.get("mac"))
        macs.add(previous)
    if anchor and anchor not in macs:
        found.append(_bad(shard, len(lines), "the checkpoint that was anchored elsewhere is not in the log"))
    return found


def _problem(entry: Entry, lines: Sequence[str], key: bytes, last: tuple[int, str]) -> str | None:
    fields, (covered, previous) = entry.fields, last
    if any(name not in fields for name in EVENTS[CHECKPOINT]):
        return "lacks a field"
    if not hmac.compare_digest(str(fields["mac"]).encode(), _mac(key, entry.shard, fields).encode()):
        return "is not signed with our key"
    if fields["previous"] != previous or fields["first"] != covered + 1:
        return "does not follow the checkpoint before it"
    if not fields["first"] <= fields["upto"] < entry.seq:
        return "covers lines that are not there"
    if fields["sha256"] != _sha256(lines[covered : fields["upto"]]):
        return f"shows that a line between {fields['first']} and {fields['upto']} was rewritten"
    return None


def _checkpoints(shard: int, lines: Sequence[str]) -> Iterator[Entry]:
    marked = f'"e":"{CHECKPOINT}"'
    for line in lines:
        if marked in line:
            entry = parse_line(shard, line)
            if entry.event == CHECKPOINT:
                yield entry


def _sha256(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _mac(key: bytes, shard: int, fields: Mapping[str, object]) -> str:
    signed = [f"{fields[name]}" for name in ("first", "upto", "sha256", "previous")]
    return hmac.new(key, "\n".join(["checkpoint 1", f"{shard}", *signed]).encode(), hashlib.sha256).hexdigest()
