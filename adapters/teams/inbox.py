"""The inbox: everybody's own list, as a card in their own chat: when they ask for it, and when the app comes to them.

    "pending" | "inbox" -> their lists, read -> a card in their chat
    pressed -> a command | front door (durable) -> what became of it, and the list as it is now: the answer, and an edit

What a list lacks for a moment harms nobody: every press is judged by what the store holds. Not owned: how the list
looks (inboxview), whether a press counts (the front door), dialogs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from adapters import rows
from adapters.asides import Asides, judged
from adapters.rows import LATER, LATER_FIELD, REPORTED, REVOKE
from adapters.teams import answers
from adapters.teams.cards import Drawn, draw
from adapters.teams.connector import Where
from adapters.teams.deeds import ANSWER_WITHIN, INACTIVE, LATE, Deeds
from adapters.teams.inboxview import Lists, inbox_card, later_button
from adapters.teams.places import Seen
from adapters.teams.reading import Press
from adapters.teams.shapes import CHANNEL_ID, Inbound, Raw
from bot.domain import words
from bot.domain.chat import Account, Answer, Button, Card, Message, MessageRef, Place
from bot.domain.errors import Refused, Unavailable
from bot.domain.people import may_answer
from bot.domain.ports import Directory, FrontDoor, Keep, Views

log = structlog.get_logger()

WORDS = ("pending", "inbox")  # the whole message, in one's own chat or behind a mention
STRANGER = "Sorry, only full members of this organisation can work with Countersign."
DRAWN_WITHIN = 1.5  # seconds for the new list behind a press; what became of the press does not wait for it
WELCOMED = timedelta(days=1)  # an installation is told once, however often Teams tells of it


class Places(Protocol):
    """Where conversations are: `places.Places`."""

    async def where(self, place: Place) -> Where: ...
    async def seen(self, place: Place) -> Seen | None: ...
    async def posted_at(self, tenant: str, activity: str) -> MessageRef | None: ...


class Posts(Protocol):
    """`Connector`, as far as it is needed here."""

    async def post(self, at: Where, activity: Raw) -> str: ...
    async def put(self, at: Where, id: str, activity: Raw) -> None: ...


class Direct(Protocol):
    """`Mouth`, as far as it is needed to find somebody's own chat."""

    async def direct(self, to: Account) -> Place: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxWithin:
    """What the inbox works with. *bot* is our id where none was heard."""

    views: Views
    front: FrontDoor
    people: Directory
    deeds: Deeds
    places: Places
    connector: Posts
    mouth: Direct
    keep: Keep
    asides: Asides
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a press in the list comes to: words, and the list as it is now, if it could be read in time."""

    text: str
    card: Raw | None = None


class Inbox:
    def __init__(self, within: InboxWithin) -> None:
        self._with = within

    # ---------------------------------------------------------------- showing

    async def is_wanted(self, message: Message) -> bool:
        """Does *message* ask for the list? Not where a question in that very place offers the word as its answer."""
        word = words.normal(message.text)
        if not message.is_mention or word not in WORDS:
            return False
        waiting = await self._with.views.waiting_for(message.by)
        return not any(one.place.key == message.place.key and _offers(one.card, word) for one in waiting)

    async def show(self, by: Account, bot: str) -> None:
        """Post the list of *by* into their own chat. Raises Undeliverable where the app is not theirs."""
        await self._post(by, bot, await self._drawn(by))

    async def welcome(self, inbound: Inbound) -> None:
        """Somebody has the app in their own chat now: what it can do, and what waits. Once for an installation."""
        mark = f"teams:welcome:{inbound.tenant}:{inbound.by.user}"
        if await self._with.keep.claim(mark, b"1", keep=WELCOMED) is None:
            await self._post(inbound.by, inbound.bot, await self._drawn(inbound.by, is_welcome=True))

    # ---------------------------------------------------------------- presses

    async def pressed(self, inbound: Inbound, press: Press) -> Shown:
        """Hand in a press on the list. The list stands in people's own chats and nowhere else (T14)."""
        if not inbound.place.is_direct:
            return Shown(text=INACTIVE)
        answer = await self.do(inbound, press)
        text = answers.told(answer)
        drawn = await self._again(inbound.by, text)
        if drawn is None:
            return Shown(text=text)
        self._with.asides.later(self._edit(inbound, drawn), "show somebody's list again")
        return Shown(text=text, card=drawn.card)

    async def do(self, inbound: Inbound, press: Press) -> Answer:
        """What became of a press of the list, or of a dialog behind it. Never raises Refused or Unavailable."""
        said, place = press.pressed, inbound.place
        choice = rows.later_choice(said.fields.get(LATER_FIELD)) if said.move == LATER else ""
        order = rows.order(said.move, said.subject, choice)
        front = self._with.front
        if said.move == REVOKE:
            deed = judged(front.revoke(said.subject, press.by, press.delivery))
        elif order is not None:
            deed = judged(front.order(order, press.by, place, press.delivery))
        elif said.move == LATER:
            return Answer(is_taken=False, text=INACTIVE)
        else:
            return await self._with.deeds.do(inbound, press, press.about)
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await deed or Answer(is_taken=True, text="")
        except TimeoutError:
            return Answer(is_taken=False, text=LATE)
        except Unavailable as error:
            log.warning("teams_list_press_not_taken", move=said.move, error=str(error))
            return Answer(is_taken=False, text=error.people_read)

    async def refresh(self, inbound: Inbound) -> None:
        """Edit the list that a dialog was opened from."""
        drawn = await self._again(inbound.by, "")
        if drawn is not None and inbound.place.is_direct:
            await self._edit(inbound, drawn)

    async def later(self, by: Account, subject: str) -> Button | None:
        """How long *by* may put *subject* off, as a form; None if it does not wait for them, or not so long."""
        person = await self._with.people.who(by)
        waiting = next((one for one in await self._with.views.waiting_for(by) if one.request == subject), None)
        return later_button(waiting, self._with.clock(), person.zone) if person and waiting else None

    # ---------------------------------------------------------------- drawing

    async def _again(self, by: Account, told: str) -> Drawn | None:
        """The list as it is now; None if that takes too long, or nobody can say."""
        try:
            async with asyncio.timeout(DRAWN_WITHIN):
                return await self._drawn(by, told=told)
        except TimeoutError:
            log.info("teams_list_late")
        except (Refused, Unavailable) as error:
            log.info("teams_list_put_off", error=str(error))
        return None

    async def _drawn(self, by: Account, *, told: str = "", is_welcome: bool = False) -> Drawn:
        """Their own list, or one sentence."""
        person = await self._with.people.who(by)
        if person is None or not may_answer(person):
            return draw(Card(body=STRANGER), known={})
        views = self._with.views
        lists = Lists(
            waiting=await views.waiting_for(by),
            asked=[run for run in await views.runs(by) if run.requester == person.id],
            settled=await views.settled_by(by),
            allowed=[grant for grant in await views.grants(by) if grant.by == person.id],
            team=await views.team(by),
            report=await views.report(by, REPORTED) or "",
            away=await views.absence(by),
            zone=person.zone,
            now=self._with.clock(),
        )
        return inbox_card(lists, told=told, is_welcome=is_welcome)

    # ---------------------------------------------------------------- posting

    async def _post(self, to: Account, bot: str, drawn: Drawn) -> None:
        where = await self._with.places.where(await self._with.mouth.direct(to))
        await self._with.connector.post(where, _activity(where, bot, drawn))

    async def _edit(self, inbound: Inbound, drawn: Drawn) -> None:
        """The person's other devices show what was posted. A card of a request's is not ours to replace."""
        if not inbound.reply_to or await self._with.places.posted_at(inbound.tenant, inbound.reply_to) is not None:
            return
        where = await self._with.places.where(inbound.place)
        await self._with.connector.put(where, inbound.reply_to, _activity(where, inbound.bot, drawn))


def _activity(where: Where, bot: str, drawn: Drawn) -> Raw:
    return {
        "type": "message",
        "channelId": CHANNEL_ID,
        "serviceUrl": where.service_url,
        "from": {"id": bot},
        "conversation": {"id": where.conversation},
        "summary": drawn.summary,
        "attachments": [{"contentType": answers.CARD, "content": drawn.card}],
    }


def _offers(card: Card, word: str) -> bool:
    """Can *word* be an answer to the question on *card*?"""
    offered = [text for button in card.buttons for text in (button.label, *_options(button))]
    return word in [text.casefold() for text in offered]


def _options(button: Button) -> tuple[str, ...]:
    return tuple(option for field in button.fields for option in field.options)
