"""The clouds of Microsoft, as a table: who signs what Teams sends us, where our own tokens come from, and where they
may go.

    a service URL -> Cloud.host_of() -> its host, if our token may be sent there | ForeignHost

Whoever could choose a service URL would be sent our token, so hosts are listed one by one (T24). Never by their ending:
anybody can register below trafficmanager.net. Does not own tokens (tokens), nor calls (connector).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, urlsplit

from bot.domain.errors import BadSettings, Refused

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
GCC = "smba.infra.gcc.teams.microsoft.com"

_PLAIN = re.compile(r"https?://[!-~]+")  # of anything else readers disagree: some drop a line break, others do not
_NOWHERE = re.compile(r"[\\?#@]")  # no part of a service URL; each has moved somebody's idea of the host
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


class ForeignHost(Refused):
    """A service URL that is not on the list. Nothing was sent there."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"{url[:120]!r} is no service URL of this cloud; nothing was sent there. If it should be one, "
            "choose another TEAMS_CLOUD or name its host in TEAMS_SERVICE_HOSTS."
        )
        self.url = url


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """One cloud. *hosts* are reached by https on its own port; *origins* (scheme, host, port) exactly as configured."""

    name: str
    issuer: str  # of the tokens that Teams sends us
    metadata: str  # OpenID metadata of that issuer
    login: str  # the origin that gives us our own tokens
    scope: str  # of our token for the Bot Connector
    graph: str  # the origin of Microsoft Graph; its scope is `<graph>/.default`
    hosts: frozenset[str]
    origins: frozenset[str] = field(default=frozenset())
    service_url: str  # where nothing was heard from a tenant yet
    is_emulator: bool = False  # no tokens either way, and nothing but loopback

    def host_of(self, url: str) -> str:
        """The host of service URL *url*, in lower case. Raises ForeignHost if nothing of ours may go there."""
        parts = _split(url)
        if parts is None or not self._is_ours(parts):
            raise ForeignHost(url)
        return parts.hostname or ""

    def other_host(self, url: str) -> str | None:
        """*url* on the host of GCC, for a tenant that the public one does not serve. None where it is not listed."""
        parts = urlsplit(url)
        if GCC not in self.hosts or self.is_emulator or parts.hostname == GCC:
            return None
        return parts._replace(scheme="https", netloc=GCC).geturl()

    def _is_ours(self, parts: SplitResult) -> bool:
        host = parts.hostname or ""
        if self.is_emulator:
            return host in LOOPBACK
        is_listed = parts.scheme == "https" and parts.port in (None, 443) and host in self.hosts
        return is_listed or _origin(parts) in self.origins


_PUBLIC = Cloud(
    name="public",
    issuer="https://api.botframework.com",
    metadata="https://login.botframework.com/v1/.well-known/openidconfiguration",
    login="https://login.microsoftonline.com",
    scope="https://api.botframework.com/.default",
    graph="https://graph.microsoft.com",
    hosts=frozenset({"smba.trafficmanager.net", "smba.onyx.prod.teams.trafficmanager.net"}),
    service_url="https://smba.trafficmanager.net/teams/",
)
_US = Cloud(
    name="usgov",
    issuer="https://api.botframework.us",
    metadata="https://login.botframework.azure.us/v1/.well-known/openidconfiguration",
    login="https://login.microsoftonline.us",
    scope="https://api.botframework.us/.default",
    graph="https://graph.microsoft.us",
    hosts=frozenset({"smba.infra.gov.teams.microsoft.us", "smba.infra.dod.teams.microsoft.us"}),
    service_url="https://smba.infra.gov.teams.microsoft.us/teams/",
)
CLOUDS: Mapping[str, Cloud] = {
    "public": _PUBLIC,
    "gcc": replace(_PUBLIC, name="gcc", hosts=_PUBLIC.hosts | {GCC}, service_url=f"https://{GCC}/teams/"),
    "usgov": _US,  # GCC High and DoD
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What settings say instead of the table. Empty: the table's word stands.

    *hosts* adds to the list: a name means https on its own port; `https://proxy.example:8443` exactly that origin.
    """

    metadata: str = ""
    login: str = ""
    issuer: str = ""
    scope: str = ""
    graph: str = ""
    service_url: str = ""
    hosts: tuple[str, ...] = ()


def cloud_of(name: str, changes: Changes | None = None, *, is_emulator: bool = False) -> Cloud:
    """The cloud called *name*, with *changes*. Raises BadSettings that names every mistake."""
    changes = changes or Changes()
    if name not in CLOUDS:
        raise BadSettings([f"TEAMS_CLOUD: {name[:40]!r} is unknown. Please set one of {', '.join(sorted(CLOUDS))}."])
    if problems := list(_problems(changes)):
        raise BadSettings(problems)
    given = {field: getattr(changes, field) for field in (*_URLS, "issuer", "scope") if getattr(changes, field)}
    for origin in {"login", "graph"} & given.keys():
        given[origin] = given[origin].rstrip("/")
    names = frozenset(host.lower() for host in changes.hosts if "//" not in host)
    origins = frozenset(_origin(parts) for host in changes.hosts if "//" in host and (parts := _split(host)))
    cloud = CLOUDS[name]
    return replace(cloud, **given, hosts=cloud.hosts | names, origins=origins, is_emulator=is_emulator)


_URLS: Mapping[str, str] = {
    "metadata": "TEAMS_OPENID_METADATA",
    "login": "TEAMS_LOGIN_URL",
    "graph": "TEAMS_GRAPH_URL",
    "service_url": "TEAMS_SERVICE_URL",
}


def _problems(changes: Changes) -> Iterable[str]:
    for name, setting in _URLS.items():
        if (url := getattr(changes, name)) and not _is_safe(url):
            yield f"{setting}: {url[:80]!r} is not an https URL. Only a loopback address may be http."
    for host in changes.hosts:
        is_good = _is_safe(host) if "//" in host else _HOST.fullmatch(host.lower())
        if not is_good:
            yield (
                f"TEAMS_SERVICE_HOSTS: {host[:80]!r} is neither a host name nor an https origin. "
                "Please name each host in full; endings and stars are not taken."
            )


def _is_safe(url: str) -> bool:
    parts = _split(url)
    return parts is not None and (parts.scheme == "https" or parts.hostname in LOOPBACK)


def _split(url: str) -> SplitResult | None:
    """*url* in parts, or None where two readers could see two hosts in it."""
    if not isinstance(url, str) or not _PLAIN.fullmatch(url) or _NOWHERE.search(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is none
    except ValueError:
        return None
    return parts if parts.hostname else None


def _origin(parts: SplitResult) -> str:
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{parts.hostname}:{port}"
