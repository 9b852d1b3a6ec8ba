"""The commands about what was allowed ahead of time, and about how approvals went: `grants`, `revoke`, `report`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from bot.domain import grant as grants
from bot.domain.chat import Account, Answer
from bot.domain.ports import Views
from bot.runtime.asked import Asked
from bot.runtime.lists import listed

DAYS = 7  # of a report, if nobody says

Revoke = Callable[[str, Account, str], Awaitable[Answer]]
"""Take a grant back for somebody, by a delivery. Raises Refused, Unavailable."""


class Allowed:
    def __init__(self, views: Views, revoke: Revoke) -> None:
        self._views, self._revoke = views, revoke
        self.deeds = {"grants": self.grants, "revoke": self.revoke, "report": self.report}

    async def grants(self, asked: Asked) -> str:
        found = await self._views.grants(asked.by)
        rows = [f"{one.id} · {grants.text(one)} · {grants.left_text(one)}" for one in found]
        told = f"What may run without being asked about. End one with {asked.name} revoke GRANT."
        return listed(told if rows else "Nothing may run without being asked about.", rows, asked)

    async def revoke(self, asked: Asked) -> str:
        return (await self._revoke(asked.rest.lower(), asked.by, asked.delivery)).text

    async def report(self, asked: Asked) -> str:
        told = await self._views.report(asked.by, timedelta(days=int(asked.rest or DAYS)))
        return told or "Sorry, the policy's `reports` does not name you."
