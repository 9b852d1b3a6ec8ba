"""What a policy answers: this call may run, may not, people must be asked, or it is theirs; and how they are asked."""

from __future__ import annotations

import enum
from datetime import timedelta

from bot.domain.hours import Hours
from bot.domain.wire import Record

Audience = str
"""Who is meant, as written in a policy:

    requester            the person who gave the task
    manager(requester)   that person's manager          manager(approver)  the managers of those asked
    manager(manager(…))  one higher, at most 5 up       oncall(support)    whoever is on call for it just then
    @ana                 one person                     finance            everybody in that group
    anyone               every active person that is neither guest nor bot
"""
HERE = "here"  # where a step of the ladder turns to the thread, and so to whoever was asked


class Need(Record):
    """`need` distinct persons of `of`. Several needs are all required, and a person fills one seat only."""

    of: Audience
    need: int = 1


class Climb(enum.StrEnum):
    REMIND = "remind"  # say it again in the thread
    ALSO = "also"  # show the card to more people, who may then answer; or in a channel, for whoever may anyway
    DM = "dm"  # the same by direct message: the escalation
    EXPIRE = "expire"  # the end: not executed
    REVIEW = "review"  # no end: said again, in the thread and by direct message, every so often until it is answered


ENDS = (Climb.EXPIRE, Climb.REVIEW)  # what a ladder ends with: no request waits unnoticed for ever (ST-41)


class Rung(Record):
    """One step of the ladder, `after` the request was opened; of that time only what the ask's `clock` counts.

    `to` is an audience, "here" for the thread, or where ALSO shows the card and gives nobody a right: "#channel" on
    the request's own platform, "teams/#channel" on another one.
    """

    after: timedelta
    do: Climb
    to: Audience = HERE

    @property
    def channel(self) -> str:
        """Where the card is shown as well: `ops`, or `teams/#Ops` elsewhere; empty for a step that turns to people."""
        return self.to.removeprefix("#") if "#" in self.to else ""


class ReasonRule(enum.StrEnum):
    NEVER = "never"
    ON_REJECT = "on_reject"
    ALWAYS = "always"


class Glass(Record):
    """In an emergency one person of `of` may approve alone; `review` say afterwards whether that was right."""

    of: Audience
    review: Audience
    within: timedelta  # until the review is late, and more people are asked for it


class Grantable(Record):
    """Whoever signs may allow more calls like this one: so many, for so long, some arguments staying the same."""

    most: int
    within: timedelta
    same: tuple[str, ...] = ()  # argument names that are always bound


class Ask(Record, tag="ask"):
    """People must be asked; this is who, how many, how and for how long. Travels with the request as a snapshot."""

    rule: str
    why: str
    groups: tuple[Need, ...]
    separate_duties: bool = False
    reason: ReasonRule = ReasonRule.NEVER
    may_use_words: bool = False  # an exact "approve" or "reject" in the thread counts as a click
    ladder: tuple[Rung, ...] = ()
    exec_window: timedelta = timedelta(minutes=15)  # from decision to start
    place: str = "thread"  # or "#channel", or "teams/#channel" on another platform: where the card stands
    is_high: bool = False  # shown as dangerous; its buttons ask once more, and only who opened its details approves
    veto: tuple[Audience, ...] = ()  # may reject, and fill no seat
    typed: str = ""  # the argument whose value whoever approves has to type
    break_glass: Glass | None = None
    is_batch: bool = False  # equal calls of one turn stand on one card, and may be approved together
    grant: Grantable | None = None
    clock: Hours | None = None  # when the ladder's time goes by; None: always. `exec_window` never pauses

    @property
    def expires_after(self) -> timedelta | None:
        return next((rung.after for rung in self.ladder if rung.do is Climb.EXPIRE), None)

    @property
    def reviewed_every(self) -> timedelta | None:
        """How often it is asked again, for ever; None for what expires."""
        return next((rung.after for rung in self.ladder if rung.do is Climb.REVIEW), None)


class Allow(Record, tag="allow"):
    rule: str
    why: str


class Deny(Record, tag="deny"):
    rule: str
    why: str


class Escalate(Record, tag="escalate"):
    """The call does not run, whoever says what: `to` read of it, and of `suggestion`, and say how the agent goes on."""

    rule: str
    why: str
    to: Audience
    suggestion: str


Verdict = Allow | Deny | Ask | Escalate
