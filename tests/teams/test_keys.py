"""Teams' signing keys: fetched behind the requests, and never a reason to wait long or to let somebody in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from adapters.teams.keys import ASK_AGAIN, DAY, PATIENCE, KeySet, _NoKeys, opened_keys
from bot.domain.errors import ChatUnavailable
from tests.fakes.loopback import Handler
from tests.teams.wires import Hours, Site, a_session, a_site, hangs, metadata, says, waits, wire_key

SHORT = {"kid": "K9", "kty": "RSA", "n": "_" * 86, "e": "AQAB", "endorsements": ["msteams"]}  # 512 bits


@asynccontextmanager
async def a_key_set(*answers: Handler) -> AsyncIterator[tuple[KeySet, Site, Hours]]:
    """Keys that were not asked for yet. *answers* are those of the key set's own address, after its metadata's."""
    hours = Hours()
    async with a_site(says(500)) as site, a_session() as session:
        site.answers[:] = [step for answer in answers for step in (metadata(site), answer)]
        async with opened_keys(session, f"{site.url}/metadata", hours.clock) as keys:
            yield keys, site, hours


def has(*kids: str) -> Handler:
    return says(200, {"keys": [wire_key(kid) for kid in kids]})


async def settled(keys: KeySet) -> None:
    """What was asked for behind has come."""
    if keys._asking:
        await asyncio.wait({keys._asking})


async def test_keys_are_asked_for_once_and_then_answered_at_once() -> None:
    """T25: nobody waits for Microsoft while a known key is fresh."""
    async with a_key_set(has("K1", "K2")) as (keys, site, _hours):
        await keys.load()

        found = [await keys.get(kid) for kid in ("K1", "K2", "K1")]

    assert all(key is not None and key.endorsements == {"msteams"} for key in found)
    assert [asked.path for asked in site.asked] == ["/metadata", "/keys"]


async def test_a_new_key_is_found_when_the_first_token_comes_that_it_signed() -> None:
    """T25: a rollover is noticed by the first unknown id, not a day later."""
    async with a_key_set(has("K1"), has("K2")) as (keys, _site, hours):
        await keys.load()
        hours.now += ASK_AGAIN

        assert await keys.get("K2") is not None
        assert await keys.get("K1") is None  # Teams has taken it back


async def test_ids_that_nobody_has_make_us_ask_once_a_minute_at_most() -> None:
    """T25: whoever posts garbage with key ids of their own moves nothing."""
    async with a_key_set(*[has("K1")] * 4) as (keys, site, hours):
        await keys.load()
        asked = []
        for _ in range(5):
            hours.now += ASK_AGAIN / 2
            assert [await keys.get(f"forged{n}") for n in range(20)] == [None] * 20
            asked.append(len(site.asked) // 2)

    assert asked == [1, 2, 2, 3, 3]


async def test_everybody_who_waits_waits_for_one_request() -> None:
    """One look-up however many unknown ids come at once."""
    async with a_key_set(has("K1"), has("K2")) as (keys, site, hours):
        await keys.load()
        hours.now += ASK_AGAIN

        found = await asyncio.gather(*(keys.get("K2") for _ in range(20)))

    assert None not in found
    assert len(site.asked) == 4


async def test_keys_are_asked_for_again_after_a_day() -> None:
    async with a_key_set(has("K1"), has("K1")) as (keys, site, hours):
        await keys.load()
        hours.now += DAY - 1
        await keys.get("K1")
        assert len(site.asked) == 2

        hours.now += 1
        assert await keys.get("K1") is not None

    assert len(site.asked) == 4


@pytest.mark.parametrize(
    "answer",
    [
        *(
            says(500),
            says(200, b"<html>"),
            says(200, []),
            says(200, {}),
            says(200, {"keys": []}),
            says(200, {"keys": 7}),
        ),
        says(
            200,
            {"keys": [None, 7, {"kid": "K9"}, {"kid": "K9", "kty": "RSA", "n": "!", "e": 1}, SHORT, {"kty": "oct"}]},
        ),
        says(302, None, Location="http://127.0.0.1:1/"),
        says(200, b" " * (2 << 20)),
    ],
)
async def test_a_look_up_that_fails_keeps_the_keys_there_are(answer: Handler) -> None:
    """T25: Microsoft's trouble locks nobody out, and lets nobody in."""
    async with a_key_set(has("K1"), answer) as (keys, _site, hours):
        await keys.load()
        hours.now += DAY

        with capture_logs() as logs:
            assert await keys.get("K1") is not None
            assert await keys.get("K9") is None

    assert [log["event"] for log in logs] == ["teams_keys_not_loaded"]


