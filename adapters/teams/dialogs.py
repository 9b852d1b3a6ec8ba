"""Dialogs: what Teams asks us for when somebody presses a button that opens one, and what they send from it.

    fetch   Details -> front door (durable: they have read it) -> the details, page by page
            Show all, Open -> the whole card, with its buttons behind its last page
            a form -> is its button still the one on the card? -> its fields
    submit  a form -> front door (durable) -> problems beside the fields | what became of it
            a button of a whole card -> front door | its form; another page of what is shown

A dialog gives up after 5 s, and shows one person one thing: what cannot be shown is said in it. Nobody signs fields
they pressed an older picture of. Owns that order. Not how a dialog looks (windows), nor whether anything counts (the
front door).
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from adapters.asides import Asides
from adapters.recall import each
from adapters.rows import LATER
from adapters.signable import HARMLESS
from adapters.teams import answers, reading
from adapters.teams.answers import Reply
from adapters.teams.cards import inlined
from adapters.teams.deeds import INACTIVE, Deeds
from adapters.teams.fields import Fill
from adapters.teams.inbox import Inbox
from adapters.teams.limits import ACTIONS, dialog_faults
from adapters.teams.literal import Raw, words
from adapters.teams.presses import SHOW_ALL, Pressed, data, submit
from adapters.teams.reading import Press, behind
from adapters.teams.shapes import Inbound
from adapters.teams.windows import dialog, form
from bot.domain.card_buttons import LOOKS
from bot.domain.chat import Answer, Button, Card, FieldKind, MessageRef, PersonId
from bot.domain.errors import CountersignError
from bot.domain.people import ANYONE
from bot.domain.ports import Directory, Views
from bot.domain.request import RequestId

log = structlog.get_logger()

T = TypeVar("T")

SHOWN_WITHIN = 3.0  # seconds; Teams waits 5 (learn.microsoft.com, dialogs), and a phone is slower

GONE = "This button is no longer active: somebody answered meanwhile, or the time has passed."
CHANGED = "This request has changed since the card was drawn. Please look at the card again."
NOT_YOURS = "This does not wait for you, or not any more."
SLOW = "This took too long. Please close it and press the button again."
LOOKED_WITHIN = 1.0  # seconds for a look without which an answer can be given
CHOSEN_MOST = 60  # people that a field lets choose from; more are named by typing


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogsWithin:
    views: Views
    people: Directory
    deeds: Deeds
    inbox: Inbox
    asides: Asides


class Dialogs:
    """`fetch` and `submit` are the ears' handlers."""

    def __init__(self, within: DialogsWithin) -> None:
        self._with = within

    async def fetch(self, inbound: Inbound) -> Reply:
        """What opens, for whoever pressed. Never raises Refused or Unavailable: those are said in it."""
        press = reading.in_dialog(inbound)
        if press is None:
            return answers.notice(INACTIVE)
        if press.pressed.move in LOOKS:
            return await self._details(inbound, press)
        return await _within(self._opened(inbound, press))

    async def submit(self, inbound: Inbound) -> Reply:
        """What follows on a sent dialog. Never raises Refused or Unavailable: those are said in it."""
        press = reading.in_dialog(inbound)
        if press is None:
            return answers.notice(INACTIVE)
        if press.pressed.move in LOOKS:
            return await self._details(inbound, press)
        if press.pressed.move == SHOW_ALL:
            return await _within(self._opened(inbound, press))
        if not press.pressed.is_form and (button := await _or_none(self._button(press))) and button.fields:
            return await _within(self._opened(inbound, press))
        return await self._done(inbound, press)

    # --------------------------------------------------------------- opening

    async def _opened(self, inbound: Inbound, press: Press) -> Reply:
        if press.pressed.move == SHOW_ALL:
            return await self._whole(press)
        button = await self._button(press)
        if button is None:
            return answers.notice(GONE)
        if button.token != press.pressed.token or not button.fields:
            return answers.notice(CHANGED)
        drawn = form(button, behind=await self._behind(inbound, press), fill=await self._fill(button))
        return answers.dialog(drawn, button.label)

    async def _details(self, inbound: Inbound, press: Press) -> Reply:
        """Durable first: from here on they count as having read it, and here it stands."""
        answer = await self._with.deeds.do(inbound, press, press.about)
        if answer.details is None:
            return answers.notice(answers.told(answer))
        card = answer.details
        return answers.dialog(dialog(card, press=press.pressed, page=press.pressed.page), card.title)

    async def _whole(self, press: Press) -> Reply:
        """All of a card that waits for them. Behind its last page stand its buttons: whoever is there could read it."""
        waiting = await self._with.views.waiting_for(press.by)
        found = next((one for one in waiting if one.request == press.pressed.subject), None)
        if found is None:
            return answers.notice(NOT_YOURS)
        about = press.about or found.ref
        carried = press.pressed.behind or (behind(about) if about else "")
        drawn = dialog(found.card, press=_of(press, carried), page=press.pressed.page)
        is_last = not any(action.get("title") == "Next" for action in drawn.get("actions", ()))
        return answers.dialog(_with_hands(drawn, found.card, carried) if is_last else drawn, found.card.title)

    async def _button(self, press: Press) -> Button | None:
        if press.pressed.move == LATER:
            return await self._with.inbox.later(press.by, press.pressed.subject)
        return await self._with.views.button(RequestId(press.pressed.subject), press.pressed.move)

    async def _behind(self, inbound: Inbound, press: Press) -> str:
        """What the form carries along: what this press carried, or the message it stood in."""
        stood: MessageRef | None = await self._with.deeds.stood(inbound, press)
        return press.pressed.behind or (behind(stood) if stood else "")

    async def _fill(self, button: Button) -> Fill:
        """Whom its fields for people let choose from, if they are few and quickly known; else people type."""
        if not any(field.kind is FieldKind.PERSON for field in button.fields):
            return Fill()
        return Fill(people=await _or_none(self._people()) or {})

    async def _people(self) -> dict[PersonId, str]:
        ids = sorted(await self._with.people.members(ANYONE))
        people = await each(ids, self._with.people.person) if len(ids) <= CHOSEN_MOST else []
        return {one.id: one.name for one in people if one is not None and not one.is_bot}

    # --------------------------------------------------------------- sending

    async def _done(self, inbound: Inbound, press: Press) -> Reply:
        inbox = self._with.inbox
        is_listed = press.is_listed
        answer = await (inbox.do(inbound, press) if is_listed else self._with.deeds.do(inbound, press, press.about))
        if answer.problems:
            again = await _or_none(self._again(press, answer))
            if again is not None:
                return again
        if is_listed:
            self._with.asides.later(inbox.refresh(inbound), "show somebody's list again")
        return answers.notice(answers.told(answer))

    async def _again(self, press: Press, answer: Answer) -> Reply | None:
        """The form once more, with what was typed and what is wrong with it; None if there is none any more."""
        button = await self._button(press)
        if button is None or not button.fields or button.token != press.pressed.token:
            return None
        people = (await self._fill(button)).people
        fill = Fill(people=people, typed=press.pressed.fields, problems=answer.problems or {})
        return answers.dialog(form(button, behind=press.pressed.behind, fill=fill), button.label)


