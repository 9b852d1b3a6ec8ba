"""What Teams posts to, whole: server, library, proof. Whatever comes in is answered by a number that says why (T11)."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from adapters.server import Address
from adapters.teams.answers import Reply
from adapters.teams.clouds import cloud_of
from adapters.teams.connector import Connector
from adapters.teams.http import PATH, serving
from adapters.teams.keys import KeySet, opened_keys
from adapters.teams.pace import Pace
from adapters.teams.proof import Proof
from adapters.teams.sdk import Sdk, _outline
from adapters.teams.shapes import BadPayload, Inbound, Raw
from bot.domain.errors import BadSettings, StoreUnavailable
from bot.domain.wire import MAX_BYTES
from tests.teams.wires import (
    APP,
    TEAMS,
    TENANT,
    Site,
    a_session,
    a_site,
    an_activity,
    claims,
    cloud_at,
    metadata,
    says,
    signed,
    wire_key,
)

INVOKE = {"type": "invoke", "name": "adaptiveCard/action", "value": {"action": {"type": "Action.Execute", "data": {}}}}
FINE = {200, 400, 401, 403, 405, 413, 415}
Headers = Mapping[str, str]


@dataclass
class Door:
    """The bot's own door, and what came through it."""

    port: int = 0
    session: aiohttp.ClientSession | None = None
    heard: list[Raw] = field(default_factory=list)
    reply: Reply | None = None
    trouble: Exception | None = None

    async def act(self, raw: Raw) -> Reply | None:
        Inbound.of(raw)  # as the ears do
        self.heard.append(raw)
        if self.trouble:
            raise self.trouble
        return self.reply

    async def post(self, body: object = None, *, method: str = "POST", **headers: str) -> tuple[int, bytes]:
        """Status and body of one request; *body* as JSON, unless it is bytes."""
        assert self.session is not None
        given = {"Content-Type": "application/json", "Authorization": signed()} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        raw = body if isinstance(body, bytes) else json.dumps(an_activity() if body is None else body).encode()
        url = f"http://127.0.0.1:{self.port}{PATH}"
        kept = {name: value for name, value in given.items() if value}
        async with self.session.request(method, url, data=io.BytesIO(raw), headers=kept) as answer:
            return answer.status, await answer.read()


@asynccontextmanager
async def a_door(*, teams: str = "") -> AsyncIterator[Door]:
    """*teams*: where the Bot Connector is, if anybody calls it."""
    door = Door()
    async with a_site(says(500)) as entra, a_session() as session:
        entra.answers[:] = [metadata(entra), says(200, {"keys": [wire_key("K1")]})]
        async with opened_keys(session, f"{entra.url}/metadata") as keys:
            await keys.load()
            proof, sdk = a_library(session, keys, teams)

            async def take(header: str, raw: Raw) -> Reply | None:
                return await sdk.turn(header, raw, door.act)

            async with serving(Address(port=0), take, proof.knock) as port:
                door.port, door.session = port, session
                yield door


def a_library(session: aiohttp.ClientSession, keys: KeySet, teams: str) -> tuple[Proof, Sdk]:
    cloud = cloud_at(teams) if teams else cloud_of("public")
    proof = Proof(APP, cloud, keys, [TENANT])
    return proof, Sdk(APP, cloud, proof, Connector(session, cloud, None, Pace()))


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with a_door() as door:
        yield door


# -------------------------------------------------------------------- what passes


async def test_what_teams_says_reaches_us_as_it_was_sent(door: Door) -> None:
    """AU-21, CD-02: the library turns, but what is read is the raw activity, with all that its models lose."""
    said = an_activity(
        entities=[{"type": "mention", "text": "<at>x</at>", "unheard": [1, {"of": None}]}], trigger="manual"
    )

    assert await door.post(said) == (200, b"")

    assert door.heard == [said]


