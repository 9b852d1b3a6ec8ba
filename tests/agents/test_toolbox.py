"""Tools: the signature is the schema, only signed bytes run, and a failure is a result."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from agents.toolbox import MOST_RESULT, PRIVATE, SECRET, FunctionTool, InDoubt, Toolbox, ToolProblem, tool
from agents.tools.shop import Money
from bot.domain import ports
from bot.domain.calls import Cause, Digest, Outcome, Risk, canonical, make_call
from bot.domain.errors import InvalidArguments, NotAllowed, UnknownTool
from bot.domain.ports import Leave
from bot.domain.wire import Json, read_foreign, replace
from tests.agents.given import call_of, leave_for, run


class Box(BaseModel):
    size: int = Field(ge=1)
    label: str = "plain"


@tool(risk=Risk.WRITE, touches=("parcels",), idempotent=True, version="3", category="business")
def ship(
    schema: int,
    box: Box,
    speed: Annotated[Literal["slow", "fast"], Field(description="how fast")] = "slow",
    on: date | None = None,
    *,
    leave: Leave,
) -> dict[str, Any]:
    """Ship a box.

    It leaves the house the same day.

    Args:
        schema: which plan
        speed: never shown, the annotation wins
    """
    return {"plan": schema, "size": box.size, "speed": speed, "on": on, "key": leave.key}


def made(body: Any, risk: Risk = Risk.WRITE, seconds: float = 60) -> FunctionTool:
    """A tool without arguments that does *body*."""

    @tool(name="thing", risk=risk, timeout=timedelta(seconds=seconds))
    def plain() -> object:
        """Do it."""
        return body()

    return plain


def problems(one: ports.Tool, args: Json) -> dict[str, str]:
    with pytest.raises(InvalidArguments) as caught:
        one.check(args)
    return caught.value.problems


# ------------------------------------------------------------------ schema


def test_the_signature_and_docstring_become_the_spec() -> None:
    """The leave is injected: the model never sees it."""
    port: ports.Tool = ship

    spec = port.spec
    schema = json.loads(spec.schema)

    assert (spec.name, spec.version, spec.risk, spec.is_idempotent) == ("ship", "3", Risk.WRITE, True)
    assert spec.description == "Ship a box. It leaves the house the same day."
    assert list(schema["properties"]) == ["schema", "box", "speed", "on"]
    assert schema["properties"]["schema"] == {"type": "integer", "description": "which plan"}
    assert schema["properties"]["speed"]["description"] == "how fast"
    assert schema["additionalProperties"] is False


def test_a_tool_that_says_nothing_is_taken_for_irreversible() -> None:
    """Unknown means the worst: it cannot be undone, and must not be started twice."""

    @tool()
    def mystery() -> None:
        """Nobody knows."""

    assert mystery.spec.risk is Risk.IRREVERSIBLE
    assert mystery.spec.is_idempotent is False


def test_what_cannot_be_a_schema_is_refused_when_it_is_defined() -> None:
    """Not when a model happens to call it."""

    def untyped(x) -> None:  # type: ignore[no-untyped-def]  # the mistake under test
        """Doc."""

    def many(*xs: int) -> None:
        """Doc."""

    def silent(x: int) -> None: ...

    for fn in (untyped, many, silent):
        with pytest.raises(TypeError):
            tool()(fn)
    with pytest.raises(TypeError, match="name"):
        tool(name="no spaces")(ship._fn)
    with pytest.raises(TypeError, match="secret"):
        tool(secrets=("pin",))(ship._fn)


# ------------------------------------------------------------------- check


def test_check_fills_defaults_in_and_calls_nothing() -> None:
    """What people sign is complete."""
    assert ship.check({"schema": "7", "box": {"size": 2}, "on": "2026-05-01"}) == {
        "schema": 7,
        "box": {"size": 2, "label": "plain"},
        "speed": "slow",
        "on": "2026-05-01",
    }


def test_every_wrong_argument_gets_one_sentence() -> None:
    """T28: invalid arguments go back to the model, field by field."""
    found = problems(ship, {"schema": "x", "box": {"size": 0}, "speed": "warp", "extra": 1})

    assert set(found) == {"schema", "box.size", "speed", "extra"}
    assert found["extra"] == "There is no such argument."
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in found.values())
    assert problems(ship, {})["schema"] == "It is missing."


@pytest.mark.parametrize("args", [None, [], "text", 3, True])
def test_arguments_that_are_no_object_are_refused(args: Json) -> None:
    """T28."""
    assert problems(ship, args) == {"arguments": "The arguments must be one JSON object."}


def test_what_is_private_is_masked_like_a_secret_and_cannot_be_both() -> None:
    """A2-01, T20: whoever masks secrets masks it, too; signers see the one and never the other."""

    def pay(who: str, salary: Annotated[int, PRIVATE]) -> None:
        """Pay."""

    made_tool = tool(risk=Risk.WRITE)(pay)

    assert (made_tool.spec.secrets, made_tool.spec.private) == (("salary",), ("salary",))
    with pytest.raises(TypeError, match="salary cannot be secret and private"):
        tool(secrets=("salary",))(pay)


def test_a_secret_value_is_in_no_complaint() -> None:
    """T20: pydantic would quote what it was given."""

    @tool()
    def login(pin: Annotated[str, SECRET, Field(pattern=r"^\d+$")]) -> None:
        """Log in."""

    assert login.spec.secrets == ("pin",)
    assert problems(login, {"pin": "hunter2"}) == {"pin": "It is not valid."}


@tool()
def everything(
    number: int,
    share: float,
    money: Money,
    text: str = "",
    items: list[str | int] | None = None,
    more: dict[str, float] | None = None,
    on: date | None = None,
) -> None:
    """Take many kinds of arguments."""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(args=JSON | st.fixed_dictionaries({"number": JSON, "share": JSON, "money": JSON}, optional={"items": JSON}))
def test_any_json_is_either_refused_or_checked_for_good(args: Json) -> None:
    """T06, T28: whatever comes in, it is refused, or checking what was checked changes no byte."""
    try:
        once = everything.check(args)
    except InvalidArguments:
        return

    signed = canonical(once)

    assert canonical(everything.check(read_foreign(signed))) == signed


@given(cents=st.integers(1, 10**11))
def test_money_survives_json_to_the_cent(cents: int) -> None:
    """D-28: decimals, as JSON numbers that a policy can compare."""
    amount = cents / 100

    checked = everything.check({"number": 1, "share": 0, "money": amount})

    assert isinstance(checked, dict)
    assert isinstance(checked["money"], float)
    assert Decimal(str(checked["money"])) * 100 == cents


@pytest.mark.parametrize("amount", [0, -1, 1.005, "1.234", True, None, 10**12, "NaN", "Infinity", "ten"])
def test_an_amount_that_is_no_money_is_refused(amount: Json) -> None:
    """D-28: zero, negative, and more than two decimals."""
    assert "money" in problems(everything, {"number": 1, "share": 0, "money": amount})


# --------------------------------------------------------------------- run


async def test_a_tool_runs_from_the_signed_bytes_with_its_leave() -> None:
    """The idempotency key is in reach; dates come back as JSON."""
    result = await run(ship, {"schema": 1, "box": {"size": 2}, "on": "2026-05-01"}, key="k9")

    assert result.outcome is Outcome.OK
    assert json.loads(result.text) == {"plan": 1, "size": 2, "speed": "slow", "on": "2026-05-01", "key": "k9"}


async def test_a_leave_for_other_bytes_starts_nothing() -> None:
    """T27: a capability for one call opens no other."""
    started: list[int] = []
    one = made(lambda: started.append(1))
    call = call_of(one, {})
    other = leave_for(replace(call, digest=Digest("0" * 64)))

    with pytest.raises(NotAllowed):
        await one.run(call, other)

    assert started == []


async def test_a_call_that_is_not_what_its_digest_names_starts_nothing() -> None:
    """T06: arguments changed in memory or in the store after signing."""
    call = call_of(ship, {"schema": 1, "box": {"size": 2}})
    forged = replace(call, args=call.args.replace('"size":2', '"size":9'))

    with pytest.raises(NotAllowed):
        await ship.run(forged, leave_for(forged))


async def test_a_call_for_another_tool_starts_nothing() -> None:
    """T27."""
    call = make_call(id="c", tool="other", version="1", args={})
    with pytest.raises(NotAllowed):
        await made(lambda: None).run(call, leave_for(call))


@pytest.mark.parametrize(
    ("version", "args"),
    [
        ("2", {"schema": 1, "box": {"size": 2, "label": "plain"}, "speed": "slow", "on": None}),
        ("3", {"schema": 1, "box": {"size": 2, "label": "plain"}, "speed": "slow"}),
        ("3", {"schema": "1", "box": {"size": 2, "label": "plain"}, "speed": "slow", "on": None}),
        ("3", {"schema": 1}),
    ],
)
async def test_a_tool_that_changed_since_the_signature_does_not_run(version: str, args: Json) -> None:
    """T06: another version, a new default, another reading of a value, a new argument."""
    call = make_call(id="c", tool="ship", version=version, args=args)

    result = await ship.run(call, leave_for(call))

    assert (result.outcome, result.cause) == (Outcome.NOT_RUN, Cause.INVALID)


async def test_a_blocking_tool_leaves_everybody_else_alone() -> None:
    """AS-35: a plain function runs in a thread; the loop goes on meanwhile."""
    gate = threading.Event()
    one = made(lambda: gate.wait(10))

    working = asyncio.ensure_future(run(one, {}))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not working.done()
    gate.set()

    assert (await working).text == "true"


@pytest.mark.parametrize(("risk", "outcome"), [(Risk.READ, Outcome.ERROR), (Risk.WRITE, Outcome.UNKNOWN)])
async def test_a_tool_over_time_is_unknown_unless_it_only_reads(risk: Risk, outcome: Outcome) -> None:
    """What was started and did not answer may have happened."""
    gate = threading.Event()
    try:
        result = await run(made(gate.wait, risk, seconds=0.01), {})
    finally:
        gate.set()

    assert result.outcome is outcome
    assert "0.01 seconds" in result.text


async def test_a_time_out_of_the_tools_own_is_not_ours() -> None:
    """The tool knows what it waited for; to us it is a failure."""

    def raises() -> None:
        raise TimeoutError("socket")

    assert (await run(made(raises), {})).outcome is Outcome.ERROR


async def test_a_failure_tells_people_nothing_of_its_inside() -> None:
    """T20, T32: class and message go to the log alone."""

    def raises() -> None:
        raise RuntimeError("password is hunter2")

    with structlog.testing.capture_logs() as logs:
        result = await run(made(raises), {})

    assert result.outcome is Outcome.ERROR
    assert "hunter2" not in result.text
    assert "may have taken effect" in result.text
    assert (logs[0]["event"], logs[0]["error"]) == ("tool_failed", "RuntimeError")


async def test_a_secret_is_neither_logged_nor_told() -> None:
    """T20: not in the log of a failure, not in a problem's text."""

    @tool(secrets=("pin",))
    def login(pin: str, how: str) -> None:
        """Log in."""
        raise ToolProblem(f"{pin} is wrong") if how == "problem" else RuntimeError(f"bad {pin}")

    with structlog.testing.capture_logs() as logs:
        failed = await run(login, {"pin": "hunter2", "how": "crash"})
        refused = await run(login, {"pin": "hunter2", "how": "problem"})

    assert "hunter2" not in str(logs) + failed.text + refused.text
    assert refused.text == "••• is wrong"