async def _within(opening: Awaitable[Reply]) -> Reply:
    """What opens, or why it does not."""
    try:
        async with asyncio.timeout(SHOWN_WITHIN):
            return await opening
    except TimeoutError:
        log.warning("teams_dialog_late")
        return answers.notice(SLOW)
    except CountersignError as error:
        log.warning("teams_dialog_not_shown", error=str(error))
        return answers.notice(error.people_read)


async def _or_none(look: Awaitable[T | None]) -> T | None:
    """What a look brings that is nice to have: in time, or not at all."""
    try:
        async with asyncio.timeout(LOOKED_WITHIN):
            return await look
    except (TimeoutError, CountersignError) as error:
        log.warning("teams_dialog_look_failed", error=type(error).__name__)
        return None


def _of(press: Press, carried: str) -> Pressed:
    """What the buttons for the other pages say again."""
    return dataclasses.replace(press.pressed, behind=carried)


def _with_hands(drawn: Raw, card: Card, carried: str) -> Raw:
    """*drawn* with the buttons of *card* below it; without those that let something run, if not all of it is text."""
    _, is_read = inlined(card)
    buttons = [one for one in card.buttons if is_read or one.move in HARMLESS]
    hands = [submit(one, data(one, behind=carried)) for one in buttons]
    sure = [words(f"{one.label}: {one.confirm}", spacing="Small") for one in buttons if (one.confirm or "").strip()]
    sets = [{"type": "ActionSet", "actions": hands[at : at + ACTIONS]} for at in range(0, len(hands), ACTIONS)]
    signed = {**drawn, "body": [*drawn["body"], *sure, *sets]}
    return drawn if dialog_faults(signed) else signed
