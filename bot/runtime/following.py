"""What people said while an agent worded its last answer: the thread's next task, or words for its next run.

Nobody's reply is lost between two runs. Not how a run ends (runner), nor how a reply came in (intake).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bot.domain import events
from bot.domain.run import Heard, Run
from bot.domain.store import Effects, Said, Store
from bot.domain.wire import replace
from bot.runtime.host import next_id
from bot.runtime.journal import patiently


async def follow(store: Store, ended: Run, late: Sequence[Heard]) -> None:
    """Start a run on *late*, unless another one has the thread by now: then it hears them. Safe to repeat."""
    text = "\n".join(heard.text for heard in late)
    task = replace(ended.task, text=text, by=late[0].by)
    run = Run(id=next_id(ended.id), task=task, agent=ended.agent, began=store.now())
    effects = Effects(audit=(events.run_started(run),), dirty=(f"run|{run.id}",))
    start = partial(store.start, run, delivery=f"{ended.id}/late", replaces=None, effects=effects)
    started = await patiently(start)
    if started.run.id == run.id:
        return
    for number, heard in enumerate(late):
        tell = partial(store.tell, started.run.id, Said(heard=heard), effects=Effects())
        await patiently(partial(tell, delivery=f"{ended.id}/late/{number}"))
