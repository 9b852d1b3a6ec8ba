"""The shelf: requests as this process itself last wrote them, so that a click need not read them again.

What lies here may be old, never forged: it did not come out of Redis. Whoever changes a request is refused when
the store holds another version, and then reads it afresh. Not for anything that is not compared like that.
"""

from __future__ import annotations

from collections import OrderedDict

from bot.domain.request import Copy, Request, RequestId
from bot.domain.store import Held, Row, Turn
from bot.domain.wire import replace

ROOM = 256  # requests; some kilobytes each


class Shelf:
    def __init__(self) -> None:
        self._held: OrderedDict[RequestId, Held] = OrderedDict()

    def get(self, request: RequestId) -> Held | None:
        return self._held.get(request)

    def opened(self, request: Request, copies: tuple[Copy, ...]) -> None:
        self._held[request.id] = Held(request=request, copies=copies)
        while len(self._held) > ROOM:
            self._held.popitem(last=False)

    def turned(self, turn: Turn) -> None:
        """Keep an open request as it has become; what is settled is left to the store."""
        before = self._held.pop(turn.after.id, None)
        if turn.opens is not None:
            self.opened(turn.opens, turn.copies)
        elif before is not None and turn.after.is_open:
            copies = {copy.name: copy for copy in (*before.copies, *turn.copies)}  # a turn may change one, too
            self.opened(turn.after, tuple(copies.values()))

    def posted(self, row: Row, copy: Copy | None) -> None:
        """A copy is shown: from now on its buttons may be pressed."""
        kind, _, rest = row.name.partition("|")
        held = self._held.get(RequestId(rest.partition("|")[0])) if kind == "card" else None
        if held is not None and copy is not None:
            copies = tuple(copy if known.name == copy.name else known for known in held.copies)
            self._held[held.request.id] = replace(held, copies=copies)

    def forget(self, request: RequestId) -> None:
        self._held.pop(request, None)