async def test_a_server_that_hangs_holds_up_a_forger_for_less_than_a_second() -> None:
    """T25: unknown key, Microsoft silent: the answer is there within a second, and the loop was never held up."""
    async with a_key_set(has("K1"), hangs) as (keys, _site, hours):
        await keys.load()
        hours.now += ASK_AGAIN
        began = time.monotonic()

        assert await asyncio.gather(*(keys.get(f"forged{n}") for n in range(10))) == [None] * 10
        assert await keys.get("K1") is not None

        assert PATIENCE <= time.monotonic() - began < 1.0


async def test_a_slow_answer_is_taken_in_although_nobody_waits_for_it_any_more() -> None:
    """The look-up belongs to the key set: the next request finds what it brought."""
    go = asyncio.Event()
    async with a_key_set(has("K1"), waits(go, has("K2"))) as (keys, _site, hours):
        await keys.load()
        hours.now += ASK_AGAIN
        assert await keys.get("K2") is None

        go.set()
        await settled(keys)

        assert await keys.get("K2") is not None


async def test_as_long_as_there_are_no_keys_nobody_is_let_in_and_nobody_called_a_forger() -> None:
    """T25: unready is not open. The first look-up that works ends it."""
    async with a_key_set(says(503), has("K1")) as (keys, _site, hours):
        with pytest.raises(ChatUnavailable):
            await keys.load()
        assert not keys.is_ready
        with pytest.raises(ChatUnavailable):
            await keys.get("K1")

        hours.now += ASK_AGAIN
        assert await keys.get("K1") is not None
        assert keys.is_ready


async def test_metadata_cannot_send_us_to_a_place_that_is_less_safe() -> None:
    """T25: what came by https is not followed to http, nor to a file."""
    for place in ("file:///etc/passwd", "ftp://127.0.0.1/", "", 7, "//", "https://127.0.0.1:1/keys", "http://[::1"):
        async with (
            a_site(says(200, {"jwks_uri": place})) as site,
            a_session() as session,
            opened_keys(session, f"{site.url}/metadata") as keys,
        ):
            with pytest.raises(ChatUnavailable):
                await keys.load()
        assert len(site.asked) == 1


async def test_an_answer_without_end_is_read_to_its_bound_and_no_further() -> None:
    """T18: neither memory nor time for whoever never stops talking."""

    async def talks(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b" " * 65_536)

    async with asyncio.timeout(5), a_key_set(talks) as (keys, _site, _hours):
        with pytest.raises(ChatUnavailable):
            await keys.load()


async def test_keys_of_a_safe_place_are_not_read_from_an_unsafe_one() -> None:
    """T25: metadata that came by https names an address without it: whoever sits there could sign for Teams."""
    async with a_site(has("K1")) as site, a_session() as session, opened_keys(session, "https://x.example/") as keys:
        with pytest.raises(_NoKeys):
            keys._beside(f"{site.url}/keys")
        assert str(keys._beside("https://y.example/keys")) == "https://y.example/keys"


async def test_closing_ends_a_look_up_that_still_runs() -> None:
    """Nothing is left running: whoever opened the keys closes them."""
    begun = asyncio.Event()

    async def never(request: web.Request) -> web.StreamResponse:
        begun.set()
        return await hangs(request)

    async with (
        asyncio.timeout(5),
        a_site(never) as site,
        a_session() as session,
        opened_keys(session, f"{site.url}/metadata") as keys,
    ):
        with pytest.raises(ChatUnavailable):
            await keys.get("K1")
        await begun.wait()
        asking = keys._asking
    assert asking is not None
    assert asking.cancelled()
