"""I4 and I5, from the audit alone: enough distinct people for every group, and none who may not sign.

    votes for these bytes, in time, of nobody excluded -> where each may sit, also for whoever was away -> all seated

The people are counted anew here, not by the code that let them sign. Not the other promises (`invariants`), nor who
answers beside the quorum (`alone`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bot.domain import alone, answered
from bot.domain.audit import Entry
from bot.domain.history import Case, Found, Log


def quorum(log: Log) -> Found:
    """I4: an approval has enough distinct people for every group, each sitting once, all for these bytes; or else

    somebody broke the glass, with a reason, and others are asked whether that was right.
    """
    for case, opening in log.opened:
        counted = Counter(vote.fields["person"] for vote in case.votes)
        yield from ((vote, "one person was counted twice") for vote in case.votes if counted[vote.fields["person"]] > 1)
        yield from (*alone.wrong_rights(case, opening), *alone.idle_review(log, opening))
        yield from answered.wrong_answers(case, opening)
        for end in case.decisions:
            if end.fields["status"] != "approved":
                continue
            if alone.is_broken(case, end):
                yield from alone.broken_glass(log, case, opening, end)
                continue
            voters = _approvers(case, opening, end)
            if not voters or not _fills([group["need"] for group in opening.fields["groups"]], voters):
                yield end, f"approved by {len(voters)} of those it needs"
            elif not set(end.fields["by"]) <= voters.keys():
                yield end, "the decision names people who did not vote for it"


def _approvers(case: Case, opening: Entry, end: Entry) -> dict[str, list[int]]:
    """Who voted for these bytes in time, and where each may sit: also in the place of whoever was away."""
    barred = opening.fields["excluded"] if opening.fields["separate"] else ()
    votes = [
        vote
        for vote in case.votes
        if vote.seq < end.seq
        and vote.fields["move"] == "approve"
        and alone.right_of(vote) == "seat"
        and vote.fields["digest"] == opening.fields["digest"]
        and vote.fields["person"] not in barred
    ]
    found = {vote.fields["person"]: [*vote.fields["seats"]] for vote in votes}
    used = {*found, *barred}  # nobody's right counts beside their own vote, nor twice
    for vote in votes:
        lent = [stand for stand in vote.fields.get("stands_for", ()) if stand["person"] not in used]
        used |= {stand["person"] for stand in lent}
        found[vote.fields["person"]] += [seat for stand in lent for seat in stand["seats"]]
    return found


def _fills(needs: Sequence[int], voters: Mapping[str, Sequence[int]]) -> bool:
    """Can every chair of every group be taken by a person of its own? (Kuhn's algorithm, from the chairs' side.)"""
    sitting: dict[str, int] = {}
    chairs = [group for group, need in enumerate(needs) for _ in range(need)]

    def seat(chair: int, asked: set[str]) -> bool:
        for person, groups in voters.items():
            if chairs[chair] in groups and person not in asked:
                asked.add(person)
                if person not in sitting or seat(sitting[person], asked):
                    sitting[person] = chair
                    return True
        return False

    return all(seat(chair, set()) for chair in range(len(chairs)))


def separation(log: Log) -> Found:
    """I5: no vote of an excluded person is counted, under any account, and no account speaks for two people."""
    for case, opening in log.opened:
        people: dict[str, str] = {}
        for vote in case.votes:
            person, account = vote.fields["person"], vote.fields["account"]
            if not person:
                yield vote, "a vote of nobody was counted"
            if opening.fields["separate"] and person in opening.fields["excluded"]:
                yield vote, f"{person} is excluded from this request"
            if people.setdefault(account, person) != person:
                yield vote, f"account {account} voted for two people"
