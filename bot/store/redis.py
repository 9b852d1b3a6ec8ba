"""The store on Redis (or Valkey): one method per transition of scripts.lua, and the reads beside them.

Owns encoding and the seal on requests. Not the rules: what a request becomes was worked out by
`bot.domain.request`; a script only applies it if nothing changed in between.
"""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import Any

from bot.domain.absence import Absence
from bot.domain.chat import PersonId, Place
from bot.domain.errors import (
    AlreadySettled,
    BadSettings,
    LeaseLost,
    NoSuchRequest,
    Overtaken,
    TooLate,
    Twin,
    Ungranted,
    Unheard,
)
from bot.domain.offer import Grant, GrantId
from bot.domain.request import Copy, Request, RequestId, RunId, settled_text
from bot.domain.store import Batch, Effects, Fence, Held, Row, Turn, Turned
from bot.store.coding import (
    KEEP_TTL,
    SEEN_TTL,
    as_text,
    batch_args,
    copy_text,
    effects_args,
    fence_args,
    ms,
    shows_args,
)
from bot.store.crowding import Crowding, Opening
from bot.store.granting import Giving
from bot.store.health import weaknesses
from bot.store.keep import RedisKeep
from bot.store.keys import shard_of_id
from bot.store.leaves import Leaves
from bot.store.link import Link
from bot.store.refusals import not_opened
from bot.store.runs import Runs, first_answer
from bot.store.sealing import Sealing
from bot.store.shelf import Shelf


class RedisStore(Runs):
    """Implements `bot.domain.store.Store`. Contract: `tests/contracts/store.py`."""

    def __init__(self, link: Link, *, namespace: str, shards: int, key: bytes) -> None:
        super().__init__(link, namespace, shards)
        self._key = key
        self._sealing, self._shelf = Sealing(key), Shelf()
        self._leaves = Leaves(link, namespace, key, self._call)
        self._giving = Giving(link, namespace, key, self._call)
        self._crowding = Crowding(link, namespace, shards)

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
        """A place beside the records for small things: adapters', and what people put off."""
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
        (living,) = await self._link.call("beat", lambda _: [key], {"owner": owner, "ttl": ms(time)})
        return int(living)

    # ---------------------------------------------------------- the journal

    async def append(self, fence: Fence, run: RunId, batch: Batch) -> int:
        args = fence_args(fence) | batch_args(run, batch)
        thread = batch.run.task.place.key if batch.run else ""
        request = batch.closes.id if batch.closes else ""
        if batch.closes:
            args |= {"request": self._sealing.sealed(batch.closes), "shows": shows_args(batch.closes)}
        if batch.uses:
            args["uses"] = self._giving.sealed(batch.uses)
        grant = batch.uses.id if batch.uses else ""
        ids = {"run": run, "journal": run, "inbox": run, "thread": thread, "request": request, "grant": grant}
        ids["spent"] = batch.spends.day if batch.spends else ""
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
        args["elsewhere"] = await self._crowding.elsewhere(fence.shard, Opening.limited(batch, request, *others))
        keys = {"run": run, "journal": run, "inbox": run, "request": request.id}
        more = [ring("others", other.id) for other in others]
        code, told = await self._link.call("open", lambda names: ring.all(names, keys), args, more)
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
            case b"taken":
                raise Overtaken(after.id)
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
        args = self._turn_args(turn)
        if turn.opens is not None or turn.adds:
            args["elsewhere"] = await self._crowding.elsewhere(shard_of_id(after.id), Opening.turned(turn))
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
                return Turned(is_applied=False, repeat=first_answer(mail.decode()))
            case b"full":
                return Turned(is_applied=False, is_full=True)
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

    def _turn_args(self, turn: Turn) -> dict[str, Any]:
        args: dict[str, Any] = {
            "run": turn.after.run,
            "delivery": turn.delivery,
            "answer": turn.answer,
            "seen_ttl": SEEN_TTL,
            "keep": KEEP_TTL,
            "is_expiry": turn.is_expiry,
            "is_answer": bool(turn.delivery) or turn.opens is not None,  # a vote, or an edited call in its place
            "entries": [as_text(entry) for entry in turn.entries],
            "effects": effects_args(turn.effects),
            "request": self._sealing.sealed(turn.after, turn.copies if turn.opens is None else ()),
            "is_single": turn.is_single,
            "adds": turn.adds,
            "place_most": turn.place_most,
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
        return args

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

    async def show_again(self, shard: int, rows: tuple[str, ...], *, unless_marked: bool = False) -> None:
        await self._call("again", shard, {"rows": rows, "unless_marked": unless_marked})

    # -------------------------------------------------------------- outbox

    async def posted(
        self, fence: Fence, row: Row, copy: Copy | None, effects: Effects, *, home: Place | None = None
    ) -> None:
        kind, _, rest = row.name.partition("|")
        holder = {"card": ("request", rest.split("|")[0]), "run": ("run", rest), "note": ("notes", "")}[kind]
        args = fence_args(fence) | {
            "row": row.name,
            "stamp": row.stamp,
            "note": rest if kind == "note" else "",
            "field": "" if copy is None else {"card": f"c:{copy.name}", "run": "ref"}[kind],
            "value": copy_text(copy, home) if copy else "",
            "effects": effects_args(effects),
        }
        ring = self._ring(fence.shard)
        (code,) = await self._link.call(
            "posted", lambda names: [ring(*holder) if name == "holder" else ring(name) for name in names], args
        )
        if code == b"stale":
            raise LeaseLost(fence.shard)
        self._shelf.posted(row, copy)
