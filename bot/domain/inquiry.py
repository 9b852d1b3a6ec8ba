"""What an agent asks of people besides a signature: a question, a form, a review, a plan, an escalation.

    call of a tool that only people can run -> picture, choices -> a person's move -> answer -> the call's result

The call's arguments are the whole of what is asked, so its digest binds what people saw to what they answered.
Every kind is one row of KINDS. Pure: not who may answer (rights), nor where it is shown (outbox).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.calls import canonical
from bot.domain.chat import Field, FieldKind
from bot.domain.errors import InvalidArguments
from bot.domain.forms import fields_of, problems_of, values_from_fields
from bot.domain.request import Kind, Request
from bot.domain.wire import Json, Record, loads

TEXT_MOST = 10_000  # characters of an answer; an agent's conversation has to carry it
BUTTONS_MOST = 5  # options that are buttons; more are a list to choose from
OPTION_MOST = 60  # characters of an option that fits a button
TEXT, CHOICE, PERSON = "text", "choice", "person"  # names of the fields behind a button

Values = Mapping[str, Any]
Fields = Mapping[str, object]


class Choice(Record):
    """One way to answer: a button, with a form behind it if there are fields."""

    move: str
    label: str
    style: str = "plain"
    fields: tuple[Field, ...] = ()


class Part(Record):
    """One piece of what is asked. Nothing of it is verified: these are the agent's words and proposals."""

    label: str
    text: str
    is_exact: bool = False  # line by line as it is, like code


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """One kind: its title, what people read, how they may answer, and what a typed reply means."""

    title: str
    parts: Callable[[Values], Sequence[Part]]
    choices: Callable[[Values], Sequence[Choice]]
    typed: Callable[[Values, str], tuple[str, Fields] | None]  # the move and fields that a reply's text stands for
    told: Callable[[Request, Values], str]  # what the answer says, in words: for the model and on the card


def is_inquiry(kind: Kind) -> bool:
    return kind in KINDS


def choices(request: Request) -> tuple[Choice, ...]:
    return tuple(KINDS[request.kind].choices(request.call.values))


def parts(request: Request) -> tuple[Part, ...]:
    return tuple(KINDS[request.kind].parts(request.call.values))


def flaw(kind: Kind, values: Values) -> str | None:
    """Why nobody could answer this, in one sentence; None if somebody could."""
    if kind is Kind.FORM:
        schema = values["schema"]
        if not isinstance(schema.get("properties"), dict) or not fields_of(schema, values.get("start") or {}):
            return "the form has no field that people can fill in"
    return None


def read(request: Request, move: str, fields: Fields) -> str:
    """A person's answer as canonical JSON: `{"move": …, <field>: …}`. Raises InvalidArguments beside the fields."""
    choice = next((one for one in choices(request) if one.move == move), None)
    if choice is None:
        raise InvalidArguments(request.kind, {"": "That is not one of the answers to this."})
    values = _values(choice, fields, request)
    return canonical({"move": move, **values}).decode()


def typed(request: Request, text: str) -> str | None:
    """What a reply in the thread answers; None if it cannot be an answer. Raises InvalidArguments with the reason."""
    meant = KINDS[request.kind].typed(request.call.values, text.strip())
    return read(request, *meant) if meant is not None else None


def offers(request: Request, text: str) -> bool:
    """Is *text* one of the options of this question, word for word?"""
    options = _options(request.call.values) if request.kind is Kind.QUESTION else ()
    return text.casefold() in [option.casefold() for option in options]


def told(request: Request, answer: str) -> str:
    """What *answer* says: the call's result for the model, and the card's end. People's words are quoted, as data."""
    return KINDS[request.kind].told(request, loads(answer))


def title(request: Request) -> str:
    return KINDS[request.kind].title


def _values(choice: Choice, fields: Fields, request: Request) -> dict[str, Json]:
    if request.kind is Kind.FORM and choice.fields:
        schema = request.call.values["schema"]
        typed = values_from_fields(schema, fields)
        if wrong := problems_of(schema, typed):
            raise InvalidArguments(request.kind, wrong)
        return {"values": typed}
    found: dict[str, Json] = {}
    problems: dict[str, str] = {}
    for field in choice.fields:
        text = str(fields.get(field.name) or "").strip()
        if not text and field.is_required:
            problems[field.name] = "Please fill this in."
        elif len(text) > TEXT_MOST:
            problems[field.name] = f"At most {TEXT_MOST:,} characters, please."
        elif field.options and text not in field.options:
            problems[field.name] = "Please choose one of the options."
        else:
            found[field.name] = text
    if problems:
        raise InvalidArguments(request.kind, problems)
    return found


# ---------------------------------------------------------------- question


