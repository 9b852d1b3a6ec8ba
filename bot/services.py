"""COUNTERSIGN_SERVICES as somebody wrote it: which services there are, and what may be done with each.

    {web: {restart: [systemctl, restart, web], status: [systemctl, is-active, web], config: /etc/web.yml}}

YAML or JSON. Owns the form and its mistakes; not what restarting is (agents/tools/services).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from agents.tools.services import Service
from bot.domain.errors import BadSettings

VARIABLE = "COUNTERSIGN_SERVICES"
COMMANDS = ("restart", "status")
PARTS = (*COMMANDS, "config")


def read_services(text: str) -> dict[str, Service]:
    """The services that *text* declares. Raises BadSettings with every mistake, one sentence each."""
    try:
        declared = yaml.safe_load(text)
    except yaml.YAMLError:
        raise BadSettings([f"{VARIABLE} is neither YAML nor JSON"]) from None
    if declared is None:
        return {}
    if not isinstance(declared, dict):
        raise BadSettings([f"{VARIABLE} must name services: {{web: {{restart: [systemctl, restart, web]}}}}"])
    if problems := [f"{VARIABLE}: {told}" for name, parts in declared.items() for told in _problems(name, parts)]:
        raise BadSettings(problems)
    return {name: _service(parts) for name, parts in declared.items()}


def _problems(name: object, parts: object) -> Iterator[str]:
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 80:
        yield f"{str(name)[:80]!r} cannot be the name of a service"
        return
    if not isinstance(parts, dict) or not parts:
        yield f"{name} needs restart, config or both"
        return
    yield from (f"{name} has no part {part}; there are {', '.join(PARTS)}" for part in parts if part not in PARTS)
    for part in COMMANDS:
        if part in parts and not _is_command(parts[part]):
            yield f"{part} of {name} must be a list: the program, then each of its arguments"
    if not {"restart", "config"} & set(parts):
        yield f"{name} needs restart, config or both"
    if "config" in parts and not (isinstance(parts["config"], str) and Path(parts["config"]).is_absolute()):
        yield f"config of {name} must be the whole path of its settings file"


def _is_command(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) and one for one in value)


def _service(parts: dict[str, Any]) -> Service:
    config = Path(parts["config"]) if "config" in parts else None
    return Service(restart=tuple(parts.get("restart", ())), status=tuple(parts.get("status", ())), config=config)
