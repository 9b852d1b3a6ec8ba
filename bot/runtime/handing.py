"""Handing on: whoever may answer a question passes it to somebody who can.

    press -> may they answer it -> who is meant, and may they -> the same request, asked of that person alone

Same id, same digest, one version more: the answer is bound to what everybody saw. The new person, or whoever decides
for them while they are away, gets a direct message of their own; every other copy says where the question went, and
loses its buttons. Outside of their hours, or while enough cards lie before them, that message waits (reach, sparing),
and the card in the thread can be answered until it comes. Not for signatures: a rule says whose those are. Not how a
copy is drawn (drawing, inquiry_card).
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
from bot.runtime.reach import Reach, Reaching
from bot.runtime.rights import Rights
from bot.runtime.sparing import Sparing

WAITS = "Until then it can be answered in the thread."
LOOKED_AT_MOST = 500  # people whose names are compared with what somebody typed


class Handing:
    def __init__(self, parts: Parts, rights: Rights) -> None:
        self._parts, self._store, self._rights = parts, parts.store, rights
        self._reaching, self._sparing = Reaching(parts.store, rights), Sparing(parts.store, rights)

    async def hand(self, held: Held, press: Press) -> Answer:
        """Ask somebody else instead. Raises NotEligible, AlreadySettled; InvalidArguments beside the field."""
        while True:
            request = held.request
            if again := next((one for one in request.handed if one.delivery == press.delivery), None):
                return Answer(is_taken=True, text=await self._told_again(held, again))
            by, _ = await self._rights.seats(request, press.by)
            if not request.is_open:
                raise AlreadySettled(request.id, request.status, settled_text(request))
            to = await self._meant(sound(str(press.fields.get(PERSON) or "")).strip())
            self._must_be_able(request, to)
            await self._must_be_named(request, to)
            after = self._asked(request, by, to, press.delivery)
            reach = await self._reach(held, after, to)
            told = await self._told(to, reach)
            turned = await once_more(partial(self._store.turn, _turn(held, after, reach, told)))
            if turned.repeat is not None:
                return Answer(is_taken=True, text=turned.repeat)
            if turned.is_applied:
                return Answer(is_taken=True, text=told)
            held = await self._store.held(request.id)

    def _asked(self, request: Request, by: Person, to: Person, delivery: str) -> Request:
        """*request*, asked of *to* alone."""
        given = Handed(by=by.id, to=to.id, at=self._store.now(), delivery=delivery)
        return replace(
            request,
            ask=replace(request.ask, groups=(Need(of=f"@{to.id}"),)),
            standins=(),
            handed=(*request.handed, given),
            version=request.version + 1,
        )

    # ------------------------------------------------------------- when

    async def _reach(self, held: Held, after: Request, to: Person) -> Reach:
        """*to*, and whoever decides for them while they are away, by when they may be called."""
        meant = frozenset({to.id})
        people = meant | frozenset((await self._rights.standing(after, meant)).values())
        have = frozenset(copy.to for copy in held.copies if copy.to)
        return await self._sparing.spare(after, await self._reaching.reach(after, people), have)

    async def _told(self, to: Person, reach: Reach) -> str:
        """Who is asked now, and who later; the right of those waits for nothing."""
        if to.id in reach.now:
            return f"{to.name} is asked now."
        if reach.now:
            deputy = await self._rights.name(reach.now[0])
            return f"{deputy} decides for {to.name}, and is asked now.{reach.told}"
        return f"{reach.told.strip()} {WAITS}"

    async def _told_again(self, held: Held, given: Handed) -> str:
        """To the same form once more, without a look at the clock: what it was told then may be over."""
        has_copy = any(copy.to == given.to for copy in held.copies)
        return f"{await self._rights.name(given.to)} is asked {'now' if has_copy else 'as soon as they may be called'}."

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


def _turn(held: Held, after: Request, reach: Reach, told: str) -> Turn:
    """The change, with a copy for whoever is called now, a timer for whoever is called later, and every other copy to
    show again."""
    given, have = after.handed[-1], {copy.name for copy in held.copies}
    new = tuple(Copy(name=f"dm-{who}", to=who) for who in reach.now)
    copies = tuple(copy for copy in new if copy.name not in have)
    rows = Held(request=after, copies=(*held.copies, *copies)).rows
    effects = Effects(
        audit=(events.request_handed(after),),
        notes=reach.notes,
        dirty=(*rows, *(f"note|{note.key}" for note in reach.notes)),
        timers=(look_timer(after, given), *reach.timers(after)),
    )
    return Turn(after=after, copies=copies, effects=effects, delivery=given.delivery, answer=told)


def _can_be_written_to(to: Person, request: Request, connected: frozenset[str]) -> bool:
    """Has *to* an account where we are, and on the request's own platform one of its own tenant, if any at all?"""
    here = [account for account in to.accounts if account.platform == request.place.platform]
    is_ours = not here or any(account.tenant == request.place.tenant for account in here)
    return is_ours and any(account.platform in connected for account in to.accounts)


def _ids(people: list[Person]) -> str:
    return ", ".join(f"@{person.id}" for person in people[:10])


def _wrong(told: str) -> InvalidArguments:
    return InvalidArguments("hand_to", {PERSON: told})