def _question_parts(values: Values) -> Sequence[Part]:
    found = [Part(label="The agent asks", text=values["question"])]
    options = _options(values)
    if options and not _are_buttons(options):
        found.append(Part(label="Options", text="\n".join(f"• {option}" for option in options)))
    return found


def _question_choices(values: Values) -> Sequence[Choice]:
    options = _options(values)
    found: list[Choice] = []
    if _are_buttons(options):
        found += [Choice(move=_pick(i), label=option) for i, option in enumerate(options)]
    elif options:
        field = Field(name=CHOICE, label="Your choice", kind=FieldKind.CHOICE, options=tuple(options))
        found.append(Choice(move="choose", label="Choose", style="primary", fields=(field,)))
    if values.get("may_write", True):
        field = Field(name=TEXT, label="Your answer", kind=FieldKind.LONG_TEXT)
        found.append(Choice(move="write", label="Answer in words", fields=(field,)))
    found.append(Choice(move="leave", label="You decide"))
    return found


def _question_typed(values: Values, text: str) -> tuple[str, Fields] | None:
    options = _options(values)
    for index, option in enumerate(options):
        if text.casefold() == option.casefold():
            return (_pick(index), {}) if _are_buttons(options) else ("choose", {CHOICE: option})
    if text.casefold().rstrip(".!") == "you decide":
        return "leave", {}
    if values.get("may_write", True):
        return "write", {TEXT: text}
    raise InvalidArguments("question", {"": f"Please choose one of: {', '.join(options)}."})


def _question_told(asked: Request, answer: Values) -> str:
    move = answer["move"]
    if move == "leave":
        return "They leave the choice to you."
    said = answer.get(TEXT) or answer.get(CHOICE) or asked.call.values["options"][_index(move)]
    return f"Their answer: {said!r}"


def _options(values: Values) -> Sequence[str]:
    return values.get("options") or ()


def _are_buttons(options: Sequence[str]) -> bool:
    return 0 < len(options) <= BUTTONS_MOST and all(len(option) <= OPTION_MOST for option in options)


def _pick(index: int) -> str:
    return f"pick_{'abcde'[index]}"


def _index(move: str) -> int:
    return "abcde".index(move.removeprefix("pick_"))


# ----------------------------------------------------------------- handoff


def _handoff_parts(values: Values) -> Sequence[Part]:
    return [Part(label="The agent asks", text=values["message"])]


def _handoff_choices(_values: Values) -> Sequence[Choice]:
    field = Field(name=TEXT, label="Your answer", kind=FieldKind.LONG_TEXT)
    return [
        Choice(move="yes", label="Yes", style="primary"),
        Choice(move="no", label="No"),
        Choice(move="write", label="Answer in words", fields=(field,)),
    ]


def _handoff_typed(_values: Values, text: str) -> tuple[str, Fields] | None:
    return "write", {TEXT: text}


def _handoff_told(asked: Request, answer: Values) -> str:
    """What the agent's guide promises: message, the person's input, status, a reference; and who and when (ST-24)."""
    decision = asked.decision
    told: dict[str, Json] = {
        "message": asked.call.values["message"],
        "user_input": answer.get(TEXT) or answer["move"],
        "status": "SUCCESS",
        "reference_id": asked.id,
        "answered_by": list(decision.by) if decision else [],
        "answered_at": decision.at.isoformat() if decision else None,
    }
    return canonical(told).decode()


# -------------------------------------------------------------------- form


def _form_parts(values: Values) -> Sequence[Part]:
    return [Part(label="The agent asks", text=values["question"])]


def _form_choices(values: Values) -> Sequence[Choice]:
    fields = fields_of(values["schema"], values.get("start") or {})
    return [
        Choice(move="fill", label="Fill in", style="primary", fields=fields),
        Choice(move="leave", label="You decide"),
    ]


def _never_typed(_values: Values, _text: str) -> None:
    return None


def _form_told(_asked: Request, answer: Values) -> str:
    if answer["move"] == "leave":
        return "They leave it to you."
    return f"They filled in: {canonical(answer['values']).decode()}"


# ------------------------------------------------------------------ review


def _review_parts(values: Values) -> Sequence[Part]:
    label = f"Draft, version {values.get('round', 1)} of {values.get('rounds', 3)}"
    found = [Part(label=label, text=values["draft"], is_exact=True)]
    if changes := values.get("changes"):
        found.append(Part(label="What is different from the version before", text=changes))
    if note := values.get("note"):
        found.append(Part(label="The agent's note", text=note))
    return found


