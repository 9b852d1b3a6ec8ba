"""Who may answer a request: decided when they click, by person, and again when the call is about to start.

A failed look-up raises Unavailable and therefore refuses. What is high-risk is judged by a directory without
memory: somebody who left a moment ago signs nothing (T16). Not what an answer does (request, desk).
"""

from __future__ import annotations

from functools import partial

from bot.domain.chat import Account, Person, PersonId
from bot.domain.errors import NotEligible, Unsatisfiable
from bot.domain.people import may_answer, resolve
from bot.domain.ports import Directory
from bot.domain.request import Request, can_fill, seats
from bot.domain.verdict import Audience
from bot.domain.wire import replace


class Rights:
    """Questions about people, answered by the directory as it is now.

    A page only looks (`is_judging` false): it is content with what the directory remembers.
    """

    def __init__(self, directory: Directory, *, is_judging: bool = True) -> None:
        self._directory, self._is_judging = directory, is_judging

    async def tasker(self, account: Account) -> Person | None:
        """The person behind *account*, if they may give tasks and instructions; None for guests and strangers."""
        person = await self._directory.who(account)
        return person if person is not None and may_answer(person) else None

    async def groups(self, request: Request) -> tuple[frozenset[PersonId], ...]:
        """Per group, everybody who may fill its seats now."""
        return await _groups(request, self._judge(request))

    async def seats(self, request: Request, account: Account) -> tuple[Person, tuple[int, ...]]:
        """The person behind *account* and the groups they may speak for. Raises NotEligible with the reason."""
        directory = self._judge(request)
        person = await _known(request, account, directory)
        groups = await _groups(request, directory)
        chairs = tuple(i for i, members in enumerate(groups) if person.id in members)
        if not chairs:
            raise NotEligible(request.id, person.id, _why_not(request, person))
        return person, chairs

    async def known(self, request: Request, account: Account) -> Person:
        """The active person behind *account*. Raises NotEligible for strangers, guests, bots and the departed."""
        return await _known(request, account, self._judge(request))

    async def must_be_satisfiable(self, request: Request) -> None:
        """Refuse, at the moment it is made, a request that too few people could ever answer."""
        groups = await self.groups(request)
        needs = [need.need for need in request.ask.groups]
        if not can_fill(needs, groups):
            wanted = " and ".join(f"{need.need} of {need.of}" for need in request.ask.groups)
            barred = " (whoever asked or edited does not count)" if request.ask.separate_duties else ""
            raise Unsatisfiable(f"it needs {wanted}, and not enough people are there{barred}")

    async def still_hold(self, request: Request) -> str | None:
        """Why an approval no longer stands, or None. Asked again right before the call starts."""
        directory = self._judge(request)
        if not await directory.active(frozenset({request.requester})):
            return f"{request.requester}, who asked for it, may no longer give tasks"
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

    def _judge(self, request: Request) -> Directory:
        """Who says what is true about people, for this request."""
        return self._directory.fresh() if request.ask.is_high and self._is_judging else self._directory


async def _known(request: Request, account: Account, directory: Directory) -> Person:
    person = await directory.who(account)
    if person is None:
        raise NotEligible(request.id, None, "Sorry, I do not know you, so I cannot count your answer.")
    if not may_answer(person):
        raise NotEligible(request.id, person.id, "Sorry, guests, bots and deactivated accounts cannot answer.")
    return person


async def _groups(request: Request, directory: Directory) -> tuple[frozenset[PersonId], ...]:
    """Per group its members and whomever the ladder reached, as far as they may still answer anything."""
    standins = await directory.active(frozenset(request.standins))
    named = partial(resolve, directory=directory, requester=request.requester, approvers=frozenset())
    found = [await named(need.of) for need in request.ask.groups]
    return tuple((members | standins) - _barred(request) for members in found)


async def _refreshed(request: Request, directory: Directory) -> Request:
    groups = await _groups(request, directory)
    votes = (replace(v, seats=tuple(i for i in v.seats if v.person in groups[i])) for v in request.votes)
    return replace(request, votes=tuple(votes))


def _barred(request: Request) -> frozenset[PersonId]:
    return frozenset(request.excluded) if request.ask.separate_duties else frozenset()


def _why_not(request: Request, person: Person) -> str:
    if request.ask.separate_duties and person.id in request.excluded:
        return "Sorry, you asked for or changed this, so somebody else has to sign it."
    wanted = " and ".join(need.of for need in request.ask.groups)
    return f"Sorry, this needs an answer from: {wanted}."
