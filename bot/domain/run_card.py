"""The living status message of a run: at work, waiting, in somebody's hands, ended; and what may be done about it.

Not who may press (takeover, intake), nor what it does to the run (runner).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from bot.domain import trace, wording
from bot.domain.button_effects import RUN
from bot.domain.card_buttons import STEPS, STOP
from bot.domain.chat import Button, Card, Fact, Field, FieldKind, PersonId, Tone
from bot.domain.run import Entry, Run, RunStatus

TAKE_RUN, HAND_BACK, REROUTE = "take_run", "hand_back", "reroute"  # moves about a whole run, like STOP
OF_RUNS = frozenset({STOP, STEPS, TAKE_RUN, HAND_BACK, REROUTE})  # they sign nothing and answer nothing
TEXT = "text"  # the field behind Hand back, and the second one behind Re-route
TO = "to"  # the field behind Re-route: which member goes on

RUN_TITLES: Mapping[RunStatus, tuple[str, Tone]] = {
    RunStatus.ACTIVE: ("Working", Tone.QUIET),
    RunStatus.WAITING: ("Waiting", Tone.WAITING),
    RunStatus.STOPPING: ("Stopping", Tone.QUIET),
    RunStatus.DONE: ("Done", Tone.GOOD),
    RunStatus.STOPPED: ("Stopped", Tone.QUIET),
    RunStatus.FAILED: ("Failed", Tone.BAD),
}
BAR = 10  # blocks of a bar
LIVE = (RunStatus.ACTIVE, RunStatus.WAITING)


def status_card(
    run: Run,
    line: str,
    *,
    seal: Callable[[str], str],
    names: Mapping[PersonId, str],
    entries: Sequence[Entry] = (),
) -> Card:
    """The living status message of a run. As long as it lives, people can take it over, hand it back and stop it.

    *entries* are its journal: what it has used so far, and which budget is nearly spent, is read from there.
    """
    title, tone = _title(run, names)
    return Card(
        title=title,
        tone=tone,
        facts=(
            Fact(label="Asked by", value=wording.name(names, run.task.by)),
            Fact(label="Agent", value=wording.line(run.agent)),
            *_measured(run, entries),
        ),
        status=wording.line(line or run.told),
        buttons=(*(_buttons(run, seal) if run.status in LIVE else ()), _steps(run, seal(STEPS))),
        footer=run.id,
        run=run.id,
    )


def progress_line(text: str, done: int, total: int) -> str:
    """How far a long piece of work has come, as one line with a bar."""
    part = min(max(done / total, 0.0), 1.0) if total > 0 else 1.0
    full = int(part * BAR)
    return f"{text} {'▓' * full}{'░' * (BAR - full)} {int(part * 100)} % · {done:,} of {total:,}"


def _measured(run: Run, entries: Sequence[Entry]) -> Iterator[Fact]:
    """Since when, or how long it took: nothing here ticks by itself. What it used; and what is left of a budget."""
    if run.ended is None:
        yield Fact(label="Since", value=wording.time(run.began))
    else:
        yield Fact(label="Took", value=wording.about(run.ended - run.began))
    if used := trace.used(entries):
        yield Fact(label="Used", value=used)
    if run.status in LIVE and (nearly := trace.nearly(entries)):
        yield Fact(label="Budget", value=nearly)


def _steps(run: Run, token: str) -> Button:
    return Button(subject=run.id, move=STEPS, label="Steps", token=token, effect=RUN[STEPS])


def _title(run: Run, names: Mapping[PersonId, str]) -> tuple[str, Tone]:
    if run.taken_by is not None and run.status in LIVE:
        return f"{wording.name(names, run.taken_by)} works on this by hand", Tone.WAITING
    return RUN_TITLES[run.status]


def routed_to(run: Run) -> Mapping[str, str]:
    """The members that people may turn the work to just now, and who has it."""
    return {member: route.at for route in run.routes for member in route.members if member != route.at}


def _reroute(run: Run, members: tuple[str, ...], token: str) -> Button:
    to = Field(name=TO, label="Who goes on", kind=FieldKind.CHOICE, options=members)
    why = Field(name=TEXT, label="Why", kind=FieldKind.LONG_TEXT, is_required=False, hint="Whoever goes on reads it.")
    return Button(
        subject=run.id, move=REROUTE, label="Re-route", token=token, fields=(to, why), effect=RUN[REROUTE]
    )  # fmt: skip


def _buttons(run: Run, seal: Callable[[str], str]) -> Iterator[Button]:
    if run.taken_by is None:
        if others := routed_to(run):
            yield _reroute(run, tuple(others), seal(REROUTE))
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
