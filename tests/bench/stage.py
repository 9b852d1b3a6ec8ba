"""One stage of the pending rows, in a process of its own: its numbers are the last line it writes.

`first` begins as the product does: the server reads its file while everything else is imported.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from bot.domain.wire import dumps
from bot.store.embedded import EmbeddedServer


async def stage(name: str, folder: Path, count: int) -> Mapping[str, float]:
    async with AsyncExitStack() as stack:
        server = EmbeddedServer(folder)
        await server.launch()
        stack.push_async_exit(server)
        importlib.import_module("bot.app")  # what a real start reads belongs to its time
        pending = importlib.import_module("tests.bench.pending")
        bench = importlib.import_module("tests.bench.bot")
        with bench.logging_as_shipped():
            await server.ready()
            found: Mapping[str, float] = await pending.STAGES[name](server.url, count)
            return found


if __name__ == "__main__":
    sys.stdout.write(dumps(uvloop.run(stage(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))).decode() + "\n")
