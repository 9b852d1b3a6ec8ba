"""The commands `preferences` and `forget`: what agents remember of a person, shown to them and taken back.

Everybody's own alone, whoever stands beside them; nothing else of the bot depends on it, so there is no audit record.
"""

from __future__ import annotations

from bot.domain.inert import show_line
from bot.domain.preferences import Preferences
from bot.runtime.asked import Asked


class Wishes:
    def __init__(self, preferences: Preferences) -> None:
        self._preferences = preferences
        self.deeds = {"preferences": self.show, "forget": self.forget}

    async def show(self, asked: Asked) -> str:
        liked = await self._preferences.all(asked.person.id)
        if not liked:
            return "I remember no preferences of yours. When I ask you for one, I may."
        lines = [f"{name}: {show_line(value)}" for name, value in sorted(liked.items())]
        return "\n".join(["What I remember of you, for you alone:", *lines, f"{asked.name} forget NAME clears one."])

    async def forget(self, asked: Asked) -> str:
        gone = await self._preferences.forget(asked.person.id, asked.rest.casefold())
        if gone:
            return f"Forgotten: {', '.join(gone)}. I shall ask you again."
        return f"I remember nothing called {show_line(asked.rest)}. {asked.name} preferences shows what I do."
