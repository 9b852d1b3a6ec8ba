"""What happens as time passes while a request is open: one step after the other, none left out.

    remind · also · dm · …  -> expire, at the deadline
                            -> review, again and again: that request has no deadline

The steps are a snapshot in the request; only the next one has a timer. Where a rule gives the ladder a `clock`, time
goes by inside its hours alone: for every step, and so for the deadline. Not who is meant (rights) nor how it is told
(climbing, outbox).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.chat import PersonId
from bot.domain.hours import open_after, open_between
from bot.domain.request import Request, RequestId
from bot.domain.store import Timer
from bot.domain.verdict import Ask, Climb, Rung
from bot.domain.wire import replace

SKEW = timedelta(seconds=2)  # how far our idea of the store's clock may be ahead: a review is never counted early


def due(ask: Ask, opened: datetime, step: Rung, *, times: int = 1) -> datetime:
    """When *step* is due of what was *opened* then; of a review, when it is for so many *times*."""
    return open_after(ask.clock, opened, step.after * times)


def deadline(ask: Ask, opened: datetime) -> datetime | None:
    """Until when what was *opened* then may be answered; None if it does not expire."""
    return open_after(ask.clock, opened, ask.expires_after) if ask.expires_after else None


def first_timer(request: Request) -> tuple[Timer, ...]:
    return timer_for(request, 0)


def timer_for(request: Request, index: int) -> tuple[Timer, ...]:
    """The timer of step *index*; none after the last step."""
    if index >= len(request.ask.ladder):
        return ()
    step = request.ask.ladder[index]
    times = request.reviews + 1 if step.do is Climb.REVIEW else 1
    return (Timer(name=timer_name(request, index), due=due(request.ask, request.opened, step, times=times)),)


def timer_name(request: Request, index: int) -> str:
    return f"rung|{request.id}|{index}"


def waiting_timer(request: Request) -> tuple[str, ...]:
    """The timer to take down when the request ends. A `wake` that is left finds nothing to do."""
    return (timer_name(request, request.rung),)


def wake_name(request: RequestId, person: PersonId) -> str:
    """The timer at which *person*, who was away, is sent what they were to be asked."""
    return f"wake|{request}|{person}"


def reviewed(request: Request, step: Rung, now: datetime) -> Request:
    """*request* after its review: periods that went by unseen are over, and make one review together."""
    gone_by = open_between(request.ask.clock, request.opened, now - SKEW)
    over = max(gone_by // step.after, request.reviews + 1)
    return replace(request, reviews=over, version=request.version + 1)


def rung(request: Request, index: int) -> Rung | None:
    """Step *index*, if it is this request's next one."""
    is_next = request.is_open and request.rung == index and index < len(request.ask.ladder)
    return request.ask.ladder[index] if is_next else None
