"""Sharing a message: what stands on the sheet of a request, where it is shown, and what time says about all of it.

An item has no message of its own unless somebody opened one; the copies of its sheet's head show it. So a step of its
ladder says things once for the sheet, and whoever it calls is sent the sheet. Not what a press does (sheets).
"""

from __future__ import annotations

import asyncio

from bot.domain.errors import NoSuchRequest
from bot.domain.request import Copy, Request, RequestId
from bot.domain.sheet import OWN, Sheet
from bot.domain.store import Held, Note, Store, Turn
from bot.domain.wire import replace


async def items_of(store: Store, request: Request) -> tuple[Held, ...]:
    """What stands on the sheet of *request*, its head first; nothing if *request* stands alone.

    An item that was forgotten after its time is left out. Raises BadSeal.
    """
    head = request if request.items else await _or_none(store, request.sheet)
    if head is None:
        return ()
    found = await asyncio.gather(*(_held_or_none(store, item) for item in head.items))
    held = tuple(one for one in found if one is not None)
    return held if held and held[0].request.id == head.id else ()


def sheet(items: tuple[Held, ...]) -> Sheet:
    return Sheet(items=tuple(held.request for held in items))


async def copies_of(store: Store, held: Held) -> tuple[Copy, ...]:
    """Every copy that shows *held*: its own, and those of the sheet on which it stands."""
    head = await _held_or_none(store, held.request.sheet) if held.request.sheet is not None else None
    return (*held.copies, *(copy for copy in head.copies if copy.name != OWN)) if head is not None else held.copies


async def shared(store: Store, turn: Turn) -> Turn:
    """*turn* of a ladder as it belongs to a sheet: said once for all of its items, shown in messages of the sheet."""
    items = await items_of(store, turn.after)
    if not items:
        return turn
    request, head = turn.after, items[0].request
    others = sum(one.request.is_open for one in items if one.request.id != request.id)
    notes = tuple(_note_of_all(note, request, head, others) for note in turn.effects.notes)
    renamed = {f"note|{old.key}": f"note|{new.key}" for old, new in zip(turn.effects.notes, notes, strict=True)}
    dirty = tuple(renamed.get(row, row) for row in turn.effects.dirty)
    effects = replace(turn.effects, notes=notes, dirty=dirty)
    if head.id == request.id:
        return replace(turn, effects=effects)
    own = tuple(row for row in dirty if not row.startswith(f"card|{request.id}|") or row.split("|")[2] == OWN)
    effects = replace(effects, dirty=(*own, f"card|{head.id}||{request.run}"))
    return replace(turn, effects=effects, copies=(), shared=turn.copies)


def _note_of_all(note: Note, request: Request, head: Request, others: int) -> Note:
    """Under the head's name, if both climb the same ladder: whatever is said under one name is said once."""
    if request.id not in note.key:  # about all that somebody has to answer
        return note
    more = f" {others} more on the same card." if others else ""
    same = (request.ask.ladder, request.ask.clock) == (head.ask.ladder, head.ask.clock)
    key = note.key.replace(request.id, head.id) if same else note.key
    return replace(note, key=key, card=replace(note.card, body=f"{note.card.body}{more}"))


async def _or_none(store: Store, id: RequestId | None) -> Request | None:
    held = await _held_or_none(store, id) if id is not None else None
    return held.request if held is not None else None


async def _held_or_none(store: Store, id: RequestId) -> Held | None:
    try:
        return await store.held(id)
    except NoSuchRequest:
        return None
