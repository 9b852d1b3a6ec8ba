"""Grants in the store: one sealed record each, and per shard a list of those that may still be used.

    grant:<id> -> {doc: seal + record, v, used, most, ends, over}      grants: "<id> <thread>" by its end

Beside the record stands what the scripts judge by; it repeats the record, so a lone change of either is noticed (T22).
Each use writes the record anew under its seal. Whoever can write to Redis could put an older one of ours back, and
have some of its uses again: `audit verify` counts them (I1).
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bot.domain.errors import BadSeal, NoSuchGrant
from bot.domain.offer import Grant, GrantId
from bot.domain.request import RunId
from bot.domain.store import GRANTS_MOST, Effects
from bot.domain.wire import pack, unpack
from bot.store.coding import SEEN_TTL, effects_args, epoch_ms
from bot.store.keys import Keyring, shard_of_id
from bot.store.link import Link

SEAL_BYTES = 20  # 120 bits in base64

Call = Callable[..., Awaitable[list[Any]]]  # a function of scripts.lua by its name, shard, arguments and ids


class Giving:
    def __init__(self, link: Link, namespace: str, key: bytes, call: Call) -> None:
        self._link, self._namespace, self._key, self._call = link, namespace, key, call

    def sealed(self, grant: Grant) -> dict[str, Any]:
        """*grant* as the scripts put it there."""
        body = pack(grant)
        doc = (self._seal(grant.id, body) + body).decode()
        return {"id": grant.id, "doc": doc, "member": f"{grant.id} {grant.thread}", **_beside(grant)}

    async def granted(self, shard: int, thread: str | None) -> tuple[GrantId, ...]:
        """As `Store.granted`."""
        key = Keyring(self._namespace, shard)("grants")
        now = epoch_ms(self._link.now())
        found = await self._link.ask(self._link.client.zrangebyscore(key, f"({now}", "+inf", start=0, num=GRANTS_MOST))
        pairs = [member.decode().partition(" ") for member in found]
        return tuple(GrantId(name) for name, _, where in pairs if thread is None or where == thread)

    async def grant(self, id: GrantId) -> Grant:
        """As `Store.grant`."""
        try:
            key = Keyring(self._namespace, shard_of_id(id))("grant", id)
        except (ValueError, IndexError) as error:
            raise NoSuchGrant(id[:80]) from error
        fields: Mapping[bytes, bytes] = await self._link.ask(self._link.client.hgetall(key))
        if b"doc" not in fields:
            raise NoSuchGrant(id)
        return self._opened(id, fields)

    async def revoke(self, after: Grant, run: RunId, delivery: str, effects: Effects) -> bool:
        """As `Store.revoke`."""
        args = {"grant": self.sealed(after), "effects": effects_args(effects), "seen_ttl": SEEN_TTL}
        (code,) = await self._call("revoke", shard_of_id(after.id), args, seen=delivery, grant=after.id, run=run)
        return bool(code in (b"ok", b"again"))

    def _opened(self, id: GrantId, fields: Mapping[bytes, bytes]) -> Grant:
        seal, body = fields[b"doc"][:SEAL_BYTES], fields[b"doc"][SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(id, body)):
            raise BadSeal(f"grant {id}")
        grant = unpack(Grant, body)
        if grant.id != id or any(fields.get(name.encode()) != value.encode() for name, value in _beside(grant).items()):
            raise BadSeal(f"what stands beside grant {id}")
        return grant

    def _seal(self, id: str, body: bytes) -> bytes:
        told = b"grant\0" + id.encode("utf-8", "replace") + b"\0" + body
        return base64.b64encode(hmac.digest(self._key, told, "sha256")[:15])


def _beside(grant: Grant) -> dict[str, str]:
    return {
        "v": str(grant.revision),
        "used": str(grant.used),
        "most": str(grant.most),
        "ends": str(epoch_ms(grant.until)),
        "over": "revoked" if grant.revoked_by is not None else "",
    }
