"""The mouth: everything that is said in Slack. No other module posts.

    post     here -> the channel around the thread -> the fallback channel -> Undeliverable; once for each key
    update   replaced | deleted by people: nothing | can be changed no more: its end is said once below it
    whisper  one person reads it, or it is lost

A card stands whole or cannot be signed: what Slack will not show whole is replaced by a plain card without Approve, and
Undeliverable says so to whoever wanted it signed. Where another organisation reads along, nothing is asked, and an end
is told without its details (T16). Nothing here unfurls a link (T05), and no reply is waited for twice:
what a lost answer means is `once`'s. Does not own how a card looks (cards), nor when it is shown again (the outbox).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Protocol

import structlog

from adapters.once import Attempt
from adapters.signable import TITLE_MOST, is_asking, is_signable, plain
from adapters.slack.api import PLATFORM, Api, SlackRefused, text_in
from adapters.slack.cards import Drawn, draw, whisper_blocks
from adapters.slack.codes import Outcome
from adapters.slack.files import Files, update_key
from adapters.slack.literal import fallback
from adapters.slack.once import Once, metadata
from bot.domain.chat import Account, Card, MessageRef, PersonId, Place
from bot.domain.errors import Refused, Unavailable, Undeliverable
from bot.domain.ports import Keep
from bot.domain.run_card import OF_RUNS
from bot.domain.wire import replace

log = structlog.get_logger()

SHARED = (
    "this channel is shared with another organisation, whose people would read the arguments; "
    "set SLACK_FALLBACK_CHANNEL or name another place in the rule"
)
HIDDEN = "The details are hidden: people of another organisation may read them here."
DIRECTS = 10_000  # direct conversations kept in mind
PEOPLE = ("U", "W")  # what their ids begin with


class Users(Protocol):
    """Who a person is in one workspace, and who reads there."""

    async def user_of(self, person: PersonId, team: str) -> str | None:
        """Their user id there; None for somebody who is not there. Raises Unavailable."""
        ...

    async def placed(self, place: Place) -> Place:
        """*place* with the id of a channel that is called by its name. Raises ChatUnavailable, Undeliverable."""
        ...

    async def is_shared(self, team: str, channel: str) -> bool:
        """Do people of another organisation read *channel*? Raises Unavailable, or Undeliverable if nobody can tell."""
        ...


class Mouth:
    """The outgoing half of `Chat`. *fallback_channel* reads what can be shown nowhere else, except direct messages."""

    def __init__(
        self,
        api: Api,
        keep: Keep,
        people: Users,
        fallback_channel: str | None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api, self._people, self._fallback = api, people, fallback_channel
        self._once, self._files = Once(api, keep, clock), Files(api, keep, clock)
        self._directs: dict[Account, Place] = {}

    async def post(self, card: Card, place: Place, *, key: str) -> MessageRef:
        """As `Chat.post`. The ref says where the card stands: perhaps not at *place*."""
        async with self._once.attempt(key, place) as attempt:
            return attempt.ref or await self._somewhere(card, place, key, attempt)

    async def update(self, ref: MessageRef, card: Card) -> None:
        """As `Chat.update`. Raises Undeliverable when the card is refused: what stands there can then not be signed."""
        if why := await self._why_hidden(card, ref.place):
            await self._change_or_notice(ref, _hidden(card))
            if is_asking(card):
                raise Undeliverable(ref.place.key, why)
            return
        try:
            drawn = await self._ready(ref, card)
        except (SlackRefused, Undeliverable) as error:
            await self._instead(ref, card, error)
            return
        try:
            await self._change(ref, drawn)
        except SlackRefused as refused:
            await self._otherwise(ref, card, refused)

    async def whisper(self, text: str, place: Place, to: Account) -> None:
        """As `Chat.whisper`: in a direct conversation, too, for a plain post would stay there."""
        try:
            await self._api.call(
                place.tenant,
                "chat.postEphemeral",
                channel=place.channel,
                user=to.user,
                thread_ts=place.thread,
                text=fallback(text),
                blocks=whisper_blocks(text),
            )
        except (Refused, Unavailable) as lost:
            log.info("slack_whisper_lost", place=place.key, why=str(lost))

    async def direct(self, to: Account) -> Place:
        """As `Chat.direct`."""
        if to not in self._directs:
            if len(self._directs) >= DIRECTS:
                self._directs.clear()
            self._directs[to] = await self._opened(to)
        return self._directs[to]

    async def _opened(self, to: Account) -> Place:
        if to.platform != PLATFORM:
            raise Undeliverable(f"{to.platform}/{to.tenant}/{to.user}", "that is no account of Slack")
        try:
            reply = await self._api.call(to.tenant, "conversations.open", users=to.user)
        except SlackRefused as refused:
            raise Undeliverable(f"{PLATFORM}/{to.tenant}/{to.user}", str(refused)) from refused
        channel = text_in(reply.get("channel") or {}, "id", "conversations.open")
        return Place(platform=PLATFORM, tenant=to.tenant, channel=channel, is_direct=True)

    # ------------------------------------------------------------------- post

    async def _somewhere(self, card: Card, place: Place, key: str, attempt: Attempt) -> MessageRef:
        for way in self._ways(place):
            try:
                there = await self._settled(way)
            except Undeliverable as nowhere:
                told = nowhere.why
                log.warning("slack_rerouted", place=way.key, why=told)
                continue
            why = await self._why_hidden(card, there)
            if why and is_asking(card):
                told = why
                log.warning("slack_rerouted", place=there.key, why=why)
                continue
            try:
                return await self._at(there, _hidden(card) if why else card, key, attempt)
            except SlackRefused as refused:
                told = str(refused)
                if refused.outcome is not Outcome.REROUTE:
                    _log_refused(there, refused)
                    break
                log.warning("slack_rerouted", place=there.key, code=refused.code)
        raise Undeliverable(place.key, told)

    async def _settled(self, way: Place) -> Place:
        """*way* as a conversation that can be looked into: a post takes a name and a person, too, but a lost one is
        found under neither.
        """
        there = await self._people.placed(way)
        if not there.channel.startswith(PEOPLE):
            return there
        account = Account(platform=PLATFORM, tenant=there.tenant, user=there.channel)
        return (await self.direct(account)).in_thread(there.thread)

    async def _why_hidden(self, card: Card, there: Place) -> str:
        """Why *there* may not show the details of *card*; empty if it may, or if there are none (T16)."""
        if not (is_asking(card) or card.blocks or card.attachments):
            return ""
        try:
            return SHARED if await self._people.is_shared(there.tenant, there.channel) else ""
        except Undeliverable as unseen:
            return unseen.why

    def _ways(self, place: Place) -> Iterator[Place]:
        """Where a card may stand, best first. What was meant for one person is shown to nobody else."""
        yield place
        if place.thread is not None:
            yield place.in_thread(None)
        if self._fallback and not place.is_direct and place.channel != self._fallback:
            yield Place(platform=PLATFORM, tenant=place.tenant, channel=self._fallback)

    async def _at(self, there: Place, card: Card, key: str, attempt: Attempt) -> MessageRef:
        drawn = await self._drawn(card, there.tenant)
        await self._files.share(drawn.files, there, key=key, hold=lambda: self._once.hold(attempt))
        try:
            ref = await self._send(there, drawn, attempt)
        except SlackRefused as refused:
            if refused.outcome is not Outcome.REPAIR or is_signable(card):
                raise
            _log_refused(there, refused)
            return await self._send(there, await self._drawn(plain(card), there.tenant), attempt)
        await self._files.belong(drawn.files, ref)
        return ref

    async def _send(self, there: Place, drawn: Drawn, attempt: Attempt) -> MessageRef:
        await self._api.turn(there.tenant, "chat.postMessage", there.channel)
        async with self._once.sending(attempt, there):
            reply = await self._api.send(
                there.tenant,
                "chat.postMessage",
                channel=there.channel,
                thread_ts=there.thread,
                metadata=metadata(attempt),
                unfurl_links=False,
                unfurl_media=False,
                text=drawn.text,
                blocks=drawn.blocks,
            )
            channel, ts = text_in(reply, "channel", "chat.postMessage"), text_in(reply, "ts", "chat.postMessage")
        ref = MessageRef(place=replace(there, channel=channel, is_direct=channel.startswith("D")), id=ts)
        await self._once.stands(attempt, ref)
        return ref

    # ----------------------------------------------------------------- update

    async def _ready(self, ref: MessageRef, card: Card) -> Drawn:
        """The new picture, its files already there. An end needs none: nobody decides by it."""
        drawn = await self._drawn(card, ref.place.tenant)
        if is_signable(card):
            await self._files.share(drawn.files, ref.place, key=update_key(drawn.files, ref), hold=_nothing)
        return drawn

    async def _change(self, ref: MessageRef, drawn: Drawn) -> None:
        await self._api.call(
            ref.place.tenant,
            "chat.update",
            channel=ref.place.channel,
            ts=ref.id,
            unfurl_links=False,
            unfurl_media=False,
            text=drawn.text,
            blocks=drawn.blocks,
        )

    async def _otherwise(self, ref: MessageRef, card: Card, refused: SlackRefused) -> None:
        """What a refused update turns into."""
        match refused.outcome:
            case Outcome.GONE:
                return
            case Outcome.NOTICE | Outcome.REROUTE:
                await self._notice(ref, card, refused)
            case Outcome.END_STREAM:
                await self._end_stream(ref)
                await self._change_or_notice(ref, card)
            case _:
                await self._instead(ref, card, refused)

    async def _instead(self, ref: MessageRef, card: Card, error: Refused) -> None:
        """This card cannot be shown whole: nothing may stand there that could be signed in its place."""
        log.error("slack_card_refused", place=ref.place.key, why=str(error))
        await self._change_or_notice(ref, plain(card))
        if is_signable(card):
            raise Undeliverable(ref.place.key, str(error)) from error

    async def _change_or_notice(self, ref: MessageRef, card: Card) -> None:
        """The second try of an update, and its last."""
        try:
            await self._change(ref, await self._drawn(card, ref.place.tenant))
        except SlackRefused as again:
            if again.outcome is not Outcome.GONE:
                await self._notice(ref, card, again)

    async def _end_stream(self, ref: MessageRef) -> None:
        try:
            await self._api.call(ref.place.tenant, "chat.stopStream", channel=ref.place.channel, ts=ref.id)
        except SlackRefused as refused:
            if refused.outcome is not Outcome.NO_STREAM:
                _log_refused(ref.place, refused)

    async def _notice(self, ref: MessageRef, card: Card, refused: SlackRefused) -> None:
        """An end that the card itself can no longer show, below it and once. Before the end, the old picture stands:
        its buttons are judged by what the store holds, so none of them runs anything that was changed since."""
        _log_refused(ref.place, refused)
        if card.buttons:
            return
        below = ref.place.in_thread(ref.place.thread or ref.id)
        try:
            await self.post(replace(card, attachments=()), below, key=f"notice/{ref.place.key}/{ref.id}")
        except Undeliverable as lost:
            log.warning("slack_notice_lost", place=ref.place.key, why=lost.why)

    # ---------------------------------------------------------------- drawing

    async def _drawn(self, card: Card, team: str) -> Drawn:
        users = {person: await self._people.user_of(person, team) for person in card.mentions}
        return draw(card, user_of={person: user for person, user in users.items() if user})


def _hidden(card: Card) -> Card:
    """What strangers may read of a request: what it is called, and how it stands."""
    return Card(
        title=card.title[:TITLE_MOST],
        tone=card.tone,
        status=f"{card.status}\n{HIDDEN}".strip(),
        buttons=tuple(button for button in card.buttons if button.move in OF_RUNS),
        footer=card.footer,
        run=card.run,
    )


def _log_refused(place: Place, refused: SlackRefused) -> None:
    log.error("slack_card_refused", place=place.key, method=refused.method, code=refused.code)


async def _nothing() -> None:
    """An update holds no lock: it may be repeated."""
