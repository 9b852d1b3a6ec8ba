"""Files: the texts that do not fit a card, shown whole in the same conversation, before the card.

    each file: an address from Slack, its bytes sent there -> all of them shared in one message -> written down

Nobody sees a file before it is shared, so only sharing must happen once: if its answer was lost, we look whether the
message is there. Does not own which texts become files (cards).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.once import REMEMBERED, Hold
from adapters.slack.api import Api, text_in
from adapters.slack.once import find
from bot.domain.chat import Attachment, MessageRef, Place
from bot.domain.ports import Keep
from bot.domain.wire import Record, pack, replace, unpack


class Shared(Record):
    """Files that were uploaded: their ids at Slack, and whether they are known to stand in the conversation."""

    since: datetime
    ids: tuple[str, ...] = ()
    is_done: bool = False


class Files:
    """Shares files once by key and place."""

    def __init__(self, api: Api, keep: Keep, clock: Callable[[], datetime]) -> None:
        self._api, self._keep, self._clock = api, keep, clock

    async def share(self, files: Sequence[Attachment], place: Place, *, key: str, hold: Hold) -> None:
        """Show *files* at *place*, once for this *key*. *hold* is called before each step.

        Raises ChatUnavailable, SlackRefused, Undeliverable.
        """
        if not files:
            return
        name = _name(key, place)
        was = await self._keep.get(name)
        shared = unpack(Shared, was) if was else await self._upload(files, place, name, hold)
        if not shared.is_done and not (was and await self._stands(shared, place, hold)):
            await self._complete(files, shared, place, hold)
        if not shared.is_done:
            await self._keep.put(name, pack(replace(shared, is_done=True)), keep=REMEMBERED)

    async def belong(self, files: Sequence[Attachment], ref: MessageRef) -> None:
        """*files* stand above the card *ref*: an update that needs the same ones shares nothing."""
        if files:
            done = Shared(since=self._clock(), is_done=True)
            await self._keep.put(_name(update_key(files, ref), ref.place), pack(done), keep=REMEMBERED)

    async def _upload(self, files: Sequence[Attachment], place: Place, name: str, hold: Hold) -> Shared:
        ids = []
        for file in files:
            await hold()
            method, size = "files.getUploadURLExternal", len(file.content)
            reply = await self._api.call(place.tenant, method, filename=file.name, length=size)
            await hold()
            await self._api.upload(text_in(reply, "upload_url", method), file.content)
            ids.append(text_in(reply, "file_id", method))
        shared = Shared(since=self._clock(), ids=tuple(ids))
        await self._keep.put(name, pack(shared), keep=REMEMBERED)  # before they are shared
        return shared

    async def _complete(self, files: Sequence[Attachment], shared: Shared, place: Place, hold: Hold) -> None:
        titled = [{"id": one, "title": file.name} for one, file in zip(shared.ids, files, strict=True)]
        await hold()
        await self._api.call(
            place.tenant,
            "files.completeUploadExternal",
            files=titled,
            channel_id=place.channel,
            thread_ts=place.thread,
        )

    async def _stands(self, shared: Shared, place: Place, hold: Hold) -> bool:
        """An earlier try may have shared them."""

        def is_it(message: Mapping[str, Any]) -> bool:
            return any(file.get("id") in shared.ids for file in message.get("files") or ())

        return await find(self._api, place, shared.since, is_it, hold) is not None


def update_key(files: Sequence[Attachment], ref: MessageRef) -> str:
    """The same message with the same files has them already."""
    return "/".join(["update", ref.id, *(file.sha256 for file in files)])


def _name(key: str, place: Place) -> str:
    return f"slack:files:{hashlib.sha256(f'{place.key} {key}'.encode()).hexdigest()}"
