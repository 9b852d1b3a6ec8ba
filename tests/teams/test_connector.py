"""One call of the Bot Connector: what is repeated, what is not, and where our token goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from adapters.teams.clouds import GCC, ForeignHost, cloud_of
from adapters.teams.codes import Said
from adapters.teams.connector import (
    BACKOFF,
    LOOK_AGAIN,
    MOST_PAGES,
    STOPPED_AGAIN,
    Connector,
    Created,
    PerhapsDone,
    TeamsRefused,
    TeamsStopped,
    Timing,
    Where,
)
from adapters.teams.credentials import Secret
from adapters.teams.pace import Pace
from adapters.teams.tokens import Tokens
from bot.domain.errors import ChatUnavailable, Refused
from tests.fakes.loopback import Handler
from tests.teams.wires import (
    APP,
    TENANT,
    Hours,
    Site,
    a_session,
    a_site,
    cloud_at,
    drops,
    fails,
    hangs,
    says,
    waits,
)

CONVERSATION = "19:abc@thread.tacv2;messageid=1700000000000"
ENCODED = "19%3Aabc%40thread.tacv2%3Bmessageid%3D1700000000000"
POSTED = says(201, {"id": "1700000000001"})
MESSAGE = {"type": "message", "text": "wombat"}

Do = Callable[["Desk"], Awaitable[Any]]


@dataclass
class Desk:
    """A connector, Teams as a script, and Entra, which gives T1, T2 …"""

    connector: Connector
    teams: Site
    entra: Site
    hours: Hours
    at: Where = field(init=False)

    def __post_init__(self) -> None:
        self.at = Where(tenant=TENANT, service_url=f"{self.teams.url}/emea/", conversation=CONVERSATION)

    @property
    def tokens(self) -> list[str]:
        return [asked.token for asked in self.teams.asked]


@asynccontextmanager
async def a_desk(*answers: Handler) -> AsyncIterator[Desk]:
    hours = Hours()
    tokens = [says(200, {"access_token": f"T{n}", "expires_in": 3_600}) for n in range(1, 9)]
    async with a_site(*answers) as teams, a_site(*tokens) as entra, a_session() as session:
        cloud = cloud_at(teams.url)
        own = Tokens(session, cloud_at(entra.url), TENANT, Secret(APP, "secret"), hours.clock)
        timing = Timing(clock=hours.clock, sleep=hours.sleep, jitter=lambda: 0.0)
        yield Desk(Connector(session, cloud, own, Pace(hours.clock, hours.sleep), timing), teams, entra, hours)


async def posting(desk: Desk) -> Any:
    return await desk.connector.post(desk.at, MESSAGE)


async def putting(desk: Desk) -> Any:
    return await desk.connector.put(desk.at, "1:2", MESSAGE)


async def reading(desk: Desk) -> Any:
    return await desk.connector.member(desk.at, "29:ana")


async def creating(desk: Desk) -> Any:
    return await desk.connector.create(desk.at, {"isGroup": False})


# ---------------------------------------------------------------------- one call


async def test_each_verb_goes_where_the_bot_connector_expects_it() -> None:
    """The service URL's own path is kept; every id is encoded whole."""
    both = says(200, {"id": "c1", "activityId": "a1", "members": [{"id": "29:ana"}], "conversations": [{"id": "19:g"}]})
    async with a_desk(both) as desk:
        assert await posting(desk) == "c1"
        await putting(desk)
        assert await creating(desk) == Created(conversation="c1", activity="a1")
        assert (await reading(desk))["id"] == "c1"
        assert await desk.connector.members(desk.at) == ({"id": "29:ana"},)
        assert (await desk.connector.team(desk.at, "19:team"))["id"] == "c1"
        assert await desk.connector.channels(desk.at, "19:team") == ({"id": "19:g"},)

    asked = [(one.method, one.path) for one in desk.teams.asked]
    assert asked == [
        ("POST", f"/emea/v3/conversations/{ENCODED}/activities"),
        ("PUT", f"/emea/v3/conversations/{ENCODED}/activities/1%3A2"),
        ("POST", "/emea/v3/conversations"),
        ("GET", f"/emea/v3/conversations/{ENCODED}/members/29%3Aana"),
        ("GET", f"/emea/v3/conversations/{ENCODED}/pagedmembers?pageSize=500"),
        ("GET", "/emea/v3/teams/19%3Ateam"),
        ("GET", "/emea/v3/teams/19%3Ateam/conversations"),
    ]
    assert desk.teams.asked[0].body == MESSAGE
    assert set(desk.tokens) == {"T1"}
    assert len(desk.entra.asked) == 1


