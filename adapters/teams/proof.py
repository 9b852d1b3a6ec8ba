"""The proof: may this activity be believed, and is it for us?

    header   -> knock: a bearer token: key, signature, times, issuer, audience (else 401): before a body is read
    activity -> check: has it what every activity has? (else 400)
             -> the token once more, and for this activity: same channel, same service URL (else 401)
             -> channel, host and tenant are ours (else 403)

Teams signs with one token for an hour, so a good one is remembered beside the key it was judged by, and only its times
are looked at again. What is ours is told only to who proved to be Teams: everybody else hears 401 (T32). With an
emulator's cloud there are no tokens; the rest holds, and service URLs are loopback. Does not own keys (keys), nor who
the person is (reading).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from adapters.teams.clouds import Cloud, ForeignHost
from adapters.teams.keys import KeySet, SigningKey
from adapters.teams.shapes import CHANNEL_ID, BadPayload, Raw
from bot.domain.errors import BadSettings, Refused

LEEWAY = 300  # seconds that clocks may differ (learn.microsoft.com, bot authentication)
LONGEST_TOKEN = 8_190  # characters; what aiohttp takes as one header
REMEMBERED = 64  # tokens that were good


class NotFromTeams(Refused):
    """No token of Teams for us, or not for this activity: 401."""


class NotForUs(Refused):
    """From Teams, but of a tenant, a channel or a host that is not ours: 403."""


@dataclass(frozen=True, slots=True)
class _Good:
    """A token that was good, by this key."""

    kid: str
    key: SigningKey
    claims: Mapping[str, Any]


class Proof:
    """Judges activities. *keys* is None for an emulator alone; *clock* counts seconds since 1970."""

    def __init__(
        self,
        app_id: str,
        cloud: Cloud,
        keys: KeySet | None,
        tenants: Collection[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock, self._good = clock, OrderedDict[str, _Good]()
        if problems := list(_problems(app_id, cloud, keys, tenants)):
            raise BadSettings(problems)
        self._app_id, self._cloud = app_id, cloud
        self._keys = None if cloud.is_emulator else keys
        self._tenants = frozenset(tenant.casefold() for tenant in tenants)

    async def knock(self, header: str) -> None:
        """Return if this Authorization *header* is one of Teams for us, whatever comes with it.

        Raises NotFromTeams; ChatUnavailable as long as there are no keys.
        """
        if self._keys is not None:
            await self._token(header, self._keys)

    async def check(self, header: str, raw: Raw) -> None:
        """Return if *raw*, which came with this Authorization *header*, is from Teams and for us.

        Raises BadPayload (400), NotFromTeams, NotForUs; ChatUnavailable as long as there are no keys.
        """
        channel, service_url = _text(raw, "channelId"), _text(raw, "serviceUrl")
        _text(raw, "type")
        if self._keys is not None:
            await self._authentic(header, self._keys, channel, service_url)
        self._ours(raw, channel, service_url)

    # -------------------------------------------------------------------- the token

    async def _authentic(self, header: str, keys: KeySet, channel: str, service_url: str) -> None:
        claims, endorsements = await self._token(header, keys)
        if channel not in endorsements:
            raise NotFromTeams("a token's key is not endorsed for the activity's channel")
        if claims.get("serviceurl") != service_url:
            raise NotFromTeams("a token is for another service URL than the activity's")

    async def _token(self, header: str, keys: KeySet) -> tuple[Mapping[str, Any], Collection[str]]:
        """What a token says, and the channels that its key may speak for."""
        token = _bearer(header)
        good = self._good.get(token)
        kid = good.kid if good is not None else _kid(token)
        found = await keys.get(kid)
        if found is None:
            raise NotFromTeams("a token is signed with a key that Teams does not have")
        if good is not None and self._clock() >= int(good.claims["exp"]) + LEEWAY:
            raise NotFromTeams("a token is too old")
        if good is None or good.key is not found:
            good = _Good(kid, found, self._claims(token, found.key))
            self._remember(token, good)
        return good.claims, found.endorsements

    def _remember(self, token: str, good: _Good) -> None:
        self._good[token] = good
        self._good.move_to_end(token)
        if len(self._good) > REMEMBERED:
            self._good.popitem(last=False)

    def _claims(self, token: str, key: Any) -> Mapping[str, Any]:
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self._app_id,
                issuer=self._cloud.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise NotFromTeams(f"a token is not valid: {type(error).__name__}") from None  # its text may hold claims
        return claims

    # ------------------------------------------------------------------------- ours

    def _ours(self, raw: Raw, channel: str, service_url: str) -> None:
        if channel != CHANNEL_ID:  # the same keys sign for Web Chat and Direct Line, whose callers choose who they are
            raise NotForUs(f"an activity of channel {channel[:40]!r}; this bot listens to {CHANNEL_ID} alone")
        try:
            self._cloud.host_of(service_url)
        except ForeignHost as error:
            raise NotForUs(str(error)) from error
        named = _tenants(raw)
        if len(named) > 1:
            raise NotForUs("an activity names two tenants")
        if self._tenants and not (named and named <= self._tenants):
            tenant = next(iter(named), "no tenant")
            raise NotForUs(f"an activity of tenant {tenant[:40]!r}, which is not in TEAMS_TENANTS")


def _problems(app_id: str, cloud: Cloud, keys: KeySet | None, tenants: Collection[str]) -> list[str]:
    if cloud.is_emulator:
        return []
    problems = []
    if not app_id.strip():
        problems.append("TEAMS_APP_ID is empty: without it any bot's token would do. Please set it.")
    if keys is None:
        problems.append("TEAMS_AUTH: without keys anybody could press buttons; only an emulator's cloud has none.")
    if not any(tenant.strip() for tenant in tenants):
        problems.append("TEAMS_TENANTS is empty: any organisation could add this app. Please name yours.")
    return problems


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > LONGEST_TOKEN:
        raise NotFromTeams("there is no bearer token")
    return token


def _kid(token: str) -> str:
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError) as error:  # ValueError: half a character cannot be encoded
        raise NotFromTeams(f"a token cannot be read: {type(error).__name__}") from None
    kid = header.get("kid")
    if header.get("alg") != "RS256" or not isinstance(kid, str) or not kid:
        raise NotFromTeams("a token names no key, or is not signed with RS256")
    return kid


def _text(raw: Raw, name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise BadPayload(f"{name} is missing")
    return value


def _tenants(raw: Raw) -> frozenset[str]:
    """Every tenant that *raw* names, from the raw fields: the library's models lose one of them."""
    tenant = _part(_part(raw, "channelData"), "tenant").get("id")
    other = _part(raw, "conversation").get("tenantId")
    return frozenset(name.casefold() for name in (tenant, other) if isinstance(name, str) and name)


def _part(raw: Raw, name: str) -> Raw:
    value = raw.get(name)
    return value if isinstance(value, dict) else {}
