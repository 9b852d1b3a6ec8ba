"""Playing a conversation from the playbook: the same messages always get the same answer.

messages -> the newest open line that a scene knows -> how many turns were played since? -> the next turn
                                                                                └ none left -> a report

A call that somebody spells out (`spelled`) is a scene of its own, before those of the book. "Open" are the lines after
the last answer without calls. Nothing is remembered between two requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from agents.rehearsal.playbook import FLAGS, Correction, Ending, Fault, Plan, Playbook, Scene, Turn
from agents.rehearsal.spelled import spelled_out
from bot.domain.errors import BadJson
from bot.domain.wire import Json, Record, read_foreign, replace

MOST_CHARS = 20_000  # of a line that is matched
SPEAKER = re.compile(r"\[[^\]\n]{1,80}\] ")
COLLEAGUE = re.compile(r"\[(?P<who>[^\]\n]{1,80}), an agent\] (?P<text>.*)", re.DOTALL)
BY_HAND = "I took this over, worked on it by hand, and hand it back now."  # in front of what comes with a run
HOLE = re.compile(
    r"\{(?P<name>\w+)(?:\.(?P<field>\w+))?(?:\+(?P<plus>\d+))?"
    r"(?::(?P<kind>int|number|money))?(?:\|(?P<default>[^{}]*))?\}",
)


class PlayedCall(Record):
    id: str
    tool: str
    args: str


class Spoken(Record):
    """One message of the request, as far as the rehearsal cares."""

    role: str
    text: str = ""
    calls: tuple[PlayedCall, ...] = ()


class Reply(Record):
    text: str = ""
    calls: tuple[PlayedCall, ...] = ()
    fault: Fault | None = None


Values = Mapping[str, str]


def answer(book: Playbook, talk: Sequence[Spoken], tools: Collection[str] | None = None) -> Reply:
    """The next message of *talk*. Every text begins with the book's label. *tools* are those on offer, if known."""
    reply = _play(book, talk, tools)
    return Reply(text=book.label + reply.text if reply.text else "", calls=reply.calls, fault=reply.fault)


def _play(book: Playbook, talk: Sequence[Spoken], tools: Collection[str] | None) -> Reply:
    found = _anchor(book, talk, tools)
    if found is None:
        return Reply(text=_text(book.unknown, {"tries": _tries(book)}))
    at, scene, values = found
    if scene.fault is not None:
        return Reply(fault=scene.fault)
    played = [index for index in range(at, len(talk)) if talk[index].calls]
    last = played[-1] if played else at
    results = _results(talk[last:])
    if (coming := _next(scene, len(played), results)) is not None:
        turn, caught = coming
        known = {**values, **caught, "turn": str(len(played) + 1)}
        offered = [plan for plan in turn.calls if not plan.is_optional or tools is None or plan.tool in tools]
        reply = _turn(book, replace(turn, calls=tuple(offered)), talk, known, results)
        if reply.calls or not played:
            return reply
    return Reply(text=_report(book, talk, at, last))


def _next(scene: Scene, played: int, results: Sequence[str]) -> tuple[Turn, Values] | None:
    """The turn whose time it is, and what its `after` caught; None if the scene is over."""
    turns = [turn for turn in scene.turns for _ in range(turn.times)]
    if played >= len(turns):
        return None
    turn = turns[played]
    if not turn.after:
        return turn, {}
    fits = (re.search(turn.after, result, FLAGS) for result in results)
    return next(((turn, found.groupdict("")) for found in fits if found), None)


def _anchor(book: Playbook, talk: Sequence[Spoken], tools: Collection[str] | None) -> tuple[int, Scene, Values] | None:
    """Which line is being answered, by which scene, and what its pattern caught."""
    asides: list[tuple[int, Scene, Values]] = []
    for at in range(len(talk) - 1, -1, -1):
        if talk[at].role == "assistant" and not talk[at].calls:
            break
        for scene, values in (*_spelled(talk[at], tools), *_matches(book, talk, at)):
            if not scene.is_aside:
                return at, scene, values
            asides.append((at, scene, values))
    return asides[0] if asides else None