@pytest.mark.parametrize(
    "body",
    [
        {"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": "Recorded."},
        {"statusCode": 200, "type": "application/vnd.microsoft.card.adaptive", "value": {"type": "AdaptiveCard"}},
        {"statusCode": 400, "type": "application/vnd.microsoft.error", "value": {"code": "BadRequest", "message": "…"}},
        {"task": {"type": "continue", "value": {"card": {"content": {"body": [{"type": "TextBlock"}]}}}}},
        {},
    ],
)
async def test_an_invoke_gets_the_answer_it_waits_for_as_json(door: Door, body: dict[str, Any]) -> None:
    """PP-11: every answer the library itself turns into a 500 leaves whole."""
    door.reply = Reply(status=200, body=body)

    status, answer = await door.post(an_activity(**INVOKE))

    assert (status, json.loads(answer)) == (200, body)


async def test_an_invoke_nobody_knows_is_501_and_everything_else_200(door: Door) -> None:
    assert await door.post(an_activity(**INVOKE)) == (501, b"")
    for kind in ("message", "conversationUpdate", "installationUpdate", "messageReaction", "event", "nonsense"):
        assert await door.post(an_activity(type=kind)) == (200, b"")


async def test_an_answer_to_a_message_that_was_not_recorded_asks_for_it_again(door: Door) -> None:
    """The library would say 200: a message Teams believes taken, and we have lost."""
    door.reply = Reply(status=503)
    assert (await door.post())[0] == 503

    door.reply, door.trouble = None, StoreUnavailable("wombat")
    with capture_logs() as logs:
        assert (await door.post())[0] == 503
    assert [log["event"] for log in logs] == ["teams_request_refused"]


async def test_expect_replies_does_not_keep_back_the_answer(door: Door) -> None:
    """A caller who wants everything in one body gets what anybody gets."""
    door.reply = Reply(status=200, body={"a": 1})
    assert await door.post(an_activity(**INVOKE, deliveryMode="expectReplies")) == (200, b'{"a":1}')
    door.reply = None
    assert await door.post(an_activity(deliveryMode="expectReplies")) == (200, b"")


async def test_a_click_that_names_no_conversation_still_arrives(door: Door) -> None:
    """AdaptiveCards#8864: the library must not stumble over it."""
    door.reply = Reply(status=200, body={"ok": True})
    for conversation in ({"tenantId": TENANT}, {}, None):
        assert (await door.post(an_activity(**INVOKE, conversation=conversation)))[0] == 200
    assert len(door.heard) == 3


async def test_a_reply_the_library_is_asked_for_goes_through_our_connector() -> None:
    """CD-02: its own clients are never made: no token for any host, no thread that hangs."""
    async with a_site(says(201, {"id": "a1"})) as teams, a_door(teams=teams.url) as door:
        url = f"{teams.url}/emea/"
        assert (await door.post(an_activity(serviceUrl=url), Authorization=signed(claims(serviceurl=url))))[0] == 200
        await _through_the_library(door, teams, url)

    assert [(asked.method, asked.path) for asked in teams.asked] == [
        ("POST", "/emea/v3/conversations/19%3Ac/activities"),
        ("PUT", "/emea/v3/conversations/19%3Ac/activities/a1"),
        ("POST", "/emea/v3/conversations/19%3Ac/activities"),
    ]


async def _through_the_library(door: Door, teams: Site, url: str) -> None:
    from botbuilder.schema import Activity  # type: ignore[import-untyped]  # the library ships no types

    assert door.session is not None
    cloud = cloud_at(teams.url)
    connector = Connector(door.session, cloud, None, Pace())
    factory = Sdk(APP, cloud, Proof("", cloud_of("public", is_emulator=True), None, []), connector).factory(
        an_activity()
    )
    client = (await factory.create(url)).conversations
    assert (await client.send_to_conversation("19:c", Activity(type="message", text="hi"))).id == "a1"
    assert (await client.update_activity("19:c", "a1", Activity(type="message", text="ho"))).id == "a1"
    assert (await client.reply_to_activity("19:c", "a1", Activity(type="message", text="hu"))).id == "a1"


