"""One program, run to its end, with nothing of it left.

start -> read what it prints, look at what it uses -> it ends, or a limit is reached -> end all of it -> `Ended`

No shell: a command is a list of words. The environment is what the caller hands in and nothing else. Owns time, output
and the end of every process it started, however this is left. Not what a program may see (box), nor which one runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agents.toolbox import ToolProblem

EVERY = 0.1  # seconds between two looks at what a program uses
LAST_WORDS = 2.0  # seconds for pipes to close and processes to go after they were killed
PIECE = 65_536

Watch = Callable[[int], str]  # given the first process: why it has to stop, or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to start. `is_box`: its one child is the first process of a namespace, and takes all others with it."""

    command: Sequence[str]
    env: Mapping[str, str]
    folder: Path | None = None
    given: bytes = b""  # for its standard input
    is_box: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    seconds: float
    kept: int = 100_000  # bytes kept of each stream
    flood: int = 5_000_000  # bytes of one stream at which it is stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """`stopped` is empty if it ended by itself, else the sentence's end: "it was stopped: …"."""

    code: int
    out: bytes
    err: bytes
    is_cut: bool
    stopped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    pid: int
    memory: int  # bytes that are resident


async def run(program: Program, bounds: Bounds, watch: Watch | None = None) -> Ended:
    """Run it to its end, or to its first limit. Raises ToolProblem when it cannot be started.

    Cancelled or not, no process of it is left when this returns; a program without a box could have hidden one.
    """
    process = await _start(program)
    stop = _Stop()
    try:
        async with asyncio.TaskGroup() as group:
            out = group.create_task(_read(process.stdout, bounds, stop))
            err = group.create_task(_read(process.stderr, bounds, stop))
            beside = [group.create_task(_feed(process.stdin, program.given))]
            if watch is not None:
                beside.append(group.create_task(_look(watch, process.pid, stop)))
            await stop.waited(process, bounds.seconds)
            await _end(process, is_box=program.is_box)
            await _finished((out, err), beside)
    finally:
        await _end(process, is_box=program.is_box)
        _let_go(process)
    texts = [b"" if one.cancelled() else one.result() for one in (out, err)]
    code = process.returncode if process.returncode is not None else -signal.SIGKILL
    kept, is_cut = [text[: bounds.kept] for text in texts], any(len(text) > bounds.kept for text in texts)
    return Ended(code=code, out=kept[0], err=kept[1], is_cut=is_cut, stopped=stop.why)


def tree(pid: int) -> list[Used]:
    """Every process below *pid*, itself left out. Blocks for one reading of /proc."""
    found = dict(_processes())
    below: dict[int, list[int]] = {}
    for one, (parent, _) in found.items():
        below.setdefault(parent, []).append(one)
    reached, todo = [], list(below.get(pid, ()))
    while todo:
        one = todo.pop()
        reached.append(Used(pid=one, memory=found[one][1]))
        todo += below.get(one, ())
    return reached


def nameless(pids: Iterable[int]) -> int:
    """Bytes of the files that these processes hold and that have no name any more: no folder lists them."""
    found: dict[tuple[int, int], int] = {}
    for pid in pids:
        with contextlib.suppress(OSError):  # it ended meanwhile
            for name in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    one = os.stat(f"/proc/{pid}/fd/{name}")
                    if one.st_nlink == 0 and stat.S_ISREG(one.st_mode):
                        found[one.st_dev, one.st_ino] = one.st_size
    return sum(found.values())


# ------------------------------------------------------------------- inside


@dataclass(slots=True)
class _Stop:
    """Who reaches a limit first says why."""

    why: str = ""
    _said: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, why: str) -> None:
        self.why = self.why or why
        self._said.set()

    async def waited(self, process: asyncio.subprocess.Process, seconds: float) -> None:
        """Until the first process has ended, or it has to."""
        async with asyncio.TaskGroup() as group:
            ways = [group.create_task(process.wait()), group.create_task(self._said.wait())]
            done, _ = await asyncio.wait(ways, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                self.say(f"its {seconds:g} seconds were over")
            for one in ways:
                one.cancel()


async def _start(program: Program) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *program.command,
            env=dict(program.env),
            cwd=program.folder,
            stdin=asyncio.subprocess.PIPE if program.given else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise ToolProblem(f"{program.command[0]} cannot be started here: {error.strerror}.") from error


async def _read(stream: asyncio.StreamReader | None, bounds: Bounds, stop: _Stop) -> bytes:
    """What is kept of a stream, and one byte more if there was more."""
    assert stream is not None
    kept, seen = b"", 0
    while piece := await stream.read(PIECE):
        seen += len(piece)
        kept = (kept + piece)[: bounds.kept + 1] if len(kept) <= bounds.kept else kept
        if seen > bounds.flood:
            stop.say(f"it printed more than {bounds.flood:,} bytes")  # and read on: it ends in a moment
    return kept


async def _feed(stdin: asyncio.StreamWriter | None, given: bytes) -> None:
    if stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it ended without reading all of it
        stdin.write(given)
        await stdin.drain()
        stdin.close()
        await stdin.wait_closed()


async def _look(watch: Watch, pid: int, stop: _Stop) -> None:
    while True:
        if why := await asyncio.to_thread(watch, pid):
            return stop.say(why)
        await asyncio.sleep(EVERY)


async def _end(process: asyncio.subprocess.Process, *, is_box: bool) -> None:
    """Kill what is left. In a box its first process goes first: the kernel ends all others before it is gone."""
    try:
        if is_box and process.returncode is None:
            for child in [one.pid for one in tree(process.pid)][:1]:
                _kill(os.kill, child)
            await _gone(process)
    finally:
        _kill(os.killpg, process.pid)
    await _gone(process)


def _let_go(process: asyncio.subprocess.Process) -> None:
    """A process that got away may hold our pipes open for ever. There is no public way to close our ends."""
    transport: asyncio.SubprocessTransport = vars(process)["_transport"]
    transport.close()


async def _gone(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORDS):
            await process.wait()


def _kill(how: Callable[[int, int], None], pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        how(pid, signal.SIGKILL)


async def _finished(readers: Sequence[asyncio.Task[bytes]], beside: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.wait(readers, timeout=LAST_WORDS)
    for one in (*readers, *beside):
        one.cancel()


def _processes() -> Iterator[tuple[int, tuple[int, int]]]:
    """pid, (parent, resident bytes)."""
    page = os.sysconf("SC_PAGE_SIZE")
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):  # it ended meanwhile
            fields = Path("/proc", name, "stat").read_text(errors="replace").rpartition(")")[2].split()
            yield int(name), (int(fields[1]), int(fields[21]) * page)
