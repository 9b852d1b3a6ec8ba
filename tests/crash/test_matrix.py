"""Every process dies once at every point of the flow, and nothing is lost or done twice.

killed at a point -> started again -> people answer whatever is asked -> quiet -> audit, ledger and platform judged
"""

from __future__ import annotations

import asyncio
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.crash.matrix import PROPERTY, Line
from tests.crash.nursery import Nursery, nursery
from tests.crash.points import POINTS, Point
from tests.crash.stage import Process, Stage
from tests.crash.stories import STORIES, Story
from tests.crash.writes import FIRST, WRITES

NO_WRITE = r" (message|press|model|tool|post|update)\b"  # moments of the chat, the model and the tools
UNSTEADY = r"(before|after) (lease|refusal|shown (card|run))"  # written more often or less, as chance has it


@pytest.fixture(scope="session", name="nursery")
def a_nursery() -> Iterator[Nursery]:
    with nursery() as ready:
        yield ready


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.number}-{point.story}")
async def test_a_kill_here_loses_nothing_and_does_nothing_twice(
    point: Point,
    redis_url: str,
    namespace: str,
    tmp_path: Path,
    nursery: Nursery,
    record_property: Callable[[str, object], None],
) -> None:
    """PN-08, PN-11, PP-04, I1–I15, D-32, AS-30: whatever died, there is one effect, one decision, one answer, and no
    button that still works.
    """
    story = STORIES[point.story]
    async with _stage(redis_url, namespace, tmp_path, story, nursery) as stage:
        async with _people(stage, story):
            await _dies(stage, await stage.start(point.first or point.moment))
            if point.first:
                await _dies(stage, await stage.restart(point.moment))
            await stage.restart()
            await stage.is_quiet(answers=story.runs)
        await stage.finish()

        await stage.must_be_sound(effects=story.effects)
        assert len(stage.platform.answers) == story.runs
        assert not story.amounts or tuple(fact.amount for fact in stage.ledger.facts("effect")) == story.amounts
        votes, answers, recoveries = await _counts(stage)
        assert (votes, answers) == (story.votes, story.answers)
        how = "by replay" if not recoveries else "people were asked"
        starts, effects = len(stage.ledger.facts("start")), len(stage.ledger.facts("effect"))
        record_property(PROPERTY, Line(point=point, how=how, starts=starts, effects=effects).packed())


@pytest.mark.parametrize("name", WRITES)
async def test_every_write_of_a_story_is_a_point(
    name: str, redis_url: str, namespace: str, tmp_path: Path, nursery: Nursery
) -> None:
    """PN-08: nobody dies, and what is written is what the matrix kills at: before and after each."""
    story = STORIES[name]
    async with _stage(redis_url, namespace, tmp_path, story, nursery) as stage:
        async with _people(stage, story):
            process = await stage.start(FIRST.get(name, ""))
            if name in FIRST:
                await _dies(stage, process)
                await stage.restart()
            await stage.is_quiet(answers=story.runs)
        await stage.finish()

        written = [moment for moment in stage.seen() if not re.search(NO_WRITE, moment)]
    points = {point.moment for point in POINTS if point.story == name}
    missing = [moment for moment in written if moment not in points and not re.match(UNSTEADY, moment)]
    assert not missing
    assert points <= set(written), "each of them is passed"


def _stage(redis_url: str, namespace: str, folder: Path, story: Story, nursery: Nursery) -> Stage:
    options = {"cards": story.cards, "steps": story.steps}
    return Stage(redis_url, namespace, folder, **options, is_changing=story.is_changing, nursery=nursery)


async def _dies(stage: Stage, process: Process) -> None:
    assert await process.ended() == -signal.SIGKILL, f"it did not die as told:\n{stage.log(process)}"


@asynccontextmanager
async def _people(stage: Stage, story: Story) -> AsyncIterator[None]:
    """The story's people, and somebody who answers what is asked about calls in doubt."""
    async with asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(story.play(stage), name="people")
        answering = tasks.create_task(stage.recover(), name="recovery")
        yield
        await playing
        answering.cancel()


async def _counts(stage: Stage) -> tuple[int, int, int]:
    """Votes on calls, answers to what was asked besides, and how often people were asked what became of a call."""
    entries = await stage.audit()
    kinds = {entry.fields["request"]: entry.fields["kind"] for entry in entries if entry.event == "request_opened"}
    voted = Counter(kinds[entry.fields["request"]] for entry in entries if entry.event == "vote_counted")
    answers = sum(count for kind, count in voted.items() if kind not in ("approval", "recovery"))
    return voted["approval"], answers, Counter(kinds.values())["recovery"]
