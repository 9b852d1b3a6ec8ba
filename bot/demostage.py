"""What every stage of the demo has: the real bot in a process of its own, somebody else's server, and the books.

Not owned: the story (demo), and where its people are: on the local page (demopage), in Slack (demoslack), in Teams
(demoteams).
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

import yaml
from aiohttp import web

from bot.domain.errors import BadSettings

T = TypeVar("T")
Say = Callable[[str], None]
LOOK_EVERY = 0.05  # seconds
PATIENCE = 20.0  # seconds for one thing to happen
MISSING = (
    "demo --{option}: the imitation of {what} lies in the folder tests of the project's sources, and is not there. "
    "Please run it from a checkout, or leave --{option} out."
)
PEOPLE: Mapping[str, Mapping[str, object]] = {
    "ana": {"name": "Ana", "groups": ["sales"], "manager": "dana"},
    "bo": {"name": "Bo", "groups": ["approvers", "analysts", "signers"], "manager": "dana"},
    "chris": {"name": "Chris", "groups": ["approvers", "signers"], "manager": "dana"},
    "dana": {"name": "Dana", "groups": ["managers", "analysts", "signers"], "manager": "erin"},
    "erin": {"name": "Erin", "groups": ["managers"]},
}
NAMES = tuple(PEOPLE)
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR", "SYSTEMROOT")


class Warehouse:
    """Somebody else's server, with a book of its own. Slow on demand, and honest about what it got."""

    def __init__(self) -> None:
        self.count, self.is_slow, self.url = 0, False, ""
        self.is_asked = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def opened(cls) -> AsyncIterator[Warehouse]:
        warehouse, app = cls(), web.Application()
        app.router.add_post("/orders", warehouse.take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            warehouse.url = f"http://127.0.0.1:{runner.addresses[0][1]}/orders"
            yield warehouse
        finally:
            await runner.cleanup()

    async def take(self, request: web.Request) -> web.Response:
        await request.read()
        self.count += 1
        self.is_asked.set()
        if self.is_slow:
            await asyncio.sleep(PATIENCE)  # the bot will be dead before this answers
        return web.json_response({"taken": True})


class Stage:
    """The bot's process, what is told of it, and what it left in the books. People are added by whoever knows where."""

    def __init__(self, say: Say, folder: Path, warehouse: Warehouse) -> None:
        self._say, self._folder, self.warehouse = say, folder, warehouse
        self._bot: asyncio.subprocess.Process | None = None

    def settings(self) -> Mapping[str, str]:
        """What the bot is told besides."""
        return {}

    # -------------------------------------------------------------- the bot

    async def start(self) -> None:
        settings = {
            "COUNTERSIGN_VAR": str(self._folder),
            "PORT": "0",
            "COUNTERSIGN_HEALTH_PORT": "0",
            "COUNTERSIGN_HTTP_ALLOW": self.warehouse.url.split("/")[2],
            "LOG_LEVEL": "ERROR",
            **self.settings(),
        }
        env = {name: os.environ[name] for name in KEPT if name in os.environ} | settings
        bot = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "serve", env=env, stdout=asyncio.subprocess.PIPE
        )
        self._bot = bot
        assert bot.stdout is not None, "its output was asked for"
        async with asyncio.timeout(PATIENCE):
            line = (await bot.stdout.readline()).decode()
        if not line:
            raise TimeoutError("the bot has ended; its own words are above")
        await self.arrived(line.removeprefix("listening on ").strip())
        self.tell("the bot is running.")

    async def arrived(self, where: str) -> None:
        """The bot says that it listens *where*: wait until people reach it."""

    async def die(self, when: str) -> None:
        await self.kill()
        self.tell(f"kill -9, {when}. Nothing of the bot is left in memory.")

    async def kill(self) -> None:
        if self._bot is not None and self._bot.returncode is None:
            self._bot.send_signal(signal.SIGKILL)
            await self._bot.wait()

    async def stop(self) -> None:
        if self._bot is not None:
            self._bot.terminate()
            await asyncio.wait_for(self._bot.wait(), PATIENCE)

    def tell(self, text: str) -> None:
        self._say(f"— {text}")

    # ------------------------------------------------------------ the books

    def refunds(self) -> int:
        with closing(sqlite3.connect(self._folder / "shop.db")) as base:
            return int(base.execute("SELECT count(*) FROM refunds").fetchone()[0])

    async def verify(self) -> bool:
        env = {name: os.environ[name] for name in KEPT if name in os.environ} | {"COUNTERSIGN_VAR": str(self._folder)}
        command = (sys.executable, "-m", "bot", "audit", "verify", "--quiet")
        check = await asyncio.create_subprocess_exec(*command, env=env, stdout=asyncio.subprocess.PIPE)
        told, _ = await check.communicate()
        self.tell(f"audit verify: {told.decode().strip()}")
        return check.returncode == 0


def imitation(module: str, what: str) -> Any:
    """The class that imitates a platform for our tests. It is not part of an installed package, so it is asked for by
    name. Raises BadSettings where it is missing."""
    try:
        return getattr(importlib.import_module(module), f"Fake{what}")
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # it is there, and something it needs is not
        raise BadSettings([MISSING.format(what=what, option=what.lower())]) from error


def people_yml(tenants: Mapping[str, str], accounts: Mapping[str, Mapping[str, str]]) -> str:
    """The story's five people, with what each is called on each platform of *tenants*."""
    listed = {name: {**row, "accounts": dict(accounts[name])} for name, row in PEOPLE.items()}
    return yaml.safe_dump({"tenants": dict(tenants), "people": listed}, sort_keys=False)


async def until(look: Callable[[], Awaitable[T | None]]) -> T:
    """Look until there is something: the people poll, as a browser without events would. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while (found := await look()) is None:  # noqa: ASYNC110  # what is waited for is in another process
            await asyncio.sleep(LOOK_EVERY)
        return found
