"""A task, the run that works on it, and the journal from which the run can be called again anywhere."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime

from bot.domain.calls import ToolResult
from bot.domain.chat import PersonId, Place
from bot.domain.request import Decision, RequestId, RunId
from bot.domain.wire import Record


class RunStatus(enum.StrEnum):
    ACTIVE = "active"  # a process works on it now, or will as soon as it owns the shard
    WAITING = "waiting"  # every branch waits for people or time; it may be out of memory
    STOPPING = "stopping"  # somebody stopped it; its requests are being closed
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


class RunMove(enum.StrEnum):
    SLEEP = "sleep"
    WAKE = "wake"
    STOP = "stop"
    FINISH = "finish"
    FAIL = "fail"


NEXT_RUN: Mapping[RunStatus, Mapping[RunMove, RunStatus]] = {
    RunStatus.ACTIVE: {
        RunMove.SLEEP: RunStatus.WAITING,
        RunMove.WAKE: RunStatus.ACTIVE,
        RunMove.STOP: RunStatus.STOPPING,
        RunMove.FINISH: RunStatus.DONE,
        RunMove.FAIL: RunStatus.FAILED,
    },
    RunStatus.WAITING: {
        RunMove.WAKE: RunStatus.ACTIVE,
        RunMove.STOP: RunStatus.STOPPING,
        RunMove.SLEEP: RunStatus.WAITING,
    },
    RunStatus.STOPPING: {RunMove.FINISH: RunStatus.STOPPED, RunMove.STOP: RunStatus.STOPPING},
    RunStatus.DONE: {},
    RunStatus.STOPPED: {},
    RunStatus.FAILED: {},
}


class Task(Record):
    """What a person asked for, in their words, in a place."""

    text: str
    by: PersonId
    place: Place  # the thread the run lives in
    agent: str = ""  # empty: the roster's default


class Route(Record):
    """A pattern's member *at* has the work now; people may turn it to another of *members*."""

    pattern: str
    at: str
    members: tuple[str, ...]


class Run(Record):
    """One agent at work on one task."""

    id: RunId
    task: Task
    agent: str
    began: datetime
    status: RunStatus = RunStatus.ACTIVE
    ended: datetime | None = None
    told: str = ""  # how it ended, in one sentence
    steered_by: tuple[PersonId, ...] = ()  # people whose instructions the agent acts on
    taken_by: PersonId | None = None  # who works on it by hand: until they hand it back, the agent begins nothing
    takes: int = 0  # how often it was taken over, as far as its owner has closed what was asked before
    routes: tuple[Route, ...] = ()  # where people may turn its work to just now


class Heard(Record):
    """A reply in the thread that the run has taken in as context."""

    by: PersonId
    text: str
    to: str = ""  # the member whom they turned the work to with it, by a button


# ------------------------------------------------------------- the journal


class Step(Record, tag="step"):
    """A finished step and its result, as JSON bytes in text."""

    path: str
    mark: str  # fingerprint: what this step is; replay must ask for the same
    result: str
    by: str = ""  # the member of a pattern that took it; empty: the run's own agent


class Opened(Record, tag="opened"):
    """The step at `path` put a request to people."""

    path: str
    mark: str
    request: RequestId


class Decided(Record, tag="decided"):
    """The request's decision. Written by whoever counted the last vote, not by the run's owner."""

    request: RequestId
    decision: Decision
    replaced_by: RequestId | None = None


class Begun(Record, tag="begun"):
    """A call has started. Without a `Finished` after it, the call is in doubt."""

    path: str
    key: str  # the idempotency key handed to the tool
    request: RequestId | None = None
    tool: str = ""


class Finished(Record, tag="finished"):
    """A call's result is known."""

    path: str
    result: ToolResult
    tool: str = ""
    by: str = ""  # the member of a pattern that asked for it; empty: the run's own agent


class Told(Record, tag="told"):
    """Messages the agent took in just before the step at `path`: its branch has heard the first `upto` letters."""

    path: str
    heard: tuple[Heard, ...]
    upto: int = 0  # 0: written when a run had one ear for all branches


Entry = Step | Opened | Decided | Begun | Finished | Told
