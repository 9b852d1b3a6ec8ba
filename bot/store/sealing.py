"""Requests under seal: what stands in Redis is believed only if this bot wrote it (T22).

    record -> packed -> HMAC in front -> Redis -> HMAC checked -> record

Beside the sealed record stands what the scripts judge by; it repeats the record, so a lone change of either is noticed.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from bot.domain.crowd import call_key, counted
from bot.domain.errors import BadSeal, NoSuchRequest
from bot.domain.request import OUTSTAYING, Copy, Request, RequestId
from bot.domain.store import Held
from bot.domain.wire import pack, unpack
from bot.store.coding import as_text, epoch_ms, read_copy

SEAL_BYTES = 20  # 120 bits in base64


class Sealing:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def sealed(self, request: Request, copies: Iterable[Copy] = ()) -> dict[str, Any]:
        """*request* as the scripts put it there, with *copies* to add."""
        body = pack(request)
        return {
            "id": request.id,
            "doc": (self._seal(request.id, body) + body).decode(),
            **_beside(request),
            "v": request.version,
            "by": request.requester if not request.outlives else "",  # no task waits for it: not counted
            "outlives": request.outlives,
            "outstays": request.kind in OUTSTAYING,
            "call": call_key(request),
            "where": counted(request),
            "copies": [(copy.name, as_text(copy)) for copy in copies],
        }

    def held(self, id: RequestId, fields: Mapping[bytes, bytes]) -> Held:
        """The inverse, from the hash in Redis. Raises NoSuchRequest, BadSeal, BadRecord."""
        if b"doc" not in fields:
            raise NoSuchRequest(id)
        found = self._unsealed(id, fields[b"doc"])
        if any(fields.get(name.encode()) != value.encode() for name, value in _beside(found).items()):
            raise BadSeal(f"what stands beside request {id}")
        copies = tuple(read_copy(value, found.place) for field, value in fields.items() if field.startswith(b"c:"))
        return Held(request=found, copies=copies)

    def _unsealed(self, id: RequestId, doc: bytes) -> Request:
        seal, body = doc[:SEAL_BYTES], doc[SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(id, body)):
            raise BadSeal(f"request {id}")
        return unpack(Request, body)

    def _seal(self, id: str, body: bytes) -> bytes:
        return base64.b64encode(hmac.digest(self._key, id.encode() + b"\0" + body, "sha256")[:15])


def _beside(request: Request) -> dict[str, str]:
    due = str(epoch_ms(request.deadline)) if request.deadline else ""
    return {"status": request.status.value, "v": str(request.version), "due": due}
