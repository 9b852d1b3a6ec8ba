"""Replay: whoever calls the agent again, however often and from wherever, it comes to the same end."""

from __future__ import annotations

import asyncio
import itertools
import random
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.run import Entry, Finished, Opened, Step
from bot.store.link import Link
from tests.contracts.given import Clock
from tests.contracts.on_redis import KEY, frozen
from tests.properties.replay import Bench, Crashes, Op, Program, Rough, World

LEAVES = st.sampled_from(["think", "look", "pay", "turn", "note", "random", "now", "sleep"]).map(Op)
PROGRAMS = st.recursive(
    st.lists(LEAVES, min_size=1, max_size=3).map(tuple),
    lambda inner: st.tuples(
        LEAVES, st.lists(inner, max_size=3).map(lambda branches: Op("gather", branches=tuple(branches))), LEAVES
    ),
    max_leaves=5,
)
BY_CHANCE = ("random", "now", "sleep")
CRASHES = st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=PROGRAMS, crashes=CRASHES, seeds=st.tuples(st.integers(0, 2**32), st.integers(0, 2**32)))
def test_a_run_comes_to_the_same_end_however_often_its_process_dies(
    redis_url: str, shape: Program, crashes: list[tuple[int, bool]], seeds: tuple[int, int]
) -> None:
    """I2, I12, D-50: any program, any order of its branches, any crash before or after any write, any eviction.

    The answer and the journal are those of a run in which nothing went wrong; every payment was made once; and a
    last replay of the whole journal acts no more.
    """
    asyncio.run(_compare(redis_url, numbered(shape), crashes, seeds))


async def _compare(url: str, program: Program, crashes: list[tuple[int, bool]], seeds: tuple[int, int]) -> None:
    link = frozen(Link(url, shift=(clock := Clock())))
    try:
        async with asyncio.timeout(30):
            calm, calm_entries, calm_world = await _lived(link, clock, program, [], seeds[0])
            rough, rough_entries, rough_world = await _lived(link, clock, program, crashes, seeds[1])
    finally:
        await link.close()
    assert steady(rough) == steady(calm)
    assert journal(rough_entries) == journal(calm_entries)
    assert sorted(rough_world.paid.values()) == sorted(calm_world.paid.values())


async def _lived(
    link: Link, clock: Clock, program: Program, crashes: list[tuple[int, bool]], seed: int
) -> tuple[list[Any], tuple[Entry, ...], World]:
    store = Rough(link, namespace=f"p{uuid.uuid4().hex[:12]}", shards=1, key=KEY)
    store.crashes = Crashes(list(crashes))
    world = World(random.Random(seed))
    bench = Bench(store, clock, program, world)
    answer, loaded = await bench.run()
    assert bench.deaths <= len(crashes), "the store took a healthy process for a dead one"
    world.is_over = True
    assert await bench.live() == answer
    assert (await store.load(loaded.run.id)) == loaded
    return answer, loaded.entries, world


def numbered(program: Program, numbers: Iterator[int] | None = None) -> Program:
    """The same program, with a number of its own for every op."""
    numbers = numbers or itertools.count()
    return tuple(
        Op(op.kind, next(numbers), tuple(numbered(branch, numbers) for branch in op.branches)) for op in program
    )


def steady(told: Any) -> Any:
    """An answer without what chance and the clock put into it."""
    match told:
        case float():
            return "chance"
        case str() if told.startswith("20"):
            return "time"
        case list() | tuple():
            return [steady(each) for each in told]
    return told


def journal(entries: Iterable[Entry]) -> Counter[tuple[str, ...]]:
    """What was recorded, each with how often: once, whatever happened. Request ids and chance are their own."""
    found = Counter[tuple[str, ...]]()
    for entry in entries:
        match entry:
            case Step(path=path, mark=mark, result=result):
                found["step", path, mark, "" if mark in BY_CHANCE else result] += 1
            case Opened(path=path, mark=mark):
                found["opened", path, mark] += 1
            case Finished(path=path, result=result):
                found["finished", path, result.text] += 1
    assert set(found.values()) <= {1}
    return found
