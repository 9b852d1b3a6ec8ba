"""Handing on: whoever may answer a question passes it to somebody who can.

    press -> may they answer it -> who is meant, and may they -> the same request, asked of that person alone

Same id, same digest, one version more: the answer is bound to what everybody saw. The new person gets a direct
message of their own; every other copy says where the question went, and loses its buttons. Not for signatures: a rule
says whose those are. Not how a copy is drawn (drawing, inquiry_card).
"""

from __future__ import annotations

from functools import partial

from bot.domain import events
from bot.domain.chat import Answer, Person, PersonId
from bot.domain.errors import AlreadySettled, InvalidArguments, Unsatisfiable
from bot.domain.inert import show_line
from bot.domain.inquiry import PERSON
from bot.domain.people import ANYONE, NAME, may_answer
from bot.domain.request import Copy, Handed, Kind, Request, settled_text
from bot.domain.store import Effects, Held, Turn
from bot.domain.verdict import Need
from bot.domain.wire import replace
from bot.runtime.gone import look_timer
from bot.runtime.journal import once_more
from bot.runtime.parts import Parts
from bot.runtime.press import Press, sound
from bot.runtime.rights import Rights

LOOKED_AT_MOST = 500  # people whose names are compared with what somebody typed


class Handing:
    def __init__(self, parts: Parts, rights: Rights) -> None:
        self._parts, self._store, self._rights = parts, parts.store, rights

    async def hand(self, held: Held, press: Press) -> Answer:
        """Ask somebody else instead. Raises NotEligible, AlreadySettled; InvalidArguments beside the field."""
        while True:
            request = held.request
            if again := next((one for one in request.handed if one.delivery == press.delivery), None):
                return Answer(is_taken=True, text=f"{await self._rights.name(again.to)} is asked now.")
            by, _ = await self._rights.seats(request, press.by)
            if not request.is_open:
                raise AlreadySettled(request.id, request.status, settled_text(request))
            to = await self._meant(sound(str(press.fields.get(PERSON) or "")).strip())
            self._must_be_able(request, to)
            await self._must_be_named(request, to)
            told = f"{to.name} is asked now."
            turned = await once_more(partial(self._store.turn, self._turn(held, by, to, press.delivery, told)))
            if turned.repeat is not None:
                return Answer(is_taken=True, text=turned.repeat)
            if turned.is_applied:
                return Answer(is_taken=True, text=told)
            held = await self._store.held(request.id)

    def _turn(self, held: Held, by: Person, to: Person, delivery: str, told: str) -> Turn:
        """The request asked of *to* alone, with a copy for them and every other copy to show again."""
        request, name = held.request, f"dm-{to.id}"
        given = Handed(by=by.id, to=to.id, at=self._store.now(), delivery=delivery)
        after = replace(
            request,
            ask=replace(request.ask, groups=(Need(of=f"@{to.id}"),)),
            standins=(),
            handed=(*request.handed, given),
            version=request.version + 1,
        )
        copies = () if any(copy.name == name for copy in held.copies) else (Copy(name=name, to=to.id),)
        rows = Held(request=after, copies=(*held.copies, *copies)).rows
        effects = Effects(audit=(events.request_handed(after),), dirty=rows, timers=(look_timer(after, given),))
        return Turn(after=after, copies=copies, effects=effects, delivery=delivery, answer=told)

    # -------------------------------------------------------------- whom

    async def _meant(self, typed: str) -> Person:
        """The one person that *typed* names: by @id, id, or their exact name. Raises InvalidArguments."""
        if not typed:
            raise _wrong("Please say to whom.")
        plain = typed.removeprefix("@")
        if NAME.fullmatch(plain) and (person := await self._rights.person(PersonId(plain))):
            return person
        named = await self._called(plain)
        if len(named) > 1:
            raise _wrong(f"{len(named)} people are called that. Please write one of: {_ids(named)}.")
        if not named:
            raise _wrong("I know nobody of that name. Please write @id, or the name as it is spelled here.")
        return named[0]

    async def _called(self, name: str) -> list[Person]:
        try:
            everybody = sorted(await self._parts.directory.members(ANYONE))
        except Unsatisfiable:  # too many to look at: an id still names them
            return []
        if len(everybody) > LOOKED_AT_MOST:
            return []
        known = [await self._rights.person(who) for who in everybody]
        return [person for person in known if person is not None and person.name.casefold() == name.casefold()]

    def _must_be_able(self, request: Request, to: Person) -> None:
        """Raises InvalidArguments, beside the field, for somebody who could not answer it."""
        if not may_answer(to):
            raise _wrong(f"{to.name} cannot answer: guests, bots and deactivated accounts never do.")
        if to.id in request.excluded and (request.ask.separate_duties or request.outlives):
            raise _wrong(f"{to.name} asked for or changed this, so somebody else has to answer.")
        if [need.of for need in request.ask.groups] == [f"@{to.id}"]:
            raise _wrong(f"{to.name} is asked already.")
        if not _can_be_written_to(to, request, frozenset(self._parts.chats)):
            raise _wrong(f"{to.name} cannot be reached by a direct message here.")

    async def _must_be_named(self, request: Request, to: Person) -> None:
        """Raises InvalidArguments for a draft whose judges the policy names, and *to* is none of them (GN-12)."""
        reviews = self._parts.policy.reviews
        if request.kind is not Kind.REVIEW or reviews is None:
            return
        if to.id not in await self._rights.reached(request, reviews.of):
            raise _wrong(f"The policy lets only {show_line(reviews.of)} accept drafts, and {to.name} is none of them.")


def _can_be_written_to(to: Person, request: Request, connected: frozenset[str]) -> bool:
    """Has *to* an account where we are, and on the request's own platform one of its own tenant, if any at all?"""
    here = [account for account in to.accounts if account.platform == request.place.platform]
    is_ours = not here or any(account.tenant == request.place.tenant for account in here)
    return is_ours and any(account.platform in connected for account in to.accounts)


def _ids(people: list[Person]) -> str:
    return ", ".join(f"@{person.id}" for person in people[:10])


def _wrong(told: str) -> InvalidArguments:
    return InvalidArguments("hand_to", {PERSON: told})
