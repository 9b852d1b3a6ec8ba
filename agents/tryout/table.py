"""The table people sit at: open requests, whose turn it is, and a clock that only moves when everybody waits.

    every branch asleep -> the next thing to happen: a step of a ladder, a timer, somebody's answer -> who wakes

Who may answer is worked out as the bot does it, from people who never change. Not what an answer does (answers), nor
the calls that wait for it (gate).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from agents.tryout.cast import SILENCE, Act, Cast
from agents.tryout.errors import ScriptError
from agents.tryout.story import Moment
from bot.domain import inquiry, ladder
from bot.domain.calls import Cause
from bot.domain.chat import PersonId
from bot.domain.errors import Unsatisfiable
from bot.domain.inert import show_line
from bot.domain.people import resolve
from bot.domain.request import Move, Request, RequestId, can_fill, close
from bot.domain.run import Heard
from bot.domain.verdict import Climb, Rung
from bot.domain.wire import replace

Act_on = Callable[[PersonId, Request | None, Act], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that can happen next. A ladder goes before an answer of the same moment: the deadline is too late."""

    due: datetime
    rank: tuple[int, int]
    happen: Callable[[], Awaitable[None]]
    is_endless: bool = False  # comes again and again, and ends nothing


@dataclass(frozen=True, slots=True)
class Asked:
    """Who may answer a request: per group its seats, and those who may only reject."""

    seats: tuple[frozenset[PersonId], ...]
    veto: frozenset[PersonId]

    def holds(self, who: PersonId) -> bool:
        return who in self.veto or any(who in members for members in self.seats)


