"""Who may answer a request: decided when they click, by person, and again when the call is about to start.

A failed look-up raises Unavailable and therefore refuses. What is high-risk is judged by a directory without
memory: somebody who left a moment ago signs nothing (T16). Whoever is away may have a deputy (deputies).
Not what an answer does (request, desk).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from bot.domain import wording
from bot.domain.absence import Absence
from bot.domain.chat import Account, Person, PersonId
from bot.domain.errors import NotEligible, Unsatisfiable
from bot.domain.inquiry import is_inquiry
from bot.domain.people import is_foreign, may_answer, resolve, whom
from bot.domain.ports import Absences, Directory
from bot.domain.request import Move, Request, Right, Stand, can_fill, seats
from bot.domain.routing import Listing
from bot.domain.verdict import Audience
from bot.domain.wire import Record, replace
from bot.runtime.deputies import Away, Groups, deputies, stands, still, used_up


class Chairs(Record):
    """What somebody may fill: seats of their own, by the indexes of the groups, and those of people who are away."""

    own: tuple[int, ...] = ()
    stands_for: tuple[Stand, ...] = ()


class Rights:
    """Questions about people, answered by the directory as it is now.

    A page only looks (`is_judging` false): it is content with what the directory remembers.
    """

    def __init__(self, directory: Directory, absences: Absences, *, is_judging: bool = True) -> None:
        self._directory, self._absences, self._is_judging = directory, absences, is_judging

    async def tasker(self, account: Account) -> Person | None:
        """The person behind *account*, if they may give tasks and instructions; None for guests and strangers."""
        person = await self._directory.who(account)
        return person if person is not None and may_answer(person) else None

    async def may_task(self, person: Person, agent: Listing) -> bool:
        """May *person* give this agent tasks and instructions? Nobody by a group that cannot be read at all."""
        for audience in agent.may:
            try:
                named = resolve(audience, directory=self._directory, requester=person.id, approvers=frozenset())
                if person.id in await named:
                    return True
            except Unsatisfiable:
                continue
        return not agent.may

    async def groups(self, request: Request) -> tuple[frozenset[PersonId], ...]:
        """Per group, everybody who may fill its seats now: members, and deputies of members who are away."""
        directory, away = self._judge(request), await self._away(request)
        groups = await _groups(request, directory)
        standing = await _standing(request, groups, away, directory)
        return tuple(members | {standing[who] for who in members if who in standing} for members in groups)

    async def seats(self, request: Request, account: Account) -> tuple[Person, Chairs]:
        """The person behind *account* and what they may fill. Raises NotEligible with the reason."""
        directory, away = self._judge(request), await self._away(request)
        person = await _known(request, account, directory)
        own = await _own(request, person.id, directory)
        standing: Mapping[PersonId, PersonId] = {}
        lent: tuple[Stand, ...] = ()
        if away:
            groups = await _groups(request, directory)
            standing = await _standing(request, groups, away, directory)
            lent = stands(request, person.id, groups, standing)
        if not own and not lent:
            raise NotEligible(request.id, person.id, await self._why_not(request, person, standing))
        return person, Chairs(own=own, stands_for=lent)

    async def awaited(self, request: Request) -> frozenset[PersonId]:
        """Whose answer is still waited for: of whoever is away, the deputy's."""
        directory, away = self._judge(request), await self._away(request)
        groups = await _groups(request, directory)
        standing = await _standing(request, groups, away, directory)
        voters = {vote.person for vote in request.votes}
        missing = frozenset[PersonId]().union(*groups) - voters - used_up(request.votes)
        return frozenset(standing.get(who, who) for who in missing) - voters

    async def stand_ins(self, request: Request) -> Mapping[PersonId, PersonId]:
        """For everybody who is asked and away, the deputy; looks nobody up while nobody is away."""
        away = await self._away(request)
        if not away:
            return {}
        directory = self._judge(request)
        return await _standing(request, await _groups(request, directory), away, directory)

    async def absence(self, person: PersonId) -> Absence | None:
        """Is *person* away just now, and until when? As of now or of a few seconds ago."""
        return (await self._absences.now()).get(person)

    async def all_away(self, request: Request) -> Absence | None:
        """The absence that ends first, if everybody whose answer is waited for is away and has no deputy; else None."""
        away = await self._away(request)
        waited = await self.awaited(request) if away else frozenset[PersonId]()
        if not waited or not waited <= away.keys():
            return None
        return min((away[who] for who in waited), key=lambda one: (one.until, one.person))

    async def standing(self, request: Request, people: frozenset[PersonId]) -> Mapping[PersonId, PersonId]:
        """For each of *people* who is away, the deputy, if there is one who may answer this request."""
        return await _standing(request, (people,), await self._away(request), self._judge(request))

    async def claim(self, request: Request, account: Account, move: Move) -> tuple[Person, Right, Chairs]:
        """The person behind *account*, and by which right they may make *move*. Raises NotEligible with the reason."""
        if move is Move.BREAK_GLASS:
            return await self._breaker(request, account), Right.GLASS, Chairs()
        try:
            person, chairs = await self.seats(request, account)
        except NotEligible:
            if move is not Move.REJECT or (vetoer := await self._vetoer(request, account)) is None:
                raise
            return vetoer, Right.VETO, Chairs()
        return person, Right.SEAT, chairs

    async def reader(self, request: Request, account: Account) -> Person:
        """The person behind *account*, if there is any answer they may give. Raises NotEligible with the reason."""
        try:
            return (await self.seats(request, account))[0]
        except NotEligible:
            if (vetoer := await self._vetoer(request, account)) is not None:
                return vetoer
            if request.ask.break_glass is None:
                raise
            return await self._breaker(request, account)

    async def reviewers(self, request: Request, breaker: PersonId) -> frozenset[PersonId]:
        """Who may say afterwards whether *breaker* was right to break the glass: nobody who had a hand in it."""
        glass = request.ask.break_glass
        found = await _members(request, glass.review, self._directory) if glass else frozenset[PersonId]()
        return found - {breaker, *request.excluded}

    async def known(self, request: Request, account: Account) -> Person:
        """The active person behind *account*. Raises NotEligible for strangers, guests, bots and the departed."""
        return await _known(request, account, self._judge(request))

    async def must_be_satisfiable(self, request: Request) -> None:
        """Refuse, at the moment it is made, a request that too few people could ever answer.

        Whoever is away may still answer, and a deputy only in their place: it makes no difference here.
        """
        verb = "answer" if is_inquiry(request.kind) else "approve"
        try:
            groups = await _groups(request, self._judge(request))
        except Unsatisfiable as error:  # a group that can never be read
            raise Unsatisfiable(error.why, verb=verb) from error
        needs = [need.need for need in request.ask.groups]
        if not can_fill(needs, groups):
            wanted = " and ".join(f"{need.need} of {need.of}" for need in request.ask.groups)
            barred = " (whoever asked or edited does not count)" if request.ask.separate_duties else ""
            raise Unsatisfiable(f"it needs {wanted}, and not enough people are there{barred}", verb=verb)

    async def still_hold(self, request: Request) -> str | None:
        """Why an approval no longer stands, or None. Asked again right before the call starts."""
        directory = self._judge(request)
        if not await directory.active(frozenset({request.requester})):
            return f"{request.requester}, who asked for it, may no longer give tasks"
        if request.broken_by is not None:
            is_still = await self._may_break(request, request.broken_by.person)
            return None if is_still else f"{request.broken_by.person}, who broke the glass, may no longer do so"
        if not seats(await _refreshed(request, directory)).is_full:
            return "somebody who approved it may no longer do so, and too few others did"
        return None

    async def refreshed(self, request: Request) -> Request:
        """*request* with every vote's seats as they are today: whoever lost a right fills none (T16)."""
        return await _refreshed(request, self._judge(request))

    async def requester_may(self, request: Request) -> bool:
        """May the person who gave the task still give tasks?"""
        return bool(await self._judge(request).active(frozenset({request.requester})))

    async def reached(self, request: Request, audience: Audience) -> frozenset[PersonId]:
        """The people a ladder step turns to."""
        directory = self._judge(request)
        asked = frozenset[PersonId]().union(*await _groups(request, directory))
        found = await resolve(audience, directory=directory, requester=request.requester, approvers=asked)
        return found - _barred(request)

    async def name(self, id: PersonId) -> str:
        person = await self._directory.person(id)
        return person.name if person else id

    async def person(self, id: PersonId) -> Person | None:
        return await self._directory.person(id)

    async def _away(self, request: Request) -> Away:
        """Who is away, as of now or of a few seconds ago."""
        return await (self._absences.fresh() if request.ask.is_high and self._is_judging else self._absences).now()

    async def _why_not(self, request: Request, person: Person, standing: Mapping[PersonId, PersonId]) -> str:
        done = sorted({who for who, deputy in standing.items() if deputy == person.id} & used_up(request.votes))
        if done:
            return f"{await self.name(done[0])}, for whom you decide, has been counted already."
        return _why_not(request, person, {request.requester: await self.name(request.requester)})

    async def _vetoer(self, request: Request, account: Account) -> Person | None:
        """The person behind *account*, if they may veto. Where duties are separated nobody does who is excluded."""
        if not request.ask.veto:
            return None
        directory = self._judge(request)
        person = await _known(request, account, directory)
        named = [await _members(request, of, directory) for of in request.ask.veto]
        return person if person.id in frozenset[PersonId]().union(*named) - _barred(request) else None

    async def _breaker(self, request: Request, account: Account) -> Person:
        """The person behind *account*, if they may break the glass and somebody can review it. Raises NotEligible."""
        person, glass = await _known(request, account, self._fresh()), request.ask.break_glass
        if glass is None:
            told = "Sorry, the rule of this call has no glass to break."
        elif person.id in request.excluded:
            told = "Sorry, you asked for or changed this, so somebody else has to break the glass."
        elif not await self._may_break(request, person.id):
            told = f"Sorry, only {glass.of} may break the glass here."
        elif not await self.reviewers(request, person.id):
            told = "Nobody is there who could review it afterwards, so the glass cannot be broken."
        else:
            return person
        raise NotEligible(request.id, person.id, told)

    async def _may_break(self, request: Request, person: PersonId) -> bool:
        """Now, whatever was true a moment ago: one signature alone is judged like high risk."""
        glass = request.ask.break_glass
        if glass is None or person in request.excluded:
            return False
        return person in await _members(request, glass.of, self._fresh())

    def _fresh(self) -> Directory:
        return self._directory.fresh() if self._is_judging else self._directory

    def _judge(self, request: Request) -> Directory:
        """Who says what is true about people, for this request."""
        return self._directory.fresh() if request.ask.is_high and self._is_judging else self._directory


