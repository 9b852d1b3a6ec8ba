"""Two processes on one store: one decision, one vote, one run, one start, whatever happens in the same moment."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path

from bot.domain.chat import Answer, Click, Message, MessageRef, Place
from tests.crash.lines import Post, Update
from tests.crash.platform import WITHIN, Posted
from tests.crash.stage import MINUTE, Stage, account, pressed

TASKS, CALLS = 12, 26  # 312 requests
WINNERS = {"Approved. It runs now.": "approved", "Rejected. It will not run.": "rejected"}


async def test_approve_and_reject_in_the_same_moment_make_one_decision_three_hundred_times(
    redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """PN-11, I3: in two processes, bo approves and chris rejects at once; one decision each, and both hear the
    truth.
    """
    async with Stage(redis_url, namespace, tmp_path, shards=4) as stage:
        await _two(stage)
        for number in range(TASKS):
            await stage.say("ana", f"charge 1 x{CALLS}", thread=f"t{number}", to=f"bot{number % 2 + 1}")
        await stage.platform.until(lambda: len(stage.platform.cards) == TASKS * CALLS, "all cards")
        decided: Counter[str] = Counter()
        for number, post in enumerate(list(stage.platform.cards)):
            decided[await _race(stage, post, number)] += 1
        await stage.is_quiet(answers=TASKS)
        await stage.finish()

        told = Counter(entry.fields["status"] for entry in await stage.audit() if entry.event == "request_decided")
        assert told == decided
        assert decided.total() == TASKS * CALLS
        assert min(decided.values()) > 0, "a race that always ends the same way is none"
        await stage.must_be_sound(effects=decided["approved"])


async def _race(stage: Stage, post: Posted, number: int) -> str:
    """Both presses at once, and both again in the other process; what was decided, if all four answers agree."""
    events = (
        pressed(post, "approve", "bo", number, None),
        pressed(post, "reject", "chris", TASKS * CALLS + number, None),
    )
    ways = [(events[0], "bot1"), (events[1], "bot2")]
    first = await asyncio.gather(*(_answer(stage, event, to) for event, to in ways[:: 1 if number % 2 else -1]))
    again = await asyncio.gather(
        *(_answer(stage, event, to) for event, to in zip(events, ("bot2", "bot1"), strict=True))
    )
    (won,) = [answer for answer in first if answer.is_taken]
    (lost,) = [answer for answer in first if not answer.is_taken]
    status = WINNERS[won.text]
    assert lost.text == f"{'Bo' if status == 'approved' else 'Chris'} already answered: {status}."
    assert [answer.is_taken for answer in again] == [status == "approved", status == "rejected"]
    return status


async def _answer(stage: Stage, event: Click | object, to: str) -> Answer:
    assert isinstance(event, Click)
    answer = await stage.platform.deliver(event, to=to)
    assert answer is not None, "a click is always answered"
    return answer


async def test_a_message_delivered_to_both_processes_starts_one_run(
    redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """I10: the platform delivers one mention twice, at once, to different processes: thirty runs for thirty tasks."""
    async with Stage(redis_url, namespace, tmp_path, shards=4) as stage:
        await _two(stage)
        for number in range(30):
            words = _mention(f"t{number}", "nudge 1", f"m{number}")
            await asyncio.gather(*(stage.platform.deliver(words, to=to) for to in ("bot1", "bot2")))
        await stage.is_quiet(answers=30)
        await stage.finish()

        assert Counter(entry.event for entry in await stage.audit())["run_started"] == 30
        await stage.must_be_sound(effects=30)


async def test_two_people_who_open_a_thread_in_the_same_moment_are_both_heard(
    redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """I12: one becomes the task and the other a reply to it, or a task after it; neither is dropped."""
    async with Stage(redis_url, namespace, tmp_path, shards=4) as stage:
        await _two(stage)
        for number in range(30):
            words = [_mention(f"t{number}", "nudge 1", f"m{number}-{i}") for i in range(2)]
            await asyncio.gather(
                stage.platform.deliver(words[0], to="bot1"), stage.platform.deliver(words[1], to="bot2")
            )
        await stage.is_quiet(answers=30)
        await stage.finish()

        events = Counter(entry.event for entry in await stage.audit())
        assert events["run_started"] + events["reply_heard"] >= 60  # heard too late, a reply begins a run of its own


async def test_a_process_that_was_paused_beyond_its_lease_writes_nothing_afterwards(
    redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """T27: stopped between posting the card and hearing so; another goes on and ends the run; it wakes too late."""
    gate = asyncio.Event()
    async with Stage(redis_url, namespace, tmp_path) as stage:
        stage.platform.hold = lambda line: gate if isinstance(line, Post) and "|main" in line.key else None
        paused = await stage.start()
        await stage.say("ana", "charge 120")
        await stage.platform.until(lambda: stage.platform.cards, "the card")
        paused.send(signal.SIGSTOP)
        stage.platform.hold = _free
        await stage.advance(MINUTE)  # its lease runs out
        await stage.start(owner="second")
        await stage.press("approve", "bo", to="second")
        await stage.press("approve", "chris", to="second")
        await stage.is_quiet()
        before = await stage.audit()

        gate.set()
        paused.send(signal.SIGCONT)
        late = await stage.platform.deliver(pressed_again(stage), to=paused.owner)  # it is awake and hears people
        await stage.finish()

        assert late is not None
        assert not late.is_taken
        after = (await stage.audit())[len(before) :]
        by_second = [
            e for e in after if e.event == "checkpoint" or (e.event == "card_shown" and not e.fields["buttons"])
        ]
        assert [entry.event for entry in after if entry not in by_second] == ["vote_refused"]
        assert len(stage.ledger.facts("start")) == 1
        await stage.must_be_sound()


async def test_a_picture_that_arrives_too_late_does_not_stay(redis_url: str, namespace: str, tmp_path: Path) -> None:
    """I3: an old owner's update is so long on its way that the end of the story is shown before it; it is corrected."""
    gate, is_late = asyncio.Event(), asyncio.Event()

    def late(line: Update) -> asyncio.Event | None:
        if not line.card.footer.startswith("q-"):
            return None
        is_late.set()
        return gate

    async with Stage(redis_url, namespace, tmp_path) as stage:
        stage.platform.late = late
        paused = await stage.start()
        await stage.say("ana", "charge 120")
        bo = asyncio.create_task(stage.press("approve", "bo"))  # owned: awaited below
        await asyncio.wait_for(is_late.wait(), WITHIN)
        paused.send(signal.SIGSTOP)
        stage.platform.late = lambda _line: None
        await stage.advance(MINUTE)
        await stage.start(owner="second")
        await stage.press("approve", "chris", to="second")
        await stage.is_quiet()

        gate.set()
        await stage.platform.until(lambda: stage.platform.live_buttons, "the late picture")
        paused.send(signal.SIGCONT)
        await stage.is_quiet()
        await bo
        await stage.finish()
        await stage.must_be_sound()


