"""What one server offers just now, and what of it is taken over as a tool of ours.

listing (as the server sent it) -> `Offer`: its spec, its schema, the version that every signature names

The version is the server's name and version, and a digest of how the server is reached and of all that it says of the
tool. Whatever of this changes, it is another tool, and a call signed for the old one does not run. Everything a server
says is data: bounded, on one line, with what is invisible spelled out. Its instructions are not read at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agents.mcp.errors import Unfit
from agents.mcp.hints import Hints, judged
from agents.mcp.naming import tool_name
from agents.mcp.schema import Schema
from agents.mcp.servers import Server
from bot.domain.calls import ToolSpec, canonical
from bot.domain.errors import BadJson
from bot.domain.inert import show_line
from bot.domain.wire import Json, replace

DESCRIPTION_MOST: Final = 2_000  # characters
NAME_MOST: Final = 40  # characters of a server's name and of its version
SAID_NOTHING: Final = "(The server does not say what this does.)"
NO_LONGER: Final = "(The server does not offer this any more.)"


@dataclass(frozen=True, slots=True)
class Foreign:
    """One tool as the server lists it: nothing of it is believed yet."""

    name: str
    title: str
    description: str
    schema: Mapping[str, Any]
    hints: Hints


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything a server offers, and who it says it is."""

    server: str
    version: str
    tools: Mapping[str, Foreign]


@dataclass(frozen=True, slots=True)
class Offer:
    """One foreign tool, taken over. `raised` says how the server contradicts our own file. `schema` is None if gone."""

    spec: ToolSpec
    schema: Schema | None
    raised: str = ""


def taken_over(server: Server, listing: Listing, tool: str) -> Offer:
    """*tool* as a tool of ours. Raises Unfit, with a sentence that begins with the tool."""
    found, name = listing.tools.get(tool), tool_name(server.name, tool)
    if found is None or name is None:
        raise Unfit("it is not offered")
    try:
        schema = Schema(found.schema)
    except Unfit as error:
        raise Unfit(f"its schema {error.told}") from None
    risk, is_idempotent, raised = judged(server, tool, found.hints)
    ours = server.override(tool)
    spec = ToolSpec(
        name=name,
        version=_version(server, listing, found),
        description=_line(found.description or found.title, DESCRIPTION_MOST) or SAID_NOTHING,
        schema=schema.text,
        risk=risk,
        is_idempotent=is_idempotent,
        timeout=ours.timeout or server.timeout,
        touches=ours.touches,
        category=ours.category,
    )
    return Offer(spec, schema, raised)


def gone(last: Offer) -> Offer:
    """What stands for a tool that the server has taken back, or changed into one that cannot be used."""
    version = last.spec.version if last.schema is None else f"{last.spec.version} (gone)"
    return Offer(replace(last.spec, version=version, description=NO_LONGER), None)


def _version(server: Server, listing: Listing, tool: Foreign) -> str:
    said: Json = {
        "reached": server.mark(),
        "server": [listing.server, listing.version],
        "tool": [tool.name, tool.title, tool.description, dict(tool.schema)],
        "hints": list(tool.hints),
    }
    try:
        mark = hashlib.sha256(canonical(said)).hexdigest()[:16]
    except BadJson:
        raise Unfit("its description cannot be written as JSON") from None
    return " ".join(filter(None, (_line(listing.server, NAME_MOST), _line(listing.version, NAME_MOST), mark)))


def _line(text: str, most: int) -> str:
    """Foreign text on one line, nothing in it invisible."""
    line = show_line(" ".join(text[: 2 * most].split()))
    return line if len(line) <= most else f"{line[: most - 1]}…"
