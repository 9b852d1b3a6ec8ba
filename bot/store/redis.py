"""The store on Redis (or Valkey): one method per transition of scripts.lua, and the reads beside them.

Owns encoding and the seal on requests. Not the rules: what a request becomes was worked out by
`bot.domain.request`; a script only applies it if nothing changed in between.
"""

from __future__ import annotations

import hmac
import zlib
from datetime import timedelta
from typing import Any

from bot.domain.absence import Absence
from bot.domain.chat import PersonId
from bot.domain.errors import (
    AlreadySettled,
    BadSettings,
    LeaseLost,
    NoSuchRequest,
    TooLate,
    Twin,
    Ungranted,
    Unheard,
)
from bot.domain.offer import Grant, GrantId
from bot.domain.request import Copy, Request, RequestId, RunId, settled_text
from bot.domain.run import Run, RunStatus
from bot.domain.store import (
    Batch,
    Effects,
    Fence,
    Held,
    Letter,
    Loaded,
    Row,
    Started,
    Tail,
    Timer,
    Turn,
    Turned,
)
from bot.domain.wire import unpack
from bot.store.coding import (
    KEEP_TTL,
    SEEN_TTL,
    as_text,
    batch_args,
    effects_args,
    fence_args,
    moment,
    ms,
    read_entries,
    read_letters,
)
from bot.store.granting import Giving
from bot.store.health import weaknesses
from bot.store.keep import RedisKeep
from bot.store.keys import RECENT, shard_of_id
from bot.store.leaves import Leaves
from bot.store.link import Link
from bot.store.looks import Looks
from bot.store.refusals import not_opened
from bot.store.sealing import Sealing
from bot.store.shelf import Shelf


