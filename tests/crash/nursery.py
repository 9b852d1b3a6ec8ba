"""Where the bot processes of the matrix come from: one process that has read all the code, and splits them off at once.

    python -m tests.crash.nursery <socket>

One connection is one bot process. In comes an `Order`, then the number of a signal a line; out goes one line, its exit
code. A process ends with its connection, and all of them with the nursery's own input: none outlives the tests.
Each is a process of its own, killed like any other; only the second that Python takes to read the code is saved.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import msgspec

from bot.domain.wire import Record, dumps
from tests.crash.worker import ROOT, Plan, work

READ_MOST = 1 << 12  # bytes of signals' numbers, or of rings that something died


class Order(Record):
    plan: Plan
    log: str  # the file that takes what it prints


# ------------------------------------------------------------- the tests' side


class Born:
    """One bot process, as far as the tests need `asyncio.subprocess.Process`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._one = asyncio.Lock()
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        """Nothing if it has ended: the nursery knows, and no other process is ever hit."""
        self._writer.write(b"%d\n" % number)

    async def wait(self) -> int:
        """Its exit code, or a negative signal number."""
        async with self._one:
            if self.returncode is None:
                self.returncode = int(await self._reader.readline())
                self._writer.close()
        return self.returncode


class Nursery:
    def __init__(self, place: Path) -> None:
        self._place = place

    async def bear(self, plan: Plan, log: Path) -> Born:
        reader, writer = await asyncio.open_unix_connection(self._place)
        writer.write(dumps(Order(plan=plan, log=str(log))) + b"\n")
        return Born(reader, writer)


@contextmanager
def nursery() -> Iterator[Nursery]:
    """A nursery that is ready; gone with everything it bore at the end."""
    with tempfile.TemporaryDirectory(prefix="cs") as folder:  # a socket's path must be short
        place = Path(folder) / "n"
        process = subprocess.Popen(
            (sys.executable, "-m", "tests.crash.nursery", str(place)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        with process:  # closes its input, and waits
            assert process.stdout is not None, "it is a pipe"
            assert process.stdout.readline() == b"ready\n", "the nursery did not start"
            yield Nursery(place)


# ----------------------------------------------------------- the nursery's side


class Cradle:
    """Waits for orders, deaths and the end, in one thread and without a loop: what is split off begins with neither."""

    def __init__(self, place: str) -> None:
        self._selector, self._children = selectors.DefaultSelector(), dict[int, socket.socket]()
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(place)
        self._door.listen(64)
        self._died, bell = socket.socketpair()
        for end in (self._died, bell):
            end.setblocking(False)
        self._bell = bell
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(bell.fileno(), warn_on_full_buffer=False)
        for waited in (self._door, self._died, sys.stdin.buffer):
            self._selector.register(waited, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until nobody holds our input any more."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is sys.stdin.buffer:
                    self._end()
                    return
                if key.fileobj is self._door:
                    self._born(self._door.accept()[0])
                elif key.fileobj is self._died:
                    self._reap()
                else:
                    self._signalled(key.data)

    def _end(self) -> None:
        for child in self._children:
            os.kill(child, signal.SIGKILL)

    def _born(self, line: socket.socket) -> None:
        order = msgspec.json.decode(_read(line), type=Order)
        child = os.fork()
        if child == 0:
            self._live(line, order)
        self._children[child] = line
        self._selector.register(line, selectors.EVENT_READ, child)

    def _live(self, line: socket.socket, order: Order) -> NoReturn:
        """In the child: nothing of the nursery stays open, and nothing of it goes on."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for ours in (line, self._door, self._died, self._bell, *self._children.values()):
            ours.close()
        self._selector.close()
        code = 1
        try:
            _redirect(order.log)
            asyncio.run(work(order.plan))
            code = 0
        except BaseException:  # noqa: BLE001  # as an interpreter ends: it is printed, and the code tells
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            sys.stdout.flush()
            os._exit(code)

    def _signalled(self, child: int) -> None:
        """Who has died and was not reaped is still ours: no other process has its number."""
        if child not in self._children:  # reaped a moment ago
            return
        numbers = [int(number) for number in self._children[child].recv(READ_MOST).split()]
        for number in numbers or [signal.SIGKILL]:  # nothing to read: the tests let go of it
            os.kill(child, number)

    def _reap(self) -> None:
        self._died.recv(READ_MOST)
        for child in list(self._children):
            dead, status = os.waitpid(child, os.WNOHANG)
            if dead:
                line = self._children.pop(child)
                self._selector.unregister(line)
                with contextlib.suppress(OSError):  # nobody waits for it any more
                    line.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
                line.close()


def _read(line: socket.socket) -> bytes:
    """One line and no byte more: a signal may have come behind it."""
    found = b""
    while not found.endswith(b"\n") and (more := line.recv(1)):
        found += more
    return found


def _redirect(log: str) -> None:
    for number, place, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, log, os.O_WRONLY | os.O_APPEND),
    ):
        opened = os.open(place, flags)
        os.dup2(opened, number)
        os.close(opened)


if __name__ == "__main__":
    cradle = Cradle(sys.argv[1])
    os.write(1, b"ready\n")
    cradle.serve()
