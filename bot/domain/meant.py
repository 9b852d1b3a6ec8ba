"""Which request a typed “yes” is about: the one that stands open, unless it may have been meant for another.

Somebody answers what they read a moment ago. If that has just ended, the same word would sign what came after it, which
they may never have seen: “yes” to a question would approve the deletion that took its place. A button shows what it
signs, so it is asked for instead. Pure: not who may sign (rights), nor what a word says (words).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.request import Decision, Request, Status
from bot.domain.run import Decided
from bot.domain.store import Loaded

SOON = timedelta(minutes=5)  # whoever types has looked at the thread within this time
UNANSWERED = frozenset({Status.EXPIRED, Status.CANCELLED, Status.SUPERSEDED})  # somebody may still mean to answer it


def is_certain(request: Request, loaded: Loaded, now: datetime) -> bool:
    """Can a word typed *now* mean only *request*, of all that its run asked people?

    Not while anything else is open; not soon after anything else has ended, however it did; and never if something
    ended without an answer soon before this was asked, or since: whoever still wants to answer that comes late.
    """
    ended = {entry.request: entry.decision for entry in loaded.entries if isinstance(entry, Decided)}
    if any(other != request.id and other not in ended for other in loaded.asks):
        return False
    return not any(other != request.id and _is_near(end, request, now) for other, end in ended.items())


def _is_near(end: Decision, request: Request, now: datetime) -> bool:
    return now - end.at < SOON or (end.status in UNANSWERED and request.opened - end.at < SOON)
