"""Forms of agents of code: a pydantic model is asked for, a person fills it in, a model comes back."""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from agents.tools.people import FORMS_MOST, APerson, Table, ask_form, form_answer, form_call
from bot.domain.calls import ToolResult
from bot.domain.ports import RunContext
from bot.domain.run import Task
from bot.domain.wire import Json
from tests.fakes.chat import Posted
from tests.flows.stage import HASTY, Build, Hands, Played, call, calls, events, gone, policy, settled
from tests.house import words

CSV = """\
order,day,amount
1,2026-01-02,10
2,,20
3,2026-01-04,30
4,31.02.26,40
5,2026-01-06,50
"""


class Refund(BaseModel):
    order: int
    amount: float = Field(gt=0, description="In euros.")
    day: date
    why: list[Literal["late", "lost", "broken"]] = Field(min_length=1)
    owner: APerson | None = None
    is_urgent: bool = False


class Asking:
    """Asks for a refund's facts; knows the order already."""

    name, tools = "asking", ("fill_form",)

    def __init__(self) -> None:
        self.got: list[Refund | None] = []

    async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # the port's signature
        (result,) = await ctx.use((form_call(Refund, "What shall be refunded?", start={"order": 7}),))
        self.got.append(form_answer(Refund, result))
        return repr(self.got[-1])


FILLED: dict[str, object] = {
    "order": "7",
    "amount": "45.10",
    "day": "2026-03-31",
    "why": "late\nbroken",
    "owner": "bo",
    "is_urgent": "no",
}


async def test_a_model_is_asked_for_and_comes_back(build: Build) -> None:
    """ST-12: one form for all that is missing, every field of its kind; what is known stands there already."""
    agent = Asking()
    async with build(policy=policy(), agents=[agent], model=Played()) as house:
        await house.mention("ana", "refund")
        card = await house.card("fill")
        fields = {field.name: field for button in card.card.buttons for field in button.fields}
        assert {name: fields[name].kind.value for name in FILLED} == {
            "order": "number",
            "amount": "number",
            "day": "date",
            "why": "multi",
            "owner": "person",
            "is_urgent": "yes_no",
        }
        assert (fields["order"].value, fields["is_urgent"].value) == ("7", "no")

        await house.press("fill", by="ana", card=card, fields=FILLED)

        await house.shows("Refund(order=7")
        assert agent.got == [
            Refund(order=7, amount=45.1, day=date(2026, 3, 31), why=["late", "broken"], owner="bo", is_urgent=False)
        ]
        assert await settled(house)


async def test_what_is_wrong_is_said_beside_each_field_and_the_question_stays_open(build: Build) -> None:
    """ST-43: "abc" and −5 and a day that does not exist; nobody of that name; then it is right."""
    async with build(policy=policy(), agents=[Asking()], model=Played()) as house:
        await house.mention("ana", "refund")
        card = await house.card("fill")

        read = await house.press("fill", by="ana", card=card, fields={**FILLED, "amount": "abc", "day": "31.02.26"})
        meant = await house.press("fill", by="ana", card=card, fields={**FILLED, "amount": "-5", "why": ""})
        known = await house.press("fill", by="ana", card=card, fields={**FILLED, "owner": "nobody"})
        right = await house.press("fill", by="ana", card=card, fields=FILLED)

        assert read.problems == {
            "amount": "a number such as 12 or 12.5, please",
            "day": "a date such as 2026-03-31, please",
        }
        assert meant.problems == {"amount": "Must be more than 0.", "why": "At least 1, please."}
        assert known.problems == {"owner": "I do not know this person."}
        assert right.is_taken


async def test_a_models_own_form_has_its_fields_in_the_order_the_model_wrote_them(build: Build) -> None:
    """ST-12: the order is taken from the model's own text, and signed with the rest; one it names itself stands."""
    schema: dict[str, Json] = {"properties": {name: {"type": "string"} for name in ("zip", "city", "age")}}
    named: dict[str, Json] = {**schema, "x-order": ["age", "zip", "city"]}
    both = calls(call("fill_form", question="Where?", schema=schema), call("fill_form", question="Who?", schema=named))
    async with build(policy=policy(), model=Played(both)) as house:
        await house.mention("ana", "book")
        first = await house.card("fill")
        second = await house.card("fill", but=[first])

        asked = [next(button for button in card.card.buttons if button.move == "fill") for card in (first, second)]

        orders = {tuple(field.name for field in button.fields) for button in asked}
        assert orders == {("zip", "city", "age"), ("age", "zip", "city")}
        taken = await house.press("fill", by="ana", card=first, fields={"zip": "1", "city": "2", "age": "3"})
        assert taken.is_taken
        assert await house.is_sound()


