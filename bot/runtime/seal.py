"""The seal on buttons: a click that does not carry it was not offered by us (T13)."""

from __future__ import annotations

import base64
import hmac
from functools import lru_cache

from bot.domain.request import Request

SEAL_CHARS = 22  # 132 bits of base64


class Seal:
    """Signs what a button stands for: its subject, the bytes it is about, and the move."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def mark(self, subject: str, digest: str, move: str) -> str:
        return _mark(self._key, subject, digest, move)

    def holds(self, token: str, subject: str, digest: str, move: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.mark(subject, digest, move).encode())

    def request(self, request: Request, move: str) -> str:
        return self.mark(request.id, request.call.digest, move)


@lru_cache(maxsize=512)  # a card is drawn more than once, and whoever presses its button waits for the same mark
def _mark(key: bytes, subject: str, digest: str, move: str) -> str:
    text = "\0".join((subject, digest, move)).encode()
    return base64.urlsafe_b64encode(hmac.digest(key, b"button\0" + text, "sha256")).decode()[:SEAL_CHARS]
