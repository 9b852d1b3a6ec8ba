"""Tools that only people can run: an agent asks, and their answer is the result.

The functions are never called: what they declare is what may be asked. The gate puts each to people as a request of
the kind in `asks`, and sleeps. Agents of code ask with a pydantic model:

    trip = await ask_form(ctx, Trip, form_call(Trip, "Where to?"))  # a Trip, or None
"""

# ruff: noqa: ARG001  # the parameters are the schema; no body is ever called

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from agents.toolbox import tool
from bot.domain.calls import Risk, ToolResult
from bot.domain.chat import PersonId
from bot.domain.errors import BadJson, InvalidArguments
from bot.domain.form_schema import schema_flaw
from bot.domain.inert import show_line
from bot.domain.inquiry_stuck import Trouble
from bot.domain.ports import RunContext, Tool, WantedCall
from bot.domain.request import Kind
from bot.domain.wire import Json, dumps, loads, read_foreign, replace

Text = Annotated[str, Field(min_length=1, max_length=20_000)]
Said = Annotated[str, Field(min_length=1, max_length=20_000, pattern=r"\S")]  # more than empty space
FIX_MOST = 2_900  # characters of a suggestion: a field of any platform can begin with it
Direction = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^\S[^\n]*$")]
Audience = Annotated[str, Field(max_length=80, pattern=r"^[A-Za-z0-9@._()-]*$")]


def people_tools() -> tuple[Tool, ...]:
    """What every agent may ask of people; the last ones are for loops and patterns, and listed to no model."""
    asking = (handoff_to_user, ask_people, fill_form, review_draft, propose_plan, escalate)
    return (*asking, review_stage, review_finding, ask_about_row, ask_when_stuck)


class Table(BaseModel):
    """Rows around the one that cannot be read or classified, with all their columns."""

    model_config = ConfigDict(extra="forbid")

    columns: Annotated[list[Annotated[str, Field(max_length=200)]], Field(min_length=1, max_length=40)]
    rows: Annotated[list[list[str | int | float | bool | None]], Field(min_length=1, max_length=50)]
    row: Annotated[int, Field(ge=0, description="which of rows is in question, counted from 0")]
    column: Annotated[str, Field(description="the name of the column in question")]
    first: Annotated[int, Field(ge=0, description="the number of the first of rows in the whole table")] = 1


@tool(risk=Risk.READ, asks=Kind.HANDOFF)
def handoff_to_user(message: Text, breakout_of_loop: bool = False) -> NoReturn:
    """Hand over to whoever gave the task: ask and go on with their answer, or say something and end here.

    A "yes" signs nothing: a call that could hurt is asked about by itself.

    Args:
        message: what they should know or answer
        breakout_of_loop: true ends the run with this message; false waits for an answer
    """
    raise AssertionError("people run this")


@tool(risk=Risk.READ, asks=Kind.QUESTION)
def ask_people(
    question: Text,
    options: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=100)] = [],  # noqa: B006  # part of the schema, never called
    may_write: bool = True,
    default: Annotated[str, Field(max_length=200)] = "",
    of: Audience = "",
) -> NoReturn:
    """Ask people something you need to know and cannot look up. Never assume an answer.

    Args:
        question: what you need to know, so that somebody can answer without reading anything else
        options: answers to choose from, if there are some
        may_write: whether they may also answer in their own words
        default: what you would go on with if nobody answers in time; they read it from the beginning. Only for what
            is harmless; empty if there is nothing to go on with
        of: who may answer: empty for whoever gave the task, a group, @person, or manager(requester)
    """
    raise AssertionError("people run this")


