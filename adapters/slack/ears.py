"""Ears: what Slack tells us, handed in; whichever way it came.

payload -> read once -> ours? (app, workspace) -> bolt finds the listener -> front door (durable) -> ack -> aside

Durable first, then Slack hears "ok", then the person is told. When nothing could be written down, an event is answered
503 and comes again by itself; a press does not come again, so its person is told. Owns that order and which
listener takes what. Not the transports (guard, http, socket), what a payload means (reading), forms (modals), Home,
commands and installs (`Handlers`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.response import BoltResponse

from adapters.asides import Asides, judged
from adapters.flood import BUSY, Flood, Verdict
from adapters.slack import reading
from adapters.slack.modals import Modals
from adapters.slack.reading import Command, HomeClick, HomeOpened, Payload, Shortcut
from adapters.slack.shapes import BadPayload, Body
from bot.domain.card_buttons import LOOKS
from bot.domain.chat import Answer, Message
from bot.domain.errors import CountersignError, Unavailable
from bot.domain.ports import FrontDoor
from bot.domain.wire import Json
from bot.domain.words import Meaning
from bot.domain.words import read as meaning_of

log = structlog.get_logger()

INACTIVE = "This button is no longer active."
GONE = ("app_uninstalled", "tokens_revoked")

_ANY = re.compile("")
_BUTTON = re.compile(rf"^{re.escape(reading.BUTTON)}")
_FORM_BUTTON = re.compile(rf"^{re.escape(reading.FORM_BUTTON)}")
_LINK = re.compile(rf"^{re.escape(reading.LINK)}")


class Takes(Protocol):
    """Whom a transport hands payloads to: `Ears`."""

    async def take(self, payload: Payload) -> BoltResponse: ...


class Teams(Protocol):
    """Which workspaces this app is installed in. Asked for every payload: without a call to Slack, please."""

    async def bot_user(self, team: str, enterprise: str | None = None) -> str | None:
        """The bot's user id in *team*, which is part of *enterprise*, if of any; None where the app is not installed.

        Raises Unavailable, BadSeal.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """What other parts of the adapter do with what is theirs. Each is awaited before Slack hears "ok" (3 s).

    A raised Unavailable makes Slack deliver an event again, and shows the person an error otherwise; any other
    CountersignError is acked. They tell the person themselves.
    """

    home_opened: Callable[[HomeOpened], Awaitable[None]]
    home_clicked: Callable[[HomeClick], Awaitable[None]]
    uninstalled: Callable[[str], Awaitable[None]]  # the workspace of an app_uninstalled or tokens_revoked; repeated
    command: Callable[[Command], Awaitable[Mapping[str, Json]]]  # what the person sees, as Slack's JSON: text, blocks
    shortcut: Callable[[Shortcut], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """What the ears work with. An empty *app_id* is not compared: the secret already names the app."""

    app_id: str
    teams: Teams
    front: FrontDoor
    asides: Asides
    modals: Modals
    handlers: Handlers
    flood: Flood = field(default_factory=Flood)


class Ears:
    def __init__(self, within: Within) -> None:
        self._with = within
        self.app = self._listening()

    async def take(self, payload: Payload) -> BoltResponse:
        """Hand in one authentic payload; the answer is Slack's. Never raises: what fails is logged and answered 500.

        200 taken, 400 unreadable, 403 not our app or workspace, 503 not recorded, please deliver again.
        """
        try:
            parts = reading.read(payload)
            if not await self._is_ours(parts):
                log.warning("slack_payload_foreign", kind=reading.kind(parts))
                return _never(403)
        except BadPayload as error:
            log.warning("slack_payload_unreadable", where=error.where)
            return _never(400)
        except Unavailable as error:
            log.warning("slack_payload_not_taken", error=str(error))
            return BoltResponse(status=503, body="")
        except CountersignError as error:
            log.error("slack_team_broken", error=str(error), exc_info=error)
            return BoltResponse(status=500, body="")
        # what stands in bolt's context is an argument to whichever listener names it
        request = AsyncBoltRequest(body=dict(payload), mode="socket_mode", context={"parts": parts})
        return await self.app.async_dispatch(request)

    async def _is_ours(self, parts: Body) -> bool:
        """A workspace we are not installed in gets nothing from us, nor does another app's payload (T15)."""
        kind = reading.kind(parts)
        if kind == "url_verification":
            return True
        if self._with.app_id and reading.app(parts) != self._with.app_id:
            return False
        return kind in GONE or await self._bot_user(parts) is not None

    async def _bot_user(self, parts: Body) -> str | None:
        return await self._with.teams.bot_user(reading.team(parts), reading.enterprise(parts))

    def _listening(self) -> AsyncApp:
        """One listener for each kind of payload, but for presses (`Presses`). bolt tries them in this order.

        Signatures are checked by the guard, over the raw bytes; what bolt gets is already read.
        """
        app = Lean(
            name="countersign",
            logger=logging.Logger("slack_bolt.quiet", logging.CRITICAL + 1),  # bolt logs whole bodies
            process_before_response=True,
            request_verification_enabled=False,
            ignoring_self_events_enabled=False,  # `reading` leaves out every bot's words, ours among them
            ssl_check_enabled=False,
            attaching_function_token_enabled=False,
            authorize=self._authorizer(),
            attaching_conversation_kwargs_enabled=False,
        )
        app.error(self._failed)
        app.use(Presses(self._pressed))
        app.action(_FORM_BUTTON)(self._form_wanted)
        app.action(_ANY)(self._pressed_elsewhere)
        for event in ("app_mention", "message"):
            app.event(event)(self._posted)
        app.event("agent_session_stopped")(self._stopped)
        app.event("app_home_opened")(self._home_opened)
        for event in GONE:
            app.event(event)(self._uninstalled)
        app.event(_ANY)(self._ignored)
        app.view(_ANY)(self._submitted)
        app.command(_ANY)(self._commanded)
        app.shortcut(_ANY)(self._shortcut)
        return app

    def _authorizer(self) -> Callable[..., Awaitable[AuthorizeResult]]:
        """Who we are there: bolt drops the bot's own events by it. Our own calls bring their token along."""

        # No method: bolt would want `self` of the payload. No organisation: bolt pairs any with any workspace that a
        # payload names; `_is_ours` has asked about the right ones before.
        async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
            user = await self._with.teams.bot_user(team_id or "")
            return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_user_id=user)

        return authorize

    async def _failed(self, error: Exception, parts: Body) -> BoltResponse:
        """What a listener raised, as Slack's answer. The log says what kind of payload it was, never what was in it."""
        kind = reading.kind(parts)
        if isinstance(error, Unavailable):
            log.warning("slack_payload_not_taken", kind=kind, error=str(error))
            return BoltResponse(status=503, body="")
        if isinstance(error, BadPayload):
            log.warning("slack_payload_unreadable", kind=kind, where=error.where)
            return _never(400)
        log.error("slack_listener_failed", kind=kind, error=type(error).__name__, exc_info=error)
        return BoltResponse(status=500, body="")

    # -------------------------------------------------------------- events

    async def _posted(self, parts: Body) -> None:
        message = reading.message(parts, await self._bot_user(parts) or "")
        if message is not None and self._is_heard(message):
            await self._hear(message)

    async def _stopped(self, parts: Body) -> None:
        await self._hear(reading.stopped(parts))

    def _is_heard(self, message: Message) -> bool:
        """What may begin a task is counted; "stop" ends one, and always gets through, in a direct message, too."""
        is_counted = message.is_mention and meaning_of(message.text) is not Meaning.STOP
        verdict = self._with.flood.judge(message) if is_counted else Verdict.HEAR
        if verdict is Verdict.BUSY:
            self._with.asides.tell(BUSY, message.place, message.by)
        return verdict is Verdict.HEAR

    async def _hear(self, message: Message) -> None:
        text = await _told(self._with.front.message(message))
        self._with.asides.tell(text, message.place, message.by)

    async def _home_opened(self, parts: Body) -> None:
        await _handled(self._with.handlers.home_opened(reading.home_opened(parts)))

    async def _uninstalled(self, parts: Body) -> None:
        await _handled(self._with.handlers.uninstalled(reading.team(parts)))

    async def _ignored(self) -> None:
        """An event nobody here asked for. It is acked: unanswered ones make Slack switch the app's events off."""

    # ------------------------------------------------------------- presses

    async def _pressed(self, parts: Body, ack: AsyncAck) -> None:
        click = reading.click(parts)
        if click is None:
            await self._pressed_elsewhere(parts, ack)
            return
        if click.move in LOOKS:
            await self._with.modals.read(click, reading.trigger(parts), ack)
            return
        try:
            text = await _told(self._with.front.click(click))
        except Unavailable as error:
            self._with.asides.tell(error.people_read, click.ref.place, click.by)
            raise
        await ack()
        self._with.asides.tell(text, click.ref.place, click.by)

    async def _form_wanted(self, parts: Body, ack: AsyncAck) -> None:
        click = reading.click(parts)
        if click is None:
            await self._pressed_elsewhere(parts, ack)
        else:
            await self._with.modals.open(click, reading.trigger(parts), ack)

    async def _pressed_elsewhere(self, parts: Body, ack: AsyncAck) -> None:
        """The Home tab's buttons; links, which open by themselves; and whatever is left of another version of us."""
        if (home := reading.home_click(parts)) is not None:
            await _handled(self._with.handlers.home_clicked(home))
        elif not _LINK.match(reading.action(parts)):
            place, by = reading.stands_at(parts)
            self._with.asides.tell(INACTIVE, place, by)
        await ack()

    async def _submitted(self, parts: Body, body: dict[str, Any], ack: AsyncAck) -> None:
        await self._with.modals.submit(parts, body["view"], ack)

    # ------------------------------------------------------------ commands

    async def _commanded(self, parts: Body, ack: AsyncAck) -> None:
        command = reading.command(parts)
        try:
            shown = await self._with.handlers.command(command)
        except CountersignError as error:  # a command is not delivered again, and its answer is this ack
            log.warning("slack_command_refused", error=str(error))
            shown = {"text": error.people_read}
        await ack({"response_type": "ephemeral", **shown} if shown else "")

    async def _shortcut(self, parts: Body, ack: AsyncAck) -> None:
        if (shortcut := reading.shortcut(parts)) is not None:
            await _handled(self._with.handlers.shortcut(shortcut))
        await ack()


