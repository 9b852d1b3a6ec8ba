"""What pages and commands show, ready to be drawn: one record for each kind of line.

Waiting   for this person to answer      Awaited   from others: which, whom for, since when
Queued    for somebody to take over      Settled   by this person
RunView   a run, with its Moments        AuditRow  one record of the audit

Only what somebody may see is ever put into one. Not who may see what, nor how it is found (`ports.Views`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.chat import Button, Card, MessageRef, PersonId, Place
from bot.domain.request import RequestId, RunId
from bot.domain.wire import Record


class Waiting(Record):
    """One request that waits for a person, as that person may see and answer it."""

    request: RequestId
    run: RunId
    card: Card
    place: Place
    ref: MessageRef | None
    opened: datetime
    deadline: datetime | None = None  # of what is due first
    put_off: datetime | None = None  # left out of their own list until then; it may be answered all the same


class Awaited(Record):
    """One request that waits for people, for whoever may see it and is not asked: no argument of it.

    `people` are names, not ids.
    """

    request: RequestId
    run: RunId
    tool: str
    people: tuple[str, ...]
    opened: datetime


class Queued(Record):
    """One escalation that waits for somebody; or that somebody took, and has not handed back."""

    request: RequestId
    run: RunId
    reason: str  # the agent's own words, inert
    requester: PersonId
    place: Place
    opened: datetime
    age: timedelta
    claimed_by: PersonId | None = None
    asked_by: str = ""  # what the requester is called
    taken_by: str = ""  # what whoever has it is called


class Settled(Record):
    """One request a person has answered, as it stands now."""

    request: RequestId
    run: RunId
    card: Card
    move: str  # their own answer
    at: datetime


class Moment(Record):
    """One line of a run's timeline: what happened, when, and who did it."""

    at: datetime
    event: str  # the audit event's name: run_started, request_opened, vote_counted, …
    text: str  # one readable sentence
    person: PersonId | None = None


class RunView(Record):
    run: RunId
    status: str
    task: str
    requester: PersonId
    place: Place
    began: datetime
    moments: tuple[Moment, ...] = ()
    stop: Button | None = None  # while it lives
    asked_by: str = ""  # what the requester is called


class AuditRow(Record):
    shard: int
    seq: int
    at: datetime
    event: str
    subject: str
    body: str  # the record's JSON
    link: str  # its hash-chain link