def _spelled(line: Spoken, tools: Collection[str] | None) -> Iterator[tuple[Scene, Values]]:
    """The scene of a call that a person spells out, of a tool that is on offer."""
    called = spelled_out(_words(line)) if line.role == "user" else None
    if called is not None and (tools is None or called[0] in tools):
        plan = Plan(tool=called[0], raw=called[1])
        turn = Turn(say="I call what you spelled out.", calls=(plan,))
        yield Scene(name="a call spelled out", match="", turns=(turn,)), {}


def _matches(book: Playbook, talk: Sequence[Spoken], at: int) -> Iterator[tuple[Scene, Values]]:
    if talk[at].role != "user":
        return
    line, prompt = _words(talk[at]), _prompt(talk)
    for scene in book.scenes:
        if not (scene.whose.search(prompt) and (match := scene.pattern.search(line))):
            continue
        if (found := _recalled(scene, talk[:at])) is not None:
            caught = {name: text.strip() for name, text in {**found, **match.groupdict()}.items() if text}
            yield scene, {**_around(book, talk), **caught}
            return


def _recalled(scene: Scene, before: Sequence[Spoken]) -> Mapping[str, str | None] | None:
    """What the newest earlier line that *scene* recalls caught; None if there is none."""
    if not scene.recall:
        return {}
    fits = (scene.recalled.search(line.text) for line in reversed(before) if line.role in ("user", "assistant"))
    return next((match.groupdict() for match in fits if match), None)


def _around(book: Playbook, talk: Sequence[Spoken]) -> Values:
    """What every scene may quote of the conversation it is played in."""
    said = [found for line in talk if line.role == "user" and (found := COLLEAGUE.fullmatch(line.text))]
    colleagues = "\n".join(f"{one['who']}: {one['text'].replace(book.label, '')}" for one in said)
    return {"task": _task(talk), "calls": _described(talk), "tries": _tries(book), "colleagues": colleagues}


def _words(line: Spoken) -> str:
    return SPEAKER.sub("", line.text, count=1).removeprefix(BY_HAND).strip()[:MOST_CHARS]


def _prompt(talk: Sequence[Spoken]) -> str:
    return next((line.text for line in talk if line.role == "system"), "")[:MOST_CHARS]


def _task(talk: Sequence[Spoken]) -> str:
    return next((_words(line) for line in talk if line.role == "user"), "")


def _tries(book: Playbook) -> str:
    return "\n".join(f"- {one.line} ({one.shows})" for one in book.tries)


def _described(talk: Sequence[Spoken]) -> str:
    calls = next((line.calls for line in reversed(talk) if line.calls), ())
    return ", ".join(f"{call.tool} with {call.args}" for call in calls) or "nothing"


def _results(part: Sequence[Spoken]) -> tuple[str, ...]:
    return tuple(line.text for line in part if line.role == "tool")


# -------------------------------------------------------------------- calls


def _turn(book: Playbook, turn: Turn, talk: Sequence[Spoken], values: Values, results: Sequence[str]) -> Reply:
    if turn.again is not None:
        made = _corrected(turn.again, talk, values)
        if not made:
            return Reply(text=book.nothing_to_correct)
    else:
        made = [call for plan in turn.calls for call in _planned(plan, values, results)]
    calls = tuple(
        PlayedCall(id=f"call_{len(talk)}_{index}", tool=tool, args=args) for index, (tool, args) in enumerate(made)
    )
    return Reply(text=_text(turn.say, values), calls=calls)


