"""Presses on a sheet: one button, one vote for each item, every vote with its own delivery and its own rights.

    press -> was it offered, for exactly this set -> items that wait -> one vote each -> what became of each, said once

Sent again, it goes on where it was cut short: an item is voted on once for each delivery. Owns what a press on a
sheet means. Not whether one vote counts (ballot), nor how a sheet looks (sheet_card).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from bot.domain.chat import Answer
from bot.domain.crowd import stand
from bot.domain.errors import AlreadySettled, InvalidArguments, NotShown, Refused
from bot.domain.render import REASON
from bot.domain.request import Copy, Move, Request, RequestId, Status, settled_text
from bot.domain.sheet import (
    APPROVE_ALL,
    APPROVE_SOME,
    CHOSEN,
    OPEN_ONE,
    OWN,
    REJECT_ALL,
    number_of,
    taken_out,
)
from bot.domain.store import Effects, Held, Store, Turn
from bot.domain.verdict import ReasonRule
from bot.domain.wire import replace
from bot.runtime.ballot import Ballot
from bot.runtime.journal import once_more
from bot.runtime.press import Press, must_be_shown
from bot.runtime.rights import Rights
from bot.runtime.seal import Seal
from bot.runtime.sharing import items_of, sheet

OPENED = "It stands below as its own card."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slip:
    """What one press says about one item."""

    number: int
    held: Held
    move: Move
    press: Press

    @property
    def id(self) -> RequestId:
        return self.held.request.id


class Sheets:
    def __init__(self, store: Store, seal: Seal, rights: Rights, ballot: Ballot) -> None:
        self._store, self._seal, self._rights, self._ballot = store, seal, rights, ballot

    async def press(self, press: Press) -> Answer:
        """What *press* on a sheet does to its items. Raises Refused if it does nothing to any of them."""
        head = await self._store.held(RequestId(press.subject))
        items = await items_of(self._store, head.request)
        if not items or not self._seal.holds(press.token, head.request.id, sheet(items).digest, press.move):
            raise NotShown(press.subject, "its token is not ours, or is for other requests")
        must_be_shown(head, press)
        if press.move == OPEN_ONE:
            return await self._open_one(items, press)
        slips = await self._slips(items, press)
        wanted = next((slip for slip in slips if _lacks_reason(slip)), None)
        if wanted is not None:
            return Answer(is_taken=False, text="Please say why.", problems={REASON: "Please say why."})
        return await self._cast(slips, press)

    # --------------------------------------------------------------- votes

    async def _slips(self, items: tuple[Held, ...], press: Press) -> list[_Slip]:
        """One slip for each item, approvals first."""
        person = await self._rights.known(items[0].request, press.by)
        left_out = replace(press, fields={REASON: taken_out(person.name)})
        chosen = _chosen(items, press)
        slips = [
            _Slip(number=n, held=held, move=Move.APPROVE, press=press)
            if n in chosen
            else _Slip(number=n, held=held, move=Move.REJECT, press=press if press.move == REJECT_ALL else left_out)
            for n, held in enumerate(items, 1)
        ]
        return sorted(slips, key=lambda slip: slip.number not in chosen)

    async def _cast(self, slips: list[_Slip], press: Press) -> Answer:
        """Vote on one item after the other. Whoever may approve none of those they chose rejects none of the others."""
        failed: dict[RequestId, Refused] = {}
        approvals = [slip for slip in slips if slip.move is Move.APPROVE]
        for slip in slips:
            if slip.move is Move.REJECT and approvals and all(_may_not(failed.get(one.id)) for one in approvals):
                break
            if _is_over(slip):
                continue
            if (error := await self._vote(slip)) is not None:
                failed[slip.id] = error
        return await self._told(slips, failed, press)

    async def _vote(self, slip: _Slip) -> Refused | None:
        """Why this item's vote was not counted; None if it was, now or by an earlier delivery."""
        own = replace(slip.press, subject=slip.id, delivery=_delivery(slip))
        try:
            await self._ballot.vote(slip.held, slip.move, own)
        except Refused as error:
            return error
        return None

    # ---------------------------------------------------------------- told

    async def _told(self, slips: list[_Slip], failed: Mapping[RequestId, Refused], press: Press) -> Answer:
        """The whole truth in one line: what this press did, what others had done, what was refused and why."""
        counted: Counter[str] = Counter()
        before: Counter[str] = Counter()
        refused: Counter[str] = Counter()
        for slip in slips:
            now = (await self._store.held(slip.id)).request
            if own := _own(now, slip):
                counted[own] += 1
            elif _is_over(slip) or isinstance(failed.get(slip.id), AlreadySettled):
                before[await self._settled(now)] += 1
            elif error := failed.get(slip.id):
                refused[error.people_read] += 1
        await self._audited(slips, failed, press, is_counted=bool(counted))
        return Answer(is_taken=bool(counted), text=" ".join(_sentences(counted, before, refused)))

    async def _settled(self, request: Request) -> str:
        decision = request.decision
        people = [await self._rights.name(who) for who in decision.by] if decision else []
        status = Status.APPROVED if request.status is Status.SPENT else request.status
        return f"already {status}" + (f" by {' and '.join(people)}" if people else "")

    async def _audited(
        self, slips: list[_Slip], failed: Mapping[RequestId, Refused], press: Press, *, is_counted: bool
    ) -> None:
        """Write down what was refused: of a press that did nothing, once; else for each item."""
        if not is_counted:
            head = slips[0].held.request
            over = AlreadySettled(head.id, head.status, settled_text(head))
            await self._ballot.refuse(press, next(iter(failed.values()), over))
            return
        for slip in slips:
            if error := failed.get(slip.id):
                await self._ballot.refuse(replace(slip.press, subject=slip.id, delivery=_delivery(slip)), error)

    # ---------------------------------------------------------------- open

    async def _open_one(self, items: tuple[Held, ...], press: Press) -> Answer:
        """Give the chosen item a card of its own, with all its buttons. Once: asked again, it stands there already."""
        number = number_of(str(press.fields.get(CHOSEN) or ""))
        if not 1 <= number <= len(items):
            raise InvalidArguments("sheet", {CHOSEN: "Please choose one of the list."})
        held = items[number - 1]
        request = held.request
        await self._rights.known(request, press.by)
        if not request.is_open:
            raise AlreadySettled(request.id, request.status, settled_text(request))
        if any(copy.name == OWN for copy in held.copies):
            return Answer(is_taken=True, text=OPENED)
        own = (Copy(name=OWN, place=stand(request)),)
        after = replace(request, version=request.version + 1)
        effects = Effects(dirty=Held(request=after, copies=own).rows)
        turn = Turn(after=after, copies=own, effects=effects, delivery=press.delivery, answer=OPENED)
        turned = await once_more(partial(self._store.turn, turn))
        if turned.is_applied or turned.repeat is not None:
            return Answer(is_taken=True, text=OPENED)
        return await self._open_one(await items_of(self._store, items[0].request), press)


