"""One stage of the pending rows, in a process of its own: its numbers are the last line it writes."""

from __future__ import annotations

import sys
from pathlib import Path

import uvloop

from bot.domain.wire import dumps
from tests.bench import pending
from tests.bench.bot import logging_as_shipped

STAGES = {"build": pending.build, "first": pending.first, "burst": pending.burst}

if __name__ == "__main__":
    name, folder, count = sys.argv[1:4]
    with logging_as_shipped():
        numbers = uvloop.run(STAGES[name](Path(folder), int(count)))
    sys.stdout.write(dumps(numbers).decode() + "\n")
