"""A Slack made of tables, for answers the strict fake never gives: the same user id twice, flags left out, silence.

It answers as `Api` does and counts what it was asked. It is also the list of workspaces.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from adapters.slack.api import SlackRefused

Json = dict[str, Any]


class Table:
    """`rows` by (team, user). `gate` holds every call back while it is closed; `error` is what the next calls raise."""

    def __init__(self, *teams: str) -> None:
        self.installed = list(teams or ("T1",))
        self.rows: dict[tuple[str, str], Json] = {}
        self.groups: dict[str, dict[str, list[str]]] = {}  # team -> handle -> users
        self.asked: Counter[str] = Counter()
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()

    def add(self, user: str, team: str = "T1", **more: object) -> Table:
        """A full member, as far as *more* does not say otherwise; `...` leaves a key out."""
        profile = {"display_name": more.pop("name", user.lower()), "email": more.pop("email", None)}
        flags = {"deleted": False, "is_bot": False, "is_restricted": False, "is_ultra_restricted": False}
        row = {"id": user, "team_id": team, "name": user.lower(), "profile": profile, **flags, **more}
        self.rows[team, user] = {name: value for name, value in row.items() if value is not ...}
        return self

    async def teams(self) -> tuple[str, ...]:
        return tuple(self.installed)

    async def bot_user(self, team: str) -> str | None:
        return "UBOT" if team in self.installed else None

    async def call(self, team: str, method: str, *, channel: str = "", **args: Any) -> Mapping[str, Any]:
        """The answer as it was when the call began, however long it takes."""
        self.asked[method] += 1
        answer, error = self._answer(team, method, channel, args), self.error
        self.entered.set()
        await self.gate.wait()
        if error is not None:
            raise error
        if isinstance(answer, str):
            raise SlackRefused(method, answer)
        return answer

    def _answer(self, team: str, method: str, channel: str, args: Json) -> Json | str:
        match method:
            case "users.info":
                row = self.rows.get((team, args["user"]))
                return {"ok": True, "user": dict(row)} if row else "user_not_found"
            case "users.list":
                return {"ok": True, "members": [dict(row) for (where, _), row in self.rows.items() if where == team]}
            case "usergroups.list":
                handles = self.groups.get(team, {})
                return {"ok": True, "usergroups": [{"id": f"S{one.upper()}", "handle": one} for one in handles]}
            case "usergroups.users.list":
                groups = {f"S{handle.upper()}": users for handle, users in self.groups.get(team, {}).items()}
                return {"ok": True, "users": list(groups[args["usergroup"]])}
        raise AssertionError(f"nobody taught the table {method} {channel}")