async def _known(request: Request, account: Account, directory: Directory) -> Person:
    person = await directory.who(account)
    if person is None:
        raise NotEligible(request.id, None, "Sorry, I do not know you, so I cannot count your answer.")
    if request.place.is_foreign_to(account):
        raise NotEligible(request.id, person.id, "Sorry, this was asked in another workspace: its people decide.")
    if not may_answer(person):
        raise NotEligible(request.id, person.id, "Sorry, guests, bots and deactivated accounts cannot answer.")
    return person


async def _members(request: Request, of: Audience, directory: Directory) -> frozenset[PersonId]:
    """Whom an audience beside the groups means now."""
    return await resolve(of, directory=directory, requester=request.requester, approvers=frozenset())


async def _own(request: Request, who: PersonId, directory: Directory) -> tuple[int, ...]:
    """The groups whose seats *who*, who may answer, fills in their own right. The others are not looked at."""
    if who in _barred(request):
        return ()
    named = await _meant(request, directory)
    return tuple(i for i, people in enumerate(named) if who in people or who in request.standins)


async def _groups(request: Request, directory: Directory) -> Groups:
    """Per group its members and whomever the ladder reached, as far as they may still answer anything."""
    return await _active(await _named(request, directory), directory)


async def _named(request: Request, directory: Directory) -> Groups:
    """The same, whoever they may be by now."""
    barred = _barred(request)
    return tuple(
        frozenset(who for who in members | {*request.standins} if not is_foreign(who, request.place)) - barred
        for members in await _meant(request, directory)
    )


