"""What an agent asks of people besides a signature: a question, a form, a review, a plan, an escalation.

    call of a tool that only people can run -> picture, choices -> a person's move -> answer -> the call's result

The call's arguments are the whole of what is asked, so its digest binds what people saw to what they answered.
Every kind is one row of KINDS. Pure: not who may answer (rights), nor where it is shown (outbox).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain import words
from bot.domain.asking import (
    PERSON,
    SEPARATE,
    TEXT,
    TEXT_MOST,
    UNANSWERED,
    Choice,
    Fields,
    Inquiry,
    Part,
    Values,
    never_typed,
)
from bot.domain.calls import Outcome, Past, ToolCall, ToolResult, canonical
from bot.domain.chat import Field, FieldKind, PersonId
from bot.domain.errors import InvalidArguments
from bot.domain.forms import people_in
from bot.domain.inert import show_line
from bot.domain.inquiry_form import FORM, filled
from bot.domain.inquiry_plan import PLAN
from bot.domain.inquiry_question import QUESTION, options_of
from bot.domain.inquiry_review import REVIEW
from bot.domain.inquiry_stuck import STUCK
from bot.domain.request import Decision, Kind, Request, Status
from bot.domain.wire import Json, loads
from bot.domain.wording import clip

__all__ = [
    "PERSON",
    "called",
    "choices",
    "default_of",
    "flaw",
    "is_inquiry",
    "move_of",
    "offers",
    "parts",
    "read",
    "told",
    "typed",
    "unanswered",
]


CALLED_MOST = 60  # characters of what tells one inquiry from another


def is_inquiry(kind: Kind) -> bool:
    return kind in KINDS


def choices(request: Request) -> tuple[Choice, ...]:
    return tuple(KINDS[request.kind].choices(_values(request)))


def parts(request: Request) -> tuple[Part, ...]:
    """What people read; once it is answered, also what the answer adds to it."""
    row, decision = KINDS[request.kind], request.decision
    added = row.ended(request, loads(decision.answer)) if decision is not None and decision.answer else ()
    return (*row.parts(_values(request)), *added)


def flaw(kind: Kind, call: ToolCall, history: Sequence[Past] = (), agent: str = "") -> str | None:
    """Why nobody could, or should, answer this, in one sentence. *history* are the run's other calls, *agent* asks."""
    row = KINDS[kind]
    return row.flaw({**call.values, **row.recalled(call, history, agent)})


def read(request: Request, move: str, fields: Fields) -> str:
    """A person's answer as canonical JSON: `{"move": …, <field>: …}`. Raises InvalidArguments beside the fields."""
    choice = next((one for one in choices(request) if one.move == move), None)
    if choice is None:
        raise InvalidArguments(request.kind, {"": "That is not one of the answers to this."})
    return canonical({"move": move, **_filled(choice, fields, request)}).decode()


def typed(request: Request, text: str) -> str | None:
    """What a reply in the thread answers; None if it cannot be an answer. Raises InvalidArguments with the reason."""
    meant = KINDS[request.kind].typed(_values(request), text.strip())
    return read(request, *meant) if meant is not None else None


def offers(request: Request, text: str) -> bool:
    """Is *text* one of the options of this question, word for word, whatever its case and closing marks?"""
    options = options_of(request.call.values) if request.kind is Kind.QUESTION else ()
    return words.normal(text) in [words.normal(option) for option in options]


def told(request: Request, answer: str) -> str:
    """What *answer* says: the call's result for the model. People's words are quoted, as data."""
    return KINDS[request.kind].told(request, loads(answer))


def shown(request: Request, answer: str) -> str:
    """The same for people, at the card's end."""
    row = KINDS[request.kind]
    return (row.shown or row.told)(request, loads(answer))


def default_of(request: Request) -> str:
    """What the agent declared to go on with, if *request* was a question that nobody answered in time; else empty."""
    is_over = request.kind is Kind.QUESTION and request.status is Status.EXPIRED
    return str(request.call.values.get("default") or "") if is_over else ""


def unanswered(request: Request, why: str) -> ToolResult:
    """The result of a call that nobody answered: *why*, and that nothing may be assumed, or the declared default."""
    if default := default_of(request):
        text = f"Nobody answered. The default you declared is used: {default!r}"
        answer = canonical({"move": "default", "default": default}).decode()
        return ToolResult(outcome=Outcome.OK, text=text, answer=answer)
    cause, lapse = request.decision.cause if request.decision else None, KINDS[request.kind].lapsed(request)
    told = " ".join(part for part in (why, "Assume nothing.", lapse.told) if part)
    if request.kind is Kind.HANDOFF:
        told = _handoff_result(request, status=request.status.upper(), note=told)
    answer = canonical({"move": UNANSWERED, "status": lapse.status}).decode() if lapse.status else ""
    return ToolResult(outcome=Outcome.NOT_RUN, cause=cause, text=told, answer=answer)


