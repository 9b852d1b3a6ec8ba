"""`policy try NEW.yml`: a changed policy, tried on recorded calls before it holds.

    store -> recorded calls -> each judged by the policy that holds and by the new one -> what changes, counted

Both judge the very same facts: the call, its requester as they are known today, its place, its agent and the calls
before it. Nothing is run, nobody is asked, and no argument is shown. Not how calls are read again (runtime/recalling),
nor what makes a change (domain/drift).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

from bot.app import called_before, opened_store
from bot.chats import looked
from bot.config import load_settings
from bot.domain.calls import ToolSpec
from bot.domain.chat import Person, PersonId
from bot.domain.drift import Change, Fate, Weight, changes, fate
from bot.domain.errors import BadPolicy
from bot.domain.inert import show_line
from bot.domain.policy import Facts, Policy
from bot.domain.ports import Directory
from bot.domain.recorded import Made, Recalled, Was
from bot.domain.store import Store
from bot.domain.wire import Record, replace
from bot.meeting import Footing
from bot.policyfile import read_policy
from bot.reports import READ_MOST, span_of
from bot.rules import Rules, read_rules, told_elsewhere

EXAMPLES = 3  # of each change, the newest
CODES: Mapping[Weight, int] = {Weight.UNASKED: 1, Weight.OTHER: 3, Weight.TIGHTER: 0}
"""The exit code of the gravest change; 0 if there is none. 2 is for what cannot be done, as with every command."""
FATES: Mapping[Was, Fate] = {
    Was.ASKED: Fate.ASKED,
    Was.GRANTED: Fate.ASKED,  # and somebody had answered ahead of time
    Was.HANDED: Fate.HANDED,
    Was.LET: Fate.RUNS,
    Was.REFUSED: Fate.REFUSED,
}
UNRECORDED, OTHER_TOOL, STRANGER = (
    "whose arguments cannot be read again (no model wrote them down, their tool has changed, or they are forgotten)",
    "of a tool that is gone or has changed",
    "of somebody who is not known here",
)


class Example(Record):
    """One call that is judged otherwise, by its rules then and now. No argument of it."""

    tool: str
    before: str
    after: str
    run: str
    at: datetime


class Pair(Record):
    """The policy that holds and the new one, by their file's name and the start of their hash."""

    now: str
    new: str


class Trial(Record):
    """What came of it. `rows` hold every call that a change was found in, the newest first; gravest change first."""

    since: datetime
    until: datetime
    named: Pair
    was: Mapping[str, int]  # how many calls there were, by what became of them
    rows: Mapping[Change, tuple[Example, ...]]
    changed: int  # calls with any change
    unjudged: Mapping[str, int]  # by why
    unlike: int = 0  # judged otherwise by the policy that holds than when they were made
    partly: int = 0  # with earlier calls in their run whose arguments nobody recorded
    is_cut: bool = False
    note: str = ""  # why a platform's people could not be asked for

    @property
    def calls(self) -> int:
        return sum(self.was.values())

    @property
    def judged(self) -> int:
        return self.calls - sum(self.unjudged.values())


async def tried(file: Path, since: str, most: int) -> Trial:
    """Judge the newest *most* calls of the span *since* (30d, 12h). Raises BadPolicy with every problem of *file*."""
    length, settings = span_of(since), load_settings()
    rules = await read_rules(settings)
    new = read_policy(file)
    fits = dataclasses.replace(rules, policy=new)
    if problems := await fits.problems(rules.people, told_elsewhere(settings, rules.people)):
        raise BadPolicy(problems)
    named = Pair(now=_named(settings.policy, rules.policy), new=_named(file, new))
    async with opened_store(settings, join=True) as store, AsyncExitStack() as stack:
        rules.attach(store)
        footing = Footing(settings=settings, listed=rules.people, keep=store.keep(), stack=stack)
        ends = (store.now() - length, store.now())
        trial = _Trial(rules, new, store)
        found, why = await looked(footing, lambda known: trial.over(ends, known, most))
    return replace(found, named=named, note=why)


def _named(file: Path, policy: Policy) -> str:
    return f"{file.name} ({policy.hash[:12]})"


