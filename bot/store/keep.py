"""Small durable values for adapters, sealed: what was posted, who installed, which sign-in is under way.

    name, value -> AES-GCM over the value, bound to its key -> one command of Redis, whole or not at all

Values may be tokens, so whoever reads Redis must not read them, and whoever writes there must not be believed (T22).
Does not own what the values mean, nor a repeat of a command whose answer was lost: the caller decides to.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.domain.errors import BadSeal
from bot.store.coding import ms
from bot.store.keys import keep_key
from bot.store.link import Link

NONCE_BYTES = 12  # what GCM wants (NIST SP 800-38D); random, so good for 2**32 values under one key
KEY_BYTES = 32
VERSION = b"\x01"


class RedisKeep:
    """Implements `bot.domain.ports.Keep`. Contract: `tests/contracts/keep.py`.

    Raises StoreUnavailable when it is not known whether the command was done. Repeating `put`, `get`, `forget`
    and `enrol` is harmless. A repeated `claim` may find its own value, so a claimer puts its own name into it.
    A `take` whose answer was lost has perhaps taken: the value is gone then, and nobody has it. A roll is a sorted
    set of names by the ends of their times, not sealed; its values are, each under its own name.
    """

    def __init__(self, link: Link, namespace: str, key: bytes) -> None:
        self._link, self._namespace = link, namespace
        self._sealer = AESGCM(_derived(key))

    async def claim(self, name: str, value: bytes, *, keep: timedelta) -> bytes | None:
        return self._opened(name, await self._set(name, value, px=ms(keep), nx=True, get=True))

    async def put(self, name: str, value: bytes, *, keep: timedelta | None = None) -> None:
        await self._set(name, value, **({} if keep is None else {"px": ms(keep)}))

    async def get(self, name: str) -> bytes | None:
        return self._opened(name, await self._link.ask(self._link.client.get(self._key(name))))

    async def take(self, name: str) -> bytes | None:
        return self._opened(name, await self._link.ask(self._link.client.getdel(self._key(name))))

    async def forget(self, *names: str) -> None:
        if names:
            await self._link.ask(self._link.client.delete(*map(self._key, names)))

    async def enrol(self, roll: str, name: str, value: bytes, *, keep: timedelta, most: int) -> None:
        now, full, key = int(self._link.now().timestamp() * 1000), f"{roll}:{name}", self._key(roll)
        await self._link.together(
            ("SET", self._key(full), self._sealed(full, value), "PX", ms(keep)),
            ("ZADD", key, now + ms(keep), name),
            ("ZREMRANGEBYSCORE", key, "-inf", now),
            ("ZREMRANGEBYRANK", key, 0, -most - 1),
            ("PEXPIRE", key, ms(keep)),
        )

    async def enrolled(self, roll: str) -> Mapping[str, bytes]:
        listed = await self._link.ask(self._link.client.zrange(self._key(roll), 0, -1))
        found = [bytes(one).decode(errors="replace") for one in listed]
        if not found:
            return {}
        names = [f"{roll}:{one}" for one in found]
        values = await self._link.ask(self._link.client.mget([self._key(name) for name in names]))
        opened = [self._opened(name, sealed) for name, sealed in zip(names, values, strict=True)]
        return {name: value for name, value in zip(found, opened, strict=True) if value is not None}

    async def _set(self, name: str, value: bytes, **how: Any) -> bytes | None:
        found: bytes | None = await self._link.ask(
            self._link.client.set(self._key(name), self._sealed(name, value), **how)
        )
        return found

    def _key(self, name: str) -> str:
        return keep_key(self._namespace, name)

    def _sealed(self, name: str, value: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return VERSION + nonce + self._sealer.encrypt(nonce, value, self._key(name).encode())

    def _opened(self, name: str, sealed: bytes | None) -> bytes | None:
        """What *sealed* holds, if we wrote it under this very name."""
        if sealed is None:
            return None
        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            if sealed[:1] != VERSION or len(nonce) != NONCE_BYTES:
                raise InvalidTag
            return self._sealer.decrypt(nonce, body, self._key(name).encode())
        except InvalidTag as error:
            raise BadSeal(f"the kept value {name}") from error


def _derived(key: bytes) -> bytes:
    """A key for this purpose alone: one use of the sealing key must not weaken another."""
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=b"countersign keep").derive(key)
