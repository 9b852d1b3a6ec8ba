"""The living status message of a run: at work, waiting, in somebody's hands, ended; and what may be done about it.

Not who may press (takeover, intake), nor what it does to the run (runner).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from bot.domain import wording
from bot.domain.button_effects import RUN
from bot.domain.card_buttons import STOP
from bot.domain.chat import Button, Card, Fact, Field, FieldKind, PersonId, Tone
from bot.domain.run import Run, RunStatus

TAKE_RUN, HAND_BACK = "take_run", "hand_back"  # moves about a whole run, like STOP
OF_RUNS = frozenset({STOP, TAKE_RUN, HAND_BACK})  # they sign nothing and answer nothing
TEXT = "text"  # the field behind Hand back

RUN_TITLES: Mapping[RunStatus, tuple[str, Tone]] = {
    RunStatus.ACTIVE: ("Working", Tone.QUIET),
    RunStatus.WAITING: ("Waiting", Tone.WAITING),
    RunStatus.STOPPING: ("Stopping", Tone.QUIET),
    RunStatus.DONE: ("Done", Tone.GOOD),
    RunStatus.STOPPED: ("Stopped", Tone.QUIET),
    RunStatus.FAILED: ("Failed", Tone.BAD),
}
LIVE = (RunStatus.ACTIVE, RunStatus.WAITING)


def status_card(run: Run, line: str, *, seal: Callable[[str], str], names: Mapping[PersonId, str]) -> Card:
    """The living status message of a run. As long as it lives, people can take it over, hand it back and stop it."""
    title, tone = _title(run, names)
    return Card(
        title=title,
        tone=tone,
        facts=(
            Fact(label="Asked by", value=wording.name(names, run.task.by)),
            Fact(label="Agent", value=wording.line(run.agent)),
        ),
        status=wording.line(line or run.told),
        buttons=tuple(_buttons(run, seal)) if run.status in LIVE else (),
        footer=run.id,
        run=run.id,
    )


def _title(run: Run, names: Mapping[PersonId, str]) -> tuple[str, Tone]:
    if run.taken_by is not None and run.status in LIVE:
        return f"{wording.name(names, run.taken_by)} works on this by hand", Tone.WAITING
    return RUN_TITLES[run.status]


def _buttons(run: Run, seal: Callable[[str], str]) -> Iterator[Button]:
    if run.taken_by is None:
        yield Button(subject=run.id, move=TAKE_RUN, label="Take over", token=seal(TAKE_RUN), effect=RUN[TAKE_RUN])
    else:
        label = "What should I do now?"
        hint = "What people wrote in the thread meanwhile, I read as well."
        text = Field(name=TEXT, label=label, kind=FieldKind.LONG_TEXT, is_required=False, hint=hint)
        yield Button(
            subject=run.id,
            move=HAND_BACK,
            label="Hand back",
            token=seal(HAND_BACK),
            style="primary",
            fields=(text,),
            effect=RUN[HAND_BACK],
        )
    yield Button(subject=run.id, move=STOP, label="Stop", token=seal(STOP), style="danger", effect=RUN[STOP])