async def test_every_page_of_the_members_is_read_and_not_for_ever() -> None:
    more = says(200, {"members": [{"id": "x"}, 7], "continuationToken": "a/b&c=d"})
    async with a_desk(more, more, says(200, {"members": [{"id": "y"}]})) as desk:
        assert [one["id"] for one in await desk.connector.members(desk.at)] == ["x", "x", "y"]
        assert desk.teams.asked[1].path.endswith("?pageSize=500&continuationToken=a%2Fb%26c%3Dd")

    async with a_desk(more) as desk:
        assert len(await desk.connector.members(desk.at)) == MOST_PAGES


@pytest.mark.parametrize("id", ["", ".", ".."])
async def test_an_id_that_would_lead_elsewhere_is_sent_nowhere(id: str) -> None:
    """T13: ids come from storage and from clicks."""
    async with a_desk(POSTED) as desk:
        with pytest.raises(Refused):
            await desk.connector.put(desk.at, id, MESSAGE)
        with pytest.raises(Refused):
            await desk.connector.post(Where(tenant=TENANT, service_url=desk.at.service_url, conversation=id), MESSAGE)
    assert desk.teams.asked == []


async def test_slashes_and_questions_in_an_id_stay_in_it() -> None:
    async with a_desk(says(200, {})) as desk:
        await desk.connector.put(desk.at, "../../x?y=%2F#z", MESSAGE)
    assert desk.teams.asked[0].path.endswith("/activities/..%2F..%2Fx%3Fy%3D%252F%23z")


# ------------------------------------------------------------------ what is repeated


NOTHING_DONE: Sequence[tuple[Handler, float]] = [
    (fails(412, "PreconditionFailed"), BACKOFF[0]),
    (fails(429, "Throttled"), BACKOFF[0]),
    (fails(429, "Throttled", Retry_After="3"), 3.0),
]


@pytest.mark.parametrize(("answer", "wait"), NOTHING_DONE)
@pytest.mark.parametrize("do", [posting, putting, reading, creating])
async def test_what_certainly_was_not_done_is_repeated_whatever_it_is(answer: Handler, wait: float, do: Do) -> None:
    """412 and 429 with and without a time: nothing happened, so once more is once."""
    async with a_desk(answer, POSTED) as desk:
        await do(desk)
    assert len(desk.teams.asked) == 2
    assert desk.hours.now - 1_000 == pytest.approx(wait, abs=0.2)


@pytest.mark.parametrize("answer", [fails(502, ""), fails(503, "ServiceUnavailable"), fails(504, "")])
@pytest.mark.parametrize("do", [putting, reading])
async def test_a_lost_answer_is_asked_for_again_where_twice_is_as_good_as_once(answer: Handler, do: Do) -> None:
    """Half a second, one, two; then it is somebody else's turn to wait."""
    async with a_desk(answer, answer, answer, says(200, {"id": "x"})) as desk:
        await do(desk)
    assert len(desk.teams.asked) == 4
    assert desk.hours.slept == list(BACKOFF)

    async with a_desk(answer) as desk:
        with pytest.raises(ChatUnavailable) as told:
            await do(desk)
    assert not isinstance(told.value, PerhapsDone)
    assert len(desk.teams.asked) == 4


@pytest.mark.parametrize("do", [putting, reading])
async def test_a_connection_that_breaks_is_asked_again_too(do: Do) -> None:
    """aiohttp asks once more by itself where it used an old connection, which is as good."""
    async with a_desk(drops, drops, says(200, {"id": "x"})) as desk:
        await do(desk)
    assert len(desk.teams.asked) == 3

    async with a_desk(drops) as desk:
        with pytest.raises(ChatUnavailable):
            await do(desk)
    assert desk.hours.slept == list(BACKOFF)


@pytest.mark.parametrize(
    "answer",
    [
        fails(500, "ServiceError"),
        fails(502, ""),
        fails(503, ""),
        fails(504, ""),
        fails(408, ""),
        drops,
        says(201, {}),
        says(200, b"<"),
    ],
)
@pytest.mark.parametrize("do", [posting, creating])
async def test_a_post_whose_outcome_nobody_knows_is_never_repeated_blindly(answer: Handler, do: Do) -> None:
    """GN-25's rule outside: two cards for one question would be two chances to answer it."""
    async with a_desk(answer) as desk:
        with pytest.raises(PerhapsDone):
            await do(desk)
    assert len(desk.teams.asked) == 1
    assert desk.hours.slept == []


async def test_a_500_is_not_asked_again_at_once() -> None:
    async with a_desk(fails(500, "ServiceError")) as desk:
        with pytest.raises(ChatUnavailable):
            await putting(desk)
    assert len(desk.teams.asked) == 1


