"""Putting off: one person leaves something out of their own list until later.

    later REQUEST until WHEN | for SPAN | 2h        WHEN and SPAN as of an absence; 30m, 2h and 3d are short for a SPAN

Only what that person reads is another one: the request, its ladder, its deadline and everybody's rights stay as they
are, so nothing of this is in the audit. Not who may put off what, nor where it is kept (runtime/putting_off).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from bot.domain import absence, wording
from bot.domain.chat import PersonId
from bot.domain.errors import NotUnderstood
from bot.domain.request import RequestId
from bot.domain.wire import Record, replace

LONGEST = timedelta(days=7)
WORD, BACK = "later", "now"  # the commands
USAGE = "until Mon, or 2h"
DELIVERIES_MOST = 8  # the last deeds of one person about one request, by which a repeated delivery is known
CHOICES: Mapping[str, tuple[str, str]] = {  # what a menu offers: its key -> what it says, and what the command reads
    "1h": ("Put off for 1 hour", "1h"),
    "4h": ("Put off for 4 hours", "4h"),
    "tomorrow": ("Put off until tomorrow", "until tomorrow"),
    "mon": ("Put off until Monday", "until Mon"),
}
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

_SHORT = re.compile(r"(\d{1,4})([mhd])", re.IGNORECASE)


class PutOff(Record):
    """*person* does not want to see *request* in their list until then; None: they want to see it again."""

    person: PersonId
    request: RequestId
    until: datetime | None = None
    deliveries: tuple[str, ...] = ()  # what said so, the last one last

    def holds(self, now: datetime) -> datetime | None:
        """Until when it is left out of the list; None if it stands there."""
        return self.until if self.until is not None and self.until > now else None

    def next(self, until: datetime | None, delivery: str) -> PutOff:
        return replace(self, until=until, deliveries=(*self.deliveries, delivery)[-DELIVERIES_MOST:])


def until_when(text: str, *, now: datetime, zone: str, deadline: datetime | None) -> datetime:
    """Read until when somebody puts off what is due at *deadline*. Raises NotUnderstood, with what to write instead.

    *now* is the store's time; days begin at midnight in *zone*, an IANA name.
    """
    plain = " ".join(text.split()).rstrip(".! ")
    short = _SHORT.fullmatch(plain)
    until = now + int(short[1]) * UNITS[short[2].lower()] if short else absence.moment(plain, now=now, zone=zone)
    if until is None:
        raise NotUnderstood(text, f"Please say until when: {USAGE}.")
    if until <= now:
        raise NotUnderstood(text, f"{plain} is no time that comes; please write for example: {USAGE}.")
    if until > now + LONGEST:
        raise NotUnderstood(text, f"At most {LONGEST.days} days; please name an earlier time.")
    if deadline is not None and until >= deadline:
        due = wording.time(deadline)
        raise NotUnderstood(text, f"Its deadline is {due}, and that does not wait; please name an earlier time.")
    return until


def choices(*, now: datetime, zone: str, deadline: datetime | None) -> Iterator[tuple[str, str]]:
    """The keys and labels of CHOICES, without what would be too late."""
    for key, (label, when) in CHOICES.items():
        try:
            until_when(when, now=now, zone=zone, deadline=deadline)
        except NotUnderstood:
            continue
        yield key, label


def order(request: str, key: str) -> str | None:
    """The command behind a choice; None for a key that nobody was offered."""
    return f"{WORD} {request} {CHOICES[key][1]}" if key in CHOICES else None
