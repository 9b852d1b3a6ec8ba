"""Time: the ladders of open requests, and branches that sleep by the clock.

Timers are claimed, not taken: one that a dead process claimed comes back. Each step of a ladder is one
change of the request, so it happens once. Silence never approves: the last step is expiry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog

from bot.domain import events
from bot.domain.calls import Cause
from bot.domain.chat import Card, PersonId, Tone
from bot.domain.errors import ChatUnavailable, CountersignError, LeaseLost, NoSuchRequest, StoreUnavailable
from bot.domain.ladder import rung, timer_for, timer_name
from bot.domain.request import Copy, Move, Request, RequestId, RunId, close
from bot.domain.run import Decided
from bot.domain.store import Effects, Fence, Held, Note, Timer, Turn
from bot.domain.verdict import Audience, Climb, Rung
from bot.domain.wire import replace
from bot.runtime.parts import Parts
from bot.runtime.rights import Rights
from bot.runtime.runner import Runner
from bot.runtime.steady import steadily

log = structlog.get_logger()
AT_ONCE = 200  # timers claimed in one look
HIDDEN = timedelta(seconds=10)  # until a claimed timer that was not dealt with comes back


class Timers:
    def __init__(self, parts: Parts, rights: Rights, runner: Runner, fences: Callable[[], Mapping[int, Fence]]) -> None:
        self._parts, self._store, self._rights = parts, parts.store, rights
        self._runner, self._fences = runner, fences

    async def run(self) -> None:
        await steadily(self._look_all, self._parts.pace.timers_every, "timers")

    async def _look_all(self) -> None:
        for fence in list(self._fences().values()):
            await self.look(fence)

    async def look(self, fence: Fence) -> int:
        """Deal with what is due on one shard; return how many timers that was."""
        try:
            due = await self._store.due(fence, most=AT_ONCE, hidden=HIDDEN)
            for timer in due:
                await self._fire(timer, fence)
            return len(due)
        except (StoreUnavailable, LeaseLost) as error:
            log.warning("timers_wait", shard=fence.shard, error=str(error))
            return 0

    async def _fire(self, timer: Timer, fence: Fence) -> None:
        kind, _, rest = timer.name.partition("|")
        subject, _, detail = rest.partition("|")
        try:
            if kind == "sleep":
                if not await self._runner.alarm(RunId(subject), detail):
                    await self._store.untime(fence.shard, timer.name)
            else:
                await self._climb(RequestId(subject), int(detail), fence)
        except (StoreUnavailable, LeaseLost):
            raise
        except CountersignError as error:  # it comes back, and the others are not held up
            log.error("timer_failed", timer=timer.name, error=str(error))

    # -------------------------------------------------------------- ladder

    async def _climb(self, id: RequestId, index: int, fence: Fence) -> None:
        """Take step *index* of a request's ladder, unless it was taken or the request has ended."""
        while True:
            try:
                held = await self._store.held(id)
                step = rung(held.request, index)
            except NoSuchRequest:
                step = None
            if step is None:
                await self._store.untime(fence.shard, f"rung|{id}|{index}")
                return
            turn = await self._step(held, step, index, fence)
            turned = await self._store.turn(turn)
            if turned.is_applied:
                log.info("rung_fired", request=id, run=held.request.run, index=index, do=step.do)
                for entry in turn.entries:
                    if isinstance(entry, Decided):
                        self._runner.deliver(held.request.run, entry, turned.mail)
                return
            if step.do is Climb.EXPIRE and not await self._has_changed(held):
                return  # early by the server's clock: the timer comes back

    async def _has_changed(self, held: Held) -> bool:
        return (await self._store.held(held.request.id)).request.version != held.request.version

    async def _step(self, held: Held, step: Rung, index: int, fence: Fence) -> Turn:
        request = held.request
        audit = events.rung_fired(request.id, index, step.do)
        if step.do is Climb.EXPIRE:
            return _expiry(held, audit, index, fence)
        people = await self._found(request, step.to) if step.to != "here" else frozenset[PersonId]()
        notes: tuple[Note, ...] = ()
        copies: tuple[Copy, ...] = ()
        if step.do is Climb.REMIND:
            notes = (await self._reminder(request, index),)
        else:
            have = {copy.name for copy in held.copies}
            copies = tuple(Copy(name=f"dm-{p}", to=p) for p in sorted(people) if f"dm-{p}" not in have)
            notes = (_escalated(request, index, [await self._rights.name(p) for p in sorted(people)]),)
        after = replace(
            request,
            rung=index + 1,
            version=request.version + 1,
            standins=tuple(sorted({*request.standins, *people})),
        )
        rows = Held(request=request, copies=(*held.copies, *copies)).rows
        effects = Effects(
            audit=(audit,),
            notes=notes,
            dirty=(*(f"note|{note.key}" for note in notes), *rows),
            timers=timer_for(request, index + 1),
            untime=(timer_name(request, index),),
        )
        return Turn(after=after, copies=copies, effects=effects, fence=fence)

    async def _found(self, request: Request, to: Audience) -> frozenset[PersonId]:
        """Whom a step turns to; with "here", whoever was asked.

        Once the deadline has passed it is nobody who cannot be looked up: expiry waits for no directory (D-03).
        """
        try:
            if to == "here":
                return frozenset[PersonId]().union(*await self._rights.groups(request))
            return await self._rights.reached(request, to)
        except ChatUnavailable:
            if request.deadline is None or self._store.now() < request.deadline:
                raise
            return frozenset()

    async def _reminder(self, request: Request, index: int) -> Note:
        people = await self._found(request, "here")
        missing = tuple(sorted(people - {vote.person for vote in request.votes}))
        text = f"Reminder: {request.call.tool} still waits for a signature."
        return _note(request, index, Card(body=text, tone=Tone.WAITING, mentions=missing[:10], run=request.run))


def _expiry(held: Held, audit: bytes, index: int, fence: Fence) -> Turn:
    request = held.request
    after = close(request, Move.EXPIRE, at=request.deadline or request.opened, cause=Cause.DEADLINE)
    after = replace(after, rung=index + 1)
    assert after.decision is not None, "an expired request has its decision"
    effects = Effects(
        audit=(audit, events.request_decided(after)),
        dirty=held.rows,
        untime=(timer_name(request, index),),
    )
    entry = Decided(request=request.id, decision=after.decision)
    return Turn(after=after, effects=effects, entries=(entry,), fence=fence, is_expiry=True)


def _escalated(request: Request, index: int, names: list[str]) -> Note:
    who = " and ".join(names) if names else "nobody who could be found"
    text = f"No answer yet: asked {who} as well."
    return _note(request, index, Card(body=text, tone=Tone.WAITING, run=request.run))


def _note(request: Request, index: int, card: Card) -> Note:
    return Note(key=f"{request.run}/{request.id}/rung{index}", place=request.place, card=card)