class RedisStore(Looks):
    """Implements `bot.domain.store.Store`. Contract: `tests/contracts/store.py`."""

    def __init__(self, link: Link, *, namespace: str, shards: int, key: bytes) -> None:
        super().__init__(link, namespace)
        self._shards, self._key = shards, key
        self._sealing, self._shelf = Sealing(key), Shelf()
        self._leaves = Leaves(link, namespace, key, self._call)
        self._giving = Giving(link, namespace, key, self._call)

    @property
    def shards(self) -> int:
        return self._shards

    def shard_of(self, thread: str) -> int:
        return zlib.crc32(thread.encode()) % self._shards

    async def prepare(self, *, is_private: bool = False) -> None:
        """Meet the server: hear its clock, and refuse to share a namespace with another key or shard count.

        On a private server that was just started, every lease belongs to a process that is gone.
        """
        await self._link.sync()
        if is_private:
            for shard in range(self._shards):
                await self._link.ask(self._link.client.hset(self._ring(shard)("lease"), "owner", ""))
        mark = hmac.digest(self._key, b"countersign", "sha256").hex()[:16]
        meta, client = f"{{{self._namespace}}}:meta", self._link.client
        for field, value, what in (
            ("key", mark, "COUNTERSIGN_KEY"),
            ("shards", str(self._shards), "COUNTERSIGN_SHARDS"),
        ):
            await self._link.ask(client.hsetnx(meta, field, value))
            stored = (await self._link.ask(client.hget(meta, field))).decode()
            if stored != value:
                raise BadSettings(
                    [f"{what} differs from the one this Redis namespace ({self._namespace}) was first used with."]
                )

    def keep(self) -> RedisKeep:
        """A place beside the records for the small things of adapters."""
        return RedisKeep(self._link, self._namespace, self._key)

    async def weaknesses(self) -> tuple[str, ...]:
        """What the server's settings cost, as far as it tells them."""
        return await weaknesses(self._link)

    # ------------------------------------------------------------- leases

    async def acquire(self, shard: int, owner: str, time: timedelta) -> Fence | None:
        code, epoch = await self._call("acquire", shard, {"owner": owner, "ttl": ms(time)})
        return Fence(shard=shard, owner=owner, epoch=epoch) if code == b"ok" else None

    async def renew(self, fence: Fence, time: timedelta) -> bool:
        (code,) = await self._call("renew", fence.shard, {**fence_args(fence), "ttl": ms(time)})
        return bool(code == b"ok")

    async def release(self, fence: Fence) -> None:
        await self._call("release", fence.shard, fence_args(fence))

    async def beat(self, owner: str, time: timedelta) -> int:
        key = f"{{{self._namespace}}}:processes"
        (living,) = await self._link.call("beat", lambda _: key, {"owner": owner, "ttl": ms(time)})
        return int(living)

    # ------------------------------------------------------------- intake

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

    async def stop(self, run: RunId, *, delivery: str, told: str, effects: Effects) -> bool:
        args = {"run": run, "told": told, "seen_ttl": SEEN_TTL, "effects": effects_args(effects)}
        (code,) = await self._call("stop", shard_of_id(run), args, run=run, seen=delivery)
        return code in (b"ok", b"again")

    # --------------------------------------------------------------- runs

    async def load(self, run: RunId) -> Loaded | None:
        ring = self._ring(shard_of_id(run))
        fields, journal, inbox = await self._link.together(
            ("HGETALL", ring("run", run)),
            ("LRANGE", ring("journal", run), 0, -1),
            ("LRANGE", ring("inbox", run), 0, -1),
        )
        if b"doc" not in fields:
            return None
        return Loaded(
            run=unpack(Run, fields[b"doc"]),
            status=RunStatus(fields[b"status"].decode()),
            count=int(fields[b"n"]),
            entries=read_entries(journal),
            length=len(journal),
            letters=read_letters(inbox),
            mail=int(fields[b"mail"]),
            asks=tuple(RequestId(f[2:].decode()) for f in fields if f.startswith(b"q:")),
            line=fields.get(b"line", b"").decode(),
            told=int(fields.get(b"told", 0)),
            copy=unpack(Copy, fields[b"ref"]) if b"ref" in fields else None,
        )

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

    async def append(self, fence: Fence, run: RunId, batch: Batch) -> int:
        args = fence_args(fence) | batch_args(run, batch)
        thread = batch.run.task.place.key if batch.run else ""
        request = batch.closes.id if batch.closes else ""
        if batch.closes:
            args["request"] = self._sealing.sealed(batch.closes)
        if batch.uses:
            args["uses"] = self._giving.sealed(batch.uses)
        grant = batch.uses.id if batch.uses else ""
        ids = {"run": run, "journal": run, "inbox": run, "thread": thread, "request": request, "grant": grant}
        code, length = await self._call("append", fence.shard, args, **ids)
        if code == b"stale":
            raise LeaseLost(fence.shard)
        if code == b"none" and batch.uses:
            raise Ungranted(batch.uses.id, "it is used up, has ended, was revoked or was used meanwhile")
        if code == b"unheard":
            raise Unheard(run)
        return int(length)

    async def open(
        self,
        fence: Fence,
        batch: Batch,
        request: Request,
        copies: tuple[Copy, ...],
        others: tuple[Request, ...] = (),
    ) -> int:
        run, ring = request.run, self._ring(fence.shard)
        args = fence_args(fence) | batch_args(run, batch) | {"request": self._sealing.sealed(request, copies)}
        args["others"] = [self._sealing.sealed(other) for other in others]
        keys = {"run": run, "journal": run, "inbox": run, "request": request.id}
        more = [ring("others", other.id) for other in others]
        code, told = await self._link.call("open", lambda key: ring(key, keys.get(key, "")), args, more)
        if code not in (b"ok", b"again"):
            raise not_opened(fence, batch, request, code, told)
        self._shelf.opened(request, copies)
        for other in others:
            self._shelf.opened(other, ())
        return int(told)

    async def spend(self, fence: Fence, batch: Batch, after: Request) -> int:
        run = after.run
        args = fence_args(fence) | batch_args(run, batch)
        args |= {"request": self._sealing.sealed(after), "window": ms(after.ask.exec_window)}
        code, length = await self._call("spend", fence.shard, args, run=run, journal=run, inbox=run, request=after.id)
        match code:
            case b"stale":
                raise LeaseLost(fence.shard)
            case b"unheard":
                raise Unheard(run)
            case b"late":
                raise TooLate(after.id, "execution window")
            case b"changed" | b"ended":
                raise AlreadySettled(after.id, after.status, settled_text(after))
        return int(length)

    # ----------------------------------------------------------- requests

    async def held(self, request: RequestId) -> Held:
        try:
            ring = self._ring(shard_of_id(request))
        except (ValueError, IndexError) as error:
            raise NoSuchRequest(request) from error
        return self._sealing.held(request, await self._link.ask(self._link.client.hgetall(ring("request", request))))

    async def lately(self, request: RequestId) -> Held:
        return self._shelf.get(request) or await self.held(request)

    async def turn(self, turn: Turn) -> Turned:
        after, run = turn.after, turn.after.run
        args: dict[str, Any] = {
            "run": run,
            "delivery": turn.delivery,
            "answer": turn.answer,
            "seen_ttl": SEEN_TTL,
            "keep": KEEP_TTL,
            "is_expiry": turn.is_expiry,
            "is_answer": bool(turn.delivery) or turn.opens is not None,  # a vote, or an edited call in its place
            "entries": [as_text(entry) for entry in turn.entries],
            "effects": effects_args(turn.effects),
            "request": self._sealing.sealed(after, turn.copies if turn.opens is None else ()),
            "is_single": turn.is_single,
            "shared": [(copy.name, as_text(copy)) for copy in turn.shared],
        }
        if turn.letter is not None:
            args |= {"letter": as_text(turn.letter), "known": turn.known}
        if turn.gives is not None:
            args["gives"] = self._giving.sealed(turn.gives)
        if turn.opens is not None:
            args["opens"] = self._sealing.sealed(turn.opens, turn.copies)
        if turn.fence is not None:
            args |= fence_args(turn.fence)
        code, mail = await self._call(
            "turn",
            shard_of_id(after.id),
            args,
            run=run,
            journal=run,
            inbox=run,
            request=after.id,
            other=turn.opens.id if turn.opens else after.sheet or after.id,
            grant=turn.gives.id if turn.gives else "",
            seen=turn.delivery,
        )
        match code:
            case b"ok":
                self._shelf.turned(turn)
                if turn.shared and after.sheet:
                    self._shelf.forget(after.sheet)
                return Turned(is_applied=True, mail=int(mail))
            case b"again":
                return Turned(is_applied=False, repeat=_first_answer(mail.decode()))
            case b"stale":
                raise LeaseLost(shard_of_id(after.id))
            case b"late":
                raise TooLate(after.id, "deadline")
            case b"twin":
                raise Twin(mail.decode())
            case b"ended":
                self._shelf.forget(after.id)
                await self.held(after.id)  # said of a record that bears our seal, or not at all
                raise AlreadySettled(after.id, "cancelled", "This run was stopped; nothing will happen.")
        self._shelf.forget(after.id)
        return Turned(is_applied=False)

    # -------------------------------------------------------------- grants

    async def granted(self, shard: int, thread: str | None = None) -> tuple[GrantId, ...]:
        return await self._giving.granted(shard, thread)

    async def grant(self, id: GrantId) -> Grant:
        return await self._giving.grant(id)

    async def revoke(self, after: Grant, run: RunId, *, delivery: str, effects: Effects) -> bool:
        return await self._giving.revoke(after, run, delivery, effects)

    # ------------------------------------------------------------ absences

    async def leave(self, absence: Absence, *, answer: str) -> str:
        return await self._leaves.set(absence, answer)

    async def come_back(self, person: PersonId, *, delivery: str, answer: str) -> str | None:
        return await self._leaves.clear(person, delivery, answer)

    async def absences(self) -> tuple[Absence, ...]:
        return await self._leaves.all()

    # --------------------------------------------------------------- audit

    async def log(self, shard: int, bodies: tuple[bytes, ...]) -> None:
        await self._call("log", shard, {"bodies": [body.decode() for body in bodies]})

    async def checkpoint(self, fence: Fence, span: tuple[int, int], mac: str, body: bytes) -> None:
        """Write a checkpoint over records *span*; nothing if another one covers them already."""
        first, last = span
        args = {"first": first, "last": last, "mac": mac, "bodies": [body.decode()]}
        await self._call("checkpoint", fence.shard, fence_args(fence) | args)

    async def show_again(self, shard: int, rows: tuple[str, ...]) -> None:
        await self._call("again", shard, {"rows": rows})

    async def untime(self, shard: int, name: str) -> None:
        await self._link.ask(self._link.client.zrem(self._ring(shard)("timers"), name))

    # --------------------------------------------- timers, outbox, looks

    async def due(self, fence: Fence, *, most: int, hidden: timedelta) -> tuple[Timer, ...]:
        found = await self._call("due", fence.shard, fence_args(fence) | {"most": most, "hidden": ms(hidden)})
        if found[:1] == [b"stale"]:
            raise LeaseLost(fence.shard)
        pairs = zip(found[::2], found[1::2], strict=True)
        return tuple(Timer(name=name.decode(), due=moment(float(due))) for name, due in pairs)

    async def posted(self, fence: Fence, row: Row, copy: Copy | None, effects: Effects) -> None:
        kind, _, rest = row.name.partition("|")
        holder = {"card": ("request", rest.split("|")[0]), "run": ("run", rest), "note": ("notes", "")}[kind]
        args = fence_args(fence) | {
            "row": row.name,
            "stamp": row.stamp,
            "note": rest if kind == "note" else "",
            "field": "" if copy is None else {"card": f"c:{copy.name}", "run": "ref"}[kind],
            "value": as_text(copy) if copy else "",
            "effects": effects_args(effects),
        }
        ring = self._ring(fence.shard)
        (code,) = await self._link.call("posted", lambda k: ring(*holder) if k == "holder" else ring(k), args)
        if code == b"stale":
            raise LeaseLost(fence.shard)
        self._shelf.posted(row, copy)

    # ------------------------------------------------------------ helpers

    async def _call(self, name: str, shard: int, args: dict[str, Any], **ids: str) -> list[Any]:
        ring = self._ring(shard)
        return await self._link.call(name, lambda key: ring(key, ids.get(key, "")), args)


def _first_answer(before: str) -> str:
    """What this delivery was answered first. As a letter or a task it left its run's id, and that was no answer."""
    return "This was counted before." if before.startswith("r-") else before