async def test_left_to_the_agent_there_is_no_model(build: Build) -> None:
    """D-23: no default takes the place of an answer."""
    agent = Asking()
    async with build(policy=policy(), agents=[agent], model=Played()) as house:
        await house.mention("ana", "refund")

        await house.press("leave", by="ana")

        await house.shows("None")
        assert agent.got == [None]


# -------------------------------------------------- what no schema can say


class Stay(BaseModel):
    city: str
    nights: int = Field(multiple_of=7)
    first: date
    last: date

    @field_validator("city")
    @classmethod
    def is_known(cls, city: str) -> str:
        if city not in ("Oslo", "Bergen"):
            raise ValueError("we go to Oslo and Bergen only")
        return city

    @model_validator(mode="after")
    def is_in_order(self) -> Stay:
        if self.first > self.last:
            raise ValueError("the last day is before the first")
        return self


class Booking:
    """Asks for a stay; the model's own validators have the last word."""

    name, tools = "booking", ("fill_form",)

    async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002
        return repr(await ask_form(ctx, Stay, form_call(Stay, "Where to?")))


WEEK: dict[str, object] = {"city": "Oslo", "nights": "7", "first": "2026-03-01", "last": "2026-03-08"}


async def test_what_the_schema_says_is_refused_while_the_form_is_open(build: Build) -> None:
    """ST-43: seven nights or fourteen; the run does not fail on what it never gets."""
    async with build(policy=policy(), agents=[Booking()], model=Played()) as house:
        await house.mention("ana", "book")

        refused = await house.press("fill", by="ana", fields={**WEEK, "nights": "8"})

        assert (refused.is_taken, refused.problems) == (False, {"nights": "Must be a multiple of 7."})
        assert (await house.press("fill", by="ana", fields=WEEK)).is_taken
        await house.shows("Stay(city='Oslo', nights=7")


async def test_what_only_the_model_knows_is_asked_again_beside_the_fields(build: Build) -> None:
    """ST-43, I12: what is wrong stands at its field, or above all, with what was typed; also for another process."""
    async with build(policy=policy(), agents=[Booking()], model=Played(), pace=HASTY) as house:
        await house.mention("ana", "book")
        first = await house.card("fill")
        await house.press("fill", by="ana", card=first, fields={**WEEK, "city": "Rome"})

        second = await house.card("fill", but=[first])
        fill = next(button for button in second.card.buttons if button.move == "fill")
        fields = {field.name: field for field in fill.fields}
        assert fields["city"].hint == "⚠ we go to Oslo and Bergen only"
        assert [field.value for field in fields.values()] == ["Rome", "7", "2026-03-01", "2026-03-08"]
        await house.press("fill", by="ana", card=second, fields={**WEEK, "last": "2026-02-01"})

        third = await house.card("fill", but=[first, second])
        assert "does not fit yet: the last day is before the first" in words(third)
        await gone(house)
    async with house.again() as later:
        await later.press("fill", by="ana", card=third, fields=WEEK)

        await later.shows("Stay(city='Oslo', nights=7")
        assert len(await events(later, "request_opened")) == 3
        assert await settled(later)


async def test_after_three_forms_that_do_not_fit_the_thread_is_told_and_nothing_is_assumed(build: Build) -> None:
    """D-23, D-37: it is asked no fourth time, and the run goes on without it."""
    async with build(policy=policy(), agents=[Booking()], model=Played()) as house:
        await house.mention("ana", "book")
        seen: list[Posted] = []
        for _ in range(FORMS_MOST):
            seen.append(await house.card("fill", but=seen))
            await house.press("fill", by="ana", card=seen[-1], fields={**WEEK, "city": "Rome"})

        await house.shows("Asked 3 times, and what was filled in does not fit: city: we go to Oslo and Bergen only.")
        await house.shows("None")
        assert len(await events(house, "request_opened")) == FORMS_MOST
        assert await settled(house)


