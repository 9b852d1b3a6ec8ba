"""One call of the Bot Connector.

    host (clouds) -> path, every id encoded -> a turn (pace) -> token -> one request -> JSON | an error (codes)
                                                  ▲ again: 0.5, 1, 2 s later, if it may be

What may be repeated is repeated here: a GET or PUT whose answer was lost, and whatever was never sent, or refused for
its haste. A POST whose outcome nobody knows is not: the message may be on somebody's screen; only the caller can look.
A token goes to listed hosts alone, looked up again for every request, for a stored service URL is input too (T13, T24);
redirects are not followed. Does not own what is posted (mouth), nor where (places).

    ChatUnavailable   nothing was done; try again
    ├── PerhapsDone   a POST whose outcome nobody knows
    ├── NoToken       Entra gave none (tokens)
    └── TeamsStopped  Teams does not take our token, not even a new one: tried again once a minute
    TeamsRefused      Teams said no; `outcome` says what that means
    ForeignHost       not a host of ours: nothing was sent (clouds)
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

import aiohttp
import structlog
from yarl import URL

from adapters.teams.bodies import body_of
from adapters.teams.clouds import Cloud
from adapters.teams.codes import Outcome, Said, Verb, outcome_of, said
from adapters.teams.pace import Kind, Pace
from adapters.teams.shapes import PLATFORM, Raw
from adapters.teams.tokens import Tokens
from bot.domain.errors import BadJson, ChatUnavailable, Refused
from bot.domain.wire import MAX_BYTES, dumps, read_signed

log = structlog.get_logger()

DEADLINE = aiohttp.ClientTimeout(total=15.0, sock_connect=5.0)  # seconds; one request, and its connection
BACKOFF = (0.5, 1.0, 2.0)  # seconds before the second, third and fourth attempt
JITTER = 0.2  # a wait is up to so much longer, so that not everybody comes back at once
GIVE_UP = 20.0  # seconds after which no new attempt begins
LOOK_AGAIN = 2.0  # seconds before the one repetition of a lost edit (msteams-docs#6139)
STOPPED_AGAIN = 60.0  # seconds until one call asks again whether our token is taken
LONGEST_PAUSE = 3_600.0  # seconds; a longer Retry-After is not believed
PAGE, MOST_PAGES = 500, 20  # members: 10,000, where the Bot Connector itself once stopped


class PerhapsDone(ChatUnavailable):
    """Nobody knows whether Teams did it. Repeat only what may happen twice, or look first."""


class TeamsStopped(ChatUnavailable):
    """Teams takes no token of ours for this tenant. One call a minute asks whether it still is so."""

    def __init__(self, tenant: str, code: str) -> None:
        remedy = "look whether the bot is registered, its Teams channel is on, and TEAMS_APP_ID is its id"
        super().__init__(PLATFORM, f"tenant {tenant} refuses our token ({code}); {remedy}", STOPPED_AGAIN)
        self.tenant, self.code = tenant, code


class TeamsRefused(Refused):
    """Teams said no. `outcome` is what its status and code mean for this call."""

    def __init__(self, verb: Verb, said: Said, outcome: Outcome) -> None:
        super().__init__(f"Teams refused a {verb}: HTTP {said.status} {said.code or '(no code)'}, that is {outcome}")
        self.status, self.code, self.outcome = said.status, said.code, outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """One conversation, as the Bot Connector knows it. *conversation* is the whole id, with `;messageid=`."""

    tenant: str
    service_url: str
    conversation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A new conversation, and the message it began with (empty if it began with none)."""

    conversation: str
    activity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Clock and sleep in seconds; *jitter* gives numbers between 0 and 1."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """What is asked for. *path* is encoded already."""

    verb: Verb
    at: Where
    path: str
    kind: Kind
    body: Raw | None = None


@dataclass(slots=True)
class _Course:
    """How one call goes: what happened to it so far."""

    call: _Call
    began: float
    waits: list[float]
    refused: str = ""  # the token that was not taken
    is_moved: bool = False
    is_looked_again: bool = False
    token: str = field(default="", repr=False)


class Connector:
    """Calls the Bot Connector for any tenant. The session belongs to whoever opened it. No *tokens*: none is sent."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        cloud: Cloud,
        tokens: Tokens | None,
        pace: Pace,
        timing: Timing | None = None,
    ) -> None:
        self._session, self._cloud, self._tokens, self._pace = session, cloud, tokens, pace
        self._timing = timing or Timing()
        self._stopped: dict[str, tuple[str, float]] = {}  # tenant -> the code, and when it is tried again

    async def post(self, at: Where, activity: Raw) -> str:
        """Post into *at*; the new activity's id. Raises PerhapsDone where the message may stand there already."""
        kind = Kind.YIELD if activity.get("type") == "typing" else Kind.WRITE
        path = f"/v3/conversations/{_id(at.conversation)}/activities"
        answer = await self._call(_Call(verb=Verb.POST, at=at, path=path, kind=kind, body=activity))
        return _text(answer, "id") if kind is Kind.WRITE else str(answer.get("id") or "")

    async def put(self, at: Where, id: str, activity: Raw) -> None:
        """Replace activity *id*. Once more 2 s after an `EDIT_LOST`: the service says it without reason, too."""
        path = f"/v3/conversations/{_id(at.conversation)}/activities/{_id(id)}"
        await self._call(_Call(verb=Verb.PUT, at=at, path=path, kind=Kind.YIELD, body=activity))

    async def create(self, at: Where, params: Raw) -> Created:
        """Begin a conversation: a thread in the channel `at.conversation`, by its first activity, or a personal chat.

        A personal chat that is there already is simply named again, so without an activity this may be repeated.
        """
        kind = Kind.WRITE if "activity" in params else Kind.CREATE
        call = _Call(verb=Verb.POST, at=at, path="/v3/conversations", kind=kind, body=params)
        answer = await self._call(call)
        return Created(conversation=_text(answer, "id"), activity=str(answer.get("activityId") or ""))

    async def member(self, at: Where, user: str) -> Raw:
        return await self._get(at, f"/v3/conversations/{_id(at.conversation)}/members/{_id(user)}")

    async def members(self, at: Where) -> tuple[Raw, ...]:
        """Everybody in *at*, up to MOST_PAGES pages of PAGE."""
        path = f"/v3/conversations/{_id(at.conversation)}/pagedmembers"
        found: list[Raw] = []
        asked: dict[str, str] = {"pageSize": str(PAGE)}
        for _ in range(MOST_PAGES):
            answer = await self._get(at, f"{path}?{urlencode(asked, quote_via=quote, safe='')}")
            found += _objects(answer.get("members"))
            token = answer.get("continuationToken")
            if not isinstance(token, str) or not token:
                return tuple(found)
            asked["continuationToken"] = token
        log.warning("teams_members_cut", tenant=at.tenant, members=len(found))
        return tuple(found)

    async def team(self, at: Where, team: str) -> Raw:
        return await self._get(at, f"/v3/teams/{_id(team)}")

    async def channels(self, at: Where, team: str) -> tuple[Raw, ...]:
        answer = await self._get(at, f"/v3/teams/{_id(team)}/conversations")
        return _objects(answer.get("conversations"))

    async def _get(self, at: Where, path: str) -> Raw:
        return await self._call(_Call(verb=Verb.GET, at=at, path=path, kind=Kind.READ))

    # ------------------------------------------------------------------- one call

    async def _call(self, call: _Call) -> Raw:
        self._look_at_stop(call.at.tenant)
        course = _Course(call=call, began=self._timing.clock(), waits=list(BACKOFF))
        while True:
            url = self._url(course.call)  # before the token: a foreign host sees neither
            if self._session.closed:
                raise ChatUnavailable(PLATFORM, "the adapter is closed")
            await self._pace.turn(call.at.tenant, call.at.conversation, call.kind)
            course.token = await self._token(course)
            answer, headers = await self._ask(course, url)
            if isinstance(answer, Said):
                await self._mend(course, answer, headers)
            elif answer is not None:
                self._stopped.pop(call.at.tenant, None)
                return answer

    def _url(self, call: _Call) -> URL:
        self._cloud.host_of(call.at.service_url)
        return URL(call.at.service_url.removesuffix("/") + call.path, encoded=True)

    async def _token(self, course: _Course) -> str:
        if self._tokens is None or self._cloud.is_emulator:
            return ""
        return await self._tokens.get(self._cloud.scope, refused=course.refused)

    async def _ask(self, course: _Course, url: URL) -> tuple[Raw | Said | None, Mapping[str, str]]:
        """One request. None: it has to be made again, and the wait for that is over."""
        call = course.call
        headers = {"Authorization": f"Bearer {course.token}"} if course.token else {}
        body = None if call.body is None else dumps(call.body)
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._session.request(
                call.verb, url, data=body, headers=headers, timeout=DEADLINE, allow_redirects=False
            ) as answer:
                return _read(call, answer.status, await body_of(answer, MAX_BYTES)), answer.headers
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:  # never sent
            await self._again(course, ChatUnavailable(PLATFORM, type(error).__name__), error)
        except (aiohttp.ClientError, OSError) as error:
            await self._unsure(course, type(error).__name__, error)
        return None, {}

    # ---------------------------------------------------------------- what follows

    async def _mend(self, course: _Course, said: Said, headers: Mapping[str, str]) -> None:
        """Return when the call may be made again; raise what it came to if it may not."""
        call = course.call
        outcome = outcome_of(call.verb, said)
        told = f"HTTP {said.status} {said.code}".rstrip()
        match outcome:
            case Outcome.PACE:
                await self._too_fast(course, headers)
            case Outcome.RETRY:
                await self._again(course, ChatUnavailable(PLATFORM, told))
            case Outcome.UNSURE:
                await self._unsure(course, told)
            case Outcome.STUMBLED:
                raise PerhapsDone(PLATFORM, told) if call.verb is Verb.POST else ChatUnavailable(PLATFORM, told)
            case Outcome.RENEW if not course.refused and course.token:
                course.refused = course.token
            case Outcome.RENEW | Outcome.STOPPED:
                self._stop(call.at.tenant, said)
            case Outcome.OTHER_HOST if not course.is_moved and (url := self._cloud.other_host(call.at.service_url)):
                course.is_moved = True
                course.call = replace(call, at=replace(call.at, service_url=url))
            case Outcome.EDIT_LOST if not course.is_looked_again:
                course.is_looked_again = True
                await self._timing.sleep(LOOK_AGAIN)
            case _:
                self._refuse(call, said, outcome)

    async def _unsure(self, course: _Course, why: str, cause: Exception | None = None) -> None:
        """It may have been done: again, if twice is as good as once."""
        if course.call.verb is Verb.POST:
            raise PerhapsDone(PLATFORM, why) from cause
        await self._again(course, ChatUnavailable(PLATFORM, why), cause)

    async def _again(self, course: _Course, error: ChatUnavailable, cause: Exception | None = None) -> None:
        """Wait for the next attempt; raise *error* if there is none left, or no time for it."""
        if course.waits:
            wait = course.waits.pop(0) * (1 + JITTER * self._timing.jitter())
            if self._timing.clock() + wait - course.began < GIVE_UP:
                return await self._timing.sleep(wait)
        raise error from cause

    async def _too_fast(self, course: _Course, headers: Mapping[str, str]) -> None:
        """This conversation rests; its next turn comes after that, or is too far away."""
        call = course.call
        seconds = _seconds(headers)
        if seconds is None:
            seconds = course.waits[0] if course.waits else BACKOFF[-1]
        self._pace.pause(call.at.tenant, call.at.conversation, call.kind, seconds=seconds)
        ends = self._timing.clock() + seconds - course.began
        if not course.waits or ends >= GIVE_UP:
            raise ChatUnavailable(PLATFORM, f"a {call.verb} was too fast", seconds)
        course.waits.pop(0)

    # ------------------------------------------------------------------- refusals

    def _look_at_stop(self, tenant: str) -> None:
        """Nothing is sent for a tenant that refuses our tokens, but for one call a minute."""
        code, again_at = self._stopped.get(tenant, ("", 0.0))
        if not code:
            return
        now = self._timing.clock()
        if now < again_at:
            raise TeamsStopped(tenant, code)
        self._stopped[tenant] = (code, now + STOPPED_AGAIN)  # the others wait for what becomes of this one

    def _stop(self, tenant: str, said: Said) -> NoReturn:
        code = said.code or str(said.status)
        if tenant not in self._stopped:
            log.error("teams_stopped", tenant=tenant, status=said.status, code=said.code)
        self._stopped[tenant] = (code, self._timing.clock() + STOPPED_AGAIN)
        raise TeamsStopped(tenant, code)

    def _refuse(self, call: _Call, said: Said, outcome: Outcome) -> NoReturn:
        if outcome in _LOUD:
            log.error("teams_refused", tenant=call.at.tenant, verb=call.verb, status=said.status, code=said.code)
        raise TeamsRefused(call.verb, said, outcome)


