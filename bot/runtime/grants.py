"""Grants in people's hands: drawn up on a card, given with an approval, revoked.

    offer: may they, what does the form say, how much would have matched -> the card shows it
    give:  the very offer that was pressed -> one turn approves the call and gives the grant
    revoke: theirs to take back? -> one change, said in the thread

Not what a grant matches (domain/grant), which one a call runs on (granted), how much one would have matched (preview),
nor the counting of its uses (the store).
"""

from __future__ import annotations

import secrets
from datetime import datetime
from functools import partial

import structlog

from bot.domain import events
from bot.domain import grant as grants
from bot.domain.calls import Cause
from bot.domain.chat import Account, Answer, Card, Person, PersonId
from bot.domain.errors import (
    AlreadySettled,
    Broken,
    NoSuchRequest,
    NotAllowed,
    NotEligible,
    NotRequestable,
    Refused,
    Ungranted,
)
from bot.domain.grant import Grant, GrantId
from bot.domain.offer import Offer
from bot.domain.ports import Tool
from bot.domain.request import Move, Request, RequestId, RunId, settled_text
from bot.domain.store import Effects, Held, Note, Turn
from bot.domain.wire import replace
from bot.runtime.ballot import Ballot
from bot.runtime.granted import shard_of, signers
from bot.runtime.journal import once_more
from bot.runtime.parts import Parts
from bot.runtime.press import Press
from bot.runtime.preview import Preview
from bot.runtime.rights import Rights

log = structlog.get_logger()
OFFERED = "Nothing is allowed yet: the card now says exactly what would be. Press “Approve and give it” if it is right."
LONGER = "You decide for somebody who is back before this would end; please drop it and draw up one of your own."
CHANGED = "What would be allowed has changed since; please look at the card again."


