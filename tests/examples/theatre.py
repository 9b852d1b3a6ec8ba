"""An example on the whole bot, in a process of its own that can be killed, between people in a strict fake Slack.

async with a_theatre(tmp_path) as theatre:
    thread = await theatre.site.asks("ana", "support: …")
    card = await theatre.card("Approve")
    await theatre.dies()                      # SIGKILL, and a new process
    await theatre.presses("bo", "Approve", card)
    await theatre.hears("Done: refund", thread)

The bot is `python -m bot serve` as it ships: embedded server, shipped policy and agents, the rehearsal over HTTP, Slack
over Socket Mode. People act on what is on their screens and on nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bot.app import opened_store
from bot.config import Settings
from bot.demostage import Stage, Warehouse, people_yml
from tests.fakes.slack import FakeMessage, FakeSlack
from tests.slack.whole import Site

PATIENCE = 60.0  # seconds for one thing to be seen; a process starts in about two, and later on a busy machine


class Theatre(Stage):
    """The bot's process and the people around it. *settings* are added to those of every example."""

    def __init__(self, folder: Path, warehouse: Warehouse, site: Site, settings: Mapping[str, str]) -> None:
        super().__init__(_unheard, folder, warehouse)
        self.site, self.folder, self._given = site, folder, settings
        team = site.slack.team
        self._people = folder / "people.yml"
        accounts = {who: {"slack": site.ids[who]} for who in ("ana", "bo", "chris", "dana", "erin")}
        self._people.write_text(people_yml({"slack": team}, accounts))

    def settings(self) -> Mapping[str, str]:
        slack = self.site.slack
        return {
            "COUNTERSIGN_PEOPLE": str(self._people),
            "COUNTERSIGN_WORK_FOLDER": str(self.folder / "work"),
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_URL": slack.api_url,
            **self._given,
        }

    async def arrived(self, where: str) -> None:  # noqa: ARG002  # the stage's signature
        await self.site.slack.until(lambda: bool(self.site.slack.sockets.lines), "a connection")

    async def dies(self) -> None:
        """SIGKILL; then another process, which knows what the first had written down and nothing else.

        What people see is written down before: a post of which nobody knows where it stands is looked for, but half a
        minute later, and tests/crash has those moments.
        """
        await self._is_written_down()
        await self.kill()
        await self.site.slack.until(lambda: not self.site.slack.sockets.lines, "the line is dead")
        await self.start()

    async def _is_written_down(self) -> None:
        async with asyncio.timeout(PATIENCE), opened_store(Settings(COUNTERSIGN_VAR=self.folder), join=True) as store:
            while any(not row.name.startswith("run|") for row in await store.rows(0)):
                pass  # each look waits for the store; a run's status keeps a slow pace, and is nobody's card

    # ------------------------------------------------------------- people

    async def presses(self, by: str, label: str, card: FakeMessage) -> str:
        """Press what is on the screen, again for as long as the bot says that nothing was recorded."""
        while "Not recorded" in (told := await self.site.presses(by, label, card)):
            pass
        return told

    async def fills(self, by: str, label: str, card: FakeMessage, **values: object) -> None:
        """Press a button with a form behind it, fill the form in and send it, again while it was not recorded."""
        await self.site.opens(by, label, card)
        async with asyncio.timeout(PATIENCE):
            while True:
                sent = await self.site.submits(by, **values)
                if sent.status and "Not recorded" not in sent.text:
                    return

    # -------------------------------------------------------------- looks

    async def card(self, label: str = "Approve", *, saying: str = "", but: Sequence[FakeMessage] = ()) -> FakeMessage:
        """Wait for a message with this button, which says *saying*; none of *but*."""
        known = [post.ts for post in but]

        def found() -> list[FakeMessage]:
            live = [post for post in self.site.live() if post.ts not in known and saying in self.site.text(post)]
            return [post for post in live if label in self.site.slack.buttons_of(post)]

        await self.site.slack.until(found, f"a card with {label} that says {saying!r}")
        return found()[-1]

    async def hears(self, text: str, thread: str = "") -> FakeMessage:
        """Wait until a message (of *thread*) says *text*."""

        def found() -> list[FakeMessage]:
            here = [post for post in self.site.posts() if thread in ("", post.thread_ts)]
            return [post for post in here if text in self.site.text(post)]

        await self.site.slack.until(found, text)
        return found()[-1]


@asynccontextmanager
async def a_theatre(folder: Path, **settings: str) -> AsyncIterator[Theatre]:
    """The bot, running. Ended in the end, whatever happened."""
    async with Warehouse.opened() as warehouse, FakeSlack(patience=PATIENCE) as slack:
        theatre = Theatre(folder, warehouse, Site(slack), settings)
        await theatre.start()
        try:
            yield theatre
        finally:
            await theatre.kill()


def _unheard(line: str) -> None:
    """What a demo would print."""
