"""The demo: a whole story in seconds, with the real bot in a process of its own and simulated people.

    ana asks for a refund -> bo signs it -> it happens once
    --kill: the bot dies while the card waits, and again while a signed call is running

The people speak to the playground's JSON API as a browser does. The story ends well only if the audit
verifies and each effect, counted where it happened, happened exactly once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import ClientConnectionError, ClientError, ClientSession, web

from bot.domain.wire import dumps

T = TypeVar("T")
Say = Callable[[str], None]
LOOK_EVERY = 0.05  # seconds
PATIENCE = 20.0  # seconds for one thing to happen
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR", "SYSTEMROOT")


async def play_demo(say: Say, *, is_deadly: bool) -> int:
    """Play it; 0 if it ended as it must."""
    with tempfile.TemporaryDirectory(prefix="countersign-") as folder:
        async with Warehouse.opened() as warehouse, ClientSession() as session:
            stage = Stage(say, session, Path(folder), warehouse)
            try:
                await _refund(stage, is_deadly=is_deadly)
                if is_deadly:
                    await _shipment(stage)
                await stage.listen_on()
                await stage.stop()
                return await _reckon(stage, is_deadly=is_deadly)
            except (ClientError, TimeoutError) as error:
                say(f"THIS IS WRONG: the bot stopped answering ({type(error).__name__}).")
                return 1
            finally:
                await stage.kill()


async def _refund(stage: Stage, *, is_deadly: bool) -> None:
    """The card waits; with *is_deadly* the bot dies and comes back before anybody signs."""
    await stage.start()
    await stage.write("ana", "@countersign refund 120 for order 1042, it arrived broken")
    await stage.sees("approve")
    if is_deadly:
        await stage.die("while the card waits")
        await stage.start()
    await stage.press("bo", "approve")
    await stage.ends(1)


async def _shipment(stage: Stage) -> None:
    """The signed call is running when the bot dies: nobody guesses, a person says what happened."""
    stage.warehouse.is_slow = True
    await stage.write("ana", f"@countersign post ship-order-1042 to {stage.warehouse.url}")
    await stage.press("bo", "approve")
    await stage.warehouse.is_asked.wait()
    await stage.die("while the signed call is running")
    stage.warehouse.is_slow = False
    await stage.start()
    stage.tell("the warehouse's own book says: it has the order.")
    await stage.press("bo", "answer", {"result": "the warehouse has it"})
    await stage.ends(2)


async def _reckon(stage: Stage, *, is_deadly: bool) -> int:
    refunds, shipments = stage.refunds(), stage.warehouse.count
    audit = await stage.verify()
    is_good = audit and refunds == 1 and shipments == (1 if is_deadly else 0)
    stage.tell(f"refunds in the shop's book: {refunds}")
    if is_deadly:
        stage.tell(f"orders in the warehouse's book: {shipments}")
    stage.tell("everything happened exactly once." if is_good else "THIS IS WRONG: it did not happen exactly once.")
    return 0 if is_good else 1


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
    """The bot's process and the people around it."""

    def __init__(self, say: Say, session: ClientSession, folder: Path, warehouse: Warehouse) -> None:
        self._say, self._session, self._folder, self.warehouse = say, session, folder, warehouse
        self._bot: asyncio.subprocess.Process | None = None
        self._url = ""
        self._told: dict[str, str] = {}

    # -------------------------------------------------------------- the bot

    async def start(self) -> None:
        settings = {
            "COUNTERSIGN_VAR": str(self._folder),
            "PORT": "0",
            "COUNTERSIGN_HEALTH_PORT": "0",
            "COUNTERSIGN_HTTP_ALLOW": self.warehouse.url.split("/")[2],
            "LOG_LEVEL": "ERROR",
        }
        env = {name: os.environ[name] for name in KEPT if name in os.environ} | settings
        bot = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "serve", env=env, stdout=asyncio.subprocess.PIPE
        )
        self._bot = bot
        assert bot.stdout is not None, "its output was asked for"
        async with asyncio.timeout(PATIENCE):
            line = (await bot.stdout.readline()).decode()
        self._url = line.removeprefix("listening on ").strip()
        self.tell("the bot is running.")

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

    # ----------------------------------------------------------- the people

    async def write(self, by: str, text: str) -> None:
        await self._post("api/messages", {"by": by, "channel": "general", "text": text, "key": uuid.uuid4().hex})
        await self._show()

    async def press(self, by: str, move: str, fields: dict[str, str] | None = None) -> None:
        """Press *move* on the newest card that has it; try again while the answer is "not recorded"."""
        message, button = await self.sees(move)
        deed = {"by": by, "ref": message["ref"], "key": uuid.uuid4().hex}
        deed |= {name: button[name] for name in ("subject", "move", "token")}
        if fields is not None:
            deed["fields"] = fields
        answer = await _until(lambda: self._pressed(deed))
        self._say(f"  {by} presses {button['label']!r}: {answer['text']}")

    async def sees(self, move: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Wait for a card with this button."""
        return await _until(lambda: self._with_button(move))

    async def ends(self, runs: int) -> None:
        """Wait until this many runs say that they are done."""
        await _until(lambda: self._done(runs))

    async def listen_on(self) -> None:
        """Wait for the answer to what was asked last; it may come a moment after the run's end."""
        await _until(lambda: self._answered())

    async def _answered(self) -> bool | None:
        cards = [message["card"] or {} for message in await self._show()]
        ended = [card["run"] for card in cards if card.get("title") == "Done"]
        said = {card["run"] for card in cards if card.get("body") and not card.get("title")}
        return True if said.issuperset(ended) else None

    async def _pressed(self, deed: dict[str, Any]) -> dict[str, Any] | None:
        answer = await self._post("api/clicks", deed)
        return answer if answer.get("is_taken") else None

    async def _with_button(self, move: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        for message in reversed(await self._show()):
            for button in (message["card"] or {}).get("buttons", ()):
                if button["move"] == move:
                    return message, button
        return None

    async def _done(self, runs: int) -> int | None:
        done = sum((message["card"] or {}).get("title") == "Done" for message in await self._show())
        return done if done >= runs else None

    def tell(self, text: str) -> None:
        self._say(f"— {text}")

    async def _show(self) -> list[dict[str, Any]]:
        """The conversation so far; what is new in it is printed."""
        async with self._session.get(self._url + "api/start", params={"as": "bo"}) as answer:
            messages: list[dict[str, Any]] = (await answer.json())["messages"]
        for message in messages:
            line = _line(message)
            if line and self._told.get(message["id"]) != line:
                self._told[message["id"]] = line
                self._say(line)
        return messages

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Origin": self._url.rstrip("/"), "X-Playground": "1", "Content-Type": "application/json"}
        try:
            async with self._session.post(self._url + path, data=dumps(body), headers=headers) as answer:
                return dict(await answer.json())
        except ClientConnectionError:
            return {}

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


async def _until(look: Callable[[], Awaitable[T | None]]) -> T:
    """Look until there is something: the people poll, as a browser without events would."""
    async with asyncio.timeout(PATIENCE):
        while (found := await look()) is None:  # noqa: ASYNC110  # what is waited for is in another process
            await asyncio.sleep(LOOK_EVERY)
        return found


def _line(message: dict[str, Any]) -> str:
    """One message as one or two lines of text."""
    card = message.get("card")
    if not card:
        return f"{message['author']}: {message['text']}" if message.get("text") else ""
    buttons = " ".join(f"[{button['label']}]" for button in card["buttons"])
    said = " · ".join(part for part in (card["title"], card["body"], card["status"], buttons) if part)
    return f"countersign: {said}"
