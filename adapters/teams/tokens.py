"""Our own tokens: one for each scope, asked for once however many wait, renewed before it ends.

    get(scope) -> a token with five minutes left: at once
               -> else one request, all others wait for it -> token | NoToken: the remedy, if there is one

A token that a service did not take is named as `refused=`: the first who says so has a new one fetched, the others get
that one. Does not own where a token may go (clouds, connector), nor what proves who we are (credentials).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import aiohttp
import structlog

from adapters.teams.bodies import body_of
from adapters.teams.clouds import Cloud
from adapters.teams.credentials import Credential
from adapters.teams.shapes import PLATFORM
from bot.domain.errors import BadJson, BadSettings, ChatUnavailable
from bot.domain.wire import Json, read_signed

log = structlog.get_logger()

DEADLINE = 10.0  # seconds
RENEW = 300.0  # seconds before its end from which on a token is renewed
SHORTEST = 60.0  # seconds that a token is used at least, however short it lives: never a request for every call
REST = 5.0  # seconds until Entra is asked again after it did not answer
STOPPED = 60.0  # seconds, after it said no: an operator has to look
MOST = 1 << 16  # bytes of an answer


class NoToken(ChatUnavailable):
    """Entra gave no token. `remedy` says what an operator has to do; empty if only waiting helps."""

    def __init__(self, why: str, remedy: str, retry_after: float) -> None:
        super().__init__(PLATFORM, f"Entra gave no token ({why}). {remedy}".rstrip(), retry_after)
        self.reason, self.remedy = why, remedy


# What Entra's codes say about settings (learn.microsoft.com, "Microsoft Entra authentication and authorization error
# codes"). Every other code is Entra's own trouble, or an unknown one.
REMEDIES: Mapping[int, str] = {
    7000215: "TEAMS_APP_PASSWORD is not a secret of this app; please set the Value of one, not its Secret ID.",
    7000222: "TEAMS_APP_PASSWORD has expired; please make a new secret in Entra and set it.",
    7000216: "Neither TEAMS_APP_PASSWORD nor TEAMS_APP_CERTIFICATE reached Entra; please set one of them.",
    7000218: "Neither TEAMS_APP_PASSWORD nor TEAMS_APP_CERTIFICATE reached Entra; please set one of them.",
    700027: "TEAMS_APP_CERTIFICATE is not registered for this app, or has expired; please upload it in Entra.",
    700024: "Entra refuses the time in our certificate's proof; please set this machine's clock.",
    700016: "TEAMS_APP_ID is unknown in TEAMS_TENANT_ID; a single-tenant app needs the tenant it is registered in.",
    700211: "TEAMS_APP_CERTIFICATE's proof is for another issuer; please check TEAMS_APP_ID.",
    7000112: "This app is disabled in Entra; please have it enabled, or set another TEAMS_APP_ID.",
    90002: "TEAMS_TENANT_ID is no tenant of this cloud; please check it, and TEAMS_CLOUD.",
    900023: "TEAMS_TENANT_ID is no tenant id; please set the GUID that Entra shows as Directory (tenant) ID.",
    900382: "TEAMS_TENANT_ID belongs to another cloud; please check TEAMS_CLOUD.",
    500011: "This cloud does not know what the token is for; please check TEAMS_CLOUD.",
    70011: "This cloud does not know what the token is for; please check TEAMS_CLOUD.",
    1002012: "This cloud does not know what the token is for; please check TEAMS_CLOUD.",
    53003: "A Conditional Access policy keeps this app out; please ask the tenant's administrator.",
    530034: "A Conditional Access policy keeps this app out; please ask the tenant's administrator.",
}
NO_CODE = "Entra refuses this app; please check TEAMS_APP_ID, TEAMS_TENANT_ID and the secret or certificate."
REFUSALS = frozenset({"invalid_client", "unauthorized_client", "invalid_request", "invalid_scope", "invalid_resource"})


@dataclass(slots=True)
class _Slot:
    """One scope: its token, and what became of the last request."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: str = ""
    renew_at: float = 0.0
    ends_at: float = 0.0
    failure: NoToken | None = None
    again_at: float = 0.0


