"""What everything is divided by: one EVALSHA round trip on the very client that the store uses.

Two of them: a script that writes one key, which the shipped durability makes safe before it answers, and one
that does nothing. The first is the unit of every ratio: a vote cannot be accepted in less.
Taken between the clicks, each on the heels of one like it.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from bot.store.link import Link

WRITE = "redis.call('SET', KEYS[1], ARGV[1]) return 1"
READ = "return 1"


class Yardstick:
    def __init__(self, link: Link) -> None:
        self._link = link
        self._shas: dict[str, str] = {}
        self._seconds: dict[str, list[float]] = {WRITE: [], READ: []}

    async def take(self) -> None:
        """One round trip of each kind."""
        for text, seconds in self._seconds.items():
            sha = self._shas.get(text) or await self._link.ask(self._link.client.script_load(text))
            self._shas[text] = sha
            command: Any = self._link.client.execute_command
            await command("EVALSHA", sha, 1, "yardstick", "0" * 16)
            began = time.perf_counter()
            await command("EVALSHA", sha, 1, "yardstick", "0" * 16)
            seconds.append(time.perf_counter() - began)

    @property
    def write(self) -> float:
        """The median, in seconds."""
        return median(self._seconds[WRITE])

    @property
    def read(self) -> float:
        return median(self._seconds[READ])
