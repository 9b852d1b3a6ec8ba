"""What people do in each story, whoever dies meanwhile. Every event is delivered until it is taken, then once more."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping

from bot.domain.wire import Record
from tests.crash.stage import MINUTE, Stage


class Story(Record):
    play: Callable[[Stage], Coroutine[None, None, None]]
    effects: int = 1
    votes: int = 1


async def signed(stage: Stage) -> None:
    await stage.say("ana", "charge 120", delivery="task")
    await stage.press("approve", "bo")
    await stage.press("approve", "chris")


async def idempotent(stage: Stage) -> None:
    await stage.say("ana", "top_up 5", delivery="task")
    await stage.press("approve", "bo")


async def free(stage: Stage) -> None:
    await stage.say("ana", "nudge 5", delivery="task")
    await stage.say("ana", "nudge 5", delivery="task")


async def rejected(stage: Stage) -> None:
    await stage.say("ana", "charge 5", delivery="task")
    await stage.press("reject", "bo")


async def expired(stage: Stage) -> None:
    await stage.say("ana", "charge 5", delivery="task")
    await stage.platform.until(lambda: stage.platform.with_button("approve"), "the card")
    await stage.advance(6 * MINUTE)
    await stage.platform.until(lambda: "Reminder" in stage.shown, "the reminder")
    await stage.advance(240 * MINUTE)


async def replied(stage: Stage) -> None:
    await stage.say("ana", "charge 5", delivery="task")
    await stage.platform.until(lambda: stage.platform.with_button("approve"), "the card")
    await stage.say("ana", "charge 6 instead, please", delivery="second thoughts")
    await stage.platform.until(lambda: len(stage.platform.cards) > 1, "a new card")
    await stage.press("approve", "bo")


async def edited(stage: Stage) -> None:
    await stage.say("ana", "charge 5", delivery="task")
    await stage.press("edit", "bo", fields={"amount": "4"})
    await stage.platform.until(lambda: len(stage.platform.cards) > 1, "a new card")
    await stage.press("approve", "chris")


async def stopped(stage: Stage) -> None:
    await stage.say("ana", "charge 5", delivery="task")
    await stage.platform.until(lambda: stage.platform.with_button("approve"), "the card")
    await stage.press("stop", "ana")


async def taken(stage: Stage) -> None:
    await stage.say("ana", "charge 5", delivery="task")
    await stage.platform.until(lambda: stage.platform.with_button("approve"), "the card")
    await stage.press("take_run", "bo")
    await stage.press("hand_back", "bo", fields={"text": "charge 6 instead, please"})
    await stage.platform.until(lambda: len(stage.platform.cards) > 1, "a new card")
    await stage.press("approve", "chris")


async def sheet(stage: Stage) -> None:
    """Three equal calls on one message, one press for all of them."""
    await stage.say("ana", "tidy 5 x3", delivery="task")
    await stage.press("approve_all", "bo")


STORIES: Mapping[str, Story] = {
    "signed": Story(play=signed, votes=2),
    "idempotent": Story(play=idempotent),
    "free": Story(play=free, votes=0),
    "rejected": Story(play=rejected, effects=0),
    "expired": Story(play=expired, effects=0, votes=0),
    "replied": Story(play=replied),
    "edited": Story(play=edited),
    "stopped": Story(play=stopped, effects=0, votes=0),
    "taken": Story(play=taken),
    "sheet": Story(play=sheet, effects=3, votes=3),
}
