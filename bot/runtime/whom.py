"""The command `agents`: whom people can give a task, what each is for, and how a task comes to it.

Everybody reads of every agent but inner ones; of one that they may not ask they read who may.
"""

from __future__ import annotations

from bot.domain.inert import show_line
from bot.domain.ports import Roster
from bot.domain.routing import Listing, words_of
from bot.runtime.asked import Asked

MOST = 40  # agents that an answer lists


class Whom:
    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self.deeds = {"agents": self.agents}

    async def agents(self, asked: Asked) -> str:
        listings = [one for one in self._roster.listings() if not one.is_inner]
        rest = [f"(+{len(listings) - MOST} more)"] if len(listings) > MOST else []
        lines = [_line(asked.name, one, is_default=not number) for number, one in enumerate(listings[:MOST])]
        return "\n".join(["You can give a task to:", *lines, *rest])


def _line(name: str, one: Listing, *, is_default: bool) -> str:
    about = f": {show_line(one.describe)}" if one.describe else ""
    told = [f"write {name} and the task" if is_default else f"write {name} {one.name}: and the task"]
    told += [f"or begin with {' or '.join(show_line(word) for word in one.starts)}"] if one.starts else []
    told += [f"or ask in {' or '.join(show_line(channel) for channel in one.channels)}"] if one.channels else []
    told += [f"only {words_of(one.may)} may"] if one.may else []
    return f"{one.name}{about} ({', '.join(told)})"