# --------------------------------------------------------------- what does not pass


REFUSED: Sequence[tuple[str, int, object, Headers]] = [
    ("no content type", 415, None, {"Content_Type": ""}),
    ("text", 415, None, {"Content_Type": "text/plain"}),
    ("a form", 415, b"payload=%7B%7D", {"Content_Type": "application/x-www-form-urlencoded"}),
    ("another charset", 415, None, {"Content_Type": "application/json; charset=utf-16"}),
    ("no charset", 415, None, {"Content_Type": "application/json; charset=nonsense"}),
    ("compressed", 415, b"\x1f\x8b", {"Content_Encoding": "gzip"}),
    ("too large", 413, b'"' + b"x" * MAX_BYTES + b'"', {}),
    ("empty", 400, b"", {}),
    ("no JSON", 400, b"{", {}),
    ("a list", 400, b"[]", {}),
    ("a word", 400, b'"wombat"', {}),
    ("not UTF-8", 400, b'{"type": "\xff"}', {}),
    ("half a character", 400, b'{"type": "\\ud800"}', {}),
    ("two of a kind", 400, b'{"type": "message", "type": "invoke"}', {}),
    ("deep", 400, b"[" * 100_000, {}),
    ("infinite", 400, b'{"a": 1e999}', {}),
    ("nan", 400, b'{"a": NaN}', {}),
    ("an object without fields", 400, b"{}", {}),
    ("from a word", 400, an_activity(**{"from": "ana"}), {}),
    ("nonsense timestamp", 400, an_activity(timestamp="yesterday"), {}),
    ("type a number", 400, an_activity(type=7), {}),
    ("no token", 401, None, {"Authorization": ""}),
    ("garbage", 401, None, {"Authorization": "Bearer garbage"}),
    ("a browser", 401, None, {"Origin": "http://127.0.0.1:3978"}),
    ("another bot", 401, None, {"Authorization": signed(claims(aud="x"))}),
    ("another tenant", 403, an_activity(channelData={"tenant": {"id": "x"}}, conversation={"id": "19:c"}), {}),
]


@pytest.mark.parametrize(("status", "body", "headers"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_everything_else_is_refused_by_a_number_that_says_why(
    door: Door, status: int, body: object, headers: Headers
) -> None:
    """T11: never 500, nobody hears it, and nothing of it stands in a log."""
    with capture_logs() as logs:
        assert (await door.post(body, **headers))[0] == status

    assert door.heard == []
    assert "wombat" not in str(logs)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_only_posts_are_taken(door: Door, method: str) -> None:
    assert (await door.post(b"", method=method))[0] == 405


async def test_who_is_not_teams_is_sent_away_before_a_body_is_read(door: Door) -> None:
    """AS-11, T11: a megabyte of brackets takes a second to read, and everybody would wait for it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    lines = [f"POST {PATH} HTTP/1.1", "Host: x", "Content-Type: application/json", "Authorization: Bearer x"]
    writer.write("\r\n".join([*lines, f"Content-Length: {MAX_BYTES}", "", "["]).encode())

    assert (await reader.readline()).split()[1] == b"401"  # not a byte of the body was waited for

    writer.close()
    await writer.wait_closed()


async def test_the_library_sees_an_outline_alone() -> None:
    """AS-11: it takes six seconds for the longest list that fits into a request."""
    outline = _outline(
        an_activity(entities=[{}] * 9, value={"a": [1]}, deliveryMode="expectReplies", membersAdded=[{}])
    )

    assert (outline.type, outline.service_url, outline.conversation.conversation_type) == ("message", TEAMS, "channel")
    assert (outline.entities, outline.value, outline.delivery_mode, outline.members_added) == (None,) * 4


async def test_two_authorizations_are_none(door: Door) -> None:
    """T11: of two headers every reader picks another one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    body = json.dumps(an_activity()).encode()
    auth = signed()
    lines = [
        *(f"POST {PATH} HTTP/1.1", "Host: x", "Connection: close", "Content-Type: application/json"),
        *(f"Content-Length: {len(body)}", f"Authorization: {auth}", f"Authorization: {auth}", "", ""),
    ]
    writer.write("\r\n".join(lines).encode() + body)
    assert (await reader.readline()).split()[1] == b"401"
    writer.close()
    await writer.wait_closed()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [*an_activity(), "entities", "attachments", "value", "name", "timestamp", "localTimestamp", "deliveryMode"]
FIELDS += ["membersAdded", "locale", "callerId", "replyToId", "relatesTo", "suggestedActions", "expiration"]
ACTIVITIES = st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1, max_size=4).map(
    lambda changed: json.dumps({**an_activity(), **changed}).encode("utf-8", "surrogatepass")
)
BODIES = st.one_of(st.binary(max_size=100), JSON.map(lambda value: json.dumps(value).encode()), ACTIVITIES)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(body=BODIES, header=st.sampled_from([signed(), "", "Bearer x"]))
async def test_whatever_is_posted_the_answer_is_one_of_a_few_numbers(door: Door, body: bytes, header: str) -> None:
    """T11: with a good token and without one, for any bytes and any JSON in any field: never a 500."""
    status, _ = await door.post(body, Authorization=header)

    assert status in FINE | ({501} if header and b"invoke" in body else set())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=300))
