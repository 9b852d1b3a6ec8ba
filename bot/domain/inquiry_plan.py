"""A plan: its goal and steps, put to people before an agent begins, for a bounded number of rounds.

    steps -> proceed · proceed with steps of their own · ask for changes (in words), and round n+1 · do not proceed
    rounds used up -> the limit: proceed · their own steps · allow another round · do not proceed

Only a press that says so goes on (D-09): words, silence and a limit never do. Which round it is comes from the run's
own earlier calls, also those that a reply withdrew or that nobody answered. A yes signs none of the steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.asking import TEXT, Choice, Inquiry, Part, Values, never_typed
from bot.domain.calls import Outcome, Past, ToolCall, canonical
from bot.domain.chat import Field, FieldKind
from bot.domain.difference import difference
from bot.domain.request import Request
from bot.domain.wire import Json
from bot.domain.wording import used_up

ROUNDS = 3  # each is a plan and what people say to it: AutoGen's planning team has max_turns=6, two turns a round
BEGINS = ("proceed", "edit_steps")  # moves after which the agent begins; a later plan of the run is at round 1 again
BACK = "the agent shows a next plan; nothing begins"


def _recalled(call: ToolCall, history: Sequence[Past], _agent: str = "") -> Values:
    """Which `version` and `round` of `rounds` it is. `is_limit`: they are used up; `is_over`: and so is the limit."""
    series: list[Past] = []
    for past in history:
        if past.tool == call.tool and (past.was_put or past.outcome in (None, Outcome.OK)):
            series = [] if past.move in BEGINS else [*series, past]
    rounds, used, is_over = (series[0] if series else call).values.get("rounds", ROUNDS), 0, False
    for past in series:
        if used < rounds:
            used += 1
        elif past.move == "more":
            rounds += 1
        else:
            is_over = True
    found = {"version": len(series) + 1, "round": used + 1, "rounds": rounds}
    return {**found, "is_limit": used >= rounds, "is_over": is_over}


def _parts(values: Values) -> Sequence[Part]:
    where = "after the last round" if values["is_limit"] else f"round {values['round']} of {values['rounds']}"
    label = f"Steps, version {values['version']}, {where}"
    found = [
        Part(label="The agent plans to", text=values["goal"]),
        Part(label=label, text="\n".join(_numbered(values["steps"])), is_exact=True),
    ]
    if values["is_limit"]:
        text = f"{used_up(values['rounds'])} without a yes. Nothing begins unless you say so here."
        found.append(Part(label="The limit", text=text, is_ours=True))
    return found


def _choices(values: Values) -> Sequence[Choice]:
    steps = Field(
        name=TEXT,
        label="Steps, one a line",
        kind=FieldKind.LONG_TEXT,
        value="\n".join(values["steps"]),
        may_start_empty=True,
        hint="Change, move or remove lines. Steps that could hurt are asked about again when they come.",
    )
    feedback = Field(name=TEXT, label="What should be different", kind=FieldKind.LONG_TEXT)
    move, label = ("more", "Allow another round") if values["is_limit"] else ("change", "Ask for changes")
    return [
        Choice(move="proceed", label="Proceed", effect="the agent begins; risky steps still ask", style="primary"),
        Choice(move="edit_steps", label="Edit the steps", effect="the agent begins with yours", fields=(steps,)),
        Choice(move=move, label=label, effect=BACK, fields=(feedback,)),
        Choice(move="leave", label="Do not proceed", effect="the agent does not begin", style="danger"),
    ]


def _told(asked: Request, answer: Values) -> str:
    """What the agent goes on with: the approved steps themselves (D-10)."""
    version, steps = _recalled(asked.call, asked.history)["version"], _listed(asked, answer)
    match answer["move"]:
        case "proceed":
            kept = "Signatures for single steps are still asked for."
            return f"Proceed with version {version} of the plan as it is, with no other steps: {steps} {kept}"
        case "edit_steps":
            return f"Proceed from version {version}, with these steps instead and no others: {steps}"
        case "change":
            return f"Do not begin. Show another plan. Their feedback: {answer[TEXT]!r}"
        case "more":
            return f"Do not begin. They allow another round. Their feedback: {answer[TEXT]!r}"
    return "Do not proceed with this plan."


def _shown(asked: Request, answer: Values) -> str:
    """On the card the steps stand above."""
    if answer["move"] == "proceed":
        return "Proceed with the plan as it is. Signatures for single steps are still asked for."
    return _told(asked, answer)


def _ended(asked: Request, answer: Values) -> Sequence[Part]:
    if answer["move"] != "edit_steps":
        return []
    text = difference("\n".join(asked.call.values["steps"]), "\n".join(map(str, _approved(asked, answer))))
    label = "What is different from the agent's steps, compared by this program"
    return [Part(label=label, text=text, is_exact=True, is_ours=True)]


def _more(asked: Request, answer: Values) -> Mapping[str, Json]:
    """`status` and `version`; the approved `steps`, in order."""
    version = _recalled(asked.call, asked.history)["version"]
    if answer["move"] not in BEGINS:
        return {"status": "changes" if TEXT in answer else "unaccepted", "version": version}
    return {"status": "approved", "version": version, "steps": _approved(asked, answer)}


def _approved(asked: Request, answer: Values) -> list[Json]:
    """Theirs, if they wrote some; else those that were shown."""
    lines = answer[TEXT].splitlines() if answer["move"] == "edit_steps" else asked.call.values["steps"]
    return [line.strip() for line in lines if line.strip()]


def _listed(asked: Request, answer: Values) -> str:
    """Data, not prose: each step quoted, with its number."""
    return canonical(list(_numbered(_approved(asked, answer)))).decode()


def _numbered(steps: Sequence[Json]) -> list[str]:
    return [f"{number}. {step}" for number, step in enumerate(steps, 1)]


def _flaw(values: Values) -> str | None:
    if values["is_over"]:
        return f"{used_up(values['rounds'])}, nobody allowed another, and this plan is not approved"
    if any(step.splitlines() != [step] or not step.strip() for step in values["steps"]):
        return "each step is one line: a step of several lines would read as several, and an empty one as none"
    return None


PLAN = Inquiry(
    title="A plan to look at",
    parts=_parts,
    choices=_choices,
    typed=never_typed,
    told=_told,
    shown=_shown,
    recalled=_recalled,
    more=_more,
    ended=_ended,
    flaw=_flaw,
)
