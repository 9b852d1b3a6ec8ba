"""Runs in the store: begun once in their thread, written to, stopped, and read back as they stand.

    delivery -> start | tell | stop, once -> load the whole run -> tail: what came since

Not a run's own writes, which show a fence, nor its requests (redis).
"""

from __future__ import annotations

import zlib

from bot.domain.budget import Usage
from bot.domain.chat import PersonId
from bot.domain.errors import Unheard
from bot.domain.letters import Letter
from bot.domain.request import RequestId, RunId
from bot.domain.run import Run, RunStatus
from bot.domain.store import Effects, Loaded, Started, Tail
from bot.domain.wire import unpack
from bot.store.coding import SEEN_TTL, SUMS, as_text, effects_args, read_copy, read_entries, read_letters, read_sums
from bot.store.keys import RECENT, shard_of_id
from bot.store.link import Link
from bot.store.timing import Timing

REFUSED = "\x1f"  # in front of what a delivery was told when it was refused: no answer of ours begins so


class Runs(Timing):
    """The runs of `bot.domain.store.Store`, and on which shard they live."""

    def __init__(self, link: Link, namespace: str, shards: int) -> None:
        super().__init__(link, namespace)
        self._shards = shards

    @property
    def shards(self) -> int:
        return self._shards

    def shard_of(self, thread: str) -> int:
        return zlib.crc32(thread.encode()) % self._shards

    async def live_run(self, thread: str) -> RunId | None:
        ring = self._ring(self.shard_of(thread))
        found = await self._link.ask(self._link.client.get(ring("thread", thread)))
        if found is None:
            return None
        run = RunId(found.decode())
        status = await self._link.ask(self._link.client.hget(ring("run", run), "status"))
        return run if status in (b"active", b"waiting") else None

    async def start(self, run: Run, *, delivery: str, replaces: RunId | None, effects: Effects) -> Started:
        """Begin *run* in its thread. A redelivery, or a race with another start, gives the run that stands."""
        thread = run.task.place.key
        ring = self._ring(shard_of_id(run.id))
        args = {
            "run": run.id,
            "doc": as_text(run),
            "line": "Starting",
            "recent": RECENT,
            "seen_ttl": SEEN_TTL,
            "effects": effects_args(effects),
        }
        current = (await self._link.ask(self._link.client.get(ring("thread", thread))) or b"").decode()
        if current and current != replaces and await self.live_run(thread):
            return await self._standing(RunId(current), run)
        args["replaces"] = current
        code, other = await self._call("start", shard_of_id(run.id), args, run=run.id, thread=thread, seen=delivery)
        match code:
            case b"ok":
                return Started(run=run, is_new=True)
            case b"changed":  # another start came in between; it may be over already
                return await self.start(run, delivery=delivery, replaces=replaces, effects=effects)
        return await self._standing(RunId(other.decode()), run)

    async def _standing(self, id: RunId, run: Run) -> Started:
        """*id* names no run where this delivery did something else before: it answered what somebody asked."""
        loaded = await self.load(id) if id.startswith("r-") else None
        return Started(run=loaded.run if loaded else run, is_new=False)

    async def tell(
        self, run: RunId, letter: Letter, *, delivery: str, effects: Effects, known: int | None = None
    ) -> bool:
        args = {"run": run, "letter": as_text(letter), "seen_ttl": SEEN_TTL, "effects": effects_args(effects)}
        args |= {"known": known}
        (code,) = await self._call("tell", shard_of_id(run), args, run=run, inbox=run, seen=delivery)
        if code == b"unheard":
            raise Unheard(run)
        return bool(code == b"ok")

    async def remember(self, thread: str, delivery: str, answer: str, *, is_refused: bool) -> None:
        seen = self._ring(self.shard_of(thread))("seen", delivery)
        text = REFUSED + answer if is_refused else answer
        await self._link.ask(self._link.client.set(seen, text, ex=SEEN_TTL, nx=True))

    async def refusal(self, thread: str, delivery: str) -> str | None:
        seen = self._ring(self.shard_of(thread))("seen", delivery)
        before = (await self._link.ask(self._link.client.get(seen)) or b"").decode()
        return before.removeprefix(REFUSED) if before.startswith(REFUSED) else None

    async def stop(self, run: RunId, *, delivery: str, told: str, effects: Effects) -> bool:
        args = {"run": run, "told": told, "seen_ttl": SEEN_TTL, "effects": effects_args(effects)}
        (code,) = await self._call("stop", shard_of_id(run), args, run=run, seen=delivery)
        return code in (b"ok", b"again")

    async def load(self, run: RunId) -> Loaded | None:
        ring = self._ring(shard_of_id(run))
        fields, journal, inbox = await self._link.together(
            ("HGETALL", ring("run", run)),
            ("LRANGE", ring("journal", run), 0, -1),
            ("LRANGE", ring("inbox", run), 0, -1),
        )
        if b"doc" not in fields:
            return None
        doc = unpack(Run, fields[b"doc"])
        return Loaded(
            run=doc,
            status=RunStatus(fields[b"status"].decode()),
            count=int(fields[b"n"]),
            entries=read_entries(journal),
            length=len(journal),
            letters=read_letters(inbox),
            mail=int(fields[b"mail"]),
            asks=tuple(RequestId(f[2:].decode()) for f in fields if f.startswith(b"q:")),
            line=fields.get(b"line", b"").decode(),
            told=int(fields.get(b"told", 0)),
            copy=read_copy(fields[b"ref"], doc.task.place) if b"ref" in fields else None,
        )

    async def spent(self, day: str, person: PersonId) -> tuple[Usage, Usage]:
        fields = [f"{what}|{who}" for who in (person, "") for what in SUMS]
        person_day = everybody = Usage()
        for shard in range(self._shards):
            found = await self._link.ask(self._link.client.hmget(self._ring(shard)("spent", day), fields))
            person_day = person_day.plus(read_sums(found[: len(SUMS)]))
            everybody = everybody.plus(read_sums(found[len(SUMS) :]))
        return person_day, everybody

    async def tail(self, run: RunId, length: int, letters: int) -> Tail:
        ring = self._ring(shard_of_id(run))
        (status, mail), journal, inbox = await self._link.together(
            ("HMGET", ring("run", run), "status", "mail"),
            ("LRANGE", ring("journal", run), length, -1),
            ("LRANGE", ring("inbox", run), letters, -1),
        )
        return Tail(
            entries=read_entries(journal),
            letters=read_letters(inbox),
            length=length + len(journal),
            mail=int(mail or 0),
            status=RunStatus((status or b"done").decode()),
        )


def first_answer(before: str) -> str:
    """What this delivery was answered first. As a letter or a task it left its run's id, and that was no answer."""
    return "This was counted before." if before.startswith("r-") else before.removeprefix(REFUSED)
