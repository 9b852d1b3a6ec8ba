"""What the audit must show of one person's own word: that they were asked, and that the decision names just them.

    every vote of a seat fills one, by its own right or for somebody who is away
    after a question was handed on, only whom it was handed to answers, or whom the ladder called since
    an answer and a refusal name those who gave it, and no others
    each kind of request is answered as that kind can be: what only asks is never approved, a call never just answered

A part of I4, read from the records alone. The quorum is in `quorum`; vetoes and broken glass are in `alone`.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.alone import right_of
from bot.domain.audit import Entry
from bot.domain.history import Case, Found

ONE_WORD = {"answered": "answer", "rejected": "reject"}  # ends that one person's move makes, and the move
BY_NOBODY = frozenset({"expired", "cancelled", "superseded"})
CALLS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {  # kinds that let a call run: votes, and ends by people
    "approval": (frozenset({"approve", "reject", "break_glass"}), frozenset({"approved", "rejected"})),
    "recovery": (frozenset({"approve", "reject", "answer"}), frozenset({"approved", "rejected", "answered"})),
}
ASKS = frozenset({"question", "handoff", "form", "review", "plan", "escalation", "stuck", "aftermath"})  # the others
ANSWERS = (frozenset({"answer"}), frozenset({"answered"}))
HANDED = frozenset({"request_handed", "request_fell_back"})  # from then on one person is asked
CALLED = frozenset({"rung_fired", "copy_sent"})  # after these, others may be asked as well


def wrong_answers(case: Case, opening: Entry) -> Found:
    """Votes of people who were not asked, and decisions that name others than who made them."""
    for vote in case.votes:
        if right_of(vote) != "seat":
            continue
        if not _fills_any(vote, len(opening.fields["groups"])):
            yield vote, f"{vote.fields['person']} was counted, and fills no seat"
        elif (to := _handed_to(case, vote)) and to not in _speaks_for(vote):
            yield vote, f"{vote.fields['person']} was counted after it was handed to {to}"
    yield from _of_its_kind(case, opening)
    for end in case.decisions:
        status, named = end.fields["status"], list(end.fields["by"])
        if status in BY_NOBODY and named:
            yield end, f"{status} is nobody's answer, and names {', '.join(named)}"
        if status in ONE_WORD and sorted(named) != sorted(_who(case, end, ONE_WORD[status])):
            yield end, f"{status} names others than those whose {ONE_WORD[status]} it was"


def _of_its_kind(case: Case, opening: Entry) -> Found:
    kind = str(opening.fields["kind"])
    if kind not in CALLS and kind not in ASKS:
        yield opening, f"{kind} is no kind of request that we know"
        return
    moves, ends = CALLS.get(kind, ANSWERS)
    yield from (
        (vote, f"{vote.fields['move']} was counted, which is no answer to a request of kind {kind}")
        for vote in case.votes
        if vote.fields["move"] not in moves
    )
    yield from (
        (end, f"a request of kind {kind} was {end.fields['status']}, which it cannot be")
        for end in case.decisions
        if end.fields["status"] not in ends | BY_NOBODY
    )


def _fills_any(vote: Entry, groups: int) -> bool:
    """Is there a seat, own or lent, and none that the request has not?"""
    seats = [*vote.fields["seats"], *(seat for stand in _stands(vote) for seat in stand["seats"])]
    return bool(seats) and all(0 <= seat < groups for seat in seats)


def _handed_to(case: Case, vote: Entry) -> str | None:
    """Whom alone it was asked of when *vote* came; None if nobody handed it on, or the ladder called others since."""
    found: str | None = None
    for entry in case.entries:
        if entry.seq > vote.seq:
            break
        if entry.event in HANDED:
            found = str(entry.fields["to"])
        elif entry.event in CALLED:
            found = None
    return found


def _speaks_for(vote: Entry) -> set[str]:
    return {str(vote.fields["person"]), *(str(stand["person"]) for stand in _stands(vote))}


def _stands(vote: Entry) -> list[dict[str, list[int]]]:
    return list(vote.fields.get("stands_for", ()))


def _who(case: Case, end: Entry, move: str) -> list[str]:
    return [str(vote.fields["person"]) for vote in case.votes if vote.fields["move"] == move and vote.seq < end.seq]