def _planned(plan: Plan, values: Values, results: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The calls of one plan. A call that lacks a value it needs is not made."""
    if plan.raw is not None:
        yield plan.tool, plan.raw
        return
    found = re.finditer(plan.item, values.get(plan.each, ""), FLAGS) if plan.each else ()
    items = [one.groupdict("") for one in found] if plan.each else [{}]
    for index, item in enumerate(items):
        fields = _fields(results[index]) if index < len(results) else {}
        known = {**values, **item, **{f"result.{name}": text for name, text in fields.items()}}
        try:
            yield plan.tool, _json(_fill(dict(plan.args), known))
        except _Missing:
            continue


def _corrected(wanted: Correction, talk: Sequence[Spoken], values: Values) -> list[tuple[str, str]]:
    if not wanted.argument:
        return next(([(call.tool, call.args) for call in line.calls] for line in reversed(talk) if line.calls), [])
    was = _text(wanted.was, values)
    to = _fill(wanted.to, values)
    for line in reversed(talk):
        again = [(call.tool, args) for call in line.calls if _has(args := _object(call.args), wanted.argument, was)]
        if again:
            return [(tool, _json({**args, wanted.argument: to})) for tool, args in again]
    return []


def _has(args: Mapping[str, Json], name: str, was: str) -> bool:
    return name in args and (not was or str(args[name]) == was)


def _fields(result: str) -> dict[str, str]:
    return {name: str(value) for name, value in _object(result).items()}


def _object(text: str) -> dict[str, Json]:
    try:
        value = read_foreign(text)
    except BadJson:
        return {}
    return value if isinstance(value, dict) else {}


# ------------------------------------------------------------------ filling


class _Missing(Exception):
    """A value without default is not known."""


def _fill(value: Json, known: Values) -> Json:
    """*value* with its holes filled. A text that is one hole with a kind becomes a number."""
    match value:
        case str():
            hole = HOLE.fullmatch(value)
            return _typed(hole, known) if hole and hole["kind"] else HOLE.sub(lambda one: _caught(one, known), value)
        case list():
            return [_fill(item, known) for item in value]
        case dict():
            return {name: _fill(item, known) for name, item in value.items()}
    return value


def _typed(hole: re.Match[str], known: Values) -> Json:
    text = _caught(hole, known).replace(",", "")
    try:
        return int(text) + int(hole["plus"] or 0) if hole["kind"] == "int" else float(text)
    except ValueError:
        raise _Missing from None


def _caught(hole: re.Match[str], known: Values) -> str:
    name = f"{hole['name']}.{hole['field']}" if hole["field"] else hole["name"]
    found = known.get(name) or hole["default"]
    if found is None:
        raise _Missing
    return found


def _text(template: str, known: Values) -> str:
    """Words for people: an unknown hole stays empty."""
    return HOLE.sub(lambda hole: known.get(hole["name"]) or hole["default"] or "", template)


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


# ---------------------------------------------------------------- reporting


def _report(book: Playbook, talk: Sequence[Spoken], since: int, last: int) -> str:
    """What came of it: every result of the last turn, and whatever failed before, each once."""
    endings = _endings(book, _prompt(talk))
    told = [_ending(endings, text) for text in _results(talk[since:last])]
    failed = [text for text, is_done in told if not is_done]
    return "\n".join(dict.fromkeys(failed + [_ending(endings, text)[0] for text in _results(talk[last:])]))


def _endings(book: Playbook, prompt: str) -> Sequence[Ending]:
    """Those of the agent with this prompt first, then everybody's."""
    own = [one for one in book.endings if one.prompt and re.search(one.prompt, prompt, FLAGS)]
    return (*own, *(one for one in book.endings if not one.prompt))


def _ending(endings: Sequence[Ending], result: str) -> tuple[str, bool]:
    for ending in endings:
        known = _known(ending, result) if re.search(ending.match, result, FLAGS) else None
        if known is not None:
            return HOLE.sub(lambda hole: _worded(hole, known), ending.say), ending.is_done  # noqa: B023  # used at once
    return result, False


def _known(ending: Ending, result: str) -> dict[str, str] | None:
    """What an ending may tell about *result*; None if its fields are others."""
    if ending.each:
        found = _objects(result)
        if not found or any(one.keys() != ending.fields for one in found):
            return None
        return {"all": ", ".join(_text(ending.each, {name: str(one[name]) for name in one}) for one in found)}
    fields = _fields(result) if ending.fields else {}
    return {"result": result, **fields} if fields.keys() == ending.fields else None


def _objects(text: str) -> list[dict[str, Json]]:
    try:
        value = read_foreign(text)
    except BadJson:
        return []
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _worded(hole: re.Match[str], known: Values) -> str:
    text = known.get(hole["name"], hole[0])
    try:
        return f"{float(text):,.2f}" if hole["kind"] == "money" else text
    except ValueError:
        return text
