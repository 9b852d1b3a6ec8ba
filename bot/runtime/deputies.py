"""Deputies: who stands in for somebody who is away, for one request.

    members of a group -> those who are away -> their deputies, as far as these may answer -> whose seats they may fill

A deputy acts in their own name. Nothing is passed on: a deputy who is away counts for nothing, and neither does theirs.
What comes of a right is counted in `domain/request`; who may answer at all is said in `rights`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.absence import Absence
from bot.domain.chat import PersonId
from bot.domain.ports import Directory
from bot.domain.request import Move, Request, Stand, Vote

Away = Mapping[PersonId, Absence]
Groups = Sequence[frozenset[PersonId]]  # per group, its members who may answer in their own right


async def deputies(of: frozenset[PersonId], away: Away, directory: Directory) -> dict[PersonId, PersonId]:
    """For each of *of* who is away, the deputy, if that is somebody who may answer and is there."""
    named = {who: away[who].deputy for who in of if who in away}
    there = {who: deputy for who, deputy in named.items() if deputy and deputy != who and deputy not in away}
    active = await directory.active(frozenset(there.values())) if there else frozenset[PersonId]()
    return {who: deputy for who, deputy in there.items() if deputy in active}


def stands(
    request: Request, person: PersonId, groups: Groups, standing: Mapping[PersonId, PersonId]
) -> tuple[Stand, ...]:
    """Whom *person* stands for, and in which groups. Whoever approved already has used their right up."""
    used = used_up([vote for vote in request.votes if vote.person != person])
    absent = sorted(who for who, deputy in standing.items() if deputy == person and who not in used)
    found = (Stand(person=who, seats=_seats_of(who, groups)) for who in absent)
    return tuple(stand for stand in found if stand.seats)


def used_up(votes: Sequence[Vote]) -> frozenset[PersonId]:
    """Everybody whose own right an approval rests on: given by themselves, or in their place."""
    approvals = [vote for vote in votes if vote.move is Move.APPROVE]
    lent = {stand.person for vote in approvals for stand in vote.stands_for}
    return frozenset(lent | {vote.person for vote in approvals})


def still(vote: Vote, groups: Groups, may_answer: frozenset[PersonId]) -> tuple[Stand, ...]:
    """What is left of *vote*'s stands: the absence was judged when it was given, the rest is as it is now."""
    if vote.person not in may_answer:
        return ()
    now = (Stand(person=one.person, seats=_kept(one, groups)) for one in vote.stands_for)
    return tuple(stand for stand in now if stand.seats)


def _kept(stand: Stand, groups: Groups) -> tuple[int, ...]:
    return tuple(seat for seat in stand.seats if stand.person in groups[seat])


def _seats_of(person: PersonId, groups: Groups) -> tuple[int, ...]:
    return tuple(index for index, members in enumerate(groups) if person in members)
