"""People turn the work to another member while one is at it: that one begins nothing more.

    ctx -> Watched(ctx, where) -> a member hears replies -> one of them re-routes? -> Turned, up to the pattern

What people pressed comes as a reply does (`Heard.to`), so it is journalled as one, withdraws what waits for people,
and reaches every branch before its next step. No words are read for it. Not who may press (runtime), nor who goes on
then (handoff).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agents.patterns.pattern import Around
from agents.patterns.room import PEOPLE
from bot.domain.ports import RunContext
from bot.domain.run import Heard


class Left(Exception):
    """What was heard ends a member's turn. *replies* are what was heard with it, which no room has taken in yet.

    Whoever has branches lets the others end by themselves, which hear it as well, and then raises the one of them
    that heard most: later words count, and none is lost.
    """

    def __init__(self, told: str, replies: Sequence[Heard] = ()) -> None:
        super().__init__(told)
        self.replies = tuple(replies)


class Turned(Left):
    """People re-routed: *to* goes on."""

    def __init__(self, to: str, replies: Sequence[Heard]) -> None:
        super().__init__(f"people turned this to {to}", replies)
        self.to = to


def farthest(left: Sequence[tuple[Left, Sequence[Heard]]], known: int) -> Left:
    """Of branches that ended so, each with what it heard before: the one that heard most.

    Its replies are then what it heard after the first *known* replies, which the room of all has taken in.
    """
    found, before = max(left, key=lambda one: sum(said.by != PEOPLE for said in (*one[1], *one[0].replies)))
    replies: list[Heard] = []
    for said in (*before, *found.replies):
        if said.by != PEOPLE and known:
            known -= 1
        elif said.by != PEOPLE or not known:
            replies.append(said)
    found.replies = tuple(replies)
    return found


class Watched(Around):
    """A `RunContext` for the member called *at*: its ears know the *members* that people may turn to."""

    def __init__(self, ctx: RunContext, members: Collection[str], at: str) -> None:
        super().__init__(ctx)
        self._members, self._at = frozenset(members), at

    async def heard(self) -> tuple[Heard, ...]:
        """As `RunContext.heard`. Raises Turned for a reply that sends the work to another member than has it."""
        replies = await self._ctx.heard()
        to = next((one.to for one in reversed(replies) if one.to in self._members), self._at)
        if to != self._at:
            raise Turned(to, replies)
        return replies
