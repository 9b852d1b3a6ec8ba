"""What waits on the other shards, looked at before a request is opened on its own (T18).

    whose, where, which calls -> one look at all other shards -> counts, a twin -> the script adds its own, and judges

A script touches one shard, so what stands on the others is read just before it, and may be out of date by then: two
requests that open at the same moment on two shards do not see each other, and both stand. Against a flood that is
enough; what must never happen twice, a start, is judged on one shard in one step. A look is one transaction of one read
for each limit on each other shard: 45 reads of 16 shards, if all three hold. What has no limit is not read, nor is
anything where there is one shard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bot.domain.crowd import call_key, channel_key
from bot.domain.inquiry import is_inquiry
from bot.domain.request import Request
from bot.domain.store import Batch, Turn
from bot.store.keys import Keyring
from bot.store.link import Link

NOTHING: Mapping[str, Any] = {"asking": 0, "placed": 0, "twin": None}


class Opening(NamedTuple):
    """What is about to be opened, as far as it is limited; what is empty has no limit."""

    by: str = ""  # whose open requests are counted
    channel: str = ""  # where they are
    calls: tuple[str, ...] = ()  # keys of calls (crowd.call_key) that may wait only once

    @classmethod
    def limited(cls, batch: Batch, head: Request, *others: Request) -> Opening:
        """What `open` is given: *others* stand on the sheet of *head*."""
        return cls(
            by=head.requester if batch.most is not None else "",
            channel=channel_key(head) if batch.place_most is not None else "",
            calls=_keys(head, *others) if batch.is_single else (),
        )

    @classmethod
    def turned(cls, turn: Turn) -> Opening:
        """What `turn` is given: an edit that opens a changed call, or a ladder that shows one in a channel more."""
        return cls(
            channel=turn.adds if turn.place_most is not None else "",
            calls=_keys(turn.opens) if turn.opens is not None and turn.is_single else (),
        )


class Crowding:
    def __init__(self, link: Link, namespace: str, shards: int) -> None:
        self._link = link
        self._rings = tuple(Keyring(namespace, shard) for shard in range(shards))

    async def elsewhere(self, shard: int, opening: Opening) -> Mapping[str, Any]:
        """How much waits on all shards but *shard*, and a request that is a twin there. Raises StoreUnavailable."""
        fields = {"asking": (opening.by,), "placed": (opening.channel,), "calls": opening.calls}
        others = [ring for number, ring in enumerate(self._rings) if number != shard]
        looks = [(kind, ring) for kind, names in fields.items() if any(names) for ring in others]
        if not looks:
            return NOTHING
        read = await self._link.together(*(("HMGET", ring(kind), *fields[kind]) for kind, ring in looks))
        found: dict[str, list[bytes]] = {kind: [] for kind in fields}
        for (kind, _), values in zip(looks, read, strict=True):
            found[kind] += [value for value in values if value is not None]
        twin = found["calls"][0].decode() if found["calls"] else None
        return {"asking": sum(map(int, found["asking"])), "placed": sum(map(int, found["placed"])), "twin": twin}


def _keys(*requests: Request) -> tuple[str, ...]:
    """Of what is signed: a question repeats only one of its own run, and that is on the run's own shard."""
    return tuple(key for one in requests if not is_inquiry(one.kind) and (key := call_key(one)))
