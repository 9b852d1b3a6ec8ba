"""Breaking the glass: one person approves alone in an emergency, all are told, and others say whether it was right.

    a glass vote -> approved -> a note in the thread, and in the same step a request to the reviewers
    that request outlives the run: reminded of, then sent to more people, until somebody answers

Not who may break it or review it (rights), nor the one step in which all this is written (ballot).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain import wording
from bot.domain.arguments import canonical_text, secret_texts, without
from bot.domain.calls import ToolSpec, make_call
from bot.domain.chat import Card, PersonId, Tone
from bot.domain.request import Kind, Request, RequestId, Vote
from bot.domain.store import Note
from bot.domain.verdict import Ask, Climb, Glass, Need, Rung
from bot.domain.wire import Json

REVIEW = "the review of broken glass"  # what reminders call it; no tool has such a name
CALLED_MOST = 10  # reviewers who are called by name in the thread
AGAIN_AFTER = timedelta(days=1)  # a review that is late is asked for again, and again


def aftermath(broken: Request, spec: ToolSpec, *, id: RequestId, breaker: str) -> Request:
    """The review of *broken*, whose glass is broken: what ran, by whom and why, asked of who must look at it.

    *breaker* is what people are called who broke it. Neither they nor anybody excluded from the call may answer.
    """
    vote, glass = _broken(broken)
    told: dict[str, Json] = {
        "request": broken.id,
        "tool": f"{broken.call.tool}, version {broken.call.version}",
        "digest": broken.call.digest,
        "args": canonical_text(broken, spec),
        "by": breaker,
        "at": wording.time(vote.at),
        "reason": without(vote.reason, secret_texts(broken, spec)),
    }
    return Request(
        id=id,
        run=broken.run,
        path=f"{broken.path}/afterwards",
        call=make_call(id="afterwards", tool=REVIEW, version="1", args=told),
        ask=review_ask(glass),
        policy=broken.policy,
        task=broken.task,
        agent=broken.agent,
        requester=broken.requester,
        place=broken.place,
        opened=vote.at,
        kind=Kind.AFTERMATH,
        excluded=tuple(dict.fromkeys((vote.person, *broken.excluded))),
        about=broken.id,
    )


def review_ask(glass: Glass) -> Ask:
    """Who is asked, and how they are reminded. It never expires: silence is no answer to this."""
    late = glass.within
    ladder = (
        Rung(after=late / 2, do=Climb.REMIND),
        Rung(after=late, do=Climb.DM, to=glass.review),
        Rung(after=late, do=Climb.DM, to="manager(approver)"),
        Rung(after=late + AGAIN_AFTER, do=Climb.REVIEW),
    )
    return Ask(
        rule="break-glass",
        why="somebody approved this alone",
        groups=(Need(of=glass.review),),
        separate_duties=True,
        ladder=ladder,
    )


def until(review: Request) -> str | None:
    """By when *review* is to be answered, and what happens when it is not; None of a request that reviews no glass."""
    late = next((step.after for step in review.ask.ladder if step.do is Climb.DM), None)
    return _until(review.opened, late) if review.kind is Kind.AFTERMATH and late is not None else None


def _until(opened: datetime, late: timedelta) -> str:
    return (
        f"until {wording.time(opened + late)}; if nobody has by then, whoever may review it and their managers are "
        f"asked by direct message, and it is asked again every {wording.span(late + AGAIN_AFTER)} "
        "until somebody answers"
    )


def note(broken: Request, spec: ToolSpec, *, breaker: str, reviewers: frozenset[PersonId]) -> Note:
    """What the thread hears at once: who, what, why, who looks at it until when, and what happens otherwise.

    It calls the reviewers at any hour: somebody has just said that this could not wait.

    The card of the review says the same of its time (`until`).
    """
    vote, glass = _broken(broken)
    reason = wording.line(without(vote.reason, secret_texts(broken, spec)))
    body = (
        f"Glass broken: {breaker} approved {wording.line(broken.call.tool)} ({broken.call.digest[:12]}) alone. "
        f"Reason: “{reason}”. To be reviewed by {wording.audience(glass.review, broken.requester, {})} "
        f"{_until(vote.at, glass.within)}."
    )
    called = tuple(sorted(reviewers))[:CALLED_MOST]
    card = Card(body=body, tone=Tone.DANGER, mentions=called, run=broken.run)
    return Note(key=f"{broken.run}/{broken.id}/glass", place=broken.place, card=card)


def _broken(request: Request) -> tuple[Vote, Glass]:
    vote = request.broken_by
    glass = request.ask.break_glass
    assert vote is not None, "only broken glass is told of and reviewed"
    assert glass is not None, "only the glass that a rule offers can be broken"
    return vote, glass
