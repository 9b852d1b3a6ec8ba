"""What the tests of this folder share: a folder with a server in it, and that server opened."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from agents.mcp.opening import opened
from agents.mcp.servers import Server
from agents.mcp.session import Pace
from bot.domain.ports import Tool
from tests.agents.given import named

ROOT = Path(__file__).resolve().parents[3]
QUICK = Pace(connect=20.0, first_pause=0.01, longest_pause=0.05, fresh=0.0)
CANARY = "canary-7f3a91"
SEARCH: Mapping[str, Any] = {
    "name": "search",
    "description": "Looks tickets up.",
    "inputSchema": {
        "type": "object",
        "properties": {"query": {"type": "string"}, "most": {"type": "integer", "default": 5}},
        "required": ["query"],
    },
}


def tool_named(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": f"Does {name}.", "inputSchema": {"type": "object"}} | more


class Desk:
    """One server's folder: what it offers, what it was asked, and its process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.offers(SEARCH, *map(tool_named, ("close", "die", "hang")))

    def offers(self, *tools: Mapping[str, Any], version: str = "1.0") -> None:
        (self.folder / "state.json").write_text(json.dumps({"version": version, "tools": tools}))

    @property
    def calls(self) -> list[Any]:
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def server(self, **more: Any) -> Server:
        return Server(**({"name": "desk", "command": self.command(), "cwd": str(ROOT)} | more))

    def command(self, *more: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "tests.agents.mcp.desk", str(self.folder), *more)

    @property
    def pid(self) -> int:
        return int((self.folder / "pid").read_text())

    async def killed(self) -> None:
        """Its process is gone."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not is_alive(pid))


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def is_running(pid: int) -> bool:
    """Not ended, either: whoever lost its parent may wait a while for somebody to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  # another process's doing: no event tells of it
            await asyncio.sleep(0.01)


def rough(mode: str, **more: Any) -> Server:
    command = (sys.executable, str(Path(__file__).with_name("rough.py")), mode)
    return Server(**({"name": "rough", "command": command} | more))


def no_secrets(name: str) -> str:
    raise KeyError(name)


@asynccontextmanager
async def tools_of(server: Server, secrets: Mapping[str, str] | None = None) -> AsyncIterator[dict[str, Tool]]:
    async with opened((server,), (secrets or {}).__getitem__, pace=QUICK) as tools:
        yield named(tools)


@asynccontextmanager
async def over_http(desk: Desk) -> AsyncIterator[asyncio.subprocess.Process]:
    """The desk behind an address, until the context ends."""
    process = await asyncio.create_subprocess_exec(*desk.command("http"), cwd=ROOT)
    try:
        await until(lambda: (desk.folder / "port").exists() and _answers(desk))
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def url(desk: Desk) -> str:
    return f"http://127.0.0.1:{(desk.folder / 'port').read_text()}/mcp"


def _answers(desk: Desk) -> bool:
    with socket.socket() as asked:
        asked.settimeout(1)
        port = (desk.folder / "port").read_text()  # empty for the moment in which it is being written
        return bool(port) and asked.connect_ex(("127.0.0.1", int(port))) == 0
