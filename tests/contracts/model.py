"""What every `Model` promises, tried on whichever one a subclass opens.

    class TestOurs(ModelContract):
        @asynccontextmanager
        async def open(self, faults: Sequence[Fault] = ()) -> AsyncIterator[Model]: ...

The endpoint behind it plays the shipped rehearsal, and makes the *faults* that a test wants first.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from itertools import pairwise

import pytest

from agents.rehearsal.playbook import Fault, FaultKind
from bot.domain.calls import ToolSpec, canonical
from bot.domain.errors import CountersignError, ModelRefused, ModelUnavailable
from bot.domain.ports import Line, Model, WantedCall
from bot.domain.wire import pack, unpack
from tests.domain import given

SYSTEM = Line(role="system", text="You work for a shop.")
TASK = Line(role="user", text="[ana] refund 120 for order 1042, it arrived broken")


class ModelContract:
    """Subclass it, override `open`, and name the subclass Test…"""

    def open(self, faults: Sequence[Fault] = ()) -> AbstractAsyncContextManager[Model]:
        raise NotImplementedError

    async def test_it_has_a_name(self) -> None:
        """AS-13: which model it was stands in logs and answers."""
        async with self.open() as model:
            assert model.name

    async def test_a_task_that_needs_a_tool_is_answered_with_a_call(self) -> None:
        """The call's arguments are the model's own text, with an id that no other call of this answer has."""
        async with self.open() as model:
            said = await model.think((SYSTEM, TASK), (given.spec(),))

        assert len({call.id for call in said.calls}) == len(said.calls) >= 1
        assert said.calls[0].tool
        assert isinstance(json.loads(said.calls[0].args), dict)

    async def test_a_result_leads_on_to_words(self) -> None:
        """The whole conversation is given each time; the model remembers nothing."""
        async with self.open() as model:
            lines: list[Line] = [SYSTEM, TASK]
            for _ in range(5):
                said = await model.think(tuple(lines), (given.spec(),))
                if not said.calls:
                    break
                lines.append(Line(role="assistant", text=said.text, calls=said.calls))
                lines += [Line(role="tool", text="done", call_id=call.id) for call in said.calls]

        assert said.text
        assert not said.calls

    async def test_the_same_lines_may_be_asked_again(self) -> None:
        """A crash between the answer and its record: the step is taken once more, without harm."""
        async with self.open() as model:
            said = [await model.think((SYSTEM, TASK), (given.spec(),)) for _ in range(2)]

        assert all(each.calls for each in said)

    async def test_words_are_heard_as_they_grow(self) -> None:
        async with self.open() as model:
            heard: list[str] = []
            said = await model.think((SYSTEM, Line(role="user", text="[ana] hello")), (), on_text=heard.append)

        assert heard[-1] == said.text
        assert all(later.startswith(earlier) for earlier, later in pairwise(heard))

    async def test_what_it_costs_is_told(self) -> None:
        """AS-19: a budget of tokens needs them."""
        async with self.open() as model:
            said = await model.think((SYSTEM, TASK), (given.spec(),))

        assert said.tokens_in > 0
        assert said.tokens_out > 0

    async def test_an_answer_is_a_record_that_replay_can_give_back(self) -> None:
        """A think step is journalled as it came."""
        async with self.open() as model:
            said = await model.think((SYSTEM, TASK), (given.spec(),))

        assert unpack(type(said), pack(said)) == said

    async def test_any_text_can_be_sent(self) -> None:
        """T03, T28: what tools and people wrote must not break the conversation; nor calls still without a result."""
        hostile = '\x00\u202e\ud800 </tool> "}]} ``` <|im_end|> \U0001f9ff' + "x" * 50_000
        calls = (WantedCall(id="c1", tool="re fund!", args='{"a":'), WantedCall(id="c2", tool="x" * 99, args="[1]"))
        lines = (
            SYSTEM,
            Line(role="user", text=hostile),
            Line(role="assistant", text=hostile, calls=calls),
            Line(role="tool", text=hostile, call_id="c1"),
            Line(role="user", text="hello"),
        )
        async with self.open() as model:
            said = await model.think(lines, (given.spec(),))

        assert said.text or said.calls

    async def test_tools_are_told_with_their_schema(self) -> None:
        """Any schema a toolbox makes, the empty one included."""
        bare = ToolSpec(name="nothing", version="1", description="", schema=canonical({"type": "object"}).decode())
        async with self.open() as model:
            said = await model.think((SYSTEM, TASK), (given.spec(), bare))

        assert said.text or said.calls

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(kind=FaultKind.STATUS, status=429),
            Fault(kind=FaultKind.STATUS, status=503),
            Fault(kind=FaultKind.CUT),
            Fault(kind=FaultKind.STOP),
            Fault(kind=FaultKind.EMPTY),
        ],
        ids=lambda fault: f"{fault.kind}{fault.status}",
    )
    async def test_a_passing_fault_is_outlived_and_a_lasting_one_is_unavailable(self, fault: Fault) -> None:
        """Bounded retries inside; what comes out is sorted: try later."""
        async with self.open([fault]) as model:
            assert (await model.think((SYSTEM, TASK), ())).calls
        async with self.open([fault] * 50) as model:
            with pytest.raises(ModelUnavailable):
                await model.think((SYSTEM, TASK), ())

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
    async def test_what_repeating_cannot_help_is_refused(self, status: int) -> None:
        """A bad key or name: whoever runs the bot must act, and hears no secret."""
        async with self.open([Fault(kind=FaultKind.STATUS, status=status)] * 50) as model:
            with pytest.raises(ModelRefused) as refused:
                await model.think((SYSTEM, TASK), ())

        assert isinstance(refused.value, CountersignError)
        assert "refund 120" not in str(refused.value)

    async def test_a_cancelled_thought_ends(self) -> None:
        """AS-22: a stop does not wait for an endpoint that says nothing."""
        async with self.open([Fault(kind=FaultKind.HANG)]) as model:
            thought = asyncio.create_task(_think(model))
            await asyncio.wait({thought}, timeout=0.05)
            thought.cancel()
            async with asyncio.timeout(5):
                with pytest.raises(asyncio.CancelledError):
                    await thought


async def _think(model: Model) -> object:
    return await model.think((SYSTEM, TASK), ())
