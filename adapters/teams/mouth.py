"""The mouth: everything that is said in Teams. No other module posts.

    post     here -> the channel around the thread -> the fallback place -> Undeliverable; once for each key,
             and what only tells something goes on in further messages when it is too long for one
    update   replaced | deleted by people: nothing, but an end is said once below it
    whisper  in the person's own chat with the bot, or it is lost

A card stands whole or cannot be signed: what Teams will not show whole is replaced by a plain card without Approve, and
Undeliverable says so to whoever wanted it signed. Nothing is ever deleted. What a lost answer means is `once`'s. Does
not own how a card looks (cards), nor when it is shown again (the outbox).
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from adapters.once import Attempt
from adapters.signable import is_signable, plain
from adapters.teams.answers import CARD
from adapters.teams.cards import Drawn, Known, draw
from adapters.teams.clouds import ForeignHost
from adapters.teams.codes import Outcome
from adapters.teams.connector import Connector, PerhapsDone, TeamsRefused, Where
from adapters.teams.edits import Edits
from adapters.teams.named import Rooms
from adapters.teams.once import Once, Sending
from adapters.teams.parts import parted
from adapters.teams.places import Places, around, whole
from adapters.teams.shapes import CHANNEL, CHANNEL_ID, PLATFORM, THREAD, Raw
from bot.domain.chat import Account, Card, MessageRef, PersonId, Place
from bot.domain.errors import Refused, Unavailable, Undeliverable

log = structlog.get_logger()

POST_WITHIN = 18.0  # seconds; less than what is left of a post's lease when it begins
ELSEWHERE = frozenset({Outcome.GONE, Outcome.NOT_INSTALLED, Outcome.BLOCKED, Outcome.NOBODY, Outcome.FORBIDDEN})
TOO_MUCH = frozenset({Outcome.TOO_LARGE, Outcome.BROKEN})
NOT_THERE = "Countersign is not installed for this person; ask them to add it in Teams, or an administrator to"
AI = {
    "type": "https://schema.org/Message",
    "@type": "Message",
    "@context": "https://schema.org",
    "@id": "",
    "additionalType": ["AIGeneratedContent"],
}
FEEDBACK = {"feedbackLoop": {"type": "default"}}


class Users(Protocol):
    """How a person is mentioned."""

    async def known(self, person: PersonId, tenant: str) -> Known | None:
        """Their id and name in *tenant*; None for somebody who is not there. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """What the mouth speaks with. *bot* is our id where none was heard; *service_url* where nothing was."""

    connector: Connector
    places: Places
    rooms: Rooms
    once: Once
    people: Users
    bot: str
    service_url: str
    fallback: Place | None = None  # reads what can be shown nowhere else, except direct messages


