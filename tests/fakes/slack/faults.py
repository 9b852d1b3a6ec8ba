"""What goes wrong, on order: for the next calls of one method, and for everything that is delivered."""

from __future__ import annotations

import enum
from collections import defaultdict, deque
from dataclasses import dataclass


class Kind(enum.Enum):
    LOSE_REPLY = "lose reply"  # done, and the connection drops without an answer
    LOSE_REQUEST = "lose request"  # not done, and the connection drops
    RATE_LIMIT = "rate limit"
    FAIL = "fail"
    HTML = "html"
    HANG = "hang"  # not done, no answer until the caller gives up


@dataclass(frozen=True)
class Fault:
    kind: Kind
    code: str = ""
    number: int = 0  # seconds, or an HTTP status


class Faults:
    """Each verb is about the next *times* calls of *method*, one fault a call, in the order they were asked for."""

    def __init__(self) -> None:
        self.deliver_twice = False  # every event and click comes a second time, after the answer to the first
        self.out_of_order = False  # what one act sends arrives in reverse: `message` before its `app_mention`
        self.at_once = False  # what one act sends arrives side by side, not one after the other
        self._next: defaultdict[str, deque[Fault]] = defaultdict(deque)

    def lose_reply(self, method: str, times: int = 1) -> None:
        self._add(method, Fault(Kind.LOSE_REPLY), times)

    def lose_request(self, method: str, times: int = 1) -> None:
        self._add(method, Fault(Kind.LOSE_REQUEST), times)

    def rate_limit(self, method: str, retry_after: int = 1, times: int = 1) -> None:
        """HTTP 429 with `Retry-After`, in whole seconds."""
        self._add(method, Fault(Kind.RATE_LIMIT, number=retry_after), times)

    def fail(self, method: str, code: str, times: int = 1) -> None:
        """`ok: false` with *code*; nothing happens."""
        self._add(method, Fault(Kind.FAIL, code=code), times)

    def html(self, method: str, status: int = 503, times: int = 1) -> None:
        self._add(method, Fault(Kind.HTML, number=status), times)

    def hang(self, method: str, times: int = 1) -> None:
        self._add(method, Fault(Kind.HANG), times)

    def take(self, method: str) -> Fault | None:
        """The fault of this call, used up."""
        waiting = self._next[method]
        return waiting.popleft() if waiting else None

    def clear(self) -> None:
        self._next.clear()

    def _add(self, method: str, fault: Fault, times: int) -> None:
        self._next[method].extend([fault] * times)
