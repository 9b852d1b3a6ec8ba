"""Somebody in front of the terminal: types lines, reads what is printed."""

from __future__ import annotations

import asyncio

PATIENCE = 10.0  # seconds


class Seat:
    """`keyboard` and `write` are what a Terminal is given."""

    def __init__(self) -> None:
        self.keyboard = asyncio.StreamReader()
        self.printed: list[str] = []
        self._news = asyncio.Event()

    def write(self, text: str) -> None:
        self.printed.append(text)
        self._news.set()

    def hit(self, line: str) -> None:
        """Type *line* and do not wait for anything."""
        self.keyboard.feed_data(f"{line}\n".encode())

    async def type(self, line: str) -> str:
        """Type *line*; give everything printed until the next command is answered, too."""
        start = len(self.printed)
        self.hit(line)
        self.hit("help")
        await self.reads("quit", since=start)
        return "\n".join(text for text in self.printed[start:] if "leave the thread" not in text)

    async def reads(self, text: str, *, since: int = 0) -> str:
        """Wait until *text* is printed; give all that was printed."""
        async with asyncio.timeout(PATIENCE):
            while not any(text in each for each in self.printed[since:]):
                self._news.clear()
                await self._news.wait()
        return "\n".join(self.printed)