class Table:
    """Everything that waits for people or time in one run. *act* is what becomes of an answer."""

    def __init__(self, cast: Cast, requester: PersonId, began: datetime) -> None:
        self.cast, self.requester, self.now = cast, requester, began
        self.requests: dict[RequestId, Request] = {}
        self.asked: dict[RequestId, Asked] = {}
        self.letters: list[Heard] = []
        self.told = 0  # how many of them some branch has heard
        self.steered: list[PersonId] = []  # whose words the run acts on, besides the requester's
        self.stopped_by: PersonId | None = None
        self.moments: list[Moment] = []
        self.routes: dict[str, tuple[str, tuple[str, ...]]] = {}  # by pattern: who has the work, who could have it
        self.timers: dict[str, tuple[datetime, datetime]] = {}  # sleeps: when they began, when they end
        self.act: Act_on | None = None
        self._since: dict[tuple[PersonId, RequestId], datetime] = {}
        self._acted: dict[PersonId, datetime] = {}
        self._silent: set[tuple[PersonId, RequestId]] = set()
        self._left = {who: list(one.answers) for who, one in cast.people.items()}
        self._meant: dict[tuple[PersonId, RequestId], Act] = {}  # what a function of the request came to
        self.sit_down()

    def sit_down(self) -> None:
        """The agent is called: one branch is awake, nobody sleeps."""
        self.awake, self._idle = 1, asyncio.Event()
        self._sleepers: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def tell(self, text: str) -> None:
        self.moments.append(Moment(self.now, text))

    @property
    def unused(self) -> dict[PersonId, tuple[str, ...]]:
        """Answers that were never given, as the test wrote them."""
        found = {
            who: tuple(one.label if isinstance(one, Act) else "a function" for one in left)
            for who, left in self._left.items()
        }
        return {who: labels for who, labels in found.items() if labels}

    @property
    def barred(self) -> tuple[PersonId, ...]:
        """Whoever's words the run acts on: they never sign where duties are separated."""
        return tuple(dict.fromkeys((self.requester, *self.steered)))

    # ----------------------------------------------------------------- asking

    async def ask(self, request: Request) -> None:
        """Put *request* to people. Raises Unsatisfiable if too few could ever answer it."""
        asked = await self._who(request)
        if not can_fill([need.need for need in request.ask.groups], asked.seats):
            wanted = " and ".join(f"{need.need} of {need.of}" for need in request.ask.groups)
            barred = " (whoever asked or edited does not count)" if request.ask.separate_duties else ""
            verb = "answer" if inquiry.is_inquiry(request.kind) else "approve"
            raise Unsatisfiable(f"it needs {wanted}, and not enough people are there{barred}", verb=verb)
        self.requests[request.id] = request
        self._seat(request, asked)
        names = ", ".join(who for who in self.cast.people if asked.holds(who))
        self.tell(f"{names} asked: {subject(request)}")

    def _seat(self, request: Request, asked: Asked) -> None:
        self.asked[request.id] = asked
        for who in self.cast.people:
            if asked.holds(who):
                self._since.setdefault((who, request.id), self.now)

    async def _who(self, request: Request) -> Asked:
        nobody = frozenset[PersonId]()
        barred = frozenset(request.excluded) if request.ask.separate_duties else nobody
        found = [await self._resolved(need.of, request, nobody) for need in request.ask.groups]
        veto = [await self._resolved(of, request, nobody) for of in request.ask.veto]
        seats = tuple((members | frozenset(request.standins)) - barred for members in found)
        return Asked(seats=seats, veto=nobody.union(*veto) - barred)

    async def _resolved(self, of: str, request: Request, asked: frozenset[PersonId]) -> frozenset[PersonId]:
        return await resolve(of, directory=self.cast, requester=request.requester, approvers=asked)

    def open(self) -> list[Request]:
        """What waits for people, oldest first."""
        return [request for request in self.requests.values() if request.is_open]

    def end_of(self, id: RequestId) -> Request:
        """The request that has taken the place of *id*, or itself."""
        request = self.requests[id]
        return request if request.replaced_by is None else self.end_of(request.replaced_by)

    # --------------------------------------------------------- sleeping, waking

    async def until(self, is_ready: Callable[[], bool]) -> None:
        """Sleep until *is_ready*; the clock goes on once every branch sleeps."""
        if is_ready():
            return
        bed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((is_ready, bed))
        self.rest(1)
        await bed

    def rest(self, branches: int) -> None:
        """So many branches less are awake."""
        self.awake -= branches
        if self.awake == 0:
            self._idle.set()

    def stir(self) -> None:
        """Wake whoever may go on."""
        ready = [(is_ready, bed) for is_ready, bed in self._sleepers if is_ready()]
        for sleeper in ready:
            self._sleepers.remove(sleeper)
            self.awake += 1
            if not sleeper[1].done():
                sleeper[1].set_result(None)

    async def direct(self) -> None:
        """Let one thing happen after the other whenever everybody waits; return when somebody has stopped the run.

        Raises ScriptError when nothing that can happen would ever end the waiting.
        """
        while self.stopped_by is None:
            await self._idle.wait()
            self._idle.clear()
            while self.awake == 0 and self.stopped_by is None:
                turn = self._next()
                self.now = max(self.now, turn.due)
                await turn.happen()
                self.stir()

    # -------------------------------------------------------------- whose turn

    def _next(self) -> Turn:
        turns = sorted(self._turns(), key=lambda turn: (turn.due, turn.rank))
        if all(turn.is_endless for turn in turns):
            waiting = ", ".join(subject(request) for request in self.open()) or "nothing that a test can see"
            raise ScriptError(f"the run waits for ever: nobody has an answer left, and no ladder ends {waiting}")
        return turns[0]

    def _turns(self) -> Iterator[Turn]:
        for at, request in enumerate(self.open()):
            if request.rung < len(request.ask.ladder):
                rung = request.ask.ladder[request.rung]
                again = request.reviews + 1 if rung.do is Climb.REVIEW else 1
                due = ladder.due(request.ask, request.opened, rung, times=again)
                yield Turn(due, (0, at), partial(self._climb, request, rung), rung.do is Climb.REVIEW)
        for path, (_, due) in self.timers.items():
            yield Turn(due, (1, 0), partial(self._ring, path))
        for at, who in enumerate(self.cast.people):
            if (turn := self._turn_of(who, at)) is not None:
                yield turn

    def _turn_of(self, who: PersonId, at: int) -> Turn | None:
        """What *who* does next: their next answer goes to the oldest request they have not dealt with."""
        if not self._left[who]:
            return None
        request = next((one for one in self.open() if self._waits_for(one, who)), None)
        act = self._next_act(who, request)
        if act is None or (request is None and not act.is_reply):
            return None
        since = self._since[who, request.id] if request is not None else self._first_open()
        if since is None:
            return None
        due = max(since, self._acted.get(who, since)) + act.wait
        return Turn(due, (2, at), partial(self._happen, who, request, act))

    def _waits_for(self, request: Request, who: PersonId) -> bool:
        has_voted = any(vote.person == who for vote in request.votes)
        return self.asked[request.id].holds(who) and not has_voted and (who, request.id) not in self._silent

    def _next_act(self, who: PersonId, request: Request | None) -> Act | None:
        """The next answer of *who*. A function is asked once for each request."""
        first = self._left[who][0]
        if isinstance(first, Act):
            return first
        if request is None:
            return None
        key = (who, request.id)
        if key not in self._meant:
            self._meant[key] = first(request)
        return self._meant[key]

    def _first_open(self) -> datetime | None:
        """Since when something waits: a request, or the run for its time."""
        return min([*(one.opened for one in self.open()), *(began for began, _ in self.timers.values())], default=None)

    # ------------------------------------------------------------- what happens

    async def _happen(self, who: PersonId, request: Request | None, act: Act) -> None:
        del self._left[who][0]
        self._acted[who] = self.now
        if act.move == SILENCE and request is not None:
            self._silent.add((who, request.id))
            return
        assert self.act is not None, "whoever runs the table says what an answer does"
        await self.act(who, request, act)

    async def _climb(self, request: Request, rung: Rung) -> None:
        if rung.do is Climb.EXPIRE:
            self.requests[request.id] = close(request, Move.EXPIRE, at=self.now, cause=Cause.DEADLINE)
            self.tell(f"nobody answered in time: {subject(request)}")
            return
        if rung.do is Climb.REVIEW:
            self.requests[request.id] = replace(request, reviews=request.reviews + 1, version=request.version + 1)
            return
        after = replace(request, rung=request.rung + 1, version=request.version + 1)
        self.tell(f"{rung.do} {rung.to}: {subject(request)}")
        if rung.do is not Climb.REMIND and not rung.channel:
            found = await self._resolved(rung.to, request, frozenset[PersonId]().union(*self.asked[request.id].seats))
            barred = frozenset(request.excluded) if request.ask.separate_duties else frozenset[PersonId]()
            reached = tuple(sorted(found - barred - frozenset(request.standins)))
            after = replace(after, standins=(*request.standins, *reached))
        self.requests[request.id] = after
        self._seat(after, await self._who(after))

    async def _ring(self, path: str) -> None:
        del self.timers[path]


def subject(request: Request) -> str:
    """What a request is about, in one line of a test's words."""
    if inquiry.is_inquiry(request.kind):
        first = next(iter(inquiry.parts(request)), None)
        about = first.text if first is not None else ""
    else:
        about = f"{request.call.tool} {request.call.args}"
    shown = show_line(about)
    return f"{request.kind} {request.id}: {shown if len(shown) <= 200 else shown[:199] + '…'}"
