"""What a run has done so far, step by step, for one person alone: who, what, what came of it, when, at what cost.

    journal + times of its calls -> a line for each step; for those allowed, the reasoning and the results below them

The lines say no argument and no result. The trace says both, with every argument masked that its tool calls secret or
private, wherever it is repeated, and everything that looks like a secret (D-43): who signs something private reads it
in the details of that request alone (A2-01). Not who may see which (bot.runtime.sight).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from bot.domain import wording
from bot.domain.arguments import brief, secret_values, without
from bot.domain.budget import OWN, THINKS, dollars, total, usage_of
from bot.domain.calls import ToolSpec
from bot.domain.chat import Block, Card, Fact, PersonId
from bot.domain.details import STEPS as ENDED
from bot.domain.errors import BadJson, BadRecord
from bot.domain.inert import show_line
from bot.domain.ports import Said, WantedCall
from bot.domain.redacted import redacted
from bot.domain.run import Entry, Finished, Opened, Run, Step, Told
from bot.domain.wire import Json, Record, read_foreign, unpack

LINES_MOST = 100  # steps that are listed: the latest
TRACED_MOST = 30  # steps whose words are shown
TEXT_MOST = 300  # characters of one answer, call or result
FOR_OTHERS = "Reasoning, arguments and results are for whoever gave this task, steers it, or answers its requests."
Specs = Callable[[str], ToolSpec | None]


class Traced(Record):
    """A run, and what is known of it: its journal, when its calls were, what everybody is called."""

    run: Run
    entries: tuple[Entry, ...]
    times: Mapping[str, datetime] = {}  # of the calls, by path
    names: Mapping[PersonId, str] = {}


def steps_card(traced: Traced, specs: Specs, *, is_whole: bool) -> Card:
    """The steps so far; *is_whole*: with what was thought, wanted and found out. Nothing is left out silently."""
    steps = [entry for entry in in_order(traced.entries) if not _is_quiet(entry)]
    lines = [_line(number, entry, traced) for number, entry in enumerate(steps, 1)]
    told = [*_left_out(len(lines), LINES_MOST), *lines[-LINES_MOST:]] or ["Nothing yet."]
    trace = _traced(steps, specs) if is_whole else ()
    return Card(
        title="Steps of this run",
        facts=(
            Fact(label="Agent", value=wording.line(traced.run.agent)),
            Fact(label="Began", value=wording.time(traced.run.began)),
            Fact(label="Used", value=used(traced.entries) or "nothing yet"),
        ),
        blocks=(
            Block(label="Steps", text="\n".join(told)),
            *(Block(label="Reasoning, calls and results, redacted", text=text, is_code=True) for text in trace),
            *(() if is_whole else (Block(label="The full trace", text=FOR_OTHERS),)),
        ),
        footer=traced.run.id,
        run=traced.run.id,
    )


class _Nearly(Record):
    """The part of a stored `Said` that tells of budgets; nothing where the model gave no answer."""

    nearly: str = ""


def used(entries: Iterable[Entry]) -> str:
    """`3 model calls · 1,500 tokens · $0.004`; empty if a run has thought nothing."""
    usage = total(entries)
    calls = f"{usage.thoughts:,} model call{'' if usage.thoughts == 1 else 's'}" if usage.thoughts else ""
    tokens = f"{usage.tokens:,} tokens" if usage.tokens else ""
    return " · ".join(one for one in (calls, tokens, dollars(usage.micros) if usage.micros else "") if one)


def nearly(entries: Sequence[Entry]) -> str:
    """Which budget was nearly spent after the last answer of a model; empty if none was."""
    last = next((entry for entry in reversed(entries) if isinstance(entry, Step) and _is_thought(entry)), None)
    return unpack(_Nearly, last.result.encode()).nearly if last is not None else ""


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Those that have a place of their own, as the steps came; each once."""
    keyed = {(type(e), e.path): e for e in entries if isinstance(e, Step | Opened | Finished | Told)}
    return [entry for _, entry in sorted(keyed.items(), key=lambda item: _at(item[0][1]))]


def _at(path: str) -> list[int]:
    return [int(one) for one in re.findall("[0-9]+", path)]


# ------------------------------------------------------------------- lines


def _is_quiet(entry: Entry) -> bool:
    """Nobody did anything by it: a time that was looked up, a request whose result follows."""
    return isinstance(entry, Opened) or (isinstance(entry, Step) and entry.mark in ("now", "random", "sleep", "ends"))


