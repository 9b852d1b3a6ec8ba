"""How records travel to and from the scripts: packed text in MessagePack tables, times in milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import asdict

from bot.domain.budget import Spending, Usage
from bot.domain.chat import MessageRef, Place
from bot.domain.letters import Letter
from bot.domain.request import Copy, Request, RunId
from bot.domain.run import Entry
from bot.domain.store import FORM, Batch, Effects, Fence, card_row, sheet_row
from bot.domain.wire import Record, pack, replace, unpack
from bot.store.keys import DELIVERY, KEEP, SPENT

SEEN_TTL = int(DELIVERY.total_seconds())
KEEP_TTL = int(KEEP.total_seconds())
SPENT_TTL = int(SPENT.total_seconds())
SUMS = ("tokens", "steps", "micros")  # of a day, for everybody and for each person
_ENTRY: Any = Entry  # a union is not a `type`; msgspec takes it all the same
_LETTER: Any = Letter


def fence_args(fence: Fence) -> dict[str, Any]:
    return {"owner": fence.owner, "epoch": fence.epoch}


def batch_args(run: RunId, batch: Batch) -> dict[str, Any]:
    return {
        "run": run,
        "op": batch.op,
        "count": batch.count,
        "entries": [as_text(entry) for entry in batch.entries],
        "effects": effects_args(batch.effects),
        "seen": batch.seen,
        "status": batch.status.value if batch.status else None,
        "line": batch.line,
        "doc": as_text(batch.run) if batch.run else None,
        "told": batch.letters,
        "known": batch.known,
        "took": batch.took,
        "spends": spending_args(batch.spends) if batch.spends else None,
        "most": batch.most,
        "place_most": batch.place_most,
        "is_single": batch.is_single,
        "keep": KEEP_TTL,
    }


def shows_args(request: Request) -> dict[str, str | None]:
    """How the rows of the messages that show *request* are called: the script finds the copies."""
    before, after = card_row(request, "*").split("*")
    return {"before": before, "after": after, "form": FORM, "sheet": sheet_row(request)}


def spending_args(spends: Spending) -> dict[str, Any]:
    """What is added to which field of the day's sums: everybody's, and one person's."""
    amounts = zip(SUMS, (spends.usage.tokens, spends.usage.steps, spends.usage.micros), strict=True)
    add = [(f"{what}|{who}", amount) for what, amount in amounts if amount for who in ("", spends.person)]
    return {"add": add, "keep": SPENT_TTL}


def read_sums(raw: list[bytes | None]) -> Usage:
    """The inverse, of one owner's fields in the order of SUMS."""
    tokens, steps, micros = (int(one or 0) for one in raw)
    return Usage(tokens=tokens, steps=steps, micros=micros)


def effects_args(effects: Effects) -> dict[str, Any]:
    return {
        "audit": [body.decode() for body in effects.audit],
        "dirty": effects.dirty,
        "notes": [(note.key, as_text(note)) for note in effects.notes],
        "timers": [(timer.name, epoch_ms(timer.due)) for timer in effects.timers],
        "untime": effects.untime,
    }


def read_entries(raw: list[bytes]) -> tuple[Entry, ...]:
    return tuple(unpack(_ENTRY, item) for item in raw)


def read_letters(raw: list[bytes]) -> tuple[Letter, ...]:
    return tuple(unpack(_LETTER, item) for item in raw)


class _Kept(Copy):
    """A copy as it is stored. Most stand in the place that their request or run names itself: 100 bytes each."""

    at: str = ""  # the message there; empty if `ref` says where it stands, or it does not yet


class _At(Record):
    at: str


def copy_text(copy: Copy, home: Place | None) -> str:
    """*copy* of something that is at home in *home*."""
    if copy.ref is None or copy.ref.place != home:
        return as_text(copy)
    return as_text(_Kept(**asdict(copy) | {"ref": None, "at": copy.ref.id}))


def read_copy(data: bytes, home: Place) -> Copy:
    """The inverse. Raises BadRecord."""
    copy = unpack(Copy, data)
    if copy.ref is not None or b'"at":' not in data:
        return copy
    return replace(copy, ref=MessageRef(place=home, id=unpack(_At, data).at))


def as_text(record: object) -> str:
    """cmsgpack in Lua knows strings, not bytes."""
    return pack(record).decode()


def ms(time: timedelta) -> int:
    return int(time.total_seconds() * 1000)


def epoch_ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def moment(since_epoch: float) -> datetime:
    return datetime.fromtimestamp(since_epoch / 1000, UTC)