async def test_a_connection_that_is_refused_was_never_sent_and_is_tried_again() -> None:
    """A restart of Microsoft's takes a second: the message goes out after it, once."""
    async with a_desk(POSTED) as desk:
        url = desk.teams.url
    async with a_desk(POSTED) as desk:
        nobody = Where(tenant=TENANT, service_url=f"{url}/", conversation="19:a")
        desk.connector._cloud = cloud_at(url)
        with pytest.raises(ChatUnavailable) as told:
            await desk.connector.post(nobody, MESSAGE)
    assert not isinstance(told.value, PerhapsDone)
    assert desk.hours.slept == list(BACKOFF)


async def test_a_hang_ends_and_a_post_that_hung_may_have_been_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """15 s in earnest; nobody holds a place in a queue for longer."""
    monkeypatch.setattr("adapters.teams.connector.DEADLINE", aiohttp.ClientTimeout(total=0.05))
    async with asyncio.timeout(5), a_desk(hangs) as desk:
        with pytest.raises(PerhapsDone):
            await posting(desk)
        with pytest.raises(ChatUnavailable):
            await reading(desk)
    assert [asked.method for asked in desk.teams.asked] == ["POST", "GET", "GET", "GET", "GET"]


async def test_a_long_retry_after_is_the_callers_to_wait_and_nobody_elses() -> None:
    """429: this conversation rests as long as Teams said; others go on, and no request is made meanwhile."""
    async with a_desk(fails(429, "Throttled", Retry_After="120"), POSTED) as desk:
        with pytest.raises(ChatUnavailable) as told:
            await posting(desk)
        assert told.value.retry_after == 120
        with pytest.raises(ChatUnavailable):
            await posting(desk)
        assert len(desk.teams.asked) == 1

        other = Where(tenant=TENANT, service_url=desk.at.service_url, conversation="19:other")
        assert await desk.connector.post(other, MESSAGE)
        assert desk.hours.slept == []


async def test_a_conversation_that_waits_does_not_hold_up_another() -> None:
    """One hung send is one hung send."""
    go, begun = asyncio.Event(), asyncio.Event()
    async with a_desk(waits(go, POSTED, begun), POSTED) as desk, asyncio.TaskGroup() as group:
        slow = group.create_task(posting(desk))
        await begun.wait()

        other = Where(tenant=TENANT, service_url=desk.at.service_url, conversation="19:other")
        assert await desk.connector.post(other, MESSAGE)
        assert not slow.done()
        go.set()


async def test_an_edit_that_gets_lost_is_tried_once_more_two_seconds_later() -> None:
    """About one edit in a thousand is refused without reason; twice is the truth: the message is gone."""
    for lost in (fails(404, "ActivityNotFoundInConversation"), fails(403, "ServiceError")):
        async with a_desk(lost, says(200, {})) as desk:
            await putting(desk)
        assert desk.hours.slept == [LOOK_AGAIN]

        async with a_desk(lost) as desk:
            with pytest.raises(TeamsRefused) as told:
                await putting(desk)
        assert told.value.outcome == "edit_lost"
        assert len(desk.teams.asked) == 2


@pytest.mark.parametrize(
    ("answer", "outcome", "is_loud"),
    [
        (fails(400, "BadSyntax"), "broken", True),
        (fails(403, "BotNotInConversationRoster"), "not_installed", False),
        (fails(404, "ConversationNotFound"), "gone", False),
        (fails(403, "ConversationBlockedByUser"), "blocked", False),
        (fails(403, "BotDisabledByAdmin"), "forbidden", True),
        (fails(413, "MessageSizeTooBig"), "too_large", False),
        (says(413, b"<html>wombat</html>"), "too_large", False),
        (fails(418, "Teapot"), "unknown", True),
        (fails(403, "InvalidBotApiHost"), "other_host", True),
    ],
)
async def test_a_no_is_said_once_with_what_it_means(answer: Handler, outcome: str, is_loud: bool) -> None:
    """And what an operator must do something about stands in the log, without a word of the message."""
    async with a_desk(answer) as desk:
        with capture_logs() as logs, pytest.raises(TeamsRefused) as told:
            await posting(desk)
    assert told.value.outcome == outcome
    assert len(desk.teams.asked) == 1
    assert [log["event"] for log in logs] == (["teams_refused"] if is_loud else [])
    assert "wombat" not in f"{logs} {told.value}"


# ------------------------------------------------------------------ our token


async def test_a_token_that_is_not_taken_is_renewed_once() -> None:
    async with a_desk(fails(401, "Unauthorized"), POSTED) as desk:
        assert await posting(desk)
    assert desk.tokens == ["T1", "T2"]


async def test_twenty_who_are_refused_together_renew_together() -> None:
    """One new token for all, not a storm (botbuilder-js#3914)."""
    refused = [fails(401, "Unauthorized")] * 20
    async with a_desk(*refused, POSTED) as desk:
        others = [Where(tenant=TENANT, service_url=desk.at.service_url, conversation=f"19:{n}") for n in range(20)]
        await asyncio.gather(*(desk.connector.post(at, MESSAGE) for at in others))
    assert len(desk.entra.asked) == 2
    assert sorted(desk.tokens) == ["T1"] * 20 + ["T2"] * 20


