"""What happens as time passes while a request is open: one step after the other, none left out.

    remind · also · dm · …  -> expire, at the deadline
                            -> review, again and again: that request has no deadline

The steps are a snapshot in the request; only the next one has a timer. Not who is meant (rights) nor how
it is told (climbing, outbox).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.chat import PersonId
from bot.domain.request import Request, RequestId
from bot.domain.store import Timer
from bot.domain.verdict import Climb, Rung
from bot.domain.wire import replace

SKEW = timedelta(seconds=2)  # how far our idea of the store's clock may be ahead: a review is never counted early


def first_timer(request: Request) -> tuple[Timer, ...]:
    return timer_for(request, 0)


def timer_for(request: Request, index: int) -> tuple[Timer, ...]:
    """The timer of step *index*; none after the last step."""
    if index >= len(request.ask.ladder):
        return ()
    step = request.ask.ladder[index]
    times = request.reviews + 1 if step.do is Climb.REVIEW else 1
    return (Timer(name=timer_name(request, index), due=request.opened + step.after * times),)


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
    over = max((now - SKEW - request.opened) // step.after, request.reviews + 1)
    return replace(request, reviews=over, version=request.version + 1)


def rung(request: Request, index: int) -> Rung | None:
    """Step *index*, if it is this request's next one."""
    is_next = request.is_open and request.rung == index and index < len(request.ask.ladder)
    return request.ask.ladder[index] if is_next else None