class Grants:
    """The desk's side: what people press. Raises Refused, and then nothing has changed."""

    def __init__(self, parts: Parts, rights: Rights, ballot: Ballot) -> None:
        self._parts, self._store, self._rights, self._ballot = parts, parts.store, rights, ballot
        self._preview = Preview(parts.store)

    # --------------------------------------------------------------- a card

    async def offer(self, held: Held, press: Press) -> Answer:
        """Put what the form says on the card, for anybody who may give it. Problems stand beside their fields."""
        person = await self._giver(held.request, press.by)
        tool = self._tool(held.request)
        offer = grants.offer_from_form(held.request, tool.spec, press.fields, person.id, self._store.now())
        ends = await self._lent_until(held.request, press.by)
        offer = replace(offer, until=min(offer.until, ends)) if ends else offer
        offer = await self._preview.counted(held.request, tool, offer)
        return await self._redrawn(held, press, person, offer)

    async def drop(self, held: Held, press: Press) -> Answer:
        person = await self._giver(held.request, press.by)
        return await self._redrawn(held, press, person, None)

    async def give(self, held: Held, press: Press) -> Answer:
        """Approve the call and give the very offer that was pressed, in one step."""
        await self._giver(held.request, press.by)
        ends = await self._lent_until(held.request, press.by)
        return await self._ballot.vote(held, Move.APPROVE, press, also=partial(self._with_grant, press.move, ends))

    async def _redrawn(self, held: Held, press: Press, person: Person, offer: Offer | None) -> Answer:
        while True:
            request = held.request
            if not request.is_open:
                raise AlreadySettled(request.id, request.status, settled_text(request))
            after = replace(request, offer=offer, version=request.version + 1)
            body = events.grant_offered(request, person.id, offer)
            told = OFFERED if offer else "Dropped. Nothing was allowed."
            effects = Effects(audit=(body,), dirty=held.rows)
            turn = Turn(after=after, effects=effects, delivery=press.delivery, answer=told)
            turned = await once_more(partial(self._store.turn, turn))
            if turned.is_applied or turned.repeat is not None:
                return Answer(is_taken=True, text=turned.repeat or told)
            held = await self._store.held(request.id)

    async def _giver(self, request: Request, account: Account) -> Person:
        """Who may allow more of this: whom the rule itself asks. A step of the ladder lends a say in one call alone."""
        person = await self._rights.known(request, account)
        if person.id not in await signers(self._rights, request):
            raise NotEligible(request.id, person.id, "Sorry, only whom the rule itself asks may allow more of this.")
        return person

    async def _lent_until(self, request: Request, account: Account) -> datetime | None:
        """When the absence is over in which *account* stands for somebody; None for whoever gives by their own right.

        What a deputy allows ends with it at the latest. If it ends sooner, they are no signer any more (granted).
        """
        _, chairs = await self._rights.seats(replace(request, standins=()), account)
        if chairs.own:
            return None
        gone = [await self._rights.absence(stand.person) for stand in chairs.stands_for]
        return max((one.until for one in gone if one is not None), default=self._store.now())

    def _tool(self, request: Request) -> Tool:
        """Raises NotAllowed with the reason why more of *request*'s call cannot be allowed, or UnknownTool."""
        tool = self._parts.toolbox.get(request.call.tool)
        if told := grants.why_not(request, tool.spec):
            raise NotAllowed(request.call.tool, Cause.POLICY, told)
        return tool

    def _with_grant(self, move: str, ends: datetime | None, turn: Turn) -> Turn:
        """*turn*, an approval, gives what its card offered. Raises Ungranted if that is not what was pressed."""
        request, offer = turn.after, turn.after.offer
        if offer is None or f"{grants.GIVE}{offer.mark}" != move or request.decision is None:
            raise Ungranted(request.id, CHANGED)
        self._tool(request)  # may more of it be allowed at all?
        bounds = request.ask.grant
        if bounds is None or not grants.is_within(offer, bounds) or not grants.has_same(offer, request.call):
            raise Ungranted(request.id, "The policy does not allow so much.")
        if ends is not None and offer.until > ends:
            raise Ungranted(request.id, LONGER)
        if offer.until <= self._store.now():
            raise Ungranted(request.id, "The time of this offer has passed; please drop it and draw up another one.")
        grant = grants.given(request, offer, GrantId(f"g-{shard_of(request.id)}-{secrets.token_hex(8)}"))
        effects = replace(turn.effects, audit=(*turn.effects.audit, events.grant_given(grant, request)))
        told = f"Approved. It runs now, and so may others: {grants.text(grant)}"
        return replace(turn, after=replace(request, gave=grant.id), gives=grant, effects=effects, answer=told)

    # --------------------------------------------------------------- revoke

    async def revoke(self, id: GrantId, by: Account, delivery: str) -> Answer:
        """Take a grant back for good: by who gave it, who it serves, or who could have given it. Safe to repeat."""
        try:
            return await self._revoke(id, by, delivery)
        except Refused as error:
            log.info("revoke_refused", grant=id[:80], cause=type(error).__name__)
            return Answer(is_taken=False, text=error.people_read)
        except Broken as error:
            log.error("grant_not_believed", grant=id[:80], error=str(error))
            return Answer(is_taken=False, text="This grant does not bear our seal, so nothing runs on it.")

    async def _revoke(self, id: GrantId, by: Account, delivery: str) -> Answer:
        person = await self._rights.tasker(by)
        if person is None:
            raise NotRequestable(f"somebody who may not give tasks would revoke grant {id[:80]}")
        while True:
            grant = await self._store.grant(id)
            if person.id not in {grant.by, grant.requester} and person.id not in await self._could_give(grant):
                raise NotEligible(grant.request, person.id, "Sorry, this is not yours to revoke.")
            if grant.revoked_by is not None:
                who = await self._rights.name(grant.revoked_by)
                return Answer(is_taken=True, text=f"{who} has revoked it. Such calls are asked about again.")
            after = grants.revoked(grant, person.id, self._store.now())
            run = await self._run_of(grant)
            if await self._store.revoke(after, run, delivery=delivery, effects=_told(after, person, delivery)):
                log.info("grant_revoked", grant=id, person=person.id)
                return Answer(is_taken=True, text="Revoked. Such calls are asked about again.")

    async def _could_give(self, grant: Grant) -> frozenset[PersonId]:
        """Whoever the rule asks; also those who may not sign this one, for it only ever takes away."""
        try:
            request = (await self._store.held(RequestId(grant.request))).request
        except NoSuchRequest:
            return frozenset()
        return await signers(self._rights, replace(request, excluded=()))

    async def _run_of(self, grant: Grant) -> RunId:
        try:
            return (await self._store.held(RequestId(grant.request))).request.run
        except NoSuchRequest:
            return RunId(grant.run or "")


# ------------------------------------------------------------------ helpers


def _told(after: Grant, person: Person, delivery: str) -> Effects:
    body = f"{person.name} revoked what was allowed: {grants.text(after)} It is asked about again."
    note = Note(key=f"{after.id}/revoked", place=after.place, card=Card(body=body))
    audit = (events.grant_revoked(after, delivery),)
    return Effects(audit=audit, notes=(note,), dirty=(f"note|{note.key}",))