class Lean(AsyncApp):
    """bolt without the web client it makes for each payload since 1.15 (50 µs): no listener of ours asks for one."""

    def _init_context(self, req: AsyncBoltRequest) -> None:
        req.context["logger"], req.context["client"] = self.logger, self.client
        req.context["listener_runner"] = self.listener_runner


class Presses(AsyncMiddleware):
    """bolt's way to take a press without asking its listeners: their matching and arguments cost each click 90 µs."""

    def __init__(self, pressed: Callable[[Body, AsyncAck], Awaitable[None]]) -> None:
        self._pressed = pressed

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,
        next: Callable[[], Awaitable[BoltResponse]],  # bolt's names
    ) -> BoltResponse | None:
        parts: Body = req.context["parts"]
        if parts.type != "block_actions" or not _BUTTON.match(reading.action(parts)):
            await next()
            return resp
        ack: AsyncAck = req.context.ack
        await self._pressed(parts, ack)
        return ack.response


def _never(status: int) -> BoltResponse:
    """Refused for good: the same bytes will be no better the next time."""
    return BoltResponse(status=status, body="", headers={"X-Slack-No-Retry": "1"})


async def _told(deed: Awaitable[Answer | None]) -> str:
    """What the person is told about their *deed*. Raises Unavailable when it was not recorded."""
    answer = await judged(deed)
    return answer.text if answer else ""


async def _handled(deed: Awaitable[None]) -> None:
    """Await *deed*. A refusal was told by whoever refused, and Slack need not deliver it again."""
    try:
        await deed
    except Unavailable:
        raise
    except CountersignError as error:
        log.warning("slack_deed_refused", error=str(error))