@tool(risk=Risk.READ, asks=Kind.FORM)
def fill_form(
    question: Text,
    schema: dict[str, Any],
    start: dict[str, Any] | None = None,
    table: Table | None = None,
    of: Audience = "",
) -> NoReturn:
    """Ask people for several values at once, in a form. Never guess a value that is missing or does not fit.

    Args:
        question: what the form is for
        schema: a JSON Schema of an object; each property becomes a field. `format: date` is a date, `format: person`
            a person, an array of an enum several choices
        start: values the fields begin with
        table: the row of a table that it is about
        of: who may answer: empty for whoever gave the task, a group, @person, or manager(requester)
    """
    raise AssertionError("people run this")


@tool(risk=Risk.READ, asks=Kind.REVIEW)
def review_draft(
    draft: Text,
    name: Annotated[str, Field(max_length=80)] = "",
    rounds: Annotated[int, Field(ge=1, le=20)] = 3,
    note: Annotated[str, Field(max_length=2_000)] = "",
    directions: Annotated[list[Direction], Field(max_length=3)] = [],  # noqa: B006  # part of the schema, never called
    of: Audience = "",
) -> NoReturn:
    """Show people a draft before it is used. They accept it or an earlier one, ask for changes, or write it themselves.

    Show the next version with the same name; what is different is worked out for them. A draft that is not accepted
    after its last round is unaccepted: say so, and do not use it.

    Args:
        draft: the whole text, exactly as it would be used
        name: what this draft is called, the same for each version; empty if there is only one
        rounds: how many versions there may be
        note: anything a reader should know
        directions: what they are likely to want changed, a few words each, such as "Shorter" or "More formal": buttons
        of: who may answer: empty for whoever gave the task, a group, @person, or manager(requester). The policy may
            name somebody else
    """
    raise AssertionError("people run this")


@tool(risk=Risk.READ, asks=Kind.REVIEW)
def review_stage(
    draft: Text,
    name: Annotated[str, Field(max_length=80)] = "",
    rounds: Annotated[int, Field(ge=1, le=20)] = 3,
    note: Annotated[str, Field(max_length=2_000)] = "",
    directions: Annotated[list[Direction], Field(max_length=3)] = [],  # noqa: B006  # part of the schema, never called
    of: Audience = "",
    flavour: Literal["review", "checkpoint", "check"] = "review",
    stage: Annotated[str, Field(max_length=7, pattern=r"^(\d{1,3}/\d{1,3})?$")] = "",
    role: Annotated[str, Field(max_length=80)] = "",
    instructions: Annotated[str, Field(max_length=2_000)] = "",
    criteria: Annotated[str, Field(max_length=4_000)] = "",
) -> NoReturn:
    """Show what a member of a pattern made to people before it goes on. For patterns; no model is told of it.

    Args:
        draft: the whole text, exactly as it goes on
        name: what this draft is called, the same for each version
        rounds: how many versions there may be
        note: what others say of it
        directions: what people are likely to want changed: buttons of a review
        of: who may answer: empty for whoever gave the task, a group, @person, or manager(requester)
        flavour: a review; a checkpoint between phases; or a check against criteria, which passes or fails
        stage: which phase of how many it is, as 1/3
        role: in which role somebody looks
        instructions: what they are asked to do, at the top of the card
        criteria: what the draft must meet
    """
    raise AssertionError("people run this")


@tool(risk=Risk.READ, asks=Kind.REVIEW)
def review_finding(
    draft: Annotated[str, Field(min_length=1, max_length=FIX_MOST, pattern=r"\S")],
    file: Annotated[str, Field(min_length=1, max_length=500)],
    line: Annotated[int, Field(ge=1)],
    last: Annotated[int, Field(ge=1)],
    problem: Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"\S")],
    code: Annotated[str, Field(max_length=20_000)] = "",
    stage: Annotated[str, Field(max_length=7, pattern=r"^(\d{1,3}/\d{1,3})?$")] = "",
    of: Audience = "",
    flavour: Literal["finding"] = "finding",
) -> NoReturn:
    """Show people one finding of a review: they accept it, change it or skip it. For programs; no model is told of it.

    Args:
        draft: what should stand there instead, exactly
        file: the file it is about
        line: the first line in question
        last: the last one
        problem: what is wrong there
        code: what stands there now
        stage: which finding of how many it is, as 1/3
        of: who may answer: empty for whoever gave the task, a group, @person, or manager(requester)
        flavour: how such a look is worded
    """
    raise AssertionError("people run this")