# What an operator or we have to do something about; everything else is a fact about a place.
_LOUD = frozenset({Outcome.BROKEN, Outcome.FORBIDDEN, Outcome.OTHER_HOST, Outcome.UNKNOWN})


def _read(call: _Call, status: int, body: bytes) -> Raw | Said:
    if not 200 <= status < 300:
        return said(status, body)
    if not body.strip():
        return {}
    try:
        value = read_signed(body)
    except BadJson:
        value = None
    if isinstance(value, dict):
        return value
    if isinstance(value, list):  # the older calls answer with a bare list
        return {"members": value, "conversations": value}
    if call.verb is Verb.POST:
        raise PerhapsDone(PLATFORM, "the answer to a POST cannot be read")
    raise ChatUnavailable(PLATFORM, f"the answer to a {call.verb} cannot be read")


def _id(value: str) -> str:
    """One id as one part of a path: nothing in it can lead elsewhere."""
    if not value or value in {".", ".."}:
        raise Refused(f"{value!r} is no id of Teams; nothing was sent")
    return quote(value, safe="")


def _text(answer: Raw, name: str) -> str:
    """A text that a POST must answer with. Raises PerhapsDone: without it nobody knows what was done."""
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise PerhapsDone(PLATFORM, f"the answer to a POST has no {name}")
    return value


def _objects(value: Any) -> tuple[Raw, ...]:
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def _seconds(headers: Mapping[str, str]) -> float | None:
    """How long Retry-After asks us to wait; None if it does not say."""
    told = headers.get("Retry-After", "")
    return min(float(told), LONGEST_PAUSE) if told.isascii() and told.isdigit() else None
