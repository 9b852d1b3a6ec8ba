"""What Slack said is believed for a minute: never longer, never instead of a failure, never for high risk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.slack.api import SlackGone
from bot.domain.errors import ChatUnavailable
from tests.slack.office import Hours, Office, by_table, may, opened, u
from tests.slack.table import Table


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with opened() as office:
        yield office


async def test_an_answer_is_believed_for_a_minute_and_not_longer() -> None:
    table, hours = Table().add("U1"), Hours()
    directory = by_table(table, hours=hours)
    assert await may(directory, u("U1"))
    table.add("U1", deleted=True)

    hours.now += 59.9
    assert await may(directory, u("U1"))
    assert table.asked["users.info"] == 1

    hours.now += 0.1
    assert not await may(directory, u("U1"))


async def test_a_failed_look_up_refuses_and_never_answers_from_an_old_entry(office: Office) -> None:
    """T16: whatever goes wrong, it is Unavailable: nobody counts what nobody could check."""
    ana, hours = office.slack.add_user("ana"), office.hours
    directory, info = office.directory(), "users.info"
    assert await may(directory, office.on(ana))
    hours.now += 60
    faults = office.slack.faults

    for code in ("internal_error", "missing_scope", "never_heard_of"):
        faults.fail(info, code)
    faults.html(info)
    faults.lose_reply(info)
    faults.rate_limit(info, 1)
    for met in range(6):
        with pytest.raises(ChatUnavailable):
            await directory.who(office.on(ana))
        assert len(office.slack.calls(info)) == met + 2, "a question each"

    assert await may(directory, office.on(ana))


@pytest.mark.parametrize("row", [{}, {"id": 7}, {"id": "U1", "deleted": "no"}, {"id": "U1", "profile": []}])
async def test_an_answer_of_another_shape_says_nothing(row: dict[str, object]) -> None:
    table = Table()
    table.rows["T1", "U1"] = {"is_bot": False, **row}
    with pytest.raises(ChatUnavailable):
        await by_table(table).who(u("U1"))


async def test_an_app_that_was_removed_a_moment_ago_is_a_failed_look_up(office: Office) -> None:
    ana, directory = office.slack.add_user("ana"), office.directory()
    office.slack.faults.fail("users.info", "account_inactive")

    with pytest.raises(ChatUnavailable):
        await directory.who(office.on(ana))

    class Gone(Table):
        async def bot_user(self, team: str) -> str | None:
            self.error = SlackGone(team)
            return "UBOT"

    with pytest.raises(ChatUnavailable, match="not installed"):
        await by_table(Gone().add("U1")).who(u("U1"))


async def test_a_fresh_directory_asks_for_itself_and_the_remembering_one_learns(office: Office) -> None:
    """T16: high-risk requests are judged by what is true now."""
    ana = office.slack.add_user("ana")
    directory = office.directory()
    assert await may(directory, office.on(ana))
    office.slack.change_user(ana, deleted=True)
    assert await may(directory, office.on(ana)), "it remembers"

    fresh = directory.fresh()

    assert not await may(fresh, office.on(ana))
    assert not await may(directory, office.on(ana)), "it has learned"
    assert len(office.slack.calls("users.info")) == 2
    office.slack.change_user(ana, deleted=False)
    assert await may(fresh.fresh(), office.on(ana))


async def test_a_fresh_directory_does_not_wait_for_a_question_that_was_asked_before() -> None:
    """The answer under way may be older than the judgement. And when it comes late, it undoes nothing."""
    table, hours = Table().add("U1"), Hours()
    directory = by_table(table, hours=hours)
    table.gate.clear()
    async with asyncio.TaskGroup() as group:
        early = group.create_task(may(directory, u("U1")))
        await table.entered.wait()
        hours.now += 1
        table.add("U1", deleted=True)
        fresh, table.gate = table.gate, asyncio.Event()
        table.gate.set()

        assert not await may(directory.fresh(), u("U1"))

        fresh.set()
    assert not await early, "what was asked later is known by now"
    assert not await may(directory, u("U1")), "and stands"
    assert table.asked["users.info"] == 2


async def test_those_who_ask_the_same_at_once_share_one_call() -> None:
    """A crowd at one card is one question to Slack."""
    table = Table().add("U1")
    directory = by_table(table)
    async with asyncio.TaskGroup() as group:
        table.gate.clear()
        crowd = [group.create_task(may(directory, u("U1"))) for _ in range(50)]
        await table.entered.wait()
        table.gate.set()

    assert all(one.result() for one in crowd)
    assert table.asked["users.info"] == 1


async def test_a_failure_is_shared_too_and_remembered_by_nobody() -> None:
    table = Table().add("U1")
    directory = by_table(table)
    table.error = ChatUnavailable("slack", "down")
    table.gate.clear()
    asking = asyncio.gather(*(may(directory, u("U1")) for _ in range(5)), return_exceptions=True)
    await table.entered.wait()
    table.gate.set()

    assert [type(one) for one in await asking] == [ChatUnavailable] * 5
    assert table.asked["users.info"] == 1
    table.error = None
    assert await may(directory, u("U1"))


async def test_whoever_stops_waiting_stops_nobody_else() -> None:
    """A request that ran out of time takes its own question with it; the next in line asks again."""
    table = Table().add("U1")
    directory = by_table(table)
    table.gate.clear()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(may(directory, u("U1")))
        await table.entered.wait()
        second, third = (group.create_task(may(directory, u("U1"))) for _ in range(2))
        await asyncio.sleep(0)
        third.cancel()
        first.cancel()
        table.gate.set()

    assert second.result()
    assert table.asked["users.info"] == 2
