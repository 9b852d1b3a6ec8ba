"""What a bot process and the test's platform say to each other: one JSON record a line, over a unix socket.

The platform lives in the test, so what was posted survives a killed bot, as it does in Slack.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec

from bot.domain.chat import Answer, Card, Click, Form, Message, MessageRef, Place
from bot.domain.wire import Record

LONGEST = 4 << 20  # bytes of one line


class Hello(Record, tag="hello"):
    owner: str


class Post(Record, tag="post"):
    n: int
    key: str
    place: Place
    card: Card


class Update(Record, tag="update"):
    n: int
    ref: MessageRef
    card: Card


class Done(Record, tag="done"):
    """The platform's reply to a Post or an Update."""

    n: int
    ref: MessageRef


class Give(Record, tag="give"):
    """Something a person did; exactly one of the three."""

    n: int
    message: Message | None = None
    click: Click | None = None
    form: Form | None = None


class Heard(Record, tag="heard"):
    """The bot's reply to a Give. With `unavailable`, nothing was taken and the person is told so."""

    n: int
    answer: Answer | None = None
    unavailable: str = ""


class Ahead(Record, tag="ahead"):
    """The test's clock: how far the store's clock runs ahead, for this process."""

    seconds: float


Line = Hello | Post | Update | Done | Give | Heard | Ahead
_LINE: Any = Line  # a union is not a `type`; msgspec takes it all the same
_decode = msgspec.json.Decoder(_LINE).decode


def say(writer: asyncio.StreamWriter, line: Line) -> None:
    writer.write(msgspec.json.encode(line) + b"\n")


async def hear(reader: asyncio.StreamReader) -> Line | None:
    """The next line; None when the other side is gone."""
    try:
        raw = await reader.readline()
    except ConnectionError:
        return None
    return cast(Line, _decode(raw)) if raw.endswith(b"\n") else None
