"""The servers of tools in agents.yml: the `mcp` section -> records of agents/mcp.

    mcp:
      tickets: {command: [python, -m, tickets_server], env: {TOKEN: "secret:TICKETS_TOKEN"}, read_only: [search]}
      docs:    {url: "https://docs.example/mcp", headers: {Authorization: "Bearer secret:DOCS_TOKEN"}, optional: true,
                tools: {publish: {risk: write, idempotent: true, timeout: 2m, category: web, touches: [mail]},
                        wipe: {skip: true}}}

Reads alone. What a server is (agents/mcp/servers) and who opens it (rules) stand elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from yaml.nodes import Node, ScalarNode

from agents.mcp.servers import Override, Server, flaws
from bot.agentskinds import text, texts
from bot.domain.calls import Risk
from bot.yamlfile import Reader

SERVER_KEYS = (
    *("command", "env", "cwd", "url", "headers"),
    *("read_only", "tools", "optional", "timeout"),
)
TOOL_KEYS = ("risk", "idempotent", "timeout", "category", "touches", "skip")
GUARDED = re.compile(r"token|key|secret|password|passwd|credential|authorization|cookie", re.IGNORECASE)


def read_servers(node: Node, reader: Reader, into: dict[str, tuple[Server, str]]) -> None:
    """Each server with its place. What a server itself finds wrong with its record is noted there."""
    for name, (key, value) in (reader.fields(node, "mcp") or {}).items():
        if name in into:
            reader.note(key, f"server {name!r} is there twice; the first is at {into[name][1]}")
            continue
        server = _server(name, value, reader)
        if server is not None:
            for told in flaws(server):
                reader.note(key, f"mcp server {name}: {told}")
            into[name] = (server, reader.spot(key))


def _server(name: str, node: Node, reader: Reader) -> Server | None:
    what = f"mcp server {name}"
    fields = reader.fields(node, what, SERVER_KEYS)
    if fields is None:
        return None
    at = {key: value for key, (_, value) in fields.items()}
    found: dict[str, Any] = {}
    for key in ("command", "read_only"):
        if key in at:
            found[key] = texts(reader, at[key], f"{key} of {what}")
    for key in ("cwd", "url"):
        if key in at:
            found[key] = text(reader, at[key], f"{key} of {what}") or ""
    for key in ("env", "headers"):
        if key in at:
            found[key] = _guarded(at[key], f"{key} of {what}", reader)
    if "optional" in at:
        found["optional"] = bool(reader.flag(at["optional"], f"optional of {what}"))
    if "timeout" in at and (time := reader.span(at["timeout"], f"timeout of {what}")):
        found["timeout"] = time
    if "tools" in at:
        tools = reader.fields(at["tools"], f"tools of {what}") or {}
        found["tools"] = {
            tool: _override(value, f"tool {tool} of {what}", reader) for tool, (_, value) in tools.items()
        }
    return Server(name=name, **found)


def _guarded(node: Node, what: str, reader: Reader) -> Mapping[str, str]:
    """Texts by name. What is secret by its name must be a reference: its value is never repeated."""
    found: dict[str, str] = {}
    for name, (_, value) in (reader.fields(node, what) or {}).items():
        written = value.value if isinstance(value, ScalarNode) else None
        if written is None or value.tag != "tag:yaml.org,2002:str":
            reader.note(value, f"{name} in {what} must be text, in quotes")
        elif GUARDED.search(name) and "secret:" not in written:
            reader.note(
                value, f'{name} in {what} must be "secret:NAME", a variable of the environment; never the value'
            )
        else:
            found[name] = written
    return found


def _override(node: Node, what: str, reader: Reader) -> Override:
    fields = reader.fields(node, what, TOOL_KEYS) or {}
    at = {key: value for key, (_, value) in fields.items()}
    risk = reader.choice(at["risk"], f"risk of {what}", tuple(Risk)) if "risk" in at else None
    flags = {key: reader.flag(at[key], f"{key} of {what}") for key in ("idempotent", "skip") if key in at}
    time: timedelta | None = reader.span(at["timeout"], f"timeout of {what}") if "timeout" in at else None
    return Override(
        risk=Risk(risk) if risk else None,
        idempotent=flags.get("idempotent"),
        timeout=time,
        category=(text(reader, at["category"], f"category of {what}") or "") if "category" in at else "",
        touches=texts(reader, at["touches"], f"touches of {what}") if "touches" in at else (),
        skip=bool(flags.get("skip")),
    )