class Mouth:
    """The outgoing half of `Chat`."""

    def __init__(self, within: Within, edits: Edits | None = None) -> None:
        self._with, self._edits = within, edits or Edits()

    async def post(self, card: Card, place: Place, *, key: str) -> MessageRef:
        """As `Chat.post`. The ref says where the card stands: perhaps not at *place*."""
        first, *others = parted(card)
        ref = await self._posted(first, place, key)
        for number, part in enumerate(others, 2):
            await self._posted(part, await self._beside(ref), f"{key}/{number}")
        return ref

    async def _posted(self, card: Card, place: Place, key: str) -> MessageRef:
        async with self._with.once.attempt(key, place) as attempt:
            return attempt.ref or await self._somewhere(card, place, attempt)

    async def _beside(self, ref: MessageRef) -> Place:
        """Where *ref* stands, with its thread."""
        standing = await self._with.places.standing(ref)
        return ref.place.in_thread((standing.conversation.partition(THREAD)[2] if standing else "") or None)

    async def update(self, ref: MessageRef, card: Card) -> None:
        """As `Chat.update`. Raises Undeliverable when the card is refused: what stands there can then not be signed."""
        async with self._edits.turn(ref) as is_newest:
            if is_newest:
                await self._show(ref, card)

    async def whisper(self, text: str, place: Place, to: Account) -> None:
        """As `Chat.whisper`, in the person's own chat."""
        try:
            where = await self._with.places.where(await self.direct(to))
            for part in parted(Card(body=text)):
                await self._with.connector.post(where, await self._activity(part, where))
        except (Refused, Unavailable) as lost:
            log.info("teams_whisper_lost", place=place.key, why=str(lost))

    async def direct(self, to: Account) -> Place:
        """As `Chat.direct`."""
        if to.platform != PLATFORM:
            raise Undeliverable(f"{to.platform}/{to.tenant}/{to.user}", "that is no account of Teams")
        known = await self._with.places.direct(to)
        if known is not None:
            return Place(platform=PLATFORM, tenant=to.tenant, channel=known.conversation, is_direct=True)
        return await self._opened(to)

    async def _opened(self, to: Account) -> Place:
        heard, met = await self._with.places.tenant(to.tenant), await self._with.places.met(to)
        url = met.service_url if met else heard.service_url if heard else self._with.service_url
        bot = heard.bot if heard else self._with.bot
        where = Where(tenant=to.tenant, service_url=url, conversation="")
        params = {
            "isGroup": False,
            "bot": {"id": bot},
            "members": [{"id": met.user if met else to.user}],
            "tenantId": to.tenant,
            "channelData": {"tenant": {"id": to.tenant}},
        }
        try:
            created = await self._with.connector.create(where, params)
        except (TeamsRefused, ForeignHost) as refused:
            log.info("teams_no_direct", tenant=to.tenant, why=str(refused))
            raise Undeliverable(f"{PLATFORM}/{to.tenant}/{to.user}", NOT_THERE) from refused
        opened = Where(tenant=to.tenant, service_url=url, conversation=created.conversation)
        return await self._with.places.opened(to, opened, bot)

    # ------------------------------------------------------------------- post

    async def _somewhere(self, card: Card, place: Place, attempt: Attempt) -> MessageRef:
        first = ""
        for there in self._ways(place):
            try:
                return await self._at(await self._with.rooms.placed(there), card, attempt)
            except Undeliverable as lost:
                told = lost.why
            except (TeamsRefused, ForeignHost) as refused:
                told = str(refused)
                if isinstance(refused, TeamsRefused) and refused.outcome not in ELSEWHERE:
                    first = first or told
                    break
            first = first or told  # what keeps it from where it was meant to stand is what somebody can change
            log.warning("teams_rerouted", place=there.key, why=told)
        raise Undeliverable(place.key, first)

    def _ways(self, place: Place) -> Iterator[Place]:
        """Where a card may stand, best first. What was meant for one person is shown to nobody else."""
        yield place
        if place.thread is not None:
            yield place.in_thread(None)
        fallback = self._with.fallback
        if fallback is not None and not place.is_direct and place.channel != fallback.channel:
            yield fallback

    async def _at(self, there: Place, card: Card, attempt: Attempt) -> MessageRef:
        where = await self._with.places.where(there)
        try:
            return await self._send(Sending(card=card, place=there, where=where), attempt)
        except TeamsRefused as refused:
            if refused.outcome is Outcome.NOT_INSTALLED:  # until an install event says otherwise
                await self._with.places.forget(there)
            if refused.outcome not in TOO_MUCH or is_signable(card):
                raise
            log.error("teams_card_refused", place=there.key, code=refused.code)
            return await self._send(Sending(card=plain(card), place=there, where=where), attempt)

    async def _send(self, sending: Sending, attempt: Attempt) -> MessageRef:
        once, there, where = self._with.once, sending.place, sending.where
        seen = await self._with.places.seen(there)
        activity = await self._activity(sending.card, where)
        await once.announce(attempt, sending)
        async with once.sending(attempt, there):
            try:
                async with asyncio.timeout(POST_WITHIN):
                    if seen is not None and seen.kind == CHANNEL and there.thread is None:
                        where, id = await self._begun(where, activity)  # noqa: A001  # its name everywhere
                    else:
                        id = await self._with.connector.post(where, activity)  # noqa: A001
            except TimeoutError as error:
                raise PerhapsDone(PLATFORM, "a post took too long") from error
        ref = MessageRef(place=there.in_thread(None), id=id)
        return await once.posted(attempt, ref, dataclasses.replace(sending, where=where))

    async def _begun(self, where: Where, activity: Raw) -> tuple[Where, str]:
        """A thread of its own in a channel: the message that opens it."""
        params = {
            "isGroup": True,
            "bot": activity["from"],
            "tenantId": where.tenant,
            "channelData": {"channel": {"id": around(where.conversation)}, "tenant": {"id": where.tenant}},
            "activity": activity,
        }
        created = await self._with.connector.create(where, params)
        id = created.activity or created.conversation.partition(THREAD)[2]  # noqa: A001  # its name everywhere
        if not id:
            raise PerhapsDone(PLATFORM, "a thread was begun, and the answer does not name its message")
        return Where(tenant=where.tenant, service_url=where.service_url, conversation=created.conversation), id

    # ----------------------------------------------------------------- update

    async def _show(self, ref: MessageRef, card: Card) -> None:
        try:
            await self._change(ref, card)
        except TeamsRefused as refused:
            if refused.outcome in TOO_MUCH:
                await self._instead(ref, card, str(refused))
            else:
                await self._notice(ref, card, str(refused))
        except (Undeliverable, ForeignHost) as lost:
            await self._notice(ref, card, str(lost))

    async def _change(self, ref: MessageRef, card: Card) -> None:
        """Edit the message, and those that were posted twice for it. Raises the first one's refusal."""
        standing, here = await self._with.places.standing(ref), await self._with.places.where(ref.place)
        where = dataclasses.replace(here, conversation=standing.conversation if standing else whole(ref.place))
        activity = await self._activity(card, where)
        for double in standing.also if standing else ():
            try:
                await self._with.connector.put(where, double, activity)
            except TeamsRefused as refused:
                log.info("teams_double_lost", place=ref.place.key, code=refused.code)
        await self._with.connector.put(where, ref.id, activity)
        await self._with.places.posted(ref, where, also=standing.also if standing else ())

    async def _instead(self, ref: MessageRef, card: Card, why: str) -> None:
        """This card cannot be shown whole: nothing may stand there that could be signed in its place."""
        log.error("teams_card_refused", place=ref.place.key, why=why)
        try:
            await self._change(ref, plain(card))
        except (Undeliverable, TeamsRefused, ForeignHost) as again:
            await self._notice(ref, card, str(again))
        if is_signable(card):
            raise Undeliverable(ref.place.key, why)

    async def _notice(self, ref: MessageRef, card: Card, why: str) -> None:
        """An end that the card itself can no longer show, beside it, in short and once. Before the end, the old picture
        stands: its buttons are judged by what the store holds, so none of them runs anything that was changed since."""
        log.warning("teams_edit_lost", place=ref.place.key, why=why)
        if card.buttons or not card.status:
            return
        short = Card(title=card.title, tone=card.tone, status=card.status, footer=card.footer, run=card.run)
        try:
            await self.post(short, await self._beside(ref), key=f"notice/{ref.place.key}/{ref.id}")
        except Undeliverable as lost:
            log.warning("teams_notice_lost", place=ref.place.key, why=lost.why)

    # ---------------------------------------------------------------- drawing

    async def _drawn(self, card: Card, tenant: str) -> Drawn:
        """Raises Undeliverable for what no message can show."""
        known = {person: await self._with.people.known(person, tenant) for person in card.mentions}
        return draw(card, known={person: one for person, one in known.items() if one is not None})

    async def _activity(self, card: Card, where: Where) -> dict[str, Any]:
        """The message around a card. What an agent said is labelled so, and people may say what they think of it."""
        drawn = await self._drawn(card, where.tenant)
        place = Place(platform=PLATFORM, tenant=where.tenant, channel=around(where.conversation))
        seen = await self._with.places.seen(place)
        labelled = {"entities": [AI], "channelData": FEEDBACK} if card.author else {}
        return {
            "type": "message",
            "channelId": CHANNEL_ID,
            "serviceUrl": where.service_url,
            "from": {"id": seen.bot if seen else self._with.bot},
            "conversation": {"id": where.conversation},
            "summary": drawn.summary,
            "attachments": [{"contentType": CARD, "content": drawn.card}],
            **labelled,
        }