@pytest.mark.parametrize(
    ("answers", "calls"), [([fails(401, "Unauthorized")], 2), ([fails(401, "BotNotRegistered")], 1)]
)
async def test_a_second_refusal_stops_the_tenant_says_so_and_heals_by_itself(
    answers: list[Handler], calls: int
) -> None:
    """No storm and no restart: one call a minute asks whether it still is so; what waits is not lost."""
    async with a_desk(*answers) as desk:
        with capture_logs() as logs:
            for _ in range(5):
                with pytest.raises(TeamsStopped, match="TEAMS_APP_ID"):
                    await posting(desk)
            assert len(desk.teams.asked) == calls

            desk.hours.now += STOPPED_AGAIN
            for _ in range(3):
                with pytest.raises(TeamsStopped):
                    await posting(desk)
            assert len(desk.teams.asked) == 2 * calls

        desk.hours.now += STOPPED_AGAIN
        desk.teams.answers[:] = [POSTED]
        assert await posting(desk)
        assert await posting(desk)

    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["teams_stopped"]


EVIL = [
    "https://evil.example/",
    "http://127.0.0.1:1/",
    "http://127.0.0.1@evil.example/",
    "https://smba.trafficmanager.net.evil.example/",
    "https://smba.trafficmanager.net@evil.example/",
    "http://[::1]/",
    "https://xn--smba-xyz.trafficmanager.net/",
    "file:///etc/passwd",
    "",
]


@pytest.mark.parametrize("url", EVIL)
async def test_a_stored_service_url_off_the_list_gets_neither_request_nor_token(url: str) -> None:
    """T24, T13: what was stored yesterday is input today: 0 connections, 0 tokens, for every verb."""
    async with a_desk(POSTED) as desk:
        at = Where(tenant=TENANT, service_url=url, conversation="19:a")
        for call in (
            *(desk.connector.post(at, MESSAGE), desk.connector.put(at, "1", MESSAGE), desk.connector.create(at, {})),
            *(desk.connector.member(at, "x"), desk.connector.members(at)),
            *(desk.connector.team(at, "x"), desk.connector.channels(at, "x")),
        ):
            with pytest.raises(ForeignHost):
                await call
    assert (desk.teams.asked, desk.entra.asked) == ([], [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("do", [posting, putting, reading])
async def test_a_redirect_is_never_followed(status: int, do: Do) -> None:
    """T24: the token stays where it was sent."""
    async with a_site(POSTED) as evil:
        async with a_desk(says(status, None, Location=f"{evil.url}/x")) as desk:
            with pytest.raises(TeamsRefused):
                await do(desk)
        assert evil.asked == []
    assert len(desk.teams.asked) == 1


async def test_the_other_host_is_asked_once_and_only_if_it_is_listed() -> None:
    """T24: a tenant of GCC that the public host sends away; the path stays, and the check is the same."""
    async with a_desk(fails(403, "InvalidBotApiHost")) as desk:
        desk.connector._cloud = cloud_of("gcc")
        asked: list[str] = []

        async def ask(course: Any, url: Any) -> Any:  # noqa: ARG001  # as the real one
            asked.append(str(url))
            return Said(status=403, code="InvalidBotApiHost"), {}

        desk.connector._ask = ask  # type: ignore[method-assign]  # the real hosts are not on this machine
        at = Where(tenant=TENANT, service_url="https://smba.trafficmanager.net/emea/", conversation="19:a")
        with pytest.raises(TeamsRefused):
            await desk.connector.post(at, MESSAGE)

    path = "/emea/v3/conversations/19%3Aa/activities"
    assert asked == [f"https://smba.trafficmanager.net{path}", f"https://{GCC}{path}"]


async def test_an_emulator_is_called_without_a_token() -> None:
    """T24: where nobody proves anything, nothing of ours is shown."""
    hours = Hours()
    async with a_site(POSTED) as teams, a_session() as session:
        cloud = cloud_of("public", is_emulator=True)
        connector = Connector(session, cloud, None, Pace(hours.clock, hours.sleep))
        assert await connector.post(Where(tenant="T", service_url=f"{teams.url}/a/b/", conversation="c"), MESSAGE)
    assert [(asked.token, asked.path) for asked in teams.asked] == [("", "/a/b/v3/conversations/c/activities")]


async def test_after_the_adapter_was_closed_a_call_is_unavailable() -> None:
    async with a_desk(POSTED) as desk:
        await desk.connector._session.close()
        with pytest.raises(ChatUnavailable):
            await posting(desk)
