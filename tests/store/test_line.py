"""One connection for everybody: order, silence, a break, and callers who give up."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import exceptions as gone

from bot.domain.errors import StoreUnavailable
from bot.store import line
from bot.store.embedded import EmbeddedServer
from bot.store.line import Shared
from bot.store.link import Link, connect


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Shared]:
    client = connect(redis_url)
    yield client
    await client.aclose()


async def test_a_thousand_callers_share_one_connection(client: Shared, namespace: str) -> None:
    """I12: a burst of clicks waits in line; nobody is sent away because too many came at once."""
    before = len(await client.client_list())

    found = await asyncio.gather(*(client.incr(f"{namespace}:n") for _ in range(1_000)))

    assert found == list(range(1, 1_001))
    assert len(await client.client_list()) == before


async def test_answers_find_their_callers_whatever_they_asked(client: Shared, namespace: str) -> None:
    """Numbers, texts, nothing, lists and refusals, all under way at once."""
    name = f"{namespace}:h"
    await client.hset(name, mapping={"a": "1"})

    size, text, nothing, refusal, fields = await asyncio.gather(
        client.hlen(name), client.hget(name, "a"), client.get("none"), client.get(name), client.hgetall(name),
        return_exceptions=True,
    )  # fmt: skip

    assert (size, text, nothing, fields) == (1, b"1", None, {b"a": b"1"})
    assert isinstance(refusal, gone.ResponseError)


async def test_a_caller_who_gives_up_harms_nobody(client: Shared, namespace: str) -> None:
    """Its answer comes all the same and is nobody's; the next caller gets the next one."""
    await client.set(f"{namespace}:a", "a")
    impatient = asyncio.ensure_future(client.get(f"{namespace}:a"))
    await asyncio.sleep(0)
    impatient.cancel()

    assert await client.get(f"{namespace}:b") is None
    assert await client.get(f"{namespace}:a") == b"a"


async def test_an_answer_goes_before_the_ring_that_came_with_it(client: Shared, namespace: str) -> None:
    """Whoever a decision wakes does not wait for the doorbell about that very decision."""
    heard: list[str] = []
    ears = await client.ears(namespace)
    script = "redis.call('PUBLISH', KEYS[1], 'x') return 1"

    async def listen() -> None:
        await ears.listen()
        heard.append("ring")

    async def decide() -> None:
        await client.execute_command("EVAL", script, 1, namespace)
        heard.append("answer")
        await asyncio.sleep(0)  # the sleeper it wakes has its turn as well
        heard.append("woken")

    await asyncio.gather(listen(), decide())

    assert heard == ["answer", "woken", "ring"]
    ears.close()


async def test_a_crowd_of_calls_sends_a_function_once_to_a_server_that_does_not_know_it(tmp_path: Path) -> None:
    """I12: a burst of clicks on a server that has just started; and again on the one that takes its place."""
    folder = tmp_path / "redis"
    link: Link | None = None
    for starts in (1, 2):
        async with EmbeddedServer(folder, fsync="no") as server:
            link = link or Link(server.url)
            beats = [link.call("beat", lambda _: ["processes"], {"owner": str(n), "ttl": 1000}) for n in range(100)]

            assert [living for (living,) in await asyncio.gather(*beats)][-1] == 100
            stats = await link.client.info("commandstats")
            assert stats["cmdstat_eval"]["calls"] == 1, f"after {starts} starts"
    assert link is not None
    await link.close()


async def test_what_is_read_together_is_of_one_moment(client: Shared, namespace: str) -> None:
    """Another client's write falls before or after, never in between."""
    one, other = f"{namespace}:one", f"{namespace}:other"
    writing = connect_again(client)

    async def write() -> None:
        for number in range(200):
            await writing.execute_command("MSET", one, number, other, number)

    async with asyncio.TaskGroup() as tasks:
        done = tasks.create_task(write())
        while not done.done():
            first, second = await client.together(("GET", one), ("GET", other))
            assert first == second
    await writing.aclose()


async def test_a_silent_server_is_given_up_and_everybody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CD-05: whoever waits learns that nothing is known; when the server speaks again, so do we."""
    monkeypatch.setattr(line, "PATIENCE", 0.2)
    async with EmbeddedServer(tmp_path / "redis", fsync="no") as server:
        link = Link(server.url)
        await link.sync()

        with _frozen(server.pid):
            waiting = [link.ask(link.client.get(str(number))) for number in range(20)]
            told = await asyncio.gather(*waiting, return_exceptions=True)

        assert all(isinstance(each, StoreUnavailable) for each in told)
        assert await link.ask(link.client.get("0")) is None
        await link.close()


async def test_a_wrong_password_is_said_as_such(client: Shared) -> None:
    """The server's word decides, not a guess: `doctor` and the start both tell people to correct it."""
    with pytest.raises(gone.AuthenticationError):
        await client.execute_command("AUTH", "nobody", "wrong")


async def test_a_closed_line_takes_nothing(client: Shared) -> None:
    """Without a break in between: closing tells whoever still waits."""
    waiting = asyncio.ensure_future(client.execute_command("PING"))
    await client.ping()
    await waiting
    last = asyncio.ensure_future(client.execute_command("PING"))
    await asyncio.sleep(0)

    await client.aclose()

    with pytest.raises(gone.ConnectionError):
        await last


def connect_again(client: Shared) -> Shared:
    """Another connection to the same server."""
    again: Callable[..., Shared] = Shared
    return again(connection_pool=client.connection_pool)


@contextmanager
def _frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
