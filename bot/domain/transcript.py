"""A run's transcript: everything that was said, thought, wanted, done, asked and decided, in order, to be exported.

    record, letters, journal -> one object for each: {"kind": "said", "by": "ana", "text": …}, …

Whole texts, as they are in the store, which has them before anything follows from them (AS-30). What a tool calls
secret or private is masked wherever it stands; of a tool that is gone, every argument is. The audit proves who decided
what, and has an export of its own: this one is for reading what it was about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bot.domain.arguments import without
from bot.domain.letters import Explain, GaveBack, Letter, Took
from bot.domain.letters import Said as Reply
from bot.domain.ports import WantedCall
from bot.domain.redacted import MASK
from bot.domain.run import Begun, Decided, Entry, Finished, Opened, Run, Step, Told
from bot.domain.trace import Specs, said_in, secrets_in, values_of

Line = Mapping[str, Any]


def transcript(run: Run, letters: Iterable[Letter], entries: Iterable[Entry], specs: Specs) -> Iterator[Line]:
    """One object for each thing, those of the journal in its order; what people wrote stands before it."""
    steps = tuple(entries)
    hide = tuple(secrets_in(steps, specs))
    task = {"kind": "task", "run": run.id, "agent": run.agent, "by": run.task.by, "text": run.task.text}
    yield _masked({**task, "at": run.began.isoformat(), "status": run.status}, hide)
    for letter in letters:
        yield _masked(_letter(letter), hide)
    for entry in steps:
        yield from (_masked(line, hide) for line in _lines(entry, specs))
    if run.ended is not None:
        yield _masked({"kind": "ended", "at": run.ended.isoformat(), "text": run.told}, hide)


def _letter(letter: Letter) -> Line:
    match letter:
        case Reply(heard=heard):
            return {"kind": "said", "by": heard.by, "text": heard.text}
        case Explain(request=request, by=by):
            return {"kind": "wants_it_explained", "by": by, "request": request}
        case Took(by=by):
            return {"kind": "took_over", "by": by}
        case GaveBack(by=by, text=text):
            return {"kind": "handed_back", "by": by, "text": text}


def _lines(entry: Entry, specs: Specs) -> Iterator[Line]:
    match entry:
        case Step(path=path, mark=mark, by=by):
            said = said_in(entry) if mark.startswith("think:") else None
            what = mark.partition(":")[0]
            calls = [_call(call, specs) for call in said.calls] if said is not None else []
            words = {"text": said.text, "wanted": calls} if said is not None else {}
            yield {"kind": what, "path": path, **({"by": by} if by else {}), **words}
        case Told(path=path, heard=heard):
            yield from ({"kind": "heard", "path": path, "by": one.by, "text": one.text} for one in heard)
        case Opened(path=path, request=request):
            yield {"kind": "asked", "path": path, "request": request}
        case Decided(request=request, decision=decision):
            told = {"status": decision.status, "by": list(decision.by), "at": decision.at.isoformat()}
            yield {"kind": "decided", "request": request, **told, "reason": decision.reason, "answer": decision.answer}
        case Begun(path=path, tool=tool, key=key, request=asked):
            yield {"kind": "began", "path": path, "tool": tool, "key": key, "request": asked}
        case Finished(path=path, tool=tool, result=result):
            yield {"kind": "finished", "path": path, "tool": tool, "outcome": result.outcome, "text": result.text}


def _call(call: WantedCall, specs: Specs) -> Line:
    values, spec = values_of(call), specs(call.tool)
    secrets = spec.secrets if spec is not None else tuple(values)
    return {"tool": call.tool, "args": {name: MASK if name in secrets else value for name, value in values.items()}}


def _masked(value: Any, hide: tuple[str, ...]) -> Any:
    """*value* with every secret blotted out, however deep it stands."""
    match value:
        case str():
            return without(value, hide)
        case Mapping():
            return {name: _masked(one, hide) for name, one in value.items()}
        case list() | tuple():
            return [_masked(one, hide) for one in value]
    return value
