"""The end of a run: its last entry, the answer people read, the audit and the status message, in one step.

    told -> written, knowing every letter -> a letter came in between: attend to it, and write again

A letter that comes later finds no run any more, and is told so. Instructions that nobody read become the next run
(following). Not when a run ends, nor how its coroutine is stopped (runner).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from bot.domain import events
from bot.domain.chat import Card, Tone
from bot.domain.errors import Unheard
from bot.domain.inert import spoken
from bot.domain.letters import Letter
from bot.domain.long import in_thread
from bot.domain.run import RunStatus
from bot.domain.store import Batch, Effects, Note, Store, Tail
from bot.domain.wire import replace
from bot.runtime.following import follow, reminder
from bot.runtime.host import Host
from bot.runtime.journal import patiently

log = structlog.get_logger()
Attend = Callable[[Host, tuple[Letter, ...]], Awaitable[None]]


class Ending:
    """*attend* sees to letters that came while the end was written."""

    def __init__(self, store: Store, attend: Attend) -> None:
        self._store, self._attend = store, attend

    async def end(self, host: Host, status: RunStatus, told: str, tone: Tone) -> None:
        """The last entry, the answer to post, and the audit: one step.

        Whoever gave the task is called at any hour: it is the answer they asked for.
        """
        body, files = in_thread(told, "answer.md")
        card = Card(body=spoken(body), tone=tone, run=host.id, author=host.run.agent, mentions=(host.run.task.by,))
        card = replace(card, attachments=files)
        note = Note(key=f"{host.id}/end", place=host.run.task.place, card=card)
        effects = Effects(
            audit=(events.run_ended(host.id, status),), notes=(note,), dirty=(f"note|{note.key}", f"run|{host.id}")
        )
        batch = Batch(op="", count=0, effects=effects, status=status, line=_last_line(status, host))
        await self._write(host, batch, told)
        log.info("run_ended", run=host.id, status=status)
        if status is not RunStatus.STOPPED and (late := host.instructions()):
            await follow(self._store, host.run, late)  # if we get to it: else its timer does

    async def _write(self, host: Host, batch: Batch, told: str) -> None:
        """Write the end knowing every letter: one that comes later finds no run any more, and is told so."""
        assert batch.status is not None, "an end says which"
        while True:
            ended = replace(host.run, status=batch.status, ended=self._store.now(), told=told[:500], taken_by=None)
            is_followed = batch.status is not RunStatus.STOPPED and bool(host.instructions())
            timers = (reminder(self._store, host.id),) if is_followed else ()
            made = replace(batch, run=ended, known=len(host.letters), effects=replace(batch.effects, timers=timers))
            try:
                await host.write(made)
            except Unheard:
                known = len(host.letters)
                await self._attend(host, host.catch_up(await self.tail(host), known))
                if batch.status is RunStatus.DONE:
                    await host.until_returned()
                continue
            host.run = ended
            return

    async def tail(self, host: Host) -> Tail:
        """What came since, however long the store takes to say so."""
        return await patiently(partial(self._store.tail, host.id, host.journal.length, len(host.letters)))


def _last_line(status: RunStatus, host: Host) -> str:
    done = sum(1 for past in host.past.values() if past.outcome is not None)
    calls = f" after {done} tool call{'s' if done != 1 else ''}" if done else ""
    return f"{status.value.capitalize()}{calls}"