class _Trial:
    """Two policies, one set of tools, and the calls of a store."""

    def __init__(self, rules: Rules, new: Policy, store: Store) -> None:
        self._rules, self._new, self._store = rules, new, store
        self._specs: Mapping[str, ToolSpec] = {spec.name: spec for spec in rules.toolbox.specs()}

    async def over(self, ends: tuple[datetime, datetime], people: Directory, most: int) -> Trial:
        found = await called_before(self._store, self._rules.toolbox, ends[0], most=most, records=READ_MOST)
        known = {who: await people.person(who) for who in {one.made.requester for one in found.calls if one.made}}
        rows: dict[Change, list[Example]] = {}
        unjudged, unlike, partly, changed = Counter[str](), 0, 0, 0
        for one in found.calls:
            if one.made is None or self._why_not(one, known):
                unjudged[self._why_not(one, known)] += 1
                continue
            spec, facts = self._specs[one.made.call.tool], _facts(one.made, known)
            before, after = (policy.decide(one.made.call, spec, facts) for policy in (self._rules.policy, self._new))
            for change in (otherwise := changes(before, after)):
                rows.setdefault(change, []).append(_example(one, before.rule, after.rule))
            changed += bool(otherwise)
            unlike += fate(before) is not FATES[one.was]
            partly += not one.made.is_whole
        order = sorted(rows, key=lambda change: ([*Weight].index(change.weight), -len(rows[change]), change.told))
        return Trial(
            since=ends[0],
            until=ends[1],
            named=Pair(now="", new=""),
            was=Counter(one.was.value for one in found.calls),
            rows={change: tuple(rows[change]) for change in order},
            changed=changed,
            unjudged=unjudged,
            unlike=unlike,
            partly=partly,
            is_cut=found.is_cut,
        )

    def _why_not(self, one: Recalled, known: Mapping[PersonId, Person | None]) -> str:
        """Why nothing can be said about this call; empty if something can."""
        spec, made = self._specs.get(one.tool), one.made
        if spec is None or (made is not None and spec.version != made.call.version):
            return OTHER_TOOL
        if made is None:
            return UNRECORDED
        return "" if known[made.requester] is not None else STRANGER


def _facts(made: Made, known: Mapping[PersonId, Person | None]) -> Facts:
    requester = known[made.requester]
    assert requester is not None, "a stranger's call is not judged"
    return Facts(requester=requester, place=made.place, agent=made.agent, history=made.history)


def _example(one: Recalled, before: str, after: str) -> Example:
    return Example(tool=one.tool, before=before, after=after, run=one.run, at=one.at)


def code_of(trial: Trial) -> int:
    """What the command ends with: see CODES."""
    return next((CODES[change.weight] for change in trial.rows), 0)


# -------------------------------------------------------------------- shown


def as_text(trial: Trial) -> str:
    """A line for each change with how many calls it is found in, examples of each, and what could not be known."""
    was = ", ".join(f"{count} {what}" for what, count in sorted(trial.was.items()))
    lines = [
        f"{_calls(trial.calls)} from {_time(trial.since)} to {_time(trial.until)} UTC{f': {was}' if was else ''}.",
        f"Judged by {trial.named.now}, which holds, and by {trial.named.new}.",
        "",
        "  calls  change",
        *(f"{len(found):>7}  {change.told}" for change, found in trial.rows.items()),
        f"{trial.judged - trial.changed:>7}  no change",
    ]
    for change, found in trial.rows.items():
        shown = found[:EXAMPLES]
        lines += ["", f"{change.told}, {len(shown)} of {len(found)}:", *_rows(shown)]
    return "\n".join([*lines, "", *_notes(trial), _verdict(trial)])


def _rows(examples: Sequence[Example]) -> Iterator[str]:
    """Tool, rule before and after, run and time, under one another."""
    cells = [(show_line(one.tool), f"rule {one.before} -> {one.after}", one.run) for one in examples]
    wide = [max(len(row[column]) for row in cells) for column in range(3)]
    for row, one in zip(cells, examples, strict=True):
        yield f"  {row[0]:{wide[0]}}  {row[1]:{wide[1]}}  {row[2]:{wide[2]}}  {_time(one.at)}"


def _notes(trial: Trial) -> Iterator[str]:
    if sum(map(len, trial.rows.values())) > trial.changed:
        yield "A call stands in each line whose change was found in it."
    if trial.unjudged:
        yield "Not judged: " + ", ".join(f"{count} {why}" for why, count in sorted(trial.unjudged.items())) + "."
    if trial.unlike:
        yield (
            f"The policy that holds judges {trial.unlike} of them otherwise than when they were made: "
            "its rules, people or tools have changed since."
        )
    if trial.partly:
        yield f"{trial.partly} of them had earlier calls that nobody recorded, which a rule may count."
    if trial.is_cut:
        yield "Older calls were not read: name more with --most, or a shorter --since."
    if trial.note:
        yield f"People and groups are those of people.yml alone: {trial.note}."
    if trial.calls:
        yield "Requesters and their groups are those of today; whether anybody is there to sign was not asked."


def _verdict(trial: Trial) -> str:
    count = sum(len(found) for change, found in trial.rows.items() if change.weight is Weight.UNASKED)
    match code_of(trial):
        case 1:
            return f"LESS CARE: {_calls(count)} would run unasked that would not now."
        case 3:
            return "No call that was judged would run unasked, but not all that changes is stricter."
    return "No call that was judged would get less care." if trial.judged else "Nothing was tried: no call was judged."


def _calls(count: int) -> str:
    return f"{count} recorded call{'' if count == 1 else 's'}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
