"""Every process dies once at every point of the flow, and nothing is lost or done twice.

killed at a point -> started again -> people answer whatever is asked -> quiet -> audit, ledger and platform judged
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.crash.matrix import PROPERTY, Line
from tests.crash.points import POINTS, Point
from tests.crash.stage import Process, Stage
from tests.crash.stories import STORIES, Story


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.number}-{point.story}")
async def test_a_kill_here_loses_nothing_and_does_nothing_twice(
    point: Point, redis_url: str, namespace: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """PN-08, PN-11, PP-04, I1–I15, D-32, AS-30: whatever died, there is one effect, one decision, one answer, and no
    button that still works.
    """
    story = STORIES[point.story]
    async with Stage(redis_url, namespace, tmp_path, cards=story.cards) as stage:
        async with _people(stage, story):
            await _dies(stage, await stage.start(point.first or point.moment))
            if point.first:
                await _dies(stage, await stage.restart(point.moment))
            await stage.restart()
            await stage.is_quiet()
        await stage.finish()

        await stage.must_be_sound(effects=story.effects)
        assert len(stage.platform.answers) == 1
        votes, answers, recoveries = await _counts(stage)
        assert (votes, answers) == (story.votes, story.answers)
        how = "by replay" if not recoveries else "people were asked"
        starts, effects = len(stage.ledger.facts("start")), len(stage.ledger.facts("effect"))
        record_property(PROPERTY, Line(point=point, how=how, starts=starts, effects=effects).packed())


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
