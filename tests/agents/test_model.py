"""The model over real HTTP: streamed answers, every fault an endpoint has, and the errors people hear about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from agents.model import Answer, ChatCompletions, Limits
from agents.rehearsal.playbook import Ending, Fault, FaultKind, Plan, Playbook, Scene, Turn
from agents.rehearsal.server import RehearsalServer
from bot.domain import ports
from bot.domain.calls import ToolSpec
from bot.domain.errors import ModelRefused, ModelUnavailable
from bot.domain.ports import Line, WantedCall

BOOK = Playbook(
    label="(r) ",
    tries=(),
    unknown="what?",
    nothing_to_correct="nothing",
    endings=(Ending(match="", say="Done: {result}", is_done=True),),
    scenes=(
        Scene(
            name="two calls",
            match="both",
            turns=(
                Turn(
                    say="two things",
                    calls=(Plan(tool="a", args={"x": "ä" * 9}), Plan(tool="b", args={"y": [1, {"z": None}]})),
                ),
            ),
        ),
        Scene(name="broken", match="broken", turns=(Turn(calls=(Plan(tool="no such!", raw='{"x": tru'),)),)),
        Scene(name="nothing", match="nothing", fault=Fault(kind=FaultKind.EMPTY)),
        Scene(name="long", match="long", turns=(Turn(say="word " * 200),)),
        Scene(name="many", match="many", turns=(Turn(calls=tuple(Plan(tool=f"t{n}") for n in range(9))),)),
    ),
)
SPEC = ToolSpec(name="a", version="1", description="does a", schema='{"properties":{},"type":"object"}')


class Pauses(list[float]):
    """A sleep that only writes down for how long it was asked."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def model(server: RehearsalServer, pauses: Pauses | None = None, limits: Limits | None = None) -> ChatCompletions:
    return ChatCompletions(
        base_url=server.base_url, api_key="k", name="m", limits=limits, sleep=Pauses() if pauses is None else pauses
    )


def user(text: str) -> tuple[Line, ...]:
    return (Line(role="user", text=text),)


def rehearsal(faults: Iterable[Fault | None] = ()) -> RehearsalServer:
    return RehearsalServer(BOOK, faults=faults)


def status(number: int, retry_after: str = "") -> Fault:
    return Fault(kind=FaultKind.STATUS, status=number, retry_after=retry_after)


async def test_words_grow_as_they_come_in() -> None:
    """`on_text` hears the text so far; the answer counts tokens."""
    heard: list[str] = []
    async with rehearsal() as server, model(server) as one:
        port: ports.Model = one
        said = await port.think(user("hm"), (), on_text=heard.append)

    assert said.text == heard[-1] == "(r) what?"
    assert all(later.startswith(earlier) for earlier, later in pairwise(heard))
    assert said.tokens_in > 0
    assert said.tokens_out > 0


async def test_parallel_calls_are_assembled_from_their_pieces() -> None:
    """T28: two calls of one turn, each with its own arguments, in order."""
    async with rehearsal() as server, model(server) as one:
        said = await one.think(user("both"), (SPEC,))
        asked = server.requests[-1]

    assert said.text == "(r) two things"
    assert [(call.tool, call.args) for call in said.calls] == [
        ("a", '{"x": "' + "ä" * 9 + '"}'),
        ("b", '{"y": [1, {"z": null}]}'),
    ]
    assert asked["tools"][0]["function"] == {
        "name": "a",
        "description": "does a",
        "parameters": {"properties": {}, "type": "object"},
    }


async def test_bad_arguments_and_unknown_tools_pass_through_untouched() -> None:
    """T28: judging them is the gate's business; they are the model's own text."""
    async with rehearsal() as server, model(server) as one:
        said = await one.think(user("broken"), ())

    assert [(call.tool, call.args) for call in said.calls] == [("no such!", '{"x": tru')]


