"""Places: where each conversation is, whose app is installed, and what was posted where. Our own JSON, in `Keep`.

    an inbound activity -> its conversation's service URL, its team, its writer's own chat     removal -> forgotten
    Place -> where() -> Where, or Undeliverable with what to do about it
    MessageRef -> standing() -> the whole conversation id it was posted with

Nothing about a conversation lives in memory, so everything works after a restart, before anybody writes. What is read
here is input like any other: the connector looks at a service URL again before each call (T13). Not owned: channels by
their names (named), nor posting (mouth).
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from itertools import count

from adapters.teams.connector import Where
from adapters.teams.shapes import PERSONAL, PLATFORM, THREAD, Inbound
from bot.domain.chat import Account, MessageRef, Place
from bot.domain.errors import Undeliverable
from bot.domain.ports import Keep
from bot.domain.wire import Record, dumps, pack, replace, unpack

REMEMBERED = timedelta(days=60)  # a posted message; each edit begins it anew
FOR_EVER = timedelta(days=36_500)
AGAIN = 60.0  # seconds until what was learned already is written down again: somebody else may have forgotten it
LEARNED = 10_000  # facts this process remembers to have written
UNKNOWN = "Countersign has never been there; add the app to that team or chat and mention it there once"


class Seen(Record):
    """One conversation: at which service URL, of which kind, and the id our bot has in it."""

    service_url: str
    bot: str
    kind: str = ""  # personal, groupChat or channel
    team: str = ""


class Installed(Record):
    """One team whose members can be asked for, because the app is installed there."""

    team: str
    service_url: str
    bot: str


class Met(Record):
    """One person as our bot knows them: the id of the roster, their own chat with it, and where they were seen last."""

    user: str
    direct: str = ""
    service_url: str = ""
    bot: str = ""
    at: str = ""  # the whole id of the conversation they were last seen in


class Standing(Record):
    """One posted message: what it counts as, the whole conversation id it was posted with, and its doubles' ids."""

    ref: MessageRef
    conversation: str
    also: tuple[str, ...] = ()


