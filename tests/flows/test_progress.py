"""How far a long piece of work has come: one line of the run's status message, and nothing in its journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from bot.domain.ports import RunContext
from bot.domain.run import Task
from bot.domain.run_card import progress_line
from bot.domain.store import Loaded
from tests.flows.stage import Build, Hands, Played, call, run_of, settled, status

Work = Callable[[RunContext], Awaitable[None]]


class Worker:
    """Does *work* for each call of it, and then asks people something."""

    name, tools = "worker", ("peek", "tidy", "ask_people")

    def __init__(self, work: Work) -> None:
        self._work = work

    async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # the port's signature
        await self._work(ctx)
        return (await ctx.ask("Go on?", options=["yes", "no"])).text


async def test_the_bar_moves_once_a_second_and_its_end_is_always_said(
    build: Build, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AS-27: of what is said within a second only the first is shown; a call meanwhile does not push the bar away."""
    seen = list[str]()

    async def work(ctx: RunContext) -> None:
        async def tell(done: int) -> None:
            await ctx.progress("Reading", done, 10)
            seen.append((await loaded()).line)

        await tell(0)
        await tell(3)
        monkeypatch.setattr("bot.runtime.host.BAR_EVERY", timedelta(0))  # as if a second had gone by
        await tell(5)
        await ctx.use((call("tidy", what="a"),))
        seen.append((await loaded()).line)
        await tell(10)
        await ctx.use((call("tidy", what="b"),))
        seen.append((await loaded()).line)

    parts = {"agents": [Worker(work)], "tools": hands.tools, "model": Played()}
    async with build(**parts, policy="rules: [{id: all, when: 'true', allow: true}]") as house:

        async def loaded() -> Loaded:
            found = await house.store.load((await house.store.recent_runs(0, 1))[0])
            assert found is not None
            return found

        thread = await house.mention("ana", "worker: read it")
        card = await house.card("pick_a")
        found = await house.store.load(await run_of(house, thread))

        none, half, full = (progress_line("Reading", done, 10) for done in (0, 5, 10))
        assert seen == [none, none, half, half, full, "Using tidy"]
        assert found is not None
        assert [type(entry).__name__ for entry in found.entries] == ["Begun", "Finished", "Begun", "Finished", "Opened"]
        assert status(house).card.status == "Waiting for an answer"
        await house.press("pick_a", by="ana", card=card)
        assert await settled(house)


async def test_a_replay_says_nothing_of_what_was_done_before(build: Build, hands: Hands) -> None:
    """A restart goes over the same steps; the message goes on saying what the run waits for."""

    async def work(ctx: RunContext) -> None:
        await ctx.progress("Reading", 0, 2)
        await ctx.use((call("peek", what="a"),))
        await ctx.progress("Reading", 1, 2)
        await ctx.use((call("peek", what="b"),))
        await ctx.progress("Reading", 2, 2)

    parts = {"agents": [Worker(work)], "tools": hands.tools, "model": Played()}
    async with build(**parts) as house:
        await house.mention("ana", "worker: read it")
        card = await house.card("pick_a")
    async with build(**parts, chat=house.chat) as house:
        before = len(status(house).cards)
        await house.press("pick_a", by="ana", card=card)
        assert await settled(house)

    assert not [one for one in status(house).cards[before:] if "Reading" in one.status]
    assert hands.did == ["peek a", "peek b"]


@pytest.mark.parametrize(
    ("done", "total", "line"),
    [
        (0, 0, "Reading ▓▓▓▓▓▓▓▓▓▓ 100 % · 0 of 0"),
        (42_000, 100_000, "Reading ▓▓▓▓░░░░░░ 42 % · 42,000 of 100,000"),
        (999, 1_000, "Reading ▓▓▓▓▓▓▓▓▓░ 99 % · 999 of 1,000"),
        (12, 10, "Reading ▓▓▓▓▓▓▓▓▓▓ 100 % · 12 of 10"),
    ],
)
def test_the_bar_is_full_when_it_is_done_and_not_before(done: int, total: int, line: str) -> None:
    assert progress_line("Reading", done, total) == line
