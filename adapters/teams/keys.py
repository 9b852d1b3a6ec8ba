"""The keys that sign what Teams sends us: fetched behind the requests, remembered a day.

    get(kid) -> known and fresh: at once
             -> unknown, or all of them a day old: ask again, behind; wait a moment for it, then say what is known

Whoever posts garbage with key ids of their own makes us ask once a minute at most, and waits for nobody but themselves
(T25). A failed look-up keeps the old keys. Keys never loaded are not "no keys": nobody is let in, and nobody is called
a forger. Does not own what a token must say (proof).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWTError
from yarl import URL

from adapters.teams.bodies import body_of
from adapters.teams.shapes import PLATFORM
from bot.domain.errors import BadJson, ChatUnavailable
from bot.domain.wire import MAX_BYTES, read_foreign

log = structlog.get_logger()

DAY = 86_400.0  # seconds; the age at which Microsoft asks to look again (learn.microsoft.com, bot authentication)
ASK_AGAIN = 60.0  # seconds between two look-ups, whoever wants them
DEADLINE = 10.0  # seconds for metadata and keys together
SHORTEST = 2_048  # bits of a key; a shorter one can be guessed (NIST SP 800-131A)
PATIENCE = 0.7  # seconds a request waits for a look-up: who sends garbage hears 401 within one


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    key: RSAPublicKey
    endorsements: frozenset[str]  # the channels that this key may speak for


@asynccontextmanager
async def opened_keys(
    session: aiohttp.ClientSession, metadata: str, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[KeySet]:
    """Owns the look-ups of one key set; nothing is fetched until `load` or the first `get`."""
    try:
        async with asyncio.TaskGroup() as group:
            keys = KeySet(session, metadata, group, clock)
            try:
                yield keys
            finally:
                keys.close()
    except BaseExceptionGroup as several:  # a look-up raises nothing: it is the caller's own error
        raise several.exceptions[0] from None


class KeySet:
    """The keys of one issuer. *clock* counts seconds."""

    def __init__(
        self, session: aiohttp.ClientSession, metadata: str, group: asyncio.TaskGroup, clock: Callable[[], float]
    ) -> None:
        self._session, self._metadata, self._group, self._clock = session, URL(metadata), group, clock
        self._keys: Mapping[str, SigningKey] = {}
        self._loaded_at: float | None = None
        self._asked_at: float | None = None
        self._asking: asyncio.Task[None] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether tokens can be judged at all."""
        return self._loaded_at is not None

    async def load(self) -> None:
        """Fetch the keys before anybody needs them. Raises ChatUnavailable if there are none in DEADLINE seconds."""
        await asyncio.shield(self._ask())
        if not self.is_ready:
            raise ChatUnavailable(PLATFORM, f"no signing keys from {self._metadata.host}", ASK_AGAIN)

    async def get(self, kid: str) -> SigningKey | None:
        """The key called *kid*; None if Teams has no such key. Answers within PATIENCE.

        Raises ChatUnavailable as long as no keys were ever loaded.
        """
        if kid not in self._keys or self._is_old():
            await self._look_up()
        if not self.is_ready:
            raise ChatUnavailable(PLATFORM, "its signing keys are not loaded yet", PATIENCE)
        return self._keys.get(kid)

    def close(self) -> None:
        if self._asking:
            self._asking.cancel()

    # ------------------------------------------------------------------ looking up

    async def _look_up(self) -> None:
        """Have the keys asked for, unless they just were; wait for it, but not long."""
        is_asking = self._asking is not None and not self._asking.done()
        if is_asking or self._may_ask():
            await asyncio.wait({self._ask()}, timeout=PATIENCE)

    def _is_old(self) -> bool:
        return self._loaded_at is None or self._clock() - self._loaded_at >= DAY

    def _may_ask(self) -> bool:
        return self._asked_at is None or self._clock() - self._asked_at >= ASK_AGAIN

    def _ask(self) -> asyncio.Task[None]:
        """The look-up under way, or a new one: never two at once."""
        if self._asking is None or self._asking.done():
            self._asked_at = self._clock()
            self._asking = self._group.create_task(self._refresh(), name="teams signing keys")
        return self._asking

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(DEADLINE):
                metadata = await self._read(self._metadata)
                found = _keys(await self._read(self._beside(metadata.get("jwks_uri"))))
        except (aiohttp.ClientError, OSError, BadJson, _NoKeys) as error:
            log.warning("teams_keys_not_loaded", why=type(error).__name__, kept=len(self._keys))
            return
        self._keys, self._loaded_at = found, self._clock()
        log.info("teams_keys_loaded", keys=len(found))

    def _beside(self, url: object) -> URL:
        """Where the keys lie: metadata that came by https may not send us to http."""
        try:
            found = URL(url if isinstance(url, str) else "")
        except ValueError as error:
            raise _NoKeys from error
        if found.scheme != self._metadata.scheme or not found.host:
            raise _NoKeys
        return found

    async def _read(self, url: URL) -> Mapping[str, Any]:
        async with self._session.get(url, allow_redirects=False) as answer:
            body = await body_of(answer, MAX_BYTES)
        if answer.status != 200:
            raise _NoKeys
        value = read_foreign(body)
        if not isinstance(value, dict):
            raise _NoKeys
        return value


class _NoKeys(Exception):
    """What came is no key set."""


def _keys(value: Mapping[str, Any]) -> Mapping[str, SigningKey]:
    """Every RSA key of a set that can be read. Raises _NoKeys for none: an empty set would lock everybody out."""
    listed = value.get("keys")
    read = (_key(item) for item in (listed if isinstance(listed, list) else ()) if isinstance(item, dict))
    found = dict(pair for pair in read if pair)
    if not found:
        raise _NoKeys
    return found


def _key(item: Mapping[str, Any]) -> tuple[str, SigningKey] | None:
    kid, endorsements = item.get("kid"), item.get("endorsements")
    if not isinstance(kid, str) or item.get("kty") != "RSA" or item.get("use", "sig") != "sig":
        return None
    try:
        key = PyJWK(dict(item), algorithm="RS256").key
    except (PyJWTError, ValueError):
        return None
    if not isinstance(key, RSAPublicKey) or key.key_size < SHORTEST:
        return None
    named = endorsements if isinstance(endorsements, list) else []
    return kid, SigningKey(key=key, endorsements=frozenset(name for name in named if isinstance(name, str)))
