"""What settings name outside of the bot, tried: an address, a database, a folder, a program, a server, a model.

    settings -> missing() -> a sentence for each that is not there        models_tried() -> one for each model

For the doctor. Every look is cheap and changes nothing: a port is bound for a moment, a connection opened and closed,
a list of models read. What goes through somebody's proxy (remote repositories, forges) is not tried.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from agents.model import ChatCompletions
from agents.toolbox import ToolProblem
from agents.tools.gitrepo import Source
from agents.tools.postgres import Database
from bot.config import Settings
from bot.domain.errors import BadSettings
from bot.modelkeys import Endpoint
from bot.services import VARIABLE, read_services

WITHIN = 3.0  # seconds for one connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of a look. It is weak where it may be right all the same."""

    text: str
    is_bad: bool = False
    is_weak: bool = False


async def missing(settings: Settings) -> AsyncIterator[str]:
    """One sentence for everything that a setting names and that is not there."""
    async for told in _address(settings.host):
        yield told
    async for told in _database(settings):
        yield told
    if settings.smtp_host and not await _answers(settings.smtp_host, settings.smtp_port):
        where = f"{settings.smtp_host}, port {settings.smtp_port}, cannot be reached"
        yield f"SMTP_HOST: {where}; mend SMTP_HOST or SMTP_PORT, or start the server"
    for told in (*_repos(settings), *_services(settings)):
        yield told


async def models_tried(ways: Mapping[str, Endpoint]) -> list[Tried]:
    """Each model, by the name that agents use ("" is the default): whether its endpoint lets us in."""
    async with asyncio.TaskGroup() as group:
        looks = [
            group.create_task(_model(ref, way, is_ours=way.base_url == ways[""].base_url), name=f"look at model {ref}")
            for ref, way in ways.items()
        ]
    return [look.result() for look in looks]


async def _model(ref: str, way: Endpoint, *, is_ours: bool) -> Tried:
    """*is_ours*: it is spoken to at the endpoint of the environment."""
    host, named = urlsplit(way.base_url).hostname, f"{ref} is {way.name}" if ref else f"is {way.name}"
    told = f"the model {ref} ({way.name})" if ref else f"the model {way.name}"
    url, key = ("OPENAI_BASE_URL", "OPENAI_API_KEY") if is_ours else ("its base_url", "its key")
    name = "its name in agents.yml" if ref else "MODEL"
    async with ChatCompletions(base_url=way.base_url, api_key=way.key, name=way.name) as model:
        seen = await model.seen()
    if seen == "away":
        return Tried(text=f"{told} at {host} cannot be reached; mend {url}, or the network here", is_bad=True)
    if seen == "shut":
        return Tried(text=f"{told} at {host}: its key is not accepted; mend {key}", is_bad=True)
    if seen == "unlisted":
        return Tried(text=f"{told} at {host} is not among those it lists; mend {name}", is_weak=True)
    return Tried(text=f"the model {named} at {host}")


async def _address(host: str) -> AsyncIterator[str]:
    """Whether a server could listen there: a free port is bound for a moment."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, 0, type=socket.SOCK_STREAM)
        family, kind, protocol, _, where = found[0]
        with socket.socket(family, kind, protocol) as one:
            one.bind(where)
    except OSError as error:
        remedy = "set it to 127.0.0.1, to 0.0.0.0 for all of them, or to one of them"
        yield f"COUNTERSIGN_HOST {host} is no address of this machine ({error.strerror}); {remedy}"


async def _database(settings: Settings) -> AsyncIterator[str]:
    if settings.sql_url is None:
        return
    read = settings.sql_read_url.get_secret_value() if settings.sql_read_url else ""
    try:
        database = Database(settings.sql_url.get_secret_value(), read)
    except ValueError:
        return  # told where the tools are made
    try:
        await database.read("SELECT 1")
    except ToolProblem as problem:
        yield f"{'COUNTERSIGN_SQL_READ_URL' if read else 'COUNTERSIGN_SQL_URL'}: {problem}"
    if read:
        try:
            await database.tables(())
        except ToolProblem as problem:
            yield f"COUNTERSIGN_SQL_URL: {problem}"


async def _answers(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(WITHIN):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True


def _repos(settings: Settings) -> Iterator[str]:
    for text in settings.repos:
        try:
            source = Source.read(text)
        except ValueError:
            continue  # told where the tools are made
        if source.where.startswith("/") and not Path(source.where).is_dir():
            yield f"COUNTERSIGN_REPOS: {source.name}: there is no folder {source.where}; mend it, or clone it there"


def _services(settings: Settings) -> Iterator[str]:
    try:
        services = read_services(settings.services)
    except BadSettings:
        return  # told where the tools are made
    for name, service in services.items():
        for part, command in (("restart", service.restart), ("status", service.status)):
            if command and shutil.which(command[0]) is None:
                remedy = "install it, or write its whole path"
                yield f"{VARIABLE}: {part} of {name}: there is no program {command[0]}; {remedy}"
        if service.config is not None and not service.config.is_file():
            yield f"{VARIABLE}: config of {name}: there is no file {service.config}; mend the path"
