"""What goes wrong, on order: for the next calls of one route, and for everything that is delivered.

Routes: token, metadata, keys, graph; post, put, delete, create, member, members, team, channels.
"""

from __future__ import annotations

import asyncio
import enum
from collections import defaultdict, deque
from dataclasses import dataclass, field

ROUTES = {
    *("token", "metadata", "keys", "graph"),
    *("post", "put", "delete", "create", "member", "members", "team", "channels"),
}
ALWAYS = 1_000_000  # as `times`: from now on
OMITTED = {"conversation", "thread", "tenant", "aadObjectId", "channelData", "replyToId", "inputs"}


class Kind(enum.Enum):
    LOSE_REPLY = "lose reply"  # done, and the connection drops without an answer
    LOSE_REQUEST = "lose request"  # not done, and the connection drops
    FAIL = "fail"
    FAIL_DONE = "fail done"  # done, and answered as if it had failed
    HTML = "html"
    HANG = "hang"  # not done, no answer until the caller gives up
    HANG_DONE = "hang done"  # done, no answer until the caller gives up
    GATE = "gate"  # waits for its event, and goes on


@dataclass(frozen=True)
class Fault:
    kind: Kind
    status: int = 0
    code: str = ""
    subcode: str = ""
    retry_after: str | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)


class Faults:
    """Each verb is about the next *times* calls of *route*, one fault a call, in the order they were asked for."""

    def __init__(self) -> None:
        self.deliver_twice = False  # everything comes a second time with the same id, after the first answer
        self.deliver_anew = False  # everything comes a second time with another id, after the first answer
        self.at_once = False  # everything comes twice at the same moment, with the same id
        self.out_of_order = False  # what one act sends arrives in reverse
        self.leave_out: set[str] = set()  # of what is delivered; see OMITTED
        self._next: defaultdict[str, deque[Fault]] = defaultdict(deque)

    def fail(self, route: str, status: int, code: str, times: int = 1, *, subcode: str = "") -> None:
        """An error in the service's own shape; nothing happens. For `token`: *code* is AADSTS700016, for example."""
        self._add(route, Fault(Kind.FAIL, status, code, subcode), times)

    def fail_done(self, route: str, status: int, code: str = "ServiceError", times: int = 1) -> None:
        """It happens, and an error is answered."""
        self._add(route, Fault(Kind.FAIL_DONE, status, code), times)

    def rate_limit(self, route: str, retry_after: int | str | None = 1, times: int = 1) -> None:
        """HTTP 429; None: without `Retry-After`."""
        wait = None if retry_after is None else str(retry_after)
        self._add(route, Fault(Kind.FAIL, 429, "Throttled", retry_after=wait), times)

    def html(self, route: str, status: int = 503, times: int = 1) -> None:
        """A proxy in between answers, with a page."""
        self._add(route, Fault(Kind.HTML, status), times)

    def lose_reply(self, route: str, times: int = 1) -> None:
        self._add(route, Fault(Kind.LOSE_REPLY), times)

    def lose_request(self, route: str, times: int = 1) -> None:
        self._add(route, Fault(Kind.LOSE_REQUEST), times)

    def hang(self, route: str, times: int = 1, *, done: bool = False) -> None:
        self._add(route, Fault(Kind.HANG_DONE if done else Kind.HANG), times)

    def gate(self, route: str, times: int = 1) -> asyncio.Event:
        """The call is slow: it goes on when the event that is returned is set."""
        fault = Fault(Kind.GATE)
        self._add(route, fault, times)
        return fault.gate

    def take(self, route: str) -> Fault | None:
        """The fault of this call, used up."""
        waiting = self._next[route]
        return waiting.popleft() if waiting else None

    def clear(self, route: str | None = None) -> None:
        """No more faults of *route*, or of any."""
        for each in [route] if route else list(self._next):
            self._next[each].clear()

    def _add(self, route: str, fault: Fault, times: int) -> None:
        if route not in ROUTES:
            raise KeyError(f"there is no route {route!r}; there are {sorted(ROUTES)}")
        self._next[route].extend([fault] * min(times, ALWAYS))