@tool(risk=Risk.READ, asks=Kind.PLAN)
def propose_plan(
    goal: Text,
    steps: Annotated[list[Annotated[str, Field(min_length=1, max_length=500)]], Field(min_length=1, max_length=50)],
    rounds: Annotated[int, Field(ge=1, le=20)] = 3,
    of: Audience = "",
) -> NoReturn:
    """Show people what you are going to do before you begin. They may change the steps, or ask you for another plan.

    Begin only when they say so, and then with the steps of their answer. Once the rounds are used up, more of them are
    theirs to give; a plan that is not approved then stays so: say that, and do not begin.

    Args:
        goal: what the plan is for
        steps: one line each, in order; steps that could hurt are asked about again when they come
        rounds: how many plans there may be before people are asked whether they want another
        of: who may answer: empty for whoever gave the task, a group, @person, or manager(requester)
    """
    raise AssertionError("people run this")


@tool(risk=Risk.READ, asks=Kind.ESCALATION)
def escalate(
    reason: Said,
    context: Said,
    suggestion: Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"\S")],
    of: Audience = "",
) -> NoReturn:
    """Hand something over to people: a threat, a complaint, whatever you must not or cannot decide.

    Args:
        reason: why you hand it over
        context: what is known so far, so that somebody can decide without reading anything else
        suggestion: what you would do, if they want you to
        of: who may answer: empty for the manager of whoever gave the task, a group, or @person
    """
    raise AssertionError("people run this")


@tool(risk=Risk.READ, asks=Kind.QUESTION)
def ask_about_row(
    question: Text,
    table: Table,
    options: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=100)] = [],  # noqa: B006  # part of the schema, never called
    may_write: bool = True,
    of: Audience = "",
) -> NoReturn:
    """Ask people about one row of a table, with a button for each option. For an agent's code; no model is told of it.

    Args:
        question: what is wrong with the row, and what they are to say
        table: the row, with all its columns, perhaps among its neighbours
        options: what the value may be, and whatever else may be done with the row
        may_write: whether they may also enter another value
        of: who may answer: empty for whoever gave the task, a group, @person, or manager(requester)
    """
    raise AssertionError("people run this")


@tool(risk=Risk.READ, asks=Kind.STUCK)
def ask_when_stuck(
    what: Trouble,
    told: Annotated[str, Field(min_length=1, max_length=500)],
    tried: Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=20)] = [],  # noqa: B006  # part of the schema, never called
    error: Annotated[str, Field(max_length=1_000)] = "",
    of: Audience = "",
) -> NoReturn:
    """Ask people how to go on when the loop itself cannot. For an agent's code; no model is told of it.

    Args:
        what: why it cannot go on; decides which answers there are
        told: what happened, in one sentence
        tried: what was done before, one short line each
        error: what came of it last, without secrets
        of: who may answer: empty for whoever gave the task, a group, @person, or manager(requester)
    """
    raise AssertionError("people run this")


# ------------------------------------------------------- for agents of code

M = TypeVar("M", bound=BaseModel)
FORMS_MOST = 3  # times that people are asked for one model, as often as for a draft
APerson = Annotated[PersonId, Field(json_schema_extra={"format": "person"})]  # a model's field that names a person


