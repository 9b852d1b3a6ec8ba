"""Asking people from code: a model becomes a form, what they filled in a model; handoffs in a few lines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr, model_validator

from agents.tools.people import APerson, Table, form_answer, form_call, handoff_summary, people_tools
from bot.domain.calls import Cause, Outcome, ToolResult, make_call
from bot.domain.errors import InvalidArguments
from bot.domain.forms import fields_of
from bot.domain.inquiry import flaw
from bot.domain.request import Kind
from bot.domain.wire import Json, dumps, loads
from tests.agents.given import named


class Stay(BaseModel):
    city: Annotated[str, Field(min_length=2)]
    first: date
    last: date
    guests: list[Literal["ana", "bo"]] = []
    host: APerson | None = None
    board: Literal["none", "half"] = "none"

    @model_validator(mode="after")
    def in_order(self) -> Stay:
        if self.first > self.last:
            raise ValueError("the last day is before the first")
        return self


FILLED: dict[str, Json] = {"city": "Oslo", "first": "2026-03-01", "last": "2026-03-02"}


def answered(values: Mapping[str, Json], move: str = "fill") -> ToolResult:
    return ToolResult(outcome=Outcome.OK, text="…", answer=dumps({"move": move, "values": values}).decode())


def test_a_form_of_a_model_is_a_call_that_people_can_answer() -> None:
    """Its defaults stand in the form: nothing is filled in behind anybody's back (D-23)."""
    wanted = form_call(Stay, "Where to?", start={"city": "Oslo"}, of="approvers")
    args = named(people_tools())[wanted.tool].check(loads(wanted.args))
    call = make_call(id="1", tool=wanted.tool, version="1", args=args)

    assert call.values["start"] == {"board": "none", "city": "Oslo", "guests": []}
    assert call.values["of"] == "approvers"
    assert flaw(Kind.FORM, call) is None


def test_a_table_travels_with_it() -> None:
    """AS-27."""
    table = Table(columns=["a"], rows=[["x"], [None]], row=1, column="a")
    args = named(people_tools())["fill_form"].check(loads(form_call(Stay, "?", table=table).args))

    assert isinstance(args, dict)
    assert args["table"] == {"columns": ["a"], "rows": [["x"], [None]], "row": 1, "column": "a", "first": 1}


def test_what_people_filled_in_is_a_model() -> None:
    stay = form_answer(Stay, answered({**FILLED, "guests": ["bo"], "host": "bo"}))

    assert stay == Stay(city="Oslo", first=date(2026, 3, 1), last=date(2026, 3, 2), guests=["bo"], host="bo")


@pytest.mark.parametrize(
    "result",
    [
        answered({}, "leave"),
        ToolResult(outcome=Outcome.NOT_RUN, cause=Cause.DEADLINE, text="No answer"),
    ],
)
def test_no_answer_is_no_model(result: ToolResult) -> None:
    """D-23."""
    assert form_answer(Stay, result) is None


def test_what_a_schema_cannot_say_is_said_afterwards() -> None:
    with pytest.raises(InvalidArguments, match="the last day is before the first"):
        form_answer(Stay, answered({**FILLED, "last": "2026-02-01"}))


def test_a_model_whose_answers_could_not_be_checked_is_the_authors_mistake() -> None:
    """ST-13: said at once, and not as a form that nobody sees."""

    class Login(BaseModel):
        word: SecretStr

    with pytest.raises(ValueError, match="no form can be made of Login: its field word has the format password"):
        form_call(Login, "Who are you?")


@pytest.mark.parametrize("rows", [[], [[{"a": 1}]]])
def test_a_table_without_rows_or_with_more_than_cells_is_refused(rows: list[Json]) -> None:
    table: dict[str, Json] = {"columns": ["a"], "rows": rows, "row": 0, "column": "a"}
    with pytest.raises(InvalidArguments):
        named(people_tools())["fill_form"].check({"question": "?", "schema": {}, "table": table})


@pytest.mark.parametrize(
    ("tool", "args"),
    [
        ("ask_people", {"question": ""}),
        ("ask_people", {"question": "?", "options": [str(n) for n in range(101)]}),
        ("ask_people", {"question": "?", "options": ["x" * 201]}),
        ("handoff_to_user", {"message": ""}),
        ("review_draft", {"draft": "x", "round": 2}),
        ("review_draft", {"draft": "x", "rounds": 21}),
        ("ask_when_stuck", {"what": "bored", "told": "x"}),
        ("ask_when_stuck", {"what": "steps", "told": ""}),
    ],
)
def test_what_cannot_be_asked_goes_back_to_whoever_asks(tool: str, args: Json) -> None:
    """ST-20, ST-21: nobody is bothered; an agent cannot name its own round."""
    with pytest.raises(InvalidArguments):
        named(people_tools())[tool].check(args)


# ------------------------------------------------------------------- handoff

NOTHING = [
    "Agent message: No message from agent.",
    "Response: No response",
    "Status: UNKNOWN",
    "Reference: N/A",
    "Answered by: N/A",
]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            '{"message":"Go on?","user_input":"yes","status":"SUCCESS","reference_id":"q-0-1","answered_by":["ana"]}',
            ["Agent message: Go on?", "Response: yes", "Status: SUCCESS", "Reference: q-0-1", "Answered by: ana"],
        ),
        ("{}", NOTHING),
        ('{"message":null,"user_input":"","status":"SUCCESS"}', [*NOTHING[:2], "Status: SUCCESS", *NOTHING[3:]]),
        ("Not run: stopped", NOTHING),
        ("[1]", NOTHING),
    ],
)
def test_a_handoff_is_told_in_six_lines(text: str, lines: list[str]) -> None:
    """ST-25: what is missing is named; partial data breaks nothing."""
    told = handoff_summary(ToolResult(outcome=Outcome.OK, text=text), "Formatting a drive")

    assert told.splitlines() == ["Formatting a drive", *lines]


def test_its_fields_keep_the_order_their_author_gave_them() -> None:
    """ST-12: canonical JSON sorts keys, and a form that begins with "board" is nobody's idea of a journey."""
    args = loads(form_call(Stay, "Where to?").args)
    call = make_call(id="1", tool="fill_form", version="1", args=args)

    fields = fields_of(call.values["schema"], {})

    assert [field.name for field in fields] == ["city", "first", "last", "guests", "host", "board"]