async def test_bytes_that_are_no_http_do_not_break_the_door(door: Door, data: bytes) -> None:
    """T11: whoever speaks something else is answered 4xx or nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(data + b"\r\n\r\n")
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer == b"" or b" 4" in answer.split(b"\r\n")[0]


async def test_a_mistake_of_ours_is_not_called_an_answer(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw is our bug: 500 and a trace, never an empty 200 or the library's silent 501."""
    door.trouble = ZeroDivisionError()
    assert (await door.post(an_activity(**INVOKE)))[0] == 500
    assert "ZeroDivisionError" in caplog.text


async def test_what_the_ears_cannot_read_is_400(door: Door) -> None:
    door.trouble = BadPayload("value")
    assert (await door.post())[0] == 400


async def test_a_port_that_is_taken_is_named_with_its_setting(door: Door) -> None:
    async def take(header: str, raw: Raw) -> None: ...
    async def knock(header: str) -> None: ...

    with pytest.raises(BadSettings, match="TEAMS_PORT"):
        async with serving(Address(port=door.port), take, knock):
            pass


# ------------------------------------------------------------------- the library


async def test_the_librarys_own_http_is_never_used(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """CD-02, AS-11: requests, which would hold up the loop, comes with it and is never called."""
    import requests

    def never(*_: object, **__: object) -> None:
        raise AssertionError("requests was called")

    monkeypatch.setattr(requests.Session, "request", never)
    monkeypatch.setattr(requests.Session, "send", never)
    door.reply = Reply(status=200, body={})

    assert (await door.post(an_activity(**INVOKE)))[0] == 200
    assert (await door.post())[0] == 200
    assert (await door.post(Authorization="Bearer x"))[0] == 401


def test_whoever_has_no_teams_does_not_pay_for_it() -> None:
    """CD-02: the library is loaded by its one room alone, and it warns of nothing."""
    said = (
        "import sys, importlib\n"
        "lean = ['clouds', 'keys', 'proof', 'tokens', 'connector', 'codes', 'pace', 'http', 'shapes', 'answers']\n"
        "[importlib.import_module(f'adapters.teams.{name}') for name in lean]\n"
        "heavy = {'botbuilder', 'botframework', 'msrest', 'msal', 'requests'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "import adapters.teams.sdk\n"
        "assert heavy <= set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", said], check=True, timeout=60)
