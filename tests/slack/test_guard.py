"""The guard: what is not one readable object signed by Slack reaches nobody, and is never a 500 (T11)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from slack_bolt.response import BoltResponse
from structlog.testing import capture_logs

from adapters.server import Address
from adapters.slack.guard import Guard
from adapters.slack.http import PATH, serving
from adapters.slack.reading import Payload
from bot.domain.errors import BadSettings
from bot.domain.wire import MAX_BYTES

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
MARK = "wombat"  # stands in every body: no log may show it
EVENT = b'{"type": "event_callback", "mark": "wombat"}'
MANY = b"&".join(b"field%d=wombat" % number for number in range(1000))
JSON, FORM = b"application/json", b"application/x-www-form-urlencoded"

Headers = Sequence[tuple[bytes, bytes]]


class Heard:
    """Ears that write down what reached them."""

    def __init__(self) -> None:
        self.payloads: list[Payload] = []

    async def take(self, payload: Payload) -> BoltResponse:
        self.payloads.append(payload)
        return BoltResponse(status=200, body="")


@asynccontextmanager
async def a_door() -> AsyncIterator[tuple[Heard, int]]:
    heard = Heard()
    async with serving(Address(port=0), heard, Guard(SECRET, lambda: NOW)) as port:
        yield heard, port


def stamp(late: timedelta = timedelta()) -> bytes:
    return str(int((NOW - late).timestamp())).encode()


def signature(body: bytes, at: bytes, secret: str = SECRET) -> bytes:
    return b"v0=" + hmac.digest(secret.encode(), b"v0:" + at + b":" + body, hashlib.sha256).hex().encode()


def signed(body: bytes, kind: bytes = JSON, *, at: bytes = b"", secret: str = SECRET) -> Headers:
    at = at or stamp()
    return (
        (b"Content-Type", kind),
        (b"X-Slack-Request-Timestamp", at),
        (b"X-Slack-Signature", signature(body, at, secret)),
    )


def instead(name: bytes, *values: bytes, body: bytes = EVENT) -> Headers:
    """A good request's headers with other *values* of one of them."""
    return [header for header in signed(body) if header[0] != name] + [(name, value) for value in values]


