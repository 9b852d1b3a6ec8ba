"""Which servers there are, how they are reached, and what our own file says of their tools.

    Server(name="tickets", command=("python", "-m", "tickets_server"), env={"TOKEN": "secret:TICKETS_TOKEN"},
           read_only=("search",), tools={"close": Override(risk=Risk.WRITE, idempotent=True)})
    Server(name="docs", url="https://docs.example/mcp", headers={"Authorization": "Bearer secret:DOCS_TOKEN"})

Records only, and `flaws`: what in them cannot be used. A secret is a reference until its server is opened.
Not where they are written (the reader of agents.yml), nor who opens them (opening).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from bot.domain.calls import Risk, canonical
from bot.domain.credentials import REFERENCE
from bot.domain.errors import BadSettings
from bot.domain.wire import Json, Record

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]|_(?=[a-z0-9-])){0,23}")  # no "__", no "_" at the end: see naming
LONGEST: Final = timedelta(hours=1)  # a tool that takes longer is a job, and should be asked about instead
INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")  # what a process of a server sees of ours
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

Resolve = Callable[[str], str]
"""The value of a secret by its name. An empty text, KeyError or LookupError means that it is not set."""


class Override(Record):
    """What our own file says of one tool. It is believed, unless the server itself says that it is worse."""

    risk: Risk | None = None
    idempotent: bool | None = None  # may be started again after a crash
    timeout: timedelta | None = None
    category: str = ""
    touches: tuple[str, ...] = ()
    skip: bool = False  # this tool is not taken over at all


class Server(Record):
    """One server: either `command` (spoken to over its stdin and stdout) or `url` (streamable HTTP)."""

    name: str
    command: tuple[str, ...] = ()  # the program and its arguments
    env: Mapping[str, str] = {}
    cwd: str = ""
    url: str = ""
    headers: Mapping[str, str] = {}
    tools: Mapping[str, Override] = {}  # by the server's own names
    read_only: tuple[str, ...] = ()
    optional: bool = False  # the bot starts without it, too, and then without its tools
    timeout: timedelta = timedelta(seconds=60)  # of each call, unless its override says another one

    def override(self, tool: str) -> Override:
        return self.tools.get(tool, Override())

    def is_local(self) -> bool:
        return bool(self.command)

    def mark(self) -> str:
        """A digest of how it is reached: the same server reached another way is another server."""
        way: Json = {
            "command": list(self.command),
            "cwd": self.cwd,
            "url": self.url,
            "env": dict(self.env),
            "headers": dict(self.headers),
        }
        return hashlib.sha256(canonical(way)).hexdigest()


def resolved(values: Mapping[str, str], resolve: Resolve) -> tuple[dict[str, str], tuple[str, ...]]:
    """*values* with each `secret:NAME` replaced; and the secrets. Raises BadSettings for one that is not set."""
    found: dict[str, str] = {}

    def secret(match: re.Match[str]) -> str:
        name = match[1]
        try:
            value = resolve(name)
        except LookupError:
            value = ""
        if not value:
            raise BadSettings([f"secret:{name} is not set; put {name} into the environment"])
        found[name] = value
        return value

    return {key: REFERENCE.sub(secret, value) for key, value in values.items()}, tuple(found.values())


def flaws(server: Server) -> Iterator[str]:
    """What cannot be used, one sentence each, without the place in a file."""
    if not NAME.fullmatch(server.name):
        yield (f"{server.name!r} cannot be the name of a server: use at most 24 small letters, digits, - and single _")
    if bool(server.command) is bool(server.url):
        yield "a server has either a command or a url"
    yield from _flaws_of_command(server) if server.command else _flaws_of_url(server)
    riskier = {name for name, one in server.tools.items() if one.risk not in (None, Risk.READ)}
    if both := riskier & set(server.read_only):
        yield f"{', '.join(sorted(both))} is called read-only, and given another risk as well"
    for name, time in (("", server.timeout), *((name, one.timeout) for name, one in server.tools.items())):
        if time is not None and not timedelta() < time <= LONGEST:
            yield f"{f'tool {name}: ' if name else ''}a timeout lies between 0 and {LONGEST.total_seconds():g} seconds"


def _flaws_of_command(server: Server) -> Iterator[str]:
    if server.headers:
        yield "headers belong to a url; a command gets its secrets in env"
    if not all(server.command) or any("\0" in part for part in (*server.command, server.cwd)):
        yield "a command is a list of words, none of them empty"
    if any(REFERENCE.search(part) for part in server.command):
        yield "a secret on the command line can be read by everybody on the machine; put it into env"
    for name, value in server.env.items():
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            yield f"env: {name!r} cannot be a variable of the environment"


def _flaws_of_url(server: Server) -> Iterator[str]:
    if server.env or server.cwd:
        yield "env and cwd belong to a command; a url gets its secrets in headers"
    if not server.url:
        return
    try:
        url = urlsplit(server.url)
        _ = url.port  # looked at here: a bad one raises
    except ValueError:
        yield "its url cannot be read"
        return
    if url.scheme not in {"http", "https"} or not url.hostname:
        yield "its url must be an http:// or https:// address"
    if url.username or url.password or REFERENCE.search(server.url):
        yield "its url may not hold a user, password or secret; put it into headers"
    for name, value in server.headers.items():
        if not _HEADER.fullmatch(name) or not value.isascii() or any(char in value for char in "\r\n\0"):
            yield f"headers: {name!r} cannot be a header"
