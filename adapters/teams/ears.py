"""Ears: what Teams tells us, handed in.

    activity -> its shape -> its row of the table -> front door (durable) -> the answer -> aside

Durable first, then the answer, then the person is told. Whether Teams repeats a message that was answered 503 is not
known, so its writer is told to look; a press is told in the answer itself. Owns that order and which activity goes
where. Not who may reach us (proof, http), what an activity means (reading), presses (deeds), dialogs, the inbox, given
messages, nor where a conversation is (places).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import structlog

from adapters.asides import Asides, judged
from adapters.flood import BUSY, Flood, Verdict
from adapters.teams import answers, reading
from adapters.teams.answers import Reply
from adapters.teams.deeds import INACTIVE, Deeds
from adapters.teams.inbox import Inbox, Shown
from adapters.teams.presses import OPENING
from adapters.teams.reading import Press
from adapters.teams.shapes import BadPayload, Inbound, Raw
from bot.domain import orders
from bot.domain.chat import Answer, Message
from bot.domain.errors import CountersignError, Unavailable
from bot.domain.orders import Order
from bot.domain.ports import FrontDoor, Keep, Meter
from bot.domain.wire import replace
from bot.domain.words import Meaning
from bot.domain.words import read as meaning_of

log = structlog.get_logger()

OF_OUR_CARDS = ("adaptiveCard/action", "task/fetch", "task/submit")  # a message action works where the app is not
LEARNED_WITHIN = 0.5  # seconds; most presses come from where we have been already, and cost nothing
AGAIN_WITHIN = timedelta(seconds=60)  # in which Teams repeats a message under another id (botbuilder-dotnet#5005)

IN_A_DIALOG = "This opens in a dialog, and this copy of Teams did not ask for one. Please press it somewhere else."
NOT_SURE = "I could not write that down just now. If nothing happens within a minute, please send it again."


class Places(Protocol):
    """Where conversations are: `places.Places`."""

    async def learn(self, inbound: Inbound) -> None: ...


Takes = Callable[[Inbound], Awaitable[Reply]]
"""Answers one kind of invoke within 3 s."""
Does = Callable[[Inbound, Press], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """What other parts of the adapter answer: `Dialogs` opens and takes dialogs, `Giving` takes given messages."""

    fetch: Takes
    submit: Takes
    give: Takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """What the ears work with."""

    front: FrontDoor
    places: Places
    deeds: Deeds
    keep: Keep
    asides: Asides
    inbox: Inbox
    handlers: Handlers
    meter: Meter
    flood: Flood = field(default_factory=Flood)


class Ears:
    def __init__(self, within: Within) -> None:
        self._with = within
        handlers = within.handlers
        self._invokes: Mapping[str, Takes] = {
            "adaptiveCard/action": self._executed,
            "task/fetch": handlers.fetch,
            "task/submit": handlers.submit,
            "composeExtension/fetchTask": handlers.give,
            "composeExtension/submitAction": handlers.give,
            "message/submitAction": self._thought,
        }
        self._types: Mapping[str, Takes] = {
            "invoke": self._invoked,
            "message": self._posted,
            "conversationUpdate": self._moved,
            "installationUpdate": self._moved,
        }

    async def take(self, raw: Raw) -> Reply:
        """Hand in one authentic activity; the answer is Teams'. Never raises: what fails is logged and answered.

        200 taken (an invoke's own status stands inside), 400 unreadable, 501 an invoke nobody knows, 503 not recorded,
        please deliver again.
        """
        try:
            inbound = Inbound.of(raw)
        except BadPayload as error:
            log.warning("teams_activity_unreadable", where=error.where)
            return answers.unreadable()
        try:
            taken = self._types.get(inbound.type)
            return await taken(inbound) if taken else answers.nothing()
        except Exception as error:  # noqa: BLE001  # said aloud in `_failed`; the library would answer 501 to it
            return _failed(inbound, error)

    # ------------------------------------------------------------- messages

    async def _posted(self, inbound: Inbound) -> Reply:
        if (value := reading.submitted(inbound)) is not None:
            return await self._submitted(inbound, value)
        message = reading.message(inbound)
        if message is not None and self._is_heard(message):
            try:
                await self._hear(inbound, message)
            except Unavailable:
                if message.is_mention and self._with.flood.may_tell(message.by):
                    self._with.asides.tell(NOT_SURE, message.place, message.by)
                raise
        return answers.nothing()

    def _is_heard(self, message: Message) -> bool:
        """What may begin a task is counted; "stop" ends one, and always gets through, in one's own chat, too."""
        is_counted = message.is_mention and meaning_of(message.text) is not Meaning.STOP
        verdict = self._with.flood.judge(message) if is_counted else Verdict.HEAR
        if verdict is Verdict.BUSY:
            self._with.asides.tell(BUSY, message.place, message.by)
        return verdict is Verdict.HEAR

    async def _hear(self, inbound: Inbound, heard: Message) -> None:
        """Where it came from first: what answers it is posted there."""
        await self._with.places.learn(inbound)
        message = await self._first(inbound, _by_id(inbound, heard))
        if await self._with.inbox.is_wanted(message):
            self._with.asides.later(self._with.inbox.show(message.by, inbound.bot), "show what waits for somebody")
            return
        answer = await judged(self._with.front.message(message))
        self._with.asides.tell(answer.text if answer else "", message.place, message.by)

    async def _first(self, inbound: Inbound, message: Message) -> Message:
        """*message*, as the delivery it was when it came first."""
        name = f"teams:heard:{reading.same(inbound, message)}"
        before = await self._with.keep.claim(name, message.delivery.encode(), keep=AGAIN_WITHIN)
        return replace(message, delivery=before.decode()) if before else message

    # -------------------------------------------------------------- presses

    async def _executed(self, inbound: Inbound) -> Reply:
        press = reading.executed(inbound)
        if press is None:
            return answers.words(INACTIVE)
        shown = await self._done(inbound, press, self._with.deeds.do)
        return answers.card(shown.card) if shown.card is not None else answers.words(shown.text)

    async def _submitted(self, inbound: Inbound, value: object) -> Reply:
        """An Action.Submit: the same press, of a client that knows nothing newer. It reads no answer: it is told.

        Who cannot be told, because the store is away, sees the client's own error, and the press may come again.
        """
        await self._learned(inbound)
        press = reading.press(inbound, value)
        shown = await self._done(inbound, press, self._with.deeds.handed) if press else Shown(text=INACTIVE)
        self._with.asides.tell(shown.text, inbound.place, inbound.by)
        return answers.nothing()

    async def _done(self, inbound: Inbound, press: Press, do: Does) -> Shown:
        """What whoever pressed sees: their press is recorded, or they are told that it is not."""
        if press.pressed.move in OPENING:
            return Shown(text=IN_A_DIALOG)  # nobody has read what never opened
        if press.is_listed:
            return await self._with.inbox.pressed(inbound, press)
        return Shown(text=answers.told(await do(inbound, press)))

    async def _learned(self, inbound: Inbound) -> None:
        """Where it came from, before it is judged: without Graph, a roster says who they are, and this says which.

        A store that does not answer is told of by the deed itself, in its own words.
        """
        try:
            async with asyncio.timeout(LEARNED_WITHIN):
                await self._with.places.learn(inbound)
        except (TimeoutError, Unavailable) as error:
            log.warning("teams_place_not_learned", error=f"{type(error).__name__}: {error}")

    # ----------------------------------------------------------------- rest

    async def _invoked(self, inbound: Inbound) -> Reply:
        taken = self._invokes.get(inbound.name)
        if inbound.name in OF_OUR_CARDS:
            await self._learned(inbound)
        return await taken(inbound) if taken else answers.unknown()

    async def _thought(self, inbound: Inbound) -> Reply:
        """What somebody thinks of an answer: counted, and its words are nobody's business."""
        if reaction := reading.reaction(inbound):
            self._with.meter.count("feedback", reaction=reaction)
            log.info("teams_feedback", reaction=reaction)
        return answers.empty()

    async def _moved(self, inbound: Inbound) -> Reply:
        """The app came somewhere, or was taken away. Whoever has it in their own chat now reads what it can do."""
        await self._with.places.learn(inbound)
        if inbound.place.is_direct and _is_added(inbound):
            self._with.asides.later(self._with.inbox.welcome(inbound), "welcome somebody")
        return answers.nothing()


def _by_id(inbound: Inbound, message: Message) -> Message:
    """A deputy is named by a mention: who that is, Teams may say; what they are called, several people may be."""
    order = orders.read(message.text)
    is_named = isinstance(order, Order) and order.word == "away"
    return replace(message, text=reading.words(inbound, by_id=True)) if is_named else message


def _is_added(inbound: Inbound) -> bool:
    """An installation, not the `conversationUpdate` that comes along with it: one welcome is enough."""
    return inbound.type == "installationUpdate" and (inbound.parts.action or "").startswith("add")


def _failed(inbound: Inbound, error: Exception) -> Reply:
    """What a handler raised, as Teams' answer. The log says what kind of activity it was, never what was in it."""
    kind, is_invoke = inbound.name or inbound.type, inbound.type == "invoke"
    told = error.people_read if isinstance(error, CountersignError) else CountersignError.people_read
    if isinstance(error, BadPayload):
        log.warning("teams_activity_unreadable", kind=kind, where=error.where)
        return answers.failed(kind, 400, "BadRequest", told) if is_invoke else answers.unreadable()
    if isinstance(error, Unavailable):
        log.warning("teams_activity_not_taken", kind=kind, error=str(error))
        return answers.failed(kind, 500, "InternalError", told) if is_invoke else answers.again()
    log.error("teams_handler_failed", kind=kind, error=type(error).__name__, exc_info=error)
    return answers.failed(kind, 500, "InternalError", told) if is_invoke else Reply(status=500)
