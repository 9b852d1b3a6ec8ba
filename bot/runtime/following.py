"""What people said while an agent worded its last answer: the thread's next task, or words for its next run.

    the end, and a timer beside it in one step -> a run on these words, or they are told to the thread's run -> no timer

Nobody's reply is lost between two runs: whoever owns the shard when the timer is due does what is left to do. Not how a
run ends (runner), nor how a reply came in (intake).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from bot.domain import events
from bot.domain.letters import Said
from bot.domain.request import RunId
from bot.domain.run import Heard, Run, RunStatus
from bot.domain.store import Effects, Store, Timer
from bot.domain.wire import replace
from bot.runtime.host import instructions
from bot.runtime.journal import patiently

AGAIN = timedelta(seconds=5)  # from a run's end until somebody else sees to what was said last


def reminder(store: Store, run: RunId) -> Timer:
    """To be written with the end of *run*, which leaves words that nobody has taken up."""
    return Timer(name=_name(run), due=store.now() + AGAIN)


async def follow(store: Store, ended: Run, late: Sequence[Heard]) -> None:
    """Start a run on *late*, unless another one has the thread by now: then it hears them. Safe to repeat, anywhere."""
    left = dict(enumerate(late))
    while left and (hearing := await _started(store, ended, tuple(left.values()))) is not None:
        for number, heard in list(left.items()):
            tell = partial(store.tell, hearing.id, Said(heard=heard), effects=Effects())
            if await patiently(partial(tell, delivery=f"{ended.id}/late/{number}")):
                del left[number]
        if await patiently(partial(store.live_run, ended.task.place.key)) == hearing.id:
            break  # what it was not told now it was told before
    await patiently(partial(store.untime, _shard(RunId(ended.id)), _name(RunId(ended.id))))


async def follow_up(store: Store, id: RunId) -> None:
    """The timer of an ended run is due: whoever ended it did not get to what was said last."""
    loaded = await store.load(id)
    if loaded is None or loaded.status not in (RunStatus.DONE, RunStatus.FAILED):
        await store.untime(_shard(id), _name(id))
        return
    await follow(store, loaded.run, instructions(loaded.letters[loaded.told :]))


async def _started(store: Store, ended: Run, late: Sequence[Heard]) -> Run | None:
    """The run that has the thread by now and is to be told; None when it is the one that these words began."""
    task = replace(ended.task, text="\n".join(heard.text for heard in late), by=late[0].by)
    run = Run(id=_next(RunId(ended.id)), task=task, agent=ended.agent, began=store.now())
    effects = Effects(audit=(events.run_started(run),), dirty=(f"run|{run.id}",))
    started = await patiently(partial(store.start, run, delivery=f"{ended.id}/late", replaces=None, effects=effects))
    return None if started.run.id == run.id else started.run


def _next(run: RunId) -> RunId:
    """The run that follows *run*: the same one, whoever starts it."""
    return RunId(f"r-{_shard(run)}-{hashlib.sha256(f'{run}/late'.encode()).hexdigest()[:16]}")


def _shard(run: RunId) -> int:
    return int(run.split("-", 2)[1])


def _name(run: RunId) -> str:
    return f"late|{run}|"
