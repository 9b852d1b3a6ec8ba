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

from adapters.asides import Asides, judged
from adapters.slack import reading
from adapters.slack.api import PLATFORM, SlackRefused
from adapters.slack.codes import Outcome
from adapters.slack.details import details_view
from adapters.slack.fields import form_view, loading_view, message_view, picked, problems_by_block
from adapters.slack.shapes import Body, View, read_as
from bot.domain.chat import Account, Answer, Button, Click, FieldKind, Form, PersonId
from bot.domain.errors import ChatUnavailable, CountersignError, Refused, Unavailable
from bot.domain.ports import Directory, FrontDoor, Views
from bot.domain.request import RequestId
from bot.domain.wire import replace

log = structlog.get_logger()

AGAIN = "The form could not be opened in time. Please press the button again."
GONE = "This button is no longer active: somebody answered meanwhile, or the time has passed."
CHANGED = "This request has changed since the card was drawn. Please look at the card again."
NOT_SHOWN = "The form could not be shown. Please close it and press the button again."
STRANGER = "I do not know this person. Please pick somebody else."
SORRY = "Not possible"  # title of a form that turned into a sentence


class Calls(Protocol):
    """`Api`, as far as it is needed here."""

    async def call(self, team: str, method: str, *, channel: str = "", **args: Any) -> Mapping[str, Any]: ...


class Modals:
    def __init__(self, api: Calls, views: Views, front: FrontDoor, asides: Asides, people: Directory) -> None:
        self._api, self._views, self._front, self._asides = api, views, front, asides
        self._people = people

    # ------------------------------------------------------------- opening

    async def open(self, click: Click, trigger: str, ack: AsyncAck) -> None:
        """Show the form behind *click* to whoever pressed. Raises Unavailable, told, if Slack did not answer."""
        opened = await self._opened(click, trigger, ack)
        if opened is not None:
            await ack()
            self._asides.later(self._fill(click, opened), "fill a form")

    async def read(self, click: Click, trigger: str, ack: AsyncAck) -> None:
        """Hand *click* in once its window stands, and show there what is answered: nobody has read what never opened.

        Raises Unavailable, told, if Slack did not answer or nothing was recorded.
        """
        opened = await self._opened(click, trigger, ack)
        if opened is None:
            return
        try:
            answer = await judged(self._front.click(click))
        except Unavailable as error:
            self._asides.later(self._put(click, opened, message_view(SORRY, error.people_read)), "fill a window")
            raise
        await ack()
        self._asides.later(self._put(click, opened, _answered(answer)), "show the details")

    async def _opened(self, click: Click, trigger: str, ack: AsyncAck) -> View | None:
        """A window that says "One moment"; None if Slack refuses it, which is told and acked."""
        try:
            reply = await self._api.call(_team(click), "views.open", trigger_id=trigger, view=loading_view())
            return read_as(View, reply.get("view"))
        except Unavailable:
            self._tell(AGAIN, click)
            raise
        except Refused as error:
            is_late = isinstance(error, SlackRefused) and error.outcome is Outcome.AGAIN
            log.warning("slack_form_not_opened", error=str(error))
            await ack()
            self._tell(AGAIN if is_late else error.people_read, click)
            return None

    async def _fill(self, click: Click, opened: View) -> None:
        await self._put(click, opened, await self._drawn(click))

    async def _put(self, click: Click, opened: View, view: Mapping[str, Any]) -> None:
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
        try:
            users = await self._users(button, _team(click))
        except CountersignError as error:
            log.warning("slack_form_not_drawn", error=str(error))
            return message_view(SORRY, error.people_read)
        return form_view(button, metadata=reading.metadata(click), users=users)

    async def _users(self, button: Button, team: str) -> dict[str, str]:
        """The Slack users of the people that fields begin with, as far as they have an account in *team*."""
        users: dict[str, str] = {}
        for field in button.fields:
            if field.kind is FieldKind.PERSON and field.value:
                person = await self._people.person(PersonId(field.value))
                here = [one.user for one in person.accounts if _is_in(one, team)] if person else []
                if here:
                    users[field.name] = here[0]
        return users

    # -------------------------------------------------------------- sending

    async def submit(self, parts: Body, view: Mapping[str, Any], ack: AsyncAck) -> None:
        """Hand in a sent form, *view* as it came; Slack shows what the ack says.

        Not recorded: it stays open with what was typed.
        """
        form = reading.form(parts)
        if form is None:
            await ack()
            return
        try:
            named = await self._named(form, picked(view))
            answer = named if isinstance(named, Answer) else await judged(self._front.form(named))
        except Unavailable as error:
            log.warning("slack_form_not_taken", error=str(error))
            answer = Answer(is_taken=False, text=error.people_read, problems={"": error.people_read})
        await self._show(answer or Answer(is_taken=True, text=""), form, view, ack)

    async def _named(self, form: Form, users: Mapping[str, str]) -> Form | Answer:
        """*form* with people where Slack's users were picked; problems beside those whom nobody knows."""
        people: dict[str, object] = {}
        problems: dict[str, str] = {}
        for name, user in users.items():
            person = await self._people.who(Account(platform=PLATFORM, tenant=form.ref.place.tenant, user=user))
            if person is None or person.is_bot:
                problems[name] = STRANGER
            else:
                people[name] = person.id
        if problems:
            return Answer(is_taken=False, text=STRANGER, problems=problems)
        return replace(form, fields={**form.fields, **people})

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


def _answered(answer: Answer | None) -> Mapping[str, Any]:
    """What a window shows of *answer*: the details, or a sentence in their place."""
    if answer is not None and answer.details is not None:
        return details_view(answer.details)
    return message_view(SORRY, answer.text if answer else GONE)


def _is_in(account: Account, team: str) -> bool:
    return (account.platform, account.tenant) == (PLATFORM, team)


def _team(click: Click) -> str:
    return click.ref.place.tenant