async def test_problem_and_doubt_are_told_as_they_are() -> None:
    """A tool that knows what went wrong says it in words for people."""

    def refuses() -> None:
        raise ToolProblem("There is no such thing.")

    def doubts() -> None:
        raise InDoubt("Nobody knows.")

    refused, doubted = await run(made(refuses), {}), await run(made(doubts), {})

    assert (refused.outcome, refused.text) == (Outcome.ERROR, "There is no such thing.")
    assert (doubted.outcome, doubted.text) == (Outcome.UNKNOWN, "Nobody knows.")


async def test_cancellation_passes_through() -> None:
    """A stopped run stops."""

    @tool()
    async def forever() -> None:
        """Wait."""
        await asyncio.Event().wait()

    call = call_of(forever, {})
    working = asyncio.ensure_future(forever.run(call, leave_for(call)))
    await asyncio.sleep(0)
    working.cancel()

    with pytest.raises(asyncio.CancelledError):
        await working


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "value", [b"\xff\xfe", "\ud800", {"a": "\ud800"}, {"b": b"\xff"}, float("nan"), LOOP, object(), {1, 2}, None]
)
async def test_no_return_value_breaks_the_result(value: object) -> None:
    """Whatever a tool returns, the text is valid UTF-8."""
    result = await run(made(lambda: value), {})

    assert result.outcome is Outcome.OK
    assert result.text.encode()


async def test_a_long_result_is_cut_and_says_so() -> None:
    """A cut that is not told would be taken for the whole."""
    result = await run(made(lambda: "ä" * MOST_RESULT), {})

    assert len(result.text.encode()) < MOST_RESULT + 100
    assert result.text.endswith(f"cut: {2 * MOST_RESULT} bytes in all")


# --------------------------------------------------------------------- box


def test_a_toolbox_knows_its_tools_and_no_other() -> None:
    """T28: a hallucinated tool is refused, with its name made harmless."""
    box: ports.Toolbox = Toolbox([ship, everything])

    assert box.get("ship") is ship
    assert [spec.name for spec in box.specs()] == ["ship", "everything"]
    with pytest.raises(UnknownTool, match="rm"):
        box.get("rm\n" + "x" * 500)
    with pytest.raises(ValueError, match="ship"):
        Toolbox([ship, ship])
