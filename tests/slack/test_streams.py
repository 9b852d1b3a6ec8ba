"""Drafts: a model's words are seen while they grow, are never markup, and never stay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from adapters.slack.limits import faults
from adapters.slack.pace import Pace
from adapters.slack.streams import LABEL, LATEST, LONG, PIECE
from adapters.slack.surface import Surface
from bot.domain.chat import Card, PersonId, Place
from bot.domain.errors import ModelUnavailable
from bot.domain.ports import OnText
from bot.domain.run import RunStatus
from tests.fakes.slack.world import FakeMessage
from tests.slack.given import Booth, opened_booth

LOOK = "conversations.replies"
START, APPEND, STOP, DELETE = "chat.startStream", "chat.appendStream", "chat.stopStream", "chat.delete"
ANA = PersonId("person.ana")
WORDS = "The customer wants the money back and the parcel arrived broken. " * 8
HOSTILE = "<!channel> <@U1> <https://evil|https://bank> [a](https://evil.example) *b* https://evil.example/?q=SECRET "
FOR_GOOD = ["unknown_method", "feature_disabled", "not_agent_app", "missing_scope", "not_authorized", "brand_new_code"]
PASSING = [
    *("invalid_thread_ts", "is_archived", "missing_recipient_user_id", "missing_recipient_team_id"),
    *("not_subscribed_to_message_stream_stopped", "ratelimited", "internal_error"),
]


@pytest.fixture
async def booth() -> AsyncIterator[Booth]:
    async with opened_booth() as booth:
        yield booth


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """People need a pace between pieces; tests do not."""
    monkeypatch.setattr("adapters.slack.streams.EVERY", 0.0)


def surface(booth: Booth, pace: Pace | None = None) -> Surface:
    """Another process."""
    return Surface(booth.api(pace), booth.keep, booth.people, booth.hours.utc)


async def a_thread(booth: Booth) -> Place:
    return booth.place(await booth.thread())


def turn(booth: Booth, place: Place, ours: Surface | None = None) -> AbstractAsyncContextManager[OnText | None]:
    return (ours or surface(booth)).live(place, ANA)


async def a_turn(booth: Booth, place: Place, ours: Surface) -> None:
    """One long turn from its beginning to its end, whatever becomes of its draft."""
    async with turn(booth, place, ours) as hear:
        if hear is not None:
            hear(WORDS)
            await booth.slack.until(lambda: booth.slack.calls(START), "a try")
            await idle()


async def idle() -> None:
    """Let whoever can go on do so: these are turns of the loop and answers from loopback, not a length of time."""
    for _ in range(200):
        await asyncio.sleep(0)


def drafts(booth: Booth) -> list[FakeMessage]:
    return booth.slack.posts(booth.channel)


def read(booth: Booth) -> str:
    """The one draft, as people read it."""
    [draft] = drafts(booth)
    return booth.slack.text_of(draft)


def pieces(booth: Booth) -> list[str]:
    return [args["chunks"][0]["blocks"][0]["text"]["text"] for args in booth.slack.calls(APPEND)]


async def shown(booth: Booth, text: str) -> None:
    await booth.slack.until(lambda: drafts(booth) and text in read(booth), text)


# ------------------------------------------------------------------------- while it grows


async def test_long_words_are_seen_while_they_grow_and_are_gone_at_the_end(booth: Booth) -> None:
    """A draft says so, in the run's own thread, to whoever gave the task. The outbox's note is the one that stays."""
    place = await a_thread(booth)

    async with turn(booth, place) as hear:
        assert hear
        hear(WORDS[:LONG])
        await shown(booth, WORDS[:PIECE])
        hear(WORDS)
        await shown(booth, WORDS.rstrip()[-20:-7])
        [draft] = drafts(booth)
        assert draft.thread_ts == place.thread
        assert read(booth).startswith(LABEL)

    assert not drafts(booth)
    assert not booth.keep.values
    assert [len(booth.slack.calls(method)) for method in (START, STOP, DELETE)] == [1, 1, 1]
    [begun] = booth.slack.calls(START)
    assert (begun["recipient_user_id"], begun["recipient_team_id"]) == (booth.ana, booth.slack.team)


async def test_a_short_turn_costs_nothing(booth: Booth) -> None:
    """Most turns are a sentence and a tool call."""
    async with turn(booth, await a_thread(booth)) as hear:
        assert hear
        for end in range(LONG):
            hear(WORDS[:end])
        await idle()

    assert not booth.slack.called


async def test_nothing_in_a_draft_is_markup(booth: Booth) -> None:
    """T04, T05: a stream cannot be told not to unfurl, so nothing in it may be a link, or mention anybody."""
    async with turn(booth, await a_thread(booth)) as hear:
        assert hear
        hear(HOSTILE * 3)
        await shown(booth, HOSTILE.strip())
        [draft] = drafts(booth)

        assert booth.slack.mentions_of(draft) == []
        assert booth.slack.links_of(draft) == []
        assert draft.text == ""
    assert not any("markdown_text" in args for args in [*booth.slack.calls(START), *booth.slack.calls(APPEND)])


async def test_at_most_one_piece_a_second(booth: Booth, monkeypatch: pytest.MonkeyPatch) -> None:
    """AU-09: here a second never ends: one piece, however fast the words come; and the turn's end waits for no
    second.
    """
    monkeypatch.setattr("adapters.slack.streams.EVERY", 3_600.0)
    async with turn(booth, await a_thread(booth)) as hear:
        assert hear
        hear(WORDS[:LONG])
        await shown(booth, WORDS[:PIECE])
        for end in range(LONG, len(WORDS), 5):
            hear(WORDS[:end])
            await idle()

    assert len(pieces(booth)) == 1
    assert not drafts(booth)


async def test_pieces_are_long_and_end_with_a_word(booth: Booth) -> None:
    """Word by word it comes; a hundred characters at least go, and put together they are what was said."""
    async with turn(booth, await a_thread(booth)) as hear:
        assert hear
        for end in range(0, len(WORDS) + 1, 3):
            hear(WORDS[:end])
            if end > LONG and end % 60 == 0:
                await idle()
        await shown(booth, WORDS.rstrip()[-20:-7])

    assert len(pieces(booth)) > 1
    assert all(len(piece) >= PIECE and piece.endswith(" ") for piece in pieces(booth))
    assert WORDS.startswith("".join(pieces(booth)))


async def test_a_draft_stays_below_what_slack_takes(booth: Booth) -> None:
    """A very long answer, full of characters that travel as five: the draft stops growing, nothing is refused."""
    text = "cats & dogs & <cows> \x07 " * 2_000
    async with turn(booth, await a_thread(booth)) as hear:
        assert hear
        with capture_logs() as told:
            for end in range(LONG, len(text), 97):
                hear(text[:end])
                if end % 5 == 0:
                    await idle()
            await shown(booth, "⟨U+0007⟩")
        [draft] = drafts(booth)
        assert faults(draft.blocks) == []
        assert len(booth.slack.text_of(draft)) > 4_000
    assert not told


async def test_one_draft_a_thread_at_a_time(booth: Booth) -> None:
    """Branches of one run speak at once: the first is seen. Another thread has its own."""
    ours, place, other = surface(booth), await a_thread(booth), await a_thread(booth)
    async with turn(booth, place, ours) as one, turn(booth, place, ours) as two, turn(booth, other, ours) as three:
        assert one
        assert two
        assert three
        for hear in (one, two, three):
            hear(WORDS)
        await booth.slack.until(lambda: len(pieces(booth)) == 2, "two drafts")
        await idle()

        assert sorted(str(draft.thread_ts) for draft in drafts(booth)) == sorted([str(place.thread), str(other.thread)])
    assert not drafts(booth)
    assert len(booth.slack.calls(START)) == 2


async def test_words_that_begin_anew_take_their_draft_away(booth: Booth) -> None:
    """The model's stream was cut and it answers again: half an answer must not stand above another one."""
    async with turn(booth, await a_thread(booth)) as hear:
        assert hear
        hear(WORDS)
        await shown(booth, WORDS[:PIECE])

        hear("Something else.")

        await booth.slack.until(lambda: not drafts(booth), "the draft is gone")
        hear(WORDS[::-1])
        await idle()
    assert len(booth.slack.calls(START)) == 1


