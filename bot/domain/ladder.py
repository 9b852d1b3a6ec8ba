"""What happens as time passes while a request is open: one step after the other, none left out.

The steps are a snapshot in the request; only the next one has a timer. Not who is meant (rights) nor how
it is told (timers, outbox).
"""

from __future__ import annotations

from bot.domain.request import Request
from bot.domain.store import Timer
from bot.domain.verdict import Rung


def first_timer(request: Request) -> tuple[Timer, ...]:
    return timer_for(request, 0)


def timer_for(request: Request, index: int) -> tuple[Timer, ...]:
    """The timer of step *index*; none after the last step."""
    if index >= len(request.ask.ladder):
        return ()
    return (Timer(name=timer_name(request, index), due=request.opened + request.ask.ladder[index].after),)


def timer_name(request: Request, index: int) -> str:
    return f"rung|{request.id}|{index}"


def waiting_timer(request: Request) -> tuple[str, ...]:
    """The timer to take down when the request ends."""
    return (timer_name(request, request.rung),)


def rung(request: Request, index: int) -> Rung | None:
    """Step *index*, if it is this request's next one."""
    is_next = request.is_open and request.rung == index and index < len(request.ask.ladder)
    return request.ask.ladder[index] if is_next else None
