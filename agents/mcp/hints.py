"""What a server says of its tools, held against what our own file says. A hint may only raise a risk.

A tool our file says nothing of cannot be taken back (Risk.IRREVERSIBLE), whatever the server calls it. What our file
calls harmless is believed, unless the server itself says that it is not: then the worse of the two holds, and a line
in the log says so.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from agents.mcp.servers import Server
from bot.domain.calls import Risk

_RANK: Final = {Risk.READ: 0, Risk.WRITE: 1, Risk.IRREVERSIBLE: 2}


class Hints(NamedTuple):
    """What the server says; None: nothing."""

    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None


class Judged(NamedTuple):
    risk: Risk
    is_idempotent: bool
    raised: str = ""  # how the server contradicts our file, in one sentence


def judged(server: Server, tool: str, hints: Hints) -> Judged:
    """What *tool* counts as here."""
    ours = server.override(tool)
    declared = ours.risk or (Risk.READ if tool in server.read_only else Risk.IRREVERSIBLE)
    risk = max(declared, _least(hints), key=_RANK.__getitem__)
    is_idempotent = bool(ours.idempotent) and hints.idempotent is not False
    told = []
    if risk is not declared:
        said = "it destroys" if hints.destructive else "it changes things"
        told.append(f"our file calls it {declared}, but the server says that {said}; it counts as {risk}")
    if ours.idempotent and not is_idempotent:
        told.append("our file calls it idempotent, but the server says that it is not; it is never started again")
    return Judged(risk, is_idempotent, "; ".join(told))


def _least(hints: Hints) -> Risk:
    """The risk that the server admits."""
    if hints.destructive:
        return Risk.IRREVERSIBLE
    return Risk.WRITE if hints.read_only is False else Risk.READ