def outcome(request: Request, answer: str, called: str = "") -> str:
    """*answer* with what follows from it, as canonical JSON: what a program that asked reads.

    *called*: the names of who answered; whoever made a draft is told them apart from the words (`by`).
    """
    given = loads(answer)
    by = {"by": called} if called and request.kind is Kind.REVIEW else {}
    return canonical({**given, **KINDS[request.kind].more(request, given), **by}).decode()


def people(request: Request, answer: str) -> dict[str, PersonId]:
    """The people that *answer* names, by field: whoever counts it looks whether they exist."""
    values = loads(answer).get("values")
    return people_in(request.call.values["schema"], values) if request.kind is Kind.FORM and values else {}


def move_of(decision: Decision) -> str:
    """Which of the choices it was; empty if it was no answer."""
    return str(loads(decision.answer)["move"]) if decision.answer else ""


def title(request: Request) -> str:
    row = KINDS[request.kind]
    return row.titled(request.call.values) if row.titled else row.title


def called(request: Request) -> str:
    """A name for people who have several before them: what is asked, if it is a question; else the kind's title."""
    asked = {Kind.QUESTION: "question", Kind.HANDOFF: "message"}.get(request.kind)
    return clip(show_line(str(request.call.values[asked])), CALLED_MOST) if asked else title(request)


def _values(request: Request) -> Values:
    """The arguments that people signed for, and what the run's own earlier calls and the rule add to them."""
    recalled = KINDS[request.kind].recalled(request.call, request.history, request.agent)
    return {**request.call.values, **recalled, SEPARATE: request.ask.separate_duties}


def _filled(choice: Choice, fields: Fields, request: Request) -> dict[str, Json]:
    if request.kind is Kind.FORM and choice.fields:
        return {"values": filled(request, fields)}
    found: dict[str, Json] = {}
    problems: dict[str, str] = {}
    for field in choice.fields:
        written = str(fields.get(field.name) or "")
        text = written if field.is_exact else written.strip()
        if not text.strip() and field.is_required:
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


# ----------------------------------------------------------------- handoff


def _handoff_parts(values: Values) -> Sequence[Part]:
    return [Part(label="The agent asks", text=values["message"])]


def _handoff_choices(_values: Values) -> Sequence[Choice]:
    field = Field(name=TEXT, label="Your answer", kind=FieldKind.LONG_TEXT)
    return [
        Choice(move="yes", label="Yes", effect="the agent hears yes; it signs no call", style="primary"),
        Choice(move="no", label="No", effect="the agent hears no"),
        Choice(move="write", label="Answer in words", effect="the agent goes on with it", fields=(field,)),
    ]


def _handoff_typed(_values: Values, text: str) -> tuple[str, Fields] | None:
    """A whole reply that says yes or no is the button of that name (ST-28); anything more is an answer in words."""
    said = {words.Meaning.APPROVE: "yes", words.Meaning.REJECT: "no"}.get(words.read(text))
    return (said, {}) if said else ("write", {TEXT: text})


def _handoff_told(asked: Request, answer: Values) -> str:
    """`status` says that an answer came, `decision` which: a no was delivered as well as a yes (D-27)."""
    return _handoff_result(asked, status="SUCCESS", user_input=answer.get(TEXT) or answer["move"], by=answer["move"])


def _handoff_result(asked: Request, *, status: str, user_input: str = "", by: str | None = None, note: str = "") -> str:
    """What the agent's guide promises: message, the person's input, status, a reference; and who and when (ST-24).

    *by* is the button: yes, no or write; None, and a *note* why, if nobody answered.
    """
    end = asked.decision
    told: dict[str, Json] = {
        "message": asked.call.values["message"],
        "user_input": user_input,
        "decision": by,
        "status": status,
        "reference_id": asked.id,
        "answered_by": list(end.by) if end else [],
        "answered_at": end.at.isoformat() if end and end.by else None,
    }
    return canonical({**told, "note": note} if note else told).decode()


def _handoff_shown(_asked: Request, answer: Values) -> str:
    said = {"yes": "Yes.", "no": "No."}.get(answer["move"])
    return said or f"Their answer: {answer[TEXT]!r}"