# ------------------------------------------------------------------------- however the turn ends


async def test_the_models_own_error_is_raised_as_it_is(booth: Booth) -> None:
    """Whoever waits for the answer must read its error, not a group of one."""
    place = await a_thread(booth)

    async def think() -> None:
        async with turn(booth, place) as hear:
            assert hear
            hear(WORDS)
            await shown(booth, WORDS[:PIECE])
            raise ModelUnavailable("gave up")

    with pytest.raises(ModelUnavailable, match="gave up"):
        await think()

    assert not drafts(booth)


async def test_a_stopped_run_takes_its_draft_along(booth: Booth) -> None:
    """Stop cancels the turn in the middle of a sentence."""
    place = await a_thread(booth)

    async def think() -> None:
        async with turn(booth, place) as hear:
            assert hear
            hear(WORDS)
            await asyncio.Event().wait()

    task = asyncio.create_task(think())
    await shown(booth, WORDS[:PIECE])
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert not drafts(booth)


async def test_a_silent_slack_does_not_hold_up_the_turn(booth: Booth, monkeypatch: pytest.MonkeyPatch) -> None:
    """One and a half seconds, here a twentieth of one, and the run goes on."""
    monkeypatch.setattr("adapters.slack.streams.ENDS_WITHIN", 0.05)
    booth.slack.faults.hang(START)

    async with asyncio.timeout(5), turn(booth, await a_thread(booth)) as hear:
        assert hear
        hear(WORDS)
        await booth.slack.until(lambda: booth.slack.calls(START), "it was asked")

    assert not drafts(booth)