async def post(port: int, headers: Headers, body: bytes, *, told: int | None = None) -> int:
    """The status of one raw request: a client library would not send half of these."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    length = str(len(body) if told is None else told).encode()
    every = [(b"Host", b"127.0.0.1"), (b"Content-Length", length), (b"Connection", b"close"), *headers]
    lines = [b"POST " + PATH.encode() + b" HTTP/1.1", *(name + b": " + value for name, value in every)]
    writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
    try:
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()
        await writer.wait_closed()


def payload(text: str) -> bytes:
    return urlencode({"payload": text}).encode()


GARBAGE: Mapping[str, tuple[int, Headers, bytes]] = {
    "nothing at all": (401, (), b""),
    "no signature": (401, instead(b"X-Slack-Signature"), EVENT),
    "no timestamp": (401, instead(b"X-Slack-Request-Timestamp"), EVENT),
    "an empty signature": (401, instead(b"X-Slack-Signature", b""), EVENT),
    "a signature that is not ASCII": (401, instead(b"X-Slack-Signature", "v0=é".encode() * 10), EVENT),
    "a signature that is not UTF-8": (401, instead(b"X-Slack-Signature", b"v0=\xff\xfe"), EVENT),
    "a signature in capitals": (401, instead(b"X-Slack-Signature", b"v0=" + b"A" * 64), EVENT),
    "another version": (401, instead(b"X-Slack-Signature", b"v1=" + b"a" * 64), EVENT),
    "two signatures": (401, instead(b"X-Slack-Signature", signature(EVENT, stamp()), b"v0=" + b"a" * 64), EVENT),
    "somebody else's secret": (401, signed(EVENT, secret="another"), EVENT),
    "somebody else's body": (401, signed(EVENT), EVENT.replace(b"type", b"kind")),
    "a wordy timestamp": (401, signed(EVENT, at=b"abc"), EVENT),
    "a timestamp of 400 digits": (401, signed(EVENT, at=b"9" * 400), EVENT),
    "a timestamp in Arabic digits": (401, signed(EVENT, at="١٢٣".encode()), EVENT),
    "a negative timestamp": (401, signed(EVENT, at=b"-1"), EVENT),
    "a timestamp with a fraction": (401, signed(EVENT, at=stamp() + b".5"), EVENT),
    "301 s late": (401, signed(EVENT, at=stamp(timedelta(seconds=301))), EVENT),
    "301 s early": (401, signed(EVENT, at=stamp(timedelta(seconds=-301))), EVENT),
    "no body": (400, signed(b""), b""),
    "no content type": (400, signed(EVENT)[1:], EVENT),
    "another content type": (400, signed(EVENT, b"text/plain"), EVENT),
    "a body that is not UTF-8": (400, signed(b'{"mark": "\xff wombat"}'), b'{"mark": "\xff wombat"}'),
    "half a body": (400, signed(b'{"mark": "wombat"'), b'{"mark": "wombat"'),
    "a list": (400, signed(b'["wombat"]'), b'["wombat"]'),
    "null": (400, signed(b"null"), b"null"),
    "not a number": (400, signed(b'{"a": NaN}'), b'{"a": NaN}'),
    "half a character": (400, signed(b'{"a": "\\ud83d"}'), b'{"a": "\\ud83d"}'),
    "a number of 5,000 digits": (400, signed(b"[" + b"9" * 5000 + b"]"), b"[" + b"9" * 5000 + b"]"),
    "100,000 brackets": (400, signed(b"[" * 100_000), b"[" * 100_000),
    "a form that is not UTF-8": (400, signed(b"text=%FFwombat", FORM), b"text=%FFwombat"),
    "a form without names": (400, signed(b"wombat", FORM), b"wombat"),
    "a form of a list": (400, signed(payload('["wombat"]'), FORM), payload('["wombat"]')),
    "a form of half an object": (400, signed(payload('{"wombat"'), FORM), payload('{"wombat"')),
    "a form with two payloads": (
        400,
        signed(payload("{}") + b"&" + payload('{"wombat": 1}'), FORM),
        payload("{}") + b"&" + payload('{"wombat": 1}'),
    ),
    "1,000 fields": (400, signed(MANY, FORM), MANY),
    "JSON that says it is a form": (400, signed(EVENT, FORM), EVENT),
    "a compressed body": (400, (*signed(EVENT), (b"Content-Encoding", b"gzip")), EVENT),
    "over 1 MiB": (413, signed(b" " * (MAX_BYTES + 1)), b" " * (MAX_BYTES + 1)),
}


@pytest.mark.parametrize(("expected", "headers", "body"), GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_is_refused_and_reaches_nobody(
    expected: int, headers: Headers, body: bytes, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """T11, AU-21: each row is 400, 401 or 413; no listener runs, and no log holds the body."""
    caplog.set_level(logging.DEBUG)
    async with a_door() as (heard, port):
        with capture_logs() as logs:
            status = await post(port, headers, body)

    assert status == expected
    assert heard.payloads == []
    assert MARK not in caplog.text + str(logs) + "".join(capsys.readouterr())


@pytest.mark.parametrize("late", [timedelta(seconds=-299), timedelta(), timedelta(seconds=299)])
async def test_what_slack_signed_within_five_minutes_is_handed_on(late: timedelta) -> None:
    async with a_door() as (heard, port):
        assert await post(port, signed(EVENT, at=stamp(late)), EVENT) == 200

    assert heard.payloads == [{"type": "event_callback", "mark": MARK}]


async def test_a_slash_command_may_say_payload() -> None:
    """bolt's own reader takes any form with that word in it for a button press, and finds nothing in it."""
    body = urlencode({"command": "/countersign", "text": "payload?"}).encode()
    async with a_door() as (heard, port):
        assert await post(port, signed(body, FORM), body) == 200

    assert heard.payloads == [{"command": "/countersign", "text": "payload?"}]


async def test_a_press_comes_as_a_form_with_an_object_in_it() -> None:
    body = payload('{"type": "block_actions"}')
    async with a_door() as (heard, port):
        assert await post(port, signed(body, FORM), body) == 200

    assert heard.payloads == [{"type": "block_actions"}]


async def test_a_client_that_leaves_in_the_middle_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """The next request is served, and the broken one left no trace of an error."""
    async with a_door() as (heard, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{")
        await writer.drain()
        writer.transport.abort()
        assert await post(port, signed(EVENT), EVENT) == 200

    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert len(heard.payloads) == 1


@pytest.mark.parametrize("secret", ["", "  "])
def test_without_a_secret_there_is_no_guard(secret: str) -> None:
    with pytest.raises(BadSettings, match="SLACK_SIGNING_SECRET"):
        Guard(secret)


async def test_a_port_that_is_taken_is_said_with_its_remedy() -> None:
    async with a_door() as (heard, port):
        with pytest.raises(BadSettings, match=f"PORT: {port} on 127.0.0.1 cannot be used"):
            async with serving(Address(port=port), heard, Guard(SECRET)):
                pytest.fail("it opened")