# -------------------------------------------------------------- escalation


def _escalation_parts(values: Values) -> Sequence[Part]:
    if "rule" in values:  # no agent's words but the call's own
        return [
            Part(label="Why a rule hands this over", text=values["reason"], is_ours=True),
            Part(label=f"What was not run: {show_line(values['tool'])}", text=values["context"], is_exact=True),
            Part(label="What the rule suggests", text=values["suggestion"], is_ours=True),
        ]
    found = [Part(label="Why the agent hands this over", text=values["reason"])]
    found += [Part(label="What is known", text=values["context"])] if values.get("context") else []
    found += [Part(label="What the agent suggests", text=values["suggestion"])] if values.get("suggestion") else []
    return found


def _escalation_choices(values: Values) -> Sequence[Choice]:
    direction = Field(name=TEXT, label="What the agent should do", kind=FieldKind.LONG_TEXT)
    found = [Choice(move="take", label="I take it", effect="you work by hand; the agent waits", style="primary")]
    if values.get("suggestion"):
        found.append(Choice(move="follow", label="Do what is suggested", effect="the agent does so"))
    found.append(Choice(move="direct", label="Give direction", effect="the agent does that", fields=(direction,)))
    return [*found, Choice(move="decline", label="Decline", effect="it goes back to the agent; nothing is decided")]


def _escalation_typed(_values: Values, text: str) -> tuple[str, Fields] | None:
    return "direct", {TEXT: text}


def _escalation_told(asked: Request, answer: Values) -> str:
    match answer["move"]:
        case "take":
            return "They take it over and work on it themselves. Go on only with what they say when they hand it back."
        case "follow":
            whose = "the rule suggests" if "rule" in asked.call.values else "you suggested"
            return f"Do what {whose}: {asked.call.values['suggestion']!r}"
        case "decline":
            return "They decline: it stays with you, and nothing was decided."
    return f"Their direction: {answer[TEXT]!r}"


def _escalation_shown(asked: Request, answer: Values) -> str:
    """What the agent is told in so many words is said about it to people."""
    match answer["move"]:
        case "take":
            return "They work on it by hand; the agent waits."
        case "follow":
            whose = "the rule suggests" if "rule" in asked.call.values else "it suggested"
            return f"The agent does what {whose}: {asked.call.values['suggestion']!r}"
        case "decline":
            return "They decline: it goes back to the agent, and nothing was decided."
    return _escalation_told(asked, answer)


# --------------------------------------------------------------- aftermath


def _aftermath_parts(values: Values) -> Sequence[Part]:
    return [
        Part(label="Who approved it alone", text=f"{values['by']}, at {values['at']}", is_ours=True),
        Part(label="Their reason, in their own words", text=values["reason"], is_ours=True),
        Part(label=f"What was approved: {show_line(values['tool'])}", text=values["args"], is_exact=True, is_ours=True),
        Part(label="Its request", text=values["request"], is_ours=True),
    ]


def _aftermath_choices(_values: Values) -> Sequence[Choice]:
    why = Field(name=TEXT, label="Why, and what should follow", kind=FieldKind.LONG_TEXT)
    return [
        Choice(move="right", label="It was right", effect="closes the review", style="primary", fields=(why,)),
        Choice(move="wrong", label="It was wrong", effect="closes it, undoes nothing", style="danger", fields=(why,)),
    ]


def _aftermath_told(_asked: Request, answer: Values) -> str:
    return f"It was {'right' if answer['move'] == 'right' else 'wrong'}: {answer[TEXT]!r}"


KINDS: Mapping[Kind, Inquiry] = {
    Kind.QUESTION: QUESTION,
    Kind.HANDOFF: Inquiry(
        title="The agent needs you",
        parts=_handoff_parts,
        choices=_handoff_choices,
        typed=_handoff_typed,
        told=_handoff_told,
        shown=_handoff_shown,
    ),
    Kind.FORM: FORM,
    Kind.REVIEW: REVIEW,
    Kind.STUCK: STUCK,
    Kind.PLAN: PLAN,
    Kind.ESCALATION: Inquiry(
        title="Handed over to people",
        parts=_escalation_parts,
        choices=_escalation_choices,
        typed=_escalation_typed,
        told=_escalation_told,
        shown=_escalation_shown,
    ),
    Kind.AFTERMATH: Inquiry(
        title="Glass was broken: please review",
        parts=_aftermath_parts,
        choices=_aftermath_choices,
        typed=never_typed,
        told=_aftermath_told,
    ),
}
