"""The calls of one turn, side by side: who must end before whom.

Calls that people sign go ahead in any order. A call that needs nobody runs after every signed call in
front of it has ended: "read, delete, read" reads the second time what the deletion left (AS-34).
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.runtime.beds import Bed
from bot.runtime.host import Host
from bot.runtime.tray import Seat, Tray


def lanes(host: Host, tray: Tray) -> list[Lane]:
    made: list[Lane] = []
    for seat in tray.seats:
        made.append(Lane(host, made, seat))
    return made


class Lane:
    """One call's place among its siblings: who must end before it, and who waits for it."""

    def __init__(self, host: Host, earlier: Sequence[Lane], seat: Seat) -> None:
        self._host, self._earlier, self.seat = host, tuple(earlier), seat
        self._known: list[Bed[None]] = []
        self._ended: list[Bed[None]] = []
        self.needs_people: bool | None = None
        self.is_over = False

    async def after_signed(self) -> None:
        """Wait until every signed call in front of this one has ended."""
        for other in self._earlier:
            if other.needs_people is None and not other.is_over:
                await self._lie(other._known)
            if other.needs_people and not other.is_over:
                await self._lie(other._ended)

    def know(self, needs_people: bool) -> None:
        if self.needs_people is None:
            self.needs_people = needs_people
            _wake(self._known)
        if not needs_people:
            self.seat.leave()

    def end(self) -> None:
        self.is_over = True
        self.seat.leave()
        _wake(self._known)
        _wake(self._ended)

    async def _lie(self, beds: list[Bed[None]]) -> None:
        bed: Bed[None] = Bed(self._host)
        beds.append(bed)
        await bed.sleep()


def _wake(beds: list[Bed[None]]) -> None:
    for bed in beds:
        bed.wake(None)