async def test_sigterm_hands_waiting_runs_over_to_the_other_process(
    redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """Twenty runs wait for people when one of two processes goes: the other finishes them all, none was in doubt."""
    async with Stage(redis_url, namespace, tmp_path, shards=4, lease=3.0) as stage:
        await _two(stage)
        for number in range(20):
            await stage.say("ana", "charge 5", thread=f"t{number}", to="bot1")
        await stage.platform.until(lambda: len(stage.platform.cards) == 20, "all cards")
        stage.processes[0].send(signal.SIGTERM)
        assert await stage.processes[0].ended() == 0, stage.log(stage.processes[0])
        for post in list(stage.platform.cards):
            await stage.press("approve", "bo", post=post)
        await stage.is_quiet(answers=20)
        await stage.finish()

        await stage.must_be_sound(effects=20)
        assert await stage.started() == 20


# ------------------------------------------------------------------- given


async def _two(stage: Stage) -> None:
    """Two processes, each with its half of the shards before anything happens."""
    for _ in range(2):
        await stage.is_up(await stage.start())


def _mention(thread: str, text: str, delivery: str) -> Message:
    place = Place(platform="playground", tenant="local", channel="general", thread=thread)
    return Message(
        delivery=delivery,
        by=account("ana"),
        place=place,
        text=text,
        ref=MessageRef(place=place, id=delivery),
        is_mention=True,
    )


def pressed_again(stage: Stage) -> Click:
    """A click on the card as it stood at first: somebody's screen is slow."""
    post = stage.platform.cards[0]
    button = next(button for button in post.cards[0].buttons if button.move == "reject")
    return Click(
        delivery="late", by=account("bo"), ref=post.ref, subject=button.subject, move="reject", token=button.token
    )


def _free(_line: Post | Update) -> asyncio.Event | None:
    return None
