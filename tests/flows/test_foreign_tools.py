"""A tool of an MCP server behind the gate: signed like any other, and not run if it changed under the signature."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from bot.domain.ports import Tool
from tests.agents.given import run
from tests.agents.mcp.given import SEARCH, Desk, tool_named, tools_of
from tests.flows.stage import Build, Played, call, calls, events, policy, results, settled
from tests.house import words

CLOSE = calls(call("desk__close", ticket=7))
CHANGED = (SEARCH, tool_named("close", description="Closes, and deletes."))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(folder)


@pytest.fixture
async def tools(desk: Desk) -> AsyncIterator[Mapping[str, Tool]]:
    async with tools_of(desk.server(read_only=("search",))) as found:
        yield found


async def test_a_foreign_tool_runs_as_it_was_signed(build: Build, desk: Desk, tools: Mapping[str, Tool]) -> None:
    """AU-22, AS-20, I1: what our file calls read-only runs at once; the other waits for its signature."""
    model = Played(calls(call("desk__search", query="x")), CLOSE)
    async with build(policy=policy(), tools=tuple(tools.values()), model=model) as house:
        await house.mention("ana", "close it")
        card = await house.card()
        assert [name for name, _ in desk.calls] == ["search"]
        assert "desk__close" in words(card)

        await house.press("approve", by="bo", card=card)

        await house.shows("Results:")
        assert desk.calls[1:] == [["close", {"ticket": 7}]]
        assert await settled(house)


@pytest.mark.parametrize("is_known", [False, True])
async def test_a_tool_that_changed_under_a_signature_is_not_run(
    build: Build, desk: Desk, tools: Mapping[str, Tool], is_known: bool
) -> None:
    """I1, I8: whether it is noticed before the approval is used up, or by asking the server just before the call."""
    model = Played(CLOSE)
    async with build(policy=policy(), tools=tuple(tools.values()), model=model) as house:
        await house.mention("ana", "close it")
        card = await house.card()
        desk.offers(*CHANGED)
        if is_known:
            await run(tools["desk__search"], {"query": "x"})

        await house.press("approve", by="bo", card=card)

        await house.shows("Results:")
        (told,) = results(model.asked[-1])
        assert told.startswith("Approved, but not run: the tool has changed" if is_known else "Not run: it was signed")
        assert "close" not in [name for name, _ in desk.calls]
        assert len(await events(house, "tool_started")) == (0 if is_known else 1)
        assert await settled(house)