def _is_thought(entry: Entry) -> bool:
    return isinstance(entry, Step) and entry.mark.startswith(THINKS)


def _line(number: int, entry: Entry, traced: Traced) -> str:
    match entry:
        case Told(heard=heard):
            names = dict.fromkeys(wording.name(traced.names, one.by) for one in heard)
            return f"{number}. {' and '.join(names)} said something"
        case Finished(path=path, result=result):
            at = f" · {wording.time(traced.times[path])}" if path in traced.times else ""
            what = wording.line(entry.tool) or "a question about a budget"
            return f"{number}. {_by(entry.by)}{what} · {ENDED[result.outcome]}{at}"
        case Step() if _is_thought(entry):
            return f"{number}. {_by(entry.by)}{_thought(entry)}"
        case Step(mark=mark):
            return f"{number}. {_by(entry.by)}{'posted a message' if mark.startswith('note') else mark}"
    return f"{number}. {type(entry).__name__}"


def _thought(step: Step) -> str:
    said, usage = said_in(step), usage_of(step)
    if said is None:
        return "the model gave no answer"
    explained = "explained a call" if step.path.startswith(OWN) else "answered"
    wanted = f"wanted {len(said.calls)} call{'' if len(said.calls) == 1 else 's'}" if said.calls else explained
    money = f" · {dollars(usage.micros)}" if usage.micros else ""
    return f"{wanted} · {usage.tokens:,} tokens{money}"


def _by(agent: str) -> str:
    return f"{wording.line(agent)} · " if agent else ""


def _left_out(count: int, most: int) -> tuple[str, ...]:
    return (f"… {count - most:,} earlier steps are not shown here.",) if count > most else ()


def said_in(step: Step) -> Said | None:
    """What a model said at *step*; None where it gave no answer, and why stands in its place."""
    try:
        return unpack(Said, step.result.encode()) if '{"unsaid":' not in step.result[:12] else None
    except BadRecord:
        return None


# ------------------------------------------------------------------- trace


def _traced(steps: Sequence[Entry], specs: Specs) -> Iterator[str]:
    """The words of the latest steps, each after its number; every secret of any of them blotted out of all."""
    hide = tuple(secrets_in(steps, specs))
    numbered = [(number, entry) for number, entry in enumerate(steps, 1) if _is_thought(entry) or _has_words(entry)]
    lines = [*_left_out(len(numbered), TRACED_MOST)]
    for number, entry in numbered[-TRACED_MOST:]:
        lines += [f"{number}. {told}" for told in _words(entry, specs, hide)]
    yield "\n".join(lines) or "Nothing yet."


def _has_words(entry: Entry) -> bool:
    return isinstance(entry, Finished | Told)


def _words(entry: Entry, specs: Specs, hide: Sequence[str]) -> Iterator[str]:
    match entry:
        case Step() if (said := said_in(entry)) is not None:
            if said.text.strip():
                yield f"thought: {_plain(said.text, hide)}"
            yield from (f"wanted: {_call(call, specs, hide)}" for call in said.calls)
        case Finished(result=result):
            yield f"{show_line(entry.tool) or 'answer'}: {_plain(result.text, hide)}"
        case Told(heard=heard):
            yield from (f"said: {_plain(one.text, hide)}" for one in heard)


def _plain(text: str, hide: Sequence[str]) -> str:
    return show_line(redacted(without(text, hide), TEXT_MOST))


def _call(call: WantedCall, specs: Specs, hide: Sequence[str]) -> str:
    values, spec = values_of(call), specs(call.tool)
    secrets = spec.secrets if spec is not None else tuple(values)  # of a tool that is gone any argument may be one
    return show_line(f"{redacted(call.tool, 80)}({without(brief(values, secrets, TEXT_MOST), hide)})")


def secrets_in(steps: Iterable[Entry], specs: Specs) -> Iterator[str]:
    """Every value that a call among *steps* has in an argument that its tool calls secret or private."""
    for entry in steps:
        said = said_in(entry) if isinstance(entry, Step) and _is_thought(entry) else None
        for call in said.calls if said is not None else ():
            if (spec := specs(call.tool)) is not None:
                yield from secret_values(values_of(call), spec.secrets)


def values_of(call: WantedCall) -> dict[str, Json]:
    try:
        values = read_foreign(call.args or "{}")
    except BadJson:
        return {}
    return dict(values) if isinstance(values, dict) else {}
