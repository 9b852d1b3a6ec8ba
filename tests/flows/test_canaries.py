"""Canaries: secrets that a tool is given or holds, looked for in every place where anything is written or shown.

The bytes of a call must be kept to be run: its own arguments stand in the journal and on its request, and nowhere else.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from urllib.parse import quote

import pytest
import redis.asyncio as redis

from agents.toolbox import SECRET, Shown, tool
from bot.domain.calls import Evidence, Risk
from bot.domain.ports import Leave, Tool
from bot.domain.render import DETAILS
from bot.domain.request import Request
from bot.domain.run import Entry, Finished, Opened
from bot.domain.wire import pack, replace
from tests.fakes.chat import Posted
from tests.flows.stage import Build, Played, call, calls, policy, request_of, run_of, settled
from tests.house import House

GIVEN, HELD = "canary given/4711+x", "canary-held-by-the-tool-0815"
WANTED = (call("look", pin=GIVEN), call("charge", amount=90, pin=GIVEN), call("charge", amount=13, pin=GIVEN))
TURNS = tuple(calls(replace(one, id=f"call-{number}")) for number, one in enumerate(WANTED))


def before(amount: int, pin: str) -> object:
    if amount == 13:
        raise RuntimeError(f"{HELD} and {pin}")
    return Evidence(label=f"account of {pin}", text=f"charges {amount} with {pin}")


@tool(risk=Risk.IRREVERSIBLE, preview=before)
def charge(amount: int, pin: Annotated[str, SECRET], leave: Leave) -> object:  # noqa: ARG001  # a tool as any other
    """Charge an account."""
    if amount == 13:
        raise RuntimeError(f"{HELD} and {pin}")
    return Shown("charged", files=[(f"receipt {pin}.txt", f"with {pin}".encode())], sources=[f"vault of {pin}"])


@tool(risk=Risk.READ)
def look(pin: Annotated[str, SECRET], leave: Leave) -> object:  # noqa: ARG001
    """Look into an account."""
    return Shown("looked", sources=[f"the account of {pin}"])


TOOLS: tuple[Tool, ...] = (look, charge)


@asynccontextmanager
async def played(build: Build) -> AsyncIterator[tuple[House, list[str], list[Request], list[Entry]]]:
    """The whole story; with what people were told privately, the requests, and the journal."""
    async with build(policy=policy("groups: [approvers], high: true"), tools=TOOLS, model=Played(*TURNS)) as house:
        thread = await house.mention("ana", "charge it")
        told, requests, seen = [], [], list[Posted]()
        run = await run_of(house, thread)
        for _ in range(2):
            post = await house.card(but=seen)
            seen.append(post)
            await house.press("explain", by="bo", card=post)
            answer = await house.press(DETAILS, by="bo", card=post)
            told.append(str(answer))
            requests.append(await request_of(house, post))
            await house.press("approve", by="bo", card=post, is_careful=False)
        assert await settled(house)
        loaded = await house.store.load(run)
        assert loaded is not None
        yield house, told, requests, list(loaded.entries)


def spellings(secret: str) -> tuple[bytes, ...]:
    """T20: as it is, as a URL spells it, and in base64 wherever its first byte falls."""
    raw = secret.encode()
    coded = [base64.b64encode(b" " * shift + raw)[4 * bool(shift) : -4] for shift in range(3)]
    return (raw, quote(secret, safe="").encode(), *coded)


def found(where: object) -> list[bytes]:
    text = where if isinstance(where, bytes) else str(where).encode("utf-8", "backslashreplace")
    return [one for secret in (GIVEN, HELD) for one in spellings(secret) if one in text]


async def test_no_secret_reaches_a_chat_a_log_or_the_audit(build: Build, capsys: pytest.CaptureFixture[str]) -> None:
    """T20, I15: cards of every kind and moment, files, Details, private words, log lines, the whole audit."""
    async with played(build) as (house, told, _, _):
        for post in house.chat.posts:
            for card in post.cards:
                assert found(pack(replace(card, attachments=()))) == []
                assert [one for file in card.attachments for one in found(file.name.encode() + file.content)] == []
        assert found(told) == []
        assert found(house.chat.whispers) == []
        assert found(await house.store.audit_lines(0, 0, -1)) == []
        assert any("receipt" in file.name for post in house.chat.posts for file in post.card.attachments)
        assert any("account of ••" in str(post.cards) for post in house.chat.posts)
    assert found(capsys.readouterr()) == []


async def test_a_secret_stands_in_the_store_only_as_the_arguments_that_run(build: Build) -> None:
    """T20: what is in Redis besides the calls themselves, key by key, name and value."""
    async with played(build) as (house, _, requests, entries):
        for request in requests:
            bare = replace(request, call=replace(request.call, args=""), history=())
            assert found(pack(bare)) == []
            assert found([past.sources for past in request.history]) == []
            assert request.sources == ("the account of •••",)
        assert [one for entry in entries if isinstance(entry, Finished | Opened) for one in found(pack(entry))] == []
        holding = {name.split(b":")[2] for name, value in (await everything(house)) if found(value)}
        assert [name for name, _ in await everything(house) if found(name)] == []
        assert holding <= {b"journal", b"request"}


async def everything(house: House) -> list[tuple[bytes, bytes]]:
    """Every key of this house in Redis, with all that it holds."""
    async with redis.Redis.from_url(house.url) as client:
        names = [name async for name in client.scan_iter(f"{{{house.namespace}*")]
        return [(name, str(await _value(client, name)).encode()) for name in names]


async def _value(client: Any, name: bytes) -> object:
    """Untyped: the client's types cover two protocols."""
    match await client.type(name):
        case b"string":
            return await client.get(name)
        case b"hash":
            return await client.hgetall(name)
        case b"list":
            return await client.lrange(name, 0, -1)
        case b"set":
            return await client.smembers(name)
        case b"zset":
            return await client.zrange(name, 0, -1)
    raise AssertionError(f"an unknown type of {name!r}")


def test_a_canary_that_is_there_is_found() -> None:
    """A search that could not find anything would prove nothing."""
    for secret in (GIVEN, HELD):
        assert found(f"a {secret} b")
        assert found(quote(secret, safe=""))
        for shift in range(3):
            assert found(base64.b64encode(b"x" * shift + secret.encode() + b"yy"))