class Places:
    """Raises StoreUnavailable like every user of the Keep. *clock* tells seconds that only grow."""

    def __init__(self, keep: Keep, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._keep, self._clock = keep, clock
        self._written: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    # ------------------------------------------------------------------ learn

    async def learn(self, inbound: Inbound) -> None:
        """Take in what an authentic activity says about its place; forget the place if it says that we were removed."""
        place, seen = inbound.place, _seen(inbound)
        if was_removed(inbound):
            await self.forget(place, team=seen.team)
            return
        if place.channel:  # a click may come without a word about where
            await self._write(_name("place", place.tenant, place.channel), pack(seen))
        await self._write(_name("tenant", place.tenant), pack(Seen(service_url=seen.service_url, bot=seen.bot)))
        if seen.team:
            await self._enlist(place.tenant, Installed(team=seen.team, service_url=seen.service_url, bot=seen.bot))
        await self._meet(inbound)

    async def forget(self, place: Place, *, team: str = "") -> None:
        """The app is not there any more: not in this conversation, nor in *team* if one is named."""
        names = [_name("place", place.tenant, place.channel)]
        if team:
            names.append(_name("team", place.tenant, team))
        for name in names:
            self._written.pop(name, None)
        await self._keep.forget(*names)

    async def _meet(self, inbound: Inbound) -> None:
        user = inbound.parts.sender.id
        if not user or inbound.is_from_bot:
            return
        before = await self.met(inbound.by)
        met = Met(
            user=user,
            direct=inbound.place.channel if inbound.place.is_direct else before.direct if before else "",
            service_url=inbound.service_url,
            bot=inbound.bot,
            at=inbound.conversation or (before.at if before else ""),
        )
        await self._write(_person(inbound.by), pack(met))

    async def _enlist(self, tenant: str, team: Installed) -> None:
        """Give the team the next number, as installs do: a claim a number, so that nobody overwrites anybody."""
        mark = _name("team", tenant, team.team)
        if not await self._write(mark, pack(team)):
            return
        for number in count():
            before = await self._keep.claim(_name("no", tenant, str(number)), team.team.encode(), keep=FOR_EVER)
            if before in (None, team.team.encode()):
                return

    async def _write(self, name: str, value: bytes) -> bool:
        """Put it there, unless this process did so a moment ago. Was it written?"""
        known = self._written.get(name)
        if known is not None and known[0] == value and self._clock() - known[1] < AGAIN:
            return False
        await self._keep.put(name, value)
        self._written[name] = (value, self._clock())
        self._written.move_to_end(name)
        if len(self._written) > LEARNED:
            self._written.popitem(last=False)
        return True

    # ------------------------------------------------------------------ where

    async def seen(self, place: Place) -> Seen | None:
        """What is known of the conversation *place* names, if we were ever there and not removed since."""
        found = await self._keep.get(_name("place", place.tenant, place.channel))
        return unpack(Seen, found) if found else None

    async def where(self, place: Place) -> Where:
        """As the Bot Connector knows *place*. Raises Undeliverable for somewhere we are not."""
        seen = await self.seen(place)
        if seen is None:
            raise Undeliverable(place.key, UNKNOWN)
        return Where(tenant=place.tenant, service_url=seen.service_url, conversation=whole(place))

    async def know(self, place: Place, seen: Seen) -> None:
        """A conversation that was found or opened, not heard from."""
        await self._write(_name("place", place.tenant, place.channel), pack(seen))

    async def tenant(self, tenant: str) -> Seen | None:
        """The service URL heard from last in *tenant*, and the bot's id there."""
        found = await self._keep.get(_name("tenant", tenant))
        return unpack(Seen, found) if found else None

    async def teams(self, tenant: str) -> tuple[Installed, ...]:
        """The teams of *tenant* in which the app is installed, in order of arrival."""
        found: list[Installed] = []
        for number in count():
            team = await self._keep.get(_name("no", tenant, str(number)))
            if team is None:
                return tuple(found)
            if mark := await self._keep.get(_name("team", tenant, team.decode())):
                found.append(unpack(Installed, mark))
        raise AssertionError("numbers do not end")

    # ----------------------------------------------------------------- people

    async def met(self, account: Account) -> Met | None:
        found = await self._keep.get(_person(account))
        return unpack(Met, found) if found else None

    async def direct(self, account: Account) -> Where | None:
        """Their own chat with the bot, if it was opened and the app was not removed from it."""
        met = await self.met(account)
        if met is None or not met.direct:
            return None
        place = Place(platform=PLATFORM, tenant=account.tenant, channel=met.direct, is_direct=True)
        seen = await self.seen(place)
        return Where(tenant=account.tenant, service_url=seen.service_url, conversation=met.direct) if seen else None

    async def opened(self, account: Account, where: Where, bot: str) -> Place:
        """Remember the chat that was opened with *account*: there is one, for all that follows."""
        place = Place(platform=PLATFORM, tenant=account.tenant, channel=where.conversation, is_direct=True)
        await self.know(place, Seen(service_url=where.service_url, bot=bot, kind=PERSONAL))
        before = await self.met(account) or Met(user=account.user, at=where.conversation)
        met = replace(before, direct=where.conversation, service_url=where.service_url, bot=bot)
        await self._write(_person(account), pack(met))
        return place

    # ----------------------------------------------------------------- posted

    async def posted(self, ref: MessageRef, where: Where, *, also: tuple[str, ...] = ()) -> None:
        """*ref* stands at *where*; *also* are messages that were posted twice for it."""
        standing = pack(Standing(ref=ref, conversation=where.conversation, also=also))
        await self._keep.put(_message(ref), standing, keep=REMEMBERED)
        await self._keep.put(_name("activity", ref.place.tenant, ref.id), pack(ref), keep=REMEMBERED)

    async def doubled(self, double: MessageRef, standing: Standing) -> None:
        """*double* shows the same as *standing*: a press there is one here, and both are edited."""
        kept = (*(one for one in standing.also if one != double.id), double.id)
        whole_standing = pack(replace(standing, also=kept))
        for ref in (standing.ref, double):
            await self._keep.put(_message(ref), whole_standing, keep=REMEMBERED)
        await self._keep.put(_name("activity", double.place.tenant, double.id), pack(standing.ref), keep=REMEMBERED)

    async def standing(self, ref: MessageRef) -> Standing | None:
        found = await self._keep.get(_message(ref))
        return unpack(Standing, found) if found else None

    async def posted_at(self, tenant: str, activity: str) -> MessageRef | None:
        """The message of ours that *activity* names, for a click that says nothing of its conversation."""
        found = await self._keep.get(_name("activity", tenant, activity))
        return unpack(MessageRef, found) if found else None


def whole(place: Place) -> str:
    """The conversation id of *place*: of a thread in a channel, with the message that opens it."""
    return f"{place.channel}{THREAD}{place.thread}" if place.thread else place.channel


def around(conversation: str) -> str:
    """The conversation around a thread: the one thing that is ever read in an id."""
    return conversation.partition(THREAD)[0]


def was_removed(inbound: Inbound) -> bool:
    """Does this activity say that the app was taken away from its conversation, or its team?"""
    parts = inbound.parts
    match parts.type:
        case "installationUpdate":
            return (parts.action or "").startswith("remove")
        case "conversationUpdate":
            return inbound.bot in [member.id for member in parts.membersRemoved or ()]
    return False


def _seen(inbound: Inbound) -> Seen:
    conversation, data = inbound.parts.conversation, inbound.parts.channelData
    kind = conversation.conversationType if conversation else None
    team = data.team.id if data and data.team else None
    return Seen(service_url=inbound.service_url, bot=inbound.bot, kind=kind or "", team=team or "")


def _person(account: Account) -> str:
    return _name("person", account.tenant, account.user)


def _message(ref: MessageRef) -> str:
    return _name("posted", ref.place.tenant, ref.place.channel, ref.id)


def _name(kind: str, *ids: str) -> str:
    """Ids are foreign, long and opaque: none of them becomes part of a name."""
    return f"teams:{kind}:{hashlib.sha256(dumps(ids)).hexdigest()[:40]}"
