"""What the audit must show of those who answer beside the quorum: vetoes, broken glass, and details that were read.

    a veto only rejects · glass is broken by somebody apart, with a reason, and its review is opened in the same step
    what is high-risk is approved by nobody who had not opened its details before

Parts of I4 and I8, read from the records alone; the quorum itself is in `quorum`.
"""

from __future__ import annotations

from bot.domain.audit import Entry
from bot.domain.history import Case, Found, Log

BREAK = "break_glass"
SIGNED = ("approve", BREAK)  # votes after which a call runs
REVIEW = "aftermath"  # the kind of a request that says whether it was right to break the glass


def right_of(vote: Entry) -> str:
    """A vote's right; older records know of none but a seat."""
    return str(vote.fields.get("right", "seat"))


def is_broken(case: Case, end: Entry) -> bool:
    """Was *end*, an approval, made by breaking the glass?"""
    return any(vote.fields["move"] == BREAK and vote.seq < end.seq for vote in case.votes)


def wrong_rights(case: Case, opening: Entry) -> Found:
    """Votes that their right does not allow."""
    for vote in case.votes:
        move, right = vote.fields["move"], right_of(vote)
        if right == "veto" and (move != "reject" or not opening.fields.get("veto")):
            yield vote, f"a veto was counted as {move}, where nobody has more than a veto, or none"
        if (right == "glass") != (move == BREAK):
            yield vote, f"{move} was counted by the right of {right}"


def broken_glass(log: Log, case: Case, opening: Entry, end: Entry) -> Found:
    """One person approved alone: the rule must offer it, they must stand apart and say why, and others must review."""
    votes = [vote for vote in case.votes if vote.fields["move"] == BREAK and vote.seq < end.seq]
    vote, glass = votes[0], opening.fields.get("glass")
    person = vote.fields["person"]
    if glass is None:
        yield vote, "the glass was broken of a rule that has none"
    if person in opening.fields["excluded"]:
        yield vote, f"{person} broke the glass and is excluded from this request"
    if not str(vote.fields["reason"]).strip():
        yield vote, "the glass was broken without a reason"
    if vote.fields["digest"] != opening.fields["digest"]:
        yield vote, "the glass was broken for another call"
    if end.fields["by"] != [person]:
        yield end, "the decision names others than who broke the glass"
    reviews = [one for _, one in log.opened if one.fields.get("about") == case.id and vote.seq < one.seq < end.seq]
    if not any(_is_review(one, person, glass) for one in reviews):
        yield end, "nobody was asked afterwards whether it was right to break the glass"


def _is_review(opening: Entry, person: str, glass: dict[str, str] | None) -> bool:
    fields = opening.fields
    asked = [group["of"] for group in fields["groups"]]
    is_apart = fields["separate"] and person in fields["excluded"]
    return bool(fields["kind"] == REVIEW and is_apart and glass is not None and asked == [glass["review"]])


def idle_review(log: Log, opening: Entry) -> Found:
    """A review of glass that nobody broke."""
    case = log.requests.get(str(opening.fields.get("about")))
    if opening.fields["kind"] == REVIEW and (case is None or not any(v.fields["move"] == BREAK for v in case.votes)):
        yield opening, "a review was opened of glass that nobody broke"


def unread(case: Case, opening: Entry) -> Found:
    """Signatures under what is high-risk by people who had not opened its details, of these very bytes, before."""
    if not opening.fields.get("high"):
        return
    for vote in case.votes:
        if vote.fields["move"] not in SIGNED:
            continue
        person = vote.fields["person"]
        read = [one for one in case.of("details_opened") if one.seq < vote.seq and one.fields["person"] == person]
        if not any(one.fields["digest"] == opening.fields["digest"] for one in read):
            yield vote, f"{person} approved what is high-risk without having opened its details"
