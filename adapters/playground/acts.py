"""What a person does on the page: say something, press a button, send a form, delete a message.

    POST /api/messages              {by, channel, thread?, text, key}            201, the message
    POST /api/clicks                {by, ref, subject, move, token, fields?, key}  200, {is_taken, text, problems}
    POST /api/revoke                {by, grant, key}                             200, {is_taken, text, problems}
    POST /api/later                 {by, request, when?, key}                    200, {is_taken, text, problems}
    POST /api/messages/{id}/delete  {by}                                         200

`key` is the page's own name for the deed: sending it again with the same key does it once. With `fields`, even
empty ones, a click is a form. The answer to a click may have `details`, a card without buttons, to be shown whole.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web

from adapters.playground import picture
from adapters.playground.book import Draft, Entry
from adapters.playground.guard import answer, read, refusal
from adapters.playground.site import Site
from bot.domain import later
from bot.domain.chat import Answer, Click, Form, MessageRef
from bot.domain.orders import NAME
from bot.domain.wire import Json, Record

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Words = Annotated[str, msgspec.Meta(max_length=20_000)]


class Saying(Record):
    by: Name
    channel: Name
    text: Words
    key: Name
    thread: Name | None = None


class Pressing(Record):
    by: Name
    ref: MessageRef
    subject: Words
    move: Words
    token: Words
    key: Name
    fields: dict[str, object] | None = None


class Revoking(Record):
    by: Name
    grant: Name
    key: Name


class PuttingOff(Record):
    """`when` is one of the choices of `domain/later`; without it the request is shown again."""

    by: Name
    request: Name
    key: Name
    when: Name | None = None


class Deleting(Record):
    by: Name


class Acts:
    """Everything that changes something."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def say(self, request: web.Request) -> web.StreamResponse:
        """Write it down; delivery hands it in. The answer comes when it is on disk, not when the bot has it."""
        said = await read(request, Saying)
        self._must_be_here(said.by)
        if not self._site.rooms.is_channel(said.channel) or self._site.rooms.owner(said.channel) not in (None, said.by):
            raise refusal(404, "There is no such channel.")
        if not said.text.strip():
            raise refusal(422, "Please write something.")
        if said.thread is not None:
            await self._must_be_thread(said.channel, said.thread)
        entry = await self._site.book.add(self._draft(said))
        self._site.bell.ring()
        return answer(picture.draw_entry(entry, self._site.rooms, said.by), status=201)

    async def click(self, request: web.Request) -> web.StreamResponse:
        pressed = await read(request, Pressing)
        self._must_be_here(pressed.by)
        ref = await self._ref(pressed)
        by, delivery = self._site.rooms.account(pressed.by), f"playground:{pressed.by}:{pressed.key}"
        click = Click(
            delivery=delivery, by=by, ref=ref, subject=pressed.subject, move=pressed.move, token=pressed.token
        )
        if pressed.fields is None:
            return answer(self._told(await self._site.front.click(click), pressed.by))
        form = Form(**msgspec.structs.asdict(click), fields=pressed.fields)
        return answer(self._told(await self._site.front.form(form), pressed.by))

    async def revoke(self, request: web.Request) -> web.StreamResponse:
        """Whether it is theirs to revoke is judged behind the front door."""
        wanted = await read(request, Revoking)
        self._must_be_here(wanted.by)
        by, delivery = self._site.rooms.account(wanted.by), f"playground:{wanted.by}:{wanted.key}"
        return answer(_told(await self._site.front.revoke(wanted.grant, by, delivery)))

    async def later(self, request: web.Request) -> web.StreamResponse:
        """The command of that name, about the own list of whoever presses."""
        wanted = await read(request, PuttingOff)
        self._must_be_here(wanted.by)
        name = wanted.request
        order = later.order(name, wanted.when) if wanted.when is not None else f"{later.BACK} {name}"
        if order is None or not name.replace("-", "").isalnum():
            raise refusal(422, "There is no such request, or no such time.")
        by, delivery = self._site.rooms.account(wanted.by), f"playground:{wanted.by}:{wanted.key}"
        place = self._site.rooms.place(f"dm-{wanted.by}", None)
        told = await self._site.front.order(f"{NAME} {order}", by, place, delivery)
        return answer(_told(told or Answer(is_taken=False, text="There is no such request.")))

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """People delete their own messages, whispers to them, and any of the bot's: to see what happens then."""
        by = (await read(request, Deleting)).by
        self._must_be_here(by)
        entry = await self._site.book.entry(request.match_info["message"])
        if entry is None or not entry.is_visible_to(by):
            raise refusal(404, "There is no such message.")
        if entry.author not in ("", by):
            raise refusal(403, "This is somebody else's message.")
        await self._site.book.delete(entry.id)
        self._site.bell.ring()
        return answer({"text": "Deleted."})

    def _must_be_here(self, user: str) -> None:
        if user not in self._site.rooms.people:
            raise refusal(404, "Nobody of that name is in the playground.")

    async def _must_be_thread(self, channel: str, thread: str) -> None:
        entry = await self._site.book.entry(thread)
        if entry is None or entry.channel != channel or entry.thread is not None:
            raise refusal(404, "There is no such thread.")

    def _draft(self, said: Saying) -> Draft:
        return Draft(
            channel=said.channel,
            thread=said.thread,
            author=said.by,
            seen_by=self._site.rooms.owner(said.channel),
            text=said.text,
            key=f"said:{said.by}:{said.key}",
            origin=self._site.origin,
            is_held=True,
        )

    def _told(self, told: Answer, viewer: str) -> Json:
        """What only this person is told; `details` are a card without buttons, to be shown whole."""
        details = picture.draw_card(told.details, self._site.rooms, "", viewer) if told.details else None
        return {**_told(told), "details": details}

    async def _ref(self, pressed: Pressing) -> MessageRef:
        """The message the button stood in: one this person sees in a channel, or in their inbox."""
        entry = await self._site.book.entry(pressed.ref.id)
        if entry is not None and _shows(entry, pressed.by):
            return MessageRef(place=self._site.rooms.place(entry.channel, entry.thread), id=entry.id)
        waiting = await self._site.views.waiting_for(self._site.rooms.account(pressed.by))
        if any(each.ref == pressed.ref for each in waiting):
            return pressed.ref
        raise refusal(404, "This message is gone.")


def _shows(entry: Entry, user: str) -> bool:
    return entry.card is not None and not entry.is_deleted and entry.is_visible_to(user)


def _told(told: Answer) -> dict[str, Json]:
    return {"is_taken": told.is_taken, "text": told.text, "problems": dict(told.problems or {})}
