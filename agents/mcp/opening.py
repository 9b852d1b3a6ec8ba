"""All servers of a bot: opened together, refused together, closed together.

    async with opened(servers, resolve, taken=names) as tools: ...      # the roof, for as long as the bot runs
    for finding in await examined(servers, resolve): ...                # the doctor

A server that cannot be used at the start keeps the bot from starting, with one sentence for everything that is wrong;
an `optional` one that cannot be *reached* does not: then its tools are missing until the bot is started again, because
the policy was checked against the tools there are. The library is loaded when the first server is.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import structlog

from agents.mcp.errors import Unfit, Unreachable
from agents.mcp.naming import clashes, shown
from agents.mcp.servers import Resolve, Server, flaws
from bot.domain.calls import Risk
from bot.domain.errors import BadSettings
from bot.domain.ports import Tool

if TYPE_CHECKING:
    from agents.mcp.session import Pace, Session

log = structlog.stdlib.get_logger(__name__)


class Found(NamedTuple):
    """What the doctor says of one server."""

    server: str
    text: str
    is_bad: bool = False
    is_weak: bool = False


@asynccontextmanager
async def opened(
    servers: Sequence[Server], resolve: Resolve, *, taken: Collection[str] = (), pace: Pace | None = None
) -> AsyncIterator[tuple[Tool, ...]]:
    """The tools of *servers*, until the context ends; then every process and connection is closed.

    *taken* are the names of our own tools. Raises BadSettings with every problem, one sentence each.
    """
    _must_be_sound(servers)
    if not servers:
        yield ()
        return
    async with _sessions(servers, resolve, pace) as sessions:
        problems: list[str] = []
        tools: list[Tool] = []
        for session in sessions:
            try:
                await session.ready()
                tools += _tools(session, taken)
            except Unreachable as error:
                if session.server.optional:
                    log.warning("mcp_left_out", server=session.server.name, why=error.told)
                else:
                    problems.append(_away(error))
            except BadSettings as error:
                problems += error.problems
        if problems:
            raise BadSettings(problems)
        yield tuple(tools)


async def examined(
    servers: Sequence[Server], resolve: Resolve, *, taken: Collection[str] = (), pace: Pace | None = None
) -> tuple[Found, ...]:
    """One sentence for each server: what it offers, or what is wrong with it. Whatever was opened is closed again."""
    found = [Found(one.name, f"mcp: {one.name}: {told}", is_bad=True) for one in servers for told in flaws(one)]
    sound = [one for one in servers if not any(flaws(one))]
    if not sound:
        return tuple(found)
    async with _sessions(sound, resolve, pace) as sessions:
        for session in sessions:
            found += [found async for found in _examined(session, taken)]
    return tuple(found)


# ------------------------------------------------------------------- opening


def _must_be_sound(servers: Sequence[Server]) -> None:
    problems = [f"mcp: {server.name}: {told}" for server in servers for told in flaws(server)]
    names = [server.name for server in servers]
    problems += [f"mcp: {name}: two servers have this name" for name in sorted(set(names)) if names.count(name) > 1]
    if problems:
        raise BadSettings(problems)


@asynccontextmanager
async def _sessions(
    servers: Sequence[Server], resolve: Resolve, pace: Pace | None
) -> AsyncIterator[tuple[Session, ...]]:
    """All at once: the slowest decides how long it takes. Each has a task that is ended with the context."""
    from agents.mcp.session import Pace, Session

    sessions = tuple(Session(server, resolve, pace or Pace()) for server in servers)
    try:
        async with asyncio.TaskGroup() as group:
            for session in sessions:
                session.employ(group.create_task(session.kept(), name=f"MCP server {session.server.name}"))
            try:
                yield sessions
            finally:
                for session in sessions:
                    session.close()
    except ExceptionGroup as packed:  # what was raised in between: `kept` itself raises nothing
        raise packed.exceptions[0] from None


def _away(error: Unreachable) -> str:
    return f"mcp: {error}; make it reachable, or say that it is optional"


def _tools(session: Session, taken: Collection[str]) -> list[Tool]:
    """Raises BadSettings with everything that keeps this server's tools from being ours."""
    from agents.mcp.tool import ForeignTool

    server, listing = session.server, session.listing
    assert listing is not None, "it is ready"
    wanted = [name for name in listing.tools if not server.override(name).skip]
    problems = [*_misnamed(server, listing.tools), *clashes(server.name, wanted, taken)]
    tools: list[Tool] = []
    for name in wanted if not problems else ():
        try:
            tools.append(ForeignTool(session, name))
        except Unfit as error:
            problems.append(f"its tool {shown(name)} cannot be used: {error.told}; skip it")
    if problems:
        raise BadSettings([f"mcp: {server.name}: {told}" for told in problems])
    return tools


def _misnamed(server: Server, offered: Collection[str]) -> Iterator[str]:
    """What our own file says of tools that the server does not have: most likely they are misspelt."""
    for name in dict.fromkeys((*server.read_only, *server.tools)):
        if name not in offered:
            near = difflib.get_close_matches(name, [*offered], n=1)
            yield f"it has no tool {shown(name)}" + (f"; did you mean {shown(near[0])}?" if near else "")


async def _examined(session: Session, taken: Collection[str]) -> AsyncIterator[Found]:
    name = session.server.name
    try:
        await session.ready()
        tools = _tools(session, taken)
    except Unreachable as error:
        if session.server.optional:
            yield Found(name, f"mcp: {error}; it is optional, so the bot starts without its tools", is_weak=True)
        else:
            yield Found(name, _away(error), is_bad=True)
        return
    except BadSettings as error:
        for problem in error.problems:
            yield Found(name, problem, is_bad=True)
        return
    reading = sum(tool.spec.risk is Risk.READ for tool in tools)
    listing = session.listing
    says = (listing.server, listing.version) if listing is not None else ()
    who = f" ({' '.join(shown(part) for part in says if part)})" if any(says) else ""
    yield Found(name, f"mcp: {name}{who} offers {len(tools)} tools, {reading} of them read-only")
    for tool in tools:
        if raised := session.raised(tool.spec.name):
            yield Found(name, f"mcp: {tool.spec.name}: {raised}", is_weak=True)
    if session.server.headers and session.server.url.startswith("http://"):
        yield Found(name, f"mcp: {name}: its headers travel unencrypted; use https", is_weak=True)
