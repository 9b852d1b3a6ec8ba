"""The tray: what one turn of an agent asks people for lies here until the turn is whole; then it is put to them.

    each call: asks -> on the tray | needs nobody, is refused, was asked before -> leaves its seat empty
    every seat filled or empty -> spread -> together: one write for a sheet | alone: a write for each

A sheet is opened in one write, whole or not at all: whoever dies before it has asked nothing, whoever dies after it
has asked everything. Owns when and together with whom. Not which calls share a message (domain/sheet), nor what a
request carries along (gatehouse).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.domain.calls import Digest
from bot.domain.errors import TooMany, Twin, Unheard
from bot.domain.request import Request
from bot.domain.sheet import bound, spread
from bot.domain.wire import replace
from bot.runtime.beds import Bed
from bot.runtime.gatehouse import Draft, Gatehouse
from bot.runtime.host import Host


class Tray:
    """The seats of one turn's calls. Whoever waits here lies in a bed: none of them is at work."""

    def __init__(self, house: Gatehouse, host: Host, count: int) -> None:
        self._house, self._host = house, host
        self._coming = set(range(count))  # calls of which it is not known yet whether they ask
        self._laid: dict[int, _Laid] = {}
        self.seats = [Seat(self, number) for number in range(count)]

    def leave(self, number: int) -> None:
        """This call asks nobody, or did so before."""
        if number in self._coming:
            self._coming.discard(number)
            self._deal()

    async def open(self, number: int, draft: Draft) -> None:
        """Put *draft* to people, alone or on a sheet. Raises Unsatisfiable, TooMany, Twin, Unheard."""
        await self._house.must_be_answerable(draft.request)
        laid = self._laid[number] = _Laid(draft, Bed(self._host))
        if number in self._coming:
            self.leave(number)
        else:  # the others have gone ahead
            laid.bed.wake((laid,))
        group = await laid.bed.sleep()
        try:
            if group is not None:
                await self._put(group)
        finally:
            laid.is_put.set()
            del self._laid[number]  # the call may sleep for a month

    def _deal(self) -> None:
        """The turn is whole: wake those who put something to people. The rest of a sheet sleeps on."""
        if self._coming:
            return
        laid = [self._laid[number] for number in sorted(self._laid)]
        first: dict[Digest, _Laid] = {}
        for one in laid:
            one.repeats = first.setdefault(one.digest, one)
        once = {one.draft.request.id: one for one in laid if one.repeats is one}
        groups = spread([one.draft.request for one in once.values()], self._house.cards_most)
        together = [tuple(once[request.id] for request in group) for group in groups]
        on_sheets = {id(one) for group in together for one in group}
        alone = [(one,) for one in laid if id(one) not in on_sheets]
        for group in (*together, *alone):
            group[0].bed.wake(group)

    async def _put(self, group: Sequence[_Laid]) -> None:
        """One write for all of *group*. If that is refused to them together, each tries for itself."""
        head, *rest = group
        if head.repeats is not head:
            await head.repeats.is_put.wait()  # awake: there is something to do yet, even if all others sleep
        requests = bound(tuple(one.draft.request for one in group)) if rest else (head.draft.request,)
        drafts = tuple(replace(one.draft, request=request) for one, request in zip(group, requests, strict=True))
        try:
            await self._house.put(self._host, drafts)
        except (TooMany, Twin, Unheard):
            for one in rest:
                one.bed.wake((one,))
            if not rest:
                raise
            await self._house.put(self._host, (head.draft,))
        else:
            for one in rest:
                one.bed.wake(None)


class Seat:
    """One call's place at the tray."""

    def __init__(self, tray: Tray, number: int) -> None:
        self._tray, self._number = tray, number

    def leave(self) -> None:
        """This call asks nobody, or did so before: the others need not wait for it."""
        self._tray.leave(self._number)

    async def open(self, request: Request, mark: str, known: int) -> None:
        """Put *request* to people once the turn is whole; the journal calls the step *mark*.

        Raises Unsatisfiable; Unheard when more letters than *known* have come; TooMany; Twin.
        """
        await self._tray.open(self._number, Draft(request=request, mark=mark, known=known))


class _Laid:
    """A request on the tray, and the bed of the call that laid it there.

    It is woken with those it is to put to people, itself among them, or with None once another call has done so.
    """

    def __init__(self, draft: Draft, bed: Bed[tuple[_Laid, ...] | None]) -> None:
        self.draft, self.bed = draft, bed
        self.repeats = self  # the first of this turn's calls that is exactly the same
        self.is_put = asyncio.Event()

    @property
    def digest(self) -> Digest:
        return self.draft.request.call.digest