def _review_choices(values: Values) -> Sequence[Choice]:
    feedback = Field(name=TEXT, label="What should be different", kind=FieldKind.LONG_TEXT)
    own = Field(name=TEXT, label="Your own text", kind=FieldKind.LONG_TEXT, value=values["draft"])
    found = [Choice(move="accept", label="Accept", style="primary")]
    if values.get("round", 1) < values.get("rounds", 3):
        found.append(Choice(move="revise", label="Revise", fields=(feedback,)))
    found.append(Choice(move="take_over", label="Write it myself", fields=(own,)))
    return [*found, Choice(move="leave", label="Leave it unaccepted", style="danger")]


def _review_typed(values: Values, text: str) -> tuple[str, Fields] | None:
    """A reply about a draft is feedback, as long as there is another round."""
    return ("revise", {TEXT: text}) if values.get("round", 1) < values.get("rounds", 3) else None


def _review_told(_asked: Request, answer: Values) -> str:
    match answer["move"]:
        case "accept":
            return "The draft is accepted as it is."
        case "take_over":
            return f"They wrote it themselves; use exactly this: {answer[TEXT]!r}"
        case "revise":
            return f"Not accepted yet. Their feedback: {answer[TEXT]!r}"
    return "The draft is not accepted, and no further version is wanted."


# -------------------------------------------------------------------- plan


def _plan_parts(values: Values) -> Sequence[Part]:
    steps = "\n".join(f"{number}. {step}" for number, step in enumerate(values["steps"], 1))
    return [Part(label="The agent plans to", text=values["goal"]), Part(label="Steps", text=steps, is_exact=True)]


def _plan_choices(values: Values) -> Sequence[Choice]:
    steps = Field(
        name=TEXT,
        label="Steps, one a line",
        kind=FieldKind.LONG_TEXT,
        value="\n".join(values["steps"]),
        hint="Change, move or remove lines. Steps that could hurt are asked about again when they come.",
    )
    return [
        Choice(move="proceed", label="Proceed", style="primary"),
        Choice(move="edit_steps", label="Edit the steps", fields=(steps,)),
        Choice(move="leave", label="Do not proceed", style="danger"),
    ]


def _plan_told(_asked: Request, answer: Values) -> str:
    match answer["move"]:
        case "proceed":
            return "Proceed with the plan as it is. Signatures for single steps are still asked for."
        case "edit_steps":
            steps = [line.strip() for line in answer[TEXT].splitlines() if line.strip()]
            return f"Proceed, with these steps instead and no others: {canonical(list(steps)).decode()}"
    return "Do not proceed with this plan."


# -------------------------------------------------------------- escalation


def _escalation_parts(values: Values) -> Sequence[Part]:
    found = [Part(label="Why the agent hands this over", text=values["reason"])]
    found += [Part(label="What is known", text=values["context"])] if values.get("context") else []
    found += [Part(label="What the agent suggests", text=values["suggestion"])] if values.get("suggestion") else []
    return found


def _escalation_choices(values: Values) -> Sequence[Choice]:
    direction = Field(name=TEXT, label="What the agent should do", kind=FieldKind.LONG_TEXT)
    found = [Choice(move="take", label="I take it", style="primary")]
    found += [Choice(move="follow", label="Do what is suggested")] if values.get("suggestion") else []
    return [*found, Choice(move="direct", label="Give direction", fields=(direction,))]


def _escalation_typed(_values: Values, text: str) -> tuple[str, Fields] | None:
    return "direct", {TEXT: text}


def _escalation_told(asked: Request, answer: Values) -> str:
    match answer["move"]:
        case "take":
            return "They take it over and work on it themselves. Do nothing more about it."
        case "follow":
            return f"Do what you suggested: {asked.call.values['suggestion']!r}"
    return f"Their direction: {answer[TEXT]!r}"


KINDS: Mapping[Kind, Inquiry] = {
    Kind.QUESTION: Inquiry(
        title="Question", parts=_question_parts, choices=_question_choices, typed=_question_typed, told=_question_told
    ),
    Kind.HANDOFF: Inquiry(
        title="The agent needs you",
        parts=_handoff_parts,
        choices=_handoff_choices,
        typed=_handoff_typed,
        told=_handoff_told,
    ),
    Kind.FORM: Inquiry(
        title="Please fill in", parts=_form_parts, choices=_form_choices, typed=_never_typed, told=_form_told
    ),
    Kind.REVIEW: Inquiry(
        title="Review wanted", parts=_review_parts, choices=_review_choices, typed=_review_typed, told=_review_told
    ),
    Kind.PLAN: Inquiry(
        title="A plan to look at", parts=_plan_parts, choices=_plan_choices, typed=_never_typed, told=_plan_told
    ),
    Kind.ESCALATION: Inquiry(
        title="Handed over to people",
        parts=_escalation_parts,
        choices=_escalation_choices,
        typed=_escalation_typed,
        told=_escalation_told,
    ),
}
