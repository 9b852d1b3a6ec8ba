"""What it means when the store does not put a request to people: a word of scripts.lua as the error it stands for."""

from __future__ import annotations

from bot.domain.errors import AlreadySettled, CountersignError, LeaseLost, TooMany, Twin, Unheard
from bot.domain.request import Request
from bot.domain.store import Batch, Fence


def not_opened(fence: Fence, batch: Batch, request: Request, code: bytes, told: bytes | int) -> CountersignError:
    """Why `open` said *code*, with *told* beside it."""
    about = told.decode() if isinstance(told, bytes) else ""
    match code:
        case b"unheard":
            return Unheard(request.run)
        case b"ended":
            return AlreadySettled(request.id, "cancelled", "This run was stopped.")
        case b"twin":
            return Twin(about)
        case b"full" if about == "placed":
            return TooMany("this channel", batch.place_most or 0, is_place=True)
        case b"full":
            return TooMany(request.requester, batch.most or 0)
    return LeaseLost(fence.shard)
