"""Another process of the bot, which people click in: one request id per line in, the second of the click out."""

from __future__ import annotations

import asyncio
import sys
import time

import uvloop

from bot.domain.request import RequestId
from tests.bench.bot import logging_as_shipped, running


async def main(url: str, namespace: str) -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with running(url, namespace) as bot:
        _say("ready")
        while line := (await reader.readline()).decode().strip():
            _, click = await bot.click(RequestId(line))
            began = time.perf_counter()
            answer = await bot.engine.desk.click(click)
            assert answer.is_taken, answer.text
            _say(repr(began))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with logging_as_shipped():
        uvloop.run(main(*sys.argv[1:3]))
