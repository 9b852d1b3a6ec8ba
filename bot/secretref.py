"""Secrets by reference: what `secret:NAME` in a file means. The value comes from the environment, else from `.env`.

Nobody keeps what is looked up here: it is read when a connection or a process is opened.
"""

from __future__ import annotations

import os
from pathlib import Path

from dotenv import dotenv_values

from bot.domain.credentials import is_placeholder
from bot.domain.errors import BadSettings


def secret(name: str, env_file: Path | None = Path(".env")) -> str:
    """The value of `secret:NAME`. Raises BadSettings where it is not set, or what a guide prints in its place."""
    value = set_value(name, env_file)
    if not value:
        raise BadSettings([f"secret:{name} is not set; put {name} into the environment or .env"])
    if is_placeholder(value):
        raise BadSettings([f"{name} is a placeholder; put the real value there"])
    return value


def set_value(name: str, env_file: Path | None = Path(".env")) -> str:
    """What is set under this name; empty if nothing is."""
    return os.environ.get(name) or (dotenv_values(env_file).get(name) if env_file is not None else None) or ""
