"""Two programs in turns: `python -m tests.bench.turns BEFORE NOW`, each the folder of a checkout.

Each runs its own bot on a server of its own, in a process that uses the modules of its folder alone; ten clicks of the
one, ten of the other, and so on. What a busy machine does to the one it does to the other: they differ by what they do.
The row is `resume.same_process` (until the coroutine goes on, the tool's first line, the agent's next line).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles

ROUNDS, CLICKS = 30, 10
WARM = 3  # rounds that do not count
PARTS = ("wake", "tool", "line")


# ------------------------------------------------- one side, in its own folder


async def side() -> None:
    """Click ten times for each line that is read; say the seconds of each part."""
    from bot.store.embedded import EmbeddedServer
    from tests.bench import resume
    from tests.bench.bot import logging_as_shipped, running

    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    pending = resume.PENDING + (ROUNDS + WARM) * CLICKS
    with tempfile.TemporaryDirectory() as folder, logging_as_shipped():
        async with EmbeddedServer(Path(folder)) as server, running(server.url, "turns") as bot:
            await bot.ask(range(1, pending + 1))
            await bot.quiet(pending=pending)
            requests = iter(await bot.open_requests())
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            while await reader.readline():
                times = resume.Times()
                for _ in range(CLICKS):
                    await resume._hot(bot, next(requests), times)
                told = [" ".join(str(one) for one in getattr(times, part)) for part in PARTS]
                sys.stdout.write(";".join(told) + "\n")
                sys.stdout.flush()


# ------------------------------------------------------------------- in turns


@contextmanager
def started(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = (sys.executable, str(Path(__file__).resolve()), "--side")
    given = {**os.environ, "PYTHONPATH": str(folder)}
    with subprocess.Popen(
        command, cwd=folder, env=given, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def in_turns(folders: Sequence[Path]) -> dict[Path, dict[str, list[float]]]:
    """The seconds of every click that counts, by folder and part."""
    found: dict[Path, dict[str, list[float]]] = {folder: defaultdict(list) for folder in folders}
    with ExitStack() as stack:
        sides = {folder: stack.enter_context(started(folder)) for folder in folders}
        for one in sides.values():
            _hear(one)
        for number in range(ROUNDS + WARM):
            for folder, one in list(sides.items())[:: -1 if number % 2 else 1]:  # nobody always comes after the other
                assert one.stdin is not None
                one.stdin.write("go\n")
                one.stdin.flush()
                for part, text in zip(PARTS, _hear(one).split(";"), strict=True):
                    found[folder][part] += [float(word) for word in text.split()] if number >= WARM else []
    return found


def _hear(side: subprocess.Popen[str]) -> str:
    assert side.stdout is not None
    if not (line := side.stdout.readline()):
        raise SystemExit("one side has ended; its own words are above")
    return line.strip()


def main(folders: Sequence[Path]) -> None:
    for folder, parts in in_turns([one.resolve() for one in folders]).items():
        told = ", ".join(f"{part} {_us(median(times))} ({_us(quantiles(times)[0])})" for part, times in parts.items())
        sys.stdout.write(f"{folder.name}: median and lower quartile in µs: {told}\n")


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f}"


if __name__ == "__main__":
    if sys.argv[1:] == ["--side"]:
        import uvloop

        sys.path.remove(str(Path(__file__).resolve().parent))  # `bot` is the product's here, not our neighbour
        uvloop.run(side())
    else:
        main([Path(one) for one in sys.argv[1:]])
