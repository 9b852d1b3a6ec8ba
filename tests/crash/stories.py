"""What people do in each story, whoever dies meanwhile. Every event is delivered until it is taken, then once more."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Mapping

from bot.domain.grant import GIVE
from bot.domain.wire import Record
from tests.crash.platform import Posted
from tests.crash.stage import MINUTE, Stage

WEEK = 7 * 24 * 60 * MINUTE


class Story(Record):
    play: Callable[[Stage], Coroutine[None, None, None]]
    effects: int = 1
    votes: int = 1  # on calls
    answers: int = 0  # to what was asked besides
    cards: int = sys.maxsize  # of one turn; what is beyond stands on a list
    steps: int = 0  # that a run may take before people are asked for more; 0: as many as it likes
    is_changing: bool = False  # the agent's program is another one after the first process
    runs: int = 1
    amounts: tuple[int, ...] = ()  # of the effects, where it matters which they are


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


async def listed(stage: Stage) -> None:
    """Two of three calls stand on a list, and one of them is opened as a card of its own."""
    await stage.say("ana", "charge 5 x3", delivery="task")
    single = await _card(stage, "reject")
    await stage.press("reject", "bo", post=single)
    await stage.platform.withdrawn(single, "reject")
    offered = await _card(stage, "open_one")
    option = next(button for button in offered.card.buttons if button.move == "open_one").fields[0].options[1]
    await stage.press("open_one", "bo", post=offered, fields={"items": option})
    await stage.press("approve", "bo", post=await _card(stage, "approve"))
    await stage.press("reject_all", "bo", post=offered, fields={"reason": ""})


async def asked(stage: Stage) -> None:
    await stage.say("ana", "ask 5", delivery="task")
    await stage.press("pick_b", "ana")


async def handed(stage: Stage) -> None:
    """Ana passes the question on to Bo, who answers it where he is asked: in a direct message."""
    await stage.say("ana", "ask 5", delivery="task")
    await stage.press("hand_to", "ana", fields={"person": "@bo"})
    await stage.platform.until(lambda: _dm(stage, "bo", "pick_a"), "a message for Bo")
    await stage.press("pick_a", "bo", post=_dm(stage, "bo", "pick_a")[0])


async def claimed(stage: Stage) -> None:
    """Dana takes an escalation, works by hand, and hands it back with what is to be done."""
    await stage.say("ana", "escalate 5", delivery="task")
    await stage.press("take", "dana")
    await stage.press("hand_back", "dana", fields={"text": "charge 6, please"})
    await stage.press("approve", "bo")


async def granted(stage: Stage) -> None:
    """Bo allows more with the first of three calls; the other two run without being asked about."""
    terms = {"scope": "this run", "until": "1 hour", "most": "2", "exact": "no"}
    await stage.say("ana", "fix 5 then 2", delivery="task")
    await stage.press("offer", "bo", fields=terms)
    card = stage.platform.cards[0]
    await stage.platform.until(lambda: _given(card), "terms to give")
    await stage.press(_given(card)[0], "bo", post=card)


async def glass(stage: Stage) -> None:
    """Bo approves alone; the review outlives the run, and Dana answers it."""
    await stage.say("ana", "blast 5", delivery="task")
    await stage.press("break_glass", "bo", fields={"reason": "nobody else is here"})
    await stage.platform.until(lambda: stage.platform.answers, "the end of the run")
    await stage.press("right", "dana", fields={"text": "it had to be"})


async def away(stage: Stage) -> None:
    """Chris names Erin, who signs in his place; then he is back."""
    await stage.say("chris", "@countersign away for 1 week, @erin decides", thread="away", delivery="leaving")
    await stage.say("ana", "settle 5", delivery="task")
    await stage.press("approve", "erin")
    await stage.say("chris", "@countersign back", thread="back", delivery="coming back")


async def stuck(stage: Stage) -> None:
    """One tool fails three times; people have it run again."""
    await stage.say("ana", "flaky 5 then 2", delivery="task")
    await stage.press("again", "ana")


async def filled(stage: Stage) -> None:
    """The first attempt is no number, and changes nothing."""
    await stage.say("ana", "fill 5", delivery="task")
    wrong = await stage.press("fill", "ana", fields={"amount": "six"})
    assert "amount" in (wrong.problems or {}), "it says beside the field what is wrong"
    await stage.press("fill", "ana", fields={"amount": "6"})


async def drafted(stage: Stage) -> None:
    """A draft is revised once; its second version is accepted."""
    await stage.say("ana", "draft 5 then 1", delivery="task")
    first = await _card(stage, "revise")
    await stage.press("revise", "ana", post=first, fields={"text": "shorter"})
    await stage.platform.withdrawn(first, "accept")
    await stage.press("accept", "ana")


async def planned(stage: Stage) -> None:
    """Ana takes the first of two steps away; Bo signs the other one, and the removed one is never asked about."""
    await stage.say("ana", "plan 5", delivery="task")
    await stage.press("edit_steps", "ana", fields={"text": "charge 6"})
    await stage.press("approve", "bo")


async def turned(stage: Stage) -> None:
    """The agent hands over to whoever gave the task, and hears a no."""
    await stage.say("ana", "hand 5", delivery="task")
    await stage.press("no", "ana")


async def changed(stage: Stage) -> None:
    """Bo signs, and the agent is another program by then: Ana has the run begin again, and Bo signs again."""
    await stage.say("ana", "charge 5", delivery="task")
    old = await _card(stage, "approve")
    await stage.press("approve", "bo", post=old)
    await stage.press("restart", "ana")
    await stage.platform.withdrawn(old, "approve")
    await stage.press("approve", "bo")


async def budgeted(stage: Stage) -> None:
    """Four of five steps are used: Ana allows as many again."""
    await stage.say("ana", "nudge 5 then 1", delivery="task")
    await stage.press("go_on", "ana")


async def reviewed(stage: Stage) -> None:
    """No deadline: asked again after a week, and after the next, and then it is answered."""
    await stage.say("ana", "keep 5", delivery="task")
    await stage.platform.until(lambda: stage.platform.with_button("approve"), "the card")
    for number in (1, 2):
        await stage.advance(WEEK)
        await stage.platform.until(lambda n=number: stage.shown.count("Still open") >= n, "the review")  # type: ignore[misc]  # a default binds it
    await stage.press("approve", "bo")


async def _card(stage: Stage, move: str) -> Posted:
    """The only card with this button, besides the question what became of a call."""

    def found() -> list[Posted]:
        return [post for post in stage.platform.with_button(move) if not post.offers("answer")]

    await stage.platform.until(found, f"a card with {move}")
    return found()[0]


def _dm(stage: Stage, who: str, move: str) -> list[Posted]:
    return [post for post in stage.platform.with_button(move) if post.place.channel == f"dm-{who}"]


def _given(card: Posted) -> list[str]:
    return [button.move for button in card.card.buttons if button.move.startswith(GIVE)]


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
    "listed": Story(play=listed, effects=1, votes=3, cards=1),
    "asked": Story(play=asked, effects=0, votes=0, answers=1),
    "handed": Story(play=handed, effects=0, votes=0, answers=1),
    "claimed": Story(play=claimed, answers=1),
    "granted": Story(play=granted, effects=3),
    "glass": Story(play=glass, answers=1),
    "away": Story(play=away),
    "stuck": Story(play=stuck, votes=0, answers=1),
    "reviewed": Story(play=reviewed),
    "filled": Story(play=filled, effects=0, votes=0, answers=1),
    "drafted": Story(play=drafted, effects=0, votes=0, answers=2),
    "planned": Story(play=planned, answers=1, amounts=(6,)),
    "turned": Story(play=turned, effects=0, votes=0, answers=1),
    "changed": Story(play=changed, votes=2, answers=1, is_changing=True, runs=2),
    "budgeted": Story(play=budgeted, effects=2, votes=0, answers=1, steps=5),
}