def _chosen(items: tuple[Held, ...], press: Press) -> set[int]:
    """The numbers of the items to approve. Raises InvalidArguments beside the field."""
    everything = set(range(1, len(items) + 1))
    match press.move:
        case m if m == APPROVE_ALL:
            return everything
        case m if m == APPROVE_SOME:
            found = press.fields.get(CHOSEN) or ""
            lines = [str(one) for one in found] if isinstance(found, list | tuple) else str(found).splitlines()
            chosen = {number_of(line) for line in lines if line.strip()}
            if not chosen or not chosen <= everything:
                raise InvalidArguments("sheet", {CHOSEN: "Please choose at least one, or press Reject all."})
            return chosen
    return set()


def _is_over(slip: _Slip) -> bool:
    """Was the item decided before this press, and not by an earlier delivery of it?"""
    return not slip.held.request.is_open and not _own(slip.held.request, slip)


def _may_not(error: Refused | None) -> bool:
    return error is not None and not isinstance(error, AlreadySettled)


def _lacks_reason(slip: _Slip) -> bool:
    rule = slip.held.request.ask.reason
    is_wanted = rule is ReasonRule.ALWAYS or (rule is ReasonRule.ON_REJECT and slip.move is Move.REJECT)
    return slip.held.request.is_open and is_wanted and not slip.press.reason


def _delivery(slip: _Slip) -> str:
    return f"{slip.press.delivery}/{slip.number}"


def _own(request: Request, slip: _Slip) -> str:
    """What this press did to the item; empty if its vote was not counted."""
    given = next((vote for vote in request.votes if vote.delivery == _delivery(slip)), None)
    if given is None:
        return ""
    if given.move is Move.REJECT:
        return "rejected"
    return "signed, others have to sign, too" if request.is_open else "approved"


def _sentences(counted: Counter[str], before: Counter[str], refused: Counter[str]) -> Iterator[str]:
    """`3 approved, 1 was already rejected by Chris.` and a sentence for each refusal."""
    parts = [f"{count} {what}" for what, count in counted.items()]
    parts += [f"{count} {'was' if count == 1 else 'were'} {what}" for what, count in before.items()]
    if parts:
        yield f"{', '.join(parts)}."
    for told, count in refused.items():
        yield f"{count} not counted: {told}" if parts else told
