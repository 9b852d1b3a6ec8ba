"""The details of a call, for one person alone: all there is to know before it is approved, answered or judged.

    request + tool spec -> every argument whole, why a person is asked, what this run did before, what people decided
    about calls like it, who signed so far
    what a rule hands over -> the same of the call that it does not let run

No button stands there: whoever has read it goes back to the card. Not who may read it (looking).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from bot.domain import by_rule, evidence, wording
from bot.domain.arguments import GONE, SHOWN_MOST, pretty, private_text, secret_texts, without
from bot.domain.calls import Outcome, Past, ToolSpec
from bot.domain.chat import Block, Card, Fact, PersonId, Tone
from bot.domain.inert import show, show_line
from bot.domain.request import Kind, Move, Request
from bot.domain.wire import loads

STEPS: Mapping[Outcome | None, str] = {
    Outcome.OK: "done",
    Outcome.ERROR: "ran and failed",
    Outcome.UNKNOWN: "started; whether it took effect is not known",
    Outcome.NOT_RUN: "not run",
    None: "waits or runs",
}
VOTED: Mapping[Move, str] = {
    Move.APPROVE: "approved",
    Move.REJECT: "rejected",
    Move.ANSWER: "answered",
    Move.BREAK_GLASS: "broke the glass, and approved it alone",
}
OF_CALLS = frozenset({Kind.APPROVAL, Kind.RECOVERY, Kind.AFTERMATH})  # about one call, whoever is asked what
EVERY = "Every argument"


def has_details(request: Request) -> bool:
    """Is there a call to be read? Whatever else agents ask stands on its card whole."""
    return request.kind in OF_CALLS or by_rule.is_by_rule(request)


def details(request: Request, spec: ToolSpec | None, names: Mapping[PersonId, str], before: str) -> Card:
    """Everything about *request* as it stands now. Without its *spec* any argument may be secret: none is shown.

    *before* is what people decided about calls like it (precedents), empty where that means nothing.
    """
    if request.kind is Kind.AFTERMATH or by_rule.is_by_rule(request):
        return _told(request, names, before)
    hide = secret_texts(request, spec) if spec is not None else ()
    said = request.outcome.text if request.outcome is not None else ""
    return Card(
        title=_title(request.call.tool),
        tone=Tone.DANGER if request.ask.is_high else Tone.WAITING,
        facts=_facts(request, f"{request.call.tool}, version {request.call.version}", request.call.digest, names),
        blocks=(
            *_private(private_text(request, spec) if spec is not None else ""),
            Block(label=EVERY, text=pretty(request, spec), is_code=True)
            if spec is not None
            else Block(label=EVERY, text=f"not shown: {GONE}"),
            *evidence.in_details(request, hide),
            Block(label="Why a person is asked", text=show_line(without(request.ask.why, hide))),
            *_history(request, before),
            Block(label="Signed so far", text="\n".join(_signed(request, names)) or "By nobody."),
            *((Block(label="What the tool answered (not verified)", text=show(without(said, hide))),) if said else ()),
        ),
        footer=f"{request.id} · {request.run}",
    )


def _told(request: Request, names: Mapping[PersonId, str], before: str) -> Card:
    """Of a call that *request* only tells of, its secrets masked: a rule hands it over, or it is forgotten by now."""
    told = request.call.values
    masked = show(json.dumps(loads(str(told.get("context") or told["args"])), indent=2, ensure_ascii=False))
    return Card(
        title=_title(str(told["tool"])),
        tone=Tone.WAITING,
        facts=_facts(request, str(told["tool"]), str(told["digest"]), names),
        blocks=(
            *_private(request.private),
            Block(label=EVERY, text=masked, is_code=True),
            *evidence.in_details(request, ()),
            Block(label="Why a person is asked", text=show_line(request.ask.why)),
            *_history(request, before),
        ),
        footer=f"{request.id} · {request.run}",
    )


def _title(tool: str) -> str:
    return f"Details: {wording.clip(show_line(tool), wording.NAME_MOST)}"


def _facts(request: Request, tool: str, digest: str, names: Mapping[PersonId, str]) -> tuple[Fact, ...]:
    asked = f"{wording.name(names, request.requester)}, through {wording.line(request.agent)}"
    return (
        Fact(label="Tool", value=wording.line(tool)),
        Fact(label="Asked by", value=asked),
        Fact(label="Rule", value=wording.line(request.ask.rule or "none")),
        Fact(label="Digest", value=digest),
    )


def _history(request: Request, before: str) -> Iterator[Block]:
    yield Block(label="What this run did before", text="\n".join(_steps(request.history)) or "Nothing.")
    if before:
        yield Block(label="What people decided about calls like it", text=before)


def unreadable(request: Request, spec: ToolSpec) -> str | None:
    """Why nobody could read everything before approving; None if they can. No card or file holds what is private."""
    count = len(private_text(request, spec))
    return f"its private values are {count:,} characters, more than Details hold" if count > SHOWN_MOST else None


def _private(text: str) -> Iterator[Block]:
    if text:
        yield Block(label="What is private: not on the card, and for you alone", text=text, is_code=True)


def _steps(history: tuple[Past, ...]) -> Iterator[str]:
    """Tool and outcome alone: the arguments of other calls may be secret."""
    for number, past in enumerate(history, 1):
        yield f"{number}. {wording.line(past.tool)}: {STEPS[past.outcome]}"


def _signed(request: Request, names: Mapping[PersonId, str]) -> Iterator[str]:
    for vote in request.votes:
        yield f"{wording.name(names, vote.person)} {VOTED.get(vote.move, vote.move)} at {wording.time(vote.at)}"
