"""The details of a high-risk call, for one person alone: all there is to know before it is approved.

    request + tool spec -> every argument whole, why a person is asked, what this run did before, what people decided
    about calls like it, who signed so far

No button stands there: whoever has read it goes back to the card. Not who may read it (looking).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.domain import evidence, wording
from bot.domain.arguments import GONE, SHOWN_MOST, pretty, private_text, secret_texts, without
from bot.domain.calls import Outcome, Past, ToolSpec
from bot.domain.chat import Block, Card, Fact, PersonId, Tone
from bot.domain.inert import show_line
from bot.domain.request import Move, Request

STEPS: Mapping[Outcome | None, str] = {
    Outcome.OK: "done",
    Outcome.ERROR: "ran and failed",
    Outcome.UNKNOWN: "started; whether it took effect is not known",
    Outcome.NOT_RUN: "not run",
    None: "waits or runs",
}
VOTED: Mapping[Move, str] = {Move.APPROVE: "approved", Move.REJECT: "rejected", Move.ANSWER: "answered"}


def details(request: Request, spec: ToolSpec | None, names: Mapping[PersonId, str], before: str) -> Card:
    """Everything about *request* as it stands now. Without its *spec* any argument may be secret: none is shown.

    *before* is what people decided about calls like it (precedents), empty where that means nothing.
    """
    tool, hide = show_line(request.call.tool), secret_texts(request, spec) if spec is not None else ()
    asked = f"{wording.name(names, request.requester)}, through {wording.line(request.agent)}"
    return Card(
        title=f"Details: {wording.clip(tool, wording.NAME_MOST)}",
        tone=Tone.DANGER,
        facts=(
            Fact(label="Tool", value=wording.line(f"{request.call.tool}, version {request.call.version}")),
            Fact(label="Asked by", value=asked),
            Fact(label="Rule", value=wording.line(request.ask.rule or "none")),
            Fact(label="Digest", value=request.call.digest),
        ),
        blocks=(
            *_private(request, spec),
            Block(label="Every argument", text=pretty(request, spec), is_code=True)
            if spec is not None
            else Block(label="Every argument", text=f"not shown: {GONE}"),
            *evidence.in_details(request, hide),
            Block(label="Why a person is asked", text=show_line(without(request.ask.why, hide))),
            Block(label="What this run did before", text="\n".join(_steps(request.history)) or "Nothing."),
            *((Block(label="What people decided about calls like it", text=before),) if before else ()),
            Block(label="Signed so far", text="\n".join(_signed(request, names)) or "By nobody."),
        ),
        footer=f"{request.id} · {request.run}",
    )


def unreadable(request: Request, spec: ToolSpec) -> str | None:
    """Why nobody could read everything before approving; None if they can. No card or file holds what is private."""
    count = len(private_text(request, spec))
    return f"its private values are {count:,} characters, more than Details hold" if count > SHOWN_MOST else None


def _private(request: Request, spec: ToolSpec | None) -> Iterator[Block]:
    if spec is not None and (text := private_text(request, spec)):
        yield Block(label="What is private: not on the card, and for you alone", text=text, is_code=True)


def _steps(history: tuple[Past, ...]) -> Iterator[str]:
    """Tool and outcome alone: the arguments of other calls may be secret."""
    for number, past in enumerate(history, 1):
        yield f"{number}. {wording.line(past.tool)}: {STEPS[past.outcome]}"


def _signed(request: Request, names: Mapping[PersonId, str]) -> Iterator[str]:
    for vote in request.votes:
        yield f"{wording.name(names, vote.person)} {VOTED.get(vote.move, vote.move)} at {wording.time(vote.at)}"
