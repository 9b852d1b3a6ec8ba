"""Tools that only people can run: an agent asks, and their answer is the result.

The functions are never called: what they declare is what may be asked. The gate puts each to people as a request of
the kind in `asks`, and sleeps.
"""

# ruff: noqa: ARG001  # the parameters are the schema; no body is ever called

from __future__ import annotations

from typing import Annotated, Any, NoReturn

from pydantic import Field

from agents.toolbox import tool
from bot.domain.calls import Risk
from bot.domain.ports import Tool
from bot.domain.request import Kind

Text = Annotated[str, Field(min_length=1, max_length=20_000)]
Audience = Annotated[str, Field(max_length=80, pattern=r"^[A-Za-z0-9@._()-]*$")]


def people_tools() -> tuple[Tool, ...]:
    """What every agent may ask of people."""
    return (handoff_to_user, ask_people, fill_form, review_draft, propose_plan, escalate)


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
    of: Audience = "",
) -> NoReturn:
    """Ask people something you need to know and cannot look up. Never assume an answer.

    Args:
        question: what you need to know, so that somebody can answer without reading anything else
        options: answers to choose from, if there are some
        may_write: whether they may also answer in their own words
        of: who may answer: empty for whoever gave the task, a group, @person, or manager(requester)
    """
    raise AssertionError("people run this")


@tool(risk=Risk.READ, asks=Kind.FORM)
def fill_form(
    question: Text,
    schema: dict[str, Any],
    start: dict[str, Any] | None = None,
    of: Audience = "",
) -> NoReturn:
    """Ask people for several values at once, in a form.

    Args:
        question: what the form is for
        schema: a JSON Schema of an object; each property becomes a field
        start: values the fields begin with
        of: who may answer: empty for whoever gave the task, a group, @person, or manager(requester)
    """
    raise AssertionError("people run this")


@tool(risk=Risk.READ, asks=Kind.REVIEW)
def review_draft(
    draft: Text,
    round: Annotated[int, Field(ge=1, le=20)] = 1,
    rounds: Annotated[int, Field(ge=1, le=20)] = 3,
    changes: Annotated[str, Field(max_length=20_000)] = "",
    note: Annotated[str, Field(max_length=2_000)] = "",
    of: Audience = "",
) -> NoReturn:
    """Show people a draft before it is used. They accept it, ask for changes, write it themselves, or leave it.

    Args:
        draft: the whole text, exactly as it would be used
        round: the number of this version, beginning with 1
        rounds: how many versions there may be; after the last one it is accepted or not
        changes: what is different from the version before
        note: anything a reader should know
        of: who may answer: empty for whoever gave the task, a group, @person, or manager(requester)
    """
    raise AssertionError("people run this")


@tool(risk=Risk.READ, asks=Kind.PLAN)
def propose_plan(
    goal: Text,
    steps: Annotated[list[Annotated[str, Field(min_length=1, max_length=500)]], Field(min_length=1, max_length=50)],
    of: Audience = "",
) -> NoReturn:
    """Show people what you are going to do before you begin. They may change, move or remove steps.

    Args:
        goal: what the plan is for
        steps: one line each, in order; steps that could hurt are asked about again when they come
        of: who may answer: empty for whoever gave the task, a group, @person, or manager(requester)
    """
    raise AssertionError("people run this")


@tool(risk=Risk.READ, asks=Kind.ESCALATION)
def escalate(
    reason: Text,
    context: Annotated[str, Field(max_length=20_000)] = "",
    suggestion: Annotated[str, Field(max_length=2_000)] = "",
    of: Audience = "",
) -> NoReturn:
    """Hand something over to people: a threat, a complaint, whatever you must not or cannot decide.

    Args:
        reason: why you hand it over
        context: what is known so far
        suggestion: what you would do, if they want you to
        of: who may answer: empty for whoever gave the task, a group, @person, or manager(requester)
    """
    raise AssertionError("people run this")