async def test_a_turn_does_not_wait_for_a_free_place_of_its_draft(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty streams a minute: whoever still queues for one when the words are final leaves the queue at once."""
    monkeypatch.setattr("adapters.slack.streams.ENDS_WITHIN", 60.0)

    async def never(_seconds: float) -> None:
        await asyncio.Event().wait()

    pace = Pace(booth.hours.seconds, never)
    for _ in range(4):
        await pace.turn(booth.slack.team, START)
    booth.hours.later(5)  # the next place is near enough to queue for

    async with asyncio.timeout(5), turn(booth, await a_thread(booth), surface(booth, pace)) as hear:
        assert hear
        hear(WORDS)
        await idle()

    assert not booth.slack.calls(START)


async def test_slack_ends_a_stream_after_five_minutes_and_the_draft_goes(booth: Booth) -> None:
    """python-slack-sdk#1859: the rest of the words is read when they are final."""
    async with turn(booth, await a_thread(booth)) as hear:
        assert hear
        hear(WORDS[: LONG + 20])
        await shown(booth, WORDS[:PIECE])
        booth.slack.later(301)

        hear(WORDS)

        await booth.slack.until(lambda: not drafts(booth), "the draft is gone")
    assert not booth.keep.values


# ------------------------------------------------------------------------- what is not there


@pytest.mark.parametrize("code", FOR_GOOD)
async def test_a_workspace_without_streams_is_asked_once(booth: Booth, code: str) -> None:
    """Decoration: quietly off, in every thread of that workspace."""
    ours = surface(booth)
    booth.slack.faults.fail(START, code, times=9)

    for _ in range(3):
        await a_turn(booth, await a_thread(booth), ours)

    assert len(booth.slack.calls(START)) == 1
    assert not booth.slack.calls(APPEND)


async def test_an_emulator_that_has_a_page_for_unknown_methods_is_asked_once(booth: Booth) -> None:
    """HTTP 404 without a code: as quietly off as `unknown_method`, and no draft is looked for that never was."""
    ours, place = surface(booth), await a_thread(booth)
    booth.slack.faults.html(START, status=404, times=9)

    for _ in range(3):
        await a_turn(booth, place, ours)
    await ours.presence(place, RunStatus.DONE)

    assert len(booth.slack.calls(START)) == 1
    assert not booth.slack.calls(LOOK)
    assert not booth.keep.values


@pytest.mark.parametrize("code", PASSING)
async def test_what_passes_costs_one_turn(booth: Booth, code: str) -> None:
    """This thread, this moment: the next turn is seen again."""
    ours = surface(booth)
    booth.slack.faults.fail(START, code)
    await a_turn(booth, await a_thread(booth), ours)
    booth.hours.later(60)

    async with turn(booth, await a_thread(booth), ours) as hear:
        assert hear
        hear(WORDS)
        await shown(booth, WORDS[:PIECE])

    assert not drafts(booth)


@pytest.mark.parametrize("code", ["message_not_in_streaming_state", "stopped_by_user", "ratelimited", "brand_new_code"])
async def test_a_piece_that_is_refused_ends_the_draft_and_not_the_turn(booth: Booth, code: str) -> None:
    booth.slack.faults.fail(APPEND, code)

    async with turn(booth, await a_thread(booth)) as hear:
        assert hear
        hear(WORDS)
        await booth.slack.until(lambda: booth.slack.calls(DELETE), "the draft goes")
        hear(WORDS * 2)
        await idle()

    assert not drafts(booth)
    assert len(booth.slack.calls(START)) == len(booth.slack.calls(APPEND)) == 1


async def test_a_draft_that_people_deleted_is_nobodys_trouble(booth: Booth) -> None:
    async with turn(booth, await a_thread(booth)) as hear:
        assert hear
        hear(WORDS[: LONG + 20])
        await shown(booth, WORDS[:PIECE])
        [draft] = drafts(booth)
        del booth.slack.channel(booth.channel).messages[draft.ts]

        hear(WORDS)
        await booth.slack.until(lambda: booth.slack.calls(DELETE), "it is looked for")

    assert not drafts(booth)
    assert not booth.keep.values


async def test_nobody_to_stream_to_means_no_stream(booth: Booth) -> None:
    """A stream in a channel needs a reader of that workspace; a place without a thread has no stream at all."""
    booth.people.known.clear()
    async with turn(booth, await a_thread(booth)) as hear:
        assert hear
        hear(WORDS)
        await idle()
    async with turn(booth, booth.place()) as hear:
        assert hear is None

    assert not booth.slack.called


async def test_a_bug_behind_a_draft_is_said_aloud_and_ends_no_run(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> str:
        raise RuntimeError("ours")

    monkeypatch.setattr(booth.people, "user_of", broken)
    with capture_logs() as told:
        async with turn(booth, await a_thread(booth)) as hear:
            assert hear
            hear(WORDS)
            await idle()

    assert [line["event"] for line in told] == ["slack_draft_failed"]
    assert WORDS[:20] not in str(told)


# ------------------------------------------------------------------------- what a killed process leaves


async def left_behind(booth: Booth, place: Place) -> None:
    """A process shows a draft and dies: it can neither stop nor delete it."""
    for method in (STOP, DELETE):
        booth.slack.faults.lose_request(method)
    async with turn(booth, place) as hear:
        assert hear
        hear(WORDS)
        await shown(booth, WORDS[:PIECE])
    assert drafts(booth)


async def unheard(booth: Booth, place: Place, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """A draft is started, and nobody knows where it stands."""
    if how == "lost":
        booth.slack.faults.lose_reply(START)
        await a_turn(booth, place, surface(booth))
        return
    put = booth.keep.put

    async def dying(name: str, value: bytes, *, keep: timedelta | None = None) -> None:
        if booth.slack.calls(START):
            raise asyncio.CancelledError
        await put(name, value, keep=keep)

    with monkeypatch.context() as dead:
        dead.setattr(booth.keep, "put", dying)
        await a_turn(booth, place, surface(booth))


def remembered(booth: Booth) -> list[str]:
    """Drafts that somebody still has to delete."""
    return [name for name in booth.keep.values if name.startswith("slack:draft:")]


@pytest.mark.parametrize("status", [RunStatus.WAITING, RunStatus.DONE, RunStatus.STOPPED, RunStatus.FAILED])
async def test_what_a_killed_process_left_goes_when_the_run_waits_or_ends(booth: Booth, status: RunStatus) -> None:
    """Nobody takes half a thought for an answer: another process knows where it stands, and deletes it."""
    place = await a_thread(booth)
    await left_behind(booth, place)

    await surface(booth).presence(place, status)

    assert not drafts(booth)
    assert not remembered(booth)


@pytest.mark.parametrize("how", ["lost", "killed"])
@pytest.mark.parametrize("status", [RunStatus.WAITING, RunStatus.DONE])
async def test_a_draft_whose_start_nobody_heard_of_is_looked_for_and_goes(
    booth: Booth, monkeypatch: pytest.MonkeyPatch, status: RunStatus, how: str
) -> None:
    """PP-03: the answer to its start was lost, or the process was killed before it wrote down where it stands."""
    place = await a_thread(booth)
    await unheard(booth, place, monkeypatch, how)
    [left] = drafts(booth)
    assert booth.slack.text_of(left) == LABEL

    await surface(booth).presence(place, status)

    assert not drafts(booth)
    assert not remembered(booth)


async def test_a_draft_whose_start_nobody_heard_of_goes_before_the_next_one(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await a_thread(booth)
    await unheard(booth, place, monkeypatch, "lost")

    async with turn(booth, place) as hear:
        assert hear
        hear(WORDS)
        await shown(booth, WORDS[:PIECE])
        assert len(drafts(booth)) == 1
    assert not drafts(booth)


async def test_a_start_that_never_reached_slack_is_looked_for_until_it_cannot_come_any_more(booth: Booth) -> None:
    """It may show a moment later, so one look does not do; and a thread is not searched for ever."""
    place = await a_thread(booth)
    booth.slack.faults.lose_request(START)
    await a_turn(booth, place, surface(booth))

    for _ in range(2):
        await surface(booth).presence(place, RunStatus.WAITING)
    assert len(booth.slack.calls(LOOK)) == 2
    booth.hours.later(LATEST.total_seconds())
    for _ in range(3):
        await surface(booth).presence(place, RunStatus.DONE)

    assert len(booth.slack.calls(LOOK)) == 3
    assert not booth.keep.values


async def test_nothing_else_is_taken_for_a_draft(booth: Booth) -> None:
    """T13: neither somebody's own words, nor another bot's, nor a note of ours that says the same."""
    place = await a_thread(booth)
    booth.slack.faults.lose_request(START)
    await a_turn(booth, place, surface(booth))
    copied = booth.slack.message(booth.channel, await booth.slack.say(booth.ana, booth.channel, LABEL, place.thread))
    assert copied
    copied.show(LABEL, [{"type": "context", "elements": [{"type": "plain_text", "text": LABEL}]}])
    await booth.mouth().post(Card(title=LABEL, body=LABEL, footer=LABEL), place, key="note")
    before = len(booth.slack.channel(booth.channel).messages)

    booth.hours.later(LATEST.total_seconds())
    await surface(booth).presence(place, RunStatus.DONE)

    assert len(booth.slack.channel(booth.channel).messages) == before
    assert not booth.slack.calls(DELETE)


async def test_where_we_may_not_read_a_lost_draft_is_given_up(booth: Booth, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the scope to look there is nothing to do about it; the lamps and the next draft do not wait for it."""
    place = await a_thread(booth)
    await unheard(booth, place, monkeypatch, "lost")
    booth.slack.faults.fail(LOOK, "missing_scope")

    await surface(booth).presence(place, RunStatus.DONE)

    assert not booth.keep.values
    assert booth.slack.sessions[(place.channel, str(place.thread))] == "active"


async def test_a_start_that_was_refused_leaves_nothing_to_look_for(booth: Booth) -> None:
    place = await a_thread(booth)
    booth.slack.faults.fail(START, "invalid_thread_ts")

    await a_turn(booth, place, surface(booth))
    await surface(booth).presence(place, RunStatus.DONE)

    assert not booth.slack.calls(LOOK)
    assert not booth.keep.values


async def test_a_stream_that_could_not_be_stopped_is_not_forgotten(booth: Booth) -> None:
    """Slack deletes nothing that still streams: whoever shows the run's next status stops it, then deletes it."""
    place = await a_thread(booth)
    booth.slack.faults.lose_request(STOP)
    booth.slack.faults.fail(DELETE, "streaming_state_conflict")
    async with turn(booth, place) as hear:
        assert hear
        hear(WORDS)
        await shown(booth, WORDS[:PIECE])
    assert drafts(booth)

    await surface(booth).presence(place, RunStatus.WAITING)

    assert not drafts(booth)
    assert len(booth.slack.calls(STOP)) == 2


async def test_what_a_killed_process_left_goes_before_the_next_draft(booth: Booth) -> None:
    """The turn is given again by whoever has the run now: one draft stands, the new one."""
    place = await a_thread(booth)
    await left_behind(booth, place)
    [old] = drafts(booth)

    async with turn(booth, place) as hear:
        assert hear
        hear(WORDS)
        await booth.slack.until(lambda: len(pieces(booth)) == 2, "the new draft")
        [new] = drafts(booth)
        assert new.ts != old.ts
    assert not drafts(booth)


async def test_a_draft_that_grows_just_now_is_not_swept_away(booth: Booth) -> None:
    """The thread's last run ended a moment ago, and its end is shown late."""
    place, ours = await a_thread(booth), surface(booth)
    async with turn(booth, place, ours) as hear:
        assert hear
        hear(WORDS)
        await shown(booth, WORDS[:PIECE])

        await ours.presence(place, RunStatus.DONE)

        assert drafts(booth)


async def test_no_word_is_shown_that_could_not_be_taken_back(booth: Booth) -> None:
    """The store is away: where the draft stands cannot be written down, so it holds nothing but its label, and goes."""
    place = await a_thread(booth)
    booth.slack.faults.lose_request(STOP)
    async with turn(booth, place) as hear:
        assert hear
        hear(WORDS)
        await booth.slack.until(lambda: booth.slack.calls(START), "asked")
        booth.keep.is_down = True
        await booth.slack.until(lambda: booth.slack.calls(DELETE), "deleted")

    assert not booth.slack.calls(APPEND)
    assert not drafts(booth)
