"""The surface: Slack's own lamps follow the run, are never touched for nothing, and never hold anybody up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.slack.surface import LIGHTS, REMEMBERED_FOR, Surface
from bot.domain.chat import Place
from bot.domain.run import RunStatus
from tests.slack.given import Booth, opened_booth

SESSION, TYPING = "agents.sessions.setStatus", "assistant.threads.setStatus"
ENDS = [RunStatus.DONE, RunStatus.STOPPED, RunStatus.FAILED]
ACTIVE, WAITING, STOPPING, DONE = RunStatus.ACTIVE, RunStatus.WAITING, RunStatus.STOPPING, RunStatus.DONE
FOR_GOOD = ["unknown_method", "feature_disabled", "not_agent_app", "missing_scope", "not_authorized", "brand_new_code"]
HERE_ALONE = [
    *("thread_ts_required", "thread_ts_not_allowed", "invalid_thread_ts"),
    *("channel_not_found", "not_in_channel", "is_archived"),
]


@pytest.fixture
async def booth() -> AsyncIterator[Booth]:
    async with opened_booth() as booth:
        yield booth


def surface(booth: Booth) -> Surface:
    """Another process."""
    return Surface(booth.api(), booth.keep, booth.people, booth.hours.utc)


async def a_thread(booth: Booth) -> Place:
    return booth.place(await booth.thread())


def lamps(booth: Booth, place: Place) -> tuple[str | None, str | None]:
    """The session's status and the older lamp's text, as people see them."""
    assert place.thread
    there = place.channel, place.thread
    return booth.slack.sessions.get(there), booth.slack.statuses.get(there)


def sent(booth: Booth, method: str) -> list[str]:
    return [str(args["status"]) for args in booth.slack.calls(method)]


def without(booth: Booth, method: str, code: str = "unknown_method", times: int = 50) -> None:
    booth.slack.faults.fail(method, code, times=times)


# ------------------------------------------------------------------------- what is shown


@pytest.mark.parametrize(
    ("status", "session"),
    [
        *((ACTIVE, "processing"), (WAITING, "suspended"), (STOPPING, "processing")),
        *((end, "active") for end in ENDS),
    ],
)
async def test_the_session_says_what_the_run_does(booth: Booth, status: RunStatus, session: str) -> None:
    """The table of docs/slack.md, decision 10. The older lamp stays dark where there are sessions."""
    place = await a_thread(booth)

    await surface(booth).presence(place, status)

    assert lamps(booth, place) == (session, None)


def test_every_status_of_a_run_has_its_light() -> None:
    assert set(LIGHTS) == set(RunStatus)


@pytest.mark.parametrize("end", ENDS)
async def test_a_workspace_without_sessions_gets_the_older_lamp_and_its_end(booth: Booth, end: RunStatus) -> None:
    """It is lit while the run works and off at the end, whatever the end is (hermes-agent#24117)."""
    place, ours = await a_thread(booth), surface(booth)
    without(booth, SESSION)

    await ours.presence(place, ACTIVE)
    assert lamps(booth, place) == (None, "is working…")
    await ours.presence(place, STOPPING)
    assert lamps(booth, place) == (None, "is stopping…")
    await ours.presence(place, end)

    assert lamps(booth, place) == (None, None)
    assert sent(booth, TYPING) == ["is working…", "is stopping…", ""]


async def test_the_composer_is_free_before_anybody_is_asked(booth: Booth) -> None:
    """PP-10: hermes-agent#92202: the older lamp locks the composer. Another process may have lit it: it goes off
    first.
    """
    place = await a_thread(booth)
    without(booth, SESSION)
    await surface(booth).presence(place, ACTIVE)
    booth.slack.faults.clear()

    await surface(booth).presence(place, WAITING)

    assert lamps(booth, place) == ("suspended", None)
    assert [one.method for one in booth.slack.called[-2:]] == [TYPING, SESSION]


@pytest.mark.parametrize("has_sessions", [True, False])
async def test_the_same_state_is_never_sent_twice_by_whichever_process(booth: Booth, has_sessions: bool) -> None:
    """PP-03: the outbox calls at every picture of the status card; Slack hears of changes alone."""
    place, processes = await a_thread(booth), [surface(booth), surface(booth)]
    if not has_sessions:
        without(booth, SESSION, times=2)  # each has to ask

    for number, status in enumerate((ACTIVE, ACTIVE, STOPPING, WAITING, WAITING, ACTIVE, DONE)):
        await processes[number % 2].presence(place, status)

    if has_sessions:
        assert sent(booth, SESSION) == ["processing", "suspended", "processing", "active"]
        assert sent(booth, TYPING) == [""]  # once, for whoever was here before us
    else:
        assert len(sent(booth, SESSION)) == 2
        assert sent(booth, TYPING) == ["is working…", "is stopping…", "", "is working…", ""]
    assert not booth.keep.values


@pytest.mark.parametrize("has_sessions", [True, False])
@pytest.mark.parametrize("end", ENDS)
async def test_an_end_is_shown_whatever_a_process_believes_to_stand_there(
    booth: Booth, has_sessions: bool, end: RunStatus
) -> None:
    """PP-03, AS-16: a thread's shard moves to another process and back, and the store may have been away meanwhile:
    what this process showed last is not what people see.
    """
    place, one, two = await a_thread(booth), surface(booth), surface(booth)
    if not has_sessions:
        without(booth, SESSION)
    await one.presence(place, ACTIVE)
    booth.slack.faults.html(TYPING)  # one of the two was told, and that is known to all
    await one.presence(place, end)
    booth.keep.is_down = True
    await two.presence(place, ACTIVE)
    booth.keep.is_down = False

    await one.presence(place, end)

    assert lamps(booth, place) == (("active", None) if has_sessions else (None, None))


async def test_a_thread_that_comes_back_from_another_process_is_shown_as_it_is_now(booth: Booth) -> None:
    """PP-03: people are asked by the process that has the run now, and it works on in the one that had it before."""
    place, one, two = await a_thread(booth), surface(booth), surface(booth)

    await one.presence(place, ACTIVE)
    await two.presence(place, WAITING)
    await one.presence(place, ACTIVE)

    assert lamps(booth, place)[0] == "processing"


async def test_the_next_task_of_a_thread_is_shown_again(booth: Booth) -> None:
    place, ours = await a_thread(booth), surface(booth)

    for status in (ACTIVE, DONE, ACTIVE):
        await ours.presence(place, status)

    assert lamps(booth, place)[0] == "processing"


async def test_what_is_remembered_ends_with_the_run_or_after_a_day(booth: Booth) -> None:
    """T18: a forgotten thread costs one call more, and nothing else; a run that ended leaves no trace."""
    ours, place = surface(booth), await a_thread(booth)
    await ours.presence(place, ACTIVE)
    assert set(booth.keep.lives.values()) == {REMEMBERED_FOR}

    booth.hours.later(REMEMBERED_FOR.total_seconds())
    await ours.presence(place, ACTIVE)
    assert sent(booth, SESSION) == ["processing", "processing"]

    await ours.presence(place, DONE)
    assert not booth.keep.values


async def test_threads_without_a_lamp_are_remembered_up_to_a_number(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T18: the one that was asked longest ago is asked again."""
    monkeypatch.setattr("adapters.slack.surface.REMEMBERED", 2)
    ours, places = surface(booth), [await a_thread(booth) for _ in range(3)]
    without(booth, SESSION, "invalid_thread_ts", times=3)
    for place in places:
        await ours.presence(place, WAITING)

    await ours.presence(places[2], ACTIVE)
    await ours.presence(places[0], ACTIVE)

    assert len(sent(booth, SESSION)) == 4


# ------------------------------------------------------------------------- what is not there


@pytest.mark.parametrize("code", FOR_GOOD)
@pytest.mark.parametrize("method", [SESSION, TYPING])
async def test_what_a_workspace_does_not_have_is_asked_for_once(booth: Booth, method: str, code: str) -> None:
    """Each lamp by itself: without one of them the other still shines, in every thread."""
    place, other, ours = await a_thread(booth), await a_thread(booth), surface(booth)
    without(booth, method, code)

    for where in (place, other):
        for status in (ACTIVE, WAITING, ACTIVE, DONE):
            await ours.presence(where, status)

    assert len(booth.slack.calls(method)) == 1
    assert lamps(booth, other) == (("active", None) if method == TYPING else (None, None))
    assert sent(booth, TYPING).count("is working…") == (4 if method == SESSION else 0)


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("method", [SESSION, TYPING])
async def test_a_page_that_says_there_is_no_such_method_is_an_unknown_method(
    booth: Booth, method: str, status: int
) -> None:
    """An emulator or a proxy answers with a page and no code: asked once, the other lamp shines, nothing is owed."""
    place, ours = await a_thread(booth), surface(booth)
    booth.slack.faults.html(method, status=status, times=50)

    for of_run in (ACTIVE, WAITING, ACTIVE, DONE):
        await ours.presence(place, of_run)
    asked = len(booth.slack.called)
    naps = iter(range(3))
    await tended(ours, lambda: next(naps) == 2)

    assert len(booth.slack.calls(method)) == 1
    assert sent(booth, TYPING).count("is working…") == (2 if method == SESSION else 0)
    assert lamps(booth, place) == (("active", None) if method == TYPING else (None, None))
    assert len(booth.slack.called) == asked


@pytest.mark.parametrize("code", HERE_ALONE)
async def test_a_thread_that_cannot_show_it_does_not_switch_it_off_for_others(booth: Booth, code: str) -> None:
    """Somebody deletes a thread's first message; everybody else's lamps stay."""
    place, other, ours = await a_thread(booth), await a_thread(booth), surface(booth)
    booth.slack.faults.fail(SESSION, code)

    for status in (ACTIVE, WAITING, DONE):
        await ours.presence(place, status)
    await ours.presence(other, ACTIVE)

    assert lamps(booth, place)[0] is None
    assert lamps(booth, other)[0] == "processing"
    assert len(booth.slack.calls(SESSION)) == 2


async def test_one_workspaces_lack_is_not_anothers(booth: Booth) -> None:
    """T15: what is remembered is remembered of the workspace that said so."""
    ours = surface(booth)
    without(booth, SESSION)
    await ours.presence(await a_thread(booth), ACTIVE)
    booth.slack.faults.clear()
    booth.tokens.known["T0OTHER"] = booth.slack.bot_token
    there = Place(platform="slack", tenant="T0OTHER", channel=booth.channel, thread=await booth.thread())

    await ours.presence(there, ACTIVE)

    assert lamps(booth, there)[0] == "processing"


async def test_a_place_without_a_thread_has_no_lamps(booth: Booth) -> None:
    """Slack wants a thread; it is asked once, for there are conversations that are one session as a whole."""
    ours = surface(booth)

    for status in (ACTIVE, WAITING, DONE):
        await ours.presence(booth.place(), status)

    assert len(booth.slack.calls(SESSION)) == 1
    assert not booth.slack.calls(TYPING)


# ------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("trouble", ["rate limit", "html", "lost request", "lost reply", "internal_error"])
async def test_trouble_is_dropped_and_the_next_change_is_sent(booth: Booth, trouble: str) -> None:
    """Decoration: nothing is raised, nothing is tried again in a hurry."""
    place, ours, faults = await a_thread(booth), surface(booth), booth.slack.faults
    for method in (SESSION, TYPING):
        match trouble:
            case "rate limit":
                faults.rate_limit(method, retry_after=1)
            case "html":
                faults.html(method)
            case "lost request":
                faults.lose_request(method)
            case "lost reply":
                faults.lose_reply(method)
            case code:
                faults.fail(method, code)

    await ours.presence(place, WAITING)
    assert len(booth.slack.calls(SESSION)) == len(booth.slack.calls(TYPING)) == 1
    await ours.presence(place, WAITING)

    assert lamps(booth, place) == ("suspended", None)


async def test_a_dead_token_or_an_uninstalled_app_is_nobodys_trouble(booth: Booth) -> None:
    ours = surface(booth)
    place = await a_thread(booth)
    booth.slack.faults.fail(SESSION, "token_revoked")

    await ours.presence(place, ACTIVE)
    booth.tokens.known.clear()
    await ours.presence(place, DONE)

    assert len(booth.slack.called) == 1


async def test_a_silent_slack_holds_up_nobody(booth: Booth, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds, here a twentieth of one. What it became is not known, so the next call is made."""
    monkeypatch.setattr("adapters.slack.surface.WITHIN", 0.05)
    place, ours = await a_thread(booth), surface(booth)
    booth.slack.faults.hang(SESSION)
    await ours.presence(place, ACTIVE)
    monkeypatch.undo()

    await ours.presence(place, ACTIVE)

    assert sent(booth, SESSION) == ["processing", "processing"]
    assert lamps(booth, place)[0] == "processing"


@pytest.mark.parametrize("is_silent", [True, False])
@pytest.mark.parametrize("end", ENDS)
async def test_an_end_that_was_lost_is_shown_with_the_next_chance(
    booth: Booth, monkeypatch: pytest.MonkeyPatch, end: RunStatus, is_silent: bool
) -> None:
    """ "Is working" must not stand for ever below an answer: any other thread's status takes it along."""
    place, other, ours = await a_thread(booth), await a_thread(booth), surface(booth)
    await ours.presence(place, ACTIVE)
    with monkeypatch.context() as impatient:
        if is_silent:
            impatient.setattr("adapters.slack.surface.WITHIN", 0.05)
            booth.slack.faults.hang(SESSION)
        else:
            booth.slack.faults.html(SESSION)
        await ours.presence(place, end)
    assert lamps(booth, place)[0] == "processing"

    await ours.presence(other, ACTIVE)
    await ours.presence(other, WAITING)

    assert lamps(booth, place)[0] == "active"
    assert sent(booth, SESSION).count("active") == 2


async def test_an_end_that_is_owed_does_not_end_the_threads_next_task(booth: Booth) -> None:
    """The end's reply was lost: perhaps it is shown. The next task is, in any case, and stays."""
    place, other, ours = await a_thread(booth), await a_thread(booth), surface(booth)
    await ours.presence(place, ACTIVE)
    booth.slack.faults.lose_reply(SESSION)
    await ours.presence(place, DONE)

    await ours.presence(place, ACTIVE)
    await ours.presence(other, ACTIVE)

    assert lamps(booth, place)[0] == "processing"


async def test_an_end_that_was_lost_is_shown_though_nothing_else_happens(booth: Booth) -> None:
    """It was the last task of the day: nobody else's status takes the lamp along."""
    place, ours = await a_thread(booth), surface(booth)
    await ours.presence(place, ACTIVE)
    booth.slack.faults.html(SESSION, times=2)
    await ours.presence(place, DONE)
    assert lamps(booth, place)[0] == "processing"

    await tended(ours, lambda: lamps(booth, place)[0] == "active")

    assert sent(booth, SESSION) == ["processing", "active", "active", "active"]


@pytest.mark.parametrize("end", ENDS)
async def test_an_end_that_was_lost_outlives_its_process(booth: Booth, end: RunStatus) -> None:
    """PP-03: the row is gone from the outbox and the process is restarted: whoever runs now shows the end, once."""
    place, ours = await a_thread(booth), surface(booth)
    await ours.presence(place, ACTIVE)
    booth.slack.faults.html(SESSION)
    await ours.presence(place, end)
    assert lamps(booth, place)[0] == "processing"

    looks = iter(range(5))
    await tended(surface(booth), lambda: next(looks) == 3)

    assert lamps(booth, place)[0] == "active"
    assert sent(booth, SESSION) == ["processing", "active", "active"]
    assert not booth.keep.values


async def test_an_end_that_another_process_owes_does_not_end_the_threads_next_task(booth: Booth) -> None:
    """PP-03: the next task of the thread runs elsewhere; whoever owed the end hears that there is nothing to show."""
    place, one, two = await a_thread(booth), surface(booth), surface(booth)
    await two.presence(place, ACTIVE)
    booth.slack.faults.html(SESSION)
    await one.presence(place, DONE)

    await two.presence(place, ACTIVE)
    looks = iter(range(9))
    for ours in (one, two, surface(booth)):
        await tended(ours, lambda: next(looks) % 3 == 2)

    assert lamps(booth, place)[0] == "processing"


async def test_one_end_that_cannot_be_shown_does_not_hold_up_the_others(booth: Booth) -> None:
    """One workspace's Slack is away: the ends of all others are shown by the next look but one."""
    places = [await a_thread(booth) for _ in range(3)]
    for place in places:
        await surface(booth).presence(place, ACTIVE)
    booth.slack.faults.html(SESSION, times=4)
    for place in places:
        await surface(booth).presence(place, DONE)

    looks = iter(range(9))
    await tended(surface(booth), lambda: next(looks) == 2)

    assert [lamps(booth, place)[0] for place in places] == ["active"] * 3


async def test_an_end_that_is_shown_late_does_not_come_after_the_next_task(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread's next task begins while its last end is on its way to Slack: they arrive in their order."""
    place, api = await a_thread(booth), booth.api()
    ours, send = Surface(api, booth.keep, booth.people), api.call
    booth.slack.faults.html(SESSION)
    await ours.presence(place, DONE)
    begun: list[asyncio.Task[None]] = []

    async with asyncio.TaskGroup() as group:

        async def slowly(team: str, method: str, *, channel: str = "", **args: str | None) -> Mapping[str, Any]:
            if args["status"] == "active":  # the other one may overtake it, if it can
                begun.append(group.create_task(ours.presence(place, ACTIVE)))
                await asyncio.wait(begun, timeout=0.1)
            return await send(team, method, channel=channel, **args)

        monkeypatch.setattr(api, "call", slowly)
        await tended(ours, lambda: bool(begun))

    assert lamps(booth, place)[0] == "processing"


async def test_a_bug_behind_a_late_end_is_said_aloud_and_ends_nothing(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, ours = await a_thread(booth), surface(booth)
    booth.slack.faults.html(SESSION)
    await ours.presence(place, DONE)
    looks = iter([True, False])
    monkeypatch.setattr(ours, "_clear", broken)

    with capture_logs() as told:
        await tended(ours, lambda: not next(looks))

    assert [line["event"] for line in told if line["log_level"] == "error"] == ["slack_presence_failed"]


async def tended(ours: Surface, is_over: Callable[[], bool]) -> None:
    """Let time pass in no time until *is_over*."""

    async def naps(_: float) -> None:
        if is_over():
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await ours.tend(naps)


async def broken(_: Place) -> None:
    raise ZeroDivisionError
