"""Every key there is, and how long it lives. One shard, one hash tag: a script touches one cluster slot.

| key | type | holds | lives |
|---|---|---|---|
| `{ns:s}:lease` | hash | owner, epoch, until (ms) | for ever |
| `{ns:s}:chain` | hash | audit head: seq, link; out: outbox stamp | for ever |
| `{ns:s}:audit` | list | audit lines `seq at link body` | for ever |
| `{ns:s}:mail` | zset | runs with something to do, by since when | while it has |
| `{ns:s}:active` | set | runs that execute now: what an adopter replays | while they do |
| `{ns:s}:timers` | zset | rung\\|request\\|n, wake\\|request\\|who, sleep\\|run\\|path and other | until fired |
| `{ns:s}:failing` | zset | timers that could not be dealt with, by how often | until dealt with or taken down |
| `{ns:s}:outbox` | zset | rows to show, by stamp | until shown |
| `{ns:s}:notes` | hash | notes to post, by key | until posted |
| `{ns:s}:open` | zset | open requests, by since when | while open |
| `{ns:s}:asking` | hash | how many open requests each person's tasks have | while they have |
| `{ns:s}:placed` | hash | how many open requests each channel shows | while it does |
| `{ns:s}:calls` | hash | the open request of each call that waits, by who asked and what | while it waits |
| `{ns:s}:away` | hash | who is away (sealed), by person; on the first shard alone | until they are back |
| `{ns:s}:grants` | zset | `<grant> <place>` of what may be used, by its end | until revoked or ended |
| `{ns:s}:recent` | list | the latest run ids | RECENT of them |
| `{ns:s}:run:<id>` | hash | doc, status, n, op, mail, told, line, ref, trail, q:<request> | KEEP after its end |
| `{ns:s}:journal:<id>` | list | entries | KEEP after its end |
| `{ns:s}:inbox:<id>` | list | letters | KEEP after its end |
| `{ns:s}:request:<id>` | hash | doc (sealed), status, v, due, decided, heard, c:<copy> | KEEP after its own end |
| `{ns:s}:grant:<id>` | hash | doc (sealed), v, used, most, ends, over | KEEP after its end |
| `{ns:s}:thread:<place>` | string | the run of a thread | KEEP after its last run's end |
| `{ns:s}:seen:<delivery>` | string | the answer the first delivery got, also a refusal | DELIVERY |
| `{ns:s}:spent:<day>` | hash | tokens, steps and micros used on a day, by person and in all | SPENT |
| `{ns:s}:bell` | channel | doorbell | - |
| `{ns}:keep:<name>` | string | a value, sealed: posts, installs, wishes, files to post, lamps, lookers | as was said |
| `{ns}:keep:<roll>` | zset | names of values that belong together, by the ends of their times | as its latest |
| `{ns}:processes` | zset | live processes, by last beat | while they beat |
| `{ns}:meta` | hash | fingerprint of the sealing key, number of shards | for ever |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

KEEP = timedelta(days=30)
DELIVERY = timedelta(days=1)  # longer than any platform redelivers
SPENT = timedelta(days=2)  # a day's sums are judged by on that day alone
RECENT = 200

SHARED = (
    *("lease", "chain", "audit", "mail", "active", "timers", "outbox", "notes", "open", "asking", "recent", "bell"),
    *("away", "grants", "placed", "calls", "failing"),
)
_KINDS = {"other": "request", "others": "request"}  # other requests of a step are requests, too
OWNED = ("run", "journal", "inbox", "request", "grant", "thread", "seen", "spent")


class Keyring:
    """The names of one shard's keys."""

    def __init__(self, namespace: str, shard: int) -> None:
        tag = f"{{{namespace}:{shard}}}"
        self._begin = {name: f"{tag}:{name}" for name in SHARED}
        self._begin |= {name: f"{tag}:{_KINDS.get(name, name)}:" for name in (*OWNED, *_KINDS)}

    def __call__(self, name: str, id: str = "") -> str:
        return self._begin[name] + id

    def all(self, names: Iterable[str], ids: Mapping[str, str]) -> list[str]:
        """The same for each of *names*, whose own *ids* stand under their names."""
        begin = self._begin
        return [begin[name] + ids.get(name, "") for name in names]


def keep_key(namespace: str, name: str) -> str:
    """Belongs to no shard; all of them share a slot, so that several are forgotten at once."""
    return f"{{{namespace}}}:keep:{name}"


def shard_of_id(id: str) -> int:
    """A run or request id names its shard, so that the number of shards may change: `r-3-…`, `q-3-…`."""
    return int(id.split("-", 2)[1])