async def test_a_conversation_is_sent_whole_and_well_formed() -> None:
    """What an endpoint would refuse with 400 is made harmless: broken names and arguments, lone surrogates,
    and calls that have no result yet (the agent is asked to explain one)."""
    calls = (WantedCall(id="1", tool="no such!", args='{"x": tru'), WantedCall(id="2", tool="a", args="[]"))
    lines = (
        Line(role="system", text="be good"),
        Line(role="user", text="hi \ud800"),
        Line(role="assistant", calls=calls),
        Line(role="tool", text="done", call_id="1"),
        Line(role="user", text="why?"),
    )
    async with rehearsal() as server, model(server) as one:
        await one.think(lines, ())
        asked = server.requests[-1]

    assert [message["role"] for message in asked["messages"]] == ["system", "user", "assistant", "tool", "tool", "user"]
    assert asked["messages"][1]["content"] == "hi ?"
    assert [call["function"]["name"] for call in asked["messages"][2]["tool_calls"]] == ["no_such_", "a"]
    assert [message["tool_call_id"] for message in asked["messages"] if message["role"] == "tool"] == ["1", "2"]
    assert "tools" not in asked


@pytest.mark.parametrize(
    "fault",
    [status(429), status(500), status(503), status(408), Fault(kind=FaultKind.CUT), Fault(kind=FaultKind.STOP),
     Fault(kind=FaultKind.EMPTY)],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)  # fmt: skip
async def test_a_passing_fault_is_tried_again(fault: Fault) -> None:
    """Two faults, then the answer; the second pause may be longer than the first."""
    pauses = Pauses()
    async with rehearsal([fault, fault]) as server, model(server, pauses) as one:
        said = await one.think(user("both"), ())

    assert len(said.calls) == 2
    assert len(pauses) == 2
    assert 0.25 <= pauses[0] <= 0.5 <= pauses[1] <= 1


@pytest.mark.parametrize(
    "fault", [status(429), status(500), Fault(kind=FaultKind.CUT), Fault(kind=FaultKind.EMPTY)], ids=lambda f: f.kind
)
async def test_a_lasting_fault_is_told_after_a_bounded_number_of_tries(fault: Fault) -> None:
    """Nobody waits for ever: four attempts, three pauses."""
    pauses = Pauses()
    async with rehearsal([fault] * 9) as server, model(server, pauses) as one:
        with pytest.raises(ModelUnavailable, match="4 attempts"):
            await one.think(user("both"), ())
        asked = len(server.requests)

    assert (asked, len(pauses)) == (4, 3)


async def test_a_model_that_hangs_is_given_up() -> None:
    """The read limit is ours, not the client's ten minutes."""
    hang = Fault(kind=FaultKind.HANG)
    limits = Limits(read=0.05, attempts=2)
    async with rehearsal([hang, hang]) as server, model(server, limits=limits) as one:
        with pytest.raises(ModelUnavailable, match="APITimeoutError"):
            await one.think(user("both"), ())


async def test_a_whole_answer_has_a_time_limit_too() -> None:
    """A stream that drips for ever would never meet the read limit."""
    limits = Limits(read=30, answer=0.05, attempts=1)
    async with rehearsal([Fault(kind=FaultKind.HANG)]) as server, model(server, limits=limits) as one:
        with pytest.raises(ModelUnavailable, match="TimeoutError"):
            await one.think(user("both"), ())


