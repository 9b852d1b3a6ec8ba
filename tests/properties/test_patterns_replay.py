"""Every pattern, killed at every step: whoever goes on comes to the same journal, and nothing is done twice."""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agents.react import ReAct
from bot.domain.ports import Agent, RunContext
from bot.domain.run import Task
from tests.properties.mortal import Doom, Left, left_by
from tests.properties.patterns import BUILD, Drawn

INSIDE = st.sampled_from(["", *sorted(BUILD)])
BITS, SEEDS = st.integers(0, 15), st.integers(0, 2**32)
UNSHRUNK = (Phase.explicit, Phase.generate)  # to shrink a run of seconds takes minutes
LANDS = st.sampled_from([0.0, 0.5, 1.0])  # how often the last write of a process still arrives


@pytest.mark.parametrize("kind", sorted(BUILD))
@settings(max_examples=2, deadline=None, phases=UNSHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(inside=INSIDE, bits=BITS, seed=SEEDS, lands=LANDS)
def test_a_pattern_whose_process_dies_at_every_step_ends_with_the_same_journal(
    redis_url: str, kind: str, inside: str, bits: int, seed: int, lands: float
) -> None:
    """I2, I12, D-50, AS-11, PP-05: each write of the run is the last one of a process, before or after it arrived.

    Any pattern, with any other in a member's place; a model that says what follows from what it is asked; people who
    answer, write, take over, hand back and re-route. What the journal says of each path, what was paid and what was
    said in the thread are those of a run in which nothing went wrong, and the audit holds.
    """
    drawn = Drawn(kind=kind, inside=inside, bits=bits, seed=seed)

    calm, rough = _both(redis_url, drawn, lands)

    assert calm.deaths == 0
    assert rough.deaths > 0
    assert rough == calm


class Fickle:
    """A pattern that takes chance from somewhere else than `ctx`."""

    name, tools = "fickle", ("look", "pay")

    def __init__(self) -> None:
        self._members = tuple(ReAct(name=name, prompt=name, tools=self.tools) for name in ("one", "two", "three"))
        self._chance = random.Random(1)

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        return " ".join([await one(task, ctx) for one in self._chance.sample(self._members, 3)])


def test_a_pattern_that_does_not_follow_from_its_context_is_found(redis_url: str) -> None:
    """D-50: the test above can fail; a pattern that shuffles its members by itself ends elsewhere."""
    calm, rough = _both(redis_url, Drawn(kind="single", seed=5), 1.0, Fickle)

    assert calm.journal != rough.journal


def _both(url: str, drawn: Drawn, lands: float, agent: type[Agent] | None = None) -> tuple[Left, Left]:
    """What a run leaves behind in which nothing goes wrong, and one whose process dies at each step."""
    chance = random.Random(drawn.seed)
    doom = Doom(is_on=True, lands=lambda: chance.random() < lands)
    with tempfile.TemporaryDirectory() as folder, patch("bot.runtime.outbox.UPDATE_EVERY", 0.0):
        return tuple(  # type: ignore[return-value]  # two, as there are two dooms
            asyncio.run(left_by(url, Path(folder), drawn, one, agent() if agent else None)) for one in (Doom(), doom)
        )
