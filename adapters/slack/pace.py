"""Slack's limits: which calls share a bucket, and how large it is. What a bucket does stands in `adapters.pace`.

A bucket belongs to one workspace and method; for new messages, to one workspace and channel.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from adapters.pace import Turns, Window

T1, T2, T3, T4 = 1, 20, 50, 100  # calls per minute, method and workspace (docs.slack.dev, rate limits)
SPECIAL = 600  # a minute; "t5" methods have limits of their own, far above our use: only a 429 slows them

TIERS: Mapping[str, int] = {
    "agents.sessions.setStatus": T3,
    "apps.connections.open": T3,
    "assistant.threads.setStatus": SPECIAL,
    "assistant.threads.setSuggestedPrompts": T4,
    "auth.test": SPECIAL,
    "chat.appendStream": T4,
    "chat.delete": T3,
    "chat.getPermalink": SPECIAL,
    "chat.postEphemeral": T4,
    "chat.startStream": T2,
    "chat.stopStream": T2,
    "chat.update": T3,
    "conversations.history": T3,
    "conversations.info": T3,
    "conversations.list": T2,
    "conversations.members": T4,
    "conversations.open": T3,
    "conversations.replies": T3,
    "files.completeUploadExternal": T4,
    "files.getUploadURLExternal": T4,
    "oauth.v2.access": SPECIAL,
    "reactions.add": T3,
    "reactions.remove": T2,
    "team.profile.get": T3,
    "usergroups.list": T2,
    "usergroups.users.list": T2,
    "users.info": T4,
    "users.lookupByEmail": T3,
    "users.profile.get": T4,
    "views.open": T4,
    "views.publish": T4,
    "views.push": T4,
    "views.update": T4,
}
POST = "chat.postMessage"
UNLISTED = T2  # a method nobody looked up goes slowly

POSTS = (5, 5.0)  # calls in so many seconds and channel: "one a second, short bursts" (docs.slack.dev, rate limits)
PARTS = 5  # a minute's calls may come in so many bursts


class Pace:
    """Clock and sleep are passed in; both count seconds."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._turns = Turns("slack", clock, sleep)

    async def turn(self, team: str, method: str, channel: str = "") -> None:
        """Return when *method* may be called; turns are given in the order they were asked for.

        Raises ChatUnavailable, with the time to wait, if that is more than LONGEST_WAIT away.
        """
        await self._turns.turn(_name(team, method, channel), _windows(method), method)

    def pause(self, team: str, method: str, channel: str = "", *, seconds: float) -> None:
        """Slack said 429: nothing of this bucket for so long, whoever waits for a turn already included."""
        self._turns.pause(_name(team, method, channel), _windows(method), seconds)


def _name(team: str, method: str, channel: str) -> tuple[str, str]:
    return (team, f"{POST} {channel}" if method == POST else method)


def _windows(method: str) -> tuple[Window]:
    return (POSTS if method == POST else _burst(TIERS.get(method, UNLISTED)),)


def _burst(calls: int) -> tuple[int, float]:
    """*calls* a minute as a burst and its window: whoever keeps to it keeps to the minute."""
    return (calls // PARTS, 60 / PARTS) if calls >= PARTS else (calls, 60.0)