async def test_a_model_on_this_machine_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment must not break the first steps."""
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with rehearsal() as server, model(server) as one:
        assert (await one.think(user("hm"), ())).text == "(r) what?"


async def test_nobody_at_home_is_unavailable() -> None:
    """A closed port."""
    async with rehearsal() as server:
        gone = server.base_url
    async with ChatCompletions(base_url=gone, api_key="k", name="m", sleep=Pauses()) as one:
        with pytest.raises(ModelUnavailable, match="APIConnectionError"):
            await one.think(user("both"), ())


@pytest.mark.parametrize("retry_after", ["7", "date"])
async def test_the_endpoints_own_waiting_time_is_kept(retry_after: str) -> None:
    """Retry-After as seconds or as a date."""
    if retry_after == "date":
        retry_after = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    pauses = Pauses()
    async with rehearsal([status(429, retry_after)]) as server, model(server, pauses) as one:
        await one.think(user("both"), ())

    assert len(pauses) == 1
    assert 7 <= pauses[0] <= 30


@pytest.mark.parametrize("retry_after", ["nonsense", "", "-5"])
async def test_a_waiting_time_that_says_nothing_is_ours_to_choose(retry_after: str) -> None:
    """A broken header breaks nothing."""
    pauses = Pauses()
    async with rehearsal([status(429, retry_after)]) as server, model(server, pauses) as one:
        await one.think(user("both"), ())

    assert 0 <= pauses[0] <= 0.5


async def test_an_hour_is_not_waited_for() -> None:
    """The person is told now, not in an hour."""
    pauses = Pauses()
    async with rehearsal([status(429, "3600")]) as server, model(server, pauses) as one:
        with pytest.raises(ModelUnavailable, match="1 attempts"):
            await one.think(user("both"), ())

    assert pauses == []


@pytest.mark.parametrize("number", [400, 401, 403, 404, 422])
async def test_a_refused_request_is_not_repeated(number: int) -> None:
    """A bad key or model name does not get better by asking again; the endpoint's text is not quoted."""
    pauses = Pauses()
    async with rehearsal([status(number)]) as server, model(server, pauses) as one:
        with pytest.raises(ModelRefused, match=str(number)) as caught:
            await one.think(user("both"), ())

    assert "rehearsed fault" not in str(caught.value)
    assert pauses == []


@pytest.mark.parametrize(("words", "limits"), [("long", Limits(most_chars=100)), ("many", Limits(most_calls=3))])
async def test_an_answer_without_end_is_cut_off(words: str, limits: Limits) -> None:
    """T18, T28: neither words nor calls without limit, and no second try."""
    pauses = Pauses()
    async with rehearsal() as server, model(server, pauses, limits) as one:
        with pytest.raises(ModelUnavailable, match=r"more than|longer than"):
            await one.think(user(words), ())

    assert pauses == []


async def test_a_key_is_in_no_picture_of_the_model() -> None:
    """T20."""
    async with ChatCompletions(base_url="http://127.0.0.1:9/v1", api_key="sk-canary", name="m") as one:
        assert "canary" not in repr(one) + str(vars(one))


def piece(finish: str | None = None, **delta: Any) -> ChatCompletionChunk:
    """One piece of a stream as some endpoint sends it."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    made = {"id": "x", "choices": [choice], "created": 0, "model": "m", "object": "chat.completion.chunk"}
    return ChatCompletionChunk.construct(**made)  # type: ignore[arg-type]  # as loosely as the client itself


def call(index: int, id: str | None, name: str | None, args: str) -> dict[str, Any]:
    return {"index": index, "id": id, "function": {"name": name, "arguments": args}}


def test_calls_that_share_an_index_or_an_id_stay_apart() -> None:
    """T28: some endpoints give every call index 0, others leave ids out or use one twice."""
    answer = Answer(Limits(), turn=3)
    pieces = (call(0, "a", "t1", "{}"), call(0, "b", "t2", '{"x"'), call(0, None, None, ":1}"),
              call(1, "", "t3", ""), call(2, "a", "t4", "{}"))  # fmt: skip
    for one in pieces:
        answer.add(piece(tool_calls=[one]))
    answer.add(piece(finish="tool_calls"))

    said = answer.said(asked=40)

    assert [(made.id, made.tool, made.args) for made in said.calls] == [
        ("a", "t1", "{}"),
        ("b", "t2", '{"x":1}'),
        ("call_3_2", "t3", "{}"),
        ("call_3_3", "t4", "{}"),
    ]
    assert said.tokens_in == 10


def test_an_answer_cut_at_the_length_limit_says_so() -> None:
    """Half a sentence is not passed off as a whole one."""
    answer = Answer(Limits(), turn=1)
    answer.add(piece(content="The money is"))
    answer.add(piece(finish="length"))

    assert answer.said(asked=0).text.endswith("(cut at the model's length limit)")


def test_a_refusal_of_the_model_is_its_answer() -> None:
    """People read why."""
    answer = Answer(Limits(), turn=1)
    answer.add(piece(refusal="I will not."))
    answer.add(piece(finish="stop"))

    assert answer.said(asked=0).text == "I will not."