def form_call(
    model: type[BaseModel],
    question: str,
    *,
    start: Mapping[str, Json] | None = None,
    table: Table | None = None,
    of: str = "",
) -> WantedCall:
    """The call that asks people for a *model*. Its defaults stand in the form, where people see them.

    Raises ValueError, in one sentence, for a model of which no form can be made whose answers are sure to be one.
    """
    schema = model.model_json_schema()
    schema["x-order"] = list(schema["properties"])  # as the author wrote them
    begun = {name: part["default"] for name, part in schema["properties"].items() if part.get("default") is not None}
    args = {"question": question, "schema": schema, "start": {**begun, **(start or {})}, "of": of}
    if flaw := schema_flaw(schema, {}):
        raise ValueError(f"no form can be made of {model.__name__}: {flaw}")
    if table is not None:
        args["table"] = table.model_dump(mode="json")
    return WantedCall(id="form", tool=fill_form.spec.name, args=dumps(args).decode())


async def ask_form(ctx: RunContext, model: type[M], wanted: WantedCall) -> M | None:
    """What people filled in for *wanted*, the `form_call` of *model*; None if there is nothing, and nothing is assumed.

    Where the model's own validators object, people are asked again: what is wrong stands beside the fields, and these
    begin with what they wrote. After FORMS_MOST forms the thread is told that it does not fit, and there is nothing.
    Each form is a step of its own.
    """
    problems: Mapping[str, str] = {}
    asked = wanted
    for _ in range(FORMS_MOST):
        (result,) = await ctx.use((asked,))
        try:
            return form_answer(model, result)
        except InvalidArguments as error:
            problems = error.problems
            asked = _asked_again(wanted, loads(result.answer)["values"], problems)
    told = "; ".join(": ".join(part for part in (show_line(name), why) if part) for name, why in problems.items())
    await ctx.note(f"Asked {FORMS_MOST} times, and what was filled in does not fit: {told}. I go on without it.")
    return None


def _asked_again(wanted: WantedCall, values: Mapping[str, Json], problems: Mapping[str, str]) -> WantedCall:
    """The same form, begun with *values*; each problem at its field, or above them all if it is of no single one."""
    args = loads(wanted.args)
    parts, whole = args["schema"]["properties"], []
    for name, told in problems.items():
        if name in parts:
            parts[name] = {**parts[name], "description": f"⚠ {told} {parts[name].get('description', '')}".strip()}
        else:
            whole.append(told)
    if whole:
        args["question"] = f"{args['question']}\n\n⚠ What was filled in does not fit yet: {'; '.join(whole)}"
    return replace(wanted, args=dumps({**args, "start": values}).decode())


def form_answer(model: type[M], result: ToolResult) -> M | None:
    """What people filled in; None if they left it to the agent, or nobody answered: nothing is assumed (D-23).

    Raises InvalidArguments, with a sentence for each field, where the model wants more than its JSON Schema can say:
    `ask_form` then asks again.
    """
    answer = loads(result.answer) if result.answer else {}
    if answer.get("move") != "fill":
        return None
    try:
        return model.model_validate(answer["values"])
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        problems = {str(one["loc"][0]) if one["loc"] else "": _plainly(one) for one in found}
        raise InvalidArguments(fill_form.spec.name, problems) from error


def _plainly(found: ErrorDetails) -> str:
    """What is wrong, in the validator's own words, and where within the field it is."""
    within = ".".join(map(str, found["loc"][1:]))
    told = found["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return f"{within}: {told}" if within else told


def handoff_summary(result: ToolResult, title: str = "Handoff") -> str:
    """What came of `handoff_to_user`, in six lines. Missing parts are named, never filled in (ST-25)."""
    told = _read(result.text)
    lines = {
        "Agent message": told.get("message") or "No message from agent.",
        "Response": told.get("user_input") or "No response",
        "Status": told.get("status") or "UNKNOWN",
        "Reference": told.get("reference_id") or "N/A",
        "Answered by": ", ".join(told.get("answered_by") or ()) or "N/A",
    }
    return "\n".join([title, *(f"{label}: {text}" for label, text in lines.items())])


def _read(text: str) -> Mapping[str, Any]:
    try:
        told = read_foreign(text)
    except BadJson:
        return {}
    return told if isinstance(told, dict) else {}
