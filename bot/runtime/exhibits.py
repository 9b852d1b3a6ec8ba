"""Exhibits: the files that a tool shows people, from the end of its call to the message that brings them.

    call ends -> each file kept, sealed -> one write: its end, and a note that names the files
    the note's turn to be posted -> the files fetched -> posted -> forgotten

The journal and the outbox hold a name, a size and a digest: megabytes would delay everybody on the store. What is kept
without ever being posted goes by itself after KEPT. Not which files a tool may show (agents/shown).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial

import structlog

from bot.domain.calls import ShownFile, ToolResult
from bot.domain.chat import Attachment, Card
from bot.domain.errors import StoreUnavailable
from bot.domain.inert import show_line, spoken
from bot.domain.ports import Keep
from bot.domain.store import Note
from bot.domain.wire import replace
from bot.runtime.host import Host
from bot.runtime.journal import patiently

FILES_MOST = 10  # of one call
ALL_MOST = 10_000_000  # bytes of one call's files; a chat takes no more in one message
KEPT = timedelta(days=2)  # longer than a platform is away
NOTHING = hashlib.sha256(b"").hexdigest()

log = structlog.get_logger()


def bare(result: ToolResult) -> ToolResult:
    """*result* as the journal holds it: without what is in its files."""
    if not any(file.content for file in result.files):
        return result
    return replace(result, files=tuple(replace(file, content=b"") for file in result.files))


class Exhibits:
    def __init__(self, keep: Keep) -> None:
        self._keep = keep

    async def note(self, host: Host, path: str, tool: str, files: Sequence[ShownFile]) -> tuple[Note, ...]:
        """The message that shows *files*, which are kept for it from here on; none without files."""
        if not files:
            return ()
        key, taken, told = f"{host.id}{path}/files", *_taken(files)
        for number, file in enumerate(taken):
            await patiently(partial(self._keep.put, _name(key, number), file.content, keep=KEPT))
        named = tuple(
            Attachment(name=show_line(file.name), content=b"", sha256=file.sha256, is_aside=True) for file in taken
        )
        body = spoken("\n".join((f"{tool} shows {', '.join(file.name for file in taken) or 'nothing'}.", *told)))
        card = Card(body=body, attachments=named, run=host.id, author=host.actor(path))
        return (Note(key=key, place=host.run.task.place, card=card),)

    async def filled(self, note: Note) -> Card:
        """The card of *note* with its files in it; one that is gone is said to be."""
        files, told = [], [note.card.body]
        for number, file in enumerate(note.card.attachments):
            content = await self._keep.get(_name(note.key, number)) if _is_kept(file) else file.content
            if content is None or hashlib.sha256(content).hexdigest() != file.sha256:
                log.warning("file_gone", note=note.key, number=number)
                told.append(f"{file.name} is not kept any more.")
            else:
                files.append(replace(file, content=content))
        return replace(note.card, body="\n".join(told), attachments=tuple(files))

    async def forget(self, key: str, card: Card) -> None:
        """The note is posted. Its files would go by themselves, so that a store that is away is not waited for."""
        if card.attachments:
            with suppress(StoreUnavailable):
                await self._keep.forget(*(_name(key, number) for number in range(FILES_MOST)))


def _taken(files: Sequence[ShownFile]) -> tuple[tuple[ShownFile, ...], tuple[str, ...]]:
    """Those that fit one message, and a line about the others."""
    taken: list[ShownFile] = []
    size = 0
    for file in files:
        if len(taken) < FILES_MOST and size + len(file.content) <= ALL_MOST:
            taken.append(file)
            size += len(file.content)
    left = [file.name for file in files if file not in taken]
    return tuple(taken), (f"Too large to be shown: {', '.join(left)}.",) if left else ()


def _is_kept(file: Attachment) -> bool:
    return not file.content and file.sha256 != NOTHING


def _name(key: str, number: int) -> str:
    return f"exhibit:{key}:{number}"
