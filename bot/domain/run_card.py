"""The living status message of a run: at work, waiting, ended; and what may be done about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.domain import wording
from bot.domain.card_buttons import STOP
from bot.domain.chat import Button, Card, Fact, PersonId, Tone
from bot.domain.run import Run, RunStatus

RUN_TITLES: Mapping[RunStatus, tuple[str, Tone]] = {
    RunStatus.ACTIVE: ("Working", Tone.QUIET),
    RunStatus.WAITING: ("Waiting", Tone.WAITING),
    RunStatus.STOPPING: ("Stopping", Tone.QUIET),
    RunStatus.DONE: ("Done", Tone.GOOD),
    RunStatus.STOPPED: ("Stopped", Tone.QUIET),
    RunStatus.FAILED: ("Failed", Tone.BAD),
}


def status_card(run: Run, line: str, *, seal: Callable[[str], str], names: Mapping[PersonId, str]) -> Card:
    """The living status message of a run; it can be stopped as long as it lives."""
    title, tone = RUN_TITLES[run.status]
    is_alive = run.status in (RunStatus.ACTIVE, RunStatus.WAITING)
    return Card(
        title=title,
        tone=tone,
        facts=(
            Fact(label="Asked by", value=wording.name(names, run.task.by)),
            Fact(label="Agent", value=wording.line(run.agent)),
        ),
        status=wording.line(line or run.told),
        buttons=(Button(subject=run.id, move=STOP, label="Stop", token=seal(STOP), style="danger"),)
        if is_alive
        else (),
        footer=run.id,
        run=run.id,
    )
