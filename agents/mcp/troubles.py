"""What is wrong with a server, in one sentence for whoever runs the bot. Nothing a server says is repeated in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import httpx2
from mcp.shared.exceptions import MCPError

from agents.mcp.errors import Declined, Lost, Unfit, Unreachable
from agents.mcp.servers import Server
from bot.domain.errors import BadSettings, CountersignError


def told(server: Server, error: BaseException) -> CountersignError:
    """*error* as ours, with the server's name in front of its sentence."""
    leaf = _leaf(error)
    if isinstance(leaf, BadSettings):
        return BadSettings([f"mcp: {server.name}: {problem}" for problem in leaf.problems])
    if isinstance(leaf, Unfit):
        return BadSettings([f"mcp: {server.name}: {leaf.told}"])
    if isinstance(leaf, Unreachable):
        return leaf
    for kind, tell in _SENTENCES:
        if isinstance(leaf, kind):
            return Unreachable(server.name, tell(server, leaf))
    return Unreachable(server.name, f"it does not speak MCP as it should ({type(leaf).__name__})")


def _leaf(error: BaseException) -> BaseException:
    """The first thing that went wrong: libraries pack it into groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _is_not_there(server: Server, error: Any) -> str:
    if server.is_local():
        return f"its command {server.command[0]} cannot be started ({getattr(error, 'strerror', None) or 'no reason'})"
    return "nothing answers at its url"


def _broke_off(server: Server, _error: Any) -> str:
    if server.is_local():
        return "its process ended, or said nothing that can be read; run its command by hand to see why"
    return "what answers at its url is no MCP server, or does not let us in"


_Kinds = type[BaseException] | tuple[type[BaseException], ...]
_SENTENCES: Final[Sequence[tuple[_Kinds, Callable[[Server, Any], str]]]] = (
    ((TimeoutError, httpx2.TimeoutException), lambda _server, _error: "it gave no answer in time"),
    ((OSError, httpx2.ConnectError), _is_not_there),
    ((MCPError, Lost, Declined, httpx2.HTTPError), _broke_off),
)
