"""Windows: what somebody is told where no message stands, neither at the Home tab nor after a shortcut.

    a press -> "One moment" opened (its trigger lives 3 s) -> the deed, meanwhile -> its answer in the same window
               could not be opened, or was closed before a refusal -> told in the direct conversation

Opening and the deed run side by side: neither the store nor Slack's ack waits for a window, nor a window for them.
Not owned: forms (modals), the deed itself (home, commands).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from adapters.asides import Asides, Whisper
from adapters.slack.api import PLATFORM
from adapters.slack.fields import message_view
from adapters.slack.modals import SORRY, Calls
from adapters.slack.shapes import View, read_as
from bot.domain.chat import Account, Answer, Place
from bot.domain.errors import ChatUnavailable, CountersignError, Refused, Unavailable

log = structlog.get_logger()

RECORDED = "Recorded"  # title of a window whose deed was taken
DONE = "Your answer was recorded."  # for a deed that was taken without a word
FAILED = Answer(is_taken=False, text=CountersignError.people_read)


class Direct(Protocol):
    """`Mouth`, as far as it is needed to reach one person."""

    async def direct(self, to: Account) -> Place: ...
    async def whisper(self, text: str, place: Place, to: Account) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """Who acted, in which workspace of ours, and what opens a window for it, once and within 3 s."""

    by: Account
    team: str
    trigger: str


class Window:
    """One window. The first answer it is given is what it shows."""

    def __init__(self) -> None:
        self.told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def show(self, answer: Answer) -> None:
        if not self.told.done():
            self.told.set_result(answer)


class Windows:
    """*asides* must tell people in person: `Asides(group, directly(mouth))`."""

    def __init__(self, api: Calls, asides: Asides) -> None:
        self._api, self._asides = api, asides

    @contextmanager
    def opened(self, pressed: Pressed) -> Iterator[Window]:
        """A window that says "One moment" until it is given an answer; leaving without one, it says that it failed.

        Raises nothing of its own. Unavailable passes through, and the window says that nothing was recorded.
        """
        window = Window()
        self._asides.later(self._stand(window, pressed), "show a window")
        try:
            yield window
        except Unavailable as error:
            window.show(Answer(is_taken=False, text=error.people_read))
            raise
        finally:
            window.show(FAILED)

    async def _stand(self, window: Window, pressed: Pressed) -> None:
        view = await self._open(pressed)
        answer = await window.told
        is_read = view is not None and await self._fill(view, answer, pressed.team)
        if not is_read:
            nowhere = Place(platform=PLATFORM, tenant=pressed.team, channel="")  # `directly` finds the person's own
            self._asides.tell(answer.text or DONE, nowhere, pressed.by)

    async def _open(self, pressed: Pressed) -> View | None:
        """None for a trigger that came too late, and for whatever else kept it from opening."""
        view = message_view("One moment", "Working on it…")
        try:
            reply = await self._api.call(pressed.team, "views.open", trigger_id=pressed.trigger, view=view)
            return read_as(View, reply.get("view"))
        except (Refused, Unavailable) as error:
            log.warning("slack_window_not_opened", error=str(error))
            return None

    async def _fill(self, view: View, answer: Answer, team: str) -> bool:
        """Did the person read it? Whoever closed a window early need not be told again what went as they wished."""
        try:
            try:
                reply = await self._update(view, answer, team)
            except ChatUnavailable:
                reply = await self._update(view, answer, team)  # showing the same twice harms nobody
        except (Refused, Unavailable) as error:
            log.warning("slack_window_not_filled", error=str(error))
            return False
        return answer.is_taken or reply.get("ok") is not False

    async def _update(self, view: View, answer: Answer, team: str) -> Mapping[str, Any]:
        drawn = message_view(RECORDED if answer.is_taken else SORRY, answer.text or DONE)
        return await self._api.call(team, "views.update", view_id=view.id, view=drawn)


def directly(mouth: Direct) -> Whisper:
    """A whisper in the person's own conversation with the bot, wherever it is about: they may not be in that place."""

    async def whisper(text: str, place: Place, to: Account) -> None:  # noqa: ARG001  # as every `Whisper`
        await mouth.whisper(text, await mouth.direct(to), to)

    return whisper