class Tokens:
    """The tokens of one app in one tenant. *clock* counts seconds."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        cloud: Cloud,
        tenant: str,
        credential: Credential,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session, self._credential, self._clock = session, credential, clock
        self._url = f"{cloud.login}/{quote(tenant, safe='')}/oauth2/v2.0/token"
        self._slots: dict[str, _Slot] = {}

    async def prove(self, scope: str) -> None:
        """Ask for a token once, so that a wrong setting shows at the start and not at the first card.

        Raises BadSettings with the remedy, NoToken if Entra does not answer.
        """
        try:
            await self.get(scope)
        except NoToken as error:
            if error.remedy:
                raise BadSettings([error.remedy]) from error
            raise

    async def get(self, scope: str, *, refused: str = "") -> str:
        """A token for *scope* that is not *refused*. Raises NoToken; takes DEADLINE at most."""
        slot = self._slots.setdefault(scope, _Slot())
        if self._is_fresh(slot, refused):
            return slot.token
        async with slot.lock:
            if self._is_fresh(slot, refused):
                return slot.token
            return await self._renewed(slot, scope, refused)

    def _is_fresh(self, slot: _Slot, refused: str) -> bool:
        return bool(slot.token) and slot.token != refused and self._clock() < slot.renew_at

    async def _renewed(self, slot: _Slot, scope: str, refused: str) -> str:
        """A new token; the old one as long as it is good, if there is none. Under the slot's lock."""
        is_good = bool(slot.token) and slot.token != refused and self._clock() < slot.ends_at
        if slot.failure is None or self._clock() >= slot.again_at:
            await self._try(slot, scope)
        if slot.failure is None or is_good:
            return slot.token
        failure, rest = slot.failure, max(slot.again_at - self._clock(), 0.1)
        raise NoToken(failure.reason, failure.remedy, rest) from failure

    async def _try(self, slot: _Slot, scope: str) -> None:
        asked_at = self._clock()
        try:
            slot.token, lives = await self._ask(scope)
        except NoToken as failure:
            slot.failure, slot.again_at = failure, self._clock() + (failure.retry_after or REST)
            tell = log.error if failure.remedy else log.warning
            tell("teams_no_token", scope=scope, why=failure.reason, remedy=failure.remedy)
        else:
            slot.failure = None
            slot.renew_at = asked_at + max(lives - RENEW, min(SHORTEST, lives))
            slot.ends_at = asked_at + lives

    async def _ask(self, scope: str) -> tuple[str, float]:
        """A token and the seconds it lives."""
        form = {"grant_type": "client_credentials", "scope": scope, **self._credential.form(self._url)}
        try:
            async with (
                asyncio.timeout(DEADLINE),
                self._session.post(self._url, data=form, allow_redirects=False) as answer,
            ):
                status, body = answer.status, await body_of(answer, MOST)
        except (aiohttp.ClientError, OSError) as error:
            raise NoToken(type(error).__name__, "", REST) from error
        said = _object(body)
        token, lives = said.get("access_token"), said.get("expires_in")
        if status == 200 and isinstance(token, str) and token and isinstance(lives, int) and lives > 0:
            return token, float(lives)
        raise _sorted(status, said)


def _sorted(status: int, said: Mapping[str, Json]) -> NoToken:
    """What an answer without a token stands for: a mistake in the settings, or a time to wait."""
    listed = said.get("error_codes")
    codes = [code for code in (listed if isinstance(listed, list) else ()) if isinstance(code, int)]
    error = said.get("error")
    why = f"HTTP {status}" + "".join(f", AADSTS{code}" for code in codes[:3])
    remedy = next((REMEDIES[code] for code in codes if code in REMEDIES), "")
    if not remedy and error in REFUSALS and 400 <= status < 429:
        remedy = NO_CODE
    return NoToken(why, remedy, STOPPED if remedy else REST)


def _object(body: bytes) -> Mapping[str, Json]:
    try:
        value = read_signed(body)
    except BadJson:
        return {}
    return value if isinstance(value, dict) else {}