async def _meant(request: Request, directory: Directory) -> list[frozenset[PersonId]]:
    """Per group, whom its audience names."""
    meant = partial(whom, directory=directory, requester=request.requester, approvers=frozenset())
    return [await meant(need.of) for need in request.ask.groups]


async def _active(groups: Groups, directory: Directory) -> Groups:
    there = await directory.active(frozenset[PersonId]().union(*groups))
    return tuple(members & there for members in groups)


async def _refreshed(request: Request, directory: Directory) -> Request:
    """Only those are looked at who voted, or for whom somebody did."""
    lent = {stand.person for vote in request.votes for stand in vote.stands_for}
    active = await directory.active(frozenset({vote.person for vote in request.votes} | lent) - _barred(request))
    own = frozenset(who for who in active if not is_foreign(who, request.place))
    groups = tuple((members | {*request.standins}) & own for members in await _meant(request, directory))
    votes = (
        replace(v, seats=tuple(i for i in v.seats if v.person in groups[i]), stands_for=still(v, groups, active))
        for v in request.votes
    )
    return replace(request, votes=tuple(votes))


async def _standing(request: Request, groups: Groups, away: Away, directory: Directory) -> dict[PersonId, PersonId]:
    """The deputies of everybody in *groups* who is away, without those who may not answer this."""
    found = await deputies(frozenset[PersonId]().union(*groups), away, directory)
    return {who: deputy for who, deputy in found.items() if deputy not in _barred(request)}


def _barred(request: Request) -> frozenset[PersonId]:
    return frozenset(request.excluded) if request.ask.separate_duties else frozenset()


def _why_not(request: Request, person: Person, names: Mapping[PersonId, str]) -> str:
    if request.ask.separate_duties and person.id in request.excluded:
        verb = "answer" if is_inquiry(request.kind) else "sign"
        return f"Sorry, you asked for or changed this, so somebody else has to {verb} it."
    wanted = " and ".join(wording.audience(need.of, request.requester, names) for need in request.ask.groups)
    return f"Sorry, this needs an answer from: {wanted}."
