"""Modals: the form behind a button.

    press -> "One moment" opened (its trigger lives 3 s) -> ack -> the fields, asked of the store -> shown
    sent  -> front door (durable) -> problems beside the fields | why not | closed, and the person is told

Opening comes before all else, because the trigger dies while others think. A form is shown only to a press whose button
is still the one on the card: nobody signs fields they pressed an older picture of. Owns that order. Not how a
form looks (fields), nor whether it counts (the front door).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import structlog
from slack_bolt.context.ack.async_ack import AsyncAck

from adapters.slack import reading
from adapters.slack.api import SlackRefused
from adapters.slack.asides import Asides, judged
from adapters.slack.codes import Outcome
from adapters.slack.fields import form_view, loading_view, message_view, problems_by_block
from adapters.slack.shapes import View, read_as
from bot.domain.chat import Answer, Click, Form
from bot.domain.errors import ChatUnavailable, CountersignError, Refused, Unavailable
from bot.domain.ports import FrontDoor, Views
from bot.domain.request import RequestId

log = structlog.get_logger()

AGAIN = "The form could not be opened in time. Please press the button again."
GONE = "This button is no longer active: somebody answered meanwhile, or the time has passed."
CHANGED = "This request has changed since the card was drawn. Please look at the card again."
NOT_SHOWN = "The form could not be shown. Please close it and press the button again."
SORRY = "Not possible"  # title of a form that turned into a sentence


class Calls(Protocol):
    """`Api`, as far as it is needed here."""

    async def call(self, team: str, method: str, *, channel: str = "", **args: Any) -> Mapping[str, Any]: ...


class Modals:
    def __init__(self, api: Calls, views: Views, front: FrontDoor, asides: Asides) -> None:
        self._api, self._views, self._front, self._asides = api, views, front, asides

    # ------------------------------------------------------------- opening

    async def open(self, click: Click, trigger: str, ack: AsyncAck) -> None:
        """Show the form behind *click* to whoever pressed. Raises Unavailable, told, if Slack did not answer."""
        try:
            reply = await self._api.call(_team(click), "views.open", trigger_id=trigger, view=loading_view())
            opened = read_as(View, reply.get("view"))
        except Unavailable:
            self._tell(AGAIN, click)
            raise
        except Refused as error:
            is_late = isinstance(error, SlackRefused) and error.outcome is Outcome.AGAIN
            log.warning("slack_form_not_opened", error=str(error))
            await ack()
            self._tell(AGAIN if is_late else error.people_read, click)
            return
        await ack()
        self._asides.later(self._fill(click, opened), "fill a form")

    async def _fill(self, click: Click, opened: View) -> None:
        view = await self._drawn(click)
        try:
            await self._update(click, opened, view)
        except ChatUnavailable:
            try:
                await self._update(click, opened, view)  # the hash lets it happen once
            except CountersignError:
                self._tell(NOT_SHOWN, click)
                raise
        except Refused:
            self._tell(NOT_SHOWN, click)
            raise

    async def _update(self, click: Click, opened: View, view: Mapping[str, Any]) -> None:
        """Nothing if the person closed it, or if it was filled before: the hash is another one then."""
        try:
            await self._api.call(_team(click), "views.update", view_id=opened.id, hash=opened.hash, view=view)
        except SlackRefused as error:
            if error.outcome is not Outcome.REREAD:
                raise

    async def _drawn(self, click: Click) -> Mapping[str, Any]:
        """The form, or a sentence in its place."""
        try:
            button = await self._views.button(RequestId(click.subject), click.move)
        except CountersignError as error:
            log.warning("slack_form_not_drawn", error=str(error))
            return message_view(SORRY, error.people_read)
        if button is None:
            return message_view(SORRY, GONE)
        if button.token != click.token or not button.fields:
            return message_view(SORRY, CHANGED)
        return form_view(button, metadata=reading.metadata(click))

    # -------------------------------------------------------------- sending

    async def submit(self, body: Mapping[str, Any], ack: AsyncAck) -> None:
        """Hand in a sent form; Slack shows what the ack says. Not recorded: it stays open with what was typed."""
        form = reading.form(body)
        if form is None:
            await ack()
            return
        try:
            answer = await judged(self._front.form(form))
        except Unavailable as error:
            log.warning("slack_form_not_taken", error=str(error))
            answer = Answer(is_taken=False, text=error.people_read, problems={"": error.people_read})
        await self._show(answer or Answer(is_taken=True, text=""), form, body["view"], ack)

    async def _show(self, answer: Answer, form: Form, view: Mapping[str, Any], ack: AsyncAck) -> None:
        beside = problems_by_block(answer.problems, view) if answer.problems else {}
        if beside:
            await ack(response_action="errors", errors=beside)
        elif not answer.is_taken:
            await ack(response_action="update", view=dict(message_view(SORRY, answer.text)))
        else:
            await ack()
            self._tell(answer.text, form)

    def _tell(self, text: str, to: Click | Form) -> None:
        self._asides.tell(text, to.ref.place, to.by)


def _team(click: Click) -> str:
    return click.ref.place.tenant