async def test_a_reply_beside_an_open_form_says_where_the_answer_goes(build: Build) -> None:
    """ST-12, ST-15: nothing of it is taken for the form's, whoever wrote it hears so, and the agent reads it later."""
    schema: Json = {"properties": {"city": {"type": "string"}}, "required": ["city"]}
    model = Played(calls(call("fill_form", question="Where?", schema=schema)))
    async with build(policy=policy(), model=model) as house:
        thread = await house.mention("ana", "book")
        card = await house.card("fill")

        told = await house.say("ana", "Berlin", thread=thread)
        other = await house.say("chris", "I would go to Rome", thread=thread)

        assert told is not None
        assert told.text == (
            "“Please fill in” is open here, and a reply does not answer it: please press Fill in on its card. "
            "Your words are kept for the agent, which reads them when it goes on."
        )
        assert other is None, "it is not asked of them"
        assert "fill" in [button.move for button in card.card.buttons]
        await house.press("fill", by="ana", card=card, fields={"city": "Berlin"})
        await house.shows("Results:")
        assert "[ana] Berlin" in model.read
        assert "[chris] I would go to Rome" in model.read


class Row(BaseModel):
    what: Literal["use the day", "skip the row"]
    day: date | None = None


class Reading:
    """Reads a table; rows that cannot be read are put to people, each by itself, none is dropped or guessed."""

    name, tools = "reading", ("fill_form",)

    async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002
        columns, *rows = [[*row] for row in csv.reader(io.StringIO(CSV))]
        told = []
        for at, row in enumerate(rows):
            if is_day(row[1]):
                told.append(f"{row[0]}: auto {row[1]}")
                continue
            cells: list[list[str | int | float | bool | None]] = [[*one] for one in rows]
            table = Table(columns=columns, rows=cells, row=at, column="day")
            start: dict[str, Json] = {"day": row[1]} if row[1] else {}
            (result,) = await ctx.use((form_call(Row, f"Row {at + 1} has no day.", start=start, table=table),))
            told.append(f"{row[0]}: {decided(result)}")
        return "; ".join(told)


def is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def decided(result: ToolResult) -> str:
    answer = form_answer(Row, result)
    return f"by a person: {answer.what} {answer.day}" if answer else "left"


async def test_exactly_the_rows_that_cannot_be_read_are_put_to_people(build: Build) -> None:
    """AS-27: five rows, two cards, each with all columns and its row and field marked; all five are accounted for."""
    async with build(policy=policy(), agents=[Reading()], model=Played()) as house:
        await house.mention("ana", "read the table")
        second = await house.card("fill")
        assert grid(second)[2] == '→ 2    2      [ "" ]      20'
        assert len(grid(second)) == 6

        await house.press("fill", by="ana", card=second, fields={"what": "skip the row", "day": ""})
        fourth = await house.card("fill", but=[second])
        assert grid(fourth)[4] == "→ 4    4      [ 31.02.26 ]  40"
        start = {field.name: field.value for button in fourth.card.buttons for field in button.fields}
        assert start["day"] == "31.02.26", "the anomaly itself stands in its field"
        await house.press("fill", by="ana", card=fourth, fields={"what": "use the day", "day": "2026-02-28"})

        await house.shows(
            "1: auto 2026-01-02; 2: by a person: skip the row None; 3: auto 2026-01-04; "
            "4: by a person: use the day 2026-02-28; 5: auto 2026-01-06"
        )
        assert len(await events(house, "request_opened")) == 2
        assert await settled(house)


def grid(card: Posted) -> list[str]:
    return next(one.text for one in card.card.blocks if "in question" in one.label).splitlines()


async def test_an_unclear_task_is_a_question_and_no_call(build: Build, hands: Hands) -> None:
    """ST-11: nothing is guessed."""
    ask = calls(call("ask_people", question="What shall I clean up?", options=["files", "orders"]))
    async with build(policy=policy(), tools=hands.tools, model=Played(ask)) as house:
        await house.mention("ana", "clean it up")

        card = await house.card("pick_a")

        assert "What shall I clean up?" in words(card)
        assert not await events(house, "tool_started")
